/*
 * Pipes: what a command prints goes to a program of the system, `vport | grep vm3`.
 *
 * The command runs in a process of its own. When nobody reads what it prints it ends there by
 * SIGPIPE, so `fdb | head -1` does not walk a table of a million stations to its end; and stdout
 * of the shell itself is never touched. Ctrl-C reaches the command and the program, which end, and
 * not the shell.
 */
#pragma once

#include "debugshell/why.h"

enum { PIPE_SIGNAL = 128 }; // the status that stands for signal 0

/**
 * Runs fn(arg), whose result is the command's status, with its stdout going to `sh -c program`,
 * and waits for both. Gives the status of the program, or when that is 0 the command's; that it
 * could not write all is no error; PIPE_SIGNAL and the number when a signal ended it. Negative
 * errno and 'why' when they could not be started.
 */
int pipe_run(const char *program, int (*fn)(void *arg), void *arg, struct why *why);

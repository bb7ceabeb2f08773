/*
 * A command that is run by sh while traffic runs, without disturbing it.
 *
 * The generator is pinned to its core and must not stop for a fork of its large memory. So the
 * shell is started beforehand, on all cores, and waits for the word to go; looking whether it has
 * ended does not wait. It stands in a process group of its own, so that what it starts in the
 * background, such as a new switch, outlives a Ctrl-C. Its stdin is /dev/null, its stdout our
 * stderr.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct command {
	pid_t pid;
	int go;           // a byte written there starts it; -1: started
	double started_s; // gen_now(); NAN: not yet
	double ended_s;
	int status; // exit code, or 128 and the signal; once it has ended
};

/** Starts the shell that waits. 0 or a negative errno. */
int command_prepare(struct command *c, const char *text);
void command_start(struct command *c);
/** True once it has ended. Does not wait. */
bool command_ended(struct command *c);
/** What was not started never will be. A command that still runs is left alone. */
void command_release(struct command *c);

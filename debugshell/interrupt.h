/*
 * Ctrl-C while a command that somebody has typed runs: it ends the command, not the shell, as
 * Ctrl-Break does in a kernel debugger.
 *
 * There is one flag and no jump: from then on nothing can be read from the target and nothing is
 * printed, so each command comes to its end at once, by itself, and gives back what it holds.
 */
#pragma once

#include <stdbool.h>

// From here to interrupt_end() Ctrl-C is taken note of.
void interrupt_begin(void);

// Makes it again what it was before, if interrupt_begin() was called. Whether it came meanwhile.
bool interrupt_end(void);

// Whether it came since interrupt_begin().
bool interrupt_seen(void);

/*
 * The root that debuggers start from; see root_types.h.
 *
 * Threads: main thread.
 */
#pragma once

#include "switch/root_types.h"

extern struct vsw_root vsw_root;

// Fills in what is known at start: version, build id, pid, times, directories, type data.
void root_init(const char *run_dir, const char *state_dir, int argc, char **argv);

// Notes, once a second, what a core needs: the time that its ages are counted to, and what of this
// process goes into a core, which may be changed from outside.
void root_tick(void);

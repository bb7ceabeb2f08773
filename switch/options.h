/*
 * vswd's command line. Sizes and places are set here and nowhere else; what the switch is
 * made of is set by commands.
 *
 * Threads: main thread, at start.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ports/errtext.h"
#include "ports/log.h"
#include "switch/proc_types.h"

enum {
	OPTIONS_MEMORY_MIN = 32, // MiB
	OPTIONS_MEMORY_MAX = 65536,
	OPTIONS_MEMORY_DEFAULT = 128
};

struct options {
	const char *start_file; // NULL = none
	char run_dir[PATH_MAX]; // absolute
	char state_dir[PATH_MAX];
	unsigned procs[PROC_MAX]; // cores
	unsigned n_procs;         // 0 = one, on the last core
	unsigned memory_mib;
	bool no_huge;
	bool pci;
	bool poll_always;
	enum log_level log_level;
	const char *socket_group; // NULL = vsw if it exists
	mode_t socket_mode;
};

/**
 * 0: '*ret' is filled in. 1: help or version was printed. -EINVAL: 'e' says what is wrong.
 */
int options_parse(int argc, char **argv, struct options *ret, struct errtext *e);

/*
 * The shell: one target, what is known of it, and the commands that are typed.
 *
 * Each command reads the root anew, so that a session stays right while switches come and go.
 */
#pragma once

#include <stdbool.h>

#include "debugshell/target.h"
#include "debugshell/type.h"
#include "debugshell/why.h"
#include "ports/object_types.h"
#include "switch/root_types.h"

struct shell {
	struct target *target;
	struct type_db *types;
	tgt_addr root_addr;
	struct vsw_root *root; // as the current command found it
	uint64_t generation;   // walk_generation() when the current command began
	unsigned troubles;     // damaged objects that it met
	bool runs;             // the target did when the current command began
	bool json;             // commands print JSON; false when the shell is opened
	bool collects;         // what is read goes into a dump: guests' memory is left alone
	uint64_t stopped_tsc;  // the latest moment found in one that does not, see clock.h
};

/**
 * Starts a shell on a target, which is the shell's from then on, also on failure. Says on
 * stderr, once, when the target is another build. Negative errno and 'why'.
 */
int shell_open(struct target *target, struct shell **ret, struct why *why);
void shell_close(struct shell *sh);

/**
 * Runs one command of 'argc' words, whose output is one JSON text when sh->json. 0; 1: it met an
 * error or a damaged object, which it said.
 */
int shell_run(struct shell *sh, int argc, char **argv);

/**
 * Runs a line as line.h has it, which is changed. As shell_run(), and with a pipe the status of its
 * program when that is not 0.
 */
int shell_run_line(struct shell *sh, char *line);

/**
 * Reads lines until the end or `quit`: with line editing from a terminal, else plain lines.
 * Returns what the last line did.
 */
int shell_loop(struct shell *sh);

// The map of a struct; what is missing in the target is said on stderr, once.
int shell_map(struct shell *sh, const char *name, size_t own_size, const struct type_map **ret,
	      struct why *why);

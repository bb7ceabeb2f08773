/*
 * Completion: the words that may stand at the cursor of a line that is being typed.
 *
 * Here is what needs no target: which word of the line it is, what a command's usage allows there,
 * and which of the names and addresses that are offered begin with what is typed. A name with
 * blanks is found in its quotes. An address is found however it is typed: with 0x, with a `, and
 * with or without its leading zeros; it is completed to all of its 16 digits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "debugshell/target.h"

enum {
	COMPLETE_MAX = 4096,      // words that are found; more are left out
	COMPLETE_WORDS_MAX = 16,  // of a line
	COMPLETE_WORD_SIZE = 256, // bytes of a word; longer ones are not completed
};

// What may stand in a place.
enum complete_kind {
	COMPLETE_COMMANDS = 1 << 0,
	COMPLETE_SWITCHES = 1 << 1,
	COMPLETE_PORTS = 1 << 2,
	COMPLETE_NICS = 1 << 3, // by the names of their ports
	COMPLETE_PROCS = 1 << 4,
	COMPLETE_FDBS = 1 << 5, // these three by address alone
	COMPLETE_MINIPORTS = 1 << 6,
	COMPLETE_MOPENS = 1 << 7,
	COMPLETE_MODULES = 1 << 8,
	COMPLETE_TYPES = 1 << 9,
	COMPLETE_FILES = 1 << 10
};

struct complete {
	unsigned n_before; // whole words before that at the cursor
	char before[COMPLETE_WORDS_MAX][COMPLETE_WORD_SIZE];
	char raw[COMPLETE_WORD_SIZE]; // what is typed of it, with its quote
	const char *word;             // the same without
	bool is_quoted;

	char **found; // as they are to be typed, with quotes; owned
	unsigned n;
};

/**
 * Takes the 'length' bytes of 'line' that are before the cursor. False: there is nothing to
 * complete, as behind a |. To be freed with complete_free(), also then.
 */
bool complete_init(struct complete *c, const char *line, size_t length);
void complete_free(struct complete *c);

// What a command's usage, "fdb [FDB | VSWITCH | VPORT]", says of its arguments: complete_kinds.
unsigned complete_kinds(const char *usage);

// Arguments before the cursor, but for options and their numbers.
unsigned complete_n_args(const struct complete *c);

// Adds 'name' if it begins with what is typed; 'is_whole': its quote can be closed.
void complete_offer(struct complete *c, const char *name, bool is_whole);

// Adds an address, if two digits of it are typed, or nothing and 'is_named' is not set.
void complete_offer_addr(struct complete *c, tgt_addr addr, bool is_named);

// Adds the options in a command's usage, once a - is typed.
void complete_offer_options(struct complete *c, const char *usage);

// Sorts what was found; numbers by their value.
void complete_sort(struct complete *c);

// Bytes that all of what was found has in common, in whole characters.
size_t complete_common(const struct complete *c);

/*
 * Match: whether a target's type data holds what this vswsh's commands read.
 */
#pragma once

#include "debugshell/type.h"

enum { TYPE_MATCH_NAMES = 4 }; // of what is missing, that are kept

struct type_match {
	unsigned structs; // that the switch names for a debugger
	unsigned alike;   // of them: laid out as in our build
	unsigned missing; // fields, and structs as a whole, that the target does not have
	char names[TYPE_MATCH_NAMES][128];
};

/**
 * Compares all structs that switch/types.c of our build names. -ENOTSUP: one of the builds has no
 * type data. -ENOMEM.
 */
int type_match(struct type_db *db, struct type_match *ret);

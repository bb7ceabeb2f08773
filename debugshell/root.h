/*
 * The root of a target: where it is, its type data, and its contents.
 */
#pragma once

#include "debugshell/shell.h"

/**
 * Finds the root and makes the types from the target's type data: that which the root points
 * at, else that of the program's section. -ENOEXEC, -EINVAL and 'why'.
 */
int root_find(struct target *target, tgt_addr *x_addr, struct type_db **x_types, struct why *why);

// Reads the root into sh->root.
int root_read(struct shell *sh, struct why *why);

// Cuts its counts to what our tables can hold, and leaves out what they list twice.
void root_check(struct shell *sh);

// Whether the target lays out the structs that every command needs as our build does.
bool root_same_layout(struct shell *sh);

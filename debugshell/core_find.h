/*
 * What is looked for in a core before anything is known of its contents: which build the program
 * is, and where its root lies.
 */
#pragma once

#include "debugshell/core_elf.h"
#include "debugshell/image.h"

/**
 * The GNU build id of the program, from its own headers in memory: its size in bytes, 0 when the
 * core does not hold them.
 */
size_t core_build_id(const struct core *core, uint8_t id[IMAGE_ID_MAX]);

/**
 * The root's address: in a dump of ours as it says, else where the root's magic stands, in the
 * program's own data if it is there, else anywhere. False: there is none.
 */
bool core_find_root(const struct core *core, uint64_t *ret);

// Whether a root is at 'addr'.
bool core_is_root(const struct core *core, uint64_t addr);

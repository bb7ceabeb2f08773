/*
 * The notes of a core: which process it was, its threads, its mapped files. See core_elf.h.
 */
#pragma once

#include "debugshell/core_elf.h"

// Owner and type of the note in a dump of ours; its description begins with the address of the
// root, in 64 bits.
#define CORE_NOTE_OWNER "VSW"
enum { CORE_NOTE_DUMP = 1 };

/**
 * Reads the notes in [offset, offset + size) of the file into 'core', as far as they are there;
 * what is damaged is left out. -ENOMEM.
 */
int core_notes_read(struct core *core, uint64_t offset, uint64_t size, struct why *why);

/*
 * The file of a dump: an ELF core (ET_CORE) of 64 bits for x86-64.
 *
 *    +-------------+-----------------+--------------------------------+-----------------------
 *    | ELF header  | program headers | notes                          | memory
 *    |             | PT_NOTE,        | CORE: NT_PRPSINFO, NT_AUXV,    | piece after piece,
 *    |             | PT_LOAD per     |   NT_FILE, NT_PRSTATUS per     | without padding
 *    |             | piece           |   thread                       |
 *    |             |                 | VSW: struct dump_note          |
 *    +-------------+-----------------+--------------------------------+-----------------------
 *
 * Threads have no registers: the target does not tell any. Zeros in memory are holes in the file.
 */
#pragma once

#include "debugshell/dump.h"

// The note of owner CORE_NOTE_OWNER, type CORE_NOTE_DUMP.
struct dump_note {
	uint64_t root;    // address of the target's root
	int64_t taken_s;  // wall clock, seconds since 1970
	char shell[32];   // version of the vswsh that wrote it
	char version[32]; // of the target
	uint32_t build_id_size;
	uint8_t build_id[20]; // GNU build id of the target's program
};

struct dump_sizes {
	uint64_t file;   // bytes
	uint64_t memory; // of them
	uint32_t pieces; // that the memory is in
};

/**
 * Writes the file from its beginning on. Errors of pwrite(2), -ENOMEM.
 */
int dump_elf_write(struct shell *sh, const struct dump *dump, int fd, struct dump_sizes *ret);

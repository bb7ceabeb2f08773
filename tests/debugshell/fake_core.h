/*
 * A small valid core of a vswd, made by hand and in memory, for those who then damage it.
 *
 *      ELF header | program headers | notes | root | arena with all objects
 *
 * The objects are those of fake_objects.h, in an arena that always has the same address, so that
 * a damage that was found once can be made again.
 */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_NOTES, FAKE_ROOT, FAKE_ARENA, FAKE_SEGMENTS };

struct fake_core {
	uint8_t *bytes; // of the file
	size_t size;

	// In 'bytes'.
	Elf64_Ehdr *ehdr;
	Elf64_Phdr *phdrs; // FAKE_SEGMENTS, and room for as many more
	uint8_t *notes;
	struct vsw_root *root;
};

// Makes the objects and the core, once in a process.
void fake_core_make(struct fake_core *core);

// Where an object of the core lies in 'bytes'; it is named by its address in this process.
void *fake_core_at(const struct fake_core *core, const void *object);

/*
 * Modules: the program and the shared libraries of a target, by what their own ELF headers in
 * memory say. No file is opened: a core may be looked at where its programs are not.
 *
 * Complications:
 *  - Every header is foreign bytes; what cannot be is left out.
 *  - A file with ELF headers may be mapped as data, and a guest's memory, which is a file's as
 * well, may begin with whatever the guest likes: files of memory and of devices are no modules.
 *  - A core may lack the headers; a module is known by its name then, and its size by its mappings.
 */
#pragma once

#include <elf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "debugshell/image.h"
#include "debugshell/target.h"

enum { MODULE_NAME_SIZE = 64, MODULE_PHDRS_MAX = 32 };

struct module {
	tgt_addr start;
	uint64_t size;               // bytes, rounded to pages
	char name[MODULE_NAME_SIZE]; // "vswd", "libc"
	char path[PATH_MAX];
	bool is_program; // the root is in it

	// Of the headers in memory.
	bool has_header;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[MODULE_PHDRS_MAX]; // ehdr.e_phnum
	uint64_t low;                       // address that 'start' was linked for
	uint8_t id[IMAGE_ID_MAX];
	uint32_t id_size;   // bytes; 0: none
	uint64_t id_vaddr;  // from 'start' on
	uint64_t id_offset; // in the file
};

struct modules {
	uint32_t n;
	uint32_t room;
	struct module *all; // by address; owned
};

/**
 * Finds the modules; to be freed with modules_free(), also on failure. 'root': an address in the
 * program. -ENODATA: a core that does not list its files. -ESRCH, -ENOMEM.
 */
int modules_read(struct target *target, tgt_addr root, struct modules *ret, struct why *why);
void modules_free(struct modules *modules);

// By name, "vswd" for the program whatever it is called, or by an address in it. NULL: none.
const struct module *modules_find(const struct modules *modules, const char *name);
const struct module *modules_at(const struct modules *modules, tgt_addr addr);

// Where in the module's file the byte at 'addr' is. False: the file does not have it.
bool module_offset(const struct module *module, tgt_addr addr, uint64_t *ret);

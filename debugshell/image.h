/*
 * Image: the program file of a target. It says where sections and symbols are loaded.
 */
#pragma once

#include <stdint.h>

struct image;

struct image_place {
	uint64_t vaddr;  // as linked; the load bias is added by the caller
	uint64_t offset; // in the file
	uint64_t size;   // bytes
};

// Takes 'fd', also on failure. -ENOEXEC: not a 64-bit ELF program of this machine. -ENOMEM.
int image_open(int fd, struct image **ret);
void image_close(struct image *image);

uint64_t image_entry(const struct image *image);

// Section or symbol of that name. -ENOENT.
int image_section(const struct image *image, const char *name, struct image_place *ret);
int image_symbol(const struct image *image, const char *name, struct image_place *ret);

/*
 * Image: the program file of a target. It says where sections and symbols are loaded, and has the
 * bytes that nobody changes.
 */
#pragma once

#include <stddef.h>
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

enum { IMAGE_ID_MAX = 32 };

// The GNU build id: its size in bytes, 0 when there is none.
size_t image_build_id(const struct image *image, uint8_t id[IMAGE_ID_MAX]);

/**
 * Bytes of a segment that is not written to while the program runs. -ENODATA: it has no such
 * bytes at 'vaddr'. Errors of read(2).
 */
int image_read(const struct image *image, uint64_t vaddr, void *buf, size_t size);

// Section or symbol of that name. -ENOENT.
int image_section(const struct image *image, const char *name, struct image_place *ret);
int image_symbol(const struct image *image, const char *name, struct image_place *ret);

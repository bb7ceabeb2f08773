/*
 * A core file: which bytes of which addresses it holds, and what its notes tell of the process.
 *
 *      kernel      ELF header | program headers | notes | memory ...
 *      debugger    ELF header | program headers | memory ... | notes
 *
 * Complications, and what is done about them:
 *  - The file is foreign bytes. Every number is checked before use, all work is bounded by
 *    the size of the file or a constant.
 *  - It is seldom whole. What the kernel leaves out (coredump_filter, MADV_DONTDUMP) has fewer
 *    bytes in the file than in memory; a debugger lists only what it wrote, but its list of
 *    mapped files tells of the rest; a disk that ran full cuts off the end. For each address
 *    core_at() says which it is.
 *  - It is read and not mapped, so that a file that shrinks meanwhile is no SIGBUS.
 *
 * Threads: constant once open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "debugshell/why.h"

struct core_segment {
	uint64_t start;   // address
	uint64_t size;    // bytes in memory
	uint64_t offset;  // in the file
	uint64_t written; // bytes of it that the file should have, <= size
	uint64_t there;   // bytes of it that the file has, <= written
	uint32_t flags;   // PF_R, PF_W, PF_X
	uint32_t pad;
};

// A file, or a piece of one, that was mapped.
struct core_map {
	uint64_t start;
	uint64_t size;   // bytes
	uint64_t offset; // in the file
	const char *path;
};

struct core {
	int fd;
	uint64_t size;   // bytes of the file
	uint64_t wanted; // bytes that its headers speak of; more than 'size' = cut off

	// By address, not overlapping.
	uint32_t n_segments;
	struct core_segment *segments;

	// Notes: what is not told is zero.
	uint32_t n_maps;
	struct core_map *maps; // by address
	char *map_paths;
	uint32_t n_threads;
	uint32_t threads_room;
	int32_t *threads; // their ids; the first is the one that the signal hit
	int32_t pid;
	int32_t signal; // that ended it
	char name[17];  // of its program, as ps(1) has it
	uint64_t entry; // address where the program began
	uint64_t phdr;  // address of the program's own program headers
	uint64_t n_phdrs;
	uint64_t dump_root; // of a dump of ours: the root's address
};

enum core_kind {
	CORE_UNMAPPED, // the process had nothing there that it could read
	CORE_BYTES,
	CORE_LEFT_OUT, // not written, on purpose
	CORE_CUT_OFF   // the file ends before it
};

// What there is from an address on, alike for 'size' bytes (> 0).
struct core_piece {
	enum core_kind kind;
	bool is_plain; // no file was mapped there: memory of the process itself
	uint64_t size;
	uint64_t offset; // in the core, of CORE_BYTES
};

/**
 * Takes 'fd', also on failure; 'path' is for the sentences. -ENOEXEC: no core of a 64-bit
 * program of this machine. -EINVAL: damaged. -ENOMEM. -EIO and others of read(2).
 */
int core_open(int fd, const char *path, struct core **ret, struct why *why);
void core_close(struct core *core);

struct core_piece core_at(const struct core *core, uint64_t addr);

// Bytes at an address. -EFAULT: not all of them were mapped, -ENODATA: not all are in the core.
int core_read(const struct core *core, uint64_t addr, void *buf, size_t size);

// Bytes at an offset of the file. -ENODATA: it is shorter. Errors of read(2).
int core_pread(const struct core *core, uint64_t offset, void *buf, size_t size);

// The file that was mapped at 'addr', or NULL.
const struct core_map *core_map_at(const struct core *core, uint64_t addr);

/*
 * The copies of the fast path: leading bytes out of a guest, whole frames into one.
 *
 * They take half of the time of a frame, so there are versions for AVX2 and AVX-512, chosen
 * once at start by what the processor can do, and each works on a whole burst, so that the
 * choice costs one indirect call per burst and the next destination can be prefetched.
 *
 * Each source byte is read once per destination, except payload (never safe bytes), which a
 * version may read twice where a tail overlaps.
 *
 * Threads: copy_init() main thread, before procs start. The rest: any.
 */
#pragma once

#include <stdint.h>

// Leading bytes of one frame: from guest memory into safe bytes.
struct copy_snapshot {
	uint8_t *to;
	const uint8_t *from;
	uint32_t size; // bytes, 1..VNBL_SAFE_SIZE
};

// One frame into one buffer: 'head' and then 'tail', without a gap.
struct copy_frame {
	uint8_t *to;
	const uint8_t *head;
	const uint8_t *tail; // not read when tail_size is 0
	uint32_t head_size;  // bytes, > 0
	uint32_t tail_size;  // bytes
};

struct copy_ops {
	const char *name; // "generic", "avx2", "avx512"
	void (*snapshots)(const struct copy_snapshot *jobs, unsigned n);
	void (*frames)(const struct copy_frame *jobs, unsigned n);
};

// The version in use. The slowest one before copy_init().
extern const struct copy_ops *copy_ops;

// Chooses the version for this processor.
void copy_init(void);

/**
 * All versions that this processor can run, slowest first, for tests and benchmarks. Returns
 * version 'i', or NULL behind the last.
 */
const struct copy_ops *copy_version(unsigned i);

// Name of the version in use, for `proc`.
const char *copy_name(void);

/*
 * A guest of the micro-benchmarks: one ring and its buffers, in this process. It costs next to
 * nothing: descriptors and the available ring are filled in for ever, position p names buffer p,
 * and making n buffers available is moving an index on.
 *
 *     memory   desc | avail | used | buffer 0 | buffer 1 | ... | buffer BGUEST_RING - 1
 *                                    header, frame
 *
 * Threads: belongs to its caller.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "ports/guest_mem.h"
#include "ports/vring.h"

enum {
	BGUEST_RING = 1024,
	BGUEST_STRIDE = 2368, // an odd number of lines: 2048 would alias in L1
	BGUEST_HDR = VIRTQ_NET_HDR_SIZE,
	BGUEST_FRAME_MAX = BGUEST_STRIDE - BGUEST_HDR,
};

struct bguest {
	uint8_t *memory;
	uint8_t *buffers;
	struct guest_mem *mem;
	enum virtq_direction direction;
	struct virtq_desc *desc;
	volatile struct virtq_avail *avail;
	volatile struct virtq_used *used;
};

// Memory and a ring that nobody uses yet. Ends the program when there is none to be had.
void bguest_init(struct bguest *g, enum virtq_direction direction);
void bguest_fini(struct bguest *g);

/**
 * Attaches the ring to 'q', which is zeroed or was detached, with nothing available. A ring
 * from the guest holds frames of 'frame_size' bytes. 'features' besides the usual ones; fds are
 * borrowed, -1: none, and then the guest asks not to be called.
 */
void bguest_attach(struct bguest *g, struct virtq *q, uint32_t frame_size, uint64_t features,
		   int callfd, int kickfd);

// The frame in buffer 'position' modulo BGUEST_RING.
static inline uint8_t *bguest_frame(const struct bguest *g, uint32_t position)
{
	return g->buffers + (uint64_t)(position % BGUEST_RING) * BGUEST_STRIDE + BGUEST_HDR;
}

// Makes the next n buffers available.
static inline void bguest_offer(struct bguest *g, uint32_t n)
{
	atomic_thread_fence(memory_order_release);
	g->avail->idx = (uint16_t)(g->avail->idx + n);
}

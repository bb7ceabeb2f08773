/*
 * How descriptors are read: once each, into a local copy, within bounds. For vring*.c only.
 *
 * A chain begins at a head, goes on by 'next', and may end in one indirect table, whose
 * chain goes on by 'next' inside the table (virtio 1.1, 2.6.5.3).
 *
 *    head -> desc[3] -> desc[7] -> desc[1] (INDIRECT) -> table[0] -> table[1]
 *
 * Damage in the ring's own table breaks the ring; damage in an indirect table, which is part
 * of one frame, costs that frame.
 */
#pragma once

#include <stdbool.h>

#include "ports/guest_mem.h"
#include "ports/vring_types.h"

enum walk_step {
	WALK_DESC,  // '*d' is the next one
	WALK_END,   // the chain is at its end
	WALK_BAD,   // the frame is malformed
	WALK_BROKEN // the ring is, and has been stopped
};

struct vring_walk {
	struct virtq *q;
	uint64_t table_gpa;                       // indirect table
	const volatile struct virtq_desc *window; // its entries that lie in one piece
	uint32_t window_entries;
	uint32_t table_entries; // 0: not in an indirect table
	uint32_t next;          // entry to read
	uint32_t seen;          // descriptors read, of the ring's table
	uint32_t seen_indirect; // and of the indirect one
	bool more;
	bool at_head; // the head's copy is 'head', not to be read again
	struct virtq_desc head;
};

// A guest may put an indirect table at any address.
typedef uint64_t __attribute__((aligned(1), may_alias)) vring_u64;

// A descriptor as it was read: each half once.
struct virtq_words {
	uint64_t addr;
	uint64_t rest; // len, flags << 32, next << 48
};

static inline struct virtq_words vring_read_words(const volatile struct virtq_desc *from)
{
	const volatile vring_u64 *words = (const volatile vring_u64 *)from;

	return (struct virtq_words){.addr = words[0], .rest = words[1]};
}

static inline struct virtq_desc vring_read_desc(const volatile struct virtq_desc *from)
{
	const struct virtq_words d = vring_read_words(from);

	return (struct virtq_desc){
		.addr = d.addr,
		.len = (uint32_t)d.rest,
		.flags = (uint16_t)(d.rest >> 32),
		.next = (uint16_t)(d.rest >> 48),
	};
}

static inline void vring_write_used(struct virtq *q, uint16_t slot, uint32_t id, uint32_t len)
{
	volatile vring_u64 *to = (volatile vring_u64 *)&q->used->ring[slot & q->mask];

	*to = (uint64_t)len << 32 | id;
}

// Stops the ring. What it was doing is abandoned by the caller.
static inline void vring_break(struct virtq *q, enum virtq_break why, uint32_t detail)
{
	q->broken = why;
	q->broken_detail = detail;
}

/**
 * How many chains wait from 'from' on; looks at the guest's index only when fewer than
 * 'wanted' are known of. 0 also when the index is impossible, which breaks the ring.
 */
static inline uint32_t vring_waiting(struct virtq *q, uint16_t from, uint32_t wanted)
{
	uint16_t known = q->avail_seen - from, taken;

	if (known >= wanted)
		return known;
	q->avail_seen = q->avail->idx;
	atomic_thread_fence(memory_order_acquire);

	// 'from' may be ahead of last_avail by what the caller has in hand, and the guest may
	// have moved its index back behind that.
	taken = from - q->last_avail;
	known = q->avail_seen - q->last_avail;
	if (known > q->size || known < taken) {
		vring_break(q, VIRTQ_BREAK_AVAIL, q->avail_seen);
		q->avail_seen = q->last_avail;
		return 0;
	}
	return (uint16_t)(known - taken);
}

// Whether the ring may be used now.
static inline bool vring_usable(struct virtq *q)
{
	if (q->desc == NULL || q->broken != VIRTQ_OK)
		return false;
	if (guest_mem_broken(q->mem)) {
		vring_break(q, VIRTQ_BREAK_MEMORY, 0);
		return false;
	}
	return true;
}

// 'head' is the copy of the chain's first descriptor.
static inline void vring_walk_begin(struct vring_walk *w, struct virtq *q,
				    const struct virtq_desc *head)
{
	*w = (struct vring_walk){.q = q, .more = true, .at_head = true, .head = *head};
}

// Reads the next descriptor; never gives one that refers to an indirect table.
enum walk_step vring_walk_next(struct vring_walk *w, struct virtq_desc *d);

// Publishes the used entries written up to 'used' and owes the guest a call.
void vring_publish(struct virtq *q, uint16_t used);

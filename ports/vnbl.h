/*
 * Functions on a frame in flight; see vnbl_types.h for what it is.
 *
 * Threads: the proc that holds the frame. vnbl_init() and vnbl_fini(): main thread.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "ports/vnbl_types.h"

struct rte_mempool;

enum {
	VNBL_MBUF_BYTES = 4096 // memory that one mbuf of the pool takes: a page
};

/**
 * Makes the pool of mbufs that frames are copied into when they outlive their burst.
 * 'n_mbufs' buffers; EAL must be up. -ENOMEM: not enough memory for the pool.
 */
int vnbl_init(unsigned n_mbufs);
void vnbl_fini(void);

// The pool, for ethdev's receive queues; NULL before vnbl_init().
struct rte_mempool *vnbl_pool(void);

// A thread that has handled frames, and ends, gives back what it keeps of the pool for itself.
void vnbl_thread_end(void);

/**
 * Prepares 'v' for a new frame: no flags, no pieces, hdr at safe[].
 */
static inline void vnbl_reset(struct vnbl *v)
{
	memset(v, 0, offsetof(struct vnbl, room));
	v->hdr = v->safe;
}

/**
 * Copies the whole frame into an mbuf (chain) of ours, after which it is valid for as long
 * as its holder likes and VNBL_DATA_SAFE is set. Nothing happens when it is safe in an mbuf
 * already. The safe bytes are taken from hdr, never from the guest again.
 * -ENOMEM: the pool is empty; the frame is as it was. -EFAULT cannot happen: a page that
 * is gone reads as zeros.
 */
int vnbl_make_safe(struct vnbl *v);

/**
 * Makes at least 'size' bytes (up to VNBL_SAFE_MAX) readable at hdr, reading the further
 * bytes from the guest exactly once. Returns how many there are: less than 'size' only if
 * the frame is shorter.
 */
unsigned vnbl_extend(struct vnbl *v, unsigned size);

/**
 * Gives up the frame's mbuf, if it has one. The frame must not be used after that.
 */
void vnbl_release(struct vnbl *v);

// Whether a tag is in the data, so that vnbl_vlan_strip() has something to do.
static inline bool vnbl_has_tag_in_data(const struct vnbl *v)
{
	uint16_t type;

	if (v->safe_size < 14 || v->flags & VNBL_HAS_TAG)
		return false;
	memcpy(&type, v->hdr + 12, sizeof(type));
	return type == 0x0081 || type == 0xa888; // 0x8100 and 0x88a8, as they lie in memory
}

/**
 * Takes an outermost 802.1Q or 802.1ad tag out of the data into vlan_tci. False: the frame
 * has a tag's EtherType but is too short for one (DROP_InvalidVlanFormat).
 */
bool vnbl_vlan_strip(struct vnbl *v);

/**
 * Puts the tag back into the data. Does nothing when the frame has none. The frame is as
 * it was received after that; vnbl_vlan_strip() undoes it.
 */
void vnbl_vlan_insert(struct vnbl *v);

/**
 * Copies bytes [offset, offset + size) of the frame to 'to'. Bytes below safe_size come
 * from hdr, the rest from the pieces, each read once. The range must lie in the frame.
 */
void vnbl_copy_out(const struct vnbl *v, uint32_t offset, void *to, uint32_t size);

/**
 * Gives up the mbufs of all frames of a burst, at its end: those that were made safe on the
 * way as well as those that a NIC received into.
 */
static inline void vnbl_release_burst(struct vnbl_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		if (burst->frames[i].mbuf != NULL)
			vnbl_release(&burst->frames[i]);
	}
}

// Marks the frame as dropped for 'reason'; who calls counts it.
static inline void vnbl_drop(struct vnbl *v, uint8_t reason)
{
	v->flags |= VNBL_DROPPED;
	v->drop = reason;
}

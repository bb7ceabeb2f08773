/*
 * A split virtqueue, driven as a guest's driver drives it.
 *
 * The three parts of the ring lie in guest memory; what the driver needs to remember (free
 * descriptors, what is in flight) lies in its own. All fields are open to the caller, since
 * a hostile test writes whatever it likes into the shared parts and a generator bypasses
 * gring_add() altogether.
 *
 * What the device gives back is checked: an id that is not in flight or a length longer than
 * what was posted is a violation, counted and reported, not trusted.
 *
 * Threads: one at a time per ring.
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define GRING_MAX_SIZE  32768u
#define GRING_MAX_CHAIN 256u

struct gring_buf {
	uint64_t gpa;
	uint32_t length;
	bool writable; // by the device
};

struct gring {
	unsigned index; // of the virtqueue in its device
	unsigned size;  // descriptors, a power of two
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;
	int kick_fd;
	int call_fd;
	bool event_idx;

	uint16_t avail_idx; // what we last published
	uint16_t kick_idx;  // avail_idx at the last decision whether to kick
	uint16_t used_seen; // how far we have looked at the used ring
	uint32_t base;      // where the device is to begin when it is started

	// Driver's own books, 'size' entries each; indexed by head descriptor.
	uint16_t *free; // stack of free descriptors
	unsigned n_free;
	uint16_t *n_desc; // descriptors of the chain in flight; 0 means not in flight
	uint32_t *token;  // the caller's
	uint32_t *posted; // writable bytes of the chain

	uint64_t kicks;
	uint64_t violations;
};

/**
 * Prepares the driver's books and an empty ring.
 *
 * The ring's memory must be set already. Returns 0 or -ENOMEM. gring_fini() frees.
 */
int gring_init(struct gring *r);
void gring_fini(struct gring *r);

/** Forgets everything in flight and empties the ring, as a driver does after a device reset. */
void gring_reset(struct gring *r);

/**
 * Puts a chain of 'n' buffers into the available ring, without publishing it.
 *
 * With 'table' (guest address 'table_gpa', room for n descriptors) the chain is an indirect one.
 * Returns 0, or -ENOSPC when there are not enough free descriptors. gring_publish() shows
 * what was added to the device.
 */
int gring_add(struct gring *r, const struct gring_buf bufs[], unsigned n, struct vring_desc *table,
	      uint64_t table_gpa, uint32_t token);

/** Publishes what was added and kicks when the device asks for it. */
void gring_publish(struct gring *r);

/** Kicks in any case. */
void gring_kick(struct gring *r);

/** True when the device has given something back that gring_pop() did not return yet. */
bool gring_used_pending(const struct gring *r);

/**
 * Takes back one chain. Returns 0 with the token and the written length, -EAGAIN when there is
 * none, -EBADMSG when the device gave back something that it never got (counted; skipped).
 */
int gring_pop(struct gring *r, uint32_t *token_ret, uint32_t *length_ret);

/** Asks for a call at the next used buffer, or for none. */
void gring_want_calls(struct gring *r, bool want);

/** The used event index, which lies behind the available ring. */
static inline uint16_t *gring_used_event(struct gring *r)
{
	return &r->avail->ring[r->size];
}

/** The available event index, which the device writes behind the used ring. */
static inline uint16_t *gring_avail_event(struct gring *r)
{
	return (uint16_t *)(void *)&r->used->ring[r->size];
}

/*
 * Rings: the virtqueues of VMs' NICs. They are no objects of their own but parts of a NIC, and are
 * found by way of it.
 *
 *      struct vhost           rings[0] ... rings[i]
 *                                           +--> struct virtq: the address that stands for the ring
 *
 * What the guest writes (descriptors, what is available) and what it can overwrite (what is used)
 * is read from its memory through the target, at once, and judged as a copy. The switch believes
 * none of it, nor does this.
 */
#pragma once

#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "ports/guest_mem_types.h"
#include "ports/vhost_types.h"

struct ring {
	tgt_addr addr; // of the struct virtq
	tgt_addr nic;
	tgt_addr port;  // that the NIC is of
	unsigned index; // in the NIC: even ones to the guest, odd ones from it
	struct text name;
	uint64_t negotiated; // virtio features
	struct vhost_ring part;
};

// Address of the struct virtq of a NIC's ring. Negative errno and 'why'.
int ring_addr(struct shell *sh, tgt_addr nic, unsigned index, tgt_addr *ret, struct why *why);

// How many rings a NIC has that was read, two per queue pair.
unsigned ring_count(const struct vhost *v);

/**
 * Calls 'fn' for each ring of the NICs of all VMs until it returns false. Damaged objects on the
 * way are told behind 'indent'; NULL: they are not.
 */
typedef bool (*ring_fn)(struct shell *sh, const struct ring *ring, void *arg);
void ring_walk(struct shell *sh, const char *indent, ring_fn fn, void *arg);

// The ring at 'addr'. -ENOENT.
int ring_find(struct shell *sh, tgt_addr addr, struct ring *ret);

// Whether the switch sends by it, or receives.
bool ring_is_to_guest(const struct ring *ring);
const char *ring_direction(const struct ring *ring);

// What is in the guest's memory, and in the table of where that memory lies.
struct ring_guest {
	bool is_torn;  // it went on while it was read: nothing can be said against it
	uint32_t size; // entries, checked
	struct virtq_desc *desc;
	uint16_t *avail;
	uint16_t avail_idx;
	uint16_t used_idx;
	bool has_mem;
	struct guest_mem mem;
};

/**
 * Reads the guest's half of an attached ring, to be freed with ring_guest_free(), also on
 * failure. Errors as tgt_read(), -EINVAL, -ENOMEM, and 'why'.
 */
int ring_guest_read(struct shell *sh, const struct virtq *q, struct ring_guest *ret,
		    struct why *why);
void ring_guest_free(struct ring_guest *guest);

// Chains that the guest has given and not got back; more than 'size' when an index is wrong.
uint16_t ring_outstanding(const struct ring_guest *guest);

// One descriptor of a chain, or what stands in its place.
struct ring_desc {
	uint16_t slot;    // of the ring of available chains
	uint16_t head;    // of the chain
	uint32_t number;  // of the descriptor
	bool is_indirect; // it is in a chain's own table
	bool is_there;    // 'desc' is valid
	struct virtq_desc desc;
	const char *wrong; // what is suspicious about it, or NULL
};

/**
 * Calls 'fn' for each descriptor of the chains that are outstanding, the oldest first, until it
 * returns false; for a number of them that is bounded by the ring's size. -ENOMEM.
 */
typedef bool (*ring_desc_fn)(const struct ring_desc *desc, void *arg);
int ring_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest,
		ring_desc_fn fn, void *arg);

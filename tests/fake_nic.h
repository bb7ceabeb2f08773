/*
 * A NIC in memory: it receives frames that lie ready in a buffer of its owner's, and hands on
 * what it is sent. It waits for nothing, touches no device, and costs next to nothing.
 *
 *     memory   room | frame 0 | ... | room | frame 1 | ...       'stride' bytes from one to the
 * next
 *
 * Threads: rx: the proc. tx: the holder of the queue's lock. The rest: before procs use it.
 */
#pragma once

#include <stdint.h>

#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"

struct fake_nic {
	struct vnic nic;

	// What rx() gives, in turn; frames are host memory. Written by the owner.
	uint8_t *memory;   // borrowed; frames begin VNBL_HEADROOM bytes into their strides
	uint32_t stride;   // bytes
	uint32_t n_frames; // in memory
	uint32_t size;     // bytes of each
	uint64_t offered;  // frames that may be received since the beginning
	uint64_t received; // of them; written by rx()

	// Told of what tx() is given, with the queue's lock held. NULL: nobody is.
	void (*sent)(struct fake_nic *fake, struct vnbl *const frames[], unsigned n);
	unsigned number; // the owner's, to tell its NICs apart
};

// Gives a NIC in state Connected that has nothing to receive; NULL: out of memory.
struct fake_nic *fake_nic_create(void);

// Frees it, and what waits in its inbox. Accepts NULL.
void fake_nic_destroy(struct fake_nic *fake);

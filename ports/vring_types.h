/*
 * A virtqueue, split layout (virtio 1.1, 2.6), seen from the device's side.
 *
 *    desc                     avail (guest writes)         used (we write)
 *    +------+-----+-----+--+  +-------+-----+------------+ +-------+-----+--------------+
 *    | addr | len |flags|nx|  | flags | idx | ring[size] | | flags | idx | ring[size]   |
 *    +------+-----+-----+--+  +-------+-----+------------+ +-------+-----+--------------+
 *    | ...  size entries   |  | used_event (EVENT_IDX)   | | avail_event (EVENT_IDX)    |
 *
 * All three lie in guest memory: any byte may change at any moment, and none of them can be
 * believed. See vring.h for how they are read.
 *
 * The struct is called virtq since <linux/virtio_ring.h> has taken 'struct vring'.
 *
 * Threads: attached and detached while no proc is inside. Everything else belongs to the
 * proc that receives from it, or to the holder of its tx queue's lock.
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/vnbl_types.h"

struct guest_mem;

enum {
	VIRTQ_SIZE_MAX = 32768,       // entries of a ring
	VIRTQ_CHAIN_MAX = 1024,       // descriptors of one chain; a longer one breaks the ring
	VIRTQ_TABLE_MAX = 65536,      // entries of an indirect table
	VIRTQ_BURST_CHAINED = 4096,   // a burst ends when its chains had this many descriptors
	VIRTQ_NET_HDR_SIZE = 12,      // bytes; 10 without VERSION_1 and MRG_RXBUF
	VIRTQ_NET_HDR_LEGACY = 10,    // bytes
	VIRTQ_NUM_BUFFERS_OFFSET = 10 // of the 16-bit field in the 12-byte header
};

// Feature bits that change how a ring is read. The rest are the vhost code's business.
#define VIRTQ_FEATURE_MRG_RXBUF     (1ULL << 15)
#define VIRTQ_FEATURE_INDIRECT_DESC (1ULL << 28)
#define VIRTQ_FEATURE_EVENT_IDX     (1ULL << 29)
#define VIRTQ_FEATURE_VERSION_1     (1ULL << 32)

enum virtq_desc_flags { VIRTQ_DESC_NEXT = 1, VIRTQ_DESC_WRITE = 2, VIRTQ_DESC_INDIRECT = 4 };
enum virtq_used_flags { VIRTQ_USED_NO_NOTIFY = 1 };
enum virtq_avail_flags { VIRTQ_AVAIL_NO_INTERRUPT = 1 };

// Layouts of guest memory. Little endian, as we are.
struct virtq_desc {
	uint64_t addr; // guest-physical
	uint32_t len;  // bytes
	uint16_t flags;
	uint16_t next;
};

struct virtq_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct virtq_used_elem {
	uint32_t id;
	uint32_t len; // bytes written by us
};

struct virtq_used {
	uint16_t flags;
	uint16_t idx;
	struct virtq_used_elem ring[];
};

// Why a ring was stopped. Only a reset by the guest (a new attachment) starts it again.
#define VIRTQ_BREAKS(X)                                                                            \
	X(0, VIRTQ_OK, "works")                                                                    \
	X(1, VIRTQ_BREAK_AVAIL, "available index is further ahead than the ring has entries")      \
	X(2, VIRTQ_BREAK_HEAD, "descriptor number is out of range")                                \
	X(3, VIRTQ_BREAK_CHAIN, "descriptor chain loops or is too long")                           \
	X(4, VIRTQ_BREAK_MEMORY, "guest memory went away")

#define X(number, name, text) name = number,
enum virtq_break { VIRTQ_BREAKS(X) };
#undef X

enum virtq_direction {
	VIRTQ_FROM_GUEST, // the guest's transmit queue: we receive
	VIRTQ_TO_GUEST    // the guest's receive queue: we send
};

struct virtq {
	// Written by vring_attach() and vring_detach(), constant in between.
	alignas(64) const volatile struct virtq_desc *desc; // NULL: not attached
	const volatile struct virtq_avail *avail;
	volatile struct virtq_used *used;
	const struct guest_mem *mem;
	uint32_t size;     // entries, a power of two
	uint16_t mask;     // size - 1
	uint8_t direction; // enum virtq_direction
	uint8_t hdr_size;  // bytes of the virtio-net header: 10 or 12
	uint8_t mergeable; // MRG_RXBUF: a frame may take several buffers
	uint8_t event_idx; // EVENT_IDX
	uint8_t indirect;  // INDIRECT_DESC
	uint8_t pad[5];
	int32_t callfd; // our own copies, -1: none
	int32_t kickfd;
	uint8_t *scratch;        // room for one frame of too many pieces, VNBL_FRAME_MAX bytes
	uint64_t *notifications; // of the ring's owner, counts calls; or NULL

	// Written by the proc inside: who receives, or holds the lock to send. Settling needs no
	// lock.
	alignas(64) uint16_t last_avail; // next entry of avail to take
	uint16_t avail_seen;             // avail->idx when it was last read
	uint16_t last_used;              // next entry of used to write
	uint8_t signalled_valid;         // 0: 'signalled' was not set yet. By who settles
	uint8_t armed;                   // we asked for kicks
	uint8_t broken;                  // enum virtq_break
	uint8_t pad2[3];
	uint32_t broken_detail; // the index, number or count that was wrong
	uint32_t region_hint;   // for guest_mem_translate()
	uint32_t n_heads;       // chains taken by the burst in hand
	uint64_t published;     // used->idx, but counted on beyond 16 bits
	uint64_t signalled;     // 'published' at the last decision about a call. By who settles
	uint64_t chains;        // taken from the guest since attached
	uint64_t calls;         // interrupts sent. By who settles
	uint64_t kicks_asked;   // times that we armed it

	// Head descriptors of the burst in hand, in order, dropped frames included.
	alignas(64) uint16_t heads[VNBL_BURST_MAX];
};
static_assert(offsetof(struct virtq, last_avail) % 64 == 0, "one line per writer");
static_assert(sizeof(struct virtq_desc) == 16, "virtio 1.1, 2.6.5");
static_assert(sizeof(struct virtq_used_elem) == 8, "virtio 1.1, 2.6.8");

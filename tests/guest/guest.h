/*
 * A guest of our own making: memory, virtqueues and the vhost-user front end that VMM and
 * driver are in a real VM. No DPDK, no QEMU.
 *
 * It is what the tests use as a VM (well behaved, through guest_send() and guest_recv()), as
 * an attacker (every message, ring and byte of memory is open to the caller), and what the
 * throughput generator takes its memory and handshake from.
 *
 * Guest memory is one range of guest-physical addresses, 1 to 8 regions each in a memory file:
 *
 *     gpa   GUEST_GPA_BASE        + region_size + gap
 *           +--------------------+   +--------------------+   +-----
 *           | rings, tables, ... |gap| buffers            |gap| ...
 *           +--------------------+   +--------------------+   +-----
 *
 * It is mapped here in the same shape, so that an address differs from its gpa by a constant,
 * also across regions (gap 0: a buffer may lie on a region boundary, as the standard allows).
 *
 * Queue pair p has the virtqueues 2p (the guest receives) and 2p+1 (the guest sends).
 *
 * Threads: one at a time per guest; different guests are independent of each other.
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/guest/gring.h"
#include "tests/guest/vumsg.h"

#define GUEST_MAX_REGIONS 8u
#define GUEST_MAX_PAIRS   16u
#define GUEST_MAX_RINGS   (2 * GUEST_MAX_PAIRS)
#define GUEST_GPA_BASE    0x40000000ull
#define GUEST_REPLY_MS    5000
#define GUEST_MAX_FRAME   65550u

#define GUEST_BIT(n) (1ull << (n))

// What a present Linux guest without offloads asks for.
#define GUEST_FEATURES                                                                             \
	(GUEST_BIT(VIRTIO_F_VERSION_1) | GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF) |                       \
	 GUEST_BIT(VIRTIO_F_ANY_LAYOUT) | VUMSG_F_PROTOCOL)

struct guest_conf {
	const char *socket; // path; borrowed for the guest's life
	bool server;        // listen on it (the switch connects) instead of connecting

	uint64_t features;          // wanted; what the switch lacks of them is left out
	uint64_t protocol_features; // wanted, as bits of enum vumsg_protocol_bit
	unsigned pairs;             // queue pairs

	unsigned n_regions;
	uint64_t region_size; // bytes; 0: as much as rings and buffers need
	bool gap;             // leave a hole between the regions' guest addresses
	bool one_file;        // all regions in one memory file, at offsets
	bool huge;            // 2 MB pages
	// Lie in another guest's memory, behind what that has taken. It must be made with room and
	// live longer.
	const struct guest *share;

	unsigned ring_size;
	uint32_t buffer_size; // of a receive buffer, header included
	uint32_t send_size;   // of a send buffer, header included
	unsigned rx_chain;    // descriptors that a receive buffer is cut into
	unsigned tx_chain;    // descriptors that a frame is cut into
	bool split_header;    // virtio-net header in a descriptor of its own (legacy drivers)
	bool indirect;        // chains in indirect tables, when the switch takes them
};

struct guest_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t file_offset;
	int fd;
};

struct guest_slot {
	uint64_t gpa; // of the buffer
	struct vring_desc *table;
	uint64_t table_gpa;
};

struct guest_queue {
	struct gring ring;
	struct guest_slot *slots; // ring_size of them
	uint32_t slot_size;
	uint16_t *free_slots; // send queues: stack of slots that are not in flight
	unsigned n_free_slots;
};

struct guest {
	struct guest_conf conf;
	uint64_t features; // agreed
	uint64_t protocol_features;
	uint64_t offered; // by the switch, as is
	uint64_t offered_protocol;
	unsigned header_size; // of the virtio-net header: 10 or 12

	int listen_fd;
	int sock;    // -1 when not connected
	bool posted; // receive buffers are in the rings
	bool started;

	unsigned n_regions;
	struct guest_region regions[GUEST_MAX_REGIONS];
	char *base;    // address of GUEST_GPA_BASE
	uint64_t span; // bytes from the first region's start to the last one's end
	uint64_t used[GUEST_MAX_REGIONS]; // bytes allocated of each region
	uint64_t rings_end;               // bytes of region 0 up to the last ring's page

	unsigned n_queues;
	struct guest_queue queues[GUEST_MAX_RINGS];

	uint64_t calls;      // interrupts received
	uint64_t violations; // what the device did that it must not (the rings count their own)
};

/** Fills in what a plain present-day guest is: one region, ring of 256, mergeable buffers. */
void guest_conf_init(struct guest_conf *conf, const char *socket);

/**
 * Makes memory, rings and buffers; a guest in server role also starts to listen.
 *
 * Returns 0 or a negative errno. guest_destroy() takes NULL.
 */
int guest_create(const struct guest_conf *conf, struct guest **g_ret);
void guest_destroy(struct guest *g);

/** Everything up to running rings: guest_connect(), guest_hello(), guest_start(). */
int guest_attach(struct guest *g, int timeout_ms);

/** Server role: makes the socket, so that the switch can connect. Nothing in client role. */
int guest_listen(struct guest *g);

/** Connects to the switch's socket, or accepts it, within 'timeout_ms' (-ETIMEDOUT). */
int guest_connect(struct guest *g, int timeout_ms);

/** Closes the connection as a dying VMM does; rings and memory stay for the next one. */
void guest_hangup(struct guest *g);

/** Agrees on features. Needs a connection. */
int guest_hello(struct guest *g);

/**
 * Gives memory and rings to the switch and enables them.
 *
 * The first time (or when the header's size has changed) the rings begin empty, with all
 * receive buffers posted; later they go on where they stopped.
 */
int guest_start(struct guest *g);

/** Takes all rings back (GET_VRING_BASE), so that guest_start() resumes where they stopped. */
int guest_stop(struct guest *g);

/** What a rebooting guest does: all rings empty, all buffers posted anew. Only when stopped. */
int guest_reset(struct guest *g);

/** Sends the memory table, as it is in g->regions. */
int guest_set_mem_table(struct guest *g);

/** Starts one ring; stops one ring and remembers its base; enables or disables one. */
int guest_start_ring(struct guest *g, unsigned index);
int guest_stop_ring(struct guest *g, unsigned index);
int guest_enable_ring(struct guest *g, unsigned index, bool enable);

/**
 * Sends a message and waits until the switch has worked on it.
 *
 * With REPLY_ACK the switch's answer decides: not zero is -EPROTO. Without it the next
 * GET_FEATURES' answer shows that the message was taken. -ENOTCONN: the switch hung up.
 */
int guest_request(struct guest *g, uint32_t request, const void *payload, uint32_t size,
		  const int fds[], unsigned n_fds);

/** Sends a message whose answer is a u64. */
int guest_get(struct guest *g, uint32_t request, uint64_t *value_ret);

/** True while the switch has not closed its end; closes ours when it has. */
bool guest_connected(struct guest *g);

/** Fills all memory but the pages of the rings with 'text', over and over. Before it attaches. */
void guest_fill(struct guest *g, const char *text);

/** Takes 'size' bytes of a region (any region when gap is off). 0 when there is no room. */
uint64_t guest_alloc(struct guest *g, unsigned region, uint64_t size, uint64_t align);

/** Address of a guest-physical address. It is not checked. */
static inline void *guest_ptr(const struct guest *g, uint64_t gpa)
{
	return g->base + (gpa - GUEST_GPA_BASE);
}

/**
 * Hands a frame to the switch (no FCS), without showing it yet: guest_flush() does.
 *
 * 'header' is the virtio-net header or NULL for one of zeros. Returns 0, -EAGAIN when the ring
 * is full (the ring is flushed then), -EMSGSIZE.
 */
int guest_send(struct guest *g, unsigned pair, const struct virtio_net_hdr_mrg_rxbuf *header,
	       const void *frame, uint32_t length);
void guest_flush(struct guest *g, unsigned pair);

/** Takes back the send buffers that the switch has finished; returns how many are in flight. */
unsigned guest_reap(struct guest *g, unsigned pair);

/**
 * Takes one frame out of the receive ring and posts its buffers anew.
 *
 * Returns its length and the header in *header_ret (when not NULL), -EAGAIN when there is
 * none, -EBADMSG when the device broke the rules (counted as violation).
 */
int guest_recv(struct guest *g, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *header_ret,
	       void *frame, uint32_t capacity);

/**
 * Sleeps until the switch calls or hangs up, at most 'timeout_ms'.
 *
 * Returns 0 when there may be something to do, -ETIMEDOUT, -ENOTCONN.
 */
int guest_wait(struct guest *g, int timeout_ms);

/** All violations of the guest and its rings. */
uint64_t guest_violations(const struct guest *g);
uint64_t guest_kicks(const struct guest *g);

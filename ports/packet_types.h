/*
 * packet: a NIC that is an interface of the host's kernel, through a packet socket.
 *
 * The kernel writes each frame into a slot of a ring that it shares with us. A slot holds a
 * frame of the switch's MTU. The frames that are longer (64 KB, when the kernel has glued
 * a TCP stream together) are marked in their slot and wait, whole, in the socket's queue,
 * from where they are read into the arena. Slot and queue are in the same order.
 *
 *      ring, one slot
 *      +-----------------+---------+----------+-----------------+--------+
 *      | tpacket2_hdr,   | room    | virtio-  | frame           | unused |
 *      | sockaddr_ll     |         | net hdr  |                 |        |
 *      +-----------------+---------+----------+-----------------+--------+
 *      ^ slot_size * n   <- VNBL_HEADROOM --> ^ hdr = tp_mac
 *
 * A TPACKET_V3 ring would take frames of all sizes, but hands them over with a delay of
 * milliseconds, and one that is woken per frame is what a sleeping switch needs.
 *
 * Threads: 'fd' is shared with the procs; 'next', 'first' and the arena belong to the proc of
 * rx queue 0; the rest is the main thread's, constant while fd >= 0.
 */
#pragma once

#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"

enum {
	PACKET_RING_SIZE = 4 << 20,   // bytes at an MTU of 1500; more for larger slots
	PACKET_SLOT_MIN = 2048,       // bytes
	PACKET_BLOCK_SIZE = 64 << 10, // bytes that lie together in the kernel
	PACKET_ARENA_SIZE =
		VNBL_BURST_BYTES + VNBL_FRAME_MAX + VNBL_BURST_MAX * (VNBL_HEADROOM + 64)
};

struct packet {
	struct vnic nic;

	_Atomic int32_t fd;        // of the packet socket, -1 while there is none
	_Atomic uint32_t link_mtu; // bytes, L3: what the interface sends
	uint8_t takes;             // enum nethdr_takes: what the kernel can be given unfinished
	uint32_t slot_size;        // bytes
	uint32_t n_slots;
	uint8_t *ring; // slot_size * n_slots bytes, mapped

	// The proc of the rx queue.
	alignas(64) uint32_t next; // slot that the next frame comes in
	uint32_t first;            // oldest slot that is still ours
	uint64_t large;            // frames that came by the socket's queue
	uint64_t lost;             // frames for which the kernel found no slot

	alignas(64) uint8_t arena[PACKET_ARENA_SIZE];
};

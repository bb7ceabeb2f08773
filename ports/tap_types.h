/*
 * tap: a NIC that is a TAP interface of the host.
 *
 * Frames come one per read(), each with its virtio-net header, into the arena:
 *
 *      arena
 *      +----------+------------------+-----+----------+--------------+--
 *      | headroom | frame 0          | pad | headroom | frame 1      | ...
 *      +----------+------------------+-----+----------+--------------+--
 *                 ^ hdr, 64-byte aligned              ^ hdr
 *
 * They stay there until the burst is done. The arena holds a whole burst and its last frame
 * at full length; small frames only ever touch its beginning, which stays in the cache.
 *
 * Threads: 'fd' and 'is_gone' are shared with the procs; the rest is the main thread's. The
 * arena belongs to the proc of rx queue 0.
 */
#pragma once

#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"

enum {
	// Bytes of one slot beside the frame: headroom and alignment.
	TAP_SLOT_EXTRA = VNBL_HEADROOM + 64,
	TAP_ARENA_SIZE = VNBL_BURST_BYTES + VNBL_FRAME_MAX + VNBL_BURST_MAX * TAP_SLOT_EXTRA
};

struct tap {
	struct vnic nic;

	_Atomic int32_t fd;       // of /dev/net/tun, -1 while not attached
	_Atomic uint32_t is_gone; // 1: a proc found the interface deleted
	uint8_t is_ours;          // 1: made by us, so it is ours to delete
	uint8_t takes;            // enum nethdr_takes: what the kernel can be given unfinished
	uint8_t mac_conf[6];   // address that the interface is to have; zero = the kernel's choice
	char ifname[IFNAMSIZ]; // what it is called now, in the namespace where it is
	uint32_t offloads;     // TUN_F_*: what the kernel may give us unfinished

	alignas(64) uint8_t arena[TAP_ARENA_SIZE];
};

/*
 * Drop log: the last frames that a proc dropped, for the debug shell: which, why, at which port,
 * when.
 *
 * Counters say how many frames a reason took; this says which ones. A record is the forwarding
 * context of the frame at that moment and a copy of its first safe bytes, for the frame itself is
 * gone a moment later. Counted only is what was refused before there was a VNBL (a malformed ring,
 * a frame that the kernel had no room for), and floods to a port that takes no frames at all, which
 * would fill the log with every broadcast.
 *
 *    number  65          2          3               64
 *          +-----------+----------+----------+-----+----------+
 *    n=65  | records 0 | 1        | 2        | ... | 63       |
 *          | bytes   0 | 1        | 2        |     | 63       |
 *          +-----------+----------+----------+-----+----------+
 *
 * Cost: a dropped frame is copied here, 200 bytes at most, with the time of its proc's last round;
 * a frame that is not dropped costs nothing.
 *
 * Ports are named by address and serial number and never followed: a record outlives them, and
 * another port may be where one was.
 *
 * Threads: written by its proc alone. The number of a record is 0 while it is written, and counts
 * in 'n' when it is there. So a reader that found 'n', then a record of number k <= n with its
 * bytes, and then k as its number still, has all of it.
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ports/vnbl_types.h"

enum {
	DROPLOG_RECORDS = 64, // a power of two
	DROPLOG_BYTES = 128   // of a frame, at most
};

struct droplog_record {
	_Atomic uint64_t number; // counts from 1; 0: never used, or just being written
	uint64_t tsc;            // when, to a round of the proc
	const void *at;          // the port that it was charged to; may be gone
	const void *src_port;    // may be gone; NULL: the frame came over from another proc
	uint16_t at_id;          // its id
	uint16_t src_port_id;
	uint8_t src_nic_index;
	uint8_t direction; // enum drop_direction
	uint8_t reason;    // enum drop_reason
	uint8_t flags;     // enum vnbl_flags, VNBL_DROPPED among them
	uint32_t frame_size;
	uint16_t safe_size; // bytes
	uint16_t n_bytes;   // of it that were kept
	uint16_t vlan_tci;
	uint16_t vlan_tpid;
	uint8_t n_pieces;
	uint8_t pad;
	struct vnbl_offload offload;
	uint32_t at_serial;  // of 'at'
	uint32_t src_serial; // of 'src_port'; 0 when there is none
};

struct droplog {
	// records ever written; number n is at (n - 1) % DROPLOG_RECORDS
	alignas(64) _Atomic uint64_t n;
	uint64_t now_tsc; // time of the next record, set by the proc each round
	struct droplog_record records[DROPLOG_RECORDS];
	uint8_t bytes[DROPLOG_RECORDS][DROPLOG_BYTES]; // of the frame of the record of this index
};

/*
 * pcap: a NIC that replays a capture file into the switch, and writes what the switch sends
 * to it into another, or into a pipe.
 *
 * A proc must not wait for a disk or for the reader of a pipe. So it copies each frame, as a
 * record of the file format, into a ring of bytes, and a thread of the capture's own writes
 * the ring out. Who reads too slowly loses whole records, counted as drops; a record that was
 * begun is always finished.
 *
 *      ring        tail                      head        both count bytes since the start;
 *      +-----------+----------+-------+------+---------+ the place in the ring is the count
 *      |           | hdr frame| hdr f | hdr..|         | modulo CAPTURE_RING_SIZE
 *      +-----------+----------+-------+------+---------+
 *                  ^ written by the thread   ^ filled by the holder of the tx queue's lock
 *
 * Threads: replay: the proc of rx queue 0, but for what says otherwise. capture: see the
 * members. Making and ending both: main thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"

struct pcap;

enum {
	CAPTURE_RING_SIZE = 4 << 20, // bytes, a power of two
	CAPTURE_RECORD_HEADER = 16,  // bytes before each frame in the file
	REPLAY_ARENA_SIZE =
		VNBL_BURST_BYTES + VNBL_FRAME_MAX + VNBL_BURST_MAX * (VNBL_HEADROOM + 64),
	REPLAY_WHY_SIZE = 256
};

struct replay {
	struct pcap *file;
	int timer_fd;     // fires when the next frame is due
	int64_t start_ns; // monotonic clock at the first frame, 0 = not begun
	int64_t first_ns; // time stamp of the first frame
	int64_t due_ns;   // monotonic clock at which the waiting frame is due
	bool is_waiting;  // a frame was read that is not due yet: waiting_*
	uint32_t waiting_size;
	const uint8_t *waiting_data; // libpcap's; valid until the next read
	uint64_t frames;

	// Written by the proc before is_over, read by the main thread after it.
	char why[REPLAY_WHY_SIZE];
	_Atomic uint32_t is_over;

	alignas(64) uint8_t arena[REPLAY_ARENA_SIZE];
};

struct capture {
	struct vnic *nic;
	int fd;
	int wake_fd;    // eventfd, ends the thread's sleep
	bool is_stream; // a pipe or socket, whose reader may go; else a file
	pthread_t thread;

	// Written by the holder of the tx queue's lock.
	alignas(64) _Atomic uint64_t head;

	// Written by the thread.
	alignas(64) _Atomic uint64_t tail;
	_Atomic uint32_t is_sleeping;
	_Atomic int32_t error;    // errno of the last write, 0 = it went well
	_Atomic uint32_t is_gone; // the reader went away; the thread has ended
	uint64_t record_begin;    // count at which the record that tail is in began
	uint64_t record_end;      // and ends

	// Written by the main thread.
	alignas(64) _Atomic uint32_t is_stopping;

	alignas(64) uint8_t ring[CAPTURE_RING_SIZE];
};

struct pcap_nic {
	struct vnic nic;

	struct replay *_Atomic replay;   // NULL: nothing to replay
	struct capture *_Atomic capture; // NULL: nowhere to capture to
	int32_t caller_fd;               // "tx -": the caller's pipe until it is used, else -1
	char rx_path[VNIC_PATH_SIZE];    // "" = none
	char tx_path[VNIC_PATH_SIZE];    // "" = none, "-" = the caller's pipe
};

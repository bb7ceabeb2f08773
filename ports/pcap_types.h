/*
 * pcap: a NIC that replays a capture file into the switch, and writes what the switch sends
 * to it into another, or into a pipe.
 *
 * A proc must not wait for a disk or for the reader of a pipe. So between it and each file is
 * a ring of bytes, and a thread. The capture's holds records of the file format, which the
 * thread writes out: who reads too slowly loses whole records, counted as drops; a record that
 * was begun is always finished. The replay's is filled by its thread from the file, which is
 * never ahead of the proc by more than the ring holds; frames that the disk gives too late are
 * sent late.
 *
 *      capture     tail                      head        both count bytes since the start;
 *      +-----------+----------+-------+------+---------+ the place in the ring is the count
 *      |           | hdr frame| hdr f | hdr..|         | modulo CAPTURE_RING_SIZE
 *      +-----------+----------+-------+------+---------+
 *                  ^ written by the thread   ^ filled by the holder of the tx queue's lock
 *
 *      replay      tail                      head        likewise, modulo REPLAY_RING_SIZE
 *      +-----------+----------+-------+------+---------+
 *      |           | hdr frame| hdr f | hdr f|         |
 *      +-----------+----------+-------+------+---------+
 *                  ^ taken by the proc       ^ filled by the thread
 *
 * Threads: see the members. Making and ending both: main thread.
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
	REPLAY_RING_SIZE = 1 << 20,  // bytes, a power of two
	REPLAY_PRELOAD = 256 << 10,  // bytes that are read before the replay begins
	REPLAY_ARENA_SIZE =
		VNBL_BURST_BYTES + VNBL_FRAME_MAX + VNBL_BURST_MAX * (VNBL_HEADROOM + 64),
	REPLAY_WHY_SIZE = 256
};

// What is before each frame in the replay's ring.
struct replay_record {
	int64_t stamp_ns; // of the file
	uint32_t size;    // bytes that follow; 0: a frame that no port could have received
	uint32_t pad;
};

struct replay {
	int timer_fd; // fires when the next frame is due, or has come at last
	int wake_fd;  // eventfd, ends the thread's sleep

	// The proc of rx queue 0.
	alignas(64) _Atomic uint64_t tail;
	_Atomic uint32_t is_hungry; // it sleeps until there is a record in the ring
	_Atomic uint32_t is_over;   // the last frame was taken; 'why' can be read
	int64_t start_ns;           // monotonic clock at the first frame, 0 = not begun
	int64_t first_ns;           // time stamp of the first frame
	int64_t due_ns;             // monotonic clock at which the waiting frame is due
	uint32_t waiting_size;      // bytes
	bool is_waiting;            // a record was looked at whose frame was not due yet
	uint64_t frames;

	// The thread; before it begins, the main thread.
	alignas(64) _Atomic uint64_t head;
	_Atomic uint32_t is_sleeping; // it waits until half of the ring is free
	_Atomic uint32_t is_read;     // nothing more comes; 'why' is written
	struct pcap *file;
	char why[REPLAY_WHY_SIZE];

	// Main thread and thread: who leaves last frees it all, so that nobody waits for a disk.
	alignas(64) _Atomic uint32_t is_stopping;
	_Atomic uint32_t n_users;

	alignas(64) uint8_t ring[REPLAY_RING_SIZE];
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

/*
 * proc: one polling processor, a thread pinned to a core, and what it leaves behind for a
 * debugger to find: the stage it is in, the port and queue, the burst in its hands.
 *
 * Threads: fields are grouped by who writes them.
 */
#pragma once

#include <stdalign.h>
#include <pthread.h>
#include <stdint.h>

#include "ports/droplog_types.h"
#include "ports/object_types.h"
#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"

struct vnic;
struct vswitch;

#define PROC_STAGES(X)                                                                             \
	X(0, PROC_STAGE_NONE, "not started")                                                       \
	X(1, PROC_STAGE_IDLE, "idle")                                                              \
	X(2, PROC_STAGE_SLEEP, "asleep")                                                           \
	X(3, PROC_STAGE_RECEIVE, "receive")                                                        \
	X(4, PROC_STAGE_INGRESS, "ingress")                                                        \
	X(5, PROC_STAGE_LEARN, "learn")                                                            \
	X(6, PROC_STAGE_LOOKUP, "lookup")                                                          \
	X(7, PROC_STAGE_EGRESS, "egress")                                                          \
	X(8, PROC_STAGE_RELEASE, "release")                                                        \
	X(9, PROC_STAGE_HOUSEKEEPING, "housekeeping")

#define X(number, name, text) name = number,
enum proc_stage { PROC_STAGES(X) };
#undef X

// All queues of all ports that a vswd can have: one proc may be left with them.
enum { PROC_RXQS_MAX = 4096 * VNIC_QUEUES_MAX };

// One receive queue that a proc polls.
struct proc_rxq {
	struct vnic *nic;
	struct vport *port;
	struct vswitch *vswitch;
	uint16_t queue;
	uint16_t slot;
	uint32_t pad;
};

// What a proc polls; replaced as a whole under RCU.
struct proc_conf {
	uint32_t n_rxqs;
	uint32_t room; // rxqs that there is memory for; behind it is what the proc sleeps on
	struct proc_rxq rxqs[]; // n_rxqs
};

struct proc {
	struct object obj; // name: "proc0"

	// Written by this proc on every loop or burst, read by anyone.
	alignas(64) _Atomic uint32_t stage; // enum proc_stage: what it is doing now
	uint32_t queue;                     // of the NIC being served
	const struct vport *port;           // being served, or NULL
	uint64_t loops;
	uint64_t frames; // received
	uint64_t bursts; // that held frames
	uint64_t sleeps;
	uint64_t timed_sleeps;   // of sleeps: because a queue cannot wake the proc
	uint64_t busy_tsc;       // cycles spent in loops that found frames, and after them
	uint64_t last_frame_tsc; // when it last found one
	uint64_t stage_tsc;      // when it fell asleep or woke up
	uint32_t now_s;          // its clock, seconds since start
	uint32_t unwakeable;     // rx queues that cannot wake it, at its last sleep
	_Atomic(const struct proc_conf *) conf_taken; // what it works by; only to be compared

	// Written by the main thread, read by this proc.
	alignas(64) _Atomic(struct proc_conf *) conf;
	_Atomic uint32_t stop;
	uint32_t poll_always;   // 1: never sleeps
	uint32_t load;          // thousandths of its time, in the last second
	uint32_t frames_s;      // frames per second in it
	uint64_t seen_busy_tsc; // what it had written at the end of it
	uint64_t seen_frames;

	// Constant once started.
	alignas(64) uint32_t number; // index in the table of procs; used again when it is gone
	uint32_t core;
	int32_t node;    // of its core's memory; -1: not known
	int32_t wake_fd; // eventfd; of its number, and not closed with the proc
	int32_t tid;     // kernel thread id
	uint64_t tsc_hz;
	uint64_t start_tsc;   // of its clock, the same for all
	uint64_t started_tsc; // its own
	pthread_t thread;
	char copy_name[16]; // which version of the copy primitives runs here

	// The burst in its hands.
	struct vnbl_burst burst;

	// Those that it dropped last.
	struct droplog drops;
};

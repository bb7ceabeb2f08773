/*
 * A live switch for pipeline_bench: five ports, and guests or NICs in this process behind them.
 *
 *     port 0  ->  ingress, MAC table, egress  ->  port 1       unicast
 *                                             ->  ports 1..4   flood
 *
 * Switch, ports, map and MAC table are made by the switch's own code. What is behind the ports is
 * either a VM NIC of ours (ports/vhost.c) whose rings were attached by hand to guests in this
 * process, or the in-memory NIC of the tests: with that one, 'receive' and 'egress' show what
 * the switch takes without any ring. There are no procs: the caller is the only one.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/aclset.h"
#include "bench/bguest.h"
#include "switch/proc_types.h"
#include "switch/vswitch_types.h"
#include "tests/fake_nic.h"

enum { PIPELINE_PORTS = 5, PIPELINE_FRAMES = BGUEST_RING };

enum pipeline_ports { PIPELINE_VRING, PIPELINE_MEMORY };

// A stage of a burst's life; the names of enum proc_stage, and what is owed for it.
enum pipeline_stage {
	PIPELINE_RECEIVE,
	PIPELINE_INGRESS,
	PIPELINE_LEARN,
	PIPELINE_LOOKUP,
	PIPELINE_EGRESS,
	PIPELINE_RELEASE,
	PIPELINE_SETTLE, // at the end of every PROC_SETTLE_BURSTS bursts
	PIPELINE_STAGES
};

struct pipeline_case {
	enum pipeline_ports ports;
	uint32_t size; // bytes of a frame
	uint32_t macs; // stations that send, and as many that are sent to
	bool flood;    // those that are sent to are unknown
	unsigned burst;
	struct aclset rules; // of port 0; 'n' of 0: none
};

struct pipeline {
	struct pipeline_case now;
	struct vswitch *sw;
	struct vport *ports[PIPELINE_PORTS];
	struct vnic *vhosts[PIPELINE_PORTS]; // the NICs that the switch has made
	struct bguest guests[PIPELINE_PORTS];
	struct fake_nic *fakes[PIPELINE_PORTS];
	uint8_t *memory; // of the frames that fakes[0] receives
	uint64_t random;
	struct proc_rxq rxq; // of port 0
	struct proc *proc;   // its number is 0
};

// Starts EAL and makes the switch. Ends the program when it cannot.
void pipeline_init(struct pipeline *p);
void pipeline_fini(struct pipeline *p);

/**
 * Puts the case's NICs behind the ports and its stations, and no others, into a new MAC table.
 */
void pipeline_prepare(struct pipeline *p, const struct pipeline_case *c);

/**
 * The guests' work before a round: PIPELINE_FRAMES frames with addresses drawn anew, and room
 * for all of them at the receivers. None is available yet.
 */
void pipeline_fill(struct pipeline *p);

// Makes the next n frames available to the switch.
void pipeline_offer(struct pipeline *p, unsigned n);

/**
 * Moves one burst through the switch. Returns how many frames it held; when 'clocks' is not NULL,
 * 'clocks[i]' is the time before stage i, and 'clocks[PIPELINE_STAGES]' the time at the end.
 */
unsigned pipeline_burst(struct pipeline *p, uint64_t *clocks);

// Frames that the receivers got since pipeline_prepare().
uint64_t pipeline_delivered(const struct pipeline *p);

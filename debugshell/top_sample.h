/*
 * One sample for top: the counters of all procs, ports and queues, each with the moment at which
 * it was read, so that nothing depends on how long reading takes.
 *
 * Objects come and go between samples and while one is taken. What went away is left out. What
 * is damaged is left out and counted.
 */
#pragma once

#include "debugshell/shell.h"
#include "debugshell/target.h"
#include "ports/drops.h"
#include "ports/object_types.h"
#include "switch/proc_types.h"

// A counter or a number that this object does not have.
#define TOP_NONE UINT64_MAX

struct top_proc {
	tgt_addr addr;
	uint64_t start_tsc; // with 'addr': which proc it is
	uint64_t tsc;
	uint32_t number;
	uint32_t core;
	uint32_t stage;
	uint64_t n_rxqs; // or TOP_NONE
	uint64_t loops;
	uint64_t frames;
	uint64_t bursts;
	uint64_t sleeps;
	uint64_t busy_tsc;
	uint64_t ran_ns;   // time that its thread had a core; 0: not known
	char thread_state; // of it, see where_thread_state()
};

struct top_port {
	tgt_addr addr;
	tgt_addr vswitch;
	int64_t created_s; // with the two and 'id': which port it is
	uint64_t tsc;
	uint16_t id;
	uint8_t type; // enum vport_type
	bool has_nic;
	uint8_t nic_state;           // enum vnic_state
	char name[OBJECT_NAME_SIZE]; // safe to print
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t drops[DROP_DIRECTIONS][DROP_COUNT];
};

struct top_queue {
	tgt_addr nic;
	uint64_t life; // with 'nic': which life of the queue its counters belong to
	uint64_t tsc;
	char name[OBJECT_NAME_SIZE]; // of the port, safe to print
	uint16_t index;
	bool is_tx;          // from the switch to the NIC
	uint64_t proc;       // that receives from it, or TOP_NONE
	uint64_t bursts;     // these four: or TOP_NONE
	uint64_t chains;     // taken from the guest
	uint64_t interrupts; // sent to the guest
	uint64_t kicks;      // asked for of the guest
};

struct top_sample {
	uint64_t tsc; // when it was begun
	uint64_t tsc_hz;
	bool runs; // the process did
	uint32_t n_procs;
	uint32_t n_ports;
	uint32_t n_queues;
	struct top_proc procs[PROC_MAX];
	struct top_port *ports;
	struct top_queue *queues;
	unsigned n_damaged;
	struct why why; // of the first damaged object
};

/**
 * Gives a sample to be freed with top_sample_free(). Reads the root anew. -ESRCH: the target has
 * ended; other negative errnos; 'why' has the sentence.
 */
int top_sample_read(struct shell *sh, struct top_sample **ret, struct why *why);
void top_sample_free(struct top_sample *sample);

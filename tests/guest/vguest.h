/*
 * vguest: a "VM" for shell tests. One guest that sends test frames, checks what it receives
 * and prints its counts as JSON; see vguest.c for how it is used.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/guest.h"
#include "tests/guest/tframe.h"

#define VGUEST_STREAMS 64u

struct vguest_opts {
	struct guest_conf guest;
	uint8_t mac[6];
	uint8_t to[6];
	uint32_t ip; // network order; 0: none
	uint64_t send;
	uint64_t expect;
	uint32_t size_min, size_max;
	uint32_t stream;
	uint16_t vlan;
	double rate; // frames per second; 0: as fast as the ring takes them
	double timeout_s;
	double linger_s;
	const char *fill; // text that memory is full of, or NULL
	bool echo;
	bool exact;
	bool reconnect;
	bool interactive;
};

struct vguest {
	struct vguest_opts opts;
	struct guest *g;
	uint64_t to_send; // frames that are still to be sent
	uint32_t number;  // of the next frame
	double started_s; // when the current sending began
	uint64_t sent_since;

	uint64_t sent;
	uint64_t received;
	uint64_t by_pair[GUEST_MAX_PAIRS]; // of them
	unsigned pairs_on;                 // the first so many queue pairs
	uint64_t good;
	uint64_t foreign;
	uint64_t damaged;
	uint64_t not_mine; // unicast to somebody else: flooded
	uint64_t echoed;
	uint64_t attached; // how often
	unsigned n_streams;
	struct tframe_track streams[VGUEST_STREAMS];
};

/** Parses the command line. Returns 0, or the exit code after a message on stderr. */
int vguest_options(int argc, char **argv, struct vguest_opts *opts_ret);

/** Reads commands from stdin until "quit" or its end. Returns the exit code. */
int vguest_interactive(struct vguest *v);

/** Does one round: receive, send, sleep a little when there was neither. */
int vguest_round(struct vguest *v);

/** Works until all is sent and 'expect' good frames are in; false when time ran out. */
bool vguest_run(struct vguest *v, uint64_t expect, double timeout_s);

/** Works for a while. */
void vguest_linger(struct vguest *v, double seconds);

/** Prints all counts as one line of JSON on stdout. */
void vguest_print(const struct vguest *v);

/** Begins to send 'count' frames to 'to'. */
void vguest_begin(struct vguest *v, uint64_t count, const uint8_t to[6]);

/** Switches the first 'n' queue pairs on, and the others off. Negative errno. */
int vguest_set_pairs(struct vguest *v, unsigned n);

/** The pair that this guest sends by: one stream, one ring. */
unsigned vguest_send_pair(const struct vguest *v);

/** Nothing was damaged, no rule broken; with 'exact' nothing missing, late or too many. */
bool vguest_clean(const struct vguest *v);

/**
 * Answers ARP requests and ICMP echo requests for 'ip' (network order).
 *
 * Returns the length of the answer written to 'reply' (room for 'length' bytes and at least
 * 60), or 0 when the frame wants none.
 */
uint32_t vguest_answer(const uint8_t mac[6], uint32_t ip, const uint8_t *frame, uint32_t length,
		       uint8_t *reply);

double vguest_now(void);

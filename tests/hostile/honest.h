/*
 * The honest guests: what an attack must not hurt.
 *
 *     a <--- streams 1 and 2, numbered, checked ---> b        nothing may be lost
 *     p ---- stream 3 ----> the attacker                      so that its receive ring is used
 *     p <--- stream 7 ----- the attacker                      "works": what it sends arrives
 *
 * a and b never have more frames under way than their rings hold, so whatever is missing was
 * lost by the switch. They never talk to the attacker, and their addresses are learned before
 * there is one: so it cannot know them.
 *
 * Threads: one of its own runs all three guests; the functions are for one other thread.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/guest.h"
#include "tests/guest/tframe.h"

#define HONEST_STREAM_A        1u
#define HONEST_STREAM_B        2u
#define HONEST_STREAM_POKE     3u
#define HONEST_STREAM_ATTACKER 7u

extern const uint8_t honest_mac_p[6];
extern const uint8_t honest_mac_attacker[6];

struct honest_side {
	struct guest *g;
	uint64_t sent;
	struct tframe_track track; // of what it receives
	double last_s;             // when something came last
};

struct honest {
	struct honest_side a, b, p;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	_Atomic bool broken;         // a connection ended
	_Atomic uint32_t poke_every; // rounds between frames to the attacker; 0: none
	_Atomic uint32_t poke_size;  // bytes of such a frame

	// Written by the thread.
	_Atomic uint64_t exchanged; // good frames of a and b
	_Atomic uint64_t missing;
	_Atomic uint64_t damaged;
	_Atomic uint64_t late;
	_Atomic uint64_t pokes;
	_Atomic uint64_t attacker_good;
	_Atomic uint64_t attacker_damaged;
	_Atomic uint32_t longest_us; // longest time without a frame since honest_rest()
};

/** Attaches the guests to three sockets and starts to exchange frames. 0 or a negative errno. */
int honest_start(struct honest *h, const char *socket_a, const char *socket_b,
		 const char *socket_p);
void honest_stop(struct honest *h);

/** Begins a new measurement of the longest pause. */
void honest_rest(struct honest *h);

/**
 * Whether a and b go on, and have lost nothing since they were started.
 *
 * Waits until frames that were sent after the call have come; on failure says on stderr what
 * is wrong.
 */
bool honest_fine(struct honest *h, const char *attack);

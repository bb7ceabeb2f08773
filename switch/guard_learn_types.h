/*
 * Addresses that a port announces besides those it was given (HYPERV 5.1, DynamicIPAddressLimit);
 * see guard_learn.h.
 *
 *    state    seen_s | generation | phase
 *              32    |     30     |   2      free, being written, used
 *
 * Whoever takes an entry makes it "being written" by compare-and-swap, with the next generation;
 * so a reader that finds the state the same before and after it read the address has read one
 * address.
 *
 * Threads: any proc, without lock; of the main thread, which made it, until a proc can see it and
 * again when none can.
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
	GUARD_LEARN_MAX = 32,       // addresses of a port
	GUARD_LEARN_SILENCE_S = 300 // after which another address may take an entry
};

enum guard_learn_phase { GUARD_LEARN_FREE, GUARD_LEARN_WRITING, GUARD_LEARN_USED };

#define GUARD_LEARN_PHASE(state)      ((enum guard_learn_phase)((state)&3))
#define GUARD_LEARN_GENERATION(state) ((uint32_t)((state) >> 2 & 0x3fffffff))
#define GUARD_LEARN_SEEN(state)       ((uint32_t)((state) >> 32))

struct guard_learned {
	_Atomic uint64_t state;
	_Atomic uint64_t address[2]; // its 16 bytes as on the wire, IPv4 as ::ffff:a.b.c.d
};

struct guard_learn {
	alignas(64) struct guard_learned entries[GUARD_LEARN_MAX]; // of a limit N the first N
};

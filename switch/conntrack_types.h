/*
 * Sessions of a port: which flows a stateful rule has let pass (HYPERV 5.3), so that their replies
 * pass, too.
 *
 *    buckets                    entries
 *    +--------------------+     +-----------+
 *    | tags[8] | lock     | --> | [0] .. [7]|   entry b * 8 + i belongs to tag i of bucket b
 *    +--------------------+     +-----------+
 *    | ...                |     | ...       |   a session lies in one of two buckets
 *
 * Readers take nothing. A tag of 0 says that the entry is free; 'state' holds a generation that
 * moves on whenever a session ends, so a reader that finds it the same before and after it compared
 * the key has compared one key.
 *
 * Who adds a session tries the lock of its first bucket once, and then that of the second bucket
 * when more of it is free: nobody waits. So one who holds the first bucket's lock alone adds
 * sessions with that key, and none is there twice. To end a session takes no lock: who exchanges
 * 'state' has ended it, and then takes the tag away.
 *
 * Threads: all procs, and the main thread.
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
	CONNTRACK_WAYS = 8,
	CONNTRACK_SHORT_S = 20, // for a session that is not established, or is at its end
	CONNTRACK_HALF_S = 120  // for one that one side has closed: the other may still compute
};

#define CONNTRACK_STATES(X)                                                                        \
	X(0, CONNTRACK_FREE, "free")                                                               \
	X(1, CONNTRACK_SYN_SENT, "SYN sent")                                                       \
	X(2, CONNTRACK_SYN_RECEIVED, "SYN received")                                               \
	X(3, CONNTRACK_ESTABLISHED, "established")                                                 \
	X(4, CONNTRACK_FIN_ORIGIN, "closing, from its origin")                                     \
	X(5, CONNTRACK_FIN_REPLY, "closing, from the other side")                                  \
	X(6, CONNTRACK_CLOSED, "closed")                                                           \
	X(7, CONNTRACK_FRAGMENT, "packet in fragments")

#define X(number, name, text) name = number,
enum conntrack_state { CONNTRACK_STATES(X) CONNTRACK_N_STATES };
#undef X

// Which flow; compared as bytes. Addresses of IPv4 are in the first 4 bytes, the rest is zero.
struct conntrack_key {
	uint8_t local[16], remote[16];    // as on the wire; local: the VM's
	uint16_t local_port, remote_port; // host order; ICMP echo: its identifier and 0
	uint16_t vlan;                    // in which the frame is; 0: none
	uint8_t version;                  // 4, 6
	uint8_t protocol;                 // IP's number
};
static_assert(sizeof(struct conntrack_key) == 40, "no gaps, for it is compared as bytes");

// State: bit 0: the VM was first; enum conntrack_state in 8..15, generation in 16..31, when the
// session was seen last (seconds, wraps) in 32..63.
#define CONNTRACK_FROM_VM(s)    ((s)&1)
#define CONNTRACK_STATE(s)      ((uint8_t)((s) >> 8))
#define CONNTRACK_GENERATION(s) ((uint16_t)((s) >> 16))
#define CONNTRACK_SEEN(s)       ((uint32_t)((s) >> 32))

#define CONNTRACK_GENERATION_MASK 0xffff0000ULL

struct conntrack_entry {
	alignas(64) struct conntrack_key key; // written under the bucket's lock, while free
	_Atomic uint64_t state;               // as above
	_Atomic uint32_t rule;                // number of the rule that let it pass; as 'key'
	_Atomic uint16_t weight;              // of that rule; as 'key'
	_Atomic uint16_t idle_s;              // of that rule; as 'key'
	uint8_t pad[8];
};
static_assert(sizeof(struct conntrack_entry) == 64, "one entry is one cache line");

struct conntrack_bucket {
	// Of the hash, never 0 with a session. Set under the lock.
	alignas(64) _Atomic uint32_t tags[CONNTRACK_WAYS];
	_Atomic uint32_t lock; // 1: someone is adding
	uint32_t pad[7];
};
static_assert(sizeof(struct conntrack_bucket) == 64, "one bucket is one cache line");

struct conntrack {
	uint32_t max;       // sessions
	uint32_t n_buckets; // a power of two
	uint64_t seed;      // random, so that nobody can aim at a bucket
	struct conntrack_bucket *buckets;
	struct conntrack_entry *entries; // n_buckets * CONNTRACK_WAYS
	// Sessions, ended ones included until they are swept; and those that are just being
	// added, which may yet find no room.
	alignas(64) _Atomic uint32_t n;
	_Atomic uint64_t refused; // sessions that found no room
};

/*
 * MAC table: the memory. See fdb.h for the rules.
 *
 *   buckets[]  one cache line each, four entries:
 *
 *      0                8               16 ...                          64
 *      +----------------+---------------+---------------+---------------+
 *      | key            | value         | entry 1       | 2, 3          |
 *      +----------------+---------------+---------------+---------------+
 *        MAC 48 | VLAN 12 | used 1       slot 16 | generation 16 | flags 8 | seen 24
 *
 * A station is in one of two buckets that its key hashes to. A key of 0 is an empty entry.
 * An entry whose generation is not its port's is dead and counts as empty. While a station is
 * displaced ('moves' is odd) it may be in both of its buckets.
 *
 *   strays[]   one byte per bucket, behind the last of them: of the stations whose first bucket it
 *              is, dead ones included, how many are in their second. If none is, who is not in
 *              the first bucket is not in the table, and the second is not looked at. At
 *              FDB_STRAYS_MAX, which no table comes near, it has lost count and stays there.
 *
 * Threads: see fdb.h.
 */
#pragma once

#include <stdalign.h>
#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ports/object_types.h"
#include "ports/vport_types.h"
#include "switch/vlan_types.h"

enum {
	FDB_BUCKET_ENTRIES = 4,
	FDB_STATIONS_DEFAULT = 8192,
	FDB_STATIONS_MIN = 16,
	FDB_STATIONS_MAX = 1 << 24,
	FDB_AGEING_DEFAULT_S = 300,
	FDB_AGEING_MAX_S = 0xf00000, // what 24 bits of seconds can tell apart, with room
	FDB_STRAYS_MAX = UINT8_MAX,
	FDB_NO_SLOT = 0xffff,
	FDB_OWNERS_INDEX = 2 * VPORT_MAX // a power of two
};

enum fdb_entry_flags {
	FDB_ENTRY_STATIC =
		1 << 0 // a port's own address: never ages, never moves (HYPERV 1.10, pinned)
};

// Key: MAC in bits 0..47 (first byte on the wire lowest), VLAN id in 48..59, bit 60 set.
#define FDB_KEY_MAC(key)  ((key)&0xffffffffffffULL)
#define FDB_KEY_VLAN(key) ((uint16_t)(((key) >> 48) & 0xfff))
#define FDB_KEY_USED      (1ULL << 60)

// Value: slot in 0..15, generation in 16..31, flags in 32..39, seen (seconds, wraps) in 40..63.
#define FDB_VALUE_SLOT(v)       ((uint16_t)(v))
#define FDB_VALUE_GENERATION(v) ((uint16_t)((v) >> 16))
#define FDB_VALUE_FLAGS(v)      ((uint8_t)((v) >> 32))
#define FDB_VALUE_SEEN(v)       ((uint32_t)((v) >> 40))

struct fdb_entry {
	_Atomic uint64_t key;
	_Atomic uint64_t value;
};

struct fdb_bucket {
	alignas(64) struct fdb_entry entries[FDB_BUCKET_ENTRIES];
};
static_assert(sizeof(struct fdb_bucket) == 64, "one bucket is one cache line");

// Per port slot. 'generation' is read by every lookup, so those stand together.
struct fdb_port {
	_Atomic uint32_t quota;    // stations that the port may hold; main thread
	_Atomic uint32_t stations; // that it holds, static ones included; under the lock
	_Atomic uint32_t pins;     // static ones among them; under the lock
	uint32_t pad;
	_Atomic uint64_t refused;  // frames whose source was not learned: port at its quota
	_Atomic uint64_t moved_in; // stations that came from another port; under the lock
};

/*
 * Addresses that belong to a port in all VLANs. 'index' is a hash table of slots + 1, open
 * addressing; the main thread writes the one that 'current' does not name, then renames, under the
 * lock. A reader without it that is overtaken twice may miss an owner, but is told no wrong one:
 * who learns asks again under the lock.
 */
struct fdb_owners {
	_Atomic uint64_t macs[VPORT_MAX]; // by slot, as in a key; 0: none
	_Atomic uint16_t index[2][FDB_OWNERS_INDEX];
	_Atomic uint32_t current;
	_Atomic uint32_t n; // slots that own an address
};

struct fdb {
	struct object obj;

	// Constant after fdb_create().
	uint64_t seed[2];   // of the hash; random, so that nobody can choose collisions
	uint32_t n_buckets; // power of two
	uint32_t max_stations;
	struct fdb_bucket *buckets; // n_buckets
	uint64_t buckets_bytes;     // with 'strays'
	_Atomic uint8_t *strays;    // n_buckets; what they hold is written under the lock

	// Main thread.
	uint32_t ageing_s; // 0 = stations do not age
	uint32_t age_hand; // next bucket that ageing looks at

	// Under the lock.
	alignas(64) _Atomic uint32_t lock;
	_Atomic uint32_t moves;    // displacements begun and ended; odd while one is under way
	_Atomic uint32_t stations; // entries in use; the sum of the ports' numbers
	uint32_t evict_hand;       // next bucket to look for a station to evict
	uint32_t n_slots;          // slots from here on never held a station
	_Atomic uint64_t learned;  // since start
	_Atomic uint64_t moved;    // from one port to another
	_Atomic uint64_t aged;
	_Atomic uint64_t flushed;   // with their port
	_Atomic uint64_t evicted;   // to make room, from the port with most stations
	_Atomic uint64_t forgotten; // were heard at another port, which is at its quota
	_Atomic uint64_t refused;   // frames whose source was not learned: no room

	// Any proc, rarely: frames whose source was not learned now.
	alignas(64) _Atomic uint64_t busy; // somebody else held the lock
	_Atomic uint64_t pinned;           // the source is another port's static address

	alignas(64) _Atomic uint16_t
		generation[VPORT_MAX]; // of each slot; entries of older ones are dead
	struct fdb_port ports[VPORT_MAX];

	// Main thread.
	_Atomic(const struct vlan_fids *) fids; // NULL: each VLAN has its own stations
	struct fdb_owners owners;
};

/*
 * MAC table: behind which port of one switch a station was last seen.
 *
 * It is asked twice per frame (source: learn, destination: forward) and written rarely, so
 * it is built for readers: a flat array of 16-byte entries, four to a cache line, two lines
 * per station, no pointers; a burst is looked up by hashing and prefetching all its keys
 * first. A flat array is also what a debugger can walk in a core.
 *
 * Complications, and what is done about them:
 *  - A guest can invent addresses. Each port has a quota; a port at its quota learns nothing
 *    new (counted), so it can push out nobody. When the table itself is full, room is made at
 *    the cost of the port that holds most learned stations, the learner itself if none has
 *    clearly more. A known station that is heard at a port at its quota has left its old port
 *    and may not have an entry at the new one: it is forgotten, and flooding reaches it.
 *  - Inventing them must not cost the other ports of the proc much either. At a port at its quota
 *    the second bucket of a source is looked at only if a station is known to be in it ('strays'),
 *    and refused frames are counted once per burst: a new source costs hardly more than a known
 *    one. Nothing is sampled: in a flood, too, a known station is renewed, and one that comes from
 *    another port is noticed, by its first frame.
 *  - Buckets overflow before a table is full. Stations are then moved to their other bucket
 *    (breadth first, bounded), so that none is refused below 80 % of 'stations'. A reader
 *    that misses while a move is under way looks again, a bounded number of times.
 *  - Flushing a port must not take a walk over a million entries on a proc: it raises the
 *    port's generation, and its entries are dead at once, reused as they are found, and
 *    removed as ageing passes. (A generation's number comes back after 65536 flushes of that
 *    port; twice on the way the main thread takes the walk, so that no dead entry does.)
 *  - A port's static address is its own in every VLAN, though it is found in the table in one
 *    only: who learns a new station asks the owners first (fdb_owners).
 *  - Secondaries of a private VLAN share their primary's stations: 'fids' says so.
 *  - "Last seen" is in seconds and stored only when the second has changed. It has 24 bits;
 *    with ageing off, the ageing pass keeps old entries from looking young again.
 *
 * Threads: any proc learns and looks up; the main thread ages, flushes, pins. Lookups take
 * nothing and see each station either whole or not at all. Whoever inserts, moves or removes
 * takes 'lock': procs by trying once (learning never makes forwarding wait), the main thread
 * by spinning, for at most one bucket's or one station's work at a time. Replaced tables
 * (fdb_create + fdb_copy) are freed by the owner after a grace period.
 */
#pragma once

#include <stdbool.h>

#include "ports/vnbl_types.h"
#include "switch/fdb_types.h"

struct fdb_conf {
	uint32_t stations; // FDB_STATIONS_MIN..FDB_STATIONS_MAX; the limit, not a hint
	uint32_t ageing_s; // 0 = never; longer than FDB_AGEING_MAX_S is as that
	uint64_t seed[2];  // tests give their own; all zero = random
};

// -ENOMEM; -EINVAL: stations out of range; -ENOSYS: the kernel gives no random numbers. Huge
// pages are asked for (madvise), not required.
int fdb_create(const struct fdb_conf *conf, struct fdb **ret);
void fdb_destroy(struct fdb *fdb);

/**
 * Copies all live stations, ports, generations and counters of 'from' into the fresh table
 * 'to', as many as it takes, static ones first. Main thread; procs may be learning into
 * 'from', but not yet into 'to'. What they learn meanwhile may be missing from the copy.
 */
void fdb_copy(struct fdb *to, struct fdb *from);

// 0 = never, as in fdb_conf. Takes effect as ageing passes. Main thread.
void fdb_set_ageing(struct fdb *fdb, uint32_t ageing_s);

/**
 * A port comes to 'slot': nothing is known at it, its counters are zero. A slot that no port
 * was added to has quota 0 and learns nothing. Main thread, before procs use the slot.
 */
void fdb_port_add(struct fdb *fdb, uint16_t slot, uint32_t quota);

// Stations beyond a lowered quota stay until they age; none is added. Main thread.
void fdb_port_set_quota(struct fdb *fdb, uint16_t slot, uint32_t quota);

// All stations of the slot are forgotten, static ones included. Main thread.
void fdb_port_flush(struct fdb *fdb, uint16_t slot);

/**
 * Pins 'mac' in VLAN 'vlan' to the slot. -EEXIST: another port's static address, whose slot
 * is in 'x_owner'; -ENOSPC: no room, all stations in the way are static. A learned entry of
 * another port is taken over. Static stations count in their port's number, but no quota
 * refuses them. Main thread.
 */
int fdb_pin(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan, uint16_t slot, uint16_t *x_owner);

// The station is forgotten, and may be learned again. Learned ones are not touched. Main thread.
void fdb_unpin(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan);

/**
 * 'mac' belongs to the slot in all VLANs: no other port learns it in any, and what others have
 * learned of it is forgotten. A slot owns one address at most; a further one takes the place of
 * the former. -EEXIST: another slot, in 'x_owner', owns it. Flushing a port does not change
 * this; fdb_port_add() does. Main thread.
 */
int fdb_own(struct fdb *fdb, const uint8_t mac[6], uint16_t slot, uint16_t *x_owner);
void fdb_disown(struct fdb *fdb, uint16_t slot);

/**
 * VLANs whose stations are one list, or NULL; stays the caller's, and must live for a grace period
 * after it was replaced. What was learned under another number ages. Main thread.
 */
void fdb_set_fids(struct fdb *fdb, const struct vlan_fids *fids);

/**
 * Learns the source addresses of the burst's frames that are not dropped, all of which came
 * from the port at 'slot' and have at least 14 bytes at hdr. Group addresses and the zero
 * address are not learned. 'now_s' is any clock in seconds, the same for all callers. Procs.
 */
void fdb_learn_burst(struct fdb *fdb, struct vnbl *frames, unsigned n, uint16_t slot,
		     uint32_t now_s);

/**
 * Sets dst_slot of each frame that is not dropped: the slot where its destination is, or
 * VNBL_DST_FLOOD for broadcast, multicast and unknown. No other field changes. Procs.
 */
void fdb_lookup_burst(struct fdb *fdb, struct vnbl *frames, unsigned n);

// One address; FDB_NO_SLOT when unknown. Any thread.
uint16_t fdb_lookup(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan);

/**
 * Removes stations not seen for ageing_s, and dead ones, in the next 'n_buckets' buckets (at
 * most one round). Main thread; called each second so that a whole round takes a tenth of
 * the ageing time. With ageing off it is to be called, too, for a round per day at least.
 */
void fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t n_buckets);

// A station while it is walked.
struct fdb_station {
	uint8_t mac[6];
	uint16_t vlan;
	uint16_t slot;
	uint8_t flags;  // enum fdb_entry_flags
	uint32_t age_s; // since it was last heard; 0 when static
};

/**
 * Calls 'fn' for each live station; stops when it returns false. One that a proc displaces
 * at that moment may come twice or not at all. Main thread.
 */
void fdb_walk(struct fdb *fdb, uint32_t now_s, bool (*fn)(const struct fdb_station *, void *),
	      void *arg);

// The same for 'n_buckets' buckets from 'first' on, for who cannot stay for all of them.
void fdb_walk_part(struct fdb *fdb, uint32_t now_s, uint32_t first, uint32_t n_buckets,
		   bool (*fn)(const struct fdb_station *, void *), void *arg);

uint64_t fdb_key(const uint8_t mac[6], uint16_t vlan);

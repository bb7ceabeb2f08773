/*
 * MAC table: what its source files share. fdb.c is what procs call per burst, fdb_move.c
 * makes room for a new station, fdb_ctl.c is the main thread's side. Nobody else includes
 * this, but its tests; see fdb.h for the rules.
 *
 * How an entry is written and read. The writer, under the lock, takes the key away, stores
 * the value, then the key, each with release. A reader loads key, value, key, value, each
 * with acquire, and uses the value only if both pairs are equal. An entry that is refilled
 * between two of those loads shows; only one that is refilled three times between them, with
 * the first station and value in it again each second time, could deceive.
 *
 * One thing is written without the lock: a proc renews 'seen' by compare and exchange of the
 * whole value. If the entry has been given to another station meanwhile, the exchange fails,
 * or that station's value is equal bit by bit and was as fresh: nothing false comes of it.
 *
 * Threads: see fdb.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "switch/fdb_types.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are loaded as they lie");

enum {
	FDB_SEEN_MASK = 0xffffff,
	FDB_EVICT_BUCKETS = 64, // that one attempt looks at for a station to evict
	FDB_SEEN_AHEAD_S = 3600 // a proc's clock may be ahead of ours; never by this much
};

/**
 * Puts a station, which must not be in the table, into an entry of its own and counts it.
 * Displaces others for it and, when 'may_evict' is set and the table is full, evicts one.
 * False: no room was found at this attempt. Under the lock.
 */
bool fdb_insert(struct fdb *fdb, uint64_t hash, uint64_t key, uint64_t value, bool may_evict);

/**
 * Gives the entry of a live station its new value, counting a change of port and of being
 * static. Under the lock.
 */
void fdb_replace(struct fdb *fdb, struct fdb_entry *entry, uint64_t value);

// Empties the entry of a live station and takes it off the counts. Under the lock.
void fdb_remove(struct fdb *fdb, struct fdb_entry *entry);

// Empties an entry that is in no count but 'strays': a dead station's. Under the lock.
void fdb_entry_clear(struct fdb *fdb, struct fdb_entry *entry);

/**
 * A station's value, dead or alive. Looks again while stations are displaced or replaced, and
 * gives up (false) after a bounded number of attempts. Any thread, without the lock.
 */
bool fdb_read(struct fdb *fdb, uint64_t hash, uint64_t key, uint64_t *x_value);

static inline bool fdb_trylock(struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->lock, memory_order_relaxed) == 0 &&
	       atomic_exchange_explicit(&fdb->lock, 1, memory_order_acquire) == 0;
}

static inline void fdb_unlock(struct fdb *fdb)
{
	atomic_store_explicit(&fdb->lock, 0, memory_order_release);
}

// Counters that only the holder of the lock writes need no locked instruction.
#define FDB_ADD(counter, n)                                                                        \
	atomic_store_explicit(&(counter),                                                          \
			      atomic_load_explicit(&(counter), memory_order_relaxed) + (n),        \
			      memory_order_relaxed)
#define FDB_GET(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

// The eight bytes at 'p' must be readable; two of them do not count.
static inline uint64_t fdb_key_at(const uint8_t *p, uint16_t vlan)
{
	uint64_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return FDB_KEY_MAC(bytes) | (uint64_t)(vlan & 0xfff) << 48 | FDB_KEY_USED;
}

static inline uint64_t fdb_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Two rounds, both with secret factors: whoever does not know them cannot aim at a bucket.
static inline uint64_t fdb_hash(const struct fdb *fdb, uint64_t key)
{
	return fdb_fold(fdb_fold(key ^ fdb->seed[0], fdb->seed[1]) ^ key, fdb->seed[0]);
}

static inline uint32_t fdb_bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return (uint32_t)hash & (fdb->n_buckets - 1);
}

static inline uint32_t fdb_bucket_second(const struct fdb *fdb, uint64_t hash)
{
	uint32_t second = (uint32_t)(hash >> 32) & (fdb->n_buckets - 1);

	return second ^ (second == fdb_bucket_first(fdb, hash));
}

/**
 * A station that was not found in its first bucket may be in its second. Any thread, without the
 * lock: one that is displaced to its first bucket at this moment may be missed, as by fdb_find().
 */
static inline bool fdb_may_stray(const struct fdb *fdb, uint64_t hash)
{
	return atomic_load_explicit(&fdb->strays[fdb_bucket_first(fdb, hash)],
				    memory_order_acquire) != 0;
}

static inline uint64_t fdb_value(uint16_t slot, uint16_t generation, uint8_t flags, uint32_t seen_s)
{
	return slot | (uint64_t)generation << 16 | (uint64_t)flags << 32 | (uint64_t)seen_s << 40;
}

static inline uint32_t fdb_value_age_s(uint64_t value, uint32_t now_s)
{
	uint32_t age_s = (now_s - FDB_VALUE_SEEN(value)) & FDB_SEEN_MASK;

	return age_s > FDB_SEEN_MASK - FDB_SEEN_AHEAD_S ? 0 : age_s;
}

static inline uint16_t fdb_generation(struct fdb *fdb, uint16_t slot)
{
	return atomic_load_explicit(&fdb->generation[slot], memory_order_relaxed);
}

static inline bool fdb_value_alive(struct fdb *fdb, uint64_t value)
{
	return fdb_generation(fdb, FDB_VALUE_SLOT(value)) == FDB_VALUE_GENERATION(value);
}

static inline bool fdb_value_static(uint64_t value)
{
	return FDB_VALUE_FLAGS(value) & FDB_ENTRY_STATIC;
}

static inline uint64_t fdb_entry_key(struct fdb_entry *entry)
{
	return atomic_load_explicit(&entry->key, memory_order_acquire);
}

static inline uint64_t fdb_entry_value(struct fdb_entry *entry)
{
	return atomic_load_explicit(&entry->value, memory_order_acquire);
}

// Where a match is cannot be predicted, so all four are compared and none is branched on.
static inline struct fdb_entry *fdb_bucket_find(struct fdb_bucket *bucket, uint64_t key)
{
	unsigned found = 0;

	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++)
		found |= (unsigned)(fdb_entry_key(&bucket->entries[i]) == key) << i;
	return found != 0 ? &bucket->entries[__builtin_ctz(found)] : NULL;
}

static inline struct fdb_entry *fdb_find_first(struct fdb *fdb, uint64_t hash, uint64_t key)
{
	return fdb_bucket_find(&fdb->buckets[fdb_bucket_first(fdb, hash)], key);
}

static inline struct fdb_entry *fdb_find(struct fdb *fdb, uint64_t hash, uint64_t key)
{
	struct fdb_entry *entry = fdb_find_first(fdb, hash, key);

	if (entry == NULL)
		entry = fdb_bucket_find(&fdb->buckets[fdb_bucket_second(fdb, hash)], key);
	return entry;
}

// The value that goes with 'key', which the entry was seen to hold. False: it was changed
// meanwhile.
static inline bool fdb_entry_read(struct fdb_entry *entry, uint64_t key, uint64_t *x_value)
{
	uint64_t value = fdb_entry_value(entry);

	*x_value = value;
	return fdb_entry_key(entry) == key && fdb_entry_value(entry) == value;
}

/*
 * MAC table: what procs call for every burst, and the table's making. See fdb.h.
 *
 * Both burst functions go over the burst three times: hash all keys and prefetch their first
 * buckets; look into those; look into the second buckets of the few stations that were not
 * there. At a million stations nearly every bucket is a cache miss, and so the misses of one
 * burst overlap. (Prefetching both buckets at once costs more than the third pass: fewer
 * than one station in eight is in its second bucket, and a core has few miss buffers.)
 *
 * New sources at a port at its quota, which may be an attacker's, do not get to the third pass,
 * which costs more than the others: unless they may be in their second bucket.
 */
#include "switch/fdb.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "ports/object.h"
#include "switch/fdb_owner.h"
#include "switch/fdb_table.h"

enum {
	HUGE_PAGE = 2 << 20,
	HUGE_FROM = 512 << 10, // smaller tables do without: their pages fit the TLB
	PAGE = 4 << 10,
	READ_ATTEMPTS = 16,
	ETH_DST = 0,
	ETH_SRC = 6,
	ETH_GROUP_BIT = 1 // of the first byte: broadcast or multicast
};

// Consecutive frames from one source.
struct source {
	uint64_t key;
	uint64_t hash;
	unsigned n_frames;
};

// What consecutive frames are sent to.
struct destination {
	uint64_t key;
	uint64_t hash;
	uint16_t slot; // or VNBL_DST_FLOOD
};

static uint32_t buckets_for(uint32_t stations);
static int buckets_map(struct fdb *fdb);
static int seed_set(struct fdb *fdb, const uint64_t seed[2]);
static void learn_chunk(struct fdb *fdb, struct vnbl *frames, unsigned n, uint16_t slot,
			uint32_t now_s);
static unsigned sources_collect(struct fdb *fdb, struct vnbl *frames, unsigned n,
				struct source *sources);
static void learn_source(struct fdb *fdb, const struct source *source, uint64_t usual);
static void learn_new(struct fdb *fdb, const struct source *source, uint16_t slot, uint32_t seen_s);
static void learn_locked(struct fdb *fdb, const struct source *source, uint16_t slot,
			 uint32_t now_s);
static inline bool is_refused(struct fdb *fdb, const struct source *source, uint16_t slot);
static bool is_anothers(struct fdb *fdb, const struct source *source, uint16_t slot);
static bool at_quota(struct fdb *fdb, uint16_t slot);
static void lookup_chunk(struct fdb *fdb, struct vnbl *frames, unsigned n);
static unsigned destinations_collect(struct fdb *fdb, struct vnbl *frames, unsigned n,
				     struct destination *dsts, uint8_t *which);
static uint16_t lookup_key(struct fdb *fdb, uint64_t hash, uint64_t key);
static inline uint16_t value_slot(struct fdb *fdb, uint64_t value);
static inline uint16_t frame_fid(const struct fdb *fdb, const struct vnbl *v);
static inline const void *bucket_first(const struct fdb *fdb, uint64_t hash);
static inline const void *bucket_second(const struct fdb *fdb, uint64_t hash);

int fdb_create(const struct fdb_conf *conf, struct fdb **ret)
{
	struct fdb *fdb;
	int err;

	if (conf->stations < FDB_STATIONS_MIN || conf->stations > FDB_STATIONS_MAX)
		return -EINVAL;
	fdb = aligned_alloc(alignof(struct fdb), sizeof(*fdb));
	if (fdb == NULL)
		return -ENOMEM;
	memset(fdb, 0, sizeof(*fdb));
	object_init(&fdb->obj, OBJECT_FDB, sizeof(*fdb), "", "");
	fdb->max_stations = conf->stations;
	fdb->ageing_s = conf->ageing_s;
	fdb->n_buckets = buckets_for(conf->stations);
	err = seed_set(fdb, conf->seed);
	if (err == 0)
		err = buckets_map(fdb);
	if (err != 0) {
		free(fdb);
		return err;
	}
	*ret = fdb;
	return 0;
}

void fdb_destroy(struct fdb *fdb)
{
	if (fdb == NULL)
		return;
	munmap(fdb->buckets, fdb->buckets_bytes);
	object_fini(&fdb->obj);
	free(fdb);
}

void fdb_learn_burst(struct fdb *fdb, struct vnbl *frames, unsigned n, uint16_t slot,
		     uint32_t now_s)
{
	assert(slot < VPORT_MAX);
	for (; n > VNBL_BURST_MAX; n -= VNBL_BURST_MAX, frames += VNBL_BURST_MAX)
		learn_chunk(fdb, frames, VNBL_BURST_MAX, slot, now_s);
	learn_chunk(fdb, frames, n, slot, now_s);
}

void fdb_lookup_burst(struct fdb *fdb, struct vnbl *frames, unsigned n)
{
	for (; n > VNBL_BURST_MAX; n -= VNBL_BURST_MAX, frames += VNBL_BURST_MAX)
		lookup_chunk(fdb, frames, VNBL_BURST_MAX);
	lookup_chunk(fdb, frames, n);
}

uint16_t fdb_lookup(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan)
{
	uint64_t key = fdb_key(mac, vlan);

	return lookup_key(fdb, fdb_hash(fdb, key), key);
}

uint64_t fdb_key(const uint8_t mac[6], uint16_t vlan)
{
	uint8_t bytes[8] = {0};

	memcpy(bytes, mac, 6);
	return fdb_key_at(bytes, vlan);
}

bool fdb_read(struct fdb *fdb, uint64_t hash, uint64_t key, uint64_t *x_value)
{
	for (int i = 0; i < READ_ATTEMPTS; i++) {
		uint32_t moves = atomic_load_explicit(&fdb->moves, memory_order_acquire);
		struct fdb_entry *entry = fdb_find(fdb, hash, key);

		if (entry != NULL && fdb_entry_read(entry, key, x_value))
			return true;
		// The station may have been displaced behind our back, from the bucket that we
		// had yet to look at to the one that we had looked at.
		if (entry == NULL && moves % 2 == 0 &&
		    atomic_load_explicit(&fdb->moves, memory_order_relaxed) == moves)
			return false;
	}
	return false;
}

// At most 80 % of the entries are in use when the table holds as many stations as it may.
static uint32_t buckets_for(uint32_t stations)
{
	uint32_t entries = stations + stations / 4;
	uint32_t n = 2;

	while (n * FDB_BUCKET_ENTRIES < entries)
		n *= 2;
	return n;
}

// Memory of our own kernel mapping: aligned so that huge pages can back it, and touched here
// so that no proc takes a page fault for it.
static int buckets_map(struct fdb *fdb)
{
	size_t size = fdb->n_buckets * (sizeof(struct fdb_bucket) + sizeof(*fdb->strays));
	size_t page = size >= HUGE_FROM ? HUGE_PAGE : PAGE;
	size_t slack = page == HUGE_PAGE ? HUGE_PAGE : 0;
	size_t skip;
	uint8_t *map;

	size = (size + page - 1) & ~(page - 1);
	map = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	if (slack != 0) {
		skip = -(uintptr_t)map & (HUGE_PAGE - 1);
		if (skip != 0)
			munmap(map, skip);
		map += skip;
		if (skip != slack)
			munmap(map + size, slack - skip);
		// Without huge pages the table is only slower.
		(void)madvise(map, size, MADV_HUGEPAGE);
	}
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile uint8_t *)(map + i) = 0;
	fdb->buckets = (struct fdb_bucket *)map;
	fdb->buckets_bytes = size;
	fdb->strays = (_Atomic uint8_t *)(fdb->buckets + fdb->n_buckets);
	return 0;
}

// The hash multiplies by the seeds, so both must be odd and well mixed, whatever was given.
static int seed_set(struct fdb *fdb, const uint64_t seed[2])
{
	uint64_t random[2] = {seed[0], seed[1]};
	uint64_t x;

	if ((seed[0] | seed[1]) == 0 && getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	for (int i = 0; i < 2; i++) {
		x = random[i] + (i + 1) * 0x9e3779b97f4a7c15ULL + (random[1 - i] << 1);
		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
		fdb->seed[i] = (x ^ x >> 31) | 1;
	}
	return 0;
}

static void learn_chunk(struct fdb *fdb, struct vnbl *frames, unsigned n, uint16_t slot,
			uint32_t now_s)
{
	struct source sources[VNBL_BURST_MAX];
	unsigned n_sources = sources_collect(fdb, frames, n, sources);
	// What nearly every station's value is already: nothing to do, nothing to write.
	uint64_t usual = fdb_value(slot, fdb_generation(fdb, slot), 0, now_s & FDB_SEEN_MASK);
	unsigned n_rest = 0, refused = 0;

	for (unsigned i = 0; i < n_sources; i++) {
		struct fdb_entry *entry = fdb_find_first(fdb, sources[i].hash, sources[i].key);

		if (entry != NULL && fdb_entry_value(entry) == usual)
			continue;
		if (entry == NULL && is_refused(fdb, &sources[i], slot)) {
			refused += sources[i].n_frames;
			continue;
		}
		__builtin_prefetch(bucket_second(fdb, sources[i].hash));
		sources[n_rest++] = sources[i];
	}
	for (unsigned i = 0; i < n_rest; i++)
		learn_source(fdb, &sources[i], usual);
	if (refused > 0)
		atomic_fetch_add_explicit(&fdb->ports[slot].refused, refused, memory_order_relaxed);
}

// Group addresses and the zero address are nobody's; they are not learned.
static unsigned sources_collect(struct fdb *fdb, struct vnbl *frames, unsigned n,
				struct source *sources)
{
	unsigned n_sources = 0;
	uint64_t last = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct vnbl *v = &frames[i];
		uint64_t key;

		if (v->flags & VNBL_DROPPED)
			continue;
		key = fdb_key_at(v->hdr + ETH_SRC, frame_fid(fdb, v));
		if (key == last) {
			sources[n_sources - 1].n_frames++;
			continue;
		}
		if (v->hdr[ETH_SRC] & ETH_GROUP_BIT || FDB_KEY_MAC(key) == 0)
			continue;
		last = key;
		sources[n_sources].key = key;
		sources[n_sources].hash = fdb_hash(fdb, key);
		sources[n_sources].n_frames = 1;
		__builtin_prefetch(bucket_first(fdb, sources[n_sources].hash));
		n_sources++;
	}
	return n_sources;
}

static void learn_source(struct fdb *fdb, const struct source *source, uint64_t usual)
{
	struct fdb_entry *entry = fdb_find(fdb, source->hash, source->key);
	uint64_t value = entry != NULL ? fdb_entry_value(entry) : 0;

	if (entry == NULL || FDB_VALUE_SLOT(value) != FDB_VALUE_SLOT(usual) ||
	    FDB_VALUE_GENERATION(value) != FDB_VALUE_GENERATION(usual)) {
		learn_new(fdb, source, FDB_VALUE_SLOT(usual), FDB_VALUE_SEEN(usual));
		return;
	}
	if (value == usual || fdb_value_static(value))
		return;
	// Who wins against us has renewed it, or has taken the entry for something else.
	atomic_compare_exchange_strong_explicit(&entry->value, &value, usual, memory_order_release,
						memory_order_relaxed);
}

// The station is unknown, or known at another port. What needs no lock is settled first: an
// attacker's frames end here.
static void learn_new(struct fdb *fdb, const struct source *source, uint16_t slot, uint32_t now_s)
{
	uint64_t value;
	bool known =
		fdb_read(fdb, source->hash, source->key, &value) && fdb_value_alive(fdb, value);

	if (known && fdb_value_static(value)) {
		if (FDB_VALUE_SLOT(value) != slot)
			atomic_fetch_add_explicit(&fdb->pinned, source->n_frames,
						  memory_order_relaxed);
		return;
	}
	if (is_anothers(fdb, source, slot)) {
		atomic_fetch_add_explicit(&fdb->pinned, source->n_frames, memory_order_relaxed);
		return;
	}
	if (!known && at_quota(fdb, slot)) {
		atomic_fetch_add_explicit(&fdb->ports[slot].refused, source->n_frames,
					  memory_order_relaxed);
		return;
	}
	if (!fdb_trylock(fdb)) {
		atomic_fetch_add_explicit(&fdb->busy, source->n_frames, memory_order_relaxed);
		return;
	}
	learn_locked(fdb, source, slot, now_s);
	fdb_unlock(fdb);
}

static void learn_locked(struct fdb *fdb, const struct source *source, uint16_t slot,
			 uint32_t now_s)
{
	struct fdb_entry *entry = fdb_find(fdb, source->hash, source->key);
	uint64_t fresh = fdb_value(slot, fdb_generation(fdb, slot), 0, now_s & FDB_SEEN_MASK);
	uint64_t value = entry != NULL ? fdb_entry_value(entry) : 0;

	if (is_anothers(fdb, source, slot)) // since a moment ago
		return;
	if (entry != NULL && !fdb_value_alive(fdb, value)) {
		fdb_entry_clear(fdb, entry);
		entry = NULL;
	}
	if (entry != NULL && (fdb_value_static(value) || FDB_VALUE_SLOT(value) == slot))
		return;
	if (at_quota(fdb, slot)) {
		atomic_fetch_add_explicit(&fdb->ports[slot].refused, source->n_frames,
					  memory_order_relaxed);
		// The station is here and not where the table says. Better no entry, so that its
		// frames are flooded and reach it, than one that leads them astray.
		if (entry != NULL) {
			fdb_remove(fdb, entry);
			FDB_ADD(fdb->forgotten, 1);
		}
	} else if (entry != NULL) {
		fdb_replace(fdb, entry, fresh);
	} else if (fdb_insert(fdb, source->hash, source->key, fresh, true)) {
		FDB_ADD(fdb->learned, 1);
	} else {
		FDB_ADD(fdb->refused, source->n_frames);
	}
}

// Of a source that is not in its first bucket: it is new, and the port may have no new ones.
static inline bool is_refused(struct fdb *fdb, const struct source *source, uint16_t slot)
{
	return at_quota(fdb, slot) && !fdb_may_stray(fdb, source->hash) &&
	       !is_anothers(fdb, source, slot);
}

static bool is_anothers(struct fdb *fdb, const struct source *source, uint16_t slot)
{
	uint16_t owner = fdb_owner_of(fdb, source->key);

	return owner != FDB_NO_SLOT && owner != slot;
}

static bool at_quota(struct fdb *fdb, uint16_t slot)
{
	return FDB_GET(fdb->ports[slot].stations) >= FDB_GET(fdb->ports[slot].quota);
}

static void lookup_chunk(struct fdb *fdb, struct vnbl *frames, unsigned n)
{
	struct destination dsts[1 + VNBL_BURST_MAX];
	uint8_t which[VNBL_BURST_MAX];
	uint8_t rest[VNBL_BURST_MAX];
	unsigned n_dsts = destinations_collect(fdb, frames, n, dsts, which);
	unsigned n_rest = 0;

	for (unsigned i = 1; i < n_dsts; i++) {
		struct fdb_entry *entry = fdb_find_first(fdb, dsts[i].hash, dsts[i].key);
		uint64_t value;

		if (entry != NULL && fdb_entry_read(entry, dsts[i].key, &value)) {
			dsts[i].slot = value_slot(fdb, value);
			continue;
		}
		__builtin_prefetch(bucket_second(fdb, dsts[i].hash));
		rest[n_rest++] = (uint8_t)i;
	}
	for (unsigned i = 0; i < n_rest; i++)
		dsts[rest[i]].slot = lookup_key(fdb, dsts[rest[i]].hash, dsts[rest[i]].key);
	for (unsigned i = 0; i < n; i++) {
		if (!(frames[i].flags & VNBL_DROPPED))
			frames[i].dst_slot = dsts[which[i]].slot;
	}
}

// dsts[0] is the one of all frames that are flooded because of their address.
static unsigned destinations_collect(struct fdb *fdb, struct vnbl *frames, unsigned n,
				     struct destination *dsts, uint8_t *which)
{
	unsigned n_dsts = 1;

	dsts[0] = (struct destination){.slot = VNBL_DST_FLOOD};
	for (unsigned i = 0; i < n; i++) {
		const struct vnbl *v = &frames[i];
		struct destination *dst = &dsts[n_dsts];

		which[i] = 0;
		if (v->flags & VNBL_DROPPED || v->hdr[ETH_DST] & ETH_GROUP_BIT)
			continue;
		dst->key = fdb_key_at(v->hdr + ETH_DST, frame_fid(fdb, v));
		if (dst->key != dst[-1].key) {
			dst->hash = fdb_hash(fdb, dst->key);
			__builtin_prefetch(bucket_first(fdb, dst->hash));
			n_dsts++;
		}
		which[i] = (uint8_t)(n_dsts - 1);
	}
	return n_dsts;
}

static uint16_t lookup_key(struct fdb *fdb, uint64_t hash, uint64_t key)
{
	uint64_t value;

	if (!fdb_read(fdb, hash, key, &value))
		return FDB_NO_SLOT;
	return value_slot(fdb, value);
}

static inline uint16_t value_slot(struct fdb *fdb, uint64_t value)
{
	static_assert((int)FDB_NO_SLOT == (int)VNBL_DST_FLOOD, "unknown stations are flooded");
	return fdb_value_alive(fdb, value) ? FDB_VALUE_SLOT(value) : FDB_NO_SLOT;
}

static inline uint16_t frame_fid(const struct fdb *fdb, const struct vnbl *v)
{
	const struct vlan_fids *fids;
	uint16_t id;

	if (!(v->flags & VNBL_HAS_TAG))
		return 0;
	id = v->vlan_tci & VLAN_ID_MASK;
	fids = atomic_load_explicit(&fdb->fids, memory_order_acquire);
	return fids == NULL ? id : fids->of[id];
}

// To be prefetched; not by a function of its own, for gcc takes one that does nothing else for one
// that does nothing, and may leave out its calls.
static inline const void *bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[fdb_bucket_first(fdb, hash)];
}

static inline const void *bucket_second(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[fdb_bucket_second(fdb, hash)];
}

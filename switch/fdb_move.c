/*
 * MAC table: room for a new station. All of this runs under the lock. See fdb.h.
 *
 * A new station goes into its first bucket, else its second (so most stations are found in
 * the first line that a reader looks at). When both are full, the buckets that their
 * stations could go to are searched breadth first for a free entry, and the stations on the
 * way to it are displaced, the last one first.
 *
 *      first    [a b c d]    second   [e f g h]        both full
 *                   \                    ...
 *      c's other    [i . k l]                          c moves here, its entry is free
 *
 * Breadth first finds a shortest way, and on a shortest way no bucket comes twice. Static
 * stations are displaced like others: their port stays, not their entry.
 */
#include "switch/fdb_table.h"

enum {
	PATH_BUCKETS = 128, // that a search for a free entry looks at
	EVICT_CHOOSE = 8    // that evict_any() looks at, after one was found, for an older one
};

// A bucket that the search has reached: by displacing entry 'entry' of bucket steps[parent].
struct step {
	uint32_t bucket;
	int16_t parent; // -1: the station's own bucket
	uint16_t entry;
};

struct search {
	unsigned n_steps;
	struct step steps[PATH_BUCKETS];
};

static struct fdb_entry *room_find(struct fdb *fdb, struct search *search, uint64_t hash);
static struct fdb_entry *room_free(struct fdb *fdb, struct fdb_bucket *bucket);
static void search_spread(struct fdb *fdb, struct search *search, unsigned from);
static struct fdb_entry *displace(struct fdb *fdb, const struct search *search, unsigned last,
				  struct fdb_entry *room);
static void entry_fill(struct fdb *fdb, struct fdb_entry *entry, uint64_t key, uint64_t value);
static void stray_count(struct fdb *fdb, const struct fdb_entry *entry, uint64_t key, int by);
static void count_in(struct fdb *fdb, uint64_t value);
static void count_out(struct fdb *fdb, uint64_t value);
static bool evict_any(struct fdb *fdb, uint16_t learner, uint32_t now_s);
static int evict_port(struct fdb *fdb, uint16_t learner);
static struct fdb_entry *evict_reached(struct fdb *fdb, const struct search *search,
				       uint16_t learner, uint32_t now_s);
static struct fdb_entry *older(struct fdb_entry *best, struct fdb_entry *entry, uint32_t now_s);
static bool evictable(struct fdb *fdb, struct fdb_entry *entry, uint16_t *x_slot);
static uint32_t n_evictable(struct fdb *fdb, uint16_t slot);
static void evict(struct fdb *fdb, struct fdb_entry *entry);

bool fdb_insert(struct fdb *fdb, uint64_t hash, uint64_t key, uint64_t value, bool may_evict)
{
	uint16_t slot = FDB_VALUE_SLOT(value);
	struct search search;
	struct fdb_entry *room;

	if (FDB_GET(fdb->stations) >= fdb->max_stations &&
	    (!may_evict || !evict_any(fdb, slot, FDB_VALUE_SEEN(value))))
		return false;
	room = room_find(fdb, &search, hash);
	if (room == NULL && may_evict)
		room = evict_reached(fdb, &search, slot, FDB_VALUE_SEEN(value));
	if (room == NULL)
		return false;
	entry_fill(fdb, room, key, value);
	count_in(fdb, value);
	return true;
}

void fdb_replace(struct fdb *fdb, struct fdb_entry *entry, uint64_t value)
{
	uint64_t old = fdb_entry_value(entry);
	uint16_t slot = FDB_VALUE_SLOT(value);

	atomic_store_explicit(&entry->value, value, memory_order_release);
	count_out(fdb, old);
	count_in(fdb, value);
	if (FDB_VALUE_SLOT(old) != slot) {
		FDB_ADD(fdb->ports[slot].moved_in, 1);
		FDB_ADD(fdb->moved, 1);
	}
}

void fdb_remove(struct fdb *fdb, struct fdb_entry *entry)
{
	fdb_entry_clear(fdb, entry);
	count_out(fdb, fdb_entry_value(entry));
}

void fdb_entry_clear(struct fdb *fdb, struct fdb_entry *entry)
{
	uint64_t key = fdb_entry_key(entry);

	atomic_store_explicit(&entry->key, 0, memory_order_release);
	if (key != 0)
		stray_count(fdb, entry, key, -1);
}

// An entry that is free now, or NULL; 'search' has the buckets that were looked at.
static struct fdb_entry *room_find(struct fdb *fdb, struct search *search, uint64_t hash)
{
	search->n_steps = 2;
	search->steps[0] = (struct step){.bucket = fdb_bucket_first(fdb, hash), .parent = -1};
	search->steps[1] = (struct step){.bucket = fdb_bucket_second(fdb, hash), .parent = -1};
	for (unsigned i = 0; i < search->n_steps; i++) {
		struct fdb_entry *room = room_free(fdb, &fdb->buckets[search->steps[i].bucket]);

		if (room != NULL)
			return displace(fdb, search, i, room);
		search_spread(fdb, search, i);
	}
	return NULL;
}

static struct fdb_entry *room_free(struct fdb *fdb, struct fdb_bucket *bucket)
{
	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		struct fdb_entry *entry = &bucket->entries[i];

		if (fdb_entry_key(entry) == 0 || !fdb_value_alive(fdb, fdb_entry_value(entry)))
			return entry;
	}
	return NULL;
}

// Adds the buckets that the stations of bucket 'from' could go to.
static void search_spread(struct fdb *fdb, struct search *search, unsigned from)
{
	uint32_t bucket = search->steps[from].bucket;

	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		struct fdb_entry *entry = &fdb->buckets[bucket].entries[i];
		uint64_t hash = fdb_hash(fdb, fdb_entry_key(entry));
		uint32_t first = fdb_bucket_first(fdb, hash);
		uint32_t other = first == bucket ? fdb_bucket_second(fdb, hash) : first;

		if (search->n_steps == PATH_BUCKETS)
			return;
		search->steps[search->n_steps++] =
			(struct step){.bucket = other, .parent = (int16_t)from, .entry = i};
	}
}

// Moves the stations on the way to 'room' one step each; returns the entry that this frees in
// one of the new station's own buckets.
static struct fdb_entry *displace(struct fdb *fdb, const struct search *search, unsigned last,
				  struct fdb_entry *room)
{
	const struct step *step = &search->steps[last];
	uint32_t moves = FDB_GET(fdb->moves);

	if (step->parent < 0)
		return room;
	atomic_store_explicit(&fdb->moves, moves + 1, memory_order_release);
	for (; step->parent >= 0; step = &search->steps[step->parent]) {
		struct fdb_entry *from =
			&fdb->buckets[search->steps[step->parent].bucket].entries[step->entry];

		entry_fill(fdb, room, fdb_entry_key(from), fdb_entry_value(from));
		fdb_entry_clear(fdb, from);
		room = from;
	}
	atomic_store_explicit(&fdb->moves, moves + 2, memory_order_release);
	return room;
}

// A dead station's key may still be in the entry: it goes first, or it would get the value.
static void entry_fill(struct fdb *fdb, struct fdb_entry *entry, uint64_t key, uint64_t value)
{
	fdb_entry_clear(fdb, entry);
	stray_count(fdb, entry, key, 1);
	atomic_store_explicit(&entry->value, value, memory_order_release);
	atomic_store_explicit(&entry->key, key, memory_order_release);
}

// Up before the station can be found there, and down when it no longer can.
static void stray_count(struct fdb *fdb, const struct fdb_entry *entry, uint64_t key, int by)
{
	uint32_t first = fdb_bucket_first(fdb, fdb_hash(fdb, key));
	const struct fdb_entry *entries = fdb->buckets[first].entries;
	_Atomic uint8_t *strays = &fdb->strays[first];

	if (entry >= entries && entry < entries + FDB_BUCKET_ENTRIES)
		return;
	if (FDB_GET(*strays) != FDB_STRAYS_MAX)
		FDB_ADD(*strays, (uint8_t)by);
}

static void count_in(struct fdb *fdb, uint64_t value)
{
	uint16_t slot = FDB_VALUE_SLOT(value);

	FDB_ADD(fdb->stations, 1);
	FDB_ADD(fdb->ports[slot].stations, 1);
	if (fdb_value_static(value))
		FDB_ADD(fdb->ports[slot].pins, 1);
	if (fdb->n_slots <= slot)
		fdb->n_slots = slot + 1;
}

static void count_out(struct fdb *fdb, uint64_t value)
{
	uint16_t slot = FDB_VALUE_SLOT(value);

	FDB_ADD(fdb->stations, -1);
	FDB_ADD(fdb->ports[slot].stations, -1);
	if (fdb_value_static(value))
		FDB_ADD(fdb->ports[slot].pins, -1);
}

// The table holds all the stations that it may: one of the port that has most goes, an old
// one of those that the rotating hand comes upon.
static bool evict_any(struct fdb *fdb, uint16_t learner, uint32_t now_s)
{
	struct fdb_entry *best = NULL;
	int port = evict_port(fdb, learner);
	unsigned left = FDB_EVICT_BUCKETS;

	if (port < 0)
		return false;
	for (; left > 0; left--) {
		struct fdb_bucket *bucket = &fdb->buckets[fdb->evict_hand];

		for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
			uint16_t slot;

			if (!evictable(fdb, &bucket->entries[i], &slot) || slot != port)
				continue;
			if (best == NULL && left > EVICT_CHOOSE)
				left = EVICT_CHOOSE;
			best = older(best, &bucket->entries[i], now_s);
		}
		fdb->evict_hand = (fdb->evict_hand + 1) & (fdb->n_buckets - 1);
	}
	// Not found in this many buckets: the hand goes on from here at the next attempt.
	if (best == NULL)
		return false;
	evict(fdb, best);
	return true;
}

// The port with most learned stations; the learner itself unless the other has at least two
// more, or the two would take from each other for ever. -1: there are only static ones.
static int evict_port(struct fdb *fdb, uint16_t learner)
{
	uint32_t own = n_evictable(fdb, learner);
	uint32_t most = own;
	int port = own > 0 ? learner : -1;

	for (uint32_t slot = 0; slot < fdb->n_slots; slot++) {
		uint32_t n = n_evictable(fdb, (uint16_t)slot);

		if (n > most && (own == 0 || n > own + 1)) {
			most = n;
			port = (int)slot;
		}
	}
	return port;
}

// The search found no free entry: of the stations that it saw in the new one's own two
// buckets, one of the port with most goes, if that has no fewer than the learner.
static struct fdb_entry *evict_reached(struct fdb *fdb, const struct search *search,
				       uint16_t learner, uint32_t now_s)
{
	uint32_t most = n_evictable(fdb, learner);
	struct fdb_entry *best = NULL;

	for (unsigned i = 0; i < 2 * FDB_BUCKET_ENTRIES; i++) {
		uint32_t bucket = search->steps[i / FDB_BUCKET_ENTRIES].bucket;
		struct fdb_entry *entry = &fdb->buckets[bucket].entries[i % FDB_BUCKET_ENTRIES];
		uint16_t slot;
		uint32_t n;

		if (!evictable(fdb, entry, &slot))
			continue;
		n = n_evictable(fdb, slot);
		if (n < most)
			continue;
		best = n > most ? entry : older(best, entry, now_s);
		most = n;
	}
	if (best != NULL)
		evict(fdb, best);
	return best;
}

static struct fdb_entry *older(struct fdb_entry *best, struct fdb_entry *entry, uint32_t now_s)
{
	if (best == NULL || fdb_value_age_s(fdb_entry_value(entry), now_s) >
				    fdb_value_age_s(fdb_entry_value(best), now_s))
		return entry;
	return best;
}

static bool evictable(struct fdb *fdb, struct fdb_entry *entry, uint16_t *x_slot)
{
	uint64_t value = fdb_entry_value(entry);

	*x_slot = FDB_VALUE_SLOT(value);
	return fdb_entry_key(entry) != 0 && fdb_value_alive(fdb, value) && !fdb_value_static(value);
}

static uint32_t n_evictable(struct fdb *fdb, uint16_t slot)
{
	return FDB_GET(fdb->ports[slot].stations) - FDB_GET(fdb->ports[slot].pins);
}

static void evict(struct fdb *fdb, struct fdb_entry *entry)
{
	fdb_remove(fdb, entry);
	FDB_ADD(fdb->evicted, 1);
}

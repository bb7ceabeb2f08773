/*
 * Sessions: what procs call, and the table's making. See conntrack.h.
 */
#include "switch/conntrack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_jhash.h>

#include "switch/acl_types.h"
#include "switch/conntrack_table.h"
#include "switch/conntrack_tcp.h"

// Where a session may lie.
struct place {
	union conntrack_words key;
	uint32_t tag;
	uint32_t buckets[2];
};

static bool has_room(const struct conntrack *ct, uint32_t room);
static uint32_t buckets_for(uint32_t max);
static void *alloc_zeroed(size_t size);
static void place_of(const struct conntrack *ct, const struct conntrack_key *key,
		     struct place *ret);
static struct conntrack_entry *place_find(const struct conntrack *ct, const struct place *place,
					  struct conntrack_copy *ret);
static struct conntrack_entry *bucket_find(const struct conntrack *ct, const struct place *place,
					   uint32_t bucket, struct conntrack_copy *ret);
static void entry_prefetch(const struct conntrack *ct, uint32_t bucket, uint32_t tag);
static unsigned ways_with(const struct conntrack_bucket *bucket, uint32_t tag);
static bool is_equal(const union conntrack_words *a, const union conntrack_words *b);
static struct conntrack_hit hit_of(struct conntrack_entry *entry,
				   const struct conntrack_copy *copy);
static uint64_t state_after(uint64_t state, const struct conntrack_packet *packet, uint32_t now_s);
static int insert_guarded(struct conntrack *ct, const struct place *place,
			  const struct conntrack_copy *copy, uint32_t now_s,
			  struct conntrack_hit *ret);
static int insert_new(struct conntrack *ct, const struct place *place,
		      const struct conntrack_copy *copy);
static int fill_second(struct conntrack *ct, const struct place *place,
		       const struct conntrack_copy *copy);
static int bucket_fill(struct conntrack *ct, uint32_t bucket, uint32_t tag,
		       const struct conntrack_copy *copy);
static void entry_fill(struct conntrack_entry *entry, const struct conntrack_copy *copy);
static bool bucket_trylock(struct conntrack_bucket *bucket);
static void bucket_unlock(struct conntrack_bucket *bucket);

int conntrack_create(uint32_t max, uint64_t seed, struct conntrack **ret)
{
	struct conntrack *ct;

	assert(max >= 1 && max <= ACL_SESSIONS_MAX);
	ct = alloc_zeroed(sizeof(*ct));
	if (ct == NULL)
		return -ENOMEM;
	ct->max = max;
	ct->n_buckets = buckets_for(max);
	ct->seed = seed;
	ct->buckets = alloc_zeroed(ct->n_buckets * sizeof(ct->buckets[0]));
	ct->entries = alloc_zeroed((size_t)ct->n_buckets * CONNTRACK_WAYS * sizeof(ct->entries[0]));
	if (ct->buckets == NULL || ct->entries == NULL) {
		conntrack_destroy(ct);
		return -ENOMEM;
	}
	*ret = ct;
	return 0;
}

void conntrack_destroy(struct conntrack *ct)
{
	if (ct == NULL)
		return;
	free(ct->entries);
	free(ct->buckets);
	free(ct);
}

bool conntrack_find(const struct conntrack *ct, const struct conntrack_key *key, uint32_t now_s,
		    struct conntrack_hit *ret)
{
	struct conntrack_entry *entry;
	struct conntrack_copy copy;
	struct place place;

	place_of(ct, key, &place);
	entry = place_find(ct, &place, &copy);
	if (entry == NULL || conntrack_left_s(&copy, now_s) == 0)
		return false;
	*ret = hit_of(entry, &copy);
	return true;
}

void conntrack_touch(struct conntrack *ct, const struct conntrack_hit *hit,
		     const struct conntrack_packet *packet, uint32_t now_s)
{
	uint64_t state = hit->state;
	uint64_t next = state_after(state, packet, now_s);

	// Who wins against us has touched it, too, or has ended it: then the generation is another.
	while (next != state && CONNTRACK_GENERATION(state) == CONNTRACK_GENERATION(hit->state)) {
		if (atomic_compare_exchange_weak_explicit(&hit->entry->state, &state, next,
							  memory_order_release,
							  memory_order_relaxed))
			return;
		next = state_after(state, packet, now_s);
	}
}

int conntrack_add(struct conntrack *ct, const struct conntrack_key *key,
		  const struct conntrack_packet *packet, struct conntrack_kind kind,
		  const struct conntrack_rule *rule, uint32_t now_s)
{
	struct conntrack_copy copy = {.key = {.key = *key},
				      .rule = rule->number,
				      .weight = rule->weight,
				      .idle_s = rule->idle_s};
	enum conntrack_state state = CONNTRACK_ESTABLISHED;
	struct conntrack_hit hit;
	int err;

	if (kind.fragments)
		state = CONNTRACK_FRAGMENT;
	else if (packet->is_tcp)
		state = conntrack_tcp_begin(packet->tcp_flags);
	if (state == CONNTRACK_FREE)
		return -EINVAL;
	copy.state = conntrack_state(state, packet->from_vm, now_s);
	err = has_room(ct, kind.room) ? conntrack_insert(ct, &copy, now_s, &hit) : -ENOSPC;
	if (err == -ENOSPC)
		atomic_fetch_add_explicit(&ct->refused, 1, memory_order_relaxed);
	if (err != -EEXIST)
		return err;
	conntrack_touch(ct, &hit, packet, now_s);
	return 0;
}

int conntrack_insert(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s,
		     struct conntrack_hit *ret)
{
	struct conntrack_bucket *guard;
	struct place place;
	int err;

	place_of(ct, &copy->key.key, &place);
	guard = &ct->buckets[place.buckets[0]];
	if (!bucket_trylock(guard))
		return -EBUSY;
	err = insert_guarded(ct, &place, copy, now_s, ret);
	bucket_unlock(guard);
	return err;
}

// Of a large table each place is three lines that are in no cache.
void conntrack_prefetch(const struct conntrack *ct, const struct conntrack_copy copies[],
			unsigned n)
{
	struct place places[CONNTRACK_BATCH];

	for (unsigned i = 0; i < n; i++) {
		place_of(ct, &copies[i].key.key, &places[i]);
		__builtin_prefetch(&ct->buckets[places[i].buckets[0]], 1);
		__builtin_prefetch(&ct->buckets[places[i].buckets[1]], 1);
	}
	for (unsigned i = 0; i < n; i++) {
		entry_prefetch(ct, places[i].buckets[0], places[i].tag);
		entry_prefetch(ct, places[i].buckets[1], places[i].tag);
	}
}

uint32_t conntrack_reclaim(struct conntrack *ct, uint32_t bucket, uint32_t now_s)
{
	unsigned used = ~ways_with(&ct->buckets[bucket], 0) & ((1U << CONNTRACK_WAYS) - 1);
	uint32_t n = 0;

	for (; used != 0; used &= used - 1) {
		struct conntrack_entry *entry =
			&ct->entries[bucket * CONNTRACK_WAYS + __builtin_ctz(used)];
		struct conntrack_copy copy;

		n += conntrack_read(entry, &copy) && conntrack_left_s(&copy, now_s) == 0 &&
		     conntrack_forget(ct, entry, copy.state);
	}
	return n;
}

bool conntrack_forget(struct conntrack *ct, struct conntrack_entry *entry, uint64_t state)
{
	uint32_t i = (uint32_t)(entry - ct->entries);
	uint64_t gone = (uint64_t)(uint16_t)(CONNTRACK_GENERATION(state) + 1) << 16;

	if (!atomic_compare_exchange_strong_explicit(&entry->state, &state, gone,
						     memory_order_acq_rel, memory_order_relaxed))
		return false;
	atomic_fetch_sub_explicit(&ct->n, 1, memory_order_relaxed);
	atomic_store_explicit(&ct->buckets[i / CONNTRACK_WAYS].tags[i % CONNTRACK_WAYS], 0,
			      memory_order_release);
	return true;
}

// Where a part of the room ends, nothing is looked at to say so: it may be a flood that asks.
static bool has_room(const struct conntrack *ct, uint32_t room)
{
	return room >= ct->max || atomic_load_explicit(&ct->n, memory_order_relaxed) < room;
}

// At most half of the entries are in use: then practically never all are in two buckets, however
// long sessions come and go.
static uint32_t buckets_for(uint32_t max)
{
	uint32_t n = 2;

	while (n * CONNTRACK_WAYS < max * 2)
		n *= 2;
	return n;
}

// Touched here, so that no proc takes a page fault for it.
static void *alloc_zeroed(size_t size)
{
	void *p = aligned_alloc(64, size);

	if (p != NULL)
		memset(p, 0, size);
	return p;
}

static void place_of(const struct conntrack *ct, const struct conntrack_key *key, struct place *ret)
{
	uint32_t first = (uint32_t)ct->seed, second = (uint32_t)(ct->seed >> 32);
	uint32_t mask = ct->n_buckets - 1;

	ret->key.key = *key;
	rte_jhash_32b_2hashes(ret->key.halves, CONNTRACK_KEY_WORDS * 2, &first, &second);
	// Either bucket's sessions have the bits of one hash in common, and not those of the other.
	ret->tag = first ^ (second << 16 | second >> 16);
	ret->tag += ret->tag == 0;
	first &= mask;
	second &= mask;
	ret->buckets[0] = first;
	ret->buckets[1] = second ^ (second == first);
}

// The session with this key, ended or not.
static struct conntrack_entry *place_find(const struct conntrack *ct, const struct place *place,
					  struct conntrack_copy *ret)
{
	struct conntrack_entry *entry = bucket_find(ct, place, place->buckets[0], ret);

	return entry != NULL ? entry : bucket_find(ct, place, place->buckets[1], ret);
}

static struct conntrack_entry *bucket_find(const struct conntrack *ct, const struct place *place,
					   uint32_t bucket, struct conntrack_copy *ret)
{
	unsigned ways = ways_with(&ct->buckets[bucket], place->tag);

	for (; ways != 0; ways &= ways - 1) {
		struct conntrack_entry *entry =
			&ct->entries[bucket * CONNTRACK_WAYS + __builtin_ctz(ways)];

		if (conntrack_read(entry, ret) && is_equal(&ret->key, &place->key))
			return entry;
	}
	return NULL;
}

// The one with this tag, or that which would be filled.
static void entry_prefetch(const struct conntrack *ct, uint32_t bucket, uint32_t tag)
{
	unsigned ways = ways_with(&ct->buckets[bucket], tag);

	if (ways == 0)
		ways = ways_with(&ct->buckets[bucket], 0);
	if (ways != 0)
		__builtin_prefetch(&ct->entries[bucket * CONNTRACK_WAYS + __builtin_ctz(ways)], 1);
}

// Bit i: way i has the tag.
static unsigned ways_with(const struct conntrack_bucket *bucket, uint32_t tag)
{
	unsigned ways = 0;

	for (unsigned i = 0; i < CONNTRACK_WAYS; i++)
		ways |= (unsigned)(atomic_load_explicit(&bucket->tags[i], memory_order_acquire) ==
				   tag)
			<< i;
	return ways;
}

static bool is_equal(const union conntrack_words *a, const union conntrack_words *b)
{
	uint64_t differs = 0;

	for (unsigned i = 0; i < CONNTRACK_KEY_WORDS; i++)
		differs |= a->words[i] ^ b->words[i];
	return differs == 0;
}

static struct conntrack_hit hit_of(struct conntrack_entry *entry, const struct conntrack_copy *copy)
{
	return (struct conntrack_hit){
		.entry = entry, .state = copy->state, .rule = copy->rule, .weight = copy->weight};
}

static uint64_t state_after(uint64_t state, const struct conntrack_packet *packet, uint32_t now_s)
{
	enum conntrack_state after = CONNTRACK_STATE(state);
	bool from_vm = CONNTRACK_FROM_VM(state);
	uint32_t seen_s = CONNTRACK_SEEN(state);

	if (packet->is_tcp)
		after = conntrack_tcp_next(after, packet->from_vm == from_vm, packet->tcp_flags);
	if ((int32_t)(now_s - seen_s) > 0)
		seen_s = now_s;
	return conntrack_state(after, from_vm, seen_s) | (uint64_t)CONNTRACK_GENERATION(state)
								 << 16;
}

// Under the first bucket's lock.
static int insert_guarded(struct conntrack *ct, const struct place *place,
			  const struct conntrack_copy *copy, uint32_t now_s,
			  struct conntrack_hit *ret)
{
	struct conntrack_entry *entry;
	struct conntrack_copy old;
	int err;

	// Another round only when someone touched or ended it at this moment.
	while ((entry = place_find(ct, place, &old)) != NULL) {
		if (conntrack_left_s(&old, now_s) != 0) {
			*ret = hit_of(entry, &old);
			return -EEXIST;
		}
		(void)conntrack_forget(ct, entry, old.state);
	}
	err = insert_new(ct, place, copy);
	if (err == -ENOSPC && conntrack_reclaim(ct, place->buckets[0], now_s) +
					      conntrack_reclaim(ct, place->buckets[1], now_s) >
				      0)
		err = insert_new(ct, place, copy);
	return err;
}

static int insert_new(struct conntrack *ct, const struct place *place,
		      const struct conntrack_copy *copy)
{
	int n_first = __builtin_popcount(ways_with(&ct->buckets[place->buckets[0]], 0));
	int n_second = __builtin_popcount(ways_with(&ct->buckets[place->buckets[1]], 0));
	int err = -ENOSPC;

	// Counted before it is there, so that there are never more than 'max'.
	if (atomic_fetch_add_explicit(&ct->n, 1, memory_order_relaxed) < ct->max) {
		if (n_second > n_first)
			err = fill_second(ct, place, copy);
		if (err != 0 && n_first > 0)
			err = bucket_fill(ct, place->buckets[0], place->tag, copy);
	}
	if (err != 0)
		atomic_fetch_sub_explicit(&ct->n, 1, memory_order_relaxed);
	return err;
}

static int fill_second(struct conntrack *ct, const struct place *place,
		       const struct conntrack_copy *copy)
{
	struct conntrack_bucket *second = &ct->buckets[place->buckets[1]];
	int err;

	if (!bucket_trylock(second))
		return -EBUSY;
	err = bucket_fill(ct, place->buckets[1], place->tag, copy);
	bucket_unlock(second);
	return err;
}

// Under the bucket's lock. -ENOSPC: no entry is free.
static int bucket_fill(struct conntrack *ct, uint32_t bucket, uint32_t tag,
		       const struct conntrack_copy *copy)
{
	unsigned ways = ways_with(&ct->buckets[bucket], 0);
	unsigned way;

	if (ways == 0)
		return -ENOSPC;
	way = __builtin_ctz(ways);
	atomic_store_explicit(&ct->buckets[bucket].tags[way], tag, memory_order_relaxed);
	entry_fill(&ct->entries[bucket * CONNTRACK_WAYS + way], copy);
	return 0;
}

// Its tag is there already: from the moment it is a session someone may end it, tag and all.
static void entry_fill(struct conntrack_entry *entry, const struct conntrack_copy *copy)
{
	_Atomic uint64_t *words = conntrack_key_words(entry);
	uint64_t generation =
		CONNTRACK_GENERATION(atomic_load_explicit(&entry->state, memory_order_relaxed));

	for (unsigned i = 0; i < CONNTRACK_KEY_WORDS; i++)
		atomic_store_explicit(&words[i], copy->key.words[i], memory_order_release);
	atomic_store_explicit(&entry->rule, copy->rule, memory_order_release);
	atomic_store_explicit(&entry->weight, copy->weight, memory_order_release);
	atomic_store_explicit(&entry->idle_s, copy->idle_s, memory_order_release);
	atomic_store_explicit(&entry->state,
			      (copy->state & ~CONNTRACK_GENERATION_MASK) | generation << 16,
			      memory_order_release);
}

static bool bucket_trylock(struct conntrack_bucket *bucket)
{
	return atomic_load_explicit(&bucket->lock, memory_order_relaxed) == 0 &&
	       atomic_exchange_explicit(&bucket->lock, 1, memory_order_acquire) == 0;
}

static void bucket_unlock(struct conntrack_bucket *bucket)
{
	atomic_store_explicit(&bucket->lock, 0, memory_order_release);
}

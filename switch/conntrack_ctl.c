/*
 * Sessions: the main thread's side: sweeping, ending, taking over, walking. See conntrack.h.
 */
#include "switch/conntrack.h"

#include <errno.h>
#include <sched.h>

#include "switch/conntrack_table.h"

enum { COPY_ATTEMPTS = 1000 }; // for a session, while procs add in the same place

static void end_entry(struct conntrack *ct, struct conntrack_entry *entry,
		      bool (*lives)(uint32_t rule, void *arg), void *arg);
static bool read_next(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
		      struct conntrack_copy *ret);
static unsigned read_batch(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
			   struct conntrack_copy ret[CONNTRACK_BATCH]);
static int copy_session(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s);
static void merge(struct conntrack_entry *entry, uint64_t state, uint64_t other);
static bool is_later(uint64_t a, uint64_t b);
static uint32_t n_entries(const struct conntrack *ct);
static bool is_used(const struct conntrack *ct, uint32_t i);

void conntrack_sweep(struct conntrack *ct, uint32_t now_s, uint32_t n, uint32_t *x_cursor)
{
	uint32_t mask = ct->n_buckets - 1;
	uint32_t bucket = *x_cursor & mask;

	if (n > ct->n_buckets)
		n = ct->n_buckets;
	for (; n > 0; n--, bucket = (bucket + 1) & mask)
		(void)conntrack_reclaim(ct, bucket, now_s);
	*x_cursor = bucket;
}

void conntrack_end(struct conntrack *ct, bool (*lives)(uint32_t rule, void *arg), void *arg)
{
	for (uint32_t i = 0; i < n_entries(ct); i++) {
		if (is_used(ct, i))
			end_entry(ct, &ct->entries[i], lives, arg);
	}
}

uint32_t conntrack_fill(struct conntrack *ct, const struct conntrack *from, uint32_t now_s)
{
	struct conntrack_copy copies[CONNTRACK_BATCH];
	uint32_t cursor = 0, n_refused = 0;
	unsigned n;

	while ((n = read_batch(from, now_s, &cursor, copies)) > 0) {
		conntrack_prefetch(ct, copies, n);
		for (unsigned i = 0; i < n; i++)
			n_refused += copy_session(ct, &copies[i], now_s) == -ENOSPC;
	}
	return n_refused;
}

void conntrack_take(struct conntrack *ct, const struct conntrack *from, uint32_t now_s)
{
	uint64_t n_refused = conntrack_fill(ct, from, now_s);

	n_refused += atomic_load_explicit(&from->refused, memory_order_relaxed);
	atomic_fetch_add_explicit(&ct->refused, n_refused, memory_order_relaxed);
}

bool conntrack_next(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
		    struct conntrack_session *ret)
{
	struct conntrack_copy copy;

	if (!read_next(ct, now_s, x_cursor, &copy))
		return false;
	ret->key = copy.key.key;
	ret->state = CONNTRACK_STATE(copy.state);
	ret->from_vm = CONNTRACK_FROM_VM(copy.state);
	ret->rule = copy.rule;
	ret->left_s = conntrack_left_s(&copy, now_s);
	return true;
}

// Again while procs touch it.
static void end_entry(struct conntrack *ct, struct conntrack_entry *entry,
		      bool (*lives)(uint32_t rule, void *arg), void *arg)
{
	struct conntrack_copy copy;

	while (conntrack_read(entry, &copy)) {
		if (lives(copy.rule, arg) || conntrack_forget(ct, entry, copy.state))
			return;
	}
}

static bool read_next(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
		      struct conntrack_copy *ret)
{
	while (*x_cursor < n_entries(ct)) {
		uint32_t i = (*x_cursor)++;

		if (is_used(ct, i) && conntrack_read(&ct->entries[i], ret) &&
		    conntrack_left_s(ret, now_s) > 0)
			return true;
	}
	return false;
}

static unsigned read_batch(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
			   struct conntrack_copy ret[CONNTRACK_BATCH])
{
	unsigned n = 0;

	while (n < CONNTRACK_BATCH && read_next(ct, now_s, x_cursor, &ret[n]))
		n++;
	return n;
}

// Who adds is done soon, but may have lost its core meanwhile.
static int copy_session(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s)
{
	struct conntrack_hit hit;
	int err = -EBUSY;

	for (int i = 0; i < COPY_ATTEMPTS && err == -EBUSY; i++) {
		if (i > 0)
			sched_yield();
		err = conntrack_insert(ct, copy, now_s, &hit);
	}
	if (err == -EEXIST && hit.rule == copy->rule &&
	    CONNTRACK_FROM_VM(hit.state) == CONNTRACK_FROM_VM(copy->state))
		merge(hit.entry, hit.state, copy->state);
	return err;
}

// Procs may touch it meanwhile, or it ends: then the generation is another.
static void merge(struct conntrack_entry *entry, uint64_t state, uint64_t other)
{
	const uint64_t generation = state & CONNTRACK_GENERATION_MASK;
	const uint64_t merged = (other & ~CONNTRACK_GENERATION_MASK) | generation;

	while (is_later(merged, state) && (state & CONNTRACK_GENERATION_MASK) == generation &&
	       !atomic_compare_exchange_weak_explicit(&entry->state, &state, merged,
						      memory_order_release, memory_order_relaxed))
		;
}

static bool is_later(uint64_t a, uint64_t b)
{
	int32_t seconds = (int32_t)(CONNTRACK_SEEN(a) - CONNTRACK_SEEN(b));

	return seconds > 0 || (seconds == 0 && CONNTRACK_STATE(a) > CONNTRACK_STATE(b));
}

static uint32_t n_entries(const struct conntrack *ct)
{
	return ct->n_buckets * CONNTRACK_WAYS;
}

static bool is_used(const struct conntrack *ct, uint32_t i)
{
	return atomic_load_explicit(&ct->buckets[i / CONNTRACK_WAYS].tags[i % CONNTRACK_WAYS],
				    memory_order_acquire) != 0;
}

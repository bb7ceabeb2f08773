/*
 * Sessions: the main thread's side: sweeping, ending, taking over, walking. See conntrack.h.
 */
#include "switch/conntrack.h"

#include <errno.h>
#include <sched.h>

#include "switch/conntrack_table.h"

enum { TAKE_ATTEMPTS = 1000 }; // for a session, while procs add in the same place

static void end_entry(struct conntrack *ct, struct conntrack_entry *entry,
		      bool (*lives)(uint32_t rule, void *arg), void *arg);
static void take_session(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s);
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

void conntrack_take(struct conntrack *ct, const struct conntrack *from, uint32_t now_s)
{
	for (uint32_t i = 0; i < n_entries(from); i++) {
		struct conntrack_copy copy;

		if (is_used(from, i) && conntrack_read(&from->entries[i], &copy) &&
		    conntrack_left_s(&copy, now_s) > 0)
			take_session(ct, &copy, now_s);
	}
	atomic_fetch_add_explicit(&ct->refused,
				  atomic_load_explicit(&from->refused, memory_order_relaxed),
				  memory_order_relaxed);
}

bool conntrack_next(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
		    struct conntrack_session *ret)
{
	struct conntrack_copy copy;
	uint32_t left_s;

	while (*x_cursor < n_entries(ct)) {
		uint32_t i = (*x_cursor)++;

		if (!is_used(ct, i) || !conntrack_read(&ct->entries[i], &copy))
			continue;
		left_s = conntrack_left_s(&copy, now_s);
		if (left_s == 0)
			continue;
		ret->key = copy.key.key;
		ret->state = CONNTRACK_STATE(copy.state);
		ret->from_vm = CONNTRACK_FROM_VM(copy.state);
		ret->rule = copy.rule;
		ret->left_s = left_s;
		return true;
	}
	return false;
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

// Who adds is done soon, but may have lost its core meanwhile.
static void take_session(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s)
{
	struct conntrack_hit hit;

	for (int i = 0; i < TAKE_ATTEMPTS; i++) {
		if (conntrack_insert(ct, copy, now_s, &hit) != -EBUSY)
			return;
		sched_yield();
	}
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

/*
 * Sessions: what its source files share. conntrack.c is what procs call, conntrack_ctl.c is the
 * main thread's side. Nobody else includes this; see conntrack.h for the rules.
 *
 * How an entry is written and read. Who fills it, under the lock, stores the tag, key and rule,
 * then the state, which makes it a session. Who ends it exchanges the state for one that is free
 * and of the next generation, then stores the tag 0, and only then may another fill it. All of
 * that with release. A reader loads state, key and rule, state, each with acquire: if one of the
 * words was another session's, the second state is of another generation. Only an entry that is
 * filled 65536 times between two loads could deceive.
 *
 * Threads: see conntrack.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/conntrack.h"

enum {
	CONNTRACK_KEY_WORDS = sizeof(struct conntrack_key) / sizeof(uint64_t),
	CONNTRACK_BATCH = 16 // sessions whose places are fetched together
};

// A key as it is stored and compared.
union conntrack_words {
	struct conntrack_key key;
	uint64_t words[CONNTRACK_KEY_WORDS];
	uint32_t halves[CONNTRACK_KEY_WORDS * 2];
};

// What an entry held at some moment, or is to hold.
struct conntrack_copy {
	union conntrack_words key;
	uint64_t state;
	uint32_t rule;
	uint16_t weight;
	uint16_t idle_s;
};

/**
 * Puts a session into an entry of its own and counts it; the generation in 'copy' does not matter.
 * -EEXIST: there is one with this key that has not ended: 'ret'. -ENOSPC, which is not counted, and
 * -EBUSY as conntrack_add().
 */
int conntrack_insert(struct conntrack *ct, const struct conntrack_copy *copy, uint32_t now_s,
		     struct conntrack_hit *ret);

// Fetches the places of up to CONNTRACK_BATCH sessions that are to be inserted next.
void conntrack_prefetch(const struct conntrack *ct, const struct conntrack_copy copies[],
			unsigned n);

// Frees what has ended in one bucket; returns how many. Any thread.
uint32_t conntrack_reclaim(struct conntrack *ct, uint32_t bucket, uint32_t now_s);

// Ends the session, if its state is still this one. Any thread.
bool conntrack_forget(struct conntrack *ct, struct conntrack_entry *entry, uint64_t state);

static inline uint64_t conntrack_state(enum conntrack_state state, bool from_vm, uint32_t seen_s)
{
	return (uint64_t)from_vm | (uint64_t)state << 8 | (uint64_t)seen_s << 32;
}

// Of each word, for readers compare while others fill the entry.
static inline _Atomic uint64_t *conntrack_key_words(struct conntrack_entry *entry)
{
	static_assert(offsetof(struct conntrack_entry, key) % alignof(_Atomic uint64_t) == 0,
		      "words are aligned");
	return (_Atomic uint64_t *)(void *)&entry->key;
}

// The session in the entry; false: none, or it was changed meanwhile.
static inline bool conntrack_read(struct conntrack_entry *entry, struct conntrack_copy *ret)
{
	_Atomic uint64_t *words = conntrack_key_words(entry);
	uint64_t state = atomic_load_explicit(&entry->state, memory_order_acquire);

	for (unsigned i = 0; i < CONNTRACK_KEY_WORDS; i++)
		ret->key.words[i] = atomic_load_explicit(&words[i], memory_order_acquire);
	ret->rule = atomic_load_explicit(&entry->rule, memory_order_acquire);
	ret->weight = atomic_load_explicit(&entry->weight, memory_order_acquire);
	ret->idle_s = atomic_load_explicit(&entry->idle_s, memory_order_acquire);
	ret->state = atomic_load_explicit(&entry->state, memory_order_relaxed);
	return CONNTRACK_GENERATION(state) == CONNTRACK_GENERATION(ret->state) &&
	       CONNTRACK_STATE(state) != CONNTRACK_FREE;
}

// How long a session that is not established may be silent, whatever its rule says.
static inline uint32_t conntrack_limit_s(uint64_t state)
{
	const uint8_t now = CONNTRACK_STATE(state);
	const bool is_half = now == CONNTRACK_FIN_ORIGIN || now == CONNTRACK_FIN_REPLY;

	return is_half ? CONNTRACK_HALF_S : CONNTRACK_SHORT_S;
}

// Seconds until the session is forgotten, 0: it has ended. A clock behind 'seen' is as good as one
// that stands there.
static inline uint32_t conntrack_left_s(const struct conntrack_copy *copy, uint32_t now_s)
{
	uint32_t timeout_s = copy->idle_s;
	int32_t silent_s = (int32_t)(now_s - CONNTRACK_SEEN(copy->state));

	if (CONNTRACK_STATE(copy->state) != CONNTRACK_ESTABLISHED &&
	    timeout_s > conntrack_limit_s(copy->state))
		timeout_s = conntrack_limit_s(copy->state);
	if (silent_s < 0)
		return timeout_s;
	return (uint32_t)silent_s < timeout_s ? timeout_s - (uint32_t)silent_s : 0;
}

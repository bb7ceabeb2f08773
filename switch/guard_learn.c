#include "switch/guard_learn.h"

#include <stdlib.h>
#include <string.h>

#define SAME_ENTRY 0xffffffffULL // of a state: generation and phase

static bool find(struct guard_learn *learn, unsigned limit, const uint64_t address[2],
		 uint32_t now_s);
static bool is_at(struct guard_learned *e, const uint64_t address[2], uint64_t *ret_state);
static bool see(struct guard_learned *e, uint64_t state, uint32_t now_s);
static bool take(struct guard_learn *learn, unsigned limit, const uint64_t address[2],
		 uint32_t now_s);
static bool can_be_taken(uint64_t state, uint32_t now_s);
static void drop_double(struct guard_learn *learn, unsigned limit, unsigned own,
			const uint64_t address[2]);
static uint64_t state_of(uint32_t seen_s, uint32_t generation, enum guard_learn_phase phase);

struct guard_learn *guard_learn_create(void)
{
	struct guard_learn *learn = aligned_alloc(alignof(struct guard_learn), sizeof(*learn));

	if (learn != NULL)
		memset(learn, 0, sizeof(*learn));
	return learn;
}

void guard_learn_destroy(struct guard_learn *learn)
{
	free(learn);
}

bool guard_learn_admit(struct guard_learn *learn, unsigned limit, const uint8_t *address,
		       uint32_t now_s)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	return find(learn, limit, words, now_s) || take(learn, limit, words, now_s);
}

// However long it was silent, while nobody took its place.
static bool find(struct guard_learn *learn, unsigned limit, const uint64_t address[2],
		 uint32_t now_s)
{
	for (unsigned i = 0; i < limit; i++) {
		uint64_t state;

		if (is_at(&learn->entries[i], address, &state) &&
		    see(&learn->entries[i], state, now_s))
			return true;
	}
	return false;
}

static bool is_at(struct guard_learned *e, const uint64_t address[2], uint64_t *ret_state)
{
	uint64_t before = atomic_load(&e->state), after;
	bool same;

	if (GUARD_LEARN_PHASE(before) != GUARD_LEARN_USED)
		return false;
	same = atomic_load_explicit(&e->address[0], memory_order_acquire) == address[0] &&
	       atomic_load_explicit(&e->address[1], memory_order_acquire) == address[1];
	after = atomic_load_explicit(&e->state, memory_order_relaxed);
	*ret_state = after;
	return same && ((before ^ after) & SAME_ENTRY) == 0;
}

// False: its place is another's now.
static bool see(struct guard_learned *e, uint64_t state, uint32_t now_s)
{
	const uint64_t same = state & SAME_ENTRY;

	while ((state & SAME_ENTRY) == same) {
		uint64_t next = state_of(now_s, GUARD_LEARN_GENERATION(state), GUARD_LEARN_USED);

		if ((int32_t)(now_s - GUARD_LEARN_SEEN(state)) <= 0 ||
		    atomic_compare_exchange_strong(&e->state, &state, next))
			return true;
	}
	return false;
}

static bool take(struct guard_learn *learn, unsigned limit, const uint64_t address[2],
		 uint32_t now_s)
{
	for (unsigned i = 0; i < limit; i++) {
		struct guard_learned *e = &learn->entries[i];
		uint64_t state = atomic_load_explicit(&e->state, memory_order_relaxed);
		uint32_t generation = GUARD_LEARN_GENERATION(state) + 1;

		if (!can_be_taken(state, now_s) ||
		    !atomic_compare_exchange_strong(
			    &e->state, &state, state_of(now_s, generation, GUARD_LEARN_WRITING)))
			continue;
		// Who sees one of these sees that the entry is being written.
		atomic_store_explicit(&e->address[0], address[0], memory_order_release);
		atomic_store_explicit(&e->address[1], address[1], memory_order_release);
		atomic_store(&e->state, state_of(now_s, generation, GUARD_LEARN_USED));
		drop_double(learn, limit, i, address);
		return true;
	}
	return false;
}

static bool can_be_taken(uint64_t state, uint32_t now_s)
{
	switch (GUARD_LEARN_PHASE(state)) {
	case GUARD_LEARN_FREE:
		return true;
	case GUARD_LEARN_USED:
		return (int32_t)(now_s - GUARD_LEARN_SEEN(state)) >= GUARD_LEARN_SILENCE_S;
	default:
		return false;
	}
}

// Two procs may have taken places for one address: one of them at least sees both here. The later
// place goes.
static void drop_double(struct guard_learn *learn, unsigned limit, unsigned own,
			const uint64_t address[2])
{
	for (unsigned i = 0; i < limit; i++) {
		struct guard_learned *later = &learn->entries[i > own ? i : own];
		uint64_t state;

		if (i == own || !is_at(&learn->entries[i], address, &state))
			continue;
		while (is_at(later, address, &state) &&
		       !atomic_compare_exchange_strong(
			       &later->state, &state,
			       state_of(0, GUARD_LEARN_GENERATION(state), GUARD_LEARN_FREE)))
			;
	}
}

static uint64_t state_of(uint32_t seen_s, uint32_t generation, enum guard_learn_phase phase)
{
	return (uint64_t)seen_s << 32 | (uint64_t)(generation & 0x3fffffff) << 2 | phase;
}

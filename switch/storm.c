#include "switch/storm.h"

// The second is in the upper half.
#define STORM_SECOND(word) ((uint32_t)((word) >> 32))
#define STORM_FRAMES(word) ((uint32_t)(word))

bool storm_take(_Atomic uint64_t *state, uint32_t limit, uint32_t now_s)
{
	uint64_t word = atomic_load_explicit(state, memory_order_relaxed);
	uint64_t next;

	do {
		// A proc whose clock is behind counts in the second of the others.
		bool same = (int32_t)(STORM_SECOND(word) - now_s) >= 0;

		if (same && STORM_FRAMES(word) >= limit)
			return false;
		next = same ? word + 1 : (uint64_t)now_s << 32 | 1;
	} while (!atomic_compare_exchange_weak_explicit(state, &word, next, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/*
 * Which addresses a port has begun to announce by itself, up to its limit.
 *
 * In the order of their appearance: who comes first has a place and keeps it while it is seen
 * again. What was not seen for GUARD_LEARN_SILENCE_S gives its place to the next one that comes.
 * When two procs see an address for the first time at once, it takes two places for a moment, or
 * is refused to one of them.
 *
 * Threads: guard_learn_admit() any proc, without lock or waiting; the others the main thread.
 */
#pragma once

#include <stdbool.h>

#include "switch/guard_learn_types.h"

// Empty. NULL: no memory.
struct guard_learn *guard_learn_create(void);

// One that no proc sees; NULL is allowed.
void guard_learn_destroy(struct guard_learn *learn);

/**
 * Whether 'address' (16 bytes) is among the at most 'limit' (1..GUARD_LEARN_MAX) addresses of the
 * port, which it becomes if there is room. 'now_s' is the proc's clock; those of procs may differ.
 */
bool guard_learn_admit(struct guard_learn *learn, unsigned limit, const uint8_t *address,
		       uint32_t now_s);

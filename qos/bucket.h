/*
 * Token bucket: how much of something may happen by now, given a rate and a burst.
 *
 * Pure arithmetic on a clock that the caller brings, in any unit: nanoseconds with
 * rate in tokens per second, say, by giving 'ticks_per_s'. No division on the way.
 *
 * Threads: the owner of the struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate;        // tokens per second
	uint64_t burst;       // tokens that it holds when full
	uint64_t ticks_per_s; // of the caller's clock
	uint64_t tokens;      // there now, in tokens times ticks_per_s
	uint64_t then;        // tick of the last call
};

/**
 * A full bucket at time 'now'. 'burst' times 'ticks_per_s' must fit 64 bits (a nanosecond
 * clock leaves room for 18 thousand million tokens).
 */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t ticks_per_s,
		 uint64_t now);

/**
 * Takes 'n' tokens if they are there. False: they are not, and nothing is taken. A clock that
 * went back counts as no time passed.
 */
bool bucket_take(struct bucket *b, uint64_t n, uint64_t now);

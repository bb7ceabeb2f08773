/*
 * A histogram of durations with a bounded relative error, as HdrHistogram has it.
 *
 * Values below 64 have a bucket each; above, every power of two is cut into 64 equal parts, so a
 * percentile is at most 1/64 (1.6 %) above the true one, at any magnitude, and recording is a
 * shift and an increment. Unit: whatever the caller records (here nanoseconds).
 *
 * Threads: belongs to its caller.
 */
#pragma once

#include <stdint.h>

enum { HIST_SUB_BITS = 6, HIST_MAGNITUDES = 64 - HIST_SUB_BITS + 1 };

struct hist {
	uint64_t n;
	uint64_t sum;
	uint64_t min; // UINT64_MAX when there is none
	uint64_t max;
	uint64_t counts[HIST_MAGNITUDES << HIST_SUB_BITS];
};

void hist_clear(struct hist *h);

static inline unsigned hist_bucket(uint64_t value)
{
	unsigned magnitude;

	if (value < 1u << HIST_SUB_BITS)
		return (unsigned)value;
	magnitude = 63u - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	return ((magnitude + 1) << HIST_SUB_BITS) +
	       (unsigned)((value >> magnitude) - (1u << HIST_SUB_BITS));
}

static inline void hist_add(struct hist *h, uint64_t value)
{
	h->counts[hist_bucket(value)]++;
	h->n++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	if (value < h->min)
		h->min = value;
}

void hist_merge(struct hist *to, const struct hist *from);

/**
 * The value that 'part' of all (0.5: the median, 0.999) do not exceed: the upper edge of its
 * bucket, never above the maximum. 0 when there is no value.
 */
uint64_t hist_percentile(const struct hist *h, double part);

double hist_mean(const struct hist *h);

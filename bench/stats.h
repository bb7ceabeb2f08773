/*
 * What samples say: medians, ratios of pairs, and how sure one may be of them.
 *
 * Samples on a shared machine have heavy tails, so nothing here assumes a normal distribution:
 * the middle is the median, and the confidence interval of a median comes from the order of the
 * samples alone (binomial: how many of n lie below the true median). So at 95 % nothing can be
 * said with fewer than 6 samples, and one wild sample moves nothing.
 *
 * Pure; 'values' may be reordered where it is not const. No value is NAN.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct stats_summary {
	size_t n;
	double min, q1, median, q3, max; // NAN when n is 0
};

struct stats_interval {
	double median;
	double low, high;  // ends of the interval
	double confidence; // that it has: at least what was asked for, if n allows it, else less
};

enum stats_verdict {
	STATS_SAME,    // all of it lies within the tolerance
	STATS_SLOWER,  // all of it is below 1 - tolerance
	STATS_FASTER,  // all of it is above 1 + tolerance
	STATS_UNKNOWN, // it is wider than tolerance allows to say either: more pairs are needed
};

void stats_summarize(double *values, size_t n, struct stats_summary *ret);

/** Interval of the median of 'values', at 'confidence' (0.95). n >= 1. */
void stats_median_interval(double *values, size_t n, double confidence, struct stats_interval *ret);

/**
 * NEW against OLD: the i-th of each were measured one right after the other. Ratios new/old
 * (higher is faster), their median's interval, and what it means with a tolerance (0.02: 2 %).
 *
 * Two zeros are equal, anything above 0 is infinitely more than 0, and a pair with a negative value
 * is left out. UNKNOWN also when the confidence cannot be had from so few pairs. *ret is all NAN
 * without any ratio.
 */
enum stats_verdict stats_compare(const double *old_values, const double *new_values, size_t n,
				 double confidence, double tolerance, struct stats_interval *ret);

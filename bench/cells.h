/*
 * What the samples of one switch at one point say, and how two switches compare there.
 *
 * Disturbed samples are left out when at least two others are there; else they stand for what
 * there is, and are counted. Pairs alike: one is disturbed when either of its two is.
 *
 * All on sorted samples (samples_sort()).
 */
#pragma once

#include "bench/samples.h"
#include "bench/stats.h"

struct cell {
	struct stats_summary summary; // of those that were not left out
	size_t disturbed;             // used all the same
	size_t left_out;
};

/** -ENOENT: there is no sample; -ENOMEM. */
int cell_summarize(const struct samples *s, unsigned metric, unsigned point, unsigned sw,
		   struct cell *ret);

struct cell_comparison {
	enum stats_verdict verdict;
	struct stats_interval interval; // of new/old, or old/new where less is better: > 1 is good
	size_t n_pairs;                 // that were compared
	size_t disturbed;               // of them
	size_t left_out;
};

/** Switch 'sw_new' against 'sw_old', round by round. -ENOENT: there is no pair; -ENOMEM. */
int cell_compare(const struct samples *s, unsigned metric, unsigned point, unsigned sw_old,
		 unsigned sw_new, double confidence, double tolerance, struct cell_comparison *ret);

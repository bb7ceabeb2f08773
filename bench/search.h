/*
 * Binary search for the highest load that passes, with loss verification (ETSI GS NFV-TST 009):
 * a load that fails is tried again before it counts as failed, since on a shared machine one
 * stall of the host fails any load.
 *
 * Pure: the caller runs the trials.
 *
 *	search_init(&s, ...);
 *	while (search_next(&s, &load))
 *		search_result(&s, trial(load));
 *
 * The first trial is at 'high'. The result is the highest load that passed (0: none did). A search
 * in which nothing passes ends as well: below 1 % of the first load the resolution is that of the
 * 1 %.
 */
#pragma once

#include <stdbool.h>

struct search {
	double low;        // passed, or 0
	double high;       // failed, or the upper end
	double load;       // being tried
	double resolution; // part of 'high' at which the search ends (0.01: 1 %)
	double coarse;     // below this load the resolution is a part of it instead
	double step;       // loads are multiples of it; 0: any
	unsigned repeats;  // trials that a load gets before it has failed
	unsigned failures; // of the load being tried
	unsigned trials;   // in all
	bool high_tried;
	bool done;
};

/**
 * 'high' > 0; 'low' is taken to pass (0 is always right). 'high' is rounded down to a multiple of
 * 'step'. Nothing is left to try when it is not above 'low'.
 */
void search_init(struct search *s, double low, double high, double resolution, double step,
		 unsigned repeats);

/** The load to try next. False: the search is over, s->low is its result. */
bool search_next(struct search *s, double *load_ret);
/** How the load that search_next() gave went. */
void search_result(struct search *s, bool passed);

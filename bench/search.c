#include "bench/search.h"

#include <stdint.h>

#define COARSE 0.01 // part of the first load

static double multiple_of(double step, double load);

void search_init(struct search *s, double low, double high, double resolution, double step,
		 unsigned repeats)
{
	high = multiple_of(step, high);
	*s = (struct search){
		.low = low,
		.high = high,
		.resolution = resolution,
		.coarse = COARSE * high,
		.step = step,
		.repeats = repeats > 0 ? repeats : 1,
		.done = high <= low,
	};
}

bool search_next(struct search *s, double *load_ret)
{
	double scale = s->high > s->coarse ? s->high : s->coarse;

	if (s->done)
		return false;
	if (s->failures > 0) {
		*load_ret = s->load;
		return true;
	}
	s->load = s->high;
	if (s->high_tried) {
		s->load = multiple_of(s->step, s->low + (s->high - s->low) / 2);
		if (s->load <= s->low)
			s->load = s->low + s->step;
		// With no room for a load between the two, or none that is worth a trial.
		s->done = s->load <= s->low || s->load >= s->high ||
			  s->high - s->low <= s->resolution * scale;
	}
	*load_ret = s->load;
	return !s->done;
}

void search_result(struct search *s, bool passed)
{
	s->trials++;
	if (!passed && ++s->failures < s->repeats)
		return;
	if (passed)
		s->low = s->load;
	else
		s->high = s->load;
	s->done = passed && !s->high_tried;
	s->high_tried = true;
	s->failures = 0;
}

// The highest one that is not above 'load'.
static double multiple_of(double step, double load)
{
	// The little more is for rounding: 0.3 is three times 0.1.
	return step > 0 ? (double)(uint64_t)(load / step + 1e-9) * step : load;
}

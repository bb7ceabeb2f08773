#include "bench/hist.h"

#include <string.h>

#define N_BUCKETS (HIST_MAGNITUDES << HIST_SUB_BITS)

static uint64_t bucket_end(unsigned bucket);

void hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	if (from->n == 0)
		return;
	for (unsigned i = 0; i < N_BUCKETS; i++)
		to->counts[i] += from->counts[i];
	to->n += from->n;
	to->sum += from->sum;
	to->min = from->min < to->min ? from->min : to->min;
	to->max = from->max > to->max ? from->max : to->max;
}

uint64_t hist_percentile(const struct hist *h, double part)
{
	// The little less is for rounding: 0.999 of 1000 are 999 and not one more.
	double rank = part * (double)h->n - 1e-6;
	uint64_t below = 0;

	if (h->n == 0)
		return 0;
	for (unsigned i = 0; i < N_BUCKETS; i++) {
		below += h->counts[i];
		if (below > 0 && (double)below >= rank)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}

double hist_mean(const struct hist *h)
{
	return h->n ? (double)h->sum / (double)h->n : 0;
}

// The highest value that hist_bucket() puts there.
static uint64_t bucket_end(unsigned bucket)
{
	unsigned magnitude;
	uint64_t part;

	if (bucket < 1u << HIST_SUB_BITS)
		return bucket;
	magnitude = (bucket >> HIST_SUB_BITS) - 1;
	part = (bucket & ((1u << HIST_SUB_BITS) - 1)) + (1u << HIST_SUB_BITS);
	// Wraps to the right number in the last bucket.
	return ((part + 1) << magnitude) - 1;
}

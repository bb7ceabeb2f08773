#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b);
static double quantile(const double *sorted, size_t n, double part);
static size_t median_rank(size_t n, double confidence, double *confidence_ret);
static double ratio(double old_value, double new_value);
static enum stats_verdict judge(const struct stats_interval *i, double confidence,
				double tolerance);

void stats_summarize(double *values, size_t n, struct stats_summary *ret)
{
	*ret = (struct stats_summary){n, NAN, NAN, NAN, NAN, NAN};
	if (n == 0)
		return;
	qsort(values, n, sizeof(values[0]), by_value);
	ret->min = values[0];
	ret->q1 = quantile(values, n, 0.25);
	ret->median = quantile(values, n, 0.5);
	ret->q3 = quantile(values, n, 0.75);
	ret->max = values[n - 1];
}

void stats_median_interval(double *values, size_t n, double confidence, struct stats_interval *ret)
{
	size_t rank = median_rank(n, confidence, &ret->confidence);

	qsort(values, n, sizeof(values[0]), by_value);
	ret->median = quantile(values, n, 0.5);
	ret->low = values[rank - 1];
	ret->high = values[n - rank];
}

enum stats_verdict stats_compare(const double *old_values, const double *new_values, size_t n,
				 double confidence, double tolerance, struct stats_interval *ret)
{
	double *ratios = calloc(n ? n : 1, sizeof(*ratios));
	size_t n_ratios = 0;

	*ret = (struct stats_interval){NAN, NAN, NAN, 0};
	for (size_t i = 0; ratios != NULL && i < n; i++) {
		if (old_values[i] >= 0 && new_values[i] >= 0)
			ratios[n_ratios++] = ratio(old_values[i], new_values[i]);
	}
	if (n_ratios > 0)
		stats_median_interval(ratios, n_ratios, confidence, ret);
	free(ratios);
	return n_ratios > 0 ? judge(ret, confidence, tolerance) : STATS_UNKNOWN;
}

static double ratio(double old_value, double new_value)
{
	if (old_value > 0)
		return new_value / old_value;
	return new_value > 0 ? INFINITY : 1;
}

static enum stats_verdict judge(const struct stats_interval *i, double confidence, double tolerance)
{
	if (i->confidence < confidence)
		return STATS_UNKNOWN;
	if (i->high < 1 - tolerance)
		return STATS_SLOWER;
	if (i->low > 1 + tolerance)
		return STATS_FASTER;
	// That it holds 1 is not enough: what is slower by more than the tolerance may do so, too.
	return i->low >= 1 - tolerance && i->high <= 1 + tolerance ? STATS_SAME : STATS_UNKNOWN;
}

/*
 * The highest rank d, so that with 'confidence' the true median lies between the d-th lowest and
 * the d-th highest of n values: that is, at least d of them are below it and at least d above,
 * each of them being so with probability 1/2.
 *
 * Summed up from the middle outwards, with the middle's probability as the unit: no power of 1/2
 * becomes too small, whatever n is.
 */
static size_t median_rank(size_t n, double confidence, double *confidence_ret)
{
	size_t middle = n / 2, d = (n + 1) / 2;
	double weight = 1, total = n % 2 ? 2 : 1, inside = n % 2 ? 0 : 1;

	for (size_t k = middle; k > 0; k--) {
		weight *= (double)k / (double)(n - k + 1);
		total += 2 * weight;
	}
	weight = 1;
	for (size_t k = n % 2 ? middle + 1 : middle; d > 1 && inside / total < confidence; k--) {
		d--;
		weight *= (double)k / (double)(n - k + 1);
		inside += 2 * weight;
	}
	*confidence_ret = inside / total;
	return d;
}

// Between two values, by how near it is to each.
static double quantile(const double *sorted, size_t n, double part)
{
	double at = part * (double)(n - 1);
	size_t i = (size_t)at;
	double above = at - (double)i, between;

	if (above <= 0 || sorted[i] >= sorted[i + 1])
		return sorted[i];
	// Not by their difference, which may be too large a number.
	between = (1 - above) * sorted[i] + above * sorted[i + 1];
	if (between < sorted[i])
		return sorted[i];
	return between > sorted[i + 1] ? sorted[i + 1] : between;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

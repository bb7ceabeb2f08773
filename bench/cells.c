#include "bench/cells.h"

#include <errno.h>
#include <stdlib.h>

#define ENOUGH 2u // undisturbed ones, to leave the others out

struct pairs {
	double *olds, *news;
	size_t n;
};

static size_t count_clean(const struct sample *samples, size_t n);
static bool next_pair(const struct sample *a, size_t n_a, size_t *i, const struct sample *b,
		      size_t n_b, size_t *k);
static int collect_pairs(const struct sample *a, size_t n_a, const struct sample *b, size_t n_b,
			 struct pairs *pairs, struct cell_comparison *c);

int cell_summarize(const struct samples *s, unsigned metric, unsigned point, unsigned sw,
		   struct cell *ret)
{
	size_t n, n_values = 0;
	const struct sample *samples = samples_cell(s, metric, point, sw, &n);
	bool choosy;
	double *values;

	*ret = (struct cell){0};
	if (samples == NULL)
		return -ENOENT;
	values = calloc(n, sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	choosy = count_clean(samples, n) >= ENOUGH;
	for (size_t i = 0; i < n; i++) {
		ret->left_out += choosy && samples[i].disturbed;
		ret->disturbed += !choosy && samples[i].disturbed;
		if (!choosy || !samples[i].disturbed)
			values[n_values++] = samples[i].value;
	}
	stats_summarize(values, n_values, &ret->summary);
	free(values);
	return 0;
}

int cell_compare(const struct samples *s, unsigned metric, unsigned point, unsigned sw_old,
		 unsigned sw_new, double confidence, double tolerance, struct cell_comparison *ret)
{
	bool lower = s->metrics.list[metric].lower_better;
	size_t n_old, n_new;
	const struct sample *a = samples_cell(s, metric, point, sw_old, &n_old);
	const struct sample *b = samples_cell(s, metric, point, sw_new, &n_new);
	struct pairs pairs;
	int err;

	*ret = (struct cell_comparison){.verdict = STATS_UNKNOWN};
	err = collect_pairs(a, n_old, b, n_new, &pairs, ret);
	if (err < 0)
		return err;
	ret->n_pairs = pairs.n;
	ret->verdict =
		stats_compare(lower ? pairs.news : pairs.olds, lower ? pairs.olds : pairs.news,
			      pairs.n, confidence, tolerance, &ret->interval);
	free(pairs.olds);
	free(pairs.news);
	return 0;
}

static size_t count_clean(const struct sample *samples, size_t n)
{
	size_t clean = 0;

	for (size_t i = 0; i < n; i++)
		clean += !samples[i].disturbed;
	return clean;
}

// Moves on to the next round that both have; false: there is none.
static bool next_pair(const struct sample *a, size_t n_a, size_t *i, const struct sample *b,
		      size_t n_b, size_t *k)
{
	while (*i < n_a && *k < n_b) {
		if (a[*i].round == b[*k].round)
			return true;
		if (a[*i].round < b[*k].round)
			(*i)++;
		else
			(*k)++;
	}
	return false;
}

static int collect_pairs(const struct sample *a, size_t n_a, const struct sample *b, size_t n_b,
			 struct pairs *pairs, struct cell_comparison *c)
{
	size_t clean = 0, all = 0, i, k;

	for (i = 0, k = 0; next_pair(a, n_a, &i, b, n_b, &k); i++, k++) {
		clean += !a[i].disturbed && !b[k].disturbed;
		all++;
	}
	*pairs = (struct pairs){0};
	if (all == 0)
		return -ENOENT;
	pairs->olds = calloc(all, sizeof(*pairs->olds));
	pairs->news = calloc(all, sizeof(*pairs->news));
	if (pairs->olds == NULL || pairs->news == NULL) {
		free(pairs->olds);
		free(pairs->news);
		return -ENOMEM;
	}
	for (i = 0, k = 0; next_pair(a, n_a, &i, b, n_b, &k); i++, k++) {
		bool disturbed = a[i].disturbed || b[k].disturbed;

		if (disturbed && clean >= ENOUGH)
			continue;
		c->disturbed += disturbed;
		pairs->olds[pairs->n] = a[i].value;
		pairs->news[pairs->n++] = b[k].value;
	}
	c->left_out = all - pairs->n;
	return 0;
}

/*
 * benchstat compare: the gate. One verdict per point, the worst first, and an exit code.
 */
#include "bench/benchstat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/cells.h"
#include "bench/grid.h"

enum judgement { SLOWER, UNKNOWN, NOT_SLOWER, FASTER, N_JUDGEMENTS };

static const char *const words[N_JUDGEMENTS] = {"slower", "cannot say", "not slower", "faster"};

struct row {
	unsigned metric, point;
	enum judgement judgement;
	struct cell_comparison with;
	double old_median, new_median; // NAN: no sample
};

struct rows {
	struct row *list;
	size_t n;
	unsigned count[N_JUDGEMENTS];
	size_t left_out, disturbed;
};

static int collect(const struct benchstat *b, struct rows *rows);
static int compare_one(const struct benchstat *b, unsigned metric, unsigned point, struct row *ret);
static int find_median(const struct benchstat *b, const struct row *row, const char *sw,
		       double *ret);
static enum judgement judge(const struct benchstat *b, const struct cell_comparison *with);
static int worst_first(const void *a, const void *b);
static int print_rows(const struct benchstat *b, const struct rows *rows);
static void set_row(const struct benchstat *b, const struct row *row, struct grid *g, unsigned n);
static int conclude(const struct benchstat *b, const struct rows *rows);

int benchstat_compare(const struct benchstat *b)
{
	struct rows rows = {0};
	int ret = collect(b, &rows);

	if (ret == 0 && rows.n > 0) {
		qsort(rows.list, rows.n, sizeof(rows.list[0]), worst_first);
		ret = print_rows(b, &rows);
	}
	if (ret < 0)
		ret = benchstat_error("out of memory");
	else if (rows.n == 0)
		ret = benchstat_error("there is no sample of either switch at these points");
	else
		ret = conclude(b, &rows);
	free(rows.list);
	return ret;
}

static int collect(const struct benchstat *b, struct rows *rows)
{
	const struct samples *s = &b->samples;

	rows->list = calloc((size_t)s->metrics.n * s->points.n, sizeof(*rows->list));
	if (rows->list == NULL)
		return -ENOMEM;
	for (unsigned m = 0; m < s->metrics.n; m++) {
		for (unsigned p = 0; p < s->points.n; p++) {
			struct row *row = &rows->list[rows->n];
			int ret;

			if (!benchstat_wants_metric(b, m) || !benchstat_wants_point(b, p))
				continue;
			ret = compare_one(b, m, p, row);
			if (ret == -ENOENT)
				continue;
			if (ret < 0)
				return ret;
			rows->n++;
			rows->count[row->judgement]++;
			rows->left_out += row->with.left_out;
			rows->disturbed += row->with.disturbed;
		}
	}
	return 0;
}

// -ENOENT: neither switch was measured there.
static int compare_one(const struct benchstat *b, unsigned metric, unsigned point, struct row *ret)
{
	const struct samples_names *switches = &b->samples.switches;
	int err_old, err_new, err;

	*ret = (struct row){.metric = metric, .point = point};
	err_old = find_median(b, ret, b->old_name, &ret->old_median);
	err_new = find_median(b, ret, b->new_name, &ret->new_median);
	if (err_old == -ENOMEM || err_new == -ENOMEM)
		return -ENOMEM;
	if (err_old < 0 && err_new < 0)
		return -ENOENT;
	err = cell_compare(&b->samples, metric, point,
			   (unsigned)samples_find(switches, b->old_name),
			   (unsigned)samples_find(switches, b->new_name), b->confidence,
			   b->tolerance, &ret->with);
	if (err == -ENOENT) // one of them was measured, or both in different rounds
		ret->with.interval = (struct stats_interval){NAN, NAN, NAN, 0};
	ret->judgement = judge(b, &ret->with);
	return err == -ENOMEM ? err : 0;
}

static int find_median(const struct benchstat *b, const struct row *row, const char *sw,
		       double *ret)
{
	struct cell cell;
	int err = cell_summarize(&b->samples, row->metric, row->point,
				 (unsigned)samples_find(&b->samples.switches, sw), &cell);

	*ret = err == 0 ? cell.summary.median : NAN;
	return err;
}

static enum judgement judge(const struct benchstat *b, const struct cell_comparison *with)
{
	switch (with->verdict) {
	case STATS_SLOWER:
		return SLOWER;
	case STATS_FASTER:
		return FASTER;
	case STATS_SAME:
		return NOT_SLOWER;
	case STATS_UNKNOWN:
		break;
	}
	// How much faster it is may be unknown.
	return with->interval.confidence >= b->confidence && with->interval.low >= 1 - b->tolerance
		       ? NOT_SLOWER
		       : UNKNOWN;
}

static int worst_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double rx = x->with.interval.median, ry = y->with.interval.median;

	if (x->judgement != y->judgement)
		return x->judgement < y->judgement ? -1 : 1;
	if (isnan(rx) || isnan(ry))
		return (isnan(ry) != 0) - (isnan(rx) != 0);
	return (rx > ry) - (rx < ry);
}

static int print_rows(const struct benchstat *b, const struct rows *rows)
{
	const char *const titles[] = {"metric", "point",    "pairs", b->old_name, b->new_name,
				      "ratio",  "interval", "sure",  "verdict"};
	enum { N_COLUMNS = sizeof(titles) / sizeof(titles[0]) };
	struct grid *g = grid_create(N_COLUMNS);
	int ret;

	if (g == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < N_COLUMNS; i++)
		grid_set(g, 0, i, "%s", titles[i]);
	for (size_t i = 0; i < rows->n; i++)
		set_row(b, &rows->list[i], g, (unsigned)i + 1);
	ret = grid_print(g, stdout, GRID_TEXT);
	grid_destroy(g);
	return ret;
}

static void set_row(const struct benchstat *b, const struct row *row, struct grid *g, unsigned n)
{
	const struct stats_interval *i = &row->with.interval;
	const double medians[] = {row->old_median, row->new_median};

	grid_set(g, n, 0, "%s", b->samples.metrics.list[row->metric].name);
	grid_set(g, n, 1, "%s", b->samples.points.list[row->point].name);
	grid_set(g, n, 2, "%zu%s", row->with.n_pairs, row->with.disturbed > 0 ? "*" : "");
	for (unsigned k = 0; k < 2; k++)
		if (!isnan(medians[k]))
			grid_set(g, n, 3 + k, "%s", benchstat_number(medians[k]).text);
	if (!isnan(i->median)) {
		grid_set(g, n, 5, "%.3f", i->median);
		grid_set(g, n, 6, "%.3f-%.3f", i->low, i->high);
		grid_set(g, n, 7, "%.1f %%", 100 * i->confidence);
	}
	grid_set(g, n, 8, "%s", words[row->judgement]);
}

static int conclude(const struct benchstat *b, const struct rows *rows)
{
	const unsigned *count = rows->count;

	printf("\nRatio above 1: %s is better. Tolerance %.3g %%, confidence %.3g %%.\n",
	       b->new_name, 100 * b->tolerance, 100 * b->confidence);
	if (rows->left_out > 0)
		printf("Pairs left out for a disturbed sample: %zu.\n", rows->left_out);
	if (rows->disturbed > 0)
		printf("* Disturbed pairs used, for want of two others: %zu.\n", rows->disturbed);
	if (count[SLOWER] > 0) {
		printf("%s is slower than %s at %u of %zu points.\n", b->new_name, b->old_name,
		       count[SLOWER], rows->n);
		return BENCHSTAT_SLOWER;
	}
	if (count[UNKNOWN] > 0) {
		printf("At %u of %zu points these pairs cannot say whether %s is slower than %s: "
		       "more are needed.\n",
		       count[UNKNOWN], rows->n, b->new_name, b->old_name);
		return BENCHSTAT_UNKNOWN;
	}
	printf("%s is not slower than %s.\n", b->new_name, b->old_name);
	return BENCHSTAT_OK;
}

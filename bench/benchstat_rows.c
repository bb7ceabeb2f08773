/*
 * benchstat csv and json: one row or object per metric, point and switch.
 */
#include "bench/benchstat.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "bench/cells.h"
#include "bench/grid.h"

enum { MEDIAN, MIN, Q1, Q3, MAX, RATIO, N_NUMBERS };

struct row {
	const struct samples_name *metric, *point, *sw;
	struct cell cell;
	size_t n_pairs;            // with the base
	double numbers[N_NUMBERS]; // NAN: unknown
};

static const char *const number_keys[N_NUMBERS] = {"median", "min", "q1",
						   "q3",     "max", "base_ratio"};

static int for_each(const struct benchstat *b, int (*fn)(void *arg, const struct row *r),
		    void *arg);
static int find_row(const struct benchstat *b, unsigned metric, unsigned point, unsigned sw,
		    struct row *ret);
static int add_csv(void *arg, const struct row *r);
static int add_json(void *arg, const struct row *r);

struct csv {
	struct grid *g;
	unsigned n_rows;
};

int benchstat_csv(const struct benchstat *b)
{
	static const char *const keys[] = {"metric",  "point",     "switch",   "unit", "better",
					   "samples", "disturbed", "left_out", "pairs"};
	enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };
	struct csv csv = {grid_create(N_KEYS + N_NUMBERS), 1};
	int ret = csv.g == NULL ? -ENOMEM : 0;

	for (unsigned i = 0; ret == 0 && i < N_KEYS; i++)
		grid_set(csv.g, 0, i, "%s", keys[i]);
	for (unsigned i = 0; ret == 0 && i < N_NUMBERS; i++)
		grid_set(csv.g, 0, N_KEYS + i, "%s", number_keys[i]);
	if (ret == 0)
		ret = for_each(b, add_csv, &csv);
	if (ret == 0)
		ret = grid_print(csv.g, stdout, GRID_CSV);
	grid_destroy(csv.g);
	return ret < 0 ? benchstat_error("out of memory") : BENCHSTAT_OK;
}

int benchstat_json(const struct benchstat *b)
{
	json_t *rows = json_array();
	int ret = for_each(b, add_json, rows);
	json_t *top = json_pack("{ssso}", "base", b->samples.switches.list[benchstat_base(b)].name,
				"cells", rows);

	if (top == NULL)
		ret = -ENOMEM;
	if (ret == 0 && json_dumpf(top, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) != 0 &&
	    !ferror(stdout))
		ret = -ENOMEM;
	putchar('\n');
	json_decref(top);
	return ret < 0 ? benchstat_error("out of memory") : BENCHSTAT_OK;
}

static int for_each(const struct benchstat *b, int (*fn)(void *arg, const struct row *r), void *arg)
{
	const struct samples *s = &b->samples;

	for (unsigned m = 0; m < s->metrics.n; m++) {
		for (unsigned p = 0; p < s->points.n; p++) {
			if (!benchstat_wants_metric(b, m) || !benchstat_wants_point(b, p))
				continue;
			for (unsigned w = 0; w < s->switches.n; w++) {
				struct row row;
				int ret = find_row(b, m, p, w, &row);

				if (ret == 0)
					ret = fn(arg, &row);
				if (ret < 0 && ret != -ENOENT)
					return ret;
			}
		}
	}
	return 0;
}

static int find_row(const struct benchstat *b, unsigned metric, unsigned point, unsigned sw,
		    struct row *ret)
{
	const struct samples *s = &b->samples;
	unsigned base = (unsigned)benchstat_base(b);
	struct cell_comparison with = {.n_pairs = 0};
	int err = cell_summarize(s, metric, point, sw, &ret->cell);

	if (err == 0 && sw != base) {
		err = cell_compare(s, metric, point, sw, base, 0.5, 0, &with);
		err = err == -ENOENT ? 0 : err;
	}
	ret->metric = &s->metrics.list[metric];
	ret->point = &s->points.list[point];
	ret->sw = &s->switches.list[sw];
	ret->n_pairs = with.n_pairs;
	ret->numbers[MEDIAN] = ret->cell.summary.median;
	ret->numbers[MIN] = ret->cell.summary.min;
	ret->numbers[Q1] = ret->cell.summary.q1;
	ret->numbers[Q3] = ret->cell.summary.q3;
	ret->numbers[MAX] = ret->cell.summary.max;
	ret->numbers[RATIO] = with.n_pairs > 0 ? with.interval.median : NAN;
	return err;
}

static int add_csv(void *arg, const struct row *r)
{
	struct csv *csv = arg;
	unsigned row = csv->n_rows++, column = 0;

	grid_set(csv->g, row, column++, "%s", r->metric->name);
	grid_set(csv->g, row, column++, "%s", r->point->name);
	grid_set(csv->g, row, column++, "%s", r->sw->name);
	grid_set(csv->g, row, column++, "%s", r->metric->unit ? r->metric->unit : "");
	grid_set(csv->g, row, column++, "%s", r->metric->lower_better ? "lower" : "higher");
	grid_set(csv->g, row, column++, "%zu", r->cell.summary.n);
	grid_set(csv->g, row, column++, "%zu", r->cell.disturbed);
	grid_set(csv->g, row, column++, "%zu", r->cell.left_out);
	grid_set(csv->g, row, column++, "%zu", r->n_pairs);
	for (unsigned i = 0; i < N_NUMBERS; i++, column++)
		if (!isnan(r->numbers[i]))
			grid_set(csv->g, row, column, "%.9g", r->numbers[i]);
	return 0;
}

static int add_json(void *arg, const struct row *r)
{
	json_t *row = json_pack("{ss ss ss ss* ss sI sI sI sI}", "metric", r->metric->name, "point",
				r->point->name, "switch", r->sw->name, "unit", r->metric->unit,
				"better", r->metric->lower_better ? "lower" : "higher", "samples",
				(json_int_t)r->cell.summary.n, "disturbed",
				(json_int_t)r->cell.disturbed, "left_out",
				(json_int_t)r->cell.left_out, "pairs", (json_int_t)r->n_pairs);
	int failed = row == NULL;

	for (unsigned i = 0; i < N_NUMBERS; i++) {
		double number = r->numbers[i];
		json_t *value = isfinite(number) ? json_real(number) : json_null();

		failed |= json_object_set_new(row, number_keys[i], value) != 0;
	}
	failed |= json_array_append_new(arg, row) != 0;
	return failed ? -ENOMEM : 0;
}

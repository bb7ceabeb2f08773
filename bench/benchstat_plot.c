/*
 * benchstat plot: columns for gnuplot, with quoted titles ("set key autotitle columnhead").
 */
#include "bench/benchstat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/cells.h"

// What is drawn: points along x, switches as lines.
struct plot {
	const struct benchstat *b;
	unsigned metric;
	unsigned points[SAMPLES_MAX_NAMES], n_points;
	unsigned switches[SAMPLES_MAX_NAMES], n_switches;
};

static void find_points(struct plot *p);
static void find_switches(struct plot *p);
static bool has_samples(const struct plot *p, unsigned point, unsigned sw);
static void sort_points(struct plot *p);
static int check_points(const struct plot *p);
static void print_titles(const struct plot *p);
static int print_point(const struct plot *p, unsigned point);

int benchstat_plot(const struct benchstat *b)
{
	struct plot p = {.b = b};
	int ret;

	p.metric = (unsigned)samples_find(&b->samples.metrics, b->metric);
	find_points(&p);
	find_switches(&p);
	sort_points(&p);
	ret = check_points(&p);
	if (ret != 0)
		return ret;
	print_titles(&p);
	for (unsigned i = 0; i < p.n_points; i++)
		if (print_point(&p, p.points[i]) < 0)
			return benchstat_error("out of memory");
	return BENCHSTAT_OK;
}

static void find_points(struct plot *p)
{
	const struct samples *s = &p->b->samples;

	for (unsigned i = 0; i < s->points.n; i++) {
		bool found = false;

		if (!benchstat_wants_point(p->b, i) || isnan(s->points.list[i].x))
			continue;
		for (unsigned w = 0; w < s->switches.n; w++)
			found = found || has_samples(p, i, w);
		if (found)
			p->points[p->n_points++] = i;
	}
}

static void find_switches(struct plot *p)
{
	for (unsigned w = 0; w < p->b->samples.switches.n; w++) {
		bool found = false;

		for (unsigned i = 0; i < p->n_points; i++)
			found = found || has_samples(p, p->points[i], w);
		if (found)
			p->switches[p->n_switches++] = w;
	}
}

static bool has_samples(const struct plot *p, unsigned point, unsigned sw)
{
	size_t n;

	return samples_cell(&p->b->samples, p->metric, point, sw, &n) != NULL;
}

static void sort_points(struct plot *p)
{
	const struct samples_name *list = p->b->samples.points.list;
	unsigned *points = p->points;

	for (unsigned i = 1; i < p->n_points; i++) {
		for (unsigned k = i; k > 0 && list[points[k]].x < list[points[k - 1]].x; k--) {
			unsigned point = points[k];
			points[k] = points[k - 1];
			points[k - 1] = point;
		}
	}
}

static int check_points(const struct plot *p)
{
	const struct samples_name *list = p->b->samples.points.list;
	const struct benchstat *b = p->b;

	if (p->n_points == 0)
		return benchstat_error("no sample of %s has a number '%s'", b->metric, b->x);
	for (unsigned i = 1; i < p->n_points; i++) {
		const struct samples_name *one = &list[p->points[i - 1]];
		const struct samples_name *other = &list[p->points[i]];
		if (one->x >= other->x)
			return benchstat_error("points %s and %s have the same %s: "
					       "choose with --points",
					       one->name, other->name, b->x);
	}
	return BENCHSTAT_OK;
}

static void print_titles(const struct plot *p)
{
	printf("\"%s\"", p->b->x);
	for (unsigned i = 0; i < p->n_switches; i++) {
		const char *name = p->b->samples.switches.list[p->switches[i]].name;
		printf(" \"%s\" \"%s lowest\" \"%s highest\"", name, name, name);
	}
	putchar('\n');
}

static int print_point(const struct plot *p, unsigned point)
{
	printf("%.9g", p->b->samples.points.list[point].x);
	for (unsigned i = 0; i < p->n_switches; i++) {
		const struct stats_summary *s;
		struct cell cell;
		int ret = cell_summarize(&p->b->samples, p->metric, point, p->switches[i], &cell);

		s = &cell.summary;
		if (ret == 0)
			printf(" %.9g %.9g %.9g", s->median, s->min, s->max);
		else if (ret == -ENOENT)
			printf(" NaN NaN NaN");
		else
			return ret;
	}
	putchar('\n');
	return 0;
}

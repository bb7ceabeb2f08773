/*
 * benchstat table and markdown: one table per metric, one row per point, one column per switch.
 */
#include "bench/benchstat.h"

#include <errno.h>

#include "bench/cells.h"
#include "bench/grid.h"

// Switches of a metric, the base first when it is one of them.
struct columns {
	unsigned sw[SAMPLES_MAX_NAMES];
	unsigned n;
	bool has_base;
};

// For the notes below the tables.
struct shown {
	size_t disturbed, left_out;
	bool ratios;
};

static int print_tables(const struct benchstat *b, enum grid_form form);
static void find_columns(const struct benchstat *b, unsigned metric, struct columns *c);
static bool has_metric(const struct benchstat *b, unsigned metric, unsigned sw);
static int print_metric(const struct benchstat *b, unsigned metric, const struct columns *c,
			enum grid_form form, struct shown *shown);
static void set_titles(const struct benchstat *b, unsigned metric, const struct columns *c,
		       struct grid *g);
static int set_row(const struct benchstat *b, unsigned metric, unsigned point,
		   const struct columns *c, struct grid *g, unsigned row, struct shown *shown);
static int set_ratios(const struct benchstat *b, unsigned metric, unsigned point,
		      const struct columns *c, struct grid *g, unsigned row);
static void set_cell(struct grid *g, unsigned row, unsigned column, const struct cell *cell);
static void print_title(const struct samples_name *metric, enum grid_form form);
static void print_notes(const struct benchstat *b, enum grid_form form, const struct shown *shown);

int benchstat_table(const struct benchstat *b)
{
	return print_tables(b, GRID_TEXT);
}

int benchstat_markdown(const struct benchstat *b)
{
	return print_tables(b, GRID_MARKDOWN);
}

static int print_tables(const struct benchstat *b, enum grid_form form)
{
	struct shown shown = {0};
	struct columns c;

	for (unsigned m = 0; m < b->samples.metrics.n; m++) {
		if (!benchstat_wants_metric(b, m))
			continue;
		find_columns(b, m, &c);
		if (c.n > 0 && print_metric(b, m, &c, form, &shown) < 0)
			return benchstat_error("out of memory");
	}
	print_notes(b, form, &shown);
	return BENCHSTAT_OK;
}

static void find_columns(const struct benchstat *b, unsigned metric, struct columns *c)
{
	int base = benchstat_base(b);

	c->n = 0;
	c->has_base = has_metric(b, metric, (unsigned)base);
	if (c->has_base)
		c->sw[c->n++] = (unsigned)base;
	for (unsigned i = 0; i < b->samples.switches.n; i++)
		if ((int)i != base && has_metric(b, metric, i))
			c->sw[c->n++] = i;
}

static bool has_metric(const struct benchstat *b, unsigned metric, unsigned sw)
{
	size_t n;

	for (unsigned p = 0; p < b->samples.points.n; p++)
		if (benchstat_wants_point(b, p) && samples_cell(&b->samples, metric, p, sw, &n))
			return true;
	return false;
}

static int print_metric(const struct benchstat *b, unsigned metric, const struct columns *c,
			enum grid_form form, struct shown *shown)
{
	struct grid *g = grid_create(1 + c->n + (c->has_base ? c->n - 1 : 0));
	unsigned row = 1;
	int ret = 0;

	if (g == NULL)
		return -ENOMEM;
	set_titles(b, metric, c, g);
	for (unsigned p = 0; ret >= 0 && p < b->samples.points.n; p++) {
		if (!benchstat_wants_point(b, p))
			continue;
		ret = set_row(b, metric, p, c, g, row, shown);
		row += ret > 0;
	}
	if (ret >= 0) {
		print_title(&b->samples.metrics.list[metric], form);
		ret = grid_print(g, stdout, form);
		putchar('\n');
	}
	shown->ratios = shown->ratios || (c->has_base && c->n > 1);
	grid_destroy(g);
	return ret;
}

static void set_titles(const struct benchstat *b, unsigned metric, const struct columns *c,
		       struct grid *g)
{
	const struct samples_name *switches = b->samples.switches.list;
	bool lower = b->samples.metrics.list[metric].lower_better;

	grid_set(g, 0, 0, "point");
	for (unsigned i = 0; i < c->n; i++)
		grid_set(g, 0, 1 + i, "%s", switches[c->sw[i]].name);
	for (unsigned i = 1; c->has_base && i < c->n; i++) {
		const char *base = switches[c->sw[0]].name, *other = switches[c->sw[i]].name;
		grid_set(g, 0, c->n + i, "%s/%s", lower ? other : base, lower ? base : other);
	}
}

// 1: there is something in the row; 0: nothing, and it is not used.
static int set_row(const struct benchstat *b, unsigned metric, unsigned point,
		   const struct columns *c, struct grid *g, unsigned row, struct shown *shown)
{
	bool found = false;

	for (unsigned i = 0; i < c->n; i++) {
		struct cell cell;
		int ret = cell_summarize(&b->samples, metric, point, c->sw[i], &cell);

		if (ret == -ENOMEM)
			return ret;
		if (ret == -ENOENT)
			continue;
		set_cell(g, row, 1 + i, &cell);
		shown->disturbed += cell.disturbed;
		shown->left_out += cell.left_out;
		found = true;
	}
	if (!found)
		return 0;
	grid_set(g, row, 0, "%s", b->samples.points.list[point].name);
	return c->has_base ? set_ratios(b, metric, point, c, g, row) : 1;
}

static int set_ratios(const struct benchstat *b, unsigned metric, unsigned point,
		      const struct columns *c, struct grid *g, unsigned row)
{
	for (unsigned i = 1; i < c->n; i++) {
		struct cell_comparison with;
		int ret =
			cell_compare(&b->samples, metric, point, c->sw[i], c->sw[0], 0.5, 0, &with);

		if (ret == -ENOMEM)
			return ret;
		if (ret == 0)
			grid_set(g, row, c->n + i, "%.2f%s", with.interval.median,
				 with.disturbed > 0 ? "*" : "");
	}
	return 1;
}

static void set_cell(struct grid *g, unsigned row, unsigned column, const struct cell *cell)
{
	const struct stats_summary *s = &cell->summary;
	const char *mark = cell->disturbed > 0 ? "*" : "";

	if (s->n == 1)
		grid_set(g, row, column, "%s%s", benchstat_number(s->median).text, mark);
	else
		grid_set(g, row, column, "%s (%s-%s)%s", benchstat_number(s->median).text,
			 benchstat_number(s->min).text, benchstat_number(s->max).text, mark);
}

static void print_title(const struct samples_name *metric, enum grid_form form)
{
	const char *bold = form == GRID_MARKDOWN ? "**" : "";

	printf("%s%s%s%s%s%s\n", bold, metric->name, metric->unit ? ", " : "",
	       metric->unit ? metric->unit : "", metric->lower_better ? ", less is better" : "",
	       bold);
	if (form == GRID_MARKDOWN)
		putchar('\n');
}

static void print_notes(const struct benchstat *b, enum grid_form form, const struct shown *shown)
{
	printf("Median (lowest-highest) of the rounds.");
	if (shown->ratios)
		printf(" Ratios: median of the rounds' own; above 1, %s is better.",
		       b->samples.switches.list[benchstat_base(b)].name);
	putchar('\n');
	if (shown->left_out > 0)
		printf("Disturbed samples left out: %zu.\n", shown->left_out);
	if (shown->disturbed > 0)
		printf("%s* Disturbed samples used, for want of two others: %zu.\n",
		       form == GRID_MARKDOWN ? "\\" : "", shown->disturbed);
}

/*
 * overload: whether a switch does useful work when more is offered than it can do. One that works
 * on frames only to drop them later forwards less, the more is offered.
 */
#include <math.h>
#include <stdio.h>

#include "bench/measure.h"

#define GOOD_PCT  95.0 // what is wanted of goodput
#define NOISE_PCT 90.0 // below it, it cannot be noise of the machine

// How a load went. What goodput is compared with is known only behind the last one.
struct outcome {
	double percent;
	double offered_pps, rx_pps;
	double refused_pct, lost_pct, idle_pct;
	bool offered; // it was the load that it was to be
};

struct overload {
	double base_pps; // 100 %
	double best_pps; // the most that came through, in any trial
	unsigned n;
	struct outcome outcomes[BENCH_MAX_LOADS];
	double worst_pct; // NAN: no load was offered
};

static const struct report_column columns[] = {
	{"load_pct", "load %", 0},   {"offered_mpps", "offered Mpps", 3}, {"rx_mpps", "goodput", 3},
	{"goodput_pct", "... %", 1}, {"refused_pct", "refused %", 1},     {"lost_pct", "lost %", 2},
	{"idle_pct", "idle %", 1},   {"ceiling_mpps", "ceiling", 1},
};

static int try_loads(struct bench *b, struct overload *t);
static int try_load(struct bench *b, struct overload *t, struct outcome *ret);
static void overload_rows(struct bench *b, struct overload *t);
static void judge(struct bench *b, const struct overload *t);

int test_overload(struct bench *b)
{
	struct overload t = {.worst_pct = NAN};
	double zero_loss;
	int err = bench_zero_loss(b, false, &zero_loss, &t.best_pps);

	// Where stalls of the host fail most trials, the highest rate has to do.
	t.base_pps = zero_loss >= t.best_pps / 2 ? zero_loss : t.best_pps;
	if (err == 0 && t.base_pps != zero_loss)
		report_say(b->r,
			   "The zero-loss rate is %.3f Mpps only, so 100 %% is the highest rate.",
			   zero_loss / 1e6);
	if (err == 0 && t.base_pps > 0)
		err = try_loads(b, &t);
	overload_rows(b, &t);
	report_result(b->r, "base_mpps", "100 % is", t.base_pps / 1e6, "Mpps", 3);
	bench_clean_result(b, "zero_loss_mpps", "Highest rate", zero_loss / 1e6, "Mpps", 3);
	report_result(b->r, "best_mpps", "Best rate", t.best_pps / 1e6, "Mpps", 3);
	report_result(b->r, "goodput_pct", "Least goodput", t.worst_pct, "% of it", 1);
	if (err == 0)
		judge(b, &t);
	return err;
}

static int try_loads(struct bench *b, struct overload *t)
{
	static const double usual[] = {100, 150, 200, 400, 800};
	const double *loads = b->o->n_loads ? b->o->loads : usual;
	unsigned n = b->o->n_loads ? b->o->n_loads : sizeof(usual) / sizeof(usual[0]);
	int err = 0;

	for (unsigned i = 0; err == 0 && i < n; i++) {
		struct outcome *o = &t->outcomes[i];

		o->percent = loads[i];
		for (unsigned k = 0; err == 0 && !o->offered && k < b->o->repeats; k++)
			err = try_load(b, t, o);
		t->n += err == 0;
	}
	return err;
}

// A trial in which the host stood still says nothing about that load.
static int try_load(struct bench *b, struct overload *t, struct outcome *ret)
{
	const struct gen_result *r = &b->res;
	struct gen_load load = bench_load(b);
	int err;

	load.pps = t->base_pps * ret->percent / 100;
	load.drain = true;
	report_progress(b->r, "offering %.0f %% ...", ret->percent);
	err = bench_run(b, &load);
	if (err != 0)
		return err;
	ret->offered = !measure_fell_behind(b, load.pps);
	ret->offered_pps = measure_offered_pps(b);
	ret->rx_pps = bench_rx_pps(b);
	ret->refused_pct = measure_percent((double)r->refused, (double)r->due);
	ret->lost_pct = measure_percent((double)r->lost, (double)r->total_expected);
	ret->idle_pct = r->idle_pct;
	t->best_pps = fmax(t->best_pps, ret->rx_pps);
	return 0;
}

// Goodput is measured against the best rate, or what was offered when that is less.
static void overload_rows(struct bench *b, struct overload *t)
{
	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	for (const struct outcome *o = t->outcomes; o < t->outcomes + t->n; o++) {
		double pct = measure_percent(o->rx_pps, fmin(o->offered_pps, t->best_pps));
		const double values[] = {
			o->percent,      o->offered_pps / 1e6,
			o->rx_pps / 1e6, o->offered ? pct : NAN,
			o->refused_pct,  o->lost_pct,
			o->idle_pct,     b->ceiling_pps / 1e6,
		};

		report_row(b->r, o->offered ? "offered" : "not offered", values);
		if (o->offered)
			t->worst_pct = fmin(t->worst_pct, pct);
	}
}

static void judge(struct bench *b, const struct overload *t)
{
	unsigned n_missing = 0;

	for (unsigned i = 0; i < t->n; i++)
		n_missing += !t->outcomes[i].offered;
	if (t->n == 0) {
		report_verdict(b->r, false, "nothing came through at full load");
		return;
	}
	if (n_missing > 0)
		report_note(b->r,
			    "this host stood still so much that %u of %u loads were not offered",
			    n_missing, t->n);
	if (n_missing == t->n)
		report_verdict(b->r, false, "no load was offered: try again, or with lower loads");
	else if (t->worst_pct >= GOOD_PCT)
		report_verdict(b->r, true, "goodput stays at %.0f %% of the best rate or above",
			       GOOD_PCT);
	else
		report_verdict(b->r, t->worst_pct >= NOISE_PCT,
			       "goodput sinks to %.1f %% of the best rate; %.0f %% are wanted, and "
			       "%.0f %% allowed for noise",
			       t->worst_pct, GOOD_PCT, NOISE_PCT);
}

/*
 * vswbench latency: the time from a guest's showing a frame to the switch until the other guest
 * has it, at parts of the zero-loss rate, and for the first frame after a pause.
 *
 * A stall of the host while frames are under way looks like the switch's doing. So the
 * generator's own gaps in the same seconds stand beside each row: a tail that is no longer than
 * they are says nothing about the switch.
 */
#include <math.h>
#include <stdio.h>

#include "bench/measure.h"

#define IDLE_PAUSE_S 0.1 // long enough for a switch that sleeps to fall asleep
#define IDLE_FRAMES  21

static const double default_loads[] = {10, 50, 90};

static const struct report_column columns[] = {
	{"load_pct", "load %", 0},       {"offered_mpps", "offered Mpps", 3},
	{"loss_pct", "loss %", 4},       {"p50_us", "p50 us", 2},
	{"p90_us", "p90 us", 2},         {"p99_us", "p99 us", 2},
	{"p999_us", "p99.9 us", 2},      {"max_us", "max us", 2},
	{"mean_us", "mean us", 2},       {"gap_p999_us", "host p99.9 us", 2},
	{"gap_max_us", "host max us", 2}};

static int loads(struct bench *b, double pps);
static int load_run(struct bench *b, double pps, double percent);
static int idle(struct bench *b);

int test_latency(struct bench *b)
{
	double pps;
	int err = measure_rate(b, 1, b->o->seconds, &pps);

	if (err < 0)
		return err;
	if (pps > 0)
		err = loads(b, pps);
	return err < 0 ? err : idle(b);
}

static int loads(struct bench *b, double pps)
{
	const struct bench_options *o = b->o;
	static const double whole[] = {100};
	// A rate that the user chose is meant as it is.
	const double *percents = o->n_loads ? o->loads : o->pps > 0 ? whole : default_loads;
	unsigned n = o->n_loads ? o->n_loads : o->pps > 0 ? 1 : 3;
	int err = 0;

	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	for (unsigned i = 0; err == 0 && i < n; i++)
		err = load_run(b, pps, percents[i]);
	return err;
}

static int load_run(struct bench *b, double pps, double percent)
{
	struct gen_load load = bench_load(b);
	const struct hist *h = &b->res.latency;
	int err;

	load.pps = pps * percent / 100;
	load.latency = true;
	load.drain = true;
	report_progress(b->r, "%g %% of %.3f Mpps", percent, 1e-6 * pps);
	err = bench_run(b, &load);
	// What there is of it counts, also after Ctrl-C.
	if (b->res.latency.n > 0)
		report_row(b->r, NULL,
			   (double[]){percent, 1e-6 * measure_offered_pps(b), 100 * bench_loss(b),
				      measure_us(h, 0.5), measure_us(h, 0.9), measure_us(h, 0.99),
				      measure_us(h, 0.999), measure_us(h, 1), measure_mean_us(h),
				      measure_us(&b->res.gaps, 0.999),
				      measure_us(&b->res.gaps, 1)});
	return err;
}

// One frame at a time, so that each is the first one after a pause.
static int idle(struct bench *b)
{
	struct gen_load load = bench_load(b);
	const struct hist *h = &b->res.latency;
	int err;

	load.pps = 1 / IDLE_PAUSE_S;
	load.seconds = (IDLE_FRAMES + 0.5) * IDLE_PAUSE_S;
	load.warm_up_s = IDLE_PAUSE_S;
	load.senders = 1;
	load.latency = true;
	load.drain = true;
	report_progress(b->r, "first frames after %.0f ms of quiet", 1e3 * IDLE_PAUSE_S);
	err = bench_run(b, &load);
	report_result(b->r, "idle_frames", "Frames sent after 100 ms of quiet", (double)h->n, "",
		      0);
	report_result(b->r, "idle_p50_us", "... their latency, median", measure_us(h, 0.5), "us",
		      2);
	report_result(b->r, "idle_p90_us", "... p90", measure_us(h, 0.9), "us", 2);
	report_result(b->r, "idle_max_us", "... max", measure_us(h, 1), "us", 2);
	if (err == 0 && h->n == 0)
		report_verdict(b->r, false, "no frame came through after a pause");
	return err;
}

/*
 * vswbench soak: hours at a fixed rate. What a minute's run cannot see is what this is for: a
 * frame lost once an hour, a latency that grows, memory that leaks.
 *
 * Each interval is a run of its own, drained, so that its loss is exact; nothing is kept of it but
 * sums. While the last frames of one are awaited nothing is sent, which takes no time as a rule. A
 * switch that stands still just then must not get away with it: what would have been due, and
 * more than the rings hold, counts as missing.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/measure.h"
#include "tests/guest/cpuwait.h"

#define SOAK_LOAD   0.5  // part of the zero-loss rate, when nobody gives a rate
#define OFFERED_MIN 0.98 // part of the rate; less is worth a word

struct soak {
	double pps;
	double start_s;
	double due, missing; // frames
	double seconds;      // in which they were offered
	double worst_loss;   // part of an interval's
	unsigned n_intervals;
	struct swproc_sample before; // the interval
	double first_mb, last_mb;    // memory, hugepages included
	bool died;
	struct hist latency;
};

static const struct report_column columns[] = {
	{"elapsed_s", "after s", 0}, {"rx_mpps", "received Mpps", 3},
	{"missing", "missing", 0},   {"loss_pct", "loss %", 4},
	{"p50_us", "p50 us", 2},     {"p99_us", "p99 us", 2},
	{"max_us", "max us", 2},     {"gap_max_us", "host max us", 2},
	{"rss_mb", "memory MB", 2},  {"huge_mb", "in hugepages", 0},
	{"cpu_pct", "CPU %", 1}};

static int interval(struct bench *b, struct soak *s, double seconds);
static void interval_row(struct bench *b, struct soak *s, double unsent);
static double unsent_after(const struct bench *b, double pps, double run_s);
static double ran_s(void);
static void results(struct bench *b, const struct soak *s);

int test_soak(struct bench *b)
{
	static struct soak s;
	double left_s = b->o->seconds;
	int err = measure_rate(b, SOAK_LOAD, MEASURE_TRIAL_S, &s.pps);

	if (err < 0 || s.pps <= 0)
		return err;
	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	hist_clear(&s.latency);
	s.first_mb = s.last_mb = NAN;
	swproc_sample(b->pid, &s.before);
	s.start_s = gen_now();
	while (err == 0 && left_s > 0) {
		// What would be left in the end is no interval of its own.
		double seconds = left_s < 1.5 * b->o->interval_s ? left_s : b->o->interval_s;

		err = interval(b, &s, seconds);
		left_s -= seconds;
	}
	results(b, &s);
	return err;
}

static int interval(struct bench *b, struct soak *s, double seconds)
{
	struct gen_load load = bench_load(b);
	double from_s = ran_s();
	int err;

	load.pps = s->pps;
	load.seconds = seconds;
	load.warm_up_s = 0;
	load.latency = true;
	load.drain = true;
	err = bench_run(b, &load);
	if (b->res.due > 0)
		interval_row(b, s, unsent_after(b, s->pps, ran_s() - from_s));
	return err;
}

// What was not sent while the last frames were awaited, less what the rings would have held.
static double unsent_after(const struct bench *b, double pps, double run_s)
{
	double sending_s = b->res.seconds * (1 - b->res.waited_pct / 100);

	return fmax(0, pps * (run_s - sending_s) - (double)b->o->n_guests * b->o->ring_size);
}

// A clock that stands while this thread is ready and has no processor: not the switch's fault.
static double ran_s(void)
{
	return gen_now() - 1e-9 * (double)cpuwait_ns(getpid());
}

static void interval_row(struct bench *b, struct soak *s, double unsent)
{
	const struct gen_result *r = &b->res;
	double missing = (double)(r->refused + r->lost) + unsent;
	double due = (double)r->due + unsent;
	double elapsed_s = gen_now() - s->start_s;
	struct swproc_sample now;
	double cpu_pct = NAN, rss_mb, huge_mb;

	if (swproc_sample(b->pid, &now) < 0 && b->pid > 0)
		s->died = true;
	if (now.cpu_s >= 0 && s->before.cpu_s >= 0)
		cpu_pct = measure_percent(now.cpu_s - s->before.cpu_s, now.now_s - s->before.now_s);
	s->before = now;
	rss_mb = now.rss_mb >= 0 ? now.rss_mb : NAN;
	huge_mb = now.hugepages_mb >= 0 ? now.hugepages_mb : NAN;
	s->last_mb = rss_mb + fmax(0, now.hugepages_mb);
	// Behind the first interval: until then tables and buffers are touched for the first time.
	if (s->n_intervals++ == 0)
		s->first_mb = s->last_mb;
	s->due += due;
	s->missing += missing;
	s->seconds += r->seconds;
	s->worst_loss = fmax(s->worst_loss, missing / due);
	hist_merge(&s->latency, &r->latency);
	report_row(b->r, NULL,
		   (double[]){elapsed_s, 1e-6 * bench_rx_pps(b), missing, 100 * missing / due,
			      measure_us(&r->latency, 0.5), measure_us(&r->latency, 0.99),
			      measure_us(&r->latency, 1), measure_us(&r->gaps, 1), rss_mb, huge_mb,
			      cpu_pct});
}

static void results(struct bench *b, const struct soak *s)
{
	double loss = s->due > 0 ? s->missing / s->due : NAN;

	double offered_pps = s->seconds > 0 ? s->due / s->seconds : NAN;

	report_result(b->r, "offered_mpps", "Offered rate", 1e-6 * offered_pps, "Mpps", 3);
	report_result(b->r, "offered", "... in frames", s->due, "", 0);
	report_result(b->r, "missing", "... refused or lost", s->missing, "", 0);
	report_result(b->r, "worst_loss_pct", "... of the worst interval", 100 * s->worst_loss, "%",
		      4);
	report_result(b->r, "p50_us", "Median latency", measure_us(&s->latency, 0.5), "us", 2);
	report_result(b->r, "p99_us", "... p99", measure_us(&s->latency, 0.99), "us", 2);
	report_result(b->r, "max_us", "... max", measure_us(&s->latency, 1), "us", 2);
	report_result(b->r, "memory_growth_mb", "Growth of the switch's memory",
		      s->last_mb - s->first_mb, "MB", 3);
	if (offered_pps < OFFERED_MIN * s->pps)
		report_note(b->r,
			    "this host stood still so much that only %.1f %% of %.3f Mpps were "
			    "offered",
			    measure_percent(offered_pps, s->pps), 1e-6 * s->pps);
	if (s->died)
		report_verdict(b->r, false, "the switch's process is gone");
	if (loss > b->o->loss_allowed)
		report_verdict(b->r, false, "%.0f of %.0f frames were refused or lost (%.6f %%)",
			       s->missing, s->due, 100 * loss);
	else if (s->due > 0)
		report_verdict(b->r, true, "no more was lost than is allowed");
}

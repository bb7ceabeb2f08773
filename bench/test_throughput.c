/*
 * throughput, loss and burst: what the switch forwards without loss, and what it loses above.
 *
 * A switch that holds senders back, as vhost-user allows, does not lose frames: it refuses them.
 * To the sender that is the same, so both count as loss here.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/search.h"

#define NOTHING "nothing came through at full load"

enum { LOSS_STEP = 10 }; // percent of the highest rate; RFC 2544 allows no coarser one

static const struct report_column burst_columns[] = {
	{"burst_frames", "frames", 0},
	{"trials", "trials", 0},
	{"ceiling_mpps", "ceiling", 1},
};

static int try_load(struct bench *b, unsigned percent, double pps);
static int search_burst(struct bench *b, double limit, struct search *s);
static int try_burst(struct bench *b, double frames, double limit, bool *passed_ret);
static void report_burst(struct bench *b, const double bursts[], unsigned n, double limit);
static unsigned n_senders(const struct bench *b);

int test_throughput(struct bench *b)
{
	double zero_loss, max;
	int err = bench_zero_loss(b, true, &zero_loss, &max);

	bench_clean_result(b, "zero_loss_mpps", "Highest rate", zero_loss / 1e6, "Mpps", 3);
	report_result(b->r, "zero_loss_gbps", "... frame bytes, without preamble, gap and FCS",
		      zero_loss * gen_mean_size(b->gen) * 8e-9, "Gbit/s", 3);
	report_result(b->r, "max_mpps", "Highest rate at all", max / 1e6, "Mpps", 3);
	bench_clean_result(b, "zero_loss_pct", "...", 100 * zero_loss / max, "% of it", 1);
	if (err == 0 && max == 0)
		report_verdict(b->r, false, NOTHING);
	else if (err == 0 && zero_loss == 0)
		report_verdict(b->r, false,
			       "every load lost or refused more frames than is allowed; --loss "
			       "PERCENT allows for more");
	return err;
}

int test_loss(struct bench *b)
{
	double pps, max, first = NAN, clean_from = NAN;
	unsigned clean = 0, percent = 100;
	int err = bench_highest(b, false, &pps, &max);

	bench_trials(b);
	for (; err == 0 && pps > 0 && percent > 0 && clean < 2; percent -= LOSS_STEP) {
		err = try_load(b, percent, pps);
		if (err != 0)
			break;
		clean = bench_passed(b, pps * percent / 100) ? clean + 1 : 0;
		if (clean == 1)
			clean_from = percent;
		if (percent == 100)
			first = 100 * bench_loss(b);
	}
	report_result(b->r, "max_mpps", "Highest rate", pps / 1e6, "Mpps", 3);
	report_result(b->r, "loss_pct", "Loss at that rate", first, "%", 4);
	bench_clean_result(b, "clean_pct", "Two loads in a row", clean == 2 ? clean_from : NAN,
			   "% of it", 0);
	if (err == 0 && pps == 0)
		report_verdict(b->r, false, NOTHING);
	else if (err == 0 && clean < 2)
		report_verdict(b->r, false, "no two loads in a row lost no more than is allowed");
	return err;
}

int test_burst(struct bench *b)
{
	double bursts[BENCH_MAX_REPEATS];
	unsigned n = 0;
	double pps, max, limit;
	int err = bench_highest(b, false, &pps, &max);

	limit = floor(pps * b->o->seconds / n_senders(b));
	report_columns(b->r, burst_columns, 3);
	while (err == 0 && limit >= 1 && n < b->o->repeats) {
		struct search s;
		char label[32];

		err = search_burst(b, limit, &s);
		if (err != 0)
			break;
		bursts[n++] = s.low;
		snprintf(label, sizeof(label), "search %u", n);
		report_row(b->r, label, (const double[]){s.low, s.trials, b->ceiling_pps / 1e6});
	}
	report_burst(b, bursts, n, limit);
	if (err == 0 && limit < 1)
		report_verdict(b->r, false, NOTHING);
	return err;
}

static int try_load(struct bench *b, unsigned percent, double pps)
{
	struct gen_load load = bench_load(b);
	char label[16];
	int err;

	load.pps = pps * percent / 100;
	load.drain = true;
	snprintf(label, sizeof(label), "%u %%", percent);
	report_progress(b->r, "offering %s ...", label);
	err = bench_run(b, &load);
	if (err == 0)
		bench_trial_row(b, label);
	return err;
}

static int search_burst(struct bench *b, double limit, struct search *s)
{
	double frames;
	int err = 0;

	// One trial for each length: that bursts vary is part of the result.
	search_init(s, 0, limit, b->o->resolution, 1, 1);
	while (err == 0 && search_next(s, &frames)) {
		bool passed;

		report_progress(b->r, "bursts of %.0f frames ...", frames);
		err = try_burst(b, frames, limit, &passed);
		if (err == 0)
			search_result(s, passed);
	}
	return err;
}

static int try_burst(struct bench *b, double frames, double limit, bool *passed_ret)
{
	struct gen_load load = bench_load(b);
	int err;

	load.frames = (uint64_t)frames;
	// The longest one takes the options' seconds; after twice the time nothing will come.
	load.seconds = 2 * b->o->seconds * frames / limit + 0.1;
	load.drain = true;
	err = bench_run(b, &load);
	*passed_ret = bench_loss(b) <= b->o->loss_allowed;
	return err;
}

static void report_burst(struct bench *b, const double bursts[], unsigned n, double limit)
{
	double sum = 0, min = INFINITY;

	for (unsigned i = 0; i < n; i++) {
		sum += bursts[i];
		min = fmin(min, bursts[i]);
	}
	bench_clean_result(b, "burst_frames", "Mean of the longest bursts", n > 0 ? sum / n : NAN,
			   "frames of each sender", 0);
	report_result(b->r, "burst_min_frames", "... the shortest of them", n > 0 ? min : NAN,
		      "frames", 0);
	report_result(b->r, "limit_frames", "Longest burst tried", limit, "frames", 0);
	if (n > 0 && min == limit)
		report_verdict(b->r, true,
			       "no burst lost more than is allowed, however long: the switch holds "
			       "its senders back");
}

static unsigned n_senders(const struct bench *b)
{
	return b->o->pattern == BENCH_ONE_WAY ? b->o->n_guests / 2 : b->o->n_guests;
}

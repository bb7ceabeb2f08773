/*
 * vswbench mesh, broadcast, congestion: several guests at once.
 *
 * Congestion is the one test in which a switch that never loses a frame can still fail. Guest 0
 * sends to guests 2 and 3 by one ring, and guest 2 takes only a quarter of what it is sent:
 *
 *     guest 0 --+--> guest 3    must get everything
 *               +-->|
 *     guest 1 ----->| guest 2   takes too little
 *
 * A switch may drop what guest 2 has no room for. One that waits for room instead leaves frames
 * in guest 0's ring, among them those for guest 3: head-of-line blocking, seen as refused frames
 * of the flow that no one is in the way of. The same load with a guest 2 that takes everything is
 * measured right before, so that what is left is the congestion's doing.
 */
#include <math.h>
#include <stdio.h>

#include "bench/measure.h"

// Part of the zero-loss rate, when nobody gives a rate: far from the switch's own limit.
#define CONGESTION_LOAD 0.5
// Of its frames, that guest 2 takes: fewer than guest 0 alone sends it, so that a switch which
// waits for room cannot but leave guest 0's frames in its ring.
#define CONGESTED_PART 0.25
#define CONGESTED_MIN  0.1 // of its frames must be missing, or it was no congestion

// The flows of congestion, in the order in which plan_congestion() has them.
enum { FLOW_A, FLOW_B, FLOW_THIRD };

struct congestion {
	bool offered;      // the load was what it was to be
	double third_loss; // part of the third flow: refused or lost
	double third_refused;
	double third_p50_us;
	double congested_loss; // part of the first two flows
};

// Measured one right after the other.
struct pair {
	struct congestion without, with;
};

static const struct report_column mesh_columns[] = {{"sent_mpps", "sent Mpps", 3},
						    {"rx_mpps", "received Mpps", 3},
						    {"foreign", "for others", 0}};

static const struct report_column broadcast_columns[] = {
	{"load_pct", "load %", 0}, {"in_mpps", "in Mpps", 3}, {"out_mpps", "out Mpps", 3},
	{"loss_pct", "loss %", 4}, {"mean_us", "mean us", 2}, {"p50_us", "p50 us", 2},
	{"p99_us", "p99 us", 2},   {"max_us", "max us", 2},   {"gap_max_us", "host max us", 2}};

static const struct report_column congestion_columns[] = {
	{"offered_mpps", "offered Mpps", 3},
	{"congested_loss_pct", "guest 2 loss %", 2},
	{"third_mpps", "third flow Mpps", 3},
	{"third_lost_pct", "lost %", 4},
	{"third_refused_pct", "refused %", 4},
	{"p50_us", "p50 us", 2},
	{"p90_us", "p90 us", 2},
	{"p99_us", "p99 us", 2},
	{"max_us", "max us", 2},
	{"gap_max_us", "host max us", 2}};

static int fairness(struct bench *b);
static void fairness_results(struct bench *b);
static int broadcast_at(struct bench *b, double pps, double percent);
static bool is_better(const struct bench *b, const struct pair *now, const struct pair *best);
static bool is_clean(const struct bench *b, const struct congestion *c);
static int congestion_pair(struct bench *b, double pps, struct pair *ret);
static int congestion_run(struct bench *b, double pps, bool congested, struct congestion *ret);
static void congestion_row(struct bench *b, const char *label, const struct congestion *c);
static void congestion_results(struct bench *b, const struct pair *p);
static void congestion_verdict(struct bench *b, const struct pair *p);

int test_mesh(struct bench *b)
{
	double zero_loss, max;
	int err = fairness(b);

	if (err < 0 || b->o->pps > 0)
		return err;
	err = bench_zero_loss(b, true, &zero_loss, &max);
	report_result(b->r, "max_mpps", "Most that came through", 1e-6 * max, "Mpps", 3);
	bench_clean_result(b, "zero_loss_mpps", "Highest rate", 1e-6 * zero_loss, "Mpps", 3);
	return err;
}

int test_broadcast(struct bench *b)
{
	static const double percents[] = {50, 100};
	double zero_loss = b->o->pps, max = NAN;
	int err = 0;

	if (zero_loss == 0) {
		err = bench_zero_loss(b, true, &zero_loss, &max);
		bench_clean_result(b, "zero_loss_mpps", "Frames in", 1e-6 * zero_loss, "Mpps", 3);
		report_result(b->r, "max_out_mpps", "Most copies that came out", 1e-6 * max, "Mpps",
			      3);
	}
	report_columns(b->r, broadcast_columns,
		       sizeof(broadcast_columns) / sizeof(broadcast_columns[0]));
	for (unsigned i = 0; err == 0 && zero_loss > 0 && i < 2; i++)
		err = broadcast_at(b, zero_loss, percents[i]);
	return err;
}

int test_congestion(struct bench *b)
{
	struct pair best = {0}, now = {0};
	double pps;
	int err = measure_rate(b, CONGESTION_LOAD, b->o->seconds, &pps);

	if (err < 0 || pps <= 0)
		return err;
	report_columns(b->r, congestion_columns,
		       sizeof(congestion_columns) / sizeof(congestion_columns[0]));
	// A stall of the host fails a pair; one that passes shows what the switch can do.
	for (unsigned i = 0; i < b->o->repeats; i++) {
		err = congestion_pair(b, pps, &now);
		if (err < 0)
			return err;
		if (i == 0 || is_better(b, &now, &best))
			best = now;
		if (is_clean(b, &best.without) && is_clean(b, &best.with))
			break;
	}
	congestion_results(b, &best);
	congestion_verdict(b, &best);
	return 0;
}

// All guests at full load (or at --rate): who gets how much.
static int fairness(struct bench *b)
{
	struct gen_load load = bench_load(b);
	int err;

	load.pps = b->o->pps;
	load.drain = true;
	report_columns(b->r, mesh_columns, sizeof(mesh_columns) / sizeof(mesh_columns[0]));
	err = bench_run(b, &load);
	for (unsigned i = 0; b->res.seconds > 0 && i < b->o->n_guests; i++) {
		double scale = 1e-6 / b->res.seconds;
		char label[32];

		snprintf(label, sizeof(label), "guest %u", i);
		report_row(b->r, label,
			   (double[]){scale * (double)b->res.guest_taken[i],
				      scale * (double)b->res.guest_received[i],
				      (double)b->res.guest_foreign[i]});
	}
	if (b->res.received > 0)
		fairness_results(b);
	return err;
}

static void fairness_results(struct bench *b)
{
	// The mesh's flows come first in its plan.
	unsigned n = b->o->n_guests * (b->o->n_guests - 1);
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t received = b->res.streams[i].received;

		least = received < least ? received : least;
		most = received > most ? received : most;
	}
	report_result(b->r, "rx_mpps", b->o->pps > 0 ? "Received" : "Received at full load",
		      1e-6 * bench_rx_pps(b), "Mpps", 3);
	report_result(b->r, "loss_pct", "... lost of what was offered",
		      b->o->pps > 0 ? 100 * bench_loss(b) : NAN, "%", 4);
	report_result(b->r, "flow_min_mpps", "... of the flow that got least",
		      1e-6 * (double)least / b->res.seconds, "Mpps", 4);
	report_result(b->r, "flow_max_mpps", "... of the flow that got most",
		      1e-6 * (double)most / b->res.seconds, "Mpps", 4);
	report_result(b->r, "fairness_pct", "... least to most",
		      measure_percent((double)least, (double)most), "%", 1);
}

static int broadcast_at(struct bench *b, double pps, double percent)
{
	struct gen_load load = bench_load(b);
	const struct hist *h = &b->res.latency;
	int err;

	load.pps = pps * percent / 100;
	load.latency = true;
	load.drain = true;
	err = bench_run(b, &load);
	if (h->n > 0)
		report_row(b->r, NULL,
			   (double[]){percent, 1e-6 * (double)b->res.handed / b->res.seconds,
				      1e-6 * bench_rx_pps(b), 100 * bench_loss(b),
				      measure_mean_us(h), measure_us(h, 0.5), measure_us(h, 0.99),
				      measure_us(h, 1), measure_us(&b->res.gaps, 1)});
	return err;
}

// Pairs without loss before the congestion say more than others.
static bool is_better(const struct bench *b, const struct pair *now, const struct pair *best)
{
	bool now_clean = is_clean(b, &now->without) && now->with.offered;
	bool best_clean = is_clean(b, &best->without) && best->with.offered;

	if (now_clean != best_clean)
		return now_clean;
	return now->with.third_loss < best->with.third_loss;
}

static bool is_clean(const struct bench *b, const struct congestion *c)
{
	return c->offered && c->third_loss <= b->o->loss_allowed;
}

static int congestion_pair(struct bench *b, double pps, struct pair *ret)
{
	int err = congestion_run(b, pps, false, &ret->without);

	if (err == 0)
		err = congestion_run(b, pps, true, &ret->with);
	return err;
}

static int congestion_run(struct bench *b, double pps, bool congested, struct congestion *ret)
{
	struct gen_load load = bench_load(b);
	const struct gen_stream_result *flows = b->res.streams;
	double due, to_2;
	int err;

	load.pps = pps;
	load.latency = true;
	load.latency_of = 1u << 3;
	load.drain = true;
	// Guests 0 and 1 send as much as each other, and half of guest 0's frames go to guest 3.
	if (congested)
		load.rx_pps[2] = CONGESTED_PART * 0.75 * pps;
	report_progress(b->r, congested ? "with congestion" : "without congestion");
	err = bench_run(b, &load);
	if (err < 0)
		return err;
	due = fmax(1, (double)b->res.due / 4);
	to_2 = (double)(flows[FLOW_A].received + flows[FLOW_B].received);
	// Flows take turns, so one frame or two may be the neighbour's.
	ret->third_refused = fmax(0, due - (double)flows[FLOW_THIRD].handed - 2) / due;
	ret->third_loss = ret->third_refused + (double)flows[FLOW_THIRD].lost / due;
	ret->offered = !measure_fell_behind(b, pps);
	ret->third_p50_us = measure_us(&b->res.latency, 0.5);
	ret->congested_loss = fmax(0, 1 - to_2 / (3 * due));
	congestion_row(b, congested ? "congested" : "without", ret);
	return 0;
}

static void congestion_row(struct bench *b, const char *label, const struct congestion *c)
{
	const struct gen_result *r = &b->res;

	report_row(b->r, label,
		   (double[]){1e-6 * (double)r->due / r->seconds, 100 * c->congested_loss,
			      1e-6 * (double)r->streams[FLOW_THIRD].received / r->seconds,
			      100 * (c->third_loss - c->third_refused), 100 * c->third_refused,
			      measure_us(&r->latency, 0.5), measure_us(&r->latency, 0.9),
			      measure_us(&r->latency, 0.99), measure_us(&r->latency, 1),
			      measure_us(&r->gaps, 1)});
}

static void congestion_results(struct bench *b, const struct pair *p)
{
	report_result(b->r, "congested_loss_pct", "Congested flows' loss",
		      100 * p->with.congested_loss, "%", 2);
	report_result(b->r, "third_loss_pct", "Third flow's loss", 100 * p->with.third_loss, "%",
		      4);
	report_result(b->r, "third_loss_without_pct", "... without congestion",
		      100 * p->without.third_loss, "%", 4);
	report_result(b->r, "third_p50_us", "Third flow's median latency", p->with.third_p50_us,
		      "us", 2);
	report_result(b->r, "third_p50_without_us", "... without congestion",
		      p->without.third_p50_us, "us", 2);
}

static void congestion_verdict(struct bench *b, const struct pair *p)
{
	double allowed = b->o->loss_allowed;

	if (!p->without.offered || !p->with.offered)
		report_verdict(b->r, false,
			       "this host stood still so much that the load was not offered: try "
			       "again, or choose a lower --rate");
	else if (p->with.congested_loss < CONGESTED_MIN)
		report_verdict(b->r, false,
			       "guest 2 got nearly all of its frames, so there was no congestion: "
			       "choose a higher --rate or more --seconds");
	else if (p->with.third_loss <= allowed)
		report_verdict(b->r, true,
			       "no head-of-line blocking: the third flow lost no more than is "
			       "allowed");
	else if (p->without.third_loss > allowed)
		report_verdict(b->r, false,
			       "the third flow loses frames without congestion, too: choose a "
			       "lower --rate");
	else
		report_verdict(b->r, false,
			       "head-of-line blocking: the third flow lost %.4f %% and was refused "
			       "%.4f %% of its frames",
			       100 * (p->with.third_loss - p->with.third_refused),
			       100 * p->with.third_refused);
}

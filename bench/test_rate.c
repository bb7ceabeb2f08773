/*
 * rate: what the switch forwards when all that it takes is offered, and what that costs it.
 */
#include <math.h>
#include <stdio.h>

#include "bench/measure.h"

// CPU time is read inside of the measured time: before it the switch warms up, behind it rings
// are drained.
struct watch {
	struct bench *b;
	struct swproc_sample from, to;
	bool begun;
	bool ended;    // 'to' is one, though perhaps not the last
	double next_s; // when it is time for another one
};

#define SAMPLE_S 0.005 // before the end; a look into /proc takes less than that
#define SAMPLES  4     // besides; or one per second: a stall or Ctrl-C may hide the end

static const struct report_column direction_columns[] = {
	{"tx_mpps", "taken Mpps", 3},
	{"rx_mpps", "received", 3},
	{"ceiling_mpps", "ceiling", 1},
};

static bool tick(void *arg, double elapsed_s);
static void report_directions(struct bench *b);
static void report_frames(struct bench *b);
static void report_cost(struct bench *b, const struct watch *w);
static void report_checks(struct bench *b);

int test_rate(struct bench *b)
{
	struct gen_load load = bench_load(b);
	struct watch w = {.b = b};
	int err;

	load.pps = b->o->pps;
	load.drain = true;
	load.tick = tick;
	load.arg = &w;
	report_progress(b->r, "running for %g s ...", load.warm_up_s + load.seconds);
	err = bench_run(b, &load);
	if (b->res.seconds == 0)
		return err;
	report_directions(b);
	report_frames(b);
	report_cost(b, &w);
	report_checks(b);
	return err;
}

static bool tick(void *arg, double elapsed_s)
{
	struct watch *w = arg;
	bool go_on = bench_tick(NULL, elapsed_s);
	double last_s = w->b->o->seconds - SAMPLE_S;
	double step_s = fmin(last_s / SAMPLES, 1);

	// At 0 it is still the warm-up.
	if (w->b->pid == 0 || elapsed_s <= 0)
		return go_on;
	if (!w->begun) {
		w->begun = swproc_sample(w->b->pid, &w->from) == 0;
		w->next_s = elapsed_s + step_s;
	} else if (elapsed_s >= w->next_s) {
		w->ended = swproc_sample(w->b->pid, &w->to) == 0;
		w->next_s = elapsed_s < last_s ? fmin(elapsed_s + step_s, last_s) : INFINITY;
	}
	return go_on;
}

static void report_directions(struct bench *b)
{
	const struct bench_options *o = b->o;
	const struct gen_result *r = &b->res;
	unsigned step = o->pattern == BENCH_ONE_WAY ? 2 : 1;

	report_columns(b->r, direction_columns, 3);
	for (unsigned i = 0; i < o->n_guests; i += step) {
		// In a mesh a guest's row is what it sent to all and what it received from all.
		unsigned to = o->pattern == BENCH_MESH ? i : i ^ 1;
		double values[] = {
			(double)r->guest_taken[i] / r->seconds / 1e6,
			(double)r->guest_received[to] / r->seconds / 1e6,
			b->ceiling_pps / 1e6,
		};
		char label[32];

		if (o->pattern == BENCH_MESH)
			snprintf(label, sizeof(label), "guest %u", i);
		else
			snprintf(label, sizeof(label), "%u -> %u", i, to);
		report_row(b->r, label, values);
	}
}

static void report_frames(struct bench *b)
{
	const struct gen_result *r = &b->res;
	double pps = bench_rx_pps(b);

	report_result(b->r, "rx_mpps", "Forwarded", pps / 1e6, "Mpps", 3);
	report_result(b->r, "gbps", "... frame bytes, without preamble, gap and FCS",
		      (double)r->received_bytes * 8 / r->seconds / 1e9, "Gbit/s", 3);
	if (b->o->pps > 0) {
		report_result(b->r, "offered_mpps", "Offered", 1e-6 * measure_offered_pps(b),
			      "Mpps", 3);
		report_result(b->r, "refused_pct", "... refused",
			      measure_percent((double)r->refused, (double)r->due), "%", 3);
		report_result(b->r, "skipped", "Not offered, for this host stood still",
			      (double)r->skipped, "frames", 0);
	}
	report_result(b->r, "total_handed", "Handed over, with warm-up", (double)r->total_handed,
		      "frames", 0);
	report_result(b->r, "total_received", "... received", (double)r->total_received, "frames",
		      0);
	report_result(b->r, "lost", "... lost", (double)r->lost, "frames", 0);
	report_result(b->r, "ceiling_pct", "Part of the generator's ceiling",
		      100 * pps / b->ceiling_pps, "%", 1);
}

static void report_cost(struct bench *b, const struct watch *w)
{
	double cycles = NAN, cpu = NAN, waited = NAN, polling_waited = NAN;
	double seconds = w->to.now_s - w->from.now_s;

	if (w->ended && seconds > 0) {
		double busiest = swproc_busiest_s(&w->from, &w->to) / seconds;
		cpu = 100 * (w->to.cpu_s - w->from.cpu_s) / seconds;
		waited = 100 * (w->to.waited_s - w->from.waited_s) / seconds;
		polling_waited = 100 * swproc_polling_waited_s(&w->from, &w->to) / seconds;
		// Below full load a switch that polls burns the rest of them for nothing.
		if (busiest >= 0 && b->res.received > 0 && b->o->pps == 0)
			cycles = busiest * gen_tsc_hz() / bench_rx_pps(b);
	}
	report_result(b->r, "cycles_per_frame",
		      b->o->pps > 0 ? "Switch, busiest thread (known at full load alone)"
				    : "Switch, busiest thread",
		      cycles, "cycles per frame (TSC)", 1);
	report_result(b->r, "switch_cpu_pct", "Switch, all threads", cpu, "% of a core", 1);
	report_result(b->r, "switch_waited_pct", "... ready, but without a core", waited, "%", 1);
	report_result(b->r, "polling_waited_pct", "... of that, its polling thread", polling_waited,
		      "%", 1);
	report_result(b->r, "idle_pct", "Generator idle", b->res.idle_pct, "%", 1);
	report_result(b->r, "waited_pct", "... ready, but without a core", b->res.waited_pct, "%",
		      1);
}

static void report_checks(struct bench *b)
{
	const struct gen_result *r = &b->res;

	report_result(b->r, "checked", "Frames looked at", (double)r->checked, "", 0);
	report_result(b->r, "bad", "... with wrong contents", (double)r->bad, "", 0);
	report_result(b->r, "late", "... out of order or twice", (double)r->late, "", 0);
	report_result(b->r, "foreign", "... for somebody else", (double)r->foreign, "", 0);
}

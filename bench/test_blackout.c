/*
 * vswbench blackout: for how long traffic stops while a command runs, such as a change of
 * configuration, or the death of the switch and its restart.
 *
 *     |<----------------------- seconds ------------------------>|
 *     |   traffic at a fixed rate   |        gap       |         |
 *                   1/3: command starts      ... and ends
 *
 * Two figures, as RFC 6201 has them: frames that did not arrive over the rate at which they were
 * offered, and the longest time in which a flow received nothing. The first counts several short
 * gaps together, the second finds the worst.
 *
 * Frames for others are no fault here: a switch that has just started floods until it has
 * learned. Nor are frames that come twice after it was killed: its guests cannot know which of
 * those under way it had delivered, so they offer them again.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/command.h"
#include "bench/measure.h"

#define BLACKOUT_PPS 100e3
#define BACK_S       0.5 // traffic afterwards, to see which flows came back
#define BACK_FRAMES  20  // of each flow at least

struct blackout {
	double pps;
	double at_s; // behind the warm-up; when the command starts
	struct command command;
};

static const struct report_column columns[] = {{"handed", "handed over", 0},
					       {"received", "received", 0},
					       {"lost", "lost", 0},
					       {"late", "twice or late", 0},
					       {"blackout_ms", "blackout ms", 3},
					       {"gap_ms", "longest gap ms", 3}};

static int run_through(struct bench *b, struct blackout *t);
static bool tick(void *arg, double elapsed_s);
static void flow_rows(struct bench *b, const struct gen_conf *plan);
static double flow_due(const struct bench *b, const struct gen_conf *plan, unsigned stream);
static void results(struct bench *b);
static void command_results(struct bench *b, struct blackout *t);
static int come_back(struct bench *b, const struct gen_conf *plan, double pps);
static int count_gone(struct bench *b, const struct gen_conf *plan, double pps, unsigned *n_ret,
		      unsigned *first_ret);
static void flow_name(const struct gen_conf *plan, unsigned stream, char name[16]);

int test_blackout(struct bench *b)
{
	struct blackout t = {.pps = b->o->pps > 0 ? b->o->pps : BLACKOUT_PPS,
			     .at_s = b->o->seconds / 3};
	struct gen_conf plan = {0};
	int err;

	b->test->plan(b->o, &plan);
	err = command_prepare(&t.command, b->o->command);
	if (err < 0)
		return err;
	err = run_through(b, &t);
	flow_rows(b, &plan);
	results(b);
	command_results(b, &t);
	command_release(&t.command);
	if (err == 0)
		err = come_back(b, &plan, t.pps);
	return err;
}

static int run_through(struct bench *b, struct blackout *t)
{
	struct gen_load load = bench_load(b);

	load.pps = t->pps;
	load.drain = true;
	load.tick = tick;
	load.arg = t;
	report_progress(b->r, "%.0f frames a second for %g s", t->pps, load.seconds);
	return bench_run(b, &load);
}

static bool tick(void *arg, double elapsed_s)
{
	struct blackout *t = arg;

	if (elapsed_s >= t->at_s)
		command_start(&t->command);
	command_ended(&t->command);
	return bench_tick(NULL, elapsed_s);
}

static void flow_rows(struct bench *b, const struct gen_conf *plan)
{
	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	for (unsigned i = 0; i < plan->n_streams; i++) {
		const struct gen_stream_result *s = &b->res.streams[i];
		double due = flow_due(b, plan, i);
		char name[16];

		if (plan->streams[i].learn_only)
			continue;
		flow_name(plan, i, name);
		report_row(b->r, name,
			   (double[]){(double)s->handed, (double)s->received, (double)s->lost,
				      (double)s->late,
				      1e3 * b->res.seconds *
					      fmax(0, 1 - (double)(s->handed - s->lost) / due),
				      1e3 * s->longest_gap_s});
	}
}

// Senders share what is due evenly, and so do the flows of each.
static double flow_due(const struct bench *b, const struct gen_conf *plan, unsigned stream)
{
	unsigned n_senders = 0, n_flows[GEN_MAX_GUESTS] = {0};

	for (unsigned i = 0; i < plan->n_streams; i++)
		if (!plan->streams[i].learn_only)
			n_senders += n_flows[plan->streams[i].from]++ == 0;
	if (n_flows[plan->streams[stream].from] == 0)
		return NAN;
	return (double)b->res.due / n_senders / n_flows[plan->streams[stream].from];
}

static void results(struct bench *b)
{
	const struct gen_result *r = &b->res;
	double gap_s = 0;

	for (unsigned i = 0; i < GEN_MAX_STREAMS; i++)
		gap_s = fmax(gap_s, r->streams[i].longest_gap_s);
	report_result(b->r, "blackout_ms", "Blackout by frames lost",
		      1e3 * (double)(r->refused + r->lost) * r->seconds / (double)r->due, "ms", 3);
	report_result(b->r, "gap_ms", "Longest gap of a flow", 1e3 * gap_s, "ms", 3);
	report_result(b->r, "due", "Frames offered", (double)r->due, "", 0);
	report_result(b->r, "refused", "... refused", (double)r->refused, "", 0);
	report_result(b->r, "lost", "... lost", (double)r->lost, "", 0);
	report_result(b->r, "late", "Frames that came twice or late", (double)r->late, "", 0);
	report_result(b->r, "flooded", "Frames that came to others, too", (double)r->foreign, "",
		      0);
	report_result(b->r, "reconnects", "Connections made anew", (double)r->reconnects, "", 0);
	report_result(b->r, "skipped", "Frames not offered, for this host stood still",
		      (double)r->skipped, "", 0);
	// Only a switch that died may deliver a frame twice.
	if (r->late > 0 && r->reconnects == 0)
		report_verdict(b->r, false, "%lu frames came out of order or twice", r->late);
	report_result(b->r, "host_gap_ms", "Longest stall of this host", 1e-6 * (double)r->gaps.max,
		      "ms", 3);
}

static void command_results(struct bench *b, struct blackout *t)
{
	struct command *c = &t->command;
	bool ended = command_ended(c);

	report_result(b->r, "command_ms", "The command took",
		      ended ? 1e3 * (c->ended_s - c->started_s) : NAN, "ms", 1);
	report_result(b->r, "command_exit", "... its exit code", ended ? c->status : NAN, "", 0);
	if (isnan(c->started_s))
		report_say(b->r, "The command was not started.");
	else if (!ended)
		report_say(b->r, "The command is still running, as process %d; it is left alone.",
			   (int)c->pid);
}

// Every flow must arrive again afterwards; the switch has as long for it as to connect at first.
static int come_back(struct bench *b, const struct gen_conf *plan, double pps)
{
	double end_s = gen_now() + b->o->timeout_s;
	unsigned n_gone, first_gone, n_trials = 0;
	char name[16];
	int err;

	do {
		err = count_gone(b, plan, pps, &n_gone, &first_gone);
		n_trials++;
	} while (err == 0 && n_gone > 0 && gen_now() < end_s);
	if (err < 0)
		return err;
	flow_name(plan, first_gone, name);
	if (n_gone > 0)
		report_verdict(b->r, false, "traffic did not come back: %u %s nothing, first %s",
			       n_gone, n_gone == 1 ? "flow received" : "flows received", name);
	else
		report_verdict(b->r, true, "traffic came back");
	if (n_gone == 0 && n_trials > 1)
		report_note(b->r,
			    "traffic came back after the measured time only: the blackout was "
			    "longer than that, so take more --seconds");
	return 0;
}

// A short run: how many flows receive nothing?
static int count_gone(struct bench *b, const struct gen_conf *plan, double pps, unsigned *n_ret,
		      unsigned *first_ret)
{
	struct gen_load load = bench_load(b);
	int err;

	load.pps = pps;
	load.warm_up_s = 0;
	load.seconds = fmax(BACK_S, BACK_FRAMES * plan->n_streams / pps);
	load.drain = true;
	// Not bench_run(), which calls it a fault when nothing comes.
	err = gen_run(b->gen, &load, &b->res);
	*n_ret = *first_ret = 0;
	for (unsigned i = plan->n_streams; i-- > 0;) {
		if (plan->streams[i].learn_only || b->res.streams[i].received > 0)
			continue;
		*first_ret = i;
		++*n_ret;
	}
	return err;
}

static void flow_name(const struct gen_conf *plan, unsigned stream, char name[16])
{
	snprintf(name, 16, "%u->%u", plan->streams[stream].from, plan->streams[stream].to);
}

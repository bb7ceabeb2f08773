#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/search.h"

// How often a search goes on upwards when its upper end passed: full load, which gave that end,
// may have met a stall of the host.
#define MAX_RAISES 3
#define RAISE      1.2
#define BUSY_PCT   2.0  // a generator that idles less than this is the slower one
#define BEHIND     0.98 // part of a rate that must have been offered, or it was not that rate

enum fault {
	FAULT_NOTHING = 1u << 0,
	FAULT_BAD = 1u << 1,
	FAULT_LATE = 1u << 2,
	FAULT_DISORDER = 1u << 3,
	FAULT_FOREIGN = 1u << 4,
	FAULT_MORE = 1u << 5,
	NOTE_GENERATOR = 1u << 6,
};

static const struct report_column trial_columns[] = {
	{"offered_mpps", "offered Mpps", 3}, {"rx_mpps", "received", 3},
	{"refused", "refused", 0},           {"lost", "lost", 0},
	{"loss_pct", "loss %", 4},           {"stall_us", "stall us", 0},
	{"idle_pct", "idle %", 1},           {"ceiling_mpps", "ceiling", 1},
};

static void tell_faults(struct bench *b);
static bool first(struct bench *b, enum fault fault, bool happened);
static int search_rate(struct bench *b, bool rows, double high, double *low, double *offered,
		       double *max);
static int try_rate(struct bench *b, bool rows, double pps, double *max, bool *passed_ret);
static bool fell_behind(const struct bench *b, double pps);

_Atomic bool bench_interrupted;

bool bench_tick(void *arg, double elapsed_s)
{
	return !bench_interrupted;
}

struct gen_load bench_load(const struct bench *b)
{
	return (struct gen_load){
		.seconds = b->o->seconds,
		.warm_up_s = b->o->warm_up_s,
		.tick = bench_tick,
	};
}

int bench_run(struct bench *b, const struct gen_load *load)
{
	int err = gen_run(b->gen, load, &b->res);

	tell_faults(b);
	if (load->pps == 0 && load->frames == 0 && !b->o->null_only &&
	    first(b, NOTE_GENERATOR, err == 0 && b->res.idle_pct < BUSY_PCT))
		report_note(b->r,
			    "the generator, not the switch, was the limit at full load: it idled "
			    "%.1f %% of the time",
			    b->res.idle_pct);
	return err;
}

double bench_rx_pps(const struct bench *b)
{
	return b->res.seconds > 0 ? (double)b->res.received / b->res.seconds : 0;
}

double bench_loss(const struct bench *b)
{
	const struct gen_result *r = &b->res;
	double refused = r->due > 0 ? (double)r->refused / (double)r->due : 0;
	double lost = r->total_expected > 0 ? (double)r->lost / (double)r->total_expected : 0;

	// Of what was not refused, some was lost.
	return refused + (1 - refused) * lost;
}

void bench_clean_result(struct bench *b, const char *key, const char *title, double value,
			const char *unit, int decimals)
{
	char text[128];

	if (b->o->loss_allowed > 0)
		snprintf(text, sizeof(text), "%s with at most %g %% loss", title,
			 100 * b->o->loss_allowed);
	else
		snprintf(text, sizeof(text), "%s without loss", title);
	report_result(b->r, key, text, value, unit, decimals);
}

bool bench_passed(const struct bench *b, double pps)
{
	return bench_loss(b) <= b->o->loss_allowed && !fell_behind(b, pps);
}

int bench_zero_loss(struct bench *b, bool rows, double *zero_loss_ret, double *max_ret)
{
	double high, passed = 0;
	int err;

	*zero_loss_ret = 0;
	if (rows)
		bench_trials(b);
	err = bench_highest(b, rows, &high, max_ret);
	for (unsigned i = 0; err == 0 && high > 0 && i <= MAX_RAISES; i++) {
		err = search_rate(b, rows, high, &passed, zero_loss_ret, max_ret);
		if (passed < high || b->o->pps > 0)
			break;
		high *= RAISE;
	}
	return err;
}

int bench_highest(struct bench *b, bool rows, double *pps_ret, double *max_ret)
{
	int err = 0;

	*max_ret = 0;
	*pps_ret = b->o->pps;
	// Nothing at all is what a switch without a processor takes.
	for (unsigned i = 0; err == 0 && *pps_ret == 0 && i < b->o->repeats; i++) {
		err = try_rate(b, rows, 0, max_ret, NULL);
		// What it took may be more than what it delivered, but not less.
		*pps_ret = b->res.seconds > 0 ? (double)b->res.taken / b->res.seconds : 0;
	}
	return err;
}

void bench_trials(struct bench *b)
{
	report_columns(b->r, trial_columns, sizeof(trial_columns) / sizeof(trial_columns[0]));
}

void bench_trial_row(struct bench *b, const char *label)
{
	const struct gen_result *r = &b->res;
	const double values[] = {
		r->due > 0 ? (double)r->due / r->seconds / 1e6 : NAN,
		bench_rx_pps(b) / 1e6,
		(double)r->refused,
		(double)r->lost,
		100 * bench_loss(b),
		(double)r->gaps.max / 1e3,
		r->idle_pct,
		b->ceiling_pps / 1e6,
	};

	report_row(b->r, label, values);
}

// '*low' is the highest rate that passed, '*offered' what was offered in that trial.
static int search_rate(struct bench *b, bool rows, double high, double *low, double *offered,
		       double *max)
{
	struct search s;
	double pps;
	int err = 0;

	search_init(&s, *low, high, b->o->resolution, 0, b->o->repeats);
	while (err == 0 && search_next(&s, &pps)) {
		bool passed;

		err = try_rate(b, rows, pps, max, &passed);
		if (err != 0)
			break;
		search_result(&s, passed);
		// In a short trial a frame more than 'pps' may have been due.
		if (passed)
			*offered = fmin(pps, (double)b->res.due / b->res.seconds);
	}
	*low = s.low;
	return err;
}

// One trial; 'pps' 0 is full load. A trial that was cut short says nothing.
static int try_rate(struct bench *b, bool rows, double pps, double *max, bool *passed_ret)
{
	struct gen_load load = bench_load(b);
	bool passed;
	int err;

	load.pps = pps;
	load.drain = true;
	if (pps > 0)
		report_progress(b->r, "offering %.3f Mpps ...", pps / 1e6);
	else
		report_progress(b->r, "offering full load ...");
	err = bench_run(b, &load);
	if (err != 0)
		return err;
	passed = bench_passed(b, pps);
	*max = fmax(*max, bench_rx_pps(b));
	if (rows)
		bench_trial_row(b, pps == 0              ? "full load"
				   : passed              ? "passed"
				   : fell_behind(b, pps) ? "not offered"
							 : "failed");
	if (passed_ret != NULL)
		*passed_ret = passed;
	return 0;
}

// The generator leaves out what is due while it does not run itself.
static bool fell_behind(const struct bench *b, double pps)
{
	return (double)b->res.due < BEHIND * pps * b->res.seconds - 1;
}

static void tell_faults(struct bench *b)
{
	const struct gen_result *r = &b->res;
	bool floods = b->test->needs & BENCH_FLOODS;
	bool repeats = b->test->needs & BENCH_RECONNECTS;

	if (first(b, FAULT_NOTHING, r->total_handed > 0 && r->total_received == 0))
		report_verdict(b->r, false,
			       "no frame of %.0f bytes came through, %lu were sent: does the "
			       "switch's MTU allow for them?",
			       gen_mean_size(b->gen), r->total_handed);
	if (first(b, FAULT_BAD, r->bad > 0))
		report_verdict(b->r, false, "%lu of %lu frames looked at had wrong contents",
			       r->bad, r->checked);
	if (first(b, FAULT_LATE, r->late > 0 && !repeats))
		report_verdict(b->r, false, "%lu frames came out of order or twice", r->late);
	if (first(b, FAULT_DISORDER, r->disorder > 0))
		report_verdict(b->r, false,
			       "%lu used descriptors were not those that were made available",
			       r->disorder);
	if (first(b, FAULT_FOREIGN, r->foreign > 0 && !floods))
		report_verdict(
			b->r, false,
			"%lu frames%s came to a guest that they were not for: the switch "
			"flooded, its table is too small for the stations, or other machines "
			"on it send",
			r->foreign, b->o->kind == GEN_STATIC ? " of those looked at" : "");
	if (first(b, FAULT_MORE, r->total_received > r->total_expected && !floods && !repeats))
		report_verdict(b->r, false,
			       "%lu frames came where %lu were to come: the switch flooded or "
			       "doubled some, or other machines on it send; losses do not show",
			       r->total_received, r->total_expected);
}

static bool first(struct bench *b, enum fault fault, bool happened)
{
	if (!happened || b->told & fault)
		return false;
	b->told |= fault;
	return true;
}

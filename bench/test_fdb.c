/*
 * vswbench fdb-capacity, fdb-rate: how many stations a switch can know, and how fast it learns
 * them.
 *
 *     guest 1, learning port ---.
 *                                [ switch ]--- guest 0, test port
 *     guest 2, monitor ---------'
 *
 * A trial: guest 1 sends a frame from each of N addresses, then guest 0 sends a frame to each of
 * them. An address that the switch does not know is flooded, and so the monitor sees it. Probing
 * goes at a moderate rate: a switch that is overloaded loses frames, which is another matter.
 *
 * What a trial leaves in the table must not help the next one. So the guests hang up and come
 * back in between, and --age waits for switches that forget by age only. For the capacity
 * leftovers do no harm, as they are the same addresses and take the same room; for the rate it is
 * tested that the switch has forgotten.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "bench/measure.h"
#include "bench/search.h"

#define PROBE_PPS      250e3
#define CAPACITY_START 1024u // doubled while it passes
#define CAPACITY_MOST  1000000u
#define RATE_STATIONS  8192u
#define TAIL_S         0.005
#define RATE_ATTEMPTS  3     // to make the switch forget
#define RATE_FULL_S    0.2   // of full load, for the upper end of the search
#define FORGOTTEN      0.875 // part of the addresses that is flooded then
#define SURELY_FLOODED 0.01  // of the addresses: no stall of the host makes so many

enum { TEST_PORT, LEARNING_PORT, MONITOR };
// In plan_fdb(): from the learning port, and from the test port.
enum { LEARNING, PROBING };

struct sent {
	uint64_t handed, refused, received, lost;
	uint64_t flooded; // seen by the monitor
	double seconds;
	bool behind; // not at the rate that was asked for
};

struct trial {
	uint32_t stations;
	double learn_pps; // 0: as fast as the switch takes them
	bool rate_counts; // a frame refused is a failure
	struct sent learning, probing;
	bool passed;
	bool surely; // failed, and trying it again would be no use
};

static const struct report_column columns[] = {{"stations", "stations", 0},
					       {"learn_mpps", "learning Mpps", 3},
					       {"refused", "refused", 0},
					       {"lost", "lost", 0},
					       {"flooded", "flooded", 0}};

static int capacity(struct bench *b, uint32_t start, uint32_t most, uint32_t *ret);
static int capacity_between(struct bench *b, double low, double high, double *ret);
static int rate_stations(struct bench *b, uint32_t *ret);
static int rate_highest(struct bench *b, uint32_t stations, double *ret);
static int rate_search(struct bench *b, uint32_t stations, double high, double *ret);
static int trial(struct bench *b, struct trial *t);
static void trial_row(struct bench *b, const struct trial *t);
static int afresh(struct bench *b, uint32_t stations);
static int forget(struct bench *b, uint32_t stations);
static int learn(struct bench *b, struct trial *t);
static int probe(struct bench *b, uint32_t stations, struct sent *ret);
static int send_all(struct bench *b, unsigned guest, uint64_t n, double pps, struct sent *ret);

int test_fdb_capacity(struct bench *b)
{
	uint32_t most = b->o->stations ? b->o->stations : CAPACITY_MOST;
	uint32_t found = 0;
	int err = capacity(b, CAPACITY_START, most, &found);

	report_result(b->r, "stations", "Stations without loss or flooding", found, "", 0);
	if (err < 0)
		return err;
	if (found == 0)
		report_verdict(b->r, false, "not even one station is learned");
	else if (found == most)
		report_verdict(b->r, true, "the switch knows all %u stations that it was shown",
			       most);
	return 0;
}

int test_fdb_rate(struct bench *b)
{
	uint32_t stations = 0;
	double high, found = 0;
	int err = rate_stations(b, &stations);

	if (err < 0 || stations == 0)
		return err;
	err = rate_highest(b, stations, &high);
	if (err == 0)
		err = rate_search(b, stations, high, &found);
	if (err == -ESTALE) {
		report_verdict(b->r, false,
			       "the switch still knows the stations of the trial before, although "
			       "its guests hung up: shorten its ageing time, and wait for that "
			       "with --age");
		return 0;
	}
	report_result(b->r, "stations", "Stations", stations, "", 0);
	report_result(b->r, "learn_pps", "Highest rate at which all are learned", found,
		      "stations/s", 0);
	if (err == 0 && found <= 0)
		report_verdict(b->r, false, "at no rate are all stations learned");
	else if (err == 0 && stations <= b->o->ring_size)
		report_note(b->r,
			    "%u stations fit into a ring of %u, which hides a switch that learns "
			    "slowly: take more, or a smaller --ring",
			    stations, b->o->ring_size);
	return err;
}

static int capacity(struct bench *b, uint32_t start, uint32_t most, uint32_t *ret)
{
	double low = 0, high = start < most ? start : most;
	int err;

	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	for (;;) {
		double found;

		err = capacity_between(b, low, high, &found);
		*ret = (uint32_t)found;
		if (err < 0 || found < high || high >= most)
			return err;
		low = high;
		high = fmin(2 * high, most);
	}
}

// The first trial is at 'high', so this is one step of the doubling as long as that passes.
static int capacity_between(struct bench *b, double low, double high, double *ret)
{
	struct search s;
	double stations;
	int err = 0;

	search_init(&s, low, high, b->o->resolution, 1, b->o->repeats);
	while (err == 0 && search_next(&s, &stations)) {
		struct trial t = {.stations = (uint32_t)stations, .learn_pps = b->o->learn_pps};

		err = afresh(b, t.stations);
		if (err == 0)
			err = trial(b, &t);
		if (err < 0)
			break;
		do
			search_result(&s, t.passed);
		while (t.surely && s.failures > 0);
	}
	*ret = s.low;
	return err;
}

// As many as the user says, or as there is room for. 0: it makes no sense to go on.
static int rate_stations(struct bench *b, uint32_t *ret)
{
	uint32_t asked = b->o->stations;
	double found;
	int err;

	*ret = 0;
	if (asked == 0) {
		err = capacity(b, RATE_STATIONS, RATE_STATIONS, ret);
		if (err == 0 && *ret == 0)
			report_verdict(b->r, false, "not even one station is learned");
		return err;
	}
	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	err = capacity_between(b, asked - 1, asked, &found);
	if (err == 0 && found < asked)
		report_verdict(b->r, false,
			       "the switch does not know %u stations at once, at whatever rate it "
			       "learns them: fdb-capacity tells how many it does",
			       asked);
	else if (err == 0)
		*ret = asked;
	return err;
}

// What the switch takes at full load: no use in trying more.
static int rate_highest(struct bench *b, uint32_t stations, double *ret)
{
	struct gen_load load = bench_load(b);
	int err;

	*ret = b->o->learn_pps;
	if (*ret > 0)
		return 0;
	err = afresh(b, stations);
	if (err < 0)
		return err;
	load.senders = 1u << LEARNING_PORT;
	load.seconds = RATE_FULL_S;
	load.drain = true;
	err = bench_run(b, &load);
	if (err == 0 && b->res.taken > 0)
		*ret = (double)b->res.taken / b->res.seconds;
	return err;
}

static int rate_search(struct bench *b, uint32_t stations, double high, double *ret)
{
	struct search s;
	double pps;
	int err = 0;

	report_columns(b->r, columns, sizeof(columns) / sizeof(columns[0]));
	search_init(&s, 0, high, b->o->resolution, 0, b->o->repeats);
	while (err == 0 && search_next(&s, &pps)) {
		struct trial t = {.stations = stations, .learn_pps = pps, .rate_counts = true};

		err = forget(b, stations);
		if (err == 0)
			err = trial(b, &t);
		if (err == 0)
			search_result(&s, t.passed);
	}
	*ret = s.low;
	return err;
}

static int trial(struct bench *b, struct trial *t)
{
	int err;

	report_progress(b->r, "%u stations ...", t->stations);
	err = learn(b, t);
	if (err == 0)
		err = probe(b, t->stations, &t->probing);
	if (err < 0)
		return err;
	t->passed = t->learning.lost == 0 && t->probing.lost == 0 && t->probing.flooded == 0 &&
		    t->probing.handed >= t->stations &&
		    !(t->rate_counts && (t->learning.refused > 0 || t->learning.behind));
	t->surely = !t->passed && t->learning.lost == 0 &&
		    (double)t->probing.flooded > SURELY_FLOODED * t->stations;
	trial_row(b, t);
	return 0;
}

static void trial_row(struct bench *b, const struct trial *t)
{
	const struct sent *l = &t->learning;

	report_row(b->r, t->passed ? "passed" : "failed",
		   (double[]){t->stations,
			      l->seconds > 0 ? 1e-6 * (double)l->handed / l->seconds : NAN,
			      (double)l->refused, (double)(l->lost + t->probing.lost),
			      (double)t->probing.flooded});
}

// A switch that knows the three guests, and no other station if hanging up tells it so.
static int afresh(struct bench *b, uint32_t stations)
{
	unsigned guest;
	int err = gen_reattach(b->gen, &guest);

	if (err == 0)
		err = measure_pause(b->o->age_s);
	if (err < 0)
		return err;
	gen_set_macs(b->gen, LEARNING, stations, 1);
	gen_set_macs(b->gen, PROBING, 1, stations);
	return gen_greet(b->gen, &guest);
}

// The same, and it is seen that it has forgotten. -ESTALE: it has not.
static int forget(struct bench *b, uint32_t stations)
{
	for (unsigned i = 0; i < RATE_ATTEMPTS; i++) {
		struct sent before;
		double unknown;
		int err = afresh(b, stations);

		if (err == 0)
			err = probe(b, stations, &before);
		if (err < 0)
			return err;
		// The first address is known, from the greeting.
		unknown = (double)before.received * (stations - 1) / stations;
		if ((double)before.flooded >= FORGOTTEN * unknown)
			return 0;
	}
	return -ESTALE;
}

static int learn(struct bench *b, struct trial *t)
{
	return send_all(b, LEARNING_PORT, t->stations, t->learn_pps, &t->learning);
}

static int probe(struct bench *b, uint32_t stations, struct sent *ret)
{
	double pps = b->o->pps > 0 ? b->o->pps : PROBE_PPS;

	// By the end of the tail the monitor has seen whatever was flooded of the rest.
	return send_all(b, TEST_PORT, stations + (uint64_t)(TAIL_S * pps), pps, ret);
}

// Sends 'n' frames, each from (or to) the next address, 'pps' of them a second (0: as fast as the
// switch takes them).
static int send_all(struct bench *b, unsigned guest, uint64_t n, double pps, struct sent *ret)
{
	int err = 0;

	*ret = (struct sent){0};
	while (err == 0 && ret->handed < n) {
		struct gen_load load = bench_load(b);

		load.warm_up_s = 0;
		load.senders = 1u << guest;
		load.drain = true;
		load.pps = pps;
		load.frames = pps > 0 ? 0 : n - ret->handed;
		load.seconds = pps > 0 ? ((double)(n - ret->handed) + 0.5) / pps : b->o->timeout_s;
		err = bench_run(b, &load);
		ret->handed += b->res.handed;
		ret->refused += b->res.refused;
		ret->received += b->res.total_received;
		ret->lost += b->res.lost;
		ret->flooded += b->res.guest_foreign[MONITOR];
		ret->seconds += b->res.seconds;
		ret->behind |= measure_fell_behind(b, pps);
		// What was refused goes out in the next turn, but not if nothing is taken.
		if (b->res.handed == 0)
			break;
	}
	return err;
}

#include "bench/gen.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench/gen_parts.h"

#define PATIENCE    16u // rounds after which fewer frames than a batch are moved as well
#define TICK_S      1e-3
#define CALIBRATE_S 0.05
#define CLOCK_TRIES 10u
#define DRAIN_S     0.2  // of silence after which nothing comes any more
#define STUCK_S     2.0  // ... and with frames that the switch has not taken
#define SETTLE_S    2.0  // after which what still comes is let be
#define DRAIN_END_S 10.0 // ... and is lost
#define AWAY_S      0.01 // of a round in which this thread did not run
#define CLOCK_MASK  127u // rounds between looks at whether a burst is over, less one

static uint64_t one_round(struct gen *gen, uint64_t round);
static uint64_t read_clocks(double *now_ret);
static void begin(struct gen *gen, const struct gen_load *load, struct gen_result *res);
static void begin_side(struct gen_side *s, unsigned rank, unsigned n_senders);
static bool is_sender(const struct gen *gen, unsigned guest);
static int run_for(struct gen *gen, double seconds);
static int tick(struct gen *gen, uint64_t now);
static bool burst_over(const struct gen *gen);
static void measure_begin(struct gen *gen);
static void measure_end(struct gen *gen);
static bool drain(struct gen *gen);
static bool untaken(const struct gen *gen);
static void finish(struct gen *gen, bool drained);
static void finish_stream(struct gen *gen, unsigned i, bool drained);
static void add_counts(struct gen *gen, int sign);
static bool may_mistake_loss(struct gen *gen);
static uint64_t calls_of(struct guest *g);
static uint64_t waited_ns(void);
static uint64_t expected(const struct gen *gen);
static uint64_t received(const struct gen *gen);
static uint64_t progress(const struct gen *gen);

int gen_run(struct gen *gen, const struct gen_load *load, struct gen_result *ret)
{
	int err;

	gen_settle(gen);
	begin(gen, load, ret);
	// A burst is one from the first frame on.
	err = load->frames > 0 ? 0 : run_for(gen, load->warm_up_s);
	if (err == 0) {
		measure_begin(gen);
		err = run_for(gen, load->seconds);
		measure_end(gen);
	}
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].sending = false;
	finish(gen, load->drain && drain(gen));
	gen->load = NULL;
	gen->res = NULL;
	gen->quiet = true;
	return err;
}

// One round of all guests; returns when it began.
static uint64_t one_round(struct gen *gen, uint64_t round)
{
	uint64_t now = __rdtsc();
	bool hurry = round % PATIENCE == 0 || (gen->load && gen->load->pps > 0);
	unsigned moved = 0;

	if (gen->measuring)
		hist_add(&gen->res->gaps,
			 (uint64_t)((double)(int64_t)(now - gen->last_tsc) * gen->ns_per_tsc));
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		moved += gen_receive(s, now, hurry);
		moved += gen_send(s, now, hurry);
	}
	gen->linked = false;
	gen->idle_tsc += gen->idle ? now - gen->last_tsc : 0;
	gen->idle = moved == 0;
	gen->last_tsc = now;
	return now;
}

void gen_settle(struct gen *gen)
{
	double now = gen_now();
	double end = now + SETTLE_S;
	double quiet = now + DRAIN_S;

	if (gen->settled)
		return;
	gen->quiet = true;
	for (; now < quiet && now < end && !gen_stopped(gen); now = gen_now()) {
		for (unsigned i = 0; i < gen->conf.n_guests; i++) {
			struct gen_side *s = &gen->sides[i];
			uint64_t before = s->own;
			gen_receive(s, 0, true);
			gen_take_back(s);
			// What others send never ends.
			if (s->own != before)
				quiet = gen_now() + DRAIN_S;
		}
	}
	gen->settled = true;
}

double gen_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double gen_tsc_hz(void)
{
	static double hz;

	if (hz == 0) {
		double from_s = 0, to_s = 0;
		uint64_t from = read_clocks(&from_s);
		uint64_t to;
		do
			to = read_clocks(&to_s);
		while (to_s - from_s < CALIBRATE_S);
		hz = (double)(to - from) / (to_s - from_s);
	}
	return hz;
}

int gen_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) ? -EINVAL : 0;
}

// Both clocks at the same moment: the closest of several tries, for a thread may be interrupted.
static uint64_t read_clocks(double *now_ret)
{
	uint64_t closest = UINT64_MAX;
	uint64_t tsc = 0;

	for (unsigned i = 0; i < CLOCK_TRIES; i++) {
		uint64_t before = __rdtsc();
		double now = gen_now();
		uint64_t after = __rdtsc();
		if (after - before >= closest)
			continue;
		closest = after - before;
		tsc = before + closest / 2;
		*now_ret = now;
	}
	return tsc;
}

static void begin(struct gen *gen, const struct gen_load *load, struct gen_result *res)
{
	unsigned n_senders = 0, rank = 0;

	memset(res, 0, sizeof(*res));
	hist_clear(&res->latency);
	hist_clear(&res->gaps);
	gen->load = load;
	gen->res = res;
	gen->quiet = false;
	gen->settled = false;
	gen->latency_tsc = UINT64_MAX;
	gen->measured_tsc = UINT64_MAX;
	gen->reconnects = 0;
	gen->waited_ns = 0;
	gen_place_addresses(gen, load->pps > 0 || load->frames > 0);
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		gen->streams[i].handed = 0;
		gen_reset_tracks(gen, &gen->streams[i]);
	}
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		n_senders += is_sender(gen, i);
	gen->start_tsc = __rdtsc();
	gen->last_tsc = gen->start_tsc;
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		begin_side(&gen->sides[i], rank, n_senders);
		rank += gen->sides[i].sending;
	}
}

static void begin_side(struct gen_side *s, unsigned rank, unsigned n_senders)
{
	const struct gen_load *load = s->gen->load;

	s->n = (struct gen_counts){0};
	s->sending = is_sender(s->gen, s->number);
	s->per_tsc = load->frames > 0 || !s->sending ? 0 : load->pps / n_senders / gen_tsc_hz();
	s->phase = s->sending ? (double)rank / n_senders : 0;
	s->schedule = 0;
	s->burst = s->sending ? load->frames : 0;
	s->take_per_tsc = load->rx_pps[s->number] / gen_tsc_hz();
	s->may_take = 0;
	s->take_tsc = s->gen->start_tsc;
	s->sample.left = 0;
	s->timed = load->latency_of == 0 || (load->latency_of >> s->number & 1);
}

static bool is_sender(const struct gen *gen, unsigned guest)
{
	bool chosen = gen->load->senders == 0 || (gen->load->senders >> guest & 1);

	return chosen && gen->sides[guest].slots[0].stream != GEN_NO_STREAM;
}

static int run_for(struct gen *gen, double seconds)
{
	uint64_t end = __rdtsc() + (uint64_t)(seconds * gen_tsc_hz());
	uint64_t step = (uint64_t)(TICK_S * gen_tsc_hz());
	uint64_t next = gen->last_tsc + step;

	for (uint64_t round = 0;; round++) {
		uint64_t now = one_round(gen, round);
		if (now >= end)
			return 0;
		if (gen->load->frames > 0 && (round & CLOCK_MASK) == 0 && burst_over(gen))
			return 0;
		if (now < next)
			continue;
		int ret = tick(gen, now);
		if (ret < 0)
			return ret;
		next = now + step;
	}
}

// Its own time is none of the host's stalls.
static int tick(struct gen *gen, uint64_t now)
{
	const struct gen_load *load = gen->load;
	double elapsed = gen->measuring ? (double)(now - gen->measured_tsc) / gen_tsc_hz() : 0;
	unsigned guest;
	int ret = gen_check_links(gen, &guest);

	if (ret == 0 && load->tick && !load->tick(load->arg, elapsed))
		ret = -ECANCELED;
	gen->last_tsc = __rdtsc();
	return ret;
}

static bool burst_over(const struct gen *gen)
{
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		if (gen->sides[i].burst > 0)
			return false;
	return received(gen) >= expected(gen);
}

static void measure_begin(struct gen *gen)
{
	add_counts(gen, -1);
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		struct gen_stream *st = &gen->streams[i];
		for (unsigned k = 0; k < gen_n_tracks(gen, st); k++) {
			struct gen_track *t = &st->tracks[k];
			t->missing_before = t->next - t->received;
			t->longest_tsc = 0;
			t->last_tsc = gen->last_tsc;
		}
	}
	gen->idle_tsc = 0;
	gen->idle = false;
	// What is due was reckoned up to the last round, so the time measured begins and ends with
	// one.
	gen->measured_tsc = gen->last_tsc;
	gen->last_tsc = __rdtsc();
	gen->latency_tsc = gen->load->latency ? gen->last_tsc : UINT64_MAX;
	gen->measuring = true;
}

static void measure_end(struct gen *gen)
{
	struct gen_result *res = gen->res;
	uint64_t now = __rdtsc();
	double cycles = (double)(gen->last_tsc - gen->measured_tsc);

	gen->measuring = false;
	add_counts(gen, 1);
	res->seconds = cycles / gen_tsc_hz();
	res->idle_pct = 100 * (double)gen->idle_tsc / cycles;
	res->waited_pct = 100 * (double)gen->waited_ns / 1e9 / res->seconds;
	if (!gen->walk)
		res->received_bytes = (uint64_t)((double)res->received * gen->mean_size);
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		const struct gen_stream *st = &gen->streams[i];
		uint64_t longest = 0;
		for (unsigned k = 0; k < gen_n_tracks(gen, st); k++) {
			const struct gen_track *t = &st->tracks[k];
			if (k == st->conf.from && st->conf.to == GEN_TO_ALL)
				continue;
			longest = t->longest_tsc > longest ? t->longest_tsc : longest;
			longest = now - t->last_tsc > longest ? now - t->last_tsc : longest;
		}
		if (gen->sides[st->conf.from].sending && st->n_slots > 0 && gen->conf.kind)
			res->streams[i].longest_gap_s = (double)longest / gen_tsc_hz();
	}
}

// What is measured is the difference between its end (sign 1) and its beginning (-1).
static void add_counts(struct gen *gen, int sign)
{
	struct gen_result *res = gen->res;
	uint64_t one = (uint64_t)sign;

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		const struct gen_side *s = &gen->sides[i];
		res->due += one * s->n.due;
		res->skipped += one * s->n.skipped;
		res->handed += one * s->n.handed;
		res->refused += one * s->n.refused;
		res->taken += one * s->n.taken;
		res->received += one * s->n.received;
		res->received_bytes += one * s->n.received_bytes;
		res->guest_taken[i] += one * s->n.taken;
		res->guest_received[i] += one * s->n.received;
		res->kicks += one * guest_kicks(s->g);
		res->calls += one * calls_of(s->g);
	}
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		const struct gen_stream *st = &gen->streams[i];
		res->streams[i].handed += one * st->handed;
		for (unsigned k = 0; k < gen_n_tracks(gen, st); k++) {
			res->streams[i].received += one * st->tracks[k].received;
			res->streams[i].late += one * st->tracks[k].late;
		}
	}
	gen->waited_ns += one * waited_ns();
}

// Receives what is still under way, until all has come or nothing comes any more. False: stopped
// before that, so that it is not known what is lost.
static bool drain(struct gen *gen)
{
	double now = gen_now();
	double began = now;
	double moved_at = now;
	uint64_t seen = progress(gen);
	bool stopped = false;

	gen->draining = true;
	while (received(gen) < expected(gen)) {
		double before = now;
		one_round(gen, 0);
		now = gen_now();
		if (progress(gen) != seen)
			moved_at = now;
		else if (now - before > AWAY_S)
			moved_at += now - before; // it was us who were silent
		if (now - moved_at > (untaken(gen) ? STUCK_S : DRAIN_S) ||
		    now - began > DRAIN_END_S)
			break;
		// Most often all comes at once, even after the wish to stop.
		stopped = now - began > DRAIN_S && gen_stopped(gen);
		if (stopped)
			break;
		seen = progress(gen);
	}
	gen->draining = false;
	gen->settled = true;
	return !stopped;
}

// A switch that is kept from running loses nothing of what still lies in the rings.
static bool untaken(const struct gen *gen)
{
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		if (gen->sides[i].up && gen->sides[i].n.taken < gen->sides[i].n.handed)
			return true;
	return false;
}

static void finish(struct gen *gen, bool drained)
{
	struct gen_result *res = gen->res;
	uint64_t static_late = 0;

	res->reconnects = gen->reconnects;
	res->total_expected = expected(gen);
	res->total_received = received(gen);
	if (drained && res->total_expected > res->total_received)
		res->lost = res->total_expected - res->total_received;
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		const struct gen_side *s = &gen->sides[i];
		res->total_handed += s->n.handed;
		res->refused += s->burst;
		res->due += is_sender(gen, i) ? gen->load->frames : 0;
		res->checked += s->n.checked;
		res->bad += s->n.bad;
		res->disorder += s->n.disorder;
		res->foreign += s->n.foreign;
		res->guest_foreign[i] = s->n.foreign;
		static_late += s->n.late;
	}
	for (unsigned i = 0; i < gen->conf.n_streams; i++)
		finish_stream(gen, i, drained);
	if (!may_mistake_loss(gen))
		res->late += static_late;
}

static void finish_stream(struct gen *gen, unsigned i, bool drained)
{
	const struct gen_stream *st = &gen->streams[i];
	int64_t lost = 0;

	for (unsigned k = 0; k < gen_n_tracks(gen, st); k++) {
		const struct gen_track *t = &st->tracks[k];
		gen->res->late += t->late;
		if (k == st->conf.from && st->conf.to == GEN_TO_ALL)
			continue;
		lost += (int64_t)((drained ? st->handed : t->next) - t->received);
		lost -= (int64_t)t->missing_before;
	}
	gen->res->streams[i].lost = lost > 0 ? (uint64_t)lost : 0;
}

// Whether so much was lost that the numbers of static frames may have gone round.
static bool may_mistake_loss(struct gen *gen)
{
	uint64_t under_way = 0;
	unsigned fewest = GRING_MAX_SIZE;

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		under_way += (uint16_t)(s->tx->avail_idx - s->tx_done) + gen_arrived(s);
		fewest = s->n_slots < fewest ? s->n_slots : fewest;
	}
	return expected(gen) > received(gen) + under_way + fewest / 2;
}

static uint64_t calls_of(struct guest *g)
{
	uint64_t n;

	for (unsigned i = 0; i < g->n_queues; i++)
		if (read(g->queues[i].ring.call_fd, &n, sizeof(n)) == sizeof(n))
			g->calls += n;
	return g->calls;
}

// Time for which this thread was ready to run and did not get a processor.
static uint64_t waited_ns(void)
{
	uint64_t ran, waited = 0;
	FILE *f = fopen("/proc/thread-self/schedstat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &ran, &waited) != 2)
		waited = 0;
	fclose(f);
	return waited;
}

static uint64_t expected(const struct gen *gen)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		sum += gen->sides[i].n.expected;
	return sum;
}

static uint64_t received(const struct gen *gen)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		sum += gen->sides[i].n.received;
	return sum;
}

// Of what this run sent: what others send is no reason to wait on.
static uint64_t progress(const struct gen *gen)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		const struct gen_counts *n = &gen->sides[i].n;
		sum += n->taken + n->received;
	}
	return sum;
}

// The generator against its own null back end: whatever the guests, all must come, and well.
// Needs memory files; no network, no switch.
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/gen.h"

#define FRAMES 2000u

enum pattern { PAIRS, ONE_WAY, MESH, BROADCAST, N_PATTERNS };

static struct gen_conf conf;
static struct gen_load load;
static struct gen_result result;

static void add_stream(unsigned from, unsigned to, bool learn_only)
{
	conf.streams[conf.n_streams++] = (struct gen_stream_conf){.from = (uint8_t)from,
								  .to = (uint8_t)to,
								  .src_macs = 1,
								  .dst_macs = 1,
								  .learn_only = learn_only};
}

static void plan(enum gen_kind kind, enum pattern pattern, unsigned n_guests)
{
	conf = (struct gen_conf){
		.n_guests = n_guests, .kind = kind, .size = 64, .ring_size = 256, .chain = 1};
	load = (struct gen_load){.seconds = 20, .frames = FRAMES, .drain = true};
	for (unsigned i = 0; i < n_guests; i++) {
		if (pattern == BROADCAST)
			add_stream(i, i == 0 ? GEN_TO_ALL : 0, i > 0);
		else if (pattern != MESH)
			add_stream(i, i ^ 1, pattern == ONE_WAY && i % 2 == 1);
		for (unsigned k = 0; pattern == MESH && k < n_guests; k++)
			if (k != i)
				add_stream(i, k, false);
	}
}

static struct gen *start(void)
{
	struct gen *gen;
	bool alone;
	cpu_set_t set;
	int core = 0;

	// The last processor that this test may use.
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		core = CPU_ISSET((unsigned)i, &set) ? i : core;
	assert_int_equal(gen_create(&conf, &gen), 0);
	assert_int_equal(gen_null_start(gen, core, &alone), 0);
	return gen;
}

static void all_is_well(void)
{
	assert_true(result.total_handed > 0);
	assert_int_equal(result.total_received, result.total_expected);
	assert_int_equal(result.lost, 0);
	assert_int_equal(result.bad, 0);
	assert_int_equal(result.late, 0);
	assert_int_equal(result.disorder, 0);
	assert_int_equal(result.foreign, 0);
	for (unsigned i = 0; i < conf.n_streams; i++) {
		assert_int_equal(result.streams[i].lost, 0);
		assert_int_equal(result.streams[i].late, 0);
	}
}

static void bursts_come_whole(void)
{
	unsigned senders = 0, copies = 0;
	struct gen *gen = start();

	for (unsigned run = 0; run < 2; run++) {
		assert_int_equal(gen_run(gen, &load, &result), 0);
		all_is_well();
	}
	for (unsigned i = 0; i < conf.n_guests; i++) {
		unsigned mine = 0;
		for (unsigned k = 0; k < conf.n_streams; k++) {
			const struct gen_stream_conf *st = &conf.streams[k];
			if (st->from != i || st->learn_only)
				continue;
			mine = st->to == GEN_TO_ALL ? conf.n_guests - 1 : 1;
		}
		senders += mine > 0;
		copies += mine;
	}
	assert_int_equal(result.total_handed, senders * FRAMES);
	assert_int_equal(result.total_expected, copies * FRAMES);
	assert_int_equal(result.due, senders * FRAMES);
	assert_int_equal(result.refused, 0);
	if (conf.kind == GEN_VERIFY)
		assert_int_equal(result.checked, result.total_received);
	gen_destroy(gen);
}

static void all_kinds_and_patterns(void **state)
{
	for (unsigned kind = GEN_STATIC; kind <= GEN_VERIFY; kind++) {
		for (unsigned i = 0; i < 2 * N_PATTERNS; i++) {
			enum pattern pattern = (enum pattern)(i / 2);
			plan((enum gen_kind)kind, pattern, pattern == MESH ? 5 : 4);
			conf.packed = i % 2;
			bursts_come_whole();
		}
	}
}

static void sizes_and_small_buffers(void **state)
{
	static const unsigned sizes[] = {GEN_IMIX, 64, 65, 1518, GEN_MAX_FRAME};
	static const uint32_t buffers[] = {0, 64, 300};
	const unsigned n_sizes = sizeof(sizes) / sizeof(sizes[0]);
	const unsigned n_buffers = sizeof(buffers) / sizeof(buffers[0]);

	for (unsigned i = 0; i < (GEN_VERIFY + 1) * n_sizes * n_buffers * 2; i++) {
		plan((enum gen_kind)(i % (GEN_VERIFY + 1)), PAIRS, 2);
		conf.size = sizes[i / (GEN_VERIFY + 1) % n_sizes];
		conf.rx_buffer = buffers[i / (GEN_VERIFY + 1) / n_sizes % n_buffers];
		conf.packed = i / (GEN_VERIFY + 1) / n_sizes / n_buffers;
		load.frames = FRAMES / 4;
		struct gen *gen = start();
		assert_int_equal(gen_run(gen, &load, &result), 0);
		all_is_well();
		gen_destroy(gen);
	}
}

static void tags_chains_and_addresses(void **state)
{
	for (unsigned kind = GEN_STATIC; kind <= GEN_VERIFY; kind++) {
		for (unsigned i = 0; i < 4; i++) {
			plan((enum gen_kind)kind, PAIRS, 2);
			conf.chain = 4;
			conf.indirect = i % 2;
			conf.packed = i / 2;
			conf.streams[0].tci = 3 << 13 | 100;
			conf.streams[0].src_macs = 100000;
			conf.streams[1].dst_macs = 7;
			bursts_come_whole();
		}
	}
}

static void imix_is_7_4_1(void **state)
{
	plan(GEN_STAMP, MESH, 3);
	conf.size = GEN_IMIX;
	conf.ring_size = 1024;
	struct gen *gen = start();
	double mean = (7 * 64 + 4 * 570 + 1518) / 12.0;

	assert_true(gen_mean_size(gen) > 0.97 * mean && gen_mean_size(gen) < 1.03 * mean);
	load.frames = 1024;
	assert_int_equal(gen_run(gen, &load, &result), 0);
	all_is_well();
	assert_int_equal(result.received, 3 * 1024);
	assert_true(result.received_bytes == (uint64_t)(gen_mean_size(gen) * 3 * 1024 + 0.5));
	gen_destroy(gen);
}

// Full load and a rate, measured behind a warm-up: every frame is accounted for.
static void runs_add_up(void **state)
{
	for (unsigned kind = GEN_STATIC; kind <= GEN_VERIFY; kind++) {
		plan((enum gen_kind)kind, PAIRS, 2);
		struct gen *gen = start();
		load = (struct gen_load){
			.seconds = 0.02, .warm_up_s = 0.01, .drain = true, .latency = true};
		assert_int_equal(gen_run(gen, &load, &result), 0);
		all_is_well();
		assert_true(result.handed < result.total_handed);
		assert_int_equal(result.due + result.skipped, 0);
		assert_true(result.gaps.n > 0);
		if (kind > GEN_STATIC)
			assert_true(result.latency.n >= result.streams[0].handed);

		load.pps = 50000;
		assert_int_equal(gen_run(gen, &load, &result), 0);
		all_is_well();
		assert_int_equal(result.due, result.handed + result.refused);
		double due = load.pps * result.seconds;
		assert_true((double)(result.due + result.skipped) > due - 3);
		assert_true((double)(result.due + result.skipped) < due + 3);
		gen_destroy(gen);
	}
}

static void chosen_senders_and_slow_receivers(void **state)
{
	plan(GEN_STAMP, PAIRS, 4);
	struct gen *gen = start();

	load = (struct gen_load){.seconds = 0.05, .senders = 1u << 2, .drain = true};
	load.rx_pps[3] = 20000;
	assert_int_equal(gen_run(gen, &load, &result), 0);
	all_is_well();
	assert_int_equal(result.guest_taken[0] + result.guest_taken[1] + result.guest_taken[3], 0);
	assert_int_equal(result.handed, result.streams[2].handed);
	assert_true(result.guest_received[3] > 0);
	// It may save up for a batch.
	assert_true((double)result.guest_received[3] < 20000 * result.seconds + 33);
	gen_destroy(gen);
}

static bool three_ticks(void *arg, double elapsed_s)
{
	unsigned *n = arg;

	return ++*n < 3;
}

// Positions have 16 bits: the rings go round more often than that.
static void long_runs(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		plan(GEN_STAMP, PAIRS, 2);
		conf.packed = packed;
		load.frames = 200000;
		struct gen *gen = start();
		assert_int_equal(gen_run(gen, &load, &result), 0);
		all_is_well();
		assert_int_equal(result.total_received, 400000);
		gen_destroy(gen);
	}
}

static void a_tick_ends_the_run(void **state)
{
	unsigned ticks = 0;

	plan(GEN_STAMP, PAIRS, 2);
	struct gen *gen = start();
	load = (struct gen_load){.seconds = 60, .drain = true, .tick = three_ticks, .arg = &ticks};
	assert_int_equal(gen_run(gen, &load, &result), -ECANCELED);
	assert_int_equal(ticks, 3);
	assert_true(result.seconds > 0 && result.seconds < 60);
	all_is_well();
	gen_destroy(gen);
}

static void impossible_confs(void **state)
{
	struct gen *gen = NULL;

	for (unsigned i = 0; i < 12; i++) {
		plan(GEN_STATIC, PAIRS, 2);
		conf.n_guests = i == 0 ? 1 : i == 1 ? GEN_MAX_GUESTS + 1 : 2;
		conf.size = i == 2 ? 63 : i == 3 ? GEN_MAX_FRAME + 1 : 64;
		conf.ring_size = i == 4 ? 100 : i == 5 ? 32 : 256;
		conf.chain = i == 6 ? 3 : i == 7 ? 256 : 1;
		conf.rx_buffer = i == 8 ? 63 : 0;
		conf.streams[0].to = i == 9 ? 2 : i == 10 ? 0 : 1;
		conf.streams[0].src_macs = i == 11 ? 0 : 1;
		assert_int_equal(gen_create(&conf, &gen), -EINVAL);
	}
	assert_null(gen);
	gen_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_and_patterns),
		cmocka_unit_test(sizes_and_small_buffers),
		cmocka_unit_test(tags_chains_and_addresses),
		cmocka_unit_test(imix_is_7_4_1),
		cmocka_unit_test(runs_add_up),
		cmocka_unit_test(chosen_senders_and_slow_receivers),
		cmocka_unit_test(long_runs),
		cmocka_unit_test(a_tick_ends_the_run),
		cmocka_unit_test(impossible_confs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

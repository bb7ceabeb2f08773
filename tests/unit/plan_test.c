// Needs nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bench/bench.h"

static struct gen_conf conf;

static struct bench_options options(unsigned n_guests, enum bench_pattern pattern)
{
	memset(&conf, 0xff, sizeof(conf));
	return (struct bench_options){
		.n_guests = n_guests, .pattern = pattern, .src_macs = 3, .dst_macs = 3};
}

// Each stream is possible, and each guest says by itself which addresses others send to it.
static void check_streams(const struct bench_options *o)
{
	uint32_t announced[GEN_MAX_GUESTS] = {0};

	assert_in_range(conf.n_streams, 1, GEN_MAX_STREAMS);
	for (unsigned i = 0; i < conf.n_streams; i++) {
		const struct gen_stream_conf *s = &conf.streams[i];

		assert_true(s->from < o->n_guests);
		assert_true(s->to == GEN_TO_ALL || (s->to < o->n_guests && s->to != s->from));
		assert_true(s->src_macs >= 1 && s->dst_macs >= 1);
		assert_int_equal(s->tci, o->pcp << 13 | o->vlan);
		if (s->src_macs > announced[s->from])
			announced[s->from] = s->src_macs;
	}
	for (unsigned i = 0; i < conf.n_streams; i++) {
		const struct gen_stream_conf *s = &conf.streams[i];

		if (s->to != GEN_TO_ALL && !s->learn_only)
			assert_true(announced[s->to] >= s->dst_macs);
	}
	for (unsigned i = 0; i < o->n_guests; i++)
		assert_true(announced[i] > 0);
}

static void check_stream(unsigned i, unsigned from, unsigned to, bool learn_only)
{
	assert_true(i < conf.n_streams);
	assert_int_equal(conf.streams[i].from, from);
	assert_int_equal(conf.streams[i].to, to);
	assert_int_equal(conf.streams[i].learn_only, learn_only);
}

static unsigned count(unsigned from, unsigned to, bool learn_only)
{
	unsigned n = 0;

	for (unsigned i = 0; i < conf.n_streams; i++)
		n += conf.streams[i].from == from && conf.streams[i].to == to &&
		     conf.streams[i].learn_only == learn_only;
	return n;
}

static void pairs_talk_both_ways(void **state)
{
	for (unsigned n = 2; n <= GEN_MAX_GUESTS; n += 2) {
		struct bench_options o = options(n, BENCH_PAIRS);

		plan_pattern(&o, &conf);
		check_streams(&o);
		assert_int_equal(conf.n_streams, n);
		for (unsigned i = 0; i < n; i++) {
			check_stream(i, i, i ^ 1, false);
			assert_int_equal(conf.streams[i].src_macs, 3);
			assert_int_equal(conf.streams[i].dst_macs, 3);
		}
	}
}

static void one_way_receivers_announce_themselves(void **state)
{
	for (unsigned n = 2; n <= GEN_MAX_GUESTS; n += 2) {
		struct bench_options o = options(n, BENCH_ONE_WAY);

		o.src_macs = 1;
		o.dst_macs = 1000;
		plan_pattern(&o, &conf);
		check_streams(&o);
		assert_int_equal(conf.n_streams, n);
		for (unsigned i = 0; i < n; i += 2) {
			check_stream(i, i, i + 1, false);
			check_stream(i + 1, i + 1, i, true);
			assert_int_equal(conf.streams[i].src_macs, 1);
			assert_int_equal(conf.streams[i].dst_macs, 1000);
			assert_int_equal(conf.streams[i + 1].src_macs, 1000);
		}
	}
}

static void mesh_is_full_and_staggered(void **state)
{
	for (unsigned n = 2; n <= GEN_MAX_GUESTS; n++) {
		struct bench_options o = options(n, BENCH_MESH);

		plan_pattern(&o, &conf);
		check_streams(&o);
		assert_int_equal(conf.n_streams, n * (n - 1));
		for (unsigned from = 0; from < n; from++)
			for (unsigned to = 0; to < n; to++)
				assert_int_equal(count(from, to, false), from != to);
		// The k-th stream of each guest is for another one.
		for (unsigned k = 0; k < n - 1; k++) {
			uint32_t hit = 0;
			for (unsigned i = 0; i < n; i++)
				hit |= 1u << conf.streams[i * (n - 1) + k].to;
			assert_int_equal(hit, (1u << n) - 1);
		}
	}
}

// More addresses that are sent to than addresses that send: the rest is announced.
static void all_addresses_are_announced(void **state)
{
	static const enum bench_pattern patterns[] = {BENCH_PAIRS, BENCH_ONE_WAY, BENCH_MESH};

	for (unsigned p = 0; p < 3; p++) {
		struct bench_options o = options(GEN_MAX_GUESTS, patterns[p]);

		o.dst_macs = 10000;
		plan_pattern(&o, &conf);
		check_streams(&o);
	}
}

static void broadcast_from_the_first(void **state)
{
	struct bench_options o = options(5, BENCH_PAIRS);

	plan_broadcast(&o, &conf);
	check_streams(&o);
	assert_int_equal(conf.n_streams, 5);
	check_stream(0, 0, GEN_TO_ALL, false);
	assert_int_equal(conf.streams[0].dst_macs, 1);
	for (unsigned i = 1; i < 5; i++)
		check_stream(i, i, 0, true);
}

static void congestion_has_a_third_flow(void **state)
{
	for (unsigned n = 4; n <= GEN_MAX_GUESTS; n++) {
		struct bench_options o = options(n, BENCH_PAIRS);

		plan_congestion(&o, &conf);
		check_streams(&o);
		assert_int_equal(conf.n_streams, 3 + n - 2);
		check_stream(0, 0, 2, false);
		check_stream(1, 1, 2, false);
		check_stream(2, 0, 3, false);
		for (unsigned i = 2; i < n; i++)
			assert_int_equal(count(i, 0, true), 1);
	}
}

// One address each, or learning before the test would fill the table.
static void fdb_learns_probes_and_monitors(void **state)
{
	struct bench_options o = options(4, BENCH_PAIRS);

	o.stations = 1000000;
	plan_fdb(&o, &conf);
	check_streams(&o);
	assert_int_equal(conf.n_streams, 4);
	check_stream(0, 1, 0, false);
	check_stream(1, 0, 1, false);
	check_stream(2, 2, 0, true);
	check_stream(3, 3, 0, true);
	for (unsigned i = 0; i < 4; i++)
		assert_true(conf.streams[i].src_macs == 1 && conf.streams[i].dst_macs == 1);
}

static void tag_is_vlan_and_priority(void **state)
{
	void (*const plans[])(const struct bench_options *, struct gen_conf *) = {
		plan_pattern, plan_mesh, plan_broadcast, plan_congestion, plan_fdb};

	for (unsigned i = 0; i < 5; i++) {
		struct bench_options o = options(4, BENCH_ONE_WAY);

		o.vlan = 4094;
		o.pcp = 7;
		plans[i](&o, &conf);
		assert_int_equal(conf.streams[0].tci, 0xeffe);
		check_streams(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_talk_both_ways),
		cmocka_unit_test(one_way_receivers_announce_themselves),
		cmocka_unit_test(mesh_is_full_and_staggered),
		cmocka_unit_test(all_addresses_are_announced),
		cmocka_unit_test(broadcast_from_the_first),
		cmocka_unit_test(congestion_has_a_third_flow),
		cmocka_unit_test(fdb_learns_probes_and_monitors),
		cmocka_unit_test(tag_is_vlan_and_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

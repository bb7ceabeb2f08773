// Who gets room when there is little: quotas, full tables, a million stations. Needs 100 MB of
// memory; no EAL, no threads.
#include <errno.h>
#include <inttypes.h>

#include "tests/unit/fdb_fixture.h"

static void port_at_its_quota_learns_nothing_new(void **state)
{
	struct fdb *fdb = table(STATIONS);

	fdb_port_set_quota(fdb, A, 3);
	learn(fdb, 100, B, T0);
	for (uint64_t i = 0; i < 10; i++)
		learn(fdb, i, A, T0);
	assert_int_equal(fdb->ports[A].stations, 3);
	assert_int_equal(fdb->ports[A].refused, 7);
	assert_int_equal(fdb->refused, 0);
	assert_int_equal(where(fdb, 2), A);
	assert_int_equal(where(fdb, 3), FDB_NO_SLOT);
	assert_int_equal(where(fdb, 100), B);
	// Three frames of one refused station are three frames refused.
	for (int i = 0; i < 3; i++)
		frame_set(&frames[i], 0, 50, 0);
	fdb_learn_burst(fdb, frames, 3, A, T0);
	assert_int_equal(fdb->ports[A].refused, 10);
	// Known ones are renewed as ever, and room is used again.
	learn(fdb, 0, A, T0 + AGEING_S);
	fdb_age(fdb, T0 + AGEING_S, ALL_BUCKETS);
	assert_int_equal(where(fdb, 0), A);
	assert_int_equal(fdb->ports[A].stations, 1);
	learn(fdb, 3, A, T0 + AGEING_S);
	assert_int_equal(where(fdb, 3), A);
	table_end(fdb);
}

static void station_heard_at_a_port_at_its_quota_is_forgotten(void **state)
{
	struct fdb *fdb = table(STATIONS);

	fdb_port_set_quota(fdb, B, 1);
	learn(fdb, 1, A, T0);
	learn(fdb, 2, B, T0);
	learn(fdb, 1, B, T0);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	assert_int_equal(where(fdb, 2), B);
	assert_int_equal(fdb->forgotten, 1);
	assert_int_equal(fdb->ports[B].refused, 1);
	assert_int_equal(fdb->ports[B].moved_in, 0);
	counters_check(fdb);
	learn(fdb, 1, A, T0);
	assert_int_equal(where(fdb, 1), A);
	table_end(fdb);
}

static void unused_slot_learns_nothing(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, 500, T0);
	assert_int_equal(fdb->stations, 0);
	assert_int_equal(fdb->ports[500].refused, 1);
	table_end(fdb);
}

static void full_table_takes_from_the_port_with_most(void **state)
{
	struct fdb *fdb = table(STATIONS);

	for (uint64_t i = 0; i < 10; i++)
		learn(fdb, 1000 + i, B, T0);
	for (uint64_t i = 0; i < STATIONS - 10; i++)
		learn(fdb, i, A, T0 + 10);
	assert_int_equal(fdb->stations, STATIONS);
	assert_int_equal(fdb->evicted, 0);
	// A newcomer is heard, and B with its few stations does not pay for it.
	for (uint64_t i = 0; i < 5; i++) {
		learn(fdb, 2000 + i, C, T0 + 10);
		assert_int_equal(where(fdb, 2000 + i), C);
	}
	assert_int_equal(fdb->evicted, 5);
	assert_int_equal(fdb->ports[A].stations, STATIONS - 15);
	assert_int_equal(fdb->ports[B].stations, 10);
	// The greedy one pays itself.
	for (uint64_t i = 0; i < 1000; i++)
		learn(fdb, 3000 + i, A, T0 + 10);
	assert_int_equal(fdb->ports[A].stations, STATIONS - 15);
	assert_int_equal(fdb->ports[B].stations, 10);
	assert_int_equal(fdb->ports[C].stations, 5);
	assert_int_equal(where(fdb, 3999), A);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(where(fdb, 1000 + i), B);
	table_end(fdb);
}

static void ports_with_about_as_many_do_not_take_from_each_other(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 5000, C, T0);
	for (uint64_t i = 0; i < 31; i++)
		learn(fdb, i, A, T0);
	for (uint64_t i = 0; i < 32; i++)
		learn(fdb, 1000 + i, B, T0);
	assert_int_equal(fdb->stations, STATIONS);
	for (uint64_t i = 0; i < 100; i++) {
		learn(fdb, 2000 + i, A, T0);
		assert_int_equal(fdb->ports[A].stations, 31);
		learn(fdb, 3000 + i, B, T0);
		assert_int_equal(fdb->ports[B].stations, 32);
	}
	assert_int_equal(where(fdb, 5000), C);
	table_end(fdb);
}

static void full_table_is_shared_evenly_by_the_greedy(void **state)
{
	struct fdb *fdb = table(1000);

	for (uint64_t i = 0; i < 20000; i++) {
		learn(fdb, i, A, T0);
		if (i > 2000)
			learn(fdb, 100000 + i, B, T0);
		if (i > 4000)
			learn(fdb, 200000 + i, C, T0);
	}
	assert_in_range(fdb->ports[A].stations, 332, 335);
	assert_in_range(fdb->ports[B].stations, 332, 335);
	assert_in_range(fdb->ports[C].stations, 332, 335);
	assert_int_equal(fdb->stations, 1000);
	table_end(fdb);
}

static void eviction_prefers_the_old(void **state)
{
	struct fdb *fdb = table(1024);
	unsigned old_left = 0, young_left = 0;

	for (uint64_t i = 0; i < 1024; i++)
		learn(fdb, i, A, i % 2 == 0 ? T0 : T0 + 100);
	for (uint64_t i = 0; i < 256; i++)
		learn(fdb, 5000 + i, B, T0 + 100);
	for (uint64_t i = 0; i < 1024; i++) {
		if (where(fdb, i) == A && i % 2 == 0)
			old_left++;
		else if (where(fdb, i) == A)
			young_left++;
	}
	assert_int_equal(old_left + young_left, 1024 - 256);
	assert_true(512 - old_left > 5 * (512 - young_left));
	table_end(fdb);
}

static void table_full_of_static_addresses_refuses(void **state)
{
	struct fdb *fdb = table(FDB_STATIONS_MIN);
	uint16_t owner = 0;

	for (uint16_t i = 0; i < FDB_STATIONS_MIN; i++)
		assert_int_equal(pin(fdb, i, 100 + i, &owner), 0);
	learn(fdb, 50, A, T0);
	assert_int_equal(fdb->refused, 1);
	assert_int_equal(where(fdb, 50), FDB_NO_SLOT);
	assert_int_equal(pin(fdb, 51, A, &owner), -ENOSPC);
	counters_check(fdb);
	// One learned station among them is found by whoever needs its room.
	fdb_port_flush(fdb, 100);
	learn(fdb, 50, A, T0);
	assert_int_equal(where(fdb, 50), A);
	assert_int_equal(pin(fdb, 51, B, &owner), 0);
	assert_int_equal(where(fdb, 50), FDB_NO_SLOT);
	assert_int_equal(where(fdb, 51), B);
	for (uint16_t i = 1; i < FDB_STATIONS_MIN; i++)
		assert_int_equal(where(fdb, i), 100 + i);
	table_end(fdb);
}

// Address patterns that meet in practice or that would break a weaker hash.
static uint64_t pattern_sequential(uint64_t i)
{
	return i;
}

static uint64_t pattern_random(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15ULL;
	return (i ^ i >> 31) & 0xffffffffff;
}

static uint64_t pattern_low_bits_constant(uint64_t i)
{
	return i << 19;
}

static uint64_t pattern_bits_reversed(uint64_t i)
{
	uint64_t reversed = 0;

	for (unsigned bit = 0; bit < 40; bit++)
		reversed |= (i >> bit & 1) << (39 - bit);
	return reversed;
}

static uint64_t pattern_stride_of_the_table(uint64_t i)
{
	return (i * (1 << 20) + i / (1 << 20)) & 0xffffffffff;
}

static uint64_t (*const patterns[])(uint64_t) = {
	pattern_sequential,          pattern_random,
	pattern_low_bits_constant,   pattern_bits_reversed,
	pattern_stride_of_the_table,
};

// The table is filled to its last station: neither a refusal nor an eviction before that.
static void fill_and_check(uint32_t stations, uint64_t (*pattern)(uint64_t), uint64_t seed,
			   bool check_all)
{
	struct fdb *fdb = table_seeded(stations, seed);
	uint8_t mac[6];

	for (uint64_t i = 0; i < stations; i += BURST) {
		unsigned n = stations - i < BURST ? (unsigned)(stations - i) : BURST;

		for (unsigned k = 0; k < n; k++)
			mac_of(pattern(i + k), frames[k].hdr + 6);
		fdb_learn_burst(fdb, frames, n, A, T0);
	}
	assert_int_equal(fdb->refused, 0);
	assert_int_equal(fdb->evicted, 0);
	assert_int_equal(fdb->stations, stations);
	for (uint64_t i = 0; check_all && i < stations; i++) {
		mac_of(pattern(i), mac);
		if (fdb_lookup(fdb, mac, 0) != A)
			fail_msg("station %" PRIu64 " is lost", i);
	}
	fdb_destroy(fdb);
}

static void frames_clear(void)
{
	for (unsigned i = 0; i < BURST; i++)
		frame_set(&frames[i], 0, 0, 0);
}

static void million_stations_and_none_refused(void **state)
{
	frames_clear();
	for (unsigned p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++)
		fill_and_check(MILLION, patterns[p], 1 + p, true);
	// The fullest that a table of this kind gets: 80 % of its entries.
	for (uint64_t seed = 1; seed <= 3; seed++)
		fill_and_check((1 << 20) / 5 * 4, pattern_random, seed, true);
}

static void small_tables_and_none_refused(void **state)
{
	frames_clear();
	for (uint64_t seed = 0; seed < 2000; seed++)
		fill_and_check(8192 / 5 * 4 / (1 << seed % 5), patterns[seed % 5], seed + 1, false);
}

static void churn_keeps_the_numbers_right(void **state)
{
	struct fdb *fdb = table(200);
	uint64_t random = 1;
	uint16_t slots[] = {A, B, C}, owner;

	fdb_port_set_quota(fdb, B, 60);
	for (uint32_t i = 0; i < 200000; i++) {
		uint16_t slot;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		slot = slots[random >> 60 & 1 ? 0 : random >> 58 & 1 ? 1 : 2];
		switch (random >> 33 & 1023) {
		case 0:
			fdb_port_flush(fdb, slot);
			break;
		case 1:
			fdb_age(fdb, T0 + i, 20);
			break;
		case 2:
		case 3:
			(void)pin(fdb, random >> 44 & 15, slot, &owner);
			break;
		case 4:
		case 5:
			unpin(fdb, random >> 44 & 15, 0);
			break;
		default:
			learn(fdb, random >> 44 & 511, slot, T0 + i);
		}
		if (i % 1000 == 0)
			counters_check(fdb);
	}
	assert_true(fdb->evicted > 0);
	assert_true(fdb->forgotten > 0);
	assert_true(fdb->aged > 0);
	table_end(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_at_its_quota_learns_nothing_new),
		cmocka_unit_test(station_heard_at_a_port_at_its_quota_is_forgotten),
		cmocka_unit_test(unused_slot_learns_nothing),
		cmocka_unit_test(full_table_takes_from_the_port_with_most),
		cmocka_unit_test(ports_with_about_as_many_do_not_take_from_each_other),
		cmocka_unit_test(full_table_is_shared_evenly_by_the_greedy),
		cmocka_unit_test(eviction_prefers_the_old),
		cmocka_unit_test(table_full_of_static_addresses_refuses),
		cmocka_unit_test(million_stations_and_none_refused),
		cmocka_unit_test(small_tables_and_none_refused),
		cmocka_unit_test(churn_keeps_the_numbers_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

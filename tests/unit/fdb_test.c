// Needs nothing: no EAL, no threads. Time is given, nothing sleeps.
#include <errno.h>

#include "tests/unit/fdb_fixture.h"

static void sizes_are_checked_and_addresses_packed(void **state)
{
	const uint8_t mac[6] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06};
	struct fdb_conf conf = {.stations = FDB_STATIONS_MIN - 1};
	struct fdb *fdb = NULL;

	assert_int_equal(fdb_create(&conf, &fdb), -EINVAL);
	conf.stations = FDB_STATIONS_MAX + 1;
	assert_int_equal(fdb_create(&conf, &fdb), -EINVAL);
	assert_null(fdb);
	fdb_destroy(NULL);
	assert_true(fdb_key(mac, 0xfffe) == 0x1ffe060504030201ULL);
	assert_int_equal(FDB_KEY_VLAN(fdb_key(mac, 4094)), 4094);
}

static void seeds_differ_from_table_to_table(void **state)
{
	struct fdb_conf conf = {.stations = STATIONS};
	struct fdb *one, *other;

	assert_int_equal(fdb_create(&conf, &one), 0);
	assert_int_equal(fdb_create(&conf, &other), 0);
	assert_true(one->seed[0] != other->seed[0]);
	assert_true(one->seed[1] != other->seed[1]);
	fdb_destroy(one);
	fdb_destroy(other);
}

static void station_is_learned_once(void **state)
{
	struct fdb *fdb = table(STATIONS);

	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	learn(fdb, 1, A, T0);
	learn(fdb, 1, A, T0);
	learn(fdb, 1, A, T0 + 1);
	assert_int_equal(where(fdb, 1), A);
	assert_int_equal(where(fdb, 2), FDB_NO_SLOT);
	assert_int_equal(fdb->learned, 1);
	assert_int_equal(fdb->stations, 1);
	table_end(fdb);
}

static void group_and_zero_addresses_are_not_learned(void **state)
{
	struct fdb *fdb = table(STATIONS);

	frame_set(&frames[0], 1, 1, 0);
	memset(frames[0].hdr + 6, 0xff, 6);
	frame_set(&frames[1], 1, 1, 0);
	frames[1].hdr[6] |= 1;
	frame_set(&frames[2], 1, 1, 0);
	memset(frames[2].hdr + 6, 0, 6);
	fdb_learn_burst(fdb, frames, 3, A, T0);
	assert_int_equal(fdb->stations, 0);
	table_end(fdb);
}

static void broadcast_and_multicast_are_flooded(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	for (int i = 0; i < 3; i++)
		frame_set(&frames[i], 1, 2, 0);
	memset(frames[0].hdr, 0xff, 6);
	frames[1].hdr[0] |= 1;
	fdb_lookup_burst(fdb, frames, 3);
	assert_int_equal(frames[0].dst_slot, VNBL_DST_FLOOD);
	assert_int_equal(frames[1].dst_slot, VNBL_DST_FLOOD);
	assert_int_equal(frames[2].dst_slot, A);
	assert_int_equal(frames[0].flags & VNBL_FLOOD, 0);
	table_end(fdb);
}

static void vlans_are_separate(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn_vlan(fdb, 1, 0, A, T0);
	learn_vlan(fdb, 1, 5, B, T0);
	learn_vlan(fdb, 1, 4094, C, T0);
	assert_int_equal(where_vlan(fdb, 1, 0), A);
	assert_int_equal(where_vlan(fdb, 1, 5), B);
	assert_int_equal(where_vlan(fdb, 1, 4094), C);
	assert_int_equal(where_vlan(fdb, 1, 6), FDB_NO_SLOT);
	// vlan_tci without the flag is no tag.
	frame_set(&frames[0], 1, 2, 5);
	frames[0].flags = 0;
	fdb_lookup_burst(fdb, frames, 1);
	assert_int_equal(frames[0].dst_slot, A);
	assert_int_equal(fdb->stations, 3);
	assert_int_equal(fdb->moved, 0);
	table_end(fdb);
}

static void station_moves_and_both_ports_count_it(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	learn(fdb, 2, A, T0);
	learn(fdb, 1, B, T0);
	assert_int_equal(where(fdb, 1), B);
	assert_int_equal(where(fdb, 2), A);
	assert_int_equal(fdb->ports[A].stations, 1);
	assert_int_equal(fdb->ports[B].stations, 1);
	assert_int_equal(fdb->ports[B].moved_in, 1);
	assert_int_equal(fdb->ports[A].moved_in, 0);
	assert_int_equal(fdb->moved, 1);
	assert_int_equal(fdb->learned, 2);
	table_end(fdb);
}

static void station_ages_unless_heard(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	learn(fdb, 2, A, T0);
	fdb_age(fdb, T0 + AGEING_S - 1, ALL_BUCKETS);
	assert_int_equal(fdb->stations, 2);
	learn(fdb, 2, A, T0 + AGEING_S - 1);
	fdb_age(fdb, T0 + AGEING_S, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	assert_int_equal(where(fdb, 2), A);
	assert_int_equal(fdb->aged, 1);
	counters_check(fdb);
	fdb_age(fdb, T0 + 2 * AGEING_S - 1, ALL_BUCKETS);
	assert_int_equal(fdb->stations, 0);
	assert_int_equal(fdb->aged, 2);
	table_end(fdb);
}

static void ageing_goes_round_in_parts(void **state)
{
	struct fdb *fdb = table(STATIONS);

	for (uint64_t i = 0; i < STATIONS; i++)
		learn(fdb, i, A, T0);
	for (uint32_t b = 0; b < fdb->n_buckets - 1; b++)
		fdb_age(fdb, T0 + AGEING_S, 1);
	assert_int_equal(fdb->age_hand, fdb->n_buckets - 1);
	fdb_age(fdb, T0 + AGEING_S, 1);
	assert_int_equal(fdb->age_hand, 0);
	assert_int_equal(fdb->stations, 0);
	assert_int_equal(fdb->aged, STATIONS);
	table_end(fdb);
}

static void seconds_wrap(void **state)
{
	// The clock passes 2^24 seconds, and then 2^32, while a station lives.
	const uint32_t starts[] = {(1 << 24) - 10, UINT32_MAX - 10, 0};

	for (unsigned i = 0; i < 3; i++) {
		struct fdb *fdb = table(STATIONS);

		learn(fdb, 1, A, starts[i]);
		fdb_age(fdb, starts[i] + AGEING_S - 1, ALL_BUCKETS);
		assert_int_equal(where(fdb, 1), A);
		fdb_age(fdb, starts[i] + AGEING_S, ALL_BUCKETS);
		assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
		table_end(fdb);
	}
}

static void clock_of_a_proc_may_be_ahead(void **state)
{
	struct fdb *fdb = table(STATIONS);
	struct census census = {0};

	learn(fdb, 1, A, T0 + 2);
	fdb_age(fdb, T0, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), A);
	fdb_walk(fdb, T0, census_take, &census);
	assert_int_equal(census.oldest_s, 0);
	table_end(fdb);
}

static void without_ageing_stations_stay_and_stay_old(void **state)
{
	struct fdb *fdb = table(STATIONS);
	uint32_t day_s = 86400, now_s = T0;

	fdb_set_ageing(fdb, 0);
	learn(fdb, 1, A, T0);
	for (unsigned day = 0; day < 500; day++) {
		struct census census = {0};

		now_s += day_s;
		fdb_age(fdb, now_s, ALL_BUCKETS);
		fdb_walk(fdb, now_s, census_take, &census);
		assert_int_equal(census.oldest_s,
				 now_s - T0 < FDB_AGEING_MAX_S ? now_s - T0 : FDB_AGEING_MAX_S);
	}
	assert_int_equal(where(fdb, 1), A);
	fdb_set_ageing(fdb, AGEING_S);
	fdb_age(fdb, now_s, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	table_end(fdb);
}

static void longest_ageing_is_what_24_bits_can_tell(void **state)
{
	struct fdb *fdb = table(STATIONS);

	fdb_set_ageing(fdb, UINT32_MAX);
	learn(fdb, 1, A, T0);
	fdb_age(fdb, T0 + FDB_AGEING_MAX_S - 1, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), A);
	fdb_age(fdb, T0 + FDB_AGEING_MAX_S, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	table_end(fdb);
}

static void pinned_station_neither_moves_nor_ages(void **state)
{
	struct fdb *fdb = table(STATIONS);
	uint16_t owner = 0;

	fdb_port_set_quota(fdb, A, 1);
	assert_int_equal(pin(fdb, 1, A, &owner), 0);
	assert_int_equal(pin(fdb, 1, A, &owner), 0);
	assert_int_equal(pin(fdb, 2, A, &owner), 0);
	assert_int_equal(pin(fdb, 1, B, &owner), -EEXIST);
	assert_int_equal(owner, A);
	for (int i = 0; i < 4; i++)
		frame_set(&frames[i], 0, 1, 0);
	fdb_learn_burst(fdb, frames, 4, B, T0);
	assert_int_equal(fdb->pinned, 4);
	fdb_learn_burst(fdb, frames, 4, A, T0);
	assert_int_equal(fdb->pinned, 4);
	fdb_age(fdb, T0 + 100 * AGEING_S, ALL_BUCKETS);
	assert_int_equal(where(fdb, 1), A);
	assert_int_equal(fdb->ports[A].pins, 2);
	counters_check(fdb);
	unpin(fdb, 1, 7);
	assert_int_equal(where(fdb, 1), A);
	unpin(fdb, 1, 0);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	learn(fdb, 1, B, T0);
	unpin(fdb, 1, 0);
	assert_int_equal(where(fdb, 1), B);
	table_end(fdb);
}

static void pin_takes_over_a_learned_station(void **state)
{
	struct fdb *fdb = table(STATIONS);
	uint16_t owner = 0;

	learn(fdb, 1, A, T0);
	learn(fdb, 2, B, T0);
	assert_int_equal(pin(fdb, 1, B, &owner), 0);
	assert_int_equal(pin(fdb, 2, B, &owner), 0);
	assert_int_equal(where(fdb, 1), B);
	assert_int_equal(fdb->ports[A].stations, 0);
	assert_int_equal(fdb->ports[B].stations, 2);
	assert_int_equal(fdb->ports[B].pins, 2);
	learn(fdb, 1, A, T0);
	assert_int_equal(where(fdb, 1), B);
	table_end(fdb);
}

static void flush_forgets_one_port_at_once(void **state)
{
	struct fdb *fdb = table(STATIONS);
	uint16_t owner = 0;

	for (uint64_t i = 0; i < 20; i++)
		learn(fdb, i, i % 2 == 0 ? A : B, T0);
	assert_int_equal(pin(fdb, 100, A, &owner), 0);
	fdb_port_flush(fdb, A);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(where(fdb, i), i % 2 == 0 ? FDB_NO_SLOT : B);
	assert_int_equal(where(fdb, 100), FDB_NO_SLOT);
	assert_int_equal(fdb->ports[A].stations, 0);
	assert_int_equal(fdb->stations, 10);
	assert_int_equal(fdb->flushed, 11);
	counters_check(fdb);
	// Dead entries come back to life at either port, pins and all, and count once.
	learn(fdb, 0, A, T0);
	learn(fdb, 2, B, T0);
	assert_int_equal(pin(fdb, 4, C, &owner), 0);
	learn(fdb, 100, B, T0);
	assert_int_equal(where(fdb, 0), A);
	assert_int_equal(where(fdb, 2), B);
	assert_int_equal(where(fdb, 4), C);
	assert_int_equal(where(fdb, 100), B);
	counters_check(fdb);
	fdb_age(fdb, T0, ALL_BUCKETS);
	assert_int_equal(fdb->aged, 0);
	assert_int_equal(fdb->stations, 14);
	table_end(fdb);
}

static void dead_entries_are_room(void **state)
{
	struct fdb *fdb = table(STATIONS);

	for (uint64_t round = 0; round < 100; round++) {
		for (uint64_t i = 0; i < STATIONS; i++)
			learn(fdb, round * STATIONS + i, A, T0);
		assert_int_equal(fdb->stations, STATIONS);
		counters_check(fdb);
		fdb_port_flush(fdb, A);
	}
	assert_int_equal(fdb->evicted, 0);
	assert_int_equal(fdb->refused, 0);
	assert_int_equal(fdb->flushed, 100 * STATIONS);
	table_end(fdb);
}

static void generation_comes_round_and_revives_nothing(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	learn(fdb, 2, B, T0);
	for (unsigned i = 0; i < 65536; i++) {
		fdb_port_flush(fdb, A);
		if (i == 65534)
			learn(fdb, 3, A, T0);
	}
	assert_int_equal(fdb->generation[A], 0);
	assert_int_equal(where(fdb, 1), FDB_NO_SLOT);
	assert_int_equal(where(fdb, 2), B);
	assert_int_equal(where(fdb, 3), FDB_NO_SLOT);
	counters_check(fdb);
	for (unsigned i = 0; i < 65535; i++)
		fdb_port_flush(fdb, A);
	assert_int_equal(where(fdb, 3), FDB_NO_SLOT);
	table_end(fdb);
}

static void port_that_comes_to_a_used_slot_starts_empty(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	learn(fdb, 1, B, T0);
	learn(fdb, 2, B, T0);
	fdb_port_add(fdb, B, 1);
	assert_int_equal(where(fdb, 2), FDB_NO_SLOT);
	assert_int_equal(fdb->ports[B].moved_in, 0);
	learn(fdb, 1, B, T0);
	learn(fdb, 2, B, T0);
	assert_int_equal(fdb->ports[B].stations, 1);
	assert_int_equal(fdb->ports[B].refused, 1);
	table_end(fdb);
}

static void bursts_with_dropped_frames_between(void **state)
{
	const unsigned sizes[] = {1, 2, 31, 32, 33, 257};

	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (unsigned dropped = 1; dropped <= 3; dropped++) {
			struct fdb *fdb = table(1024);
			unsigned n = sizes[s], n_live = 0;

			for (unsigned i = 0; i < n; i++) {
				frame_set(&frames[i], 1000 + i, 1000 + i, 0);
				if (i % 3 < dropped && dropped != 3)
					frames[i].flags |= VNBL_DROPPED;
				else
					n_live++;
			}
			fdb_learn_burst(fdb, frames, n, A, T0);
			assert_int_equal(fdb->stations, n_live);
			fdb_lookup_burst(fdb, frames, n);
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(frames[i].dst_slot, frames[i].flags & VNBL_DROPPED
									     ? VNBL_DST_NONE
									     : A);
			table_end(fdb);
		}
	}
}

static void burst_of_few_addresses_in_turn(void **state)
{
	struct fdb *fdb = table(STATIONS);
	const uint16_t slots[] = {FDB_NO_SLOT, A, B, VNBL_DST_FLOOD};

	learn(fdb, 1, A, T0);
	learn(fdb, 2, B, T0);
	// Runs of 1 to 5 frames to: an unknown one, A, B, everybody.
	for (unsigned run = 1; run <= 5; run++) {
		for (unsigned i = 0; i < BURST; i++) {
			frame_set(&frames[i], i / run % 4, 10 + i / run % 4, 0);
			if (i / run % 4 == 3)
				frames[i].hdr[0] |= 1;
		}
		fdb_lookup_burst(fdb, frames, BURST);
		for (unsigned i = 0; i < BURST; i++)
			assert_int_equal(frames[i].dst_slot, slots[i / run % 4]);
		fdb_learn_burst(fdb, frames, BURST, C, T0 + run);
		assert_int_equal(fdb->stations, 6);
	}
	table_end(fdb);
}

static void held_lock_is_not_waited_for(void **state)
{
	struct fdb *fdb = table(STATIONS);

	learn(fdb, 1, A, T0);
	fdb->lock = 1;
	learn(fdb, 1, A, T0 + 5);
	learn(fdb, 2, A, T0);
	learn(fdb, 1, B, T0);
	assert_int_equal(fdb->busy, 2);
	assert_int_equal(where(fdb, 1), A);
	assert_int_equal(where(fdb, 2), FDB_NO_SLOT);
	// A proc was stopped in the middle of a displacement: who misses gives up in the end.
	fdb->moves++;
	assert_int_equal(where(fdb, 1), A);
	assert_int_equal(where(fdb, 2), FDB_NO_SLOT);
	fdb->moves++;
	fdb->lock = 0;
	learn(fdb, 2, A, T0);
	assert_int_equal(where(fdb, 2), A);
	table_end(fdb);
}

static void walk_shows_stations_and_stops_when_told(void **state)
{
	struct fdb *fdb = table(STATIONS);
	struct census census = {0};
	uint16_t owner;

	learn_vlan(fdb, 1, 9, A, T0 - 100);
	assert_int_equal(pin(fdb, 2, B, &owner), 0);
	fdb_walk(fdb, T0, census_take, &census);
	assert_int_equal(census.stations, 2);
	assert_int_equal(census.oldest_s, 100);
	assert_int_equal(census.pins[A], 0);
	assert_int_equal(census.pins[B], 1);
	census = (struct census){.stop_at = 1};
	fdb_walk(fdb, T0, census_take, &census);
	assert_int_equal(census.stations, 1);
	table_end(fdb);
}

static void walk_in_parts_shows_all(void **state)
{
	struct fdb *fdb = table(STATIONS);
	struct census census = {0};
	uint32_t half = fdb->n_buckets / 2;

	for (uint64_t i = 0; i < STATIONS; i++)
		learn(fdb, i, A, T0);
	fdb_walk_part(fdb, T0, 0, half, census_take, &census);
	assert_in_range(census.stations, 1, STATIONS - 1);
	fdb_walk_part(fdb, T0, half, UINT32_MAX, census_take, &census);
	assert_int_equal(census.stations, STATIONS);
	fdb_walk_part(fdb, T0, fdb->n_buckets, 1, census_take, &census);
	fdb_walk_part(fdb, T0, UINT32_MAX, UINT32_MAX, census_take, &census);
	assert_int_equal(census.stations, STATIONS);
	table_end(fdb);
}

static void copy_has_all_and_a_small_one_what_it_can(void **state)
{
	struct fdb *from = table(1000), *large = table_seeded(5000, 43), *small = table(100);
	uint16_t owner;

	fdb_port_flush(from, A);
	fdb_port_set_quota(from, C, 1);
	for (uint64_t i = 0; i < 900; i++)
		learn(from, i, i % 3 == 0 ? A : B, T0);
	learn(from, 5000, C, T0);
	learn(from, 5001, C, T0);
	learn(from, 1, A, T0);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(pin(from, 6000 + i, C, &owner), 0);
	fdb_copy(large, from);
	fdb_copy(small, from);
	for (uint64_t i = 0; i < 900; i++)
		assert_int_equal(where(large, i), where(from, i));
	assert_int_equal(large->stations, from->stations);
	assert_int_equal(large->learned, from->learned);
	assert_int_equal(large->ports[C].refused, 1);
	assert_int_equal(large->ports[A].moved_in, 1);
	assert_int_equal(large->ports[C].quota, 1);
	assert_int_equal(small->stations, 100);
	assert_int_equal(small->evicted, 0);
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(where(large, 6000 + i), C);
		assert_int_equal(where(small, 6000 + i), C);
	}
	// Ageing goes on where it was.
	fdb_age(large, T0 + AGEING_S - 1, ALL_BUCKETS);
	assert_int_equal(large->stations, from->stations);
	fdb_age(large, T0 + AGEING_S, ALL_BUCKETS);
	assert_int_equal(large->stations, 10);
	table_end(from);
	table_end(large);
	table_end(small);
}

static void an_owned_address_is_learned_nowhere_else(void **state)
{
	struct fdb *fdb = table(STATIONS), *bigger;
	uint16_t owner = 0;
	uint8_t mac[6];

	learn_vlan(fdb, 1, 5, B, T0);
	learn_vlan(fdb, 1, 6, A, T0);
	mac_of(1, mac);
	assert_int_equal(fdb_own(fdb, mac, A, &owner), 0);
	// What others knew of it is forgotten, in each VLAN; its own stays.
	assert_int_equal(fdb_lookup(fdb, mac, 5), FDB_NO_SLOT);
	assert_int_equal(fdb_lookup(fdb, mac, 6), A);
	learn_vlan(fdb, 1, 5, B, T0);
	learn_vlan(fdb, 1, 6, B, T0);
	assert_int_equal(fdb_lookup(fdb, mac, 5), FDB_NO_SLOT);
	assert_int_equal(fdb_lookup(fdb, mac, 6), A);
	assert_int_equal(fdb->pinned, 2);
	learn_vlan(fdb, 1, 5, A, T0);
	assert_int_equal(fdb_lookup(fdb, mac, 5), A);
	assert_int_equal(fdb_own(fdb, mac, B, &owner), -EEXIST);
	assert_int_equal(owner, A);

	assert_int_equal(fdb_create(&(struct fdb_conf){.stations = 2 * STATIONS}, &bigger), 0);
	fdb_copy(bigger, fdb);
	assert_int_equal(fdb_own(bigger, mac, B, &owner), -EEXIST);
	fdb_destroy(bigger);

	fdb_disown(fdb, A);
	fdb_port_flush(fdb, A);
	learn_vlan(fdb, 1, 5, B, T0);
	assert_int_equal(fdb_lookup(fdb, mac, 5), B);
	assert_int_equal(fdb_own(fdb, mac, B, &owner), 0);
	fdb_port_add(fdb, B, STATIONS); // another port has the slot: nothing is owned any more
	assert_int_equal(fdb_own(fdb, mac, A, &owner), 0);
	table_end(fdb);
}

// As many owners as there are slots, one after the other and all at once.
static void every_slot_can_own_an_address(void **state)
{
	struct fdb *fdb = table(STATIONS);
	uint16_t owner;
	uint8_t mac[6];

	for (uint16_t slot = 0; slot < VPORT_MAX; slot++) {
		mac_of(slot + 1000u, mac);
		assert_int_equal(fdb_own(fdb, mac, slot, &owner), 0);
	}
	for (uint16_t slot = 0; slot < VPORT_MAX; slot++) {
		mac_of(slot + 1000u, mac);
		assert_int_equal(fdb_own(fdb, mac, (uint16_t)(slot + 1) % VPORT_MAX, &owner),
				 -EEXIST);
		assert_int_equal(owner, slot);
		mac_of(slot + 5000u, mac); // a new one takes the place of the old one
		assert_int_equal(fdb_own(fdb, mac, slot, &owner), 0);
	}
	mac_of(1000, mac);
	assert_int_equal(fdb_own(fdb, mac, A, &owner), 0);
	table_end(fdb);
}

static void vlans_that_share_stations_are_one_list(void **state)
{
	struct fdb *fdb = table(STATIONS);
	struct vlan_fids fids;
	uint8_t mac[6];

	for (uint16_t id = 0; id < VLAN_IDS; id++)
		fids.of[id] = id == 101 || id == 102 ? 100 : id;
	fdb_set_fids(fdb, &fids);
	learn_vlan(fdb, 1, 101, A, T0);
	learn_vlan(fdb, 2, 100, B, T0);
	mac_of(1, mac);
	assert_int_equal(fdb_lookup(fdb, mac, 100), A);
	assert_int_equal(fdb_lookup(fdb, mac, 101), FDB_NO_SLOT);
	frame_set(&frames[0], 2, 1, 101);
	frame_set(&frames[1], 1, 2, 102);
	frame_set(&frames[2], 1, 2, 103);
	fdb_lookup_burst(fdb, frames, 3);
	assert_int_equal(frames[0].dst_slot, B);
	assert_int_equal(frames[1].dst_slot, A);
	assert_int_equal(frames[2].dst_slot, FDB_NO_SLOT);
	fdb_set_fids(fdb, NULL);
	fdb_lookup_burst(fdb, frames, 1);
	assert_int_equal(frames[0].dst_slot, FDB_NO_SLOT);
	table_end(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_checked_and_addresses_packed),
		cmocka_unit_test(seeds_differ_from_table_to_table),
		cmocka_unit_test(an_owned_address_is_learned_nowhere_else),
		cmocka_unit_test(every_slot_can_own_an_address),
		cmocka_unit_test(vlans_that_share_stations_are_one_list),
		cmocka_unit_test(station_is_learned_once),
		cmocka_unit_test(group_and_zero_addresses_are_not_learned),
		cmocka_unit_test(broadcast_and_multicast_are_flooded),
		cmocka_unit_test(vlans_are_separate),
		cmocka_unit_test(station_moves_and_both_ports_count_it),
		cmocka_unit_test(station_ages_unless_heard),
		cmocka_unit_test(ageing_goes_round_in_parts),
		cmocka_unit_test(seconds_wrap),
		cmocka_unit_test(clock_of_a_proc_may_be_ahead),
		cmocka_unit_test(without_ageing_stations_stay_and_stay_old),
		cmocka_unit_test(longest_ageing_is_what_24_bits_can_tell),
		cmocka_unit_test(pinned_station_neither_moves_nor_ages),
		cmocka_unit_test(pin_takes_over_a_learned_station),
		cmocka_unit_test(flush_forgets_one_port_at_once),
		cmocka_unit_test(dead_entries_are_room),
		cmocka_unit_test(generation_comes_round_and_revives_nothing),
		cmocka_unit_test(port_that_comes_to_a_used_slot_starts_empty),
		cmocka_unit_test(bursts_with_dropped_frames_between),
		cmocka_unit_test(burst_of_few_addresses_in_turn),
		cmocka_unit_test(held_lock_is_not_waited_for),
		cmocka_unit_test(walk_shows_stations_and_stops_when_told),
		cmocka_unit_test(walk_in_parts_shows_all),
		cmocka_unit_test(copy_has_all_and_a_small_one_what_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

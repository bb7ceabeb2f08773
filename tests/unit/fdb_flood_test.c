// A port at its quota from which frames of ever new stations come: what they change (nothing), and
// what goes on as ever beside them. Needs nothing: no EAL, no threads. Time is given.
#include "tests/unit/fdb_fixture.h"

enum {
	// The fullest that a table gets, so that stations of every kind are in second buckets.
	ROOM = 819,
	KNOWN = 400, // stations at A, its quota; B has the rest
	OTHERS = ROOM - KNOWN,
	STRANGERS = 1 << 20, // numbers from here on
	VLANS = 200
};

static uint64_t next_stranger;

// Stations 0 to KNOWN - 1 at A, the others at B.
static struct fdb *full_table(void)
{
	struct fdb *fdb = table(ROOM);

	for (uint64_t i = 0; i < ROOM; i++)
		learn(fdb, i, i < KNOWN ? A : B, T0);
	fdb_port_set_quota(fdb, A, KNOWN);
	assert_int_equal(fdb->ports[A].stations, KNOWN);
	assert_int_equal(fdb->ports[B].stations, OTHERS);
	next_stranger = STRANGERS;
	return fdb;
}

static unsigned n_astray(struct fdb *fdb, uint16_t slot)
{
	unsigned n = 0;

	for (uint32_t b = 0; b < fdb->n_buckets; b++) {
		for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
			uint64_t value = fdb->buckets[b].entries[i].value;

			n += is_astray(fdb, b, i) && fdb_value_alive(fdb, value) &&
			     FDB_VALUE_SLOT(value) == slot;
		}
	}
	return n;
}

// A burst at A of strangers, and of 'station' in the midst of them.
static void flood_with(struct fdb *fdb, uint64_t station, uint32_t now_s)
{
	for (unsigned i = 0; i < BURST; i++)
		frame_set(&frames[i], 0, i == BURST / 2 ? station : next_stranger++, 0);
	fdb_learn_burst(fdb, frames, BURST, A, now_s);
}

static void every_refused_frame_is_counted(void **state)
{
	struct fdb *fdb = full_table();
	uint64_t refused = 0, learned = fdb->learned;

	// Runs of 1 to 5 frames of one stranger, and dropped ones, which do not count.
	for (unsigned run = 1; run <= 5; run++) {
		for (unsigned burst = 0; burst < 100; burst++) {
			for (unsigned i = 0; i < BURST; i++) {
				next_stranger += i % run == 0;
				frame_set(&frames[i], 0, next_stranger, 0);
				frames[i].flags |= i % 7 == 6 ? VNBL_DROPPED : 0;
				refused += i % 7 != 6;
			}
			fdb_learn_burst(fdb, frames, BURST, A, T0);
		}
	}
	assert_int_equal(fdb->ports[A].refused, refused);
	assert_int_equal(fdb->ports[B].refused, 0);
	assert_int_equal(fdb->learned, learned);
	assert_int_equal(fdb->evicted + fdb->forgotten + fdb->moved + fdb->refused, 0);
	for (uint64_t i = 0; i < ROOM; i++)
		assert_int_equal(where(fdb, i), i < KNOWN ? A : B);
	table_end(fdb);
}

static void known_stations_stay_while_they_send(void **state)
{
	struct fdb *fdb = full_table();
	unsigned strays = n_astray(fdb, A);

	assert_true(strays > 10);
	// Each is heard once in an ageing time, in a second in which many strangers were before it.
	for (uint32_t round = 1; round <= 3; round++) {
		uint32_t now_s = T0 + round * (AGEING_S - 1);

		for (uint64_t i = 0; i < ROOM; i++) {
			if (i < KNOWN)
				flood_with(fdb, i, now_s);
			else
				learn(fdb, i, B, now_s);
		}
		fdb_age(fdb, now_s + AGEING_S - 1, ALL_BUCKETS);
		assert_int_equal(fdb->stations, ROOM);
	}
	assert_int_equal(n_astray(fdb, A), strays);
	assert_int_equal(fdb->aged, 0);
	assert_int_equal(fdb->ports[A].refused, 3 * KNOWN * (BURST - 1));
	fdb_age(fdb, T0 + 4 * AGEING_S, ALL_BUCKETS);
	assert_int_equal(fdb->stations, 0);
	table_end(fdb);
}

static void station_that_comes_from_another_port_is_noticed_at_once(void **state)
{
	struct fdb *fdb = full_table();

	assert_true(n_astray(fdb, B) > 10);
	for (uint64_t i = KNOWN; i < ROOM; i++) {
		flood_with(fdb, i, T0);
		assert_int_equal(where(fdb, i), FDB_NO_SLOT);
	}
	assert_int_equal(fdb->forgotten, OTHERS);
	assert_int_equal(fdb->ports[A].refused, OTHERS * BURST);
	assert_int_equal(fdb->ports[A].stations, KNOWN);
	assert_int_equal(fdb->ports[B].stations, 0);
	table_end(fdb);
}

static void room_is_used_at_once(void **state)
{
	struct fdb *fdb = full_table();

	flood_with(fdb, 0, T0);
	assert_int_equal(where(fdb, STRANGERS), FDB_NO_SLOT);
	fdb_port_flush(fdb, B);
	fdb_port_set_quota(fdb, A, KNOWN + 1);
	flood_with(fdb, 0, T0);
	assert_int_equal(where(fdb, STRANGERS + BURST - 1), A);
	assert_int_equal(fdb->ports[A].stations, KNOWN + 1);
	assert_int_equal(fdb->ports[A].refused, 2 * (BURST - 1) - 1);
	fdb_port_flush(fdb, A);
	flood_with(fdb, 0, T0);
	assert_int_equal(where(fdb, 0), A);
	assert_int_equal(fdb->ports[A].stations, BURST);
	assert_int_equal(fdb->ports[A].refused, 2 * (BURST - 1) - 1);
	table_end(fdb);
}

static void addresses_of_others_are_told_from_strangers(void **state)
{
	struct fdb *fdb = full_table();
	uint16_t owner;
	uint8_t mac[6];

	fdb_port_flush(fdb, B);
	for (uint64_t i = 0; i < OTHERS; i++)
		assert_int_equal(pin(fdb, 5000 + i, B, &owner), 0);
	assert_true(n_astray(fdb, B) > 10);
	for (uint64_t i = 0; i < OTHERS; i++)
		flood_with(fdb, 5000 + i, T0);
	assert_int_equal(fdb->pinned, OTHERS);
	assert_int_equal(fdb->ports[A].refused, OTHERS * (BURST - 1));
	// One's own in each VLAN, though the table does not have it there.
	mac_of(9000, mac);
	assert_int_equal(fdb_own(fdb, mac, C, &owner), 0);
	for (uint16_t vlan = 1; vlan <= VLANS; vlan++)
		learn_vlan(fdb, 9000, vlan, A, T0);
	assert_int_equal(fdb->pinned, OTHERS + VLANS);
	mac_of(9001, mac);
	assert_int_equal(fdb_own(fdb, mac, A, &owner), 0);
	for (uint16_t vlan = 1; vlan <= VLANS; vlan++)
		learn_vlan(fdb, 9001, vlan, A, T0);
	assert_int_equal(fdb->pinned, OTHERS + VLANS);
	assert_int_equal(fdb->ports[A].refused, OTHERS * (BURST - 1) + VLANS);
	table_end(fdb);
}

static void port_below_its_quota_learns_what_comes(void **state)
{
	struct fdb *fdb = table(ROOM);

	fdb_port_set_quota(fdb, A, KNOWN);
	for (uint64_t first = 0; first < ROOM; first += 10) {
		for (unsigned i = 0; i < 10; i++)
			frame_set(&frames[i], 0, first + i, 0);
		fdb_learn_burst(fdb, frames, 10, A, T0);
	}
	for (uint64_t i = 0; i < ROOM; i++)
		assert_int_equal(where(fdb, i), i < KNOWN ? A : FDB_NO_SLOT);
	assert_int_equal(fdb->learned, KNOWN);
	assert_int_equal(fdb->ports[A].refused, (ROOM + 9) / 10 * 10 - KNOWN);
	table_end(fdb);
}

// Who cannot say how many are in their second bucket says that some may be.
static void buckets_that_have_lost_count_change_nothing(void **state)
{
	struct fdb *fdb = full_table();

	for (uint32_t b = 0; b < fdb->n_buckets; b++)
		fdb->strays[b] = FDB_STRAYS_MAX;
	for (uint64_t i = KNOWN; i < ROOM; i++)
		flood_with(fdb, i, T0);
	assert_int_equal(fdb->forgotten, OTHERS);
	assert_int_equal(fdb->ports[A].refused, OTHERS * BURST);
	for (uint64_t i = KNOWN; i < ROOM; i++)
		learn(fdb, i, B, T0);
	for (uint64_t i = 0; i < ROOM; i++)
		assert_int_equal(where(fdb, i), i < KNOWN ? A : B);
	for (uint32_t b = 0; b < fdb->n_buckets; b++)
		assert_int_equal(fdb->strays[b], FDB_STRAYS_MAX);
	table_end(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refused_frame_is_counted),
		cmocka_unit_test(known_stations_stay_while_they_send),
		cmocka_unit_test(station_that_comes_from_another_port_is_noticed_at_once),
		cmocka_unit_test(room_is_used_at_once),
		cmocka_unit_test(addresses_of_others_are_told_from_strangers),
		cmocka_unit_test(port_below_its_quota_learns_what_comes),
		cmocka_unit_test(buckets_that_have_lost_count_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Procs that learn and look up while others do, and while the main thread does its work. Takes
// two seconds of clock; no EAL. Built with -Db_sanitize=thread it must be silent, too.
#include <pthread.h>
#include <time.h>

#include "tests/unit/fdb_fixture.h"

/*
 * Several learners. Station i is bound to slot i % 64, so any other answer than that or
 * "unknown" is a torn one. The table is so full that stations are displaced and evicted all
 * the time; the main thread flushes, ages, pins, walks, copies meanwhile.
 */
enum { LEARNERS = 4, BOUND_SLOTS = 64, BOUND_STATIONS = 3000, BOUND_ROOM = 2048, PINS = 8 };

struct learner {
	pthread_t thread;
	struct fdb *fdb;
	_Atomic bool *stop;
	uint64_t random;
	uint64_t found;
	uint64_t unknown;
	uint64_t wrong;
	uint64_t pins_lost;
	struct vnbl frames[BURST];
};

static void learner_burst(struct learner *l, uint32_t now_s)
{
	uint16_t slot = l->random >> 50 & (BOUND_SLOTS - 1);
	uint64_t dst[BURST];
	uint8_t mac[6];

	for (unsigned i = 0; i < BURST; i++) {
		uint64_t n;

		l->random = l->random * 6364136223846793005ULL + 1442695040888963407ULL;
		n = (l->random >> 40) % (BOUND_STATIONS / BOUND_SLOTS) * BOUND_SLOTS + slot;
		dst[i] = (l->random >> 20) % BOUND_STATIONS;
		mac_of(n, l->frames[i].hdr + 6);
		mac_of(dst[i], l->frames[i].hdr);
	}
	fdb_learn_burst(l->fdb, l->frames, BURST, slot, now_s);
	fdb_lookup_burst(l->fdb, l->frames, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		if (l->frames[i].dst_slot == FDB_NO_SLOT)
			l->unknown++;
		else if (l->frames[i].dst_slot == dst[i] % BOUND_SLOTS)
			l->found++;
		else
			l->wrong++;
	}
	mac_of(BOUND_STATIONS + l->random % PINS, mac);
	l->pins_lost += fdb_lookup(l->fdb, mac, 0) != C;
}

static void *learner_run(void *arg)
{
	struct learner *l = arg;
	uint32_t now_s = T0;

	while (!atomic_load_explicit(l->stop, memory_order_relaxed))
		learner_burst(l, now_s++ / 64);
	return NULL;
}

static bool bound_check(const struct fdb_station *station, void *arg)
{
	uint64_t *wrong = arg;
	uint64_t number = 0;

	memcpy(&number, station->mac, 6);
	number >>= 8;
	*wrong += station->slot != (number < BOUND_STATIONS ? number % BOUND_SLOTS : C);
	return true;
}

static uint64_t disturb(struct fdb *fdb, unsigned round)
{
	struct fdb *copy;
	uint64_t wrong = 0;
	uint16_t owner;

	fdb_port_flush(fdb, round % BOUND_SLOTS);
	fdb_age(fdb, T0, 100);
	(void)pin(fdb, BOUND_STATIONS + PINS, C, &owner);
	fdb_walk(fdb, T0, bound_check, &wrong);
	if (round % 16 == 0) {
		copy = table(BOUND_ROOM);
		fdb_copy(copy, fdb);
		fdb_walk(copy, T0, bound_check, &wrong);
		for (uint64_t i = 0; i < PINS; i++)
			assert_int_equal(where(copy, BOUND_STATIONS + i), C);
		assert_true(copy->stations > 0);
		table_end(copy);
	}
	unpin(fdb, BOUND_STATIONS + PINS, 0);
	return wrong;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void several_learners_and_no_torn_result(void **state)
{
	static struct learner learners[LEARNERS];
	struct fdb *fdb = table(BOUND_ROOM);
	_Atomic bool stop = false;
	uint64_t end = now_ns() + 1000000000, found = 0, wrong = 0, lost = 0;
	uint16_t owner;

	for (uint16_t slot = 0; slot < BOUND_SLOTS; slot++)
		fdb_port_add(fdb, slot, BOUND_ROOM);
	for (uint64_t i = 0; i < PINS; i++)
		assert_int_equal(pin(fdb, BOUND_STATIONS + i, C, &owner), 0);
	for (unsigned i = 0; i < LEARNERS; i++) {
		learners[i].fdb = fdb;
		learners[i].stop = &stop;
		learners[i].random = i;
		for (unsigned k = 0; k < BURST; k++)
			frame_set(&learners[i].frames[k], 0, 0, 0);
		assert_int_equal(
			pthread_create(&learners[i].thread, NULL, learner_run, &learners[i]), 0);
	}
	for (unsigned round = 0; now_ns() < end; round++)
		wrong += disturb(fdb, round);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < LEARNERS; i++) {
		pthread_join(learners[i].thread, NULL);
		found += learners[i].found;
		wrong += learners[i].wrong;
		lost += learners[i].pins_lost;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(lost, 0);
	assert_true(found > 0);
	assert_true(fdb->evicted > 0);
	assert_true(fdb->moves > 0);
	table_end(fdb);
}

/*
 * A reader must find a station that is there all the time, however often it is displaced.
 * One thread keeps a nearly full table moving; the others look for stations that nobody
 * removes.
 */
enum { STABLE = 600, TRANSIENT = 219, MOVING_ROOM = 819 };

struct seeker {
	pthread_t thread;
	struct fdb *fdb;
	_Atomic bool *stop;
	uint64_t lost;
	uint64_t sought;
};

static void *seeker_run(void *arg)
{
	struct seeker *s = arg;
	uint8_t mac[6];

	while (!atomic_load_explicit(s->stop, memory_order_relaxed)) {
		mac_of(s->sought++ % STABLE, mac);
		s->lost += fdb_lookup(s->fdb, mac, 0) != A;
	}
	return NULL;
}

static void displaced_station_is_always_found(void **state)
{
	struct fdb *fdb = table(MOVING_ROOM);
	struct seeker seekers[2] = {0};
	_Atomic bool stop = false;
	uint64_t end = now_ns() + 500000000, next = 0;

	assert_int_equal(fdb->n_buckets * FDB_BUCKET_ENTRIES, 1024);
	for (uint64_t i = 0; i < STABLE; i++)
		learn(fdb, i, A, T0);
	for (unsigned i = 0; i < 2; i++) {
		seekers[i].fdb = fdb;
		seekers[i].stop = &stop;
		assert_int_equal(pthread_create(&seekers[i].thread, NULL, seeker_run, &seekers[i]),
				 0);
	}
	while (now_ns() < end) {
		for (unsigned i = 0; i < TRANSIENT; i++)
			learn(fdb, STABLE + next++ % 100000, B, T0);
		fdb_port_flush(fdb, B);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(seekers[i].thread, NULL);
		assert_true(seekers[i].sought > 0);
		assert_int_equal(seekers[i].lost, 0);
	}
	assert_true(fdb->moves > 0);
	assert_int_equal(fdb->evicted, 0);
	assert_int_equal(fdb->ports[A].stations, STABLE);
	table_end(fdb);
}

// Somebody sends from an address in all VLANs while it becomes and ceases to be another port's.
enum { THIEF_VLANS = 8, STOLEN = 1 };

struct thief {
	pthread_t thread;
	struct fdb *fdb;
	_Atomic bool *stop;
	struct vnbl frames[THIEF_VLANS];
};

static void *thief_run(void *arg)
{
	struct thief *t = arg;

	while (!atomic_load_explicit(t->stop, memory_order_relaxed))
		fdb_learn_burst(t->fdb, t->frames, THIEF_VLANS, B, T0);
	return NULL;
}

static void an_owned_address_cannot_be_taken_at_the_last_moment(void **state)
{
	static struct thief thief;
	struct fdb *fdb = table(STATIONS);
	_Atomic bool stop = false;
	uint64_t end = now_ns() + 500000000, stolen = 0;
	uint16_t owner;
	uint8_t mac[6];

	mac_of(STOLEN, mac);
	thief.fdb = fdb;
	thief.stop = &stop;
	for (uint16_t i = 0; i < THIEF_VLANS; i++)
		frame_set(&thief.frames[i], 0, STOLEN, i + 1);
	assert_int_equal(pthread_create(&thief.thread, NULL, thief_run, &thief), 0);
	while (now_ns() < end) {
		assert_int_equal(fdb_own(fdb, mac, A, &owner), 0);
		for (uint16_t i = 0; i < THIEF_VLANS; i++)
			stolen += fdb_lookup(fdb, mac, i + 1) != FDB_NO_SLOT;
		fdb_disown(fdb, A);
	}
	atomic_store(&stop, true);
	pthread_join(thief.thread, NULL);
	assert_int_equal(stolen, 0);
	assert_true(fdb->learned > 0);
	assert_true(fdb->pinned > 0);
	table_end(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_owned_address_cannot_be_taken_at_the_last_moment),
		cmocka_unit_test(several_learners_and_no_torn_result),
		cmocka_unit_test(displaced_station_is_always_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// What a port announces by itself: places, their time, and procs that come at once. Built with
// -Db_sanitize=thread it must be silent, too.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "switch/guard_learn.h"

static struct guard_learn *learn;

static int empty(void **state)
{
	learn = guard_learn_create();
	return learn != NULL ? 0 : -1;
}

static int gone(void **state)
{
	guard_learn_destroy(learn);
	return 0;
}

static bool admit(unsigned limit, uint64_t address, uint32_t now_s)
{
	uint64_t words[2] = {~address, address};

	return guard_learn_admit(learn, limit, (const uint8_t *)words, now_s);
}

// Entries in use within the limit.
static unsigned used(unsigned limit)
{
	unsigned n = 0;

	for (unsigned i = 0; i < limit; i++)
		n += GUARD_LEARN_PHASE(learn->entries[i].state) == GUARD_LEARN_USED;
	return n;
}

static void places_are_taken_in_order(void **state)
{
	for (uint64_t i = 0; i < GUARD_LEARN_MAX; i++) {
		assert_true(admit(GUARD_LEARN_MAX, i, 5));
		assert_int_equal(learn->entries[i].address[1], i);
	}
	assert_false(admit(GUARD_LEARN_MAX, 99, 5));
	for (uint64_t i = 0; i < GUARD_LEARN_MAX; i++)
		assert_true(admit(GUARD_LEARN_MAX, i, 5));
	assert_int_equal(used(GUARD_LEARN_MAX), GUARD_LEARN_MAX);
}

static void both_halves_of_an_address_count(void **state)
{
	uint64_t words[2] = {~1ULL, 1};

	assert_true(guard_learn_admit(learn, 1, (const uint8_t *)words, 5));
	for (unsigned bit = 0; bit < 128; bit++) {
		words[bit / 64] ^= 1ULL << bit % 64;
		assert_false(guard_learn_admit(learn, 1, (const uint8_t *)words, 5));
		words[bit / 64] ^= 1ULL << bit % 64;
	}
	assert_true(guard_learn_admit(learn, 1, (const uint8_t *)words, 5));
}

static void a_smaller_limit_is_about_the_first_ones(void **state)
{
	for (uint64_t i = 0; i < 8; i++)
		assert_true(admit(8, i, 5));
	assert_true(admit(4, 3, 5));
	assert_false(admit(4, 4, 5));
	assert_true(admit(8, 4, 5));
	assert_true(admit(9, 8, 5));
}

static void silence_frees_a_place(void **state)
{
	assert_true(admit(2, 1, 100));
	assert_true(admit(2, 2, 100));
	assert_true(admit(2, 1, 100 + GUARD_LEARN_SILENCE_S - 1));
	assert_false(admit(2, 3, 100 + GUARD_LEARN_SILENCE_S - 1));
	assert_true(admit(2, 3, 100 + GUARD_LEARN_SILENCE_S));
	assert_false(admit(2, 2, 100 + GUARD_LEARN_SILENCE_S));
	// Whose place nobody took is still there, however late.
	assert_true(admit(2, 1, 100000));
	assert_int_equal(used(2), 2);
}

// Clocks of procs differ by some seconds: one that is behind takes nothing back.
static void a_clock_that_is_behind_forgets_nothing(void **state)
{
	assert_true(admit(1, 1, 1000));
	assert_true(admit(1, 1, 990));
	assert_int_equal(GUARD_LEARN_SEEN(learn->entries[0].state), 1000);
	assert_false(admit(1, 2, 990));
	assert_false(admit(1, 2, 990 + GUARD_LEARN_SILENCE_S));
}

// An entry that another proc has in its hands is nobody else's.
static void what_is_being_written_is_left_alone(void **state)
{
	atomic_store(&learn->entries[0].state, GUARD_LEARN_WRITING);
	assert_false(admit(1, 1, 100000));
	assert_true(admit(2, 1, 100000));
	assert_int_equal(learn->entries[1].address[1], 1);
	assert_int_equal(learn->entries[0].state, GUARD_LEARN_WRITING);
}

enum { ROUNDS = 200000, LIMIT = 8, STATIONS = 16 };

// The other of two procs; 'round' is what it is to do, 'done' what it has done.
struct learner {
	_Atomic unsigned round, done;
	uint64_t admitted; // in the round that is done; a bit for each address
};

// In each round all places are free, for what was there before has been silent for too long.
static uint32_t time_of(unsigned round)
{
	return 1000 + round * GUARD_LEARN_SILENCE_S;
}

static void wait_for(_Atomic unsigned *round, unsigned number)
{
	for (unsigned spins = 0; atomic_load(round) < number; spins++)
		if (spins >= 1000)
			sched_yield();
}

// Both ask for the same addresses in the same order, so that they meet.
static uint64_t ask(unsigned round)
{
	uint64_t admitted = 0;

	for (unsigned i = 0; i < 2 * STATIONS; i++) {
		unsigned address = (i + round * 5) % STATIONS;

		if (admit(LIMIT, address, time_of(round)))
			admitted |= 1ULL << address;
	}
	return admitted;
}

static void *learner_run(void *arg)
{
	struct learner *l = arg;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		wait_for(&l->round, round);
		l->admitted = ask(round);
		atomic_store(&l->done, round);
	}
	return NULL;
}

// The places hold what was admitted, each once.
static void assert_places(uint64_t admitted, uint32_t now_s)
{
	uint64_t places = 0;

	for (unsigned i = 0; i < LIMIT; i++) {
		const struct guard_learned *e = &learn->entries[i];

		assert_int_equal(GUARD_LEARN_PHASE(e->state), GUARD_LEARN_USED);
		assert_int_equal(GUARD_LEARN_SEEN(e->state), now_s);
		assert_int_equal(e->address[0], ~e->address[1]);
		assert_int_equal(places >> e->address[1] & 1, 0);
		places |= 1ULL << e->address[1];
	}
	assert_int_equal(places, admitted);
}

static void procs_admit_no_more_than_the_limit(void **state)
{
	struct learner other = {.round = 0};
	_Atomic unsigned waste = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, learner_run, &other), 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		uint64_t admitted;

		atomic_store(&other.round, round);
		// The other one sees it some time later; sometimes they begin at once.
		for (unsigned i = 0; i < round % 128; i++)
			atomic_load(&waste);
		admitted = ask(round);
		wait_for(&other.done, round);
		assert_places(admitted | other.admitted, time_of(round));
	}
	pthread_join(thread, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, gone)
	const struct CMUnitTest tests[] = {
		TEST(places_are_taken_in_order),
		TEST(both_halves_of_an_address_count),
		TEST(a_smaller_limit_is_about_the_first_ones),
		TEST(silence_frees_a_place),
		TEST(a_clock_that_is_behind_forgets_nothing),
		TEST(what_is_being_written_is_left_alone),
		TEST(procs_admit_no_more_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

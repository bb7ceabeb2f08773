// Needs nothing: the switch under test is a number.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/search.h"

struct dut {
	double limit;        // loads up to it pass
	unsigned flaky;      // each n-th trial fails anyway; 0: none
	unsigned trials;     // so far
	double tried[10000]; // loads
};

static struct dut dut;

static double run(struct search *s, double limit, unsigned flaky)
{
	double load;

	dut = (struct dut){.limit = limit, .flaky = flaky};
	while (search_next(s, &load)) {
		bool stalled = flaky && dut.trials % flaky == flaky - 1;

		assert_true(dut.trials < 10000);
		assert_true(load > 0);
		dut.tried[dut.trials++] = load;
		search_result(s, load <= limit && !stalled);
	}
	assert_int_equal(dut.trials, s->trials);
	assert_false(search_next(s, &load));
	return s->low;
}

static void high_passes_at_once(void **state)
{
	struct search s;

	search_init(&s, 0, 10, 0.01, 0, 3);
	assert_true(run(&s, 10, 0) == 10);
	assert_int_equal(dut.trials, 1);
}

static void finds_any_limit_within_the_resolution(void **state)
{
	for (double limit = 1; limit < 100; limit += 0.37) {
		struct search s;
		double low;

		search_init(&s, 0, 100, 0.01, 0, 2);
		low = run(&s, limit, 0);
		assert_true(low <= limit);
		assert_true(limit - low <= 0.0101 * limit);
		// Two trials for a load that fails, one for a load that passes.
		assert_true(dut.trials <= 2 * 15);
		assert_true(dut.tried[0] == 100 && dut.tried[1] == 100);
	}
}

static void one_stall_does_not_fail_a_load(void **state)
{
	struct search s;
	double steady;

	search_init(&s, 0, 64, 0.01, 0, 2);
	steady = run(&s, 23, 0);
	search_init(&s, 0, 64, 0.01, 0, 2);
	// Every third trial stalls: no load that passes is failed twice in a row.
	assert_true(run(&s, 23, 3) == steady);
	search_init(&s, 0, 64, 0.01, 0, 1);
	assert_true(run(&s, 23, 3) < steady);
}

static void stops_when_nothing_passes(void **state)
{
	struct search s;

	search_init(&s, 0, 1e7, 0.01, 0, 3);
	assert_true(run(&s, 0, 0) == 0);
	assert_true(dut.trials <= 3 * 20);
	search_init(&s, 0, 1e7, 0, 0, 1);
	assert_true(run(&s, 0, 0) == 0);
}

static void without_resolution_it_is_exact(void **state)
{
	struct search s;

	search_init(&s, 0, 1u << 20, 0, 1, 1);
	assert_true(run(&s, 12345, 0) == 12345);
	search_init(&s, 0, 1u << 20, 0, 1, 1);
	assert_true(run(&s, 1, 0) == 1);
}

static void loads_are_multiples_of_the_step(void **state)
{
	for (unsigned limit = 1; limit <= 1024; limit += 13) {
		struct search s;

		search_init(&s, 0, 1000, 0, 32, 1);
		assert_true(run(&s, limit, 0) == (limit > 992 ? 992 : limit / 32 * 32));
		for (unsigned i = 0; i < dut.trials; i++)
			assert_int_equal((unsigned)dut.tried[i] % 32, 0);
	}
	struct search s;
	search_init(&s, 0, 0.3, 0, 0.1, 1);
	assert_true(run(&s, 1, 0) > 0.29);
}

static void low_is_taken_to_pass(void **state)
{
	struct search s;

	search_init(&s, 50, 100, 0.01, 0, 1);
	assert_true(run(&s, 10, 0) == 50);
	for (unsigned i = 0; i < dut.trials; i++)
		assert_true(dut.tried[i] > 50);
}

static void nothing_to_try(void **state)
{
	struct search s;

	search_init(&s, 100, 100, 0.01, 0, 1);
	assert_true(run(&s, 1000, 0) == 100);
	search_init(&s, 0, 31, 0.01, 32, 1);
	assert_true(run(&s, 1000, 0) == 0);
	assert_int_equal(s.trials, 0);
}

// Asking again changes nothing until there is a result.
static void load_stays_until_it_has_a_result(void **state)
{
	struct search s;
	double load, again;

	search_init(&s, 0, 8, 0.01, 0, 2);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(search_next(&s, &load));
		assert_true(search_next(&s, &again));
		assert_true(load == again);
		search_result(&s, false);
	}
	assert_true(load == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(high_passes_at_once),
		cmocka_unit_test(finds_any_limit_within_the_resolution),
		cmocka_unit_test(one_stall_does_not_fail_a_load),
		cmocka_unit_test(stops_when_nothing_passes),
		cmocka_unit_test(without_resolution_it_is_exact),
		cmocka_unit_test(loads_are_multiples_of_the_step),
		cmocka_unit_test(low_is_taken_to_pass),
		cmocka_unit_test(nothing_to_try),
		cmocka_unit_test(load_stays_until_it_has_a_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

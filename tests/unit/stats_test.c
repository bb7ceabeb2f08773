// Needs nothing.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/stats.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool near(double a, double b)
{
	double d = a - b;

	return d < 1e-9 && d > -1e-9;
}

static void summary_of_few(void **state)
{
	double none[1], one[] = {3}, two[] = {4, 2}, five[] = {9, 1, 5, 3, 7};
	double huge[] = {1.5e308, -1.5e308};
	struct stats_summary s;

	stats_summarize(none, 0, &s);
	assert_int_equal(s.n, 0);
	assert_true(isnan(s.min) && isnan(s.q1) && isnan(s.median) && isnan(s.q3) && isnan(s.max));
	stats_summarize(one, 1, &s);
	assert_true(s.min == 3 && s.q1 == 3 && s.median == 3 && s.q3 == 3 && s.max == 3);
	stats_summarize(two, 2, &s);
	assert_true(s.min == 2 && s.q1 == 2.5 && s.median == 3 && s.q3 == 3.5 && s.max == 4);
	stats_summarize(five, 5, &s);
	assert_int_equal(s.n, 5);
	assert_true(s.min == 1 && s.q1 == 3 && s.median == 5 && s.q3 == 7 && s.max == 9);
	stats_summarize(huge, 2, &s);
	assert_true(s.min < s.q1 && s.q1 < s.median && s.median < s.q3 && s.q3 < s.max);
}

// Ranks and confidences for 95 %, as tables of the sign test have them.
static void interval_is_that_of_the_sign_test(void **state)
{
	static const struct {
		size_t n;
		size_t rank;
		double confidence;
	} rows[] = {
		{1, 1, 0},
		{2, 1, 0.5},
		{3, 1, 0.75},
		{5, 1, 0.9375},
		{6, 1, 0.96875},
		{8, 1, 0.9921875},
		{9, 2, 0.9609375},
		{10, 2, 0.978515625},
		{15, 4, 0.96484375},
		{20, 6, 0.9586105346679688},
		{100, 40, 0.96479979978},
		{101, 41, 0.95395593307},
	};
	double values[101];

	for (unsigned r = 0; r < N(rows); r++) {
		struct stats_interval i;

		// In disorder: 7 divides none of the n.
		for (size_t k = 0; k < rows[r].n; k++)
			values[k] = (double)(k * 7 % rows[r].n + 1);
		stats_median_interval(values, rows[r].n, 0.95, &i);
		assert_true(near(i.low, (double)rows[r].rank));
		assert_true(near(i.high, (double)(rows[r].n + 1 - rows[r].rank)));
		assert_true(near(i.median, (double)(rows[r].n + 1) / 2));
		assert_true(i.confidence > rows[r].confidence - 1e-9);
		assert_true(i.confidence < rows[r].confidence + 1e-9);
	}
}

static void many_values_do_not_underflow(void **state)
{
	static double values[100000];
	struct stats_interval i;

	for (size_t k = 0; k < N(values); k++)
		values[k] = (double)k;
	stats_median_interval(values, N(values), 0.99, &i);
	assert_true(i.confidence >= 0.99 && i.confidence < 0.991);
	// 2.576 standard deviations of sqrt(n) / 2 = 158.
	assert_true(i.low > 50000 - 412 && i.low < 50000 - 403);
	assert_true(i.high < 50000 + 412 && i.high > 50000 + 403);
	// More confidence than so many samples can give in steps of one rank: never 1.
	stats_median_interval(values, 20, 1, &i);
	assert_true(i.low == 0 && i.high == 19);
}

// The true median lies in the interval as often as it says, whatever the distribution is.
static void interval_holds_the_median_as_often_as_promised(void **state)
{
	uint64_t x = 88172645463325252ull;
	unsigned held = 0, rounds = 20000;

	for (unsigned r = 0; r < rounds; r++) {
		struct stats_interval i;
		double values[11];

		for (unsigned k = 0; k < 11; k++) {
			double u;
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			u = (double)(x >> 11) / 9007199254740992.0;
			values[k] = 1 / (1.000001 - u); // heavy tail, median 2
		}
		stats_median_interval(values, 11, 0.95, &i);
		held += i.low <= 2.000001 && i.high >= 1.999999;
	}
	// 98.83 % for 11 values; the fixed sequence makes this exact from run to run.
	assert_in_range(held, rounds * 984 / 1000, rounds * 992 / 1000);
}

static enum stats_verdict compare(double factor, double noise, size_t n, struct stats_interval *i)
{
	double old_values[100], new_values[100];

	for (size_t k = 0; k < n; k++) {
		old_values[k] = 10 + (double)(k % 4); // drift that both share
		new_values[k] = old_values[k] * (factor + (k % 2 ? noise : -noise));
	}
	return stats_compare(old_values, new_values, n, 0.95, 0.02, i);
}

static void verdicts(void **state)
{
	struct stats_interval i;

	assert_int_equal(compare(1, 0, 10, &i), STATS_SAME);
	assert_true(i.median == 1 && i.low == 1 && i.high == 1);
	assert_int_equal(compare(1, 0.015, 10, &i), STATS_SAME);
	assert_int_equal(compare(1, 0.03, 10, &i), STATS_UNKNOWN);  // holds 1, but may be slower
	assert_int_equal(compare(0.99, 0.001, 10, &i), STATS_SAME); // within the tolerance
	assert_int_equal(compare(0.9, 0.05, 10, &i), STATS_SLOWER);
	assert_true(near(i.median, 0.9) && near(i.low, 0.85) && near(i.high, 0.95));
	assert_int_equal(compare(1.1, 0.05, 10, &i), STATS_FASTER);
	assert_int_equal(compare(0.97, 0.015, 10, &i), STATS_UNKNOWN); // on the edge
	assert_int_equal(compare(0.9525, 0.0475, 10, &i), STATS_UNKNOWN);
	assert_true(near(i.low, 0.905) && near(i.high, 1)); // reaches 1, and is likely slower
	assert_int_equal(compare(1.03, 0.045, 10, &i), STATS_UNKNOWN); // not slower, perhaps faster
	assert_int_equal(compare(1, 0.5, 10, &i), STATS_UNKNOWN);      // anything may be
	assert_int_equal(compare(0.5, 0, 5, &i), STATS_UNKNOWN);       // too few
	assert_int_equal(compare(0.5, 0, 6, &i), STATS_SLOWER);
}

static void one_wild_pair_changes_no_verdict(void **state)
{
	double old_values[10], new_values[10];
	struct stats_interval i;

	for (size_t k = 0; k < 10; k++) {
		old_values[k] = 10;
		new_values[k] = 9;
	}
	new_values[3] = 1000;
	assert_int_equal(stats_compare(old_values, new_values, 10, 0.95, 0.02, &i), STATS_SLOWER);
	assert_true(i.high < 0.91);
}

static void zeros_have_ratios_too(void **state)
{
	static const double zero[8] = {0}, some[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct stats_interval i;

	assert_int_equal(stats_compare(zero, zero, 8, 0.95, 0.02, &i), STATS_SAME);
	assert_true(i.low == 1 && i.high == 1);
	assert_int_equal(stats_compare(some, zero, 8, 0.95, 0.02, &i), STATS_SLOWER);
	assert_true(i.low == 0 && i.high == 0);
	assert_int_equal(stats_compare(zero, some, 8, 0.95, 0.02, &i), STATS_FASTER);
	assert_true(isinf(i.low) && isinf(i.median) && isinf(i.high));
}

static void pairs_without_a_ratio_are_left_out(void **state)
{
	static const double old_values[] = {-1, 10, 10, 10, 10, 10, 10, 10};
	static const double new_values[] = {10, 5, 5, 5, 0, 5, 5, -10};
	struct stats_interval i;

	assert_int_equal(stats_compare(old_values, new_values, 8, 0.95, 0.02, &i), STATS_SLOWER);
	assert_true(i.median == 0.5 && i.low == 0 && i.confidence < 0.97);
	assert_int_equal(stats_compare(old_values, new_values, 1, 0.95, 0.02, &i), STATS_UNKNOWN);
	assert_true(isnan(i.median) && isnan(i.low) && isnan(i.high));
	assert_int_equal(stats_compare(old_values, new_values, 0, 0.95, 0.02, &i), STATS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summary_of_few),
		cmocka_unit_test(interval_is_that_of_the_sign_test),
		cmocka_unit_test(many_values_do_not_underflow),
		cmocka_unit_test(interval_holds_the_median_as_often_as_promised),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(one_wild_pair_changes_no_verdict),
		cmocka_unit_test(zeros_have_ratios_too),
		cmocka_unit_test(pairs_without_a_ratio_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

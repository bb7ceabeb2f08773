// Needs nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/hist.h"

static struct hist a, b;

static void nothing_recorded(void **state)
{
	hist_clear(&a);
	assert_int_equal(hist_percentile(&a, 0.5), 0);
	assert_true(hist_mean(&a) == 0);
	hist_clear(&b);
	hist_merge(&a, &b);
	assert_int_equal(a.n, 0);
	assert_true(a.min == UINT64_MAX);
	assert_int_equal(a.max, 0);
}

// Every value at and beside each power of two lies in the bucket whose upper edge is the next one
// not below it, and the edge is at most 1/64 above the value.
static void error_is_bounded_at_any_magnitude(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int off = -2; off <= 2; off++) {
			uint64_t value = (1ull << bit) + (uint64_t)(int64_t)off;
			uint64_t edge;

			if (bit < 2 && off < 0)
				continue;
			hist_clear(&a);
			hist_add(&a, value);
			hist_add(&a, UINT64_MAX);
			edge = hist_percentile(&a, 0.5);
			assert_true(edge >= value);
			assert_true(edge - value <= value / 64);
			assert_true(hist_bucket(edge) == hist_bucket(value));
			if (edge != UINT64_MAX)
				assert_int_equal(hist_bucket(edge + 1), hist_bucket(value) + 1);
		}
	}
	assert_int_equal(hist_bucket(UINT64_MAX), (HIST_MAGNITUDES << HIST_SUB_BITS) - 1);
}

static void small_values_are_exact(void **state)
{
	hist_clear(&a);
	for (uint64_t v = 0; v < 100; v++)
		hist_add(&a, v);
	for (unsigned p = 1; p <= 100; p++)
		assert_int_equal(hist_percentile(&a, p / 100.0), p - 1);
	assert_int_equal(hist_percentile(&a, 0), 0);
	assert_true(hist_mean(&a) == 49.5);
	assert_int_equal(a.min, 0);
	assert_int_equal(a.max, 99);
}

static void rare_values_show_only_beyond_their_part(void **state)
{
	hist_clear(&a);
	for (unsigned i = 0; i < 999; i++)
		hist_add(&a, 10);
	hist_add(&a, 1000000);
	assert_int_equal(hist_percentile(&a, 0.5), 10);
	assert_int_equal(hist_percentile(&a, 0.999), 10);
	// The edge of its bucket would be above the maximum.
	assert_int_equal(hist_percentile(&a, 0.9991), 1000000);
	assert_int_equal(hist_percentile(&a, 1), 1000000);
}

static void merged_is_as_if_recorded_in_one(void **state)
{
	struct hist *const parts[2] = {&a, &b};
	static struct hist whole;

	hist_clear(&a);
	hist_clear(&b);
	hist_clear(&whole);
	for (uint64_t i = 1; i < 2000; i++) {
		hist_add(parts[i % 3 == 0], i * i * i);
		hist_add(&whole, i * i * i);
	}
	hist_merge(&a, &b);
	assert_memory_equal(&a, &whole, sizeof(a));
	hist_clear(&b);
	hist_merge(&b, &a);
	assert_memory_equal(&b, &whole, sizeof(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_recorded),
		cmocka_unit_test(error_is_bounded_at_any_magnitude),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(rare_values_show_only_beyond_their_part),
		cmocka_unit_test(merged_is_as_if_recorded_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

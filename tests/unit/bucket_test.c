// Needs nothing: pure arithmetic.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "qos/bucket.h"

enum { TICKS = 1000 };

static void full_bucket_gives_its_burst(void **state)
{
	struct bucket b;

	bucket_init(&b, 1, 3, TICKS, 0);
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, 1, 0));
	assert_false(bucket_take(&b, 1, 0));
}

static void tokens_come_back_at_the_rate(void **state)
{
	struct bucket b;

	bucket_init(&b, 2, 3, TICKS, 0);
	assert_true(bucket_take(&b, 3, 0));
	assert_false(bucket_take(&b, 1, TICKS / 2 - 1));
	assert_true(bucket_take(&b, 1, TICKS / 2));
	assert_false(bucket_take(&b, 1, TICKS / 2));
	assert_true(bucket_take(&b, 3, 10 * TICKS));
	assert_false(bucket_take(&b, 1, 10 * TICKS));
}

static void refused_takes_nothing(void **state)
{
	struct bucket b;

	bucket_init(&b, 1, 2, TICKS, 0);
	assert_false(bucket_take(&b, 3, 0));
	assert_true(bucket_take(&b, 2, 0));
}

static void long_pause_and_clock_going_back(void **state)
{
	struct bucket b;

	bucket_init(&b, UINT64_MAX / 2, 2, TICKS, 5);
	assert_true(bucket_take(&b, 2, 5));
	assert_false(bucket_take(&b, 1, 4));
	assert_true(bucket_take(&b, 2, UINT64_MAX));
	assert_false(bucket_take(&b, 1, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_bucket_gives_its_burst),
		cmocka_unit_test(tokens_come_back_at_the_rate),
		cmocka_unit_test(refused_takes_nothing),
		cmocka_unit_test(long_pause_and_clock_going_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

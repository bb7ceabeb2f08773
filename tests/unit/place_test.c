// Needs nothing: a pure decision.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmq/place.h"

static void no_proc_no_place(void **state)
{
	assert_int_equal(place_new_queue(NULL, 0), PLACE_NONE);
}

static void fewest_queues_win_then_lowest_number(void **state)
{
	const uint32_t uneven[] = {3, 1, 2, 1};
	const uint32_t even[] = {4, 4, 4};

	assert_int_equal(place_new_queue(uneven, 4), 1);
	assert_int_equal(place_new_queue(even, 3), 0);
	assert_int_equal(place_new_queue(uneven, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_proc_no_place),
		cmocka_unit_test(fewest_queues_win_then_lowest_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

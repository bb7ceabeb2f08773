/*
 * Commands that a test expects to be done, or refused for a reason, on a configuration of its own.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_fixture.h"

static inline int setup(void **state)
{
	return conf_create((struct conf **)state);
}

static inline int teardown(void **state)
{
	conf_destroy(*state);
	return 0;
}

static inline void run(struct conf *c, const char *line)
{
	struct errtext e = {.text = ""};
	struct conf_edit edit;
	uint32_t column;
	int err = conf_fixture_run(c, line, &edit, &e, &column);

	if (err != 0)
		print_error("%s: column %u: %s\n", line, column, e.text);
	assert_int_equal(err, 0);
}

// The line is refused with these words at this column, and changes nothing.
static inline void refuse(struct conf *c, const char *line, int err, uint32_t where,
			  const char *words)
{
	struct errtext e = {.text = ""};
	char *before = conf_fixture_text(c), *after;
	struct conf_edit edit;
	uint32_t column;

	assert_int_equal(conf_fixture_run(c, line, &edit, &e, &column), err);
	if (strstr(e.text, words) == NULL || column != where)
		print_error("%s: column %u: %s\n", line, column, e.text);
	assert_non_null(strstr(e.text, words));
	assert_int_equal(column, where);
	after = conf_fixture_text(c);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

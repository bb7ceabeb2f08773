#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/out.h"

static const struct out_column columns[] = {
	{"name", "NAME"},
	{"n", "COUNT", .right = true},
	{"hidden", NULL},
	{"why", "WHY"},
};

static char *write_table(bool json, const struct out_column *cols, unsigned n_rows)
{
	struct out out;
	size_t size;
	char *text;

	out_init(&out, json);
	out_begin(&out);
	out_value(&out, "first", json_true());
	out_table_begin(&out, "rows", cols, 4);
	if (n_rows > 0)
		out_row(&out, json_pack("{s:s, s:i, s:b, s:s}", "name", "caf\xc3\xa9", "n", 7,
					"hidden", 1, "why", ""));
	if (n_rows > 1)
		out_row(&out, json_pack("{s:s, s:I, s:n}", "name", "longer name", "n",
					(json_int_t)1 << 40, "why"));
	out_table_end(&out);
	out_end(&out);
	assert_false(out.failed);
	text = out_take(&out, &size);
	out_fini(&out);
	text = realloc(text, size + 1);
	text[size] = '\0';
	return text;
}

static void tables_are_as_wide_as_they_need(void **state)
{
	char *text = write_table(false, columns, 2);

	assert_string_equal(text, "NAME                 COUNT  WHY\n"
				  "caf\xc3\xa9                     7\n"
				  "longer name  1099511627776  -\n");
	free(text);
	text = write_table(false, columns, 0);
	assert_string_equal(text, "");
	free(text);
}

static void fixed_widths_come_row_by_row(void **state)
{
	static const struct out_column fixed[] = {{"name", "NAME", 6},
						  {"n", "COUNT", 5, .right = true},
						  {"hidden", NULL},
						  {"why", "WHY", 3}};
	char *text = write_table(false, fixed, 2);

	assert_string_equal(text, "NAME    COUNT  WHY\n"
				  "caf\xc3\xa9        7\n"
				  "longer name  1099511627776  -\n");
	free(text);
}

static void json_has_everything(void **state)
{
	for (unsigned n = 0; n < 3; n++) {
		char *text = write_table(true, columns, n);
		json_t *value = json_loads(text, 0, NULL);
		const json_t *rows = json_object_get(value, "rows");

		assert_non_null(value);
		assert_true(json_is_true(json_object_get(value, "first")));
		assert_int_equal(json_array_size(rows), n);
		if (n > 0)
			assert_true(
				json_is_true(json_object_get(json_array_get(rows, 0), "hidden")));
		json_decref(value);
		free(text);
	}
}

static void strings_of_any_bytes(void **state)
{
	json_t *value = out_string("a\xff"
				   "b");

	assert_string_equal(json_string_value(value), "a?b");
	json_decref(value);
	value = out_string("caf\xc3\xa9");
	assert_string_equal(json_string_value(value), "caf\xc3\xa9");
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_as_wide_as_they_need),
		cmocka_unit_test(fixed_widths_come_row_by_row),
		cmocka_unit_test(json_has_everything),
		cmocka_unit_test(strings_of_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

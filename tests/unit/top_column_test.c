// Needs nothing.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "debugshell/top_column.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void numbers(void **state)
{
	static const struct {
		enum top_kind kind;
		double number;
		unsigned width;
		const char *want;
	} rows[] = {
		{TOP_RATE, 0, 6, "0"},
		{TOP_RATE, 0.4, 6, "0.4"},
		{TOP_RATE, 9.94, 6, "9.9"},
		{TOP_RATE, 9.96, 6, "10"},
		{TOP_RATE, 999999, 6, "999999"},
		{TOP_RATE, 1000000, 6, "1000k"},
		{TOP_RATE, 1234567, 6, "1235k"},
		{TOP_RATE, 1234567, 7, "1234567"},
		{TOP_RATE, 123456789, 6, "123.5M"},
		{TOP_RATE, 1e12, 6, "1000G"},
		{TOP_SHARE, 0, 6, "0.0"},
		{TOP_SHARE, 99.96, 6, "100.0"},
		{TOP_SHARE, 123456.7, 6, "123457"},
		{TOP_SHARE, 1234567.8, 6, "1235k"},
		{TOP_SHARE, 99.9, 3, "100"},
		{TOP_COUNT, 1234567, 4, "1234567"},
	};

	for (unsigned i = 0; i < N(rows); i++)
		assert_string_equal(top_number(rows[i].kind, rows[i].number, rows[i].width).s,
				    rows[i].want);
}

static void cells(void **state)
{
	static const struct top_column word = {"Word", "word", TOP_WORD, 4, 9, true};
	static const struct top_column number = {"Number", "number", TOP_RATE, 4, 9, false};
	const struct top_value none = {NULL, NAN}, seven = {NULL, 7}, name = {"vm1", NAN};

	assert_string_equal(top_cell(&word, &name, 5).s, "vm1  ");
	assert_string_equal(top_cell(&word, &name, 2).s, "vm");
	assert_string_equal(top_cell(&word, &name, 0).s, "");
	assert_string_equal(top_cell(&word, &none, 3).s, "-  ");
	assert_string_equal(top_cell(&number, &none, 3).s, "  -");
	assert_string_equal(top_cell(&number, &seven, 5).s, "  7.0");
	assert_string_equal(top_head(&word, 6).s, "Word  ");
	assert_string_equal(top_head(&number, 8).s, "  Number");
	assert_string_equal(top_head(&number, 3).s, "Num");
}

// Characters are counted, not bytes.
static void texts_of_more_bytes(void **state)
{
	assert_string_equal(top_fit("grün", 6, false).s, "grün  ");
	assert_string_equal(top_fit("grün", 6, true).s, "  grün");
	assert_string_equal(top_fit("grün", 3, false).s, "grü");
	assert_string_equal(top_fit("grün", 2, false).s, "gr");
	assert_int_equal(strlen(top_fit("", 1000, false).s), 120);
}

// Whatever the window: no line is longer, and no column wider than it can use.
static void widths_fit(void **state)
{
	struct top_row row = {.order = 0};
	const struct top_table table = {1, &row};
	unsigned widths[TOP_COLUMNS_MAX];

	for (unsigned i = 0; i < TOP_COLUMNS_MAX; i++)
		row.v[i] = (struct top_value){"a word that is longer than any column but one", NAN};
	for (unsigned t = 0; t < TOP_TABLES; t++) {
		const struct top_columns *columns = top_columns(t);

		for (unsigned room = 1; room < 300; room++) {
			unsigned sum = 0, used = 0;

			top_widths(columns, &table, room, widths);
			for (unsigned i = 0; i < columns->n; i++) {
				sum += widths[i];
				used += widths[i] > 0;
				assert_true(i + 1 == columns->n ||
					    widths[i] <= columns->columns[i].wide);
			}
			assert_true(used > 0 && sum + used - 1 <= room);
		}
	}
}

// What is there on every terminal: 80 columns.
static void all_columns_in_80(void **state)
{
	const struct top_table none = {0, NULL};
	unsigned widths[TOP_COLUMNS_MAX];

	for (unsigned t = 0; t < TOP_TABLES; t++) {
		const struct top_columns *columns = top_columns(t);

		top_widths(columns, &none, 80, widths);
		for (unsigned i = 0; i < columns->n; i++)
			assert_true(widths[i] >= columns->columns[i].narrow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(cells),
		cmocka_unit_test(texts_of_more_bytes),
		cmocka_unit_test(widths_fit),
		cmocka_unit_test(all_columns_in_80),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

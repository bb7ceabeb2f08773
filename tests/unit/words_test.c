#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/words.h"

static void check(const char *line, unsigned n, const char *const words[], const uint32_t columns[])
{
	struct errtext e = {.text = ""};
	struct words w;
	uint32_t column;

	assert_int_equal(words_split(&w, line, strlen(line), &e, &column), 0);
	assert_int_equal(w.n, n);
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(w.text[i], words[i]);
		assert_int_equal(w.column[i], columns[i]);
	}
	words_fini(&w);
}

#define CHECK(line, n, columns, ...)                                                               \
	check(line, n, (const char *const[]){__VA_ARGS__}, (const uint32_t[])columns)
#define C(...)                                                                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void splits_at_blanks(void **state)
{
	CHECK("", 0, C(0), "");
	CHECK("   \t ", 0, C(0), "");
	CHECK("a", 1, C(1), "a");
	CHECK("  a\tbc  d ", 3, C(3, 5, 9), "a", "bc", "d");
	CHECK("a b\r", 2, C(1, 3), "a", "b");
}

static void quotes_and_comments(void **state)
{
	CHECK("\"my vm\" x", 2, C(1, 9), "my vm", "x");
	CHECK("\"\" x", 2, C(1, 4), "", "x");
	CHECK("\"a \\\"b\\\" \\\\c\"", 1, C(1), "a \"b\" \\c");
	CHECK("a\\b c#d # e f", 2, C(1, 5), "a\\b", "c#d");
	CHECK("# all", 0, C(0), "");
	CHECK("\"# no\" x", 2, C(1, 8), "# no", "x");
}

static void check_error(const char *line, size_t size, uint32_t where, const char *text)
{
	struct errtext e = {.text = ""};
	struct words w;
	uint32_t column;

	assert_int_equal(words_split(&w, line, size, &e, &column), -EINVAL);
	assert_int_equal(column, where);
	assert_non_null(strstr(e.text, text));
}

static void says_what_is_wrong(void **state)
{
	check_error("a \"b", 4, 3, "not closed");
	check_error("a \"b\\\"", 6, 3, "not closed");
	check_error("a b\"c\"", 6, 4, "middle of a word");
	check_error("\"b\"c", 4, 4, "blank is missing");
	check_error("\"b\\n\"", 5, 3, "backslash");
	check_error("\"b\\", 3, 3, "backslash");
	check_error("a\0b", 3, 2, "zero");
	check_error("\"a\0b\"", 5, 3, "zero");
}

static void has_limits(void **state)
{
	char *line = malloc(WORDS_LINE_SIZE + 1);
	struct errtext e;
	struct words w;
	uint32_t column;

	memset(line, 'x', WORDS_LINE_SIZE + 1);
	assert_int_equal(words_split(&w, line, WORDS_LINE_SIZE, &e, &column), 0);
	assert_int_equal(strlen(w.text[0]), WORDS_LINE_SIZE);
	words_fini(&w);
	assert_int_equal(words_split(&w, line, WORDS_LINE_SIZE + 1, &e, &column), -E2BIG);
	for (int i = 0; i < 2 * WORDS_MAX; i += 2)
		line[i + 1] = ' ';
	assert_int_equal(words_split(&w, line, 2 * WORDS_MAX, &e, &column), 0);
	assert_int_equal(w.n, WORDS_MAX);
	words_fini(&w);
	assert_int_equal(words_split(&w, line, 2 * WORDS_MAX + 1, &e, &column), -E2BIG);
	assert_int_equal(column, 2 * WORDS_MAX + 1);
	free(line);
}

static void takes_ready_made_words(void **state)
{
	static const char block[] = "port\0add\0\0my vm"; // with the closing zero
	struct errtext e;
	struct words w;

	assert_int_equal(words_take(&w, block, sizeof(block), &e), 0);
	assert_int_equal(w.n, 4);
	assert_string_equal(w.text[2], "");
	assert_string_equal(w.text[3], "my vm");
	assert_int_equal(w.column[4], 0);
	words_fini(&w);
	assert_int_equal(words_take(&w, block, sizeof(block) - 1, &e), -EINVAL);
	assert_int_equal(words_take(&w, "", 0, &e), 0);
	assert_int_equal(w.n, 0);
	words_fini(&w);
}

static void printed_words_are_read_again(void **state)
{
	static const char *const words[] = {"a",       "",         "my vm",      "\"",   "\\",
					    "a\"b\\c", "#comment", "x#y",        "a\tb", " ",
					    "\\\\",    "\"\"",     "caf\xc3\xa9"};
	char *text;
	size_t size;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		FILE *f = open_memstream(&text, &size);
		struct errtext e = {.text = ""};
		struct words w;
		uint32_t column;

		words_print(f, words[i]);
		fputs(" next", f);
		fclose(f);
		assert_int_equal(words_split(&w, text, size, &e, &column), 0);
		assert_int_equal(w.n, 2);
		assert_string_equal(w.text[0], words[i]);
		words_fini(&w);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_at_blanks),
		cmocka_unit_test(quotes_and_comments),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(takes_ready_made_words),
		cmocka_unit_test(printed_words_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Needs nothing: typed lines, split into words and the program behind a |.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debugshell/line.h"

enum { WORDS_MAX = 4 };

static char text[256];

// The words between [], then the program behind a |.
static const char *split(const char *typed)
{
	static char line[256];
	char *words[WORDS_MAX];
	char *program;
	size_t length = 0;
	int n;

	snprintf(line, sizeof(line), "%s", typed);
	n = line_split(line, words, WORDS_MAX, &program);
	if (n < 0)
		return n == -E2BIG ? "many" : n == -EINVAL ? "open" : "?";
	text[0] = '\0';
	for (int i = 0; i < n; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "[%s]", words[i]);
	if (program != NULL)
		snprintf(text + length, sizeof(text) - length, "|%s", program);
	return text;
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(split(""), "");
	assert_string_equal(split(" \t "), "");
	assert_string_equal(split("vport"), "[vport]");
	assert_string_equal(split("  vport\tvm3  "), "[vport][vm3]");
	assert_string_equal(split("a b c d"), "[a][b][c][d]");
	assert_string_equal(split("a b c d e"), "many");
	assert_string_equal(split("!nvkd.vport 0000`1"), "[!nvkd.vport][0000`1]");
}

static void quotes(void **state)
{
	(void)state;
	assert_string_equal(split("vswitch \"External Demo\""), "[vswitch][External Demo]");
	assert_string_equal(split("\"\""), "[]");
	assert_string_equal(split("\"a b\"c"), "[a b][c]");
	assert_string_equal(split("a\"b c\"d"), "[a\"b][c\"d]");
	assert_string_equal(split("vswitch \"External"), "open");
	assert_string_equal(split("vswitch \""), "open");
}

static void pipes(void **state)
{
	(void)state;
	assert_string_equal(split("vport | grep vm3"), "[vport]| grep vm3");
	assert_string_equal(split("vport|grep vm3"), "[vport]|grep vm3");
	assert_string_equal(split("vport vm3|a | b"), "[vport][vm3]|a | b");
	assert_string_equal(split("vport |"), "[vport]|");
	assert_string_equal(split("|"), "|");
	assert_string_equal(split(" | cat"), "| cat");
	assert_string_equal(split("vport \"a | b\""), "[vport][a | b]");
	assert_string_equal(split("vport \"a | b\"| cat"), "[vport][a | b]| cat");
	assert_string_equal(split("vport \"a | b"), "open");
	// What is behind is the program's, quotes and all.
	assert_string_equal(split("vport | grep \"vm"), "[vport]| grep \"vm");
	assert_string_equal(split("a b c d | cat"), "[a][b][c][d]| cat");
}

static void ends(void **state)
{
	(void)state;
	assert_true(line_is_empty(""));
	assert_true(line_is_empty(" \t "));
	assert_false(line_is_empty(" |"));
	assert_false(line_is_empty("\"\""));
	assert_true(line_is_quit("q"));
	assert_true(line_is_quit(" quit "));
	assert_true(line_is_quit("exit now"));
	assert_true(line_is_quit("q|cat"));
	assert_false(line_is_quit(""));
	assert_false(line_is_quit("qu"));
	assert_false(line_is_quit("quits"));
	assert_false(line_is_quit("vport q"));
	assert_false(line_is_quit("| q"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(quotes),
		cmocka_unit_test(pipes),
		cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

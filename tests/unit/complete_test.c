// Needs nothing: which words are found for a line that is being typed, and what they are made.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "debugshell/complete.h"

static struct complete c;

// Begins with a line whose cursor is at its end.
static bool begin(const char *line)
{
	complete_free(&c);
	return complete_init(&c, line, strlen(line));
}

// What was found, each between [].
static const char *found(void)
{
	static char text[4096];
	size_t length = 0;

	complete_sort(&c);
	text[0] = '\0';
	for (unsigned i = 0; i < c.n && length < sizeof(text); i++)
		length +=
			(size_t)snprintf(text + length, sizeof(text) - length, "[%s]", c.found[i]);
	return text;
}

static const char *names(const char *line)
{
	static const char *const all[] = {"vm3", "vm10", "vm4",    "ext:internal", "External Demo",
					  "",    "a|b",  "a\"b c", "ext:external", "vm4"};

	if (!begin(line))
		return "none";
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		complete_offer(&c, all[i], true);
	return found();
}

static const char *addrs(const char *line, bool is_named)
{
	static const uint64_t all[] = {0x00007f12aabbccdd, 0x00007f12aabb0000, 0xfffffa8012345678,
				       0};

	if (!begin(line))
		return "none";
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		complete_offer_addr(&c, (tgt_addr){all[i]}, is_named);
	return found();
}

static void places(void **state)
{
	(void)state;
	assert_true(begin(""));
	assert_int_equal(c.n_before, 0);
	assert_string_equal(c.word, "");
	assert_true(begin("  vsw"));
	assert_int_equal(c.n_before, 0);
	assert_string_equal(c.word, "vsw");
	assert_true(begin("vswitch "));
	assert_int_equal(c.n_before, 1);
	assert_string_equal(c.before[0], "vswitch");
	assert_string_equal(c.word, "");
	assert_true(begin("vswitch \"External D"));
	assert_int_equal(c.n_before, 1);
	assert_string_equal(c.raw, "\"External D");
	assert_string_equal(c.word, "External D");
	assert_true(begin("vswitch \"External Demo\" x"));
	assert_int_equal(c.n_before, 2);
	assert_string_equal(c.before[1], "External Demo");
	assert_string_equal(c.word, "x");
	assert_false(begin("vport |"));
	assert_false(begin("vport | gr"));
	assert_false(begin("vport|gr"));
	assert_true(begin("vport \"a | b"));
	// What is behind the cursor is not looked at.
	complete_free(&c);
	assert_true(complete_init(&c, "vport | grep", 3));
	assert_string_equal(c.word, "vpo");
	complete_free(&c);
}

static void too_long(void **state)
{
	char line[COMPLETE_WORDS_MAX * COMPLETE_WORD_SIZE + 16];

	(void)state;
	memset(line, 'x', sizeof(line));
	for (size_t length = COMPLETE_WORD_SIZE; length < sizeof(line); length += 97) {
		assert_false(complete_init(&c, line, length));
		complete_free(&c);
	}
	assert_true(complete_init(&c, line, COMPLETE_WORD_SIZE - 1));
	complete_free(&c);
	// As many words as there can be, one more, and a long one among them.
	for (size_t i = 1; i < sizeof(line); i += 2)
		line[i] = ' ';
	assert_true(complete_init(&c, line, 2 * COMPLETE_WORDS_MAX - 1));
	assert_int_equal(c.n_before, COMPLETE_WORDS_MAX - 1);
	complete_free(&c);
	assert_false(complete_init(&c, line, 2 * COMPLETE_WORDS_MAX));
	complete_free(&c);
	memset(line, 'x', COMPLETE_WORD_SIZE);
	line[COMPLETE_WORD_SIZE] = ' ';
	assert_false(complete_init(&c, line, COMPLETE_WORD_SIZE + 1));
	complete_free(&c);
}

static void offers_names(void **state)
{
	(void)state;
	assert_string_equal(names("vport vm"), "[vm3][vm4][vm10]");
	assert_int_equal(complete_common(&c), 2);
	assert_string_equal(names("vport vm1"), "[vm10]");
	assert_int_equal(complete_common(&c), 4);
	assert_string_equal(names("vport ext:"), "[ext:external][ext:internal]");
	assert_string_equal(names("vport nothing"), "");
	assert_int_equal(complete_common(&c), 0);
	assert_string_equal(names("vport Vm"), "");
	// Blanks, and what divides words, stand in quotes; a quote cannot be typed.
	assert_string_equal(names("vport E"), "[\"External Demo\"]");
	assert_string_equal(names("vport \"External D"), "[\"External Demo\"]");
	assert_string_equal(names("vport \"vm1"), "[\"vm10\"]");
	assert_string_equal(names("vport a"), "[\"a|b\"]");
	assert_true(begin("vport v"));
	complete_offer(&c, "v\303\251", true);
	assert_int_equal(complete_common(&c), 3);
	complete_offer(&c, "v\303\250", true);
	assert_int_equal(complete_common(&c), 1);
	assert_true(begin("dump \"my d"));
	complete_offer(&c, "my dir/", false);
	assert_string_equal(found(), "[\"my dir/]");
}

static void offers_addrs(void **state)
{
	(void)state;
	assert_string_equal(addrs("vport 7f12aabbc", true), "[00007f12aabbccdd]");
	assert_string_equal(addrs("vport 00007f12aabb0", true), "[00007f12aabb0000]");
	assert_string_equal(addrs("vport 0x7F12AABB0", true), "[0x00007f12aabb0000]");
	assert_string_equal(addrs("vport 0x00007f12AABBC", true), "[0x00007f12aabbccdd]");
	assert_string_equal(addrs("00007f12`aabbc", true), "[00007f12`aabbccdd]");
	assert_string_equal(addrs("7f12`aabbc", true), "[00007f12`aabbccdd]");
	assert_string_equal(addrs("fff", true), "[fffffa8012345678]");
	assert_string_equal(addrs("0x", true),
			    "[0x00007f12aabb0000][0x00007f12aabbccdd][0xfffffa8012345678]");
	assert_string_equal(addrs("vport 00", true), "[00007f12aabb0000][00007f12aabbccdd]");
	assert_int_equal(complete_common(&c), 12);
	// A number, an address that goes on behind its end, another one, and a name in quotes.
	assert_string_equal(addrs("proc 0", true), "");
	assert_string_equal(addrs("vport 00007f12aabb00000", true), "");
	assert_string_equal(addrs("vport 7f13", true), "");
	assert_string_equal(addrs("vport \"7f12", true), "");
	assert_string_equal(addrs("vport vm", true), "");
	// Nothing typed: all of them where there are no names, else none.
	assert_string_equal(addrs("vport ", true), "");
	assert_string_equal(addrs("mopen ", false),
			    "[00007f12aabb0000][00007f12aabbccdd][fffffa8012345678]");
	assert_string_equal(addrs("mopen 0", false), "");
}

static void bounds(void **state)
{
	char name[32];
	char longest[COMPLETE_WORD_SIZE + 1];

	(void)state;
	assert_true(begin("vport "));
	for (unsigned i = 0; i < COMPLETE_MAX + 10; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		complete_offer(&c, name, true);
	}
	assert_int_equal(c.n, COMPLETE_MAX);
	complete_sort(&c);
	assert_int_equal(c.n, COMPLETE_MAX);
	assert_string_equal(c.found[COMPLETE_MAX - 1], "vm4095");
	assert_true(begin("vport \""));
	memset(longest, 'x', sizeof(longest));
	longest[COMPLETE_WORD_SIZE] = '\0';
	complete_offer(&c, longest, true);
	assert_int_equal(c.n, 0);
	longest[COMPLETE_WORD_SIZE - 1] = '\0';
	complete_offer(&c, longest, true);
	assert_int_equal(c.n, 1);
	assert_int_equal(complete_common(&c), COMPLETE_WORD_SIZE + 1);
}

static void usages(void **state)
{
	(void)state;
	assert_int_equal(complete_kinds("vmq"), 0);
	assert_int_equal(complete_kinds("help [COMMAND]"), COMPLETE_COMMANDS);
	assert_int_equal(complete_kinds("fdb [FDB | VSWITCH | VPORT]"),
			 COMPLETE_FDBS | COMPLETE_SWITCHES | COMPLETE_PORTS);
	assert_int_equal(complete_kinds("vnic [VNIC | PORT NAME]"), COMPLETE_NICS);
	assert_int_equal(complete_kinds("proc [PROC | NUMBER]"), COMPLETE_PROCS);
	assert_int_equal(complete_kinds("dump FILE[.gz|.zst]"), COMPLETE_FILES);
	assert_int_equal(
		complete_kinds("dt [-r [DEPTH]] TYPE[.FIELD] [ADDRESS | NAME], dt [PATTERN]"),
		COMPLETE_TYPES);
}

static void arguments(void **state)
{
	(void)state;
	assert_true(begin("dt -r 3 "));
	assert_int_equal(complete_n_args(&c), 0);
	assert_true(begin("dt -r vport "));
	assert_int_equal(complete_n_args(&c), 1);
	assert_true(begin("dt -r2 vport 0000"));
	assert_int_equal(complete_n_args(&c), 1);
	assert_true(begin("vnbl -x 0 "));
	assert_int_equal(complete_n_args(&c), 1);
	assert_true(begin("vn"));
	assert_int_equal(complete_n_args(&c), 0);
	assert_true(begin("vnbl -"));
	complete_offer_options(&c, "vnbl [-x] [VNBL | PROC]");
	assert_string_equal(found(), "[-x]");
	assert_true(begin("dt -"));
	complete_offer_options(&c, "dt [-r [DEPTH]] TYPE");
	assert_string_equal(found(), "[-r]");
	assert_true(begin("vnbl "));
	complete_offer_options(&c, "vnbl [-x] [VNBL | PROC]");
	assert_string_equal(found(), "");
	complete_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),       cmocka_unit_test(too_long),
		cmocka_unit_test(offers_names), cmocka_unit_test(offers_addrs),
		cmocka_unit_test(bounds),       cmocka_unit_test(usages),
		cmocka_unit_test(arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

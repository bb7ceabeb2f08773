// Needs nothing: what print.h makes of labels, formats and text, as JSON.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "debugshell/print.h"

// The end of a document without them.
#define NO_ROWS    ", \"rows\": []"
#define NO_OBJECTS ", \"objects\": []"
#define NEITHER    NO_ROWS NO_OBJECTS

static const struct print_column columns[] = {
	{"Type", 6},
	{"Address", 18},
	{"Type", 8, "kind", "(%s) "},
	{"Share", 0, NULL, "%s %%"},
};

static FILE *screen;
static char *printed;
static size_t printed_size;

// From here on what is printed goes to 'printed'.
static void begin(bool json)
{
	screen = stdout;
	stdout = open_memstream(&printed, &printed_size);
	assert_non_null(stdout);
	print_begin(json, "c", "t");
}

static void end(const char *error)
{
	print_end(error);
	assert_int_equal(fclose(stdout), 0);
	stdout = screen;
}

// The document is one line of JSON without a key that is twice in one object: what it holds behind
// the command and the target.
static void is_document(const char *wanted)
{
	json_t *document;
	json_error_t error;
	char *whole;

	end(NULL);
	document = json_loads(printed, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
	if (document == NULL)
		fail_msg("%s: %s", error.text, printed);
	json_decref(document);
	if (asprintf(&whole, "{\"command\": \"c\", \"target\": \"t\"%s%s}\n",
		     wanted[0] != '\0' ? ", " : "", wanted) < 0)
		abort();
	assert_string_equal(printed, whole);
	free(whole);
	free(printed);
}

static void is_text(const char *wanted)
{
	end(NULL);
	assert_string_equal(printed, wanted);
	free(printed);
}

static void keys(void **state)
{
	static const char *const pairs[][2] = {
		{"SafePacketDataSize", "safe_packet_data_size"},
		{"vSwitch", "vswitch"},
		{"vNic", "vnic"},
		{"vPort", "vport"},
		{"vPort List", "vport_list"},
		{"NicIndex", "nic_index"},
		{"Stations at most", "stations_at_most"},
		{"MAC", "mac"},
		{"VMQs", "vmqs"},
		{"QoS lines", "qos_lines"},
		{"MACAddress", "mac_address"},
		{"Guest's half", "guests_half"},
		{"RING 0 (to the guest)", "ring_0_to_the_guest"},
		{"Type", "type"},
		{"IsValidation", "is_validation"},
		{"already_one", "already_one"},
		{"", "value"},
		{"\xc3\xa4 -", "value"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(print_key(pairs[i][0]).s, pairs[i][1]);
}

static void rows(void **state)
{
	begin(true);
	print_row("Int", "%d", -5);
	print_row("Wide", "%-8u", 7U);
	print_row("Zeros", "%05lu", 42UL);
	print_row("Plus", "%+d", 3);
	print_row("Zero", "%u", 0U);
	print_row("Max", "%lu", UINT64_MAX);
	print_row("Half", "%.1f", 0.5);
	print_row("Hex", "%x", 10U);
	print_row("Unit", "%u s", 10U);
	print_row("Two", "%u%u", 1U, 2U);
	print_row("Digits", "%s", "12");
	print_row("Percent", "%%");
	print_row("None", "%s", "[None]");
	is_document("\"int\": -5, \"wide\": 7, \"zeros\": 42, \"plus\": 3, \"zero\": 0, "
		    "\"max\": 18446744073709551615, \"half\": 0.5, \"hex\": \"a\", "
		    "\"unit\": \"10 s\", \"two\": \"12\", \"digits\": \"12\", \"percent\": \"%\", "
		    "\"none\": null" NEITHER);
}

static void no_numbers(void **state)
{
	begin(true);
	print_extra("inf", "%.1f", (double)INFINITY);
	print_extra("nan", "%f", (double)NAN);
	print_extra("less", "%f", -(double)INFINITY);
	print_values("Values", "inf nan", "%f %f", (double)INFINITY, (double)NAN);
	is_document("\"inf\": null, \"nan\": null, \"less\": null, "
		    "\"values\": {\"inf\": null, \"nan\": null}" NEITHER);
}

static void values(void **state)
{
	begin(true);
	print_values("State", "number name", "%u (%s)", 3U, "Running");
	print_values("Lengths", "a b c d e", "%d, %lu, %lld, %zu of %ld", -1, 2UL, -3LL, (size_t)4,
		     5L);
	print_values("Hex", "id address plain", "0x%04x %016lx %x", 3U, 0x7f00UL, 10U);
	print_values("Text", "cut stars char", "%.2s|%*.*s|%c", "abc", 9, 1, "xyz", 'R');
	print_values("Share", "percent", "%5.1f %% of %%", 2.25);
	print_values("Some", "- kept -", "%u %u %u", 1U, 2U, 3U);
	print_values("Nothing", "-", "%u gone", 1U);
	print_values("Alone", ".", "%lu frames", 9UL);
	print_values("None", "name", "%s", "[None]");
	is_document("\"state\": {\"number\": 3, \"name\": \"Running\"}, "
		    "\"lengths\": {\"a\": -1, \"b\": 2, \"c\": -3, \"d\": 4, \"e\": 5}, "
		    "\"hex\": {\"id\": \"0x0003\", \"address\": \"0000000000007f00\", "
		    "\"plain\": \"a\"}, "
		    "\"text\": {\"cut\": \"ab\", \"stars\": \"x\", \"char\": \"R\"}, "
		    "\"share\": {\"percent\": 2.2}, \"some\": {\"kept\": 2}, \"alone\": 9, "
		    "\"none\": {\"name\": null}" NEITHER);
}

static void flags(void **state)
{
	begin(true);
	print_flag("Yes", true, ": it is so");
	print_flag("No", false, ": it is so");
	PRINT_TABLE("", columns);
	print_cell_flag(true);
	print_torn(true);
	print_extra_flag("beside", false);
	print_row_end(false);
	print_torn(true);
	print_extra_flag("behind", true);
	is_document("\"yes\": true, \"no\": false, "
		    "\"rows\": [{\"type\": true, \"torn\": true, \"beside\": false}], "
		    "\"torn\": true, \"behind\": true" NO_OBJECTS);
}

static void escaping(void **state)
{
	begin(true);
	print_row("Quote", "%s", "a\"b\\c");
	print_row("Control", "%s", "a\nb\tc\x01");
	print_row("German", "%s", "\xc3\xbc");
	print_row("Cut", "%s", "\"\xc3");
	print_text_row("Foreign", print_text("\x1b[1m\xff", 5));
	print_text_row("Empty", print_text("", 0));
	print_text_row("Named so", print_text("[None]", 6));
	is_document("\"quote\": \"a\\\"b\\\\c\", \"control\": \"a\\nb\\tc\\u0001\", "
		    "\"german\": \"\xc3\xbc\", \"cut\": \"\\\".\", \"foreign\": \".[1m.\", "
		    "\"empty\": null, \"named_so\": \"[None]\"" NEITHER);
}

static void duplicates(void **state)
{
	begin(true);
	print_row("Type", "%u", 1U);
	print_row("type", "%u", 2U);
	print_row("TYPE", "%u", 3U);
	print_row("Type 2", "%u", 4U);
	print_row("Error", "%u", 5U);
	print_row("Target", "%u", 6U);
	print_section("BOTH");
	print_row("Type", "%u", 7U);
	print_section("BOTH");
	print_row("Type", "%u", 8U);
	is_document("\"type\": 1, \"type_2\": 2, \"type_3\": 3, \"type_2_2\": 4, \"error_2\": 5, "
		    "\"target_2\": 6, \"both\": {\"type\": 7}, \"both_2\": {\"type\": 8}" NEITHER);
}

// Far more keys than are remembered: none is twice there.
static void many_keys(void **state)
{
	json_error_t error;
	json_t *document;

	begin(true);
	for (unsigned i = 0; i < 5000; i++)
		print_row("Same", "%u", i);
	for (unsigned i = 0; i < 5000; i++) {
		char label[16];

		snprintf(label, sizeof(label), "k%u", i);
		print_row(label, "%u", i);
	}
	end(NULL);
	document = json_loads(printed, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(document);
	assert_int_equal(json_object_size(document), 10004);
	json_decref(document);
	free(printed);
}

static void row(uint64_t addr, const char *kind, bool torn)
{
	print_cell("ROW");
	print_cell_addr((tgt_addr){addr});
	print_cell_text(print_text(kind, strlen(kind)));
	print_cell_fmt("%u", 5U);
	print_extra("beside", "%s", "x");
	print_row_end(torn);
}

static void tables(void **state)
{
	begin(true);
	print_row("Before", "%u", 1U);
	PRINT_TABLE("", columns);
	row(1, "a", false);
	row(0, "", true);
	print_row("Behind", "%u", 2U);
	PRINT_TABLE("", columns);
	print_none();
	print_none();
	is_document("\"before\": 1, \"rows\": ["
		    "{\"type\": \"ROW\", \"address\": \"0000000000000001\", \"kind\": \"a\", "
		    "\"share\": 5, \"beside\": \"x\"}, "
		    "{\"type\": \"ROW\", \"address\": null, \"kind\": null, "
		    "\"share\": 5, \"beside\": \"x\", \"torn\": true}], "
		    "\"behind\": 2, \"rows_2\": []" NO_OBJECTS);
}

static void nesting(void **state)
{
	begin(true);
	print_row("Outer", "%u", 1U);
	print_title("VPORT", (tgt_addr){0x7f00}, true);
	print_row("Row", "%u", 1U);
	print_section("STATE");
	print_link("vNic", (tgt_addr){0}, "vnic");
	print_link("vSwitch", (tgt_addr){2}, "vswitch");
	PRINT_TABLE("    ", columns);
	print_none();
	print_section("QUEUES");
	PRINT_TABLE("    ", columns);
	print_row("Behind", "%u", 3U);
	print_section("DROPS");
	print_none();
	print_section("UNREAD");
	print_title_name("VPORT", (tgt_addr){0x7f01}, print_text("vm3", 3));
	PRINT_TABLE("    ", columns);
	is_document("\"outer\": 1, \"objects\": ["
		    "{\"type\": \"VPORT\", \"address\": \"0000000000007f00\", \"torn\": true, "
		    "\"row\": 1, \"state\": {\"vnic\": null, \"vswitch\": \"0000000000000002\", "
		    "\"rows\": []}, \"queues\": [], \"behind\": 3, \"drops\": [], "
		    "\"unread\": null}, "
		    "{\"type\": \"VPORT\", \"address\": \"0000000000007f01\", \"name\": \"vm3\", "
		    "\"rows\": []}]" NO_ROWS);
}

static void opened(void **state)
{
	begin(true);
	print_section("FIELDS");
	print_open("fields");
	print_extra("name", "%s", "a");
	print_open("fields");
	print_extra("name", "%s", "b");
	print_close();
	print_close();
	print_open("fields");
	print_extra("name", "%s", "c");
	print_close();
	print_open("others");
	print_close();
	is_document("\"fields\": {\"fields\": ["
		    "{\"name\": \"a\", \"fields\": [{\"name\": \"b\"}]}, {\"name\": \"c\"}], "
		    "\"others\": [{}]}" NEITHER);
}

// What is too deep stands in the deepest, what was not closed is.
static void too_deep(void **state)
{
	struct text wanted = {.s = ""};

	begin(true);
	for (unsigned i = 0; i < 100; i++)
		print_open("deep");
	print_extra("number", "%u", 1U);
	for (unsigned i = 0; i < 99; i++)
		print_close();
	print_extra("outside", "%u", 2U);
	for (unsigned i = 0; i < PRINT_DEPTH_MAX; i++)
		print_append(&wanted, "%s\"deep\": [", i > 0 ? "{" : "");
	print_append(&wanted, "{\"number\": 1");
	for (unsigned i = 1; i < PRINT_DEPTH_MAX; i++)
		print_append(&wanted, "}]");
	print_append(&wanted, ", \"outside\": 2}]" NEITHER);
	is_document(wanted.s);
}

static void notes_and_troubles(void **state)
{
	struct why why;

	why_set(&why, 0, "it is \"gone\"");
	begin(true);
	PRINT_TABLE("", columns);
	print_trouble("", "VPORT", (tgt_addr){0x7f00}, &why);
	row(1, "a", false);
	print_note("    ", "and %u more", 3U);
	row(2, "b", false);
	print_blank();
	print_plain("only text\n");
	is_document("\"rows\": [{\"type\": \"ROW\", \"address\": \"0000000000000001\", "
		    "\"kind\": \"a\", \"share\": 5, \"beside\": \"x\"}, "
		    "{\"type\": \"ROW\", \"address\": \"0000000000000002\", "
		    "\"kind\": \"b\", \"share\": 5, \"beside\": \"x\"}]" NO_OBJECTS ", "
		    "\"notes\": [\"and 3 more\"], "
		    "\"troubles\": [{\"what\": \"VPORT\", \"address\": \"0000000000007f00\", "
		    "\"why\": \"it is \\\"gone\\\"\"}]");
}

// What is kept for the end has a bound, and what is beyond it is counted.
static void many_troubles(void **state)
{
	enum { TROUBLES = 100000 };
	json_error_t error;
	json_t *document, *list;
	struct why why;

	why_set(&why, 0, "damaged");
	begin(true);
	for (unsigned i = 0; i < TROUBLES; i++)
		print_trouble("", "VPORT", (tgt_addr){i}, &why);
	end("it ended");
	document = json_loads(printed, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(document);
	list = json_object_get(document, "troubles");
	assert_in_range(json_array_size(list), 10000, TROUBLES - 1);
	assert_int_equal((json_int_t)json_array_size(list) +
				 json_integer_value(json_object_get(document, "troubles_left_out")),
			 TROUBLES);
	assert_string_equal(json_string_value(json_object_get(document, "error")), "it ended");
	json_decref(document);
	free(printed);
}

static void words(void **state)
{
	static const char *const features[] = {"MRG_RXBUF", "EVENT_IDX"};

	begin(true);
	print_words("Features", features, 2);
	print_words("Features", features, 0);
	is_document("\"features\": [\"MRG_RXBUF\", \"EVENT_IDX\"], \"features_2\": []" NEITHER);
}

static void muted(void **state)
{
	begin(true);
	print_title("VPORT", (tgt_addr){1}, false);
	print_mute(true);
	print_title("VPORT", (tgt_addr){2}, false);
	print_section("STATE");
	PRINT_TABLE("    ", columns);
	row(1, "a", false);
	print_values("State", "number", "%u", 1U);
	print_open("fields");
	print_close();
	print_note("", "a note");
	print_plain("text\n");
	print_mute(false);
	print_row("Row", "%u", 1U);
	is_document("\"objects\": [{\"type\": \"VPORT\", \"address\": \"0000000000000001\", "
		    "\"row\": 1}]" NO_ROWS);
	begin(false);
	print_mute(true);
	PRINT_TABLE("", columns);
	row(1, "a", true);
	print_none();
	print_mute(false);
	is_text("");
}

static void text_forms(void **state)
{
	static const char *const features[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAA",
					       "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "CC"};
	struct why why;

	why_set(&why, 0, "damaged");
	begin(false);
	PRINT_TABLE("", columns);
	row(1, "a", false);
	print_trouble("", "ROW", (tgt_addr){2}, &why);
	row(0, "", true);
	print_title("VPORT", (tgt_addr){0x7f00}, true);
	print_values("State", "number name", "%u (%s)", 3U, "Running");
	print_flag("Yes", true, ": it is so");
	print_flag("No", false, ": it is so");
	print_extra_flag("hidden", true);
	print_extra("hidden", "%u", 1U);
	print_section("WORDS");
	print_words("Features", features, 3);
	PRINT_TABLE("    ", columns);
	print_none();
	print_section_line("Ports", "    Ports: %u", 0U);
	print_none();
	print_labels("    %s: ");
	print_link("vNic", (tgt_addr){0}, "vnic");
	print_link("vNic", (tgt_addr){1}, "vnic");
	is_text("\nType  Address           Type    Share\n"
		"ROW   0000000000000001  (a) 5 %\n"
		"ROW  0000000000000002  *** damaged ***\n"
		"ROW   [None]            ([None]) 5 % ~\n"
		"\nVPORT 0000000000007f00 ~\n"
		"    State              3 (Running)\n"
		"    Yes                Y: it is so\n"
		"    No                 N\n"
		"\nWORDS\n\n"
		"    Features           AAAAAAAAAAAAAAAAAAAAAAAAAA BBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\n"
		"                       CC\n"
		"    Type  Address           Type    Share\n"
		"    [None]\n"
		"    Ports: 0\n"
		"    [None]\n"
		"    vNic: [None]\n"
		"    vNic: 0000000000000001   !vnic 0000000000000001\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(rows),
		cmocka_unit_test(no_numbers),
		cmocka_unit_test(values),
		cmocka_unit_test(flags),
		cmocka_unit_test(escaping),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(many_keys),
		cmocka_unit_test(tables),
		cmocka_unit_test(nesting),
		cmocka_unit_test(opened),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(notes_and_troubles),
		cmocka_unit_test(many_troubles),
		cmocka_unit_test(words),
		cmocka_unit_test(muted),
		cmocka_unit_test(text_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

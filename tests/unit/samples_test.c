// Needs nothing. Samples, and what they say together.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bench/cells.h"

#define GOOD "\"round\":1,\"switch\":\"vsw\",\"point\":\"64\",\"metric\":\"rate\",\"value\":31.25"

static struct samples s;
static struct samples_error e;

static int add(const char *line)
{
	e.text[0] = '\0';
	return samples_add(&s, line, strlen(line), &e);
}

static void put(int round, const char *sw, double value, bool disturbed)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "{\"round\":%d,\"switch\":\"%s\",\"point\":\"64\",\"metric\":\"rate\","
		 "\"value\":%g,\"disturbed\":%s}",
		 round, sw, value, disturbed ? "true" : "false");
	assert_int_equal(add(line), 0);
}

static int begin(void **state)
{
	samples_init(&s, NULL);
	return 0;
}

static int end(void **state)
{
	samples_fini(&s);
	return 0;
}

static void takes_what_is_right(void **state)
{
	const struct sample *sample;
	size_t n;

	assert_int_equal(add("{" GOOD "}"), 0);
	assert_int_equal(add(" {" GOOD ",\"waited_pct\":0.3,\"list\":[1,{\"a\":null}]}\r"), 0);
	assert_int_equal(add(""), 0);
	assert_int_equal(add(" \t\r"), 0);
	assert_int_equal(
		add("{\"round\":0,\"switch\":\"ovs\",\"point\":\"imix\",\"metric\":\"rate\","
		    "\"value\":-7,\"unit\":\"Mpps\",\"disturbed\":true}"),
		0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.switches.n, 2);
	assert_int_equal(s.points.n, 2);
	assert_int_equal(s.metrics.n, 1);
	assert_string_equal(s.metrics.list[0].unit, "Mpps");
	samples_sort(&s);
	assert_int_equal(s.n, 2);
	sample = samples_cell(&s, 0, 1, 1, &n);
	assert_non_null(sample);
	assert_int_equal(n, 1);
	assert_true(sample->value == -7 && sample->disturbed && sample->round == 0);
	assert_null(samples_cell(&s, 0, 1, 0, &n));
	assert_int_equal(n, 0);
	assert_int_equal(samples_find(&s.switches, "ovs"), 1);
	assert_int_equal(samples_find(&s.switches, "ov"), -1);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{"{", "column 1: "},
		{"{" GOOD "} x", "column "},
		{"{" GOOD ",\"a\":NaN}", "column "},
		{"{" GOOD ",\"a\":1e999}", "column "},
		{"{" GOOD ",\"round\":2}", "duplicate"},
		{"[1]", "no JSON object"},
		{"{}", "\"round\" is missing"},
		{"{\"round\":1.5}", "\"round\" is not a number"},
		{"{\"round\":-1}", "\"round\" is not a number"},
		{"{\"round\":1}", "\"value\" is missing"},
		{"{\"round\":1,\"value\":null}", "\"value\" is not a number"},
		{"{\"round\":1,\"value\":\"3\"}", "\"value\" is not a number"},
		{"{\"round\":1,\"value\":3}", "\"switch\" is missing"},
		{"{\"round\":1,\"value\":3,\"switch\":7}", "\"switch\" is not a text"},
		{"{\"round\":1,\"value\":3,\"switch\":\"\"}", "\"switch\" is not a text"},
		{"{\"round\":1,\"value\":3,\"switch\":\"a\\u001bb\"}", "cannot be printed"},
		{"{\"round\":1,\"value\":3,\"switch\":\"v\"}", "\"point\" is missing"},
		{"{\"round\":1,\"value\":3,\"switch\":\"v\",\"point\":\"p\"}",
		 "\"metric\" is missing"},
		{"{" GOOD ",\"disturbed\":1}", "neither true nor false"},
		{"{" GOOD ",\"unit\":1}", "\"unit\" is not a text"},
		{"{" GOOD ",\"unit\":\"Gbit/s\"}", "\"unit\" of rate was Mpps before"},
		{"{" GOOD ",\"better\":\"less\"}", "neither \"lower\" nor \"higher\""},
		{"{" GOOD ",\"better\":\"lower\"}", "was the other one before"},
	};

	assert_int_equal(add("{" GOOD ",\"unit\":\"Mpps\",\"better\":\"higher\"}"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(add(rows[i].line), -EINVAL);
		if (strstr(e.text, rows[i].text) == NULL)
			fail_msg("%s: '%s' lacks '%s'", rows[i].line, e.text, rows[i].text);
	}
	assert_int_equal(s.n, 1);
}

static void errors_can_be_shown(void **state)
{
	assert_int_equal(add("{\"a\033[2J\001\":"), -EINVAL);
	for (const char *c = e.text; *c; c++)
		assert_in_range((unsigned char)*c, ' ', 0x7e);
}

static void names_are_bounded(void **state)
{
	char line[512], name[SAMPLES_NAME_SIZE + 1];

	memset(name, 'n', SAMPLES_NAME_SIZE);
	for (unsigned size = SAMPLES_NAME_SIZE; size >= SAMPLES_NAME_SIZE - 1; size--) {
		name[size] = '\0';
		snprintf(line, sizeof(line),
			 "{\"round\":1,\"switch\":\"%s\",\"point\":\"64\",\"metric\":\"r\","
			 "\"value\":1}",
			 name);
		assert_int_equal(add(line), size == SAMPLES_NAME_SIZE ? -EINVAL : 0);
	}
	for (unsigned i = 0; s.points.n < SAMPLES_MAX_NAMES; i++) {
		snprintf(line, sizeof(line),
			 "{\"round\":1,\"switch\":\"a\",\"point\":\"%u\",\"metric\":\"r\","
			 "\"value\":1}",
			 i);
		assert_int_equal(add(line), 0);
	}
	assert_int_equal(add("{\"round\":1,\"switch\":\"a\",\"point\":\"one more\","
			     "\"metric\":\"r\",\"value\":1}"),
			 -EINVAL);
}

static void files_have_line_numbers(void **state)
{
	static char text[] = "{" GOOD "}\n\n{" GOOD ",}\n";
	FILE *f = fmemopen(text, strlen(text), "r");

	assert_int_equal(samples_read(&s, f, "a.jsonl", &e), -EINVAL);
	assert_int_equal(strncmp(e.text, "a.jsonl:3: column ", 18), 0);
	fclose(f);
}

static void last_line_needs_no_newline(void **state)
{
	static char text[] = "{" GOOD "}";
	FILE *f = fmemopen(text, strlen(text), "r");

	assert_int_equal(samples_read(&s, f, "a", &e), 0);
	assert_int_equal(s.n, 1);
	fclose(f);
}

static void empty_file_is_an_error(void **state)
{
	static char text[] = "\n \n";
	FILE *f = fmemopen(text, strlen(text), "r");

	assert_int_equal(samples_read(&s, f, "a", &e), -ENODATA);
	assert_string_equal(e.text, "a: there is no sample in it");
	fclose(f);
	f = fopen("/", "r");
	assert_int_equal(samples_read(&s, f, "/", &e), -EISDIR);
	fclose(f);
}

static void better_by_name_or_by_key(void **state)
{
	static const struct {
		const char *metric, *keys;
		bool lower;
	} rows[] = {
		{"rate", "", false},
		{"latency", "", true},
		{"latency_p99", "", true},
		{"lossless", "", false},
		{"zero_loss", "", false},
		{"cycles_per_frame", "", true},
		{"goodness", ",\"better\":\"lower\"", true},
		{"latency_turned", ",\"better\":\"higher\"", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[256];

		for (int again = 0; again < 2; again++) {
			snprintf(line, sizeof(line),
				 "{\"round\":1,\"switch\":\"v\",\"point\":\"p\",\"metric\":\"%s\","
				 "\"value\":1%s}",
				 rows[i].metric, again ? "" : rows[i].keys);
			assert_int_equal(add(line), 0);
		}
		assert_int_equal(s.metrics.list[i].lower_better, rows[i].lower);
	}
}

static void x_is_in_the_name(void **state)
{
	static const struct {
		const char *point;
		double size, macs;
	} rows[] = {
		{"64", 64, NAN},          {"1518,touch", 1518, NAN},
		{"64,macs=100", 64, 100}, {"imix,touch,macs=10000,one-way", NAN, 10000},
		{"64,macs=", 64, NAN},    {"64,macs=1x", 64, NAN},
		{"64x", NAN, NAN},        {"macs=5", NAN, NAN},
		{"64,nomacs=5", 64, NAN},
	};

	for (int macs = 0; macs < 2; macs++) {
		samples_fini(&s);
		samples_init(&s, macs ? "macs" : "size");
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			char line[256];
			double want = macs ? rows[i].macs : rows[i].size;

			snprintf(line, sizeof(line),
				 "{\"round\":1,\"switch\":\"v\",\"point\":\"%s\",\"metric\":\"r\","
				 "\"value\":1}",
				 rows[i].point);
			assert_int_equal(add(line), 0);
			assert_true(isnan(want) ? isnan(s.points.list[i].x)
						: s.points.list[i].x == want);
		}
	}
}

static void x_is_a_key_of_its_own(void **state)
{
	samples_init(&s, "load");
	assert_int_equal(add("{" GOOD ",\"load\":50}"), 0);
	assert_true(s.points.list[0].x == 50);
	assert_int_equal(add("{" GOOD ",\"load\":\"50\"}"), -EINVAL);
	assert_int_equal(add("{" GOOD ",\"load\":51}"), -EINVAL);
	assert_non_null(strstr(e.text, "\"load\" of point 64 is not what it was before"));
	assert_int_equal(add("{" GOOD "}"), -EINVAL);
	assert_int_equal(add("{" GOOD ",\"load\":50.0}"), 0);
}

static void measured_again_replaces(void **state)
{
	const struct sample *cell;
	size_t n;

	put(2, "v", 20, false);
	put(1, "v", 10, true);
	put(1, "v", 11, true);
	put(2, "v", 21, true);
	put(3, "v", 30, true);
	put(3, "v", 31, false);
	samples_sort(&s);
	cell = samples_cell(&s, 0, 0, 0, &n);
	assert_int_equal(n, 3);
	assert_true(cell[0].round == 1 && cell[0].value == 11);
	assert_true(cell[1].round == 2 && cell[1].value == 20);
	assert_true(cell[2].round == 3 && cell[2].value == 31);
}

static void disturbed_ones_are_left_out_of_cells(void **state)
{
	struct cell cell;

	put(1, "v", 10, false);
	put(2, "v", 1, true);
	samples_sort(&s);
	assert_int_equal(cell_summarize(&s, 0, 0, 0, &cell), 0);
	assert_int_equal(cell.summary.n, 2);
	assert_true(cell.summary.min == 1 && cell.disturbed == 1 && cell.left_out == 0);
	put(3, "v", 12, false);
	samples_sort(&s);
	assert_int_equal(cell_summarize(&s, 0, 0, 0, &cell), 0);
	assert_int_equal(cell.summary.n, 2);
	assert_true(cell.summary.median == 11 && cell.disturbed == 0 && cell.left_out == 1);
	put(1, "w", 1, false);
	samples_sort(&s);
	assert_int_equal(cell_summarize(&s, 0, 0, 1, &cell), 0);
	assert_int_equal(cell.summary.n, 1);
}

static void cells_without_samples(void **state)
{
	struct cell_comparison with;
	struct cell cell;

	put(1, "v", 10, false);
	put(2, "w", 10, false);
	samples_sort(&s);
	assert_int_equal(cell_summarize(&s, 0, 0, 2, &cell), -ENOENT);
	assert_int_equal(cell_compare(&s, 0, 0, 0, 1, 0.95, 0.02, &with), -ENOENT);
	assert_int_equal(cell_compare(&s, 0, 0, 0, 2, 0.95, 0.02, &with), -ENOENT);
	assert_int_equal(with.verdict, STATS_UNKNOWN);
}

static void pairs_are_of_one_round(void **state)
{
	struct cell_comparison with;

	// Round by round 'new' is at 0.9, although the machine became faster by the round.
	for (int r = 0; r < 10; r++) {
		put(2 * r, "old", 10 * (r + 1), false);
		put(2 * r, "new", 9 * (r + 1), false);
		put(2 * r + 1, r % 2 ? "new" : "old", 1, false);
	}
	samples_sort(&s);
	assert_int_equal(cell_compare(&s, 0, 0, 0, 1, 0.95, 0.02, &with), 0);
	assert_int_equal(with.verdict, STATS_SLOWER);
	assert_int_equal(with.n_pairs, 10);
	assert_true(with.interval.low > 0.8999 && with.interval.high < 0.9001);
	assert_int_equal(cell_compare(&s, 0, 0, 1, 0, 0.95, 0.02, &with), 0);
	assert_int_equal(with.verdict, STATS_FASTER);
}

static void disturbed_pairs_are_left_out(void **state)
{
	struct cell_comparison with;

	for (int r = 0; r < 8; r++) {
		put(r, "old", 10, r == 0);
		put(r, "new", r < 2 ? 1 : 10, r == 1);
	}
	samples_sort(&s);
	assert_int_equal(cell_compare(&s, 0, 0, 0, 1, 0.95, 0.02, &with), 0);
	assert_int_equal(with.n_pairs, 6);
	assert_int_equal(with.left_out, 2);
	assert_int_equal(with.verdict, STATS_SAME);
	assert_true(with.interval.low == 1);
}

static void less_may_be_better(void **state)
{
	struct cell_comparison with;

	for (int r = 0; r < 8; r++) {
		put(r, "old", 10, false);
		put(r, "new", 20, false);
	}
	s.metrics.list[0].lower_better = true;
	samples_sort(&s);
	assert_int_equal(cell_compare(&s, 0, 0, 0, 1, 0.95, 0.02, &with), 0);
	assert_int_equal(with.verdict, STATS_SLOWER);
	assert_true(with.interval.median == 0.5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_what_is_right),
		TEST(says_what_is_wrong),
		TEST(errors_can_be_shown),
		TEST(names_are_bounded),
		TEST(files_have_line_numbers),
		TEST(last_line_needs_no_newline),
		TEST(empty_file_is_an_error),
		TEST(better_by_name_or_by_key),
		TEST(x_is_in_the_name),
		TEST(x_is_a_key_of_its_own),
		TEST(measured_again_replaces),
		TEST(disturbed_ones_are_left_out_of_cells),
		TEST(cells_without_samples),
		TEST(pairs_are_of_one_round),
		TEST(disturbed_pairs_are_left_out),
		TEST(less_may_be_better),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Needs a pseudo terminal for one test. stdout and stderr are files while a report is printed.
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/report.h"

static const struct report_column columns[] = {
	{"offered_mpps", "offered Mpps", 2},
	{"loss_pct", "loss %", 4},
	{"p50_us", "p50 \xc2\xb5s", 1},
};

static int saved[2];
static int out = -1; // what is printed, while the report is under way
static char text[65536];

static void redirect(int fd_out, int fd_err)
{
	fflush(stdout);
	saved[0] = dup(1);
	saved[1] = dup(2);
	dup2(fd_out, 1);
	dup2(fd_err, 2);
}

static void restore(void)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], 1 + i);
		close(saved[i]);
	}
}

static struct report *begin(bool json)
{
	out = memfd_create("out", 0);
	redirect(out, out);
	return report_begin("throughput", json);
}

static const char *printed(void)
{
	ssize_t n;

	fflush(stdout);
	n = pread(out, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool end(struct report *r, bool interrupted)
{
	bool ok = report_end(r, interrupted);

	printed();
	restore();
	close(out);
	return ok;
}

static void fill(struct report *r)
{
	report_switch(r, "process", json_string("vswd"));
	report_switch(r, "pid", json_integer(17));
	report_setting(r, "size", json_integer(64));
	report_setting(r, "vlan", json_null());
	report_setting(r, "seconds", json_real(0.1));
	report_ceiling(r, 61.25);
	report_say(r, "two guests");
	report_progress(r, "never to be seen");
	report_columns(r, columns, 3);
	report_row(r, "50 %", (const double[]){10.5, 0, NAN});
	report_row(r, "100 %", (const double[]){123456789.25, 12.34567, 3});
	report_result(r, "zero_loss_mpps", "zero-loss rate", 9.123, "Mpps", 2);
	report_result(r, "unknown", "not measured", NAN, "us", 2);
	report_result(r, "ratio", "share", 0.5, "", 1);
	report_verdict(r, true, "%u frames checked", 5);
	report_note(r, "%u stalls", 2);
}

static void text_is_aligned_and_whole(void **state)
{
	struct report *r = begin(false);

	fill(r);
	assert_true(end(r, false));
	assert_string_equal(text, "The generator's own ceiling is 61.2 Mpps.\n"
				  "two guests\n"
				  "switch    process vswd, pid 17\n"
				  "settings  size 64, seconds 0.1\n"
				  "\n"
				  "              offered Mpps      loss %      p50 \xc2\xb5s\n"
				  "50 %                 10.50      0.0000           -\n"
				  "100 %         123456789.25     12.3457         3.0\n"
				  "zero-loss rate: 9.12 Mpps\n"
				  "not measured: -\n"
				  "share: 0.5\n"
				  "ok: 5 frames checked\n"
				  "note: 2 stalls\n");
}

static void rows_appear_at_once(void **state)
{
	struct report *r = begin(false);
	bool seen[3];

	report_columns(r, columns, 3);
	report_row(r, NULL, (const double[]){1, 2, 3});
	seen[0] = strstr(printed(), "1.00") != NULL;
	report_result(r, "a", "result", 7, "", 0);
	seen[1] = strstr(printed(), "result: 7") != NULL;
	report_verdict(r, false, "late");
	seen[2] = strstr(printed(), "FAILED: late") != NULL;
	assert_false(end(r, false));
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void tables_follow_each_other(void **state)
{
	struct report *r = begin(false);

	report_columns(r, columns, 1);
	report_row(r, NULL, (const double[]){1});
	report_columns(r, columns + 1, 1);
	report_row(r, "a label that is long", (const double[]){2});
	report_row(r, NULL, (const double[]){3});
	assert_true(end(r, true));
	assert_string_equal(text, "\noffered Mpps\n"
				  "        1.00\n"
				  "\n                          loss %\n"
				  "a label that is long      2.0000\n"
				  "                          3.0000\n"
				  "Interrupted: this is what there is so far.\n");
}

static void long_settings_are_wrapped(void **state)
{
	struct report *r = begin(false);
	char key[32];

	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "setting_%d", i);
		report_setting(r, key, json_integer(i));
	}
	assert_true(end(r, false));
	assert_non_null(strstr(text, "setting_39 39\n"));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		assert_true(strcspn(line, "\n") <= 79);
		assert_int_equal(strncmp(line, line == text ? "settings  " : "          ", 10), 0);
	}
}

static json_t *parsed(void)
{
	json_error_t e;
	json_t *top = json_loads(text, JSON_REJECT_DUPLICATES, &e);

	assert_non_null(top);
	return top;
}

static void json_is_one_object_at_the_end(void **state)
{
	struct report *r = begin(true);
	bool silent;
	const char *process, *label, *verdict, *note;
	double ceiling, offered, loss;
	json_t *top, *null, *row;
	int pid, ok, interrupted;

	fill(r);
	silent = printed()[0] == '\0';
	assert_true(end(r, true));
	assert_true(silent);
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
	top = parsed();
	assert_int_equal(json_unpack(top, "{s:{s:s,s:i},s:F,s:[{s:s,s:F,s:o},o],s:[{s:s}],s:b,s:b}",
				     "switch", "process", &process, "pid", &pid, "ceiling_mpps",
				     &ceiling, "rows", "label", &label, "offered_mpps", &offered,
				     "p50_us", &null, &row, "verdicts", "text", &verdict, "ok", &ok,
				     "interrupted", &interrupted),
			 0);
	assert_string_equal(process, "vswd");
	assert_int_equal(pid, 17);
	assert_true(ceiling == 61.25 && offered == 10.5);
	assert_string_equal(label, "50 %");
	assert_true(json_is_null(null));
	assert_int_equal(json_unpack(row, "{s:F}", "loss_pct", &loss), 0);
	assert_true(loss == 12.34567);
	assert_string_equal(verdict, "5 frames checked");
	assert_true(ok == 1 && interrupted == 1);
	assert_int_equal(json_unpack(top, "{s:s,s:{s:F,s:n},s:[s]}", "test", &label, "result",
				     "zero_loss_mpps", &loss, "unknown", "notes", &note),
			 0);
	assert_string_equal(note, "2 stalls");
	assert_string_equal(label, "throughput");
	assert_true(loss == 9.123);
	json_decref(top);
}

static void empty_json_has_all_keys(void **state)
{
	struct report *r = begin(true);

	assert_true(end(r, false));
	assert_string_equal(text, "{\"test\":\"throughput\",\"switch\":{},\"settings\":{},"
				  "\"ceiling_mpps\":null,\"rows\":[],\"result\":{},\"verdicts\":[],"
				  "\"notes\":[],\"ok\":true,\"interrupted\":false}\n");
}

static void one_bad_verdict_spoils_all(void **state)
{
	for (int json = 0; json < 2; json++) {
		struct report *r = begin(json);

		report_verdict(r, false, "frames were lost");
		report_verdict(r, true, "none was damaged");
		assert_false(end(r, false));
		if (json)
			assert_non_null(strstr(text, "\"ok\":false,\"interrupted\""));
	}
}

static void bytes_that_are_no_text(void **state)
{
	struct report *r = begin(true);
	json_t *top;

	report_columns(r, columns, 1);
	report_row(r, "p\xff", (const double[]){INFINITY});
	report_setting(r, "socket", json_string("/tmp/\xff"));
	report_verdict(r, true, "\xfe");
	assert_true(end(r, false));
	top = parsed();
	assert_int_equal(json_unpack(top, "{s:{s:n},s:[{s:n}]}", "settings", "socket", "rows",
				     "offered_mpps"),
			 0);
	assert_non_null(strstr(text, "\"label\":\"p?\""));
	json_decref(top);
}

static void full_disk_is_no_success(void **state)
{
	for (int json = 0; json < 2; json++) {
		int full = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);
		struct report *r;
		bool ok;

		redirect(full, null);
		r = report_begin("rate", json);
		report_result(r, "a", "a", 1, "", 0);
		ok = report_end(r, false);
		clearerr(stdout);
		restore();
		clearerr(stdout);
		close(full);
		close(null);
		assert_false(ok);
	}
}

static void progress_is_for_terminals(void **state)
{
	static const char wanted[] = "\r\033[Ktrial 1\r\033[Ka line that is too \r\033[K";
	struct winsize size = {.ws_row = 24, .ws_col = 20};
	struct pollfd ready = {.events = POLLIN};
	int master, slave;
	struct report *r;
	ssize_t n;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	ready.fd = master;
	out = memfd_create("out", 0);
	redirect(out, slave);
	r = report_begin("rate", false);
	report_progress(r, "trial %d", 1);
	report_progress(r, "a line that is too long for this terminal");
	report_say(r, "done");
	report_say(r, "done again");
	report_end(r, false);
	printed();
	restore();
	close(out);
	assert_string_equal(text, "done\ndone again\n");
	// The kernel hands over what was written to a terminal when it likes.
	for (size_t at = 0; at < sizeof(wanted) - 1; at += (size_t)n) {
		n = poll(&ready, 1, 5000) == 1 ? read(master, text + at, sizeof(text) - 1 - at) : 0;
		assert_true(n > 0);
		text[at + (size_t)n] = '\0';
	}
	assert_string_equal(text, wanted);
	close(slave);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_aligned_and_whole),
		cmocka_unit_test(rows_appear_at_once),
		cmocka_unit_test(tables_follow_each_other),
		cmocka_unit_test(long_settings_are_wrapped),
		cmocka_unit_test(json_is_one_object_at_the_end),
		cmocka_unit_test(empty_json_has_all_keys),
		cmocka_unit_test(one_bad_verdict_spoils_all),
		cmocka_unit_test(bytes_that_are_no_text),
		cmocka_unit_test(full_disk_is_no_success),
		cmocka_unit_test(progress_is_for_terminals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

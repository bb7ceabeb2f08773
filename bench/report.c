#include "bench/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/grid.h"

enum { CELL_WIDTH = 10, LABEL_WIDTH = 12, LINE_WIDTH = 79, INDENT = 10 };

struct report {
	bool json;
	bool ok;
	bool failed; // out of memory: the JSON is not whole
	bool terminal;
	bool progress; // a line of it stands there
	json_t *top;
	json_t *about[2];                         // "switch" and "settings"; in 'top'
	unsigned told[2];                         // of each, how many are printed as text
	json_t *rows, *result, *verdicts, *notes; // in 'top'

	const struct report_column *columns;
	unsigned n_columns;
	bool headed;          // the columns' titles are printed
	unsigned label_width; // 0: rows without labels
};

static const char *const about_keys[2] = {"switch", "settings"};

static json_t *add(struct report *r, const char *key, json_t *value);
static void keep(struct report *r, int failed);
static json_t *number(double value);
static json_t *string(const char *text);
static void tell_about(struct report *r);
static void tell_pairs(struct report *r, unsigned which);
static char *setting_text(const json_t *value);
static void tell_head(struct report *r, const char *label);
static void print_cell(struct report *r, double value, const struct report_column *column);
static unsigned cell_width(const struct report_column *column);
static void clear_progress(struct report *r);

struct report *report_begin(const char *test, bool json)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->json = json;
	r->ok = true;
	r->terminal = isatty(STDERR_FILENO);
	r->top = json_object();
	add(r, "test", json_string(test));
	for (unsigned i = 0; i < 2; i++)
		r->about[i] = add(r, about_keys[i], json_object());
	add(r, "ceiling_mpps", json_null());
	r->rows = add(r, "rows", json_array());
	r->result = add(r, "result", json_object());
	r->verdicts = add(r, "verdicts", json_array());
	r->notes = add(r, "notes", json_array());
	if (!r->failed)
		return r;
	json_decref(r->top);
	free(r);
	return NULL;
}

void report_switch(struct report *r, const char *key, json_t *value)
{
	keep(r, json_object_set_new(r->about[0], key, value ? value : json_null()));
}

void report_setting(struct report *r, const char *key, json_t *value)
{
	keep(r, json_object_set_new(r->about[1], key, value ? value : json_null()));
}

void report_ceiling(struct report *r, double mpps)
{
	keep(r, json_object_set_new(r->top, "ceiling_mpps", number(mpps)));
	if (!isnan(mpps))
		report_say(r, "The generator's own ceiling is %.1f Mpps.", mpps);
}

void report_say(struct report *r, const char *format, ...)
{
	va_list args;

	if (r->json)
		return;
	clear_progress(r);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void report_progress(struct report *r, const char *format, ...)
{
	struct winsize size = {0};
	char line[512];
	va_list args;
	int width = LINE_WIDTH;

	if (!r->terminal)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	// A line that is wrapped could not be overwritten.
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		width = size.ws_col - 1;
	fprintf(stderr, "\r\033[K%.*s", width, line);
	fflush(stderr);
	r->progress = true;
}

void report_columns(struct report *r, const struct report_column *columns, unsigned n)
{
	r->columns = columns;
	r->n_columns = n;
	r->headed = false;
	r->label_width = 0;
}

void report_row(struct report *r, const char *label, const double values[])
{
	json_t *row = json_object();

	if (label != NULL)
		keep(r, json_object_set_new(row, "label", string(label)));
	for (unsigned i = 0; i < r->n_columns; i++)
		keep(r, json_object_set_new(row, r->columns[i].key, number(values[i])));
	keep(r, json_array_append_new(r->rows, row));
	if (r->json)
		return;
	tell_about(r);
	clear_progress(r);
	if (!r->headed)
		tell_head(r, label);
	if (r->label_width > 0) {
		unsigned width = grid_width(label ? label : "");
		unsigned pad = width < r->label_width ? r->label_width - width : 0;
		printf("%s%*s", label ? label : "", (int)pad, "");
	}
	for (unsigned i = 0; i < r->n_columns; i++)
		print_cell(r, values[i], &r->columns[i]);
	putchar('\n');
	fflush(stdout);
}

void report_result(struct report *r, const char *key, const char *title, double value,
		   const char *unit, int decimals)
{
	const char *blank = unit != NULL && unit[0] != '\0' ? " " : "";

	keep(r, json_object_set_new(r->result, key, number(value)));
	if (r->json)
		return;
	tell_about(r);
	if (isnan(value))
		report_say(r, "%s: -", title);
	else
		report_say(r, "%s: %.*f%s%s", title, decimals, value, blank, unit ? unit : "");
}

void report_verdict(struct report *r, bool ok, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->ok = r->ok && ok;
	keep(r, json_array_append_new(r->verdicts,
				      json_pack("{sbso}", "ok", ok, "text", string(text))));
	if (r->json)
		return;
	tell_about(r);
	report_say(r, "%s: %s", ok ? "ok" : "FAILED", text);
}

void report_note(struct report *r, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	keep(r, json_array_append_new(r->notes, string(text)));
	if (r->json)
		return;
	tell_about(r);
	report_say(r, "note: %s", text);
}

bool report_end(struct report *r, bool interrupted)
{
	bool ok = r->ok;

	if (!r->json) {
		tell_about(r);
		if (interrupted)
			report_say(r, "Interrupted: this is what there is so far.");
	}
	clear_progress(r);
	add(r, "ok", json_boolean(r->ok));
	add(r, "interrupted", json_boolean(interrupted));
	if (r->json) {
		keep(r, json_dumpf(r->top, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12)));
		putchar('\n');
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "The report could not be written: %m\n");
		ok = false;
	}
	if (r->failed) {
		fprintf(stderr, "The report is not whole: out of memory\n");
		ok = false;
	}
	json_decref(r->top);
	free(r);
	return ok;
}

// Returns 'value', which is now the object's.
static json_t *add(struct report *r, const char *key, json_t *value)
{
	keep(r, json_object_set_new(r->top, key, value));
	return value;
}

static void keep(struct report *r, int failed)
{
	r->failed = r->failed || failed != 0;
}

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

// What is not UTF-8 becomes '?'.
static json_t *string(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL)
		return value;
	copy = strdup(text);
	for (char *c = copy; c != NULL && *c; c++)
		*c = (unsigned char)*c < 0x80 ? *c : '?';
	value = json_string(copy);
	free(copy);
	return value;
}

static void tell_about(struct report *r)
{
	clear_progress(r);
	for (unsigned i = 0; i < 2; i++) {
		tell_pairs(r, i);
		r->told[i] = (unsigned)json_object_size(r->about[i]);
	}
}

// "settings  size 64, guests 2, ...", without those that are told or null, in lines of bounded
// width.
static void tell_pairs(struct report *r, unsigned which)
{
	unsigned used = 0, n = 0;
	const char *key;
	json_t *value;

	json_object_foreach (r->about[which], key, value) {
		unsigned width;
		char *text;

		if (n++ < r->told[which] || json_is_null(value))
			continue;
		text = setting_text(value);
		width = grid_width(key) + 1 + grid_width(text ? text : "?");
		if (used == 0)
			used = (unsigned)printf("%-*s", INDENT, about_keys[which]);
		else if (used + 3 + width > LINE_WIDTH)
			used = (unsigned)printf(",\n%*s", INDENT, "") - 2;
		else
			used += (unsigned)printf(", ");
		printf("%s %s", key, text ? text : "?");
		used += width;
		free(text);
	}
	if (used > 0)
		putchar('\n');
	fflush(stdout);
}

// NULL: out of memory.
static char *setting_text(const json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
}

static void tell_head(struct report *r, const char *label)
{
	r->headed = true;
	r->label_width = label ? grid_width(label) : 0;
	if (label != NULL && r->label_width < LABEL_WIDTH)
		r->label_width = LABEL_WIDTH;
	printf("\n%*s", (int)r->label_width, "");
	for (unsigned i = 0; i < r->n_columns; i++) {
		const char *title = r->columns[i].title;
		unsigned pad = cell_width(&r->columns[i]) - grid_width(title);

		printf("%s%*s%s", i > 0 || label != NULL ? "  " : "", (int)pad, "", title);
	}
	putchar('\n');
}

static void print_cell(struct report *r, double value, const struct report_column *column)
{
	int width = (int)cell_width(column);

	if (column != r->columns || r->label_width > 0)
		fputs("  ", stdout);
	if (isnan(value))
		printf("%*s", width, "-");
	else
		printf("%*.*f", width, column->decimals, value);
}

static unsigned cell_width(const struct report_column *column)
{
	unsigned width = grid_width(column->title);

	return width > CELL_WIDTH ? width : CELL_WIDTH;
}

static void clear_progress(struct report *r)
{
	if (r->progress)
		fputs("\r\033[K", stderr);
	r->progress = false;
}

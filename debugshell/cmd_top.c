/*
 * top: rates per second of procs, ports and queues: on a terminal a screen that goes on until q
 * (top_live.h), else as many reports as are wanted.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/top_column.h"
#include "debugshell/top_live.h"
#include "debugshell/top_rate.h"
#include "debugshell/top_sample.h"
#include "debugshell/top_screen.h"

#define DELAY_DEFAULT_S 1.0

enum { COUNT_MAX = 1000000 };

struct options {
	double delay_s;
	long count; // reports; 0: not said
};

static int parse(int argc, char **argv, struct options *opt, struct why *why);
static int parse_option(char option, const char *word, struct options *opt, struct why *why);
static int report_all(struct shell *sh, const struct options *opt, const char *command,
		      struct why *why);
static int report(struct shell *sh, const struct top_sample *before, const struct top_sample *now,
		  struct why *why);
static void wait_s(double seconds);
static void print_head(struct shell *sh, const struct top_sample *now,
		       const struct top_rates *rates);
static void print_totals(const struct top_totals *t);
static void print_rates(struct top_table *table, const struct top_columns *columns);
static void print_value(const struct top_column *column, const struct top_value *value);
static void print_extra_value(const struct top_column *column, const struct top_value *value);

int cmd_top(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct options opt = {.delay_s = DELAY_DEFAULT_S};
	struct text command = {.s = ""};
	int err = parse(argc, argv, &opt, why);

	if (err != 0)
		return err;
	if (!sh->runs)
		return why_set(why, -ENODATA,
			       "top needs a vswd that runs: %s stands still, and has no rates",
			       sh->target->name);
	if (opt.count == 0 && !print_is_json() && top_screen_possible())
		return top_live(sh, opt.delay_s, why);
	for (int i = 0; i < argc; i++)
		print_append(&command, "%s%s", i > 0 ? " " : "", argv[i]);
	return report_all(sh, &opt, command.s, why);
}

static int parse(int argc, char **argv, struct options *opt, struct why *why)
{
	for (int i = 1; i < argc; i += 2) {
		const char *word = argv[i];
		bool is_known = strcmp(word, "-d") == 0 || strcmp(word, "-n") == 0;
		int err;

		if (!is_known)
			return why_set(why, -EINVAL,
				       "top takes -d SECONDS and -n COUNT, not '%.100s'",
				       print_text(word, strlen(word)).s);
		err = parse_option(word[1], i + 1 < argc ? argv[i + 1] : "", opt, why);
		if (err != 0)
			return err;
	}
	return 0;
}

static int parse_option(char option, const char *word, struct options *opt, struct why *why)
{
	char *end;
	double value = strtod(word, &end);
	bool is_number = end != word && *end == '\0' && isfinite(value);

	if (option == 'd' && (!is_number || value < TOP_DELAY_MIN_S || value > TOP_DELAY_MAX_S))
		return why_set(why, -EINVAL, "a delay is %.1f to %.0f seconds", TOP_DELAY_MIN_S,
			       TOP_DELAY_MAX_S);
	if (option == 'n' &&
	    (!is_number || value < 1 || value > COUNT_MAX || value != (double)(long)value))
		return why_set(why, -EINVAL, "a count is a number from 1 to %d", COUNT_MAX);
	if (option == 'd')
		opt->delay_s = value;
	else
		opt->count = (long)value;
	return 0;
}

// Each report is of the time since the one before, and in JSON a text of its own.
static int report_all(struct shell *sh, const struct options *opt, const char *command,
		      struct why *why)
{
	long count = opt->count > 0 ? opt->count : 1;
	struct top_sample *before, *now;
	int err = top_sample_read(sh, &before, why);

	if (err != 0)
		return err;
	for (long i = 0; i < count && err == 0 && !interrupt_seen(); i++) {
		wait_s(opt->delay_s);
		err = top_sample_read(sh, &now, why);
		if (err != 0)
			break;
		if (i > 0 && print_is_json()) {
			print_end(NULL);
			print_begin(true, command, sh->target->name);
		}
		err = report(sh, before, now, why);
		if (fflush(stdout) != 0)
			err = why_set(why, -errno, "the output cannot be written: %s",
				      strerror(errno));
		top_sample_free(before);
		before = now;
	}
	sh->troubles += before->n_damaged;
	top_sample_free(before);
	return err;
}

static int report(struct shell *sh, const struct top_sample *before, const struct top_sample *now,
		  struct why *why)
{
	struct top_rates *rates;

	if (top_rate(before, now, &rates) != 0)
		return why_set(why, -ENOMEM, "out of memory");
	print_head(sh, now, rates);
	for (unsigned i = 0; i < TOP_TABLES; i++)
		print_rates(&rates->tables[i], top_columns(i));
	top_rates_free(rates);
	return 0;
}

static void wait_s(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds};

	left.tv_nsec = (long)(1e9 * (seconds - (double)left.tv_sec));
	while (nanosleep(&left, &left) != 0 && errno == EINTR && !interrupt_seen())
		;
}

static void print_head(struct shell *sh, const struct top_sample *now,
		       const struct top_rates *rates)
{
	double up_s = clock_seconds_ago(sh, sh->root->start_tsc);

	print_blank();
	clock_print(sh);
	print_values("vswd", "version pid", "version %s, process %d", TEXT(sh->root->version).s,
		     sh->root->pid);
	print_values("Up", "-", "%s", print_duration(up_s).s);
	print_extra("up_s", "%.1f", up_s);
	print_row("State", "%s", now->runs ? "runs" : "stopped by a signal or a debugger");
	if (rates->seconds > 0) {
		print_values("Counted for", "-", "%s", print_duration(rates->seconds).s);
		print_extra("counted_for_s", "%.6f", rates->seconds);
		print_totals(&rates->totals);
	} else {
		print_absent("Counted for", "[Nothing]");
	}
	if (now->n_damaged > 0)
		print_values("Damaged", "count first", "%u, the first: %s", now->n_damaged,
			     now->why.text);
}

static void print_totals(const struct top_totals *t)
{
	print_values("In", "frames_per_s mbit_per_s", "%.1f frames/s, %.1f Mbit/s", t->rx_frames,
		     t->rx_mbit);
	print_values("Out", "frames_per_s mbit_per_s", "%.1f frames/s, %.1f Mbit/s", t->tx_frames,
		     t->tx_mbit);
	print_values("Dropped", "frames_per_s", "%.1f frames/s", t->drops);
}

/*
 * As text the columns are as wide as is enough. In JSON the first one is a cell and the others are
 * beside it, where a rate can be a number with a fraction.
 */
static void print_rates(struct top_table *table, const struct top_columns *columns)
{
	struct print_column heads[TOP_COLUMNS_MAX];

	for (unsigned c = 0; c < columns->n; c++)
		heads[c] = (struct print_column){
			.head = columns->columns[c].head,
			.width = c + 1 < columns->n ? columns->columns[c].wide + 2 : 0,
			.key = columns->columns[c].key,
		};
	print_section(columns->title);
	print_table("    ", heads, print_is_json() ? 1 : columns->n);
	top_sort(table, columns->sorted, columns->columns[columns->sorted].ascending);
	for (uint32_t i = 0; i < table->n; i++) {
		for (unsigned c = 0; c < columns->n; c++) {
			if (c > 0 && print_is_json())
				print_extra_value(&columns->columns[c], &table->rows[i].v[c]);
			else
				print_value(&columns->columns[c], &table->rows[i].v[c]);
		}
		print_row_end(false);
	}
	if (table->n == 0)
		print_none();
}

static void print_value(const struct top_column *column, const struct top_value *value)
{
	if (value->word != NULL)
		print_cell_text(print_text(value->word, strlen(value->word)));
	else if (isnan(value->number))
		print_cell_absent("-");
	else if (column->kind == TOP_COUNT)
		print_cell_fmt("%lu", (unsigned long)value->number);
	else
		print_cell(top_number(column->kind, value->number, column->wide).s);
}

static void print_extra_value(const struct top_column *column, const struct top_value *value)
{
	if (value->word != NULL)
		print_extra(column->key, "%s", value->word);
	else if (isnan(value->number))
		print_extra(column->key, "%s", "[None]");
	else if (column->kind == TOP_COUNT)
		print_extra(column->key, "%.0f", value->number);
	else
		print_extra(column->key, "%.1f", value->number);
}

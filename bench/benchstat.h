/*
 * benchstat: what samples of a comparison say, for people, reports, plots and gates.
 *
 * Each mode is a function that prints the samples its own way and returns an exit code.
 */
#pragma once

#include <regex.h>

#include "bench/samples.h"

enum benchstat_exit {
	BENCHSTAT_OK = 0,
	BENCHSTAT_SLOWER = 1,
	BENCHSTAT_BAD = 2,     // input, usage, no memory, output that cannot be written
	BENCHSTAT_UNKNOWN = 3, // not enough pairs to say
};

struct benchstat {
	struct samples samples;
	const char *base;    // --base, NULL: none given
	const char *metric;  // --metric, NULL: all
	const char *pattern; // --points, NULL: all
	regex_t points;      // 'pattern'
	const char *x;       // --x
	const char *old_name, *new_name;
	double tolerance, confidence;
};

int benchstat_table(const struct benchstat *b);
int benchstat_markdown(const struct benchstat *b);
int benchstat_csv(const struct benchstat *b);
int benchstat_json(const struct benchstat *b);
int benchstat_plot(const struct benchstat *b);
int benchstat_compare(const struct benchstat *b);

/** Whether the user wants to see it. */
bool benchstat_wants_metric(const struct benchstat *b, unsigned metric);
bool benchstat_wants_point(const struct benchstat *b, unsigned point);

/** Index of the switch that others are compared with; -1: it has no samples. */
int benchstat_base(const struct benchstat *b);

/** Prints an error; returns BENCHSTAT_BAD. */
int benchstat_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct benchstat_number {
	char text[32];
};

/** About four digits of a number, for people. */
struct benchstat_number benchstat_number(double value);

/*
 * What a test says: rows as they are measured, then what follows from them; as text for people
 * or as one JSON object for programs.
 *
 * Text appears at once, row by row, so that a long test shows that it lives. JSON is printed
 * whole at the end, by report_end(), also after Ctrl-C (then "interrupted" is true):
 *
 *   {"test": "throughput", "switch": {...}, "settings": {...}, "ceiling_mpps": 61.2,
 *    "rows": [{"offered_mpps": 10.0, ...}], "result": {"zero_loss_mpps": 9.1},
 *    "verdicts": [{"ok": true, "text": "..."}], "notes": ["..."], "ok": true,
 *    "interrupted": false}
 *
 * "rows" holds those of all tables, in order. Numbers that could not be measured are NAN: "-" in
 * text, null in JSON.
 *
 * Threads: one; a report is not for signal handlers.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct report;

struct report_column {
	const char *key;   // in JSON, with its unit: "loss_pct"
	const char *title; // in text: "loss %"
	int decimals;
};

/** 'json': print JSON at the end and no text before it. NULL: out of memory. */
struct report *report_begin(const char *test, bool json);

/**
 * Something that was set or found beforehand, under "settings" or "switch". Takes 'value' (NULL,
 * as json_string() gives for what is not UTF-8: null). Text has those that are not null in two
 * paragraphs before the first row, result or verdict.
 */
void report_setting(struct report *r, const char *key, json_t *value);
void report_switch(struct report *r, const char *key, json_t *value);
/** What the generator does without a switch, in Mpps. */
void report_ceiling(struct report *r, double mpps);

/** A line for people only. */
void report_say(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** A line that the next one overwrites, where stderr is a terminal; nothing elsewhere. */
void report_progress(struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Columns of the rows that follow; borrowed. A second call begins another table. */
void report_columns(struct report *r, const struct report_column *columns, unsigned n);
/**
 * A row, with a value for each column; 'label' is its first cell ("50 %", "p0->p1"), "label" in
 * JSON; NULL: none.
 */
void report_row(struct report *r, const char *label, const double values[]);

/** A result: "zero_loss_mpps" in JSON, "title: value unit" in text. */
void report_result(struct report *r, const char *key, const char *title, double value,
		   const char *unit, int decimals);
/** A verdict in words; 'ok' false makes the whole test fail. */
void report_verdict(struct report *r, bool ok, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** What makes the results less than they seem, through no fault of the switch. */
void report_note(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Prints what is left and frees. Returns whether no verdict was bad and all could be printed:
 * when memory or the disk was full, stderr says so.
 */
bool report_end(struct report *r, bool interrupted);

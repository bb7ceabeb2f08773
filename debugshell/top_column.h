/*
 * The columns of top's tables: their heads, and how their values are written. Pure.
 */
#pragma once

#include <stdint.h>

#include "debugshell/print.h"
#include "debugshell/top_rate.h"

enum top_kind {
	TOP_WORD,
	TOP_COUNT, // a whole number, never shortened
	TOP_RATE,  // per second
	TOP_SHARE  // with a digit behind the point: percent, Mbit/s
};

struct top_column {
	const char *head;
	const char *key; // in JSON
	uint8_t kind;    // enum top_kind
	uint8_t narrow;  // characters that it has at least
	uint8_t wide;    // characters that are enough for what it holds
	bool ascending;  // the order that one looks for first
};

struct top_columns {
	const char *title;
	unsigned n;
	unsigned sorted; // the column that it is sorted by first
	const struct top_column *columns;
};

const struct top_columns *top_columns(enum top_table_id id);

/**
 * Divides 'room' characters: each column has its narrow width and a blank behind it, then from the
 * left as much as the words in it need, or as is enough for a number. Words in the last one get
 * what is left. Columns without room have 0.
 */
void top_widths(const struct top_columns *columns, const struct top_table *table, unsigned room,
		unsigned widths[TOP_COLUMNS_MAX]);

// A number in at most 'width' characters: in thousands (k), millions (M), ... when it must be.
struct text top_number(enum top_kind kind, double number, unsigned width);

// A value, or "-", cut or filled up to 'width' characters: words from the left, numbers to the
// right.
struct text top_cell(const struct top_column *column, const struct top_value *value,
		     unsigned width);

// The column's head, likewise.
struct text top_head(const struct top_column *column, unsigned width);

// A text cut to 'width' characters, not bytes, and filled up with blanks.
struct text top_fit(const char *from, unsigned width, bool to_the_right);

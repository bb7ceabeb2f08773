/*
 * The answer of a command: written once, read as text by people or as JSON by programs.
 *
 * A command builds rows as JSON objects; the writer prints them as objects, or, for people,
 * as a table of the columns that the command names. Tables without fixed widths wait for
 * their last row to know their widths; tables that may be long have fixed ones, and come out
 * row by row.
 *
 * Threads: none of its own.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct out {
	bool json;
	char *data; // what is written so far; owned
	size_t size;
	size_t capacity;
	bool failed; // out of memory: what is written is not whole

	// The table under way.
	const struct out_column *columns;
	unsigned n_columns;
	bool fixed;
	json_t *rows;     // waiting for the widths
	unsigned n_rows;  // of the table
	unsigned n_parts; // of the JSON object
};

struct out_column {
	const char *key;    // in the row
	const char *header; // NULL: only in JSON
	unsigned width;     // characters; 0 = as wide as the widest, for all columns of a table
	bool right;         // numbers
};

void out_init(struct out *out, bool json);
void out_fini(struct out *out);

// Gives what is written so far to the caller, who frees it, and goes on empty.
char *out_take(struct out *out, size_t *ret_size);

// Text as it is; nothing for JSON.
void out_text(struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * The whole answer is one object: out_begin(), tables and values, out_end(). Text: nothing.
 */
void out_begin(struct out *out);
void out_end(struct out *out);

// A value of the object. Takes 'value'. Text: nothing.
void out_value(struct out *out, const char *key, json_t *value);

/**
 * A table: in JSON an array 'key' of all of each row, in text the columns. The columns must
 * live until out_table_end().
 */
void out_table_begin(struct out *out, const char *key, const struct out_column columns[],
		     unsigned n_columns);
void out_row(struct out *out, json_t *row); // takes 'row'
void out_table_end(struct out *out);

// A string of any bytes as JSON; what is not UTF-8 becomes '?'.
json_t *out_string(const char *text);

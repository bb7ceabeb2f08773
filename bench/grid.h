/*
 * A small table: cells are set in any order, and printed when all widths are known.
 *
 * The first row holds the titles, the first column the names; all others are numbers and stand on
 * the right. An empty cell is a dash for people, and empty in CSV.
 */
#pragma once

#include <stdio.h>

struct grid;

enum grid_form { GRID_TEXT, GRID_MARKDOWN, GRID_CSV };

/** NULL: out of memory. grid_destroy() takes NULL. */
struct grid *grid_create(unsigned n_columns);
void grid_destroy(struct grid *g);

/** Later rows begin empty. */
void grid_set(struct grid *g, unsigned row, unsigned column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** 0; -ENOMEM: there was no memory for some cell, and nothing is printed. */
int grid_print(const struct grid *g, FILE *f, enum grid_form form);

/** Columns that a text takes, of UTF-8. */
unsigned grid_width(const char *text);

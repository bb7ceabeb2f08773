#include "bench/grid.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct grid {
	unsigned n_columns, n_rows;
	char **cells; // row by row; NULL: empty
	bool failed;
};

static bool grow(struct grid *g, unsigned n_rows);
static const char *cell(const struct grid *g, unsigned row, unsigned column, const char *empty);
static unsigned column_width(const struct grid *g, unsigned column);
static void print_text(const struct grid *g, FILE *f, unsigned row);
static void print_markdown(const struct grid *g, FILE *f, unsigned row);
static void print_csv(const struct grid *g, FILE *f, unsigned row);

struct grid *grid_create(unsigned n_columns)
{
	struct grid *g = calloc(1, sizeof(*g));

	if (g != NULL)
		g->n_columns = n_columns;
	return g;
}

void grid_destroy(struct grid *g)
{
	if (g == NULL)
		return;
	for (unsigned i = 0; i < g->n_rows * g->n_columns; i++)
		free(g->cells[i]);
	free(g->cells);
	free(g);
}

void grid_set(struct grid *g, unsigned row, unsigned column, const char *format, ...)
{
	char **at, *text;
	va_list args;

	va_start(args, format);
	if (!grow(g, row + 1) || vasprintf(&text, format, args) < 0) {
		g->failed = true;
	} else {
		at = &g->cells[row * g->n_columns + column];
		free(*at);
		*at = text;
	}
	va_end(args);
}

int grid_print(const struct grid *g, FILE *f, enum grid_form form)
{
	if (g->failed)
		return -ENOMEM;
	for (unsigned row = 0; row < g->n_rows; row++) {
		switch (form) {
		case GRID_TEXT:
			print_text(g, f, row);
			break;
		case GRID_MARKDOWN:
			print_markdown(g, f, row);
			break;
		case GRID_CSV:
			print_csv(g, f, row);
			break;
		}
	}
	return 0;
}

unsigned grid_width(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool grow(struct grid *g, unsigned n_rows)
{
	size_t n = (size_t)n_rows * g->n_columns, old = (size_t)g->n_rows * g->n_columns;
	char **cells;

	if (n_rows <= g->n_rows)
		return true;
	cells = reallocarray(g->cells, n, sizeof(*cells));
	if (cells == NULL)
		return false;
	memset(cells + old, 0, (n - old) * sizeof(*cells));
	g->cells = cells;
	g->n_rows = n_rows;
	return true;
}

static const char *cell(const struct grid *g, unsigned row, unsigned column, const char *empty)
{
	const char *text = g->cells[row * g->n_columns + column];

	return text != NULL ? text : empty;
}

static unsigned column_width(const struct grid *g, unsigned column)
{
	unsigned widest = 0;

	for (unsigned row = 0; row < g->n_rows; row++) {
		unsigned width = grid_width(cell(g, row, column, "-"));
		widest = width > widest ? width : widest;
	}
	return widest;
}

static void print_text(const struct grid *g, FILE *f, unsigned row)
{
	for (unsigned i = 0; i < g->n_columns; i++) {
		const char *text = cell(g, row, i, "-");
		int pad = (int)(column_width(g, i) - grid_width(text));

		if (i == 0)
			fprintf(f, "%s%*s", text, pad, "");
		else
			fprintf(f, "  %*s%s", pad, "", text);
	}
	fputc('\n', f);
}

static void print_markdown(const struct grid *g, FILE *f, unsigned row)
{
	for (unsigned i = 0; i < g->n_columns; i++) {
		fputs(i > 0 ? " | " : "| ", f);
		for (const char *c = cell(g, row, i, "-"); *c; c++)
			fprintf(f, "%s%c", strchr("|\\*_`<[", *c) ? "\\" : "", *c);
	}
	fputs(" |\n", f);
	for (unsigned i = 0; row == 0 && i < g->n_columns; i++)
		fputs(i > 0 ? "--:|" : "|:--|", f);
	if (row == 0)
		fputc('\n', f);
}

static void print_csv(const struct grid *g, FILE *f, unsigned row)
{
	for (unsigned i = 0; i < g->n_columns; i++) {
		const char *text = cell(g, row, i, "");

		if (i > 0)
			fputc(',', f);
		if (strpbrk(text, ",\"\r\n") == NULL) {
			fputs(text, f);
			continue;
		}
		fputc('"', f);
		for (; *text; text++)
			fprintf(f, "%s%c", *text == '"' ? "\"" : "", *text);
		fputc('"', f);
	}
	fputc('\n', f);
}

#include "switch/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_SIZE = 320, COLUMNS_MAX = 32, FIRST_CAPACITY = 4096 };

static void append(struct out *out, const char *data, size_t size);
static int append_json(const char *data, size_t size, void *arg);
static void print_row(struct out *out, const unsigned widths[], json_t *row);
static const char *cell_text(const json_t *value, char buffer[CELL_SIZE]);
static unsigned text_width(const char *text);

void out_init(struct out *out, bool json)
{
	memset(out, 0, sizeof(*out));
	out->json = json;
}

void out_fini(struct out *out)
{
	json_decref(out->rows);
	free(out->data);
	memset(out, 0, sizeof(*out));
}

char *out_take(struct out *out, size_t *ret_size)
{
	char *data = out->data;

	*ret_size = out->size;
	out->data = NULL;
	out->size = 0;
	out->capacity = 0;
	return data;
}

void out_text(struct out *out, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int size;

	if (out->json)
		return;
	va_start(ap, fmt);
	size = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (size < 0) {
		out->failed = true;
		return;
	}
	append(out, text, (size_t)size);
	free(text);
}

void out_begin(struct out *out)
{
	out->n_parts = 0;
	if (out->json)
		append(out, "{", 1);
}

void out_end(struct out *out)
{
	if (out->json)
		append(out, "}\n", 2);
}

static void begin_part(struct out *out, const char *key)
{
	json_t *name = json_string(key);

	if (out->n_parts++ > 0)
		append(out, ",\n ", 3);
	json_dump_callback(name, append_json, out, JSON_ENCODE_ANY);
	json_decref(name);
	append(out, ": ", 2);
}

void out_value(struct out *out, const char *key, json_t *value)
{
	if (value == NULL)
		out->failed = true;
	if (out->json && value != NULL) {
		begin_part(out, key);
		if (json_dump_callback(value, append_json, out, JSON_ENCODE_ANY) != 0)
			out->failed = true;
	}
	json_decref(value);
}

void out_table_begin(struct out *out, const char *key, const struct out_column columns[],
		     unsigned n_columns)
{
	out->columns = columns;
	out->n_columns = n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX;
	out->n_rows = 0;
	out->fixed = n_columns > 0 && columns[0].width > 0;
	if (out->json) {
		begin_part(out, key);
		append(out, "[", 1);
		return;
	}
	if (!out->fixed) {
		out->rows = json_array();
		out->failed |= out->rows == NULL;
	}
}

void out_row(struct out *out, json_t *row)
{
	unsigned widths[COLUMNS_MAX];

	if (row == NULL) {
		out->failed = true;
		return;
	}
	if (out->json) {
		append(out, out->n_rows > 0 ? ",\n  " : "\n  ", out->n_rows > 0 ? 4 : 3);
		if (json_dump_callback(row, append_json, out, 0) != 0)
			out->failed = true;
		json_decref(row);
	} else if (out->fixed) {
		for (unsigned i = 0; i < out->n_columns; i++)
			widths[i] = out->columns[i].width;
		if (out->n_rows == 0)
			print_row(out, widths, NULL);
		print_row(out, widths, row);
		json_decref(row);
	} else if (json_array_append_new(out->rows, row) != 0) {
		out->failed = true;
	}
	out->n_rows++;
}

void out_table_end(struct out *out)
{
	unsigned widths[COLUMNS_MAX];
	char buffer[CELL_SIZE];
	size_t index;
	json_t *row;

	if (out->json) {
		append(out, "]", 1);
		return;
	}
	if (out->fixed || out->rows == NULL)
		return;
	for (unsigned i = 0; i < out->n_columns; i++) {
		const struct out_column *c = &out->columns[i];

		widths[i] = c->header != NULL ? text_width(c->header) : 0;
		json_array_foreach (out->rows, index, row) {
			unsigned w = text_width(cell_text(json_object_get(row, c->key), buffer));

			widths[i] = w > widths[i] ? w : widths[i];
		}
	}
	if (out->n_rows > 0)
		print_row(out, widths, NULL);
	json_array_foreach (out->rows, index, row)
		print_row(out, widths, row);
	json_decref(out->rows);
	out->rows = NULL;
}

json_t *out_string(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL)
		return value;
	copy = strdup(text);
	if (copy == NULL)
		return NULL;
	for (char *p = copy; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

static void append(struct out *out, const char *data, size_t size)
{
	if (out->size + size > out->capacity) {
		size_t capacity = out->capacity != 0 ? out->capacity : FIRST_CAPACITY;
		char *grown;

		while (capacity < out->size + size)
			capacity *= 2;
		grown = realloc(out->data, capacity);
		if (grown == NULL) {
			out->failed = true;
			return;
		}
		out->data = grown;
		out->capacity = capacity;
	}
	memcpy(out->data + out->size, data, size);
	out->size += size;
}

static int append_json(const char *data, size_t size, void *arg)
{
	struct out *out = arg;

	append(out, data, size);
	return out->failed ? -1 : 0;
}

// The row, or the headers when it is NULL. No blanks at the end of a line.
static void print_row(struct out *out, const unsigned widths[], json_t *row)
{
	char buffer[CELL_SIZE];
	unsigned owed = 0; // blanks that the next text needs before it

	for (unsigned i = 0; i < out->n_columns; i++) {
		const struct out_column *c = &out->columns[i];
		const char *text;
		unsigned width, blanks;

		if (c->header == NULL)
			continue;
		text = row == NULL ? c->header : cell_text(json_object_get(row, c->key), buffer);
		width = text_width(text);
		blanks = width < widths[i] ? widths[i] - width : 0;
		if (c->right)
			owed += blanks;
		if (width > 0) {
			for (; owed > 0; owed--)
				append(out, " ", 1);
			append(out, text, strlen(text));
		}
		owed += (c->right ? 0 : blanks) + 2;
	}
	append(out, "\n", 1);
}

static const char *cell_text(const json_t *value, char buffer[CELL_SIZE])
{
	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_INTEGER:
		snprintf(buffer, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return buffer;
	case JSON_REAL:
		snprintf(buffer, CELL_SIZE, "%.1f", json_real_value(value));
		return buffer;
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	default:
		return "-";
	}
}

// Characters of UTF-8 text; each is taken to be one column wide.
static unsigned text_width(const char *text)
{
	unsigned width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/*
 * Decode: whatever a frame holds, its headers are told in a bounded number of rows of printable
 * text; and what is decoded of the beginning of a frame is the same when more of it is there, but
 * for the last row, which may be cut off.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rows {
	unsigned n;
	const char *labels[DECODE_ROWS_MAX];
	struct text texts[DECODE_ROWS_MAX];
};

static void keep(const char *label, const struct text *text, void *arg)
{
	struct rows *rows = arg;
	size_t length = strnlen(text->s, sizeof(text->s));

	if (rows->n == DECODE_ROWS_MAX || label[0] == '\0' || length == 0 ||
	    length == sizeof(text->s))
		abort();
	for (size_t i = 0; i < length; i++)
		if (text->s[i] < 0x20 || text->s[i] > 0x7e)
			abort();
	rows->labels[rows->n] = label;
	rows->texts[rows->n++] = *text;
}

// From memory of its own, so that a byte too many is noticed.
static void decode(const uint8_t *data, size_t size, struct rows *rows)
{
	uint8_t *bytes = malloc(size > 0 ? size : 1);

	if (bytes == NULL)
		abort();
	memcpy(bytes, data, size);
	rows->n = 0;
	decode_frame(bytes, size, keep, rows);
	free(bytes);
	if (rows->n == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rows whole, part;

	decode(data, size, &whole);
	decode(data, size / 2, &part);
	if (part.n > whole.n)
		abort();
	for (unsigned i = 0; i + 1 < part.n; i++)
		if (part.labels[i] != whole.labels[i] ||
		    strcmp(part.texts[i].s, whole.texts[i].s) != 0)
			abort();
	return 0;
}

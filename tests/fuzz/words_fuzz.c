/*
 * Lines of commands: whatever is split can be printed and is split the same way again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_split(const struct words *w)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct errtext e;
	struct words again;
	uint32_t column;

	if (f == NULL)
		abort();
	for (unsigned i = 0; i < w->n; i++) {
		fputs(i > 0 ? "  " : "", f);
		words_print(f, w->text[i]);
	}
	fclose(f);
	// Quotes may have made it too long; nothing else can be wrong with it.
	if (size <= WORDS_LINE_SIZE) {
		if (words_split(&again, text, size, &e, &column) != 0 || again.n != w->n)
			abort();
		for (unsigned i = 0; i < w->n; i++) {
			if (strcmp(w->text[i], again.text[i]) != 0)
				abort();
		}
		words_fini(&again);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errtext e;
	struct words w;
	uint32_t column = 0;

	if (words_split(&w, (const char *)data, size, &e, &column) == 0) {
		for (unsigned i = 0; i <= w.n; i++) {
			if (w.column[i] < 1 || w.column[i] > size + 1)
				abort();
		}
		print_and_split(&w);
		words_fini(&w);
	} else if (column < 1 || column > size + 1) {
		abort();
	}
	if (words_take(&w, (const char *)data, size, &e) == 0)
		words_fini(&w);
	return 0;
}

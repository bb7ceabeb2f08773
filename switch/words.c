#include "switch/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int word_plain(const char *line, size_t size, size_t *at, char **out, struct errtext *e);
static int word_quoted(const char *line, size_t size, size_t *at, char **out, struct errtext *e);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int words_split(struct words *w, const char *line, size_t size, struct errtext *e,
		uint32_t *x_column)
{
	size_t at = 0;
	char *out;
	int err;

	*x_column = 1;
	w->n = 0;
	if (size > WORDS_LINE_SIZE)
		return errtext_set(e, -E2BIG, "the line has %zu bytes; a command has at most %d",
				   size, WORDS_LINE_SIZE);
	// A word takes at most its bytes and a closing zero, for which it has a blank or the end.
	w->buffer = malloc(size + 1);
	if (w->buffer == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	out = w->buffer;
	for (;;) {
		while (at < size && is_blank(line[at]))
			at++;
		*x_column = (uint32_t)at + 1;
		w->column[w->n] = (uint32_t)at + 1;
		if (at == size || line[at] == '#')
			return 0;
		if (w->n == WORDS_MAX) {
			err = errtext_set(e, -E2BIG, "more than %d words", WORDS_MAX);
			break;
		}
		w->text[w->n] = out;
		err = line[at] == '"' ? word_quoted(line, size, &at, &out, e)
				      : word_plain(line, size, &at, &out, e);
		if (err != 0) {
			*x_column = (uint32_t)at + 1;
			break;
		}
		w->n++;
	}
	words_fini(w);
	return err;
}

int words_take(struct words *w, const char *block, size_t size, struct errtext *e)
{
	w->n = 0;
	w->buffer = NULL;
	if (size > WORDS_LINE_SIZE)
		return errtext_set(e, -E2BIG, "the command has %zu bytes; at most %d are taken",
				   size, WORDS_LINE_SIZE);
	if (size > 0 && block[size - 1] != '\0')
		return errtext_set(e, -EINVAL, "the last word is not closed");
	w->buffer = malloc(size + 1);
	if (w->buffer == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	if (size > 0)
		memcpy(w->buffer, block, size);
	for (size_t at = 0; at < size; at += strlen(w->buffer + at) + 1) {
		if (w->n == WORDS_MAX) {
			words_fini(w);
			return errtext_set(e, -E2BIG, "more than %d words", WORDS_MAX);
		}
		w->column[w->n] = 0;
		w->text[w->n++] = w->buffer + at;
	}
	w->column[w->n] = 0;
	return 0;
}

void words_fini(struct words *w)
{
	free(w->buffer);
	w->buffer = NULL;
	w->n = 0;
}

void words_print(FILE *f, const char *word)
{
	if (word[0] != '\0' && word[0] != '#' && strpbrk(word, " \t\r\"\\") == NULL) {
		fputs(word, f);
		return;
	}
	fputc('"', f);
	for (; *word != '\0'; word++) {
		if (*word == '"' || *word == '\\')
			fputc('\\', f);
		fputc(*word, f);
	}
	fputc('"', f);
}

// On failure '*at' is the byte that is wrong.
static int word_plain(const char *line, size_t size, size_t *at, char **out, struct errtext *e)
{
	for (; *at < size && !is_blank(line[*at]); (*at)++) {
		if (line[*at] == '"')
			return errtext_set(e, -EINVAL,
					   "a quote in the middle of a word; put the whole word in "
					   "quotes, and write \\\" for a quote in it");
		if (line[*at] == '\0')
			return errtext_set(e, -EINVAL, "a zero byte");
		*(*out)++ = line[*at];
	}
	*(*out)++ = '\0';
	return 0;
}

static int word_quoted(const char *line, size_t size, size_t *at, char **out, struct errtext *e)
{
	size_t start = *at;

	for ((*at)++; *at < size && line[*at] != '"'; (*at)++) {
		if (line[*at] == '\0')
			return errtext_set(e, -EINVAL, "a zero byte");
		if (line[*at] == '\\') {
			if (*at + 1 == size || (line[*at + 1] != '"' && line[*at + 1] != '\\'))
				return errtext_set(e, -EINVAL,
						   "in quotes a backslash stands only before a "
						   "quote or a backslash: \\\" or \\\\");
			(*at)++;
		}
		*(*out)++ = line[*at];
	}
	if (*at == size) {
		*at = start;
		return errtext_set(e, -EINVAL, "the quote that opens here is not closed");
	}
	(*at)++;
	if (*at < size && !is_blank(line[*at]))
		return errtext_set(e, -EINVAL, "a blank is missing after the closing quote");
	*(*out)++ = '\0';
	return 0;
}

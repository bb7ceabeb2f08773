/*
 * Commands are words. They come either ready made (vswctl sends its arguments) or as a line of
 * a file, which is split here:
 *
 *    port add "my vm" switch lab vhost vm.sock   # the rest is a comment
 *
 * Words are separated by blanks. A word that begins with a double quote ends with the next
 * one; inside, \" and \\ stand for a quote and a backslash. '#' at the beginning of a word
 * starts a comment. Each word remembers its column, so that errors can point at it.
 *
 * Threads: none of its own; pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ports/errtext.h"

enum {
	WORDS_MAX = 256,        // words of one command
	WORDS_LINE_SIZE = 65536 // bytes of one command, without the newline
};

struct words {
	unsigned n;
	const char *text[WORDS_MAX];
	uint32_t column[WORDS_MAX + 1]; // from 1; [n] is where the line ends; 0: not from a line
	char *buffer;                   // owns what 'text' points to
};

/**
 * Splits a line of 'size' bytes (no newline in it) into words; an empty line gives none.
 * -EINVAL: 'e' says what is wrong and '*x_column' where. -E2BIG: over the limits. -ENOMEM.
 * words_fini() frees what it gives; on failure there is nothing to free.
 */
int words_split(struct words *w, const char *line, size_t size, struct errtext *e,
		uint32_t *x_column);

/**
 * Takes words that are ready made: 'size' bytes, each word closed by a zero byte.
 * Errors as words_split().
 */
int words_take(struct words *w, const char *block, size_t size, struct errtext *e);

void words_fini(struct words *w);

// Prints one word so that words_split() reads it again, in quotes where it needs them.
void words_print(FILE *f, const char *word);

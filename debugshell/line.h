/*
 * A typed line: words divided by blanks, "..." around a word that holds blanks or a |, and behind
 * the first other | a program of the system. A quote counts where a word begins, and only there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum line_token {
	LINE_END,
	LINE_WORD,
	LINE_OPEN, // a word whose quote does not end; it goes on to the end of the line
	LINE_PIPE
};

struct line_word {
	const char *start; // of the word, with its quote
	const char *text;  // without it
	size_t length;     // bytes of the text
};

// What comes next behind '*at', which moves behind it. 'word' is set for words.
enum line_token line_next(const char **at, struct line_word *word);

/**
 * Splits 'line', which is changed: gives the number of words before the first |, and what is behind
 * it in 'x_program', NULL when there is none. -E2BIG: more than 'max' words, -EINVAL: a quote does
 * not end.
 */
int line_split(char *line, char **words, int max, char **x_program);

bool line_is_empty(const char *line);

// Whether its first word ends a session.
bool line_is_quit(const char *line);

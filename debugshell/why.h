/*
 * The sentence that goes with a negative errno, for the person at the shell.
 */
#pragma once

struct why {
	char text[512]; // one sentence without newline
};

// Sets the sentence and returns 'err' (a negative errno).
int why_set(struct why *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

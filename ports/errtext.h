/*
 * The words that go with a negative errno: what was wrong, where, and what would be right.
 *
 * Functions on the control path that can fail in ways a user must understand take a
 * 'struct errtext *' as their last parameter. It may be NULL.
 */
#pragma once

struct errtext {
	char text[512]; // one or more sentences without newline; empty when there is nothing to add
};

/**
 * Sets the words and returns 'err' (a negative errno), so that a caller can write
 * `return errtext_set(e, -EINVAL, "port '%s' ...", name);`. Overwrites earlier words.
 */
int errtext_set(struct errtext *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Puts words in front of those that are there: "port 'vm1': " + what the callee said.
 * Returns 'err'.
 */
int errtext_prefix(struct errtext *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

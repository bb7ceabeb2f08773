/*
 * A configuration that tests give commands to, with GUIDs that are the same in each run.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf.h"

static inline void conf_fixture_random(void *bytes, size_t size)
{
	static uint64_t x = 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		((uint8_t *)bytes)[i] = (uint8_t)(x >> 56);
	}
}

static const struct conf_env conf_fixture_env = {
	.run_dir = "/run/vsw", .mac_pool = {1, 2}, .random = conf_fixture_random};

// Runs one line; what conf_edit() returns. 'e' has its words, 'x_column' where.
static inline int conf_fixture_run(struct conf *c, const char *line, struct conf_edit *edit,
				   struct errtext *e, uint32_t *x_column)
{
	struct conf_error error = {.text = {.text = ""}};
	struct words w;
	int err;

	err = words_split(&w, line, strlen(line), e, x_column);
	if (err != 0)
		return err;
	err = conf_edit(c, &conf_fixture_env, &w, edit, &error);
	*e = error.text;
	*x_column = err != 0 ? w.column[error.word] : 0;
	words_fini(&w);
	return err;
}

static inline char *conf_fixture_text(const struct conf *c)
{
	char *text = NULL;
	size_t size;

	return conf_text(c, &text, &size) == 0 ? text : NULL;
}

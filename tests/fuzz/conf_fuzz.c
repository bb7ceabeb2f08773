/*
 * Command lines, start-up files and saved states. The first byte chooses: lines one by one (a
 * refused one changes nothing), or a whole file. What is accepted is printed, read and printed
 * again, with the same result.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf.h"

enum { LINES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t random_state; // from the same on for each input

static void make_bytes(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
		((uint8_t *)bytes)[i] = (uint8_t)(random_state >> 56);
	}
}

static const struct conf_env env = {.run_dir = "/run/vsw", .random = make_bytes};

static char *text_of(const struct conf *c)
{
	size_t size;
	char *text;

	if (conf_text(c, &text, &size) != 0)
		abort();
	return text;
}

static void print_and_load(const struct conf *c)
{
	char *text = text_of(c), *printed;
	struct errtext e;
	struct conf *again;

	if (conf_load(text, strlen(text), "text", CONF_STATE, &env, &again, &e) != 0)
		abort();
	printed = text_of(again);
	if (strcmp(text, printed) != 0)
		abort();
	free(printed);
	free(text);
	conf_destroy(again);
}

static void run_line(struct conf *c, const char *line, size_t size)
{
	struct conf_error error = {.text = {.text = ""}};
	struct conf_edit edit;
	struct errtext e;
	struct words w;
	uint32_t column;
	char *before, *after;

	if (words_split(&w, line, size, &e, &column) != 0)
		return;
	before = text_of(c);
	if (conf_edit(c, &env, &w, &edit, &error) != 0) {
		after = text_of(c);
		if (strcmp(before, after) != 0 || error.word > w.n || error.text.text[0] == '\0')
			abort();
		free(after);
	}
	free(before);
	words_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct conf *c = NULL;
	struct errtext e;

	if (size == 0)
		return 0;
	random_state = 1;
	size--;
	if (data[0] % 3 != 0) {
		enum conf_source source = data[0] % 3 == 1 ? CONF_FILE : CONF_STATE;

		if (conf_load(text, size, "fuzz", source, &env, &c, &e) == 0)
			print_and_load(c);
		conf_destroy(c);
		return 0;
	}
	if (conf_create(&c) != 0)
		abort();
	for (unsigned n = 0; size > 0 && n < LINES_MAX; n++) {
		const char *newline = memchr(text, '\n', size);
		size_t length = newline != NULL ? (size_t)(newline - text) : size;

		run_line(c, text, length);
		text += length + (newline != NULL);
		size -= length + (newline != NULL);
	}
	print_and_load(c);
	conf_destroy(c);
	return 0;
}

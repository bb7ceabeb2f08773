#include "switch/conf.h"

#include <errno.h>
#include <string.h>

static int load_line(struct conf *c, const struct conf_env *env, const char *line, size_t size,
		     struct errtext *e, uint32_t *x_column);
static int check_state(const char *text, size_t size, const char *name, struct errtext *e);

int conf_load(const char *text, size_t size, const char *name, enum conf_source source,
	      const struct conf_env *env, struct conf **ret, struct errtext *e)
{
	struct conf *c;
	unsigned number = 1;
	uint32_t column;
	int err;

	if (source == CONF_STATE) {
		err = check_state(text, size, name, e);
		if (err != 0)
			return err;
	}
	err = conf_create(&c);
	if (err != 0)
		return errtext_set(e, err, "%s: out of memory", name);
	for (size_t at = 0; at < size; number++) {
		const char *newline = memchr(text + at, '\n', size - at);
		size_t length = newline != NULL ? (size_t)(newline - text) - at : size - at;

		err = load_line(c, env, text + at, length, e, &column);
		if (err != 0) {
			errtext_prefix(e, err, "%s:%u:%u: ", name, number, column);
			conf_destroy(c);
			return err;
		}
		at += length + 1;
	}
	*ret = c;
	return 0;
}

static int load_line(struct conf *c, const struct conf_env *env, const char *line, size_t size,
		     struct errtext *e, uint32_t *x_column)
{
	struct conf_error error;
	struct conf_edit edit;
	struct words w;
	int err;

	err = words_split(&w, line, size, e, x_column);
	if (err != 0)
		return err;
	if (w.n > 0) {
		err = conf_edit(c, env, &w, &edit, &error);
		if (err != 0) {
			*x_column = w.column[error.word];
			errtext_set(e, err, "%s", error.text.text);
		} else if (edit.op == CONF_PORT_ADD && conf_port_find(c, edit.name)->temporary) {
			*x_column = w.column[0];
			err = errtext_set(e, -EINVAL,
					  "'tx -' captures into the output of a running vswctl; a "
					  "file cannot ask for it");
		}
	}
	words_fini(&w);
	return err;
}

// A file that was cut short, or that a later version wrote, must not be taken for less.
static int check_state(const char *text, size_t size, const char *name, struct errtext *e)
{
	static const char first[] = CONF_STATE_FIRST "\n";
	static const char last[] = "\n" CONF_STATE_LAST "\n";
	const size_t first_size = sizeof(first) - 1, last_size = sizeof(last) - 1;
	unsigned lines = 1;

	if (size < first_size || memcmp(text, first, first_size) != 0)
		return errtext_set(e, -EINVAL,
				   "%s:1:1: the first line is not '%s': this is no saved state, or "
				   "that of another version of vswd",
				   name, CONF_STATE_FIRST);
	if (size >= last_size && memcmp(text + size - last_size, last, last_size) == 0)
		return 0;
	for (size_t i = 0; i + 1 < size; i++)
		lines += text[i] == '\n';
	return errtext_set(e, -EINVAL, "%s:%u:1: the file ends without its last line, '%s'", name,
			   lines, CONF_STATE_LAST);
}

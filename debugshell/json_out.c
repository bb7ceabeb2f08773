#include "debugshell/json_out.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 640 };

static void begin_value(struct json_out *j);
static void open_level(struct json_out *j, bool is_array);
static bool is_full(const struct json_out *j);
static bool take_key(struct json_out *j, const char *key);
static uint64_t hash(const char *s);
static void write_key(struct json_out *j, const char *key);
static void write_string(struct json_out *j, const char *s);
static bool is_plain(const char *s);
static json_t *escapable(const char *s);

void json_out_begin(struct json_out *j, FILE *to)
{
	j->to = to;
	j->depth = 0;
}

void json_out_object(struct json_out *j)
{
	begin_value(j);
	open_level(j, false);
}

void json_out_array(struct json_out *j)
{
	begin_value(j);
	open_level(j, true);
}

void json_out_end(struct json_out *j)
{
	j->depth--;
	putc(j->levels[j->depth].is_array ? ']' : '}', j->to);
}

void json_out_key(struct json_out *j, const char *key)
{
	struct json_out_level *level = &j->levels[j->depth - 1];
	char other[KEY_SIZE];

	snprintf(other, sizeof(other), "%.600s", key);
	if (is_full(j))
		snprintf(other, sizeof(other), "%.600s#%u", key, ++level->n_more);
	for (unsigned i = 2; !is_full(j) && !take_key(j, other); i++)
		snprintf(other, sizeof(other), "%.600s_%u", key, i);
	write_key(j, other);
}

bool json_out_has_key(const struct json_out *j, const char *key)
{
	const struct json_out_level *level = &j->levels[j->depth - 1];
	uint64_t wanted = hash(key);

	for (unsigned i = 0; i < level->n_keys; i++)
		if (j->keys[level->first_key + i] == wanted)
			return true;
	return false;
}

void json_out_reserve(struct json_out *j, const char *key)
{
	take_key(j, key);
}

void json_out_key_reserved(struct json_out *j, const char *key)
{
	write_key(j, key);
}

void json_out_string(struct json_out *j, const char *s)
{
	begin_value(j);
	write_string(j, s);
}

void json_out_number(struct json_out *j, const char *s)
{
	const char *from;
	size_t length;

	begin_value(j);
	s += strspn(s, " +");
	from = s + (*s == '-');
	from += strspn(from, "0");
	if (!isdigit((unsigned char)*from) && from > s && from[-1] == '0')
		from--;
	length = strspn(from, "0123456789.");
	if (length == 0 || !isdigit((unsigned char)*from) ||
	    from[length + strspn(from + length, " ")] != '\0')
		fputs("null", j->to);
	else
		fprintf(j->to, "%s%.*s", *s == '-' ? "-" : "", (int)length, from);
}

void json_out_bool(struct json_out *j, bool is)
{
	begin_value(j);
	fputs(is ? "true" : "false", j->to);
}

void json_out_null(struct json_out *j)
{
	begin_value(j);
	fputs("null", j->to);
}

static void begin_value(struct json_out *j)
{
	struct json_out_level *level = j->depth > 0 ? &j->levels[j->depth - 1] : NULL;

	if (level != NULL && level->is_array) {
		if (level->has_members)
			fputs(", ", j->to);
		level->has_members = true;
	}
}

static void open_level(struct json_out *j, bool is_array)
{
	struct json_out_level *level = &j->levels[j->depth++];

	level->first_key = j->depth > 1 ? level[-1].first_key + level[-1].n_keys : 0;
	level->is_array = is_array;
	level->has_members = false;
	level->n_keys = 0;
	level->n_more = 0;
	putc(is_array ? '[' : '{', j->to);
}

static bool is_full(const struct json_out *j)
{
	const struct json_out_level *level = &j->levels[j->depth - 1];

	return level->first_key + level->n_keys == JSON_OUT_KEYS_MAX;
}

// False: the innermost object has it.
static bool take_key(struct json_out *j, const char *key)
{
	struct json_out_level *level = &j->levels[j->depth - 1];

	if (json_out_has_key(j, key))
		return false;
	j->keys[level->first_key + level->n_keys++] = hash(key);
	return true;
}

// FNV-1a. Two keys of one hash cost a "_2" that is not needed.
static uint64_t hash(const char *s)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (; *s != '\0'; s++)
		value = (value ^ (uint8_t)*s) * 0x100000001b3ULL;
	return value;
}

static void write_key(struct json_out *j, const char *key)
{
	struct json_out_level *level = &j->levels[j->depth - 1];

	if (level->has_members)
		fputs(", ", j->to);
	level->has_members = true;
	write_string(j, key);
	fputs(": ", j->to);
}

static void write_string(struct json_out *j, const char *s)
{
	json_t *string;
	char *text;

	if (is_plain(s)) {
		fprintf(j->to, "\"%s\"", s);
		return;
	}
	string = escapable(s);
	text = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
	fputs(text != NULL ? text : "\"?\"", j->to);
	free(text);
	json_decref(string);
}

// Nothing to escape, as most of what is written.
static bool is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isprint((unsigned char)*s) || !isascii((unsigned char)*s) || *s == '"' ||
		    *s == '\\')
			return false;
	return true;
}

static json_t *escapable(const char *s)
{
	json_t *string = json_string(s);
	char *dotted;

	if (string != NULL)
		return string;
	dotted = strdup(s);
	if (dotted == NULL)
		return NULL;
	for (char *at = dotted; *at != '\0'; at++)
		if ((*at & 0x80) != 0)
			*at = '.';
	string = json_string(dotted);
	free(dotted);
	return string;
}

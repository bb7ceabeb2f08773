/*
 * A JSON text that is written as it goes: nothing of it is kept but the keys of the objects that
 * are open, so a table may have as many rows as it likes.
 *
 * Keys of one object differ: one that comes again gets "_2" and so on. JSON_OUT_KEYS_MAX are
 * remembered of all objects that are open; each that comes behind these ends in "#" and a number.
 *
 * Threads: one per struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_OUT_DEPTH_MAX = 48, JSON_OUT_KEYS_MAX = 1024 };

struct json_out_level {
	bool is_array;
	bool has_members;
	unsigned first_key;
	unsigned n_keys;
	unsigned n_more; // for which there was no room
};

struct json_out {
	FILE *to;
	unsigned depth;
	struct json_out_level levels[JSON_OUT_DEPTH_MAX];
	uint64_t keys[JSON_OUT_KEYS_MAX]; // hashes of those of all levels, the outermost first
};

// 'to' stays the caller's. Errors are those of the stream: ferror().
void json_out_begin(struct json_out *j, FILE *to);

void json_out_object(struct json_out *j);
void json_out_array(struct json_out *j);

// Ends the innermost object or array.
void json_out_end(struct json_out *j);

// The key of what comes next.
void json_out_key(struct json_out *j, const char *key);

// Whether the innermost object has it; also of one that is reserved.
bool json_out_has_key(const struct json_out *j, const char *key);

// Keeps a key of the innermost object for json_out_key_reserved(): others make way.
void json_out_reserve(struct json_out *j, const char *key);
void json_out_key_reserved(struct json_out *j, const char *key);

// Text that is not UTF-8 has dots in the place of all that is not ASCII; "?": out of memory.
void json_out_string(struct json_out *j, const char *s);

// A number as printf() writes it, with its blanks, zeros and sign; null when it is none (inf, nan).
void json_out_number(struct json_out *j, const char *s);
void json_out_bool(struct json_out *j, bool is);
void json_out_null(struct json_out *j);

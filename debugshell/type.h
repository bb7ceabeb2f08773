/*
 * Types: turns a struct as the target's build laid it out into the struct of our own build.
 *
 * Both builds carry type data (BTF). For each struct a map is made once: for every field of
 * ours, where the field of the same name is in the target's struct. So a vswsh reads a vswd
 * of another version; fields that the target does not have are zero and are listed as missing.
 *
 * Complications:
 *  - The target's type data is foreign bytes (a damaged process, any core): every offset is
 *    checked against the struct's size when the map is made, and all work is bounded.
 *  - A build without type data (clang) can only be read by the very layout of our own build.
 *    The sizes in the objects' headers then say whether that holds.
 *  - gcc 12 writes the dimensions of an array in the wrong order; see vsw_btf_probe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "debugshell/target.h"
#include "debugshell/type_holes.h"
#include "debugshell/why.h"

struct btf;
struct type_db;

enum {
	TYPE_SIZE_MAX = 16 << 20, // bytes of one struct
	TYPE_MISSING_MAX = 32     // names kept of missing fields
};

struct type_map {
	const char *name;   // of the struct
	uint32_t from_size; // bytes in the target
	uint32_t to_size;   // bytes of ours
	bool identical;     // both builds lay it out alike
	uint32_t n_missing; // fields that the target's struct does not have
	char missing[TYPE_MISSING_MAX][64];
	struct type_holes holes; // where frames lie in the target's struct

	struct type_map *next;
	uint32_t n_ops;
	uint32_t room;
	struct type_op *ops;
};

/**
 * Takes copies of both type data; a size of 0 means that a build has none.
 * -EINVAL: 'theirs' is damaged. -ENOMEM.
 */
int type_db_create(const void *ours, size_t ours_size, const void *theirs, size_t theirs_size,
		   struct type_db **ret, struct why *why);
void type_db_destroy(struct type_db *db);

// False: the target's build has none, and it is read by our own layout.
bool type_db_has_theirs(const struct type_db *db);

/**
 * The type data by which the target's memory is read: its own, else that of our build, else NULL.
 * '*x_reversed': see vsw_btf_probe.
 */
const struct btf *type_db_btf(const struct type_db *db, bool *x_reversed);

// That of our build, or NULL.
const struct btf *type_db_ours(const struct type_db *db);

// Whether a map of that name was made already.
bool type_is_known(const struct type_db *db, const char *name);

/**
 * The map of one struct, owned by 'db'. 'own_size' is its sizeof here.
 * -ENOENT: the target does not know the struct. -ENOTSUP: our build has no type data and the
 * target's struct is of another size. -EINVAL, -E2BIG: type data damaged. -ENOMEM.
 */
int type_map(struct type_db *db, const char *name, size_t own_size, const struct type_map **ret,
	     struct why *why);

// Converts one struct: from_size bytes to to_size bytes; what is missing is zero.
void type_convert(const struct type_map *map, const void *from, void *to);

// Whether the target has the field ("is_validation", "obj.refs").
bool type_has(const struct type_map *map, const char *field);

// Reads one struct, but no frames in it, and converts it. Errors as tgt_read(), and -ENOMEM.
int type_read(struct target *t, const struct type_map *map, tgt_addr addr, void *to);

/**
 * Offset and size in the target of a field of a struct. -ENOENT. For tests and for readers
 * of arrays.
 */
int type_field(struct type_db *db, const char *name, const char *field, uint32_t *x_offset,
	       uint32_t *x_size);

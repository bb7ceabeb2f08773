/*
 * The type data (BTF) itself, as type.c needs it: names to types, types to sizes and fields.
 * Everything is bounds-checked; a cycle in damaged data ends at a depth.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;

enum { TYPE_DIMS_MAX = 4 };

enum type_kind { TYPE_SCALAR, TYPE_AGGREGATE, TYPE_OPAQUE };

// A type without its typedefs and qualifiers. An array is its element with dimensions.
struct type_info {
	enum type_kind kind;
	uint32_t id;                  // struct or union
	uint32_t size;                // bytes of one element
	bool is_signed;               // scalar
	bool is_byte;                 // uint8_t, which is no text
	unsigned n_dims;              // 0 = no array
	uint32_t dims[TYPE_DIMS_MAX]; // outermost first
};

struct type_member {
	uint32_t type;
	uint32_t bit_offset; // in the struct that was asked
	uint32_t bits;       // of a bit-field, else 0
};

// -EINVAL: damaged. -ENOMEM.
int type_btf_open(const void *data, size_t size, struct btf **ret);

// Whether the dimensions of arrays stand in the wrong order in this type data.
bool type_btf_reversed(const struct btf *btf);

// Id of a struct, and its size. -ENOENT.
int type_btf_struct(const struct btf *btf, const char *name, uint32_t *x_id, uint32_t *x_size);

// Type 'id' without typedefs and qualifiers; 0 (void) when the data goes in circles.
uint32_t type_btf_skip(const struct btf *btf, uint32_t id);

// -EINVAL: a type that cannot be read.
int type_btf_info(const struct btf *btf, uint32_t id, bool reversed, struct type_info *ret);

// Number of members of a struct or union; member 'i' of it with its name ("" = anonymous).
uint32_t type_btf_n_members(const struct btf *btf, uint32_t id);
int type_btf_member(const struct btf *btf, uint32_t id, uint32_t i, const char **x_name,
		    struct type_member *ret);

/**
 * The member of that name, also inside anonymous members. 'steps' bounds the search and is
 * counted down. -ENOENT, -E2BIG.
 */
int type_btf_find(const struct btf *btf, uint32_t id, const char *name, uint32_t *steps,
		  struct type_member *ret);

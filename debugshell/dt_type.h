/*
 * Types of the target as dt shows them: their names as C has them, their arrays, and the enum that
 * a number is one of. All of it is foreign bytes, and bounded.
 */
#pragma once

#include "debugshell/print.h"
#include "debugshell/type_btf.h"

enum { DT_TYPE_ENUMS_MAX = 24 };

// The type data that is looked into.
struct dt_types {
	const struct btf *btf;
	bool reversed;                        // see vsw_btf_probe
	uint32_t enum_ids[DT_TYPE_ENUMS_MAX]; // of dt_type_enum_fields; 0: it does not have it
};

// Borrows 'btf'.
void dt_types_init(struct dt_types *types, const struct btf *btf, bool reversed);

// A type, and the arrays around it.
struct dt_type {
	uint32_t id;      // of an element as it was written: uint32_t
	uint32_t base;    // of what that is, without typedefs and qualifiers
	uint32_t enum_id; // enum that the number is one of, though it is not of that type; 0: none
	struct type_info info;
};

// Of these kinds the first one of that name: struct, union, enum, typedef, number. -ENOENT.
int dt_type_find(const struct dt_types *types, const char *name, uint32_t *ret);

// -EINVAL: damaged.
int dt_type_of(const struct dt_types *types, uint32_t id, struct dt_type *ret);

// Elements of all dimensions together; bytes of them. UINT64_MAX: more than can be.
uint64_t dt_type_elements(const struct dt_type *type);
uint64_t dt_type_bytes(const struct dt_type *type);

// One element of the outermost dimension, of which there must be one.
struct dt_type dt_type_element(const struct dt_type *type);

// "[80] char", "struct vport *", "const struct vnic_ops *".
struct text dt_type_text(const struct dt_types *types, const struct dt_type *type);

// Its name, made safe to print; "" when it has none.
struct text dt_type_name(const struct dt_types *types, uint32_t id);

// "[2] [39] " or "".
struct text dt_type_dims(const struct dt_type *type);

// Name by which dt finds a struct or union, or what a pointer points at; "" when there is none.
struct text dt_type_link(const struct dt_types *types, const struct dt_type *type);

// The enum whose numbers a field of a struct holds although it is an integer; 0: none.
uint32_t dt_type_enum(const struct dt_types *types, uint32_t struct_id, const char *field);

// Name of the number in an enum; "" when there is none.
struct text dt_type_enumerator(const struct dt_types *types, uint32_t enum_id, int64_t number);

/**
 * Constant 'i' of an enum. -ENOENT: there are not so many, or it is no enum.
 */
int dt_type_constant(const struct dt_types *types, uint32_t enum_id, uint32_t i, int64_t *x_number,
		     struct text *x_name);

// Fields that hold the numbers of an enum, as their headers say.
struct dt_type_enum_field {
	const char *name; // of the struct
	const char *field;
	const char *enumeration;
};
extern const struct dt_type_enum_field dt_type_enum_fields[];
extern const unsigned dt_type_n_enum_fields;

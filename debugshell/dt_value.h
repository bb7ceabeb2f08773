/*
 * Values as dt shows them, which is as WinDbg does: 0x1c in hexadecimal, 0n-5 in decimal when it
 * has a sign, 0y101 in bits, enums by name, text in quotes, long arrays by their beginning.
 */
#pragma once

#include "debugshell/dt_type.h"

enum { DT_VALUE_ELEMENTS = 8 }; // shown of an array

// An array of plain char: its innermost elements are shown together, in quotes.
bool dt_value_is_text(const struct dt_types *types, const struct dt_type *type);

// What 'bytes', all dt_type_bytes() of them, are; not for structs. '*x_more': not all elements
// of an array are shown.
struct text dt_value_text(const struct dt_types *types, const struct dt_type *type,
			  const void *bytes, bool *x_more);

// A bit-field of 'bits' bits; 'bytes' begins with the byte that its first bit, 'bit', is in, and
// reaches as far as its last one.
struct text dt_value_bits(const struct dt_types *types, const struct dt_type *type,
			  const void *bytes, unsigned bit, unsigned bits);

/*
 * The same as members of a JSON object: "value", which is a number for plain integers, enums and
 * bit-fields, an address or null for pointers, the text of an array of char, and else a string
 * as the text has it; and "constant", the name of an enum's number, or null.
 */
void dt_value_json(const struct dt_types *types, const struct dt_type *type, const void *bytes);
void dt_value_json_bits(const struct dt_types *types, const struct dt_type *type, const void *bytes,
			unsigned bit, unsigned bits);

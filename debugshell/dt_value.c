#include "debugshell/dt_value.h"

#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

static void json_one(const struct dt_types *types, const struct dt_type *type,
		     const uint8_t *bytes);
static void json_enum(const struct dt_types *types, uint32_t enum_id, int64_t number);
static uint64_t get_bits(const uint8_t *from, unsigned bit, unsigned bits);
static bool all_alike(const uint8_t *bytes, uint64_t n, size_t size);
static struct text value_one(const struct dt_types *types, const struct dt_type *type,
			     const uint8_t *bytes);
static struct text value_number(const struct dt_types *types, const struct dt_type *type,
				uint64_t raw);
static bool is_char(const struct dt_types *types, const struct dt_type *type);
static uint32_t enum_of(const struct dt_types *types, const struct dt_type *type);
static int64_t signed_number(const struct dt_type *type, uint64_t raw);
static int64_t enum_number(const struct dt_types *types, const struct dt_type *type, uint64_t raw);
static struct text value_enum(const struct dt_types *types, uint32_t enum_id, int64_t number);
static struct text value_char(uint64_t raw);

bool dt_value_is_text(const struct dt_types *types, const struct dt_type *type)
{
	const struct btf_type *t = btf__type_by_id(types->btf, type->base);
	const char *name;

	if (type->info.n_dims == 0 || t == NULL || !btf_is_int(t) || t->size != 1)
		return false;
	name = btf__name_by_offset(types->btf, t->name_off);
	return name != NULL && strcmp(name, "char") == 0;
}

struct text dt_value_text(const struct dt_types *types, const struct dt_type *type,
			  const void *bytes, bool *x_more)
{
	struct text text = dt_type_dims(type);
	struct dt_type one = *type;
	uint64_t n = dt_type_elements(type);
	size_t size = type->info.size;

	*x_more = false;
	if (dt_value_is_text(types, type)) {
		// Lines of text are the elements then.
		size = type->info.dims[type->info.n_dims - 1];
		n = size > 0 ? n / size : 0;
		one.info.n_dims = 1;
		one.info.dims[0] = (uint32_t)size;
	} else {
		one.info.n_dims = 0;
	}
	if (n > 1 && all_alike(bytes, n, size)) {
		print_append(&text, "all ");
		print_append(&text, "%s", value_one(types, &one, bytes).s);
		return text;
	}
	for (uint64_t i = 0; i < n && i < DT_VALUE_ELEMENTS; i++) {
		print_append(&text, "%s", i > 0 ? " " : "");
		print_append(&text, "%s",
			     value_one(types, &one, (const uint8_t *)bytes + i * size).s);
	}
	*x_more = n > DT_VALUE_ELEMENTS;
	print_append(&text, "%s", *x_more ? " ..." : "");
	return text;
}

struct text dt_value_bits(const struct dt_types *types, const struct dt_type *type,
			  const void *bytes, unsigned bit, unsigned bits)
{
	uint64_t raw = get_bits(bytes, bit, bits);
	struct text text = {.s = "0y"};
	size_t used = 2;

	for (unsigned i = bits; i > 0; i--)
		text.s[used++] = (char)('0' + (raw >> (i - 1) & 1));
	text.s[used] = '\0';
	if (btf_is_any_enum(btf__type_by_id(types->btf, type->base))) {
		print_append(&text, " ");
		print_append(&text, "%s", value_enum(types, type->base, (int64_t)raw).s);
	}
	return text;
}

void dt_value_json(const struct dt_types *types, const struct dt_type *type, const void *bytes)
{
	size_t dims = strlen(dt_type_dims(type).s);
	struct text text;
	bool more;

	if (type->info.n_dims == 0 && type->info.kind == TYPE_SCALAR) {
		json_one(types, type, bytes);
		return;
	}
	if (type->info.n_dims == 1 && dt_value_is_text(types, type)) {
		text = print_text(bytes, type->info.dims[0]);
		print_extra("value", "%s", text.s[0] != '\0' ? text.s : "[None]");
		return;
	}
	text = dt_value_text(types, type, bytes, &more);
	print_extra("value", "%s", text.s + dims);
}

void dt_value_json_bits(const struct dt_types *types, const struct dt_type *type, const void *bytes,
			unsigned bit, unsigned bits)
{
	uint64_t raw = get_bits(bytes, bit, bits);

	if (btf_is_any_enum(btf__type_by_id(types->btf, type->base)))
		json_enum(types, type->base, (int64_t)raw);
	else
		print_extra("value", "%lu", raw);
}

static void json_one(const struct dt_types *types, const struct dt_type *type, const uint8_t *bytes)
{
	const struct btf_type *t = btf__type_by_id(types->btf, type->base);
	uint64_t raw = 0;

	memcpy(&raw, bytes, type->info.size);
	if (enum_of(types, type) != 0)
		json_enum(types, enum_of(types, type), enum_number(types, type, raw));
	else if (btf_is_ptr(t) && raw == 0)
		print_extra("value", "%s", "[None]");
	else if (!btf_is_int(t) || (btf_int_encoding(t) & BTF_INT_BOOL) != 0 ||
		 is_char(types, type))
		print_extra("value", "%s", value_number(types, type, raw).s);
	else if (type->info.is_signed)
		print_extra("value", "%ld", signed_number(type, raw));
	else
		print_extra("value", "%lu", raw);
}

static void json_enum(const struct dt_types *types, uint32_t enum_id, int64_t number)
{
	struct text name = dt_type_enumerator(types, enum_id, number);

	print_extra("value", "%ld", number);
	print_extra("constant", "%s", name.s[0] != '\0' ? name.s : "[None]");
}

static uint64_t get_bits(const uint8_t *from, unsigned bit, unsigned bits)
{
	uint64_t raw = 0;

	for (unsigned i = 0; i < bits; i++)
		raw |= (uint64_t)(from[(bit + i) / 8] >> ((bit + i) % 8) & 1) << i;
	return raw;
}

static bool all_alike(const uint8_t *bytes, uint64_t n, size_t size)
{
	return n < 2 || memcmp(bytes, bytes + size, (n - 1) * size) == 0;
}

// One number, or one line of text.
static struct text value_one(const struct dt_types *types, const struct dt_type *type,
			     const uint8_t *bytes)
{
	uint64_t raw = 0;
	struct text text;

	if (type->info.n_dims > 0) {
		snprintf(text.s, sizeof(text.s), "\"%.590s\"",
			 print_text((const char *)bytes, type->info.dims[0]).s);
		return text;
	}
	if (type->info.kind != TYPE_SCALAR) {
		snprintf(text.s, sizeof(text.s), "[Not shown]");
		return text;
	}
	memcpy(&raw, bytes, type->info.size);
	return value_number(types, type, raw);
}

static struct text value_number(const struct dt_types *types, const struct dt_type *type,
				uint64_t raw)
{
	const struct btf_type *t = btf__type_by_id(types->btf, type->base);
	struct text text;

	if (enum_of(types, type) != 0)
		return value_enum(types, enum_of(types, type), enum_number(types, type, raw));
	if (btf_is_ptr(t) && raw == 0)
		snprintf(text.s, sizeof(text.s), "(null)");
	else if (btf_is_ptr(t))
		snprintf(text.s, sizeof(text.s), "%016lx", raw);
	else if (btf_is_int(t) && (btf_int_encoding(t) & BTF_INT_BOOL) != 0 && raw <= 1)
		snprintf(text.s, sizeof(text.s), "%s", raw != 0 ? "true" : "false");
	else if (is_char(types, type))
		return value_char(raw);
	else if (type->info.is_signed)
		snprintf(text.s, sizeof(text.s), "0n%ld", signed_number(type, raw));
	else
		snprintf(text.s, sizeof(text.s), "0x%lx", raw);
	return text;
}

// One without arrays around it: dt_value_text() and dt_value_json() have taken those off.
static bool is_char(const struct dt_types *types, const struct dt_type *type)
{
	return strcmp(dt_type_text(types, type).s, "char") == 0;
}

// Enum that the number is one of, by its type or by its field; 0: none.
static uint32_t enum_of(const struct dt_types *types, const struct dt_type *type)
{
	return btf_is_any_enum(btf__type_by_id(types->btf, type->base)) ? type->base
									: type->enum_id;
}

static int64_t signed_number(const struct dt_type *type, uint64_t raw)
{
	unsigned unused = 64 - 8 * type->info.size;

	return (int64_t)(raw << unused) >> unused;
}

// As the constants of its enum are: those of 32 bits have a sign.
static int64_t enum_number(const struct dt_types *types, const struct dt_type *type, uint64_t raw)
{
	const struct btf_type *t = btf__type_by_id(types->btf, type->base);

	if (!btf_is_any_enum(t) || btf_is_enum64(t) || type->info.size < 4)
		return (int64_t)raw;
	return signed_number(type, raw);
}

static struct text value_enum(const struct dt_types *types, uint32_t enum_id, int64_t number)
{
	struct text name = dt_type_enumerator(types, enum_id, number);
	struct text text;

	snprintf(text.s, sizeof(text.s), "0n%ld ( %.500s )", number,
		 name.s[0] != '\0' ? name.s : "No matching name");
	return text;
}

static struct text value_char(uint64_t raw)
{
	char c = (char)raw;
	struct text text;

	snprintf(text.s, sizeof(text.s), "0n%d '%.8s'", (int8_t)raw, print_text(&c, 1).s);
	return text;
}

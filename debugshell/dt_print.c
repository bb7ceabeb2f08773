#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/dt.h"
#include "debugshell/dt_value.h"

// A row to print: a part of the type.
struct dt_row {
	const char *name;
	const struct dt_type *type;
	uint64_t bit;
	uint32_t bits;
	uint32_t parent; // struct that it is in; 0: none
	uint64_t parent_byte;
};

static void show_head(struct dt *dt, const char *note);
static void show_constants(struct dt *dt);
static void show_members(struct dt *dt, uint32_t id, uint64_t byte, unsigned level,
			 unsigned nesting);
static void show_member(struct dt *dt, uint32_t id, uint32_t i, uint64_t byte, unsigned level,
			unsigned nesting);
static void show_row(struct dt *dt, const struct dt_row *row, unsigned level);
static void show_type(const struct dt *dt, const struct dt_row *row);
static void show_value(struct dt *dt, const struct dt_row *row);
static void show_bytes(struct dt *dt, const struct dt_row *row, const uint8_t *bytes);
static struct text pointer_text(const struct dt *dt, const struct dt_type *type,
				const uint8_t *bytes);
static void show_opened(struct dt *dt, const struct dt_row *row, unsigned level);
static void show_elements(struct dt *dt);
static void show_numbers(struct dt *dt, const struct dt_type *element, const uint8_t *bytes,
			 uint32_t n);
static void show_range(struct dt *dt, uint32_t first, uint32_t last, const char *text);
static struct text element_text(const struct dt *dt, const struct dt_type *element, uint64_t byte);
static void show_link(const struct dt *dt, const struct dt_row *row);
static bool take_row(struct dt *dt);
static const uint8_t *get_bytes(struct dt *dt, uint64_t byte, uint64_t size, int *x_err);

void dt_print(struct dt *dt, const char *note)
{
	const struct btf_type *t = btf__type_by_id(dt->types.btf, dt->type.base);
	const char *point = strrchr(dt->path, '.');
	struct dt_row row = {.name = point != NULL ? point + 1 : "",
			     .type = &dt->type,
			     .bit = dt->bit,
			     .bits = dt->bits,
			     .parent = dt->parent,
			     .parent_byte = dt->parent_byte};

	dt->rows = 0;
	dt->steps = 0;
	show_head(dt, note);
	if (dt->type.info.kind == TYPE_AGGREGATE && dt->type.info.n_dims == 0)
		show_members(dt, dt->type.info.id, dt->bit / 8, 1, 0);
	else if (dt->type.info.n_dims > 0 && !dt_value_is_text(&dt->types, &dt->type))
		show_elements(dt);
	else if (btf_is_any_enum(t) && dt->target == NULL)
		show_constants(dt);
	else
		show_row(dt, &row, 1);
	if (dt->rows > DT_ROWS_MAX || dt->steps > DT_STEPS_MAX)
		printf("   [More than %u rows]\n", DT_ROWS_MAX);
}

static void show_head(struct dt *dt, const char *note)
{
	uint32_t n = dt->type.info.n_dims > 0 ? dt->type.info.dims[0]
					      : type_btf_n_members(dt->types.btf, dt->type.info.id);

	printf("\nvswd!%s", dt->path);
	if (dt->target != NULL)
		printf(" at %016lx", tgt_add(dt->addr, dt->bit / 8).v);
	if (dt->type.info.kind == TYPE_AGGREGATE || dt->type.info.n_dims > 0)
		printf(", %u elements", n);
	printf(", 0x%lx bytes%s\n", dt_type_bytes(&dt->type), note);
}

static void show_constants(struct dt *dt)
{
	struct text name;
	int64_t number;

	for (uint32_t i = 0;
	     dt_type_constant(&dt->types, dt->type.base, i, &number, &name) == 0 && take_row(dt);
	     i++)
		printf("   %s = 0n%ld\n", name.s, number);
}

// 'nesting': structs without a name in each other, whose members stand among the others.
static void show_members(struct dt *dt, uint32_t id, uint64_t byte, unsigned level,
			 unsigned nesting)
{
	uint32_t n = type_btf_n_members(dt->types.btf, id);

	for (uint32_t i = 0; i < n && dt->rows <= DT_ROWS_MAX && dt->steps++ < DT_STEPS_MAX; i++)
		show_member(dt, id, i, byte, level, nesting);
}

static void show_member(struct dt *dt, uint32_t id, uint32_t i, uint64_t byte, unsigned level,
			unsigned nesting)
{
	struct type_member member;
	struct dt_type type;
	const char *name;
	struct dt_row row;

	if (type_btf_member(dt->types.btf, id, i, &name, &member) != 0 ||
	    dt_type_of(&dt->types, member.type, &type) != 0) {
		if (take_row(dt))
			printf("%*s*** type data damaged ***\n", 3 * level, "");
		return;
	}
	if (name[0] == '\0' && type.info.kind == TYPE_AGGREGATE && type.info.n_dims == 0 &&
	    nesting < DT_DEPTH_MAX) {
		show_members(dt, type.info.id, byte + member.bit_offset / 8, level, nesting + 1);
		return;
	}
	type.enum_id = dt_type_enum(&dt->types, id, name);
	row = (struct dt_row){.name = name,
			      .type = &type,
			      .bit = 8 * byte + member.bit_offset,
			      .bits = member.bits,
			      .parent = id,
			      .parent_byte = byte};
	show_row(dt, &row, level);
}

static void show_row(struct dt *dt, const struct dt_row *row, unsigned level)
{
	if (!take_row(dt))
		return;
	printf("%*s+0x%03lx %-16s : ", 3 * level, "", row->bit / 8,
	       print_text(row->name, strlen(row->name)).s);
	if (dt->target == NULL)
		show_type(dt, row);
	else
		show_value(dt, row);
	putchar('\n');
	if (row->type->info.kind == TYPE_AGGREGATE && level <= dt->depth)
		show_opened(dt, row, level);
}

static void show_type(const struct dt *dt, const struct dt_row *row)
{
	if (row->bits > 0) {
		printf("Pos %lu, %u Bit%s", row->bit % 8, row->bits, row->bits > 1 ? "s" : "");
		return;
	}
	printf("%s", dt_type_text(&dt->types, row->type).s);
	if (row->type->enum_id != 0)
		printf(" (enum %s)", dt_type_name(&dt->types, row->type->enum_id).s);
	show_link(dt, row);
}

static void show_value(struct dt *dt, const struct dt_row *row)
{
	uint64_t size = dt_type_bytes(row->type);
	const uint8_t *bytes;
	int err;

	if (row->type->info.kind == TYPE_AGGREGATE && row->bits == 0) {
		printf("%s", dt_type_text(&dt->types, row->type).s);
		show_link(dt, row);
		return;
	}
	if (row->bits > 0)
		size = row->bits <= 64 ? (row->bit % 8 + row->bits + 7) / 8 : UINT64_MAX;
	bytes = get_bytes(dt, row->bit / 8, size, &err);
	if (bytes != NULL)
		show_bytes(dt, row, bytes);
	else if (err == -EINVAL)
		printf("*** type data damaged ***");
	else
		printf("%s[%s]", dt_type_dims(row->type).s, tgt_strerror(dt->target, err));
}

static void show_bytes(struct dt *dt, const struct dt_row *row, const uint8_t *bytes)
{
	bool more = false;

	if (row->bits > 0) {
		printf("%s",
		       dt_value_bits(&dt->types, row->type, bytes, row->bit % 8, row->bits).s);
		return;
	}
	printf("%s", dt_value_text(&dt->types, row->type, bytes, &more).s);
	if (more)
		show_link(dt, row);
	else
		printf("%s", pointer_text(dt, row->type, bytes).s);
}

// What stands behind the value of a pointer: the command that shows what is there, or its type.
static struct text pointer_text(const struct dt *dt, const struct dt_type *type,
				const uint8_t *bytes)
{
	const struct btf_type *t = btf__type_by_id(dt->types.btf, type->base);
	struct text link = dt_type_link(&dt->types, type);
	struct text text = {.s = ""};
	uint64_t pointer;

	if (!btf_is_ptr(t) || type->info.n_dims > 0)
		return text;
	memcpy(&pointer, bytes, sizeof(pointer));
	if (pointer != 0 && link.s[0] != '\0')
		print_append(&text, "   !dt %s %016lx", link.s, pointer);
	else if (pointer != 0)
		print_append(&text, " %s", dt_type_text(&dt->types, type).s);
	return text;
}

// The members of a struct, or of the first ones of an array of them.
static void show_opened(struct dt *dt, const struct dt_row *row, unsigned level)
{
	uint64_t n = dt_type_elements(row->type);
	uint64_t byte = row->bit / 8;
	struct dt_type element = *row->type;

	if (row->type->info.n_dims == 0) {
		show_members(dt, row->type->info.id, byte, level + 1, 0);
		return;
	}
	element.info.n_dims = 0;
	for (uint64_t i = 0; i < n && i < DT_ELEMENTS_MAX && take_row(dt); i++) {
		printf("%*s[%02lu] %s\n", 3 * (level + 1), "", i,
		       dt_type_text(&dt->types, &element).s);
		show_members(dt, row->type->info.id, byte + i * row->type->info.size, level + 2, 0);
	}
	if (n > DT_ELEMENTS_MAX && take_row(dt))
		printf("%*s[... %lu more]\n", 3 * (level + 1), "", n - DT_ELEMENTS_MAX);
}

// An array that was asked for itself: each element, numbers that are alike in one row.
static void show_elements(struct dt *dt)
{
	struct dt_type element = dt_type_element(&dt->type);
	uint32_t n = dt->type.info.dims[0];
	uint64_t size = dt_type_bytes(&element);
	const uint8_t *bytes;
	int err;

	if (n == 0) {
		printf("   [None]\n");
	} else if (dt->target == NULL || size == 0) {
		show_range(dt, 0, n - 1, dt_type_text(&dt->types, &element).s);
	} else if (element.info.kind == TYPE_AGGREGATE) {
		for (uint32_t i = 0; i < n && dt->rows <= DT_ROWS_MAX; i++)
			show_range(dt, i, i, element_text(dt, &element, i * size).s);
	} else {
		bytes = get_bytes(dt, dt->bit / 8, n * size, &err);
		if (bytes != NULL)
			show_numbers(dt, &element, bytes, n);
		else
			printf("   [%s]\n", tgt_strerror(dt->target, err));
	}
}

static void show_numbers(struct dt *dt, const struct dt_type *element, const uint8_t *bytes,
			 uint32_t n)
{
	uint64_t size = dt_type_bytes(element);
	uint32_t first = 0;
	struct text text;
	bool more;

	for (uint32_t i = 1; i <= n && dt->rows <= DT_ROWS_MAX; i++) {
		const uint8_t *it = bytes + first * size;

		if (i < n && memcmp(bytes + i * size, it, size) == 0)
			continue;
		text = dt_value_text(&dt->types, element, it, &more);
		print_append(&text, "%s", pointer_text(dt, element, it).s);
		show_range(dt, first, i - 1, text.s);
		first = i;
	}
}

// A row of elements of the selected array.
static void show_range(struct dt *dt, uint32_t first, uint32_t last, const char *text)
{
	struct dt_type element = dt_type_element(&dt->type);
	char range[32];

	if (!take_row(dt))
		return;
	if (first == last)
		snprintf(range, sizeof(range), "[%02u]", first);
	else
		snprintf(range, sizeof(range), "[%02u..%02u]", first, last);
	printf("   +0x%03lx %-16s : %s\n", dt->bit / 8 + first * dt_type_bytes(&element), range,
	       text);
}

// A struct of the selected array, 'byte' bytes behind its beginning.
static struct text element_text(const struct dt *dt, const struct dt_type *element, uint64_t byte)
{
	struct text text = dt_type_text(&dt->types, element);
	struct text link = dt_type_link(&dt->types, element);
	size_t length = strlen(text.s);

	if (link.s[0] != '\0' && element->info.n_dims == 0)
		snprintf(text.s + length, sizeof(text.s) - length, "   !dt %.200s %016lx", link.s,
			 tgt_add(dt->addr, dt->bit / 8 + byte).v);
	return text;
}

// The command that shows more of what the row is of.
static void show_link(const struct dt *dt, const struct dt_row *row)
{
	struct text name = dt_type_link(&dt->types, row->type);
	bool is_array = row->type->info.n_dims > 0;
	uint64_t byte = is_array ? row->parent_byte : row->bit / 8;

	if (is_array && dt->target == NULL)
		return;
	if (is_array && row->parent != 0) {
		name = dt_type_name(&dt->types, row->parent);
		if (name.s[0] != '\0')
			printf("   !dt %s.%s", name.s, print_text(row->name, strlen(row->name)).s);
	} else if (name.s[0] != '\0') {
		printf("   !dt %s", name.s);
	}
	if (name.s[0] != '\0' && dt->target != NULL)
		printf(" %016lx", tgt_add(dt->addr, byte).v);
}

static bool take_row(struct dt *dt)
{
	return dt->rows++ < DT_ROWS_MAX;
}

// Memory of the type, valid until the next call; NULL and '*x_err' when it cannot be read, -EINVAL
// when the type has no such bytes.
static const uint8_t *get_bytes(struct dt *dt, uint64_t byte, uint64_t size, int *x_err)
{
	uint8_t *piece;

	*x_err = -EINVAL;
	if (byte > dt->size || size > dt->size - byte)
		return NULL;
	if (dt->bytes != NULL)
		return dt->bytes + byte;
	*x_err = -ENOMEM;
	piece = realloc(dt->piece, size + 1);
	if (piece == NULL)
		return NULL;
	dt->piece = piece;
	*x_err = size > 0 ? tgt_read(dt->target, tgt_add(dt->addr, byte), piece, size) : 0;
	return *x_err == 0 ? piece : NULL;
}

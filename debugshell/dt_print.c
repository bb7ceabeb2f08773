#include <assert.h>
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

static_assert(DT_DEPTH_MAX + 2 <= (int)PRINT_DEPTH_MAX, "rows that are opened are in each other");

static void show_head(struct dt *dt, bool torn);
static void show_constants(struct dt *dt);
static void show_members(struct dt *dt, uint32_t id, uint64_t byte, unsigned level,
			 unsigned nesting);
static void show_member(struct dt *dt, uint32_t id, uint32_t i, uint64_t byte, unsigned level,
			unsigned nesting);
static void show_row(struct dt *dt, const struct dt_row *row, unsigned level);
static void row_begin(const struct dt *dt, const struct dt_row *row, unsigned level);
static void show_type(const struct dt *dt, const struct dt_row *row);
static void show_value(struct dt *dt, const struct dt_row *row);
static void show_damaged(void);
static void show_unread(const struct dt *dt, const struct dt_type *type, int err);
static void show_bytes(struct dt *dt, const struct dt_row *row, const uint8_t *bytes);
static void show_pointer(const struct dt *dt, const struct dt_type *type, const uint8_t *bytes);
static void show_opened(struct dt *dt, const struct dt_row *row, unsigned level);
static void show_elements(struct dt *dt);
static void show_structs(struct dt *dt, const struct dt_type *element, uint32_t n);
static void show_numbers(struct dt *dt, const struct dt_type *element, const uint8_t *bytes,
			 uint32_t n);
static bool range_begin(struct dt *dt, const struct dt_type *element, uint32_t first,
			uint32_t last);
static void range_end(void);
static void show_link(const struct dt *dt, const struct dt_row *row);
static void show_command(const char *what, const tgt_addr *addr);
static bool take_row(struct dt *dt);
static const uint8_t *get_bytes(struct dt *dt, uint64_t byte, uint64_t size, int *x_err);

void dt_print(struct dt *dt, bool torn)
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
	show_head(dt, torn);
	if (dt->type.info.kind == TYPE_AGGREGATE && dt->type.info.n_dims == 0)
		show_members(dt, dt->type.info.id, dt->bit / 8, 1, 0);
	else if (dt->type.info.n_dims > 0 && !dt_value_is_text(&dt->types, &dt->type))
		show_elements(dt);
	else if (btf_is_any_enum(t) && dt->target == NULL)
		show_constants(dt);
	else
		show_row(dt, &row, 1);
	if (dt->rows > DT_ROWS_MAX || dt->steps > DT_STEPS_MAX)
		print_note("   ", "[More than %u rows]", DT_ROWS_MAX);
}

static void show_head(struct dt *dt, bool torn)
{
	uint32_t n = dt->type.info.n_dims > 0 ? dt->type.info.dims[0]
					      : type_btf_n_members(dt->types.btf, dt->type.info.id);

	print_plain("\nvswd!%s", dt->path);
	print_extra("type", "%s", dt->path);
	if (dt->target != NULL) {
		print_plain(" at %016lx", tgt_add(dt->addr, dt->bit / 8).v);
		print_extra("address", "%016lx", tgt_add(dt->addr, dt->bit / 8).v);
	}
	if (dt->type.info.kind == TYPE_AGGREGATE || dt->type.info.n_dims > 0) {
		print_plain(", %u elements", n);
		print_extra("elements", "%u", n);
	}
	print_plain(", 0x%lx bytes%s\n", dt_type_bytes(&dt->type), torn ? " ~" : "");
	print_extra("size", "0x%lx", dt_type_bytes(&dt->type));
	print_torn(torn);
}

static void show_constants(struct dt *dt)
{
	struct text name;
	int64_t number;

	for (uint32_t i = 0;
	     dt_type_constant(&dt->types, dt->type.base, i, &number, &name) == 0 && take_row(dt);
	     i++) {
		print_open("constants");
		print_plain("   %s = 0n%ld\n", name.s, number);
		print_extra("name", "%s", name.s);
		print_extra("value", "%ld", number);
		print_close();
	}
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
		if (take_row(dt)) {
			print_open("fields");
			print_plain("%*s", 3 * level, "");
			show_damaged();
			print_plain("\n");
			print_close();
		}
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
	print_open("fields");
	row_begin(dt, row, level);
	if (dt->target == NULL)
		show_type(dt, row);
	else
		show_value(dt, row);
	print_plain("\n");
	if (row->type->info.kind == TYPE_AGGREGATE && level <= dt->depth)
		show_opened(dt, row, level);
	print_close();
}

// What each row has. In JSON that is its type as well, where the text has no room for it.
static void row_begin(const struct dt *dt, const struct dt_row *row, unsigned level)
{
	struct text name = print_text(row->name, strlen(row->name));

	print_plain("%*s+0x%03lx %-16s : ", 3 * level, "", row->bit / 8, name.s);
	print_extra("offset", "0x%03lx", row->bit / 8);
	print_extra("name", "%s", name.s);
	print_extra("type", "%s", dt_type_text(&dt->types, row->type).s);
	if (row->type->enum_id != 0)
		print_extra("enum", "%s", dt_type_name(&dt->types, row->type->enum_id).s);
	if (row->bits > 0) {
		print_extra("bit", "%lu", row->bit % 8);
		print_extra("bits", "%u", row->bits);
	}
}

static void show_type(const struct dt *dt, const struct dt_row *row)
{
	if (row->bits > 0) {
		print_plain("Pos %lu, %u Bit%s", row->bit % 8, row->bits, row->bits > 1 ? "s" : "");
		return;
	}
	print_plain("%s", dt_type_text(&dt->types, row->type).s);
	if (row->type->enum_id != 0)
		print_plain(" (enum %s)", dt_type_name(&dt->types, row->type->enum_id).s);
	show_link(dt, row);
}

static void show_value(struct dt *dt, const struct dt_row *row)
{
	uint64_t size = dt_type_bytes(row->type);
	const uint8_t *bytes;
	int err;

	if (row->type->info.kind == TYPE_AGGREGATE && row->bits == 0) {
		print_plain("%s", dt_type_text(&dt->types, row->type).s);
		show_link(dt, row);
		return;
	}
	if (row->bits > 0)
		size = row->bits <= 64 ? (row->bit % 8 + row->bits + 7) / 8 : UINT64_MAX;
	bytes = get_bytes(dt, row->bit / 8, size, &err);
	if (bytes != NULL)
		show_bytes(dt, row, bytes);
	else if (err == -EINVAL)
		show_damaged();
	else
		show_unread(dt, row->type, err);
}

static void show_damaged(void)
{
	print_plain("*** type data damaged ***");
	print_extra("why", "type data damaged");
}

static void show_unread(const struct dt *dt, const struct dt_type *type, int err)
{
	print_plain("%s[%s]", dt_type_dims(type).s, tgt_strerror(dt->target, err));
	print_extra("value", "%s", "[None]");
	print_extra("why", "%s", tgt_strerror(dt->target, err));
}

static void show_bytes(struct dt *dt, const struct dt_row *row, const uint8_t *bytes)
{
	unsigned bit = row->bit % 8;
	bool more = false;

	if (row->bits > 0) {
		print_plain("%s", dt_value_bits(&dt->types, row->type, bytes, bit, row->bits).s);
		dt_value_json_bits(&dt->types, row->type, bytes, bit, row->bits);
		return;
	}
	print_plain("%s", dt_value_text(&dt->types, row->type, bytes, &more).s);
	dt_value_json(&dt->types, row->type, bytes);
	if (more)
		show_link(dt, row);
	else
		show_pointer(dt, row->type, bytes);
}

// What stands behind the value of a pointer: the command that shows what is there, or its type.
static void show_pointer(const struct dt *dt, const struct dt_type *type, const uint8_t *bytes)
{
	const struct btf_type *t = btf__type_by_id(dt->types.btf, type->base);
	struct text link = dt_type_link(&dt->types, type);
	tgt_addr pointer;

	if (!btf_is_ptr(t) || type->info.n_dims > 0)
		return;
	memcpy(&pointer.v, bytes, sizeof(pointer.v));
	if (pointer.v != 0 && link.s[0] != '\0')
		show_command(link.s, &pointer);
	else if (pointer.v != 0)
		print_plain(" %s", dt_type_text(&dt->types, type).s);
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
		print_open("array");
		print_plain("%*s[%02lu] %s\n", 3 * (level + 1), "", i,
			    dt_type_text(&dt->types, &element).s);
		print_extra("index", "%lu", i);
		show_members(dt, row->type->info.id, byte + i * row->type->info.size, level + 2, 0);
		print_close();
	}
	if (n > DT_ELEMENTS_MAX && take_row(dt)) {
		print_plain("%*s[... %lu more]\n", 3 * (level + 1), "", n - DT_ELEMENTS_MAX);
		print_extra("more", "%lu", n - DT_ELEMENTS_MAX);
	}
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
		print_plain("   [None]\n");
	} else if (dt->target == NULL || size == 0) {
		range_begin(dt, &element, 0, n - 1);
		print_plain("%s", dt_type_text(&dt->types, &element).s);
		range_end();
	} else if (element.info.kind == TYPE_AGGREGATE) {
		show_structs(dt, &element, n);
	} else {
		bytes = get_bytes(dt, dt->bit / 8, n * size, &err);
		if (bytes != NULL)
			show_numbers(dt, &element, bytes, n);
		else
			print_note("   ", "[%s]", tgt_strerror(dt->target, err));
	}
}

static void show_structs(struct dt *dt, const struct dt_type *element, uint32_t n)
{
	struct text type = dt_type_text(&dt->types, element);
	struct text link = dt_type_link(&dt->types, element);
	uint64_t size = dt_type_bytes(element);

	for (uint32_t i = 0; i < n && range_begin(dt, element, i, i); i++) {
		tgt_addr addr = tgt_add(dt->addr, dt->bit / 8 + i * size);

		print_plain("%s", type.s);
		if (link.s[0] != '\0' && element->info.n_dims == 0)
			show_command(link.s, &addr);
		range_end();
	}
}

static void show_numbers(struct dt *dt, const struct dt_type *element, const uint8_t *bytes,
			 uint32_t n)
{
	uint64_t size = dt_type_bytes(element);
	uint32_t first = 0;
	bool more;

	for (uint32_t i = 1; i <= n; i++) {
		const uint8_t *it = bytes + first * size;

		if (i < n && memcmp(bytes + i * size, it, size) == 0)
			continue;
		if (!range_begin(dt, element, first, i - 1))
			return;
		print_plain("%s", dt_value_text(&dt->types, element, it, &more).s);
		dt_value_json(&dt->types, element, it);
		show_pointer(dt, element, it);
		range_end();
		first = i;
	}
}

// A row of elements of the selected array. False: there are rows enough.
static bool range_begin(struct dt *dt, const struct dt_type *element, uint32_t first, uint32_t last)
{
	uint64_t byte = dt->bit / 8 + first * dt_type_bytes(element);
	char range[32];

	if (!take_row(dt))
		return false;
	if (first == last)
		snprintf(range, sizeof(range), "[%02u]", first);
	else
		snprintf(range, sizeof(range), "[%02u..%02u]", first, last);
	print_open("array");
	print_plain("   +0x%03lx %-16s : ", byte, range);
	print_extra("offset", "0x%03lx", byte);
	print_extra("first", "%u", first);
	print_extra("last", "%u", last);
	print_extra("type", "%s", dt_type_text(&dt->types, element).s);
	return true;
}

static void range_end(void)
{
	print_plain("\n");
	print_close();
}

// The command that shows more of what the row is of.
static void show_link(const struct dt *dt, const struct dt_row *row)
{
	struct text what = dt_type_link(&dt->types, row->type);
	bool is_array = row->type->info.n_dims > 0;
	tgt_addr addr = tgt_add(dt->addr, is_array ? row->parent_byte : row->bit / 8);

	if (is_array && dt->target == NULL)
		return;
	if (is_array && row->parent != 0) {
		what = dt_type_name(&dt->types, row->parent);
		if (what.s[0] != '\0')
			print_append(&what, ".%s", print_text(row->name, strlen(row->name)).s);
	}
	if (what.s[0] != '\0')
		show_command(what.s, dt->target != NULL ? &addr : NULL);
}

// 'addr' is NULL where the layout alone is shown.
static void show_command(const char *what, const tgt_addr *addr)
{
	struct text text = {.s = "!dt "};

	print_append(&text, "%s", what);
	if (addr != NULL)
		print_append(&text, " %016lx", addr->v);
	print_plain("   %s", text.s);
	print_extra("command", "%s", text.s);
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

// Type data of a target: the input is the BTF of "another build", whose structs are then looked
// up, mapped onto ours and converted, shown by dt, as text and as JSON, which must be some, and
// followed by a dump. Ours is made here, so that any compiler can build this.
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <jansson.h>

#include "debugshell/dt.h"
#include "debugshell/dump.h"
#include "debugshell/type.h"

enum { U8 = 1, U16, U32, U64, S32, CHAR, POINTER, NAME, ROWS, INNER, INNERS, PART };

struct inner {
	uint32_t a;
	uint16_t b;
	char name[32];
};

struct outer {
	uint64_t id;
	int32_t number;
	void *pointer;
	uint32_t few : 3;
	uint32_t more : 9;
	char name[32];
	uint64_t rows[2][39];
	struct inner inners[5];
	union {
		uint32_t word;
		uint8_t byte;
	};
};

static struct btf *ours;

static void field(const char *name, int type, size_t offset)
{
	int err = btf__add_field(ours, name, type, (uint32_t)offset * 8, 0);

	assert(err == 0);
	(void)err;
}

static void make_ours(void)
{
	int row;

	ours = btf__new_empty();
	btf__add_int(ours, "u8", 1, 0);
	btf__add_int(ours, "u16", 2, 0);
	btf__add_int(ours, "u32", 4, 0);
	btf__add_int(ours, "u64", 8, 0);
	btf__add_int(ours, "s32", 4, BTF_INT_SIGNED);
	btf__add_int(ours, "char", 1, 0);
	btf__add_ptr(ours, 0);
	btf__add_array(ours, U32, CHAR, 32);
	btf__add_array(ours, U32, ROWS + 4, 2);
	btf__add_struct(ours, "inner", sizeof(struct inner));
	field("a", U32, offsetof(struct inner, a));
	field("b", U16, offsetof(struct inner, b));
	field("name", NAME, offsetof(struct inner, name));
	btf__add_array(ours, U32, INNER, 5);
	btf__add_union(ours, NULL, 4);
	field("word", U32, 0);
	field("byte", U8, 0);
	row = btf__add_array(ours, U32, U64, 39);
	assert(row == ROWS + 4);
	(void)row;
	btf__add_struct(ours, "outer", sizeof(struct outer));
	field("id", U64, offsetof(struct outer, id));
	field("number", S32, offsetof(struct outer, number));
	field("pointer", POINTER, offsetof(struct outer, pointer));
	btf__add_field(ours, "few", U32, 20 * 8, 3);
	field("name", NAME, offsetof(struct outer, name));
	field("rows", ROWS, offsetof(struct outer, rows));
	field("inners", INNERS, offsetof(struct outer, inners));
	field("", PART, offsetof(struct outer, word));
}

static void convert(struct type_db *db, const char *name, size_t size)
{
	const struct type_map *map;
	uint32_t offset, bytes;
	struct why why;
	void *from, *to;

	type_field(db, name, "name", &offset, &bytes);
	if (type_map(db, name, size, &map, &why) != 0)
		return;
	assert(map->to_size == size);
	from = malloc(map->from_size);
	to = malloc(size);
	if (from != NULL && to != NULL) {
		memset(from, 0xa5, map->from_size);
		type_convert(map, from, to);
		type_has(map, "name");
	}
	free(from);
	free(to);
}

// Memory that is something everywhere, but not for ever.
static unsigned reads_left;

static int garbage_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	uint8_t *to = buf;

	if (reads_left == 0)
		return -EFAULT;
	reads_left--;
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)((from.v + i) >> 3);
	return 0;
}

static const struct target_ops garbage_ops = {.read = garbage_read};
static struct target garbage = {.ops = &garbage_ops};

static void print_json(struct dt *dt)
{
	FILE *out = stdout;
	char *text = NULL;
	json_t *json;
	size_t size;

	stdout = open_memstream(&text, &size);
	assert(stdout != NULL);
	print_begin(true, "dt", "garbage");
	dt_print(dt, false);
	print_end(NULL);
	fclose(stdout);
	stdout = out;
	json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	assert(json_is_object(json));
	json_decref(json);
	free(text);
}

// 'reads': of memory, before there is none any more; 0: the layout alone is shown.
static void show(const struct dt_types *types, const char *name, const char *field, unsigned reads)
{
	struct dt dt = {.types = *types, .depth = 3};
	struct why why;

	reads_left = reads;
	if (dt_select(&dt, name, field, &why) == 0) {
		if (reads > 0)
			dt.target = &garbage;
		if (reads == 0 || dt_load(&dt, &why) == 0)
			dt_print(&dt, false);
		reads_left = reads;
		print_json(&dt);
	}
	dt_free(&dt);
}

static void show_all(struct type_db *db)
{
	static const char *const names[] = {"outer", "inner", "vport", "proc", "color", "u32"};
	struct shell sh = {.target = &garbage, .types = db};
	struct dt_types types;
	bool reversed;
	const struct btf *btf = type_db_btf(db, &reversed);

	dt_types_init(&types, btf, reversed);
	dt_list(&types, "*e*");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		show(&types, names[i], "", 0);
		show(&types, names[i], "", 1);  // at once
		show(&types, names[i], "", 20); // and no more
		show(&types, names[i], "rows[1]", 100);
		show(&types, names[i], "inners[0].name", 100);
	}
	reads_left = 50;
	dump_follow(&sh, (tgt_addr){0x1000});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct type_db *db;
	const void *raw;
	uint32_t raw_size;
	struct why why;

	if (ours == NULL) {
		make_ours();
		stdout = fopen("/dev/null", "w");
	}
	raw = btf__raw_data(ours, &raw_size);
	if (type_db_create(raw, raw_size, data, size, &db, &why) != 0)
		return 0;
	convert(db, "outer", sizeof(struct outer));
	convert(db, "inner", sizeof(struct inner));
	show_all(db);
	type_db_destroy(db);
	return 0;
}

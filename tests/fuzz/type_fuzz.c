// Type data of a target: the input is the BTF of "another build", whose structs are then looked
// up, mapped onto ours and converted. Ours is made here, so that any compiler can build this.
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct type_db *db;
	const void *raw;
	uint32_t raw_size;
	struct why why;

	if (ours == NULL)
		make_ours();
	raw = btf__raw_data(ours, &raw_size);
	if (type_db_create(raw, raw_size, data, size, &db, &why) != 0)
		return 0;
	convert(db, "outer", sizeof(struct outer));
	convert(db, "inner", sizeof(struct inner));
	type_db_destroy(db);
	return 0;
}

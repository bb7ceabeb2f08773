// Needs nothing: type data against the compiler's own layout, and conversions between builds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/type.h"
#include "switch/btf_types.h"
#include <type_fields.h>

#define ENCODED_SIGNED BTF_INT_SIGNED

static struct type_db *open_db(const void *theirs, size_t size)
{
	struct type_db *db;
	struct why why;

	if (vsw_btf_size == 0)
		skip();
	assert_int_equal(type_db_create(vsw_btf, vsw_btf_size, theirs, size, &db, &why), 0);
	return db;
}

static void check_size(struct type_db *db, const char *name, size_t size)
{
	const struct type_map *map;
	struct why why;
	int err = type_map(db, name, size, &map, &why);

	if (err != 0)
		fail_msg("struct %s: %s", name, why.text);
	if (map->from_size != size || !map->identical || map->n_missing != 0)
		fail_msg("struct %s: %zu bytes, in the type data %u", name, size, map->from_size);
}

static void check_field(struct type_db *db, const char *name, const char *field, size_t offset,
			size_t size)
{
	uint32_t its_offset, its_size;

	if (type_field(db, name, field, &its_offset, &its_size) != 0)
		fail_msg("struct %s: no field %s in the type data", name, field);
	if (its_offset != offset || its_size != size)
		fail_msg("struct %s: %s is at %zu with %zu bytes, in the type data at %u with %u",
			 name, field, offset, size, its_offset, its_size);
}

static void every_field_is_where_the_compiler_has_it(void **state)
{
	struct type_db *db = open_db(vsw_btf, vsw_btf_size);

#define STRUCT(name) check_size(db, #name, sizeof(struct name));
#define FIELD(name, field)                                                                         \
	check_field(db, #name, #field, offsetof(struct name, field),                               \
		    sizeof(((struct name *)0)->field));
#define FLEX(name, field) check_field(db, #name, #field, offsetof(struct name, field), 0);
	TYPE_FIELDS(STRUCT, FIELD, FLEX)
#undef STRUCT
#undef FIELD
#undef FLEX
	type_db_destroy(db);
}

// The type data of another build, made by hand: integers 1 to 4 are u8, u16, u32, u64.
enum { U8 = 1, U16, U32, U64, S16, CHAR };

static struct btf *other_build(void)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	assert_int_equal(btf__add_int(btf, "u8", 1, 0), U8);
	assert_int_equal(btf__add_int(btf, "u16", 2, 0), U16);
	assert_int_equal(btf__add_int(btf, "u32", 4, 0), U32);
	assert_int_equal(btf__add_int(btf, "u64", 8, 0), U64);
	assert_int_equal(btf__add_int(btf, "s16", 2, ENCODED_SIGNED), S16);
	assert_int_equal(btf__add_int(btf, "char", 1, 0), CHAR);
	return btf;
}

static struct type_db *open_other(struct btf *btf)
{
	struct type_db *db;
	const void *raw;
	uint32_t size;

	if (vsw_btf_size == 0) {
		btf__free(btf);
		skip();
	}
	raw = btf__raw_data(btf, &size);
	assert_non_null(raw);
	db = open_db(raw, size);
	btf__free(btf);
	return db;
}

static void add_field(struct btf *btf, const char *name, int type, uint32_t offset)
{
	assert_int_equal(btf__add_field(btf, name, type, offset * 8, 0), 0);
}

static void fields_are_found_by_name_in_another_order_and_size(void **state)
{
	struct __attribute__((packed)) {
		char name[4];
		uint64_t refs;
		uint16_t size;
		uint32_t unknown_to_us;
		uint32_t magic;
	} theirs = {"abc", 7, 9, 1, OBJECT_MAGIC};
	struct btf *btf = other_build();
	int name4 = btf__add_array(btf, U32, CHAR, sizeof(theirs.name));
	const struct type_map *map;
	struct type_db *db;
	struct object ours;
	struct why why;

	btf__add_struct(btf, "object", sizeof(theirs));
	add_field(btf, "name", name4, 0);
	add_field(btf, "refs", U64, 4);
	add_field(btf, "size", U16, 12);
	add_field(btf, "unknown_to_us", U32, 14);
	add_field(btf, "magic", U32, 18);
	db = open_other(btf);
	assert_int_equal(type_map(db, "object", sizeof(ours), &map, &why), 0);
	assert_false(map->identical);
	memset(&ours, 0xff, sizeof(ours));
	type_convert(map, &theirs, &ours);
	assert_int_equal(ours.magic, OBJECT_MAGIC);
	assert_int_equal(ours.refs, 7);
	assert_int_equal(ours.size, 9);
	assert_string_equal(ours.name, "abc");

	// What they do not have is zero, and is told.
	assert_int_equal(ours.type, 0);
	assert_int_equal(ours.changes, 0);
	assert_string_equal(ours.friendly_name, "");
	assert_int_equal(map->n_missing, 3);
	assert_false(type_has(map, "type"));
	assert_false(type_has(map, "changes"));
	assert_false(type_has(map, "friendly_name"));
	assert_true(type_has(map, "name"));
	assert_true(type_has(map, "refs"));
	type_db_destroy(db);
}

static void signs_are_kept_when_numbers_grow(void **state)
{
	int16_t theirs[2] = {-5, -6};
	struct btf *btf = other_build();
	const struct type_map *map;
	struct type_db *db;
	struct vnic *nic = calloc(1, sizeof(*nic));
	struct why why;

	btf__add_struct(btf, "vnic", sizeof(theirs));
	add_field(btf, "ifindex", S16, 0);
	add_field(btf, "mtu", U16, 2);
	db = open_other(btf);
	assert_int_equal(type_map(db, "vnic", sizeof(*nic), &map, &why), 0);
	type_convert(map, theirs, nic);
	assert_int_equal(nic->ifindex, -5);
	assert_int_equal(nic->mtu, 0xfffa);
	free(nic);
	type_db_destroy(db);
}

static void bit_fields_become_numbers(void **state)
{
	uint8_t theirs[2] = {0x35, 0x8a};
	struct btf *btf = other_build();
	const struct type_map *map;
	struct miniport ours;
	struct type_db *db;
	struct why why;

	btf__add_struct(btf, "miniport", sizeof(theirs));
	assert_int_equal(btf__add_field(btf, "pad", U16, 0, 3), 0);
	assert_int_equal(btf__add_field(btf, "state", U16, 3, 9), 0);
	db = open_other(btf);
	assert_int_equal(type_map(db, "miniport", sizeof(ours), &map, &why), 0);
	type_convert(map, theirs, &ours);
	assert_int_equal(ours.pad, 5);
	assert_int_equal(ours.state, (0x8a35 >> 3) & 0x1ff);
	type_db_destroy(db);
}

// Two directions of three reasons, where ours has more reasons: rows must not run together.
static void arrays_of_another_size_keep_their_rows(void **state)
{
	uint64_t theirs[DROP_DIRECTIONS][3] = {{1, 2, 3}, {4, 5, 6}};
	struct btf *btf = other_build();
	int row = btf__add_array(btf, U32, U64, 3);
	int rows = btf__add_array(btf, U32, row, DROP_DIRECTIONS);
	const struct type_map *map;
	struct vport_stats ours;
	struct type_db *db;
	struct why why;

	btf__add_struct(btf, "vport_stats", sizeof(theirs));
	add_field(btf, "drops", rows, 0);
	db = open_other(btf);
	assert_int_equal(type_map(db, "vport_stats", sizeof(ours), &map, &why), 0);
	type_convert(map, theirs, &ours);
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		for (unsigned r = 0; r < DROP_COUNT; r++)
			assert_int_equal(ours.drops[d][r], r < 3 ? 3 * d + r + 1 : 0);
	type_db_destroy(db);
}

static void structs_of_another_kind_count_as_missing(void **state)
{
	struct btf *btf = other_build();
	const struct type_map *map;
	struct type_db *db;
	struct mopen ours;
	struct why why;
	uint32_t theirs[2] = {1, 2};

	btf__add_struct(btf, "mopen", sizeof(theirs));
	add_field(btf, "obj", U32, 0);
	add_field(btf, "state", U32, 4);
	db = open_other(btf);
	assert_int_equal(type_map(db, "mopen", sizeof(ours), &map, &why), 0);
	assert_false(type_has(map, "obj"));
	assert_false(type_has(map, "obj.refs"));
	type_convert(map, theirs, &ours);
	assert_int_equal(ours.state, 2);
	assert_int_equal(ours.obj.magic, 0);
	assert_int_equal(type_map(db, "vport", sizeof(struct vport), &map, &why), -ENOENT);
	type_db_destroy(db);
}

static void fields_beyond_their_struct_are_refused(void **state)
{
	struct btf *btf = other_build();
	const struct type_map *map;
	struct type_db *db;
	struct mopen ours;
	struct why why;

	btf__add_struct(btf, "mopen", 8);
	add_field(btf, "state", U32, 5);
	db = open_other(btf);
	assert_int_equal(type_map(db, "mopen", sizeof(ours), &map, &why), -EINVAL);
	type_db_destroy(db);
}

static void damaged_type_data_is_refused(void **state)
{
	unsigned char *damaged;
	struct type_db *db;
	struct why why;

	if (vsw_btf_size == 0)
		skip();
	damaged = malloc(vsw_btf_size);
	assert_non_null(damaged);
	for (size_t at = 0; at < 24; at++) {
		memcpy(damaged, vsw_btf, vsw_btf_size);
		damaged[at] ^= 0xff;
		if (type_db_create(vsw_btf, vsw_btf_size, damaged, vsw_btf_size, &db, &why) == 0)
			type_db_destroy(db);
		else
			assert_true(why.text[0] != '\0');
	}
	memcpy(damaged, vsw_btf, vsw_btf_size);
	for (size_t size = 1; size < 64; size++)
		assert_int_equal(type_db_create(vsw_btf, vsw_btf_size, damaged, size, &db, &why),
				 -EINVAL);
	free(damaged);
}

static void without_type_data_our_own_layout_is_taken(void **state)
{
	const struct type_map *map;
	struct type_db *db;
	struct why why;

	assert_int_equal(type_db_create(vsw_btf, vsw_btf_size, NULL, 0, &db, &why), 0);
	assert_false(type_db_has_theirs(db));
	assert_int_equal(type_map(db, "vport", sizeof(struct vport), &map, &why), 0);
	assert_true(map->identical);
	assert_int_equal(map->from_size, sizeof(struct vport));
	type_db_destroy(db);
}

static void without_our_type_data_another_size_is_refused(void **state)
{
	const struct type_map *map;
	struct type_db *db;
	struct why why;

	if (vsw_btf_size == 0)
		skip();
	assert_int_equal(type_db_create(NULL, 0, vsw_btf, vsw_btf_size, &db, &why), 0);
	assert_int_equal(type_map(db, "vport", sizeof(struct vport), &map, &why), 0);
	assert_true(map->identical);
	assert_int_equal(type_map(db, "vnic", sizeof(struct vnic) + 8, &map, &why), -ENOTSUP);
	type_db_destroy(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_where_the_compiler_has_it),
		cmocka_unit_test(fields_are_found_by_name_in_another_order_and_size),
		cmocka_unit_test(signs_are_kept_when_numbers_grow),
		cmocka_unit_test(bit_fields_become_numbers),
		cmocka_unit_test(arrays_of_another_size_keep_their_rows),
		cmocka_unit_test(structs_of_another_kind_count_as_missing),
		cmocka_unit_test(fields_beyond_their_struct_are_refused),
		cmocka_unit_test(damaged_type_data_is_refused),
		cmocka_unit_test(without_type_data_our_own_layout_is_taken),
		cmocka_unit_test(without_our_type_data_another_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

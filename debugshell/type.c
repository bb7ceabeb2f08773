#include "debugshell/type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/type_btf.h"

enum {
	TYPE_OPS_MAX = 1 << 17,
	TYPE_STEPS_MAX = 1 << 24, // members looked at while one map is made
	TYPE_DEPTH_MAX = 16       // structs in structs
};

// One step of a conversion. 'bytes': as they are; 'number': integers of another size; 'bits':
// a bit-field on either side.
struct type_op {
	enum { TYPE_BYTES, TYPE_NUMBER, TYPE_BITS } kind;
	bool is_signed;
	uint32_t from, to;           // offset in bytes, of bits in bits
	uint32_t from_size, to_size; // bytes, of bits in bits
	uint32_t count;              // numbers in a row
};

struct type_db {
	struct btf *ours;
	struct btf *theirs;
	bool ours_reversed;
	bool theirs_reversed;
	struct type_map *maps;
};

// What the making of a map carries along.
struct type_maker {
	struct type_db *db;
	struct type_map *map;
	uint32_t steps;
	unsigned depth;
	char path[256];
};

static struct type_map *map_new(struct type_db *db, const char *name, size_t own_size);
static void map_free(struct type_map *map);
static int map_make(struct type_db *db, struct type_map *map, struct why *why);
static int map_holes(struct type_map *map, const struct btf *btf, bool reversed, struct why *why);
static int map_struct(struct type_maker *mk, uint32_t ours, uint32_t to, uint32_t theirs,
		      uint32_t from);
static int map_member(struct type_maker *mk, const struct type_member *ours, uint32_t to,
		      uint32_t theirs, uint32_t from, const char *name);
static int map_array(struct type_maker *mk, const struct type_info *ours, uint32_t to,
		     const struct type_info *theirs, uint32_t from, unsigned dim);
static int map_element(struct type_maker *mk, const struct type_info *ours, uint32_t to,
		       const struct type_info *theirs, uint32_t from, uint32_t count);
static int map_bits(struct type_maker *mk, const struct type_member *ours, uint32_t to,
		    const struct type_member *theirs, uint32_t from);
static int map_add(struct type_maker *mk, const struct type_op *op);
static bool map_fits(const struct type_map *map, const struct type_op *op);
static bool map_is_identical(const struct type_map *map);
static void map_missing(struct type_maker *mk);
static uint64_t array_stride(const struct type_info *info, unsigned dim);
static bool same_below(const struct type_info *a, const struct type_info *b, unsigned dim);
static void convert_numbers(const struct type_op *op, const uint8_t *from, uint8_t *to);
static void convert_bits(const struct type_op *op, const uint8_t *from, uint8_t *to);
static uint64_t widen(uint64_t value, unsigned bits, bool is_signed);

int type_db_create(const void *ours, size_t ours_size, const void *theirs, size_t theirs_size,
		   struct type_db **ret, struct why *why)
{
	struct type_db *db = calloc(1, sizeof(*db));
	int err = 0;

	if (db == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	if (ours_size > 0)
		err = type_btf_open(ours, ours_size, &db->ours);
	if (err != 0) {
		type_db_destroy(db);
		return why_set(why, err, "vswsh's own type data cannot be read");
	}
	if (theirs_size > 0)
		err = type_btf_open(theirs, theirs_size, &db->theirs);
	if (err != 0) {
		type_db_destroy(db);
		return why_set(why, err, "the target's type data is damaged");
	}
	db->ours_reversed = db->ours != NULL && type_btf_reversed(db->ours);
	db->theirs_reversed = db->theirs != NULL && type_btf_reversed(db->theirs);
	*ret = db;
	return 0;
}

void type_db_destroy(struct type_db *db)
{
	if (db == NULL)
		return;
	while (db->maps != NULL) {
		struct type_map *map = db->maps;

		db->maps = map->next;
		map_free(map);
	}
	btf__free(db->ours);
	btf__free(db->theirs);
	free(db);
}

bool type_db_has_theirs(const struct type_db *db)
{
	return db->theirs != NULL;
}

const struct btf *type_db_btf(const struct type_db *db, bool *x_reversed)
{
	*x_reversed = db->theirs != NULL ? db->theirs_reversed : db->ours_reversed;
	return db->theirs != NULL ? db->theirs : db->ours;
}

const struct btf *type_db_ours(const struct type_db *db)
{
	return db->ours;
}

bool type_is_known(const struct type_db *db, const char *name)
{
	for (const struct type_map *map = db->maps; map != NULL; map = map->next)
		if (strcmp(map->name, name) == 0)
			return true;
	return false;
}

int type_map(struct type_db *db, const char *name, size_t own_size, const struct type_map **ret,
	     struct why *why)
{
	struct type_map *map;
	int err;

	for (map = db->maps; map != NULL; map = map->next) {
		if (strcmp(map->name, name) == 0) {
			*ret = map;
			return 0;
		}
	}
	map = map_new(db, name, own_size);
	if (map == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	err = map_make(db, map, why);
	if (err != 0) {
		map_free(map);
		return err;
	}
	map->next = db->maps;
	db->maps = map;
	*ret = map;
	return 0;
}

void type_convert(const struct type_map *map, const void *from, void *to)
{
	if (map->identical) {
		memcpy(to, from, map->to_size);
		return;
	}
	memset(to, 0, map->to_size);
	for (uint32_t i = 0; i < map->n_ops; i++) {
		const struct type_op *op = &map->ops[i];

		if (op->kind == TYPE_BYTES)
			memcpy((uint8_t *)to + op->to, (const uint8_t *)from + op->from,
			       op->from_size);
		else if (op->kind == TYPE_NUMBER)
			convert_numbers(op, from, to);
		else
			convert_bits(op, from, to);
	}
}

bool type_has(const struct type_map *map, const char *field)
{
	uint32_t n = map->n_missing < TYPE_MISSING_MAX ? map->n_missing : TYPE_MISSING_MAX;

	for (uint32_t i = 0; i < n; i++) {
		size_t length = strlen(map->missing[i]);

		if (strncmp(map->missing[i], field, length) == 0 &&
		    (field[length] == '\0' || field[length] == '.'))
			return false;
	}
	return true;
}

int type_read(struct target *t, const struct type_map *map, tgt_addr addr, void *to)
{
	void *raw;
	int err;

	if (map->identical)
		return type_holes_read(t, &map->holes, addr, to, map->to_size);
	raw = malloc(map->from_size);
	if (raw == NULL)
		return -ENOMEM;
	err = type_holes_read(t, &map->holes, addr, raw, map->from_size);
	if (err == 0)
		type_convert(map, raw, to);
	free(raw);
	return err;
}

int type_field(struct type_db *db, const char *name, const char *field, uint32_t *x_offset,
	       uint32_t *x_size)
{
	uint32_t steps = TYPE_STEPS_MAX;
	struct type_member member;
	struct type_info info;
	uint32_t id, size;
	uint64_t bytes;
	int err;

	if (db->theirs == NULL)
		return -ENOENT;
	err = type_btf_struct(db->theirs, name, &id, &size);
	if (err == 0)
		err = type_btf_find(db->theirs, id, field, &steps, &member);
	if (err == 0)
		err = type_btf_info(db->theirs, member.type, db->theirs_reversed, &info);
	if (err != 0)
		return err;
	bytes = array_stride(&info, 0);
	if (info.n_dims > 0)
		bytes *= info.dims[0];
	if (bytes > TYPE_SIZE_MAX)
		return -E2BIG;
	*x_offset = member.bit_offset / 8;
	*x_size = (uint32_t)bytes;
	return 0;
}

static struct type_map *map_new(struct type_db *db, const char *name, size_t own_size)
{
	struct type_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	map->name = name;
	map->to_size = (uint32_t)own_size;
	map->from_size = map->to_size;
	return map;
}

static void map_free(struct type_map *map);
static void map_free(struct type_map *map)
{
	type_holes_free(&map->holes);
	free(map->ops);
	free(map);
}

static int map_make(struct type_db *db, struct type_map *map, struct why *why)
{
	struct type_maker mk = {.db = db, .map = map, .steps = TYPE_STEPS_MAX};
	uint32_t theirs, ours, size;
	int err;

	if (db->theirs == NULL) {
		map->identical = true;
		return map_holes(map, db->ours, db->ours_reversed, why);
	}
	if (type_btf_struct(db->theirs, map->name, &theirs, &map->from_size) != 0)
		return why_set(why, -ENOENT, "the target's build has no struct %s", map->name);
	if (map->from_size == 0 || map->from_size > TYPE_SIZE_MAX)
		return why_set(why, -EINVAL, "the target's type data is damaged at struct %s",
			       map->name);
	err = map_holes(map, db->theirs, db->theirs_reversed, why);
	if (err != 0)
		return err;
	if (db->ours == NULL) {
		map->identical = map->from_size == map->to_size;
		if (map->identical)
			return 0;
		return why_set(why, -ENOTSUP,
			       "struct %s of the target is another one, and this vswsh was built "
			       "without type data: it reads only a vswd of its own build",
			       map->name);
	}
	if (type_btf_struct(db->ours, map->name, &ours, &size) != 0 || size != map->to_size)
		return why_set(why, -ENOENT, "vswsh's own type data lacks struct %s", map->name);
	err = map_struct(&mk, ours, 0, theirs, 0);
	if (err != 0)
		return why_set(why, err, "the target's type data is damaged at struct %s",
			       map->name);
	map->identical = map_is_identical(map);
	return 0;
}

// 'btf': what the target's struct is read by; without any there is nothing to tell frames by.
static int map_holes(struct type_map *map, const struct btf *btf, bool reversed, struct why *why)
{
	uint32_t id, size;
	int err;

	if (btf == NULL || type_btf_struct(btf, map->name, &id, &size) != 0)
		return 0;
	err = type_holes_find(btf, reversed, id, map->from_size, &map->holes);
	if (err != 0)
		return why_set(why, err, "the target's type data is damaged at struct %s",
			       map->name);
	return 0;
}

static int map_struct(struct type_maker *mk, uint32_t ours, uint32_t to, uint32_t theirs,
		      uint32_t from)
{
	uint32_t n = type_btf_n_members(mk->db->ours, ours);
	struct type_member member;
	const char *name;
	int err = 0;

	if (++mk->depth > TYPE_DEPTH_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct type_info info;
		size_t length = strlen(mk->path);

		if (type_btf_member(mk->db->ours, ours, i, &name, &member) != 0)
			continue;
		if (name[0] == '\0') {
			// Anonymous: its members are found by name like the struct's own.
			err = type_btf_info(mk->db->ours, member.type, false, &info);
			if (err == 0 && info.kind == TYPE_AGGREGATE)
				err = map_struct(mk, info.id, to + member.bit_offset / 8, theirs,
						 from);
			continue;
		}
		snprintf(mk->path + length, sizeof(mk->path) - length, "%s%s",
			 length > 0 ? "." : "", name);
		err = map_member(mk, &member, to, theirs, from, name);
		mk->path[length] = '\0';
	}
	mk->depth--;
	return err;
}

static int map_member(struct type_maker *mk, const struct type_member *ours, uint32_t to,
		      uint32_t theirs, uint32_t from, const char *name)
{
	struct type_info our_info, their_info;
	struct type_member member;
	int err;

	err = type_btf_find(mk->db->theirs, theirs, name, &mk->steps, &member);
	if (err == -ENOENT) {
		map_missing(mk);
		return 0;
	}
	if (err != 0)
		return err;
	if (ours->bits != 0 || member.bits != 0)
		return map_bits(mk, ours, to, &member, from);
	if (type_btf_info(mk->db->ours, ours->type, mk->db->ours_reversed, &our_info) != 0 ||
	    type_btf_info(mk->db->theirs, member.type, mk->db->theirs_reversed, &their_info) != 0)
		return -EINVAL;
	if (our_info.kind == TYPE_OPAQUE || our_info.kind != their_info.kind ||
	    our_info.n_dims != their_info.n_dims || member.bit_offset % 8 != 0) {
		map_missing(mk);
		return 0;
	}
	return map_array(mk, &our_info, to + ours->bit_offset / 8, &their_info,
			 from + member.bit_offset / 8, 0);
}

// Elements that only one side has are left out.
static int map_array(struct type_maker *mk, const struct type_info *ours, uint32_t to,
		     const struct type_info *theirs, uint32_t from, unsigned dim)
{
	uint64_t our_stride = array_stride(ours, dim);
	uint64_t their_stride = array_stride(theirs, dim);
	uint32_t n;
	int err = 0;

	if (dim == ours->n_dims)
		return map_element(mk, ours, to, theirs, from, 1);
	if (our_stride > TYPE_SIZE_MAX || their_stride > TYPE_SIZE_MAX)
		return -E2BIG;
	n = ours->dims[dim] < theirs->dims[dim] ? ours->dims[dim] : theirs->dims[dim];
	if (ours->kind == TYPE_SCALAR && same_below(ours, theirs, dim)) {
		for (unsigned i = dim + 1; i < ours->n_dims; i++)
			n *= ours->dims[i];
		return n > 0 ? map_element(mk, ours, to, theirs, from, n) : 0;
	}
	for (uint32_t i = 0; i < n && err == 0; i++)
		err = map_array(mk, ours, (uint32_t)(to + i * our_stride), theirs,
				(uint32_t)(from + i * their_stride), dim + 1);
	return err;
}

static int map_element(struct type_maker *mk, const struct type_info *ours, uint32_t to,
		       const struct type_info *theirs, uint32_t from, uint32_t count)
{
	struct type_op op = {
		.kind = TYPE_NUMBER,
		.is_signed = theirs->is_signed,
		.from = from,
		.to = to,
		.from_size = theirs->size,
		.to_size = ours->size,
		.count = count,
	};

	if (ours->kind == TYPE_AGGREGATE)
		return map_struct(mk, ours->id, to, theirs->id, from);
	if (ours->size == theirs->size) {
		op.kind = TYPE_BYTES;
		if (__builtin_mul_overflow(count, ours->size, &op.from_size))
			return -E2BIG;
		op.to_size = op.from_size;
		op.count = 1;
	}
	return map_add(mk, &op);
}

static int map_bits(struct type_maker *mk, const struct type_member *ours, uint32_t to,
		    const struct type_member *theirs, uint32_t from)
{
	struct type_info our_info, their_info;
	struct type_op op = {.kind = TYPE_BITS, .count = 1};
	uint64_t from_bit = from * 8ULL + theirs->bit_offset;
	uint64_t to_bit = to * 8ULL + ours->bit_offset;

	if (type_btf_info(mk->db->ours, ours->type, false, &our_info) != 0 ||
	    type_btf_info(mk->db->theirs, theirs->type, false, &their_info) != 0)
		return -EINVAL;
	if (our_info.kind != TYPE_SCALAR || their_info.kind != TYPE_SCALAR ||
	    our_info.n_dims + their_info.n_dims != 0 || from_bit > UINT32_MAX ||
	    to_bit > UINT32_MAX) {
		map_missing(mk);
		return 0;
	}
	op.is_signed = their_info.is_signed;
	op.from = (uint32_t)from_bit;
	op.to = (uint32_t)to_bit;
	op.from_size = theirs->bits != 0 ? theirs->bits : their_info.size * 8;
	op.to_size = ours->bits != 0 ? ours->bits : our_info.size * 8;
	return op.from_size <= 64 && op.to_size <= 64 ? map_add(mk, &op) : -EINVAL;
}

static int map_add(struct type_maker *mk, const struct type_op *op)
{
	struct type_map *map = mk->map;
	struct type_op *last = map->n_ops > 0 ? &map->ops[map->n_ops - 1] : NULL;

	if (!map_fits(map, op))
		return -EINVAL;
	if (last != NULL && op->kind == TYPE_BYTES && last->kind == TYPE_BYTES &&
	    last->from + last->from_size == op->from && last->to + last->to_size == op->to) {
		last->from_size += op->from_size;
		last->to_size += op->to_size;
		return 0;
	}
	if (map->n_ops == map->room) {
		uint32_t room = map->room > 0 ? 2 * map->room : 64;
		struct type_op *ops;

		if (room > TYPE_OPS_MAX)
			return -E2BIG;
		ops = realloc(map->ops, room * sizeof(*ops));
		if (ops == NULL)
			return -ENOMEM;
		map->ops = ops;
		map->room = room;
	}
	map->ops[map->n_ops++] = *op;
	return 0;
}

// Whether the step stays inside of both structs.
static bool map_fits(const struct type_map *map, const struct type_op *op)
{
	uint64_t unit = op->kind == TYPE_BITS ? 8 : 1;
	uint64_t from = op->from + (uint64_t)op->from_size * op->count;
	uint64_t to = op->to + (uint64_t)op->to_size * op->count;

	return from <= map->from_size * unit && to <= map->to_size * unit;
}

static bool map_is_identical(const struct type_map *map)
{
	if (map->from_size != map->to_size || map->n_missing > 0)
		return false;
	for (uint32_t i = 0; i < map->n_ops; i++) {
		const struct type_op *op = &map->ops[i];

		if (op->kind == TYPE_NUMBER || op->from != op->to || op->from_size != op->to_size)
			return false;
	}
	return true;
}

static void map_missing(struct type_maker *mk)
{
	struct type_map *map = mk->map;

	// An array of structs would tell the same name again for each element.
	if (!type_has(map, mk->path))
		return;
	if (map->n_missing < TYPE_MISSING_MAX)
		snprintf(map->missing[map->n_missing], sizeof(map->missing[0]), "%.*s",
			 (int)sizeof(map->missing[0]) - 1, mk->path);
	map->n_missing++;
}

// Bytes from one element of dimension 'dim' to the next; of the whole type without array.
static uint64_t array_stride(const struct type_info *info, unsigned dim)
{
	uint64_t bytes = info->size;

	for (unsigned i = dim + 1; i < info->n_dims && bytes <= TYPE_SIZE_MAX; i++)
		bytes *= info->dims[i];
	return bytes;
}

static bool same_below(const struct type_info *a, const struct type_info *b, unsigned dim)
{
	for (unsigned i = dim + 1; i < a->n_dims; i++)
		if (a->dims[i] != b->dims[i])
			return false;
	return true;
}

static void convert_numbers(const struct type_op *op, const uint8_t *from, uint8_t *to)
{
	for (uint32_t i = 0; i < op->count; i++) {
		uint64_t value = 0;

		memcpy(&value, from + op->from + (size_t)i * op->from_size, op->from_size);
		value = widen(value, op->from_size * 8, op->is_signed);
		memcpy(to + op->to + (size_t)i * op->to_size, &value, op->to_size);
	}
}

static void convert_bits(const struct type_op *op, const uint8_t *from, uint8_t *to)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < op->from_size; i++) {
		uint32_t bit = op->from + i;

		value |= (uint64_t)(from[bit / 8] >> (bit % 8) & 1) << i;
	}
	value = widen(value, op->from_size, op->is_signed);
	for (uint32_t i = 0; i < op->to_size; i++) {
		uint32_t bit = op->to + i;

		to[bit / 8] |= (uint8_t)((value >> i & 1) << (bit % 8));
	}
}

static uint64_t widen(uint64_t value, unsigned bits, bool is_signed)
{
	if (!is_signed || bits >= 64 || (value >> (bits - 1) & 1) == 0)
		return value;
	return value | ~0ULL << bits;
}

/*
 * From the root along all pointers to structs that the target's type data knows. Everything that
 * is followed may be damaged: each struct is read once, and there is a bound.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/dump.h"
#include "debugshell/type_btf.h"

enum {
	FOLLOW_MAX = 1 << 18,       // structs
	FOLLOW_BYTES_MAX = 1 << 30, // of them
	FOLLOW_DEPTH_MAX = 16,      // structs in structs
	FOLLOW_STEPS_MAX = 1 << 26  // members looked at
};

struct follow_place {
	uint64_t addr;
	uint32_t id; // of the struct
};

struct follow {
	struct shell *sh;
	const struct btf *btf;
	bool reversed;
	uint32_t steps;
	uint64_t bytes; // read so far

	// Those that were found, in order; 'next' is the next one to read.
	struct follow_place *places;
	uint32_t n, next, room;
	uint32_t *slots;  // hashed: index in 'places' + 1; 0: free
	uint32_t n_slots; // power of two
};

static int follow_struct(struct follow *f, const struct follow_place *place);
static int follow_members(struct follow *f, uint32_t id, const uint8_t *bytes, uint32_t size,
			  unsigned depth);
static int follow_member(struct follow *f, const struct type_member *member, const uint8_t *bytes,
			 uint32_t size, unsigned depth);
static bool follow_pointee(const struct follow *f, uint32_t pointer, uint32_t *x_struct);
static int follow_add(struct follow *f, uint64_t addr, uint32_t id);
static int follow_grow(struct follow *f);
static uint32_t *follow_slot(const struct follow *f, uint64_t addr, uint32_t id);

int dump_follow(struct shell *sh, tgt_addr root)
{
	struct follow f = {.sh = sh, .steps = FOLLOW_STEPS_MAX};
	uint32_t id, size;
	int err = 0;

	f.btf = type_db_btf(sh->types, &f.reversed);
	if (type_btf_struct(f.btf, "vsw_root", &id, &size) == 0)
		err = follow_add(&f, root.v, id);
	while (f.next < f.n && err == 0) {
		struct follow_place place = f.places[f.next++];

		err = follow_struct(&f, &place);
	}
	free(f.places);
	free(f.slots);
	return err == -ENOMEM ? err : 0;
}

// What cannot be read is left out.
static int follow_struct(struct follow *f, const struct follow_place *place)
{
	const struct btf_type *t = btf__type_by_id(f->btf, place->id);
	struct type_holes holes;
	uint8_t *bytes;
	int err;

	if (t == NULL || t->size == 0 || t->size > TYPE_SIZE_MAX)
		return 0;
	bytes = malloc(t->size);
	if (bytes == NULL)
		return -ENOMEM;
	err = type_holes_find(f->btf, f->reversed, place->id, t->size, &holes);
	f->bytes += t->size;
	for (uint32_t i = 0; i < holes.n; i++)
		f->bytes -= holes.all[i].size;
	if (f->bytes > FOLLOW_BYTES_MAX)
		err = -E2BIG;
	if (err == 0 &&
	    type_holes_read(f->sh->target, &holes, (tgt_addr){place->addr}, bytes, t->size) == 0)
		err = follow_members(f, place->id, bytes, t->size, 0);
	type_holes_free(&holes);
	free(bytes);
	return err;
}

static int follow_members(struct follow *f, uint32_t id, const uint8_t *bytes, uint32_t size,
			  unsigned depth)
{
	uint32_t n = type_btf_n_members(f->btf, id);
	struct type_member member;
	const char *name;
	int err = 0;

	if (depth > FOLLOW_DEPTH_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		if (f->steps == 0)
			return -E2BIG;
		f->steps--;
		if (type_btf_member(f->btf, id, i, &name, &member) == 0 && member.bits == 0)
			err = follow_member(f, &member, bytes, size, depth);
	}
	return err;
}

// A pointer, a struct, or an array of those; 'size' bytes are left of the struct that it is in.
static int follow_member(struct follow *f, const struct type_member *member, const uint8_t *bytes,
			 uint32_t size, unsigned depth)
{
	uint64_t at = member->bit_offset / 8, n = 1;
	struct type_info info;
	uint32_t pointee = 0;
	uint64_t addr;
	int err = 0;

	if (type_btf_info(f->btf, member->type, f->reversed, &info) != 0 || info.size == 0)
		return 0;
	for (unsigned i = 0; i < info.n_dims; i++)
		n = n <= size ? n * info.dims[i] : n;
	if (info.kind != TYPE_AGGREGATE && !follow_pointee(f, member->type, &pointee))
		return 0;
	for (uint64_t i = 0; i < n && err == 0; i++, at += info.size) {
		if (at > size || info.size > size - at)
			return 0;
		if (info.kind == TYPE_AGGREGATE) {
			err = follow_members(f, info.id, bytes + at, info.size, depth + 1);
			continue;
		}
		memcpy(&addr, bytes + at, sizeof(addr));
		err = addr != 0 ? follow_add(f, addr, pointee) : 0;
	}
	return err;
}

// The struct that a type, or the elements of an array of it, point at. Not into a guest's memory,
// which is volatile to us.
static bool follow_pointee(const struct follow *f, uint32_t pointer, uint32_t *x_struct)
{
	const struct btf_type *t = btf__type_by_id(f->btf, type_btf_skip(f->btf, pointer));
	uint32_t id;

	for (unsigned i = 0; i < TYPE_DIMS_MAX && t != NULL && btf_is_array(t); i++)
		t = btf__type_by_id(f->btf, type_btf_skip(f->btf, btf_array(t)->type));
	if (t == NULL || !btf_is_ptr(t))
		return false;
	id = t->type;
	for (unsigned i = 0; i < FOLLOW_DEPTH_MAX; i++) {
		t = btf__type_by_id(f->btf, id);
		if (t == NULL || btf_is_volatile(t))
			return false;
		if (btf_is_struct(t)) {
			*x_struct = id;
			return true;
		}
		if (!btf_is_mod(t) && !btf_is_typedef(t))
			return false;
		id = t->type;
	}
	return false;
}

static int follow_add(struct follow *f, uint64_t addr, uint32_t id)
{
	uint32_t *slot;

	if (f->n == FOLLOW_MAX)
		return -E2BIG;
	if (f->n == f->room && follow_grow(f) != 0)
		return -ENOMEM;
	slot = follow_slot(f, addr, id);
	if (*slot != 0)
		return 0;
	f->places[f->n++] = (struct follow_place){addr, id};
	*slot = f->n;
	return 0;
}

static int follow_grow(struct follow *f)
{
	uint32_t room = f->room > 0 ? 2 * f->room : 1024;
	struct follow_place *places = realloc(f->places, room * sizeof(places[0]));
	uint32_t *slots = calloc(4UL * room, sizeof(slots[0]));

	if (places != NULL)
		f->places = places;
	if (places == NULL || slots == NULL) {
		free(slots);
		return -ENOMEM;
	}
	free(f->slots);
	f->slots = slots;
	f->n_slots = 4 * room;
	f->room = room;
	for (uint32_t i = 0; i < f->n; i++)
		*follow_slot(f, f->places[i].addr, f->places[i].id) = i + 1;
	return 0;
}

// Where the place is, or is to be.
static uint32_t *follow_slot(const struct follow *f, uint64_t addr, uint32_t id)
{
	uint32_t i = (uint32_t)(((addr ^ id) * 0x9e3779b97f4a7c15ULL) >> 32) & (f->n_slots - 1);

	while (f->slots[i] != 0 &&
	       (f->places[f->slots[i] - 1].addr != addr || f->places[f->slots[i] - 1].id != id))
		i = (i + 1) & (f->n_slots - 1);
	return &f->slots[i];
}

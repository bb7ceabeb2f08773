#include "debugshell/type_holes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/type_btf.h"

enum {
	HOLES_MAX = 1 << 16,
	HOLES_STEPS_MAX = 1 << 22, // members looked at
	HOLES_DEPTH_MAX = 16       // structs in structs
};

struct holes_finder {
	const struct btf *btf;
	bool reversed;
	uint32_t size; // of the whole struct
	uint32_t steps;
	unsigned depth;
	struct type_holes *holes;
};

static int find_in_struct(struct holes_finder *f, uint32_t id, uint64_t at);
static int find_in_elements(struct holes_finder *f, const struct type_info *info, uint64_t at);
static uint64_t count_elements(const struct type_info *info);
static int add_hole(struct holes_finder *f, uint64_t at, uint64_t size);
static void merge_holes(struct type_holes *holes);
static int compare_holes(const void *a, const void *b);

int type_holes_find(const struct btf *btf, bool reversed, uint32_t id, uint32_t size,
		    struct type_holes *ret)
{
	struct holes_finder f = {.btf = btf,
				 .reversed = reversed,
				 .size = size,
				 .steps = HOLES_STEPS_MAX,
				 .holes = ret};
	int err;

	memset(ret, 0, sizeof(*ret));
	err = find_in_struct(&f, id, 0);
	if (err == 0)
		merge_holes(ret);
	return err;
}

void type_holes_free(struct type_holes *holes)
{
	free(holes->all);
	memset(holes, 0, sizeof(*holes));
}

int type_holes_read(struct target *t, const struct type_holes *holes, tgt_addr addr, void *to,
		    size_t size)
{
	uint8_t *bytes = to;
	size_t at = 0;
	int err = 0;

	for (uint32_t i = 0; i < holes->n && err == 0; i++) {
		const struct type_hole *hole = &holes->all[i];

		if (hole->offset > at)
			err = tgt_read(t, tgt_add(addr, at), bytes + at, hole->offset - at);
		memset(bytes + hole->offset, 0, hole->size);
		at = hole->offset + hole->size;
	}
	if (err == 0 && at < size)
		err = tgt_read(t, tgt_add(addr, at), bytes + at, size - at);
	return err;
}

static int find_in_struct(struct holes_finder *f, uint32_t id, uint64_t at)
{
	uint32_t n = type_btf_n_members(f->btf, id);
	struct type_member member;
	struct type_info info;
	const char *name;
	int err = 0;

	if (++f->depth > HOLES_DEPTH_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		if (f->steps-- == 0)
			return -E2BIG;
		if (type_btf_member(f->btf, id, i, &name, &member) != 0 || member.bits != 0 ||
		    type_btf_info(f->btf, member.type, f->reversed, &info) != 0)
			continue;
		if (info.kind == TYPE_AGGREGATE)
			err = find_in_elements(f, &info, at + member.bit_offset / 8);
		else if (info.kind == TYPE_SCALAR && info.is_byte &&
			 count_elements(&info) >= TYPE_HOLE_MIN)
			err = add_hole(f, at + member.bit_offset / 8, count_elements(&info));
	}
	f->depth--;
	return err;
}

// A struct, or an array of them, which are all alike.
static int find_in_elements(struct holes_finder *f, const struct type_info *info, uint64_t at)
{
	uint64_t n = count_elements(info);
	uint32_t before = f->holes->n;
	int err = 0;

	for (uint64_t i = 0; i < n && err == 0; i++) {
		err = find_in_struct(f, info->id, at + i * info->size);
		if (f->holes->n == before)
			break;
	}
	return err;
}

static uint64_t count_elements(const struct type_info *info)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < info->n_dims; i++)
		if (__builtin_mul_overflow(n, info->dims[i], &n))
			return UINT64_MAX;
	return n;
}

static int add_hole(struct holes_finder *f, uint64_t at, uint64_t size)
{
	struct type_holes *holes = f->holes;

	if (at > f->size || size > f->size - at)
		return -EINVAL;
	if (holes->n == HOLES_MAX)
		return -E2BIG;
	if (holes->n == holes->room) {
		uint32_t room = holes->room > 0 ? 2 * holes->room : 16;
		struct type_hole *all = realloc(holes->all, room * sizeof(*all));

		if (all == NULL)
			return -ENOMEM;
		holes->all = all;
		holes->room = room;
	}
	holes->all[holes->n++] = (struct type_hole){(uint32_t)at, (uint32_t)size};
	return 0;
}

// Those of a union may lie over each other.
static void merge_holes(struct type_holes *holes)
{
	uint32_t n = 0;

	if (holes->n == 0)
		return;
	qsort(holes->all, holes->n, sizeof(holes->all[0]), compare_holes);
	for (uint32_t i = 1; i < holes->n; i++) {
		struct type_hole *last = &holes->all[n];
		const struct type_hole *hole = &holes->all[i];
		uint32_t end = hole->offset + hole->size;

		if (hole->offset > last->offset + last->size)
			holes->all[++n] = *hole;
		else if (end > last->offset + last->size)
			last->size = end - last->offset;
	}
	holes->n = n + 1;
}

static int compare_holes(const void *a, const void *b)
{
	const struct type_hole *one = a, *other = b;

	return (one->offset > other->offset) - (one->offset < other->offset);
}

#include "debugshell/type_btf.h"

#include <errno.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

enum {
	BTF_DEPTH_MAX = 16, // typedefs and qualifiers in a row; anonymous structs in each other
	BTF_SIZE_MAX = 16 << 20
};

static int btf_find_below(const struct btf *btf, uint32_t id, const char *name, uint32_t *steps,
			  unsigned depth, struct type_member *ret);
static bool btf_is_byte(const struct btf *btf, const struct btf_type *t);
static int btf_dimensions(const struct btf *btf, uint32_t *id, struct type_info *ret);
static void btf_reverse(struct type_info *info);

int type_btf_open(const void *data, size_t size, struct btf **ret)
{
	const struct btf_header *hdr = data;
	struct btf *btf;

	// libbpf believes hdr_len, and turns the other byte order round: we take neither.
	if (size < sizeof(*hdr) || size > BTF_SIZE_MAX || hdr->magic != BTF_MAGIC ||
	    hdr->hdr_len != sizeof(*hdr))
		return -EINVAL;
	libbpf_set_print(NULL);
	btf = btf__new(data, (uint32_t)size);
	if (btf == NULL)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	*ret = btf;
	return 0;
}

bool type_btf_reversed(const struct btf *btf)
{
	struct type_member member;
	struct type_info info;
	uint32_t id, size;
	uint32_t steps = 16;

	if (type_btf_struct(btf, "vsw_btf_probe", &id, &size) != 0 ||
	    type_btf_find(btf, id, "outer2", &steps, &member) != 0 ||
	    type_btf_info(btf, member.type, false, &info) != 0)
		return false;
	return info.n_dims == 2 && info.dims[0] != 2;
}

int type_btf_struct(const struct btf *btf, const char *name, uint32_t *x_id, uint32_t *x_size)
{
	const struct btf_type *t;
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	if (t == NULL)
		return -ENOENT;
	*x_id = (uint32_t)id;
	*x_size = t->size;
	return 0;
}

uint32_t type_btf_skip(const struct btf *btf, uint32_t id)
{
	for (unsigned i = 0; i < BTF_DEPTH_MAX; i++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (t == NULL)
			return 0;
		if (!btf_is_mod(t) && !btf_is_typedef(t))
			return id;
		id = t->type;
	}
	return 0;
}

int type_btf_info(const struct btf *btf, uint32_t id, bool reversed, struct type_info *ret)
{
	struct type_info info = {.kind = TYPE_OPAQUE};
	const struct btf_type *t;

	if (btf_dimensions(btf, &id, &info) != 0)
		return -EINVAL;
	if (reversed)
		btf_reverse(&info);
	t = btf__type_by_id(btf, id);
	if (t == NULL)
		return -EINVAL;
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		info.kind = TYPE_SCALAR;
		info.size = t->size;
		info.is_byte = btf_kind(t) == BTF_KIND_INT && btf_is_byte(btf, t);
		info.is_signed = btf_kind(t) == BTF_KIND_INT ? btf_int_encoding(t) & BTF_INT_SIGNED
							     : btf_kflag(t);
		break;
	case BTF_KIND_PTR:
		info.kind = TYPE_SCALAR;
		info.size = sizeof(uint64_t);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		info.kind = TYPE_AGGREGATE;
		info.id = id;
		info.size = t->size;
		break;
	default:
		break;
	}
	if (info.kind == TYPE_SCALAR && (info.size == 0 || info.size > sizeof(uint64_t)))
		info.kind = TYPE_OPAQUE;
	*ret = info;
	return 0;
}

uint32_t type_btf_n_members(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	return t != NULL && btf_is_composite(t) ? btf_vlen(t) : 0;
}

int type_btf_member(const struct btf *btf, uint32_t id, uint32_t i, const char **x_name,
		    struct type_member *ret)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const char *name;

	if (t == NULL || !btf_is_composite(t) || i >= btf_vlen(t))
		return -ENOENT;
	name = btf__name_by_offset(btf, btf_members(t)[i].name_off);
	*x_name = name != NULL ? name : "";
	*ret = (struct type_member){
		.type = btf_members(t)[i].type,
		.bit_offset = btf_member_bit_offset(t, i),
		.bits = btf_member_bitfield_size(t, i),
	};
	return 0;
}

int type_btf_find(const struct btf *btf, uint32_t id, const char *name, uint32_t *steps,
		  struct type_member *ret)
{
	return btf_find_below(btf, id, name, steps, 0, ret);
}

static int btf_find_below(const struct btf *btf, uint32_t id, const char *name, uint32_t *steps,
			  unsigned depth, struct type_member *ret)
{
	uint32_t n = type_btf_n_members(btf, id);
	struct type_member member;
	struct type_info info;
	const char *its;

	if (depth > BTF_DEPTH_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++) {
		int err;

		if (*steps == 0)
			return -E2BIG;
		(*steps)--;
		if (type_btf_member(btf, id, i, &its, &member) != 0)
			continue;
		if (its[0] != '\0' && strcmp(its, name) == 0) {
			*ret = member;
			return 0;
		}
		if (its[0] != '\0' || type_btf_info(btf, member.type, false, &info) != 0 ||
		    info.kind != TYPE_AGGREGATE || info.n_dims != 0)
			continue;
		err = btf_find_below(btf, info.id, name, steps, depth + 1, ret);
		if (err == 0 &&
		    __builtin_add_overflow(ret->bit_offset, member.bit_offset, &ret->bit_offset))
			err = -E2BIG;
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

// Plain char is text, also where it has no sign.
static bool btf_is_byte(const struct btf *btf, const struct btf_type *t)
{
	const char *name = btf__name_by_offset(btf, t->name_off);

	return t->size == 1 && (btf_int_encoding(t) & (BTF_INT_SIGNED | BTF_INT_BOOL)) == 0 &&
	       (name == NULL || strcmp(name, "char") != 0);
}

// Takes the arrays off a type: '*id' is the element's after that.
static int btf_dimensions(const struct btf *btf, uint32_t *id, struct type_info *ret)
{
	for (;;) {
		const struct btf_type *t;

		*id = type_btf_skip(btf, *id);
		t = btf__type_by_id(btf, *id);
		if (t == NULL)
			return -EINVAL;
		if (!btf_is_array(t))
			return 0;
		if (ret->n_dims == TYPE_DIMS_MAX)
			return -EINVAL;
		ret->dims[ret->n_dims++] = btf_array(t)->nelems;
		*id = btf_array(t)->type;
	}
}

static void btf_reverse(struct type_info *info)
{
	for (unsigned i = 0; i < info->n_dims / 2; i++) {
		uint32_t outer = info->dims[i];

		info->dims[i] = info->dims[info->n_dims - 1 - i];
		info->dims[info->n_dims - 1 - i] = outer;
	}
}

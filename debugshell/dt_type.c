#include "debugshell/dt_type.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

enum {
	DT_NESTING_MAX = 16 // pointers and qualifiers in a row
};

const struct dt_type_enum_field dt_type_enum_fields[] = {
	{"object", "type", "object_type"},
	{"droplog_record", "reason", "drop_reason"},
	{"droplog_record", "direction", "drop_direction"},
	{"vnbl", "drop", "drop_reason"},
	{"vnic", "kind", "vnic_kind"},
	{"vnic", "state", "vnic_state"},
	{"vport", "type", "vport_type"},
	{"vport", "state", "vport_state"},
	{"vlan_rules", "mode", "vlan_mode"},
	{"vport", "monitor_mode", "vport_monitor_mode"},
	{"vhost", "phase", "vhost_phase"},
	{"vhost_ring", "use", "vhost_use"},
	{"virtq", "direction", "virtq_direction"},
	{"virtq", "broken", "virtq_break"},
	{"proc", "stage", "proc_stage"},
	{"miniport", "state", "vswitch_miniport_state"},
	{"mopen", "state", "vswitch_protocol_state"},
	{"vswitch", "type", "conf_switch_type"},
};
enum { N_ENUM_FIELDS = sizeof(dt_type_enum_fields) / sizeof(dt_type_enum_fields[0]) };
static_assert(N_ENUM_FIELDS <= (int)DT_TYPE_ENUMS_MAX, "as many as are remembered");
const unsigned dt_type_n_enum_fields = N_ENUM_FIELDS;

static int64_t enum_number(const struct btf_type *t, uint32_t i);
static const char *type_name(const struct dt_types *types, uint32_t id);
static void put_type(const struct dt_types *types, struct text *text, uint32_t id,
		     unsigned nesting);
static void put_end(const struct dt_types *types, struct text *text, const struct btf_type *t,
		    uint32_t id);
static void put_named(const struct dt_types *types, struct text *text, const char *keyword,
		      uint32_t id);
static const char *fwd_keyword(const struct btf_type *t);

void dt_types_init(struct dt_types *types, const struct btf *btf, bool reversed)
{
	*types = (struct dt_types){.btf = btf, .reversed = reversed};
	for (unsigned i = 0; i < dt_type_n_enum_fields; i++) {
		int id = btf__find_by_name_kind(btf, dt_type_enum_fields[i].enumeration,
						BTF_KIND_ENUM);

		types->enum_ids[i] = id > 0 ? (uint32_t)id : 0;
	}
}

int dt_type_find(const struct dt_types *types, const char *name, uint32_t *ret)
{
	static const uint32_t kinds[] = {BTF_KIND_STRUCT, BTF_KIND_UNION,   BTF_KIND_ENUM,
					 BTF_KIND_ENUM64, BTF_KIND_TYPEDEF, BTF_KIND_INT};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int id = btf__find_by_name_kind(types->btf, name, kinds[i]);

		if (id > 0) {
			*ret = (uint32_t)id;
			return 0;
		}
	}
	return -ENOENT;
}

int dt_type_of(const struct dt_types *types, uint32_t id, struct dt_type *ret)
{
	struct dt_type type = {.id = id};
	int err = type_btf_info(types->btf, id, types->reversed, &type.info);

	if (err != 0)
		return err;
	// Down to the element, but no further: what it was called is to be shown.
	for (unsigned i = 0; i <= TYPE_DIMS_MAX; i++) {
		const struct btf_type *t;

		type.base = type_btf_skip(types->btf, type.id);
		t = btf__type_by_id(types->btf, type.base);
		if (t == NULL || !btf_is_array(t)) {
			*ret = type;
			return 0;
		}
		type.id = btf_array(t)->type;
	}
	return -EINVAL;
}

uint64_t dt_type_elements(const struct dt_type *type)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < type->info.n_dims; i++)
		if (__builtin_mul_overflow(n, type->info.dims[i], &n))
			return UINT64_MAX;
	return n;
}

uint64_t dt_type_bytes(const struct dt_type *type)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(dt_type_elements(type), type->info.size, &bytes))
		return UINT64_MAX;
	return bytes;
}

struct dt_type dt_type_element(const struct dt_type *type)
{
	struct dt_type element = *type;

	element.info.n_dims--;
	memmove(element.info.dims, element.info.dims + 1,
		element.info.n_dims * sizeof(element.info.dims[0]));
	return element;
}

struct text dt_type_text(const struct dt_types *types, const struct dt_type *type)
{
	struct text text = dt_type_dims(type);

	put_type(types, &text, type->id, 0);
	return text;
}

struct text dt_type_name(const struct dt_types *types, uint32_t id)
{
	const char *name = type_name(types, id);

	return print_text(name, strlen(name));
}

struct text dt_type_dims(const struct dt_type *type)
{
	struct text text = {.s = ""};

	for (unsigned i = 0; i < type->info.n_dims; i++)
		print_append(&text, "[%u] ", type->info.dims[i]);
	return text;
}

struct text dt_type_link(const struct dt_types *types, const struct dt_type *type)
{
	const struct btf_type *t = btf__type_by_id(types->btf, type->base);
	uint32_t id = type->id;
	struct text text = {.s = ""};

	if (t != NULL && btf_is_ptr(t)) {
		id = t->type;
		t = btf__type_by_id(types->btf, type_btf_skip(types->btf, id));
	}
	if (t == NULL || !btf_is_composite(t))
		return text;
	// A typedef of a struct without a name has the only name that there is.
	if (type_name(types, type_btf_skip(types->btf, id))[0] != '\0')
		id = type_btf_skip(types->btf, id);
	print_append(&text, "%s", dt_type_name(types, id).s);
	return text;
}

uint32_t dt_type_enum(const struct dt_types *types, uint32_t struct_id, const char *field)
{
	const char *name = type_name(types, struct_id);

	for (unsigned i = 0; i < dt_type_n_enum_fields; i++)
		if (strcmp(dt_type_enum_fields[i].name, name) == 0 &&
		    strcmp(dt_type_enum_fields[i].field, field) == 0)
			return types->enum_ids[i];
	return 0;
}

struct text dt_type_enumerator(const struct dt_types *types, uint32_t enum_id, int64_t number)
{
	const struct btf_type *t = btf__type_by_id(types->btf, enum_id);
	uint32_t n = t != NULL && btf_is_any_enum(t) ? btf_vlen(t) : 0;
	struct text text = {.s = ""};
	int64_t its;

	for (uint32_t i = 0; i < n; i++) {
		if (enum_number(t, i) != number)
			continue;
		dt_type_constant(types, enum_id, i, &its, &text);
		break;
	}
	return text;
}

int dt_type_constant(const struct dt_types *types, uint32_t enum_id, uint32_t i, int64_t *x_number,
		     struct text *x_name)
{
	const struct btf_type *t = btf__type_by_id(types->btf, enum_id);
	const char *name;

	if (t == NULL || !btf_is_any_enum(t) || i >= btf_vlen(t))
		return -ENOENT;
	*x_number = enum_number(t, i);
	name = btf__name_by_offset(types->btf, btf_is_enum64(t) ? btf_enum64(t)[i].name_off
								: btf_enum(t)[i].name_off);
	*x_name = print_text(name != NULL ? name : "", name != NULL ? strlen(name) : 0);
	return 0;
}

static int64_t enum_number(const struct btf_type *t, uint32_t i)
{
	return btf_is_enum64(t) ? (int64_t)btf_enum64_value(&btf_enum64(t)[i]) : btf_enum(t)[i].val;
}

static const char *type_name(const struct dt_types *types, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(types->btf, id);
	const char *name = t != NULL ? btf__name_by_offset(types->btf, t->name_off) : NULL;

	return name != NULL ? name : "";
}

static void put_type(const struct dt_types *types, struct text *text, uint32_t id, unsigned nesting)
{
	const struct btf_type *t = btf__type_by_id(types->btf, id);
	size_t length;

	if (t == NULL || nesting > DT_NESTING_MAX) {
		print_append(text, "?");
		return;
	}
	switch (btf_kind(t)) {
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
		print_append(text, btf_kind(t) == BTF_KIND_CONST ? "const " : "volatile ");
		put_type(types, text, t->type, nesting + 1);
		return;
	case BTF_KIND_PTR:
		put_type(types, text, t->type, nesting + 1);
		length = strlen(text->s);
		print_append(text, "%s*", length > 0 && text->s[length - 1] == '*' ? "" : " ");
		return;
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		put_type(types, text, t->type, nesting + 1);
		return;
	case BTF_KIND_ARRAY: // that a pointer points at
		put_type(types, text, btf_array(t)->type, nesting + 1);
		print_append(text, " []");
		return;
	default:
		put_end(types, text, t, id);
		return;
	}
}

// One that is made of no other.
static void put_end(const struct dt_types *types, struct text *text, const struct btf_type *t,
		    uint32_t id)
{
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
		put_named(types, text, "struct", id);
		return;
	case BTF_KIND_UNION:
		put_named(types, text, "union", id);
		return;
	case BTF_KIND_FWD:
		put_named(types, text, fwd_keyword(t), id);
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		put_named(types, text, "enum", id);
		return;
	case BTF_KIND_FUNC_PROTO:
		print_append(text, "function");
		return;
	default:
		print_append(text, "%s", id == 0 ? "void" : dt_type_name(types, id).s);
		return;
	}
}

static void put_named(const struct dt_types *types, struct text *text, const char *keyword,
		      uint32_t id)
{
	struct text name = dt_type_name(types, id);

	print_append(text, "%s %s", keyword, name.s[0] != '\0' ? name.s : "<unnamed>");
}

static const char *fwd_keyword(const struct btf_type *t)
{
	return btf_kflag(t) ? "union" : "struct";
}

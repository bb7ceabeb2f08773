#include "debugshell/dt.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/type.h"

// What is listed.
struct dt_named {
	const char *name;
	uint32_t id;
};

static int select_field(struct dt *dt, const char **field, struct why *why);
static int select_index(struct dt *dt, const char **field, struct why *why);
static int set_type(struct dt *dt, uint32_t id, struct why *why);
static int check_place(const struct dt *dt, struct why *why);
static int no_field(const struct dt *dt, const char *name, struct why *why);
static bool is_listed(const struct btf_type *t);
static void list_row(const struct dt_types *types, const struct dt_named *named);
static int compare_names(const void *a, const void *b);
static const char *keyword(const struct btf_type *t);

int dt_select(struct dt *dt, const char *type, const char *field, struct why *why)
{
	uint32_t id;
	int err;

	if (dt_type_find(&dt->types, type, &id) != 0)
		return why_set(why, -ENOENT,
			       "this vswd's type data has no type '%.100s'; dt lists them",
			       print_text(type, strlen(type)).s);
	snprintf(dt->path, sizeof(dt->path), "%.200s", dt_type_name(&dt->types, id).s);
	err = set_type(dt, id, why);
	dt->size = TYPE_SIZE_MAX;
	if (err == 0)
		err = check_place(dt, why);
	if (err == 0)
		dt->size = (uint32_t)dt_type_bytes(&dt->type);
	while (err == 0 && *field != '\0')
		err = *field == '[' ? select_index(dt, &field, why) : select_field(dt, &field, why);
	return err;
}

void dt_free(struct dt *dt)
{
	free(dt->bytes);
	free(dt->piece);
	dt->bytes = NULL;
	dt->piece = NULL;
}

int dt_load(struct dt *dt, struct why *why)
{
	uint8_t first;
	int err;

	if (dt->bytes == NULL)
		dt->bytes = malloc(dt->size + 1);
	if (dt->bytes == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	if (dt->size == 0 || tgt_read(dt->target, dt->addr, dt->bytes, dt->size) == 0)
		return 0;
	free(dt->bytes);
	dt->bytes = NULL;
	err = TGT_READ(dt->target, dt->addr, &first);
	if (err == 0)
		return 0;
	return why_set(why, err, "%016lx cannot be read: %s", dt->addr.v,
		       tgt_strerror(dt->target, err));
}

unsigned dt_list(const struct dt_types *types, const char *pattern)
{
	uint32_t n = btf__type_cnt(types->btf);
	struct dt_named *all = calloc(n, sizeof(all[0]));
	unsigned found = 0;

	for (uint32_t id = 1; all != NULL && id < n; id++) {
		const struct btf_type *t = btf__type_by_id(types->btf, id);
		const char *name = btf__name_by_offset(types->btf, t->name_off);

		if (is_listed(t) && name != NULL && name[0] != '\0' &&
		    fnmatch(pattern, name, 0) == 0)
			all[found++] = (struct dt_named){name, id};
	}
	qsort(all, found, sizeof(all[0]), compare_names);
	for (unsigned i = 0; i < found; i++)
		list_row(types, &all[i]);
	free(all);
	return found;
}

// "obj" of "obj.name[3]": '*field' stands behind it and its point then.
static int select_field(struct dt *dt, const char **field, struct why *why)
{
	size_t length = strcspn(*field, ".[");
	size_t used = strlen(dt->path);
	uint32_t steps = DT_STEPS_MAX;
	struct type_member member;
	char name[128];
	uint32_t id = dt->type.info.id;
	int err;

	snprintf(name, sizeof(name), "%.*s", length < sizeof(name) ? (int)length : 0, *field);
	if (dt->type.info.n_dims > 0)
		return why_set(why, -ENOENT, "%s is an array; %s[0] is its first element", dt->path,
			       dt->path);
	if (dt->type.info.kind != TYPE_AGGREGATE ||
	    type_btf_find(dt->types.btf, id, name, &steps, &member) != 0)
		return no_field(dt, name, why);
	dt->parent = id;
	dt->parent_byte = dt->bit / 8;
	dt->bit += member.bit_offset;
	dt->bits = member.bits;
	err = set_type(dt, member.type, why);
	if (err != 0)
		return err;
	dt->type.enum_id = dt_type_enum(&dt->types, id, name);
	snprintf(dt->path + used, sizeof(dt->path) - used, ".%s", print_text(name, length).s);
	*field += length;
	*field += **field == '.';
	return check_place(dt, why);
}

// "[3]".
static int select_index(struct dt *dt, const char **field, struct why *why)
{
	size_t used = strlen(dt->path);
	struct dt_type element;
	unsigned long index;
	char *end;

	index = strtoul(*field + 1, &end, 0);
	if ((*field)[1] < '0' || (*field)[1] > '9' || *end != ']')
		return why_set(why, -ENOENT, "an index is a number: %s[0]", dt->path);
	if (dt->type.info.n_dims == 0)
		return why_set(why, -ENOENT, "%s is no array", dt->path);
	if (index >= dt->type.info.dims[0])
		return why_set(why, -ENOENT, "%s has %u elements", dt->path, dt->type.info.dims[0]);
	element = dt_type_element(&dt->type);
	dt->bit += 8 * index * dt_type_bytes(&element);
	dt->type = element;
	snprintf(dt->path + used, sizeof(dt->path) - used, "[%lu]", index);
	*field = end + 1;
	*field += **field == '.';
	return check_place(dt, why);
}

static int set_type(struct dt *dt, uint32_t id, struct why *why)
{
	if (dt_type_of(&dt->types, id, &dt->type) != 0)
		return why_set(why, -EINVAL, "the target's type data is damaged at %s", dt->path);
	return 0;
}

// Whether what is selected lies inside of the type.
static int check_place(const struct dt *dt, struct why *why)
{
	uint64_t byte = dt->bit / 8;
	uint64_t size = dt->bits > 0 ? 0 : dt_type_bytes(&dt->type);

	if (byte > dt->size || size > dt->size - byte)
		return why_set(why, -EINVAL, "the target's type data is damaged at %s", dt->path);
	return 0;
}

static int no_field(const struct dt *dt, const char *name, struct why *why)
{
	struct text link = dt_type_link(&dt->types, &dt->type);

	if (dt->type.info.kind != TYPE_AGGREGATE)
		return why_set(why, -ENOENT, "%s is no struct", dt->path);
	return why_set(why, -ENOENT, "%s has no field '%.100s'; dt %s lists them", dt->path,
		       print_text(name, strlen(name)).s, link.s);
}

static bool is_listed(const struct btf_type *t)
{
	return btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t);
}

static void list_row(const struct dt_types *types, const struct dt_named *named)
{
	const char *kind = keyword(btf__type_by_id(types->btf, named->id));
	struct text name = print_text(named->name, strlen(named->name));
	struct dt_type type;

	if (dt_type_of(types, named->id, &type) != 0)
		return;
	print_open("rows");
	print_plain("          vswd!%-28s %-8s 0x%-8lx !dt %s\n", name.s, kind,
		    dt_type_bytes(&type), name.s);
	print_extra("name", "%s", name.s);
	print_extra("kind", "%s", kind);
	print_extra("size", "0x%lx", dt_type_bytes(&type));
	print_extra("command", "!dt %s", name.s);
	print_close();
}

static int compare_names(const void *a, const void *b)
{
	const struct dt_named *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static const char *keyword(const struct btf_type *t)
{
	if (btf_is_typedef(t))
		return "typedef";
	if (btf_is_any_enum(t))
		return "enum";
	return btf_is_union(t) ? "union" : "struct";
}

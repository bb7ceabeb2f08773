#include "debugshell/type_match.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/type_btf.h"

// The union in types.c whose members point at all structs that a debugger may want to look at.
#define TYPE_MATCH_ALL "vsw_types"

static int match_member(struct type_db *db, const struct btf_member *member,
			struct type_match *ret);
static void match_fields(const struct type_map *map, struct type_match *ret);
static void match_missing(struct type_match *ret, const char *name, const char *field);

int type_match(struct type_db *db, struct type_match *ret)
{
	const struct btf *ours = type_db_ours(db);
	const struct btf_type *all;
	int id, err = 0;

	memset(ret, 0, sizeof(*ret));
	if (ours == NULL || !type_db_has_theirs(db))
		return -ENOTSUP;
	id = btf__find_by_name_kind(ours, TYPE_MATCH_ALL, BTF_KIND_UNION);
	all = id > 0 ? btf__type_by_id(ours, (uint32_t)id) : NULL;
	for (unsigned i = 0; all != NULL && i < btf_vlen(all) && err == 0; i++)
		err = match_member(db, &btf_members(all)[i], ret);
	return err;
}

static int match_member(struct type_db *db, const struct btf_member *member, struct type_match *ret)
{
	const struct btf *ours = type_db_ours(db);
	const struct btf_type *t = btf__type_by_id(ours, member->type);
	const struct type_map *map;
	const char *name;
	struct why why;
	int err;

	t = t != NULL && btf_is_ptr(t) ? btf__type_by_id(ours, t->type) : NULL;
	if (t == NULL || !btf_is_struct(t))
		return 0;
	name = btf__name_by_offset(ours, t->name_off);
	ret->structs++;
	err = type_map(db, name, t->size, &map, &why);
	if (err == -ENOMEM)
		return err;
	if (err != 0) {
		match_missing(ret, name, "");
		return 0;
	}
	ret->alike += map->identical;
	match_fields(map, ret);
	return 0;
}

static void match_fields(const struct type_map *map, struct type_match *ret)
{
	for (uint32_t i = 0; i < map->n_missing; i++)
		match_missing(ret, map->name, i < TYPE_MISSING_MAX ? map->missing[i] : "");
}

static void match_missing(struct type_match *ret, const char *name, const char *field)
{
	if (ret->missing < TYPE_MATCH_NAMES)
		snprintf(ret->names[ret->missing], sizeof(ret->names[0]), "%.60s%s%.60s", name,
			 field[0] != '\0' ? "." : "", field);
	ret->missing++;
}

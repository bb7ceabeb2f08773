#include "debugshell/root.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/vnic_types.h"
#include "switch/btf_types.h"

enum {
	ROOT_BTF_MIN = 24, // bytes of its header; a build without has less
	ROOT_BTF_MAX = 16 << 20
};

// What never moves in a root, see root_types.h.
struct root_head {
	char magic[16];
	uint32_t size;
	uint32_t layout;
	uint64_t btf;
	uint64_t btf_size;
};
static_assert(offsetof(struct root_head, btf) == offsetof(struct vsw_root, btf), "never moves");
static_assert(offsetof(struct root_head, btf_size) == offsetof(struct vsw_root, btf_size),
	      "never moves");

static int root_find_types(struct target *target, const struct root_head *head,
			   struct type_db **x_types, struct why *why);
static int root_types_at(struct target *target, tgt_addr addr, uint64_t size,
			 struct type_db **x_types, struct why *why);
static void root_cut(struct shell *sh, uint32_t *count, uint32_t max, const char *what);
static void root_drop_twice(struct shell *sh);

int root_find(struct target *target, tgt_addr *x_addr, struct type_db **x_types, struct why *why)
{
	struct root_head head;
	tgt_addr addr;
	uint64_t size;

	if (target->ops->symbol(target, VSW_ROOT_SECTION, &addr, &size) != 0)
		return why_set(why, -ENOEXEC, "%s is not vswd: it has no section %s", target->name,
			       VSW_ROOT_SECTION);
	if (TGT_READ(target, addr, &head) != 0 ||
	    memcmp(head.magic, VSW_ROOT_MAGIC, sizeof(VSW_ROOT_MAGIC)) != 0)
		return why_set(why, -EINVAL, "%s: the root at %016lx is damaged", target->name,
			       addr.v);
	*x_addr = addr;
	return root_find_types(target, &head, x_types, why);
}

int root_read(struct shell *sh, struct why *why)
{
	const struct type_map *map;
	int err;

	if (sh->target->ops->state(sh->target) == TARGET_ENDED)
		return why_set(why, -ESRCH, "%s has ended", sh->target->name);
	err = shell_map(sh, "vsw_root", sizeof(*sh->root), &map, why);
	if (err != 0)
		return err;
	err = type_read(sh->target, map, sh->root_addr, sh->root);
	if (err == -ESRCH) // since it was asked for its state
		return why_set(why, err, "%s has ended", sh->target->name);
	if (err != 0)
		return why_set(why, err, "%s: the root at %016lx cannot be read: %s",
			       sh->target->name, sh->root_addr.v, tgt_strerror(sh->target, err));
	sh->target->coredump_filter = sh->root->coredump_filter;
	return 0;
}

void root_check(struct shell *sh)
{
	root_cut(sh, &sh->root->n_vswitches, CONF_SWITCHES_MAX, "switches");
	root_cut(sh, &sh->root->n_procs, PROC_MAX, "procs");
	root_drop_twice(sh);
}

bool root_same_layout(struct shell *sh)
{
	const struct {
		const char *name;
		size_t size;
	} all[] = {
		{"vsw_root", sizeof(struct vsw_root)}, {"vswitch", sizeof(struct vswitch)},
		{"vport", sizeof(struct vport)},       {"vnic", sizeof(struct vnic)},
		{"proc", sizeof(struct proc)},         {"fdb", sizeof(struct fdb)},
	};
	const struct type_map *map;
	struct why why;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (type_map(sh->types, all[i].name, all[i].size, &map, &why) != 0 ||
		    !map->identical)
			return false;
	return true;
}

// A vswd that has just started has not filled in its root yet; its section is there. Without any
// type data it is read by our own layout, which shell_open() says.
static int root_find_types(struct target *target, const struct root_head *head,
			   struct type_db **x_types, struct why *why)
{
	tgt_addr btf = {head->btf};
	uint64_t size;

	if (head->btf_size > 0 && root_types_at(target, btf, head->btf_size, x_types, why) == 0)
		return 0;
	if (target->ops->symbol(target, VSW_BTF_SECTION, &btf, &size) == 0 && size >= ROOT_BTF_MIN)
		return root_types_at(target, btf, size, x_types, why);
	if (head->btf_size > 0)
		fprintf(stderr, "vswsh: %s\n", why->text);
	return root_types_at(target, btf, 0, x_types, why);
}

static int root_types_at(struct target *target, tgt_addr addr, uint64_t size,
			 struct type_db **x_types, struct why *why)
{
	void *theirs;
	int err;

	if (size > ROOT_BTF_MAX)
		return why_set(why, -EINVAL, "%s: its type data is damaged", target->name);
	theirs = malloc(size + 1);
	if (theirs == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	err = size > 0 ? tgt_read(target, addr, theirs, size) : 0;
	if (err != 0)
		why_set(why, err, "%s: its type data at %016lx cannot be read: %s", target->name,
			addr.v, tgt_strerror(target, err));
	else
		err = type_db_create(vsw_btf, vsw_btf_size, theirs, size, x_types, why);
	free(theirs);
	return err;
}

static void root_cut(struct shell *sh, uint32_t *count, uint32_t max, const char *what)
{
	if (*count <= max)
		return;
	fprintf(stderr, "vswsh: the root counts %u %s; only the first %u are looked at\n", *count,
		what, max);
	sh->troubles++;
	*count = max;
}

// The table may hold a switch twice while one is being removed; for good only when it is damaged.
static void root_drop_twice(struct shell *sh)
{
	struct vsw_root *root = sh->root;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < root->n_vswitches; i++) {
		uint32_t before = 0;

		while (before < kept && root->vswitches[before] != root->vswitches[i])
			before++;
		if (before == kept || root->vswitches[i] == NULL)
			root->vswitches[kept++] = root->vswitches[i];
	}
	if (kept < root->n_vswitches && !sh->runs) {
		fprintf(stderr, "vswsh: the root lists %u switches more than once\n",
			root->n_vswitches - kept);
		sh->troubles++;
	}
	root->n_vswitches = kept;
}

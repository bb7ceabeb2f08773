#include "debugshell/complete_find.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/dt.h"
#include "debugshell/module.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

enum { FIND_SECONDS = 1 };

// Objects of which there are names, too.
static const unsigned named = COMPLETE_SWITCHES | COMPLETE_PORTS | COMPLETE_NICS | COMPLETE_PROCS;
static const unsigned all_objects = COMPLETE_SWITCHES | COMPLETE_PORTS | COMPLETE_NICS |
				    COMPLETE_PROCS | COMPLETE_FDBS | COMPLETE_MINIPORTS |
				    COMPLETE_MOPENS;

struct find {
	struct shell *sh;
	struct complete *c;
	unsigned kinds; // whose addresses are offered
	unsigned names; // whose names are
	bool has_names; // an address must be begun to be offered
	double end_s;   // by clock_monotonic_s()
};

static void find_commands(struct complete *c);
static void find_arguments(struct shell *sh, struct complete *c, const struct cmd *cmd);
static unsigned dt_names(const char *word);
static void find_objects(struct shell *sh, struct complete *c, unsigned kinds, unsigned names);
static void find_in_root(struct find *f, const struct vsw_root *root);
static void find_proc(struct find *f, unsigned number, tgt_addr addr);
static void find_switch(struct find *f, tgt_addr addr);
static void find_port(struct find *f, tgt_addr addr);
static void offer(struct find *f, unsigned kind, tgt_addr addr, const char *name);
static bool is_late(const struct find *f);
static void find_modules(struct shell *sh, struct complete *c);
static void find_types(struct shell *sh, struct complete *c);
static void find_fields(const struct dt_types *types, struct complete *c, size_t path_length);
static void find_files(struct complete *c);
static void find_file(struct complete *c, const char *dir, size_t dir_length, const char *name);

void complete_find_prepare(struct shell *sh)
{
	const struct type_map *map;
	struct why why;

	shell_map(sh, "object", sizeof(struct object), &map, &why);
	shell_map(sh, "vswitch", sizeof(struct vswitch), &map, &why);
	shell_map(sh, "vport", sizeof(struct vport), &map, &why);
}

void complete_find(struct shell *sh, struct complete *c)
{
	const bool runs = sh->runs;
	const struct cmd *cmd;

	// What is changing is taken as it is: nobody waits for it here.
	sh->runs = false;
	if (c->n_before == 0) {
		find_commands(c);
		find_objects(sh, c, all_objects, 0);
	} else {
		cmd = cmd_find(c->before[0]);
		if (cmd != NULL)
			find_arguments(sh, c, cmd);
	}
	sh->runs = runs;
	complete_sort(c);
}

static void find_commands(struct complete *c)
{
	const struct cmd *cmd;
	char word[64];

	for (unsigned i = 0; (cmd = cmd_at(i)) != NULL; i++) {
		complete_offer(c, cmd->name, true);
		snprintf(word, sizeof(word), "!%s", cmd->name);
		if (c->word[0] == '!')
			complete_offer(c, word, true);
		snprintf(word, sizeof(word), "!%s%s",
			 cmd->prefix[0] != '\0' ? cmd->prefix : "nvkd.", cmd->name);
		if (c->word[0] == '!' && c->word[1] != '\0')
			complete_offer(c, word, true);
	}
	complete_offer(c, "quit", true);
}

static void find_arguments(struct shell *sh, struct complete *c, const struct cmd *cmd)
{
	const unsigned kinds = complete_kinds(cmd->usage);
	const unsigned n_args = complete_n_args(c);

	complete_offer_options(c, cmd->usage);
	if (n_args == 1 && (kinds & COMPLETE_TYPES) != 0)
		find_objects(sh, c, all_objects, dt_names(c->before[c->n_before - 1]));
	if (n_args > 0)
		return;
	if ((kinds & all_objects) != 0)
		find_objects(sh, c, kinds, kinds);
	if ((kinds & COMPLETE_COMMANDS) != 0)
		find_commands(c);
	if ((kinds & COMPLETE_MODULES) != 0)
		find_modules(sh, c);
	if ((kinds & COMPLETE_TYPES) != 0)
		find_types(sh, c);
	if ((kinds & COMPLETE_FILES) != 0)
		find_files(c);
}

// Names that may stand behind "vport" or "vport.obj.name".
static unsigned dt_names(const char *word)
{
	char type[COMPLETE_WORD_SIZE];

	snprintf(type, sizeof(type), "%.*s", (int)strcspn(word, ".["), word);
	switch (cmd_dt_object_type(type)) {
	case OBJECT_VSWITCH:
		return COMPLETE_SWITCHES;
	case OBJECT_VPORT:
		return COMPLETE_PORTS;
	case OBJECT_VNIC:
		return COMPLETE_NICS;
	case OBJECT_PROC:
		return COMPLETE_PROCS;
	default:
		return 0;
	}
}

static void find_objects(struct shell *sh, struct complete *c, unsigned kinds, unsigned names)
{
	struct find f = {.sh = sh, .c = c, .kinds = kinds, .names = names};
	// Its own: the shell's is that of the command that ran.
	struct vsw_root *root = malloc(sizeof(*root));
	const struct type_map *map;
	struct why why;

	f.end_s = clock_monotonic_s() + FIND_SECONDS;
	// Where a command may stand, and behind a type of dt, an address is begun to be offered.
	f.has_names = (names & named) != 0 || kinds == all_objects;
	if (root != NULL && shell_map(sh, "vsw_root", sizeof(*root), &map, &why) == 0 &&
	    type_read(sh->target, map, sh->root_addr, root) == 0)
		find_in_root(&f, root);
	free(root);
}

static void find_in_root(struct find *f, const struct vsw_root *root)
{
	for (unsigned i = 0; i < root->n_procs && i < PROC_MAX; i++)
		if (root->procs[i] != NULL)
			find_proc(f, i, tgt_ptr(root->procs[i]));
	for (unsigned i = 0; i < root->n_vswitches && i < CONF_SWITCHES_MAX && !is_late(f); i++)
		find_switch(f, tgt_ptr(root->vswitches[i]));
}

static void find_proc(struct find *f, unsigned number, tgt_addr addr)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	offer(f, COMPLETE_PROCS, addr, name);
	snprintf(name, sizeof(name), "proc%u", number);
	if (f->c->word[0] == 'p')
		offer(f, COMPLETE_PROCS, addr, name);
}

static void find_switch(struct find *f, tgt_addr addr)
{
	tgt_addr ports[VPORT_MAX];
	struct vswitch sw;
	struct why why;
	uint32_t n;

	if (walk_object(f->sh, addr, OBJECT_VSWITCH, &sw, &why) < 0)
		return;
	offer(f, COMPLETE_SWITCHES, addr, TEXT(sw.obj.name).s);
	// Its second name, not to have every switch in the list twice.
	if (f->c->raw[0] != '\0')
		offer(f, COMPLETE_SWITCHES, addr, TEXT(sw.obj.friendly_name).s);
	offer(f, COMPLETE_FDBS, tgt_ptr(sw.fdb), "");
	offer(f, COMPLETE_MINIPORTS, tgt_ptr(sw.miniport), "");
	offer(f, COMPLETE_MOPENS, tgt_ptr(sw.mopen), "");
	n = sw.n_ports < VPORT_MAX ? sw.n_ports : VPORT_MAX;
	if (((f->kinds | f->names) & (COMPLETE_PORTS | COMPLETE_NICS)) == 0 || n == 0 ||
	    tgt_read(f->sh->target, tgt_ptr(sw.ports), ports, n * sizeof(ports[0])) != 0)
		return;
	for (uint32_t i = 0; i < n && !is_late(f); i++)
		find_port(f, ports[i]);
}

static void find_port(struct find *f, tgt_addr addr)
{
	struct vport port;
	struct why why;

	if (walk_object(f->sh, addr, OBJECT_VPORT, &port, &why) < 0)
		return;
	offer(f, COMPLETE_PORTS, addr, TEXT(port.obj.name).s);
	if (port.nic != NULL)
		offer(f, COMPLETE_NICS, tgt_ptr(port.nic), TEXT(port.obj.name).s);
}

static void offer(struct find *f, unsigned kind, tgt_addr addr, const char *name)
{
	if ((f->names & kind) != 0)
		complete_offer(f->c, name, true);
	if ((f->kinds & kind) != 0)
		complete_offer_addr(f->c, addr, f->has_names);
}

static bool is_late(const struct find *f)
{
	return clock_monotonic_s() > f->end_s;
}

static void find_modules(struct shell *sh, struct complete *c)
{
	struct modules modules = {.n = 0};
	struct why why;

	if (modules_read(sh->target, sh->root_addr, &modules, &why) == 0)
		for (uint32_t i = 0; i < modules.n; i++) {
			complete_offer(c, TEXT(modules.all[i].name).s, true);
			complete_offer_addr(c, modules.all[i].start, true);
		}
	modules_free(&modules);
}

static void find_types(struct shell *sh, struct complete *c)
{
	const char *point = strrchr(c->word, '.');
	struct dt_types types;
	bool reversed;
	const struct btf *btf = type_db_btf(sh->types, &reversed);

	if (btf == NULL)
		return;
	dt_types_init(&types, btf, reversed);
	if (point != NULL) {
		find_fields(&types, c, (size_t)(point - c->word));
		return;
	}
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		struct text name = dt_type_name(&types, id);

		if (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t))
			complete_offer(c, name.s, true);
	}
}

// The word is "vport.obj.na", of which the path is "vport.obj".
static void find_fields(const struct dt_types *types, struct complete *c, size_t path_length)
{
	struct dt dt = {.types = *types};
	char type[COMPLETE_WORD_SIZE];
	char *field;
	struct why why;

	snprintf(type, sizeof(type), "%.*s", (int)path_length, c->word);
	field = strchr(type, '.');
	if (field != NULL)
		*field++ = '\0';
	if (dt_select(&dt, type, field != NULL ? field : "", &why) == 0 &&
	    dt.type.info.kind == TYPE_AGGREGATE && dt.type.info.n_dims == 0) {
		uint32_t n = type_btf_n_members(types->btf, dt.type.info.id);

		for (uint32_t i = 0; i < n; i++) {
			struct type_member member;
			const char *name;
			struct text word;

			if (type_btf_member(types->btf, dt.type.info.id, i, &name, &member) != 0)
				continue;
			word = print_text(c->word, path_length);
			print_append(&word, ".%s", print_text(name, strlen(name)).s);
			if (name[0] != '\0')
				complete_offer(c, word.s, true);
		}
	}
	dt_free(&dt);
}

static void find_files(struct complete *c)
{
	const char *slash = strrchr(c->word, '/');
	size_t length = slash != NULL ? (size_t)(slash + 1 - c->word) : 0;
	char path[COMPLETE_WORD_SIZE];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%.*s", (int)length, c->word);
	dir = opendir(length > 0 ? path : ".");
	while (dir != NULL && c->n < COMPLETE_MAX && (entry = readdir(dir)) != NULL)
		// Hidden ones when their point is typed.
		if (entry->d_name[0] != '.' || (c->word[length] == '.' && entry->d_name[1] != '\0'))
			find_file(c, path, length, entry->d_name);
	if (dir != NULL)
		closedir(dir);
}

static void find_file(struct complete *c, const char *dir, size_t dir_length, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	bool is_dir;

	// One that a terminal would not show as it is cannot be typed either.
	if (strcmp(print_text(name, strlen(name)).s, name) != 0 ||
	    strncmp(name, c->word + dir_length, strlen(c->word + dir_length)) != 0)
		return;
	snprintf(path, sizeof(path), "%s%s", dir, name);
	is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	snprintf(path, sizeof(path), "%s%s%s", dir, name, is_dir ? "/" : "");
	complete_offer(c, path, !is_dir);
}

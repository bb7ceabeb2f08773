/*
 * Commands: one table, and one file per object.
 *
 * A command without argument lists, with an address or a name it shows one object. Each
 * address that is printed can be typed again, alone or behind a command. `!nvkd.vswitch`,
 * `!vswitch` and `vswitch` are the same.
 *
 * A command prints to stdout. It returns 0, or a negative errno with the sentence in 'why';
 * damaged objects on its way are told in their place (walk_trouble) and do not stop it.
 */
#pragma once

#include "debugshell/shell.h"

struct cmd {
	const char *name;
	const char *prefix; // of its name in `help`: "" or "ndiskd."
	const char *usage;
	const char *help;
	int (*run)(struct shell *sh, int argc, char **argv, struct why *why);
	enum object_type shows; // the objects whose address alone means this command
	bool lists;             // lists objects when it has no argument
	bool many; // may have more than one argument, and looks itself whether they are too many
};

// Runs all commands that list objects, except fdb, whose lists may be long.
void cmd_run_lists(struct shell *sh);

// Finds the command, or the object at the address that stands in its place, and runs it.
int cmd_run(struct shell *sh, int argc, char **argv, struct why *why);

// The command of that name, however it is written; NULL: there is none.
const struct cmd *cmd_find(const char *word);

// Command 'i' of the table; NULL behind the last.
const struct cmd *cmd_at(unsigned i);

// cmd_vswitch.c
int cmd_vswitch(struct shell *sh, int argc, char **argv, struct why *why);

// cmd_ndis.c: what a vswitch points at
int cmd_miniport(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_mopen(struct shell *sh, int argc, char **argv, struct why *why);

int cmd_vport(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_vnic(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_proc(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_fdb(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_drops(struct shell *sh, int argc, char **argv, struct why *why);

int cmd_where(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_top(struct shell *sh, int argc, char **argv, struct why *why);

// cmd_ring.c, cmd_vnbl.c: parts of objects, which have addresses of their own
int cmd_ring(struct shell *sh, int argc, char **argv, struct why *why);
bool cmd_ring_knows(struct shell *sh, tgt_addr addr);
int cmd_vnbl(struct shell *sh, int argc, char **argv, struct why *why);
bool cmd_vnbl_knows(struct shell *sh, tgt_addr addr);

// cmd_absent.c: what this switch has none of
int cmd_vmq(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_qosline(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_extension(struct shell *sh, int argc, char **argv, struct why *why);

// cmd_lm.c, cmd_dt.c: modules and types, as WinDbg's own commands
int cmd_lm(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_lmi(struct shell *sh, int argc, char **argv, struct why *why);
int cmd_dt(struct shell *sh, int argc, char **argv, struct why *why);

// Whose names may stand behind this type in dt; OBJECT_NONE: no object's.
enum object_type cmd_dt_object_type(const char *name);

int cmd_dump(struct shell *sh, int argc, char **argv, struct why *why);

/**
 * Prints a port's drops, one row per direction and reason that is not zero, "[None]" when
 * there are none. Returns the number of rows.
 */
unsigned cmd_drops_print(const struct vport_stats *sum, const char *indent);

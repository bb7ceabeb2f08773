#include "debugshell/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

// Columns: the last one that is used, and those of a command's name.
enum { HELP_COLUMNS = 79, HELP_NAME = 7, HELP_LONG_NAME = 15 };

static int cmd_help(struct shell *sh, int argc, char **argv, struct why *why);
static void help_entry(const struct cmd *cmd);
static const char *cmd_bare_name(const char *word);
static int cmd_run_address(struct shell *sh, tgt_addr addr, struct why *why);
static int cmd_run_part(struct shell *sh, tgt_addr addr, char *word, int err, struct why *why);

static const struct cmd cmds[] = {
	{"help", "", "help [COMMAND]", "Displays information on available extension commands",
	 cmd_help, OBJECT_NONE, false, false},
	{"drops", "", "drops [VSWITCH | VPORT]",
	 "Displays why frames were dropped, by port, direction and reason", cmd_drops, OBJECT_NONE,
	 true, false},
	{"extension", "", "extension", "Displays information about the extensions of a vswitch",
	 cmd_extension, OBJECT_NONE, false, false},
	{"fdb", "", "fdb [FDB | VSWITCH | VPORT]",
	 "Displays the MAC table: which station is behind which port", cmd_fdb, OBJECT_FDB, false,
	 false},
	{"proc", "", "proc [PROC | NUMBER]", "Displays information about a given processor",
	 cmd_proc, OBJECT_PROC, true, false},
	{"qosline", "", "qosline", "Displays information about a given QoS Line", cmd_qosline,
	 OBJECT_NONE, false, false},
	{"ring", "", "ring [RING | VNIC | PORT NAME]",
	 "Displays a guest's virtqueue, its outstanding chains, and what is wrong with them",
	 cmd_ring, OBJECT_NONE, true, false},
	{"vmq", "", "vmq", "Displays information about a given VMQ (Virtual Machine Queue)",
	 cmd_vmq, OBJECT_NONE, true, false},
	{"vnbl", "", "vnbl [-x] [VNBL | PROC | VPORT]",
	 "Displays Extensible Virtual Switch specific data of an NBL", cmd_vnbl, OBJECT_NONE, true,
	 true},
	{"vnic", "", "vnic [VNIC | PORT NAME]", "Displays information about one or more vnic(s)",
	 cmd_vnic, OBJECT_VNIC, true, false},
	{"vport", "", "vport [VPORT | NAME]", "Displays information about the given vport",
	 cmd_vport, OBJECT_VPORT, true, false},
	{"vswitch", "", "vswitch [VSWITCH | NAME]",
	 "Displays information about one of more vswitch(es) and child vports", cmd_vswitch,
	 OBJECT_VSWITCH, true, false},
	{"where", "", "where [PROC | NUMBER]",
	 "Displays where each processor is: running, idle, asleep, starved or stuck", cmd_where,
	 OBJECT_NONE, false, false},
	{"top", "", "top [-d SECONDS] [-n COUNT]",
	 "Displays rates per second of ports, processors and queues, on a terminal until q",
	 cmd_top, OBJECT_NONE, false, true},
	{"lm", "", "lm [MODULE | ADDRESS]", "Displays the loaded modules", cmd_lm, OBJECT_NONE,
	 true, false},
	{"lmi", "", "lmi [MODULE | ADDRESS]",
	 "Displays information about a module and whether its type data is loaded", cmd_lmi,
	 OBJECT_NONE, true, false},
	{"dt", "", "dt [-r [DEPTH]] TYPE[.FIELD] [ADDRESS | NAME], dt [PATTERN]",
	 "Displays the layout of a type, with the values at an address", cmd_dt, OBJECT_NONE, false,
	 true},
	{"dump", "", "dump FILE[.gz|.zst|.lz4]",
	 "Writes a small core to mail: all objects and types, no guest's data", cmd_dump,
	 OBJECT_NONE, false, false},
	{"miniport", "ndiskd.", "miniport [MINIPORT | VSWITCH | NAME]",
	 "Displays the miniport edge of a vswitch, where frames leave it", cmd_miniport,
	 OBJECT_MINIPORT, true, false},
	{"mopen", "ndiskd.", "mopen [MOPEN | VSWITCH | NAME]",
	 "Displays the protocol edge of a vswitch, where frames enter it", cmd_mopen, OBJECT_MOPEN,
	 true, false},
};

// Addresses that lead to no object, but to a part of one.
static const struct {
	const char *name; // of the command that shows it
	bool (*knows)(struct shell *sh, tgt_addr addr);
} parts[] = {
	{"ring", cmd_ring_knows},
	{"vnbl", cmd_vnbl_knows},
};

enum { N_CMDS = sizeof(cmds) / sizeof(cmds[0]) };

int cmd_run(struct shell *sh, int argc, char **argv, struct why *why)
{
	const struct cmd *cmd = cmd_find(argv[0]);
	tgt_addr addr;

	if (cmd == NULL && argc == 1 && walk_parse_short_addr(argv[0], &addr))
		return cmd_run_address(sh, addr, why);
	if (cmd == NULL)
		return why_set(why, -ENOENT, "there is no command '%.100s'; help lists them",
			       print_text(argv[0], strlen(argv[0])).s);
	if (argc > 2 && !cmd->many)
		return why_set(why, -EINVAL, "%s takes one argument at most: %s", cmd->name,
			       cmd->usage);
	return cmd->run(sh, argc, argv, why);
}

void cmd_run_lists(struct shell *sh)
{
	struct why why;

	for (unsigned i = 0; i < N_CMDS; i++) {
		char name[] = "";
		char *argv[] = {name, NULL};

		if (cmds[i].lists)
			cmds[i].run(sh, 1, argv, &why);
	}
}

const struct cmd *cmd_find(const char *word)
{
	const char *name = cmd_bare_name(word);

	for (unsigned i = 0; i < N_CMDS; i++)
		if (strcmp(cmds[i].name, name) == 0)
			return &cmds[i];
	return NULL;
}

const struct cmd *cmd_at(unsigned i)
{
	return i < N_CMDS ? &cmds[i] : NULL;
}

static int cmd_help(struct shell *sh, int argc, char **argv, struct why *why)
{
	const struct cmd *cmd;
	char path[512];
	ssize_t n;

	if (argc > 1) {
		cmd = cmd_find(argv[1]);
		if (cmd == NULL)
			return why_set(why, -ENOENT, "there is no command '%.100s'",
				       print_text(argv[1], strlen(argv[1])).s);
		help_entry(cmd);
		print_plain("\nUsage: %s\n", cmd->usage);
		return 0;
	}
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	print_plain("Commands for %s:\n", n > 0 ? path : "vswsh");
	for (unsigned i = 0; i < N_CMDS; i++)
		help_entry(&cmds[i]);
	return 0;
}

// "  !name    - text", wrapped at 80 columns.
static void help_entry(const struct cmd *cmd)
{
	int width = cmd->prefix[0] == '\0' ? HELP_NAME : HELP_LONG_NAME;
	struct text line = {.s = ""}, name = {.s = ""};
	const char *text = cmd->help;
	size_t indent;

	print_append(&name, "%s%s", cmd->prefix, cmd->name);
	print_append(&line, "  !%-*s -", width, name.s);
	indent = strlen(line.s) + 1;
	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (strlen(line.s) + 1 + (size_t)length > HELP_COLUMNS) {
			print_plain("%s\n", line.s);
			snprintf(line.s, sizeof(line.s), "%*s", (int)indent - 1, "");
		}
		print_append(&line, " %.*s", length, text);
		text += length;
		text += strspn(text, " ");
	}
	print_plain("%s\n", line.s);
	print_open("rows");
	print_extra("name", "%s", cmd->name);
	print_extra("usage", "%s", cmd->usage);
	print_extra("text", "%s", cmd->help);
	print_close();
}

// Without the marks of an extension command: "!nvkd.vswitch", "!vswitch".
static const char *cmd_bare_name(const char *word)
{
	if (*word != '!')
		return word;
	word++;
	if (strncmp(word, "nvkd.", 5) == 0)
		return word + 5;
	if (strncmp(word, "ndiskd.", 7) == 0)
		return word + 7;
	return word;
}

static int cmd_run_address(struct shell *sh, tgt_addr addr, struct why *why)
{
	enum object_type type;
	char word[20]; // with all digits, so that no name is meant
	int err = walk_type(sh, addr, &type, why);

	snprintf(word, sizeof(word), "%016lx", addr.v);
	if (err != 0)
		return cmd_run_part(sh, addr, word, err, why);
	for (unsigned i = 0; i < N_CMDS; i++) {
		char *argv[] = {word, word, NULL};

		if (cmds[i].shows == type)
			return cmds[i].run(sh, 2, argv, why);
	}
	return why_set(why, -EINVAL, "%016lx is a %s, which has no command", addr.v,
		       name_object_type(type));
}

// 'err' and 'why' say why it is no object.
static int cmd_run_part(struct shell *sh, tgt_addr addr, char *word, int err, struct why *why)
{
	char *argv[] = {word, word, NULL};

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].knows(sh, addr))
			return cmd_find(parts[i].name)->run(sh, 2, argv, why);
	return err;
}

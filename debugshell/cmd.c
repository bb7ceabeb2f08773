#include "debugshell/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "debugshell/print.h"
#include "debugshell/walk.h"

// Columns: the last one that is used, and those of a command's name.
enum { HELP_COLUMNS = 79, HELP_NAME = 7, HELP_LONG_NAME = 15 };

static int cmd_help(struct shell *sh, int argc, char **argv, struct why *why);
static void help_entry(const struct cmd *cmd);
static const struct cmd *cmd_find(const char *word);
static const char *cmd_bare_name(const char *word);
static int cmd_run_address(struct shell *sh, tgt_addr addr, char *word, struct why *why);

static const struct cmd cmds[] = {
	{"help", "", "help [COMMAND]", "Displays information on available extension commands",
	 cmd_help, OBJECT_NONE},
	{"drops", "", "drops [VSWITCH | VPORT]",
	 "Displays why frames were dropped, by port, direction and reason", cmd_drops, OBJECT_NONE},
	{"fdb", "", "fdb [FDB | VSWITCH | VPORT]",
	 "Displays the MAC table: which station is behind which port", cmd_fdb, OBJECT_FDB},
	{"proc", "", "proc [PROC | NUMBER]", "Displays information about a given processor",
	 cmd_proc, OBJECT_PROC},
	{"vnic", "", "vnic [VNIC | PORT NAME]", "Displays information about one or more vnic(s)",
	 cmd_vnic, OBJECT_VNIC},
	{"vport", "", "vport [VPORT | NAME]", "Displays information about the given vport",
	 cmd_vport, OBJECT_VPORT},
	{"vswitch", "", "vswitch [VSWITCH | NAME]",
	 "Displays information about one of more vswitch(es) and child vports", cmd_vswitch,
	 OBJECT_VSWITCH},
	{"miniport", "ndiskd.", "miniport [MINIPORT]",
	 "Displays the miniport edge of a vswitch, where frames leave it", cmd_miniport,
	 OBJECT_MINIPORT},
	{"mopen", "ndiskd.", "mopen [MOPEN]",
	 "Displays the protocol edge of a vswitch, where frames enter it", cmd_mopen, OBJECT_MOPEN},
};

enum { N_CMDS = sizeof(cmds) / sizeof(cmds[0]) };

int cmd_run(struct shell *sh, int argc, char **argv, struct why *why)
{
	const struct cmd *cmd = cmd_find(argv[0]);
	tgt_addr addr;

	if (cmd == NULL && argc == 1 && walk_parse_addr(argv[0], &addr))
		return cmd_run_address(sh, addr, argv[0], why);
	if (cmd == NULL)
		return why_set(why, -ENOENT, "there is no command '%.100s'; help lists them",
			       print_text(argv[0], strlen(argv[0])).s);
	if (argc > 2)
		return why_set(why, -EINVAL, "%s takes one argument at most: %s", cmd->name,
			       cmd->usage);
	return cmd->run(sh, argc, argv, why);
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
		printf("\nUsage: %s\n", cmd->usage);
		return 0;
	}
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	printf("Commands for %s:\n", n > 0 ? path : "vswsh");
	for (unsigned i = 0; i < N_CMDS; i++)
		help_entry(&cmds[i]);
	return 0;
}

// "  !name    - text", wrapped at 80 columns.
static void help_entry(const struct cmd *cmd)
{
	int width = cmd->prefix[0] == '\0' ? HELP_NAME : HELP_LONG_NAME;
	const char *text = cmd->help;
	char name[32];
	int indent, column;

	snprintf(name, sizeof(name), "%s%s", cmd->prefix, cmd->name);
	indent = printf("  !%-*s - ", width, name);
	column = indent;
	while (*text != '\0') {
		int length = (int)strcspn(text, " ");
		bool first = column == indent;

		if (!first && column + 1 + length > HELP_COLUMNS) {
			column = printf("\n%*s", indent, "") - 1;
			first = true;
		}
		column += printf("%s%.*s", first ? "" : " ", length, text);
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static const struct cmd *cmd_find(const char *word)
{
	const char *name = cmd_bare_name(word);

	for (unsigned i = 0; i < N_CMDS; i++)
		if (strcmp(cmds[i].name, name) == 0)
			return &cmds[i];
	return NULL;
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

static int cmd_run_address(struct shell *sh, tgt_addr addr, char *word, struct why *why)
{
	enum object_type type;
	int err = walk_type(sh, addr, &type, why);

	if (err != 0)
		return err;
	for (unsigned i = 0; i < N_CMDS; i++) {
		char *argv[] = {word, word, NULL};

		if (cmds[i].shows == type)
			return cmds[i].run(sh, 2, argv, why);
	}
	return why_set(why, -EINVAL, "%016lx is a %s, which has no command", addr.v,
		       name_object_type(type));
}

#include "debugshell/shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <editline/readline.h>
#endif

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/root.h"
#include "debugshell/walk.h"

enum { SHELL_WORDS_MAX = 16, SHELL_LINE_SIZE = 1024 };

static void shell_note_build(struct shell *sh);
static int shell_split(char *line, char **words, int max);
static char *shell_take_word(char **line);
static bool shell_is_quit(const char *line);
static int shell_loop_plain(struct shell *sh);
#ifdef HAVE_LIBEDIT
static int shell_loop_editing(struct shell *sh);
#endif

int shell_open(struct target *target, struct shell **ret, struct why *why)
{
	struct shell *sh = calloc(1, sizeof(*sh));
	int err;

	if (sh == NULL) {
		target->ops->close(target);
		return why_set(why, -ENOMEM, "out of memory");
	}
	sh->target = target;
	sh->root = calloc(1, sizeof(*sh->root));
	err = sh->root == NULL ? why_set(why, -ENOMEM, "out of memory") : 0;
	if (err == 0)
		err = root_find(target, &sh->root_addr, &sh->types, why);
	if (err == 0)
		err = root_read(sh, why);
	if (err != 0) {
		shell_close(sh);
		return err;
	}
	shell_note_build(sh);
	*ret = sh;
	return 0;
}

void shell_close(struct shell *sh)
{
	if (sh == NULL)
		return;
	type_db_destroy(sh->types);
	sh->target->ops->close(sh->target);
	free(sh->root);
	free(sh);
}

int shell_run(struct shell *sh, int argc, char **argv)
{
	struct why why;
	int err;

	sh->troubles = 0;
	sh->runs = sh->target->ops->state(sh->target) == TARGET_RUNNING;
	// First, so that whatever changes from here on is noticed.
	sh->generation = walk_generation(sh);
	err = root_read(sh, &why);
	if (err == 0) {
		root_check(sh);
		clock_start(sh);
		err = cmd_run(sh, argc, argv, &why);
	}
	if (err < 0) {
		fflush(stdout);
		fprintf(stderr, "vswsh: %s\n", why.text);
	}
	if (fflush(stdout) != 0)
		return 1;
	return err != 0 || sh->troubles > 0;
}

int shell_run_line(struct shell *sh, char *line)
{
	char *words[SHELL_WORDS_MAX];
	int n = shell_split(line, words, SHELL_WORDS_MAX);

	if (n < 0) {
		fprintf(stderr, "vswsh: more than %d words, or a quote that does not end\n",
			SHELL_WORDS_MAX);
		return 1;
	}
	return n == 0 ? 0 : shell_run(sh, n, words);
}

int shell_loop(struct shell *sh)
{
#ifdef HAVE_LIBEDIT
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return shell_loop_editing(sh);
#endif
	return shell_loop_plain(sh);
}

int shell_map(struct shell *sh, const char *name, size_t own_size, const struct type_map **ret,
	      struct why *why)
{
	const struct type_map *map;
	bool is_new = !type_is_known(sh->types, name);
	int err = type_map(sh->types, name, own_size, &map, why);

	if (err != 0)
		return err;
	for (uint32_t i = 0; is_new && i < map->n_missing && i < TYPE_MISSING_MAX; i++)
		fprintf(stderr, "vswsh: this vswd's struct %s has no field '%s'\n", name,
			map->missing[i]);
	*ret = map;
	return 0;
}

static void shell_note_build(struct shell *sh)
{
	struct text version = TEXT(sh->root->version);

	if (!type_db_has_theirs(sh->types)) {
		fprintf(stderr,
			"vswsh: this vswd (version %s) carries no type data; it is read as if it "
			"were of this vswsh's build (version %s)\n",
			version.s, VSW_VERSION);
		return;
	}
	if (strcmp(version.s, VSW_VERSION) != 0 || !root_same_layout(sh))
		fprintf(stderr,
			"vswsh: this vswd is another build (version %s, vswsh is %s); its "
			"structures are read by field name\n",
			version.s, VSW_VERSION);
}

static int shell_loop_plain(struct shell *sh)
{
	char line[SHELL_LINE_SIZE];
	int result = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strchr(line, '\n') == NULL && !feof(stdin)) {
			int c;

			while ((c = getchar()) != EOF && c != '\n')
				;
			fprintf(stderr, "vswsh: a line has at most %d bytes\n",
				SHELL_LINE_SIZE - 2);
			result = 1;
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		if (shell_is_quit(line))
			break;
		result = shell_run_line(sh, line);
	}
	return result;
}

#ifdef HAVE_LIBEDIT
static int shell_loop_editing(struct shell *sh)
{
	char prompt[96];
	int result = 0;
	char *line;

	printf("vswd %s, %s. Type help, or an address that was printed; quit ends.\n",
	       TEXT(sh->root->version).s, sh->target->name);
	snprintf(prompt, sizeof(prompt), "vswsh> ");
	using_history();
	while ((line = readline(prompt)) != NULL) {
		bool quit = shell_is_quit(line);

		if (!quit && line[0] != '\0') {
			add_history(line);
			result = shell_run_line(sh, line);
		}
		free(line);
		if (quit)
			break;
	}
	if (line == NULL)
		printf("\n");
	return result;
}
#endif

static bool shell_is_quit(const char *line)
{
	size_t length;

	line += strspn(line, " \t");
	length = strcspn(line, " \t");
	return (length == 1 && line[0] == 'q') || (length == 4 && memcmp(line, "quit", 4) == 0) ||
	       (length == 4 && memcmp(line, "exit", 4) == 0);
}

static int shell_split(char *line, char **words, int max)
{
	int n = 0;

	for (;;) {
		line += strspn(line, " \t");
		if (*line == '\0')
			return n;
		if (n == max)
			return -E2BIG;
		words[n] = shell_take_word(&line);
		if (words[n++] == NULL)
			return -EINVAL;
	}
}

// One word, ended in place; 'line' stands behind it. NULL: its quote does not end.
static char *shell_take_word(char **line)
{
	char *word = *line;
	char *end;

	if (*word != '"') {
		end = word + strcspn(word, " \t");
		*line = *end != '\0' ? end + 1 : end;
		*end = '\0';
		return word;
	}
	end = strchr(++word, '"');
	if (end == NULL)
		return NULL;
	*end = '\0';
	*line = end + 1;
	return word;
}

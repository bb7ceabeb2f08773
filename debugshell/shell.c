#include "debugshell/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/edit.h"
#include "debugshell/interrupt.h"
#include "debugshell/line.h"
#include "debugshell/pipe.h"
#include "debugshell/print.h"
#include "debugshell/root.h"
#include "debugshell/walk.h"

enum { SHELL_WORDS_MAX = 16, SHELL_LINE_SIZE = 1024 };

static void shell_note_build(struct shell *sh);
static int shell_end(const struct why *why);
static int shell_refuse(struct shell *sh, struct text line, const struct why *why);
static int shell_run_pipe(struct shell *sh, int n, char **words, const char *program,
			  struct why *why);
static int shell_run_words(void *arg);
static int shell_loop_plain(struct shell *sh, bool prompts);
static int shell_run_plain(struct shell *sh, char *line, bool is_typed);
static int shell_read_line(char *line, struct why *why);
#ifdef HAVE_LIBEDIT
static int shell_loop_editing(struct shell *sh, struct edit *edit);
static void shell_hold_interrupts(sigset_t *before);
static void shell_drop_interrupts(const sigset_t *before);
#endif
static struct text shell_prompt(const struct shell *sh);

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
	struct text command = {.s = ""};
	struct why why;
	int err;

	for (int i = 0; i < argc; i++)
		print_append(&command, "%s%s", i > 0 ? " " : "", argv[i]);
	clearerr(stdout);
	print_begin(sh->json, command.s, sh->target->name);
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
	if (interrupt_seen()) {
		err = why_set(&why, -EINTR, "interrupted");
		// Behind the ^C of the terminal, and what was half written.
		if (!sh->json)
			putchar('\n');
	}
	if (shell_end(err < 0 ? &why : NULL) != 0)
		return 1;
	return err != 0 || sh->troubles > 0;
}

int shell_run_line(struct shell *sh, char *line)
{
	char *words[SHELL_WORDS_MAX];
	struct text command = print_text(line, strlen(line));
	struct why why;
	char *program;
	int n = line_split(line, words, SHELL_WORDS_MAX, &program);
	int status;

	if (n < 0) {
		if (n == -E2BIG)
			why_set(&why, n, "a line has at most %d words", SHELL_WORDS_MAX);
		else
			why_set(&why, n, "a quote does not end");
		return shell_refuse(sh, command, &why);
	}
	if (program == NULL)
		return n == 0 ? 0 : shell_run(sh, n, words);
	status = shell_run_pipe(sh, n, words, program, &why);
	return status < 0 ? shell_refuse(sh, command, &why) : status;
}

int shell_loop(struct shell *sh)
{
	bool is_typed = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	if (is_typed && !sh->json)
		printf("vswd %s, %s. Type help, or an address that was printed; quit ends.\n",
		       TEXT(sh->root->version).s, sh->target->name);
#ifdef HAVE_LIBEDIT
	struct edit *edit = is_typed ? edit_open(sh) : NULL;

	if (edit != NULL)
		return shell_loop_editing(sh, edit);
#endif
	return shell_loop_plain(sh, is_typed);
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

// Ends the output of a command, with its error if there is one. 1: not all of it was written.
static int shell_end(const struct why *why)
{
	bool is_written;

	print_end(why != NULL ? why->text : NULL);
	is_written = fflush(stdout) == 0 && !ferror(stdout);
	clearerr(stdout);
	if (why != NULL)
		fprintf(stderr, "vswsh: %s\n", why->text);
	if (!is_written)
		fprintf(stderr, "vswsh: not all of the output could be written\n");
	return is_written ? 0 : 1;
}

// A line that is no command.
static int shell_refuse(struct shell *sh, struct text line, const struct why *why)
{
	print_begin(sh->json, line.s, sh->target->name);
	shell_end(why);
	return 1;
}

struct shell_words {
	struct shell *sh;
	int n;
	char **words;
};

static int shell_run_pipe(struct shell *sh, int n, char **words, const char *program,
			  struct why *why)
{
	struct shell_words all = {sh, n, words};

	if (n == 0)
		return why_set(why, -EINVAL, "there is no command before the |");
	if (program[strspn(program, " \t")] == '\0')
		return why_set(why, -EINVAL, "there is no program behind the |");
	return pipe_run(program, shell_run_words, &all, why);
}

static int shell_run_words(void *arg)
{
	struct shell_words *all = arg;

	// This process of a pipe ends by it.
	if (interrupt_end())
		raise(SIGINT);
	return shell_run(all->sh, all->n, all->words);
}

static int shell_loop_plain(struct shell *sh, bool prompts)
{
	char line[SHELL_LINE_SIZE];
	struct why why;
	int result = 0;

	for (;;) {
		int err;

		if (prompts)
			printf("%s", shell_prompt(sh).s);
		fflush(stdout);
		err = shell_read_line(line, &why);
		if (err == -ENODATA || (err == 0 && line_is_quit(line)))
			return result;
		if (err != 0)
			result = shell_refuse(sh, TEXT(line), &why);
		else if (!line_is_empty(line))
			result = shell_run_plain(sh, line, prompts);
		// Ctrl-C at a pipe means all lines, unless somebody types them.
		if (err == -EIO || (result == PIPE_SIGNAL + SIGINT && !prompts))
			return result;
	}
}

static int shell_run_plain(struct shell *sh, char *line, bool is_typed)
{
	int result;

	if (is_typed)
		interrupt_begin();
	result = shell_run_line(sh, line);
	if (is_typed)
		interrupt_end();
	return result;
}

// One line without its end. -ENODATA: there are no more, -EIO: nor can be, -E2BIG and -EILSEQ: it
// is no line; 'why', but for the first.
static int shell_read_line(char *line, struct why *why)
{
	bool has_nul = false;
	size_t length = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n') {
		if (length < SHELL_LINE_SIZE - 1)
			line[length] = (char)c;
		has_nul = has_nul || c == '\0';
		length++;
	}
	line[length < SHELL_LINE_SIZE - 1 ? length : SHELL_LINE_SIZE - 1] = '\0';
	if (ferror(stdin))
		return why_set(why, -EIO, "the commands cannot be read: %s", strerror(errno));
	if (c == EOF && length == 0)
		return -ENODATA;
	if (length > SHELL_LINE_SIZE - 2)
		return why_set(why, -E2BIG, "a line has at most %d bytes", SHELL_LINE_SIZE - 2);
	if (has_nul)
		return why_set(why, -EILSEQ, "a line of text has no byte of zero");
	// As some systems end lines.
	if (length > 0 && line[length - 1] == '\r')
		line[length - 1] = '\0';
	return 0;
}

#ifdef HAVE_LIBEDIT
static int shell_loop_editing(struct shell *sh, struct edit *edit)
{
	sigset_t before;
	int result = 0;
	char *line;

	shell_hold_interrupts(&before);
	while ((line = edit_line(edit, shell_prompt(sh).s)) != NULL && !line_is_quit(line)) {
		if (line_is_empty(line))
			continue;
		interrupt_begin();
		shell_drop_interrupts(&before);
		result = shell_run_line(sh, line);
		shell_hold_interrupts(&before);
		interrupt_end();
		// The prompt would stand behind the ^C of the terminal.
		if (result == PIPE_SIGNAL + SIGINT)
			printf("\n");
	}
	if (line == NULL)
		printf("\n");
	edit_close(edit);
	shell_drop_interrupts(&before);
	return result;
}

// Between two lines Ctrl-C is a signal for a moment, but is meant for the line.
static void shell_hold_interrupts(sigset_t *before)
{
	sigset_t interrupt;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, before);
}

static void shell_drop_interrupts(const sigset_t *before)
{
	const struct timespec at_once = {0};
	sigset_t interrupt;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigtimedwait(&interrupt, NULL, &at_once);
	sigprocmask(SIG_SETMASK, before, NULL);
}
#endif

// As a kernel debugger's, with the number of procs; a damaged one was not cut yet at the start.
static struct text shell_prompt(const struct shell *sh)
{
	struct text prompt = {.s = ""};

	print_append(&prompt, "%u: vsw> ", walk_n_procs(sh));
	return prompt;
}

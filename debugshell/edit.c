#include "debugshell/edit.h"

#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "debugshell/complete_find.h"

enum {
	EDIT_HISTORY = 1000, // lines
	EDIT_LIST_MAX = 200, // words that are listed
	EDIT_COLUMNS = 80    // of a terminal that does not say
};

struct edit {
	struct shell *sh;
	EditLine *el;
	History *history;
	const char *prompt;
	char *line;
	bool is_dropped; // by Ctrl-C
};

static char *edit_prompt(EditLine *el);
static void edit_keys(EditLine *el);
static unsigned char edit_drop(EditLine *el, wint_t key);
static unsigned char edit_stop(EditLine *el, wint_t key);
static unsigned char edit_tab(EditLine *el, wint_t key);
static unsigned char edit_complete(struct edit *edit, struct complete *c);
static bool edit_replace(EditLine *el, const char *typed, const char *by, size_t length);
static void edit_list(const struct complete *c);
static unsigned edit_width(const char *text);

struct edit *edit_open(struct shell *sh)
{
	struct edit *edit = calloc(1, sizeof(*edit));
	HistEvent event;

	if (edit == NULL)
		return NULL;
	// For names that are not ASCII.
	setlocale(LC_CTYPE, "");
	edit->sh = sh;
	edit->history = history_init();
	edit->el = el_init("vswsh", stdin, stdout, stderr);
	if (edit->history == NULL || edit->el == NULL) {
		edit_close(edit);
		return NULL;
	}
	history(edit->history, &event, H_SETSIZE, EDIT_HISTORY);
	history(edit->history, &event, H_SETUNIQUE, 1);
	el_set(edit->el, EL_CLIENTDATA, edit);
	el_set(edit->el, EL_HIST, history, edit->history);
	el_set(edit->el, EL_PROMPT, edit_prompt);
	el_set(edit->el, EL_SIGNAL, 1);
	el_set(edit->el, EL_EDITOR, "emacs");
	el_source(edit->el, NULL);
	edit_keys(edit->el);
	complete_find_prepare(sh);
	return edit;
}

void edit_close(struct edit *edit)
{
	if (edit == NULL)
		return;
	if (edit->el != NULL)
		el_end(edit->el);
	if (edit->history != NULL)
		history_end(edit->history);
	free(edit->line);
	free(edit);
}

char *edit_line(struct edit *edit, const char *prompt)
{
	HistEvent event;
	const char *got;
	int length;

	edit->prompt = prompt;
	edit->is_dropped = false;
	// Before the prompt is seen, or keys that are typed at once would be the terminal's.
	el_set(edit->el, EL_PREP_TERM, 1);
	got = el_gets(edit->el, &length);
	free(edit->line);
	edit->line = NULL;
	if (edit->is_dropped) {
		printf("^C\n");
		edit->line = strdup("");
	} else if (got != NULL) {
		if (got[strspn(got, " \t\n")] != '\0')
			history(edit->history, &event, H_ENTER, got);
		edit->line = strndup(got, strcspn(got, "\n"));
	}
	return edit->line;
}

static char *edit_prompt(EditLine *el)
{
	static char none[] = "";
	static char prompt[64];
	struct edit *edit;

	if (el_get(el, EL_CLIENTDATA, &edit) != 0)
		return none;
	snprintf(prompt, sizeof(prompt), "%s", edit->prompt);
	return prompt;
}

// Behind the user's own bindings, for a change of the editor undoes all before it.
static void edit_keys(EditLine *el)
{
	el_wset(el, EL_ADDFN, L"vswsh-complete", L"Complete the word", edit_tab);
	el_set(el, EL_BIND, "^I", "vswsh-complete", NULL);
	// Keys as others are while a line is typed: a signal could come when nobody waits for it.
	el_set(el, EL_SETTY, "-d", "-isig", NULL);
	el_wset(el, EL_ADDFN, L"vswsh-drop", L"Drop the line", edit_drop);
	el_set(el, EL_BIND, "^C", "vswsh-drop", NULL);
	el_wset(el, EL_ADDFN, L"vswsh-stop", L"Stop vswsh", edit_stop);
	el_set(el, EL_BIND, "^Z", "vswsh-stop", NULL);
}

static unsigned char edit_drop(EditLine *el, wint_t key)
{
	struct edit *edit;

	(void)key;
	if (el_get(el, EL_CLIENTDATA, &edit) != 0)
		return CC_ERROR;
	edit->is_dropped = true;
	return CC_EOF;
}

// As Ctrl-Z does elsewhere; libedit sets the terminal right before and after.
static unsigned char edit_stop(EditLine *el, wint_t key)
{
	(void)el;
	(void)key;
	raise(SIGTSTP);
	return CC_REDISPLAY;
}

static unsigned char edit_tab(EditLine *el, wint_t key)
{
	const LineInfo *line = el_line(el);
	unsigned char result = CC_ERROR;
	struct complete c;
	struct edit *edit;

	(void)key;
	if (el_get(el, EL_CLIENTDATA, &edit) != 0)
		return CC_ERROR;
	if (complete_init(&c, line->buffer, (size_t)(line->cursor - line->buffer))) {
		complete_find(edit->sh, &c);
		result = edit_complete(edit, &c);
	}
	complete_free(&c);
	return result;
}

static unsigned char edit_complete(struct edit *edit, struct complete *c)
{
	size_t common = complete_common(c);

	if (c->n == 0)
		return CC_ERROR;
	if (c->n > 1 && common <= strlen(c->raw)) {
		edit_list(c);
		return CC_REDISPLAY;
	}
	if (!edit_replace(edit->el, c->raw, c->found[0], common))
		return CC_ERROR;
	// A directory goes on.
	if (c->n == 1 && c->found[0][common - 1] != '/' && el_insertstr(edit->el, " ") != 0)
		return CC_ERROR;
	return CC_REFRESH;
}

// Replaces what is typed before the cursor by the first 'length' bytes of 'by'.
static bool edit_replace(EditLine *el, const char *typed, const char *by, size_t length)
{
	size_t characters = mbstowcs(NULL, typed, 0);
	char *text = strndup(by, length);
	bool done;

	done = text != NULL && characters != (size_t)-1 && mbstowcs(NULL, text, 0) != (size_t)-1;
	if (done) {
		el_deletestr(el, (int)characters);
		done = el_insertstr(el, text) == 0;
	}
	free(text);
	return done;
}

static void edit_list(const struct complete *c)
{
	struct winsize size = {.ws_col = EDIT_COLUMNS};
	unsigned width = 0, columns, rows;

	putchar('\n');
	if (c->n > EDIT_LIST_MAX) {
		printf("%u words begin like this\n", c->n);
		return;
	}
	for (unsigned i = 0; i < c->n; i++)
		if (edit_width(c->found[i]) + 2 > width)
			width = edit_width(c->found[i]) + 2;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		size.ws_col = EDIT_COLUMNS;
	columns = size.ws_col / width > 0 ? size.ws_col / width : 1;
	rows = (c->n + columns - 1) / columns;
	for (unsigned row = 0; row < rows; row++) {
		for (unsigned i = row; i < c->n; i += rows)
			printf("%s%*s", c->found[i],
			       i + rows < c->n ? (int)(width - edit_width(c->found[i])) : 0, "");
		putchar('\n');
	}
	fflush(stdout);
}

// In characters.
static unsigned edit_width(const char *text)
{
	size_t characters = mbstowcs(NULL, text, 0);

	return (unsigned)(characters != (size_t)-1 ? characters : strlen(text));
}

#include "debugshell/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "debugshell/interrupt.h"
#include "debugshell/print_doc.h"
#include "debugshell/print_format.h"

enum { PRINT_COLUMNS = 80, PRINT_LABEL_COLUMNS = 23 };

#define PRINT_NONE "[None]"

enum print_mode { MODE_TEXT, MODE_JSON, MODE_MUTED };

struct print_state {
	enum print_mode mode;
	bool json; // the mode when it is not muted
	bool in_object;
	const char *labels; // NULL: the usual form
	const char *indent; // of the table; NULL: there is none
	const struct print_column *columns;
	unsigned n_columns;
	unsigned column; // of the next cell
};

static struct print_state state;

static enum print_mode mode(void);
static void show_row(const char *label, const char *fmt, va_list ap, bool is_number);
static void show_label(const char *label);
static void show_cell(const char *s);
static int continued(const char *s);
static void begin_object(void);
static void end_table(void);
static void write_value(struct json_out *j, bool is_number, const char *s);
static void write_text(struct json_out *j, const char *s);
static void write_values(const char *label, const char *keys, const char *fmt, va_list *ap);

void print_begin(bool json, const char *command, const char *target)
{
	state = (struct print_state){.mode = json ? MODE_JSON : MODE_TEXT, .json = json};
	if (json)
		print_doc_begin(stdout, print_text(command, strlen(command)).s, target);
}

void print_end(const char *error)
{
	if (state.json)
		print_doc_end(error);
	state = (struct print_state){.mode = MODE_TEXT};
}

bool print_is_json(void)
{
	return state.json;
}

void print_mute(bool on)
{
	state.mode = on ? MODE_MUTED : state.json ? MODE_JSON : MODE_TEXT;
}

void print_labels(const char *form)
{
	if (mode() != MODE_MUTED)
		state.labels = form;
}

void print_title(const char *title, tgt_addr addr, bool torn)
{
	begin_object();
	if (mode() == MODE_TEXT)
		printf("\n%s %016lx %s\n", title, addr.v, torn ? "~" : " ");
	else if (mode() == MODE_JSON)
		print_doc_title(title, addr, torn);
}

void print_title_name(const char *title, tgt_addr addr, struct text name)
{
	begin_object();
	if (mode() == MODE_TEXT) {
		printf("\n%s %016lx  %s\n", title, addr.v, name.s);
	} else if (mode() == MODE_JSON) {
		print_doc_title(title, addr, false);
		write_text(print_doc_row("Name"), name.s);
	}
}

void print_section(const char *title)
{
	end_table();
	if (mode() == MODE_TEXT)
		printf("\n%s\n\n", title);
	else if (mode() == MODE_JSON)
		print_doc_section(title);
}

void print_section_line(const char *title, const char *fmt, ...)
{
	va_list ap;

	end_table();
	va_start(ap, fmt);
	if (mode() == MODE_TEXT) {
		vprintf(fmt, ap);
		putchar('\n');
	} else if (mode() == MODE_JSON) {
		print_doc_section(title);
	}
	va_end(ap);
}

void print_row(const char *label, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show_row(label, fmt, ap, print_format_is_number(fmt));
	va_end(ap);
}

void print_values(const char *label, const char *keys, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (mode() == MODE_JSON)
		write_values(label, keys, fmt, &ap);
	else
		show_row(label, fmt, ap, false);
	va_end(ap);
}

void print_text_row(const char *label, struct text text)
{
	if (mode() == MODE_JSON)
		write_text(print_doc_row(label), text.s);
	else
		print_row(label, "%s", text.s[0] != '\0' ? text.s : PRINT_NONE);
}

void print_flag(const char *label, bool is, const char *more)
{
	if (mode() == MODE_JSON)
		json_out_bool(print_doc_row(label), is);
	else
		print_row(label, "%s%s", is ? "Y" : "N", is && more != NULL ? more : "");
}

void print_absent(const char *label, const char *word)
{
	if (mode() == MODE_JSON)
		json_out_null(print_doc_row(label));
	else
		print_row(label, "%s", word);
}

void print_extra(const char *key, const char *fmt, ...)
{
	struct print_value value;
	va_list ap;

	if (mode() != MODE_JSON)
		return;
	va_start(ap, fmt);
	vsnprintf(value.s, sizeof(value.s), fmt, ap);
	va_end(ap);
	write_value(print_doc_extra(key), print_format_is_number(fmt), value.s);
}

void print_extra_flag(const char *key, bool is)
{
	if (mode() == MODE_JSON)
		json_out_bool(print_doc_extra(key), is);
}

void print_link(const char *label, tgt_addr addr, const char *command)
{
	if (mode() == MODE_JSON)
		print_doc_addr(print_doc_row(label), addr);
	else if (addr.v == 0)
		print_row(label, PRINT_NONE);
	else
		print_row(label, "%016lx   !%s %016lx", addr.v, command, addr.v);
}

void print_words(const char *label, const char *const words[], unsigned n)
{
	int column = PRINT_LABEL_COLUMNS;
	struct json_out *j;

	end_table();
	if (mode() == MODE_JSON) {
		j = print_doc_row(label);
		json_out_array(j);
		for (unsigned i = 0; i < n; i++)
			json_out_string(j, words[i]);
		json_out_end(j);
	}
	if (mode() != MODE_TEXT)
		return;
	show_label(label);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0 && column + 1 + (int)strlen(words[i]) > PRINT_COLUMNS)
			column = printf("\n%*s", PRINT_LABEL_COLUMNS, "") - 1;
		else if (i > 0)
			column += printf(" ");
		column += printf("%s", words[i]);
	}
	putchar('\n');
}

void print_blank(void)
{
	end_table();
	if (mode() == MODE_TEXT)
		putchar('\n');
}

void print_plain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (mode() == MODE_TEXT)
		vprintf(fmt, ap);
	va_end(ap);
}

void print_table(const char *indent, const struct print_column columns[], unsigned n)
{
	end_table();
	state.indent = indent != NULL ? indent : "";
	state.columns = columns;
	state.n_columns = n;
	if (mode() == MODE_JSON)
		print_doc_table(columns, n);
	if (mode() != MODE_TEXT)
		return;
	printf("%s%s", indent != NULL && indent[0] == '\0' ? "\n" : "", state.indent);
	for (unsigned i = 0; i < n; i++)
		printf("%-*s", columns[i].width, columns[i].head);
	putchar('\n');
}

void print_cell(const char *word)
{
	if (mode() == MODE_JSON)
		write_value(print_doc_cell(), false, word);
	else
		show_cell(word);
}

void print_cell_text(struct text text)
{
	if (mode() == MODE_JSON)
		write_text(print_doc_cell(), text.s);
	else
		show_cell(text.s[0] != '\0' ? text.s : PRINT_NONE);
}

void print_cell_addr(tgt_addr addr)
{
	char word[24];

	snprintf(word, sizeof(word), "%016lx", addr.v);
	if (mode() == MODE_JSON)
		print_doc_addr(print_doc_cell(), addr);
	else
		show_cell(addr.v != 0 ? word : PRINT_NONE);
}

void print_cell_absent(const char *word)
{
	if (mode() == MODE_JSON)
		json_out_null(print_doc_cell());
	else
		show_cell(word);
}

void print_cell_flag(bool is)
{
	if (mode() == MODE_JSON)
		json_out_bool(print_doc_cell(), is);
	else
		show_cell(is ? "Y" : "N");
}

void print_cell_fmt(const char *fmt, ...)
{
	struct print_value value;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value.s, sizeof(value.s), fmt, ap);
	va_end(ap);
	if (mode() == MODE_JSON)
		write_value(print_doc_cell(), print_format_is_number(fmt), value.s);
	else
		show_cell(value.s);
}

void print_row_end(bool torn)
{
	state.column = 0;
	if (mode() == MODE_TEXT)
		printf("%s\n", torn ? " ~" : "");
	else if (mode() == MODE_JSON)
		print_doc_row_end(torn);
}

void print_none(void)
{
	const char *indent = state.indent;

	if (indent == NULL)
		indent = state.in_object ? "    " : "\n";
	if (mode() == MODE_TEXT)
		printf("%s" PRINT_NONE "\n", indent);
	else if (mode() == MODE_JSON)
		print_doc_none();
}

void print_note(const char *indent, const char *fmt, ...)
{
	struct print_value value;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value.s, sizeof(value.s), fmt, ap);
	va_end(ap);
	if (mode() == MODE_TEXT)
		printf("%s%s\n", indent, value.s);
	else if (mode() == MODE_JSON)
		print_doc_note(value.s);
}

void print_trouble(const char *indent, const char *title, tgt_addr addr, const struct why *why)
{
	if (mode() == MODE_TEXT)
		printf("%s%s  %016lx  *** %s ***\n", indent, title, addr.v, why->text);
	else if (mode() == MODE_JSON)
		print_doc_trouble(title, addr, why->text);
}

void print_torn(bool torn)
{
	if (mode() == MODE_JSON && torn)
		json_out_bool(print_doc_extra("torn"), true);
}

void print_open(const char *key)
{
	if (mode() == MODE_JSON)
		print_doc_open(key);
}

void print_close(void)
{
	if (mode() == MODE_JSON)
		print_doc_close();
}

// A command that was interrupted has nothing to say any more.
static enum print_mode mode(void)
{
	return interrupt_seen() ? MODE_MUTED : state.mode;
}

static void show_row(const char *label, const char *fmt, va_list ap, bool is_number)
{
	struct print_value value;

	end_table();
	if (mode() == MODE_TEXT) {
		show_label(label);
		vprintf(fmt, ap);
		putchar('\n');
	} else if (mode() == MODE_JSON) {
		vsnprintf(value.s, sizeof(value.s), fmt, ap);
		write_value(print_doc_row(label), is_number, value.s);
	}
}

static void show_label(const char *label)
{
	printf(state.labels != NULL ? state.labels : "    %-19s", label);
}

// What stands in front of the row's first cell is the indent.
static void show_cell(const char *s)
{
	const struct print_column *column;

	if (mode() != MODE_TEXT || state.column == state.n_columns)
		return;
	if (state.column == 0)
		fputs(state.indent, stdout);
	column = &state.columns[state.column++];
	if (column->cell != NULL)
		printf(column->cell, s);
	else
		printf("%-*s", column->width + continued(s), s);
}

// The bytes of UTF-8 that take no column of their own.
static int continued(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) == 0x80;
	return n;
}

static void begin_object(void)
{
	end_table();
	if (mode() != MODE_MUTED)
		state.in_object = true;
}

static void end_table(void)
{
	state.indent = NULL;
	state.n_columns = 0;
	state.column = 0;
}

static void write_value(struct json_out *j, bool is_number, const char *s)
{
	static const char *const nulls[] = {PRINT_NONE, "[Never]", "[Not told]", "[No flags set]"};
	bool is_null = false;

	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		is_null |= strcmp(s, nulls[i]) == 0;
	if (is_number)
		json_out_number(j, s);
	else if (is_null)
		json_out_null(j);
	else
		json_out_string(j, s);
}

static void write_text(struct json_out *j, const char *s)
{
	if (s[0] == '\0')
		json_out_null(j);
	else
		json_out_string(j, s);
}

// The conversions of 'fmt', named by 'keys'.
static void write_values(const char *label, const char *keys, const char *fmt, va_list *ap)
{
	struct json_out *object = NULL;
	struct print_value value;
	struct print_conv conv;
	struct text key;

	while ((fmt = print_conv_next(fmt, &conv)) != NULL) {
		key = print_text(keys, strcspn(keys, " "));
		keys += strcspn(keys, " ");
		keys += strspn(keys, " ");
		print_conv_value(&conv, ap, &value);
		if (strcmp(key.s, "-") == 0)
			continue;
		if (object == NULL && strcmp(key.s, ".") == 0) {
			write_value(print_doc_row(label), value.is_number, value.s);
			continue;
		}
		if (object == NULL) {
			object = print_doc_row(label);
			json_out_object(object);
		}
		json_out_key(object, print_key(key.s).s);
		write_value(object, value.is_number, value.s);
	}
	if (object != NULL)
		json_out_end(object);
}

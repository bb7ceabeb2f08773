#include "debugshell/print_doc.h"

#include <stdlib.h>
#include <string.h>

enum { PRINT_DOC_COLUMNS_MAX = 32 };

enum section {
	SECTION_NONE,
	SECTION_BEGUN, // what it holds is not known yet
	SECTION_ROWS,  // an object
	SECTION_TABLE  // an array; what comes behind it belongs to what holds the section
};

_Static_assert(JSON_OUT_DEPTH_MAX >= 2 * PRINT_DEPTH_MAX + 8, "an object and its array each");

// An array that is written at the end.
struct kept {
	const char *key;
	struct json_out json;
	FILE *to; // NULL: nothing is kept
	char *text;
	size_t size;
	unsigned left_out;
};

struct doc {
	struct json_out json;
	bool in_objects;
	enum section section;
	struct text section_key;
	bool in_table;
	bool in_row;
	struct text keys[PRINT_DOC_COLUMNS_MAX]; // of the table's columns
	unsigned n_columns;
	unsigned column;                         // of the next cell
	unsigned too_deep;                       // those of them that were not begun
	unsigned n_open;                         // objects of print_doc_open()
	const char *arrays[PRINT_DEPTH_MAX + 1]; // each one's that has not ended; NULL: none
	struct kept notes;
	struct kept troubles;
};

static struct doc doc;

static void begin_row(void);
static void end_row(void);
static void end_table(void);
static void end_section(void);
static void write_empty(void);
static bool keep(struct kept *kept);
static void write_kept(struct kept *kept);

void print_doc_begin(FILE *to, const char *command, const char *target)
{
	static const char *const reserved[] = {
		"objects", "notes", "notes_left_out", "troubles", "troubles_left_out", "error"};
	struct json_out *j = &doc.json;

	json_out_begin(j, to);
	doc.in_objects = false;
	doc.section = SECTION_NONE;
	doc.in_table = false;
	doc.in_row = false;
	doc.n_open = 0;
	doc.too_deep = 0;
	doc.arrays[0] = NULL;
	doc.notes.key = "notes";
	doc.troubles.key = "troubles";
	json_out_object(j);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		json_out_reserve(j, reserved[i]);
	json_out_key(j, "command");
	json_out_string(j, command);
	json_out_key(j, "target");
	json_out_string(j, target);
}

void print_doc_end(const char *error)
{
	struct json_out *j = &doc.json;

	end_section();
	if (doc.in_objects) {
		json_out_end(j);
		json_out_end(j);
	}
	write_empty();
	write_kept(&doc.notes);
	write_kept(&doc.troubles);
	if (error != NULL) {
		json_out_key_reserved(j, "error");
		json_out_string(j, error);
	}
	json_out_end(j);
	putc('\n', j->to);
}

void print_doc_title(const char *title, tgt_addr addr, bool torn)
{
	struct json_out *j = &doc.json;

	end_section();
	if (doc.in_objects) {
		json_out_end(j);
	} else {
		json_out_key_reserved(j, "objects");
		json_out_array(j);
		doc.in_objects = true;
	}
	json_out_object(j);
	json_out_key(j, "type");
	json_out_string(j, title);
	json_out_key(j, "address");
	print_doc_addr(j, addr);
	if (torn) {
		json_out_key(j, "torn");
		json_out_bool(j, true);
	}
}

void print_doc_section(const char *title)
{
	end_section();
	doc.section = SECTION_BEGUN;
	doc.section_key = print_key(title);
}

struct json_out *print_doc_row(const char *label)
{
	end_table();
	if (doc.section == SECTION_BEGUN) {
		json_out_key(&doc.json, doc.section_key.s);
		json_out_object(&doc.json);
		doc.section = SECTION_ROWS;
	}
	json_out_key(&doc.json, print_key(label).s);
	return &doc.json;
}

struct json_out *print_doc_cell(void)
{
	begin_row();
	if (doc.column < doc.n_columns)
		json_out_key(&doc.json, doc.keys[doc.column++].s);
	else
		json_out_key(&doc.json, "cell");
	return &doc.json;
}

struct json_out *print_doc_extra(const char *key)
{
	if (!doc.in_row)
		return print_doc_row(key);
	json_out_key(&doc.json, key);
	return &doc.json;
}

void print_doc_table(const struct print_column columns[], unsigned n)
{
	end_table();
	if (doc.section == SECTION_BEGUN) {
		json_out_key(&doc.json, doc.section_key.s);
		doc.section = SECTION_TABLE;
	} else {
		json_out_key(&doc.json, "rows");
	}
	json_out_array(&doc.json);
	doc.in_table = true;
	doc.n_columns = n < PRINT_DOC_COLUMNS_MAX ? n : PRINT_DOC_COLUMNS_MAX;
	for (unsigned i = 0; i < doc.n_columns; i++)
		doc.keys[i] = print_key(columns[i].key != NULL ? columns[i].key : columns[i].head);
}

void print_doc_row_end(bool torn)
{
	if (torn) {
		json_out_key(&doc.json, "torn");
		json_out_bool(&doc.json, true);
	}
	end_row();
}

void print_doc_none(void)
{
	if (!doc.in_table)
		print_doc_table(NULL, 0);
}

void print_doc_open(const char *key)
{
	const char **array = &doc.arrays[doc.n_open];

	if (doc.n_open == PRINT_DEPTH_MAX) {
		doc.too_deep++;
		return;
	}
	if (*array == NULL || strcmp(*array, key) != 0) {
		json_out_array(print_doc_row(key));
		*array = key;
	}
	json_out_object(&doc.json);
	doc.arrays[++doc.n_open] = NULL;
}

void print_doc_close(void)
{
	if (doc.too_deep > 0) {
		doc.too_deep--;
		return;
	}
	end_table();
	json_out_end(&doc.json);
	doc.n_open--;
}

void print_doc_note(const char *note)
{
	if (keep(&doc.notes))
		json_out_string(&doc.notes.json, note);
}

void print_doc_trouble(const char *title, tgt_addr addr, const char *why)
{
	struct json_out *j = &doc.troubles.json;

	if (!keep(&doc.troubles))
		return;
	json_out_object(j);
	json_out_key(j, "what");
	json_out_string(j, title);
	json_out_key(j, "address");
	print_doc_addr(j, addr);
	json_out_key(j, "why");
	json_out_string(j, why);
	json_out_end(j);
}

void print_doc_addr(struct json_out *j, tgt_addr addr)
{
	char text[20];

	snprintf(text, sizeof(text), "%016lx", addr.v);
	if (addr.v == 0)
		json_out_null(j);
	else
		json_out_string(j, text);
}

static void begin_row(void)
{
	if (doc.in_row)
		return;
	json_out_object(&doc.json);
	doc.in_row = true;
	doc.column = 0;
}

static void end_row(void)
{
	if (doc.in_row)
		json_out_end(&doc.json);
	doc.in_row = false;
}

static void end_table(void)
{
	end_row();
	if (doc.in_table || doc.arrays[doc.n_open] != NULL)
		json_out_end(&doc.json);
	doc.in_table = false;
	doc.arrays[doc.n_open] = NULL;
}

// One in which there was nothing to show is null.
static void end_section(void)
{
	while (doc.n_open > 0)
		print_doc_close();
	end_table();
	if (doc.section == SECTION_BEGUN) {
		json_out_key(&doc.json, doc.section_key.s);
		json_out_null(&doc.json);
	} else if (doc.section == SECTION_ROWS) {
		json_out_end(&doc.json);
	}
	doc.section = SECTION_NONE;
}

// Both are in every document, so that a program need not ask whether they are.
static void write_empty(void)
{
	struct json_out *j = &doc.json;

	if (!json_out_has_key(j, "rows")) {
		json_out_key(j, "rows");
		json_out_array(j);
		json_out_end(j);
	}
	if (!doc.in_objects) {
		json_out_key_reserved(j, "objects");
		json_out_array(j);
		json_out_end(j);
	}
}

// Whether there is room for one more, which is counted else.
static bool keep(struct kept *kept)
{
	if (kept->to == NULL) {
		kept->to = open_memstream(&kept->text, &kept->size);
		if (kept->to != NULL) {
			json_out_begin(&kept->json, kept->to);
			json_out_array(&kept->json);
		}
	}
	if (kept->to != NULL && ftell(kept->to) < PRINT_DOC_KEPT_MAX)
		return true;
	kept->left_out++;
	return false;
}

static void write_kept(struct kept *kept)
{
	struct json_out *j = &doc.json;
	char number[16];
	struct text key = print_key(kept->key);

	if (kept->to != NULL) {
		json_out_end(&kept->json);
		if (fclose(kept->to) == 0) {
			json_out_key_reserved(j, kept->key);
			fputs(kept->text, j->to);
		}
		free(kept->text);
	}
	if (kept->left_out > 0) {
		print_append(&key, "_left_out");
		snprintf(number, sizeof(number), "%u", kept->left_out);
		json_out_key_reserved(j, key.s);
		json_out_number(j, number);
	}
	kept->to = NULL;
	kept->left_out = 0;
}

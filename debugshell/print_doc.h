/*
 * The JSON document of one command, in the form that print.h describes: where each value belongs.
 * What it is made of is begun by the functions here; the values are written by the caller.
 *
 * Notes and troubles stand at the end of the document. They are kept until then, up to
 * PRINT_DOC_KEPT_MAX bytes each; how many are left out is said there.
 *
 * Threads: one, as print.h.
 */
#pragma once

#include "debugshell/json_out.h"
#include "debugshell/print.h"

enum { PRINT_DOC_KEPT_MAX = 1 << 20 };

// 'to' stays the caller's.
void print_doc_begin(FILE *to, const char *command, const char *target);
void print_doc_end(const char *error);

void print_doc_title(const char *title, tgt_addr addr, bool torn);
void print_doc_section(const char *title);

// Begins a row or a cell: its value is written next.
struct json_out *print_doc_row(const char *label);
struct json_out *print_doc_cell(void);

// A cell beside the columns, or a row when no row of a table is begun.
struct json_out *print_doc_extra(const char *key);

void print_doc_table(const struct print_column columns[], unsigned n);
void print_doc_row_end(bool torn);
void print_doc_none(void);

// As print_open() and print_close(). 'key' is a literal. What is deeper than PRINT_DEPTH_MAX goes
// into what holds it.
void print_doc_open(const char *key);
void print_doc_close(void);

void print_doc_note(const char *note);
void print_doc_trouble(const char *title, tgt_addr addr, const char *why);

// A value: 16 hex digits, null for 0.
void print_doc_addr(struct json_out *j, tgt_addr addr);

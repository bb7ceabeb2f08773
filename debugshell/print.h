/*
 * Output: the few forms that all commands share, and words for numbers.
 *
 * Lists: a blank line, a header, rows. Details: a title line, then sections with UPPER-CASE
 * titles, labels in a column 19 wide, "[None]" for what is empty. Text from the target is
 * foreign bytes: what a terminal would act on is shown as a dot.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "debugshell/target.h"

// Text from the target, made safe to print; lives in the caller's expression.
struct text {
	char s[600];
};

struct text print_text(const char *from, size_t size);

// Appends as much as fits.
void print_append(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define TEXT(array) print_text((array), sizeof(array))

// "VPORT 00007f..." after a blank line; 'torn': it changed while it was read.
void print_title(const char *title, tgt_addr addr, bool torn);
void print_section(const char *title);
void print_row(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// A row with text from the target; "[None]" when it is empty.
void print_text_row(const char *label, struct text text);

// A row with an address and the command that shows what is there; "[None]" for 0.
void print_link(const char *label, tgt_addr addr, const char *command);

// A row with a field's value, or the note that the target's build does not have the field.
#define PRINT_FIELD(map, field, label, ...)                                                        \
	do {                                                                                       \
		if (type_has((map), (field)))                                                      \
			print_row((label), __VA_ARGS__);                                           \
		else                                                                               \
			print_row((label), "[Missing in this vswd]");                              \
	} while (0)

struct text print_mac(const uint8_t mac[6]);
struct text print_duration(double seconds);
struct text print_wall_clock(int64_t seconds);

// Words for numbers; "?" for a number that has none.
const char *name_object_type(unsigned number);
const char *name_vport_type(unsigned number);
const char *name_vport_state(unsigned number);
const char *name_monitor_mode(unsigned number);
const char *name_vnic_kind(unsigned number);
const char *name_vnic_state(unsigned number);
const char *name_protocol_state(unsigned number);
const char *name_miniport_state(unsigned number);
const char *name_proc_stage(unsigned number);
const char *name_drop(unsigned number);
const char *name_drop_text(unsigned number);
const char *name_vhost_use(unsigned number);
const char *name_virtq_break(unsigned number);

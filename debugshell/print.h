/*
 * Output: the few forms that all commands share, as text or as JSON.
 *
 * Text. Lists: a blank line, a header, rows. Details: a title line, then sections with UPPER-CASE
 * titles, labels in a column 19 wide, "[None]" for what is empty. Text from the target is
 * foreign bytes: what a terminal would act on is shown as a dot.
 *
 * JSON (-j): one object per command, on one line, written as it goes, for a list may be long. What
 * is printed by the functions here is in it; commands print in no other way:
 *
 *    {"command": "vport vm3", "target": "process 4711",
 *     "rows": [{"type": "VPORT", "address": "00007f...", ...}, ...],       a table without section
 *     "objects": [{"type": "VPORT", "address": "00007f...", "torn": true,   each title begins one
 *                  "name": "vm3",                                           rows under it
 *                  "state": {"id": "0x0003", ...},                          a section with rows
 *                  "receive_queues": [{...}]}],                             a section with a table
 *     "notes": ["..."], "troubles": [{"what": "VPORT", "address": "...", "why": "..."}],
 *     "error": "..."}
 *
 * Keys are the labels as print_key() makes them: "SafePacketDataSize" is "safe_packet_data_size".
 * Addresses are strings of 16 hex digits; what is shown as "[None]", "[Never]" and the like is
 * null. Whether a value is a number or a string depends on the format and never on the value.
 * "rows" and "objects" are always there, if need be empty. Rows before the first title are members
 * of the outer object. A row behind a table in a section is a member of what holds the section. A
 * key that comes a second time in one object gets "_2" and so on.
 *
 * Threads: one; the state of the document is that of the process, as stdout is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "debugshell/target.h"
#include "debugshell/why.h"

// Text from the target, made safe to print; lives in the caller's expression.
struct text {
	char s[600];
};

struct text print_text(const char *from, size_t size);

// Appends as much as fits.
void print_append(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define TEXT(array) print_text((array), sizeof(array))

// The output of one command, between these two. 'error': its sentence, or NULL.
void print_begin(bool json, const char *command, const char *target);
void print_end(const char *error);

// Whether the command prints JSON, for what is not worth having there: a hint, a blank line.
bool print_is_json(void);

// While it is on, nothing is printed: commands run for what they read (dump.h).
void print_mute(bool on);

// The text of labels until print_end(), one %s: "    %s: "; NULL: a column 19 wide. JSON has the
// same keys.
void print_labels(const char *form);

// "VPORT 00007f..." after a blank line; 'torn': it changed while it was read.
void print_title(const char *title, tgt_addr addr, bool torn);

// The same with text of the target behind the address; "name" in JSON.
void print_title_name(const char *title, tgt_addr addr, struct text name);

// One in which nothing is printed but troubles and notes is null in JSON.
void print_section(const char *title);

// A section 'title' in JSON, which in the text is the line that 'fmt' gives, without blank lines.
void print_section_line(const char *title, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

// One %d, %u or %f and nothing else is a number in JSON, all else is a string. Beside a row for
// people, print_extra() has the number: "..._s" in seconds, "..._unix_s" since 1970.
void print_row(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A row with several values: an object in JSON. 'keys' are the names of the conversions in 'fmt',
 * divided by blanks: print_values("State", "number name", "%u (%s)", ...). Conversions that are
 * known: %d %u %x %c %s %f with their flags, widths and lengths l and ll. A number with %x is a
 * string, as it is shown; "-" as a key leaves that conversion out of JSON, and a row that has no
 * other is not there. "." makes its value that of the row, which is no object then.
 */
void print_values(const char *label, const char *keys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// A row with text from the target; "[None]" when it is empty.
void print_text_row(const char *label, struct text text);

// A row that is true or false in JSON, and Y or N in the text; 'more', or NULL, stands behind the
// Y.
void print_flag(const char *label, bool is, const char *more);

// A row without a value: 'word' says why ("[Off]", "[Not known]"), in JSON it is null.
void print_absent(const char *label, const char *word);

// A value beside what the text shows, in JSON only: in the row of a table that is begun, else as a
// row. As print_row().
void print_extra(const char *key, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void print_extra_flag(const char *key, bool is);

// Text that has no place in JSON: a hint, the head of a form of its own. No newline is added.
void print_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// "torn": true in JSON, where the text has its "~" in a print_plain() or a cell.
void print_torn(bool torn);

// A blank line in the text, where no title, section or list makes one.
void print_blank(void);

// A row with an address and the command that shows what is there; "[None]" for 0.
void print_link(const char *label, tgt_addr addr, const char *command);

// A row with a field's value, or the note that the target's build does not have the field.
#define PRINT_FIELD(map, field, label, ...)                                                        \
	PRINT_FIELD_BY(map, field, label, print_row((label), __VA_ARGS__))

// The same for print_values() and print_flag().
#define PRINT_FIELD_VALUES(map, field, label, keys, ...)                                           \
	PRINT_FIELD_BY(map, field, label, print_values((label), (keys), __VA_ARGS__))
#define PRINT_FIELD_FLAG(map, field, label, is)                                                    \
	PRINT_FIELD_BY(map, field, label, print_flag((label), (is), NULL))

#define PRINT_FIELD_BY(map, field, label, call)                                                    \
	do {                                                                                       \
		if (type_has((map), (field)))                                                      \
			call;                                                                      \
		else                                                                               \
			print_absent((label), "[Missing in this vswd]");                           \
	} while (0)

/*
 * Tables. print_table() prints the header behind 'indent'; then each row is its cells in order and
 * print_row_end(). The columns belong to the caller and stay until print_end(). A table ends
 * with the next row, title, section or table; troubles and notes stand between its rows.
 *
 * 'indent' "" makes a list, with a blank line before the header; NULL is no indent and no blank
 * line. print_none() is a table's "[None]" when it has no rows; where there is no table it stands
 * for one, behind a title or section indented by 4, else as a list.
 */
struct print_column {
	const char *head;
	int width;        // of the header; 0: the last
	const char *key;  // in JSON; NULL: as print_key() makes it of the header
	const char *cell; // the text of a cell, one %s: "(%s) "; NULL: as wide as 'width'
};

void print_table(const char *indent, const struct print_column columns[], unsigned n);

// All columns of an array.
#define PRINT_TABLE(indent, columns)                                                               \
	print_table((indent), (columns), sizeof(columns) / sizeof((columns)[0]))

void print_cell(const char *word);        // of ours; "[None]" is null
void print_cell_text(struct text text);   // of the target; "" is null, and shown as [None]
void print_cell_addr(tgt_addr addr);      // 0 is null, and shown as [None]
void print_cell_absent(const char *word); // as print_absent()
void print_cell_flag(bool is);            // as print_flag()
void print_cell_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2))); // as print_row()
void print_row_end(bool torn); // " ~" behind the row
void print_none(void);

// Several words: an array in JSON; as text in one row, wrapped at 80 columns under the label's.
void print_words(const char *label, const char *const words[], unsigned n);

// A sentence on a line of its own, indented as given; "notes" in JSON.
void print_note(const char *indent, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// "TITLE address *** why ***" in the place of a row; "troubles" in JSON.
void print_trouble(const char *indent, const char *title, tgt_addr addr, const struct why *why);

/*
 * For the forms that one command alone has (dt, lmi): their text is print_plain(), and their JSON
 * print_extra() and these. print_open() begins an object in the array 'key', into which goes what
 * is printed then, until print_close(). Objects of one key in a row are one array. They may stand
 * in each other, PRINT_DEPTH_MAX deep. JSON only.
 */
enum { PRINT_DEPTH_MAX = 20 };

void print_open(const char *key);
void print_close(void);

// The key of a label: "Stations at most" -> "stations_at_most", "vSwitch" -> "vswitch".
struct text print_key(const char *label);

struct text print_mac(const uint8_t mac[6]);
struct text print_duration(double seconds);
struct text print_wall_clock(int64_t seconds);

#include "debugshell/top_column.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH_MAX = 120 }; // of one column; with four bytes for each character it fits in a text

static unsigned enough_for(const struct top_column *column, const struct top_table *table,
			   unsigned number);
static bool begins_character(char byte);
static unsigned count_characters(const char *text);

static const struct top_column port_columns[] = {
	[TOP_PORT_NAME] = {"Name", "name", TOP_WORD, 12, 32, true},
	[TOP_PORT_TYPE] = {"Type", "type", TOP_WORD, 5, 9, true},
	[TOP_PORT_NIC] = {"NIC", "nic_state", TOP_WORD, 5, 12, true},
	[TOP_PORT_RX_FRAMES] = {"Rx/s", "rx_frames_per_s", TOP_RATE, 6, 10, false},
	[TOP_PORT_TX_FRAMES] = {"Tx/s", "tx_frames_per_s", TOP_RATE, 6, 10, false},
	[TOP_PORT_RX_MBIT] = {"RxMb/s", "rx_mbit_per_s", TOP_SHARE, 6, 9, false},
	[TOP_PORT_TX_MBIT] = {"TxMb/s", "tx_mbit_per_s", TOP_SHARE, 6, 9, false},
	[TOP_PORT_DROPS_IN] = {"DropIn", "drops_in_per_s", TOP_RATE, 6, 10, false},
	[TOP_PORT_DROPS_OUT] = {"DrpOut", "drops_out_per_s", TOP_RATE, 6, 10, false},
	[TOP_PORT_REASON] = {"Reason", "chief_reason", TOP_WORD, 13, 32, true},
};

static const struct top_column proc_columns[] = {
	[TOP_PROC_NUMBER] = {"Proc", "number", TOP_COUNT, 4, 4, true},
	[TOP_PROC_CORE] = {"Core", "core", TOP_COUNT, 4, 4, true},
	[TOP_PROC_STAGE] = {"Stage", "stage", TOP_WORD, 12, 12, true},
	[TOP_PROC_BUSY] = {"Busy %", "busy_percent", TOP_SHARE, 6, 6, false},
	[TOP_PROC_FRAMES] = {"Frames/s", "frames_per_s", TOP_RATE, 8, 10, false},
	[TOP_PROC_BURSTS] = {"Bursts/s", "bursts_per_s", TOP_RATE, 8, 10, false},
	[TOP_PROC_PER_BURST] = {"Fr/burst", "frames_per_burst", TOP_SHARE, 8, 8, false},
	[TOP_PROC_LOOPS] = {"Loops/s", "loops_per_s", TOP_RATE, 7, 10, false},
	[TOP_PROC_SLEEPS] = {"Sleeps/s", "sleeps_per_s", TOP_RATE, 8, 8, false},
	[TOP_PROC_QUEUES] = {"Queues", "receive_queues", TOP_COUNT, 6, 6, false},
};

static const struct top_column queue_columns[] = {
	[TOP_QUEUE_NAME] = {"Name", "name", TOP_WORD, 12, 32, true},
	[TOP_QUEUE_DIRECTION] = {"Dir", "direction", TOP_WORD, 3, 3, true},
	[TOP_QUEUE_INDEX] = {"Queue", "queue", TOP_COUNT, 5, 5, true},
	[TOP_QUEUE_PROC] = {"Proc", "proc", TOP_COUNT, 4, 4, true},
	[TOP_QUEUE_BURSTS] = {"Bursts/s", "bursts_per_s", TOP_RATE, 8, 10, false},
	[TOP_QUEUE_CHAINS] = {"Chains/s", "chains_per_s", TOP_RATE, 8, 10, false},
	[TOP_QUEUE_INTERRUPTS] = {"Interrupts/s", "interrupts_per_s", TOP_RATE, 12, 12, false},
	[TOP_QUEUE_KICKS] = {"Kicks asked/s", "kicks_asked_per_s", TOP_RATE, 13, 13, false},
};

static const struct top_column drop_columns[] = {
	[TOP_DROP_DIRECTION] = {"Direction", "direction", TOP_WORD, 9, 9, true},
	[TOP_DROP_FRAMES] = {"Frames/s", "frames_per_s", TOP_RATE, 8, 10, false},
	[TOP_DROP_REASON] = {"Reason", "reason", TOP_WORD, 16, 28, true},
	[TOP_DROP_MEANING] = {"Meaning", "meaning", TOP_WORD, 10, 80, true},
};

const struct top_columns *top_columns(enum top_table_id id)
{
	static const struct top_columns all[TOP_TABLES] = {
		[TOP_PORTS] = {"PORTS", TOP_PORT_COLUMNS, TOP_PORT_RX_FRAMES, port_columns},
		[TOP_PROCS] = {"PROCS", TOP_PROC_COLUMNS, TOP_PROC_NUMBER, proc_columns},
		[TOP_QUEUES] = {"QUEUES", TOP_QUEUE_COLUMNS, TOP_QUEUE_BURSTS, queue_columns},
		[TOP_DROPS] = {"DROPS", TOP_DROP_COLUMNS, TOP_DROP_FRAMES, drop_columns},
	};

	return &all[id];
}

void top_widths(const struct top_columns *columns, const struct top_table *table, unsigned room,
		unsigned widths[TOP_COLUMNS_MAX])
{
	unsigned last = columns->n - 1;

	for (unsigned i = 0; i <= last; i++) {
		widths[i] = columns->columns[i].narrow;
		if (widths[i] > room)
			widths[i] = room;
		room -= widths[i];
		if (i < last && room > 0)
			room--;
	}
	for (unsigned i = 0; i <= last; i++) {
		unsigned enough = enough_for(&columns->columns[i], table, i);
		unsigned more = enough > widths[i] ? enough - widths[i] : 0;

		if (more > room || (i == last && columns->columns[i].kind == TOP_WORD))
			more = room;
		widths[i] += more;
		room -= more;
	}
	if (widths[last] > WIDTH_MAX)
		widths[last] = WIDTH_MAX;
}

struct text top_number(enum top_kind kind, double number, unsigned width)
{
	static const char units[] = " kMGTPE";
	struct text text = {.s = ""};
	int digits = kind == TOP_SHARE || (kind == TOP_RATE && number > 0 && number < 9.95);

	print_append(&text, "%.*f", digits, number);
	if (strlen(text.s) > width && kind == TOP_SHARE)
		snprintf(text.s, sizeof(text.s), "%.0f", number);
	for (unsigned i = 1; strlen(text.s) > width && kind != TOP_COUNT && units[i] != '\0'; i++) {
		number /= 1000;
		snprintf(text.s, sizeof(text.s), "%.1f%c", number, units[i]);
		if (strlen(text.s) > width)
			snprintf(text.s, sizeof(text.s), "%.0f%c", number, units[i]);
	}
	return text;
}

struct text top_cell(const struct top_column *column, const struct top_value *value, unsigned width)
{
	bool to_the_right = column->kind != TOP_WORD;

	if (value->word != NULL)
		return top_fit(value->word, width, false);
	if (isnan(value->number))
		return top_fit("-", width, to_the_right);
	return top_fit(top_number(column->kind, value->number, width).s, width, to_the_right);
}

struct text top_head(const struct top_column *column, unsigned width)
{
	return top_fit(column->head, width, column->kind != TOP_WORD);
}

struct text top_fit(const char *from, unsigned width, bool to_the_right)
{
	struct text text = {.s = ""};
	unsigned n = count_characters(from);
	size_t size = 0;

	if (width > WIDTH_MAX)
		width = WIDTH_MAX;
	if (to_the_right && n < width)
		print_append(&text, "%*s", (int)(width - n), "");
	for (unsigned left = width; from[size] != '\0'; size++)
		if (begins_character(from[size]) && left-- == 0)
			break;
	print_append(&text, "%.*s", (int)size, from);
	if (!to_the_right && n < width)
		print_append(&text, "%*s", (int)(width - n), "");
	return text;
}

static unsigned enough_for(const struct top_column *column, const struct top_table *table,
			   unsigned number)
{
	unsigned longest = 0;

	if (column->kind != TOP_WORD)
		return column->wide;
	for (uint32_t i = 0; i < table->n; i++) {
		const char *word = table->rows[i].v[number].word;
		unsigned n = word != NULL ? count_characters(word) : 0;

		if (n > longest)
			longest = n;
	}
	return longest < column->wide ? longest : column->wide;
}

static bool begins_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

static unsigned count_characters(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += begins_character(*text);
	return n;
}

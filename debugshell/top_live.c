#include "debugshell/top_live.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugshell/clock.h"
#include "debugshell/print.h"
#include "debugshell/top_column.h"
#include "debugshell/top_rate.h"
#include "debugshell/top_sample.h"
#include "debugshell/top_screen.h"

#define REFRESH_MIN_S 0.05 // less says nothing

// What is looked at of one table.
struct view {
	unsigned column; // that it is sorted by
	bool ascending;
	uint32_t first; // row at the top
};

struct live {
	struct shell *sh;
	struct top_screen *screen;
	double delay_s;
	double next_s; // monotonic clock: when the next sample is due
	bool is_help;
	enum top_table_id shown;
	struct view views[TOP_TABLES];
	struct top_sample *now;
	struct top_rates *rates;
	unsigned room; // rows of the table that the window has
};

static int live_loop(struct live *live, struct why *why);
static int take_sample(struct live *live, struct why *why);
static bool do_key(struct live *live, int key);
static bool do_table_key(struct live *live, int key);
static void sort_next(struct live *live, int step);
static void set_delay(struct live *live, double delay_s);
static void scroll(struct live *live, int64_t rows);
static int draw(struct live *live);
static void draw_head(struct live *live);
static void draw_busy(struct live *live);
static void draw_drops(struct live *live);
static void draw_tabs(struct live *live);
static void draw_table(struct live *live);
static void draw_table_head(struct live *live, const struct top_columns *columns,
			    const unsigned widths[]);
static void draw_row(struct live *live, const struct top_row *row,
		     const struct top_columns *columns, const unsigned widths[]);
static void draw_foot(struct live *live);
static void draw_help(struct live *live);
static void line(struct live *live, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int top_live(struct shell *sh, double delay_s, struct why *why)
{
	struct live live = {.sh = sh, .delay_s = delay_s};
	int err;

	for (unsigned i = 0; i < TOP_TABLES; i++) {
		const struct top_columns *columns = top_columns(i);

		live.views[i].column = columns->sorted;
		live.views[i].ascending = columns->columns[columns->sorted].ascending;
	}
	// The first sample before the screen, for what it may have to say.
	err = take_sample(&live, why);
	if (err == 0)
		err = top_screen_open(&live.screen, why);
	if (err == 0)
		err = live_loop(&live, why);
	if (live.now != NULL)
		sh->troubles += live.now->n_damaged;
	top_rates_free(live.rates);
	top_sample_free(live.now);
	top_screen_close(live.screen);
	return err;
}

static int live_loop(struct live *live, struct why *why)
{
	for (;;) {
		double left = live->next_s - clock_monotonic_s();
		int err = draw(live);
		int key;

		if (err != 0)
			return why_set(why, err, "the screen cannot be drawn: %s", strerror(-err));
		key = top_screen_key(live->screen, left > 0 ? left : 0);
		if (key == TOP_KEY_END || key == 'q')
			return 0;
		if (key != TOP_KEY_NONE && !do_key(live, key))
			continue;
		err = take_sample(live, why);
		if (err != 0)
			return err;
	}
}

// The rates since the last one. What stood still in between has none.
static int take_sample(struct live *live, struct why *why)
{
	struct top_rates *rates;
	struct top_sample *s;
	int err = top_sample_read(live->sh, &s, why);

	if (err != 0)
		return err;
	if (top_rate(live->now, s, &rates) != 0) {
		top_sample_free(s);
		return why_set(why, -ENOMEM, "out of memory");
	}
	top_sample_free(live->now);
	top_rates_free(live->rates);
	live->now = s;
	live->rates = rates;
	live->next_s = clock_monotonic_s() + live->delay_s;
	return 0;
}

// Whether a new sample is wanted.
static bool do_key(struct live *live, int key)
{
	if (live->is_help) {
		live->is_help = key == TOP_KEY_REDRAW;
		return false;
	}
	switch (key) {
	case ' ':
		return live->delay_s - (live->next_s - clock_monotonic_s()) >= REFRESH_MIN_S;
	case '+':
		set_delay(live, live->delay_s * 2);
		return false;
	case '-':
		set_delay(live, live->delay_s / 2);
		return false;
	case 'h':
	case '?':
		live->is_help = true;
		return false;
	default:
		return do_table_key(live, key);
	}
}

static bool do_table_key(struct live *live, int key)
{
	static const char letters[TOP_TABLES + 1] = {
		[TOP_PORTS] = 'v', [TOP_PROCS] = 'p', [TOP_QUEUES] = 'Q', [TOP_DROPS] = 'd'};
	struct view *view = &live->views[live->shown];
	const char *letter = key < 256 && key != 0 ? strchr(letters, key) : NULL;

	if (letter != NULL)
		live->shown = (enum top_table_id)(letter - letters);
	else if (key >= '1' && key < '1' + TOP_TABLES)
		live->shown = (enum top_table_id)(key - '1');
	else if (key == '\t')
		live->shown = (live->shown + 1) % TOP_TABLES;
	else if (key == '>' || key == 's' || key == TOP_KEY_RIGHT)
		sort_next(live, 1);
	else if (key == '<' || key == TOP_KEY_LEFT)
		sort_next(live, -1);
	else if (key == 'r')
		view->ascending = !view->ascending;
	else if (key == TOP_KEY_UP || key == TOP_KEY_DOWN)
		scroll(live, key == TOP_KEY_UP ? -1 : 1);
	else if (key == TOP_KEY_PAGE_UP || key == TOP_KEY_PAGE_DOWN)
		scroll(live, key == TOP_KEY_PAGE_UP ? -(int64_t)live->room : live->room);
	else if (key == TOP_KEY_FIRST || key == TOP_KEY_LAST)
		scroll(live, key == TOP_KEY_FIRST ? -INT32_MAX : INT32_MAX);
	return false;
}

static void sort_next(struct live *live, int step)
{
	const struct top_columns *columns = top_columns(live->shown);
	struct view *view = &live->views[live->shown];

	view->column = (view->column + columns->n + (unsigned)step) % columns->n;
	view->ascending = columns->columns[view->column].ascending;
	view->first = 0;
}

static void set_delay(struct live *live, double delay_s)
{
	if (delay_s < TOP_DELAY_MIN_S)
		delay_s = TOP_DELAY_MIN_S;
	if (delay_s > TOP_DELAY_MAX_S)
		delay_s = TOP_DELAY_MAX_S;
	live->next_s += delay_s - live->delay_s;
	live->delay_s = delay_s;
}

// draw_table() holds it within the table, whose size changes.
static void scroll(struct live *live, int64_t rows)
{
	struct view *view = &live->views[live->shown];
	int64_t first = view->first + rows;

	view->first = first < 0 ? 0 : first > UINT32_MAX ? UINT32_MAX : (uint32_t)first;
}

static int draw(struct live *live)
{
	top_screen_begin(live->screen);
	if (live->is_help) {
		draw_help(live);
	} else {
		draw_head(live);
		draw_tabs(live);
		draw_table(live);
		draw_foot(live);
	}
	return top_screen_end(live->screen);
}

static void draw_head(struct live *live)
{
	const struct vsw_root *root = live->sh->root;
	const struct top_totals *t = &live->rates->totals;
	double counted_s = live->rates->seconds;
	time_t now = time(NULL);
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	line(live, "top  %s  vswd %s, %s, up %s; every %.4g s, counted for %s", clock,
	     TEXT(root->version).s, live->sh->target->name,
	     print_duration(clock_seconds_ago(live->sh, root->start_tsc)).s, live->delay_s,
	     counted_s > 0 ? print_duration(counted_s).s : "-");
	if (!live->now->runs)
		line(live, "stopped: by a signal or a debugger; what stands still has no rates");
	else if (counted_s == 0)
		line(live, "there are no rates before the second sample");
	else
		line(live, "In %s frames/s, %.1f Mbit/s   Out %s frames/s, %.1f Mbit/s",
		     top_number(TOP_RATE, t->rx_frames, 12).s, t->rx_mbit,
		     top_number(TOP_RATE, t->tx_frames, 12).s, t->tx_mbit);
	draw_busy(live);
	draw_drops(live);
	if (live->now->n_damaged > 0)
		line(live, "%u damaged; the first: %.300s", live->now->n_damaged,
		     live->now->why.text);
}

static void draw_busy(struct live *live)
{
	const struct top_table *procs = &live->rates->tables[TOP_PROCS];
	struct text text = {.s = "Busy "};

	top_sort(&live->rates->tables[TOP_PROCS], TOP_PROC_NUMBER, true);
	for (uint32_t i = 0; i < procs->n; i++) {
		const struct top_value *v = procs->rows[i].v;

		if (isnan(v[TOP_PROC_BUSY].number))
			print_append(&text, "  proc%.0f -", v[TOP_PROC_NUMBER].number);
		else
			print_append(&text, "  proc%.0f %.1f %%", v[TOP_PROC_NUMBER].number,
				     v[TOP_PROC_BUSY].number);
	}
	line(live, "%s", text.s);
}

// The chief reasons, as many as fit.
static void draw_drops(struct live *live)
{
	struct top_table *drops = &live->rates->tables[TOP_DROPS];
	struct text text = {.s = ""};

	if (live->rates->seconds == 0) {
		line(live, "Drops -");
		return;
	}
	top_sort(drops, TOP_DROP_FRAMES, false);
	for (uint32_t i = 0; i < drops->n; i++)
		print_append(&text, "%s %s %s %s", i == 0 ? ":" : ",",
			     drops->rows[i].v[TOP_DROP_DIRECTION].word,
			     drops->rows[i].v[TOP_DROP_REASON].word,
			     top_number(TOP_RATE, drops->rows[i].v[TOP_DROP_FRAMES].number, 12).s);
	line(live, "Drops %s/s%s", top_number(TOP_RATE, live->rates->totals.drops, 12).s, text.s);
}

static void draw_tabs(struct live *live)
{
	top_screen_line_end(live->screen);
	for (unsigned i = 0; i < TOP_TABLES; i++) {
		struct text text = {.s = ""};

		print_append(&text, " %u %s (%u) ", i + 1, top_columns(i)->title,
			     live->rates->tables[i].n);
		top_screen_put(live->screen, i == live->shown ? TOP_BOLD : TOP_PLAIN, text.s);
	}
	top_screen_line_end(live->screen);
}

static void draw_table(struct live *live)
{
	const struct top_columns *columns = top_columns(live->shown);
	struct top_table *table = &live->rates->tables[live->shown];
	struct view *view = &live->views[live->shown];
	unsigned rows = top_screen_rows(live->screen);
	unsigned above = 7 + (live->now->n_damaged > 0); // lines, and the last one of the window
	unsigned widths[TOP_COLUMNS_MAX];

	live->room = rows > above + 1 ? rows - above - 1 : 1;
	if (view->first + live->room > table->n)
		view->first = table->n > live->room ? table->n - live->room : 0;
	top_widths(columns, table, top_screen_columns(live->screen), widths);
	top_sort(table, view->column, view->ascending);
	draw_table_head(live, columns, widths);
	for (uint32_t i = 0; i < live->room; i++) {
		if (view->first + i < table->n)
			draw_row(live, &table->rows[view->first + i], columns, widths);
		top_screen_line_end(live->screen);
	}
}

// The column that it is sorted by stands out.
static void draw_table_head(struct live *live, const struct top_columns *columns,
			    const unsigned widths[])
{
	for (unsigned c = 0; c < columns->n; c++) {
		if (c > 0)
			top_screen_put(live->screen, TOP_PLAIN, " ");
		top_screen_put(live->screen,
			       c == live->views[live->shown].column ? TOP_REVERSE : TOP_BOLD,
			       top_head(&columns->columns[c], widths[c]).s);
	}
	top_screen_line_end(live->screen);
}

static void draw_row(struct live *live, const struct top_row *row,
		     const struct top_columns *columns, const unsigned widths[])
{
	for (unsigned c = 0; c < columns->n; c++) {
		if (c > 0)
			top_screen_put(live->screen, TOP_PLAIN, " ");
		top_screen_put(live->screen, TOP_PLAIN,
			       top_cell(&columns->columns[c], &row->v[c], widths[c]).s);
	}
}

static void draw_foot(struct live *live)
{
	const struct view *view = &live->views[live->shown];
	const struct top_column *column = &top_columns(live->shown)->columns[view->column];

	line(live, "by %s, %s first;  q quit  h help  tab table  < > column  r reverse",
	     column->head, view->ascending ? "lowest" : "highest");
}

static void draw_help(struct live *live)
{
	static const char *const lines[] = {
		"Rates are per second, between the last two samples.",
		"rx is from a NIC into the switch, tx from the switch to a NIC.",
		"Mbit/s are of the bytes that are counted: without FCS, preamble and gap.",
		"- is for what came since the last sample, and for what is not counted.",
		"",
		"  q           quit; also Ctrl-C",
		"  v p Q d     ports, procs, queues, drops; also 1 to 4, and tab for the next",
		"  < >         sort by another column; also arrow keys, and s for the next",
		"  r           reverse the order",
		"  space       take a sample now",
		"  + -         wait twice or half as long between samples",
		"  arrows      scroll; also page up and down, home and end",
		"  h ?         this help",
		"",
		"Any other key goes back.",
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		line(live, "%s", lines[i]);
}

static void line(struct live *live, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	top_screen_put(live->screen, TOP_PLAIN, text);
	top_screen_line_end(live->screen);
}

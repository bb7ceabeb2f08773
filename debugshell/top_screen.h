/*
 * The terminal while top has it: raw keys, the size of the window, and a screen that is drawn as a
 * whole. Escape codes of ECMA-48 that every terminal of today knows, and no library.
 *
 * The terminal must be as it was before, however top ends. So the signals that end, stop or resize
 * are blocked and read between two drawings; whoever gets one puts the terminal back first. What
 * is said on stderr in the meantime would tear the screen, and is thrown away if that is a
 * terminal.
 *
 * Threads: one; the terminal is that of the process.
 */
#pragma once

#include <stdbool.h>

#include "debugshell/why.h"

struct top_screen;

// What is no character.
enum top_key {
	TOP_KEY_NONE = 256, // the time is over
	TOP_KEY_REDRAW,     // the window has another size, or is ours again
	TOP_KEY_END,        // a signal, or there is no terminal any more
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_FIRST,
	TOP_KEY_LAST
};

enum top_style { TOP_PLAIN, TOP_BOLD, TOP_REVERSE };

// Whether stdin and stdout are a terminal that such a screen can be shown on.
bool top_screen_possible(void);

// Takes the terminal until top_screen_close(). Negative errno and 'why'.
int top_screen_open(struct top_screen **ret, struct why *why);

/**
 * Gives the terminal back as it was, then lets a signal that ended the screen do what it does,
 * which may be the end of the process.
 */
void top_screen_close(struct top_screen *screen);

unsigned top_screen_rows(const struct top_screen *screen);
unsigned top_screen_columns(const struct top_screen *screen);

/**
 * One drawing: between begin and end, pieces of lines from the top, each cut where the window ends.
 * -ENOMEM; -EIO: there is no terminal any more.
 */
void top_screen_begin(struct top_screen *screen);
void top_screen_put(struct top_screen *screen, enum top_style style, const char *text);
void top_screen_line_end(struct top_screen *screen);
int top_screen_end(struct top_screen *screen);

// The next key, a character or enum top_key; waits so long for one.
int top_screen_key(struct top_screen *screen, double seconds);

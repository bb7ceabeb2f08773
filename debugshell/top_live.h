/*
 * top on a terminal: a table that is drawn anew for each sample and each key.
 */
#pragma once

#include "debugshell/shell.h"

#define TOP_DELAY_MIN_S 0.1
#define TOP_DELAY_MAX_S 3600.0

// With so many seconds between samples, until q. -ESRCH: the target has ended; 'why'.
int top_live(struct shell *sh, double delay_s, struct why *why);

/*
 * vswbench's command line: one table of options (options.c) from which parsing and help come, how
 * values are read (options_value.c), and whether they make sense together (options_check.c).
 *
 * Whatever is wrong is refused before anything is measured, with a sentence that names the option
 * and says what would be right. An option that the test would ignore is wrong, too.
 *
 * Threads: main thread, at start.
 */
#pragma once

#include "bench/bench.h"
#include "ports/errtext.h"

/**
 * 0: '*ret' is filled in; it borrows from argv. 1: help or version was printed. -EINVAL: 'e' says
 * what is wrong.
 */
int options_parse(int argc, char **argv, struct bench_options *ret, struct errtext *e);

/** The test of that name; NULL: there is none. */
const struct bench_test *options_test(const char *name);

/** Whether the test takes the option "seconds"; an option of no such name is for none. */
bool options_is_for(const char *name, const struct bench_test *test);

/** What the option is called that chooses this kind of guest. */
const char *options_kind_name(enum gen_kind kind);

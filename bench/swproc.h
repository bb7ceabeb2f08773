/*
 * The switch as a process, from outside: how much CPU time it used, for how long it was kept
 * from running, how much memory it has.
 *
 * All from the kernel; nothing is asked of the switch. A kernel switch has no process: pid 0, and
 * all figures are then unknown (negative).
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "tests/guest/cpuwait.h"

#define SWPROC_MAX_THREADS 64u // OVS has dozens

struct swproc_sample {
	double now_s;     // monotonic
	double cpu_s;     // user + system, all threads, also those that have ended
	double busiest_s; // of the thread that used most since its start: the polling one, mostly
	double waited_s;  // threads were ready and got no processor
	double rss_mb;
	double hugepages_mb;

	unsigned n_threads; // 0: unknown
	struct cpuwait_thread threads[SWPROC_MAX_THREADS];
};

/** 0; -ESRCH: it is gone (a zombie is). *ret is filled in either case, with what is known. */
int swproc_sample(pid_t pid, struct swproc_sample *ret);

/**
 * CPU time of the thread that used most between the two samples: the polling one, even when
 * another one used more before (starting up). Negative: unknown.
 */
double swproc_busiest_s(const struct swproc_sample *from, const struct swproc_sample *to);

/**
 * How long, between the two samples, the polling thread was ready and got no processor. It is the
 * one that ran and waited the most, for it is always ready. Negative: unknown.
 */
double swproc_polling_waited_s(const struct swproc_sample *from, const struct swproc_sample *to);

/** Its command name ("vswd"), "?" when it is gone. */
void swproc_name(pid_t pid, char *name, unsigned size);

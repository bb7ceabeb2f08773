/*
 * The log: a bounded ring that any thread may write to and the main thread drains.
 *
 * A slow terminal or a full journal must never stop a thread that holds a lock of the vhost
 * library, or a proc. So log_write() formats into a slot of a fixed ring and returns; the
 * main thread writes the slots to stderr, without blocking: what stderr does not take now
 * waits in the ring, and what finds no slot is counted, and the count is logged as soon as
 * there is room. DPDK's own log (rte_openlog_stream) comes through it at debug level.
 *
 * Lines carry "<N>" prefixes when stderr is the journal (JOURNAL_STREAM is set), else a time
 * and a level word.
 *
 * Threads: log_write() any thread but a proc (procs report through counters and events).
 * The rest: main thread.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum {
	LOG_LINE_SIZE = 512, // bytes of one line; longer ones are cut and end in "..."
	LOG_RING_LINES = 1024
};

/**
 * Starts the log; lines below 'level' are not kept. Before this, lines go to stderr at once.
 */
int log_init(enum log_level level);

// Writes out what is there, without waiting longer than a second for stderr, and stops.
void log_fini(void);

/**
 * Writes as many waiting lines to stderr as it takes without blocking. Main thread.
 * Returns true when lines are still waiting.
 */
bool log_drain(void);

/**
 * An eventfd that becomes readable when lines wait; the main loop watches it.
 */
int log_fd(void);

/**
 * Sends DPDK's log through this one (rte_openlog_stream), at debug level, errors of EAL's own
 * start-up included. Call before rte_eal_init().
 */
int log_capture_dpdk(void);

/**
 * The last line that DPDK logged as an error, to be told when its start-up fails; "" = none.
 */
const char *log_dpdk_error(void);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

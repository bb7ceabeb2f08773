/*
 * Now: the moment that ages and times are counted to.
 *
 * Of a process that runs it is this moment, by the cycle counter that all cores share. A process
 * that is stopped, or the core of one, shows what was true when it stopped: that is the latest
 * reading of the counter that is found in it, the main thread's, which takes one a second,
 * or a proc's.
 */
#pragma once

#include "debugshell/shell.h"

// Finds out what sh->stopped_tsc has to be; when a command begins, with sh->runs set and the root
// read.
void clock_start(struct shell *sh);

// In cycles. 0: not known.
uint64_t clock_now(const struct shell *sh);

// From a reading of the counter until now; 0 when it is not known, or yet to come.
double clock_seconds_ago(const struct shell *sh, uint64_t tsc);

// Seconds since 'seen_s' of the procs' clock, which counts from vswd's start; 0 when it is not
// known, or yet to come.
uint32_t clock_silence_s(const struct shell *sh, uint32_t seen_s);

// Seconds of this machine's own monotonic clock, for what takes time here.
double clock_monotonic_s(void);

// Row "As of" with the moment as wall clock.
void clock_print(const struct shell *sh);

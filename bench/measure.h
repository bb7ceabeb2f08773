/*
 * What several tests of vswbench measure in the same way.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/bench.h"
#include "bench/hist.h"

#define MEASURE_TRIAL_S 1.0 // of a search on the way to something else

/**
 * The rate (frames per second) of a test that runs at one rate: --rate if it was given, else
 * 'part' of the zero-loss rate, which is searched for with trials of 'trial_s' seconds and
 * reported. 0 in *pps_ret, and a bad verdict: nothing goes through without loss. Errors are those
 * of bench_zero_loss().
 */
int measure_rate(struct bench *b, double part, double trial_s, double *pps_ret);

/** Of a histogram of nanoseconds, in microseconds; NAN when it is empty. */
double measure_us(const struct hist *h, double part);
double measure_mean_us(const struct hist *h);

/**
 * Frames per second that the last run really offered: fewer than it was to, when this host stood
 * still meanwhile. NAN: it had no rate.
 */
double measure_offered_pps(const struct bench *b);
/** Whether that was much less than 'pps', so that the run says nothing about that rate. */
bool measure_fell_behind(const struct bench *b, double pps);

/** part / whole in percent; NAN when there is no whole. */
double measure_percent(double part, double whole);

/** Waits, but not for the whole time when Ctrl-C comes. -ECANCELED: it came. */
int measure_pause(double seconds);

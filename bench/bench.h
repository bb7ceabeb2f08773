/*
 * vswbench: one test of one switch.
 *
 * main (vswbench.c) parses the options, measures the generator's ceiling against the null back
 * end, connects, greets, learns, and runs the test from the table in tests.c. A test is a function
 * that loads the generator with gen_run() and reports; it returns 0 (also when a verdict was bad),
 * or a negative errno that main turns into a sentence.
 *
 * Exit codes: 0 measured and no verdict was bad; 1 the switch failed the test, sent wrong frames
 * or hung up; 2 wrong usage or no memory; 3 no switch, or one that refuses; 130 Ctrl-C (what
 * there is so far is printed).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/gen.h"
#include "bench/report.h"
#include "bench/swproc.h"

enum bench_pattern {
	BENCH_PAIRS,   // 0<->1, 2<->3, ...
	BENCH_ONE_WAY, // 0->1, 2->3, ...
	BENCH_MESH,    // each to each (RFC 2889 5.1)
};

#define BENCH_MAX_LOADS   16u
#define BENCH_MAX_REPEATS 1000u

struct bench_options {
	const char *test;
	unsigned n_guests;
	const char *sockets[GEN_MAX_GUESTS];
	bool server[GEN_MAX_GUESTS];
	enum bench_pattern pattern;
	enum gen_kind kind;
	bool kind_set;               // by the user; else the test's own default
	unsigned size;               // GEN_IMIX: imix
	uint32_t src_macs, dst_macs; // per guest
	uint16_t vlan;               // 0: none
	uint8_t pcp;
	unsigned ring_size;
	unsigned chain;
	uint32_t rx_buffer;
	bool packed, indirect, huge;
	double seconds; // of one trial
	double warm_up_s;
	double timeout_s; // to connect
	double pps;       // --rate; 0: the test's own
	unsigned n_loads; // --load: percent of the zero-loss rate, for latency and overload
	double loads[BENCH_MAX_LOADS];
	double resolution;      // --resolution, part of the rate at which a search ends
	unsigned repeats;       // --repeats, trials before a load has failed
	double loss_allowed;    // --loss, part of the frames (0: none)
	uint32_t stations;      // --stations: upper end for the fdb tests; 0: their own
	double interval_s;      // soak
	const char *command;    // blackout: run in the middle, by sh
	double learn_pps;       // 0: no limit
	double age_s;           // fdb tests: waited between trials
	int core;               // of the generator
	int null_core;          // of the null back end; -1: no ceiling
	const char *no_ceiling; // why; NULL: there is one
	pid_t watch;            // 0: found by the socket
	bool json;
	bool null_only; // --null: no switch at all, the ceiling is the result
};

struct bench {
	const struct bench_options *o;
	struct gen *gen;
	struct report *r;
	pid_t pid;          // of the switch; 0: unknown
	double ceiling_pps; // NAN: not measured
	struct gen_result res;
	const struct bench_test *test;
	unsigned told; // faults that were reported already
};

// What a test asks of its surroundings.
#define BENCH_NEEDS_SWITCH  1u // --null is no use
#define BENCH_NEEDS_COMMAND 2u
#define BENCH_FLOODS        4u // frames for others are part of the test, not a fault
#define BENCH_RECONNECTS    8u // a switch that hangs up may come back, and frames come twice

struct bench_test {
	const char *name;
	const char *meaning; // one line
	const char *source;  // "RFC 2544 26.1"
	unsigned min_guests;
	enum gen_kind kind; // unless the user asks for another one; also the least that it needs
	unsigned needs;     // BENCH_*
	double seconds;     // of one trial, unless the user says so
	// Fills in streams (and what else the test wants) before gen_create(). NULL: by pattern.
	void (*plan)(const struct bench_options *o, struct gen_conf *conf);
	int (*run)(struct bench *b);
};

extern const struct bench_test bench_tests[]; // ends with name NULL

/** Set by SIGINT and SIGTERM; tests' ticks look at it (bench_tick does nothing else). */
extern _Atomic bool bench_interrupted;
bool bench_tick(void *arg, double elapsed_s);

/** A load with the options' seconds, warm-up and bench_tick. */
struct gen_load bench_load(const struct bench *b);

/** gen_run() with accounting of wrong frames: bad verdicts for bad, late, disorder and foreign
 * frames, and for more than were to come, are reported once per test. */
int bench_run(struct bench *b, const struct gen_load *load);

/** Received frames per second of the last run; lost part of it (refused and lost of due). */
double bench_rx_pps(const struct bench *b);
double bench_loss(const struct bench *b);

/** report_result() whose title goes on with "without loss", or with as much as --loss allows. */
void bench_clean_result(struct bench *b, const char *key, const char *title, double value,
			const char *unit, int decimals);

/** Whether the last run offered 'pps' (0: full load) and lost no more than is allowed. */
bool bench_passed(const struct bench *b, double pps);

/**
 * Highest rate (pps) without loss: full load first, then search downwards (--rate is the upper end
 * instead, if given). The rate is what was really offered in the trial that passed. Reports a row
 * per trial when 'rows' is set. *max_ret is the most that came through, at full load as a rule.
 * Both are filled in any case, with what is known so far.
 */
int bench_zero_loss(struct bench *b, bool rows, double *zero_loss_ret, double *max_ret);

/**
 * The rate at which a search begins: --rate, or what the switch takes at full load (0: nothing).
 * Rows and *max_ret as above.
 */
int bench_highest(struct bench *b, bool rows, double *pps_ret, double *max_ret);

/** The table of their rows, and a row of the last run, for tests with trials of their own. */
void bench_trials(struct bench *b);
void bench_trial_row(struct bench *b, const char *label);

// The tests.
int test_rate(struct bench *b);
int test_throughput(struct bench *b);
int test_loss(struct bench *b);
int test_burst(struct bench *b);
int test_overload(struct bench *b);
int test_latency(struct bench *b);
int test_mesh(struct bench *b);
int test_broadcast(struct bench *b);
int test_congestion(struct bench *b);
int test_fdb_capacity(struct bench *b);
int test_fdb_rate(struct bench *b);
int test_blackout(struct bench *b);
int test_soak(struct bench *b);

// Their streams, where the pattern does not give them (plan.c). They set conf->streams and
// n_streams alone.
void plan_pattern(const struct bench_options *o, struct gen_conf *conf);
void plan_mesh(const struct bench_options *o, struct gen_conf *conf);
void plan_broadcast(const struct bench_options *o, struct gen_conf *conf);
// Needs 4 guests. Streams 0 (0->2) and 1 (1->2) overload guest 2; stream 2 (0->3) must lose
// nothing.
void plan_congestion(const struct bench_options *o, struct gen_conf *conf);
// Needs 3 guests. Stream 0 (1->0) learns, stream 1 (0->1) probes, both with one address until the
// test sets another number; guest 2 monitors.
void plan_fdb(const struct bench_options *o, struct gen_conf *conf);

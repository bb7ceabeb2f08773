/*
 * What the micro-benchmarks share: their options, the cores they run on, and how they print
 * what a stage costs.
 *
 * A benchmark measures cases ("64 B, 1 MAC, unicast, burst 32"), each in many short rounds. In
 * each round every stage of the case ("receive") gets a sample, and what is printed is the median
 * of the rounds, since machines are shared. As text it is a table, with -j a line of JSON per
 * stage (q1, q3: quartiles of the rounds), so that two runs can be compared:
 *
 *   {"bench":"pipeline","case":"64 B, 1 MAC","stage":"receive","cycles":14.2,"q1":14.0,...}
 *
 *   jq -rs 'group_by([.case, .stage])[] | [.[0].case, .[0].stage, .[].cycles] | @tsv' OLD NEW
 *
 * Cycles are those of the time stamp counter, which ticks evenly whatever the core's own clock
 * does. Reading it takes about 20 of them and does not wait for what was begun before, so a
 * stage that takes a few cycles shows little more than the clock.
 *
 * Threads: the main thread, but for cycles_now() and cycles_pin().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <x86intrin.h>

enum { CYCLES_STAGES_MAX = 12, CYCLES_ROUNDS_MAX = 10000, CYCLES_CORES_MAX = 64 };

struct cycles {
	const char *bench;
	bool json;
	bool quick;      // a few rounds of a few cases: does it run at all?
	unsigned rounds; // of each case
	char **words;    // of the command line; a case is wanted when its name holds all of them
	unsigned n_words;

	unsigned n_cores; // that this process may use
	unsigned cores[CYCLES_CORES_MAX];
	double hz; // of the counter

	const char *title; // of the table begun last; NULL once it is printed
	const char *const *stages;
	unsigned n_stages;
	double *samples; // [stage][round]
	double medians[CYCLES_STAGES_MAX];
};

/**
 * Reads the command line of benchmark 'bench' ("[-j] [--quick] [--rounds N] [WORD...]") and
 * measures the counter's rate. Prints the usage, with 'about' in it, and exits on a wrong one.
 * 'rounds' is how many there are when nothing is said.
 */
void cycles_init(struct cycles *c, const char *bench, const char *about, unsigned rounds, int argc,
		 char **argv);
void cycles_fini(struct cycles *c);

/**
 * Keeps the calling thread on one core: number 0 is the one to measure on, 1 and up are others,
 * the same again when there are no more. The boot core, which serves most interrupts, comes
 * last.
 */
void cycles_pin(const struct cycles *c, unsigned number);

// Whether the command line wants that case. "": any.
bool cycles_wants(const struct cycles *c, const char *name);

// A line for people only.
void cycles_say(const struct cycles *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// The stages of the cases that follow; borrowed. 'title' stands over their names.
void cycles_table(struct cycles *c, const char *title, const char *const stages[],
		  unsigned n_stages);

// What a stage took in a round of the case at hand, 0 <= round < c->rounds.
static inline void cycles_sample(struct cycles *c, unsigned stage, unsigned round, double cycles)
{
	c->samples[stage * c->rounds + round] = cycles;
}

// Prints the case at hand, every stage of which has a sample of every round.
void cycles_case(struct cycles *c, const char *name);

// What cycles_case() printed last for that stage.
static inline double cycles_median(const struct cycles *c, unsigned stage)
{
	return c->medians[stage];
}

// Ends the program with 1: what was measured is not what was meant to be.
void cycles_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static inline uint64_t cycles_now(void)
{
	return __rdtsc();
}

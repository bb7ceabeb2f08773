/*
 * Which proc polls a receive queue: pure decisions, loads in, placement out.
 *
 * Dynamic placement (HYPERV 3.5) uses as few procs as the load needs. At rest every queue is on the
 * home proc, so the others can sleep. When a proc's load stays above a threshold, queues leave it
 * for procs that are in use and have room, or for one that is idle; when a proc's load stays low,
 * its queues go to others that have room, the home proc first. What keeps this from swinging:
 *
 *    upper > target > lower     a proc that just got a queue is not at once too full, and two that
 *                               were put together are not at once taken apart
 *    expand_ms < coalesce_ms    it grows at once, and shrinks only when the quiet lasts
 *    stagger_ms                 who lost or got a queue is measured anew before it is looked at
 *    moves_max, refund_ms       a budget
 *    margin                     no move that would make hardly a difference
 *
 * Loads are in thousandths of a proc's time. A proc that is at its limit shows less than is asked
 * of it; so a decision is a step, and the next measurement tells whether another is due.
 *
 * Threads: none; the state is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/vport_types.h"
#include "vmq/vmq_types.h"

enum { PLACE_NONE = -1, PLACE_FULL = 1000 };

/**
 * Chooses a proc for a new queue: the one that polls the fewest, the lowest number among
 * equals. 'n_rxqs[i]' is how many queues proc i polls. PLACE_NONE when there is no proc.
 */
int place_new_queue(const uint32_t n_rxqs[], unsigned n_procs);

struct place_conf {
	uint32_t upper;       // of a proc's load: above it, queues leave
	uint32_t target;      // what a proc may have with a queue that it gets
	uint32_t lower;       // below it, queues go home
	uint32_t margin;      // by which a move must lower the higher of two loads, at least
	uint32_t expand_ms;   // how long a proc is above 'upper'
	uint32_t coalesce_ms; // how long a proc is below 'lower'
	uint32_t stagger_ms;  // how long a proc that took part in a move is left alone
	uint32_t refund_ms;   // after which one more move is allowed
	uint32_t moves_max;   // in a row, at most; 0: none at all
};

extern const struct place_conf place_defaults;

struct place_proc {
	uint16_t load;    // of the last interval
	uint8_t node;     // of its core's memory
	uint8_t is_there; // 0: no such proc
};

struct place_queue {
	uint16_t load; // of the last interval
	uint16_t proc; // that polls it
	uint8_t node;  // near which it is better polled
	uint8_t is_pinned;
};

// Between calls; all zeros to begin with.
struct place_state {
	uint64_t above_ms[PROC_MAX];   // since when the proc is above 'upper'; 0: it is not
	uint64_t below_ms[PROC_MAX];   // since when it is below 'lower'; 0: it is not
	uint64_t touched_ms[PROC_MAX]; // when it last took part in a move; 0: never
	uint64_t refunded_ms;          // up to when moves were given back; 0: nothing was asked yet
	uint32_t tokens;               // moves allowed now
};

struct place_move {
	uint32_t queue; // index
	uint16_t from, to;
	uint8_t reason; // enum vmq_reason
	uint8_t pad[3];
	uint16_t from_load, to_load;   // before
	uint16_t from_after, to_after; // as foreseen
};

/**
 * What is to be moved now; at most 'max' moves, each queue once. 'now_ms' never goes back and is
 * not 0. 'procs' has PROC_MAX entries; the home proc is the lowest that is there. Returns the
 * number of moves, and takes them as done.
 */
unsigned place_decide(const struct place_conf *conf, struct place_state *state,
		      const struct place_proc procs[], const struct place_queue queues[],
		      unsigned n_queues, uint64_t now_ms, struct place_move moves[], unsigned max);

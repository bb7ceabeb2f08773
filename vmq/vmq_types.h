/*
 * What is kept of receive queues that were moved from one proc to another by themselves (HYPERV
 * 3.5), for `vmq show moves` and the debug shell.
 *
 * Threads: written by the main thread.
 */
#pragma once

#include <stdint.h>

#include "ports/object_types.h"

enum { VMQ_MOVES_KEPT = 64 };

#define VMQ_REASONS(X)                                                                             \
	X(0, VMQ_OVERLOAD, "overload")                                                             \
	X(1, VMQ_COALESCE, "coalesce")

#define X(number, name, text) name = number,
enum vmq_reason { VMQ_REASONS(X) };
#undef X

struct vmq_move {
	int64_t time_s;              // wall clock, seconds since 1970
	uint64_t tsc;                // the same moment by the procs' clock
	char port[OBJECT_NAME_SIZE]; // whose queue it is
	uint16_t queue;
	uint16_t from, to; // numbers of procs
	uint8_t reason;    // enum vmq_reason
	uint8_t pad;
	uint16_t load;                 // of the queue; thousandths of a proc's time, as all loads
	uint16_t from_load, to_load;   // before
	uint16_t from_after, to_after; // as foreseen
	uint8_t pad2[4];
};

struct vmq_moves {
	uint64_t n; // so far; entry n % VMQ_MOVES_KEPT is written next
	struct vmq_move kept[VMQ_MOVES_KEPT];
};

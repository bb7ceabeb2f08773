/*
 * A command line while it is being read: for options*.c only.
 *
 * Threads: main thread, at start.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"
#include "ports/errtext.h"

enum options_id {
	OPT_GUEST = 256,
	OPT_CLIENT,
	OPT_SERVER,
	OPT_PORTS,
	OPT_STATIC,
	OPT_STAMP,
	OPT_TOUCH,
	OPT_VERIFY,
	OPT_RING,
	OPT_PACKED,
	OPT_CHAIN,
	OPT_INDIRECT,
	OPT_RX_BUFFER,
	OPT_HUGE,
	OPT_TWO_WAY,
	OPT_ONE_WAY,
	OPT_MESH,
	OPT_SIZE,
	OPT_MACS,
	OPT_SRC_MACS,
	OPT_DST_MACS,
	OPT_VLAN,
	OPT_PCP,
	OPT_RATE,
	OPT_SECONDS,
	OPT_WARM_UP,
	OPT_RESOLUTION,
	OPT_REPEATS,
	OPT_LOSS,
	OPT_LOAD,
	OPT_STATIONS,
	OPT_LEARN_PPS,
	OPT_AGE,
	OPT_COMMAND,
	OPT_INTERVAL,
	OPT_NULL,
	OPT_CORE,
	OPT_NULL_CORE,
	OPT_NO_CEILING,
	OPT_WATCH,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
	OPT_END,
};

struct options_draft {
	struct bench_options o;
	const struct bench_test *test;
	bool server;    // the role of the guests that follow
	unsigned ports; // --ports; 0: not given
	bool no_ceiling;
	uint64_t given; // bit per option, from OPT_GUEST on
};
static_assert(OPT_END - OPT_GUEST <= 64, "a bit for each option");

struct options_row;

// How a value is read: 0, or -EINVAL with the option's name and what would be right.
typedef int options_reader(const struct options_row *row, const char *value,
			   struct options_draft *d, struct errtext *e);

struct options_row {
	enum options_id id; // 0: a heading, in 'help'
	const char *name;
	const char *arg; // NULL: takes none
	const char *help;
	const char *tests; // names of those that it is for, or behind '!' is not for; NULL: all
	options_reader *read;
	size_t field; // of struct bench_options, for readers of plain values
	double min, max;
};

static inline bool options_given(const struct options_draft *d, enum options_id id)
{
	return d->given & 1ull << (id - OPT_GUEST);
}

// Plain values: 'field' is bool, unsigned, unsigned, double and so on.
options_reader options_flag, options_number, options_power, options_core, options_seconds,
	options_rate, options_part;
// Those with a meaning of their own; 'min' tells them which of their options it was.
options_reader options_text, options_size, options_macs, options_vlan, options_pcp, options_loads,
	options_guest, options_ports, options_role, options_kind, options_pattern,
	options_no_ceiling;

/** Whether all of it makes sense together; fills in what follows from the rest. */
int options_check(struct options_draft *d, struct errtext *e);

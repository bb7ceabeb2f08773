/*
 * Where a proc is, and whether it does anything: judged by several looks at its breadcrumbs.
 *
 * A round takes microseconds, so a proc whose count of rounds stands still for many milliseconds
 * is stuck; but not one that had no core meanwhile, for others had it: that one is starved. Of a
 * process that does not run all looks are the same: it can only be told where its procs stood.
 */
#pragma once

#include "debugshell/walk.h"
#include "switch/proc_types.h"

enum {
	WHERE_LOOKS = 3,
	WHERE_LOOKS_MS = 50,
	WHERE_RAN_LEAST_NS = 1000000 // many rounds; who had a core for less was starved
};

// One look at a proc.
struct where_look {
	uint64_t loops;
	uint64_t frames;
	uint64_t stage_tsc;
	uint64_t ran_ns;   // time that its thread had a core; 0: not known
	char thread_state; // of it, see where_thread_state()
};

struct where {
	tgt_addr addr;
	int err; // negative errno: it cannot be read, 'why' says the reason
	struct why why;
	bool torn;
	struct where_look looks[WHERE_LOOKS];
	struct proc proc; // as it was at the last look
};

// Looks at 'n' procs, whose addresses are set. Takes WHERE_LOOKS_MS when the process runs.
void where_look(struct shell *sh, struct where *all, unsigned n);

// "running", "idle", "asleep", "stuck", "starved", ...
const char *where_verdict(struct shell *sh, const struct where *w);
bool where_is_stuck(struct shell *sh, const struct where *w);
bool where_is_starved(struct shell *sh, const struct where *w);

// Whether to look there first when frames do not flow: it is stuck, starved, or stopped at work.
bool where_is_suspect(struct shell *sh, const struct where *w);

// A thread as the kernel has it now; all but the id 0: it is not told.
struct target_thread where_thread(struct shell *sh, int32_t tid);

// Of a thread, as the kernel has it: R runs, S sleeps, D hangs there. '\0': it is not told.
char where_thread_state(struct shell *sh, int32_t tid);

// Asleep or at work since then; of one that is stuck, or idle, its last sign of life. 0: not known.
uint64_t where_since_tsc(struct shell *sh, const struct where *w);

#include "debugshell/where.h"

#include <string.h>
#include <time.h>

#include "debugshell/clock.h"

enum {
	LOOK_PAUSE_NS = WHERE_LOOKS_MS * 1000000 / (WHERE_LOOKS - 1),
	SLEEP_MAX_S = 3 // a proc wakes up each second at least
};

static void look_once(struct shell *sh, struct where *w, unsigned i);
static bool match_thread(const struct target_thread *thread, void *arg);
static bool moved(const struct where *w);
static bool is_busy(const struct where *w);

void where_look(struct shell *sh, struct where *all, unsigned n)
{
	const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};

	for (unsigned i = 0; i < WHERE_LOOKS; i++) {
		if (i > 0 && sh->runs)
			nanosleep(&pause, NULL);
		for (unsigned p = 0; p < n; p++)
			if (i == 0 || all[p].err >= 0)
				look_once(sh, &all[p], i);
	}
}

const char *where_verdict(struct shell *sh, const struct where *w)
{
	uint32_t stage = w->proc.stage;

	if (stage == PROC_STAGE_NONE)
		return "not started";
	if (sh->runs && where_is_stuck(sh, w))
		return "stuck";
	if (where_is_starved(sh, w))
		return "starved";
	if (stage == PROC_STAGE_SLEEP)
		return "asleep";
	if (sh->runs)
		return is_busy(w) ? "running" : "idle";
	return stage == PROC_STAGE_IDLE ? "idle" : "[Not told]";
}

// Asleep for longer than it ever sleeps counts as well.
bool where_is_stuck(struct shell *sh, const struct where *w)
{
	if (!sh->runs || moved(w) || w->proc.stage == PROC_STAGE_NONE)
		return false;
	if (where_is_starved(sh, w))
		return false;
	return w->proc.stage != PROC_STAGE_SLEEP ||
	       (w->proc.stage_tsc != 0 && clock_seconds_ago(sh, w->proc.stage_tsc) > SLEEP_MAX_S);
}

// One that was woken up and has no core yet is at its sleep still.
bool where_is_starved(struct shell *sh, const struct where *w)
{
	uint64_t before = w->looks[0].ran_ns, after = w->looks[WHERE_LOOKS - 1].ran_ns;

	for (unsigned i = 0; i < WHERE_LOOKS; i++)
		if (w->looks[i].thread_state != 'R')
			return false;
	return sh->runs && !moved(w) && w->proc.stage != PROC_STAGE_NONE && before != 0 &&
	       after - before < WHERE_RAN_LEAST_NS;
}

bool where_is_suspect(struct shell *sh, const struct where *w)
{
	uint32_t stage = w->proc.stage;

	if (w->err < 0)
		return false;
	if (sh->runs)
		return where_is_stuck(sh, w) || where_is_starved(sh, w);
	return stage != PROC_STAGE_NONE && stage != PROC_STAGE_SLEEP && stage != PROC_STAGE_IDLE;
}

struct target_thread where_thread(struct shell *sh, int32_t tid)
{
	struct target_thread wanted = {.tid = tid};

	if (sh->runs)
		sh->target->ops->threads(sh->target, match_thread, &wanted);
	return wanted;
}

char where_thread_state(struct shell *sh, int32_t tid)
{
	return where_thread(sh, tid).state;
}

uint64_t where_since_tsc(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	uint64_t tsc = proc->stage_tsc, clock;

	if (proc->stage == PROC_STAGE_SLEEP)
		return tsc;
	if (sh->runs && is_busy(w))
		return tsc;
	if (proc->last_frame_tsc > tsc)
		tsc = proc->last_frame_tsc;
	if (!sh->runs || moved(w))
		return tsc;
	// Then it has begun this round, or has told the time in one of the last.
	clock = proc->start_tsc + (uint64_t)proc->now_s * proc->tsc_hz;
	if (proc->drops.now_tsc > clock)
		clock = proc->drops.now_tsc;
	return clock > tsc ? clock : tsc;
}

static void look_once(struct shell *sh, struct where *w, unsigned i)
{
	struct target_thread thread;

	if (i == 0)
		memset(&w->proc, 0, sizeof(w->proc)); // for one that cannot be read
	w->err = walk_object(sh, w->addr, OBJECT_PROC, &w->proc, &w->why);
	w->torn = w->err == WALK_TORN;
	w->looks[i] = (struct where_look){
		.loops = w->proc.loops, .frames = w->proc.frames, .stage_tsc = w->proc.stage_tsc};
	thread = where_thread(sh, w->proc.tid);
	w->looks[i].ran_ns = thread.ran_ns;
	w->looks[i].thread_state = thread.state;
}

static bool match_thread(const struct target_thread *thread, void *arg)
{
	struct target_thread *wanted = arg;

	if (thread->tid != wanted->tid)
		return true;
	*wanted = *thread;
	return false;
}

static bool moved(const struct where *w)
{
	for (unsigned i = 1; i < WHERE_LOOKS; i++)
		if (w->looks[i].loops != w->looks[0].loops ||
		    w->looks[i].stage_tsc != w->looks[0].stage_tsc)
			return true;
	return false;
}

static bool is_busy(const struct where *w)
{
	return w->looks[0].frames != w->looks[WHERE_LOOKS - 1].frames;
}

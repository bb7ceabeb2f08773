#include "debugshell/clock.h"

#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/proc_types.h"

static uint64_t latest(uint64_t a, uint64_t b);

void clock_start(struct shell *sh)
{
	struct proc *proc;
	struct why why;
	tgt_addr addr;

	if (sh->runs)
		return;
	sh->stopped_tsc = latest(sh->root->start_tsc, sh->root->clock_tsc);
	proc = aligned_alloc(64, sizeof(*proc));
	for (uint32_t i = 0; proc != NULL && i < sh->root->n_procs; i++) {
		if (!walk_proc(sh, i, &addr) || walk_object(sh, addr, OBJECT_PROC, proc, &why) < 0)
			continue;
		sh->stopped_tsc = latest(sh->stopped_tsc, proc->stage_tsc);
		sh->stopped_tsc = latest(sh->stopped_tsc, proc->last_frame_tsc);
		sh->stopped_tsc = latest(sh->stopped_tsc, proc->drops.now_tsc);
	}
	free(proc);
}

uint64_t clock_now(const struct shell *sh)
{
	return sh->runs ? __rdtsc() : sh->stopped_tsc;
}

double clock_seconds_ago(const struct shell *sh, uint64_t tsc)
{
	uint64_t now = clock_now(sh);

	if (now <= tsc || sh->root->tsc_hz == 0)
		return 0;
	return (double)(now - tsc) / (double)sh->root->tsc_hz;
}

uint32_t clock_silence_s(const struct shell *sh, uint32_t seen_s)
{
	const struct vsw_root *root = sh->root;
	uint64_t now = clock_now(sh);
	uint32_t now_s = 0;

	if (root->tsc_hz != 0 && now > root->start_tsc)
		now_s = (uint32_t)((now - root->start_tsc) / root->tsc_hz);
	return (int32_t)(now_s - seen_s) > 0 ? now_s - seen_s : 0;
}

double clock_monotonic_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

void clock_print(const struct shell *sh)
{
	const struct vsw_root *root = sh->root;
	uint64_t now = clock_now(sh);
	int64_t now_s;

	if (root->tsc_hz == 0 || root->start_s == 0 || now < root->start_tsc) {
		print_absent("As of", "[Not known]");
		return;
	}
	now_s = root->start_s + (int64_t)((now - root->start_tsc) / root->tsc_hz);
	print_row("As of", "%s", print_wall_clock(now_s).s);
	print_extra("as_of_unix_s", "%ld", now_s);
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

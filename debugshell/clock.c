#include "debugshell/clock.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/proc_types.h"

static uint64_t latest(uint64_t a, uint64_t b);

void clock_start(struct shell *sh)
{
	struct proc *proc;
	struct why why;

	if (sh->runs)
		return;
	sh->stopped_tsc = latest(sh->root->start_tsc, sh->root->clock_tsc);
	proc = aligned_alloc(64, sizeof(*proc));
	for (uint32_t i = 0; proc != NULL && i < sh->root->n_procs; i++) {
		if (walk_object(sh, tgt_ptr(sh->root->procs[i]), OBJECT_PROC, proc, &why) < 0)
			continue;
		sh->stopped_tsc = latest(sh->stopped_tsc, proc->stage_tsc);
		sh->stopped_tsc = latest(sh->stopped_tsc, proc->last_frame_tsc);
	}
	free(proc);
}

uint64_t clock_now(const struct shell *sh)
{
	return sh->runs ? __rdtsc() : sh->stopped_tsc;
}

void clock_print(const struct shell *sh)
{
	const struct vsw_root *root = sh->root;
	uint64_t now = clock_now(sh);

	if (root->tsc_hz == 0 || root->start_s == 0 || now < root->start_tsc)
		print_row("As of", "[Not known]");
	else
		print_row("As of", "%s",
			  print_wall_clock(root->start_s +
					   (int64_t)((now - root->start_tsc) / root->tsc_hz))
				  .s);
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

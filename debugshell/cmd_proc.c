#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/proc_types.h"

static void proc_list(struct shell *sh);
static void proc_list_row(struct shell *sh, tgt_addr addr, const struct proc *proc, bool torn);
static int proc_detail(struct shell *sh, tgt_addr addr, struct proc *proc, struct why *why);
static void print_thread(struct shell *sh, int32_t tid);
static bool match_thread(const struct target_thread *thread, void *arg);
static void print_work(struct shell *sh, const struct proc *proc);
static void print_queues(struct shell *sh, const struct proc *proc);
static void print_queue(struct shell *sh, const struct proc_rxq *rxq);
static struct text since(struct shell *sh, const struct proc *proc, uint64_t tsc);
static double load(struct shell *sh, const struct proc *proc);

int cmd_proc(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct proc *proc;
	tgt_addr addr;
	int err;

	if (argc == 1) {
		proc_list(sh);
		return 0;
	}
	err = walk_find(sh, OBJECT_PROC, argv[1], &addr, why);
	if (err != 0)
		return err;
	proc = aligned_alloc(64, sizeof(*proc));
	if (proc == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	err = proc_detail(sh, addr, proc, why);
	free(proc);
	return err;
}

static void proc_list(struct shell *sh)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct why why;

	if (proc == NULL)
		return;
	putchar('\n');
	clock_print(sh);
	printf("\n%-6s%-18s%-8s%-6s%-14s%-12s%-18s%-16s%-14s%-12s%s\n", "Type", "Address", "Number",
	       "Core", "Stage", "Since", "vPort", "Loops", "Frames", "Sleeps", "Load");
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		tgt_addr addr = tgt_ptr(sh->root->procs[i]);
		int err = walk_object(sh, addr, OBJECT_PROC, proc, &why);

		if (err < 0)
			walk_trouble(sh, "", "PROC", addr, &why);
		else
			proc_list_row(sh, addr, proc, err == WALK_TORN);
	}
	if (sh->root->n_procs == 0)
		printf("[None]\n");
	free(proc);
}

static void proc_list_row(struct shell *sh, tgt_addr addr, const struct proc *proc, bool torn)
{
	char port[24];

	snprintf(port, sizeof(port), "%016lx", tgt_ptr(proc->port).v);
	printf("%-6s%016lx  %-8u%-6u%-14s%-12s%-18s%-16lu%-14lu%-12lu%.1f %%%s\n", "PROC", addr.v,
	       proc->number, proc->core, name_proc_stage(proc->stage),
	       since(sh, proc, proc->stage_tsc).s, proc->port != NULL ? port : "[None]",
	       proc->loops, proc->frames, proc->sleeps, load(sh, proc), torn ? " ~" : "");
}

static int proc_detail(struct shell *sh, tgt_addr addr, struct proc *proc, struct why *why)
{
	int err = walk_object(sh, addr, OBJECT_PROC, proc, why);

	if (err < 0)
		return err;
	print_title("PROC", addr, err == WALK_TORN);
	print_text_row("Name", TEXT(proc->obj.name));
	print_row("Number", "%u", proc->number);
	print_row("Core", "%u", proc->core);
	print_thread(sh, proc->tid);
	print_text_row("Copy primitives", TEXT(proc->copy_name));
	print_row("Polls", "%s", proc->poll_always ? "always" : "adaptively");

	print_section("STATE");
	clock_print(sh);
	print_row("Stage", "%u (%s)", proc->stage, name_proc_stage(proc->stage));
	print_row("Since", "%s", since(sh, proc, proc->stage_tsc).s);
	print_link("vPort", tgt_ptr(proc->port), "nvkd.vport");
	print_row("Queue", "%u", proc->queue);
	print_row("Burst", "%u frames, %u bytes", proc->burst.n, proc->burst.bytes);
	print_row("Last frame", "%s%s", since(sh, proc, proc->last_frame_tsc).s,
		  proc->last_frame_tsc != 0 ? " ago" : "");
	print_row("Clock", "%u s", proc->now_s);
	print_work(sh, proc);
	print_queues(sh, proc);
	return 0;
}

// With its state as the kernel has it while it runs: R runs, S sleeps, D hangs there.
static void print_thread(struct shell *sh, int32_t tid)
{
	struct target_thread thread = {.tid = tid};

	if (sh->runs)
		sh->target->ops->threads(sh->target, match_thread, &thread);
	if (thread.state != '\0')
		print_row("Thread", "%d (%c)", tid, thread.state);
	else
		print_row("Thread", "%d", tid);
}

static bool match_thread(const struct target_thread *thread, void *arg)
{
	struct target_thread *wanted = arg;

	if (thread->tid != wanted->tid)
		return true;
	*wanted = *thread;
	return false;
}

static void print_work(struct shell *sh, const struct proc *proc)
{
	print_section("WORK");
	print_row("Loops", "%lu", proc->loops);
	print_row("Bursts", "%lu", proc->bursts);
	print_row("Frames", "%lu", proc->frames);
	print_row("Sleeps", "%lu", proc->sleeps);
	print_row("Timed sleeps", "%lu, because %u queues could not wake it at the last one",
		  proc->timed_sleeps, proc->unwakeable);
	print_row("Load", "%.1f %% of the time since its start found frames", load(sh, proc));
}

// The list is one piece of memory behind the configuration that the proc has now.
static void print_queues(struct shell *sh, const struct proc *proc)
{
	tgt_addr addr = tgt_ptr(proc->conf);
	const struct type_map *conf_map, *rxq_map;
	struct proc_conf conf;
	struct proc_rxq rxq;
	struct why why;
	int err;

	print_section("RECEIVE QUEUES");
	err = shell_map(sh, "proc_conf", sizeof(conf), &conf_map, &why);
	if (err == 0)
		err = shell_map(sh, "proc_rxq", sizeof(rxq), &rxq_map, &why);
	if (err != 0) {
		printf("    *** %s ***\n", why.text);
		return;
	}
	err = addr.v != 0 ? type_read(sh->target, conf_map, addr, &conf) : 0;
	if (addr.v == 0 || (err == 0 && conf.n_rxqs == 0)) {
		printf("    [None]\n");
		return;
	}
	if (err != 0 || conf.n_rxqs > PROC_RXQS_MAX) {
		why_set(&why, err,
			err != 0 ? "the list cannot be read" : "it counts more queues than can be");
		walk_trouble(sh, "    ", "CONF", addr, &why);
		return;
	}
	printf("    %-18s%-18s%-7s%s\n", "vNic", "vPort", "Queue", "Name");
	for (uint32_t i = 0; i < conf.n_rxqs; i++) {
		tgt_addr at = tgt_add(addr, conf_map->from_size + (uint64_t)i * rxq_map->from_size);

		if (type_read(sh->target, rxq_map, at, &rxq) != 0) {
			why_set(&why, -EFAULT, "queue %u cannot be read", i);
			walk_trouble(sh, "    ", "CONF", at, &why);
			return;
		}
		print_queue(sh, &rxq);
	}
}

static void print_queue(struct shell *sh, const struct proc_rxq *rxq)
{
	struct vport port;
	struct why why;
	int err = walk_object(sh, tgt_ptr(rxq->port), OBJECT_VPORT, &port, &why);

	if (err < 0)
		walk_trouble(sh, "    ", "VPORT", tgt_ptr(rxq->port), &why);
	else
		printf("    %016lx  %016lx  %-7u%s\n", tgt_ptr(rxq->nic).v, tgt_ptr(rxq->port).v,
		       rxq->queue, TEXT(port.obj.name).s);
}

// From a reading of the cycle counter to now.
static struct text since(struct shell *sh, const struct proc *proc, uint64_t tsc)
{
	uint64_t now = clock_now(sh);

	if (tsc == 0 || proc->tsc_hz == 0)
		return print_text("[Never]", 7);
	return print_duration(now < tsc ? 0 : (double)(now - tsc) / (double)proc->tsc_hz);
}

static double load(struct shell *sh, const struct proc *proc)
{
	uint64_t now = clock_now(sh);

	if (proc->start_tsc == 0 || now <= proc->start_tsc)
		return 0;
	return 100.0 * (double)proc->busy_tsc / (double)(now - proc->start_tsc);
}

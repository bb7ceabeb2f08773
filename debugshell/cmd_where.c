/*
 * where: what each proc is doing, and whether it does anything: for a switch that hangs.
 *
 * A proc leaves breadcrumbs: its stage, port, queue and burst, and a count of its rounds. A round
 * takes microseconds, so one whose count stands still for many milliseconds is stuck. What
 * does not run can only tell where it stood.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/ring.h"
#include "debugshell/walk.h"
#include "switch/proc_types.h"

enum {
	LOOKS = 3,
	LOOK_PAUSE_NS = 25 * 1000000,
	SLEEP_MAX_S = 3, // a proc wakes up each second at least
	CLOCK_MAX_S = 3, // the main thread looks at its clock once a second
	THREADS_MAX = 1024
};

// One look at a proc.
struct look {
	uint64_t loops;
	uint64_t frames;
	uint64_t stage_tsc;
};

struct where {
	tgt_addr addr;
	int err; // negative errno: it cannot be read, 'why' says the reason
	struct why why;
	bool torn;
	struct look looks[LOOKS];
	struct proc proc; // as it was at the last look
};

struct thread_rows {
	struct shell *sh;
	unsigned rows;
};

struct tid_finder {
	int32_t tid;
	char state;
};

static int where_list(struct shell *sh, struct why *why);
static void where_row(struct shell *sh, const struct where *w);
static void where_detail(struct shell *sh, const struct where *w);
static void look_at(struct shell *sh, struct where *all, unsigned n);
static void look_once(struct shell *sh, struct where *w, unsigned i);
static const char *verdict(struct shell *sh, const struct where *w);
static bool is_stuck(struct shell *sh, const struct where *w);
static bool moved(const struct where *w);
static bool is_busy(const struct where *w);
static uint64_t since_tsc(struct shell *sh, const struct where *w);
static struct text since(struct shell *sh, const struct where *w);
static double seconds_ago(const struct shell *sh, uint64_t tsc);
static bool has_burst(const struct proc *proc);
static struct text thread_text(struct shell *sh, int32_t tid);
static bool match_tid(const struct target_thread *thread, void *arg);
static struct text port_name(struct shell *sh, const struct proc *proc, tgt_addr *x_nic);
static void print_judged(struct shell *sh);
static void print_main_thread(struct shell *sh);
static void print_threads(struct shell *sh);
static bool print_thread(const struct target_thread *thread, void *arg);
static struct text thread_role(struct shell *sh, int32_t tid);
static const char *state_word(char state);
static void print_held(struct shell *sh, const struct proc *proc);
static int print_held_by(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_broken_rings(struct shell *sh);
static bool print_broken(struct shell *sh, const struct ring *ring, void *arg);

int cmd_where(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct where *w;
	tgt_addr addr;
	int err;

	if (argc == 1)
		return where_list(sh, why);
	err = walk_find(sh, OBJECT_PROC, argv[1], &addr, why);
	if (err != 0)
		return err;
	w = aligned_alloc(64, sizeof(*w));
	if (w == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	w->addr = addr;
	look_at(sh, w, 1);
	err = w->err < 0 ? w->err : 0;
	if (err == 0)
		where_detail(sh, w);
	else
		*why = w->why;
	free(w);
	return err;
}

static int where_list(struct shell *sh, struct why *why)
{
	unsigned n = sh->root->n_procs;
	struct where *all = n > 0 ? aligned_alloc(64, n * sizeof(*all)) : NULL;

	if (all == NULL && n > 0)
		return why_set(why, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < n; i++)
		all[i].addr = tgt_ptr(sh->root->procs[i]);
	look_at(sh, all, n);
	putchar('\n');
	clock_print(sh);
	print_judged(sh);
	print_main_thread(sh);
	printf("\n%-6s%-18s%-8s%-13s%-14s%-12s%-18s%-7s%-8s%-14s%s\n", "Type", "Address", "Number",
	       "State", "Stage", "Since", "vPort", "Queue", "Frames", "Thread", "Name");
	for (unsigned i = 0; i < n; i++)
		where_row(sh, &all[i]);
	if (n == 0)
		printf("[None]\n");
	free(all);
	print_threads(sh);
	print_broken_rings(sh);
	return 0;
}

static void where_row(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	tgt_addr nic = {0};
	struct text name;
	char port[24];

	if (w->err < 0) {
		walk_trouble(sh, "", "PROC", w->addr, &w->why);
		return;
	}
	snprintf(port, sizeof(port), "%016lx", tgt_ptr(proc->port).v);
	name = port_name(sh, proc, &nic);
	printf("%-6s%016lx  %-8u%-13s%-14s%-12s%-18s%-7u%-8u%-14s%s%s\n", "PROC", w->addr.v,
	       proc->number, verdict(sh, w), name_proc_stage(proc->stage), since(sh, w).s,
	       proc->port != NULL ? port : "[None]", proc->queue,
	       has_burst(proc) ? proc->burst.n : 0, thread_text(sh, proc->tid).s, name.s,
	       w->torn ? " ~" : "");
}

static void where_detail(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	tgt_addr nic = {0};
	struct text name = port_name(sh, proc, &nic);

	print_title("PROC", w->addr, w->torn);
	clock_print(sh);
	print_judged(sh);
	print_row("State", "%s", verdict(sh, w));
	print_row("Stage", "%u (%s)", proc->stage, name_proc_stage(proc->stage));
	print_row("Since", "%s%s", since(sh, w).s,
		  is_stuck(sh, w) && proc->stage != PROC_STAGE_SLEEP && since_tsc(sh, w) != 0
			  ? " at most: that was its last sign of life"
			  : "");
	print_row("Loops", "%lu", proc->loops);
	print_row("Thread", "%s on core %u", thread_text(sh, proc->tid).s, proc->core);

	print_section("SERVES");
	print_text_row("Name", name);
	print_link("vPort", tgt_ptr(proc->port), "nvkd.vport");
	print_link("vNic", nic, "nvkd.vnic");
	print_row("Queue", "%u", proc->queue);
	if (has_burst(proc))
		print_row("Burst", "%u frames, %u bytes   !nvkd.vnbl %016lx", proc->burst.n,
			  proc->burst.bytes, w->addr.v);
	else
		print_row("Burst", "[None]");
	print_held(sh, proc);

	print_section("MORE INFORMATION");
	print_link("Proc", w->addr, "nvkd.proc");
	if (sh->runs)
		print_row("Stacks", "gdb -p %d -batch -ex 'thread apply all bt'", sh->root->pid);
}

static void look_at(struct shell *sh, struct where *all, unsigned n)
{
	const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};

	for (unsigned i = 0; i < LOOKS; i++) {
		if (i > 0 && sh->runs)
			nanosleep(&pause, NULL);
		for (unsigned p = 0; p < n; p++)
			if (i == 0 || all[p].err >= 0)
				look_once(sh, &all[p], i);
	}
}

static void look_once(struct shell *sh, struct where *w, unsigned i)
{
	w->err = walk_object(sh, w->addr, OBJECT_PROC, &w->proc, &w->why);
	w->torn = w->err == WALK_TORN;
	w->looks[i] = (struct look){
		.loops = w->proc.loops, .frames = w->proc.frames, .stage_tsc = w->proc.stage_tsc};
}

static const char *verdict(struct shell *sh, const struct where *w)
{
	uint32_t stage = w->proc.stage;

	if (stage == PROC_STAGE_NONE)
		return "not started";
	if (sh->runs && is_stuck(sh, w))
		return "stuck";
	if (stage == PROC_STAGE_SLEEP)
		return "asleep";
	if (sh->runs)
		return is_busy(w) ? "running" : "idle";
	return stage == PROC_STAGE_IDLE ? "idle" : "[Not told]";
}

// Asleep for longer than it ever sleeps counts as well.
static bool is_stuck(struct shell *sh, const struct where *w)
{
	if (!sh->runs || moved(w) || w->proc.stage == PROC_STAGE_NONE)
		return false;
	if (w->proc.stage == PROC_STAGE_SLEEP)
		return w->proc.stage_tsc != 0 && seconds_ago(sh, w->proc.stage_tsc) > SLEEP_MAX_S;
	return true;
}

static bool moved(const struct where *w)
{
	for (unsigned i = 1; i < LOOKS; i++)
		if (w->looks[i].loops != w->looks[0].loops ||
		    w->looks[i].stage_tsc != w->looks[0].stage_tsc)
			return true;
	return false;
}

static bool is_busy(const struct where *w)
{
	return w->looks[0].frames != w->looks[LOOKS - 1].frames;
}

// Asleep or at work since then; of one that is stuck, or idle, its last sign of life.
static uint64_t since_tsc(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	uint64_t tsc = proc->stage_tsc, clock;

	if (proc->stage == PROC_STAGE_SLEEP)
		return tsc;
	if (sh->runs && is_busy(w))
		return tsc;
	if (proc->last_frame_tsc > tsc)
		tsc = proc->last_frame_tsc;
	clock = proc->start_tsc + (uint64_t)proc->now_s * proc->tsc_hz;
	return is_stuck(sh, w) && clock > tsc ? clock : tsc;
}

static struct text since(struct shell *sh, const struct where *w)
{
	uint64_t tsc = since_tsc(sh, w);

	if (tsc == 0 || sh->root->tsc_hz == 0)
		return print_text("[Not known]", 11);
	return print_duration(seconds_ago(sh, tsc));
}

static double seconds_ago(const struct shell *sh, uint64_t tsc)
{
	uint64_t now = clock_now(sh);

	if (now <= tsc || sh->root->tsc_hz == 0)
		return 0;
	return (double)(now - tsc) / (double)sh->root->tsc_hz;
}

static bool has_burst(const struct proc *proc)
{
	return proc->stage >= PROC_STAGE_INGRESS && proc->stage <= PROC_STAGE_RELEASE &&
	       proc->burst.n > 0;
}

static struct text thread_text(struct shell *sh, int32_t tid)
{
	struct tid_finder finder = {.tid = tid};
	struct text text = {.s = ""};

	if (sh->runs)
		sh->target->ops->threads(sh->target, match_tid, &finder);
	print_append(&text, "%d", tid);
	if (finder.state != '\0')
		print_append(&text, " (%c)", finder.state);
	return text;
}

static bool match_tid(const struct target_thread *thread, void *arg)
{
	struct tid_finder *finder = arg;

	if (thread->tid != finder->tid)
		return true;
	finder->state = thread->state;
	return false;
}

// Of the port that is served, and its NIC.
static struct text port_name(struct shell *sh, const struct proc *proc, tgt_addr *x_nic)
{
	struct text none = {.s = ""};
	struct vport port;
	struct why why;

	if (proc->port == NULL)
		return none;
	if (walk_object(sh, tgt_ptr(proc->port), OBJECT_VPORT, &port, &why) < 0)
		return print_text("[Not a port]", 12);
	*x_nic = tgt_ptr(port.nic);
	return TEXT(port.obj.name);
}

static void print_judged(struct shell *sh)
{
	if (sh->runs)
		print_row("Judged by", "%u looks within %u ms", LOOKS,
			  (LOOKS - 1) * LOOK_PAUSE_NS / 1000000);
	else
		print_row("Judged by",
			  "its breadcrumbs: it does not run, so whether it was stuck is not told");
}

static void print_main_thread(struct shell *sh)
{
	const struct vsw_root *root = sh->root;
	struct text text = thread_text(sh, root->pid);
	double ago = seconds_ago(sh, root->clock_tsc);

	if (root->clock_tsc == 0 || root->tsc_hz == 0)
		print_row("Main thread", "%s, its last look at the clock is not known", text.s);
	else
		print_row("Main thread", "%s, looked at the clock %s ago%s", text.s,
			  print_duration(ago).s,
			  sh->runs && ago > CLOCK_MAX_S ? " *** it should each second ***" : "");
}

static void print_threads(struct shell *sh)
{
	struct thread_rows rows = {.sh = sh};

	print_section("THREADS");
	printf("    %-10s%-30s%-18s%s\n", "Thread", "State", "Name", "Role");
	sh->target->ops->threads(sh->target, print_thread, &rows);
	if (rows.rows == 0)
		printf("    [None]\n");
}

static bool print_thread(const struct target_thread *thread, void *arg)
{
	struct thread_rows *rows = arg;
	struct text name = TEXT(thread->name);
	struct text state = {.s = "[Not told]"};

	if (thread->state != '\0')
		snprintf(state.s, sizeof(state.s), "%c (%s)", thread->state,
			 state_word(thread->state));
	printf("    %-10d%-30s%-18s%s\n", thread->tid, state.s,
	       name.s[0] != '\0' ? name.s : "[Not told]", thread_role(rows->sh, thread->tid).s);
	return ++rows->rows < THREADS_MAX;
}

static struct text thread_role(struct shell *sh, int32_t tid)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct text text = {.s = ""};
	struct why why;

	if (tid == sh->root->pid)
		print_append(&text, "main");
	for (uint32_t i = 0; proc != NULL && i < sh->root->n_procs && text.s[0] == '\0'; i++)
		if (walk_object(sh, tgt_ptr(sh->root->procs[i]), OBJECT_PROC, proc, &why) >= 0 &&
		    proc->tid == tid)
			print_append(&text, "proc %u", proc->number);
	free(proc);
	return text;
}

static const char *state_word(char state)
{
	switch (state) {
	case 'R':
		return "runs or waits for a core";
	case 'S':
		return "sleeps";
	case 'D':
		return "hangs in the kernel";
	case 'T':
		return "stopped";
	case 't':
		return "stopped by a debugger";
	case 'Z':
	case 'X':
		return "ended";
	default:
		return "?";
	}
}

struct held {
	uint32_t lock; // of a queue that the proc holds
	unsigned rows;
};

// Which ring or queue it is writing to.
static void print_held(struct shell *sh, const struct proc *proc)
{
	struct held held = {.lock = proc->number + 1};

	walk_ports(sh, print_held_by, &held);
	if (held.rows == 0)
		print_row("Writes to", "[None]");
}

static int print_held_by(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct held *held = arg;
	struct vnic nic;
	tgt_addr nic_addr;

	if (!walk_port_nic(sh, addr, &nic_addr, &nic))
		return 0;
	for (unsigned i = 0; i < nic.n_queues && i < VNIC_QUEUES_MAX; i++) {
		if (nic.txq[i].lock != held->lock)
			continue;
		print_row("Writes to", "%016lx   !nvkd.vnic %016lx (%s, queue %u)", nic_addr.v,
			  nic_addr.v, TEXT(nic.obj.name).s, i);
		held->rows++;
	}
	return 0;
}

static void print_broken_rings(struct shell *sh)
{
	unsigned rows = 0;

	print_section("BROKEN RINGS");
	printf("    %-18s%-24s%-16s%s\n", "Ring", "Name", "Direction", "Reason");
	ring_walk(sh, "    ", print_broken, &rows);
	if (rows == 0)
		printf("    [None]\n");
}

static bool print_broken(struct shell *sh, const struct ring *ring, void *arg)
{
	unsigned *rows = arg;

	if (ring->part.q.broken == VIRTQ_OK)
		return true;
	(*rows)++;
	printf("    %016lx  %-24s%-16s%s\n", ring->addr.v, ring->name.s,
	       ring_is_to_guest(ring) ? "to the guest" : "from the guest",
	       name_virtq_break(ring->part.q.broken));
	return true;
}

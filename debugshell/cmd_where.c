/*
 * where: what each proc is doing, and whether it does anything: for a switch that hangs.
 *
 * A proc leaves breadcrumbs: its stage, port, queue and burst, and a count of its rounds, by which
 * where.h judges it. The rest is what to look at next: threads, rings that are broken, frames.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/ring.h"
#include "debugshell/walk.h"
#include "debugshell/where.h"

enum {
	CLOCK_MAX_S = 3, // the main thread looks at its clock once a second
	THREADS_MAX = 1024
};

struct thread_rows {
	struct shell *sh;
	unsigned rows;
};

static int where_list(struct shell *sh, struct why *why);
static void where_row(struct shell *sh, const struct where *w);
static void where_detail(struct shell *sh, const struct where *w);
static void print_since(struct shell *sh, const struct where *w);
static void print_since_cell(struct shell *sh, const struct where *w);
static bool has_burst(const struct proc *proc);
static struct text thread_text(int32_t tid, char state);
static struct text port_name(struct shell *sh, const struct proc *proc, tgt_addr *x_nic);
static void print_judged(struct shell *sh);
static void print_main_thread(struct shell *sh);
static void print_ended(struct shell *sh);
static void print_threads(struct shell *sh);
static bool print_thread(const struct target_thread *thread, void *arg);
static struct text thread_role(struct shell *sh, int32_t tid);
static const char *state_word(char state);
static void print_held(struct shell *sh, const struct proc *proc);
static int print_held_by(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_broken_rings(struct shell *sh);
static bool print_broken(struct shell *sh, const struct ring *ring, void *arg);
static void print_suspects(struct shell *sh, const struct where *all, unsigned n);
static void print_suspect(const struct where *w);

static const struct print_column list_columns[] = {
	{"Type", 6},   {"Address", 18}, {"Number", 8}, {"State", 13},  {"Stage", 14}, {"Since", 12},
	{"vPort", 18}, {"Queue", 7},    {"Frames", 8}, {"Thread", 14}, {"Name"},
};

static const struct print_column thread_columns[] = {
	{"Thread", 10, "tid"},
	{"State", 30},
	{"Name", 18},
	{"Role"},
};

static const struct print_column broken_columns[] = {
	{"Ring", 18},
	{"Name", 24},
	{"Direction", 16},
	{"Reason"},
};

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
	where_look(sh, w, 1);
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
	unsigned n = walk_n_procs(sh), at = 0;
	struct where *all = n > 0 ? aligned_alloc(64, n * sizeof(*all)) : NULL;

	if (all == NULL && n > 0)
		return why_set(why, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < sh->root->n_procs; i++)
		at += at < n && walk_proc(sh, i, &all[at].addr);
	where_look(sh, all, n);
	print_blank();
	clock_print(sh);
	print_judged(sh);
	print_main_thread(sh);
	print_ended(sh);
	PRINT_TABLE("", list_columns);
	for (unsigned i = 0; i < n; i++)
		where_row(sh, &all[i]);
	if (n == 0)
		print_none();
	print_threads(sh);
	print_broken_rings(sh);
	print_suspects(sh, all, n);
	free(all);
	return 0;
}

static void where_row(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	tgt_addr nic = {0};
	struct text name;
	char state;

	if (w->err < 0) {
		walk_trouble(sh, "", "PROC", w->addr, &w->why);
		return;
	}
	state = where_thread_state(sh, proc->tid);
	name = port_name(sh, proc, &nic);
	print_cell("PROC");
	print_cell_addr(w->addr);
	print_cell_fmt("%u", proc->number);
	print_cell(where_verdict(sh, w));
	print_cell(name_proc_stage(proc->stage));
	print_since_cell(sh, w);
	print_cell_addr(tgt_ptr(proc->port));
	print_cell_fmt("%u", proc->queue);
	print_cell_fmt("%u", has_burst(proc) ? proc->burst.n : 0);
	print_cell_text(thread_text(proc->tid, state));
	print_extra("tid", "%d", proc->tid);
	if (name.s[0] != '\0')
		print_cell_text(name);
	else
		print_cell_absent("");
	print_row_end(w->torn);
}

static void where_detail(struct shell *sh, const struct where *w)
{
	const struct proc *proc = &w->proc;
	tgt_addr nic = {0};
	struct text name = port_name(sh, proc, &nic);
	char state;

	print_title("PROC", w->addr, w->torn);
	clock_print(sh);
	print_judged(sh);
	print_row("State", "%s", where_verdict(sh, w));
	print_values("Stage", "number name", "%u (%s)", proc->stage, name_proc_stage(proc->stage));
	print_since(sh, w);
	print_row("Loops", "%lu", proc->loops);
	state = where_thread_state(sh, proc->tid);
	if (state != '\0')
		print_values("Thread", "tid state core", "%d (%c) on core %u", proc->tid, state,
			     proc->core);
	else
		print_values("Thread", "tid core", "%d on core %u", proc->tid, proc->core);

	print_section("SERVES");
	print_text_row("Name", name);
	print_link("vPort", tgt_ptr(proc->port), "nvkd.vport");
	print_link("vNic", nic, "nvkd.vnic");
	print_row("Queue", "%u", proc->queue);
	if (has_burst(proc))
		print_values("Burst", "frames bytes -", "%u frames, %u bytes   !nvkd.vnbl %016lx",
			     proc->burst.n, proc->burst.bytes, w->addr.v);
	else
		print_row("Burst", "[None]");
	print_held(sh, proc);

	print_section("MORE INFORMATION");
	print_link("Proc", w->addr, "nvkd.proc");
	if (sh->runs)
		print_row("Stacks", "gdb -p %d -batch -ex 'thread apply all bt'", sh->root->pid);
}

static void print_since(struct shell *sh, const struct where *w)
{
	uint64_t tsc = where_since_tsc(sh, w);
	double seconds = clock_seconds_ago(sh, tsc);
	bool is_most = where_is_stuck(sh, w) && w->proc.stage != PROC_STAGE_SLEEP;

	if (tsc == 0 || sh->root->tsc_hz == 0) {
		print_absent("Since", "[Not known]");
		return;
	}
	print_row("Since", "%s%s", print_duration(seconds).s,
		  is_most ? " at most: that was its last sign of life" : "");
	print_extra("since_s", "%.6f", seconds);
}

static void print_since_cell(struct shell *sh, const struct where *w)
{
	uint64_t tsc = where_since_tsc(sh, w);
	double seconds = clock_seconds_ago(sh, tsc);

	if (tsc == 0 || sh->root->tsc_hz == 0) {
		print_cell_absent("[Not known]");
		return;
	}
	print_cell_text(print_duration(seconds));
	print_extra("since_s", "%.6f", seconds);
}

static bool has_burst(const struct proc *proc)
{
	return proc->stage >= PROC_STAGE_INGRESS && proc->stage <= PROC_STAGE_RELEASE &&
	       proc->burst.n > 0;
}

static struct text thread_text(int32_t tid, char state)
{
	struct text text = {.s = ""};

	print_append(&text, "%d", tid);
	if (state != '\0')
		print_append(&text, " (%c)", state);
	return text;
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
		print_row("Judged by", "%u looks within %u ms", WHERE_LOOKS, WHERE_LOOKS_MS);
	else
		print_row("Judged by",
			  "its breadcrumbs: it does not run, so whether it was stuck is not told");
}

static void print_main_thread(struct shell *sh)
{
	const struct vsw_root *root = sh->root;
	char state = where_thread_state(sh, root->pid);
	struct text text = thread_text(root->pid, state);
	double ago = clock_seconds_ago(sh, root->clock_tsc);
	bool is_late = sh->runs && ago > CLOCK_MAX_S;

	if (root->clock_tsc == 0 || root->tsc_hz == 0) {
		print_values("Main thread", "thread", "%s, its last look at the clock is not known",
			     text.s);
		return;
	}
	print_values("Main thread", "thread looked_ago -", "%s, looked at the clock %s ago%s",
		     text.s, print_duration(ago).s,
		     is_late ? " *** it should each second ***" : "");
	print_extra("main_thread_ago_s", "%.6f", ago);
	print_extra_flag("main_thread_is_late", is_late);
}

// Of a core that a signal has made; one that a debugger wrote tells of none.
static void print_ended(struct shell *sh)
{
	const struct target *t = sh->target;
	struct text role = thread_role(sh, t->signal_tid);
	const char *name = sigabbrev_np(t->signal);
	struct text text = {.s = "unknown"};

	if (t->signal == 0)
		return;
	if (name != NULL) {
		text.s[0] = '\0';
		print_append(&text, "SIG%s", name);
	}
	if (role.s[0] != '\0')
		print_values("Ended by", "signal name thread role",
			     "signal %d (%s) in thread %d, %s", t->signal, text.s, t->signal_tid,
			     role.s);
	else
		print_values("Ended by", "signal name thread", "signal %d (%s) in thread %d",
			     t->signal, text.s, t->signal_tid);
}

static void print_threads(struct shell *sh)
{
	struct thread_rows rows = {.sh = sh};

	print_section("THREADS");
	PRINT_TABLE("    ", thread_columns);
	sh->target->ops->threads(sh->target, print_thread, &rows);
	if (rows.rows == 0)
		print_none();
}

static bool print_thread(const struct target_thread *thread, void *arg)
{
	struct thread_rows *rows = arg;
	const struct target *t = rows->sh->target;
	struct text name = TEXT(thread->name);
	struct text role = thread_role(rows->sh, thread->tid);
	bool is_hit = t->signal != 0 && thread->tid == t->signal_tid;

	print_cell_fmt("%d", thread->tid);
	// A core has neither, and a process that is stopped is shown as its core would be.
	if (rows->sh->runs && thread->state != '\0')
		print_cell_fmt("%c (%s)", thread->state, state_word(thread->state));
	else
		print_cell_absent("[Not told]");
	if (rows->sh->runs && name.s[0] != '\0')
		print_cell_text(name);
	else
		print_cell_absent("[Not told]");
	if (is_hit && !print_is_json())
		print_append(&role, "%shit by signal %d", role.s[0] != '\0' ? ", " : "", t->signal);
	if (role.s[0] != '\0')
		print_cell_text(role);
	else
		print_cell_absent("");
	if (is_hit)
		print_extra("signal", "%d", t->signal);
	print_row_end(false);
	return ++rows->rows < THREADS_MAX;
}

static struct text thread_role(struct shell *sh, int32_t tid)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct text text = {.s = ""};
	struct why why;
	tgt_addr addr;

	if (tid == sh->root->pid)
		print_append(&text, "main");
	for (uint32_t i = 0; proc != NULL && i < sh->root->n_procs && text.s[0] == '\0'; i++)
		if (walk_proc(sh, i, &addr) &&
		    walk_object(sh, addr, OBJECT_PROC, proc, &why) >= 0 && proc->tid == tid)
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
		print_values("Writes to", "address - name queue",
			     "%016lx   !nvkd.vnic %016lx (%s, queue %u)", nic_addr.v, nic_addr.v,
			     TEXT(nic.obj.name).s, i);
		held->rows++;
	}
	return 0;
}

static void print_broken_rings(struct shell *sh)
{
	unsigned rows = 0;

	print_section("BROKEN RINGS");
	PRINT_TABLE("    ", broken_columns);
	ring_walk(sh, "    ", print_broken, &rows);
	if (rows == 0)
		print_none();
}

static bool print_broken(struct shell *sh, const struct ring *ring, void *arg)
{
	unsigned *rows = arg;

	if (ring->part.q.broken == VIRTQ_OK)
		return true;
	(*rows)++;
	print_cell_addr(ring->addr);
	print_cell_text(ring->name);
	print_cell(ring_direction(ring));
	print_cell(name_virtq_break(ring->part.q.broken));
	print_row_end(false);
	return true;
}

// Where to look next, at procs that are stuck or starved; when none runs, at those that were at
// work.
static void print_suspects(struct shell *sh, const struct where *all, unsigned n)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		if (!where_is_suspect(sh, &all[i]))
			continue;
		if (!any)
			print_section("MORE INFORMATION");
		any = true;
		print_suspect(&all[i]);
	}
}

static void print_suspect(const struct where *w)
{
	const struct proc *proc = &w->proc;
	char label[32];

	snprintf(label, sizeof(label), "Proc %u", proc->number);
	print_link(label, w->addr, "where");
	if (has_burst(proc)) {
		snprintf(label, sizeof(label), "Frames of proc %u", proc->number);
		print_link(label, w->addr, "nvkd.vnbl");
	}
	if (proc->port != NULL) {
		snprintf(label, sizeof(label), "vPort of proc %u", proc->number);
		print_link(label, tgt_ptr(proc->port), "nvkd.vport");
	}
}

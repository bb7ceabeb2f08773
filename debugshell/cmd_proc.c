#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/cmd_vnic.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "debugshell/where.h"
#include "switch/proc_types.h"

static void proc_list(struct shell *sh);
static void proc_list_row(struct shell *sh, tgt_addr addr, const struct proc *proc, bool torn);
static int proc_detail(struct shell *sh, tgt_addr addr, struct proc *proc, struct why *why);
static void print_node(struct shell *sh, const struct proc *proc);
static void print_thread(struct shell *sh, int32_t tid);
static void print_work(struct shell *sh, const struct type_map *map, const struct proc *proc);
static void print_queues(struct shell *sh, const struct proc *proc);
static void print_queue(struct shell *sh, const struct proc_rxq *rxq);
static void print_age(struct shell *sh, const char *label, uint64_t tsc, const char *behind,
		      const char *key);
static bool is_never(const struct shell *sh, uint64_t tsc);
static double load(struct shell *sh, const struct proc *proc);

static const struct print_column list_columns[] = {
	{"Type", 6},
	{"Address", 18},
	{"Number", 8},
	{"Core", 6},
	{"Stage", 14},
	{"Since", 12},
	{"vPort", 18},
	{"Loops", 16},
	{"Frames", 14},
	{"Sleeps", 12},
	{"Load", 0, "load_percent", "%s %%"},
};

static const struct print_column queue_columns[] = {
	{"vNic", 18},     {"vPort", 18}, {"Queue", 7}, {"Load %", 8, "load_percent"},
	{"Frames/s", 12}, {"Pinned", 8}, {"Name"},
};

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
	print_blank();
	clock_print(sh);
	PRINT_TABLE("", list_columns);
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		tgt_addr addr;
		int err;

		if (!walk_proc(sh, i, &addr))
			continue;
		err = walk_object(sh, addr, OBJECT_PROC, proc, &why);
		if (err < 0)
			walk_trouble(sh, "", "PROC", addr, &why);
		else
			proc_list_row(sh, addr, proc, err == WALK_TORN);
	}
	if (walk_n_procs(sh) == 0)
		print_none();
	free(proc);
}

static void proc_list_row(struct shell *sh, tgt_addr addr, const struct proc *proc, bool torn)
{
	double since_s = clock_seconds_ago(sh, proc->stage_tsc);

	print_cell("PROC");
	print_cell_addr(addr);
	print_cell_fmt("%u", proc->number);
	print_cell_fmt("%u", proc->core);
	print_cell(name_proc_stage(proc->stage));
	if (is_never(sh, proc->stage_tsc)) {
		print_cell_absent("[Never]");
	} else {
		print_cell(print_duration(since_s).s);
		print_extra("since_s", "%.6f", since_s);
	}
	print_cell_addr(tgt_ptr(proc->port));
	print_cell_fmt("%lu", proc->loops);
	print_cell_fmt("%lu", proc->frames);
	print_cell_fmt("%lu", proc->sleeps);
	print_cell_fmt("%.1f", load(sh, proc));
	print_row_end(torn);
}

static int proc_detail(struct shell *sh, tgt_addr addr, struct proc *proc, struct why *why)
{
	const struct type_map *map;
	int err = walk_object(sh, addr, OBJECT_PROC, proc, why);
	int torn = err;

	if (err >= 0)
		err = shell_map(sh, "proc", sizeof(*proc), &map, why);
	if (err < 0)
		return err;
	print_title("PROC", addr, torn == WALK_TORN);
	print_text_row("Name", TEXT(proc->obj.name));
	print_row("Number", "%u", proc->number);
	print_row("Core", "%u", proc->core);
	print_node(sh, proc);
	print_thread(sh, proc->tid);
	PRINT_FIELD_BY(map, "copy_name", "Copy primitives",
		       print_text_row("Copy primitives", TEXT(proc->copy_name)));
	PRINT_FIELD(map, "poll_always", "Polls", "%s", proc->poll_always ? "always" : "adaptively");

	print_section("STATE");
	clock_print(sh);
	print_values("Stage", "number name", "%u (%s)", proc->stage, name_proc_stage(proc->stage));
	print_age(sh, "Since", proc->stage_tsc, "", "since_s");
	print_link("vPort", tgt_ptr(proc->port), "nvkd.vport");
	print_row("Queue", "%u", proc->queue);
	print_values("Burst", "frames bytes", "%u frames, %u bytes", proc->burst.n,
		     proc->burst.bytes);
	print_age(sh, "Last frame", proc->last_frame_tsc, " ago", "last_frame_s");
	print_values("Clock", ".", "%u s", proc->now_s);
	print_work(sh, map, proc);
	print_queues(sh, proc);
	print_section("MORE INFORMATION");
	print_link("Where it is", addr, "where");
	print_link("Frames in hand", addr, "vnbl");
	return 0;
}

static void print_node(struct shell *sh, const struct proc *proc)
{
	const struct type_map *map;
	struct why why;

	if (proc->node < 0)
		print_absent("NUMA node", "[Not known]");
	else if (shell_map(sh, "proc", sizeof(*proc), &map, &why) == 0)
		PRINT_FIELD(map, "node", "NUMA node", "%d", proc->node);
}

static void print_thread(struct shell *sh, int32_t tid)
{
	char state = where_thread_state(sh, tid);

	if (state != '\0')
		print_values("Thread", "tid state", "%d (%c)", tid, state);
	else
		print_values("Thread", "tid", "%d", tid);
}

static void print_work(struct shell *sh, const struct type_map *map, const struct proc *proc)
{
	print_section("WORK");
	PRINT_FIELD(map, "loops", "Loops", "%lu", proc->loops);
	PRINT_FIELD(map, "bursts", "Bursts", "%lu", proc->bursts);
	PRINT_FIELD(map, "frames", "Frames", "%lu", proc->frames);
	PRINT_FIELD(map, "sleeps", "Sleeps", "%lu", proc->sleeps);
	PRINT_FIELD_VALUES(map, "timed_sleeps", "Timed sleeps", "count unwakeable_queues",
			   "%lu, because %u queues could not wake it at the last one",
			   proc->timed_sleeps, proc->unwakeable);
	print_values("Load", "-", "%.1f %% of the time since its start found frames",
		     load(sh, proc));
	print_extra("load_percent", "%.1f", load(sh, proc));
	print_values("Last second", "load_percent frames_s",
		     "%.1f %% of it found frames, %u frames per second", proc->load / 10.0,
		     proc->frames_s);
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
		walk_trouble(sh, "    ", "CONF", addr, &why);
		return;
	}
	err = addr.v != 0 ? type_read(sh->target, conf_map, addr, &conf) : 0;
	if (addr.v == 0 || (err == 0 && conf.n_rxqs == 0)) {
		print_none();
		return;
	}
	if (err != 0 || conf.n_rxqs > PROC_RXQS_MAX) {
		why_set(&why, err,
			err != 0 ? "the list cannot be read" : "it counts more queues than can be");
		walk_trouble(sh, "    ", "CONF", addr, &why);
		return;
	}
	PRINT_TABLE("    ", queue_columns);
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
	struct vnic nic;
	struct why why;
	int err = walk_object(sh, tgt_ptr(rxq->port), OBJECT_VPORT, &port, &why);

	if (err < 0) {
		walk_trouble(sh, "    ", "VPORT", tgt_ptr(rxq->port), &why);
		return;
	}
	err = walk_object(sh, tgt_ptr(rxq->nic), OBJECT_VNIC, &nic, &why);
	if (err < 0 || rxq->queue >= VNIC_QUEUES_MAX) {
		if (err >= 0)
			why_set(&why, -EINVAL, "a NIC has no queue %u", rxq->queue);
		walk_trouble(sh, "    ", "VNIC", tgt_ptr(rxq->nic), &why);
		return;
	}
	print_cell_addr(tgt_ptr(rxq->nic));
	print_cell_addr(tgt_ptr(rxq->port));
	print_cell_fmt("%u", rxq->queue);
	print_cell_fmt("%.1f", nic.rxq[rxq->queue].load / 10.0);
	print_cell_fmt("%u", nic.rxq[rxq->queue].frames_s);
	cmd_vnic_print_pinned(&nic.rxq[rxq->queue]);
	print_cell_text(TEXT(port.obj.name));
	print_row_end(false);
}

// How long ago it was, and 'behind' this; in JSON also as a number of seconds with this key.
static void print_age(struct shell *sh, const char *label, uint64_t tsc, const char *behind,
		      const char *key)
{
	double seconds = clock_seconds_ago(sh, tsc);

	if (is_never(sh, tsc)) {
		print_absent(label, "[Never]");
		return;
	}
	print_row(label, "%s%s", print_duration(seconds).s, behind);
	print_extra(key, "%.6f", seconds);
}

// A reading of the cycle counter that was not taken, or says nothing.
static bool is_never(const struct shell *sh, uint64_t tsc)
{
	return tsc == 0 || sh->root->tsc_hz == 0;
}

static double load(struct shell *sh, const struct proc *proc)
{
	uint64_t now = clock_now(sh);

	uint64_t start = proc->started_tsc != 0 ? proc->started_tsc : proc->start_tsc;

	if (start == 0 || now <= start)
		return 0;
	return 100.0 * (double)proc->busy_tsc / (double)(now - start);
}

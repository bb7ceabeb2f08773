/*
 * vmq, qosline, extension: objects of the original that this switch has none of. The commands say
 * so, and show what stands in their place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/cmd_vnic.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "ports/drops.h"
#include "switch/proc_types.h"

struct queue_totals {
	unsigned nics;
	unsigned queues;
	unsigned unserved;
	unsigned by_proc[PROC_MAX];
};

struct drop_total {
	unsigned reason;
	uint64_t frames;
};

static int refuse(const char *what, const char *word, struct why *why);
static int count_queues(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_rxqs(struct shell *sh);
static int print_nic_rxqs(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_moves(struct shell *sh);
static void print_proc_queues(struct shell *sh, const struct queue_totals *totals);
static uint64_t count_drops(struct shell *sh, unsigned reason);
static int add_drops(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);

static const struct print_column vmq_columns[] = {
	{"Type", 6}, {"Address", 18}, {"QueueId", 9}, {"vPort", 18}, {"MAC", 19},
	{"VLAN", 6}, {"State", 14},   {"Proc", 6},    {"Load"},
};

static const struct print_column qosline_columns[] = {
	{"Type", 8},         {"Address", 18},      {"vNic", 18},       {"Bandwidth", 12},
	{"ActiveFlows", 14}, {"ActiveWeight", 14}, {"SendWindow", 12}, {"Name"},
};

static const struct print_column extension_columns[] = {
	{"Type", 11}, {"Address", 18}, {"vSwitch", 18},
	{"Kind", 12}, {"State", 12},   {"FriendlyName"},
};

static const struct print_column rxq_columns[] = {
	{"vNic", 18},     {"Queue", 7},  {"Proc", 6},   {"Load %", 8, "load_percent"},
	{"Frames/s", 12}, {"Moves", 10}, {"Pinned", 8}, {"Name"},
};

static const struct print_column move_columns[] = {
	{"Time", 20},  {"Queue", 7},    {"From", 6},   {"To", 4}, {"Why", 10},
	{"Load %", 8}, {"From had", 9}, {"To had", 8}, {"Name"},
};

static const struct print_column proc_columns[] = {
	{"Proc", 18}, {"Number", 8}, {"Core", 6}, {"Queues", 8}, {"Load %", 0, "load_percent"},
};

int cmd_vmq(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct queue_totals totals = {.nics = 0};

	if (argc > 1)
		return refuse("VMQ", argv[1], why);
	PRINT_TABLE("", vmq_columns);
	print_none();
	print_blank();
	walk_ports(sh, count_queues, &totals);
	print_values("VMQs", ".", "%u: no queue of a NIC is given to a port", 0);
	print_values("Receive queues", "- - -",
		     "%u of %u NICs, %u of them without a proc   !nvkd.vnic", totals.queues,
		     totals.nics, totals.unserved);
	print_extra("nics", "%u", totals.nics);
	print_extra("queues", "%u", totals.queues);
	print_extra("queues_without_proc", "%u", totals.unserved);
	print_rxqs(sh);
	print_proc_queues(sh, &totals);
	print_moves(sh);
	return 0;
}

int cmd_qosline(struct shell *sh, int argc, char **argv, struct why *why)
{
	if (argc > 1)
		return refuse("QoS line", argv[1], why);
	PRINT_TABLE("", qosline_columns);
	print_none();
	print_blank();
	print_values("QoS lines", ".", "%u: no port's traffic is shaped or weighed", 0);
	print_values("Dropped", ".", "%lu frames over a limit   !drops", count_drops(sh, DROP_Qos));
	return 0;
}

int cmd_extension(struct shell *sh, int argc, char **argv, struct why *why)
{
	if (argc > 1)
		return refuse("extension", argv[1], why);
	PRINT_TABLE("", extension_columns);
	print_none();
	print_blank();
	print_values("Extensions", "count switches",
		     "%u on %u switches: a frame passes the switch's own stages only", 0,
		     walk_n_vswitches(sh));
	print_values("Dropped", ".", "%lu frames for want of an extension   !drops",
		     count_drops(sh, DROP_RequiredExtensionMissing));
	return 0;
}

static int refuse(const char *what, const char *word, struct why *why)
{
	return why_set(why, -ENOENT, "there is no %s '%.100s': this switch has none", what,
		       print_text(word, strlen(word)).s);
}

static int count_queues(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct queue_totals *totals = arg;
	struct vport port;
	tgt_addr proc;
	struct vnic nic;
	struct why why;

	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0) {
		walk_trouble(sh, "    ", "VPORT", addr, &why);
		return 0;
	}
	if (port.nic == NULL)
		return 0;
	if (walk_object(sh, tgt_ptr(port.nic), OBJECT_VNIC, &nic, &why) < 0) {
		walk_trouble(sh, "    ", "VNIC", tgt_ptr(port.nic), &why);
		return 0;
	}
	totals->nics++;
	for (unsigned i = 0; i < nic.n_queues && i < VNIC_QUEUES_MAX; i++) {
		totals->queues++;
		if (walk_proc(sh, nic.rxq[i].proc, &proc))
			totals->by_proc[nic.rxq[i].proc]++;
		else
			totals->unserved++;
	}
	return 0;
}

static void print_rxqs(struct shell *sh)
{
	unsigned rows = 0;

	print_section("RECEIVE QUEUES");
	PRINT_TABLE("    ", rxq_columns);
	walk_ports(sh, print_nic_rxqs, &rows);
	if (rows == 0)
		print_none();
}

static int print_nic_rxqs(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	unsigned *rows = arg;
	struct vnic nic;
	tgt_addr nic_addr;

	if (!walk_port_nic(sh, addr, &nic_addr, &nic))
		return 0;
	for (unsigned i = 0; i < nic.n_queues && i < VNIC_QUEUES_MAX; i++) {
		const struct vnic_rxq *rxq = &nic.rxq[i];

		print_cell_addr(nic_addr);
		print_cell_fmt("%u", i);
		if (rxq->proc == VNIC_PROC_NONE)
			print_cell("[None]");
		else
			print_cell_fmt("%u", rxq->proc);
		print_cell_fmt("%.1f", rxq->load / 10.0);
		print_cell_fmt("%u", rxq->frames_s);
		print_cell_fmt("%lu", rxq->moves);
		cmd_vnic_print_pinned(rxq);
		print_cell_text(TEXT(nic.obj.name));
		print_row_end(false);
		(*rows)++;
	}
	return 0;
}

// The latest first.
static void print_moves(struct shell *sh)
{
	const struct vmq_moves *moves = &sh->root->moves;

	print_section("MOVES BY LOAD");
	PRINT_TABLE("    ", move_columns);
	for (uint64_t i = 1; i <= moves->n && i <= VMQ_MOVES_KEPT; i++) {
		const struct vmq_move *m = &moves->kept[(moves->n - i) % VMQ_MOVES_KEPT];

		print_cell_text(print_wall_clock(m->time_s));
		print_cell_fmt("%u", m->queue);
		print_cell_fmt("%u", m->from);
		print_cell_fmt("%u", m->to);
		print_cell(name_vmq_reason(m->reason));
		print_cell_fmt("%.1f", m->load / 10.0);
		print_cell_fmt("%.1f", m->from_load / 10.0);
		print_cell_fmt("%.1f", m->to_load / 10.0);
		print_cell_text(TEXT(m->port));
		print_row_end(false);
	}
	if (moves->n == 0)
		print_none();
}

static void print_proc_queues(struct shell *sh, const struct queue_totals *totals)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct why why;

	if (proc == NULL)
		return;
	print_section("PROCS");
	PRINT_TABLE("    ", proc_columns);
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		tgt_addr addr;

		if (!walk_proc(sh, i, &addr))
			continue;
		if (walk_object(sh, addr, OBJECT_PROC, proc, &why) < 0) {
			walk_trouble(sh, "    ", "PROC", addr, &why);
			continue;
		}
		print_cell_addr(addr);
		print_cell_fmt("%u", proc->number);
		print_cell_fmt("%u", proc->core);
		print_cell_fmt("%u", proc->number < PROC_MAX ? totals->by_proc[proc->number] : 0);
		print_cell_fmt("%.1f", proc->load / 10.0);
		print_row_end(false);
	}
	if (walk_n_procs(sh) == 0)
		print_none();
	free(proc);
}

static uint64_t count_drops(struct shell *sh, unsigned reason)
{
	struct drop_total total = {.reason = reason};

	walk_ports(sh, add_drops, &total);
	return total.frames;
}

static int add_drops(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct drop_total *total = arg;
	struct vport_stats sum;
	struct vport port;
	struct why why;

	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0 ||
	    walk_stats(sh, &port, &sum, &why) != 0) {
		walk_trouble(sh, "    ", "VPORT", addr, &why);
		return 0;
	}
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		total->frames += sum.drops[d][total->reason];
	return 0;
}

#include "debugshell/top_sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "debugshell/clock.h"
#include "debugshell/print.h"
#include "debugshell/ring.h"
#include "debugshell/root.h"
#include "debugshell/walk.h"
#include "debugshell/where.h"
#include "ports/vnic_types.h"

static int read_procs(struct shell *sh, struct top_sample *s);
static void read_proc(struct shell *sh, struct top_sample *s, tgt_addr addr, struct proc *proc);
static uint64_t count_rxqs(struct shell *sh, const struct proc *proc);
static int read_ports(struct shell *sh, struct top_sample *s);
static int make_room(struct top_sample *s, uint32_t n);
static void read_port(struct shell *sh, struct top_sample *s, tgt_addr addr);
static void add_port(struct shell *sh, struct top_sample *s, tgt_addr addr,
		     const struct vport *port, const struct vport_stats *sum);
static void read_queues(struct shell *sh, struct top_sample *s, tgt_addr addr,
			const struct vnic *nic);
static void read_ring(struct shell *sh, struct top_sample *s, struct top_queue *queue);
static void damaged(struct shell *sh, struct top_sample *s, const char *what, tgt_addr addr,
		    const struct why *why);
static void take_troubles(struct shell *sh, struct top_sample *s, unsigned before);

int top_sample_read(struct shell *sh, struct top_sample **ret, struct why *why)
{
	unsigned troubles = sh->troubles;
	struct top_sample *s;
	int err;

	sh->generation = walk_generation(sh);
	sh->runs = sh->target->ops->state(sh->target) == TARGET_RUNNING;
	err = root_read(sh, why);
	if (err != 0)
		return err;
	root_check(sh);
	clock_start(sh);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	s->runs = sh->runs;
	s->tsc = clock_now(sh);
	s->tsc_hz = sh->root->tsc_hz;
	err = read_procs(sh, s);
	if (err == 0)
		err = read_ports(sh, s);
	if (err != 0)
		why_set(why, err, "out of memory");
	else if (sh->target->ops->state(sh->target) == TARGET_ENDED)
		err = why_set(why, -ESRCH, "%s has ended", sh->target->name);
	take_troubles(sh, s, troubles);
	if (err != 0) {
		top_sample_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void top_sample_free(struct top_sample *sample)
{
	if (sample == NULL)
		return;
	free(sample->ports);
	free(sample->queues);
	free(sample);
}

static int read_procs(struct shell *sh, struct top_sample *s)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	tgt_addr addr;

	if (proc == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < sh->root->n_procs; i++)
		if (walk_proc(sh, i, &addr))
			read_proc(sh, s, addr, proc);
	free(proc);
	return 0;
}

static void read_proc(struct shell *sh, struct top_sample *s, tgt_addr addr, struct proc *proc)
{
	struct target_thread thread;
	struct why why;

	if (walk_object(sh, addr, OBJECT_PROC, proc, &why) < 0) {
		damaged(sh, s, "PROC", addr, &why);
		return;
	}
	thread = where_thread(sh, proc->tid);
	s->procs[s->n_procs++] = (struct top_proc){
		.addr = addr,
		.start_tsc = proc->started_tsc != 0 ? proc->started_tsc : proc->start_tsc,
		.tsc = clock_now(sh),
		.number = proc->number,
		.core = proc->core,
		.stage = proc->stage,
		.n_rxqs = count_rxqs(sh, proc),
		.loops = proc->loops,
		.frames = proc->frames,
		.bursts = proc->bursts,
		.sleeps = proc->sleeps,
		.busy_tsc = proc->busy_tsc,
		.ran_ns = thread.ran_ns,
		.thread_state = thread.state,
	};
}

static uint64_t count_rxqs(struct shell *sh, const struct proc *proc)
{
	const struct type_map *map;
	struct proc_conf conf;
	struct why why;

	if (proc->conf == NULL || shell_map(sh, "proc_conf", sizeof(conf), &map, &why) != 0 ||
	    type_read(sh->target, map, tgt_ptr(proc->conf), &conf) != 0 ||
	    conf.n_rxqs > PROC_RXQS_MAX)
		return TOP_NONE;
	return conf.n_rxqs;
}

static int read_ports(struct shell *sh, struct top_sample *s)
{
	struct why why;
	int err = 0;

	for (uint32_t i = 0; i < walk_n_vswitches(sh) && err == 0; i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);
		struct walk_vswitch *v = walk_vswitch(sh, addr, &why);

		if (v == NULL) {
			damaged(sh, s, "VSWITCH", addr, &why);
			continue;
		}
		err = make_room(s, v->n_ports);
		for (uint32_t p = 0; p < v->n_ports && err == 0; p++)
			read_port(sh, s, v->ports[p]);
		free(v);
	}
	return err;
}

// For 'n' more ports and all of their queues.
static int make_room(struct top_sample *s, uint32_t n)
{
	size_t n_ports = (size_t)s->n_ports + n;
	size_t n_queues = s->n_queues + 2 * (size_t)n * VNIC_QUEUES_MAX;
	void *at = realloc(s->ports, (n_ports + 1) * sizeof(s->ports[0]));

	if (at == NULL)
		return -ENOMEM;
	s->ports = at;
	at = realloc(s->queues, (n_queues + 1) * sizeof(s->queues[0]));
	if (at == NULL)
		return -ENOMEM;
	s->queues = at;
	return 0;
}

static void read_port(struct shell *sh, struct top_sample *s, tgt_addr addr)
{
	struct vport_stats sum;
	struct vport port;
	struct vnic nic;
	struct why why;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, &why);

	if (err >= 0)
		err = walk_stats(sh, &port, &sum, &why);
	if (err < 0) {
		damaged(sh, s, "VPORT", addr, &why);
		return;
	}
	add_port(sh, s, addr, &port, &sum);
	if (port.nic == NULL)
		return;
	if (walk_object(sh, tgt_ptr(port.nic), OBJECT_VNIC, &nic, &why) < 0) {
		damaged(sh, s, "VNIC", tgt_ptr(port.nic), &why);
		return;
	}
	s->ports[s->n_ports - 1].has_nic = true;
	s->ports[s->n_ports - 1].nic_state = nic.state;
	read_queues(sh, s, tgt_ptr(port.nic), &nic);
}

static void add_port(struct shell *sh, struct top_sample *s, tgt_addr addr,
		     const struct vport *port, const struct vport_stats *sum)
{
	struct top_port *to = &s->ports[s->n_ports++];

	*to = (struct top_port){
		.addr = addr,
		.vswitch = tgt_ptr(port->vswitch),
		.created_s = port->created_s,
		.tsc = clock_now(sh),
		.id = port->id,
		.type = port->type,
		.rx_frames = sum->rx_frames,
		.rx_bytes = sum->rx_bytes,
		.tx_frames = sum->tx_frames,
		.tx_bytes = sum->tx_bytes,
	};
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		for (unsigned r = 0; r < DROP_COUNT; r++)
			to->drops[d][r] = sum->drops[d][r];
	snprintf(to->name, sizeof(to->name), "%.*s", OBJECT_NAME_SIZE - 1, TEXT(port->obj.name).s);
}

static void read_queues(struct shell *sh, struct top_sample *s, tgt_addr addr,
			const struct vnic *nic)
{
	unsigned n = nic->n_queues < VNIC_QUEUES_MAX ? nic->n_queues : VNIC_QUEUES_MAX;
	const char *name = s->ports[s->n_ports - 1].name;

	for (unsigned i = 0; i < 2 * n; i++) {
		struct top_queue *to = &s->queues[s->n_queues++];
		const struct vnic_rxq *rxq = i % 2 == 0 ? &nic->rxq[i / 2] : NULL;

		*to = (struct top_queue){
			.nic = addr,
			.tsc = clock_now(sh),
			.index = (uint16_t)(i / 2),
			.is_tx = rxq == NULL,
			.proc = rxq == NULL || rxq->proc == VNIC_PROC_NONE ? TOP_NONE : rxq->proc,
			.bursts = rxq == NULL ? TOP_NONE : rxq->bursts,
			.chains = TOP_NONE,
			.interrupts = TOP_NONE,
			.kicks = TOP_NONE,
		};
		snprintf(to->name, sizeof(to->name), "%s", name);
		if (nic->kind == VNIC_VHOST)
			read_ring(sh, s, to);
	}
}

// What only a VM's queue counts, from its ring. An odd one is what the guest sends by.
static void read_ring(struct shell *sh, struct top_sample *s, struct top_queue *queue)
{
	unsigned index = 2U * queue->index + (queue->is_tx ? 0 : 1);
	const struct type_map *map;
	struct vhost_ring ring;
	uint32_t rings = 0;
	struct why why;
	tgt_addr addr = queue->nic;
	int err;

	err = shell_map(sh, "vhost_ring", sizeof(ring), &map, &why);
	if (err == 0)
		err = walk_field(sh, "vhost", "rings", offsetof(struct vhost, rings), &rings, &why);
	if (err == 0) {
		addr = tgt_add(addr, rings + (uint64_t)index * map->from_size);
		err = type_read(sh->target, map, addr, &ring);
		if (err != 0)
			why_set(&why, err, "ring %u cannot be read: %s", index,
				tgt_strerror(sh->target, err));
	}
	if (err != 0) {
		damaged(sh, s, "RING", addr, &why);
		return;
	}
	queue->life = ring.attached;
	queue->tsc = clock_now(sh);
	queue->chains = ring.q.chains;
	queue->interrupts = ring.q.calls;
	queue->kicks = ring.q.kicks_asked;
}

// Unless it went away since the sample was begun.
static void damaged(struct shell *sh, struct top_sample *s, const char *what, tgt_addr addr,
		    const struct why *why)
{
	if (sh->runs && walk_generation(sh) != sh->generation)
		return;
	if (s->n_damaged++ == 0)
		why_set(&s->why, 0, "%s %016lx: %.400s", what, addr.v, why->text);
}

// Lists that are wrong are met, told and counted where they are walked.
static void take_troubles(struct shell *sh, struct top_sample *s, unsigned before)
{
	if (sh->troubles > before && s->n_damaged == 0)
		why_set(&s->why, 0, "a list of switches, procs or ports; vswitch tells which");
	s->n_damaged += sh->troubles - before;
	sh->troubles = before;
}

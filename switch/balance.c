#include "switch/balance.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ports/log.h"
#include "ports/object.h"
#include "ports/vnic.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "vmq/place.h"

enum {
	MOVES_MAX = 8, // of one interval
	MS_PER_S = 1000
};

// All receive queues that procs have, as place_decide() takes them.
struct survey {
	struct place_proc procs[PROC_MAX];
	unsigned n;
	const struct proc_rxq **rxqs;
	struct place_queue *queues;
};

static bool survey(struct survey *s, uint64_t passed);
static void survey_proc(struct survey *s, const struct proc *p, uint64_t passed);
static void forget(const struct proc *p);
static uint16_t load_of(uint64_t busy_tsc, uint64_t *x_seen, uint64_t passed);
static void carry_out(const struct survey *s, const struct place_move moves[], unsigned n,
		      uint64_t now_tsc);
static void make_record(const struct survey *s, const struct place_move *m, uint64_t now_tsc,
			struct vmq_move *ret);

static struct place_state state;
static uint64_t seen_tsc;
static uint64_t seen_busy[PROC_MAX];
static uint64_t started[PROC_MAX]; // when the proc began of which the rest is known

void balance_tick(uint64_t now_tsc)
{
	struct place_move moves[MOVES_MAX];
	uint64_t since = seen_tsc != 0 ? seen_tsc : vsw_root.start_tsc, passed = now_tsc - since;
	struct survey s = {.n = 0};
	unsigned n;

	if (proc_count() < 2 || now_tsc <= since)
		return;
	seen_tsc = now_tsc;
	if (survey(&s, passed)) {
		n = place_decide(&place_defaults, &state, s.procs, s.queues, s.n,
				 now_tsc / (vsw_root.tsc_hz / MS_PER_S), moves, MOVES_MAX);
		if (n > 0)
			carry_out(&s, moves, n, now_tsc);
	}
	free(s.rxqs);
	free(s.queues);
}

// False: no memory, now.
static bool survey(struct survey *s, uint64_t passed)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PROC_MAX; i++)
		n += proc_at(i) != NULL ? atomic_load(&proc_at(i)->conf)->n_rxqs : 0;
	s->rxqs = calloc(n + 1, sizeof(s->rxqs[0]));
	s->queues = calloc(n + 1, sizeof(s->queues[0]));
	if (s->rxqs == NULL || s->queues == NULL)
		return false;
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL)
			survey_proc(s, proc_at(i), passed);
	return true;
}

static void survey_proc(struct survey *s, const struct proc *p, uint64_t passed)
{
	const struct proc_conf *conf = atomic_load(&p->conf);
	struct place_proc *proc = &s->procs[p->number];

	if (p->started_tsc != started[p->number])
		forget(p);
	proc->is_there = 1;
	proc->load = load_of(p->busy_tsc, &seen_busy[p->number], passed);
	proc->node = p->node > 0 ? (uint8_t)p->node : 0;
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		const struct proc_rxq *rxq = &conf->rxqs[i];
		struct vnic_rxq *q = &rxq->nic->rxq[rxq->queue];

		s->rxqs[s->n] = rxq;
		s->queues[s->n++] = (struct place_queue){
			.load = load_of(q->busy_tsc, &q->balanced_tsc, passed),
			.proc = (uint16_t)p->number,
			.node = proc->node,
			.is_pinned = p->core + 1 == q->pinned || rxq->vswitch->vmq_static,
		};
	}
}

// What is known is of another proc that had the number.
static void forget(const struct proc *p)
{
	started[p->number] = p->started_tsc;
	seen_busy[p->number] = 0;
	state.above_ms[p->number] = 0;
	state.below_ms[p->number] = 0;
	state.touched_ms[p->number] = 0;
}

// A queue that is seen for the first time begins at 0.
static uint16_t load_of(uint64_t busy_tsc, uint64_t *x_seen, uint64_t passed)
{
	uint64_t busy = busy_tsc >= *x_seen ? busy_tsc - *x_seen : busy_tsc;

	*x_seen = busy_tsc;
	return busy < passed ? (uint16_t)(busy * PLACE_FULL / passed) : PLACE_FULL;
}

static void carry_out(const struct survey *s, const struct place_move moves[], unsigned n,
		      uint64_t now_tsc)
{
	struct vmq_moves *log = &vsw_root.moves;
	struct proc_move to_do[MOVES_MAX];
	struct vmq_move records[MOVES_MAX];
	struct errtext e;

	for (unsigned i = 0; i < n; i++) {
		const struct proc_rxq *rxq = s->rxqs[moves[i].queue];

		to_do[i] =
			(struct proc_move){.nic = rxq->nic, .queue = rxq->queue, .to = moves[i].to};
		make_record(s, &moves[i], now_tsc, &records[i]);
	}
	// What 's' points to goes with the procs' old configurations.
	if (proc_move_rxqs(to_do, n, &e) < 0) {
		log_warn("receive queues stay where they are: %s", e.text);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		log->kept[log->n++ % VMQ_MOVES_KEPT] = records[i];
}

static void make_record(const struct survey *s, const struct place_move *m, uint64_t now_tsc,
			struct vmq_move *ret)
{
	const struct proc_rxq *rxq = s->rxqs[m->queue];

	*ret = (struct vmq_move){.time_s = time(NULL),
				 .tsc = now_tsc,
				 .queue = rxq->queue,
				 .from = m->from,
				 .to = m->to,
				 .reason = m->reason,
				 .load = s->queues[m->queue].load,
				 .from_load = m->from_load,
				 .to_load = m->to_load,
				 .from_after = m->from_after,
				 .to_after = m->to_after};
	snprintf(ret->port, sizeof(ret->port), "%s", rxq->port->obj.name);
}

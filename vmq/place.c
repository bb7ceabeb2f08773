#include "vmq/place.h"

#include <string.h>

const struct place_conf place_defaults = {
	.upper = 800,
	.target = 600,
	.lower = 200,
	.margin = 50,
	.expand_ms = 200,
	.coalesce_ms = 3000,
	.stagger_ms = 200,
	.refund_ms = 50,
	.moves_max = 8,
};

// A decision in the making: loads as they will be when the moves so far are done.
struct plan {
	const struct place_conf *conf;
	struct place_state *state;
	const struct place_proc *procs;
	const struct place_queue *queues;
	unsigned n_queues;
	uint64_t now_ms;
	uint32_t loads[PROC_MAX];
	uint32_t n_on[PROC_MAX]; // queues
	uint32_t touched;        // bit per proc: takes part in a move of this plan
	struct place_move *moves;
	unsigned n;
	unsigned max;
};

static void note_levels(struct plan *p);
static void refund(struct plan *p);
static bool is_ready(const struct plan *p, unsigned proc);
static bool is_due(const struct plan *p, uint64_t since_ms, uint32_t for_ms);
static void expand(struct plan *p, unsigned from);
static bool expand_once(struct plan *p, unsigned from);
static uint32_t gain_due(const struct plan *p, const struct place_queue *q);
static int target_for(const struct plan *p, const struct place_queue *q);
static void coalesce(struct plan *p, unsigned from);
static int home_for(const struct plan *p, const struct place_queue *q, const uint32_t loads[]);
static bool is_moved(const struct plan *p, unsigned queue);
static void move(struct plan *p, unsigned queue, unsigned to, enum vmq_reason reason);
static uint32_t higher(uint32_t a, uint32_t b);
static uint32_t without(uint32_t load, uint32_t part);

int place_new_queue(const uint32_t n_rxqs[], unsigned n_procs)
{
	int best = PLACE_NONE;

	for (unsigned i = 0; i < n_procs; i++) {
		if (best == PLACE_NONE || n_rxqs[i] < n_rxqs[best])
			best = (int)i;
	}
	return best;
}

unsigned place_decide(const struct place_conf *conf, struct place_state *state,
		      const struct place_proc procs[], const struct place_queue queues[],
		      unsigned n_queues, uint64_t now_ms, struct place_move moves[], unsigned max)
{
	struct plan p = {.conf = conf,
			 .state = state,
			 .procs = procs,
			 .queues = queues,
			 .n_queues = n_queues,
			 .now_ms = now_ms,
			 .moves = moves,
			 .max = max};

	for (unsigned i = 0; i < PROC_MAX; i++)
		p.loads[i] = procs[i].is_there ? procs[i].load : 0;
	for (unsigned i = 0; i < n_queues; i++)
		p.n_on[queues[i].proc]++;
	refund(&p);
	note_levels(&p);
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (is_ready(&p, i) && is_due(&p, state->above_ms[i], conf->expand_ms))
			expand(&p, i);
	// While one proc is too full, nothing is put together.
	if (p.n > 0)
		return p.n;
	for (unsigned i = PROC_MAX; i-- > 0 && p.n == 0;)
		if (is_ready(&p, i) && is_due(&p, state->below_ms[i], conf->coalesce_ms))
			coalesce(&p, i);
	return p.n;
}

static void note_levels(struct plan *p)
{
	for (unsigned i = 0; i < PROC_MAX; i++) {
		uint64_t *above = &p->state->above_ms[i], *below = &p->state->below_ms[i];

		if (!p->procs[i].is_there || p->loads[i] <= p->conf->upper)
			*above = 0;
		else if (*above == 0)
			*above = p->now_ms;
		if (!p->procs[i].is_there || p->loads[i] >= p->conf->lower)
			*below = 0;
		else if (*below == 0)
			*below = p->now_ms;
	}
}

static void refund(struct plan *p)
{
	struct place_state *s = p->state;
	uint64_t n;

	if (s->refunded_ms == 0) {
		s->refunded_ms = p->now_ms;
		s->tokens = p->conf->moves_max;
		return;
	}
	n = (p->now_ms - s->refunded_ms) / p->conf->refund_ms;
	s->refunded_ms += n * p->conf->refund_ms;
	n += s->tokens;
	s->tokens = n < p->conf->moves_max ? (uint32_t)n : p->conf->moves_max;
}

// There, and measured since it last took part in a move.
static bool is_ready(const struct plan *p, unsigned proc)
{
	uint64_t touched = p->state->touched_ms[proc];

	if (!p->procs[proc].is_there)
		return false;
	return p->touched >> proc & 1 || touched == 0 || p->now_ms - touched >= p->conf->stagger_ms;
}

static bool is_due(const struct plan *p, uint64_t since_ms, uint32_t for_ms)
{
	return since_ms != 0 && p->now_ms - since_ms >= for_ms;
}

static void expand(struct plan *p, unsigned from)
{
	while (p->loads[from] > p->conf->target && expand_once(p, from))
		continue;
}

// The move that leaves the lowest load on the fuller of both sides; of equals, one of a queue that
// is on a node that is not its own.
static bool expand_once(struct plan *p, unsigned from)
{
	uint32_t best_cost = UINT32_MAX;
	unsigned best = 0;
	int best_to = PLACE_NONE;

	for (unsigned i = 0; i < p->n_queues; i++) {
		const struct place_queue *q = &p->queues[i];
		uint32_t after, cost;
		int to;

		if (q->proc != from || q->is_pinned || q->load == 0 || is_moved(p, i))
			continue;
		to = target_for(p, q);
		if (to == PLACE_NONE)
			continue;
		after = higher(without(p->loads[from], q->load), p->loads[to] + q->load);
		cost = 2 * after + (p->procs[from].node == q->node);
		if (cost < best_cost && after + gain_due(p, q) <= p->loads[from]) {
			best_cost = cost;
			best = i;
			best_to = to;
		}
	}
	if (best_to == PLACE_NONE || p->state->tokens == 0 || p->n == p->max)
		return false;
	move(p, best, (unsigned)best_to, VMQ_OVERLOAD);
	return true;
}

// What a move must lower the higher load by: of a small queue, half of its own.
static uint32_t gain_due(const struct plan *p, const struct place_queue *q)
{
	uint32_t half = (q->load + 1u) / 2;

	return half < p->conf->margin ? half : p->conf->margin;
}

/*
 * A proc on the queue's own node goes before all others. Then: the fullest in use that has room
 * for it, one that polls nothing, the emptiest.
 */
static int target_for(const struct plan *p, const struct place_queue *q)
{
	enum { CROWDED = 1, IDLE, ROOM, NEAR = 4 };
	uint32_t best_rank = 0, best_load = 0;
	int best = PLACE_NONE;

	for (unsigned i = 0; i < PROC_MAX; i++) {
		uint32_t load = p->loads[i], rank;
		bool better;

		if (i == q->proc || !is_ready(p, i))
			continue;
		if (load + q->load > p->conf->target)
			rank = p->n_on[i] == 0 ? IDLE : CROWDED;
		else
			rank = p->n_on[i] == 0 ? IDLE : ROOM;
		rank += p->procs[i].node == q->node ? NEAR : 0;
		better = rank % NEAR == ROOM ? load > best_load : load < best_load;
		if (best == PLACE_NONE || rank > best_rank || (rank == best_rank && better)) {
			best = (int)i;
			best_rank = rank;
			best_load = load;
		}
	}
	return best;
}

// All queues of a proc that has little to do, or none: a proc that keeps one does not sleep.
static void coalesce(struct plan *p, unsigned from)
{
	uint32_t loads[PROC_MAX];
	unsigned n = 0;

	memcpy(loads, p->loads, sizeof(loads));
	for (unsigned i = 0; i < p->n_queues; i++) {
		const struct place_queue *q = &p->queues[i];
		int to;

		if (q->proc != from)
			continue;
		to = home_for(p, q, loads);
		if (q->is_pinned || to == PLACE_NONE)
			return;
		loads[to] += q->load;
		n++;
	}
	if (n == 0)
		return;
	for (unsigned i = 0; i < p->n_queues; i++) {
		const struct place_queue *q = &p->queues[i];

		if (p->state->tokens == 0 || p->n == p->max)
			return;
		if (q->proc == from)
			move(p, i, (unsigned)home_for(p, q, p->loads), VMQ_COALESCE);
	}
}

// The lowest proc that has room; of those on the queue's own node, if there are any.
static int home_for(const struct plan *p, const struct place_queue *q, const uint32_t loads[])
{
	int best = PLACE_NONE;

	for (unsigned i = 0; i < q->proc; i++) {
		if (!is_ready(p, i) || loads[i] + q->load > p->conf->target)
			continue;
		if (p->procs[i].node == q->node)
			return (int)i;
		if (best == PLACE_NONE)
			best = (int)i;
	}
	return best;
}

static bool is_moved(const struct plan *p, unsigned queue)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->moves[i].queue == queue)
			return true;
	return false;
}

static void move(struct plan *p, unsigned queue, unsigned to, enum vmq_reason reason)
{
	const struct place_queue *q = &p->queues[queue];
	struct place_move *m = &p->moves[p->n++];

	*m = (struct place_move){.queue = queue,
				 .from = q->proc,
				 .to = (uint16_t)to,
				 .reason = (uint8_t)reason,
				 .from_load = (uint16_t)p->loads[q->proc],
				 .to_load = (uint16_t)p->loads[to]};
	p->loads[q->proc] = without(p->loads[q->proc], q->load);
	p->loads[to] += q->load;
	m->from_after = (uint16_t)p->loads[q->proc];
	m->to_after = (uint16_t)p->loads[to];
	p->n_on[q->proc]--;
	p->n_on[to]++;
	p->touched |= 1u << q->proc | 1u << to;
	p->state->touched_ms[q->proc] = p->now_ms;
	p->state->touched_ms[to] = p->now_ms;
	p->state->tokens--;
}

static uint32_t higher(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

// They are measured one after the other, so that a part can be more than the whole.
static uint32_t without(uint32_t load, uint32_t part)
{
	return load > part ? load - part : 0;
}

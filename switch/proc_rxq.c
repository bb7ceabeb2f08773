/*
 * The receive queues of procs: given, taken away, and moved from one to another.
 *
 * A move must lose no frame, and none may overtake another of its queue. Frames that nobody takes
 * wait in the NIC, so nothing is lost while no proc has the queue. For the order it is enough that
 * the old proc has taken up a configuration without the queue before the new one gets it:
 *
 *  - A round is over then, so the old proc holds no frame, and what it received has been given
 *    back (rx_done).
 *  - What it sent is in the other side's ring, or in that ring's inbox when its lock was taken; and
 *    who has the lock sends what is in the inbox before frames of its own. So the new proc's frames
 *    come behind, by whichever way each of them went.
 *  - If it slept, it has disarmed the queue as it woke; the new proc arms it when it has need to.
 *  - It may still owe the guest a call for buffers that it gave back, which vring.c settles
 *    between two procs without a lock.
 *
 * All queues that move together wait for each other: the procs that lose some are asked at once,
 * and one grace period, at the end, is for the configurations that nobody uses any more.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ports/vnic.h"
#include "switch/conf_types.h"
#include "switch/proc.h"
#include "switch/vswitch_types.h"
#include "vmq/place.h"

// The next configurations of the procs, NULL where nothing changes.
struct plan {
	struct proc_conf *less[PROC_MAX]; // without the queues that leave
	struct proc_conf *more[PROC_MAX]; // and with those that come
};

static int choose_proc(const struct proc_rxq *rxq);
static const struct proc *pinned_to(const struct vnic_rxq *rxq);
static void swap_conf(struct proc *p, struct proc_conf *next);
static struct proc_conf *give_conf(struct proc *p, struct proc_conf *next);
static int mark(const struct proc_move *move, struct errtext *e);
static void unmark(const struct proc_move moves[], unsigned n);
static int plan_make(struct plan *plan, struct errtext *e);
static int plan_proc(struct plan *plan, struct proc *p, uint32_t coming, struct errtext *e);
static void plan_carry_out(const struct plan *plan);
static void plan_free(const struct plan *plan);
static bool leaves(const struct proc_rxq *rxq, const struct proc *p);
static unsigned goes_to(const struct proc_rxq *rxq);

struct proc_conf *proc_conf_create(uint32_t room)
{
	struct proc_conf *conf;

	static_assert(PROC_RXQS_MAX == CONF_PORTS_MAX * VNIC_QUEUES_MAX, "all queues of all ports");
	conf = calloc(1, sizeof(*conf) + room * sizeof(conf->rxqs[0]) +
				 (room + 1) * sizeof(struct pollfd));
	if (conf != NULL)
		conf->room = room;
	return conf;
}

int proc_add_rxq(const struct proc_rxq *rxq, struct errtext *e)
{
	int number = choose_proc(rxq);
	struct proc_conf *old, *next;

	if (number == PLACE_NONE)
		return errtext_set(e, -ENODEV, "no proc runs");
	old = atomic_load(&proc_at((unsigned)number)->conf);
	if (old->n_rxqs >= PROC_RXQS_MAX)
		return errtext_set(e, -ENOSPC,
				   "a proc polls at most %u queues; give vswd more procs: `proc "
				   "add`, or --procs",
				   PROC_RXQS_MAX);
	next = proc_conf_create(old->n_rxqs + 1);
	if (next == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	next->n_rxqs = old->n_rxqs + 1;
	memcpy(next->rxqs, old->rxqs, old->n_rxqs * sizeof(next->rxqs[0]));
	next->rxqs[old->n_rxqs] = *rxq;
	atomic_store_explicit(&rxq->nic->rxq[rxq->queue].proc, (uint16_t)number,
			      memory_order_release);
	swap_conf(proc_at((unsigned)number), next);
	return 0;
}

void proc_remove_rxq(struct vnic *nic, uint16_t queue)
{
	uint16_t number = atomic_load(&nic->rxq[queue].proc);
	struct proc_conf *conf, *next;

	if (number == VNIC_PROC_NONE)
		return;
	conf = atomic_load(&proc_at(number)->conf);
	next = proc_conf_create(conf->n_rxqs);
	if (next == NULL)
		abort(); // a smaller copy of what is there; without it the NIC cannot be let go
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		if (conf->rxqs[i].nic != nic || conf->rxqs[i].queue != queue)
			next->rxqs[next->n_rxqs++] = conf->rxqs[i];
	}
	swap_conf(proc_at(number), next);
	atomic_store_explicit(&nic->rxq[queue].proc, VNIC_PROC_NONE, memory_order_release);
}

int proc_move_rxqs(const struct proc_move moves[], unsigned n, struct errtext *e)
{
	struct plan plan = {.less = {NULL}};
	unsigned marked = 0;
	int err = 0;

	for (; marked < n && err == 0; marked++)
		err = mark(&moves[marked], e);
	if (err == 0)
		err = plan_make(&plan, e);
	if (err == 0)
		plan_carry_out(&plan);
	else
		plan_free(&plan);
	unmark(moves, marked);
	return err;
}

int proc_move_rxq(struct vnic *nic, uint16_t queue, unsigned to, struct errtext *e)
{
	const struct proc_move move = {.nic = nic, .queue = queue, .to = (uint16_t)to};

	return proc_move_rxqs(&move, 1, e);
}

int proc_move_pinned(struct errtext *e)
{
	struct proc_move *moves = NULL;
	unsigned n = 0, capacity = 0;
	int err;

	for (unsigned p = 0; p < PROC_MAX; p++)
		capacity += proc_at(p) != NULL ? atomic_load(&proc_at(p)->conf)->n_rxqs : 0;
	if (capacity == 0)
		return 0;
	moves = calloc(capacity, sizeof(moves[0]));
	if (moves == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	for (unsigned p = 0; p < PROC_MAX; p++) {
		const struct proc_conf *conf =
			proc_at(p) != NULL ? atomic_load(&proc_at(p)->conf) : NULL;

		for (uint32_t i = 0; conf != NULL && i < conf->n_rxqs; i++) {
			const struct proc_rxq *rxq = &conf->rxqs[i];
			const struct proc *to = pinned_to(&rxq->nic->rxq[rxq->queue]);

			if (to != NULL && to != proc_at(p))
				moves[n++] = (struct proc_move){.nic = rxq->nic,
								.queue = rxq->queue,
								.to = (uint16_t)to->number};
		}
	}
	err = n > 0 ? proc_move_rxqs(moves, n, e) : 0;
	free(moves);
	return err;
}

// Where it is pinned to; else home, where the load decides how long it stays, or, on a switch whose
// queues stay, where there are the fewest.
static int choose_proc(const struct proc_rxq *rxq)
{
	const struct proc *pinned = pinned_to(&rxq->nic->rxq[rxq->queue]);
	uint32_t n_rxqs[PROC_MAX], n = 0;
	unsigned numbers[PROC_MAX];
	int which;

	if (pinned != NULL)
		return (int)pinned->number;
	for (unsigned i = 0; i < PROC_MAX; i++) {
		if (proc_at(i) == NULL)
			continue;
		n_rxqs[n] = atomic_load(&proc_at(i)->conf)->n_rxqs;
		numbers[n++] = i;
	}
	if (!rxq->vswitch->vmq_static && n > 0 && n_rxqs[0] < PROC_RXQS_MAX)
		return (int)numbers[0];
	which = place_new_queue(n_rxqs, n);
	return which == PLACE_NONE ? PLACE_NONE : (int)numbers[which];
}

static const struct proc *pinned_to(const struct vnic_rxq *rxq)
{
	return rxq->pinned != 0 ? proc_on_core(rxq->pinned - 1u) : NULL;
}

static void swap_conf(struct proc *p, struct proc_conf *next)
{
	struct proc_conf *old = give_conf(p, next);

	proc_wait_taken(p, next);
	proc_synchronize();
	free(old);
}

// Returns the one before, which the proc may still use.
static struct proc_conf *give_conf(struct proc *p, struct proc_conf *next)
{
	struct proc_conf *old = atomic_exchange_explicit(&p->conf, next, memory_order_acq_rel);

	proc_wake(p->number);
	return old;
}

static int mark(const struct proc_move *move, struct errtext *e)
{
	struct vnic_rxq *rxq = &move->nic->rxq[move->queue];

	if (proc_at(move->to) == NULL)
		return errtext_set(e, -ENOENT, "there is no proc %u", move->to);
	if (move->queue >= move->nic->n_queues || atomic_load(&rxq->proc) == VNIC_PROC_NONE)
		return errtext_set(e, -EINVAL, "no proc polls queue %u of '%s'", move->queue,
				   move->nic->obj.name);
	rxq->moving = (uint16_t)(move->to + 1);
	return 0;
}

static void unmark(const struct proc_move moves[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (moves[i].queue < VNIC_QUEUES_MAX)
			moves[i].nic->rxq[moves[i].queue].moving = 0;
}

static int plan_make(struct plan *plan, struct errtext *e)
{
	uint32_t coming[PROC_MAX] = {0};
	int err = 0;

	for (unsigned p = 0; p < PROC_MAX; p++) {
		const struct proc_conf *conf =
			proc_at(p) != NULL ? atomic_load(&proc_at(p)->conf) : NULL;

		for (uint32_t i = 0; conf != NULL && i < conf->n_rxqs; i++)
			if (leaves(&conf->rxqs[i], proc_at(p)))
				coming[goes_to(&conf->rxqs[i])]++;
	}
	for (unsigned p = 0; err == 0 && p < PROC_MAX; p++)
		if (proc_at(p) != NULL)
			err = plan_proc(plan, proc_at(p), coming[p], e);
	for (unsigned p = 0; err == 0 && p < PROC_MAX; p++) {
		const struct proc_conf *conf =
			proc_at(p) != NULL ? atomic_load(&proc_at(p)->conf) : NULL;

		for (uint32_t i = 0; conf != NULL && i < conf->n_rxqs; i++) {
			struct proc_conf *to;

			if (!leaves(&conf->rxqs[i], proc_at(p)))
				continue;
			to = plan->more[goes_to(&conf->rxqs[i])];
			to->rxqs[to->n_rxqs++] = conf->rxqs[i];
		}
	}
	return err;
}

// What the proc keeps, with room for those that come.
static int plan_proc(struct plan *plan, struct proc *p, uint32_t coming, struct errtext *e)
{
	const struct proc_conf *conf = atomic_load(&p->conf);
	struct proc_conf *less = proc_conf_create(conf->n_rxqs);

	if (less == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < conf->n_rxqs; i++)
		if (!leaves(&conf->rxqs[i], p))
			less->rxqs[less->n_rxqs++] = conf->rxqs[i];
	plan->less[p->number] = less;
	if (less->n_rxqs + coming > PROC_RXQS_MAX)
		return errtext_set(e, -ENOSPC, "%s would poll %u queues; %u is the most",
				   p->obj.name, less->n_rxqs + coming, PROC_RXQS_MAX);
	if (coming > 0) {
		plan->more[p->number] = proc_conf_create(less->n_rxqs + coming);
		if (plan->more[p->number] == NULL)
			return errtext_set(e, -ENOMEM, "out of memory");
		plan->more[p->number]->n_rxqs = less->n_rxqs;
		memcpy(plan->more[p->number]->rxqs, less->rxqs,
		       less->n_rxqs * sizeof(less->rxqs[0]));
	}
	if (less->n_rxqs == conf->n_rxqs) {
		plan->less[p->number] = NULL;
		free(less);
	}
	return 0;
}

static void plan_carry_out(const struct plan *plan)
{
	struct proc_conf *old[2 * PROC_MAX];
	unsigned n_old = 0;

	for (unsigned p = 0; p < PROC_MAX; p++)
		if (plan->less[p] != NULL)
			old[n_old++] = give_conf(proc_at(p), plan->less[p]);
	for (unsigned p = 0; p < PROC_MAX; p++)
		if (plan->less[p] != NULL)
			proc_wait_taken(proc_at(p), plan->less[p]);
	for (unsigned p = 0; p < PROC_MAX; p++) {
		const struct proc_conf *more = plan->more[p];

		for (uint32_t i = 0; more != NULL && i < more->n_rxqs; i++) {
			struct vnic_rxq *rxq = &more->rxqs[i].nic->rxq[more->rxqs[i].queue];

			if (atomic_load(&rxq->proc) == p)
				continue;
			rxq->moves++;
			atomic_store_explicit(&rxq->proc, (uint16_t)p, memory_order_release);
		}
		if (more != NULL)
			old[n_old++] = give_conf(proc_at(p), plan->more[p]);
	}
	for (unsigned p = 0; p < PROC_MAX; p++)
		if (plan->more[p] != NULL)
			proc_wait_taken(proc_at(p), plan->more[p]);
	if (n_old > 0)
		proc_synchronize();
	while (n_old > 0)
		free(old[--n_old]);
}

static void plan_free(const struct plan *plan)
{
	for (unsigned p = 0; p < PROC_MAX; p++) {
		free(plan->less[p]);
		free(plan->more[p]);
	}
}

static bool leaves(const struct proc_rxq *rxq, const struct proc *p)
{
	uint16_t to = rxq->nic->rxq[rxq->queue].moving;

	return to != 0 && to != p->number + 1;
}

// The number of the proc that one that leaves goes to.
static unsigned goes_to(const struct proc_rxq *rxq)
{
	return rxq->nic->rxq[rxq->queue].moving - 1u;
}

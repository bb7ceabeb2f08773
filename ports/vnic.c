#include "ports/vnic.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include "ports/copy.h"
#include "ports/droplog.h"
#include "ports/object.h"
#include "ports/rss.h"
#include "ports/sigbus.h"
#include "ports/vnbl_mbuf.h"
#include "ports/vnic_ops.h"
#include "ports/vring.h"

enum {
	INBOX_CHUNK = 8,       // frames taken out of an inbox at a time
	STUCK_NS = 1000000000, // a proc that does not let go for this long is told of
	GRACE_SLEEP_NS = 5000  // between looks at the procs during a grace period
};

#define X(number, name, text) [number] = text,
static const char *const kind_names[] = {VNIC_KINDS(X)};
static const char *const state_names[] = {VNIC_STATES(X)};
#undef X

static struct ports_env env;
static int event_fd = -1;

// Transmit queues that this thread has let go of, or left frames at, and not looked at again.
enum { LET_GO_MAX = 8 };
static _Thread_local struct {
	unsigned n;
	struct let_go {
		struct vnic *nic;
		struct vport_stats *st;
		unsigned q;
		unsigned proc;
	} queues[LET_GO_MAX];
} let_go;

static int create_of_kind(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);
static bool txq_try(struct vnic_txq *txq, unsigned proc);
static void owe_look(const struct let_go *l);
static void empty_inbox(const struct let_go *l);
static bool inbox_waits(const struct vnic_txq *txq);
static void inbox_leave(struct vnic_txq *txq, struct vnbl *const frames[], unsigned n,
			struct vport_stats *st);
static void inbox_send(struct vnic *nic, unsigned q, struct vport_stats *st);
static int64_t now_ns(void);

int ports_init(const struct ports_env *e, struct errtext *err)
{
	int rc = sigbus_init();

	if (rc < 0)
		return errtext_set(err, rc, "cannot handle SIGBUS: %s", strerror(-rc));
	copy_init();
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (event_fd < 0)
		return errtext_set(err, -errno, "cannot make an eventfd: %s", strerror(errno));
	env = *e;
	rc = vnbl_init(env.n_mbufs);
	if (rc < 0) {
		close(event_fd);
		event_fd = -1;
		return errtext_set(err, rc,
				   "not enough memory for %u frames in flight; give vswd more with "
				   "--memory",
				   env.n_mbufs);
	}
	return 0;
}

void ports_fini(void)
{
	vnbl_fini();
	close(event_fd);
	event_fd = -1;
}

int ports_event_fd(void)
{
	return event_fd;
}

const struct ports_env *ports_env(void)
{
	return &env;
}

int vnic_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	struct vnic *nic;
	int rc = create_of_kind(conf, &nic, e);

	if (rc < 0) {
		// The pipe is ours from the call on.
		if (conf->kind == VNIC_PCAP && conf->pcap_tx != NULL && conf->pcap_fd >= 0 &&
		    strcmp(conf->pcap_tx, "-") == 0)
			close(conf->pcap_fd);
		return rc;
	}
	object_init(&nic->obj, OBJECT_VNIC, sizeof(*nic), conf->name, nic->obj.friendly_name);
	nic->kind = (uint8_t)conf->kind;
	nic->mtu = conf->mtu;
	nic->n_queues = conf->queues;
	if (conf->path != NULL && nic->path[0] == '\0')
		snprintf(nic->path, sizeof(nic->path), "%s", conf->path);
	vnic_queues_init(nic);
	vnic_set_state(nic, VNIC_STATE_CREATED, 0, "not started");
	*ret = nic;
	return 0;
}

void vnic_destroy(struct vnic *nic, bool forget)
{
	if (nic == NULL)
		return;
	// What the caller has sent through it itself; procs have settled, or stop() waits for them.
	vnic_settle();
	nic->ops->stop(nic, forget);
	vnic_set_state(nic, VNIC_STATE_DELETED, 0, "removed");
	vnic_queues_fini(nic);
	object_fini(&nic->obj);
	nic->ops->destroy(nic);
}

bool vnic_forget(const struct vnic_conf *conf)
{
	switch (conf->kind) {
	case VNIC_TAP:
		return tap_forget(conf->name);
	case VNIC_VHOST:
		return conf->server && vhost_forget(conf->path);
	default:
		return false;
	}
}

int vnic_start(struct vnic *nic, struct errtext *e)
{
	struct errtext local = {.text = ""};
	int rc = nic->ops->start(nic, &local);

	if (rc < 0)
		vnic_set_state(nic, VNIC_STATE_DISCONNECTED, -rc,
			       local.text[0] ? local.text : strerror(-rc));
	else if (nic->state == VNIC_STATE_CREATED)
		vnic_set_state(nic, VNIC_STATE_DISCONNECTED, 0, "waiting for the peer");
	return rc < 0 ? errtext_set(e, rc, "%s", local.text[0] ? local.text : strerror(-rc)) : 0;
}

void vnic_tick(struct vnic *nic)
{
	// Only a failed start is tried again: what started and waits has its events. A vhost NIC
	// looks for its VM each time, since it is who connects.
	if (nic->state == VNIC_STATE_CONNECTED || (nic->last_error == 0 && nic->kind != VNIC_VHOST))
		return;
	if (vnic_start(nic, NULL) < 0)
		nic->retries++;
}

uint32_t vnic_take_events(struct vnic *nic)
{
	uint32_t events = atomic_exchange_explicit(&nic->events, 0, memory_order_acq_rel);

	// The kind can look at its interface and say better why it went.
	if ((events & VNIC_EVENT_DOWN) && nic->ops->link_changed != NULL)
		nic->ops->link_changed(nic);
	if (events & (VNIC_EVENT_UP | VNIC_EVENT_DOWN)) {
		// Both may have come; where it stands now is what the kind wrote last.
		bool is_up = atomic_load_explicit(&nic->link, memory_order_acquire);

		// A ring that stood still goes on when its guest has reset the device. Without such
		// an event 'why' stands: a NIC may be up and have something to tell.
		if (is_up && (nic->state != VNIC_STATE_CONNECTED ||
			      (events & VNIC_EVENT_UP && nic->why[0] != '\0')))
			vnic_set_state(nic, VNIC_STATE_CONNECTED, 0, NULL);
		else if (!is_up && nic->state == VNIC_STATE_CONNECTED)
			vnic_set_state(nic, VNIC_STATE_DISCONNECTED, 0, "the peer went away");
	}
	if (events & (VNIC_EVENT_BROKEN | VNIC_EVENT_MEMORY) && nic->kind == VNIC_VHOST) {
		char why[VNIC_WHY_SIZE];

		if (vhost_trouble(nic, why, sizeof(why)))
			vnic_set_state(nic, nic->state, 0, why);
	}
	return events;
}

void vnic_link_changed(struct vnic *nic, const char *ifname)
{
	if (nic->ops->link_changed != NULL && (ifname == NULL || strcmp(nic->path, ifname) == 0))
		nic->ops->link_changed(nic);
}

void vnic_set_mtu(struct vnic *nic, uint32_t mtu)
{
	if (nic->mtu == mtu)
		return;
	nic->mtu = mtu;
	if (nic->ops->mtu_changed != NULL)
		nic->ops->mtu_changed(nic);
}

void vnic_set_mac(struct vnic *nic, const uint8_t mac[6])
{
	if (nic->ops->set_mac != NULL)
		nic->ops->set_mac(nic, mac);
}

uint64_t vnic_features(const struct vnic *nic)
{
	return nic->kind == VNIC_VHOST ? vhost_features(nic) : 0;
}

void vnic_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	nic->ops->rx(nic, q, burst, st);
}

void vnic_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	nic->ops->rx_done(nic, q, burst);
}

int vnic_rx_arm(struct vnic *nic, unsigned q)
{
	int fd = nic->ops->rx_arm(nic, q);

	nic->rxq[q].armed = fd >= 0;
	return fd;
}

void vnic_rx_disarm(struct vnic *nic, unsigned q)
{
	if (!nic->rxq[q].armed)
		return;
	nic->rxq[q].armed = 0;
	nic->ops->rx_disarm(nic, q);
}

void vnic_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
	     struct vport_stats *st, unsigned proc)
{
	const struct let_go l = {.nic = nic, .q = q, .st = st, .proc = proc};
	struct vnic_txq *txq = &nic->txq[q];

	if (!txq_try(txq, proc)) {
		inbox_leave(txq, frames, n, st);
		// The holder may have looked into the inbox for the last time before that.
		if (!txq_try(txq, proc)) {
			owe_look(&l);
			return;
		}
		n = 0;
	}
	txq->bursts++;
	if (inbox_waits(txq))
		inbox_send(nic, q, st);
	if (n > 0)
		nic->ops->tx(nic, q, frames, n, st);
	atomic_store_explicit(&txq->lock, 0, memory_order_release);
	owe_look(&l);
}

/*
 * Who finds a queue's lock taken leaves the frames in its inbox and tries once more. So whoever
 * let go of a lock looks into the inbox behind a full fence: either it sees the frames, or who
 * left them found the lock free.
 */
void vnic_settle(void)
{
	if (vring_settle() == VRING_NOTHING_OWED && let_go.n > 0)
		atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < let_go.n; i++)
		empty_inbox(&let_go.queues[i]);
	let_go.n = 0;
	vring_settle();
}

const char *vnic_kind_name(unsigned kind)
{
	return kind < sizeof(kind_names) / sizeof(kind_names[0]) ? kind_names[kind] : "?";
}

const char *vnic_state_name(unsigned state)
{
	return state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state] : "?";
}

void vnic_synchronize(struct vnic *nic)
{
	const struct timespec pause = {.tv_nsec = GRACE_SLEEP_NS};
	uint64_t token = rte_rcu_qsbr_start(env.rcu);
	int64_t since = now_ns();
	bool told = false;

	while (rte_rcu_qsbr_check(env.rcu, token, false) == 0) {
		if (!told && now_ns() - since > STUCK_NS) {
			vnic_event(nic, VNIC_EVENT_STUCK);
			told = true;
		}
		nanosleep(&pause, NULL);
	}
}

void vnic_event(struct vnic *nic, uint32_t events)
{
	const uint64_t one = 1;

	if (events & VNIC_EVENT_UP)
		atomic_store_explicit(&nic->link, 1, memory_order_release);
	else if (events & VNIC_EVENT_DOWN)
		atomic_store_explicit(&nic->link, 0, memory_order_release);
	atomic_fetch_or_explicit(&nic->events, events, memory_order_acq_rel);
	// Cannot fail but by a full counter, and then the main thread is being woken anyway.
	(void)!write(event_fd, &one, sizeof(one));
}

void vnic_wake(struct vnic *nic, unsigned q)
{
	uint16_t proc = atomic_load_explicit(&nic->rxq[q].proc, memory_order_acquire);

	if (proc != VNIC_PROC_NONE)
		env.wake(proc);
}

void vnic_set_state(struct vnic *nic, enum vnic_state state, int err, const char *why)
{
	object_change_begin(&nic->obj);
	if (nic->state != state)
		nic->since_s = time(NULL);
	nic->state = (uint8_t)state;
	nic->last_error = (uint32_t)err;
	if (state == VNIC_STATE_CONNECTED)
		nic->retries = 0;
	snprintf(nic->why, sizeof(nic->why), "%s", why != NULL ? why : "");
	object_change_end(&nic->obj);
	// A proc may sleep without this NIC's new fd.
	if (state == VNIC_STATE_CONNECTED) {
		for (unsigned q = 0; q < nic->n_queues; q++)
			vnic_wake(nic, q);
	}
}

void vnic_queues_init(struct vnic *nic)
{
	rss_init(&nic->rss);
	for (unsigned q = 0; q < VNIC_QUEUES_MAX; q++) {
		atomic_store_explicit(&nic->rxq[q].proc, VNIC_PROC_NONE, memory_order_relaxed);
		nic->rxq[q].index = (uint16_t)q;
		nic->txq[q].index = q;
	}
}

void vnic_queues_fini(struct vnic *nic)
{
	for (unsigned q = 0; q < VNIC_QUEUES_MAX; q++) {
		struct rte_mbuf *next, *m = atomic_exchange(&nic->txq[q].inbox, NULL);

		for (; m != NULL; m = next) {
			next = *vnbl_mbuf_link(m);
			rte_pktmbuf_free(m);
		}
	}
}

static int create_of_kind(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	if (conf->queues < 1 || conf->queues > VNIC_QUEUES_MAX)
		return errtext_set(e, -EINVAL, "%u queues; a NIC has 1 to %u", conf->queues,
				   VNIC_QUEUES_MAX);
	switch (conf->kind) {
	case VNIC_VHOST:
		return vhost_create(conf, ret, e);
	case VNIC_TAP:
		return tap_create(conf, ret, e);
	case VNIC_PACKET:
		return packet_create(conf, ret, e);
	case VNIC_ETH:
		return eth_create(conf, ret, e);
	case VNIC_PCAP:
		return pcap_create_nic(conf, ret, e);
	}
	return errtext_set(e, -EINVAL, "no such kind of NIC: %d", (int)conf->kind);
}

static bool txq_try(struct vnic_txq *txq, unsigned proc)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong_explicit(&txq->lock, &expected, proc + 1,
						       memory_order_acquire, memory_order_relaxed);
}

static void owe_look(const struct let_go *l)
{
	for (unsigned i = 0; i < let_go.n; i++)
		if (let_go.queues[i].nic == l->nic && let_go.queues[i].q == l->q)
			return;
	if (let_go.n == LET_GO_MAX)
		vnic_settle();
	let_go.queues[let_go.n++] = *l;
}

// Takes the lock again when somebody left frames in the meantime.
static void empty_inbox(const struct let_go *l)
{
	struct vnic_txq *txq = &l->nic->txq[l->q];

	while (inbox_waits(txq) && txq_try(txq, l->proc)) {
		inbox_send(l->nic, l->q, l->st);
		atomic_exchange_explicit(&txq->lock, 0, memory_order_seq_cst);
	}
}

static bool inbox_waits(const struct vnic_txq *txq)
{
	return atomic_load_explicit(&txq->inbox, memory_order_relaxed) != NULL;
}

static void inbox_leave(struct vnic_txq *txq, struct vnbl *const frames[], unsigned n,
			struct vport_stats *st)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m;

		if (atomic_fetch_add_explicit(&txq->waiting, 1, memory_order_relaxed) >=
		    VNIC_INBOX_SIZE) {
			atomic_fetch_sub_explicit(&txq->waiting, 1, memory_order_relaxed);
			droplog_drop(st, DROP_OUT, DROP_Busy, frames[i]);
			continue;
		}
		m = vnbl_copy_to_mbuf(frames[i]);
		if (m == NULL) {
			atomic_fetch_sub_explicit(&txq->waiting, 1, memory_order_relaxed);
			droplog_drop(st, DROP_OUT, DROP_Resources, frames[i]);
			continue;
		}
		*vnbl_mbuf_link(m) = atomic_load_explicit(&txq->inbox, memory_order_relaxed);
		while (!atomic_compare_exchange_weak_explicit(&txq->inbox, vnbl_mbuf_link(m), m,
							      memory_order_seq_cst,
							      memory_order_relaxed))
			continue;
	}
	atomic_thread_fence(memory_order_seq_cst);
}

// Takes the whole inbox at once, turns it round, and sends it in the order of arrival.
static void inbox_send(struct vnic *nic, unsigned q, struct vport_stats *st)
{
	struct vnbl frames[INBOX_CHUNK], *pointers[INBOX_CHUNK];
	struct rte_mbuf *next, *ordered = NULL;
	struct rte_mbuf *m =
		atomic_exchange_explicit(&nic->txq[q].inbox, NULL, memory_order_acquire);

	for (; m != NULL; m = next) {
		next = *vnbl_mbuf_link(m);
		*vnbl_mbuf_link(m) = ordered;
		ordered = m;
	}
	while (ordered != NULL) {
		unsigned n = 0;

		for (; ordered != NULL && n < INBOX_CHUNK; ordered = next) {
			next = *vnbl_mbuf_link(ordered);
			vnbl_from_mbuf(&frames[n], ordered);
			pointers[n] = &frames[n];
			n++;
		}
		nic->ops->tx(nic, q, pointers, n, st);
		for (unsigned i = 0; i < n; i++)
			vnbl_release(&frames[i]);
		atomic_fetch_sub_explicit(&nic->txq[q].waiting, n, memory_order_relaxed);
	}
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

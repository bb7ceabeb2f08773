#include "switch/proc.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "ports/copy.h"
#include "ports/droplog.h"
#include "ports/object.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "switch/egress.h"
#include "switch/fdb.h"
#include "switch/ingress.h"
#include "switch/root.h"
#include "vmq/place.h"

enum {
	HOUSEKEEPING = 256,   // rounds between looks at the clock and at 'stop'
	SETTLE_US = 50,       // of a busy proc, at most, between two calls of vnic_settle()
	SPIN_US = 100,        // without frames before the proc thinks of sleeping
	TIMED_SLEEP_US = 250, // when a queue cannot wake the proc
	GRACE_SLEEP_NS = 5000,
	SLEEP_MAX_S = 1 // a proc shows that it lives at least this often
};

// When a busy proc has settled last.
struct settled {
	uint64_t bursts;
	uint64_t tsc;
};

static struct rte_rcu_qsbr *rcu;

static int proc_start(unsigned number, unsigned core, bool poll_always, struct errtext *e);
static int start_thread(struct proc *p);
static void proc_free(struct proc *p);
static int swap_conf(struct proc *p, struct proc_conf *next);
static void wait_taken(const struct proc *p, const struct proc_conf *conf);
static void *proc_main(void *arg);
static bool settling_is_due(const struct proc *p, struct settled *last);
static unsigned proc_round(struct proc *p, const struct proc_conf *conf);
static unsigned proc_burst(struct proc *p, const struct proc_rxq *rxq);
static void proc_idle(struct proc *p, const struct proc_conf *conf, uint64_t idle_since);
static void proc_sleep(struct proc *p, const struct proc_conf *conf);
static bool arm_all(struct proc *p, const struct proc_conf *conf, struct pollfd *fds,
		    unsigned *n_fds);
static void disarm_all(struct proc *p);
static void housekeeping(struct proc *p);
static void crumb(struct proc *p, enum proc_stage stage);

int proc_init(void)
{
	size_t size = rte_rcu_qsbr_get_memsize(PROC_MAX);

	rcu = aligned_alloc(64, RTE_ALIGN_CEIL(size, 64));
	if (rcu == NULL)
		return -ENOMEM;
	rte_rcu_qsbr_init(rcu, PROC_MAX);
	return 0;
}

void proc_fini(void)
{
	free(rcu);
	rcu = NULL;
}

struct rte_rcu_qsbr *proc_rcu(void)
{
	return rcu;
}

int proc_start_all(const unsigned cores[], unsigned n_cores, bool poll_always, struct errtext *e)
{
	vsw_root.procs_max = PROC_MAX;
	vsw_root.tsc_hz = rte_get_tsc_hz();
	if (vsw_root.start_tsc == 0)
		vsw_root.start_tsc = rte_rdtsc();
	if (n_cores < 1 || n_cores > PROC_MAX)
		return errtext_set(e, -EINVAL, "%u procs; there can be 1 to %u", n_cores, PROC_MAX);
	for (unsigned i = 0; i < n_cores; i++) {
		int rc = proc_start(i, cores[i], poll_always, e);

		if (rc < 0) {
			proc_stop_all();
			return rc;
		}
	}
	return 0;
}

void proc_stop_all(void)
{
	for (unsigned i = vsw_root.n_procs; i-- > 0;) {
		struct proc *p = vsw_root.procs[i];

		atomic_store_explicit(&p->stop, 1, memory_order_release);
		proc_wake(i);
		pthread_join(p->thread, NULL);
		vsw_root.n_procs = i;
		vsw_root.procs[i] = NULL;
		proc_free(p);
	}
}

uint32_t proc_now_s(void)
{
	return (uint32_t)((rte_rdtsc() - vsw_root.start_tsc) / vsw_root.tsc_hz);
}

unsigned proc_count(void)
{
	return vsw_root.n_procs;
}

struct proc *proc_at(unsigned number)
{
	return vsw_root.procs[number];
}

int proc_add_rxq(const struct proc_rxq *rxq, struct errtext *e)
{
	uint32_t n_rxqs[PROC_MAX];
	struct proc_conf *old, *next;
	int number;

	for (unsigned i = 0; i < vsw_root.n_procs; i++)
		n_rxqs[i] = atomic_load(&vsw_root.procs[i]->conf)->n_rxqs;
	number = place_new_queue(n_rxqs, vsw_root.n_procs);
	if (number == PLACE_NONE)
		return errtext_set(e, -ENODEV, "no proc runs");
	if (n_rxqs[number] >= PROC_RXQS_MAX)
		return errtext_set(e, -ENOSPC,
				   "a proc polls at most %u queues; start vswd with more --procs",
				   PROC_RXQS_MAX);
	old = atomic_load(&vsw_root.procs[number]->conf);
	next = malloc(sizeof(*next) + (old->n_rxqs + 1) * sizeof(next->rxqs[0]));
	if (next == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	next->n_rxqs = old->n_rxqs + 1;
	memcpy(next->rxqs, old->rxqs, old->n_rxqs * sizeof(next->rxqs[0]));
	next->rxqs[old->n_rxqs] = *rxq;
	atomic_store_explicit(&rxq->nic->rxq[rxq->queue].proc, (uint16_t)number,
			      memory_order_release);
	return swap_conf(vsw_root.procs[number], next);
}

void proc_remove_rxq(struct vnic *nic, uint16_t queue)
{
	uint16_t number = atomic_load(&nic->rxq[queue].proc);
	struct proc_conf *conf, *next;

	if (number == VNIC_PROC_NONE)
		return;
	conf = atomic_load(&vsw_root.procs[number]->conf);
	next = malloc(sizeof(*next) + conf->n_rxqs * sizeof(next->rxqs[0]));
	if (next == NULL)
		abort(); // a smaller copy of what is there; without it the NIC cannot be let go
	next->n_rxqs = 0;
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		if (conf->rxqs[i].nic != nic || conf->rxqs[i].queue != queue)
			next->rxqs[next->n_rxqs++] = conf->rxqs[i];
	}
	swap_conf(vsw_root.procs[number], next);
	atomic_store_explicit(&nic->rxq[queue].proc, VNIC_PROC_NONE, memory_order_release);
}

void proc_wake(unsigned number)
{
	const uint64_t one = 1;
	struct proc *p = number < PROC_MAX ? vsw_root.procs[number] : NULL;

	if (p != NULL)
		(void)!write(p->wake_fd, &one, sizeof(one));
}

void proc_synchronize(void)
{
	const struct timespec pause = {.tv_nsec = GRACE_SLEEP_NS};
	uint64_t token = rte_rcu_qsbr_start(rcu);

	while (rte_rcu_qsbr_check(rcu, token, false) == 0)
		nanosleep(&pause, NULL);
}

static int proc_start(unsigned number, unsigned core, bool poll_always, struct errtext *e)
{
	char name[16];
	struct proc *p = aligned_alloc(64, sizeof(*p));
	int rc;

	if (p == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	memset(p, 0, sizeof(*p));
	snprintf(name, sizeof(name), "proc%u", number);
	object_init(&p->obj, OBJECT_PROC, sizeof(*p), name, name);
	p->number = number;
	p->core = core;
	p->poll_always = poll_always;
	p->tsc_hz = vsw_root.tsc_hz;
	p->start_tsc = vsw_root.start_tsc;
	p->stage_tsc = rte_rdtsc();
	snprintf(p->copy_name, sizeof(p->copy_name), "%s", copy_name());
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	p->conf = calloc(1, sizeof(struct proc_conf));
	if (p->wake_fd < 0 || p->conf == NULL) {
		proc_free(p);
		return errtext_set(e, -ENOMEM, "cannot make an eventfd for %s", name);
	}
	vsw_root.procs[number] = p;
	rc = start_thread(p);
	if (rc != 0) {
		vsw_root.procs[number] = NULL;
		proc_free(p);
		return errtext_set(e, -rc, "cannot start %s: %s", name, strerror(rc));
	}
	vsw_root.n_procs = number + 1;
	return 0;
}

// On its core from its first instruction on; EINVAL: this process may not run there.
static int start_thread(struct proc *p)
{
	pthread_attr_t attr;
	cpu_set_t core;
	int rc = pthread_attr_init(&attr);

	if (rc != 0)
		return rc;
	CPU_ZERO(&core);
	CPU_SET(p->core, &core);
	rc = pthread_attr_setaffinity_np(&attr, sizeof(core), &core);
	if (rc == 0)
		rc = pthread_create(&p->thread, &attr, proc_main, p);
	pthread_attr_destroy(&attr);
	return rc;
}

static void proc_free(struct proc *p)
{
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	free(p->conf);
	object_fini(&p->obj);
	free(p);
}

static int swap_conf(struct proc *p, struct proc_conf *next)
{
	struct proc_conf *old = atomic_exchange_explicit(&p->conf, next, memory_order_acq_rel);

	proc_wake(p->number);
	wait_taken(p, next);
	proc_synchronize();
	free(old);
	return 0;
}

/*
 * A sleeping proc is nobody to wait for under RCU, but the kernel holds the files that it sleeps
 * on: a TAP would outlive its port until the proc wakes. It has been woken; this waits until it
 * has taken up 'conf', and so is out of the sleep that it went into with the one before.
 */
static void wait_taken(const struct proc *p, const struct proc_conf *conf)
{
	const struct timespec pause = {.tv_nsec = GRACE_SLEEP_NS};

	while (atomic_load_explicit(&p->conf_taken, memory_order_acquire) != conf)
		nanosleep(&pause, NULL);
}

static void *proc_main(void *arg)
{
	struct proc *p = arg;
	struct settled settled = {0};
	uint64_t idle_since = 0;

	p->tid = (int32_t)syscall(SYS_gettid);
	pthread_setname_np(pthread_self(), p->obj.name);
	droplog_set(&p->drops);
	// Without an lcore id the mbuf pool has no cache here; that is slower, not wrong.
	rte_thread_register();
	rte_rcu_qsbr_thread_register(rcu, p->number);
	rte_rcu_qsbr_thread_online(rcu, p->number);
	housekeeping(p);

	while (!atomic_load_explicit(&p->stop, memory_order_acquire)) {
		const struct proc_conf *conf = atomic_load_explicit(&p->conf, memory_order_acquire);

		atomic_store_explicit(&p->conf_taken, conf, memory_order_release);
		if (proc_round(p, conf) > 0) {
			idle_since = 0;
			if (settling_is_due(p, &settled)) {
				vnic_settle();
				rte_rcu_qsbr_quiescent(rcu, p->number);
			}
		} else {
			if (idle_since == 0)
				idle_since = rte_rdtsc();
			vnic_settle();
			proc_idle(p, conf, idle_since);
			rte_rcu_qsbr_quiescent(rcu, p->number);
		}
		if (++p->loops % HOUSEKEEPING == 0)
			housekeeping(p);
	}
	vnic_settle();
	rte_rcu_qsbr_thread_offline(rcu, p->number);
	rte_rcu_qsbr_thread_unregister(rcu, p->number);
	rte_thread_unregister();
	return NULL;
}

// Bursts are counted because they are what a fence is shared by; time, because a burst can be
// long (a flood, a TAP), and guests and grace periods wait meanwhile.
static bool settling_is_due(const struct proc *p, struct settled *last)
{
	if (p->bursts - last->bursts < PROC_SETTLE_BURSTS &&
	    p->last_frame_tsc - last->tsc < p->tsc_hz / 1000000 * SETTLE_US)
		return false;
	last->bursts = p->bursts;
	last->tsc = p->last_frame_tsc;
	return true;
}

// Serves every queue once. Returns how many frames there were.
static unsigned proc_round(struct proc *p, const struct proc_conf *conf)
{
	uint64_t began = rte_rdtsc();
	unsigned frames = 0;

	p->drops.now_tsc = began;
	for (uint32_t i = 0; i < conf->n_rxqs; i++)
		frames += proc_burst(p, &conf->rxqs[i]);
	if (frames > 0) {
		uint64_t now = rte_rdtsc();

		p->busy_tsc += now - began;
		p->last_frame_tsc = now;
		p->frames += frames;
	}
	return frames;
}

// The life of a burst, from its NIC through the switch to the NICs it goes to.
static unsigned proc_burst(struct proc *p, const struct proc_rxq *rxq)
{
	struct vnbl_burst *burst = &p->burst;
	struct vport_stats *st = &rxq->port->stats[p->number];
	struct fdb *fdb;

	p->port = rxq->port;
	p->queue = rxq->queue;
	crumb(p, PROC_STAGE_RECEIVE);
	vnic_rx(rxq->nic, rxq->queue, burst, st);
	if (burst->n == 0)
		return 0;
	p->bursts++;
	rxq->nic->rxq[rxq->queue].bursts++;
	fdb = atomic_load_explicit(&rxq->vswitch->fdb, memory_order_acquire);
	crumb(p, PROC_STAGE_INGRESS);
	ingress_burst(rxq->vswitch, rxq, burst, st, p->number, p->now_s);
	crumb(p, PROC_STAGE_LEARN);
	fdb_learn_burst(fdb, burst->frames, burst->n, rxq->slot, p->now_s);
	crumb(p, PROC_STAGE_LOOKUP);
	fdb_lookup_burst(fdb, burst->frames, burst->n);
	crumb(p, PROC_STAGE_EGRESS);
	egress_burst(atomic_load_explicit(&rxq->vswitch->map, memory_order_acquire), rxq, burst,
		     p->number, p->now_s);
	crumb(p, PROC_STAGE_RELEASE);
	vnbl_release_burst(burst);
	vnic_rx_done(rxq->nic, rxq->queue, burst);
	return burst->n;
}

static void proc_idle(struct proc *p, const struct proc_conf *conf, uint64_t idle_since)
{
	uint64_t now = rte_rdtsc();

	crumb(p, PROC_STAGE_IDLE);
	p->port = NULL;
	if (p->poll_always || now - idle_since < p->tsc_hz / 1000000 * SPIN_US) {
		rte_pause();
		return;
	}
	proc_sleep(p, conf);
	housekeeping(p);
}

/*
 * Asks every queue for a wake-up, looks for frames a last time (arming does), and sleeps.
 * While it sleeps the proc is offline for RCU, so that nobody waits for it; what it knew of
 * the configuration is worthless afterwards.
 */
static void proc_sleep(struct proc *p, const struct proc_conf *conf)
{
	struct pollfd fds[PROC_RXQS_MAX + 1];
	unsigned n_fds = 0;
	uint64_t count;

	fds[n_fds++] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
	if (arm_all(p, conf, fds, &n_fds)) {
		struct timespec timeout = {.tv_sec = SLEEP_MAX_S};

		if (p->unwakeable > 0) {
			timeout = (struct timespec){.tv_nsec = TIMED_SLEEP_US * 1000};
			p->timed_sleeps++;
		}
		p->sleeps++;
		p->stage_tsc = rte_rdtsc();
		crumb(p, PROC_STAGE_SLEEP);
		rte_rcu_qsbr_thread_offline(rcu, p->number);
		ppoll(fds, n_fds, &timeout, NULL);
		rte_rcu_qsbr_thread_online(rcu, p->number);
		p->stage_tsc = rte_rdtsc();
		if (fds[0].revents != 0)
			(void)!read(p->wake_fd, &count, sizeof(count));
	}
	disarm_all(p);
}

// False: frames are waiting already.
static bool arm_all(struct proc *p, const struct proc_conf *conf, struct pollfd *fds,
		    unsigned *n_fds)
{
	p->unwakeable = 0;
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		int fd = vnic_rx_arm(conf->rxqs[i].nic, conf->rxqs[i].queue);

		if (fd == -EAGAIN)
			return false;
		if (fd >= 0)
			fds[(*n_fds)++] = (struct pollfd){.fd = fd, .events = POLLIN};
		else if (fd != -ENOLINK)
			p->unwakeable++;
	}
	return true;
}

static void disarm_all(struct proc *p)
{
	const struct proc_conf *conf = atomic_load_explicit(&p->conf, memory_order_acquire);

	for (uint32_t i = 0; i < conf->n_rxqs; i++)
		vnic_rx_disarm(conf->rxqs[i].nic, conf->rxqs[i].queue);
}

static void housekeeping(struct proc *p)
{
	p->now_s = (uint32_t)((rte_rdtsc() - p->start_tsc) / p->tsc_hz);
}

static void crumb(struct proc *p, enum proc_stage stage)
{
	atomic_store_explicit(&p->stage, stage, memory_order_relaxed);
}

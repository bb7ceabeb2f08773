/*
 * A proc's loop. What is done to procs from outside is in proc_ctl.c and proc_rxq.c.
 */
#include "switch/proc.h"

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "ports/droplog.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "switch/egress.h"
#include "switch/fdb.h"
#include "switch/ingress.h"

enum {
	HOUSEKEEPING = 256,   // rounds between looks at the clock and at 'stop'
	SETTLE_US = 50,       // of a busy proc, at most, between two calls of vnic_settle()
	SPIN_US = 100,        // without frames before the proc thinks of sleeping
	TIMED_SLEEP_US = 250, // when a queue cannot wake the proc
	SLEEP_MAX_S = 1       // a proc shows that it lives at least this often
};

// When a busy proc has settled last.
struct settled {
	uint64_t bursts;
	uint64_t tsc;
};

static bool settling_is_due(const struct proc *p, struct settled *last);
static unsigned proc_round(struct proc *p, const struct proc_conf *conf, bool was_busy);
static unsigned proc_burst(struct proc *p, const struct proc_rxq *rxq);
static void proc_idle(struct proc *p, const struct proc_conf *conf, uint64_t idle_since);
static void proc_sleep(struct proc *p, const struct proc_conf *conf);
static bool arm_all(struct proc *p, const struct proc_conf *conf, struct pollfd *fds,
		    unsigned *n_fds);
static void disarm_all(const struct proc_conf *conf);
static void housekeeping(struct proc *p);
static void crumb(struct proc *p, enum proc_stage stage);

void *proc_run(void *proc)
{
	struct rte_rcu_qsbr *rcu = proc_rcu();
	struct proc *p = proc;
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
		if (proc_round(p, conf, idle_since == 0) > 0) {
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
	vnbl_thread_end();
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

/*
 * Serves every queue once. Returns how many frames there were.
 *
 * The clock is read once per burst that held frames: from the reading before to that one its queue
 * kept the proc busy. What comes after the last burst of a round (idle queues, settling) is busy
 * time of the proc's alone, and is known when the next round begins.
 */
static unsigned proc_round(struct proc *p, const struct proc_conf *conf, bool was_busy)
{
	uint64_t began = rte_rdtsc(), last = began;
	unsigned frames = 0;

	p->drops.now_tsc = began;
	if (was_busy && p->last_frame_tsc != 0)
		p->busy_tsc += began - p->last_frame_tsc;
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		struct vnic_rxq *rxq = &conf->rxqs[i].nic->rxq[conf->rxqs[i].queue];
		unsigned n = proc_burst(p, &conf->rxqs[i]);
		uint64_t now;

		if (n == 0)
			continue;
		now = rte_rdtsc();
		rxq->bursts++;
		rxq->frames += n;
		rxq->busy_tsc += now - last;
		last = now;
		frames += n;
	}
	if (frames > 0) {
		p->busy_tsc += last - began;
		p->last_frame_tsc = last;
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
 * While it sleeps the proc is offline for RCU, so that nobody waits for it. Its queues stay as
 * they are until it takes up another configuration (proc_wait_taken), so those that it was given
 * before are disarmed here, also when they are another proc's next.
 */
static void proc_sleep(struct proc *p, const struct proc_conf *conf)
{
	struct pollfd *fds = (struct pollfd *)(uintptr_t)&conf->rxqs[conf->room];
	struct rte_rcu_qsbr *rcu = proc_rcu();
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
	disarm_all(conf);
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

static void disarm_all(const struct proc_conf *conf)
{
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

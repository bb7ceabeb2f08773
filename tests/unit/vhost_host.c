#include "tests/unit/vhost_host.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "ports/log.h"
#include "ports/rss.h"
#include "ports/sigbus.h"
#include "ports/vhost_types.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vnic_ops.h"
#include "ports/vport_types.h"
#include "tests/unit/eal.h"

enum { POOL = 4095, STEP_US = 2000, TICK_STEPS = 50, IDLE_SPINS = 200, SLEEP_MS = 20 };

static struct rte_rcu_qsbr *rcu;
static struct vnic *nics[HOST_NICS];
static struct vport_stats stats[HOST_NICS];
static _Atomic uint32_t polled[HOST_NICS]; // 1: the proc serves the NIC
static unsigned n_queues;                  // of each NIC
static _Atomic uint32_t stop_proc;
static int wake_fd;

static void run(struct host *h, const struct host_conf *conf);
static void begin(struct host *h, const struct host_conf *conf);
static void *proc_main(void *arg);
static unsigned forward(struct vnbl_burst *burst, unsigned from, unsigned q);
static void sleep_on_rings(struct host *h);
static void look(struct host *h);
static void obey(struct host *h);
static void set_polled(unsigned i, bool on);
static void wake(unsigned proc);

struct host *host_start(const struct host_conf *conf)
{
	struct host *h =
		mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (h == MAP_FAILED)
		return NULL;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(STDERR_FILENO + 1, ~0U, 0); // the guests' sockets
		run(h, conf);
		_exit(0);
	}
	h->pid = pid;
	for (unsigned i = 0; i < 2000 && pid > 0; i++) {
		if (atomic_load(&h->ready))
			return h;
		if (!host_lives(h))
			break;
		usleep(5000);
	}
	munmap(h, sizeof(*h));
	return NULL;
}

bool host_do(struct host *h, enum host_command command)
{
	atomic_store(&h->command, command);
	for (unsigned i = 0; i < 1000; i++) {
		if (atomic_load(&h->command) == HOST_NONE)
			return true;
		usleep(5000);
	}
	return false;
}

void host_kill(struct host *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	munmap(h, sizeof(*h));
}

int host_quit(struct host *h)
{
	int status = 0;
	pid_t gone = 0;

	atomic_store(&h->command, HOST_QUIT);
	for (unsigned i = 0; i < 2000 && gone == 0; i++) {
		gone = waitpid(h->pid, &status, WNOHANG);
		usleep(5000);
	}
	if (gone == 0) {
		kill(h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
	}
	munmap(h, sizeof(*h));
	return gone > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool host_lives(struct host *h)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

static void run(struct host *h, const struct host_conf *conf)
{
	pthread_t proc;

	begin(h, conf);
	if (pthread_create(&proc, NULL, proc_main, h) != 0)
		exit(10);
	atomic_store(&h->ready, 1);
	for (unsigned step = 0; atomic_load(&h->command) != HOST_QUIT; step++) {
		obey(h);
		if (step % TICK_STEPS == 0)
			for (unsigned i = 0; i < HOST_NICS; i++)
				if (atomic_load(&polled[i]))
					vnic_tick(nics[i]);
		look(h);
		atomic_store(&h->steps, step);
		log_drain();
		usleep(STEP_US);
	}
	for (unsigned i = 0; i < HOST_NICS; i++) {
		set_polled(i, false);
		vnic_destroy(nics[i], true);
	}
	atomic_store(&stop_proc, 1);
	wake(0);
	pthread_join(proc, NULL);
	ports_fini();
	rte_eal_cleanup();
	log_fini();
}

static void begin(struct host *h, const struct host_conf *conf)
{
	struct ports_env env = {
		.wake = wake,
		.socket_group = conf->group,
		.socket_mode = 0660,
		.run_dir = "/tmp",
		.n_mbufs = POOL,
	};

	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	n_queues = conf->queues != 0 ? conf->queues : 1;
	if (log_init(getenv("VHOST_TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR) < 0 ||
	    log_capture_dpdk() < 0 || eal_start() < 0 || sigbus_init() < 0)
		exit(11);
	rcu = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	if (rcu == NULL || rte_rcu_qsbr_init(rcu, 1) != 0)
		exit(12);
	env.rcu = rcu;
	if (ports_init(&env, NULL) < 0)
		exit(13);
	for (unsigned i = 0; i < HOST_NICS; i++) {
		struct vnic_conf c = {
			.kind = VNIC_VHOST,
			.name = i == 0 ? "left" : "right",
			.path = conf->path[i],
			.server = conf->server[i],
			.queues = (uint16_t)n_queues,
			.mtu = 1500,
			.features = conf->features,
		};
		struct errtext e = {.text = ""};

		if (vnic_create(&c, &nics[i], &e) < 0) {
			fprintf(stderr, "create: %s\n", e.text);
			exit(14);
		}
		for (unsigned q = 0; q < n_queues; q++)
			atomic_store(&nics[i]->rxq[q].proc, 0);
		if (vnic_start(nics[i], &e) < 0) {
			snprintf(h->nic[i].start_error, sizeof(e.text), "%s", e.text);
			if (conf->server[i] && !conf->may_fail_to_start) {
				fprintf(stderr, "start: %s\n", e.text);
				exit(15);
			}
		}
		atomic_store(&polled[i], 1);
	}
}

static void *proc_main(void *arg)
{
	static struct vnbl_burst burst;
	struct host *h = arg;
	unsigned idle = 0;

	if (rte_thread_register() < 0)
		exit(16);
	rte_rcu_qsbr_thread_register(rcu, 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	while (!atomic_load_explicit(&stop_proc, memory_order_relaxed)) {
		unsigned n = 0;

		for (unsigned i = 0; i < HOST_NICS; i++)
			if (atomic_load_explicit(&polled[i], memory_order_acquire))
				for (unsigned q = 0; q < n_queues; q++)
					n += forward(&burst, i, q);
		idle = n > 0 ? 0 : idle + 1;
		atomic_fetch_add_explicit(&h->loops, 1, memory_order_relaxed);
		rte_rcu_qsbr_quiescent(rcu, 0);
		if (idle > IDLE_SPINS)
			sleep_on_rings(h);
	}
	rte_rcu_qsbr_thread_offline(rcu, 0);
	rte_rcu_qsbr_thread_unregister(rcu, 0);
	rte_thread_unregister();
	return NULL;
}

static unsigned forward(struct vnbl_burst *burst, unsigned from, unsigned q)
{
	struct vnbl *frames[VNBL_BURST_MAX];
	unsigned to = HOST_NICS - 1 - from;

	vnic_rx(nics[from], q, burst, &stats[from]);
	if (burst->n == 0)
		return 0;
	stats[from].rx_frames += burst->n;
	for (unsigned i = 0; i < burst->n; i++)
		frames[i] = &burst->frames[i];
	if (atomic_load_explicit(&polled[to], memory_order_acquire))
		rss_tx(nics[to], frames, burst->n, &stats[to], 0);
	for (unsigned i = 0; i < burst->n; i++)
		vnbl_release(frames[i]);
	vnic_rx_done(nics[from], q, burst);
	vnic_settle();
	return burst->n;
}

// As a proc does: ask for wake-ups, go offline for RCU, sleep, come back.
static void sleep_on_rings(struct host *h)
{
	struct pollfd fds[HOST_NICS * VNIC_QUEUES_MAX + 1] = {{.fd = wake_fd, .events = POLLIN}};
	unsigned n_fds = 1;
	bool wait = true;
	uint64_t count;

	for (unsigned i = 0; i < HOST_NICS; i++) {
		for (unsigned q = 0; q < n_queues && atomic_load(&polled[i]); q++) {
			int fd = vnic_rx_arm(nics[i], q);

			wait &= fd != -EAGAIN;
			if (fd >= 0)
				fds[n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
	if (wait) {
		rte_rcu_qsbr_thread_offline(rcu, 0);
		poll(fds, n_fds, SLEEP_MS);
		rte_rcu_qsbr_thread_online(rcu, 0);
		atomic_fetch_add(&h->sleeps, 1);
	}
	for (unsigned i = 0; i < HOST_NICS; i++)
		for (unsigned q = 0; q < n_queues && atomic_load(&polled[i]); q++)
			vnic_rx_disarm(nics[i], q);
	(void)!read(wake_fd, &count, sizeof(count));
}

static void look(struct host *h)
{
	for (unsigned i = 0; i < HOST_NICS; i++) {
		const struct vhost *v = (const struct vhost *)nics[i];
		struct host_nic *n = &h->nic[i];
		uint64_t in = 0, out = 0, breaks = 0;

		for (unsigned r = 0; r < 2u * n_queues; r++)
			breaks += v->rings[r].breaks;
		atomic_fetch_or(&n->events, vnic_take_events(nics[i]));
		for (unsigned d = 0; d < DROP_COUNT; d++) {
			in += stats[i].drops[DROP_IN][d];
			out += stats[i].drops[DROP_OUT][d];
		}
		atomic_store(&n->drops_in, in);
		atomic_store(&n->drops_out, out);
		atomic_store(&n->rx_frames, stats[i].rx_frames);
		atomic_store(&n->tx_frames, stats[i].tx_frames);
		atomic_store(&n->last_error, nics[i]->last_error);
		atomic_store(&n->refusals, (uint32_t)v->refusals);
		atomic_store(&n->bad_messages, (uint32_t)v->bad_messages);
		atomic_store(&n->breaks, (uint32_t)breaks);
		atomic_store(&n->queues_used, atomic_load(&nics[i]->rss.queues));
		atomic_store(&n->peer_pid, v->peer_pid);
		atomic_store(&n->features, vnic_features(nics[i]));
		memcpy(n->why, nics[i]->why, sizeof(n->why));
		atomic_store(&n->state, nics[i]->state);
	}
}

static void obey(struct host *h)
{
	uint32_t command = atomic_load(&h->command);

	if (command == HOST_STOP_0) {
		set_polled(0, false);
		nics[0]->ops->stop(nics[0], true);
	} else if (command == HOST_START_0) {
		vnic_start(nics[0], NULL);
		set_polled(0, true);
	} else {
		return;
	}
	look(h);
	atomic_store(&h->command, HOST_NONE);
}

static void set_polled(unsigned i, bool on)
{
	atomic_store(&polled[i], on);
	wake(0);
	rte_rcu_qsbr_synchronize(rcu, RTE_QSBR_THRID_INVALID);
}

static void wake(unsigned proc)
{
	const uint64_t one = 1;

	(void)proc;
	(void)!write(wake_fd, &one, sizeof(one));
}

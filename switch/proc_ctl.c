/*
 * Procs come and go: what the main thread does to them. Their loop is in proc.c.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "ports/copy.h"
#include "ports/object.h"
#include "ports/vnic.h"
#include "switch/cores.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "vmq/place.h"

enum {
	GRACE_SLEEP_NS = 5000,
	TAKEN_SPINS = 200, // looks at a proc that will be done with its round at once
	NUMBERS_SIZE = 64  // of a list of all numbers
};

static struct rte_rcu_qsbr *rcu;
static bool polls_always;

// Who wakes a proc knows but its number, which may be another's by then, or nobody's: so its
// eventfd stays open as long as there may be somebody who does. 0: not made yet, else 1 + fd.
static _Atomic int wake_fds[PROC_MAX];

static int proc_start(unsigned number, unsigned core, struct errtext *e);
static int wake_fd_of(unsigned number);
static int start_thread(struct proc *p);
static void proc_stop(struct proc *p);
static void proc_free(struct proc *p);
static void set_proc(unsigned number, struct proc *p);
static int spread(const struct proc *p, struct errtext *e);
static void numbers_text(char out[NUMBERS_SIZE]);

int proc_init(void)
{
	size_t size = rte_rcu_qsbr_get_memsize(PROC_MAX);
	int err = cores_init();

	if (err != 0)
		return err;
	rcu = aligned_alloc(64, RTE_ALIGN_CEIL(size, 64));
	if (rcu == NULL)
		return -ENOMEM;
	rte_rcu_qsbr_init(rcu, PROC_MAX);
	return 0;
}

void proc_fini(void)
{
	for (unsigned i = 0; i < PROC_MAX; i++) {
		int fd = atomic_exchange(&wake_fds[i], 0) - 1;

		if (fd >= 0)
			close(fd);
	}
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
	polls_always = poll_always;
	if (n_cores < 1 || n_cores > PROC_MAX)
		return errtext_set(e, -EINVAL, "%u procs; there can be 1 to %u", n_cores, PROC_MAX);
	for (unsigned i = 0; i < n_cores; i++) {
		int rc = proc_start(i, cores[i], e);

		if (rc < 0) {
			proc_stop_all();
			return rc;
		}
	}
	return 0;
}

void proc_stop_all(void)
{
	for (unsigned i = vsw_root.n_procs; i-- > 0;)
		if (vsw_root.procs[i] != NULL)
			proc_stop(vsw_root.procs[i]);
}

int proc_add(unsigned core, struct errtext *e)
{
	const struct proc *there = proc_on_core(core);
	unsigned number = 0;
	int rc = cores_check(core, e);

	if (rc != 0)
		return rc;
	if (there != NULL)
		return errtext_set(e, -EEXIST, "core %u is %s's already", core, there->obj.name);
	while (number < PROC_MAX && vsw_root.procs[number] != NULL)
		number++;
	if (number == PROC_MAX)
		return errtext_set(e, -ENOSPC, "there are %u procs, the most that a vswd has",
				   PROC_MAX);
	rc = proc_start(number, core, e);
	if (rc != 0)
		return rc;
	// Not before its thread is known, which stays where it is.
	proc_wait_taken(vsw_root.procs[number], atomic_load(&vsw_root.procs[number]->conf));
	cores_share();
	rc = proc_move_pinned(e);
	if (rc != 0) {
		proc_stop(vsw_root.procs[number]);
		cores_share();
		return rc;
	}
	return (int)number;
}

int proc_remove(unsigned number, struct errtext *e)
{
	struct proc *p = proc_at(number);
	char numbers[NUMBERS_SIZE];
	int rc;

	if (p == NULL) {
		numbers_text(numbers);
		return errtext_set(e, -ENOENT, "there is no proc %u; there is %s", number, numbers);
	}
	if (proc_count() == 1)
		return errtext_set(e, -EBUSY,
				   "%s is the last proc, and without one no frame is moved; add "
				   "another first",
				   p->obj.name);
	rc = spread(p, e);
	if (rc != 0)
		return rc;
	proc_stop(p);
	cores_share();
	return 0;
}

uint32_t proc_now_s(void)
{
	return (uint32_t)((rte_rdtsc() - vsw_root.start_tsc) / vsw_root.tsc_hz);
}

unsigned proc_count(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vsw_root.n_procs; i++)
		n += vsw_root.procs[i] != NULL;
	return n;
}

struct proc *proc_at(unsigned number)
{
	return number < PROC_MAX ? vsw_root.procs[number] : NULL;
}

struct proc *proc_on_core(unsigned core)
{
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (vsw_root.procs[i] != NULL && vsw_root.procs[i]->core == core)
			return vsw_root.procs[i];
	return NULL;
}

void proc_wake(unsigned number)
{
	const uint64_t one = 1;
	int fd = number < PROC_MAX
			 ? atomic_load_explicit(&wake_fds[number], memory_order_acquire) - 1
			 : -1;

	if (fd >= 0)
		(void)!write(fd, &one, sizeof(one));
}

void proc_synchronize(void)
{
	const struct timespec pause = {.tv_nsec = GRACE_SLEEP_NS};
	uint64_t token = rte_rcu_qsbr_start(rcu);

	while (rte_rcu_qsbr_check(rcu, token, false) == 0)
		nanosleep(&pause, NULL);
}

/*
 * A sleeping proc is nobody to wait for under RCU, but the kernel holds the files that it sleeps
 * on: a TAP would outlive its port until the proc wakes. It has been woken; this waits until it
 * has taken up 'conf', and so is out of the sleep that it went into with the one before.
 */
void proc_wait_taken(const struct proc *p, const struct proc_conf *conf)
{
	const struct timespec pause = {.tv_nsec = GRACE_SLEEP_NS};
	unsigned spins = 0;

	while (atomic_load_explicit(&p->conf_taken, memory_order_acquire) != conf) {
		if (spins++ < TAKEN_SPINS)
			rte_pause();
		else
			nanosleep(&pause, NULL);
	}
}

static int proc_start(unsigned number, unsigned core, struct errtext *e)
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
	p->node = cores_node(core);
	p->poll_always = polls_always;
	p->tsc_hz = vsw_root.tsc_hz;
	p->start_tsc = vsw_root.start_tsc;
	p->started_tsc = p->stage_tsc = rte_rdtsc();
	snprintf(p->copy_name, sizeof(p->copy_name), "%s", copy_name());
	p->wake_fd = wake_fd_of(number);
	p->conf = proc_conf_create(0);
	if (p->wake_fd < 0 || p->conf == NULL) {
		proc_free(p);
		return errtext_set(e, -ENOMEM, "cannot make an eventfd for %s", name);
	}
	set_proc(number, p);
	rc = start_thread(p);
	if (rc != 0) {
		set_proc(number, NULL);
		proc_free(p);
		return errtext_set(e, -rc, "cannot start %s on core %u: %s", name, core,
				   strerror(rc));
	}
	return 0;
}

// Negative: it cannot be made.
static int wake_fd_of(unsigned number)
{
	int fd = atomic_load(&wake_fds[number]) - 1;

	if (fd < 0) {
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		atomic_store_explicit(&wake_fds[number], fd + 1, memory_order_release);
	}
	return fd;
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
		rc = pthread_create(&p->thread, &attr, proc_run, p);
	pthread_attr_destroy(&attr);
	return rc;
}

// Its thread has settled all that it owed when it ends.
static void proc_stop(struct proc *p)
{
	atomic_store_explicit(&p->stop, 1, memory_order_release);
	proc_wake(p->number);
	pthread_join(p->thread, NULL);
	set_proc(p->number, NULL);
	proc_free(p);
}

static void proc_free(struct proc *p)
{
	free(p->conf);
	object_fini(&p->obj);
	free(p);
}

// A debugger finds either the proc or none.
static void set_proc(unsigned number, struct proc *p)
{
	uint32_t n = PROC_MAX;

	vsw_root.procs[number] = p;
	while (n > 0 && vsw_root.procs[n - 1] == NULL)
		n--;
	vsw_root.n_procs = n;
}

// Gives its queues to the other procs, each to the one with the fewest.
static int spread(const struct proc *p, struct errtext *e)
{
	const struct proc_conf *conf = atomic_load(&p->conf);
	uint32_t n_rxqs[PROC_MAX], n = 0;
	uint16_t numbers[PROC_MAX];
	struct proc_move *moves;
	int rc;

	for (uint16_t i = 0; i < PROC_MAX; i++) {
		if (vsw_root.procs[i] == NULL || vsw_root.procs[i] == p)
			continue;
		n_rxqs[n] = atomic_load(&vsw_root.procs[i]->conf)->n_rxqs;
		numbers[n++] = i;
	}
	if (conf->n_rxqs == 0)
		return 0;
	moves = calloc(conf->n_rxqs, sizeof(moves[0]));
	if (moves == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < conf->n_rxqs; i++) {
		int to = place_new_queue(n_rxqs, n);

		n_rxqs[to]++;
		moves[i] = (struct proc_move){
			.nic = conf->rxqs[i].nic, .queue = conf->rxqs[i].queue, .to = numbers[to]};
	}
	rc = proc_move_rxqs(moves, conf->n_rxqs, e);
	free(moves);
	return rc;
}

// "0, 2, 3".
static void numbers_text(char out[NUMBERS_SIZE])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < PROC_MAX && used < NUMBERS_SIZE; i++)
		if (vsw_root.procs[i] != NULL)
			used += (size_t)snprintf(out + used, NUMBERS_SIZE - used, "%s%u",
						 used > 0 ? ", " : "", i);
}

// Receive queues go from proc to proc, and procs come and go, while frames pass: none is lost, none
// overtakes another of its flow, and no queue is polled by two. NICs are in memory; those that send
// make frames as they are polled, and those that receive look at the numbers in them. Needs EAL
// without hugepages; more cores than one make it mean more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mempool.h>

#include "ports/hostio.h"
#include "ports/log.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vnic_ops.h"
#include "ports/vport.h"
#include "switch/conf_types.h"
#include "switch/cores.h"
#include "switch/load.h"
#include "switch/proc.h"
#include "switch/vswitch.h"
#include "tests/unit/eal.h"

enum {
	SENDERS = 4,
	RECEIVERS = 2,
	NICS = SENDERS + RECEIVERS,
	FRAME = 64,
	STRIDE = 256,
	WINDOW = 100, // frames of one sender under way; of all together, an inbox holds them
	MBUFS = 2047,
	MOVES = 3000,
	CHANGES = 200,   // of the set of procs
	PAUSE_EVERY = 8, // moves, after which procs are left to fall asleep
	PAUSE_US = 300,
	SLOW_EVERY = 4, // frames received
	SLOW_US = 30,
	WAIT_MS = 10000
};

static_assert(SENDERS * WINDOW < VNIC_INBOX_SIZE, "nothing may be dropped");

struct body {
	uint32_t sender;
	uint32_t sequence; // of this sender to this receiver
};

// First what all have, then what one side has.
struct end {
	struct vnic nic;
	unsigned number;
	_Atomic uint32_t receiving, sending; // procs that do: 0 or 1

	int fd;
	_Atomic uint64_t offered;
	uint64_t received; // of it; by the proc that polls
	uint32_t in_hand;
	uint32_t next_out[RECEIVERS];
	uint8_t memory[VNBL_BURST_MAX * STRIDE];

	uint32_t next_in[SENDERS]; // under the queue's lock
	uint64_t left;             // frames that came by the inbox
};

static struct vswitch *sw;
static struct vport *ports[NICS];
static struct vnic *vhosts[NICS];
static struct end *ends[NICS];
static _Atomic uint64_t arrived[SENDERS];
static _Atomic uint32_t wrongs; // two at once, unpaired calls, frames that are late or missing
static unsigned cores[2], n_cores;

static void end_mac(unsigned number, uint8_t mac[6])
{
	memcpy(mac, "\x02\x00\x00\x00\x00", 5);
	mac[5] = (uint8_t)(number + 1);
}

static void enter(_Atomic uint32_t *inside)
{
	if (atomic_fetch_add(inside, 1) != 0)
		atomic_fetch_add(&wrongs, 1);
}

static void end_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct end *end = (struct end *)nic;

	enter(&end->receiving);
	// Neither in another proc's hands nor waiting for its wake-up.
	if (end->in_hand != 0 || nic->rxq[q].armed)
		atomic_fetch_add(&wrongs, 1);
	burst->n = 0;
	burst->bytes = 0;
	while (end->received < atomic_load(&end->offered) && burst->n < VNBL_BURST_MAX) {
		unsigned to = end->received++ % RECEIVERS;
		struct body body = {.sender = end->number, .sequence = end->next_out[to]++};
		uint8_t *frame = end->memory + burst->n * STRIDE + VNBL_HEADROOM;

		memset(frame, 0, FRAME);
		end_mac(SENDERS + to, frame);
		end_mac(end->number, frame + 6);
		memcpy(frame + 12, "\x88\xb5", 2);
		memcpy(frame + FRAME - sizeof(body), &body, sizeof(body));
		vnbl_reset(&burst->frames[burst->n]);
		hostio_set_frame(&burst->frames[burst->n++], frame, FRAME);
		burst->bytes += FRAME;
	}
	end->in_hand = burst->n;
	// Moves shall find bursts under way.
	if (burst->n > 0 && end->received % SLOW_EVERY == 0)
		rte_delay_us_block(SLOW_US);
	atomic_fetch_sub(&end->receiving, 1);
}

static void end_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	struct end *end = (struct end *)nic;

	enter(&end->receiving);
	if (end->in_hand == 0)
		atomic_fetch_add(&wrongs, 1);
	end->in_hand = 0;
	atomic_fetch_sub(&end->receiving, 1);
}

static void end_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st)
{
	struct end *end = (struct end *)nic;

	enter(&end->sending);
	for (unsigned i = 0; i < n; i++) {
		struct body body;

		memcpy(&body, frames[i]->hdr + FRAME - sizeof(body), sizeof(body));
		if (body.sender >= SENDERS || body.sequence != end->next_in[body.sender]++) {
			atomic_fetch_add(&wrongs, 1);
			continue;
		}
		end->left += frames[i]->mbuf != NULL;
		atomic_fetch_add(&arrived[body.sender], 1);
	}
	st->tx_frames += n;
	// Make collisions likely on a machine with few cores.
	if (end->next_in[0] % 64 == 0)
		sched_yield();
	atomic_fetch_sub(&end->sending, 1);
}

static int end_rx_arm(struct vnic *nic, unsigned q)
{
	struct end *end = (struct end *)nic;

	enter(&end->receiving);
	atomic_fetch_sub(&end->receiving, 1);
	return end->received < atomic_load(&end->offered) ? -EAGAIN : end->fd;
}

static void end_rx_disarm(struct vnic *nic, unsigned q)
{
	struct end *end = (struct end *)nic;
	uint64_t count;

	enter(&end->receiving);
	(void)!read(end->fd, &count, sizeof(count));
	atomic_fetch_sub(&end->receiving, 1);
}

static const struct vnic_ops end_ops = {
	.rx = end_rx,
	.rx_done = end_rx_done,
	.tx = end_tx,
	.rx_arm = end_rx_arm,
	.rx_disarm = end_rx_disarm,
};

// As many as may be under way; who sleeps is woken by the NIC's own fd only.
static void offer(void)
{
	const uint64_t one = 1;

	for (unsigned i = 0; i < SENDERS; i++) {
		atomic_store(&ends[i]->offered, atomic_load(&arrived[i]) + WINDOW);
		(void)!write(ends[i]->fd, &one, sizeof(one));
	}
}

static void wait_for_all(void)
{
	for (unsigned i = 0; i < SENDERS; i++)
		for (unsigned ms = 0; atomic_load(&arrived[i]) < atomic_load(&ends[i]->offered);
		     ms++) {
			if (ms == WAIT_MS)
				fail_msg("%lu of %lu frames of sender %u arrived",
					 atomic_load(&arrived[i]), atomic_load(&ends[i]->offered),
					 i);
			usleep(1000);
		}
}

static void pause_now_and_then(unsigned turn)
{
	offer();
	if (turn % PAUSE_EVERY == 0)
		usleep(PAUSE_US);
}

static void check_all(void)
{
	uint64_t sent = 0, dropped = 0, polled = 0;

	wait_for_all();
	proc_synchronize(); // what has arrived may not have been counted yet
	assert_int_equal(atomic_load(&wrongs), 0);
	for (unsigned i = 0; i < NICS; i++) {
		struct vport_stats st;

		vport_sum_stats(ports[i], &st);
		sent += st.tx_frames;
		for (unsigned r = 0; r < DROP_COUNT; r++)
			dropped += st.drops[DROP_IN][r] + st.drops[DROP_OUT][r];
		if (i < SENDERS) {
			assert_int_equal(st.rx_frames, atomic_load(&arrived[i]));
			polled += ends[i]->nic.rxq[0].frames;
		}
	}
	assert_int_equal(dropped, 0);
	assert_int_equal(sent, polled);
	assert_int_equal(rte_mempool_avail_count(vnbl_pool()), MBUFS);
}

static unsigned some_proc(unsigned *x_random)
{
	unsigned number;

	do
		number = (unsigned)rand_r(x_random) % PROC_MAX;
	while (proc_at(number) == NULL);
	return number;
}

static void moved_frames_arrive_in_order(void **state)
{
	unsigned random = 1;

	for (unsigned turn = 0; turn < MOVES; turn++) {
		unsigned to = some_proc(&random);
		struct vnic *nic = &ends[(unsigned)rand_r(&random) % SENDERS]->nic;

		pause_now_and_then(turn);
		assert_int_equal(proc_move_rxq(nic, 0, to, NULL), 0);
		assert_int_equal(atomic_load(&nic->rxq[0].proc), to);
		assert_int_equal(nic->rxq[0].moving, 0);
	}
	check_all();
}

static void many_move_at_once(void **state)
{
	struct proc_move moves[SENDERS];
	unsigned random = 2;

	for (unsigned turn = 0; turn < MOVES; turn++) {
		pause_now_and_then(turn);
		for (unsigned i = 0; i < SENDERS; i++)
			moves[i] = (struct proc_move){.nic = &ends[i]->nic,
						      .to = (uint16_t)some_proc(&random)};
		assert_int_equal(proc_move_rxqs(moves, SENDERS, NULL), 0);
		for (unsigned i = 0; i < SENDERS; i++)
			assert_int_equal(atomic_load(&ends[i]->nic.rxq[0].proc), moves[i].to);
	}
	check_all();
}

static void refused_moves_change_nothing(void **state)
{
	struct proc_move moves[2] = {{.nic = &ends[0]->nic, .to = 1}, {.nic = &ends[1]->nic}};
	struct errtext e;

	assert_int_equal(proc_move_rxq(&ends[0]->nic, 0, 0, NULL), 0);
	moves[1].to = PROC_MAX - 1;
	assert_int_equal(proc_move_rxqs(moves, 2, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no proc 15"));
	assert_int_equal(proc_move_rxq(&ends[0]->nic, 1, 0, &e), -EINVAL);
	assert_int_equal(proc_move_rxq(vhosts[0], 0, 0, &e), -EINVAL);
	assert_int_equal(atomic_load(&ends[0]->nic.rxq[0].proc), 0);
	assert_int_equal(ends[0]->nic.rxq[0].moving, 0);
	offer();
	check_all();
}

// What the library's threads do: they know but a number.
static void *wake_all(void *stop)
{
	while (!atomic_load((_Atomic bool *)stop))
		for (unsigned i = 0; i < PROC_MAX + 1; i++)
			proc_wake(i);
	return NULL;
}

static void procs_come_and_go(void **state)
{
	unsigned queues, number = 1;
	_Atomic bool stop = false;
	pthread_t waker;

	if (n_cores < 2)
		skip();
	assert_int_equal(pthread_create(&waker, NULL, wake_all, &stop), 0);
	for (unsigned turn = 0; turn < CHANGES; turn++) {
		unsigned core = proc_at(number)->core;

		pause_now_and_then(turn);
		assert_int_equal(proc_remove(number, NULL), 0);
		assert_null(proc_at(number));
		assert_int_equal(proc_count(), 1);
		queues = atomic_load(&proc_at(1 - number)->conf)->n_rxqs;
		assert_int_equal(queues, NICS);
		pause_now_and_then(turn + 1);
		assert_int_equal(proc_add(core, NULL), number);
		assert_ptr_equal(proc_on_core(core), proc_at(number));
		for (unsigned i = 0; i < SENDERS; i += 2)
			assert_int_equal(proc_move_rxq(&ends[i]->nic, 0, number, NULL), 0);
		number = turn % 3 == 0 ? 1 - number : number;
	}
	atomic_store(&stop, true);
	pthread_join(waker, NULL);
	check_all();
}

static void pinned_queues_follow_their_core(void **state)
{
	struct vnic_rxq *rxq = &ends[0]->nic.rxq[0];

	if (n_cores < 2)
		skip();
	rxq->pinned = (uint16_t)(cores[1] + 1);
	offer();
	assert_int_equal(proc_move_pinned(NULL), 0);
	assert_int_equal(proc_at(atomic_load(&rxq->proc))->core, cores[1]);
	assert_int_equal(proc_remove(proc_on_core(cores[1])->number, NULL), 0);
	assert_int_equal(proc_at(atomic_load(&rxq->proc))->core, cores[0]);
	offer();
	assert_true(proc_add(cores[1], NULL) >= 0);
	assert_int_equal(proc_at(atomic_load(&rxq->proc))->core, cores[1]);
	rxq->pinned = 0;
	check_all();
}

static void load_is_told_by_queue(void **state)
{
	const struct vnic_rxq *rxq = &ends[1]->nic.rxq[0];
	uint64_t frames, busy_tsc;
	struct proc *p;

	wait_for_all();
	proc_synchronize();
	load_tick(rte_rdtsc());
	frames = rxq->frames;
	busy_tsc = rxq->busy_tsc;
	p = proc_at(atomic_load(&rxq->proc));
	offer();
	wait_for_all();
	proc_synchronize();
	assert_int_equal(rxq->frames - frames, WINDOW);
	load_tick(rte_rdtsc());
	assert_int_equal(rxq->seen_frames, rxq->frames);
	assert_true(rxq->busy_tsc > busy_tsc);
	assert_int_equal(rxq->seen_busy_tsc, rxq->busy_tsc);
	assert_true(rxq->load <= p->load && p->load <= 1000);
	assert_true(rxq->frames_s > 0 && rxq->frames_s <= p->frames_s);
	load_tick(rte_rdtsc());
	assert_int_equal(rxq->load, 0);
	assert_int_equal(rxq->frames_s, 0);
}

static void wrong_procs_are_refused(void **state)
{
	struct errtext e;

	assert_int_equal(proc_add(CPU_SETSIZE, &e), -EINVAL);
	assert_non_null(strstr(e.text, "core 1024 is none that vswd may use"));
	assert_int_equal(proc_add(cores[0], &e), -EEXIST);
	assert_non_null(strstr(e.text, "proc0's already"));
	assert_int_equal(proc_remove(PROC_MAX, &e), -ENOENT);
	assert_non_null(strstr(e.text, "there is no proc 16; there is 0, 1"));
	assert_int_equal(proc_remove(1, &e), 0);
	assert_int_equal(proc_remove(0, &e), -EBUSY);
	assert_non_null(strstr(e.text, "last"));
	assert_int_equal(atomic_load(&proc_at(0)->conf)->n_rxqs, NICS);
}

static void port_make(unsigned i)
{
	struct conf_port conf = {
		.type = VPORT_SYNTHETIC,
		.has_nic = true,
		.kind = VNIC_VHOST,
		.queues = 1,
		.id = (uint16_t)(i + 1),
		.mac_set = true,
	};
	const struct vswitch_map *map;
	struct end *end = aligned_alloc(alignof(struct end), sizeof(*end));

	end_mac(i, conf.mac);
	snprintf(conf.name, sizeof(conf.name), "end%u", i);
	snprintf(conf.path, sizeof(conf.path), "/nonexistent/%u.sock", i);
	if (end == NULL || vswitch_port_add(sw, &conf, VSWITCH_STORED, -1, &ports[i], NULL) != 0)
		abort();
	proc_remove_rxq(ports[i]->nic, 0);
	vhosts[i] = ports[i]->nic;
	memset(end, 0, sizeof(*end));
	end->number = i;
	end->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	end->nic.ops = &end_ops;
	end->nic.kind = VNIC_TAP;
	end->nic.state = VNIC_STATE_CONNECTED;
	end->nic.n_queues = 1;
	vnic_queues_init(&end->nic);
	end->nic.port = ports[i];
	ports[i]->nic = &end->nic;
	map = atomic_load(&sw->map);
	assert_ptr_equal(map->by_slot[ports[i]->slot], ports[i]);
	ends[i] = end;
	if (proc_add_rxq(&(struct proc_rxq){.nic = &end->nic,
					    .port = ports[i],
					    .vswitch = sw,
					    .slot = ports[i]->slot},
			 NULL) != 0)
		abort();
}

static void find_cores(void)
{
	cpu_set_t set;

	if (cores_init() != 0 || sched_getaffinity(0, sizeof(set), &set) != 0)
		abort();
	for (unsigned core = 0; core < CPU_SETSIZE && n_cores < 2; core++)
		if (CPU_ISSET(core, &set))
			cores[n_cores++] = core;
	if (n_cores == 1)
		cores[1] = cores[0];
}

static int setup(void **state)
{
	static const struct conf_switch conf = {
		.name = "s",
		.id = "AC2DA35C-661A-40AE-82F2-1F62F70DBB2A",
		.device_id = "95141247-9BD1-4449-9223-C402789D94DD",
		.type = CONF_SWITCH_PRIVATE,
		.ageing_s = 300,
		.stations = 64,
		.mtu = 1500,
	};
	struct ports_env env = {.wake = proc_wake, .run_dir = "/nonexistent", .n_mbufs = MBUFS};

	find_cores();
	if (log_init(LOG_LEVEL_ERROR) < 0 || eal_start() < 0 || proc_init() < 0)
		return -1;
	env.rcu = proc_rcu();
	if (ports_init(&env, NULL) < 0 || proc_start_all(cores, 2, false, NULL) < 0 ||
	    vswitch_create(&conf, &sw, NULL) < 0)
		return -1;
	for (unsigned i = 0; i < NICS; i++)
		port_make(i);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < NICS; i++) {
		proc_remove_rxq(&ends[i]->nic, 0);
		ports[i]->nic = vhosts[i];
		vnic_queues_fini(&ends[i]->nic);
	}
	vswitch_destroy(sw, true);
	proc_stop_all();
	for (unsigned i = 0; i < NICS; i++) {
		close(ends[i]->fd);
		free(ends[i]);
	}
	ports_fini();
	proc_fini();
	log_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved_frames_arrive_in_order),
		cmocka_unit_test(many_move_at_once),
		cmocka_unit_test(refused_moves_change_nothing),
		cmocka_unit_test(procs_come_and_go),
		cmocka_unit_test(pinned_queues_follow_their_core),
		cmocka_unit_test(load_is_told_by_queue),
		cmocka_unit_test(wrong_procs_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

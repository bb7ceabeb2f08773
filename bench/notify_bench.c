/*
 * What notifications cost, in three tables:
 *
 *   one signal      a call as procs make it (ports/call.h), and a plain write() to the eventfd,
 *                   which could be made to wait; nobody sleeps on it
 *   one burst       frames into a guest's receive ring: with a call at its end, as a proc that
 *                   has nothing else to do makes it; with one for several bursts, as a busy
 *                   one does; and with none, because the guest asked for none
 *   there and back  a guest sends a burst and waits until the switch has taken it. Who sleeps
 *                   is woken by an eventfd, who polls has asked the other for no notification.
 *                   'kick' is what making the frames available costs the guest, 'call' what
 *                   giving them back costs the switch; both with the notification, if any.
 *
 * The ring code is the switch's own. To wake a thread on an idle core takes long, in a virtual
 * machine most of all; between guests that never sleep nothing of that is ever paid.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/bguest.h"
#include "bench/cycles.h"
#include "bench/stats.h"
#include "ports/call.h"
#include "ports/copy.h"
#include "ports/vnbl.h"
#include "ports/vring.h"
#include "switch/proc.h"

enum {
	ROUNDS = 40,
	SIGNALS = 2048, // of one round: more than completed reads that the kernel keeps
	TRIPS = 20,     // of one round
	FRAME = 64,
	ASLEEP_US = 20, // from the switch's word that it goes to sleep until it does
	WAIT_MS = 5000, // for the other side; longer means that it was not woken at all
	MS_PER_S = 1000,
	US_PER_S = 1000000
};

enum wish { WISH_CALL, WISH_CALL_LATE, WISH_NO_CALL, WISH_NO_EVENT, WISHES };
enum trip_column { TRIP_KICK, TRIP_CALL, TRIP_MEDIAN, TRIP_SLOWEST, TRIP_COLUMNS };

// The switch's side of a guest's transmit ring.
struct taker {
	struct virtq q;
	struct vnbl_burst burst;
	struct vport_stats st;
	bool sleeps;
	_Atomic bool asleep; // or about to fall asleep
	_Atomic bool stop;
	_Atomic uint32_t n_calls; // bursts given back
	double calls[TRIPS];      // what that took, the latest
};

struct guest {
	struct bguest ring;
	int callfd;
	int kickfd;
	bool sleeps;
	uint32_t burst;
};

static struct cycles c;
static struct taker taker;
static struct guest guest;
static const unsigned bursts[] = {1, 32};

static void signals_measure(void);
static void signal_measure(const char *name, void (*send)(int fd));
static void signal_write(int fd);
static void bursts_measure(void);
static void burst_measure(enum wish wish, unsigned n);
static double burst_round(struct bguest *g, struct virtq *q, enum wish wish, unsigned n);
static void trips_measure(void);
static void trip_case(bool taker_sleeps, bool guest_sleeps, unsigned burst);
static void trip_round(unsigned round);
static uint64_t trip(uint64_t *kick_ret);
static void wait_asleep(void);
static void wait_taken(uint16_t until);
static void *taker_main(void *arg);
static void taker_give_back(struct taker *t);
static void taker_sleep(struct taker *t);
static int eventfd_open(void);

int main(int argc, char **argv)
{
	cycles_init(&c, "notify", "What notifications between a guest and the switch cost.", ROUNDS,
		    argc, argv);
	copy_init();
	cycles_pin(&c, 0);
	cycles_say(&c, "TSC cycles, %.0f of them in a microsecond; median of %u rounds",
		   c.hz / US_PER_S, c.rounds);
	signals_measure();
	bursts_measure();
	if (c.n_cores > 1)
		trips_measure();
	else
		cycles_say(&c, "there and back: not measured, since there is one core only");
	cycles_fini(&c);
	return 0;
}

static void signals_measure(void)
{
	static const char *const columns[] = {"signal"};

	cycles_table(&c, "one signal", columns, 1);
	signal_measure("call", call_send);
	signal_measure("write", signal_write);
}

static void signal_measure(const char *name, void (*send)(int fd))
{
	int fd, own;

	if (!cycles_wants(&c, name))
		return;
	fd = eventfd_open();
	own = call_open(fd);
	if (own < 0)
		cycles_fail("an eventfd is refused");
	for (unsigned round = 0; round < c.rounds; round++) {
		uint64_t began = cycles_now(), signals;

		for (unsigned i = 0; i < SIGNALS; i++)
			send(own);
		cycles_sample(&c, 0, round, (double)(cycles_now() - began) / SIGNALS);
		if (read(fd, &signals, sizeof(signals)) != sizeof(signals) || signals != SIGNALS)
			cycles_fail("signals were lost");
	}
	cycles_case(&c, name);
	close(own);
	close(fd);
}

static void signal_write(int fd)
{
	static const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		cycles_fail("cannot write to an eventfd");
}

static void bursts_measure(void)
{
	static const char *const columns[] = {"burst"};

	cycles_table(&c, "one burst", columns, 1);
	for (unsigned i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		for (unsigned wish = 0; wish < WISHES; wish++)
			burst_measure(wish, bursts[i]);
	}
}

static void burst_measure(enum wish wish, unsigned n)
{
	static const char *const words[WISHES] = {
		"the guest is called", "it is called for 8 at once", "it asked for no call",
		"it asked for no call by event index"};
	static struct virtq q;
	struct bguest g;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "burst %u, %s", n, words[wish]);
	if (!cycles_wants(&c, name))
		return;
	bguest_init(&g, VIRTQ_TO_GUEST);
	fd = eventfd_open();
	bguest_attach(&g, &q, 0, wish == WISH_NO_EVENT ? VIRTQ_FEATURE_EVENT_IDX : 0, fd, -1);
	if (wish == WISH_NO_CALL)
		g.avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	// The first burst always calls.
	burst_round(&g, &q, wish, n);
	for (unsigned round = 0; round < c.rounds; round++) {
		uint64_t calls = q.calls, want = 0;

		if (wish == WISH_CALL || wish == WISH_CALL_LATE)
			want = BGUEST_RING / n / (wish == WISH_CALL ? 1 : PROC_SETTLE_BURSTS);

		cycles_sample(&c, 0, round, burst_round(&g, &q, wish, n));
		if (q.calls - calls != want)
			cycles_fail("%s: %lu calls of %lu", name, (unsigned long)(q.calls - calls),
				    (unsigned long)want);
	}
	cycles_case(&c, name);
	vring_detach(&q, NULL, NULL);
	close(fd);
	bguest_fini(&g);
}

// Fills the guest's ring once, in bursts. Returns the cycles per burst.
static double burst_round(struct bguest *g, struct virtq *q, enum wish wish, unsigned n)
{
	static struct vnbl frames[VNBL_BURST_MAX];
	struct vnbl *pointers[VNBL_BURST_MAX];
	struct vport_stats st = {0};
	uint64_t began;

	for (unsigned i = 0; i < n; i++) {
		vnbl_reset(&frames[i]);
		frames[i].frame_size = frames[i].safe_size = FRAME;
		pointers[i] = &frames[i];
	}
	// An index that has been passed: the entry behind the available ring.
	if (wish == WISH_NO_EVENT)
		g->avail->ring[BGUEST_RING] = (uint16_t)(g->used->idx - 1);
	bguest_offer(g, BGUEST_RING);
	began = cycles_now();
	for (unsigned i = 1; i <= BGUEST_RING / n; i++) {
		vring_tx(q, pointers, n, &st);
		if (wish != WISH_CALL_LATE || i % PROC_SETTLE_BURSTS == 0)
			vring_settle();
	}
	began = cycles_now() - began;
	if (st.tx_frames != BGUEST_RING)
		cycles_fail("the guest's ring takes no frames");
	return (double)began * n / BGUEST_RING;
}

static void trips_measure(void)
{
	static const char *const columns[TRIP_COLUMNS] = {"kick", "call", "trip", "slowest"};

	cycles_table(&c, "there and back; the slowest of 20", columns, TRIP_COLUMNS);
	bguest_init(&guest.ring, VIRTQ_FROM_GUEST);
	guest.callfd = eventfd_open();
	guest.kickfd = eventfd_open();
	for (unsigned i = 0; i < (c.quick ? 1 : sizeof(bursts) / sizeof(bursts[0])); i++) {
		for (unsigned who = 0; who < 4; who++)
			trip_case(who / 2 == 0, who % 2 == 0, bursts[i]);
	}
	close(guest.callfd);
	close(guest.kickfd);
	bguest_fini(&guest.ring);
}

static void trip_case(bool taker_sleeps, bool guest_sleeps, unsigned burst)
{
	pthread_t thread;
	char name[64];

	snprintf(name, sizeof(name), "burst %u, switch %s, guest %s", burst,
		 taker_sleeps ? "sleeps" : "polls", guest_sleeps ? "sleeps" : "polls");
	if (!cycles_wants(&c, name))
		return;
	guest.sleeps = guest_sleeps;
	guest.burst = burst;
	taker.sleeps = taker_sleeps;
	atomic_store(&taker.stop, false);
	atomic_store(&taker.asleep, false);
	atomic_store(&taker.n_calls, 0);
	bguest_attach(&guest.ring, &taker.q, FRAME, 0, guest.callfd, guest.kickfd);
	guest.ring.avail->flags = guest_sleeps ? 0 : VIRTQ_AVAIL_NO_INTERRUPT;
	if (pthread_create(&thread, NULL, taker_main, &taker) != 0)
		cycles_fail("no thread for the switch's side");
	for (unsigned round = 0; round < c.rounds; round++)
		trip_round(round);
	atomic_store(&taker.stop, true);
	signal_write(guest.kickfd);
	pthread_join(thread, NULL);
	call_clear(guest.kickfd);
	vring_detach(&taker.q, NULL, NULL);
	cycles_case(&c, name);
}

static void trip_round(unsigned round)
{
	double trips[TRIPS], kicks[TRIPS], calls[TRIPS];
	struct stats_summary s;

	for (unsigned i = 0; i < TRIPS; i++) {
		uint64_t kick;

		trips[i] = (double)trip(&kick);
		kicks[i] = (double)kick;
	}
	while (atomic_load_explicit(&taker.n_calls, memory_order_acquire) != (round + 1) * TRIPS)
		_mm_pause();
	memcpy(calls, taker.calls, sizeof(calls));
	stats_summarize(calls, TRIPS, &s);
	cycles_sample(&c, TRIP_CALL, round, s.median);
	stats_summarize(kicks, TRIPS, &s);
	cycles_sample(&c, TRIP_KICK, round, s.median);
	stats_summarize(trips, TRIPS, &s);
	cycles_sample(&c, TRIP_MEDIAN, round, s.median);
	cycles_sample(&c, TRIP_SLOWEST, round, s.max);
}

// One burst, from before it is made available until the guest knows that it was taken.
static uint64_t trip(uint64_t *kick_ret)
{
	const struct bguest *g = &guest.ring;
	uint16_t until = (uint16_t)(g->used->idx + guest.burst);
	uint64_t began;

	if (taker.sleeps)
		wait_asleep();
	call_clear(guest.callfd);
	began = cycles_now();
	bguest_offer(&guest.ring, guest.burst);
	// The frames must be out before the switch's wish is read.
	atomic_thread_fence(memory_order_seq_cst);
	if ((g->used->flags & VIRTQ_USED_NO_NOTIFY) == 0)
		signal_write(guest.kickfd);
	*kick_ret = cycles_now() - began;
	wait_taken(until);
	return cycles_now() - began;
}

static void wait_asleep(void)
{
	double until;

	while (!atomic_load_explicit(&taker.asleep, memory_order_acquire))
		_mm_pause();
	until = (double)cycles_now() + c.hz / US_PER_S * ASLEEP_US;
	while ((double)cycles_now() < until)
		_mm_pause();
}

static void wait_taken(uint16_t until)
{
	const double give_up = (double)cycles_now() + c.hz / MS_PER_S * WAIT_MS;
	struct pollfd p = {.fd = guest.callfd, .events = POLLIN};

	while (guest.ring.used->idx != until) {
		if (!guest.sleeps)
			_mm_pause();
		else if (poll(&p, 1, WAIT_MS) == 1)
			call_clear(guest.callfd);
		if ((double)cycles_now() > give_up)
			cycles_fail("the other side did not answer");
	}
}

static void *taker_main(void *arg)
{
	struct taker *t = arg;

	cycles_pin(&c, 1);
	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		vring_rx(&t->q, &t->burst, &t->st);
		if (t->burst.n > 0)
			taker_give_back(t);
		else if (t->sleeps)
			taker_sleep(t);
		else
			_mm_pause();
	}
	return NULL;
}

static void taker_give_back(struct taker *t)
{
	uint32_t n = atomic_load_explicit(&t->n_calls, memory_order_relaxed);
	uint64_t began = cycles_now();

	vring_rx_done(&t->q);
	vring_settle();
	t->calls[n % TRIPS] = (double)(cycles_now() - began);
	atomic_store_explicit(&t->n_calls, n + 1, memory_order_release);
}

static void taker_sleep(struct taker *t)
{
	int fd = vring_arm(&t->q);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return;
	atomic_store_explicit(&t->asleep, true, memory_order_release);
	poll(&p, 1, WAIT_MS);
	atomic_store_explicit(&t->asleep, false, memory_order_release);
	vring_disarm(&t->q);
}

static int eventfd_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		cycles_fail("no eventfd");
	return fd;
}

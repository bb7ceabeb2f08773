/*
 * What the ring code costs per frame: guest A's transmit ring to guest B's receive ring, in
 * one process, with no switch in between, by each version of the copies that runs here.
 *
 * Fill and drain: the guests fill their rings, then the clock runs while the frames are moved,
 * so the guests' own work is not measured. Static guests only bump their indices, so that
 * all data stays in the caches of the core that moves it. Touching guests, which run on
 * another core, write every line of each frame and read every line of what they get, as real
 * ones do.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bguest.h"
#include "bench/cycles.h"
#include "ports/copy.h"
#include "ports/vring.h"
#include "switch/proc.h"

enum {
	ROUNDS = 200,
	STAGES = 4, // receive, send, release, settle
	TOTAL = STAGES,
	COLUMNS
};

enum turn { TURN_OURS, TURN_GUESTS, TURN_END };

struct bench {
	struct bguest from, to;
	struct virtq from_q, to_q;
	uint32_t size; // bytes of a frame
	struct vnbl_burst burst;
	struct vport_stats st;
	uint64_t cycles[STAGES];

	struct cycles *c;
	_Atomic uint32_t turn; // enum turn
	bool touch;
	uint64_t sum; // of what the touching guest read
};

static void measure(struct bench *b, const char *copies);
static void guests_work(struct bench *b);
static void guests(struct bench *b);
static void touch(struct bench *b);
static void *guests_thread(void *arg);
static void drain(struct bench *b);

int main(int argc, char **argv)
{
	static const char *const columns[COLUMNS] = {"receive", "send", "release", "settle",
						     "total"};
	static const uint32_t sizes[] = {64, 512, 1518};
	static struct cycles c;
	struct bench *b = aligned_alloc(alignof(struct bench), sizeof(*b));
	pthread_t thread;

	cycles_init(&c, "vring", "What a frame costs from one guest's ring to another's.", ROUNDS,
		    argc, argv);
	if (b == NULL)
		cycles_fail("out of memory");
	memset(b, 0, sizeof(*b));
	b->c = &c;
	bguest_init(&b->from, VIRTQ_FROM_GUEST);
	bguest_init(&b->to, VIRTQ_TO_GUEST);
	if (pthread_create(&thread, NULL, guests_thread, b) != 0)
		cycles_fail("no thread for the guests");
	cycles_pin(&c, 0);

	cycles_say(&c, "TSC cycles per frame, median of %u rounds of %d frames, bursts of %d",
		   c.rounds, BGUEST_RING, VNBL_BURST_MAX);
	cycles_table(&c, "", columns, COLUMNS);
	for (unsigned i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		b->touch = i >= sizeof(sizes) / sizeof(sizes[0]);
		b->size = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];
		for (unsigned v = 0; copy_version(v) != NULL; v++) {
			copy_ops = copy_version(v);
			measure(b, copy_name());
		}
	}
	atomic_store(&b->turn, TURN_END);
	pthread_join(thread, NULL);
	vring_settle();
	vring_detach(&b->from_q, NULL, NULL);
	vring_detach(&b->to_q, NULL, NULL);
	bguest_fini(&b->from);
	bguest_fini(&b->to);
	free(b);
	cycles_fini(&c);
	return 0;
}

static void measure(struct bench *b, const char *copies)
{
	char name[64];

	snprintf(name, sizeof(name), "%s guests, %u B, %s", b->touch ? "touching" : "static",
		 b->size, copies);
	if (!cycles_wants(b->c, name) || (b->c->quick && b->size == 512))
		return;
	vring_settle();
	vring_detach(&b->from_q, NULL, NULL);
	vring_detach(&b->to_q, NULL, NULL);
	bguest_attach(&b->from, &b->from_q, b->size, 0, -1, -1);
	bguest_attach(&b->to, &b->to_q, b->size, 0, -1, -1);
	memset(&b->st, 0, sizeof(b->st));
	for (unsigned round = 0; round < b->c->rounds; round++) {
		double total = 0;

		guests_work(b);
		memset(b->cycles, 0, sizeof(b->cycles));
		drain(b);
		for (unsigned i = 0; i < STAGES; i++) {
			cycles_sample(b->c, i, round, (double)b->cycles[i] / BGUEST_RING);
			total += (double)b->cycles[i] / BGUEST_RING;
		}
		cycles_sample(b->c, TOTAL, round, total);
	}
	if (b->st.tx_frames != (uint64_t)b->c->rounds * BGUEST_RING)
		cycles_fail("frames were lost");
	cycles_case(b->c, name);
}

// Both rings are full again after it.
static void guests_work(struct bench *b)
{
	if (!b->touch) {
		guests(b);
		return;
	}
	atomic_store_explicit(&b->turn, TURN_GUESTS, memory_order_release);
	while (atomic_load_explicit(&b->turn, memory_order_acquire) != TURN_OURS)
		_mm_pause();
}

static void guests(struct bench *b)
{
	bguest_offer(&b->to, BGUEST_RING);
	bguest_offer(&b->from, BGUEST_RING);
}

static void touch(struct bench *b)
{
	for (uint32_t i = 0; i < BGUEST_RING; i++) {
		uint8_t *from = bguest_frame(&b->from, i) - BGUEST_HDR;
		const uint8_t *to = bguest_frame(&b->to, i) - BGUEST_HDR;

		for (uint32_t at = 0; at < BGUEST_HDR + b->size; at += 64) {
			*(volatile uint64_t *)(from + at) = i + at;
			b->sum += *(const volatile uint64_t *)(to + at);
		}
	}
}

static void *guests_thread(void *arg)
{
	struct bench *b = arg;
	uint32_t turn;

	cycles_pin(b->c, 1);
	while ((turn = atomic_load_explicit(&b->turn, memory_order_acquire)) != TURN_END) {
		if (turn == TURN_OURS) {
			sched_yield();
			continue;
		}
		touch(b);
		guests(b);
		atomic_store_explicit(&b->turn, TURN_OURS, memory_order_release);
	}
	return NULL;
}

static void drain(struct bench *b)
{
	struct vnbl *frames[VNBL_BURST_MAX];
	uint64_t t[STAGES + 1];

	for (unsigned n = 1;; n++) {
		t[0] = cycles_now();
		vring_rx(&b->from_q, &b->burst, &b->st);
		if (b->burst.n == 0)
			break;
		t[1] = cycles_now();
		for (uint32_t i = 0; i < b->burst.n; i++)
			frames[i] = &b->burst.frames[i];
		vring_tx(&b->to_q, frames, b->burst.n, &b->st);
		t[2] = cycles_now();
		vring_rx_done(&b->from_q);
		t[3] = cycles_now();
		if (n % PROC_SETTLE_BURSTS == 0)
			vring_settle();
		t[4] = cycles_now();
		for (unsigned i = 0; i < STAGES; i++)
			b->cycles[i] += t[i + 1] - t[i];
	}
}

/*
 * What the ring code costs per frame: guest A's transmit ring to guest B's receive ring, in
 * one process, with no switch in between.
 *
 * Fill and drain: the guests fill their rings, then the clock runs while the frames are moved,
 * so the guests' own work is not measured. Static guests only bump their indices, so that
 * all data stays in the caches of the core that moves it. Touching guests, which run on
 * another core, write every line of each frame and read every line of what they get, as real
 * ones do.
 *
 * Medians over the fillings, since machines are shared.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "ports/copy.h"
#include "ports/guest_mem.h"
#include "ports/vring.h"

enum {
	RING = 1024,
	STRIDE = 2368, // an odd number of lines: 2048 would alias in L1
	HDR = 12,
	GPA = 0x40000000,
	AVAIL = 64 << 10, // offsets
	USED = 96 << 10,
	BUFFERS = 128 << 10,
	MEMORY = BUFFERS + RING * STRIDE + 4096,
	STAGES = 3, // receive, send, release
	ROUNDS_MAX = 10000
};

// One guest with one ring.
struct side {
	uint8_t *memory;
	struct guest_mem *mem;
	volatile struct virtq_avail *avail;
	struct virtq q;
};

struct bench {
	struct side a, b;
	uint32_t size; // bytes of a frame
	struct vnbl_burst burst;
	struct vport_stats st;
	uint64_t cycles[STAGES];
	uint64_t sum; // of what the touching guest read

	_Atomic uint32_t turn; // 0: ours, 1: the guests', 2: the end
	bool touch;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void side_init(struct side *s, enum virtq_direction direction)
{
	struct guest_region_conf region = {.gpa = GPA, .size = MEMORY, .map_size = MEMORY};
	struct virtq_desc *desc;

	s->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->memory == MAP_FAILED)
		die("mmap");
	memset(s->memory, 0, MEMORY);
	region.host = region.map = s->memory;
	if (guest_mem_create(&region, 1, &s->mem, NULL) < 0)
		die("guest_mem_create");
	desc = (struct virtq_desc *)s->memory;
	s->avail = (volatile struct virtq_avail *)(s->memory + AVAIL);
	for (uint32_t i = 0; i < RING; i++) {
		desc[i].addr = GPA + BUFFERS + i * STRIDE;
		desc[i].len = STRIDE;
		desc[i].flags = direction == VIRTQ_TO_GUEST ? VIRTQ_DESC_WRITE : 0;
		s->avail->ring[i] = (uint16_t)i;
	}
}

static void side_attach(struct side *s, enum virtq_direction direction, uint32_t size)
{
	struct virtq_conf conf = {
		.desc = s->memory,
		.avail = s->memory + AVAIL,
		.used = s->memory + USED,
		.size = RING,
		.features = VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF,
		.callfd = -1,
		.kickfd = -1,
		.mem = s->mem,
		.direction = direction,
	};
	struct virtq_desc *desc = (struct virtq_desc *)s->memory;

	vring_detach(&s->q, NULL, NULL);
	for (uint32_t i = 0; i < RING && direction == VIRTQ_FROM_GUEST; i++)
		desc[i].len = HDR + size;
	s->avail->idx = 0;
	s->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	if (vring_attach(&s->q, &conf, NULL) < 0)
		die("vring_attach");
}

// The guests' turn: both rings are full again.
static void guests(struct bench *b)
{
	if (b->touch) {
		for (uint32_t i = 0; i < RING; i++) {
			uint8_t *from = b->a.memory + BUFFERS + i * STRIDE;
			const uint8_t *to = b->b.memory + BUFFERS + i * STRIDE;

			for (uint32_t at = 0; at < HDR + b->size; at += 64) {
				*(volatile uint64_t *)(from + at) = i + at;
				b->sum += *(const volatile uint64_t *)(to + at);
			}
		}
	}
	b->b.avail->idx = b->b.avail->idx + RING;
	atomic_thread_fence(memory_order_release);
	b->a.avail->idx = b->a.avail->idx + RING;
}

static void *guests_thread(void *arg)
{
	struct bench *b = arg;
	uint32_t turn;

	while ((turn = atomic_load_explicit(&b->turn, memory_order_acquire)) != 2) {
		if (turn == 0) {
			sched_yield();
			continue;
		}
		guests(b);
		atomic_store_explicit(&b->turn, 0, memory_order_release);
	}
	return NULL;
}

static void drain(struct bench *b)
{
	struct vnbl *frames[VNBL_BURST_MAX];
	uint64_t t[STAGES + 1];

	for (;;) {
		t[0] = __rdtsc();
		vring_rx(&b->a.q, &b->burst, &b->st);
		if (b->burst.n == 0)
			break;
		t[1] = __rdtsc();
		for (uint32_t i = 0; i < b->burst.n; i++)
			frames[i] = &b->burst.frames[i];
		vring_tx(&b->b.q, frames, b->burst.n, &b->st);
		t[2] = __rdtsc();
		vring_rx_done(&b->a.q);
		t[3] = __rdtsc();
		for (unsigned i = 0; i < STAGES; i++)
			b->cycles[i] += t[i + 1] - t[i];
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

// The frames are as many in each filling.
static double median_per_frame(double *cycles, unsigned n)
{
	qsort(cycles, n, sizeof(*cycles), compare);
	return cycles[n / 2] / RING;
}

static void measure(struct bench *b, const char *name, uint32_t size, unsigned rounds)
{
	static double samples[STAGES + 1][ROUNDS_MAX];

	b->size = size;
	side_attach(&b->a, VIRTQ_FROM_GUEST, size);
	side_attach(&b->b, VIRTQ_TO_GUEST, size);
	memset(&b->st, 0, sizeof(b->st));
	for (unsigned round = 0; round < rounds; round++) {
		memset(b->cycles, 0, sizeof(b->cycles));
		if (b->touch) {
			atomic_store_explicit(&b->turn, 1, memory_order_release);
			while (atomic_load_explicit(&b->turn, memory_order_acquire) != 0)
				_mm_pause();
		} else {
			guests(b);
		}
		drain(b);
		samples[STAGES][round] = 0;
		for (unsigned i = 0; i < STAGES; i++) {
			samples[i][round] = (double)b->cycles[i];
			samples[STAGES][round] += (double)b->cycles[i];
		}
	}
	if (b->st.tx_frames != (uint64_t)rounds * RING)
		die("frames were lost");
	printf("%-8s %-6s %5u", name, b->touch ? "touch" : "static", size);
	for (unsigned i = 0; i <= STAGES; i++)
		printf(" %8.1f", median_per_frame(samples[i], rounds));
	printf("\n");
	fflush(stdout);
}

static void pin(pthread_t thread, unsigned core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {64, 512, 1518};
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 200;
	struct bench *b = aligned_alloc(64, (sizeof(*b) + 63) / 64 * 64);
	pthread_t thread;

	if (b == NULL)
		die("malloc");
	if (rounds == 0 || rounds > ROUNDS_MAX)
		die("rounds");
	memset((void *)b, 0, sizeof(*b));
	side_init(&b->a, VIRTQ_FROM_GUEST);
	side_init(&b->b, VIRTQ_TO_GUEST);
	if (pthread_create(&thread, NULL, guests_thread, b) != 0)
		die("pthread_create");
	pin(thread, 0);
	pin(pthread_self(), 1);

	printf("cycles per frame, ring of %d, bursts of %d\n", RING, VNBL_BURST_MAX);
	printf("%-8s %-6s %5s %8s %8s %8s %8s\n", "copy", "guests", "size", "receive", "send",
	       "release", "total");
	for (unsigned touch = 0; touch < 2; touch++) {
		b->touch = touch;
		for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (unsigned i = 0; copy_version(i) != NULL; i++) {
				copy_ops = copy_version(i);
				measure(b, copy_name(), sizes[s], rounds);
			}
		}
	}
	atomic_store(&b->turn, 2);
	pthread_join(thread, NULL);
	vring_detach(&b->a.q, NULL, NULL);
	vring_detach(&b->b.q, NULL, NULL);
	guest_mem_destroy(b->a.mem);
	guest_mem_destroy(b->b.mem);
	munmap(b->a.memory, MEMORY);
	munmap(b->b.memory, MEMORY);
	free(b);
	return 0;
}

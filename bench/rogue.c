/*
 * A guest that misbehaves, for bench/isolation.sh: what does it cost the others?
 *
 * usage: rogue silent | storm | stations | breaks SOCKET
 *
 *      silent    does nothing
 *      storm     broadcasts, as many as the switch takes
 *      stations  frames from a new station each, as many as the switch takes
 *      breaks    makes its ring a broken one, resets its device, and begins anew
 *
 * It is a client of a socket of the switch's. All of its frames are in the ring beforehand and it
 * looks after them every millisecond: it costs the core next to nothing, where the guests that
 * are measured may run. Ends with SIGTERM, and says in JSON what it did: frames that the switch
 * took, rings that it broke, seconds. Exit codes: 0; 2 wrong usage; 3 no switch, or it hung up.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/guest/guest.h"
#include "tests/guest/tframe.h"

enum {
	FRAME = 64,
	HEADER = 12,
	RING = GRING_MAX_SIZE,
	RING_BREAKS = 256, // is made anew again and again
	CONNECT_MS = 10000,
	PAUSE_NS = 1000000,
	SOURCE = 6 // of a frame
};

enum mode { SILENT, STORM, STATIONS, BREAKS, N_MODES };

struct rogue {
	enum mode mode;
	struct guest *g;
	uint16_t taken; // used index, at the last look
	uint64_t frames;
	uint64_t breaks;
	uint32_t station;
};

static int parse_mode(const char *word);
static int attach(struct rogue *r, const char *socket);
static void prepare(struct rogue *r);
static void set_station(struct rogue *r, unsigned slot);
static int run(struct rogue *r);
static void refill(struct rogue *r);
static int break_once(struct rogue *r);
static void break_ring(struct gring *ring, unsigned way);
static double now_s(void);
static void on_signal(int number);

static volatile sig_atomic_t stops;

int main(int argc, char **argv)
{
	struct rogue r = {.mode = SILENT};
	double from_s;
	int mode = argc == 3 ? parse_mode(argv[1]) : -1;
	int err;

	if (mode < 0) {
		fprintf(stderr, "usage: rogue silent|storm|stations|breaks SOCKET\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	r.mode = (enum mode)mode;
	err = attach(&r, argv[2]);
	from_s = now_s();
	if (err == 0)
		err = run(&r);
	if (err == 0)
		printf("{\"mode\":\"%s\",\"frames\":%" PRIu64 ",\"breaks\":%" PRIu64
		       ",\"seconds\":%.3f}\n",
		       argv[1], r.frames, r.breaks, now_s() - from_s);
	else
		fprintf(stderr, "rogue: %s: %s\n", argv[2], strerror(-err));
	guest_destroy(r.g);
	return err == 0 ? 0 : 3;
}

static int parse_mode(const char *word)
{
	static const char *const words[N_MODES] = {"silent", "storm", "stations", "breaks"};

	for (int i = 0; i < N_MODES; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

static int attach(struct rogue *r, const char *socket)
{
	struct guest_conf conf;
	int err;

	guest_conf_init(&conf, socket);
	conf.ring_size = r->mode == STORM || r->mode == STATIONS ? RING : RING_BREAKS;
	conf.buffer_size = 2048;
	conf.send_size = HEADER + FRAME;
	err = guest_create(&conf, &r->g);
	if (err == 0)
		err = guest_attach(r->g, CONNECT_MS);
	if (err == 0 && (r->mode == STORM || r->mode == STATIONS))
		prepare(r);
	return err;
}

// Descriptor i is frame i for ever, and stands in place i of the available ring.
static void prepare(struct rogue *r)
{
	struct guest_queue *q = &r->g->queues[1];
	struct tframe_info info = {.length = FRAME, .src = {0x02, 0x66, 0, 0, 0, 1}};

	memset(info.dst, 0xff, sizeof(info.dst));
	// Its own address, which the switch has as the port's: the frames go nowhere.
	if (r->mode == STATIONS)
		memcpy(info.dst, info.src, sizeof(info.dst));
	for (unsigned i = 0; i < RING; i++) {
		char *at = guest_ptr(r->g, q->slots[i].gpa);

		memset(at, 0, HEADER);
		tframe_build(&info, at + HEADER);
		q->ring.desc[i] =
			(struct vring_desc){.addr = q->slots[i].gpa, .len = HEADER + FRAME};
		q->ring.avail->ring[i] = (uint16_t)i;
		if (r->mode == STATIONS)
			set_station(r, i);
	}
	q->ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

static void set_station(struct rogue *r, unsigned slot)
{
	uint8_t *frame = (uint8_t *)guest_ptr(r->g, r->g->queues[1].slots[slot].gpa) + HEADER;
	uint32_t number = ++r->station;

	frame[SOURCE + 1] = 0x65;
	memcpy(frame + SOURCE + 2, &number, sizeof(number));
}

static int run(struct rogue *r)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int err = 0;

	while (!stops && err == 0) {
		if (r->mode == BREAKS) {
			err = break_once(r);
			continue;
		}
		if (r->mode != SILENT)
			refill(r);
		nanosleep(&pause, NULL);
		if (!guest_connected(r->g))
			err = -ENOTCONN;
	}
	return err;
}

// All that the switch has taken is there again; it takes frames in their order.
static void refill(struct rogue *r)
{
	struct gring *ring = &r->g->queues[1].ring;
	uint16_t used = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
	uint16_t filled = __atomic_load_n(&ring->avail->idx, __ATOMIC_RELAXED);

	r->frames += (uint16_t)(used - r->taken);
	r->taken = used;
	for (; (uint16_t)(filled - used) < RING; filled++)
		if (r->mode == STATIONS)
			set_station(r, filled & (RING - 1));
	__atomic_store_n(&ring->avail->idx, filled, __ATOMIC_RELEASE);
	if (!(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		gring_kick(ring);
}

// As a driver that goes mad, is reset, and goes mad in another way.
static int break_once(struct rogue *r)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int err;

	break_ring(&r->g->queues[1].ring, (unsigned)(r->breaks % 4));
	nanosleep(&pause, NULL);
	err = guest_stop(r->g);
	if (err == 0)
		err = guest_reset(r->g);
	if (err == 0)
		err = guest_start(r->g);
	r->breaks += err == 0;
	return err;
}

static void break_ring(struct gring *ring, unsigned way)
{
	ring->desc[0] = (struct vring_desc){.addr = GUEST_GPA_BASE, .len = HEADER + FRAME};
	ring->avail->ring[0] = 0;
	switch (way) {
	case 0: // no such descriptor
		ring->avail->ring[0] = UINT16_MAX;
		break;
	case 1: // a chain without an end
		ring->desc[0].flags = VRING_DESC_F_NEXT;
		break;
	case 2: // nobody's memory
		ring->desc[0].addr = 0xfffffffffffff000ull;
		break;
	default: // more than the ring has
		__atomic_store_n(&ring->avail->idx, (uint16_t)(2 * ring->size), __ATOMIC_RELEASE);
		gring_kick(ring);
		return;
	}
	__atomic_store_n(&ring->avail->idx, 1, __ATOMIC_RELEASE);
	gring_kick(ring);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void on_signal(int number)
{
	stops = 1;
}

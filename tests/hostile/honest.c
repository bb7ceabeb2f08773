#include "tests/hostile/honest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WINDOW     64u // frames under way per direction
#define PER_ROUND  8u
#define ROUND_US   200
#define PROGRESS   300u // frames that show that traffic goes on
#define PATIENCE_S 5.0

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 2};
const uint8_t honest_mac_p[6] = {2, 0, 0, 0, 0, 3};
const uint8_t honest_mac_attacker[6] = {2, 0, 0, 0, 0, 0x66};

static int make_guest(struct honest_side *s, const char *socket);
static void *honest_main(void *arg);
static void receive(struct honest *h, struct honest_side *s, uint32_t stream);
static void receive_for_p(struct honest *h);
static void send_window(struct honest_side *s, const struct honest_side *peer, const uint8_t src[6],
			const uint8_t dst[6], uint32_t stream);
static void poke(struct honest *h, uint64_t round);
static void pause_us(long us);
static double now_s(void);

int honest_start(struct honest *h, const char *socket_a, const char *socket_b, const char *socket_p)
{
	int ret = make_guest(&h->a, socket_a);

	if (ret == 0)
		ret = make_guest(&h->b, socket_b);
	if (ret == 0)
		ret = make_guest(&h->p, socket_p);
	if (ret < 0)
		return ret;
	h->poke_every = 4;
	h->poke_size = 300;
	h->stop = false;
	if (pthread_create(&h->thread, NULL, honest_main, h) != 0)
		return -EAGAIN;
	h->running = true;
	// Both must be learned before an attacker could receive their frames.
	for (int i = 0; i < 500 && h->exchanged < PROGRESS; i++)
		pause_us(10000);
	return h->exchanged < PROGRESS ? -ETIMEDOUT : 0;
}

void honest_stop(struct honest *h)
{
	if (h->running) {
		h->stop = true;
		pthread_join(h->thread, NULL);
		h->running = false;
	}
	guest_destroy(h->a.g);
	guest_destroy(h->b.g);
	guest_destroy(h->p.g);
	h->a.g = h->b.g = h->p.g = NULL;
}

void honest_rest(struct honest *h)
{
	h->longest_us = 0;
}

bool honest_fine(struct honest *h, const char *attack)
{
	uint64_t goal = h->exchanged + PROGRESS + 2 * WINDOW;
	double end = now_s() + PATIENCE_S;
	bool fine = true;

	while (h->exchanged < goal && now_s() < end && !h->broken)
		pause_us(1000);
	if (h->broken) {
		fprintf(stderr, "%s: an honest guest's connection was closed\n", attack);
		fine = false;
	} else if (h->exchanged < goal) {
		fprintf(stderr, "%s: honest guests: traffic has stopped\n", attack);
		fine = false;
	}
	if (h->missing > 0 || h->late > 0 || h->damaged > 0) {
		fprintf(stderr, "%s: honest guests: %lu frames missing, %lu late, %lu damaged\n",
			attack, h->missing, h->late, h->damaged);
		fine = false;
	}
	uint64_t broken_rules =
		guest_violations(h->a.g) + guest_violations(h->b.g) + guest_violations(h->p.g);
	if (broken_rules > 0) {
		fprintf(stderr, "%s: honest guests: the switch broke %lu ring rules\n", attack,
			broken_rules);
		fine = false;
	}
	return fine;
}

static int make_guest(struct honest_side *s, const char *socket)
{
	struct guest_conf conf;

	guest_conf_init(&conf, socket);
	conf.ring_size = 4096; // room for what an attacker may flood
	int ret = guest_create(&conf, &s->g);
	return ret < 0 ? ret : guest_attach(s->g, 5000);
}

static void *honest_main(void *arg)
{
	struct honest *h = arg;

	h->a.last_s = h->b.last_s = now_s();
	for (uint64_t round = 0; !h->stop; round++) {
		receive(h, &h->a, HONEST_STREAM_B);
		receive(h, &h->b, HONEST_STREAM_A);
		receive_for_p(h);
		send_window(&h->a, &h->b, mac_a, mac_b, HONEST_STREAM_A);
		send_window(&h->b, &h->a, mac_b, mac_a, HONEST_STREAM_B);
		poke(h, round);
		if (round % 64 == 0 && !(guest_connected(h->a.g) && guest_connected(h->b.g) &&
					 guest_connected(h->p.g))) {
			h->broken = true;
			break;
		}
		pause_us(ROUND_US);
	}
	return NULL;
}

static void receive(struct honest *h, struct honest_side *s, uint32_t stream)
{
	char frame[4096];
	struct tframe_info info;
	double now = now_s();
	bool any = false;

	for (;;) {
		int length = guest_recv(s->g, 0, NULL, frame, sizeof(frame));
		if (length == -EAGAIN)
			break;
		if (length < 0)
			continue;
		enum tframe_verdict verdict = tframe_check(frame, (uint32_t)length, &info);
		if (verdict == TFRAME_FOREIGN || info.stream != stream)
			continue; // the attacker's floods
		if (verdict == TFRAME_DAMAGED) {
			h->damaged++;
			continue;
		}
		tframe_note(&s->track, info.number);
		h->exchanged++;
		any = true;
	}
	h->missing = h->a.track.missing + h->b.track.missing;
	h->late = h->a.track.late + h->b.track.late;
	if (!any)
		return;
	uint32_t us = (uint32_t)((now - s->last_s) * 1e6);
	if (us > h->longest_us)
		h->longest_us = us;
	s->last_s = now;
}

static void receive_for_p(struct honest *h)
{
	char frame[4096];
	struct tframe_info info;

	for (;;) {
		int length = guest_recv(h->p.g, 0, NULL, frame, sizeof(frame));
		if (length == -EAGAIN)
			return;
		if (length < 0)
			continue;
		enum tframe_verdict verdict = tframe_check(frame, (uint32_t)length, &info);
		if (verdict == TFRAME_FOREIGN || info.stream != HONEST_STREAM_ATTACKER)
			continue;
		if (verdict == TFRAME_GOOD)
			h->attacker_good++;
		else
			h->attacker_damaged++;
	}
}

static void send_window(struct honest_side *s, const struct honest_side *peer, const uint8_t src[6],
			const uint8_t dst[6], uint32_t stream)
{
	char frame[2048];

	for (unsigned i = 0; i < PER_ROUND && s->sent - peer->track.good < WINDOW; i++) {
		struct tframe_info info = {.stream = stream,
					   .number = (uint32_t)s->sent,
					   .length = 64 + (uint32_t)(s->sent * 37 % 1400)};
		memcpy(info.dst, dst, 6);
		memcpy(info.src, src, 6);
		tframe_build(&info, frame);
		if (guest_send(s->g, 0, NULL, frame, info.length) < 0)
			break;
		s->sent++;
	}
	guest_flush(s->g, 0);
}

static void poke(struct honest *h, uint64_t round)
{
	uint32_t every = h->poke_every;
	char frame[4096];

	if (every == 0 || round % every != 0)
		return;
	struct tframe_info info = {.stream = HONEST_STREAM_POKE,
				   .number = (uint32_t)h->p.sent,
				   .length = h->poke_size};
	memcpy(info.dst, honest_mac_attacker, 6);
	memcpy(info.src, honest_mac_p, 6);
	tframe_build(&info, frame);
	if (guest_send(h->p.g, 0, NULL, frame, info.length) < 0)
		return;
	guest_flush(h->p.g, 0);
	h->p.sent++;
	h->pokes++;
}

static void pause_us(long us)
{
	const struct timespec t = {.tv_nsec = us * 1000};

	nanosleep(&t, NULL);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#include "bench/gen.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE       64u
#define BATCH      32u  // frames worth moving an index for
#define PATIENCE   16u  // rounds after which fewer are moved as well
#define TOUCH_MAX  256u // frames worked on before it is the next guest's turn
#define AHEAD      8u   // frames that the touching guest prefetches
#define GREET_S    0.005
#define DRAIN_S    0.2
#define CLOCK_MASK 127u     // rounds between looks at the clock, less one
#define LINK_MASK  0x1ffffu // ... and at the connections

static void round_of_all(struct gen *gen, unsigned patience);
static unsigned send_frames(struct gen_side *s, bool hurry);
static void hand_over(struct gen_side *s, unsigned n);
static void prepare(struct gen_side *s, uint16_t pos);
static void touch_sent(char *frame, uint32_t length);
static unsigned receive_frames(struct gen_side *s, bool hurry);
static unsigned receive_each(struct gen_side *s, unsigned n);
static int look_at(struct gen_side *s, uint16_t pos, unsigned left);
static void touch_received(struct gen_side *s, const char *frame, uint32_t length);
static void check(struct gen_side *s, const char *frame, uint32_t length);
static void give_back(struct gen_side *s, unsigned n);
static void show(struct gring *r);

int gen_run(struct gen *gen, double seconds, bool learning)
{
	double end = gen_now() + seconds;

	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].sending = learning || !gen->conf.one_way || i % 2 == 0;
	for (uint64_t round = 0;; round++) {
		round_of_all(gen, (unsigned)round);
		if ((round & CLOCK_MASK) != 0)
			continue;
		if (gen_now() >= end)
			return 0;
		if ((round & LINK_MASK) != 0 || gen->null_running)
			continue;
		for (unsigned i = 0; i < gen->conf.n_guests; i++)
			if (!guest_connected(gen->sides[i].g))
				return -ENOTCONN;
	}
}

int gen_greet(struct gen *gen)
{
	double end = gen_now() + gen->conf.timeout_s;
	double next = 0;
	unsigned silent = gen->conf.n_guests;

	while (silent > 0) {
		if (gen_now() > end)
			return -ETIMEDOUT;
		bool due = gen_now() > next;
		next = due ? gen_now() + GREET_S : next;
		silent = 0;
		for (unsigned i = 0; i < gen->conf.n_guests; i++) {
			struct gen_side *s = &gen->sides[i];
			silent += s->received == 0;
			receive_frames(s, true);
			if (due && (uint16_t)(s->tx->avail_idx - s->tx->used->idx) < s->slots)
				hand_over(s, 1);
		}
	}
	gen_drain(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		s->received = 0;
		s->samples = 0;
		s->bad = s->foreign = 0;
		s->next_number = 0;
		s->track = (struct tframe_track){0};
	}
	return 0;
}

void gen_drain(struct gen *gen)
{
	double quiet = gen_now() + DRAIN_S;
	uint64_t seen = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].sending = false;
	while (gen_now() < quiet) {
		uint64_t now = 0;
		round_of_all(gen, 0);
		for (unsigned i = 0; i < gen->conf.n_guests; i++)
			now += gen->sides[i].received;
		if (now != seen)
			quiet = gen_now() + DRAIN_S;
		seen = now;
	}
}

double gen_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int gen_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) ? -EINVAL : 0;
}

void gen_mac(unsigned guest, uint32_t k, uint8_t mac_ret[6])
{
	mac_ret[0] = 0x02;
	mac_ret[1] = 0x67;
	mac_ret[2] = (uint8_t)guest;
	mac_ret[3] = (uint8_t)(k >> 16);
	mac_ret[4] = (uint8_t)(k >> 8);
	mac_ret[5] = (uint8_t)k;
}

static void round_of_all(struct gen *gen, unsigned round)
{
	bool hurry = round % PATIENCE == 0;
	unsigned moved = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		moved += receive_frames(s, hurry);
		moved += send_frames(s, hurry);
	}
	uint64_t now = __builtin_ia32_rdtsc();
	gen->idle_tsc += moved == 0 ? now - gen->last_tsc : 0;
	gen->last_tsc = now;
}

// Whatever the switch has finished goes out again at once.
static unsigned send_frames(struct gen_side *s, bool hurry)
{
	struct gring *r = s->tx;
	uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	uint16_t done = (uint16_t)(used - s->tx_done);

	if (s->conf->verify)
		for (uint16_t p = s->tx_done; p != used; p++)
			s->disorder += r->used->ring[p & (r->size - 1)].id !=
				       r->avail->ring[p & (r->size - 1)];
	s->sent += done;
	s->tx_done = used;
	if (!s->sending)
		return 0;
	uint16_t in_flight = (uint16_t)(r->avail_idx - used);
	unsigned room = s->slots - in_flight;
	if (in_flight > s->slots) { // the switch completed what it never got
		s->disorder++;
		return 0;
	}
	if (s->conf->verify) {
		// What is under way must fit the receiver's ring, whatever the switch does.
		uint64_t under_way = s->next_number - s->peer->received;
		uint64_t limit = under_way < s->window ? s->window - under_way : 0;
		room = room < limit ? room : (unsigned)limit;
	}
	if (room == 0 || (room < BATCH && !hurry))
		return 0;
	room = room < TOUCH_MAX ? room : TOUCH_MAX;
	hand_over(s, room);
	return room;
}

static void hand_over(struct gen_side *s, unsigned n)
{
	struct gring *r = s->tx;

	if (s->conf->touch || s->conf->verify || s->conf->macs > s->slots)
		for (unsigned i = 0; i < n; i++)
			prepare(s, (uint16_t)(r->avail_idx + i));
	r->avail_idx = (uint16_t)(r->avail_idx + n);
	show(r);
}

static void prepare(struct gen_side *s, uint16_t pos)
{
	unsigned slot = pos & (s->slots - 1);
	char *frame = s->frames[slot];

	if (s->conf->verify) {
		struct tframe_info info = {
			.stream = s->number, .number = s->next_number, .length = s->lengths[slot]};
		uint32_t k = s->next_number++ % s->conf->macs;
		gen_mac(s->peer->number, k, info.dst);
		gen_mac(s->number, k, info.src);
		tframe_build(&info, frame);
		return;
	}
	if (s->conf->macs > s->slots) {
		gen_mac(s->peer->number, s->next_mac, (uint8_t *)frame);
		gen_mac(s->number, s->next_mac, (uint8_t *)frame + 6);
		s->next_mac = s->next_mac + 1 == s->conf->macs ? 0 : s->next_mac + 1;
	}
	if (s->conf->touch) {
		__builtin_prefetch(s->frames[(slot + AHEAD) & (s->slots - 1)], 1);
		touch_sent(frame, s->lengths[slot]);
	}
}

// Dirties each line of the frame without changing what it says.
static void touch_sent(char *frame, uint32_t length)
{
	for (uint32_t at = 0; at + 8 <= length; at += LINE) {
		volatile uint64_t *word = (volatile uint64_t *)(void *)(frame + at);
		*word = *word;
	}
}

static unsigned receive_frames(struct gen_side *s, bool hurry)
{
	struct gring *r = s->rx;
	uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(used - r->used_seen);

	if (n == 0 || (n < BATCH && !hurry))
		return 0;
	if (n > r->size) { // more than was posted
		s->disorder++;
		return 0;
	}
	n = n < TOUCH_MAX || !s->conf->touch ? n : TOUCH_MAX;
	if (s->conf->touch || s->conf->verify || s->conf->rx_buffer)
		return receive_each(s, n);
	if (s->until_sample < n) {
		look_at(s, (uint16_t)(r->used_seen + s->until_sample), 1);
		s->until_sample += GEN_SAMPLE_EVERY;
	}
	s->until_sample -= n;
	s->received += n;
	give_back(s, n);
	return n;
}

// Walks frame by frame; a frame may lie in several buffers.
static unsigned receive_each(struct gen_side *s, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		int used = look_at(s, (uint16_t)(s->rx->used_seen + done), n - done);
		if (used == 0)
			break;
		done += (unsigned)used;
		s->received++;
	}
	give_back(s, done);
	return done;
}

// Returns how many buffers the frame at 'pos' takes, 0 when not all of them are here.
static int look_at(struct gen_side *s, uint16_t pos, unsigned left)
{
	static char whole[GUEST_MAX_FRAME];
	const struct gring *r = s->rx;
	const struct vring_used_elem *e = &r->used->ring[pos & (r->size - 1)];
	const unsigned head = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	const char *buffer = s->buffers[pos & (r->size - 1)];
	const struct virtio_net_hdr_mrg_rxbuf *hdr = (const void *)buffer;
	uint32_t length = e->len;
	unsigned n = hdr->num_buffers;
	bool sample;

	if (e->id != (pos & (r->size - 1)) || length < head || length > s->buffer_size || n == 0 ||
	    n > r->size) {
		s->disorder++;
		return 1;
	}
	if (n > left && s->conf->rx_buffer)
		return 0;
	sample = s->conf->verify || !s->conf->touch || s->samples * GEN_SAMPLE_EVERY <= s->received;
	length -= head;
	if (n == 1) {
		s->received_bytes += length;
		if (sample)
			check(s, buffer + head, length);
		if (s->conf->touch) {
			__builtin_prefetch(s->buffers[(pos + AHEAD) & (r->size - 1)]);
			touch_received(s, buffer, length + head);
		}
		return 1;
	}
	memcpy(whole, buffer + head, length);
	for (unsigned i = 1; i < n; i++) {
		uint16_t at = (pos + i) & (uint16_t)(r->size - 1);
		uint32_t more = r->used->ring[at].len;
		if (r->used->ring[at].id != at || more > s->buffer_size ||
		    length + more > sizeof(whole)) {
			s->disorder++;
			return (int)n;
		}
		memcpy(whole + length, s->buffers[at], more);
		length += more;
	}
	s->received_bytes += length;
	if (sample)
		check(s, whole, length);
	return (int)n;
}

static void touch_received(struct gen_side *s, const char *frame, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t at = 0; at + 8 <= length; at += LINE) {
		uint64_t word;
		memcpy(&word, frame + at, sizeof(word));
		sum += word;
	}
	s->marker += sum;
}

static void check(struct gen_side *s, const char *frame, uint32_t length)
{
	struct tframe_info info;
	uint8_t dst[6], src[6];

	s->samples++;
	switch (tframe_check(frame, length, &info)) {
	case TFRAME_FOREIGN:
		s->foreign++;
		return;
	case TFRAME_DAMAGED:
		s->bad++;
		return;
	case TFRAME_GOOD:
		break;
	}
	if (info.stream != s->peer->number) {
		s->foreign++;
		return;
	}
	uint32_t k = (uint32_t)info.dst[3] << 16 | (uint32_t)info.dst[4] << 8 | info.dst[5];
	gen_mac(s->number, k, dst);
	gen_mac(s->peer->number, k, src);
	if (k >= s->conf->macs || memcmp(dst, info.dst, 6) != 0 || memcmp(src, info.src, 6) != 0)
		s->bad++;
	if (s->conf->verify) {
		tframe_note(&s->track, info.number);
		if (k != info.number % s->conf->macs)
			s->bad++;
	}
}

static void give_back(struct gen_side *s, unsigned n)
{
	struct gring *r = s->rx;

	if (n == 0)
		return;
	r->used_seen = (uint16_t)(r->used_seen + n);
	r->avail_idx = (uint16_t)(r->avail_idx + n);
	show(r);
}

static void show(struct gring *r)
{
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		gring_kick(r);
}

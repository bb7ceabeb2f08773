/*
 * A switch that does nothing: it completes each transmit descriptor and, for each, a receive
 * descriptor of the guest that the frame is for. What the generator reaches against it is the
 * generator's own ceiling.
 *
 * Static guests of which each sends to one and hears from one are served by moving indices
 * alone: the receive buffers already hold what the sender's positions stand for. Otherwise each
 * frame gets a used entry, and of its bytes what the kind of guest is about: nothing, the first
 * line, or all. Where contents are not brought along, samples have nothing to compare.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "bench/gen_parts.h"

#define NULL_BURST  32u
#define NULL_AHEAD  4u   // frames that are prefetched
#define NAP_AFTER_S 1e-3 // without work: the core may have other things to do
#define NAP_NS      50000

// Copies, so that this thread touches no line of the other's but the rings'.
struct lane {
	const struct gen_slot *slots;
	unsigned n_slots;
	struct vring_avail *tx_avail;
	struct vring_used *tx_used;
	struct vring_avail *rx_avail;
	struct vring_used *rx_used;
	const struct gen_packed *tx_packed; // NULL: the rings are split
	const struct gen_packed *rx_packed;
	char *const *buffers;
	uint32_t buffer_size;
	unsigned rx_mask;
	uint16_t tx_next; // position completed next
	uint16_t rx_next;
	int peer; // by index: where all frames go
};

struct null_switch {
	struct gen *gen;
	struct lane lanes[GEN_MAX_GUESTS];
	unsigned n;
	uint32_t copied; // bytes of a frame, at most
};

static bool in_pairs(const struct gen *gen, int peers_ret[]);
static void fill_used(struct gen_side *s, struct gen_side *peer);
static int start_thread(struct gen *gen, bool alone);
static bool is_only_core(int core);
static void *null_main(void *arg);
static void make_lanes(struct null_switch *ns);
static unsigned move_indices(struct null_switch *ns, struct lane *l);
static unsigned move_frames(struct null_switch *ns, unsigned from);
static unsigned waiting(const struct lane *l);
static void fetch_frame(const struct null_switch *ns, const struct lane *l, unsigned ahead);
static bool reach(struct null_switch *ns, unsigned from, const struct gen_slot *slot);
static bool has_room(const struct lane *l, uint32_t length);
static unsigned buffers_for(const struct lane *l, uint32_t length);
static void deliver(const struct null_switch *ns, struct lane *l, const struct gen_slot *slot);

int gen_null_start(struct gen *gen, int core, bool *alone_ret)
{
	struct gen_null *null = &gen->null;
	enum gen_kind kind = gen->conf.kind;
	int peers[GEN_MAX_GUESTS];
	bool pairs = in_pairs(gen, peers) && !gen->small;

	if (null->running)
		return -EALREADY;
	null->core = core;
	null->stop = false;
	null->by_index = pairs && !gen->walk && !gen->conf.packed;
	null->blind = !pairs && !gen->small && kind < GEN_TOUCH;
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		fill_used(s, pairs && peers[i] >= 0 ? &gen->sides[peers[i]] : NULL);
		gen_device_place(s, &null->tx_next[i], &null->rx_next[i]);
	}
	*alone_ret = !is_only_core(core) && start_thread(gen, true) == 0;
	if (!*alone_ret && start_thread(gen, false) != 0)
		return -EAGAIN;
	null->running = true;
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].up = true;
	return 0;
}

void gen_null_stop(struct gen *gen)
{
	if (!gen->null.running)
		return;
	gen->null.stop = true;
	pthread_join(gen->null.thread, NULL);
	gen->null.running = false;
	gen->null.blind = false;
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].up = false;
}

// Whether each guest sends to at most one and hears from at most one; peers_ret: to whom, or -1.
static bool in_pairs(const struct gen *gen, int peers_ret[])
{
	unsigned heard = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		peers_ret[i] = -1;
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		const struct gen_stream_conf *st = &gen->streams[i].conf;
		if (st->learn_only)
			continue;
		if (st->to == GEN_TO_ALL || peers_ret[st->from] >= 0 || (heard >> st->to & 1))
			return false;
		peers_ret[st->from] = st->to;
		heard |= 1u << st->to;
	}
	return true;
}

// What a switch would leave there for ever: the wish not to be notified, used entries, and the
// frames of whoever sends only to the peer, in its receive buffers.
static void fill_used(struct gen_side *s, struct gen_side *peer)
{
	for (unsigned i = 0; i < 2; i++) {
		struct gring *r = i ? s->tx : s->rx;
		struct vring_packed_desc_event *device = (void *)r->used;
		if (s->gen->conf.packed)
			device->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
		else
			r->used->flags = VRING_USED_F_NO_NOTIFY;
	}
	for (unsigned p = 0; p < s->rx->size; p++) {
		struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)s->buffers[p];
		hdr->num_buffers = 1;
	}
	for (unsigned p = 0; !s->gen->conf.packed && p < s->tx->size; p++)
		s->tx->used->ring[p].id = s->tx->avail->ring[p];
	for (unsigned p = 0; peer && p < peer->rx->size; p++) {
		const struct gen_slot *slot = &s->slots[p & (s->n_slots - 1)];
		memcpy(peer->buffers[p] + GEN_HEADER, slot->frame, slot->length);
		if (s->gen->conf.packed)
			continue;
		peer->rx->used->ring[p].id = p;
		peer->rx->used->ring[p].len = GEN_HEADER + slot->length;
	}
}

static int start_thread(struct gen *gen, bool alone)
{
	struct sched_param lowest = {.sched_priority = 1};
	pthread_attr_t attr;
	cpu_set_t set;
	int ret;

	CPU_ZERO(&set);
	CPU_SET((unsigned)gen->null.core, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (alone) {
		pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
		pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
		pthread_attr_setschedparam(&attr, &lowest);
	}
	ret = pthread_create(&gen->null.thread, &attr, null_main, gen);
	pthread_attr_destroy(&attr);
	return ret;
}

// A real-time thread there would keep this thread from ever stopping it.
static bool is_only_core(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	pthread_getaffinity_np(pthread_self(), sizeof(set), &set);
	return CPU_COUNT(&set) == 1 && CPU_ISSET((unsigned)core, &set);
}

static void *null_main(void *arg)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	uint64_t patience = (uint64_t)(NAP_AFTER_S * gen_tsc_hz());
	uint64_t worked = __rdtsc();
	struct null_switch ns = {.gen = arg};

	make_lanes(&ns);
	while (!atomic_load_explicit(&ns.gen->null.stop, memory_order_relaxed)) {
		unsigned moved = 0;
		for (unsigned i = 0; i < ns.n; i++)
			moved += ns.gen->null.by_index ? move_indices(&ns, &ns.lanes[i])
						       : move_frames(&ns, i);
		if (moved > 0)
			worked = __rdtsc();
		else if (__rdtsc() - worked > patience)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

static void make_lanes(struct null_switch *ns)
{
	const struct gen *gen = ns->gen;
	enum gen_kind kind = gen->conf.kind;
	int peers[GEN_MAX_GUESTS];

	in_pairs(gen, peers);
	ns->n = gen->conf.n_guests;
	ns->copied = kind >= GEN_TOUCH || gen->small ? GUEST_MAX_FRAME
		     : kind == GEN_STAMP             ? GEN_LINE - GEN_HEADER
						     : 0;
	for (unsigned i = 0; i < ns->n; i++) {
		const struct gen_side *s = &gen->sides[i];
		ns->lanes[i] = (struct lane){
			.slots = s->slots,
			.n_slots = s->n_slots,
			.tx_avail = s->tx->avail,
			.tx_used = s->tx->used,
			.rx_avail = s->rx->avail,
			.rx_used = s->rx->used,
			.tx_packed = gen->conf.packed ? &s->tx_packed : NULL,
			.rx_packed = gen->conf.packed ? &s->rx_packed : NULL,
			.buffers = s->buffers,
			.buffer_size = s->buffer_size,
			.rx_mask = s->rx->size - 1,
			.tx_next = gen->null.tx_next[i],
			.rx_next = gen->null.rx_next[i],
			.peer = peers[i],
		};
	}
}

static unsigned move_indices(struct null_switch *ns, struct lane *l)
{
	if (l->peer < 0)
		return 0;
	struct lane *to = &ns->lanes[l->peer];
	uint16_t sent = __atomic_load_n(&l->tx_avail->idx, __ATOMIC_ACQUIRE);
	uint16_t posted = __atomic_load_n(&to->rx_avail->idx, __ATOMIC_ACQUIRE);
	uint16_t n = (uint16_t)(sent - l->tx_next);
	uint16_t room = (uint16_t)(posted - to->rx_next);

	n = n < room ? n : room;
	n = n < NULL_BURST ? n : NULL_BURST;
	if (n == 0)
		return 0;
	l->tx_next = (uint16_t)(l->tx_next + n);
	to->rx_next = (uint16_t)(to->rx_next + n);
	__atomic_store_n(&to->rx_used->idx, to->rx_next, __ATOMIC_RELEASE);
	__atomic_store_n(&l->tx_used->idx, l->tx_next, __ATOMIC_RELEASE);
	return n;
}

static unsigned move_frames(struct null_switch *ns, unsigned from)
{
	struct lane *l = &ns->lanes[from];
	unsigned there = waiting(l);
	unsigned n = 0;

	for (; n < there && reach(ns, from, &l->slots[l->tx_next & (l->n_slots - 1)]); n++) {
		if (l->tx_packed)
			gen_packed_complete(l->tx_packed, l->tx_next, 0);
		l->tx_next++;
		if (ns->copied > 0 && n + NULL_AHEAD < there)
			fetch_frame(ns, l, NULL_AHEAD - 1);
	}
	if (n == 0 || l->tx_packed)
		return n;
	for (unsigned i = 0; i < ns->n; i++)
		if (ns->lanes[i].rx_used->idx != ns->lanes[i].rx_next)
			__atomic_store_n(&ns->lanes[i].rx_used->idx, ns->lanes[i].rx_next,
					 __ATOMIC_RELEASE);
	__atomic_store_n(&l->tx_used->idx, l->tx_next, __ATOMIC_RELEASE);
	return n;
}

// Frames to be moved, at most a burst.
static unsigned waiting(const struct lane *l)
{
	unsigned n = 0;

	if (!l->tx_packed) {
		n = (uint16_t)(__atomic_load_n(&l->tx_avail->idx, __ATOMIC_ACQUIRE) - l->tx_next);
		return n < NULL_BURST ? n : NULL_BURST;
	}
	while (n < NULL_BURST && gen_packed_available(l->tx_packed, (uint16_t)(l->tx_next + n)))
		n++;
	return n;
}

// The lines of a coming frame in both rings, so that the ceiling is not one of waiting for them.
static void fetch_frame(const struct null_switch *ns, const struct lane *l, unsigned ahead)
{
	const struct gen_slot *slot = &l->slots[(l->tx_next + ahead) & (l->n_slots - 1)];
	unsigned to = ns->gen->streams[slot->stream].conf.to;
	const struct lane *r = &ns->lanes[to < ns->n ? to : 0];
	const char *buffer = r->buffers[(r->rx_next + ahead) & r->rx_mask];
	uint32_t length = slot->length < ns->copied ? slot->length : ns->copied;

	length = length < r->buffer_size - GEN_HEADER ? length : r->buffer_size - GEN_HEADER;
	for (uint32_t at = 0; at < GEN_HEADER + length; at += GEN_LINE) {
		gen_fetch_to_read(slot->frame - GEN_HEADER + at);
		gen_fetch_to_write(buffer + at);
	}
}

// Delivers a frame to whom it is for. False: somebody has no room yet.
static bool reach(struct null_switch *ns, unsigned from, const struct gen_slot *slot)
{
	unsigned to = ns->gen->streams[slot->stream].conf.to;

	if (to != GEN_TO_ALL) {
		if (!has_room(&ns->lanes[to], slot->length))
			return false;
		deliver(ns, &ns->lanes[to], slot);
		return true;
	}
	for (unsigned i = 0; i < ns->n; i++)
		if (i != from && !has_room(&ns->lanes[i], slot->length))
			return false;
	for (unsigned i = 0; i < ns->n; i++)
		if (i != from)
			deliver(ns, &ns->lanes[i], slot);
	return true;
}

static bool has_room(const struct lane *l, uint32_t length)
{
	unsigned n = buffers_for(l, length);

	if (l->rx_packed)
		return gen_packed_available(l->rx_packed, (uint16_t)(l->rx_next + n - 1));
	return (uint16_t)(__atomic_load_n(&l->rx_avail->idx, __ATOMIC_ACQUIRE) - l->rx_next) >= n;
}

static unsigned buffers_for(const struct lane *l, uint32_t length)
{
	if (GEN_HEADER + length <= l->buffer_size)
		return 1;
	return (GEN_HEADER + length + l->buffer_size - 1) / l->buffer_size;
}

static void deliver(const struct null_switch *ns, struct lane *l, const struct gen_slot *slot)
{
	struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)l->buffers[l->rx_next & l->rx_mask];
	unsigned n = buffers_for(l, slot->length);
	uint32_t copied = slot->length < ns->copied ? slot->length : ns->copied;
	uint32_t left = slot->length;
	uint32_t head = GEN_HEADER;
	const char *from = slot->frame;

	// Else it says so already; a line that is not written need not be moved.
	if (n > 1 || ns->copied == GUEST_MAX_FRAME)
		hdr->num_buffers = (uint16_t)n;
	for (; n > 0; n--, head = 0) {
		unsigned at = l->rx_next & l->rx_mask;
		uint32_t length = left < l->buffer_size - head ? left : l->buffer_size - head;
		uint32_t now = length < copied ? length : copied;
		memcpy(l->buffers[at] + head, from, now);
		if (l->rx_packed) {
			gen_packed_complete(l->rx_packed, l->rx_next, head + length);
		} else {
			l->rx_used->ring[at].id = at;
			l->rx_used->ring[at].len = head + length;
		}
		from += now;
		copied -= now;
		left -= length;
		l->rx_next++;
	}
}

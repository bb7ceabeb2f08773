/*
 * The sending side: what is due goes out as soon as there is room.
 */
#include <x86intrin.h>

#include "bench/gen_parts.h"

static uint16_t completed(struct gen_side *s, uint16_t in_flight);
static void check_completed(struct gen_side *s, uint16_t from, uint16_t n);
static unsigned frames_due(struct gen_side *s, uint64_t now, unsigned room);
static void hand_over(struct gen_side *s, unsigned n);
static uint32_t copies_of(const struct gen_side *s, uint16_t pos, unsigned n);
static void rewrite_frames(struct gen_side *s, unsigned n);
static void stamp_frames(struct gen_side *s, unsigned n);
static void fetch_frame(const struct gen_side *s, unsigned ahead, bool touch);
static void put_addresses(struct gen_stream *st, uint8_t *frame);
static void touch_frame(char *frame, uint32_t length);

unsigned gen_send(struct gen_side *s, uint64_t now, bool hurry)
{
	unsigned room = gen_take_back(s);
	unsigned n = 0;

	if (!s->sending)
		return 0;
	room = s->up ? room : 0;
	if (s->per_tsc > 0)
		n = frames_due(s, now, room);
	else if (s->gen->load->frames > 0)
		n = s->burst < room ? (unsigned)s->burst : room;
	else if (room >= s->batch || hurry)
		n = room;
	n = n < GEN_TURN_MAX || s->per_tsc > 0 ? n : GEN_TURN_MAX;
	if (n > 0)
		hand_over(s, n);
	return n;
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

unsigned gen_take_back(struct gen_side *s)
{
	uint16_t in_flight = (uint16_t)(s->tx->avail_idx - s->tx_done);
	uint16_t n = completed(s, in_flight);

	if (n > in_flight) { // the switch completed what it never got
		s->n.disorder++;
		return 0;
	}
	if (s->gen->conf.kind == GEN_VERIFY)
		check_completed(s, s->tx_done, n);
	else if (s->until_tx_sample < n) {
		check_completed(s, s->tx_done, n < GEN_SAMPLE_LOOK ? n : GEN_SAMPLE_LOOK);
		s->until_tx_sample += GEN_SAMPLE_EVERY;
	}
	s->until_tx_sample -= n < s->until_tx_sample ? n : s->until_tx_sample;
	s->n.taken += n;
	s->tx_done = (uint16_t)(s->tx_done + n);
	return s->n_slots - (in_flight - n);
}

void gen_show(struct gen_side *s, struct gring *r, unsigned n)
{
	bool packed = s->gen->conf.packed;
	uint16_t from = r->avail_idx;
	bool wanted;

	r->avail_idx = (uint16_t)(r->avail_idx + n);
	if (packed)
		gen_packed_show(r == s->tx ? &s->tx_packed : &s->rx_packed, from, n);
	else
		__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	// The wish to be notified is read after our index is visible, or both sides could sleep.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (packed) {
		const struct vring_packed_desc_event *device = (const void *)r->used;
		wanted = __atomic_load_n(&device->flags, __ATOMIC_RELAXED) !=
			 VRING_PACKED_EVENT_FLAG_DISABLE;
	} else {
		wanted = !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
			   VRING_USED_F_NO_NOTIFY);
	}
	if (wanted)
		gring_kick(r);
}

static uint16_t completed(struct gen_side *s, uint16_t in_flight)
{
	if (s->gen->conf.packed)
		return (uint16_t)gen_packed_used(&s->tx_packed, s->tx_done, in_flight);
	return (uint16_t)(__atomic_load_n(&s->tx->used->idx, __ATOMIC_ACQUIRE) - s->tx_done);
}

// Slots are used again by position, so the switch must complete them in order.
static void check_completed(struct gen_side *s, uint16_t from, uint16_t n)
{
	const struct gring *r = s->tx;
	uint32_t length;

	for (uint16_t i = 0; i < n; i++) {
		uint16_t pos = (uint16_t)(from + i);
		unsigned at = pos & (r->size - 1);
		if (s->gen->conf.packed)
			s->n.disorder += !gen_packed_entry(&s->tx_packed, pos, &length);
		else
			s->n.disorder += r->used->ring[at].id != r->avail->ring[at];
	}
}

// A frame that finds no room is refused for good: sent later, it would raise the rate then.
static unsigned frames_due(struct gen_side *s, uint64_t now, unsigned room)
{
	struct gen *gen = s->gen;
	uint64_t due = (uint64_t)((double)(now - gen->start_tsc) * s->per_tsc + s->phase);
	uint64_t most = s->n_slots / 4;
	uint64_t n = due - s->schedule;

	s->schedule = due;
	// So many at once are due only when this thread did not run: not the switch's fault.
	if (n > most && !gen->linked) {
		s->n.skipped += n - most;
		n = most;
	}
	s->n.due += n;
	s->n.refused += n > room ? n - room : 0;
	return n < room ? (unsigned)n : room;
}

static void hand_over(struct gen_side *s, unsigned n)
{
	s->n.handed += n;
	s->n.expected += copies_of(s, s->tx->avail_idx, n);
	s->burst -= s->burst < n ? s->burst : n;
	if (s->gen->conf.kind >= GEN_STAMP)
		stamp_frames(s, n);
	else if (s->rewrite)
		rewrite_frames(s, n);
	gen_show(s, s->tx, n);
}

static uint32_t copies_of(const struct gen_side *s, uint16_t pos, unsigned n)
{
	unsigned from = pos & (s->n_slots - 1);
	unsigned to = from + n;

	if (to <= s->n_slots)
		return s->copies[to] - s->copies[from];
	return s->copies[s->n_slots] - s->copies[from] + s->copies[to - s->n_slots];
}

static void rewrite_frames(struct gen_side *s, unsigned n)
{
	struct gen *gen = s->gen;

	for (unsigned i = 0; i < n; i++) {
		struct gen_slot *slot = &s->slots[(s->tx->avail_idx + i) & (s->n_slots - 1)];
		struct gen_stream *st = &gen->streams[slot->stream];
		if (st->rewrite)
			put_addresses(st, (uint8_t *)slot->frame);
	}
}

static void stamp_frames(struct gen_side *s, unsigned n)
{
	struct gen *gen = s->gen;
	bool touch = gen->conf.kind >= GEN_TOUCH;
	uint64_t now = __rdtsc();

	for (unsigned i = 0; i < n && i < GEN_AHEAD; i++)
		fetch_frame(s, i, touch);
	for (unsigned i = 0; i < n; i++) {
		struct gen_slot *slot = &s->slots[(s->tx->avail_idx + i) & (s->n_slots - 1)];
		struct gen_stream *st = &gen->streams[slot->stream];

		// Not beyond: the switch may still be reading those.
		if (i + GEN_AHEAD < n)
			fetch_frame(s, i + GEN_AHEAD, touch);
		if (st->rewrite)
			put_addresses(st, (uint8_t *)slot->frame);
		bframe_stamp(slot->frame, st->conf.tci, (uint32_t)st->handed++, now);
		if (touch)
			touch_frame(slot->frame, slot->length);
	}
}

// The first lines of a coming frame; the processor finds the others by itself.
static void fetch_frame(const struct gen_side *s, unsigned ahead, bool touch)
{
	const char *frame = s->slots[(s->tx->avail_idx + ahead) & (s->n_slots - 1)].frame;

	gen_fetch_to_write(frame);
	if (touch)
		gen_fetch_to_write(frame + GEN_LINE);
}

static void put_addresses(struct gen_stream *st, uint8_t *frame)
{
	if (st->conf.to != GEN_TO_ALL)
		gen_mac(st->conf.to, st->dst_next, frame);
	gen_mac(st->conf.from, st->src_next, frame + 6);
	st->dst_next = st->dst_next + 1 < st->conf.dst_macs ? st->dst_next + 1 : 0;
	st->src_next = st->src_next + 1 < st->conf.src_macs ? st->src_next + 1 : 0;
}

// Dirties each line behind the first without changing what it says.
static void touch_frame(char *frame, uint32_t length)
{
	for (uint32_t at = GEN_LINE - GEN_HEADER; at + 8 <= length; at += GEN_LINE) {
		volatile uint64_t *word = (volatile uint64_t *)(void *)(frame + at);
		*word = *word;
	}
}

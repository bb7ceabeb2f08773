/*
 * The receiving side: counts, and as far as the kind of guest wants it, reads and compares.
 *
 * All that the switch writes is a claim: ids, lengths and numbers of buffers are checked before
 * they are used, so a wild switch is reported and breaks nothing.
 */
#include <string.h>
#include <x86intrin.h>

#include "bench/gen_parts.h"

static unsigned allowance(struct gen_side *s, uint64_t now);
static unsigned receive_counted(struct gen_side *s, unsigned n);
static unsigned receive_each(struct gen_side *s, unsigned n, unsigned frames);
static void give_back(struct gen_side *s, unsigned n);
static void fetch_buffer(struct gen_side *s, unsigned ahead);
static void listen_to(struct gen_side *s, const char *frame, uint32_t length);
static bool sample_due(struct gen_side *s);
static void begin_look(struct gen_side *s);
static unsigned find_frame(struct gen_side *s, uint16_t pos, unsigned left, const char **frame_ret,
			   uint32_t *length_ret);
static bool entry_at(struct gen_side *s, uint16_t pos, uint32_t *length_ret);
static unsigned join(struct gen_side *s, uint16_t pos, unsigned n, uint32_t length,
		     const char **frame_ret, uint32_t *length_ret);
static void account(struct gen_side *s, const char *frame, uint32_t length, uint64_t now);
static void check_static(struct gen_side *s, const char *frame, uint32_t length);
static bool look_at(struct gen_side *s, const char *frame, uint32_t length, bool deep,
		    struct bframe_info *info_ret);
static bool is_for(const struct gen_side *s, unsigned stream);
static bool right_addresses(const struct gen_side *s, const struct bframe_info *info);
static bool note(struct gen_track *t, uint32_t number, uint64_t now);
static void open_window(struct gen_track *t, uint64_t to);
static void touch_buffer(const char *buffer, uint32_t length);

unsigned gen_arrived(struct gen_side *s)
{
	struct gring *r = s->rx;
	uint16_t n;

	if (s->gen->conf.packed) {
		s->arrived += gen_packed_used(&s->rx_packed, (uint16_t)(r->used_seen + s->arrived),
					      r->size - s->arrived);
		return s->arrived;
	}
	n = (uint16_t)(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->used_seen);
	if (n > r->size) { // more than was posted
		s->n.disorder++;
		n = 0;
	}
	s->arrived = n;
	return n;
}

unsigned gen_receive(struct gen_side *s, uint64_t now, bool hurry)
{
	struct gen *gen = s->gen;
	unsigned n = gen_arrived(s);
	unsigned frames = GEN_TURN_MAX;

	if (n == 0 || (n < GEN_BATCH && !hurry))
		return 0;
	if (s->take_per_tsc > 0 && !gen->draining && !gen->quiet) {
		frames = allowance(s, now);
		frames = frames < GEN_TURN_MAX ? frames : GEN_TURN_MAX;
	} else if (!gen->walk && !gen->quiet) {
		frames = n;
	}
	if (frames == 0)
		return 0;
	if (gen->walk || gen->quiet)
		return receive_each(s, n, frames);
	return receive_counted(s, n < frames ? n : frames);
}

void gen_reset_tracks(struct gen *gen, struct gen_stream *st)
{
	memset(st->tracks, 0, gen_n_tracks(gen, st) * sizeof(*st->tracks));
}

// What a slow guest did not take in time, it does not make up for later.
static unsigned allowance(struct gen_side *s, uint64_t now)
{
	double most = s->take_per_tsc * 1e-3 * gen_tsc_hz();

	most = most > GEN_BATCH ? most : GEN_BATCH;
	s->may_take += (double)(now - s->take_tsc) * s->take_per_tsc;
	s->may_take = s->may_take < most ? s->may_take : most;
	s->take_tsc = now;
	return (unsigned)s->may_take;
}

// By the index alone, but for the samples.
static unsigned receive_counted(struct gen_side *s, unsigned n)
{
	unsigned done = 0;

	while (n - done > s->until_sample) {
		const char *frame;
		uint32_t length;
		done += (unsigned)s->until_sample;
		s->until_sample = 0;
		begin_look(s);
		find_frame(s, (uint16_t)(s->rx->used_seen + done), 1, &frame, &length);
		if (frame && !s->gen->null.blind)
			check_static(s, frame, length);
		done++;
	}
	s->until_sample -= n - done;
	s->n.received += n;
	s->may_take -= n;
	give_back(s, n);
	return n;
}

// Frame by frame; a frame may lie in several of the 'n' buffers.
static unsigned receive_each(struct gen_side *s, unsigned n, unsigned frames)
{
	uint64_t now = __rdtsc();
	unsigned done = 0;

	for (unsigned i = 0; i < n && i < GEN_AHEAD; i++)
		fetch_buffer(s, i);
	for (; done < n && frames > 0; frames--) {
		uint16_t pos = (uint16_t)(s->rx->used_seen + done);
		const char *frame;
		uint32_t length;
		unsigned buffers = find_frame(s, pos, n - done, &frame, &length);

		if (buffers == 0)
			break;
		// Not beyond: the switch may be writing those.
		if (done + GEN_AHEAD < n)
			fetch_buffer(s, done + GEN_AHEAD);
		done += buffers;
		s->may_take -= 1;
		if (frame && s->gen->quiet)
			listen_to(s, frame, length);
		else if (frame)
			account(s, frame, length, now);
	}
	if (done > 0)
		give_back(s, done);
	return done;
}

static void give_back(struct gen_side *s, unsigned n)
{
	s->rx->used_seen = (uint16_t)(s->rx->used_seen + n);
	s->arrived -= n;
	gen_show(s, s->rx, n);
}

// The lines of a coming frame that will be looked at. Measured with 1518 B and GEN_TOUCH: 205
// cycles per frame, 400 when only the first line is fetched.
static void fetch_buffer(struct gen_side *s, unsigned ahead)
{
	uint16_t pos = (uint16_t)(s->rx->used_seen + ahead);
	const char *buffer = s->buffers[pos & (s->rx->size - 1)];
	uint32_t length = 1;

	if (s->gen->conf.kind >= GEN_TOUCH && !entry_at(s, pos, &length))
		return;
	for (uint32_t at = 0; at < length; at += GEN_LINE)
		gen_fetch_to_read(buffer + at);
}

static void listen_to(struct gen_side *s, const char *frame, uint32_t length)
{
	struct bframe_info info;
	enum bframe_verdict verdict = bframe_read(frame, length, &info);

	s->own += verdict != BFRAME_FOREIGN || s->gen->null.blind;
	if (verdict == BFRAME_GOOD && info.stream == GEN_GREETING && info.src[2] != s->number)
		s->heard = true;
}

static bool sample_due(struct gen_side *s)
{
	if (s->until_sample > 0) {
		s->until_sample--;
		return false;
	}
	begin_look(s);
	return true;
}

// The first look of a sample forgets the sample before.
static void begin_look(struct gen_side *s)
{
	if (s->sample.left == 0) {
		s->sample.left = GEN_SAMPLE_LOOK;
		s->sample.n = 0;
	}
	s->sample.left--;
	if (s->sample.left == 0)
		s->until_sample = GEN_SAMPLE_EVERY - GEN_SAMPLE_LOOK;
}

// The frame that begins at 'pos', where 'left' buffers are here. Returns how many buffers it
// takes, 0 when not all are here; *frame_ret is NULL when the switch broke the rules.
static unsigned find_frame(struct gen_side *s, uint16_t pos, unsigned left, const char **frame_ret,
			   uint32_t *length_ret)
{
	const char *buffer = s->buffers[pos & (s->rx->size - 1)];
	const struct virtio_net_hdr_mrg_rxbuf *hdr = (const void *)buffer;
	unsigned n = __atomic_load_n(&hdr->num_buffers, __ATOMIC_RELAXED);
	uint32_t length;

	*frame_ret = NULL;
	if (!entry_at(s, pos, &length) || length < GEN_HEADER || n == 0 || n > s->max_buffers) {
		s->n.disorder++;
		return 1;
	}
	if (n > 1)
		return n <= left ? join(s, pos, n, length, frame_ret, length_ret) : 0;
	*frame_ret = buffer + GEN_HEADER;
	*length_ret = length - GEN_HEADER;
	return 1;
}

// The length written to the buffer of position 'pos'. False: that is not what was posted there.
static bool entry_at(struct gen_side *s, uint16_t pos, uint32_t *length_ret)
{
	unsigned at = pos & (s->rx->size - 1);
	const struct vring_used_elem *e = &s->rx->used->ring[at];

	if (s->gen->conf.packed)
		return gen_packed_entry(&s->rx_packed, pos, length_ret) &&
		       *length_ret <= s->buffer_size;
	*length_ret = __atomic_load_n(&e->len, __ATOMIC_RELAXED);
	return e->id == at && *length_ret <= s->buffer_size;
}

static unsigned join(struct gen_side *s, uint16_t pos, unsigned n, uint32_t length,
		     const char **frame_ret, uint32_t *length_ret)
{
	char *joined = s->gen->joined;
	uint32_t more;

	length -= GEN_HEADER;
	memcpy(joined, s->buffers[pos & (s->rx->size - 1)] + GEN_HEADER, length);
	for (unsigned i = 1; i < n; i++) {
		uint16_t at = (uint16_t)(pos + i);
		if (!entry_at(s, at, &more) || length + more > sizeof(s->gen->joined)) {
			s->n.disorder++;
			return n;
		}
		memcpy(joined + length, s->buffers[at & (s->rx->size - 1)], more);
		length += more;
	}
	*frame_ret = joined;
	*length_ret = length;
	return n;
}

static void account(struct gen_side *s, const char *frame, uint32_t length, uint64_t now)
{
	struct gen *gen = s->gen;
	enum gen_kind kind = gen->conf.kind;
	bool deep = sample_due(s) || kind == GEN_VERIFY;
	struct bframe_info info;

	if (kind == GEN_STATIC) {
		s->n.received++;
		s->n.received_bytes += length;
		if (deep && !gen->null.blind)
			check_static(s, frame, length);
		return;
	}
	if (kind == GEN_TOUCH && frame != gen->joined)
		touch_buffer(frame - GEN_HEADER, GEN_HEADER + length);
	if (!look_at(s, frame, length, deep && !gen->null.blind, &info))
		return;
	struct gen_stream *st = &gen->streams[info.stream];
	if ((int32_t)(info.number - (uint32_t)st->handed) >= 0) { // never sent
		s->n.bad++;
		return;
	}
	if (note(&st->tracks[st->conf.to == GEN_TO_ALL ? s->number : 0], info.number, now)) {
		s->n.received++;
		s->n.received_bytes += length;
	}
	if (s->timed && info.tsc >= gen->latency_tsc && now > info.tsc)
		hist_add(&gen->res->latency,
			 (uint64_t)((double)(int64_t)(now - info.tsc) * gen->ns_per_tsc));
}

// The order of a static guest's frames: their numbers are those of the slots, so a step back by
// little looks like the loss of nearly all slots. gen_run() knows whether so much was lost.
static void check_static(struct gen_side *s, const char *frame, uint32_t length)
{
	struct gen_sample *sample = &s->sample;
	struct bframe_info info;
	unsigned i = 0;

	if (!look_at(s, frame, length, true, &info))
		return;
	unsigned n_slots = s->gen->sides[s->gen->streams[info.stream].conf.from].n_slots;
	while (i < sample->n && sample->last[i].stream != info.stream)
		i++;
	if (i < sample->n && ((sample->last[i].number - info.number) & (n_slots - 1)) < n_slots / 4)
		s->n.late++;
	sample->last[i].stream = info.stream;
	sample->last[i].number = info.number;
	sample->n += i == sample->n;
}

// True when the frame is a good one of this run and meant for this guest; else it is counted
// as what it is.
static bool look_at(struct gen_side *s, const char *frame, uint32_t length, bool deep,
		    struct bframe_info *info_ret)
{
	struct gen *gen = s->gen;
	bool stamped = gen->conf.kind != GEN_STATIC;
	enum bframe_verdict verdict =
		deep ? bframe_check(frame, length, info_ret) : bframe_read(frame, length, info_ret);

	s->n.checked += deep;
	if (verdict == BFRAME_DAMAGED) {
		s->n.bad++;
		return false;
	}
	if (verdict == BFRAME_GOOD &&
	    (info_ret->stream == GEN_GREETING || (stamped && info_ret->tsc < gen->start_tsc)))
		return false;
	if (verdict == BFRAME_FOREIGN || !is_for(s, info_ret->stream)) {
		s->n.foreign++;
		return false;
	}
	if (deep && !right_addresses(s, info_ret)) {
		s->n.bad++;
		return false;
	}
	return true;
}

static bool is_for(const struct gen_side *s, unsigned stream)
{
	if (stream >= s->gen->conf.n_streams)
		return false;
	const struct gen_stream_conf *st = &s->gen->streams[stream].conf;
	return st->from != s->number && (st->to == s->number || st->to == GEN_TO_ALL);
}

static bool right_addresses(const struct gen_side *s, const struct bframe_info *info)
{
	const struct gen_stream_conf *st = &s->gen->streams[info->stream].conf;
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint32_t dst = (uint32_t)info->dst[3] << 16 | (uint32_t)info->dst[4] << 8 | info->dst[5];
	uint32_t src = (uint32_t)info->src[3] << 16 | (uint32_t)info->src[4] << 8 | info->src[5];
	uint8_t mac[6];

	gen_mac(st->from, src, mac);
	if (src >= st->src_macs || memcmp(mac, info->src, 6) != 0)
		return false;
	if (st->to == GEN_TO_ALL)
		return memcmp(info->dst, all, 6) == 0;
	gen_mac(s->number, dst, mac);
	return dst < st->dst_macs && memcmp(mac, info->dst, 6) == 0;
}

// Enters a number into the books. False when it was there before, or that cannot be told.
static bool note(struct gen_track *t, uint32_t number, uint64_t now)
{
	int32_t ahead = (int32_t)(number - (uint32_t)t->next);
	uint64_t *word = &t->seen[number / 64 % (GEN_WINDOW / 64)];
	uint64_t bit = 1ull << number % 64;

	if (now - t->last_tsc > t->longest_tsc)
		t->longest_tsc = now - t->last_tsc;
	t->last_tsc = now;
	if (ahead >= 0) {
		if (ahead > 0 || number % 64 == 0)
			open_window(t, t->next + (uint32_t)ahead);
		t->next += (uint32_t)ahead + 1;
	} else {
		t->late++;
		// The word that is being filled has taken the place of the oldest one.
		if (ahead < -(int32_t)(GEN_WINDOW - 64) || (*word & bit))
			return false;
	}
	*word |= bit;
	t->received++;
	return true;
}

// Clears the words that begin among the numbers from t->next to 'to'.
static void open_window(struct gen_track *t, uint64_t to)
{
	if (to - t->next >= GEN_WINDOW) {
		memset(t->seen, 0, sizeof(t->seen));
		return;
	}
	for (uint64_t n = (t->next + 63) & ~63ull; n <= to; n += 64)
		t->seen[n / 64 % (GEN_WINDOW / 64)] = 0;
}

// As an application would at worst: 8 bytes of each line behind the first.
static void touch_buffer(const char *buffer, uint32_t length)
{
	for (uint32_t at = GEN_LINE; at + 8 <= length; at += GEN_LINE)
		(void)*(const volatile uint64_t *)(const void *)(buffer + at);
}

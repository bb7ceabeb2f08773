/*
 * The generator's guests before traffic: memory, finished frames, rings filled in for ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/gen_parts.h"

#define MIN_BUFFER 2304u
#define IMIX_SIZES 12u

static const unsigned imix[IMIX_SIZES] = {64, 64, 570, 64, 570, 64, 1518, 64, 570, 64, 570, 64};

static bool possible(const struct gen_conf *conf);
static bool possible_stream(const struct gen_conf *conf, const struct gen_stream_conf *st);
static int make_streams(struct gen *gen);
static int make_side(struct gen *gen, unsigned i);
static int make_slots(struct gen_side *s);
static void deal_streams(struct gen_side *s);
static void fill_tx(struct gen_side *s);
static void fill_chain(struct gen_side *s, unsigned slot);
static int make_buffers(struct gen_side *s);
static void fill_rx(struct gen_side *s);
static bool must_rewrite(const struct gen_stream *st, uint32_t macs, bool exactly);
static double mean_size(const struct gen *gen);
static uint32_t largest(const struct gen_conf *conf);

int gen_create(const struct gen_conf *conf, struct gen **ret)
{
	struct gen *gen;
	int err = 0;

	if (!possible(conf))
		return -EINVAL;
	gen = aligned_alloc(GEN_LINE, (sizeof(*gen) + GEN_LINE - 1) & ~(size_t)(GEN_LINE - 1));
	if (!gen)
		return -ENOMEM;
	memset((void *)gen, 0, sizeof(*gen));
	gen->conf = *conf;
	gen->ns_per_tsc = 1e9 / gen_tsc_hz();
	gen->small = conf->rx_buffer && conf->rx_buffer < largest(conf) + GEN_HEADER;
	gen->walk = conf->kind != GEN_STATIC || gen->small;
	gen->settled = true;
	err = make_streams(gen);
	for (unsigned i = 0; err == 0 && i < conf->n_guests; i++)
		err = make_side(gen, i);
	if (err < 0) {
		gen_destroy(gen);
		return err;
	}
	for (unsigned i = 0; i < conf->n_guests; i++)
		gen_fill_frames(&gen->sides[i]);
	gen->mean_size = mean_size(gen);
	*ret = gen;
	return 0;
}

void gen_destroy(struct gen *gen)
{
	if (!gen)
		return;
	gen_null_stop(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		gen_packed_destroy(s);
		guest_destroy(s->g);
		free(s->slots);
		free(s->copies);
		free(s->buffers);
	}
	for (unsigned i = 0; i < gen->conf.n_streams; i++)
		free(gen->streams[i].tracks);
	free(gen);
}

void gen_set_macs(struct gen *gen, unsigned stream, uint32_t src_macs, uint32_t dst_macs)
{
	struct gen_stream *st = &gen->streams[stream];

	gen_settle(gen);
	st->conf.src_macs = src_macs;
	st->conf.dst_macs = dst_macs;
	st->src_next = st->dst_next = 0;
	gen_fill_frames(&gen->sides[st->conf.from]);
}

double gen_mean_size(const struct gen *gen)
{
	return gen->mean_size;
}

void gen_fill_frames(struct gen_side *s)
{
	uint32_t sent[GEN_MAX_STREAMS] = {0};

	for (unsigned i = 0; i < s->n_slots; i++) {
		struct gen_slot *slot = &s->slots[i];
		struct bframe_info info = {
			.stream = slot->stream, .number = i, .length = slot->length};
		if (slot->stream != GEN_NO_STREAM) {
			const struct gen_stream_conf *st = &s->gen->streams[slot->stream].conf;
			uint32_t k = sent[slot->stream]++;
			info.tci = st->tci;
			if (st->to == GEN_TO_ALL)
				memset(info.dst, 0xff, sizeof(info.dst));
			else
				gen_mac(st->to, k % st->dst_macs, info.dst);
			gen_mac(st->from, k % st->src_macs, info.src);
		}
		bframe_build(&info, slot->frame);
	}
	s->rewritten = false;
}

void gen_place_addresses(struct gen *gen, bool exactly)
{
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].rewrite = false;
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		struct gen_stream *st = &gen->streams[i];
		st->rewrite = must_rewrite(st, st->conf.src_macs, exactly) ||
			      must_rewrite(st, st->conf.dst_macs, exactly);
		gen->sides[st->conf.from].rewrite |= st->rewrite;
	}
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		if (s->rewritten && !s->rewrite)
			gen_fill_frames(s);
		s->rewritten |= s->rewrite;
	}
}

void gen_write_frame(struct gen_side *s, uint16_t pos, const struct bframe_info *info)
{
	struct gen_slot *slot = &s->slots[pos & (s->n_slots - 1)];
	struct bframe_info whole = *info;

	whole.length = slot->length;
	bframe_build(&whole, slot->frame);
}

static bool possible(const struct gen_conf *conf)
{
	unsigned n = conf->ring_size;

	if (conf->n_guests < 2 || conf->n_guests > GEN_MAX_GUESTS ||
	    conf->n_streams > GEN_MAX_STREAMS || n < 64 || n > GRING_MAX_SIZE || (n & (n - 1)) ||
	    conf->chain < 1 || conf->chain > n / 2 || conf->chain > GRING_MAX_CHAIN ||
	    (conf->chain & (conf->chain - 1)))
		return false;
	if (conf->size != GEN_IMIX && (conf->size < GEN_MIN_FRAME || conf->size > GEN_MAX_FRAME))
		return false;
	// The header and the stamp must lie in the first buffer.
	if (conf->rx_buffer && (conf->rx_buffer < GEN_LINE || conf->rx_buffer > GUEST_MAX_FRAME))
		return false;
	for (unsigned i = 0; i < conf->n_streams; i++)
		if (!possible_stream(conf, &conf->streams[i]))
			return false;
	return true;
}

static bool possible_stream(const struct gen_conf *conf, const struct gen_stream_conf *st)
{
	return st->from < conf->n_guests && st->from != st->to &&
	       (st->to < conf->n_guests || st->to == GEN_TO_ALL) && st->src_macs >= 1 &&
	       st->src_macs <= GEN_MAX_MACS && st->dst_macs >= 1 && st->dst_macs <= GEN_MAX_MACS;
}

static int make_streams(struct gen *gen)
{
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		struct gen_stream *st = &gen->streams[i];
		st->conf = gen->conf.streams[i];
		st->tracks = calloc(gen_n_tracks(gen, st), sizeof(*st->tracks));
		if (!st->tracks)
			return -ENOMEM;
	}
	return 0;
}

static int make_side(struct gen *gen, unsigned i)
{
	const struct gen_conf *conf = &gen->conf;
	struct gen_side *s = &gen->sides[i];
	struct guest_conf guest;
	int ret;

	guest_conf_init(&guest, conf->sockets[i]);
	guest.server = conf->server[i];
	guest.ring_size = conf->ring_size;
	guest.n_regions = 2;
	guest.gap = true;
	guest.huge = conf->huge;
	guest.indirect = conf->indirect;
	if (conf->indirect)
		guest.features |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (conf->packed)
		guest.features |= GUEST_BIT(VIRTIO_F_RING_PACKED);
	// 37 lines: a stride of 2048 would put all buffers on the same few L1 sets.
	guest.send_size = largest(conf) + GEN_HEADER;
	guest.send_size = guest.send_size > MIN_BUFFER ? guest.send_size : MIN_BUFFER;
	guest.buffer_size = conf->rx_buffer ? conf->rx_buffer : guest.send_size;
	ret = guest_create(&guest, &s->g);
	if (ret < 0)
		return ret;
	s->gen = gen;
	s->number = i;
	s->rx = &s->g->queues[0].ring;
	s->tx = &s->g->queues[1].ring;
	s->until_sample = GEN_SAMPLE_EVERY / 2;
	s->until_tx_sample = GEN_SAMPLE_EVERY / 2;
	s->g->posted = true; // by us, below
	ret = make_slots(s);
	if (ret == 0)
		ret = make_buffers(s);
	if (ret < 0)
		return ret;
	if (conf->packed)
		return gen_packed_create(s);
	fill_tx(s);
	fill_rx(s);
	return 0;
}

static int make_slots(struct gen_side *s)
{
	const struct gen_conf *conf = &s->gen->conf;
	unsigned streams = 0;

	s->n_slots = conf->indirect ? conf->ring_size : conf->ring_size / conf->chain;
	s->batch = s->n_slots / 4 < GEN_BATCH ? s->n_slots / 4 : GEN_BATCH;
	for (unsigned i = 0; i < conf->n_streams; i++)
		streams += conf->streams[i].from == s->number && !conf->streams[i].learn_only;
	if (streams > s->n_slots)
		return -EINVAL;
	s->slots = calloc(s->n_slots, sizeof(*s->slots));
	s->copies = calloc(s->n_slots + 1, sizeof(*s->copies));
	if (!s->slots || !s->copies)
		return -ENOMEM;
	deal_streams(s);
	for (unsigned i = 0; i < s->n_slots; i++) {
		char *at = guest_ptr(s->g, s->g->queues[1].slots[i].gpa);
		memset(at, 0, GEN_HEADER);
		s->slots[i].frame = at + GEN_HEADER;
	}
	return 0;
}

// Gives the slots to the guest's streams in turn, and each stream its sizes.
static void deal_streams(struct gen_side *s)
{
	const struct gen_conf *conf = &s->gen->conf;
	unsigned mine[GEN_MAX_STREAMS];
	unsigned n = 0;

	for (unsigned i = 0; i < conf->n_streams; i++)
		if (conf->streams[i].from == s->number && !conf->streams[i].learn_only)
			mine[n++] = i;
	for (unsigned i = 0; i < s->n_slots; i++) {
		struct gen_slot *slot = &s->slots[i];
		unsigned turn = n ? i / n + i % n : i;
		unsigned copies = 0;
		slot->stream = GEN_NO_STREAM;
		slot->length = conf->size == GEN_IMIX ? imix[turn % IMIX_SIZES] : conf->size;
		if (n > 0) {
			struct gen_stream *st = &s->gen->streams[mine[i % n]];
			slot->stream = (uint16_t)mine[i % n];
			st->n_slots++;
			copies = st->conf.to == GEN_TO_ALL ? conf->n_guests - 1 : 1;
		}
		s->copies[i + 1] = s->copies[i] + copies;
	}
}

static void fill_tx(struct gen_side *s)
{
	struct gring *r = s->tx;

	for (unsigned i = 0; i < s->n_slots; i++)
		fill_chain(s, i);
	for (unsigned p = 0; p < r->size; p++)
		r->avail->ring[p] = (uint16_t)((p & (s->n_slots - 1)) * (r->size / s->n_slots));
}

static void fill_chain(struct gen_side *s, unsigned slot)
{
	const struct guest_slot *gs = &s->g->queues[1].slots[slot];
	bool indirect = s->gen->conf.indirect;
	unsigned n = s->gen->conf.chain;
	unsigned first = indirect ? 0 : slot * n;
	struct vring_desc *d = indirect ? gs->table : &s->tx->desc[first];
	uint32_t length = GEN_HEADER + s->slots[slot].length;
	uint32_t each = (length + n - 1) / n;
	uint64_t gpa = gs->gpa;

	for (unsigned i = 0; i < n; i++) {
		uint32_t now = length < each ? length : each;
		d[i] = (struct vring_desc){.addr = gpa,
					   .len = now,
					   .flags = i + 1 < n ? VRING_DESC_F_NEXT : 0,
					   .next = (uint16_t)(first + i + 1)};
		gpa += now;
		length -= now;
	}
	if (indirect)
		s->tx->desc[slot] = (struct vring_desc){.addr = gs->table_gpa,
							.len = n * (uint32_t)sizeof(*d),
							.flags = VRING_DESC_F_INDIRECT};
}

static int make_buffers(struct gen_side *s)
{
	const struct guest_queue *q = &s->g->queues[0];
	unsigned most = (GUEST_MAX_FRAME + q->slot_size - 1) / q->slot_size;

	most = most < s->rx->size ? most : s->rx->size;
	s->max_buffers = s->gen->walk ? most : 1;
	s->buffer_size = q->slot_size;
	s->rx->avail_idx = (uint16_t)s->rx->size;
	s->buffers = calloc(s->rx->size, sizeof(*s->buffers));
	if (!s->buffers)
		return -ENOMEM;
	for (unsigned i = 0; i < s->rx->size; i++) {
		s->buffers[i] = guest_ptr(s->g, q->slots[i].gpa);
		memset(s->buffers[i], 0, q->slot_size);
	}
	return 0;
}

static void fill_rx(struct gen_side *s)
{
	const struct guest_queue *q = &s->g->queues[0];
	struct gring *r = s->rx;

	for (unsigned i = 0; i < r->size; i++) {
		r->desc[i] = (struct vring_desc){
			.addr = q->slots[i].gpa, .len = q->slot_size, .flags = VRING_DESC_F_WRITE};
		r->avail->ring[i] = (uint16_t)i;
	}
	r->avail->idx = r->avail_idx;
}

// Where the slots are no multiple of the addresses, the turn is broken each time they go round.
static bool must_rewrite(const struct gen_stream *st, uint32_t macs, bool exactly)
{
	if (st->n_slots == 0)
		return false;
	return macs > st->n_slots || (exactly && st->n_slots % macs != 0);
}

static double mean_size(const struct gen *gen)
{
	uint64_t sum = 0, n = 0;

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		const struct gen_side *s = &gen->sides[i];
		for (unsigned k = 0; k < s->n_slots && s->slots[k].stream != GEN_NO_STREAM; k++) {
			sum += s->slots[k].length;
			n++;
		}
	}
	return n ? (double)sum / (double)n : 0;
}

static uint32_t largest(const struct gen_conf *conf)
{
	return conf->size == GEN_IMIX ? 1518 : conf->size;
}

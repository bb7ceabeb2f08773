/*
 * The generator's guests before traffic: memory, finished frames, rings filled in for ever.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/gen.h"

#define HEADER ((unsigned)sizeof(struct virtio_net_hdr_mrg_rxbuf))

static int make_side(struct gen *gen, unsigned i);
static int fill_tx(struct gen_side *s);
static void fill_chain(struct gen_side *s, unsigned slot, uint64_t gpa, uint32_t length);
static int fill_rx(struct gen_side *s);
static unsigned frame_size(const struct gen_conf *conf, unsigned slot);

int gen_init(struct gen *gen, const struct gen_conf *conf)
{
	int ret = 0;

	memset(gen, 0, sizeof(*gen));
	gen->conf = *conf;
	for (unsigned i = 0; ret == 0 && i < conf->n_guests; i++)
		ret = make_side(gen, i);
	return ret;
}

void gen_fini(struct gen *gen)
{
	gen_null_stop(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		guest_destroy(s->g);
		free(s->frames);
		free(s->lengths);
		free(s->buffers);
	}
}

int gen_attach(struct gen *gen, unsigned *guest_ret)
{
	// A server's sockets must all be there before the switch is asked to connect.
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		int ret = guest_listen(gen->sides[i].g);
		if (ret < 0) {
			*guest_ret = i;
			return ret;
		}
	}
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		struct guest *g = gen->sides[i].g;
		int ret = guest_attach(g, (int)(gen->conf.timeout_s * 1000));
		if (ret == 0 && (!(g->features & GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF))))
			ret = -EOPNOTSUPP;
		if (ret < 0) {
			*guest_ret = i;
			return ret;
		}
	}
	return 0;
}

double gen_mean_size(const struct gen *gen)
{
	const struct gen_side *s = &gen->sides[0];
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->slots; i++)
		sum += s->lengths[i];
	return (double)sum / s->slots;
}

static int make_side(struct gen *gen, unsigned i)
{
	const struct gen_conf *conf = &gen->conf;
	struct gen_side *s = &gen->sides[i];
	struct guest_conf guest;
	uint32_t largest = (conf->size ? conf->size : 1518) + HEADER;
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
	// 37 lines: a stride of 2048 would put all buffers on the same few L1 sets.
	guest.send_size = largest > 2304 ? largest : 2304;
	guest.buffer_size = conf->rx_buffer ? conf->rx_buffer : guest.send_size;
	ret = guest_create(&guest, &s->g);
	if (ret < 0)
		return ret;
	s->conf = conf;
	s->number = i;
	s->peer = &gen->sides[i ^ 1];
	s->rx = &s->g->queues[0].ring;
	s->tx = &s->g->queues[1].ring;
	s->until_sample = GEN_SAMPLE_EVERY / 2;
	s->g->posted = true; // by us, below
	ret = fill_tx(s);
	return ret < 0 ? ret : fill_rx(s);
}

static int fill_tx(struct gen_side *s)
{
	struct gring *r = s->tx;

	uint32_t largest = (s->conf->size ? s->conf->size : 1518) + HEADER;
	uint32_t buffer = s->g->queues[0].slot_size;

	// Half of the ring, since the switch may be given back buffers a little late.
	s->window = r->size / 2 / ((largest + buffer - 1) / buffer);
	s->slots = s->conf->indirect ? r->size : r->size / s->conf->chain;
	s->frames = calloc(s->slots, sizeof(*s->frames));
	s->lengths = calloc(s->slots, sizeof(*s->lengths));
	if (!s->frames || !s->lengths)
		return -ENOMEM;
	for (unsigned i = 0; i < s->slots; i++) {
		struct guest_slot *slot = &s->g->queues[1].slots[i];
		struct tframe_info info = {
			.stream = s->number, .number = i, .length = frame_size(s->conf, i)};
		gen_mac(s->number ^ 1, i % s->conf->macs, info.dst);
		gen_mac(s->number, i % s->conf->macs, info.src);
		char *at = guest_ptr(s->g, slot->gpa);
		memset(at, 0, HEADER);
		s->frames[i] = at + HEADER;
		s->lengths[i] = info.length;
		tframe_build(&info, s->frames[i]);
		fill_chain(s, i, slot->gpa, HEADER + info.length);
	}
	for (unsigned p = 0; p < r->size; p++)
		r->avail->ring[p] = (uint16_t)((p & (s->slots - 1)) * (r->size / s->slots));
	return 0;
}

static void fill_chain(struct gen_side *s, unsigned slot, uint64_t gpa, uint32_t length)
{
	const struct guest_slot *gs = &s->g->queues[1].slots[slot];
	unsigned n = s->conf->chain;
	bool indirect = s->conf->indirect;
	unsigned first = indirect ? 0 : slot * n;
	struct vring_desc *d = indirect ? gs->table : &s->tx->desc[first];
	uint32_t each = (length + n - 1) / n;

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

static int fill_rx(struct gen_side *s)
{
	struct gring *r = s->rx;
	const struct guest_queue *q = &s->g->queues[0];

	s->buffer_size = q->slot_size;
	s->buffers = calloc(r->size, sizeof(*s->buffers));
	if (!s->buffers)
		return -ENOMEM;
	for (unsigned i = 0; i < r->size; i++) {
		s->buffers[i] = guest_ptr(s->g, q->slots[i].gpa);
		memset(s->buffers[i], 0, q->slot_size);
		r->desc[i] = (struct vring_desc){
			.addr = q->slots[i].gpa, .len = q->slot_size, .flags = VRING_DESC_F_WRITE};
		r->avail->ring[i] = (uint16_t)i;
	}
	r->avail_idx = (uint16_t)r->size;
	r->avail->idx = r->avail_idx;
	return 0;
}

// The common IMIX: 7 small, 4 middle, 1 large.
static unsigned frame_size(const struct gen_conf *conf, unsigned slot)
{
	static const unsigned imix[12] = {64, 64, 570, 64, 570, 64, 1518, 64, 570, 64, 570, 64};

	return conf->size ? conf->size : imix[slot % 12];
}

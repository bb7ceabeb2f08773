/*
 * Attacks through the receive ring: where the switch is made to write.
 */
#include <string.h>

#include "tests/hostile/attack.h"

#define NEXT    VRING_DESC_F_NEXT
#define WRITE   VRING_DESC_F_WRITE
#define TABLE   VRING_DESC_F_INDIRECT
#define HUGE    0xffffffffu
#define NOWHERE 0xfffffffffffff000ull

enum index_case { FAR_AHEAD, BACKWARDS, HEADS_OUT_OF_RANGE };

enum buffer_case {
	NOT_WRITABLE,
	LENGTH_0,
	LENGTH_1,
	LENGTH_HEADER,
	LENGTH_4G,
	LENGTH_4G_AT_END,
	ADDRESS_0,
	ADDRESS_WRAPS,
	ADDRESS_IN_GAP,
	ADDRESS_INTO_GAP,
	LOOP,
	NEXT_OUT_OF_RANGE,
	TABLE_IN_TABLE,
	TABLE_4G,
	TABLE_LOOP
};

enum overlap_case { ON_DESCRIPTORS, ON_AVAILABLE, ON_USED, ON_TX_RING, ON_EACH_OTHER };

static const uint8_t mac_other[6] = {2, 0, 0, 0, 0, 0x67};

static struct gring *rx_of(struct guest *g)
{
	return &g->queues[0].ring;
}

static void prepare_tables(struct guest_conf *conf)
{
	conf->features |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
}

static void prepare_gaps(struct guest_conf *conf)
{
	conf->n_regions = 3;
	conf->gap = true;
}

static void prepare_not_mergeable(struct guest_conf *conf)
{
	conf->features &= ~GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF);
}

static void prepare_room(struct guest_conf *conf)
{
	conf->region_size = 8 << 20; // for a second guest
}

// The frames that p sends come this often during the attack.
static void poked(struct attack_ctx *c, long ms)
{
	c->honest->poke_every = 1;
	attack_sleep_ms(ms);
	c->honest->poke_every = 4;
}

static int bad_index(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = rx_of(c->g);
	uint16_t idx = r->avail_idx;

	if (arg == HEADS_OUT_OF_RANGE)
		for (unsigned i = 0; i < r->size; i++)
			r->avail->ring[i] = (uint16_t)(r->size + i);
	else
		idx = (uint16_t)(arg == FAR_AHEAD ? idx + 0x4000u : idx - 2 * r->size);
	__atomic_store_n(&r->avail->idx, idx, __ATOMIC_RELEASE);
	poked(c, 150);
	return 0;
}

static struct vring_desc bad_buffer_desc(struct attack_ctx *c, unsigned arg, unsigned i)
{
	const struct guest_region *first = &c->g->regions[0];
	uint64_t end = first->gpa + first->size;
	uint64_t gpa = c->g->queues[0].slots[i].gpa;

	switch (arg) {
	case NOT_WRITABLE:
		return (struct vring_desc){gpa, 2048, 0, 0};
	case LENGTH_0:
		return (struct vring_desc){gpa, 0, WRITE, 0};
	case LENGTH_1:
		return (struct vring_desc){gpa, 1, WRITE, 0};
	case LENGTH_HEADER:
		return (struct vring_desc){gpa, 12, WRITE, 0};
	case LENGTH_4G:
		return (struct vring_desc){gpa, HUGE, WRITE, 0};
	case LENGTH_4G_AT_END:
		return (struct vring_desc){end - 64, HUGE, WRITE, 0};
	case ADDRESS_0:
		return (struct vring_desc){0, 2048, WRITE, 0};
	case ADDRESS_WRAPS:
		return (struct vring_desc){~0ull - 40, 2048, WRITE, 0};
	case ADDRESS_IN_GAP:
		return (struct vring_desc){end + 4096, 2048, WRITE, 0};
	case ADDRESS_INTO_GAP:
		return (struct vring_desc){end - 100, 2048, WRITE, 0};
	case LOOP:
		return (struct vring_desc){gpa, 0, WRITE | NEXT, (uint16_t)i};
	case NEXT_OUT_OF_RANGE:
		return (struct vring_desc){gpa, 20, WRITE | NEXT, 0xfff0};
	case TABLE_4G:
		return (struct vring_desc){gpa, 0xfffffff0u, TABLE, 0};
	default:
		return (struct vring_desc){gpa, 32, TABLE, 0};
	}
}

// All buffers that are posted are changed at once, under traffic.
static int bad_buffers(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = rx_of(c->g);

	for (unsigned i = 0; i < r->size; i++) {
		struct vring_desc *t = guest_ptr(c->g, c->g->queues[0].slots[i].gpa);
		uint64_t gpa = c->g->queues[0].slots[i].gpa;
		if (arg == TABLE_IN_TABLE)
			t[0] = (struct vring_desc){gpa, 32, TABLE | WRITE, 0};
		else if (arg == TABLE_LOOP)
			t[0] = (struct vring_desc){gpa + 64, 0, WRITE | NEXT, 0};
		r->desc[i] = bad_buffer_desc(c, arg, i);
	}
	poked(c, 100);
	return 0;
}

// Frames are written over the rings that say where to write them.
static int on_rings(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = rx_of(c->g), *tx = &c->g->queues[1].ring;
	const uint64_t where[] = {[ON_DESCRIPTORS] = r->desc_gpa,
				  [ON_AVAILABLE] = r->avail_gpa,
				  [ON_USED] = r->used_gpa,
				  [ON_TX_RING] = tx->desc_gpa,
				  [ON_EACH_OTHER] = c->g->queues[0].slots[0].gpa};

	for (unsigned i = 0; i < r->size; i++)
		r->desc[i] = (struct vring_desc){where[arg] + i % 64, 2048, WRITE, 0};
	poked(c, 300);
	return 0;
}

// Two guests in the same memory: the receive buffers of one are the frames that the other sends.
static int on_frame(struct attack_ctx *c, unsigned shift)
{
	struct guest_conf conf;
	struct gring *r;
	double end;

	guest_conf_init(&conf, c->socket2);
	conf.share = c->g;
	if (guest_create(&conf, &c->other) < 0 || guest_attach(c->other, 3000) < 0)
		return -1;
	r = rx_of(c->other);
	for (unsigned i = 0; i < r->size; i++)
		r->desc[i].addr = c->g->queues[1].slots[i].gpa + shift;
	end = attack_now() + 0.3;
	while (attack_now() < end) {
		char frame[1514];
		struct tframe_info info = {.stream = 9, .length = sizeof(frame)};
		memcpy(info.dst, mac_other, 6);
		memcpy(info.src, honest_mac_attacker, 6);
		tframe_build(&info, frame);
		for (int i = 0; i < 32; i++)
			if (guest_send(c->g, 0, NULL, frame, sizeof(frame)) < 0)
				break;
		guest_flush(c->g, 0);
		// Its books are of no use: what it got lies in the sender's buffers.
		uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
		__atomic_store_n(&r->avail->idx, (uint16_t)(used + r->size), __ATOMIC_RELEASE);
		attack_sleep_ms(1);
	}
	return c->other->queues[0].ring.used->idx == 0 ? -1 : 0;
}

// The guest gives no receive buffers back, and goes on sending.
static int never_returns(struct attack_ctx *c, unsigned arg)
{
	char frame[200];
	struct tframe_info info = {.stream = HONEST_STREAM_ATTACKER, .length = sizeof(frame)};
	double end = attack_now() + 0.5;

	memcpy(info.dst, honest_mac_p, 6);
	memcpy(info.src, honest_mac_attacker, 6);
	c->honest->poke_every = 1;
	while (attack_now() < end) {
		info.number = c->number++;
		tframe_build(&info, frame);
		guest_send(c->g, 0, NULL, frame, sizeof(frame));
		guest_flush(c->g, 0);
		attack_sleep_ms(1);
	}
	c->honest->poke_every = 4;
	return 0;
}

// The guest never looks at what the switch has sent for it, and never takes a call.
static int never_looks(struct attack_ctx *c, unsigned arg)
{
	struct gring *tx = &c->g->queues[1].ring;
	double end = attack_now() + 0.3;

	while (attack_now() < end) {
		uint16_t used = __atomic_load_n(&tx->used->idx, __ATOMIC_ACQUIRE);
		__atomic_store_n(&tx->avail->idx, (uint16_t)(used + tx->size), __ATOMIC_RELEASE);
		gring_kick(tx);
		gring_want_calls(&c->g->queues[0].ring, true);
		gring_want_calls(tx, true);
		attack_sleep_ms(1);
	}
	return 0;
}

#define OUT_INVALID                                                                                \
	{                                                                                          \
		"out InvalidData"                                                                  \
	}
#define DROPPED(name_, arg_, prepare_)                                                             \
	{                                                                                          \
		.name = "rx-" name_, .run = bad_buffers, .arg = arg_, .reasons = OUT_INVALID,      \
		.prepare = prepare_                                                                \
	}
#define STOPPED(name_, run_, arg_)                                                                 \
	{                                                                                          \
		.name = "rx-" name_, .run = run_, .arg = arg_, .flags = ATTACK_WHY, .reasons = {   \
			"out InvalidData",                                                         \
			"out NotReady"                                                             \
		}                                                                                  \
	}
#define ALLOWED(name_, run_, arg_, prepare_)                                                       \
	{                                                                                          \
		.name = "rx-" name_, .run = run_, .arg = arg_, .flags = ATTACK_LEGAL,              \
		.prepare = prepare_                                                                \
	}

const struct attack attacks_receive[] = {
	STOPPED("index-far-ahead", bad_index, FAR_AHEAD),
	STOPPED("index-backwards", bad_index, BACKWARDS),
	STOPPED("heads-out-of-range", bad_index, HEADS_OUT_OF_RANGE),
	DROPPED("not-writable", NOT_WRITABLE, NULL),
	DROPPED("length-0", LENGTH_0, NULL),
	DROPPED("length-1", LENGTH_1, NULL),
	{.name = "rx-length-header-not-mergeable",
	 .run = bad_buffers,
	 .arg = LENGTH_HEADER,
	 .reasons = {"out MTUMismatch", "out InvalidData", "out Resources"},
	 .prepare = prepare_not_mergeable},
	ALLOWED("length-header-mergeable", bad_buffers, LENGTH_HEADER, NULL),
	ALLOWED("length-4G", bad_buffers, LENGTH_4G, NULL),
	DROPPED("length-4G-at-end", LENGTH_4G_AT_END, NULL),
	DROPPED("address-0", ADDRESS_0, NULL),
	DROPPED("address-wraps", ADDRESS_WRAPS, NULL),
	DROPPED("address-in-gap", ADDRESS_IN_GAP, prepare_gaps),
	DROPPED("address-into-gap", ADDRESS_INTO_GAP, prepare_gaps),
	STOPPED("loop", bad_buffers, LOOP),
	STOPPED("next-out-of-range", bad_buffers, NEXT_OUT_OF_RANGE),
	DROPPED("table-in-table", TABLE_IN_TABLE, prepare_tables),
	DROPPED("table-4G", TABLE_4G, prepare_tables),
	DROPPED("table-loop", TABLE_LOOP, prepare_tables),
	ALLOWED("on-own-descriptors", on_rings, ON_DESCRIPTORS, NULL),
	ALLOWED("on-own-available-ring", on_rings, ON_AVAILABLE, NULL),
	ALLOWED("on-own-used-ring", on_rings, ON_USED, NULL),
	ALLOWED("on-transmit-ring", on_rings, ON_TX_RING, NULL),
	ALLOWED("on-each-other", on_rings, ON_EACH_OTHER, NULL),
	ALLOWED("on-frame-being-sent", on_frame, 0, prepare_room),
	ALLOWED("on-frame-shifted-by-1", on_frame, 1, prepare_room),
	ALLOWED("on-frame-shifted-by-64", on_frame, 64, prepare_room),
	ALLOWED("on-frame-shifted-by-140", on_frame, 140, prepare_room),
	{.name = "rx-never-returns-buffers", .run = never_returns, .reasons = {"out Resources"}},
	ALLOWED("never-looks", never_looks, 0, NULL),
	{0},
};

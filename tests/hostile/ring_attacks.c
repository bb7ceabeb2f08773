/*
 * Attacks through the transmit ring: indices, descriptor numbers, chains, tables, lengths and
 * addresses that no driver would write.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/attack.h"

#define HEADER  12u
#define LENGTH  (HEADER + 200u)
#define NEXT    VRING_DESC_F_NEXT
#define WRITE   VRING_DESC_F_WRITE
#define TABLE   VRING_DESC_F_INDIRECT
#define HUGE    0xffffffffu
#define NOWHERE 0xfffffffffffff000ull

enum index_case { FAR_AHEAD, ONE_TOO_MANY, BACKWARDS, HEAD_SIZE, HEAD_MAX, SAME_HEAD };

enum link_case {
	NEXT_OUT_OF_RANGE,
	LOOP_OF_ONE,
	LOOP_OF_TWO,
	LOOP_OF_ALL,
	ALL_IN_ONE_CHAIN,
	NEXT_TO_WRITABLE
};

enum length_case { ZERO, ONE, HEADER_ONLY, NO_ETHERNET, FOUR_G, SUM_WRAPS, TOO_LONG, EMPTY_PIECES };

enum address_case { NULL_ADDRESS, LAST_PAGE, WRAPS, IN_GAP, INTO_GAP, OVER_BOUNDARY, ON_RINGS };

enum table_case {
	TABLE_IN_TABLE,
	TABLE_WITH_NEXT,
	TABLE_EMPTY,
	TABLE_ODD,
	TABLE_FOUR_G,
	TABLE_NOWHERE,
	TABLE_IN_GAP,
	TABLE_LOOP,
	TABLE_NEXT_OUT,
	TABLE_NOT_AGREED,
	TABLE_ON_BOUNDARY,
	TABLES_WITHOUT_END
};

static struct gring *tx_of(struct attack_ctx *c)
{
	return &c->g->queues[1].ring;
}

static void prepare_regions(struct guest_conf *conf)
{
	conf->n_regions = 3;
	conf->gap = true;
}

static void prepare_boundary(struct guest_conf *conf)
{
	conf->n_regions = 4;
	conf->indirect = true;
	conf->features |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
}

static void prepare_tables(struct guest_conf *conf)
{
	conf->indirect = true;
	conf->features |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
}

// Waits until the switch has finished everything that was sent, so that the ring is ours.
static void calm(struct attack_ctx *c)
{
	for (int i = 0; i < 500 && guest_reap(c->g, 0) > 0; i++)
		attack_sleep_ms(1);
}

// A good frame with its header in a slot of the transmit queue.
static uint64_t good_frame(struct attack_ctx *c, unsigned slot)
{
	struct tframe_info info = {
		.stream = HONEST_STREAM_ATTACKER, .number = c->number++, .length = LENGTH - HEADER};
	uint64_t gpa = c->g->queues[1].slots[slot].gpa;
	char *at = guest_ptr(c->g, gpa);

	memcpy(info.dst, honest_mac_p, 6);
	memcpy(info.src, honest_mac_attacker, 6);
	memset(at, 0, HEADER);
	tframe_build(&info, at + HEADER);
	return gpa;
}

static void set_desc(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	*d = (struct vring_desc){.addr = addr, .len = len, .flags = flags, .next = next};
}

static void put_head(struct gring *r, uint16_t head)
{
	r->avail->ring[r->avail_idx++ & (r->size - 1)] = head;
}

static void show_index(struct gring *r, uint16_t idx)
{
	__atomic_store_n(&r->avail->idx, idx, __ATOMIC_RELEASE);
	gring_kick(r);
}

static int bad_index(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = tx_of(c);

	calm(c);
	for (unsigned i = 0; i < r->size; i++) {
		uint64_t gpa = good_frame(c, i);
		set_desc(&r->desc[i], gpa, LENGTH, 0, 0);
		r->avail->ring[i] = arg == HEAD_SIZE  ? (uint16_t)r->size
				    : arg == HEAD_MAX ? 0xffff
						      : 0;
	}
	switch (arg) {
	case FAR_AHEAD:
		show_index(r, (uint16_t)(r->avail_idx + 0x8000));
		break;
	case ONE_TOO_MANY:
		show_index(r, (uint16_t)(r->avail_idx + r->size + 1));
		break;
	case BACKWARDS:
		show_index(r, (uint16_t)(r->avail_idx - 1));
		break;
	case HEAD_SIZE:
	case HEAD_MAX:
		show_index(r, (uint16_t)(r->avail_idx + 1));
		break;
	case SAME_HEAD: // the same buffer over and over: foolish, but it harms nobody else
		show_index(r, (uint16_t)(r->avail_idx + r->size));
		break;
	}
	return 0;
}

static int bad_link(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = tx_of(c);
	uint64_t gpa;

	calm(c);
	gpa = good_frame(c, 0);
	switch (arg) {
	case NEXT_OUT_OF_RANGE:
		set_desc(&r->desc[0], gpa, 100, NEXT, 0xffff);
		break;
	case LOOP_OF_ONE:
		set_desc(&r->desc[0], gpa, 1, NEXT, 0);
		break;
	case LOOP_OF_TWO:
		set_desc(&r->desc[0], gpa, 1, NEXT, 1);
		set_desc(&r->desc[1], gpa, 0, NEXT, 0);
		break;
	case LOOP_OF_ALL:
	case ALL_IN_ONE_CHAIN:
		for (unsigned i = 0; i < r->size; i++)
			set_desc(&r->desc[i], gpa + i, 1, NEXT, (uint16_t)((i + 1) % r->size));
		if (arg == ALL_IN_ONE_CHAIN)
			r->desc[r->size - 1].flags = 0;
		break;
	case NEXT_TO_WRITABLE:
		set_desc(&r->desc[0], gpa, 100, NEXT, 1);
		set_desc(&r->desc[1], gpa + 100, LENGTH - 100, WRITE, 0);
		break;
	}
	put_head(r, 0);
	show_index(r, r->avail_idx);
	return 0;
}

static int bad_length(struct attack_ctx *c, unsigned arg)
{
	static const uint32_t one[] = {[ZERO] = 0,
				       [ONE] = 1,
				       [HEADER_ONLY] = HEADER,
				       [NO_ETHERNET] = HEADER + 13,
				       [FOUR_G] = HUGE,
				       [TOO_LONG] = 0x100000};
	struct gring *r = tx_of(c);
	uint64_t gpa;

	calm(c);
	gpa = good_frame(c, 0);
	switch (arg) {
	case SUM_WRAPS: // 32 bits of sum would be a frame of 100 bytes
		set_desc(&r->desc[0], gpa, 0x80000000u, NEXT, 1);
		set_desc(&r->desc[1], gpa, 0x80000000u, NEXT, 2);
		set_desc(&r->desc[2], gpa, HEADER + 100, 0, 0);
		break;
	case EMPTY_PIECES: // many descriptors of no bytes before a good one: allowed
		for (unsigned i = 0; i < 20; i++)
			set_desc(&r->desc[i], 0, 0, NEXT, (uint16_t)(i + 1));
		set_desc(&r->desc[20], gpa, LENGTH, 0, 0);
		break;
	default:
		set_desc(&r->desc[0], gpa, one[arg], 0, 0);
		break;
	}
	put_head(r, 0);
	show_index(r, r->avail_idx);
	return 0;
}

static int bad_address(struct attack_ctx *c, unsigned arg)
{
	const struct guest_region *first = &c->g->regions[0];
	uint64_t end = first->gpa + first->size;
	struct gring *r = tx_of(c);
	uint64_t gpa;

	calm(c);
	gpa = good_frame(c, 0);
	switch (arg) {
	case NULL_ADDRESS:
		set_desc(&r->desc[0], 0, LENGTH, 0, 0);
		break;
	case LAST_PAGE:
		set_desc(&r->desc[0], NOWHERE, LENGTH, 0, 0);
		break;
	case WRAPS:
		set_desc(&r->desc[0], ~0ull - 10, LENGTH, 0, 0);
		break;
	case IN_GAP:
		set_desc(&r->desc[0], end + 4096, LENGTH, 0, 0);
		break;
	case INTO_GAP:
		set_desc(&r->desc[0], end - HEADER - 20, LENGTH, 0, 0);
		break;
	case OVER_BOUNDARY: { // allowed: the regions touch each other
		char *at = guest_ptr(c->g, end - HEADER - 30);
		memcpy(at, guest_ptr(c->g, gpa), LENGTH);
		set_desc(&r->desc[0], end - HEADER - 30, LENGTH, 0, 0);
		break;
	}
	case ON_RINGS: // the frame is what the switch writes while it reads it
		set_desc(&r->desc[0], r->used_gpa, 1500, 0, 0);
		set_desc(&r->desc[1], r->avail_gpa, 500, NEXT, 2);
		set_desc(&r->desc[2], r->desc_gpa, 1000, 0, 0);
		put_head(r, 1);
		break;
	}
	put_head(r, 0);
	show_index(r, r->avail_idx);
	return 0;
}

static int bad_table(struct attack_ctx *c, unsigned arg)
{
	const struct guest_region *first = &c->g->regions[0];
	uint64_t end = first->gpa + first->size;
	struct gring *r = tx_of(c);
	uint64_t gpa, table_gpa;
	struct vring_desc *t;

	calm(c);
	gpa = good_frame(c, 0);
	table_gpa = c->g->queues[1].slots[1].gpa;
	t = guest_ptr(c->g, table_gpa);
	set_desc(&t[0], gpa, 100, NEXT, 1);
	set_desc(&t[1], gpa + 100, LENGTH - 100, 0, 0);
	set_desc(&r->desc[0], table_gpa, 32, TABLE, 0);
	switch (arg) {
	case TABLE_IN_TABLE:
		set_desc(&t[1], table_gpa, 32, TABLE, 0);
		break;
	case TABLE_WITH_NEXT:
		set_desc(&r->desc[0], table_gpa, 32, TABLE | NEXT, 1);
		set_desc(&r->desc[1], gpa, LENGTH, 0, 0);
		break;
	case TABLE_EMPTY:
		r->desc[0].len = 0;
		break;
	case TABLE_ODD:
		r->desc[0].len = 17;
		break;
	case TABLE_FOUR_G:
		r->desc[0].len = 0xfffffff0u;
		break;
	case TABLE_NOWHERE:
		r->desc[0].addr = NOWHERE;
		break;
	case TABLE_IN_GAP:
		r->desc[0].addr = end - 16;
		break;
	case TABLE_LOOP:
		set_desc(&t[1], gpa, 0, NEXT, 0);
		break;
	case TABLE_NEXT_OUT:
		t[0].next = 2;
		break;
	case TABLE_NOT_AGREED:
		break;
	case TABLE_ON_BOUNDARY: // allowed: the regions touch each other
		memcpy(guest_ptr(c->g, end - 16), t, 32);
		r->desc[0].addr = end - 16;
		break;
	}
	put_head(r, 0);
	show_index(r, r->avail_idx);
	return 0;
}

// Each frame costs the switch a table of a thousand empty descriptors, for a second.
static int endless_tables(struct attack_ctx *c, unsigned arg)
{
	struct gring *r = tx_of(c);
	double end = attack_now() + 1;

	calm(c);
	for (unsigned s = 0; s < r->size; s++) {
		struct guest_slot *slot = &c->g->queues[1].slots[s];
		for (unsigned i = 0; i + 1 < GRING_MAX_CHAIN; i++)
			set_desc(&slot->table[i], 0, 0, NEXT, (uint16_t)(i + 1));
		set_desc(&slot->table[GRING_MAX_CHAIN - 1], good_frame(c, s), LENGTH, 0, 0);
		set_desc(&r->desc[s], slot->table_gpa, GRING_MAX_CHAIN * 16, TABLE, 0);
		r->avail->ring[s] = (uint16_t)s;
	}
	while (attack_now() < end) {
		uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
		show_index(r, (uint16_t)(used + r->size));
		attack_sleep_ms(1);
	}
	return 0;
}

// Writes random words all over one part of both rings, while they are in use.
static int rubbish(struct attack_ctx *c, unsigned part)
{
	unsigned seed = 1 + part;
	double end = attack_now() + 0.7;

	while (attack_now() < end) {
		for (unsigned q = 0; q < 2; q++) {
			struct gring *r = &c->g->queues[q].ring;
			uint32_t *at[3] = {(uint32_t *)(void *)r->desc,
					   (uint32_t *)(void *)r->avail,
					   (uint32_t *)(void *)r->used};
			unsigned words[3] = {r->size * 4, r->size / 2, r->size * 2};
			for (int i = 0; i < 64; i++) {
				uint32_t word = (uint32_t)rand_r(&seed);
				// Half of them small, so that they are nearly right.
				word = seed & 64 ? word & 0x000300ff : word;
				at[part][(unsigned)rand_r(&seed) % words[part]] = word;
			}
			uint16_t used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
			show_index(r, (uint16_t)(used + (unsigned)rand_r(&seed) % r->size));
		}
		attack_sleep_ms(1);
	}
	return 0;
}

#define IN_INVALID                                                                                 \
	{                                                                                          \
		"in InvalidData"                                                                   \
	}
#define DROPPED(name_, run_, arg_, prepare_)                                                       \
	{                                                                                          \
		.name = "tx-" name_, .run = run_, .arg = arg_, .reasons = IN_INVALID,              \
		.prepare = prepare_                                                                \
	}
#define STOPPED(name_, run_, arg_)                                                                 \
	{                                                                                          \
		.name = "tx-" name_, .run = run_, .arg = arg_, .flags = ATTACK_WHY,                \
		.reasons = IN_INVALID                                                              \
	}
#define ALLOWED(name_, run_, arg_, prepare_)                                                       \
	{                                                                                          \
		.name = "tx-" name_, .run = run_, .arg = arg_, .flags = ATTACK_LEGAL,              \
		.prepare = prepare_                                                                \
	}

const struct attack attacks_ring[] = {
	STOPPED("index-far-ahead", bad_index, FAR_AHEAD),
	STOPPED("index-one-too-many", bad_index, ONE_TOO_MANY),
	STOPPED("index-backwards", bad_index, BACKWARDS),
	STOPPED("head-ring-size", bad_index, HEAD_SIZE),
	STOPPED("head-65535", bad_index, HEAD_MAX),
	ALLOWED("same-head-always", bad_index, SAME_HEAD, NULL),
	STOPPED("next-out-of-range", bad_link, NEXT_OUT_OF_RANGE),
	STOPPED("loop-of-one", bad_link, LOOP_OF_ONE),
	STOPPED("loop-of-two", bad_link, LOOP_OF_TWO),
	STOPPED("loop-of-all", bad_link, LOOP_OF_ALL),
	ALLOWED("all-in-one-chain", bad_link, ALL_IN_ONE_CHAIN, NULL),
	DROPPED("writable-piece", bad_link, NEXT_TO_WRITABLE, NULL),
	DROPPED("length-0", bad_length, ZERO, NULL),
	DROPPED("length-1", bad_length, ONE, NULL),
	DROPPED("length-header-only", bad_length, HEADER_ONLY, NULL),
	{.name = "tx-length-13",
	 .run = bad_length,
	 .arg = NO_ETHERNET,
	 .reasons = {"in InvalidFirstNBTooSmall", "in InvalidData"}},
	DROPPED("length-4G", bad_length, FOUR_G, NULL),
	DROPPED("length-1M", bad_length, TOO_LONG, NULL),
	DROPPED("length-sum-wraps", bad_length, SUM_WRAPS, NULL),
	ALLOWED("empty-pieces", bad_length, EMPTY_PIECES, NULL),
	DROPPED("address-0", bad_address, NULL_ADDRESS, NULL),
	DROPPED("address-last-page", bad_address, LAST_PAGE, NULL),
	DROPPED("address-wraps", bad_address, WRAPS, NULL),
	DROPPED("address-in-gap", bad_address, IN_GAP, prepare_regions),
	DROPPED("address-into-gap", bad_address, INTO_GAP, prepare_regions),
	ALLOWED("address-over-boundary", bad_address, OVER_BOUNDARY, prepare_boundary),
	ALLOWED("frame-on-rings", bad_address, ON_RINGS, NULL),
	DROPPED("table-in-table", bad_table, TABLE_IN_TABLE, prepare_tables),
	DROPPED("table-with-next", bad_table, TABLE_WITH_NEXT, prepare_tables),
	DROPPED("table-empty", bad_table, TABLE_EMPTY, prepare_tables),
	DROPPED("table-17-bytes", bad_table, TABLE_ODD, prepare_tables),
	DROPPED("table-4G", bad_table, TABLE_FOUR_G, prepare_tables),
	DROPPED("table-nowhere", bad_table, TABLE_NOWHERE, prepare_tables),
	DROPPED("table-into-gap", bad_table, TABLE_IN_GAP, prepare_tables),
	DROPPED("table-loop", bad_table, TABLE_LOOP, prepare_tables),
	DROPPED("table-next-out-of-range", bad_table, TABLE_NEXT_OUT, prepare_tables),
	DROPPED("table-not-agreed", bad_table, TABLE_NOT_AGREED, NULL),
	ALLOWED("table-on-boundary", bad_table, TABLE_ON_BOUNDARY, prepare_boundary),
	ALLOWED("tables-without-end", endless_tables, TABLES_WITHOUT_END, prepare_tables),
	ALLOWED("rubbish-in-descriptors", rubbish, 0, NULL),
	ALLOWED("rubbish-in-available-ring", rubbish, 1, NULL),
	ALLOWED("rubbish-in-used-ring", rubbish, 2, NULL),
	{0},
};

// Rings that no driver would write. What costs one frame must cost one frame, and what breaks
// the ring must break it, both as ports/vring.h says; nothing may touch memory that is not
// the guest's (the sanitizers watch).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ports/copy.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/ring_guest.h"

enum { HDR = 12, GOOD = 60, RING = 64 };

#define FEATURES (VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF | VIRTQ_FEATURE_INDIRECT_DESC)

static const uint64_t table = RG_DATA + 0x80000;

// One descriptor chain that is wrong, in descriptors 0 to 3; written by 'make'.
struct bad_chain {
	const char *name;
	void (*make)(struct ring_guest *g, uint16_t dir);
};

static void outside_of_memory(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_RINGS - 4096, 100, dir, 0);
}

static void in_the_hole(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_FAR - 1, 100, dir, 0);
}

static void behind_the_end(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_FAR + RG_REGION - 71, HDR + GOOD, dir, 0);
}

static void wraps_around(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, UINT64_MAX - 20, 100, dir, 0);
}

static void address_zero(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, 0, 100, dir, 0);
}

static void wrong_direction(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, 100, dir ^ VIRTQ_DESC_WRITE, 0);
}

static void wrong_direction_in_chain(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, HDR, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA + HDR, GOOD, dir ^ VIRTQ_DESC_WRITE, 0);
}

static void no_length(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, 0, dir, 0);
}

static void no_room_for_header(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, 5, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA, HDR - 5 - 1, dir, 0);
}

static void chain_leaves_memory(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, HDR + 10, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, 0xdead0000, 1000, dir, 0);
}

static void table_of_nothing(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, table, 0, VIRTQ_DESC_INDIRECT, 0);
}

static void table_of_odd_length(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, dir, 0);
	rg_desc(g, 0, table, 17, VIRTQ_DESC_INDIRECT, 0);
}

static void table_too_long(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, dir, 0);
	rg_desc(g, 0, table, (VIRTQ_TABLE_MAX + 1) * 16, VIRTQ_DESC_INDIRECT, 0);
}

static void table_of_4g(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, dir, 0);
	rg_desc(g, 0, table, 0xfffffff0, VIRTQ_DESC_INDIRECT, 0);
}

static void table_outside_of_memory(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_RINGS - 16, 32, VIRTQ_DESC_INDIRECT, 0);
}

static void table_leaves_memory(struct ring_guest *g, uint16_t dir)
{
	uint64_t at = RG_FAR + RG_REGION - 16;

	rg_table(g, at, 0, RG_DATA, HDR + 10, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 0, at, 32, VIRTQ_DESC_INDIRECT, 0);
}

static void table_entry_leaves_memory(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_FAR + RG_REGION - 8, 16, VIRTQ_DESC_INDIRECT, 0);
}

static void table_and_next(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, dir, 0);
	rg_desc(g, 0, table, 16, VIRTQ_DESC_INDIRECT | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA, 100, dir, 0);
}

static void table_in_table(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + 10, dir | VIRTQ_DESC_NEXT, 1);
	rg_table(g, table, 1, table, 32, VIRTQ_DESC_INDIRECT, 0);
	rg_desc(g, 0, table, 32, VIRTQ_DESC_INDIRECT, 0);
}

static void table_in_itself(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, table, 16, VIRTQ_DESC_INDIRECT, 0);
	rg_desc(g, 0, table, 16, VIRTQ_DESC_INDIRECT, 0);
}

static void table_next_out_of_range(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + 10, dir | VIRTQ_DESC_NEXT, 2);
	rg_desc(g, 0, table, 32, VIRTQ_DESC_INDIRECT, 0);
}

static void table_loops(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, 6, dir | VIRTQ_DESC_NEXT, 1);
	rg_table(g, table, 1, RG_DATA, 6, dir | VIRTQ_DESC_NEXT, 0);
	rg_desc(g, 0, table, 32, VIRTQ_DESC_INDIRECT, 0);
}

static void long_table_loops(struct ring_guest *g, uint16_t dir)
{
	// No bytes, so that no limit of bytes ends it.
	rg_table(g, table, 0, RG_DATA, 0, dir | VIRTQ_DESC_NEXT, 0);
	rg_desc(g, 0, table, 0x8000 * 16 / 2, VIRTQ_DESC_INDIRECT, 0);
}

static void table_with_wrong_direction(struct ring_guest *g, uint16_t dir)
{
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, dir ^ VIRTQ_DESC_WRITE, 0);
	rg_desc(g, 0, table, 16, VIRTQ_DESC_INDIRECT, 0);
}

static void frame_of_4g(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, UINT32_MAX, dir, 0);
}

static void frame_too_long(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, HDR + VNBL_FRAME_MAX + 1, dir, 0);
}

static void chain_too_long_by_bytes(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, HDR + VNBL_FRAME_MAX, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA, 1, dir, 0);
}

static void chain_of_4g(struct ring_guest *g, uint16_t dir)
{
	// The sum is 12 + 60 when it is taken modulo 2^32.
	rg_desc(g, 0, RG_DATA, 0x80000000, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA, 0x80000000 + HDR + GOOD, dir, 0);
}

static void header_only(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, HDR, dir, 0);
}

// Wrong on both rings.
static const struct bad_chain bad_chains[] = {
	{"outside of memory", outside_of_memory},
	{"in the hole", in_the_hole},
	{"behind the end", behind_the_end},
	{"wraps around", wraps_around},
	{"address zero", address_zero},
	{"wrong direction", wrong_direction},
	{"wrong direction in chain", wrong_direction_in_chain},
	{"no length", no_length},
	{"no room for header", no_room_for_header},
	{"chain leaves memory", chain_leaves_memory},
	{"table of nothing", table_of_nothing},
	{"table of odd length", table_of_odd_length},
	{"table too long", table_too_long},
	{"table of 4G", table_of_4g},
	{"table outside of memory", table_outside_of_memory},
	{"table leaves memory", table_leaves_memory},
	{"table entry leaves memory", table_entry_leaves_memory},
	{"table and next", table_and_next},
	{"table in table", table_in_table},
	{"table in itself", table_in_itself},
	{"table's next out of range", table_next_out_of_range},
	{"table loops", table_loops},
	{"long table loops", long_table_loops},
	{"table with wrong direction", table_with_wrong_direction},
};

// Wrong only on what the guest sends: a receive buffer may be longer than we use.
static const struct bad_chain bad_frames[] = {
	{"frame of 4G", frame_of_4g},
	{"frame too long", frame_too_long},
	{"chain too long by bytes", chain_too_long_by_bytes},
	{"chain of 4G", chain_of_4g},
	{"header only", header_only},
};

static void offer_good(struct ring_guest *g, uint16_t head, uint16_t dir)
{
	rg_desc(g, head, RG_DATA + 0x4000, dir ? 2048 : HDR + GOOD, dir, 0);
	rg_offer(g, head);
}

static void assert_rx_drops(const struct bad_chain *bad)
{
	struct ring_guest *g = rg_create(RING);

	// Between two good ones, twice, so that both ends of the burst see it.
	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	bad->make(g, 0);
	for (unsigned round = 0; round < 2; round++) {
		offer_good(g, 10, 0);
		rg_offer(g, 0);
		offer_good(g, 11, 0);
		vring_rx(&g->q, &g->burst, &g->st);
		assert_int_equal(g->burst.n, 2);
		assert_int_equal(g->burst.bytes, 2 * GOOD);
		vring_rx_done(&g->q);
	}

	// Alone: the descriptor must go back though there is no frame.
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	assert_int_equal(g->used->idx, 7);
	assert_int_equal(rg_used(g, 1).id, 0);
	assert_int_equal(rg_used(g, 2).id, 11);
	assert_int_equal(rg_used(g, 6).id, 0);
	assert_int_equal(g->st.drops[DROP_IN][DROP_InvalidData], 3);
	assert_false(vring_broken(&g->q));
	rg_destroy(g);
}

static void rx_drops_malformed_frames(void **state)
{
	for (unsigned i = 0; i < sizeof(bad_chains) / sizeof(bad_chains[0]); i++) {
		print_message("  %s\n", bad_chains[i].name);
		assert_rx_drops(&bad_chains[i]);
	}
	for (unsigned i = 0; i < sizeof(bad_frames) / sizeof(bad_frames[0]); i++) {
		print_message("  %s\n", bad_frames[i].name);
		assert_rx_drops(&bad_frames[i]);
	}
}

static struct vnbl frame_store[VNBL_BURST_MAX];
static uint8_t payload[VNBL_FRAME_MAX];

static struct vnbl *make_frame(unsigned i, uint32_t size)
{
	struct vnbl *v = &frame_store[i];

	vnbl_reset(v);
	v->frame_size = size;
	v->safe_size = size < VNBL_SAFE_SIZE ? size : VNBL_SAFE_SIZE;
	if (size > VNBL_SAFE_SIZE) {
		v->pieces[0].addr = payload;
		v->pieces[0].len = size - VNBL_SAFE_SIZE;
		v->n_pieces = 1;
	}
	return v;
}

static void assert_tx_drops(const struct bad_chain *bad, uint64_t features)
{
	struct ring_guest *g = rg_create(RING);
	struct vnbl *frames[3] = {make_frame(0, GOOD), make_frame(1, GOOD), make_frame(2, GOOD)};

	rg_attach(g, VIRTQ_TO_GUEST, features);
	bad->make(g, VIRTQ_DESC_WRITE);
	offer_good(g, 10, VIRTQ_DESC_WRITE);
	rg_offer(g, 0);
	offer_good(g, 11, VIRTQ_DESC_WRITE);
	vring_tx(&g->q, frames, 3, &g->st);
	assert_int_equal(g->st.tx_frames, 2);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_InvalidData], 1);
	assert_int_equal(g->used->idx, 3);
	assert_int_equal(rg_used(g, 0).id, 10);
	assert_int_equal(rg_used(g, 1).id, 0);
	assert_int_equal(rg_used(g, 1).len, 0);
	assert_int_equal(rg_used(g, 2).id, 11);
	assert_int_equal(rg_used(g, 2).len, HDR + GOOD);
	assert_false(vring_broken(&g->q));
	rg_destroy(g);
}

static void tx_drops_at_malformed_buffers(void **state)
{
	for (unsigned i = 0; i < sizeof(bad_chains) / sizeof(bad_chains[0]); i++) {
		print_message("  %s\n", bad_chains[i].name);
		assert_tx_drops(&bad_chains[i], FEATURES);
		assert_tx_drops(&bad_chains[i], FEATURES & ~VIRTQ_FEATURE_MRG_RXBUF);
	}
}

static void tables_must_have_been_negotiated(void **state)
{
	struct ring_guest *g = rg_create(RING);

	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES & ~VIRTQ_FEATURE_INDIRECT_DESC);
	rg_table(g, table, 0, RG_DATA, HDR + GOOD, 0, 0);
	rg_desc(g, 0, table, 16, VIRTQ_DESC_INDIRECT, 0);
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	assert_int_equal(g->st.drops[DROP_IN][DROP_InvalidData], 1);
	assert_int_equal(g->used->idx, 1);
	rg_destroy(g);
}

static void tx_ends_a_merge_at_a_malformed_buffer(void **state)
{
	struct ring_guest *g = rg_create(RING);
	struct vnbl *frames[2] = {make_frame(0, 1518), make_frame(1, GOOD)};

	// Two buffers are good, the third is not: all three go back empty.
	rg_attach(g, VIRTQ_TO_GUEST, FEATURES);
	for (uint16_t i = 0; i < 4; i++) {
		rg_desc(g, i, i == 2 ? 0 : RG_DATA + i * 4096, 500, VIRTQ_DESC_WRITE, 0);
		rg_offer(g, i);
	}
	vring_tx(&g->q, frames, 2, &g->st);
	assert_int_equal(g->used->idx, 4);
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(rg_used(g, i).id, i);
		assert_int_equal(rg_used(g, i).len, i == 3 ? HDR + GOOD : 0);
	}
	assert_int_equal(g->st.tx_frames, 1);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_InvalidData], 1);
	rg_destroy(g);
}

// What breaks a ring; 'make' writes it, behind one good frame or buffer in descriptor 10.
struct breaking {
	const char *name;
	enum virtq_break why;
	void (*make)(struct ring_guest *g, uint16_t dir);
	bool at_once; // the good one is not served any more
};

static void avail_too_far(struct ring_guest *g, uint16_t dir)
{
	g->avail->idx = RING + 1;
}

static void avail_far_ahead(struct ring_guest *g, uint16_t dir)
{
	g->avail->idx = 0x8000;
}

static void avail_went_back(struct ring_guest *g, uint16_t dir)
{
	g->avail->idx = 0xffff;
}

static void head_out_of_range(struct ring_guest *g, uint16_t dir)
{
	rg_offer(g, RING);
}

static void head_far_out_of_range(struct ring_guest *g, uint16_t dir)
{
	rg_offer(g, 0xffff);
}

static void next_out_of_range(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, 5, dir | VIRTQ_DESC_NEXT, RING);
	rg_offer(g, 0);
}

static void chain_in_itself(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, 0, dir | VIRTQ_DESC_NEXT, 0);
	rg_offer(g, 0);
}

static void chain_loops(struct ring_guest *g, uint16_t dir)
{
	rg_desc(g, 0, RG_DATA, dir ? 0 : 1, dir | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA, dir ? 0 : 1, dir | VIRTQ_DESC_NEXT, 2);
	rg_desc(g, 2, RG_DATA, dir ? 0 : 1, dir | VIRTQ_DESC_NEXT, 1);
	rg_offer(g, 0);
}

static const struct breaking breakings[] = {
	{"avail too far", VIRTQ_BREAK_AVAIL, avail_too_far, true},
	{"avail far ahead", VIRTQ_BREAK_AVAIL, avail_far_ahead, true},
	{"avail went back", VIRTQ_BREAK_AVAIL, avail_went_back, true},
	{"head out of range", VIRTQ_BREAK_HEAD, head_out_of_range, false},
	{"head far out of range", VIRTQ_BREAK_HEAD, head_far_out_of_range, false},
	{"next out of range", VIRTQ_BREAK_HEAD, next_out_of_range, false},
	{"chain in itself", VIRTQ_BREAK_CHAIN, chain_in_itself, false},
	{"chain loops", VIRTQ_BREAK_CHAIN, chain_loops, false},
};

static void rx_stops_at_a_broken_ring(void **state)
{
	for (unsigned i = 0; i < sizeof(breakings) / sizeof(breakings[0]); i++) {
		const struct breaking *b = &breakings[i];
		struct ring_guest *g = rg_create(RING);

		print_message("  %s\n", b->name);
		rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
		offer_good(g, 10, 0);
		b->make(g, 0);
		vring_rx(&g->q, &g->burst, &g->st);
		vring_rx_done(&g->q);
		assert_int_equal(g->burst.n, b->at_once ? 0 : 1);
		assert_int_equal(g->used->idx, b->at_once ? 0 : 1);
		assert_true(vring_broken(&g->q));
		assert_int_equal(g->q.broken, b->why);
		if (b->why == VIRTQ_BREAK_CHAIN) // found as early as can be
			assert_int_equal(g->q.broken_detail, RING);
		assert_true(strlen(vring_break_text(g->q.broken)) > 10);

		// Mending it is too late.
		g->avail->idx = g->used->idx;
		offer_good(g, 10, 0);
		vring_rx(&g->q, &g->burst, &g->st);
		assert_int_equal(g->burst.n, 0);
		assert_int_equal(vring_arm(&g->q), -ENOLINK);

		// A reset helps.
		vring_detach(&g->q, NULL, NULL);
		rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
		offer_good(g, 10, 0);
		vring_rx(&g->q, &g->burst, &g->st);
		assert_int_equal(g->burst.n, 1);
		rg_destroy(g);
	}
}

static void tx_stops_at_a_broken_ring(void **state)
{
	for (unsigned i = 0; i < sizeof(breakings) / sizeof(breakings[0]); i++) {
		const struct breaking *b = &breakings[i];
		struct ring_guest *g = rg_create(RING);
		struct vnbl *frames[3] = {make_frame(0, GOOD), make_frame(1, GOOD),
					  make_frame(2, GOOD)};
		uint64_t sent;

		print_message("  %s\n", b->name);
		rg_attach(g, VIRTQ_TO_GUEST, FEATURES);
		offer_good(g, 10, VIRTQ_DESC_WRITE);
		b->make(g, VIRTQ_DESC_WRITE);
		vring_tx(&g->q, frames, 3, &g->st);
		assert_true(vring_broken(&g->q));
		assert_int_equal(g->q.broken, b->why);
		sent = g->st.tx_frames;
		assert_in_range(sent, 0, b->at_once ? 0 : 1);
		assert_int_equal(g->used->idx, sent);
		assert_int_equal(g->st.drops[DROP_OUT][DROP_NotReady], 3 - sent);

		g->avail->idx = g->used->idx;
		offer_good(g, 10, VIRTQ_DESC_WRITE);
		vring_tx(&g->q, frames, 3, &g->st);
		assert_int_equal(g->st.drops[DROP_OUT][DROP_NotReady], 6 - sent);
		rg_destroy(g);
	}
}

static void a_chain_longer_than_the_limit_breaks(void **state)
{
	struct ring_guest *g = rg_create(VIRTQ_SIZE_MAX);

	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	for (uint16_t i = 0; i < VIRTQ_CHAIN_MAX + 1; i++)
		rg_desc(g, i, RG_DATA, 0, i < VIRTQ_CHAIN_MAX ? VIRTQ_DESC_NEXT : 0, i + 1);
	rg_offer(g, 1); // exactly the limit: only malformed, since it holds nothing
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->st.drops[DROP_IN][DROP_InvalidData], 1);
	assert_false(vring_broken(&g->q));
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->q.broken, VIRTQ_BREAK_CHAIN);
	rg_destroy(g);
}

static void too_many_pieces_need_the_pool(void **state)
{
	struct ring_guest *g = rg_create(RING);

	// There is no pool here, so such a frame is dropped; vring_pool_test has one.
	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	rg_desc(g, 0, RG_DATA, HDR + VNBL_SAFE_SIZE, VIRTQ_DESC_NEXT, 1);
	for (uint16_t i = 1; i <= VNBL_PIECES_MAX; i++)
		rg_desc(g, i, RG_DATA + i * 16, 10, i < VNBL_PIECES_MAX ? VIRTQ_DESC_NEXT : 0,
			i + 1);
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 1);
	assert_int_equal(g->burst.frames[0].n_pieces, VNBL_PIECES_MAX);
	vring_rx_done(&g->q);

	rg_desc(g, VNBL_PIECES_MAX, RG_DATA, 10, VIRTQ_DESC_NEXT, VNBL_PIECES_MAX + 1);
	rg_desc(g, VNBL_PIECES_MAX + 1, RG_DATA, 10, 0, 0);
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	assert_int_equal(g->st.drops[DROP_IN][DROP_Resources], 1);
	assert_int_equal(g->used->idx, 2);
	rg_destroy(g);
}

static void long_chains_end_a_burst(void **state)
{
	struct ring_guest *g = rg_create(1024);
	unsigned bursts = 0;

	// 32 chains of 1000 descriptors are too much work for one burst.
	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	for (uint16_t i = 0; i < 1000; i++)
		rg_desc(g, i, RG_DATA, 0, i < 999 ? VIRTQ_DESC_NEXT : 0, i + 1);
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++)
		rg_offer(g, 0);
	while (g->used->idx < VNBL_BURST_MAX) {
		vring_rx(&g->q, &g->burst, &g->st);
		bursts++;
	}
	assert_int_equal(bursts, (VNBL_BURST_MAX * 1000 + 4999) / 5000);
	assert_int_equal(g->st.drops[DROP_IN][DROP_InvalidData], VNBL_BURST_MAX);
	rg_destroy(g);
}

static void tiny_buffers_are_no_burden(void **state)
{
	struct ring_guest *g = rg_create(VIRTQ_SIZE_MAX);
	struct vnbl *frames[VNBL_BURST_MAX];

	// Buffers that hold 12 bytes: a frame of 9000 would take more than it may. They go back,
	// and the work of one call has an end.
	rg_attach(g, VIRTQ_TO_GUEST, FEATURES);
	for (uint32_t i = 0; i < VIRTQ_SIZE_MAX; i++) {
		rg_desc(g, i, RG_DATA + i, HDR, VIRTQ_DESC_WRITE, 0);
		rg_offer(g, i);
	}
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++)
		frames[i] = make_frame(i, 9000);
	vring_tx(&g->q, frames, VNBL_BURST_MAX, &g->st);
	assert_int_equal(g->st.tx_frames, 0);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_InvalidData], 8);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_Resources], VNBL_BURST_MAX - 8);
	assert_int_equal(g->used->idx, 8 * 512);
	rg_destroy(g);
}

static void chains_of_crumbs_go_back(void **state)
{
	struct ring_guest *g = rg_create(1024);
	struct vnbl *frames[1] = {make_frame(0, 9000)};

	// One buffer of 600 stretches, more than a frame may be cut into.
	rg_attach(g, VIRTQ_TO_GUEST, FEATURES & ~VIRTQ_FEATURE_MRG_RXBUF);
	for (uint16_t i = 0; i < 600; i++)
		rg_desc(g, i, RG_DATA + i * 16, 15,
			VIRTQ_DESC_WRITE | (i < 599 ? VIRTQ_DESC_NEXT : 0), i + 1);
	rg_offer(g, 0);
	vring_tx(&g->q, frames, 1, &g->st);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_InvalidData], 1);
	assert_int_equal(g->used->idx, 1);
	assert_int_equal(rg_used(g, 0).len, 0);

	// A smaller frame needs fewer of them.
	frames[0] = make_frame(0, 7000);
	rg_offer(g, 0);
	vring_tx(&g->q, frames, 1, &g->st);
	assert_int_equal(g->st.tx_frames, 1);
	assert_int_equal(rg_used(g, 1).len, HDR + 7000);
	rg_destroy(g);
}

static void empty_descriptors_are_no_burden(void **state)
{
	struct ring_guest *g = rg_create(1024);
	struct vnbl *frames[VNBL_BURST_MAX];

	// Buffers of one byte, each behind 1000 descriptors of none.
	rg_attach(g, VIRTQ_TO_GUEST, FEATURES);
	for (uint16_t i = 0; i < 1000; i++)
		rg_desc(g, i, RG_DATA, 0, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, i + 1);
	rg_desc(g, 1000, RG_DATA, HDR, VIRTQ_DESC_WRITE, 0);
	for (unsigned i = 0; i < 1024; i++)
		rg_offer(g, 0);
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++)
		frames[i] = make_frame(i, 9000);
	vring_tx(&g->q, frames, VNBL_BURST_MAX, &g->st);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_InvalidData], 3);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_Resources], VNBL_BURST_MAX - 3);
	assert_int_equal(g->used->idx, 6);
	rg_destroy(g);
}

static void buffers_may_lie_on_the_rings(void **state)
{
	// On each part of the ring, and across its parts; what the guest gets is its affair.
	static const uint64_t places[] = {RG_RINGS,
					  RG_RINGS + 16,
					  RG_RINGS + RG_AVAIL,
					  RG_RINGS + RG_AVAIL + 4,
					  RG_RINGS + RG_USED,
					  RG_RINGS + RG_USED - 30,
					  RG_RINGS + RG_USED + 4};

	for (unsigned p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		struct ring_guest *g = rg_create(RING);
		struct vnbl *frames[8];

		rg_attach(g, VIRTQ_TO_GUEST, FEATURES);
		for (uint16_t i = 0; i < 8; i++) {
			rg_desc(g, i, places[p], 2048, VIRTQ_DESC_WRITE, 0);
			rg_offer(g, i);
			frames[i] = make_frame(i, 1000 + i);
		}
		for (unsigned round = 0; round < 4; round++)
			vring_tx(&g->q, frames, 8, &g->st);
		assert_int_equal(g->st.tx_frames + g->st.drops[DROP_OUT][DROP_Resources] +
					 g->st.drops[DROP_OUT][DROP_NotReady] +
					 g->st.drops[DROP_OUT][DROP_InvalidData],
				 32);
		rg_destroy(g);
	}
}

static void buffers_may_lie_on_the_frame(void **state)
{
	struct ring_guest *g = rg_create(RING);
	struct virtq *to = calloc(1, sizeof(*to) + 64);
	struct virtq *rx = (struct virtq *)(((uintptr_t)to + 63) / 64 * 64);
	struct vnbl *frames[1];

	// The guest sends to itself, as over two ports with one memory.
	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	*rx = g->q;
	memset((void *)&g->q, 0, sizeof(g->q));
	for (int shift = -200; shift < 200; shift += 13) {
		rg_attach_at(g, VIRTQ_TO_GUEST, FEATURES, 0);
		rx->last_avail = rx->avail_seen = rx->last_used = 0;
		rg_desc(g, 0, RG_DATA + 4096, HDR + 1500, 0, 0);
		rg_offer(g, 0);
		vring_rx(rx, &g->burst, &g->st);
		assert_int_equal(g->burst.n, 1);
		frames[0] = &g->burst.frames[0];
		rg_desc(g, 0, (uint64_t)(RG_DATA + 4096 + shift), 2000, VIRTQ_DESC_WRITE, 0);
		vring_tx(&g->q, frames, 1, &g->st);
		vring_detach(&g->q, NULL, NULL);
	}
	assert_int_equal(g->st.tx_frames, 31);
	vring_detach(rx, NULL, NULL);
	free(to);
	rg_destroy(g);
}

struct scribbler {
	struct ring_guest *g;
	_Atomic bool stop;
};

// Rewrites descriptors and indices while they are read.
static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	uint32_t r = 12345;

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		r = r * 1664525 + 1013904223;
		rg_desc(s->g, r >> 28, r & 0x10000 ? RG_DATA + (r & 0xffff) : (uint64_t)r << 20,
			r & 0x20000 ? 200 : r, (r >> 18) & 7, (r >> 21) & 31);
		s->g->avail->ring[(r >> 8) & (RING - 1)] = (r >> 27) & 15;
		if ((r >> 4 & 0xfff) == 0)
			s->g->avail->flags = r >> 20 & 1;
		else
			s->g->avail->idx = (uint16_t)(s->g->used->idx + (r >> 24 & 15));
	}
	return NULL;
}

static void rings_that_change_while_they_are_read(void **state)
{
	struct ring_guest *g = rg_create(RING);
	struct scribbler s = {.g = g};
	struct vnbl *frames[8];
	pthread_t thread;
	uint64_t frames_seen = 0;

	for (unsigned i = 0; i < 8; i++)
		frames[i] = make_frame(i, 100 + 200 * i);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
	for (unsigned i = 0; i < 20000; i++) {
		vring_detach(&g->q, NULL, NULL);
		rg_attach(g, i % 2 ? VIRTQ_FROM_GUEST : VIRTQ_TO_GUEST,
			  FEATURES | VIRTQ_FEATURE_EVENT_IDX);
		for (unsigned round = 0; round < 8; round++) {
			if (i % 2) {
				vring_rx(&g->q, &g->burst, &g->st);
				for (unsigned k = 0; k < g->burst.n; k++)
					assert_in_range(g->burst.frames[k].frame_size, 1,
							VNBL_FRAME_MAX);
				frames_seen += g->burst.n;
				vring_rx_done(&g->q);
			} else {
				vring_tx(&g->q, frames, 8, &g->st);
			}
		}
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	assert_true(frames_seen > 0);
	assert_true(g->st.tx_frames > 0);
	rg_destroy(g);
}

static void memory_that_goes_away_stops_the_ring(void **state)
{
	struct ring_guest *g = rg_create(RING);
	struct vnbl *frames[1] = {make_frame(0, GOOD)};

	rg_attach(g, VIRTQ_FROM_GUEST, FEATURES);
	offer_good(g, 10, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	vring_rx_done(&g->q);
	assert_int_equal(g->burst.n, 1);

	// The handler's part is in guest_mem_test; here it is enough that the mark is heeded.
	atomic_store(&g->mem->broken, 1);
	offer_good(g, 10, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	assert_int_equal(g->q.broken, VIRTQ_BREAK_MEMORY);
	assert_int_equal(vring_arm(&g->q), -ENOLINK);
	vring_tx(&g->q, frames, 1, &g->st);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_NotReady], 1);
	rg_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rx_drops_malformed_frames),
		cmocka_unit_test(tx_drops_at_malformed_buffers),
		cmocka_unit_test(tables_must_have_been_negotiated),
		cmocka_unit_test(tx_ends_a_merge_at_a_malformed_buffer),
		cmocka_unit_test(rx_stops_at_a_broken_ring),
		cmocka_unit_test(tx_stops_at_a_broken_ring),
		cmocka_unit_test(a_chain_longer_than_the_limit_breaks),
		cmocka_unit_test(too_many_pieces_need_the_pool),
		cmocka_unit_test(long_chains_end_a_burst),
		cmocka_unit_test(tiny_buffers_are_no_burden),
		cmocka_unit_test(chains_of_crumbs_go_back),
		cmocka_unit_test(empty_descriptors_are_no_burden),
		cmocka_unit_test(buffers_may_lie_on_the_rings),
		cmocka_unit_test(buffers_may_lie_on_the_frame),
		cmocka_unit_test(rings_that_change_while_they_are_read),
		cmocka_unit_test(memory_that_goes_away_stops_the_ring),
	};

	copy_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

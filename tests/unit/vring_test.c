// Rings that a guest's driver would write, and that our code serves. What a hostile guest
// writes is in vring_hostile_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "ports/copy.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/ring_guest.h"

enum { MODERN_HDR = 12, LEGACY_HDR = 10 };

#define MODERN (VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF | VIRTQ_FEATURE_INDIRECT_DESC)

// 'hdr' bytes of a virtio-net header that asks for offloads which nobody offered, then 'size'
// bytes of the pattern, at 'gpa'.
static void put_frame(struct ring_guest *g, uint64_t gpa, uint32_t hdr, uint32_t size)
{
	static const uint8_t junk[MODERN_HDR] = {1, 4, 255, 255, 255, 255, 9, 9, 9, 9, 9, 9};
	uint8_t b;

	rg_write(g, gpa, junk, hdr);
	for (uint32_t i = 0; i < size; i++) {
		b = rg_byte(i);
		rg_write(g, gpa + hdr + i, &b, 1);
	}
}

static void assert_frame(const struct vnbl *v, uint32_t size)
{
	uint8_t *out = malloc(size);

	assert_int_equal(v->frame_size, size);
	assert_int_equal(v->safe_size, size < VNBL_SAFE_SIZE ? size : VNBL_SAFE_SIZE);
	assert_true(v->n_pieces <= VNBL_PIECES_MAX);
	assert_int_equal(v->offload.gso_type, 0);
	assert_int_equal(v->offload.flags, 0);
	vnbl_copy_out(v, 0, out, size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(out[i], rg_byte(i));
	free(out);
}

// Receives one frame of 'size' bytes, head 0, gives it back and checks the used entry.
static void assert_receives_one(struct ring_guest *g, uint32_t size)
{
	uint16_t used = g->used->idx;

	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 1);
	assert_int_equal(g->burst.bytes, size);
	assert_frame(&g->burst.frames[0], size);
	assert_int_equal(g->used->idx, used);
	vring_rx_done(&g->q);
	assert_int_equal(g->used->idx, (uint16_t)(used + 1));
	assert_int_equal(rg_used(g, used).id, 0);
	assert_int_equal(rg_used(g, used).len, 0);
	assert_false(vring_broken(&g->q));
	assert_int_equal(g->st.drops[DROP_IN][DROP_InvalidData], 0);
}

static void attach_checks_the_ring(void **state)
{
	struct ring_guest *g = rg_create(256);
	struct virtq_conf good = rg_conf(g, VIRTQ_FROM_GUEST, MODERN), conf;
	static const uint32_t sizes[] = {0, 3, 255, 65536, 1u << 31};
	struct errtext e;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		conf = good;
		conf.size = sizes[i];
		assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
		assert_false(vring_attached(&g->q));
	}
	conf = good;
	conf.desc = g->rings + 8;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
	conf = good;
	conf.avail = g->rings + RG_AVAIL + 1;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
	conf = good;
	conf.used = g->rings + RG_USED + 2;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
	conf = good;
	conf.mem = NULL;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);

	// The last entry would lie behind the region.
	conf = good;
	conf.desc = g->rings + RG_REGION - 255 * 16;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
	conf.desc = &e;
	assert_int_equal(vring_attach(&g->q, &conf, NULL), -EINVAL);

	// The used ring fits, but for the event index behind it.
	conf = good;
	conf.used = g->rings + RG_REGION - 4 - 256 * 8;
	assert_int_equal(vring_attach(&g->q, &conf, &e), 0);
	vring_detach(&g->q, NULL, NULL);
	conf.features |= VIRTQ_FEATURE_EVENT_IDX;
	assert_int_equal(vring_attach(&g->q, &conf, &e), -EINVAL);
	rg_destroy(g);
}

static void detach_gives_the_indices(void **state)
{
	struct ring_guest *g = rg_create(4);
	uint16_t avail = 1, used = 1;

	assert_false(vring_detach(&g->q, &avail, &used));
	rg_attach_at(g, VIRTQ_FROM_GUEST, MODERN, 65534);
	for (unsigned i = 0; i < 3; i++) {
		put_frame(g, RG_DATA, MODERN_HDR, 64);
		rg_desc(g, 0, RG_DATA, MODERN_HDR + 64, 0, 0);
		rg_offer(g, 0);
		assert_receives_one(g, 64);
	}
	assert_true(vring_detach(&g->q, &avail, &used));
	assert_int_equal(avail, 1);
	assert_int_equal(used, 1);
	assert_false(vring_attached(&g->q));

	// Everything is harmless on a ring that is not there.
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	vring_rx_done(&g->q);
	assert_int_equal(vring_settle(), 0);
	assert_int_equal(vring_settle(), VRING_NOTHING_OWED);
	assert_int_equal(vring_arm(&g->q), -ENOLINK);
	vring_disarm(&g->q);
	rg_destroy(g);
}

static void rx_takes_every_size(void **state)
{
	static const uint32_t sizes[] = {1,   13,  14,  60,   63,   64,   65,
					 127, 128, 129, 1514, 1518, 9018, VNBL_FRAME_MAX};
	struct ring_guest *g = rg_create(2);

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put_frame(g, RG_DATA + 3, MODERN_HDR, sizes[i]);
		rg_desc(g, 0, RG_DATA + 3, MODERN_HDR + sizes[i], 0, 0);
		rg_offer(g, 0);
		assert_receives_one(g, sizes[i]);
	}
	rg_destroy(g);
}

static void rx_takes_chains(void **state)
{
	// How a driver may cut 12 + 300 bytes; the header need not be in one piece.
	static const uint32_t cuts[][6] = {{12, 300}, {12, 100, 200},       {5, 7, 300},
					   {20, 292}, {1, 11, 128, 1, 171}, {312}};
	struct ring_guest *g = rg_create(8);
	uint32_t at;

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	put_frame(g, RG_DATA, MODERN_HDR, 300);
	for (unsigned c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
		at = 0;
		for (uint16_t i = 0; i < 6 && cuts[c][i] > 0; i++) {
			bool last = i == 5 || cuts[c][i + 1] == 0;

			rg_desc(g, i, RG_DATA + at, cuts[c][i], last ? 0 : VIRTQ_DESC_NEXT, i + 1);
			at += cuts[c][i];
		}
		rg_offer(g, 0);
		assert_receives_one(g, 300);
	}
	rg_destroy(g);
}

static void rx_skips_empty_descriptors(void **state)
{
	struct ring_guest *g = rg_create(4);

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	put_frame(g, RG_DATA, MODERN_HDR, 300);
	rg_desc(g, 0, RG_DATA, MODERN_HDR + 10, VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, 0, 0, VIRTQ_DESC_NEXT, 2);
	rg_desc(g, 2, RG_DATA + MODERN_HDR + 10, 290, 0, 0);
	rg_offer(g, 0);
	assert_receives_one(g, 300);
	rg_destroy(g);
}

static void rx_takes_indirect_tables(void **state)
{
	struct ring_guest *g = rg_create(2);
	uint64_t table = RG_DATA + 0x8000;

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	put_frame(g, RG_DATA, MODERN_HDR, 1000);

	// A table alone, its WRITE flag to be ignored, entries out of order.
	rg_desc(g, 0, table, 3 * 16, VIRTQ_DESC_INDIRECT | VIRTQ_DESC_WRITE, 0);
	rg_table(g, table, 0, RG_DATA, MODERN_HDR, VIRTQ_DESC_NEXT, 2);
	rg_table(g, table, 2, RG_DATA + MODERN_HDR, 500, VIRTQ_DESC_NEXT, 1);
	rg_table(g, table, 1, RG_DATA + MODERN_HDR + 500, 500, 0, 0);
	rg_offer(g, 0);
	assert_receives_one(g, 1000);

	// A descriptor of the ring's, then a table at an odd address.
	rg_desc(g, 0, RG_DATA, MODERN_HDR, VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, table + 5, 16, VIRTQ_DESC_INDIRECT, 0);
	rg_table(g, table + 5, 0, RG_DATA + MODERN_HDR, 1000, 0, 0);
	rg_offer(g, 0);
	assert_receives_one(g, 1000);

	// A table that reaches from one region into the next.
	table = RG_DATA - 32;
	put_frame(g, RG_FAR, MODERN_HDR, 1000);
	rg_desc(g, 0, table, 4 * 16, VIRTQ_DESC_INDIRECT, 0);
	for (uint16_t i = 0; i < 4; i++)
		rg_table(g, table, i, RG_FAR + i * 253, 253, i < 3 ? VIRTQ_DESC_NEXT : 0, i + 1);
	rg_offer(g, 0);
	assert_receives_one(g, 1000);
	rg_destroy(g);
}

static void rx_splits_what_straddles_regions(void **state)
{
	struct ring_guest *g = rg_create(2);

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);

	// The border falls into the header, the safe bytes, and behind them.
	for (uint32_t before = 1; before < 300; before++) {
		put_frame(g, RG_DATA - before, MODERN_HDR, 400);
		rg_desc(g, 0, RG_DATA - before, MODERN_HDR + 400, 0, 0);
		rg_offer(g, 0);
		assert_receives_one(g, 400);
	}
	rg_destroy(g);
}

static void rx_reads_legacy_headers(void **state)
{
	struct ring_guest *g = rg_create(4);

	rg_attach(g, VIRTQ_FROM_GUEST, 0);
	assert_int_equal(g->q.hdr_size, LEGACY_HDR);
	put_frame(g, RG_DATA, LEGACY_HDR, 200);
	rg_desc(g, 0, RG_DATA, LEGACY_HDR, VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA + LEGACY_HDR, 200, 0, 0);
	rg_offer(g, 0);
	assert_receives_one(g, 200);
	rg_desc(g, 0, RG_DATA, LEGACY_HDR + 200, 0, 0);
	rg_offer(g, 0);
	assert_receives_one(g, 200);
	rg_destroy(g);

	// Merged buffers make the header longer, without VERSION_1, too.
	g = rg_create(4);
	rg_attach(g, VIRTQ_FROM_GUEST, VIRTQ_FEATURE_MRG_RXBUF);
	assert_int_equal(g->q.hdr_size, MODERN_HDR);
	rg_destroy(g);
}

static void rx_ends_a_burst(void **state)
{
	struct ring_guest *g = rg_create(64);
	uint32_t total = 0;

	// By frames.
	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	put_frame(g, RG_DATA, MODERN_HDR, VNBL_FRAME_MAX);
	for (uint16_t i = 0; i < 33; i++) {
		rg_desc(g, i, RG_DATA, MODERN_HDR + 100, 0, 0);
		rg_offer(g, i);
	}
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, VNBL_BURST_MAX);
	assert_int_equal(g->burst.bytes, VNBL_BURST_MAX * 100);
	vring_rx_done(&g->q);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 1);
	vring_rx_done(&g->q);
	assert_int_equal(g->used->idx, 33);
	for (uint16_t i = 0; i < 33; i++)
		assert_int_equal(rg_used(g, i).id, i);

	// By bytes: four of the longest are 256 KB and more, or five are.
	for (uint16_t i = 0; i < 12; i++) {
		rg_desc(g, i, RG_DATA, MODERN_HDR + VNBL_FRAME_MAX, 0, 0);
		rg_offer(g, i);
	}
	while (total < 12) {
		vring_rx(&g->q, &g->burst, &g->st);
		assert_in_range(g->burst.n, 1, VNBL_BURST_BYTES / VNBL_FRAME_MAX + 1);
		total += g->burst.n;
		vring_rx_done(&g->q);
	}
	assert_int_equal(total, 12);
	rg_destroy(g);
}

static void rx_works_at_both_ends_of_ring_sizes(void **state)
{
	static const uint32_t sizes[] = {1, 2, 32768};
	struct ring_guest *g;

	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t given = 0, taken = 0;

		g = rg_create(sizes[s]);
		rg_attach_at(g, VIRTQ_FROM_GUEST, MODERN, 65000);
		put_frame(g, RG_DATA, MODERN_HDR, 60);
		while (taken < 100000) {
			while (given - taken < sizes[s]) {
				rg_desc(g, given % sizes[s], RG_DATA, MODERN_HDR + 60, 0, 0);
				rg_offer(g, given % sizes[s]);
				given++;
			}
			vring_rx(&g->q, &g->burst, &g->st);
			assert_in_range(g->burst.n, 1, VNBL_BURST_MAX);
			vring_rx_done(&g->q);
			for (uint32_t i = 0; i < g->burst.n; i++)
				assert_int_equal(rg_used(g, 65000 + taken + i).id,
						 (taken + i) % sizes[s]);
			taken += g->burst.n;
			assert_int_equal(g->used->idx, (uint16_t)(65000 + taken));
		}
		assert_false(vring_broken(&g->q));
		rg_destroy(g);
	}
}

// Offers one frame, receives it, and says whether the guest was called.
static bool receive_calls(struct ring_guest *g)
{
	bool called;

	rg_desc(g, 0, RG_DATA, MODERN_HDR + 60, 0, 0);
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 1);
	vring_rx_done(&g->q);
	called = vring_settle() > 0;
	assert_int_equal(rg_take(g->callfd), called);
	return called;
}

static void calls_follow_the_flag(void **state)
{
	struct ring_guest *g = rg_create(4);

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	assert_true(receive_calls(g));
	assert_true(receive_calls(g));
	g->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	assert_false(receive_calls(g));
	g->avail->flags = 0;
	assert_true(receive_calls(g));
	rg_destroy(g);
}

static void calls_follow_the_event_index(void **state)
{
	struct ring_guest *g = rg_create(4);
	volatile uint16_t *used_event = &g->avail->ring[4];

	// Over the wrap at 65536: a call when the index passes the event, not before or after.
	for (uint32_t event = 65530; event < 65546; event++) {
		rg_attach_at(g, VIRTQ_FROM_GUEST, MODERN | VIRTQ_FEATURE_EVENT_IDX, 65525);
		g->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT; // means nothing here
		*used_event = (uint16_t)event;
		assert_true(receive_calls(g)); // the first after attaching, whatever it says
		for (uint32_t now = 65527; now < 65550; now++)
			assert_int_equal(receive_calls(g), now == event + 1);
		vring_detach(&g->q, NULL, NULL);
	}

	// A burst that passes the event in its middle.
	rg_attach_at(g, VIRTQ_FROM_GUEST, MODERN | VIRTQ_FEATURE_EVENT_IDX, 65530);
	assert_true(receive_calls(g));
	*used_event = 65533;
	for (uint16_t i = 0; i < 4; i++) {
		rg_desc(g, i, RG_DATA, MODERN_HDR + 60, 0, 0);
		rg_offer(g, i);
	}
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 4);
	vring_rx_done(&g->q);
	assert_int_equal(vring_settle(), 1);
	rg_destroy(g);
}

static void calls_need_an_eventfd(void **state)
{
	struct ring_guest *g = rg_create(4);
	struct virtq_conf conf = rg_conf(g, VIRTQ_FROM_GUEST, MODERN);
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	conf.callfd = pipes[1];
	conf.kickfd = pipes[0];
	assert_int_equal(vring_attach(&g->q, &conf, NULL), 0);
	assert_int_equal(g->q.callfd, -1);
	assert_int_equal(vring_arm(&g->q), -ENOTSUP);
	assert_false(receive_calls(g));

	// Good ones in their place.
	assert_true(vring_detach(&g->q, &conf.last_avail, &conf.last_used));
	conf.callfd = g->callfd;
	conf.kickfd = g->kickfd;
	assert_int_equal(vring_attach(&g->q, &conf, NULL), 0);
	assert_int_equal(rg_take(g->callfd), 1);
	assert_true(receive_calls(g));
	close(pipes[0]);
	close(pipes[1]);
	rg_destroy(g);
}

static void a_full_eventfd_does_not_stop_us(void **state)
{
	struct ring_guest *g = rg_create(4);
	uint64_t full = UINT64_MAX - 1;

	// A peer that wants us to wait: the counter is full, and the file says to wait then.
	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	assert_int_equal(write(g->callfd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(g->callfd, F_SETFL, 0), 0);
	alarm(20);
	rg_desc(g, 0, RG_DATA, MODERN_HDR + 60, 0, 0);
	rg_offer(g, 0);
	vring_rx(&g->q, &g->burst, &g->st);
	vring_rx_done(&g->q);
	assert_int_equal(vring_settle(), 1);

	// And an empty one, to be cleared.
	assert_true(rg_take(g->callfd) >= full);
	assert_int_equal(fcntl(g->kickfd, F_SETFL, 0), 0);
	assert_true(vring_arm(&g->q) >= 0);
	vring_disarm(&g->q);
	alarm(0);
	rg_destroy(g);
}

static void every_call_arrives(void **state)
{
	struct ring_guest *g = rg_create(4);

	// More than the kernel keeps completions for.
	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	for (unsigned i = 0; i < 20000; i++)
		assert_true(receive_calls(g));
	rg_destroy(g);
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void arming_asks_for_kicks_by_flag(void **state)
{
	struct ring_guest *g = rg_create(4);
	uint64_t one = 1;
	int fd;

	rg_attach(g, VIRTQ_FROM_GUEST, MODERN);
	assert_int_equal(g->used->flags, VIRTQ_USED_NO_NOTIFY);
	fd = vring_arm(&g->q);
	assert_true(fd >= 0);
	assert_int_not_equal(fd, g->kickfd);
	assert_int_equal(g->used->flags, 0);
	assert_false(readable(fd));
	assert_int_equal(write(g->kickfd, &one, sizeof(one)), sizeof(one));
	assert_true(readable(fd));
	vring_disarm(&g->q);
	assert_false(readable(fd));
	assert_int_equal(g->used->flags, VIRTQ_USED_NO_NOTIFY);

	// Something waits: no sleep, and no wish left behind.
	rg_desc(g, 0, RG_DATA, MODERN_HDR + 60, 0, 0);
	rg_offer(g, 0);
	assert_int_equal(vring_arm(&g->q), -EAGAIN);
	assert_int_equal(g->used->flags, VIRTQ_USED_NO_NOTIFY);
	rg_destroy(g);
}

static void arming_asks_for_kicks_by_event_index(void **state)
{
	struct ring_guest *g = rg_create(4);
	volatile uint16_t *avail_event = (volatile uint16_t *)&g->used->ring[4];

	rg_attach_at(g, VIRTQ_FROM_GUEST, MODERN | VIRTQ_FEATURE_EVENT_IDX, 0);
	assert_int_equal(*avail_event, 65535); // no kick before 65536 more
	for (uint32_t i = 0; i < 70000; i++) {
		assert_true(vring_arm(&g->q) >= 0);
		assert_int_equal(*avail_event, (uint16_t)i);
		vring_disarm(&g->q);
		assert_int_equal(*avail_event, (uint16_t)(i - 1));
		rg_desc(g, 0, RG_DATA, MODERN_HDR + 60, 0, 0);
		rg_offer(g, 0);
		assert_int_equal(vring_arm(&g->q), -EAGAIN);
		vring_rx(&g->q, &g->burst, &g->st);
		vring_rx_done(&g->q);
	}
	rg_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach_checks_the_ring),
		cmocka_unit_test(detach_gives_the_indices),
		cmocka_unit_test(rx_takes_every_size),
		cmocka_unit_test(rx_takes_chains),
		cmocka_unit_test(rx_skips_empty_descriptors),
		cmocka_unit_test(rx_takes_indirect_tables),
		cmocka_unit_test(rx_splits_what_straddles_regions),
		cmocka_unit_test(rx_reads_legacy_headers),
		cmocka_unit_test(rx_ends_a_burst),
		cmocka_unit_test(rx_works_at_both_ends_of_ring_sizes),
		cmocka_unit_test(calls_follow_the_flag),
		cmocka_unit_test(calls_follow_the_event_index),
		cmocka_unit_test(calls_need_an_eventfd),
		cmocka_unit_test(a_full_eventfd_does_not_stop_us),
		cmocka_unit_test(every_call_arrives),
		cmocka_unit_test(arming_asks_for_kicks_by_flag),
		cmocka_unit_test(arming_asks_for_kicks_by_event_index),
	};

	copy_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Frames into a guest's receive ring. What a hostile guest offers there is in
// vring_hostile_test.c.
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ports/copy.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/ring_guest.h"

enum { MODERN_HDR = 12, LEGACY_HDR = 10, CANARY = 0xee };

#define MODERN (VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_INDIRECT_DESC)
#define MERGED (MODERN | VIRTQ_FEATURE_MRG_RXBUF)

static uint8_t source[VNBL_FRAME_MAX]; // plays the sender's memory
static struct vnbl frame;

// A frame of 'size' bytes of the pattern: 'safe' at most of them safe, the rest in pieces.
static struct vnbl *make_frame(uint32_t size, uint32_t safe, uint32_t piece)
{
	struct vnbl *v = &frame;

	vnbl_reset(v);
	memset(v->room, CANARY, sizeof(v->room));
	rg_pattern(source, size);
	v->frame_size = size;
	v->safe_size = safe < size ? safe : size;
	memcpy(v->safe, source, v->safe_size);
	for (uint32_t at = v->safe_size; at < size; at += piece) {
		v->pieces[v->n_pieces].addr = source + at;
		v->pieces[v->n_pieces++].len = size - at < piece ? size - at : piece;
	}
	return v;
}

// Sends one frame; returns how many used entries came.
static uint16_t send(struct ring_guest *g, struct vnbl *v)
{
	struct vnbl *frames[1] = {v};
	uint16_t before = g->used->idx;

	vring_tx(&g->q, frames, 1, &g->st);
	return g->used->idx - before;
}

static void assert_sent(struct ring_guest *g, uint64_t frames, uint64_t bytes)
{
	assert_int_equal(g->st.tx_frames, frames);
	assert_int_equal(g->st.tx_bytes, bytes);
}

// The header at 'gpa' (in one piece) must be zero but for the number of buffers.
static void assert_header(struct ring_guest *g, uint64_t gpa, uint32_t hdr, uint16_t n_buffers)
{
	uint8_t want[MODERN_HDR] = {[10] = n_buffers & 255, [11] = n_buffers >> 8}, got[MODERN_HDR];

	rg_read(g, gpa, got, hdr);
	assert_memory_equal(got, want, hdr);
}

// Bytes [from, from + n) of the pattern must lie at 'gpa'.
static void assert_bytes(struct ring_guest *g, uint64_t gpa, uint32_t from, uint32_t n)
{
	uint8_t b;

	for (uint32_t i = 0; i < n; i++) {
		rg_read(g, gpa + i, &b, 1);
		assert_int_equal(b, rg_byte(from + i));
	}
}

static void offer(struct ring_guest *g, uint16_t head, uint64_t gpa, uint32_t len)
{
	for (uint32_t i = 0; i < len + 1 && i < 70000; i++)
		*rg_host(g, gpa + i) = CANARY;
	rg_desc(g, head, gpa, len, VIRTQ_DESC_WRITE, 0);
	rg_offer(g, head);
}

static void assert_canary(struct ring_guest *g, uint64_t gpa)
{
	assert_int_equal(*rg_host(g, gpa), CANARY);
}

static void tx_fills_one_buffer(void **state)
{
	static const uint32_t sizes[] = {1,   14,  52,  60,  64,   115,  116,  127,           128,
					 129, 180, 181, 512, 1514, 1518, 9018, VNBL_FRAME_MAX};
	struct ring_guest *g = rg_create(4);
	uint64_t frames = 0, bytes = 0;

	rg_attach(g, VIRTQ_TO_GUEST, MERGED);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint32_t shift = 0; shift < 68; shift += 4) {
			uint64_t at = RG_DATA + 256 + shift;

			offer(g, 3, at, MODERN_HDR + sizes[i]);
			assert_int_equal(send(g, make_frame(sizes[i], VNBL_SAFE_SIZE, 1 << 20)), 1);
			assert_int_equal(rg_used(g, (uint16_t)frames).id, 3);
			assert_int_equal(rg_used(g, (uint16_t)frames).len, MODERN_HDR + sizes[i]);
			assert_header(g, at, MODERN_HDR, 1);
			assert_bytes(g, at + MODERN_HDR, 0, sizes[i]);
			assert_canary(g, at + MODERN_HDR + sizes[i]);
			frames++;
			bytes += sizes[i];
			assert_sent(g, frames, bytes);
		}
	}
	rg_destroy(g);
}

static void tx_takes_frames_of_any_form(void **state)
{
	struct ring_guest *g = rg_create(2);

	rg_attach(g, VIRTQ_TO_GUEST, MERGED);
	for (uint32_t safe = 1; safe <= VNBL_SAFE_MAX; safe += 31) {
		for (uint32_t piece = 60; piece < 1000; piece += 100) {
			offer(g, 0, RG_DATA, 4096);
			assert_int_equal(send(g, make_frame(1518, safe, piece)), 1);
			assert_header(g, RG_DATA, MODERN_HDR, 1);
			assert_bytes(g, RG_DATA + MODERN_HDR, 0, 1518);
			assert_canary(g, RG_DATA + MODERN_HDR + 1518);
		}
	}
	rg_destroy(g);
}

static void tx_serves_legacy_guests(void **state)
{
	struct ring_guest *g = rg_create(4);
	struct vnbl *v = make_frame(300, VNBL_SAFE_SIZE, 1000);

	rg_attach(g, VIRTQ_TO_GUEST, 0);
	offer(g, 0, RG_DATA, 2000);
	assert_int_equal(send(g, v), 1);
	assert_header(g, RG_DATA, LEGACY_HDR, 0);
	assert_bytes(g, RG_DATA + LEGACY_HDR, 0, 300);
	assert_int_equal(rg_used(g, 0).len, LEGACY_HDR + 300);
	assert_canary(g, RG_DATA + LEGACY_HDR + 300);

	// The header in a descriptor of its own, as iPXE has it.
	offer(g, 1, RG_DATA + 0x1000, LEGACY_HDR);
	g->avail->idx = g->avail->idx - 1;
	offer(g, 2, RG_DATA + 0x2000, 1514);
	g->avail->idx = g->avail->idx - 1;
	rg_desc(g, 1, RG_DATA + 0x1000, LEGACY_HDR, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 2);
	rg_offer(g, 1);
	assert_int_equal(send(g, v), 1);
	assert_header(g, RG_DATA + 0x1000, LEGACY_HDR, 0);
	assert_canary(g, RG_DATA + 0x1000 + LEGACY_HDR);
	assert_bytes(g, RG_DATA + 0x2000, 0, 300);
	assert_canary(g, RG_DATA + 0x2000 + 300);
	assert_int_equal(rg_used(g, 1).id, 1);
	assert_int_equal(rg_used(g, 1).len, LEGACY_HDR + 300);
	rg_destroy(g);
}

static void tx_fills_chains_and_tables(void **state)
{
	struct ring_guest *g = rg_create(8);
	uint64_t table = RG_DATA + 0x80000;

	// A chain, its header in one piece with data, then cut.
	rg_attach(g, VIRTQ_TO_GUEST, MODERN);
	rg_desc(g, 0, RG_DATA, 5, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 4);
	rg_desc(g, 4, RG_DATA + 5, 200, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 1);
	rg_desc(g, 1, RG_DATA + 205, 0, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 2);
	rg_desc(g, 2, RG_DATA + 205, 4096, VIRTQ_DESC_WRITE, 0);
	rg_offer(g, 0);
	assert_int_equal(send(g, make_frame(1000, VNBL_SAFE_SIZE, 300)), 1);
	assert_header(g, RG_DATA, MODERN_HDR, 1);
	assert_bytes(g, RG_DATA + MODERN_HDR, 0, 1000);
	assert_int_equal(rg_used(g, 0).len, MODERN_HDR + 1000);

	// The same in a table.
	memset(g->data, CANARY, 8192);
	rg_desc(g, 7, table, 2 * 16, VIRTQ_DESC_INDIRECT, 0);
	rg_table(g, table, 0, RG_DATA, MODERN_HDR, VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT, 1);
	rg_table(g, table, 1, RG_DATA + 0x1000, 1000, VIRTQ_DESC_WRITE, 0);
	rg_offer(g, 7);
	assert_int_equal(send(g, make_frame(1000, VNBL_SAFE_SIZE, 4000)), 1);
	assert_header(g, RG_DATA, MODERN_HDR, 1);
	assert_bytes(g, RG_DATA + 0x1000, 0, 1000);
	assert_canary(g, RG_DATA + 0x1000 + 1000);
	assert_int_equal(rg_used(g, 1).id, 7);
	rg_destroy(g);
}

static void tx_merges_buffers(void **state)
{
	static const uint32_t sizes[] = {64, 1518, 9018, 65535};
	static const uint32_t buffers[] = {12, 13, 60, 200, 1500, 4096};
	struct ring_guest *g = rg_create(1024);

	for (unsigned s = 0; s < 4; s++) {
		for (unsigned b = 0; b < 6; b++) {
			uint32_t n = (sizes[s] + MODERN_HDR + buffers[b] - 1) / buffers[b], at = 0;

			if (n > 512) // more than a frame may have
				continue;
			rg_attach(g, VIRTQ_TO_GUEST, MERGED);
			memset((void *)&g->st, 0, sizeof(g->st));
			for (uint16_t i = 0; i < n; i++)
				offer(g, 1000 - i, RG_DATA + i * (buffers[b] + 1), buffers[b]);
			assert_int_equal(send(g, make_frame(sizes[s], VNBL_SAFE_SIZE, 1 << 20)), n);
			assert_header(g, RG_DATA, MODERN_HDR, (uint16_t)n);
			for (uint16_t i = 0; i < n; i++) {
				uint32_t skip = i == 0 ? MODERN_HDR : 0;
				uint32_t len = rg_used(g, i).len;

				assert_int_equal(rg_used(g, i).id, 1000 - i);
				assert_bytes(g, RG_DATA + i * (buffers[b] + 1) + skip, at,
					     len - skip);
				at += len - skip;
			}
			assert_int_equal(at, sizes[s]);
			assert_sent(g, 1, sizes[s]);
			vring_detach(&g->q, NULL, NULL);
		}
	}
	rg_destroy(g);
}

static void tx_splits_what_straddles_regions(void **state)
{
	struct ring_guest *g = rg_create(2);

	rg_attach(g, VIRTQ_TO_GUEST, MODERN);
	for (uint32_t before = 1; before < 400; before++) {
		offer(g, 0, RG_DATA - before, 1000);
		assert_int_equal(send(g, make_frame(500, VNBL_SAFE_SIZE, 1000)), 1);
		assert_header(g, RG_DATA - before, MODERN_HDR, 1);
		assert_bytes(g, RG_DATA - before + MODERN_HDR, 0, 500);
		assert_canary(g, RG_DATA - before + MODERN_HDR + 500);
	}
	rg_destroy(g);
}

static void tx_drops_when_the_ring_is_empty(void **state)
{
	struct ring_guest *g = rg_create(8);
	struct vnbl *frames[5];

	for (unsigned i = 0; i < 5; i++)
		frames[i] = make_frame(60, VNBL_SAFE_SIZE, 100);
	vring_tx(&g->q, frames, 5, &g->st);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_NotReady], 5);

	rg_attach(g, VIRTQ_TO_GUEST, MERGED);
	for (uint16_t i = 0; i < 3; i++)
		offer(g, i, RG_DATA + i * 4096, 2048);
	vring_tx(&g->q, frames, 5, &g->st);
	assert_int_equal(vring_settle(), 1);
	assert_sent(g, 3, 3 * 60);
	assert_int_equal(g->used->idx, 3);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_Resources], 2);
	assert_int_equal(rg_take(g->callfd), 1);

	// A frame that takes more buffers than there are leaves them to a smaller one.
	for (uint16_t i = 0; i < 3; i++)
		offer(g, i, RG_DATA + i * 4096, 400);
	assert_int_equal(send(g, make_frame(1518, VNBL_SAFE_SIZE, 2000)), 0);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_Resources], 3);
	assert_int_equal(send(g, make_frame(700, VNBL_SAFE_SIZE, 2000)), 2);
	assert_header(g, RG_DATA, MODERN_HDR, 2);
	assert_int_equal(send(g, make_frame(60, VNBL_SAFE_SIZE, 2000)), 1);
	assert_sent(g, 5, 3 * 60 + 700 + 60);
	assert_false(vring_broken(&g->q));
	rg_destroy(g);
}

static void tx_drops_what_does_not_fit_unmerged(void **state)
{
	struct ring_guest *g = rg_create(8);

	rg_attach(g, VIRTQ_TO_GUEST, MODERN);
	offer(g, 0, RG_DATA, 1000);
	offer(g, 1, RG_DATA + 4096, 1000);
	assert_int_equal(send(g, make_frame(989, VNBL_SAFE_SIZE, 2000)), 0);
	assert_int_equal(g->st.drops[DROP_OUT][DROP_MTUMismatch], 1);
	assert_int_equal(send(g, make_frame(988, VNBL_SAFE_SIZE, 2000)), 1);
	assert_int_equal(rg_used(g, 0).id, 0);
	assert_sent(g, 1, 988);
	rg_destroy(g);
}

static void tx_keeps_order_when_forms_mix(void **state)
{
	struct ring_guest *g = rg_create(64);
	static struct vnbl mixed[VNBL_BURST_MAX];
	struct vnbl *frames[VNBL_BURST_MAX];
	uint32_t at = 0, size;

	// Big frames take three buffers, small ones one; all end in the order they were sent in.
	rg_attach_at(g, VIRTQ_TO_GUEST, MERGED, 65530);
	for (uint16_t i = 0; i < 64; i++)
		offer(g, i, RG_DATA + i * 1024, 600);
	for (uint32_t i = 0; i < VNBL_BURST_MAX; i++) {
		mixed[i] = *make_frame(i % 2 == 0 ? 100 + i : 1300 + i, 128, 2000);
		mixed[i].hdr = mixed[i].safe;
		mixed[i].safe[0] = (uint8_t)i;
		frames[i] = &mixed[i];
	}
	vring_tx(&g->q, frames, VNBL_BURST_MAX, &g->st);
	assert_int_equal(vring_settle(), 1);
	assert_int_equal(g->st.tx_frames, VNBL_BURST_MAX);
	assert_int_equal((uint16_t)(g->used->idx - 65530), 64);
	for (uint32_t i = 0; i < VNBL_BURST_MAX; i++) {
		uint64_t buffer = RG_DATA + (uint64_t)rg_used(g, 65530 + at).id * 1024;

		size = i % 2 == 0 ? 100 + i : 1300 + i;
		assert_int_equal(rg_used(g, 65530 + at).id, at);
		assert_header(g, buffer, MODERN_HDR, i % 2 == 0 ? 1 : 3);
		assert_int_equal(*rg_host(g, buffer + MODERN_HDR), i);
		assert_bytes(g, buffer + MODERN_HDR + 1, 1, (size < 588 ? size : 588) - 1);
		at += i % 2 == 0 ? 1 : 3;
	}
	rg_destroy(g);
}

static void tx_calls_follow_the_event_index(void **state)
{
	struct ring_guest *g = rg_create(4);
	volatile uint16_t *used_event = &g->avail->ring[4];
	struct vnbl *v = make_frame(60, VNBL_SAFE_SIZE, 100);
	struct vnbl *frames[1] = {v};

	rg_attach_at(g, VIRTQ_TO_GUEST, MERGED | VIRTQ_FEATURE_EVENT_IDX, 65533);
	*used_event = 0;
	for (uint32_t i = 65533; i < 65545; i++) {
		offer(g, 0, RG_DATA, 2048);
		vring_tx(&g->q, frames, 1, &g->st);
		assert_int_equal(vring_settle(), i == 65533 || i == 65536);
	}
	rg_destroy(g);
}

// What several calls have put into several rings is settled at once: one call for each ring.
static void calls_are_owed_until_settled(void **state)
{
	struct ring_guest *rings[20];
	struct vnbl *frames[1] = {make_frame(60, VNBL_SAFE_SIZE, 100)};

	for (unsigned i = 0; i < 20; i++) {
		rings[i] = rg_create(4);
		rg_attach(rings[i], VIRTQ_TO_GUEST, MERGED);
		rg_take(rings[i]->callfd); // the one of vring_attach()
		offer(rings[i], 0, RG_DATA, 2048);
		offer(rings[i], 1, RG_DATA + 2048, 2048);
	}
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < 3; i++)
			vring_tx(&rings[i]->q, frames, 1, &rings[i]->st);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rg_take(rings[i]->callfd), 0);
	assert_int_equal(vring_settle(), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rg_take(rings[i]->callfd), 1);

	// More rings than a thread can owe: none is forgotten.
	for (unsigned i = 3; i < 20; i++)
		vring_tx(&rings[i]->q, frames, 1, &rings[i]->st);
	assert_true(vring_settle() > 0);
	for (unsigned i = 3; i < 20; i++)
		assert_int_equal(rg_take(rings[i]->callfd), 1);
	assert_int_equal(vring_settle(), VRING_NOTHING_OWED);

	// A ring that went away meanwhile is nobody to call.
	offer(rings[0], 2, RG_DATA, 2048);
	vring_tx(&rings[0]->q, frames, 1, &rings[0]->st);
	vring_detach(&rings[0]->q, NULL, NULL);
	assert_int_equal(vring_settle(), 0);
	for (unsigned i = 0; i < 20; i++)
		rg_destroy(rings[i]);
}

struct late_sender {
	struct ring_guest *g;
	sem_t has_sent, may_settle;
};

static void send_small(struct ring_guest *g)
{
	struct vnbl v, *frames[1] = {&v};

	vnbl_reset(&v);
	v.frame_size = v.safe_size = 60;
	offer(g, (uint16_t)(g->avail->idx & 255), RG_DATA, 2048);
	vring_tx(&g->q, frames, 1, &g->st);
}

static void *send_and_settle_late(void *arg)
{
	struct late_sender *late = arg;

	send_small(late->g);
	sem_post(&late->has_sent);
	sem_wait(&late->may_settle);
	vring_settle();
	return NULL;
}

// A thread settles only after another one has sent nearly 65536 frames: the guest, which has been
// served up to there, is not forgotten.
static void a_late_settlement_loses_no_call(void **state)
{
	struct late_sender late = {.g = rg_create(256)};
	struct ring_guest *g = late.g;
	volatile uint16_t *used_event = &g->avail->ring[256];
	pthread_t thread;

	rg_attach(g, VIRTQ_TO_GUEST, MERGED | VIRTQ_FEATURE_EVENT_IDX);
	sem_init(&late.has_sent, 0, 0);
	sem_init(&late.may_settle, 0, 0);
	send_small(g);
	vring_settle();
	assert_int_equal(pthread_create(&thread, NULL, send_and_settle_late, &late), 0);
	sem_wait(&late.has_sent);
	for (uint32_t i = 0; i < 65536 - 3; i++) {
		send_small(g);
		*used_event = g->used->idx;
		if (i % 32 == 0)
			vring_settle();
	}
	vring_settle();
	sem_post(&late.may_settle);
	pthread_join(thread, NULL);
	rg_take(g->callfd);
	*used_event = g->used->idx;
	for (unsigned i = 0; i < 10; i++)
		send_small(g);
	assert_int_equal(vring_settle(), 1);
	assert_int_equal(rg_take(g->callfd), 1);
	sem_destroy(&late.has_sent);
	sem_destroy(&late.may_settle);
	rg_destroy(g);
}

// The same frames by every version of the copy that this machine can run.
static int every_copy_version(const struct CMUnitTest *tests, size_t n)
{
	static const struct copy_ops *ops;
	int failed = 0;

	for (unsigned i = 0; (ops = copy_version(i)) != NULL; i++) {
		copy_ops = ops;
		failed += _cmocka_run_group_tests(ops->name, tests, n, NULL, NULL);
	}
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tx_fills_one_buffer),
		cmocka_unit_test(tx_takes_frames_of_any_form),
		cmocka_unit_test(tx_serves_legacy_guests),
		cmocka_unit_test(tx_fills_chains_and_tables),
		cmocka_unit_test(tx_merges_buffers),
		cmocka_unit_test(tx_splits_what_straddles_regions),
		cmocka_unit_test(tx_drops_when_the_ring_is_empty),
		cmocka_unit_test(tx_drops_what_does_not_fit_unmerged),
		cmocka_unit_test(tx_keeps_order_when_forms_mix),
		cmocka_unit_test(tx_calls_follow_the_event_index),
		cmocka_unit_test(calls_are_owed_until_settled),
		cmocka_unit_test(a_late_settlement_loses_no_call),
	};

	return every_copy_version(tests, sizeof(tests) / sizeof(tests[0]));
}

// The generator against a switch that does wrong: each wrong is seen, counted exactly, and
// called what it is; a wild one breaks nothing.
//
// The switch is a thread in the place of the generator's null back end. Guest 0 sends to 1; guest
// 2 listens. Needs memory files.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/gen_parts.h"

#define FRAMES 1000u
#define EVERY  10u // frame is treated wrongly
#define HELD   50u
#define SIZE   200u

enum fault {
	NOTHING,
	LOSE,
	DOUBLE,
	SWAP, // each EVERYth is overtaken by the one behind it
	DAMAGE,
	CUT,
	ASTRAY,   // to guest 2
	FORGE,    // with a number that was never sent
	STRANGER, // EVERYth is replaced by a frame of somebody else
	HOLD,     // the first HELD frames are kept
	LET_GO,   // ... and come now
	FLOOD,    // to guest 2 as well, each
	STUCK,    // takes nothing
	CHATTER,  // EVERYth is lost, and somebody else's frames come to guest 2 all the time
	PARROT,   // ours come to guest 1 again and again
	WRONG_ID,
	HUGE_LENGTH,
	NO_BUFFERS,
	MANY_BUFFERS,
	RX_INDEX, // more used than there are
	TX_INDEX,
	TX_ID,
	N_FAULTS
};

static struct gen_conf conf;
static struct gen_load load;
static struct gen_result result;
static struct gen *gen;
static enum fault fault;
static unsigned moved;     // frames taken from guest 0
static unsigned addresses; // different sources seen
static uint8_t seen[4096];
static char kept[HELD][SIZE];
static unsigned n_kept;

// Writes a frame to the next buffer of a guest; 'len' is what the used entry says.
static void put(unsigned guest, const char *frame, uint32_t length, uint32_t len)
{
	struct gen_side *s = &gen->sides[guest];
	struct gring *r = s->rx;
	uint16_t pos = r->used->idx;
	unsigned at = pos & (r->size - 1);
	struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)s->buffers[at];

	while (__atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) == pos && !gen->null.stop)
		;
	memcpy(s->buffers[at] + GEN_HEADER, frame, length);
	hdr->num_buffers = fault == NO_BUFFERS ? 0 : fault == MANY_BUFFERS ? 60000 : 1;
	r->used->ring[at].id = fault == WRONG_ID ? at + 1 : at;
	r->used->ring[at].len = len;
	__atomic_store_n(&r->used->idx, (uint16_t)(pos + 1), __ATOMIC_RELEASE);
}

static void put_good(unsigned guest, const struct gen_slot *slot)
{
	uint32_t len = fault == HUGE_LENGTH ? 0xfffffff0u : GEN_HEADER + slot->length;

	put(guest, slot->frame, slot->length, len);
}

static void put_wrong(const struct gen_slot *slot, const struct gen_slot *next)
{
	char copy[SIZE];
	struct bframe_info info = {.length = SIZE, .number = FRAMES + 5};

	memcpy(copy, slot->frame, SIZE);
	switch (fault) {
	case LOSE:
	case CHATTER:
		return;
	case DOUBLE:
		put_good(1, slot);
		break;
	case SWAP:
		put_good(1, next);
		break;
	case DAMAGE:
		copy[SIZE - 1] ^= 1;
		put(1, copy, SIZE, GEN_HEADER + SIZE);
		return;
	case CUT:
		put(1, copy, SIZE, GEN_HEADER + SIZE - 1);
		return;
	case ASTRAY:
		put_good(2, slot);
		return;
	case FORGE:
		info.tsc = gen->start_tsc + 1;
		gen_mac(1, 0, info.dst);
		gen_mac(0, 0, info.src);
		bframe_build(&info, copy);
		put(1, copy, SIZE, GEN_HEADER + SIZE);
		return;
	case STRANGER:
		memset(copy, 0x11, SIZE);
		put(1, copy, SIZE, GEN_HEADER + SIZE);
		return;
	default:
		break;
	}
	put_good(1, slot);
}

static void move_one(void)
{
	struct gen_side *s = &gen->sides[0];
	uint16_t pos = s->tx->used->idx;
	unsigned at = pos & (s->tx->size - 1);
	const struct gen_slot *slot = &s->slots[pos & (s->n_slots - 1)];
	const struct gen_slot *next = &s->slots[(pos + 1) & (s->n_slots - 1)];
	const uint8_t *src = (const uint8_t *)slot->frame + 6;
	unsigned k = (unsigned)src[4] << 8 | src[5];
	bool wrong = moved % EVERY == EVERY - 2;

	addresses += !seen[k];
	seen[k] = 1;
	if (fault == LET_GO && moved == 0)
		while (n_kept > 0)
			put(1, kept[--n_kept], SIZE, GEN_HEADER + SIZE);
	if (fault == FLOOD)
		put_good(2, slot);
	if (fault == HOLD && n_kept < HELD)
		memcpy(kept[n_kept++], slot->frame, SIZE);
	else if (fault != SWAP || moved % EVERY != EVERY - 1)
		(wrong ? put_wrong(slot, next) : put_good(1, slot));
	__atomic_store_n(&moved, moved + 1, __ATOMIC_RELAXED);
	s->tx->used->ring[at].id = s->tx->avail->ring[at] + (fault == TX_ID);
	__atomic_store_n(&s->tx->used->idx, (uint16_t)(pos + 1), __ATOMIC_RELEASE);
}

// One more of the frames that nobody sent.
static void chatter(void)
{
	const struct gring *r = gen->sides[fault == CHATTER ? 2 : 1].rx;
	char stranger[SIZE];

	if (__atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) == r->used->idx)
		return;
	memset(stranger, 0x11, SIZE);
	if (fault == CHATTER)
		put(2, stranger, SIZE, GEN_HEADER + SIZE);
	else
		put_good(1, &gen->sides[0].slots[0]);
}

static void *bad_switch(void *arg)
{
	struct gring *tx = gen->sides[0].tx;
	struct gring *rx = gen->sides[1].rx;

	while (!gen->null.stop) {
		uint16_t sent = __atomic_load_n(&tx->avail->idx, __ATOMIC_ACQUIRE);
		// An exchange needs both.
		unsigned n = fault == SWAP && moved % EVERY == EVERY - 2 ? 2 : 1;
		if (fault == CHATTER || fault == PARROT)
			chatter();
		if (fault == RX_INDEX)
			__atomic_store_n(&rx->used->idx, (uint16_t)(rx->avail->idx + 7),
					 __ATOMIC_RELEASE);
		else if (fault == TX_INDEX)
			__atomic_store_n(&tx->used->idx, (uint16_t)(sent + 7), __ATOMIC_RELEASE);
		else if (fault != STUCK && (uint16_t)(sent - tx->used->idx) >= n)
			move_one();
		else
			sched_yield();
	}
	return NULL;
}

static void begin(enum gen_kind kind, enum fault what, uint32_t src_macs)
{
	conf = (struct gen_conf){.n_guests = 3,
				 .kind = kind,
				 .size = SIZE,
				 .ring_size = 256,
				 .chain = 1,
				 .n_streams = 1,
				 .streams = {{.from = 0, .to = 1, .src_macs = 1, .dst_macs = 1}}};
	load = (struct gen_load){.seconds = 20, .frames = FRAMES, .drain = true};
	conf.streams[0].src_macs = src_macs;
	fault = what;
	moved = addresses = n_kept = 0;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(gen_create(&conf, &gen), 0);
	for (unsigned i = 0; i < conf.n_guests; i++)
		gen->sides[i].up = true;
	for (unsigned i = 0; i < conf.n_guests; i++) {
		gen->sides[i].tx->used->flags = VRING_USED_F_NO_NOTIFY;
		gen->sides[i].rx->used->flags = VRING_USED_F_NO_NOTIFY;
	}
	assert_int_equal(pthread_create(&gen->null.thread, NULL, bad_switch, NULL), 0);
	gen->null.running = true;
}

// Ends a run in which something is lost, so that it cannot end by itself.
static bool until_moved(void *arg, double elapsed_s)
{
	return __atomic_load_n(&moved, __ATOMIC_RELAXED) < FRAMES;
}

static void run_lossy(void)
{
	load.tick = until_moved;
	assert_int_equal(gen_run(gen, &load, &result), -ECANCELED);
	load.tick = NULL;
}

static void run(void)
{
	assert_int_equal(gen_run(gen, &load, &result), 0);
}

// What a run of FRAMES must find; 'least' is the kind of guest that can.
static void expect(enum gen_kind least, enum fault what, uint64_t lost, uint64_t bad, uint64_t late,
		   uint64_t foreign)
{
	for (unsigned kind = least; kind <= GEN_VERIFY; kind++) {
		begin((enum gen_kind)kind, what, 1);
		(lost > 0 ? run_lossy : run)();
		assert_int_equal(result.total_handed, FRAMES);
		assert_int_equal(result.total_received, FRAMES - lost);
		assert_int_equal(result.lost, lost);
		assert_int_equal(result.streams[0].lost, lost);
		assert_int_equal(result.bad, bad);
		assert_int_equal(result.late, late);
		assert_int_equal(result.streams[0].late, late);
		assert_int_equal(result.foreign, foreign);
		assert_int_equal(result.disorder, 0);
		gen_destroy(gen);
	}
}

static void wrongs_are_counted(void **state)
{
	const uint64_t n = FRAMES / EVERY;

	expect(GEN_STAMP, NOTHING, 0, 0, 0, 0);
	expect(GEN_STAMP, LOSE, n, 0, 0, 0);
	expect(GEN_STAMP, DOUBLE, 0, 0, n, 0);
	expect(GEN_STAMP, SWAP, 0, 0, n, 0);
	expect(GEN_VERIFY, DAMAGE, n, n, 0, 0);
	expect(GEN_STAMP, CUT, n, n, 0, 0);
	expect(GEN_STAMP, ASTRAY, n, 0, 0, n);
	expect(GEN_STAMP, FORGE, n, n, 0, 0);
	expect(GEN_STAMP, STRANGER, n, 0, 0, n);
}

static void flooding_is_told_by_guest(void **state)
{
	begin(GEN_STAMP, ASTRAY, 1);
	run_lossy();
	assert_int_equal(result.guest_foreign[2], FRAMES / EVERY);
	assert_int_equal(result.guest_foreign[1], 0);
	gen_destroy(gen);
}

// What comes after its run is over is none of the next one's.
static void stragglers_are_ignored(void **state)
{
	begin(GEN_VERIFY, HOLD, 1);
	run_lossy();
	assert_int_equal(result.lost, HELD);
	fault = LET_GO;
	moved = 0;
	run();
	assert_int_equal(n_kept, 0);
	assert_int_equal(result.total_received, FRAMES);
	assert_int_equal(result.lost + result.bad + result.late + result.foreign, 0);
	gen_destroy(gen);
}

static void static_guests_see_loss_and_order(void **state)
{
	begin(GEN_STATIC, LOSE, 1);
	run_lossy();
	assert_int_equal(result.lost, FRAMES / EVERY);
	gen_destroy(gen);

	// A sample begins after half of its interval and has 8 frames: one of EVERY is enough.
	for (unsigned i = 0; i < 2; i++) {
		begin(GEN_STATIC, i ? SWAP : NOTHING, 1);
		load.frames = 100000;
		run();
		assert_int_equal(result.lost, 0);
		assert_true(result.checked >= 100000 / GEN_SAMPLE_EVERY * GEN_SAMPLE_LOOK);
		assert_int_equal(result.late > 0, i);
		assert_int_equal(result.bad, 0);
		gen_destroy(gen);
	}
	begin(GEN_STATIC, DAMAGE, 1);
	load.frames = 100000;
	run();
	assert_true(result.bad > 0);
	gen_destroy(gen);
}

// Each arrival counts as received, but the samples show whose some of them are.
static void static_guests_see_flooding(void **state)
{
	begin(GEN_STATIC, FLOOD, 1);
	load.frames = 100000;
	run();
	assert_true(result.foreign > 0);
	assert_true(result.foreign <= result.checked);
	assert_int_equal(result.guest_foreign[2], result.foreign);
	assert_true(result.total_received > result.total_expected);
	assert_int_equal(result.bad, 0);
	gen_destroy(gen);
}

static void a_burst_that_finds_no_room_is_refused(void **state)
{
	for (unsigned kind = GEN_STATIC; kind <= GEN_VERIFY; kind++) {
		begin((enum gen_kind)kind, STUCK, 1);
		load.seconds = 0.05;
		load.drain = false;
		run();
		assert_int_equal(result.due, FRAMES);
		assert_int_equal(result.handed, conf.ring_size);
		assert_int_equal(result.refused, FRAMES - conf.ring_size);
		gen_destroy(gen);
	}
}

static double seconds_to_settle(void)
{
	double start = gen_now();

	gen->settled = false;
	gen_settle(gen);
	return gen_now() - start;
}

static void chatter_keeps_nobody_waiting(void **state)
{
	_Atomic bool stop = false;

	begin(GEN_STAMP, CHATTER, 1);
	assert_true(seconds_to_settle() < 1.9);
	run_lossy();
	assert_int_equal(result.lost, FRAMES / EVERY);
	assert_true(result.guest_foreign[2] > 0);
	gen_destroy(gen);

	begin(GEN_STAMP, PARROT, 1);
	gen->conf.stop = &stop;
	double s = seconds_to_settle();
	assert_true(s > 1.9 && s < 4);
	stop = true;
	assert_true(seconds_to_settle() < 1);
	gen_destroy(gen);
}

// Frames that the switch has not taken are waited for, but not by who is told to stop: then it
// is not known whether they are lost.
static void a_stop_ends_the_wait_for_the_rest(void **state)
{
	_Atomic bool stop = true;
	double start;

	begin(GEN_STAMP, STUCK, 1);
	gen->conf.stop = &stop;
	start = gen_now();
	assert_int_equal(gen_run(gen, &load, &result), -ECANCELED);
	assert_true(gen_now() - start < 1.9);
	assert_int_equal(result.handed, conf.ring_size);
	assert_int_equal(result.lost, 0);
	gen_destroy(gen);
}

static void a_wild_switch_breaks_nothing(void **state)
{
	for (unsigned kind = GEN_STATIC; kind <= GEN_VERIFY; kind++) {
		for (unsigned what = WRONG_ID; what < N_FAULTS; what++) {
			begin((enum gen_kind)kind, (enum fault)what, 1);
			// Static guests look at a sample only.
			load.frames = 20000;
			load.seconds = 0.05;
			load.drain = false;
			run();
			assert_true(result.disorder > 0);
			gen_destroy(gen);
		}
	}
}

// Each address once, wherever in the ring a run begins.
static void bursts_have_all_addresses(void **state)
{
	static const uint32_t macs[] = {1, 2, 100, 255, 256, 257, 3000};

	for (unsigned i = 0; i < sizeof(macs) / sizeof(macs[0]); i++) {
		begin(GEN_STATIC, NOTHING, macs[i]);
		load.frames = 37;
		run();
		for (unsigned k = 0; k < 3; k++) {
			addresses = 0;
			memset(seen, 0, sizeof(seen));
			load.frames = macs[i];
			run();
			assert_int_equal(addresses, macs[i]);
		}
		gen_set_macs(gen, 0, 5, 1);
		addresses = 0;
		memset(seen, 0, sizeof(seen));
		load.frames = 100;
		run();
		assert_int_equal(addresses, 5);
		gen_destroy(gen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrongs_are_counted),
		cmocka_unit_test(flooding_is_told_by_guest),
		cmocka_unit_test(stragglers_are_ignored),
		cmocka_unit_test(static_guests_see_loss_and_order),
		cmocka_unit_test(static_guests_see_flooding),
		cmocka_unit_test(a_burst_that_finds_no_room_is_refused),
		cmocka_unit_test(chatter_keeps_nobody_waiting),
		cmocka_unit_test(a_stop_ends_the_wait_for_the_rest),
		cmocka_unit_test(a_wild_switch_breaks_nothing),
		cmocka_unit_test(bursts_have_all_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Needs nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bench/bframe.h"

static const uint16_t tcis[] = {0, 1, 0x6064, 0xffff};
static uint8_t frame[BFRAME_MAX + 8], other[BFRAME_MAX + 8];

static struct bframe_info info_of(uint16_t tci, uint32_t length)
{
	return (struct bframe_info){
		.dst = {2, 1, 2, 3, 4, 5},
		.src = {2, 6, 7, 8, 9, 10},
		.tci = tci,
		.stream = 200,
		.seed = 61,
		.length = length,
		.number = 0xfffffffe,
		.tsc = 0x1122334455667788,
	};
}

static void assert_info(const struct bframe_info *seen, const struct bframe_info *sent)
{
	assert_memory_equal(seen->dst, sent->dst, 6);
	assert_memory_equal(seen->src, sent->src, 6);
	assert_int_equal(seen->tci, sent->tci);
	assert_int_equal(seen->stream, sent->stream);
	assert_int_equal(seen->seed, sent->seed);
	assert_int_equal(seen->length, sent->length);
	assert_int_equal(seen->number, sent->number);
	assert_true(seen->tsc == sent->tsc);
}

static void says_what_it_was_built_with(void **state)
{
	for (unsigned t = 0; t < 4; t++) {
		for (uint32_t length = BFRAME_MIN; length <= BFRAME_MAX; length++) {
			struct bframe_info sent = info_of(tcis[t], length), seen;

			frame[length] = 0xa5;
			bframe_build(&sent, frame);
			assert_int_equal(frame[length], 0xa5);
			assert_int_equal(bframe_check(frame, length, &seen), BFRAME_GOOD);
			assert_info(&seen, &sent);
		}
	}
}

static void tag_and_type_are_where_a_switch_looks(void **state)
{
	static const uint8_t tagged[6] = {0x81, 0x00, 0x60, 0x64, 0x88, 0xb5};
	static const uint8_t plain[2] = {0x88, 0xb5};
	struct bframe_info sent = info_of(0x6064, 64);

	bframe_build(&sent, frame);
	assert_memory_equal(frame, sent.dst, 6);
	assert_memory_equal(frame + 6, sent.src, 6);
	assert_memory_equal(frame + 12, tagged, 6);
	sent.tci = 0;
	bframe_build(&sent, frame);
	assert_memory_equal(frame + 12, plain, 2);
}

static void stamp_changes_number_and_time_alone(void **state)
{
	for (unsigned t = 0; t < 4; t++) {
		struct bframe_info sent = info_of(tcis[t], 1518), seen;

		bframe_build(&sent, frame);
		sent.number = 7;
		sent.tsc = 9;
		bframe_stamp(frame, sent.tci, sent.number, sent.tsc);
		assert_int_equal(bframe_check(frame, 1518, &seen), BFRAME_GOOD);
		assert_info(&seen, &sent);
		bframe_build(&sent, other);
		assert_memory_equal(frame, other, 1518);
	}
}

// Addresses, tag, number and time are the receiver's to judge; every other bit is found wrong.
static void each_wrong_bit_is_found(void **state)
{
	for (unsigned t = 0; t < 2; t++) {
		uint32_t fields = tcis[t] ? 16 : 12;
		struct bframe_info sent = info_of(tcis[t], 199), seen;

		bframe_build(&sent, frame);
		for (uint32_t i = 12; i < sent.length; i++) {
			bool free = (i >= fields + 14 && i < fields + 26) ||
				    (tcis[t] && (i == 14 || i == 15));
			for (unsigned bit = 0; bit < 8; bit++) {
				enum bframe_verdict verdict;

				frame[i] ^= (uint8_t)(1u << bit);
				verdict = bframe_check(frame, sent.length, &seen);
				frame[i] ^= (uint8_t)(1u << bit);
				if (free)
					assert_int_equal(verdict, BFRAME_GOOD);
				else if (i < fields + 6)
					assert_int_equal(verdict, BFRAME_FOREIGN);
				else
					assert_int_equal(verdict, BFRAME_DAMAGED);
			}
		}
	}
}

static void each_wrong_length_is_found(void **state)
{
	struct bframe_info sent = info_of(0, 300), seen;

	bframe_build(&sent, frame);
	for (uint32_t length = 0; length <= 400; length++) {
		enum bframe_verdict verdict = bframe_check(frame, length, &seen);

		// 296 would be right if a tag had been taken away: the bytes are, too.
		if (length == 300 || length == 296)
			assert_int_equal(verdict, BFRAME_GOOD);
		else
			assert_int_equal(verdict, length < 38 ? BFRAME_FOREIGN : BFRAME_DAMAGED);
	}
}

static void tag_may_come_and_go(void **state)
{
	static const uint8_t tag[4] = {0x81, 0x00, 0x00, 0x0a};
	struct bframe_info sent = info_of(0, 64), seen;

	bframe_build(&sent, frame);
	memcpy(other, frame, 12);
	memcpy(other + 12, tag, 4);
	memcpy(other + 16, frame + 12, 52);
	assert_int_equal(bframe_check(other, 68, &seen), BFRAME_GOOD);
	assert_int_equal(seen.tci, 10);
	assert_int_equal(seen.length, 64);
	assert_int_equal(bframe_check(other, 60, &seen), BFRAME_DAMAGED);

	sent.tci = 10;
	bframe_build(&sent, other);
	memcpy(frame, other, 12);
	memcpy(frame + 12, other + 16, 48);
	assert_int_equal(bframe_check(frame, 60, &seen), BFRAME_GOOD);
	assert_int_equal(seen.tci, 0);
	assert_int_equal(seen.length, 64);
}

// A frame whose middle comes from another one is found.
static void patterns_differ(void **state)
{
	struct bframe_info info = info_of(0, 512), seen;

	bframe_build(&info, frame);
	for (unsigned i = 0; i < 3; i++) {
		struct bframe_info neighbour = info;

		neighbour.stream += i == 0;
		neighbour.seed += i == 1;
		neighbour.length += i == 2 ? 8 : 0;
		bframe_build(&neighbour, other);
		memcpy(other, frame, 256);
		assert_int_equal(bframe_check(other, 512, &seen), BFRAME_DAMAGED);
	}
	memcpy(other, frame, 512);
	memcpy(other + 128, frame + 192, 64);
	assert_int_equal(bframe_check(other, 512, &seen), BFRAME_DAMAGED);
	assert_int_equal(bframe_read(other, 512, &seen), BFRAME_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_was_built_with),
		cmocka_unit_test(tag_and_type_are_where_a_switch_looks),
		cmocka_unit_test(stamp_changes_number_and_time_alone),
		cmocka_unit_test(each_wrong_bit_is_found),
		cmocka_unit_test(each_wrong_length_is_found),
		cmocka_unit_test(tag_may_come_and_go),
		cmocka_unit_test(patterns_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

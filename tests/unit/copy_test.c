// Every version of the copy, at every size and alignment that can make a difference, with the
// source at the very end of readable memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ports/copy.h"
#include "ports/vnbl_types.h"

enum { PAGE = 4096, CANARY = 0xee };

// Two pages, of which the second cannot be touched.
static uint8_t *edge(void)
{
	uint8_t *at =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + PAGE, PAGE, PROT_NONE), 0);
	for (unsigned i = 0; i < PAGE; i++)
		at[i] = (uint8_t)(i * 13 + (i >> 8));
	return at + PAGE;
}

static void snapshots(void **state)
{
	alignas(64) uint8_t to[VNBL_SAFE_MAX];
	uint8_t *end = edge();
	struct copy_snapshot job;

	for (uint32_t size = 1; size <= VNBL_SAFE_SIZE; size++) {
		memset(to, CANARY, sizeof(to));
		job = (struct copy_snapshot){.to = to, .from = end - size, .size = size};
		copy_ops->snapshots(&job, 1);
		assert_memory_equal(to, end - size, size);
		for (uint32_t i = VNBL_SAFE_SIZE; i < sizeof(to); i++)
			assert_int_equal(to[i], CANARY);
	}
	copy_ops->snapshots(&job, 0);
	munmap(end - PAGE, 2 * PAGE);
}

static void assert_frame(uint8_t *to, const uint8_t *head_end, uint32_t head,
			 const uint8_t *tail_end, uint32_t tail)
{
	struct copy_frame job = {.to = to,
				 .head = head_end - head,
				 .tail = tail > 0 ? tail_end - tail : NULL,
				 .head_size = head,
				 .tail_size = tail};

	memset(to - 64, CANARY, head + tail + 128);
	copy_ops->frames(&job, 1);
	assert_memory_equal(to, head_end - head, head);
	if (tail > 0)
		assert_memory_equal(to + head, tail_end - tail, tail);
	for (unsigned i = 1; i <= 64; i++) {
		assert_int_equal(*(to - i), CANARY);
		assert_int_equal(to[head + tail + i - 1], CANARY);
	}
}

static void frames(void **state)
{
	static const uint32_t tails[] = {0,  1,  2,  7,  8,  15,  16,  31,
					 32, 33, 63, 64, 65, 127, 128, 1500};
	alignas(64) static uint8_t room[8192];
	uint8_t *head = edge(), *tail = edge();

	for (uint32_t shift = 0; shift < 64; shift++) {
		for (uint32_t size = 1; size < 300; size += shift % 8 == 4 ? 1 : 23)
			for (unsigned t = 0; t < sizeof(tails) / sizeof(tails[0]); t++)
				assert_frame(room + 64 + shift, head, size, tail, tails[t]);
	}
	munmap(head - PAGE, 2 * PAGE);
	munmap(tail - PAGE, 2 * PAGE);
}

static void frames_in_a_burst(void **state)
{
	alignas(64) static uint8_t room[32][256];
	struct copy_frame jobs[32];
	uint8_t *head = edge();

	for (unsigned i = 0; i < 32; i++)
		jobs[i] = (struct copy_frame){
			.to = room[i] + i, .head = head - 100 - i, .head_size = 100 + i};
	copy_ops->frames(jobs, 32);
	for (unsigned i = 0; i < 32; i++)
		assert_memory_equal(room[i] + i, head - 100 - i, 100 + i);
	munmap(head - PAGE, 2 * PAGE);
}

static void the_best_version_is_chosen(void **state)
{
	unsigned n = 0;

	while (copy_version(n) != NULL)
		n++;
	assert_in_range(n, 1, 3);
	copy_init();
	assert_ptr_equal(copy_ops, copy_version(n - 1));
	assert_string_equal(copy_name(), copy_version(n - 1)->name);
}

int main(void)
{
	const struct CMUnitTest each[] = {
		cmocka_unit_test(snapshots),
		cmocka_unit_test(frames),
		cmocka_unit_test(frames_in_a_burst),
	};
	const struct CMUnitTest once[] = {cmocka_unit_test(the_best_version_is_chosen)};
	static const struct copy_ops *ops;
	int failed;

	failed = cmocka_run_group_tests(once, NULL, NULL);
	for (unsigned i = 0; (ops = copy_version(i)) != NULL; i++) {
		copy_ops = ops;
		failed += cmocka_run_group_tests_name(ops->name, each, NULL, NULL);
	}
	return failed;
}

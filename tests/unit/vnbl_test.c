// Needs EAL without hugepages: frames are copied into mbufs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <rte_mempool.h>

#include "ports/vnbl.h"
#include "ports/vnbl_mbuf.h"
#include "tests/unit/eal.h"

enum { POOL = 255 };

static uint8_t memory[VNBL_FRAME_MAX + 64]; // plays the guest's

// A frame of 'size' bytes 0, 1, 2, ...: 'safe' of them safe, the rest in pieces of 'piece'.
static void make_frame(struct vnbl *v, uint32_t size, uint32_t safe, uint32_t piece)
{
	vnbl_reset(v);
	for (uint32_t i = 0; i < size; i++)
		memory[i] = (uint8_t)(i + (i >> 8));
	v->frame_size = size;
	v->safe_size = (uint16_t)(safe < size ? safe : size);
	memcpy(v->safe, memory, v->safe_size);
	for (uint32_t at = v->safe_size; at < size; at += piece) {
		uint32_t len = size - at < piece ? size - at : piece;

		v->pieces[v->n_pieces++] = (struct vnbl_piece){.addr = memory + at, .len = len};
	}
}

static void assert_content(const struct vnbl *v, uint32_t size)
{
	uint8_t *out = malloc(size);

	assert_int_equal(v->frame_size, size);
	vnbl_copy_out(v, 0, out, size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(out[i], (uint8_t)(i + (i >> 8)));
	free(out);
}

static void copy_out_crosses_safe_bytes_and_pieces(void **state)
{
	struct vnbl v;
	uint8_t out[700];

	make_frame(&v, 1000, 128, 100);
	assert_content(&v, 1000);
	for (uint32_t offset = 0; offset < 300; offset += 7) {
		vnbl_copy_out(&v, offset, out, sizeof(out));
		assert_memory_equal(out, memory + offset, sizeof(out));
	}
}

static void make_safe_keeps_every_byte(void **state)
{
	const uint32_t sizes[] = {14, 60, 128, 129, 1514, 4096, 4097, 9000, VNBL_FRAME_MAX};
	unsigned before = rte_mempool_avail_count(vnbl_pool());

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct vnbl v;

		make_frame(&v, sizes[i], 128, 2048);
		v.offload.csum_start = 34;
		assert_int_equal(vnbl_make_safe(&v), 0);
		assert_true(v.flags & VNBL_DATA_SAFE);
		assert_non_null(v.mbuf);
		memset(memory, 0xee, sizeof(memory));
		assert_content(&v, sizes[i]);
		assert_int_equal(v.offload.csum_start, 34);
		vnbl_release(&v);
	}
	assert_int_equal(rte_mempool_avail_count(vnbl_pool()), before);
}

static void empty_pool_leaves_the_frame_alone(void **state)
{
	struct rte_mbuf *held[POOL + 1];
	struct vnbl v;
	unsigned n = 0;

	make_frame(&v, 60, 128, 100);
	while ((held[n] = vnbl_copy_to_mbuf(&v)) != NULL)
		n++;
	assert_int_equal(vnbl_make_safe(&v), -ENOMEM);
	assert_null(v.mbuf);
	assert_content(&v, 60);
	// A chain that runs dry half-way gives back what it took.
	vnbl_from_mbuf(&v, held[--n]);
	vnbl_release(&v);
	make_frame(&v, 9000, 128, 500);
	assert_int_equal(vnbl_make_safe(&v), -ENOMEM);
	assert_int_equal(rte_mempool_avail_count(vnbl_pool()), 1);
	while (n > 0) {
		vnbl_from_mbuf(&v, held[--n]);
		vnbl_release(&v);
	}
}

static void what_travels_beside_the_data_survives_an_mbuf(void **state)
{
	struct vnbl v, back;

	make_frame(&v, 200, 128, 100);
	v.offload =
		(struct vnbl_offload){.flags = 1, .gso_type = 1, .gso_size = 100, .hdr_len = 54};
	v.vlan_tci = 0x2005;
	v.vlan_tpid = 0x88a8;
	v.src_port_id = 7;
	v.flags |= VNBL_HAS_TAG;
	vnbl_from_mbuf(&back, vnbl_copy_to_mbuf(&v));
	assert_memory_equal(&back.offload, &v.offload, sizeof(v.offload));
	assert_int_equal(back.vlan_tci, 0x2005);
	assert_int_equal(back.vlan_tpid, 0x88a8);
	assert_int_equal(back.src_port_id, 7);
	assert_true(back.flags & VNBL_HAS_TAG);
	assert_content(&back, 200);
	vnbl_release(&back);
}

static void tag_goes_out_of_band_and_back(void **state)
{
	const uint8_t tag[] = {0x81, 0x00, 0x60, 0x2a};
	uint8_t before[100], after[100];
	struct vnbl v;

	make_frame(&v, 100, 128, 100);
	memcpy(v.hdr + 12, tag, sizeof(tag));
	memcpy(before, v.hdr, sizeof(before));
	v.offload = (struct vnbl_offload){.flags = 1, .csum_start = 38, .hdr_len = 58};
	assert_true(vnbl_vlan_strip(&v));
	assert_true(v.flags & VNBL_HAS_TAG);
	assert_int_equal(v.vlan_tci, 0x602a);
	assert_int_equal(v.frame_size, 96);
	assert_int_equal(v.offload.csum_start, 34);
	assert_memory_equal(v.hdr, before, 12);
	assert_memory_equal(v.hdr + 12, before + 16, 80);
	// An inner tag stays in the data.
	assert_true(vnbl_vlan_strip(&v));
	assert_int_equal(v.frame_size, 96);
	vnbl_vlan_insert(&v);
	assert_int_equal(v.frame_size, 100);
	assert_int_equal(v.offload.csum_start, 38);
	vnbl_copy_out(&v, 0, after, sizeof(after));
	assert_memory_equal(after, before, sizeof(before));
	vnbl_vlan_insert(&v);
	assert_int_equal(v.frame_size, 100);
}

static void tag_without_a_frame_behind_it_is_refused(void **state)
{
	struct vnbl v;

	for (uint32_t size = 14; size <= 18; size++) {
		make_frame(&v, size, 128, 100);
		v.hdr[12] = 0x88;
		v.hdr[13] = 0xa8;
		assert_int_equal(vnbl_vlan_strip(&v), size >= 18);
	}
	make_frame(&v, 13, 128, 100);
	assert_true(vnbl_vlan_strip(&v));
}

static void extend_reads_on_and_shortens_the_pieces(void **state)
{
	struct vnbl v;

	make_frame(&v, 1000, 128, 50);
	assert_int_equal(vnbl_extend(&v, 100), 128);
	assert_int_equal(vnbl_extend(&v, 200), 200);
	assert_int_equal(v.safe_size, 200);
	assert_memory_equal(v.hdr, memory, 200);
	assert_content(&v, 1000);
	assert_int_equal(vnbl_extend(&v, 5000), VNBL_SAFE_MAX);
	assert_content(&v, 1000);
	make_frame(&v, 150, 128, 50);
	assert_int_equal(vnbl_extend(&v, 200), 150);
	assert_int_equal(v.n_pieces, 0);
	assert_content(&v, 150);
}

static int setup(void **state)
{
	return eal_start() < 0 ? -1 : vnbl_init(POOL);
}

static int teardown(void **state)
{
	vnbl_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_out_crosses_safe_bytes_and_pieces),
		cmocka_unit_test(make_safe_keeps_every_byte),
		cmocka_unit_test(empty_pool_leaves_the_frame_alone),
		cmocka_unit_test(what_travels_beside_the_data_survives_an_mbuf),
		cmocka_unit_test(tag_goes_out_of_band_and_back),
		cmocka_unit_test(tag_without_a_frame_behind_it_is_refused),
		cmocka_unit_test(extend_reads_on_and_shortens_the_pieces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

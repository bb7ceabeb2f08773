// Frames of more pieces than a VNBL holds are put into mbufs while they are parsed. Needs EAL
// without hugepages.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_mempool.h>

#include "ports/copy.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/eal.h"
#include "tests/unit/ring_guest.h"

enum { HDR = 12, POOL = 255 };

// A frame of 'size' bytes, cut into descriptors of 'cut', the header apart.
static void offer_cut(struct ring_guest *g, uint32_t size, uint32_t cut)
{
	uint16_t n = 1;

	rg_desc(g, 0, RG_FAR, HDR, VIRTQ_DESC_NEXT, 1);
	for (uint32_t at = 0; at < size; at += cut, n++) {
		uint32_t len = size - at < cut ? size - at : cut;

		for (uint32_t i = 0; i < len; i++)
			*rg_host(g, RG_DATA + n * (cut + 1) + i) = rg_byte(at + i);
		rg_desc(g, n, RG_DATA + n * (cut + 1), len, at + len < size ? VIRTQ_DESC_NEXT : 0,
			n + 1);
	}
	rg_offer(g, 0);
}

static void many_pieces_are_put_together(void **state)
{
	static const uint32_t sizes[] = {128 + 330, 1518, 9018, 65535};
	struct ring_guest *g = rg_create(1024);
	uint8_t *out = malloc(VNBL_FRAME_MAX);

	rg_attach(g, VIRTQ_FROM_GUEST, VIRTQ_FEATURE_VERSION_1);
	for (unsigned s = 0; s < 4; s++) {
		offer_cut(g, sizes[s], sizes[s] < 10000 ? 10 : 100);
		vring_rx(&g->q, &g->burst, &g->st);
		assert_int_equal(g->burst.n, 1);
		vring_rx_done(&g->q); // the mbuf outlives the burst
		memset(g->data, 0, RG_REGION);
		assert_true(g->burst.frames[0].flags & VNBL_DATA_SAFE);
		assert_int_equal(g->burst.frames[0].frame_size, sizes[s]);
		vnbl_copy_out(&g->burst.frames[0], 0, out, sizes[s]);
		for (uint32_t i = 0; i < sizes[s]; i++)
			assert_int_equal(out[i], rg_byte(i));
		vnbl_release(&g->burst.frames[0]);
	}
	assert_int_equal(g->used->idx, 4);
	assert_int_equal(rte_mempool_in_use_count(vnbl_pool()), 0);
	free(out);
	rg_destroy(g);
}

static void an_empty_pool_drops_the_frame(void **state)
{
	struct ring_guest *g = rg_create(1024);
	struct rte_mbuf *all[POOL];
	unsigned n = 0;

	rg_attach(g, VIRTQ_FROM_GUEST, VIRTQ_FEATURE_VERSION_1);
	while (n < POOL && rte_mempool_get(vnbl_pool(), (void **)&all[n]) == 0)
		n++;
	offer_cut(g, 1518, 10);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 0);
	assert_int_equal(g->st.drops[DROP_IN][DROP_Resources], 1);
	assert_int_equal(g->used->idx, 1);
	rte_mempool_put_bulk(vnbl_pool(), (void **)all, n);
	offer_cut(g, 1518, 10);
	vring_rx(&g->q, &g->burst, &g->st);
	assert_int_equal(g->burst.n, 1);
	vnbl_release(&g->burst.frames[0]);
	rg_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_pieces_are_put_together),
		cmocka_unit_test(an_empty_pool_drops_the_frame),
	};

	if (eal_start() < 0 || vnbl_init(POOL) < 0)
		return 1;
	copy_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

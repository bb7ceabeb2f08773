#include "ports/vnbl.h"

#include <errno.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "ports/nethdr.h"
#include "ports/vnbl_mbuf.h"

enum {
	POOL_DATA = 3584,    // bytes of a frame in one mbuf: with what DPDK adds, it fills a page
	POOL_CACHE = 256,    // mbufs that a proc may keep to itself, if the pool is large
	ADDRESSES_SIZE = 12, // both MAC addresses
	TPID_8021Q = 0x8100,
	TPID_8021AD = 0x88a8
};

// What a frame keeps beside its data while it waits as an mbuf.
struct vnbl_meta {
	struct rte_mbuf *link;
	struct vnbl_offload offload;
	uint16_t vlan_tci;
	uint16_t vlan_tpid;
	uint16_t src_port_id;
	uint8_t src_nic_index;
	uint8_t flags;
};

static struct rte_mempool *pool;

static void take_mbuf(struct vnbl *v, struct rte_mbuf *m);
static int copy_data(const struct vnbl *v, struct rte_mbuf *head);

int vnbl_init(unsigned n_mbufs)
{
	static_assert(VNBL_HEADROOM <= RTE_PKTMBUF_HEADROOM, "an mbuf has a VNBL's headroom");
	static_assert(POOL_DATA + RTE_PKTMBUF_HEADROOM + sizeof(struct rte_mbuf) +
				      sizeof(struct vnbl_meta) + 2 * RTE_CACHE_LINE_SIZE <=
			      VNBL_MBUF_BYTES,
		      "without hugepages an mbuf must not cross a page");
	static_assert(VNBL_FRAME_MAX <= POOL_DATA * (VNBL_PIECES_MAX + 1), "a chain fits a VNBL");

	// DPDK's default pool is a ring in which a proc waits for another that was put off its core
	// half-way; the lock-free stack lets nobody wait.
	pool = rte_pktmbuf_pool_create_by_ops(
		"vnbl", n_mbufs, n_mbufs / 4 < POOL_CACHE ? 0 : POOL_CACHE,
		RTE_ALIGN_CEIL(sizeof(struct vnbl_meta), RTE_MBUF_PRIV_ALIGN),
		POOL_DATA + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY, "lf_stack");
	return pool == NULL ? -ENOMEM : 0;
}

void vnbl_fini(void)
{
	rte_mempool_free(pool);
	pool = NULL;
}

struct rte_mempool *vnbl_pool(void)
{
	return pool;
}

void vnbl_thread_end(void)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());

	if (cache != NULL)
		rte_mempool_cache_flush(cache, pool);
}

int vnbl_make_safe(struct vnbl *v)
{
	struct rte_mbuf *m;

	if (v->mbuf != NULL)
		return 0;
	m = vnbl_copy_to_mbuf(v);
	if (m == NULL)
		return -ENOMEM;
	take_mbuf(v, m);
	return 0;
}

struct rte_mbuf *vnbl_copy_to_mbuf(const struct vnbl *v)
{
	struct rte_mbuf *head;
	struct vnbl_meta *meta;

	if (pool == NULL)
		return NULL;
	head = rte_pktmbuf_alloc(pool);
	if (head == NULL)
		return NULL;
	if (copy_data(v, head) < 0) {
		rte_pktmbuf_free(head);
		return NULL;
	}
	meta = rte_mbuf_to_priv(head);
	*meta = (struct vnbl_meta){
		.offload = v->offload,
		.vlan_tci = v->vlan_tci,
		.vlan_tpid = v->vlan_tpid,
		.src_port_id = v->src_port_id,
		.src_nic_index = v->src_nic_index,
		.flags = v->flags,
	};
	return head;
}

void vnbl_from_mbuf(struct vnbl *v, struct rte_mbuf *m)
{
	const struct vnbl_meta *meta = rte_mbuf_to_priv(m);

	vnbl_reset(v);
	v->offload = meta->offload;
	v->vlan_tci = meta->vlan_tci;
	v->vlan_tpid = meta->vlan_tpid;
	v->src_port_id = meta->src_port_id;
	v->src_nic_index = meta->src_nic_index;
	v->flags = meta->flags;
	take_mbuf(v, m);
}

struct rte_mbuf **vnbl_mbuf_link(struct rte_mbuf *m)
{
	struct vnbl_meta *meta = rte_mbuf_to_priv(m);

	return &meta->link;
}

unsigned vnbl_extend(struct vnbl *v, unsigned size)
{
	unsigned want, have = v->safe_size;

	if (size > VNBL_SAFE_MAX)
		size = VNBL_SAFE_MAX;
	want = size < v->frame_size ? size : v->frame_size;
	// What lies in an mbuf or a NIC's buffer is safe in pieces, too, but not in one line.
	if (want <= have || v->hdr < v->safe || v->hdr + want > v->safe + VNBL_SAFE_MAX)
		return have;
	vnbl_copy_out(v, have, v->hdr + have, want - have);
	v->safe_size = (uint16_t)want;
	// The pieces now begin later; drop what was read from them.
	for (unsigned left = want - have; left > 0;) {
		struct vnbl_piece *first = &v->pieces[0];

		if (first->len > left) {
			first->addr += left;
			first->len -= left;
			break;
		}
		left -= first->len;
		v->n_pieces--;
		memmove(&v->pieces[0], &v->pieces[1], v->n_pieces * sizeof(v->pieces[0]));
	}
	return want;
}

void vnbl_release(struct vnbl *v)
{
	if (v->mbuf == NULL)
		return;
	rte_pktmbuf_free(v->mbuf);
	v->mbuf = NULL;
}

bool vnbl_vlan_strip(struct vnbl *v)
{
	uint16_t tpid;

	if (v->flags & VNBL_HAS_TAG || v->safe_size < ADDRESSES_SIZE + 2)
		return true;
	tpid = (uint16_t)(v->hdr[ADDRESSES_SIZE] << 8 | v->hdr[ADDRESSES_SIZE + 1]);
	if (tpid != TPID_8021Q && tpid != TPID_8021AD)
		return true;
	if (v->safe_size < ADDRESSES_SIZE + VNBL_TAG_SIZE + 2)
		return false;
	v->vlan_tpid = tpid;
	v->vlan_tci = (uint16_t)(v->hdr[ADDRESSES_SIZE + 2] << 8 | v->hdr[ADDRESSES_SIZE + 3]);
	v->flags |= VNBL_HAS_TAG;
	memmove(v->hdr + VNBL_TAG_SIZE, v->hdr, ADDRESSES_SIZE);
	v->hdr += VNBL_TAG_SIZE;
	v->safe_size -= VNBL_TAG_SIZE;
	v->frame_size -= VNBL_TAG_SIZE;
	nethdr_shift(&v->offload, -VNBL_TAG_SIZE);
	return true;
}

void vnbl_vlan_insert(struct vnbl *v)
{
	if (!(v->flags & VNBL_HAS_TAG))
		return;
	v->hdr -= VNBL_TAG_SIZE;
	v->safe_size += VNBL_TAG_SIZE;
	v->frame_size += VNBL_TAG_SIZE;
	memmove(v->hdr, v->hdr + VNBL_TAG_SIZE, ADDRESSES_SIZE);
	v->hdr[ADDRESSES_SIZE] = (uint8_t)(v->vlan_tpid >> 8);
	v->hdr[ADDRESSES_SIZE + 1] = (uint8_t)v->vlan_tpid;
	v->hdr[ADDRESSES_SIZE + 2] = (uint8_t)(v->vlan_tci >> 8);
	v->hdr[ADDRESSES_SIZE + 3] = (uint8_t)v->vlan_tci;
	v->flags &= (uint8_t)~VNBL_HAS_TAG;
	nethdr_shift(&v->offload, VNBL_TAG_SIZE);
}

void vnbl_copy_out(const struct vnbl *v, uint32_t offset, void *to, uint32_t size)
{
	uint8_t *out = to;
	uint32_t at = v->safe_size;

	if (offset < v->safe_size) {
		uint32_t n = v->safe_size - offset < size ? v->safe_size - offset : size;

		memcpy(out, v->hdr + offset, n);
		out += n;
		offset += n;
		size -= n;
	}
	for (unsigned i = 0; i < v->n_pieces && size > 0; i++) {
		const struct vnbl_piece *piece = &v->pieces[i];

		if (offset < at + piece->len) {
			uint32_t skip = offset - at;
			uint32_t n = piece->len - skip < size ? piece->len - skip : size;

			memcpy(out, piece->addr + skip, n);
			out += n;
			offset += n;
			size -= n;
		}
		at += piece->len;
	}
}

// Makes 'm' the frame's data: the first segment its safe bytes, the others its pieces.
static void take_mbuf(struct vnbl *v, struct rte_mbuf *m)
{
	v->mbuf = m;
	v->hdr = rte_pktmbuf_mtod(m, uint8_t *);
	v->safe_size = m->data_len;
	v->frame_size = m->pkt_len;
	v->n_pieces = 0;
	v->flags |= VNBL_DATA_SAFE;
	for (m = m->next; m != NULL; m = m->next) {
		v->pieces[v->n_pieces++] = (struct vnbl_piece){
			.addr = rte_pktmbuf_mtod(m, uint8_t *),
			.len = m->data_len,
		};
	}
}

static int copy_data(const struct vnbl *v, struct rte_mbuf *head)
{
	struct rte_mbuf *m = head;
	uint32_t at = 0;

	head->pkt_len = v->frame_size;
	for (;;) {
		uint32_t left = v->frame_size - at;
		uint32_t n = left < POOL_DATA ? left : POOL_DATA;

		vnbl_copy_out(v, at, rte_pktmbuf_mtod(m, void *), n);
		m->data_len = (uint16_t)n;
		at += n;
		if (at == v->frame_size)
			return 0;
		m->next = rte_pktmbuf_alloc(pool);
		if (m->next == NULL)
			return -ENOMEM;
		m = m->next;
		head->nb_segs++;
	}
}

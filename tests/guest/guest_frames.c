/*
 * Sending and receiving frames as a guest's network driver does.
 */
#include <errno.h>
#include <string.h>

#include "tests/guest/guest.h"

static unsigned cut(const struct guest *g, uint64_t gpa, uint32_t length, unsigned pieces,
		    bool writable, struct gring_buf bufs[]);
static int post(struct guest *g, struct guest_queue *q, uint32_t slot);
static int post_all(struct guest *g);
static int take_buffer(struct guest *g, struct guest_queue *q, struct virtio_net_hdr_mrg_rxbuf *hdr,
		       bool first, char *frame, uint32_t capacity);

int guest_reset(struct guest *g)
{
	for (unsigned i = 0; i < g->n_queues; i++) {
		struct guest_queue *q = &g->queues[i];
		gring_reset(&q->ring);
		q->n_free_slots = q->ring.size;
		for (unsigned s = 0; s < q->ring.size; s++)
			q->free_slots[s] = (uint16_t)s;
	}
	g->posted = true;
	return post_all(g);
}

int guest_send(struct guest *g, unsigned pair, const struct virtio_net_hdr_mrg_rxbuf *header,
	       const void *frame, uint32_t length)
{
	struct guest_queue *q = &g->queues[2 * pair + 1];
	struct gring_buf bufs[GRING_MAX_CHAIN];
	uint32_t total = g->header_size + length;

	if (total > q->slot_size)
		return -EMSGSIZE;
	if (q->n_free_slots == 0)
		guest_reap(g, pair);
	if (q->n_free_slots == 0) {
		guest_flush(g, pair);
		return -EAGAIN;
	}
	uint16_t slot = q->free_slots[q->n_free_slots - 1];
	struct guest_slot *s = &q->slots[slot];
	char *at = guest_ptr(g, s->gpa);
	if (header)
		memcpy(at, header, g->header_size);
	else
		memset(at, 0, g->header_size);
	memcpy(at + g->header_size, frame, length);
	unsigned n = cut(g, s->gpa, total, g->conf.tx_chain, false, bufs);
	bool indirect = s->table && (g->features & GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC));
	if (gring_add(&q->ring, bufs, n, indirect ? s->table : NULL, s->table_gpa, slot) < 0) {
		guest_reap(g, pair);
		guest_flush(g, pair);
		return -EAGAIN;
	}
	q->n_free_slots--;
	return 0;
}

void guest_flush(struct guest *g, unsigned pair)
{
	gring_publish(&g->queues[2 * pair + 1].ring);
}

unsigned guest_reap(struct guest *g, unsigned pair)
{
	struct guest_queue *q = &g->queues[2 * pair + 1];
	uint32_t slot, length;

	while (gring_used_pending(&q->ring)) {
		if (gring_pop(&q->ring, &slot, &length) < 0)
			continue;
		q->free_slots[q->n_free_slots++] = (uint16_t)slot;
	}
	return q->ring.size - q->n_free_slots;
}

int guest_recv(struct guest *g, unsigned pair, struct virtio_net_hdr_mrg_rxbuf *header_ret,
	       void *frame, uint32_t capacity)
{
	struct guest_queue *q = &g->queues[2 * pair];
	struct virtio_net_hdr_mrg_rxbuf hdr = {0};
	unsigned buffers = 1;
	uint32_t length = 0;

	if (!gring_used_pending(&q->ring))
		return -EAGAIN;
	for (unsigned i = 0; i < buffers; i++) {
		int got =
			take_buffer(g, q, &hdr, i == 0, (char *)frame + length, capacity - length);
		if (got < 0) {
			g->violations++;
			gring_publish(&q->ring);
			return got == -EAGAIN ? -EBADMSG : got;
		}
		length += (uint32_t)got;
		if (i == 0 && (g->features & GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF)))
			buffers = hdr.num_buffers;
		if (buffers == 0 || buffers > q->ring.size) {
			g->violations++;
			buffers = 1;
		}
	}
	gring_publish(&q->ring);
	if (header_ret)
		*header_ret = hdr;
	return (int)length;
}

// Takes one buffer of a frame and posts it anew; returns the frame bytes that were in it.
static int take_buffer(struct guest *g, struct guest_queue *q, struct virtio_net_hdr_mrg_rxbuf *hdr,
		       bool first, char *frame, uint32_t capacity)
{
	uint32_t slot, length;
	uint32_t skip = first ? g->header_size : 0;
	int ret = gring_pop(&q->ring, &slot, &length);

	if (ret < 0)
		return ret;
	const char *at = guest_ptr(g, q->slots[slot].gpa);
	if (length < skip || length > q->slot_size || length - skip > capacity) {
		post(g, q, slot);
		return -EBADMSG;
	}
	if (first)
		memcpy(hdr, at, skip);
	memcpy(frame, at + skip, length - skip);
	ret = post(g, q, slot);
	return ret < 0 ? ret : (int)(length - skip);
}

static int post_all(struct guest *g)
{
	for (unsigned i = 0; i < g->n_queues; i += 2) {
		struct guest_queue *q = &g->queues[i];
		for (unsigned s = 0; s < q->ring.size; s++)
			if (post(g, q, s) < 0)
				break; // chains: fewer buffers than descriptors
		__atomic_store_n(&q->ring.avail->idx, q->ring.avail_idx, __ATOMIC_RELEASE);
		q->ring.kick_idx = q->ring.avail_idx;
	}
	return 0;
}

static int post(struct guest *g, struct guest_queue *q, uint32_t slot)
{
	struct guest_slot *s = &q->slots[slot];
	struct gring_buf bufs[GRING_MAX_CHAIN];
	unsigned n = cut(g, s->gpa, q->slot_size, g->conf.rx_chain, true, bufs);
	bool indirect = s->table && (g->features & GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC));

	return gring_add(&q->ring, bufs, n, indirect ? s->table : NULL, s->table_gpa, slot);
}

// Cuts a buffer into 'pieces' descriptors, the header in one of its own when that is wanted.
static unsigned cut(const struct guest *g, uint64_t gpa, uint32_t length, unsigned pieces,
		    bool writable, struct gring_buf bufs[])
{
	unsigned n = 0;

	if (g->conf.split_header) {
		bufs[n++] = (struct gring_buf){gpa, g->header_size, writable};
		gpa += g->header_size;
		length -= g->header_size;
		pieces = pieces > 1 ? pieces - 1 : 1;
	}
	uint32_t each = (length + pieces - 1) / pieces;
	while (length > 0) {
		uint32_t now = length < each ? length : each;
		bufs[n++] = (struct gring_buf){gpa, now, writable};
		gpa += now;
		length -= now;
	}
	return n;
}

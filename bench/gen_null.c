/*
 * A switch that does nothing: it completes each transmit descriptor and, for each, one receive
 * descriptor of the peer. What the generator reaches against it is the generator's own ceiling.
 */
#include <errno.h>
#include <stdatomic.h>

#include "bench/gen.h"

#define NULL_BURST 32u

// Copies, so that this thread touches no line but the rings' own.
struct lane {
	struct vring_avail *tx_avail;
	struct vring_used *tx_used;
	struct vring_avail *rx_avail;
	struct vring_used *rx_used;
};

static void *null_main(void *arg);
static void move(const struct lane *l);
static void fill_used(struct gen_side *s);

int gen_null_start(struct gen *gen, int core)
{
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		fill_used(&gen->sides[i]);
	gen->null_core = core;
	gen->null_stop = false;
	if (pthread_create(&gen->null_thread, NULL, null_main, gen) != 0)
		return -EAGAIN;
	gen->null_running = true;
	return 0;
}

void gen_null_stop(struct gen *gen)
{
	if (!gen->null_running)
		return;
	gen->null_stop = true;
	pthread_join(gen->null_thread, NULL);
	gen->null_running = false;
}

static void *null_main(void *arg)
{
	struct gen *gen = arg;
	struct lane lanes[GEN_MAX_GUESTS];
	unsigned n = gen->conf.n_guests;

	gen_pin(gen->null_core);
	for (unsigned i = 0; i < n; i++) {
		const struct gen_side *s = &gen->sides[i];
		lanes[i] = (struct lane){.tx_avail = s->tx->avail,
					 .tx_used = s->tx->used,
					 .rx_avail = s->peer->rx->avail,
					 .rx_used = s->peer->rx->used};
	}
	while (!atomic_load_explicit(&gen->null_stop, memory_order_relaxed))
		for (unsigned i = 0; i < n; i++)
			move(&lanes[i]);
	return NULL;
}

// The used indices are this thread's own while it runs.
static void move(const struct lane *l)
{
	uint16_t sent = __atomic_load_n(&l->tx_avail->idx, __ATOMIC_ACQUIRE);
	uint16_t posted = __atomic_load_n(&l->rx_avail->idx, __ATOMIC_ACQUIRE);
	uint16_t n = (uint16_t)(sent - l->tx_used->idx);
	uint16_t room = (uint16_t)(posted - l->rx_used->idx);

	n = n < room ? n : room;
	n = n < NULL_BURST ? n : NULL_BURST;
	if (n == 0)
		return;
	__atomic_store_n(&l->rx_used->idx, (uint16_t)(l->rx_used->idx + n), __ATOMIC_RELEASE);
	__atomic_store_n(&l->tx_used->idx, (uint16_t)(l->tx_used->idx + n), __ATOMIC_RELEASE);
}

// Used entries and receive buffers as a switch would leave them, for ever.
static void fill_used(struct gen_side *s)
{
	const unsigned head = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	struct gring *tx = s->tx;
	struct gring *rx = s->peer->rx;

	tx->used->flags = VRING_USED_F_NO_NOTIFY;
	rx->used->flags = VRING_USED_F_NO_NOTIFY;
	for (unsigned p = 0; p < tx->size; p++) {
		unsigned slot = p & (s->slots - 1);
		struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)s->peer->buffers[p];
		tx->used->ring[p].id = tx->avail->ring[p];
		rx->used->ring[p].id = p;
		rx->used->ring[p].len = head + s->lengths[slot];
		hdr->num_buffers = 1;
		// The samples want to see the frame that the position stands for.
		__builtin_memcpy(s->peer->buffers[p] + head, s->frames[slot], s->lengths[slot]);
	}
}

#include "tests/fake_nic.h"

#include <stdalign.h>
#include <stdlib.h>

#include "ports/hostio.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"

static void fake_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);
static void fake_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void fake_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st);

static const struct vnic_ops fake_ops = {.rx = fake_rx, .rx_done = fake_rx_done, .tx = fake_tx};

struct fake_nic *fake_nic_create(void)
{
	struct fake_nic *fake = aligned_alloc(alignof(struct fake_nic), sizeof(*fake));

	if (fake == NULL)
		return NULL;
	memset(fake, 0, sizeof(*fake));
	fake->nic.ops = &fake_ops;
	fake->nic.kind = VNIC_TAP;
	fake->nic.state = VNIC_STATE_CONNECTED;
	fake->nic.n_queues = 1;
	vnic_queues_init(&fake->nic);
	return fake;
}

void fake_nic_destroy(struct fake_nic *fake)
{
	if (fake == NULL)
		return;
	vnic_queues_fini(&fake->nic);
	free(fake);
}

static void fake_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct fake_nic *fake = (struct fake_nic *)nic;

	burst->n = 0;
	burst->bytes = 0;
	while (fake->received < fake->offered && burst->n < VNBL_BURST_MAX) {
		struct vnbl *v = &burst->frames[burst->n++];
		uint8_t *at = fake->memory + fake->received++ % fake->n_frames * fake->stride;

		vnbl_reset(v);
		hostio_set_frame(v, at + VNBL_HEADROOM, fake->size);
		burst->bytes += fake->size;
	}
}

static void fake_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
}

static void fake_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st)
{
	struct fake_nic *fake = (struct fake_nic *)nic;

	for (unsigned i = 0; i < n; i++)
		st->tx_bytes += frames[i]->frame_size;
	st->tx_frames += n;
	if (fake->sent != NULL)
		fake->sent(fake, frames, n);
}

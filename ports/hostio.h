/*
 * What TAPs, packet sockets and replays have in common: a frame that lies in host memory, a
 * frame as an iovec, and what the kernel's refusal of a frame means.
 *
 * Threads: hostio_set_frame(): the proc of the rx queue. The rest: the proc that holds the tx
 * queue's lock.
 */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "ports/drops.h"
#include "ports/vnbl_types.h"

enum {
	HOSTIO_IOV_MAX = VNBL_PIECES_MAX + 2, // header, safe bytes, pieces
	HOSTIO_SAFE_MAX = 32 << 10            // bytes; a tag that is put back must still fit
};
static_assert(HOSTIO_SAFE_MAX + VNBL_HEADROOM <= UINT16_MAX, "vnbl.safe_size has 16 bits");

/**
 * Makes the 'size' bytes at 'data', which lie in one piece of host memory with VNBL_HEADROOM
 * bytes before them, the data of 'v', which vnbl_reset() has prepared. All but a very long
 * frame is at hdr, the rest of that is a piece.
 */
static inline void hostio_set_frame(struct vnbl *v, uint8_t *data, uint32_t size)
{
	v->flags |= VNBL_DATA_SAFE;
	v->hdr = data;
	v->frame_size = size;
	if (size <= HOSTIO_SAFE_MAX) {
		v->safe_size = (uint16_t)size;
		return;
	}
	v->safe_size = HOSTIO_SAFE_MAX;
	v->pieces[v->n_pieces++] =
		(struct vnbl_piece){.addr = data + HOSTIO_SAFE_MAX, .len = size - HOSTIO_SAFE_MAX};
}

/**
 * Describes header '*h' and the frame behind it, where they lie. Returns how many entries of
 * 'iov' were filled.
 */
static inline unsigned hostio_iov(const struct vnbl *v, struct virtio_net_hdr *h,
				  struct iovec iov[HOSTIO_IOV_MAX])
{
	unsigned n = 0;

	iov[n++] = (struct iovec){.iov_base = h, .iov_len = sizeof(*h)};
	iov[n++] = (struct iovec){.iov_base = v->hdr, .iov_len = v->safe_size};
	for (unsigned i = 0; i < v->n_pieces; i++)
		iov[n++] =
			(struct iovec){.iov_base = v->pieces[i].addr, .iov_len = v->pieces[i].len};
	return n;
}

// The reason under which a frame is counted that the kernel refused with errno 'err' (> 0).
enum drop_reason hostio_drop_reason(int err);

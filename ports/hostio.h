/*
 * What TAPs and packet sockets have in common: a frame as an iovec, and what the kernel's
 * refusal of a frame means.
 *
 * Threads: the proc that holds the tx queue's lock.
 */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "ports/drops.h"
#include "ports/vnbl_types.h"

enum { HOSTIO_IOV_MAX = VNBL_PIECES_MAX + 2 }; // header, safe bytes, pieces

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

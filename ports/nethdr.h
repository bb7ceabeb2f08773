/*
 * The virtio-net header: what a frame's sender left undone, and doing it in software.
 *
 * A guest, a TAP and a packet socket all hand over frames whose checksum is only half
 * computed, or that are up to 64 KB long and wait to be cut into segments; a header before
 * the frame says so. Such a frame may travel through the switch as it is. It must not leave
 * by a port that did not ask for it: there, these functions finish the work. "Ping works, TCP
 * stalls" is what happens when a switch forgets one of the ways out.
 *
 *      rx: nethdr_read()              tx: nethdr_work(v, what the peer takes)
 *            |                              |
 *      checks every number              AS_IS    -> nethdr_write() where the peer has a header
 *      against the frame,               CSUM     -> nethdr_complete_csum(), send
 *      fills in v->offload              SEGMENT  -> nethdr_gso_begin(), _next() until it ends
 *
 * One frame may go to many ports of which some take the request and some do not. Completing
 * the checksum changes the frame for all of them, to one that is right for all of them.
 * Segmenting does not change the frame.
 *
 * After nethdr_read() these hold for v->offload, and everybody may rely on them:
 * with NEEDS_CSUM the two bytes at csum_start + csum_offset lie in the frame and are the
 * checksum of its own transport header, which no policy looks at; with a gso_type, NEEDS_CSUM is
 * set, the frame is TCP or UDP of the matching IP version and no fragment, hdr_len is the exact
 * size of all headers, they all lie in the frame's first VNBL_SAFE_MAX bytes, gso_size is over 0
 * and there are at most NETHDR_SEGMENTS_MAX segments. Without, gso_size and hdr_len are 0. Who
 * takes a tag out of the data or puts one in calls nethdr_shift().
 *
 * Threads: the proc that holds the frame. Nothing here blocks; only nethdr_complete_csum()
 * and nethdr_read() may take an mbuf, and only for frames whose checksum lies beyond the safe
 * bytes.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/vnbl_types.h"

// Newer than Debian 12's headers.
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
	// More segments of one frame than this are an attack on our time: a frame of 64 KB may be
	// cut into pieces of 64 bytes, not of one.
	NETHDR_SEGMENTS_MAX = 1024
};

// What a peer can be given unfinished.
enum nethdr_takes {
	NETHDR_TAKES_CSUM = 1 << 0, // GUEST_CSUM: partial checksums
	NETHDR_TAKES_TSO4 = 1 << 1, // GUEST_TSO4
	NETHDR_TAKES_TSO6 = 1 << 2, // GUEST_TSO6
	NETHDR_TAKES_ECN = 1 << 3,  // GUEST_ECN: TSO with the CWR bit
	NETHDR_TAKES_USO = 1 << 4,  // GUEST_USO4 and GUEST_USO6: UDP segmentation
	NETHDR_TAKES_ALL = (1 << 5) - 1
};

enum nethdr_work {
	NETHDR_AS_IS,  // send it as it is
	NETHDR_CSUM,   // call nethdr_complete_csum() first
	NETHDR_SEGMENT // send what nethdr_gso_next() yields instead
};

/**
 * Checks header '*h' (host byte order, the caller's own copy) against the frame in 'v', whose
 * hdr, frame_size, safe_size and pieces are filled in, and sets v->offload. May read more of
 * the frame into the safe bytes (vnbl_extend).
 *
 * 'trusted': the kernel wrote it, so DATA_VALID may be believed; a guest's is ignored.
 * Headers that were legal to send but that virtio has no word for are repaired on the way: a
 * GSO frame with a full checksum gets a partial one, SCTP's CRC is computed. So is a checksum that
 * is not the transport header's own: of a frame in a tunnel, or behind headers that we do not
 * know.
 *
 * -EINVAL: the header contradicts the frame (DROP_InvalidPacket). -ENOMEM: DROP_Resources.
 */
int nethdr_read(struct vnbl *v, const struct virtio_net_hdr *h, bool trusted);

/**
 * The header to put before the frame for a peer that takes it as it is. With
 * 'takes_csum' false, flags are 0 (DATA_VALID is for those who asked for checksums only).
 */
void nethdr_write(const struct vnbl *v, bool takes_csum, struct virtio_net_hdr *h);

/**
 * Computes the checksum that v->offload asks for and clears the request. The frame is then
 * complete for each of its receivers. Only for frames without gso_type.
 * -ENOMEM: no mbuf; the frame is as it was (DROP_Resources).
 */
int nethdr_complete_csum(struct vnbl *v);

/**
 * The checksum that completes a frame with NEEDS_CSUM, in memory order, without changing the
 * frame; also of one with gso_type, as if it were sent whole.
 */
uint16_t nethdr_checksum(const struct vnbl *v);

// A segmentation in progress: an iterator over the complete frames that 'in' stands for.
struct nethdr_gso {
	struct vnbl *in;
	uint32_t offset;   // bytes of 'in': where the next segment's payload begins
	uint32_t sequence; // TCP sequence number of the next segment, host order
	uint32_t index;    // number of the next segment
	uint32_t n;        // segments in all, at least 1
	uint16_t l3;       // bytes: where the IP header begins
	uint16_t l4;       // bytes: where the TCP or UDP header begins
	uint16_t hdr_len;  // bytes of all headers
	uint16_t size;     // bytes of payload per segment
	uint16_t ip_id;    // IPv4 identification of the first segment, host order
	uint8_t is_ipv6;
	uint8_t is_udp;
	uint64_t pseudo; // sum over the addresses and the protocol
};

/**
 * Prepares to cut 'in'. Borrows it until the last segment has been used.
 * -EINVAL: it cannot be cut (DROP_InvalidPacket); does not happen after nethdr_read().
 */
int nethdr_gso_begin(struct nethdr_gso *g, struct vnbl *in);

/**
 * Makes '*out' the next segment: a complete frame without offload request, with headers of
 * its own in out->safe and payload that lies where that of 'in' lies; it is valid until the next
 * call and as long as 'in' is. Takes no memory: no need to release it unless the caller
 * made it safe. False: that was all.
 */
bool nethdr_gso_next(struct nethdr_gso *g, struct vnbl *out);

/**
 * Adds 'size' bytes at 'data' to an Internet checksum, as if they stood at an even offset.
 * nethdr_fold() makes 16 bits of it, in memory order, not complemented.
 */
uint64_t nethdr_sum(uint64_t sum, const void *data, uint32_t size);
uint16_t nethdr_fold(uint64_t sum);

// What must be done to 'v' before a peer can be given it.
static inline enum nethdr_work nethdr_work(const struct vnbl *v, unsigned takes)
{
	const struct vnbl_offload *o = &v->offload;

	if (o->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		unsigned type = o->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
		unsigned need = NETHDR_TAKES_CSUM;

		need |= type == VIRTIO_NET_HDR_GSO_TCPV4   ? NETHDR_TAKES_TSO4
			: type == VIRTIO_NET_HDR_GSO_TCPV6 ? NETHDR_TAKES_TSO6
							   : NETHDR_TAKES_USO;
		if (o->gso_type & VIRTIO_NET_HDR_GSO_ECN)
			need |= NETHDR_TAKES_ECN;
		return (takes & need) == need ? NETHDR_AS_IS : NETHDR_SEGMENT;
	}
	if ((o->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !(takes & NETHDR_TAKES_CSUM))
		return NETHDR_CSUM;
	return NETHDR_AS_IS;
}

// Bytes of the longest frame that 'v' is on a wire: itself, or its longest segment.
static inline uint32_t nethdr_wire_size(const struct vnbl *v)
{
	uint32_t segment = (uint32_t)v->offload.hdr_len + v->offload.gso_size;

	return v->offload.gso_type != 0 && segment < v->frame_size ? segment : v->frame_size;
}

// Moves the offsets when 'bytes' (-4 or 4) were taken out of or put into the frame's front.
static inline void nethdr_shift(struct vnbl_offload *o, int bytes)
{
	if (o->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		o->csum_start = (uint16_t)(o->csum_start + bytes);
	if (o->gso_type != 0)
		o->hdr_len = (uint16_t)(o->hdr_len + bytes);
}

#include "ports/nethdr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ports/headers.h"
#include "ports/vnbl.h"

enum { ENCAPSULATION_MIN = 8 }; // bytes between a header and one that it carries

static int read_checksum(struct vnbl *v, const struct virtio_net_hdr *h);
static int check_field(const struct virtio_net_hdr *h, const struct headers *hd);
static int field_offset(uint8_t protocol);
static int read_gso(struct vnbl *v, const struct virtio_net_hdr *h);
static int complete_sctp(struct vnbl *v);
static uint32_t crc32c(uint32_t crc, const uint8_t *data, uint32_t size);
static int write_frame(struct vnbl *v, uint32_t offset, const void *data, uint32_t size);

int nethdr_read(struct vnbl *v, const struct virtio_net_hdr *h, bool trusted)
{
	int rc = 0;

	v->offload = (struct vnbl_offload){0};
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		rc = read_gso(v, h);
	else if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		rc = read_checksum(v, h);
	else if (trusted)
		v->offload.flags = h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	if (rc < 0)
		v->offload = (struct vnbl_offload){0};
	return rc;
}

void nethdr_write(const struct vnbl *v, bool takes_csum, struct virtio_net_hdr *h)
{
	const struct vnbl_offload *o = &v->offload;

	*h = (struct virtio_net_hdr){.flags = takes_csum ? o->flags : 0};
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		h->csum_start = o->csum_start;
		h->csum_offset = o->csum_offset;
	}
	if (o->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		h->gso_type = o->gso_type;
		h->gso_size = o->gso_size;
		h->hdr_len = o->hdr_len;
	}
}

int nethdr_complete_csum(struct vnbl *v)
{
	const struct vnbl_offload *o = &v->offload;
	uint16_t sum = nethdr_checksum(v);
	int rc = write_frame(v, (uint32_t)o->csum_start + o->csum_offset, &sum, sizeof(sum));

	if (rc < 0)
		return rc;
	v->offload = (struct vnbl_offload){0};
	return 0;
}

uint16_t nethdr_checksum(const struct vnbl *v)
{
	uint32_t start = v->offload.csum_start;
	// The field holds the sum over the pseudo header; it is part of what is summed.
	uint16_t sum = (uint16_t)~nethdr_fold(headers_sum_frame(v, start, v->frame_size - start));

	// To UDP a zero means "no checksum". To the others both zeros are the same.
	return sum == 0 ? 0xffff : sum;
}

uint64_t nethdr_sum(uint64_t sum, const void *data, uint32_t size)
{
	const uint8_t *p = data;
	uint64_t a = 0, b = 0;

	// Sums of 32-bit words in 64 bits cannot overflow for any 32-bit size.
	for (; size >= 16; size -= 16, p += 16) {
		uint32_t w[4];

		memcpy(w, p, 16);
		a += (uint64_t)w[0] + w[1];
		b += (uint64_t)w[2] + w[3];
	}
	for (; size >= 2; size -= 2, p += 2) {
		uint16_t w;

		memcpy(&w, p, 2);
		a += w;
	}
	if (size > 0)
		b += *p; // low byte of a little-endian word whose other half is zero
	// Folded once, so that many sums may be added up.
	a += b;
	sum += (a & 0xffffffff) + (a >> 32);
	return sum;
}

uint16_t nethdr_fold(uint64_t sum)
{
	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "see nethdr_sum()");

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static int read_checksum(struct vnbl *v, const struct virtio_net_hdr *h)
{
	uint32_t field = (uint32_t)h->csum_start + h->csum_offset;
	struct headers hd;

	if (field + 2 > v->frame_size || headers_find(v, &hd) < 0 || check_field(h, &hd) < 0)
		return -EINVAL;
	v->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v->offload.csum_start = h->csum_start;
	v->offload.csum_offset = h->csum_offset;
	// The header has no word for SCTP's CRC, but Linux sends such frames over a veth.
	if (hd.protocol == PROTOCOL_SCTP && hd.l4 == h->csum_start)
		return complete_sctp(v);
	/*
	 * Policies decide on a frame before the checksum of its own transport header is written,
	 * for they never look at that. Any other place may be one that they look at: one frame
	 * would pass them and another one arrive. There it is written now, before they look.
	 */
	if (hd.l4 == 0 || hd.l4 != h->csum_start)
		return nethdr_complete_csum(v);
	return 0;
}

// The field must be a checksum: of the frame, or of one that it carries (VXLAN, GRE), which may be
// behind headers that we do not know.
static int check_field(const struct virtio_net_hdr *h, const struct headers *hd)
{
	if (hd->l4 == 0)
		return hd->type != TYPE_ARP && h->csum_start >= hd->l3 ? 0 : -EINVAL;
	if (h->csum_start == hd->l4)
		return h->csum_offset == field_offset(hd->protocol) ? 0 : -EINVAL;
	if (hd->protocol == PROTOCOL_TCP || hd->protocol == PROTOCOL_AH)
		return -EINVAL;
	return h->csum_start >= hd->l4 + ENCAPSULATION_MIN ? 0 : -EINVAL;
}

// Where the protocol's header has its checksum; -1: it has none.
static int field_offset(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return TCP_CHECKSUM;
	case PROTOCOL_UDP:
	case PROTOCOL_UDPLITE:
	case PROTOCOL_DCCP:
		return UDP_CHECKSUM;
	case PROTOCOL_SCTP:
		return SCTP_CHECKSUM;
	case PROTOCOL_GRE:
		return 4;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
	case PROTOCOL_IGMP:
		return 2;
	default:
		return -1;
	}
}

static int read_gso(struct vnbl *v, const struct virtio_net_hdr *h)
{
	uint32_t size, hdr_len, payload;
	struct headers hd;
	uint16_t sum;
	int rc;

	if (h->gso_size == 0 || (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
				 (uint32_t)h->csum_start + h->csum_offset + 2 > v->frame_size))
		return -EINVAL;
	rc = headers_find(v, &hd);
	if (rc == 0)
		rc = headers_l4_size(v, &hd, h->gso_type, &size);
	if (rc < 0)
		return rc;
	hdr_len = hd.l4 + size;
	payload = v->frame_size - hdr_len;
	if (payload > (uint32_t)h->gso_size * NETHDR_SEGMENTS_MAX)
		return -EINVAL;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    (h->csum_start != hd.l4 ||
	     h->csum_offset != (hd.protocol == PROTOCOL_UDP ? UDP_CHECKSUM : TCP_CHECKSUM)))
		return -EINVAL;
	v->offload = (struct vnbl_offload){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = h->gso_type,
		.hdr_len = (uint16_t)hdr_len,
		.gso_size = h->gso_size,
		.csum_start = hd.l4,
		.csum_offset = hd.protocol == PROTOCOL_UDP ? UDP_CHECKSUM : TCP_CHECKSUM,
	};
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return 0;
	// A NIC glued it together after it had checked all sums: make the full checksum a
	// partial one, as the receivers of GSO frames expect it.
	sum = nethdr_fold(headers_pseudo_sum(v, &hd) +
			  __builtin_bswap16((uint16_t)(payload + size)));
	memcpy(v->hdr + hd.l4 + v->offload.csum_offset, &sum, sizeof(sum));
	return 0;
}

static int complete_sctp(struct vnbl *v)
{
	static const uint8_t zero[4];
	uint32_t at = v->offload.csum_start, crc = ~0U;
	uint32_t begin = at;
	int rc;

	if (v->frame_size - at < SCTP_SIZE)
		return -EINVAL;
	rc = write_frame(v, at + SCTP_CHECKSUM, zero, sizeof(zero));
	if (rc < 0)
		return rc;
	if (begin < v->safe_size)
		crc = crc32c(crc, v->hdr + begin, v->safe_size - begin);
	begin = begin < v->safe_size ? 0 : begin - v->safe_size;
	for (unsigned i = 0; i < v->n_pieces; i++) {
		const struct vnbl_piece *piece = &v->pieces[i];

		if (begin < piece->len) {
			crc = crc32c(crc, piece->addr + begin, piece->len - begin);
			begin = 0;
		} else {
			begin -= piece->len;
		}
	}
	crc = ~crc;
	// The CRC stands in the packet with its low byte first.
	rc = write_frame(v, at + SCTP_CHECKSUM, &crc, sizeof(crc));
	v->offload = (struct vnbl_offload){0};
	return rc;
}

static uint32_t crc32c(uint32_t crc, const uint8_t *data, uint32_t size)
{
	uint64_t crc64 = crc;

	for (; size >= 8; size -= 8, data += 8) {
		uint64_t w;

		memcpy(&w, data, 8);
		crc64 = __builtin_ia32_crc32di(crc64, w);
	}
	crc = (uint32_t)crc64;
	for (; size > 0; size--, data++)
		crc = __builtin_ia32_crc32qi(crc, *data);
	return crc;
}

/*
 * Writes into the frame; the range must lie in it. What lies in a guest's memory is not ours
 * to write, so the frame is copied first.
 */
static int write_frame(struct vnbl *v, uint32_t offset, const void *data, uint32_t size)
{
	const uint8_t *from = data;
	uint32_t at = v->safe_size;

	if (offset + size > vnbl_extend(v, offset + size) && !(v->flags & VNBL_DATA_SAFE)) {
		int rc = vnbl_make_safe(v);

		if (rc < 0)
			return rc;
	}
	at = v->safe_size;
	for (; size > 0 && offset < at; size--)
		v->hdr[offset++] = *from++;
	for (unsigned i = 0; i < v->n_pieces && size > 0; i++) {
		const struct vnbl_piece *piece = &v->pieces[i];

		for (; size > 0 && offset < at + piece->len; size--)
			piece->addr[offset++ - at] = *from++;
		at += piece->len;
	}
	return 0;
}

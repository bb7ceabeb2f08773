#include "ports/headers.h"

#include <errno.h>

#include "ports/nethdr.h"
#include "ports/vnbl.h"

enum {
	TAGS_MAX = 2,                // in the data
	IPV4_FRAGMENT_BITS = 0x3fff, // more fragments, and the offset
	IPV6_EXTENSIONS_MAX = 8
};

static int find_ipv4_l4(struct vnbl *v, struct headers *hd);
static int find_ipv6_l4(struct vnbl *v, struct headers *hd);
static int match_gso(const struct headers *hd, uint8_t gso_type, bool *ret_is_tcp);

int headers_find(struct vnbl *v, struct headers *ret)
{
	struct headers hd = {.l3 = HEADERS_ETH_SIZE};
	unsigned have = v->safe_size;
	int rc = 0;

	if (have < HEADERS_ETH_SIZE)
		return -EINVAL;
	hd.type = get16(v->hdr + 12);
	for (unsigned tags = 0; hd.type == TYPE_8021Q || hd.type == TYPE_8021AD; tags++) {
		if (tags == TAGS_MAX || have < (unsigned)hd.l3 + HEADERS_TAG_SIZE)
			return -EINVAL;
		hd.type = get16(v->hdr + hd.l3 + 2);
		hd.l3 += HEADERS_TAG_SIZE;
	}
	if (hd.type == TYPE_IPV4)
		rc = find_ipv4_l4(v, &hd);
	else if (hd.type == TYPE_IPV6)
		rc = find_ipv6_l4(v, &hd);
	if (rc == 0)
		*ret = hd;
	return rc;
}

int headers_l4_size(struct vnbl *v, const struct headers *hd, uint8_t gso_type, uint32_t *ret)
{
	uint32_t size = UDP_SIZE, l4 = hd->l4;
	bool is_tcp;

	if (match_gso(hd, gso_type, &is_tcp) < 0)
		return -EINVAL;
	if (is_tcp) {
		if (vnbl_extend(v, l4 + TCP_SIZE) < l4 + TCP_SIZE)
			return -EINVAL;
		size = (uint32_t)(v->hdr[l4 + TCP_DATA_OFFSET] >> 4) * 4;
		if (size < TCP_SIZE)
			return -EINVAL;
	}
	// All headers go into the safe bytes of each segment.
	if (l4 + size > VNBL_SAFE_MAX || vnbl_extend(v, l4 + size) < l4 + size)
		return -EINVAL;
	// What an IP header can say is at most 65535.
	if (v->frame_size - hd->l3 - (hd->is_ipv6 ? IPV6_SIZE : 0) > UINT16_MAX)
		return -EINVAL;
	*ret = size;
	return 0;
}

uint64_t headers_pseudo_sum(const struct vnbl *v, const struct headers *hd)
{
	const uint8_t protocol[2] = {0, hd->protocol};
	uint64_t sum = nethdr_sum(0, protocol, 2);

	if (hd->is_ipv6)
		return nethdr_sum(sum, v->hdr + hd->l3 + IPV6_SOURCE, 32);
	return nethdr_sum(sum, v->hdr + hd->l3 + IPV4_SOURCE, 8);
}

uint64_t headers_sum_frame(const struct vnbl *v, uint32_t offset, uint32_t size)
{
	const uint8_t *addr = v->hdr;
	uint32_t len = v->safe_size;
	uint64_t sum = 0;
	bool is_odd = false;

	for (unsigned i = 0; size > 0; i++) {
		if (offset < len) {
			uint32_t n = len - offset < size ? len - offset : size;
			uint64_t part = nethdr_sum(0, addr + offset, n);

			// Bytes at odd places count in the other half of the words.
			sum += is_odd ? __builtin_bswap16(nethdr_fold(part)) : part;
			is_odd ^= n & 1;
			size -= n;
			offset = 0;
		} else {
			offset -= len;
		}
		if (i >= v->n_pieces)
			break;
		addr = v->pieces[i].addr;
		len = v->pieces[i].len;
	}
	return sum;
}

static int find_ipv4_l4(struct vnbl *v, struct headers *hd)
{
	unsigned l3 = hd->l3, need = l3 + IPV4_SIZE;

	if (vnbl_extend(v, need) < need || v->hdr[l3] >> 4 != 4)
		return -EINVAL;
	need = l3 + (v->hdr[l3] & 0xfU) * 4;
	if (need < l3 + IPV4_SIZE || get16(v->hdr + l3 + IPV4_FRAGMENT) & IPV4_FRAGMENT_BITS)
		return -EINVAL;
	if (vnbl_extend(v, need) < need)
		return -EINVAL;
	hd->l4 = (uint16_t)need;
	hd->protocol = v->hdr[l3 + IPV4_PROTOCOL];
	return 0;
}

static int find_ipv6_l4(struct vnbl *v, struct headers *hd)
{
	unsigned at = hd->l3 + IPV6_SIZE;
	uint8_t next;

	if (vnbl_extend(v, at) < at || v->hdr[hd->l3] >> 4 != 6)
		return -EINVAL;
	hd->is_ipv6 = true;
	next = v->hdr[hd->l3 + IPV6_NEXT];
	for (unsigned i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (next == PROTOCOL_FRAGMENT)
			return -EINVAL;
		if (next != PROTOCOL_HOP_BY_HOP && next != PROTOCOL_ROUTING &&
		    next != PROTOCOL_DESTINATION) {
			hd->l4 = (uint16_t)at;
			hd->protocol = next;
			return 0;
		}
		if (vnbl_extend(v, at + 8) < at + 8)
			return -EINVAL;
		if (next == PROTOCOL_ROUTING && v->hdr[at + 3] != 0)
			hd->is_routed = true;
		next = v->hdr[at];
		at += (v->hdr[at + 1] + 1U) * 8;
		if (at > VNBL_SAFE_MAX)
			return -EINVAL;
	}
	return -EINVAL;
}

static int match_gso(const struct headers *hd, uint8_t gso_type, bool *ret_is_tcp)
{
	// The sum of a routed frame is over an address that is not in the IPv6 header.
	if (hd->l4 == 0 || hd->is_routed)
		return -EINVAL;
	switch (gso_type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
		*ret_is_tcp = true;
		return hd->protocol == PROTOCOL_TCP && !hd->is_ipv6 ? 0 : -EINVAL;
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
		*ret_is_tcp = true;
		return hd->protocol == PROTOCOL_TCP && hd->is_ipv6 ? 0 : -EINVAL;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		*ret_is_tcp = false;
		return hd->protocol == PROTOCOL_UDP ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

#include <errno.h>
#include <string.h>

#include "ports/headers.h"
#include "ports/nethdr.h"
#include "ports/vnbl.h"

static bool take_payload(const struct vnbl *in, uint32_t offset, uint32_t size, struct vnbl *out);
static bool append(struct vnbl *out, uint8_t *addr, uint32_t size);
static void fix_ip(const struct nethdr_gso *g, struct vnbl *out);
static void fix_l4(const struct nethdr_gso *g, struct vnbl *out);

int nethdr_gso_begin(struct nethdr_gso *g, struct vnbl *in)
{
	const struct vnbl_offload *o = &in->offload;
	uint32_t hdr_len, payload;
	struct headers hd;

	if (headers_find(in, &hd) < 0 || headers_l4_size(in, &hd, o->gso_type, &hdr_len) < 0 ||
	    o->gso_size == 0)
		return -EINVAL;
	payload = in->frame_size - hd.l4 - hdr_len;
	*g = (struct nethdr_gso){
		.in = in,
		.offset = hd.l4 + hdr_len,
		.n = payload == 0 ? 1 : (payload + o->gso_size - 1) / o->gso_size,
		.l3 = hd.l3,
		.l4 = hd.l4,
		.hdr_len = (uint16_t)(hd.l4 + hdr_len),
		.size = o->gso_size,
		.is_ipv6 = hd.is_ipv6,
		.is_udp = hd.protocol == PROTOCOL_UDP,
		.pseudo = headers_pseudo_sum(in, &hd),
	};
	// A segment may need a piece for the rest of 'hdr' besides all of the others.
	if (g->n > NETHDR_SEGMENTS_MAX ||
	    (in->safe_size > VNBL_SAFE_MAX && in->n_pieces == VNBL_PIECES_MAX))
		return -EINVAL;
	if (!g->is_ipv6)
		g->ip_id = get16(in->hdr + hd.l3 + IPV4_ID);
	if (!g->is_udp)
		g->sequence = get32(in->hdr + hd.l4 + TCP_SEQUENCE);
	return 0;
}

bool nethdr_gso_next(struct nethdr_gso *g, struct vnbl *out)
{
	const struct vnbl *in = g->in;
	uint32_t hdr_len, payload;

	if (g->index == g->n)
		return false;
	hdr_len = g->l4 +
		  (g->is_udp ? UDP_SIZE : (uint32_t)(in->hdr[g->l4 + TCP_DATA_OFFSET] >> 4) * 4);
	payload = in->frame_size - g->offset;
	if (payload > g->size)
		payload = g->size;
	vnbl_reset(out);
	out->flags = in->flags & (VNBL_DATA_SAFE | VNBL_FLOOD);
	out->src_port_id = in->src_port_id;
	out->src_nic_index = in->src_nic_index;
	out->src_port = in->src_port;
	out->dst_slot = in->dst_slot;
	memcpy(out->hdr, in->hdr, hdr_len);
	out->safe_size = (uint16_t)hdr_len;
	out->frame_size = hdr_len;
	// Cannot fail: begin() saw to it that there is room for all pieces.
	if (!take_payload(in, g->offset, payload, out))
		return false;
	fix_ip(g, out);
	fix_l4(g, out);
	g->offset += payload;
	g->sequence += payload;
	g->index++;
	return true;
}

/*
 * Makes bytes of 'in' the rest of 'out'. What lay in the safe bytes goes into the safe bytes
 * if it fits: there it needs no piece.
 */
static bool take_payload(const struct vnbl *in, uint32_t offset, uint32_t size, struct vnbl *out)
{
	uint32_t len;

	if (offset < in->safe_size) {
		len = in->safe_size - offset < size ? in->safe_size - offset : size;
		if (out->safe_size + len <= VNBL_SAFE_MAX) {
			memcpy(out->hdr + out->safe_size, in->hdr + offset, len);
			out->safe_size = (uint16_t)(out->safe_size + len);
			out->frame_size += len;
		} else if (!append(out, in->hdr + offset, len)) {
			return false;
		}
		offset += len;
		size -= len;
	}
	offset -= in->safe_size;
	for (unsigned i = 0; i < in->n_pieces && size > 0; i++) {
		const struct vnbl_piece *piece = &in->pieces[i];

		if (offset >= piece->len) {
			offset -= piece->len;
			continue;
		}
		len = piece->len - offset < size ? piece->len - offset : size;
		if (!append(out, piece->addr + offset, len))
			return false;
		offset = 0;
		size -= len;
	}
	return size == 0;
}

static bool append(struct vnbl *out, uint8_t *addr, uint32_t size)
{
	if (out->n_pieces == VNBL_PIECES_MAX)
		return false;
	out->pieces[out->n_pieces++] = (struct vnbl_piece){.addr = addr, .len = size};
	out->frame_size += size;
	return true;
}

static void fix_ip(const struct nethdr_gso *g, struct vnbl *out)
{
	uint8_t *ip = out->hdr + g->l3;
	uint16_t sum;

	if (g->is_ipv6) {
		put16(ip + IPV6_LENGTH, out->frame_size - g->l3 - IPV6_SIZE);
		return;
	}
	put16(ip + IPV4_LENGTH, out->frame_size - g->l3);
	put16(ip + IPV4_ID, g->ip_id + g->index);
	put16(ip + IPV4_CHECKSUM, 0);
	sum = (uint16_t)~nethdr_fold(nethdr_sum(0, ip, (uint32_t)(g->l4 - g->l3)));
	memcpy(ip + IPV4_CHECKSUM, &sum, sizeof(sum));
}

static void fix_l4(const struct nethdr_gso *g, struct vnbl *out)
{
	uint8_t *l4 = out->hdr + g->l4, *field;
	uint32_t size = out->frame_size - g->l4;
	uint64_t sum = g->pseudo + __builtin_bswap16((uint16_t)size);
	uint16_t folded;

	if (g->is_udp) {
		put16(l4 + UDP_LENGTH, size);
		field = l4 + UDP_CHECKSUM;
	} else {
		put32(l4 + TCP_SEQUENCE, g->sequence);
		if (g->index + 1 < g->n)
			l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (g->index > 0)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		field = l4 + TCP_CHECKSUM;
	}
	put16(field, 0);
	folded = (uint16_t)~nethdr_fold(sum + headers_sum_frame(out, g->l4, size));
	if (folded == 0 && g->is_udp)
		folded = 0xffff;
	memcpy(field, &folded, sizeof(folded));
}

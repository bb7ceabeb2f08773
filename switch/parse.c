#include "switch/parse.h"

#include "ports/headers.h"
#include "ports/vnbl.h"

enum {
	TAGS_MAX = 3, // in the data
	TYPE_OLD_QINQ = 0x9100,
	TYPE_MIN = 0x600, // below it are lengths
	TYPE_RARP = 0x8035,

	LLC_SIZE = 3,
	LLC_INFORMATION = 0x03,
	SAP_MASK = 0xfe, // without the bit for groups and responses
	SAP_SNAP = 0xaa,
	SAP_IP = 0x06,
	SAP_ARP = 0x98,
	SNAP_SIZE = 8, // with the EtherType that ends it
	SNAP_TYPE = 6,

	ARP_SIZE = 28,
	ARP_FIXED_SIZE = 8,

	IPV4_OFFSET_MASK = 0x1fff, // in units of 8 bytes
	IPV4_MORE = 0x2000,
	IPV6_OFFSET_MASK = 0xfff8, // bytes
	IPV6_FRAGMENT_SIZE = 8,
	IPV6_FRAGMENT_ID = 4,

	PROTOCOL_NONE = 59,
	PROTOCOL_MOBILITY = 135,
	PROTOCOL_HIP = 139,
	PROTOCOL_SHIM6 = 140,

	TCP_SEEN = 14, // bytes up to its flags
	DCCP_SIZE = 12,
	ICMP_SEEN = 2,
	ICMP_ID = 4,
	ICMP_SIZE = 8,
	QUOTED_SIZE = 8, // behind the IP header: what RFC 792 promises
	FIRST_BYTES = 8, // no fragment may begin so near to the first one's headers
	ND_FIRST = 133,  // router solicitation
	ND_LAST = 137    // redirect
};

struct reader {
	struct vnbl *v;
	struct parse *p;
	uint32_t end;   // bytes: of the packet, without padding
	bool is_quoted; // and so it may end before its lengths say
};

// Bit i: type i of ICMP has an identifier, or quotes a packet.
static const uint32_t icmp_ids = 1 << 0 | 1 << 8 | 1 << 13 | 1 << 14;
static const uint32_t icmp_errors = 1 << 3 | 1 << 4 | 1 << 11 | 1 << 12;
static const uint32_t icmpv6_errors = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4;

// Each of these is false when what it reads is hidden.
static bool read_frame(struct reader *r);
static bool read_link(struct reader *r);
static bool read_llc(struct reader *r, unsigned at, unsigned *ret_type_at);
static bool read_arp(struct reader *r);
static bool read_ipv4(struct reader *r);
static bool read_ipv6(struct reader *r);
static bool read_chain(struct reader *r, unsigned at, uint8_t next);
static bool read_later(struct reader *r, uint8_t protocol, unsigned offset);
static bool read_l4(struct reader *r, unsigned at, uint8_t protocol);
static bool read_icmp(struct reader *r, unsigned at);
static void read_icmp_id(struct reader *r, unsigned at);
static bool set_end(struct reader *r, unsigned end);
static bool see(struct reader *r, uint32_t size);
static unsigned ports_size(uint8_t protocol);

void parse_frame(struct vnbl *v, struct parse *ret)
{
	struct reader r = {.v = v, .p = ret, .end = v->frame_size};

	*ret = (struct parse){.seen = v->safe_size < PARSE_MAX ? v->safe_size : PARSE_MAX};
	if (!read_frame(&r))
		ret->flags |= PARSE_HIDDEN;
}

void parse_quoted(struct vnbl *v, const struct parse *error, struct parse *ret)
{
	struct reader r = {.v = v, .p = ret, .is_quoted = true};
	const uint8_t *ip = v->hdr + error->l3;
	bool is_ipv6 = error->flags & PARSE_IPV6;

	*ret = (struct parse){.seen = error->seen, .l3 = (uint16_t)(error->l4 + ICMP_SIZE)};
	ret->type = is_ipv6 ? TYPE_IPV6 : TYPE_IPV4;
	r.end = error->l3 +
		(is_ipv6 ? IPV6_SIZE + get16(ip + IPV6_LENGTH) : get16(ip + IPV4_LENGTH));
	if (!(is_ipv6 ? read_ipv6(&r) : read_ipv4(&r)))
		ret->flags |= PARSE_HIDDEN;
}

static bool read_frame(struct reader *r)
{
	if (!read_link(r))
		return false;
	switch (r->p->type) {
	case TYPE_IPV4:
		return read_ipv4(r);
	case TYPE_IPV6:
		return read_ipv6(r);
	case TYPE_ARP:
	case TYPE_RARP:
		return read_arp(r);
	default:
		return true;
	}
}

// Finds the EtherType behind tags and SNAP, in any order.
static bool read_link(struct reader *r)
{
	unsigned at = HEADERS_ETH_SIZE - 2, tags = 0, type_at;
	bool has_snap = false;

	for (;;) {
		uint16_t type;

		if (!see(r, at + 2))
			return false;
		type = get16(r->v->hdr + at);
		if (type == TYPE_8021Q || type == TYPE_8021AD || type == TYPE_OLD_QINQ) {
			if (tags++ == TAGS_MAX)
				return false;
			at += HEADERS_TAG_SIZE;
			continue;
		}
		type_at = at;
		if (type < TYPE_MIN && (has_snap || !read_llc(r, at, &type_at)))
			return false;
		if (type_at == at) {
			r->p->type = type;
			r->p->l3 = (uint16_t)(at + 2);
			return true;
		}
		has_snap = true;
		at = type_at;
	}
}

/*
 * 802.2 behind the length at 'at'. Gives where SNAP's EtherType is, and nothing if it is not SNAP.
 * There are receivers who believe SNAP with a wrong length (CVE-2021-27861).
 */
static bool read_llc(struct reader *r, unsigned at, unsigned *ret_type_at)
{
	const uint8_t *llc = r->v->hdr + at + 2;
	unsigned length = get16(r->v->hdr + at);
	unsigned oui;

	at += 2;
	if (!see(r, at + LLC_SIZE) || (llc[0] & SAP_MASK) == SAP_IP ||
	    (llc[0] & SAP_MASK) == SAP_ARP)
		return false;
	if ((llc[0] & SAP_MASK) != SAP_SNAP || (llc[1] & SAP_MASK) != SAP_SNAP ||
	    (llc[2] & 0xef) != LLC_INFORMATION) // but for its poll bit
		return true;
	if (!see(r, at + SNAP_SIZE))
		return false;
	oui = get32(llc + 2) & 0xffffff;
	if (oui != 0 && oui != 0xf8) // 802.1H
		return true;
	if (length > r->end - at)
		return false;
	r->end = at + length; // one too short ends before the EtherType
	*ret_type_at = at + SNAP_TYPE;
	return true;
}

static bool read_arp(struct reader *r)
{
	const uint8_t *arp = r->v->hdr + r->p->l3;

	if (!see(r, r->p->l3 + ARP_FIXED_SIZE))
		return false;
	if (get16(arp) != 1 || get16(arp + 2) != TYPE_IPV4 || arp[4] != 6 || arp[5] != 4)
		return true; // not for Ethernet and IPv4
	if (!see(r, r->p->l3 + ARP_SIZE))
		return false;
	r->p->flags |= PARSE_ARP;
	r->p->l4 = r->p->l3;
	return true;
}

static bool read_ipv4(struct reader *r)
{
	unsigned l3 = r->p->l3, size, fragment;
	const uint8_t *ip = r->v->hdr + l3;

	if (!see(r, l3 + IPV4_SIZE) || ip[0] >> 4 != 4)
		return false;
	r->p->flags |= PARSE_IPV4;
	size = (ip[0] & 0xfU) * 4;
	if (size < IPV4_SIZE || !set_end(r, l3 + get16(ip + IPV4_LENGTH)) || !see(r, l3 + size))
		return false;
	fragment = get16(ip + IPV4_FRAGMENT);
	if (fragment & (IPV4_OFFSET_MASK | IPV4_MORE)) {
		r->p->flags |= PARSE_FRAGMENT;
		r->p->frag_id = get16(ip + IPV4_ID);
	}
	if (fragment & IPV4_OFFSET_MASK)
		return read_later(r, ip[IPV4_PROTOCOL], (fragment & IPV4_OFFSET_MASK) * 8);
	return read_l4(r, l3 + size, ip[IPV4_PROTOCOL]);
}

static bool read_ipv6(struct reader *r)
{
	unsigned at = r->p->l3 + IPV6_SIZE;
	const uint8_t *ip = r->v->hdr + r->p->l3;

	if (!see(r, at) || ip[0] >> 4 != 6)
		return false;
	r->p->flags |= PARSE_IPV6;
	if (!set_end(r, at + get16(ip + IPV6_LENGTH))) // of a jumbogram nothing is left
		return false;
	return read_chain(r, at, ip[IPV6_NEXT]);
}

static bool read_chain(struct reader *r, unsigned at, uint8_t next)
{
	for (;;) {
		const uint8_t *ext = r->v->hdr + at;
		unsigned size, offset;

		switch (next) {
		case PROTOCOL_HOP_BY_HOP:
		case PROTOCOL_ROUTING:
		case PROTOCOL_DESTINATION:
		case PROTOCOL_MOBILITY:
		case PROTOCOL_HIP:
		case PROTOCOL_SHIM6:
		case PROTOCOL_AH:
			if (!see(r, at + 2))
				return false;
			size = next == PROTOCOL_AH ? (ext[1] + 2U) * 4 : (ext[1] + 1U) * 8;
			if (!see(r, at + size))
				return false;
			break;
		case PROTOCOL_FRAGMENT:
			size = IPV6_FRAGMENT_SIZE;
			if (!see(r, at + size))
				return false;
			r->p->flags |= PARSE_FRAGMENT;
			r->p->frag_id = get32(ext + IPV6_FRAGMENT_ID);
			offset = get16(ext + 2) & IPV6_OFFSET_MASK;
			if (offset > 0)
				return read_later(r, ext[0], offset);
			break;
		default:
			return read_l4(r, at, next);
		}
		next = ext[0];
		at += size;
	}
}

static bool read_later(struct reader *r, uint8_t protocol, unsigned offset)
{
	r->p->flags |= PARSE_LATER;
	r->p->protocol = protocol;
	// It would overwrite TCP's flags (RFC 3128), or what kind of message to a DHCP relay it is.
	// Of IPv6 a later fragment may name any protocol: receivers believe the first one.
	return offset > FIRST_BYTES || (!(r->p->flags & PARSE_IPV6) && protocol != PROTOCOL_TCP &&
					protocol != PROTOCOL_UDP);
}

static bool read_l4(struct reader *r, unsigned at, uint8_t protocol)
{
	const uint8_t *l4 = r->v->hdr + at;
	struct parse *p = r->p;
	unsigned size = ports_size(protocol);

	if (r->is_quoted && size != 0)
		size = QUOTED_SIZE;
	p->protocol = protocol;
	if (protocol == (p->flags & PARSE_IPV4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6))
		return read_icmp(r, at);
	if (protocol == PROTOCOL_NONE)
		return true;
	if (!see(r, at + size))
		return false;
	p->l4 = (uint16_t)at;
	if (size == 0)
		return true;
	p->flags |= PARSE_PORTS;
	p->src_port = get16(l4);
	p->dst_port = get16(l4 + 2);
	if (protocol == PROTOCOL_TCP && !r->is_quoted)
		p->tcp_flags = l4[TCP_FLAGS];
	return true;
}

static bool read_icmp(struct reader *r, unsigned at)
{
	const uint8_t *icmp = r->v->hdr + at;
	struct parse *p = r->p;

	if (!see(r, at + ICMP_SEEN))
		return false;
	p->flags |= PARSE_ICMP;
	p->l4 = (uint16_t)at;
	p->icmp_type = icmp[0];
	p->icmp_code = icmp[1];
	read_icmp_id(r, at);
	// The options of neighbour discovery, too; one so long that they stay unseen is not hidden.
	if (p->flags & PARSE_IPV6 && p->icmp_type >= ND_FIRST && p->icmp_type <= ND_LAST)
		see(r, r->end);
	return true;
}

// Nothing is hidden where there is none: who asks for it finds that it is missing.
static void read_icmp_id(struct reader *r, unsigned at)
{
	struct parse *p = r->p;
	bool is_ipv6 = p->flags & PARSE_IPV6;
	uint32_t bit = p->icmp_type < 32 ? 1U << p->icmp_type : 0;

	if (is_ipv6 ? p->icmp_type == 128 || p->icmp_type == 129 : (icmp_ids & bit) != 0) {
		if (!see(r, at + ICMP_SIZE))
			return;
		p->flags |= PARSE_ICMP_ID;
		p->icmp_id = get16(r->v->hdr + at + ICMP_ID);
	} else if (((is_ipv6 ? icmpv6_errors : icmp_errors) & bit) != 0) {
		p->flags |= PARSE_ICMP_ERROR;
	}
}

// The packet ends there by its own length; false: it would be longer than what it lies in.
static bool set_end(struct reader *r, unsigned end)
{
	if (end > r->end)
		return r->is_quoted;
	r->end = end;
	return true;
}

// Whether the packet has so many bytes, counted from the frame's first, and they can be read.
static bool see(struct reader *r, uint32_t size)
{
	if (size > r->end)
		return false;
	if (size > r->p->seen) {
		unsigned seen = vnbl_extend(r->v, PARSE_MAX);

		r->p->seen = seen < PARSE_MAX ? (uint16_t)seen : PARSE_MAX;
	}
	return size <= r->p->seen;
}

// Bytes that a frame must show of a protocol with ports; 0: it has none.
static unsigned ports_size(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return TCP_SEEN;
	case PROTOCOL_UDP:
	case PROTOCOL_UDPLITE:
		return UDP_SIZE;
	case PROTOCOL_SCTP:
		return SCTP_SIZE;
	case PROTOCOL_DCCP:
		return DCCP_SIZE;
	default:
		return 0;
	}
}

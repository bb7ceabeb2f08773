#include "switch/guard.h"

#include <stdbool.h>
#include <string.h>

#include "ports/drops.h"
#include "ports/headers.h"
#include "switch/guard_learn.h"

enum {
	ETH_SRC = 6,
	MAC_SIZE = 6,

	PORT_BOOTP_SERVER = 67,
	PORT_BOOTP_CLIENT = 68,
	PORT_DHCPV6_CLIENT = 546,
	PORT_DHCPV6_SERVER = 547,
	BOOTREPLY = 2,

	ICMP_REDIRECT = 5,
	ICMP_ROUTER_ADVERTISEMENT = 9,

	TYPE_RARP = 0x8035,
	ARP_OPERATION = 6,
	ARP_SENDER_MAC = 8,
	ARP_SENDER_IP = 14,
	ARP_TARGET_MAC = 18,
	ARP_TARGET_IP = 24,
	RARP_REQUEST = 3,

	ND_TARGET = 8,
	ND_SOURCE_LINK = 1, // options
	ND_TARGET_LINK = 2
};

enum nd_type {
	ND_ROUTER_SOLICITATION = 133,
	ND_ROUTER_ADVERTISEMENT,
	ND_SOLICITATION,
	ND_ADVERTISEMENT,
	ND_REDIRECT
};

// What is decided about, and by what.
struct judged {
	const struct guard_rules *g;
	struct guard_learn *learned;
	const struct vnbl *v;
	const struct parse *p;
	uint32_t now_s;
};

static bool is_dhcp_server(const struct vnbl *v, const struct parse *p);
static bool is_router(const struct parse *p);
static bool tells_own(const struct judged *j);
static bool arp_is_own(const struct judged *j);
static bool arp_links_are_own(const struct vnbl *v, const struct parse *p);
static bool nd_is_own(const struct judged *j);
static const uint8_t *nd_tells(const struct vnbl *v, const struct parse *p);
static bool links_are_own(const struct vnbl *v, uint32_t at, uint32_t end);
static bool may_ipv4(const struct judged *j, const uint8_t *address);
static bool has_ipv4(const struct guard_rules *g, const uint8_t *address);
static bool has_ipv6(const struct guard_rules *g, const struct vnbl *v, const uint8_t *address);
static bool in_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits);
static bool is_learned(const struct judged *j, const uint8_t *address);
static uint32_t packet_end(const struct vnbl *v, const struct parse *p);

static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

unsigned guard_enter(const struct guard_rules *g, struct guard_learn *learned, const struct vnbl *v,
		     const struct parse *p, uint32_t now_s)
{
	const struct judged judged = {g, learned, v, p, now_s};
	bool hidden = p->flags & PARSE_HIDDEN;

	if (g->dhcp && (hidden || is_dhcp_server(v, p)))
		return DROP_DhcpGuard;
	if (g->router && (hidden || is_router(p)))
		return DROP_RouterGuard;
	if ((g->arp || g->limit != 0) && (hidden || !tells_own(&judged)))
		return DROP_FailedSecurityPolicy;
	return DROP_COUNT;
}

static bool is_dhcp_server(const struct vnbl *v, const struct parse *p)
{
	uint32_t op = p->l4 + UDP_SIZE;

	if (!(p->flags & PARSE_PORTS) || p->protocol != PROTOCOL_UDP)
		return false;
	if (p->flags & PARSE_IPV6)
		return p->src_port == PORT_DHCPV6_SERVER || p->dst_port == PORT_DHCPV6_CLIENT;
	if (p->dst_port == PORT_BOOTP_CLIENT)
		return true;
	if (p->src_port != PORT_BOOTP_SERVER && p->dst_port != PORT_BOOTP_SERVER)
		return false;
	return op >= packet_end(v, p) || op >= p->seen || v->hdr[op] == BOOTREPLY;
}

static bool is_router(const struct parse *p)
{
	if (!(p->flags & PARSE_ICMP))
		return false;
	if (p->flags & PARSE_IPV6)
		return p->icmp_type == ND_ROUTER_ADVERTISEMENT || p->icmp_type == ND_REDIRECT;
	return p->icmp_type == ICMP_REDIRECT || p->icmp_type == ICMP_ROUTER_ADVERTISEMENT;
}

static bool tells_own(const struct judged *j)
{
	const struct parse *p = j->p;

	if (p->type == TYPE_ARP || p->type == TYPE_RARP)
		return arp_is_own(j);
	if (p->flags & PARSE_ICMP && p->flags & PARSE_IPV6 &&
	    p->icmp_type >= ND_ROUTER_SOLICITATION && p->icmp_type <= ND_REDIRECT)
		return nd_is_own(j);
	return true;
}

// Addresses come last: of a message that is dropped none may be learned.
static bool arp_is_own(const struct judged *j)
{
	const uint8_t *sender = j->v->hdr + j->p->l4 + ARP_SENDER_IP;

	if (!(j->p->flags & PARSE_ARP) || (j->g->arp && !arp_links_are_own(j->v, j->p)))
		return false;
	return memcmp(sender, zero, 4) == 0 || may_ipv4(j, sender);
}

static bool arp_links_are_own(const struct vnbl *v, const struct parse *p)
{
	const uint8_t *arp = v->hdr + p->l4, *mac = v->hdr + ETH_SRC;

	if (memcmp(arp + ARP_SENDER_MAC, mac, MAC_SIZE) != 0)
		return false;
	if (p->type == TYPE_ARP)
		return true;
	// A hypervisor sends it for a machine that has arrived: only the switches are to learn.
	return get16(arp + ARP_OPERATION) == RARP_REQUEST &&
	       memcmp(arp + ARP_TARGET_MAC, mac, MAC_SIZE) == 0 &&
	       memcmp(arp + ARP_TARGET_IP, zero, 4) == 0;
}

static bool nd_is_own(const struct judged *j)
{
	static const uint8_t sizes[] = {8, 16, 24, 24, 40}; // of each nd_type, without options
	const struct parse *p = j->p;
	uint32_t options = p->l4 + sizes[p->icmp_type - ND_ROUTER_SOLICITATION];
	uint32_t end = packet_end(j->v, p);
	const uint8_t *address;

	if (p->flags & PARSE_FRAGMENT || end > p->seen || options > end)
		return false;
	// A redirect's are of another station.
	if (j->g->arp && p->icmp_type != ND_REDIRECT && !links_are_own(j->v, options, end))
		return false;
	address = nd_tells(j->v, p);
	return address == NULL || has_ipv6(j->g, j->v, address) || is_learned(j, address);
}

// The address that it tells of; NULL: none.
static const uint8_t *nd_tells(const struct vnbl *v, const struct parse *p)
{
	const uint8_t *source = v->hdr + p->l3 + IPV6_SOURCE;
	const uint8_t *target = v->hdr + p->l4 + ND_TARGET;
	bool looks_for_duplicate = memcmp(source, zero, sizeof(zero)) == 0;

	switch (p->icmp_type) {
	case ND_ADVERTISEMENT:
		return target;
	case ND_SOLICITATION:
		return looks_for_duplicate ? target : source;
	case ND_REDIRECT:
		return source;
	default:
		return looks_for_duplicate ? NULL : source;
	}
}

// Whether the options are in order, and those with a link address have the frame's own.
static bool links_are_own(const struct vnbl *v, uint32_t at, uint32_t end)
{
	while (at < end) {
		const uint8_t *option = v->hdr + at;
		uint32_t size;

		if (end - at < 2)
			return false;
		size = option[1] * 8U;
		if (size == 0 || size > end - at)
			return false;
		if ((option[0] == ND_SOURCE_LINK || option[0] == ND_TARGET_LINK) &&
		    (size != 8 || memcmp(option + 2, v->hdr + ETH_SRC, MAC_SIZE) != 0))
			return false;
		at += size;
	}
	return true;
}

static bool may_ipv4(const struct judged *j, const uint8_t *address)
{
	uint8_t bytes[16];

	if (has_ipv4(j->g, address))
		return true;
	memcpy(bytes, mapped, sizeof(mapped));
	memcpy(bytes + sizeof(mapped), address, 4);
	return is_learned(j, bytes);
}

static bool has_ipv4(const struct guard_rules *g, const uint8_t *address)
{
	for (unsigned i = 0; i < g->n_addresses; i++) {
		const struct guard_address *own = &g->addresses[i];

		// A short prefix of IPv6 is about IPv6 alone.
		if (own->bits >= 96 && memcmp(own->bytes, mapped, sizeof(mapped)) == 0 &&
		    in_prefix(address, own->bytes + sizeof(mapped), own->bits - 96U))
			return true;
	}
	return false;
}

static bool has_ipv6(const struct guard_rules *g, const struct vnbl *v, const uint8_t *address)
{
	const uint8_t *mac = v->hdr + ETH_SRC;
	const uint8_t local[16] = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2],
				   0xff, 0xfe, mac[3],           mac[4], mac[5]};

	if (memcmp(address, local, sizeof(local)) == 0)
		return true;
	for (unsigned i = 0; i < g->n_addresses; i++)
		if (in_prefix(address, g->addresses[i].bytes, g->addresses[i].bits))
			return true;
	return false;
}

static bool in_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
	unsigned bytes = bits / 8;

	if (memcmp(address, prefix, bytes) != 0)
		return false;
	return bits % 8 == 0 || (address[bytes] ^ prefix[bytes]) >> (8 - bits % 8) == 0;
}

// Or is from now on.
static bool is_learned(const struct judged *j, const uint8_t *address)
{
	return j->g->limit != 0 && j->learned != NULL &&
	       guard_learn_admit(j->learned, j->g->limit, address, j->now_s);
}

// Of IP: bytes from the frame's first to the end of the packet, which the parser has checked.
static uint32_t packet_end(const struct vnbl *v, const struct parse *p)
{
	const uint8_t *ip = v->hdr + p->l3;

	if (p->flags & PARSE_IPV6)
		return p->l3 + IPV6_SIZE + (uint32_t)get16(ip + IPV6_LENGTH);
	return p->l3 + (uint32_t)get16(ip + IPV4_LENGTH);
}

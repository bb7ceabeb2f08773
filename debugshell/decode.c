#include "debugshell/decode.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

enum {
	MAC_SIZE = 6,
	ETHERNET_SIZE = 14,
	TAG_SIZE = 4,
	ARP_SIZE = 28, // of Ethernet and IPv4
	IPV4_SIZE = 20,
	IPV6_SIZE = 40,
	TCP_SIZE = 20,
	UDP_SIZE = 8,
	ICMP_SIZE = 4
};

// What one header says of the next. Numbers above 255 are Ethernet types, the others are IP's.
enum {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ICMP = 1,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_ICMPV6 = 58,
	NEXT_NOTHING = 59,
	NEXT_DESTINATION = 60,
	LENGTH_MAX = 1500, // an Ethernet type up to here is a length
	NEXT_IPV4 = 0x0800,
	NEXT_ARP = 0x0806,
	NEXT_TAG = 0x8100,
	NEXT_IPV6 = 0x86dd,
	NEXT_SERVICE_TAG = 0x88a8,
	NEXT_END = 0x10000 // of what is decoded
};

#define NEXTS(X)                                                                                   \
	X(NEXT_HOP_BY_HOP, "hop-by-hop options")                                                   \
	X(NEXT_ICMP, "ICMP")                                                                       \
	X(2, "IGMP")                                                                               \
	X(NEXT_TCP, "TCP")                                                                         \
	X(NEXT_UDP, "UDP")                                                                         \
	X(NEXT_ROUTING, "routing")                                                                 \
	X(NEXT_FRAGMENT, "fragment")                                                               \
	X(47, "GRE")                                                                               \
	X(50, "ESP")                                                                               \
	X(51, "AH")                                                                                \
	X(NEXT_ICMPV6, "ICMPv6")                                                                   \
	X(NEXT_NOTHING, "nothing")                                                                 \
	X(NEXT_DESTINATION, "destination options")                                                 \
	X(132, "SCTP")                                                                             \
	X(NEXT_IPV4, "IPv4")                                                                       \
	X(NEXT_ARP, "ARP")                                                                         \
	X(NEXT_TAG, "VLAN tag")                                                                    \
	X(0x8809, "slow protocols")                                                                \
	X(NEXT_IPV6, "IPv6")                                                                       \
	X(NEXT_SERVICE_TAG, "service VLAN tag")                                                    \
	X(0x88cc, "LLDP")

#define ICMP_TYPES(X)                                                                              \
	X(0, "echo reply")                                                                         \
	X(3, "destination unreachable")                                                            \
	X(5, "redirect")                                                                           \
	X(8, "echo request")                                                                       \
	X(9, "router advertisement")                                                               \
	X(10, "router solicitation")                                                               \
	X(11, "time exceeded")

#define ICMPV6_TYPES(X)                                                                            \
	X(1, "destination unreachable")                                                            \
	X(2, "packet too big")                                                                     \
	X(3, "time exceeded")                                                                      \
	X(128, "echo request")                                                                     \
	X(129, "echo reply")                                                                       \
	X(130, "listener query")                                                                   \
	X(133, "router solicitation")                                                              \
	X(134, "router advertisement")                                                             \
	X(135, "neighbour solicitation")                                                           \
	X(136, "neighbour advertisement")                                                          \
	X(137, "redirect")                                                                         \
	X(143, "listener report")

struct decoder {
	const uint8_t *at; // the next header
	size_t left;       // bytes from there on
	uint32_t next;     // what it is
	decode_fn fn;
	void *arg;
};

static bool decode_one(struct decoder *d);
static void decode_ethernet(struct decoder *d);
static void decode_tag(struct decoder *d);
static void decode_arp(struct decoder *d);
static void decode_ipv4(struct decoder *d);
static void decode_ipv6(struct decoder *d);
static void decode_extension(struct decoder *d);
static void decode_tcp(struct decoder *d);
static void decode_udp(struct decoder *d);
static void decode_icmp(struct decoder *d);
static bool is_extension(uint32_t next);
static bool has(struct decoder *d, const char *label, size_t size);
static void damaged(struct decoder *d, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void told(struct decoder *d, const char *label, const struct text *text, size_t size,
		 uint32_t next);
static uint16_t be16(const uint8_t *at);
static uint32_t be32(const uint8_t *at);
static struct text ip_text(int family, const uint8_t *at);
static void append_type(struct text *text, uint16_t type);
static void append_next(struct text *text, uint32_t next);

#define X(number, text)                                                                            \
	case number:                                                                               \
		return text;
#define NAME_FUNCTION(function, TABLE)                                                             \
	static const char *function(uint32_t number)                                               \
	{                                                                                          \
		switch (number) {                                                                  \
			TABLE(X)                                                                   \
		default:                                                                           \
			return NULL;                                                               \
		}                                                                                  \
	}
NAME_FUNCTION(name_next, NEXTS)
NAME_FUNCTION(name_icmp, ICMP_TYPES)
NAME_FUNCTION(name_icmpv6, ICMPV6_TYPES)
#undef X

void decode_frame(const uint8_t *bytes, size_t size, decode_fn fn, void *arg)
{
	struct decoder d = {.at = bytes, .left = size, .fn = fn, .arg = arg};
	unsigned tags = 0, extensions = 0;

	decode_ethernet(&d);
	while (d.next == NEXT_TAG || d.next == NEXT_SERVICE_TAG) {
		if (tags++ == DECODE_TAGS_MAX) {
			damaged(&d, "VLAN", "more than %u tags", DECODE_TAGS_MAX);
			return;
		}
		decode_tag(&d);
	}
	if (!decode_one(&d))
		return;
	while (is_extension(d.next)) {
		if (extensions++ == DECODE_EXTENSIONS_MAX) {
			damaged(&d, "Extension", "more than %u headers", DECODE_EXTENSIONS_MAX);
			return;
		}
		decode_extension(&d);
	}
	decode_one(&d);
}

// The header of a protocol. False: it is the last one.
static bool decode_one(struct decoder *d)
{
	switch (d->next) {
	case NEXT_ARP:
		decode_arp(d);
		return false;
	case NEXT_IPV4:
		decode_ipv4(d);
		return true;
	case NEXT_IPV6:
		decode_ipv6(d);
		return true;
	case NEXT_TCP:
		decode_tcp(d);
		return false;
	case NEXT_UDP:
		decode_udp(d);
		return false;
	case NEXT_ICMP:
	case NEXT_ICMPV6:
		decode_icmp(d);
		return false;
	default:
		return false;
	}
}

static void decode_ethernet(struct decoder *d)
{
	uint16_t type;
	struct text text = {.s = ""};

	if (!has(d, "Ethernet", ETHERNET_SIZE))
		return;
	type = be16(d->at + 2 * MAC_SIZE);
	print_append(&text, "%s > %s, ", print_mac(d->at + MAC_SIZE).s, print_mac(d->at).s);
	append_type(&text, type);
	told(d, "Ethernet", &text, ETHERNET_SIZE, type > LENGTH_MAX ? type : NEXT_END);
}

static void decode_tag(struct decoder *d)
{
	const char *label = d->next == NEXT_TAG ? "VLAN" : "Service VLAN";
	struct text text = {.s = ""};
	uint16_t tci, type;

	if (!has(d, label, TAG_SIZE))
		return;
	tci = be16(d->at);
	type = be16(d->at + 2);
	print_append(&text, "%u, priority %u%s, ", tci & 0xfff, tci >> 13,
		     (tci & 0x1000) != 0 ? ", drop eligible" : "");
	append_type(&text, type);
	told(d, label, &text, TAG_SIZE, type > LENGTH_MAX ? type : NEXT_END);
}

static void decode_arp(struct decoder *d)
{
	struct text text = {.s = ""};
	uint16_t what;

	if (!has(d, "ARP", ARP_SIZE))
		return;
	what = be16(d->at + 6);
	if (be32(d->at) != 0x00010800 || d->at[4] != MAC_SIZE || d->at[5] != 4) {
		damaged(d, "ARP", "it is not of Ethernet and IPv4");
		return;
	}
	if (what == 1)
		print_append(&text, "request: who has %s, asks", ip_text(AF_INET, d->at + 24).s);
	else if (what == 2)
		print_append(&text, "reply:");
	else
		print_append(&text, "operation %u:", what);
	print_append(&text, " %s at %s", ip_text(AF_INET, d->at + 14).s, print_mac(d->at + 8).s);
	told(d, "ARP", &text, ARP_SIZE, NEXT_END);
}

static void decode_ipv4(struct decoder *d)
{
	struct text text = {.s = ""};
	uint16_t fragment;
	size_t size;

	if (!has(d, "IPv4", IPV4_SIZE))
		return;
	size = (size_t)(d->at[0] & 0xf) * 4;
	if (d->at[0] >> 4 != 4 || size < IPV4_SIZE) {
		damaged(d, "IPv4", "version %u, header of %zu bytes", d->at[0] >> 4, size);
		return;
	}
	if (!has(d, "IPv4", size))
		return;
	fragment = be16(d->at + 6);
	print_append(&text, "%s > %s, ", ip_text(AF_INET, d->at + 12).s,
		     ip_text(AF_INET, d->at + 16).s);
	append_next(&text, d->at[9]);
	print_append(&text, ", %u bytes, TTL %u, id %04x", be16(d->at + 2), d->at[8],
		     be16(d->at + 4));
	if ((fragment & 0x4000) != 0)
		print_append(&text, ", don't fragment");
	if ((fragment & 0x3fff) != 0)
		print_append(&text, ", fragment at %u%s", (fragment & 0x1fff) * 8,
			     (fragment & 0x2000) != 0 ? ", more follow" : ", the last one");
	// Only the first fragment goes on with a header.
	told(d, "IPv4", &text, size,
	     (fragment & 0x1fff) != 0 || is_extension(d->at[9]) ? NEXT_END : d->at[9]);
}

static void decode_ipv6(struct decoder *d)
{
	struct text text = {.s = ""};

	if (!has(d, "IPv6", IPV6_SIZE))
		return;
	if (d->at[0] >> 4 != 6) {
		damaged(d, "IPv6", "version %u", d->at[0] >> 4);
		return;
	}
	print_append(&text, "%s > %s, ", ip_text(AF_INET6, d->at + 8).s,
		     ip_text(AF_INET6, d->at + 24).s);
	append_next(&text, d->at[6]);
	print_append(&text, ", %u bytes, hop limit %u", be16(d->at + 4), d->at[7]);
	told(d, "IPv6", &text, IPV6_SIZE, d->at[6]);
}

static void decode_extension(struct decoder *d)
{
	bool is_fragment = d->next == NEXT_FRAGMENT, is_later = false;
	struct text text = {.s = ""};
	size_t size = 8;

	if (!has(d, "Extension", size))
		return;
	if (!is_fragment)
		size += (size_t)d->at[1] * 8;
	if (!has(d, "Extension", size))
		return;
	print_append(&text, "%s, %zu bytes, then ", name_next(d->next), size);
	append_next(&text, d->at[0]);
	if (is_fragment) {
		uint16_t offset = be16(d->at + 2);

		is_later = offset >> 3 != 0;
		print_append(&text, ", at %u, id %08" PRIx32 "%s", offset & ~7U, be32(d->at + 4),
			     (offset & 1) != 0 ? ", more follow" : ", the last one");
	}
	told(d, "Extension", &text, size, is_later ? NEXT_END : d->at[0]);
}

static void decode_tcp(struct decoder *d)
{
	static const char *const flags[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
	struct text text = {.s = ""};

	if (!has(d, "TCP", TCP_SIZE))
		return;
	if (d->at[12] >> 4 < TCP_SIZE / 4) {
		damaged(d, "TCP", "header of %u bytes", (d->at[12] >> 4) * 4);
		return;
	}
	print_append(&text, "%u > %u, sequence %" PRIu32 ", acknowledges %" PRIu32 ", window %u,",
		     be16(d->at), be16(d->at + 2), be32(d->at + 4), be32(d->at + 8),
		     be16(d->at + 14));
	for (unsigned i = 0; i < 8; i++)
		if ((d->at[13] >> i & 1) != 0)
			print_append(&text, " %s", flags[i]);
	if (d->at[13] == 0)
		print_append(&text, " no flags");
	told(d, "TCP", &text, TCP_SIZE, NEXT_END);
}

static void decode_udp(struct decoder *d)
{
	struct text text = {.s = ""};

	if (!has(d, "UDP", UDP_SIZE))
		return;
	print_append(&text, "%u > %u, %u bytes", be16(d->at), be16(d->at + 2), be16(d->at + 4));
	told(d, "UDP", &text, UDP_SIZE, NEXT_END);
}

static void decode_icmp(struct decoder *d)
{
	const char *label = d->next == NEXT_ICMP ? "ICMP" : "ICMPv6";
	struct text text = {.s = ""};
	const char *name;

	if (!has(d, label, ICMP_SIZE))
		return;
	name = d->next == NEXT_ICMP ? name_icmp(d->at[0]) : name_icmpv6(d->at[0]);
	print_append(&text, "type %u", d->at[0]);
	if (name != NULL)
		print_append(&text, " (%s)", name);
	print_append(&text, ", code %u", d->at[1]);
	told(d, label, &text, ICMP_SIZE, NEXT_END);
}

static bool is_extension(uint32_t next)
{
	return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_FRAGMENT ||
	       next == NEXT_DESTINATION;
}

// False: it is cut off, which is told.
static bool has(struct decoder *d, const char *label, size_t size)
{
	if (d->left >= size)
		return true;
	damaged(d, label, "cut off: %zu of %zu bytes are here", d->left, size);
	return false;
}

static void damaged(struct decoder *d, const char *label, const char *fmt, ...)
{
	struct text reason, text = {.s = ""};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason.s, sizeof(reason.s), fmt, ap);
	va_end(ap);
	print_append(&text, "*** %s ***", reason.s);
	told(d, label, &text, 0, NEXT_END);
}

// Goes on behind a header of 'size' bytes.
static void told(struct decoder *d, const char *label, const struct text *text, size_t size,
		 uint32_t next)
{
	d->fn(label, text, d->arg);
	d->at += size;
	d->left -= size;
	d->next = next;
}

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static struct text ip_text(int family, const uint8_t *at)
{
	struct text text = {.s = ""};

	inet_ntop(family, at, text.s, sizeof(text.s));
	return text;
}

static void append_type(struct text *text, uint16_t type)
{
	if (type <= LENGTH_MAX)
		print_append(text, "length %u (802.3)", type);
	else
		append_next(text, type);
}

static void append_next(struct text *text, uint32_t next)
{
	const char *name = name_next(next);

	if (name != NULL)
		print_append(text, "%s", name);
	else if (next > LENGTH_MAX)
		print_append(text, "type 0x%04" PRIx32, next);
	else
		print_append(text, "protocol %" PRIu32, next);
}

/*
 * What each guard catches, in every disguise that the reader of headers undoes, and what it has to
 * let pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ports/drops.h"
#include "switch/conf_address.h"
#include "switch/guard.h"
#include "tests/unit/layers.h"

enum { UDP = 17, TCP = 6, ICMP = 1, ICMPV6 = 58, IP_MORE = 0x2000, PASSES = DROP_COUNT };

static struct guard_rules guard;
static struct guard_learn learned;
static uint32_t now_s;

static int no_guard(void **state)
{
	memset(&guard, 0, sizeof(guard));
	memset(&learned, 0, sizeof(learned));
	return 0;
}

static void own(const char *list)
{
	assert_int_equal(conf_address_read_list(list, guard.addresses, &guard.n_addresses, NULL),
			 0);
}

static unsigned judge(void)
{
	unsigned first = 0;

	for (int shape = 0; shape < LAYERS_SHAPES; shape++) {
		struct parse p;
		struct vnbl v;
		unsigned reason;

		layers_give(&v, shape);
		parse_frame(&v, &p);
		reason = guard_enter(&guard, &learned, &v, &p, now_s);
		if (shape == 0)
			first = reason;
		assert_int_equal(reason, first);
	}
	return first;
}

#define assert_judged(reason) assert_int_equal(judge(), (reason))

/*
 * Lays what 'message' puts behind every disguise for its version of IP, and asserts the decision.
 * 'protocol' is the message's.
 */
static void assert_in_disguises(bool is_ipv6, unsigned protocol, void (*message)(void),
				unsigned reason)
{
	static const uint8_t chains[][4] = {{0},      {60},         {43}, {51},
					    {135, 0}, {60, 43, 60}, {44}, {60, 44, 60}};

	for (unsigned tags = 0; tags <= 3; tags++) {
		for (unsigned snap = 0; snap < 2; snap++) {
			for (unsigned way = 0; way < 8; way++) {
				const uint8_t *chain = chains[way];
				unsigned n = 0;

				while (way > 0 && (n == 0 || chain[n] != 0))
					n++;
				put_link();
				for (unsigned i = 0; i < tags; i++)
					put_tag(i % 2 == 0 ? 0x88a8 : 0x8100);
				if (snap)
					put_snap(0);
				if (is_ipv6)
					put_ipv6(n > 0 ? chain[0] : protocol);
				else
					put_ipv4(protocol, way % 4 * 12, way > 3 ? IP_MORE : 0);
				for (unsigned i = 0; is_ipv6 && i < n; i++) {
					unsigned next = i + 1 < n ? chain[i + 1] : protocol;

					if (chain[i] == 44)
						put_fragment(next, 0, way % 2);
					else
						put_extension(chain[i], next, 8 + 24 * way);
				}
				message();
				layers_end();
				assert_judged(reason);
			}
		}
	}
}

static unsigned src, dst, op;

static void put_dhcp(void)
{
	put_udp(src, dst, 240);
	layers.data[layers.size - 240] = (uint8_t)op;
}

static void dhcp(unsigned from, unsigned to, unsigned code, bool is_ipv6, unsigned reason)
{
	src = from;
	dst = to;
	op = code;
	assert_in_disguises(is_ipv6, UDP, put_dhcp, reason);
}

static void dhcp_guard_catches_servers(void **state)
{
	guard.dhcp = 1;
	dhcp(67, 68, 2, false, DROP_DhcpGuard);
	dhcp(67, 68, 1, false, DROP_DhcpGuard);
	dhcp(4011, 68, 2, false, DROP_DhcpGuard); // from wherever
	dhcp(67, 67, 2, false, DROP_DhcpGuard);   // to a relay
	dhcp(9999, 67, 2, false, DROP_DhcpGuard);
	dhcp(67, 9999, 2, false, DROP_DhcpGuard);
	dhcp(547, 546, 2, true, DROP_DhcpGuard);
	dhcp(547, 9999, 2, true, DROP_DhcpGuard);
	dhcp(9999, 546, 7, true, DROP_DhcpGuard);
}

static void dhcp_guard_lets_clients_and_others_pass(void **state)
{
	guard.dhcp = 1;
	dhcp(68, 67, 1, false, PASSES);
	dhcp(67, 67, 1, false, PASSES); // a relay's
	dhcp(546, 547, 1, true, PASSES);
	dhcp(547, 547, 12, true, DROP_DhcpGuard); // relays answer from there, too
	dhcp(5353, 5353, 2, false, PASSES);
	dhcp(67, 68, 2, true, PASSES); // other numbers over the other IP
	dhcp(547, 546, 2, false, PASSES);
	put_link();
	put_ipv4(TCP, 0, 0);
	put_tcp(67, 68, 2);
	layers_end();
	assert_judged(PASSES);
}

static void what_the_message_is_must_be_seen(void **state)
{
	guard.dhcp = 1;
	for (unsigned padding = 0; padding < 20; padding += 10) {
		put_link();
		put_ipv4(UDP, 0, IP_MORE);
		put_udp(67, 67, 0);
		layers_end();
		// Of what is behind the packet nothing counts.
		memset(layers.data + layers.size, 1, padding);
		layers.size += padding;
		assert_judged(DROP_DhcpGuard);
	}
	// The rest of the message would come by another fragment.
	put_link();
	put_ipv4(UDP, 0, 1);
	put_zeros(200);
	layers_end();
	assert_judged(DROP_DhcpGuard);
	put_link();
	put_ipv4(UDP, 0, 2);
	put_zeros(200);
	layers_end();
	assert_judged(PASSES);
}

// A NIC may give a frame in buffers of which the first is short.
static void what_lies_elsewhere_is_not_seen(void **state)
{
	for (unsigned safe = 14; safe <= 60; safe++) {
		struct parse p;
		struct vnbl v;

		put_link();
		put_ipv4(UDP, 0, 0);
		put_udp(67, 67, 18);
		layers.data[42] = 1; // a request
		layers_end();
		layers_give(&v, LAYERS_TAP);
		v.safe_size = (uint16_t)safe;
		if (safe < layers.size)
			v.pieces[v.n_pieces++] = (struct vnbl_piece){.addr = v.hdr + safe,
								     .len = layers.size - safe};
		parse_frame(&v, &p);
		guard.dhcp = 1;
		assert_int_equal(guard_enter(&guard, NULL, &v, &p, 0),
				 safe > 42 ? PASSES : DROP_DhcpGuard);
	}
}

static unsigned icmp_type, icmp_payload;

static void put_icmp(void)
{
	put_8(icmp_type);
	put_zeros(7 + icmp_payload);
}

static void router_guard_catches_routers(void **state)
{
	guard.router = 1;
	icmp_payload = 8;
	for (icmp_type = 0; icmp_type < 256; icmp_type++) {
		assert_in_disguises(false, ICMP, put_icmp,
				    icmp_type == 5 || icmp_type == 9 ? DROP_RouterGuard : PASSES);
		assert_in_disguises(true, ICMPV6, put_icmp,
				    icmp_type == 134 || icmp_type == 137 ? DROP_RouterGuard
									 : PASSES);
	}
	// Numbers of the other version.
	icmp_type = 134;
	assert_in_disguises(false, ICMPV6, put_icmp, PASSES);
	icmp_type = 5;
	assert_in_disguises(true, ICMP, put_icmp, PASSES);
}

static void later_fragments_pass(void **state)
{
	guard.dhcp = guard.router = guard.arp = 1;
	put_link();
	put_ipv6(44);
	put_fragment(ICMPV6, 16, 0);
	put_8(134);
	put_zeros(60);
	layers_end();
	assert_judged(PASSES);
	put_link();
	put_ipv4(ICMP, 0, 4);
	put_8(5);
	put_zeros(60);
	layers_end();
	assert_judged(PASSES);
}

// A router advertisement that does not show its type.
static void put_hidden(void)
{
	put_link();
	put_ipv6(44);
	put_fragment(60, 0, 1);
	put_extension(60, ICMPV6, 64);
	layers_end();
}

static void what_hides_is_dropped_by_the_first_guard(void **state)
{
	put_hidden();
	for (unsigned guards = 0; guards < 8; guards++) {
		guard.dhcp = guards & 1;
		guard.router = guards >> 1 & 1;
		guard.arp = guards >> 2;
		assert_judged(guards == 0    ? PASSES
			      : guard.dhcp   ? DROP_DhcpGuard
			      : guard.router ? DROP_RouterGuard
					     : DROP_FailedSecurityPolicy);
	}
	guard.dhcp = guard.arp = 0;
	guard.router = 1;
	// Behind more than can be looked at.
	put_link();
	put_ipv6(60);
	for (unsigned i = 0; i < 8; i++)
		put_extension(60, i < 7 ? 60 : ICMPV6, 64);
	put_8(134);
	put_zeros(15);
	layers_end();
	assert_judged(DROP_RouterGuard);
	// And behind one tag too many.
	put_link();
	for (unsigned i = 0; i < 4; i++)
		put_tag(0x8100);
	put_ipv4(UDP, 0, 0);
	put_udp(1, 2, 3);
	layers_end();
	assert_judged(DROP_RouterGuard);
}

// --- ARP -----------------------------------------------------------------------------------

enum { ARP = 0x0806, RARP = 0x8035 };

static void put_arp(unsigned type, unsigned operation, const char *mac, const char *ip)
{
	put_link();
	put_16(type);
	put_bytes("\0\x01\x08\0\x06\x04", 6);
	put_16(operation);
	put_bytes(mac, 6);
	put_bytes(ip, 4);
	put_zeros(10);
}

#define OWN_MAC   "\x02\0\0\0\0\x0a"
#define OTHER_MAC "\x02\0\0\0\0\x0b"

static void arp_tells_of_own_addresses(void **state)
{
	guard.arp = 1;
	own("10.1.0.5,10.2.0.0/23,2001:db8::5");
	for (unsigned operation = 1; operation <= 9; operation++) {
		put_arp(ARP, operation, OWN_MAC, "\x0a\x01\0\x05");
		assert_judged(PASSES);
		put_arp(ARP, operation, OWN_MAC, "\0\0\0\0"); // a probe
		assert_judged(PASSES);
		put_arp(ARP, operation, OWN_MAC, "\x0a\x02\x01\xff");
		assert_judged(PASSES);
		put_arp(ARP, operation, OWN_MAC, "\x0a\x02\x02\0");
		assert_judged(DROP_FailedSecurityPolicy);
		put_arp(ARP, operation, OWN_MAC, "\x0a\x01\0\x06");
		assert_judged(DROP_FailedSecurityPolicy);
		put_arp(ARP, operation, OTHER_MAC, "\x0a\x01\0\x05");
		assert_judged(DROP_FailedSecurityPolicy);
		put_arp(ARP, operation, OTHER_MAC, "\0\0\0\0");
		assert_judged(DROP_FailedSecurityPolicy);
	}
	guard.arp = 0;
	assert_judged(PASSES);
}

static void arp_in_disguise_is_arp(void **state)
{
	guard.arp = 1;
	own("10.1.0.5");
	for (unsigned tags = 0; tags <= 4; tags++) {
		for (unsigned own_ip = 0; own_ip < 2; own_ip++) {
			for (unsigned snap = 0; snap < 2; snap++) {
				uint8_t arp[28];

				put_arp(ARP, 2, OWN_MAC,
					own_ip ? "\x0a\x01\0\x05" : "\x0a\x01\0\x06");
				memcpy(arp, layers.data + 14, sizeof(arp));
				put_link();
				for (unsigned i = 0; i < tags; i++)
					put_tag(0x9100);
				if (snap)
					put_snap(0);
				put_16(ARP);
				put_bytes(arp, sizeof(arp));
				layers_end();
				assert_judged(own_ip && tags <= 3 ? PASSES
								  : DROP_FailedSecurityPolicy);
			}
		}
	}
}

static void arp_of_other_kinds_is_dropped(void **state)
{
	guard.arp = 1;
	own("0.0.0.0/0");
	for (unsigned i = 0; i < 6; i++) {
		put_arp(ARP, 2, OWN_MAC, "\x0a\x01\0\x05");
		assert_judged(PASSES);
		layers.data[14 + i] ^= 4;
		assert_judged(DROP_FailedSecurityPolicy);
	}
	// A link address that could be taken for a part of ARP.
	put_arp(ARP, 2, OWN_MAC, "\x0a\x01\0\x05");
	memcpy(layers.data + 6, "\x08\x06\x08\x06\x08\x06", 6);
	layers.data[14] = 1;
	assert_judged(DROP_FailedSecurityPolicy);
	for (unsigned size = 14; size < 42; size++) {
		put_arp(ARP, 2, OWN_MAC, "\x0a\x01\0\x05");
		layers.size = size;
		assert_judged(DROP_FailedSecurityPolicy);
	}
}

static void a_machine_that_moved_announces_itself_by_rarp(void **state)
{
	static const struct {
		unsigned operation;
		const char *sender, *target, *sender_ip, *target_ip;
		unsigned reason;
	} cases[] = {
		{3, OWN_MAC, OWN_MAC, "\0\0\0\0", "\0\0\0\0", PASSES},
		{3, OTHER_MAC, OWN_MAC, "\0\0\0\0", "\0\0\0\0", DROP_FailedSecurityPolicy},
		{3, OWN_MAC, OTHER_MAC, "\0\0\0\0", "\0\0\0\0", DROP_FailedSecurityPolicy},
		{3, OWN_MAC, OWN_MAC, "\x0a\x01\0\x06", "\0\0\0\0", DROP_FailedSecurityPolicy},
		{3, OWN_MAC, OWN_MAC, "\0\0\0\0", "\x0a\x01\0\x05", DROP_FailedSecurityPolicy},
		{4, OWN_MAC, OWN_MAC, "\0\0\0\0", "\0\0\0\0", DROP_FailedSecurityPolicy},
	};

	guard.arp = 1;
	own("10.1.0.5");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_arp(RARP, cases[i].operation, cases[i].sender, cases[i].sender_ip);
		memcpy(layers.data + 32, cases[i].target, 6);
		memcpy(layers.data + 38, cases[i].target_ip, 4);
		assert_judged(cases[i].reason);
	}
}

// --- neighbour discovery -------------------------------------------------------------------

#define NOBODY        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ADDRESS(last) "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" last
#define LOCAL(last)   "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0\0" last // out of the link address

static const char *nd_source, *nd_target, *nd_link;
static unsigned nd_option;

static void put_nd(void)
{
	static const unsigned sizes[] = {8, 16, 24, 24, 40};
	uint32_t icmp = layers.size;

	memcpy(layers.data + layers.ipv6 + 8, nd_source, 16);
	put_8(icmp_type);
	put_zeros(sizes[icmp_type - 133] - 1);
	if (nd_target != NULL)
		memcpy(layers.data + icmp + 8, nd_target, 16);
	if (nd_link == NULL)
		return;
	put_8(14); // a nonce before it
	put_8(1);
	put_zeros(6);
	put_8(nd_option);
	put_8(1);
	put_bytes(nd_link, 6);
}

static unsigned nd(unsigned type, const char *source, const char *target, unsigned option,
		   const char *link)
{
	icmp_type = type;
	nd_source = source;
	nd_target = target;
	nd_option = option;
	nd_link = link;
	put_link();
	put_ipv6(ICMPV6);
	put_nd();
	layers_end();
	put_zeros(4); // padding
	return judge();
}

#define assert_nd(type, source, target, option, link, reason)                                      \
	assert_int_equal(nd(type, source, target, option, link), reason)

enum { DENIED = DROP_FailedSecurityPolicy };

static void solicitations_come_from_own_addresses(void **state)
{
	guard.arp = 1;
	own("2001:db8::5,10.1.0.5");
	assert_nd(135, ADDRESS("\x05"), ADDRESS("\x09"), 1, OWN_MAC, PASSES);
	assert_nd(135, ADDRESS("\x05"), ADDRESS("\x09"), 0, NULL, PASSES);
	assert_nd(135, LOCAL("\x0a"), ADDRESS("\x09"), 1, OWN_MAC, PASSES);
	assert_nd(135, ADDRESS("\x06"), ADDRESS("\x09"), 1, OWN_MAC, DENIED);
	assert_nd(135, ADDRESS("\x06"), ADDRESS("\x09"), 0, NULL, DENIED);
	assert_nd(135, LOCAL("\x0b"), ADDRESS("\x09"), 0, NULL, DENIED);
	assert_nd(135, ADDRESS("\x05"), ADDRESS("\x09"), 1, OTHER_MAC, DENIED);
	// Looking for a duplicate of what is to be one's own.
	assert_nd(135, NOBODY, ADDRESS("\x05"), 0, NULL, PASSES);
	assert_nd(135, NOBODY, LOCAL("\x0a"), 0, NULL, PASSES);
	assert_nd(135, NOBODY, ADDRESS("\x06"), 0, NULL, DENIED);
	assert_nd(135, NOBODY, LOCAL("\x0b"), 0, NULL, DENIED);
	// So do routers' solicitations.
	assert_nd(133, NOBODY, NULL, 0, NULL, PASSES);
	assert_nd(133, LOCAL("\x0a"), NULL, 1, OWN_MAC, PASSES);
	assert_nd(133, LOCAL("\x0b"), NULL, 1, OWN_MAC, DENIED);
	assert_nd(133, LOCAL("\x0a"), NULL, 1, OTHER_MAC, DENIED);
}

static void advertisements_tell_of_own_addresses(void **state)
{
	guard.arp = 1;
	own("2001:db8::4/127");
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OWN_MAC, PASSES);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x04"), 2, OWN_MAC, PASSES);
	assert_nd(136, ADDRESS("\x05"), LOCAL("\x0a"), 2, OWN_MAC, PASSES);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 0, NULL, PASSES);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x06"), 2, OWN_MAC, DENIED);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x06"), 0, NULL, DENIED);
	assert_nd(136, ADDRESS("\x05"), LOCAL("\x0b"), 2, OWN_MAC, DENIED);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OTHER_MAC, DENIED);
	// A router without router-guard.
	assert_nd(134, LOCAL("\x0a"), NULL, 1, OWN_MAC, PASSES);
	assert_nd(134, LOCAL("\x0b"), NULL, 1, OWN_MAC, DENIED);
	assert_nd(134, LOCAL("\x0a"), NULL, 1, OTHER_MAC, DENIED);
	assert_nd(137, LOCAL("\x0a"), NULL, 2, OTHER_MAC, PASSES);
	assert_nd(137, LOCAL("\x0b"), NULL, 2, OTHER_MAC, DENIED);
	guard.router = 1;
	assert_nd(134, LOCAL("\x0a"), NULL, 1, OWN_MAC, DROP_RouterGuard);
}

static void put_foreign_advertisement(void)
{
	icmp_type = 136;
	nd_source = ADDRESS("\x05");
	nd_target = ADDRESS("\x06");
	nd_link = OWN_MAC;
	nd_option = 2;
	put_nd();
}

static void neighbour_discovery_in_disguise_is_seen(void **state)
{
	guard.arp = 1;
	own("2001:db8::5");
	assert_in_disguises(true, ICMPV6, put_foreign_advertisement, DENIED);
	// In fragments it is nothing that anyone has to read (RFC 6980), be it true or not.
	put_link();
	put_ipv6(44);
	put_fragment(ICMPV6, 0, 0);
	icmp_type = 136;
	nd_source = nd_target = ADDRESS("\x05");
	put_nd();
	layers_end();
	assert_judged(DENIED);
	put_link();
	put_ipv6(60);
	put_extension(60, ICMPV6, 400);
	put_nd();
	layers_end();
	assert_judged(PASSES);
	// One that cannot be looked at to its end.
	put_link();
	put_ipv6(ICMPV6);
	put_nd();
	put_8(14);
	put_8(60);
	put_zeros(478);
	layers_end();
	assert_judged(DENIED);
}

static void malformed_options_are_dropped(void **state)
{
	guard.arp = 1;
	own("2001:db8::5");
	for (unsigned length = 0; length < 256; length++) {
		assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OWN_MAC, PASSES);
		layers.data[14 + 40 + 24 + 9] = (uint8_t)length; // of the last option
		assert_judged(length == 1 ? PASSES : DENIED);
		layers.data[14 + 40 + 24 + 9] = 1;
		layers.data[14 + 40 + 24 + 1] = (uint8_t)length; // of the one before
		assert_judged(length == 1 || length == 2 ? PASSES : DENIED);
	}
	// A link address is six bytes.
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OWN_MAC, PASSES);
	layers.size -= 4;
	put_zeros(8);
	layers.data[14 + 40 + 24 + 9] = 2;
	layers_end();
	assert_judged(DENIED);
	// Cut anywhere but between options.
	for (unsigned type = 133; type <= 136; type++) {
		unsigned header = type == 133 ? 8 : type == 134 ? 16 : 24;

		for (unsigned size = 2; size <= header + 16; size++) {
			assert_nd(type, ADDRESS("\x05"), header == 24 ? ADDRESS("\x05") : NULL, 1,
				  OWN_MAC, PASSES);
			set_16(14 + 4, size);
			assert_judged(size >= header && size % 8 == 0 ? PASSES : DENIED);
		}
	}
}

static void prefixes_are_compared_to_their_last_bit(void **state)
{
	guard.arp = 1;
	for (unsigned bits = 0; bits <= 32; bits++) {
		for (unsigned flip = 0; flip < 32; flip++) {
			uint8_t ip[4] = {10, 1, 0, 5};

			own("10.1.0.5");
			guard.addresses[0].bits = (uint8_t)(96 + bits);
			ip[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
			put_arp(ARP, 1, OWN_MAC, (const char *)ip);
			assert_judged(flip >= bits ? PASSES : DENIED);
		}
	}
	for (unsigned bits = 0; bits <= 128; bits++) {
		for (unsigned flip = 0; flip < 128; flip++) {
			uint8_t ip[16];

			own("2001:db8::5");
			guard.addresses[0].bits = (uint8_t)bits;
			memcpy(ip, guard.addresses[0].bytes, sizeof(ip));
			ip[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
			assert_nd(136, ADDRESS("\x05"), (const char *)ip, 2, OWN_MAC,
				  flip >= bits ? PASSES : DENIED);
		}
	}
	// All of IPv6 is nothing of IPv4, nor is a part that IPv4 is a part of.
	own("10.1.0.5");
	guard.addresses[0].bits = 90;
	put_arp(ARP, 1, OWN_MAC, "\x0a\x01\0\x05");
	assert_judged(DENIED);
	own("::/0");
	put_arp(ARP, 1, OWN_MAC, "\x0a\x01\0\x05");
	assert_judged(DENIED);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x77"), 2, OWN_MAC, PASSES);
	own("0.0.0.0/0");
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OWN_MAC, DENIED);
}

// --- the limit -------------------------------------------------------------------------------

static unsigned arp_from(unsigned last)
{
	char ip[] = {10, 1, 0, (char)last};

	put_arp(ARP, 1, OWN_MAC, ip);
	return judge();
}

static void so_many_addresses_may_be_announced(void **state)
{
	for (unsigned arp = 0; arp < 2; arp++) {
		for (unsigned limit = 1; limit <= GUARD_LEARN_MAX; limit++) {
			no_guard(state);
			own("10.1.0.5,2001:db8::5");
			guard.arp = (uint8_t)arp;
			guard.limit = (uint8_t)limit;
			for (unsigned i = 1; i < limit; i++)
				assert_int_equal(arp_from(100 + i), PASSES);
			assert_nd(136, ADDRESS("\x77"), ADDRESS("\x77"), 2, OWN_MAC, PASSES);
			assert_int_equal(arp_from(200), DENIED);
			assert_nd(136, ADDRESS("\x78"), ADDRESS("\x78"), 2, OWN_MAC, DENIED);
			// Those that were there still are, and those of the port do not count.
			for (unsigned i = 1; i < limit; i++)
				assert_int_equal(arp_from(100 + i), PASSES);
			assert_int_equal(arp_from(5), PASSES);
			put_arp(ARP, 1, OWN_MAC, "\0\0\0\0");
			assert_judged(PASSES);
			assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OWN_MAC, PASSES);
			assert_nd(136, LOCAL("\x0a"), LOCAL("\x0a"), 2, OWN_MAC, PASSES);
			assert_nd(133, NOBODY, NULL, 0, NULL, PASSES);
		}
	}
}

static void the_limit_sees_what_arp_guard_sees(void **state)
{
	static const struct {
		unsigned type;
		const char *source, *target;
	} cases[] = {
		{133, ADDRESS("\x06"), NULL},
		{134, ADDRESS("\x06"), NULL},
		{135, ADDRESS("\x06"), ADDRESS("\x09")},
		{135, NOBODY, ADDRESS("\x06")},
		{136, ADDRESS("\x09"), ADDRESS("\x06")},
		{137, ADDRESS("\x06"), NULL},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		no_guard(state);
		guard.limit = 1;
		assert_int_equal(arp_from(1), PASSES);
		assert_nd(cases[i].type, cases[i].source, cases[i].target, 0, NULL, DENIED);
		no_guard(state);
		guard.limit = 1;
		assert_nd(cases[i].type, cases[i].source, cases[i].target, 0, NULL, PASSES);
		assert_nd(136, ADDRESS("\x06"), ADDRESS("\x06"), 0, NULL, PASSES);
		assert_nd(136, ADDRESS("\x07"), ADDRESS("\x07"), 0, NULL, DENIED);
	}
	put_arp(RARP, 4, OWN_MAC, "\x0a\x01\0\x06");
	assert_judged(DENIED);
}

static void without_arp_guard_link_addresses_may_be_any(void **state)
{
	guard.limit = 2;
	put_arp(ARP, 2, OTHER_MAC, "\x0a\x01\0\x05");
	assert_judged(PASSES);
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OTHER_MAC, PASSES);
	guard.arp = 1;
	assert_nd(136, ADDRESS("\x05"), ADDRESS("\x05"), 2, OTHER_MAC, DENIED);
	put_arp(ARP, 2, OTHER_MAC, "\x0a\x01\0\x05");
	assert_judged(DENIED);
}

static void what_is_dropped_is_not_learned(void **state)
{
	guard.limit = guard.arp = 1;
	put_arp(ARP, 2, OTHER_MAC, "\x0a\x01\0\x06");
	assert_judged(DENIED);
	assert_nd(136, ADDRESS("\x06"), ADDRESS("\x06"), 2, OTHER_MAC, DENIED);
	put_arp(RARP, 4, OWN_MAC, "\x0a\x01\0\x06");
	assert_judged(DENIED);
	assert_int_equal(arp_from(7), PASSES);
	assert_int_equal(arp_from(8), DENIED);
}

static void no_disguise_is_over_the_limit(void **state)
{
	guard.limit = 1;
	assert_int_equal(arp_from(1), PASSES);
	assert_in_disguises(true, ICMPV6, put_foreign_advertisement, DENIED);
	put_hidden();
	assert_judged(DENIED);
	put_arp(ARP, 2, OWN_MAC, "\x0a\x01\0\x01");
	layers.data[14] ^= 4;
	assert_judged(DENIED);
	// What announces nothing passes.
	put_link();
	put_ipv4(UDP, 0, 0);
	put_udp(67, 68, 240);
	layers_end();
	assert_judged(PASSES);
}

static void who_is_silent_loses_its_place(void **state)
{
	guard.limit = 2;
	now_s = UINT32_MAX - 10; // the clock goes round
	assert_int_equal(arp_from(1), PASSES);
	assert_int_equal(arp_from(2), PASSES);
	now_s += 200;
	assert_int_equal(arp_from(2), PASSES);
	now_s += 99;
	assert_int_equal(arp_from(3), DENIED);
	now_s += 1;
	assert_int_equal(arp_from(3), PASSES);
	assert_int_equal(arp_from(1), DENIED);
	now_s += 199;
	assert_int_equal(arp_from(1), DENIED);
	now_s += 1;
	assert_int_equal(arp_from(1), PASSES);
	now_s = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, no_guard)
	const struct CMUnitTest tests[] = {
		TEST(dhcp_guard_catches_servers),
		TEST(dhcp_guard_lets_clients_and_others_pass),
		TEST(what_the_message_is_must_be_seen),
		TEST(what_lies_elsewhere_is_not_seen),
		TEST(router_guard_catches_routers),
		TEST(later_fragments_pass),
		TEST(what_hides_is_dropped_by_the_first_guard),
		TEST(arp_tells_of_own_addresses),
		TEST(arp_in_disguise_is_arp),
		TEST(arp_of_other_kinds_is_dropped),
		TEST(a_machine_that_moved_announces_itself_by_rarp),
		TEST(solicitations_come_from_own_addresses),
		TEST(advertisements_tell_of_own_addresses),
		TEST(neighbour_discovery_in_disguise_is_seen),
		TEST(malformed_options_are_dropped),
		TEST(prefixes_are_compared_to_their_last_bit),
		TEST(so_many_addresses_may_be_announced),
		TEST(the_limit_sees_what_arp_guard_sees),
		TEST(without_arp_guard_link_addresses_may_be_any),
		TEST(what_is_dropped_is_not_learned),
		TEST(no_disguise_is_over_the_limit),
		TEST(who_is_silent_loses_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What the reader of headers says of frames: of every layer alone, of every disguise, cut at
 * every byte, and the same wherever the frame lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "switch/parse.h"
#include "tests/unit/layers.h"

enum { UDP = 17, TCP = 6, ICMP = 1, ICMPV6 = 58, IP_MORE = 0x2000 };

// What is said of the frame, which must not depend on where it lies.
static struct parse look(void)
{
	static uint8_t after[LAYERS_MAX];
	struct parse first = {0}, p;

	for (int shape = 0; shape < LAYERS_SHAPES; shape++) {
		struct vnbl v;

		layers_give(&v, shape);
		parse_frame(&v, &p);
		vnbl_copy_out(&v, 0, after, layers.size);
		assert_memory_equal(after, layers.data, layers.size);
		assert_true(p.seen <= v.safe_size && p.seen <= PARSE_MAX);
		assert_memory_equal(v.hdr, layers.data, p.seen);
		assert_true(p.l3 <= p.seen && p.l4 <= p.seen);
		p.seen = 0;
		if (shape == 0)
			first = p;
		assert_memory_equal(&p, &first, sizeof(p));
	}
	return first;
}

static void assert_hidden(void)
{
	assert_true(look().flags & PARSE_HIDDEN);
}

// Read up to the protocol's header, which is at 'l4'.
static struct parse assert_seen(unsigned flags, unsigned protocol, unsigned l4)
{
	struct parse p = look();

	assert_int_equal(p.flags, flags);
	assert_int_equal(p.protocol, protocol);
	assert_int_equal(p.l4, l4);
	return p;
}

static void assert_ports(unsigned flags, unsigned protocol, unsigned l4)
{
	struct parse p = assert_seen(flags | PARSE_PORTS, protocol, l4);

	assert_int_equal(p.src_port, 1234);
	assert_int_equal(p.dst_port, 5678);
}

static void put_ports(void)
{
	put_udp(1234, 5678, 9);
	layers_end();
}

static void plain_headers_are_read(void **state)
{
	struct parse p;

	put_link();
	put_ipv4(UDP, 0, 0);
	put_ports();
	assert_ports(PARSE_IPV4, UDP, 34);
	assert_int_equal(look().l3, 14);
	assert_int_equal(look().type, 0x0800);

	put_link();
	put_ipv6(TCP);
	put_tcp(1234, 5678, 0x12);
	layers_end();
	assert_ports(PARSE_IPV6, TCP, 54);
	assert_int_equal(look().tcp_flags, 0x12);

	put_link();
	put_ipv4(ICMP, 0, 0);
	put_16(0x0305);
	layers_end();
	p = assert_seen(PARSE_IPV4 | PARSE_ICMP | PARSE_ICMP_ERROR, ICMP, 34);
	assert_int_equal(p.icmp_type, 3);
	assert_int_equal(p.icmp_code, 5);

	put_link();
	put_16(0x88cc);
	put_zeros(46);
	p = assert_seen(0, 0, 0);
	assert_int_equal(p.type, 0x88cc);
	assert_int_equal(p.l3, 14);
}

static void each_protocol_shows_what_it_has(void **state)
{
	static const struct {
		uint8_t protocol, size;
	} with_ports[] = {{TCP, 14}, {UDP, 8}, {132, 12}, {136, 8}, {33, 12}};

	for (unsigned i = 0; i < sizeof(with_ports) / sizeof(with_ports[0]); i++) {
		for (unsigned size = 0; size < 20; size++) {
			put_link();
			put_ipv4(with_ports[i].protocol, 0, 0);
			put_16(1234);
			put_16(5678);
			put_zeros(16);
			layers.size = 34 + size;
			layers_end();
			layers.size = 80;
			if (size < with_ports[i].size)
				assert_hidden();
			else
				assert_ports(PARSE_IPV4, with_ports[i].protocol, 34);
		}
	}
	// Without ports, and ICMP of the other version, nothing has to follow.
	for (unsigned is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		static const uint8_t without[] = {2, 4, 41, 47, 50, 103, 253, 255};

		for (unsigned i = 0; i < sizeof(without); i++) {
			put_link();
			if (is_ipv6)
				put_ipv6(without[i]);
			else
				put_ipv4(without[i], 0, 0);
			layers_end();
			assert_seen(is_ipv6 ? PARSE_IPV6 : PARSE_IPV4, without[i],
				    is_ipv6 ? 54 : 34);
		}
	}
	put_link();
	put_ipv4(ICMPV6, 0, 0);
	layers_end();
	assert_seen(PARSE_IPV4, ICMPV6, 34);
	put_link();
	put_ipv6(ICMP);
	layers_end();
	assert_seen(PARSE_IPV6, ICMP, 54);
	put_link();
	put_ipv6(59);
	layers_end();
	assert_seen(PARSE_IPV6, 59, 0);
}

static void up_to_three_tags_are_followed(void **state)
{
	static const unsigned types[] = {0x8100, 0x88a8, 0x9100};

	for (unsigned tags = 0; tags <= 5; tags++) {
		for (unsigned kind = 0; kind < 27; kind++) {
			unsigned k = kind;

			put_link();
			for (unsigned i = 0; i < tags; i++, k /= 3)
				put_tag(types[k % 3]);
			put_ipv6(UDP);
			put_ports();
			if (tags > 3)
				assert_hidden();
			else
				assert_ports(PARSE_IPV6, UDP, 54 + 4 * tags);
		}
	}
}

static void snap_is_followed(void **state)
{
	for (unsigned before = 0; before <= 3; before++) {
		for (unsigned after = 0; after <= 3; after++) {
			put_link();
			for (unsigned i = 0; i < before; i++)
				put_tag(0x8100);
			put_snap(after % 2 == 0 ? 0 : 0xf8);
			for (unsigned i = 0; i < after; i++)
				put_tag(0x88a8);
			put_ipv4(UDP, 8, 0);
			put_ports();
			put_zeros(10); // padding
			if (before + after > 3)
				assert_hidden();
			else
				assert_ports(PARSE_IPV4, UDP, 14 + 4 * (before + after) + 8 + 28);
		}
	}
}

static void put_snap_packet(void)
{
	put_link();
	put_snap(0);
	put_ipv4(UDP, 0, 0);
	put_ports();
}

static void snap_with_wrong_lengths_is_hidden(void **state)
{
	unsigned right;

	put_snap_packet();
	right = layers.data[12] << 8 | layers.data[13];
	for (unsigned length = 0; length < 0x600; length++) {
		put_snap_packet();
		put_zeros(20);
		set_16(12, length);
		if (length < right || length > right + 20)
			assert_hidden();
		else
			assert_ports(PARSE_IPV4, UDP, 14 + 8 + 20);
	}
	// One in the other.
	put_link();
	put_snap(0);
	put_snap(0);
	put_ipv4(UDP, 0, 0);
	put_ports();
	set_16(12, layers.size - 14);
	assert_hidden();
}

static void other_8022_is_no_ip(void **state)
{
	put_link();
	put_16(38);
	put_bytes("\x42\x42\x03", 3); // a spanning tree's
	put_zeros(43);
	assert_seen(0, 0, 0);
	assert_int_equal(look().type, 38);
	// A vendor's SNAP.
	put_link();
	put_snap(0x0c);
	put_ipv4(UDP, 0, 0);
	put_ports();
	assert_seen(0, 0, 0);
	// The bits that are no part of a SAP or of what the frame is change nothing.
	for (unsigned bit = 0; bit < 3; bit++) {
		put_snap_packet();
		layers.data[14 + bit] ^= bit == 2 ? 0x10 : 1;
		assert_ports(PARSE_IPV4, UDP, 14 + 8 + 20);
	}
	put_snap_packet();
	layers.data[16] = 0xaf; // not information
	assert_seen(0, 0, 0);
	// IP and ARP by their own numbers.
	put_link();
	put_16(40);
	put_bytes("\x06\x06\x03", 3);
	put_zeros(43);
	assert_hidden();
	layers.data[14] = 0x98;
	assert_hidden();
}

static void put_arp(unsigned type)
{
	put_link();
	put_16(type);
	put_bytes("\0\x01\x08\0\x06\x04\0\x01", 8);
	put_zeros(20);
}

static void arp_is_for_ethernet_and_ipv4(void **state)
{
	put_arp(0x0806);
	assert_seen(PARSE_ARP, 0, 14);
	put_arp(0x8035);
	assert_seen(PARSE_ARP, 0, 14);
	for (unsigned i = 0; i < 6; i++) {
		put_arp(0x0806);
		layers.data[14 + i] ^= 1;
		assert_seen(0, 0, 0);
	}
	for (unsigned size = 14; size < 42; size++) {
		put_arp(0x0806);
		layers.size = size;
		assert_hidden();
	}
}

static void ipv4_headers_must_fit(void **state)
{
	for (unsigned options = 0; options <= 40; options += 4) {
		put_link();
		put_ipv4(UDP, options, 0);
		put_ports();
		assert_ports(PARSE_IPV4, UDP, 34 + options);
		put_zeros(30); // padding
		assert_ports(PARSE_IPV4, UDP, 34 + options);
	}
	for (unsigned version = 0; version < 16; version++) {
		for (unsigned words = 0; words < 16; words++) {
			put_link();
			put_ipv4(UDP, 0, 0);
			put_zeros(40);
			put_ports();
			layers.data[14] = (uint8_t)(version << 4 | words);
			if (version == 4 && words >= 5)
				assert_seen(PARSE_IPV4 | PARSE_PORTS, UDP, 14 + words * 4);
			else
				assert_hidden();
		}
	}
	// Of each length that the header may claim, only those work that hold it and are there.
	for (unsigned length = 0; length <= 0xffff; length += length < 120 ? 1 : 257) {
		put_link();
		put_ipv4(UDP, 8, 0);
		put_ports();
		set_16(16, length);
		if (length < 36 || length > layers.size - 14)
			assert_hidden();
		else
			assert_ports(PARSE_IPV4, UDP, 42);
	}
}

static void ipv6_headers_must_fit(void **state)
{
	for (unsigned version = 0; version < 16; version++) {
		put_link();
		put_ipv6(UDP);
		put_ports();
		layers.data[14] = (uint8_t)(version << 4 | 5);
		if (version == 6)
			assert_ports(PARSE_IPV6, UDP, 54);
		else
			assert_hidden();
	}
	for (unsigned length = 0; length <= 0xffff; length += length < 60 ? 1 : 257) {
		put_link();
		put_ipv6(UDP);
		put_ports();
		set_16(18, length);
		if (length < 8 || length > 17)
			assert_hidden();
		else
			assert_ports(PARSE_IPV6, UDP, 54);
	}
}

static void large_packets_are_packets(void **state)
{
	put_link();
	put_ipv4(TCP, 0, 0);
	put_tcp(1234, 5678, 0);
	put_zeros(65535 - 40);
	layers_end();
	assert_ports(PARSE_IPV4, TCP, 34);

	put_link();
	put_ipv6(TCP);
	put_tcp(1234, 5678, 0);
	put_zeros(65535 - 40 - 20);
	layers_end();
	assert_ports(PARSE_IPV6, TCP, 54);
	// A jumbogram: the length is in an option.
	put_link();
	put_ipv6(0);
	put_extension(0, UDP, 8);
	put_udp(1234, 5678, 100);
	assert_hidden();
}

static void fragments_of_ipv4(void **state)
{
	const unsigned flags = PARSE_IPV4 | PARSE_FRAGMENT;

	put_link();
	put_ipv4(UDP, 0, IP_MORE);
	put_ports();
	assert_ports(flags, UDP, 34);
	// "Do not fragment" and the bit without a meaning are no fragment.
	put_link();
	put_ipv4(UDP, 0, 0xc000);
	put_ports();
	assert_ports(PARSE_IPV4, UDP, 34);
	for (unsigned offset = 1; offset <= 0x1fff; offset += offset < 9 ? 1 : 97) {
		for (unsigned more = 0; more <= IP_MORE; more += IP_MORE) {
			static const uint8_t protocols[] = {TCP, UDP, ICMP, 50};

			for (unsigned i = 0; i < sizeof(protocols); i++) {
				put_link();
				put_ipv4(protocols[i], 0, offset | more);
				put_ports();
				if (offset == 1 && i < 2)
					assert_hidden();
				else
					assert_seen(flags | PARSE_LATER, protocols[i], 0);
			}
		}
	}
	// First ones without their ports.
	for (unsigned size = 0; size <= 24; size++) {
		put_link();
		put_ipv4(TCP, 0, IP_MORE);
		put_tcp(1234, 5678, 2);
		put_zeros(4);
		layers.size = 34 + size;
		layers_end();
		layers.size = 60;
		if (size < 14)
			assert_hidden();
		else
			assert_ports(flags, TCP, 34);
	}
}

static void fragments_say_of_which_packet_they_are(void **state)
{
	for (unsigned offset = 0; offset < 20; offset += 10) {
		put_link();
		put_ipv4(UDP, 0, offset | IP_MORE);
		put_ports();
		assert_int_equal(look().frag_id, 0x1234);
		put_link();
		put_ipv6(60);
		put_extension(60, 44, 8);
		put_fragment(UDP, offset * 8, 1);
		layers.data[layers.size - 4] = 0xfe;
		put_ports();
		assert_int_equal(look().frag_id, 0xfe000077);
	}
	put_link();
	put_ipv4(UDP, 0, 0);
	put_ports();
	assert_int_equal(look().frag_id, 0);
}

enum { EXTENSIONS = 7 };

static const uint8_t extensions[EXTENSIONS] = {0, 43, 51, 60, 135, 139, 140};

// All chains of up to three, each of several sizes, and a fragment header somewhere in between.
static void extension_headers_in_any_order(void **state)
{
	for (unsigned n = 0; n <= 3; n++) {
		unsigned chains = n == 0 ? 1 : n == 1 ? 7 : n == 2 ? 49 : 343;

		for (unsigned chain = 0; chain < chains; chain++) {
			for (unsigned fragment = 0; fragment <= n + 1; fragment++) {
				unsigned c = chain, l4 = 54, at;
				uint8_t *next;

				put_link();
				put_ipv6(0);
				next = &layers.data[20];
				for (at = 0; at <= n; at++, c /= EXTENSIONS) {
					uint8_t self = extensions[c % EXTENSIONS];
					unsigned size = 8 * (1 + (chain + at) % 4);

					if (at == fragment) {
						*next = 44;
						next = &layers.data[layers.size];
						put_fragment(UDP, 0, 1);
						l4 += 8;
					}
					if (at == n)
						break;
					*next = self;
					next = &layers.data[layers.size];
					put_extension(self, UDP, size);
					l4 += size;
				}
				*next = UDP;
				put_ports();
				assert_ports(PARSE_IPV6 | (fragment <= n ? PARSE_FRAGMENT : 0), UDP,
					     l4);
			}
		}
	}
}

static void extension_headers_must_fit(void **state)
{
	// In the packet.
	for (unsigned i = 0; i < EXTENSIONS; i++) {
		for (unsigned size = 0; size < 40; size++) {
			put_link();
			put_ipv6(extensions[i]);
			put_extension(extensions[i], UDP, 24);
			put_udp(1234, 5678, 8);
			layers.size = 54 + size;
			layers_end();
			layers.size = 94;
			if (size < 32)
				assert_hidden();
			else
				assert_ports(PARSE_IPV6, UDP, 78);
		}
		// As long as one says it is: up to what can be looked at.
		for (unsigned size = 8; size <= 1020; size += 4) {
			unsigned l4 = 54 + size;

			if (extensions[i] != 51 && size % 8 != 0)
				continue;
			put_link();
			put_ipv6(extensions[i]);
			put_extension(extensions[i], UDP, size);
			put_udp(1234, 5678, 1000);
			layers_end();
			if (l4 + 8 > PARSE_MAX)
				assert_hidden();
			else
				assert_ports(PARSE_IPV6, UDP, l4);
		}
	}
	// Ever more of them.
	for (unsigned n = 0; n < 90; n++) {
		unsigned l4 = 54 + 8 * n;

		put_link();
		put_ipv6(n == 0 ? UDP : 60);
		for (unsigned i = 0; i < n; i++)
			put_extension(60, i + 1 == n ? UDP : 60, 8);
		put_ports();
		if (l4 + 8 > PARSE_MAX)
			assert_hidden();
		else
			assert_ports(PARSE_IPV6, UDP, l4);
	}
}

static void fragments_of_ipv6(void **state)
{
	const unsigned flags = PARSE_IPV6 | PARSE_FRAGMENT;

	// The only one of its packet (RFC 6946) and the first one show their ports.
	for (unsigned more = 0; more <= 1; more++) {
		put_link();
		put_ipv6(44);
		put_fragment(UDP, 0, more);
		put_ports();
		assert_ports(flags, UDP, 62);
	}
	// Two headers, the outer a first one's: what the inner says counts.
	put_link();
	put_ipv6(44);
	put_fragment(44, 0, 1);
	put_fragment(UDP, 0, 1);
	put_ports();
	assert_ports(flags, UDP, 70);
	for (unsigned offset = 8; offset <= 0xfff8; offset += offset < 64 ? 8 : 1000) {
		put_link();
		put_ipv6(0);
		put_extension(0, 44, 8);
		put_fragment(ICMPV6, offset, 1);
		put_ports();
		if (offset == 8) // which may be TCP, by what the first one says
			assert_hidden();
		else
			assert_seen(flags | PARSE_LATER, ICMPV6, 0);
	}
	put_link();
	put_ipv6(44);
	put_fragment(TCP, 8, 0);
	put_ports();
	assert_hidden();
	// RFC 7112: the whole chain is in the first one.
	put_link();
	put_ipv6(44);
	put_fragment(60, 0, 1);
	put_extension(60, ICMPV6, 16);
	layers_end();
	assert_hidden();
	put_16(0x8600);
	layers_end();
	assert_int_equal(assert_seen(flags | PARSE_ICMP, ICMPV6, 78).icmp_type, 0x86);
}

// What a guest can change meanwhile is read at most once.
static void more_is_asked_for_once(void **state)
{
	for (unsigned size = 100; size < 700; size += 100) {
		struct parse p;
		struct vnbl v;

		put_link();
		put_ipv6(60);
		put_extension(60, 60, 40);
		put_extension(60, UDP, 40);
		put_udp(1234, 5678, size);
		layers_end();
		layers_give(&v, LAYERS_GUEST);
		parse_frame(&v, &p);
		assert_int_equal(p.seen, layers.size < PARSE_MAX ? layers.size : PARSE_MAX);
		assert_int_equal(v.safe_size, p.seen);
	}
}

static void neighbour_discovery_is_seen_whole(void **state)
{
	for (unsigned type = 130; type < 140; type++) {
		struct parse p;
		struct vnbl v;

		put_link();
		put_ipv6(ICMPV6);
		put_8(type);
		put_zeros(300);
		layers_end();
		put_zeros(100);
		layers_give(&v, LAYERS_STRIPPED);
		parse_frame(&v, &p);
		assert_int_equal(p.flags, PARSE_IPV6 | PARSE_ICMP);
		if (type >= 133 && type <= 137)
			assert_in_range(p.seen, 54 + 301, PARSE_MAX);
		else
			assert_int_equal(p.seen, VNBL_SAFE_SIZE - VNBL_TAG_SIZE);
	}
}

// Frames with a bit of everything; the smallest size of the packet that shows all of it.
static unsigned make_sample(unsigned number)
{
	put_link();
	switch (number) {
	case 0:
		put_tag(0x8100);
		put_ipv4(TCP, 12, 0);
		put_tcp(1234, 5678, 2);
		put_zeros(30);
		return 14 + 4 + 32 + 14;
	case 1:
		put_tag(0x88a8);
		put_tag(0x8100);
		put_ipv6(0);
		put_extension(0, 43, 16);
		put_extension(43, 44, 24);
		put_fragment(51, 0, 1);
		put_extension(51, 60, 20);
		put_extension(60, UDP, 96);
		put_udp(1234, 5678, 40);
		return 14 + 8 + 40 + 16 + 24 + 8 + 20 + 96 + 8;
	case 2:
		put_ipv6(60);
		put_extension(60, ICMPV6, 240);
		put_16(0x8700);
		put_zeros(38);
		return 14 + 40 + 240 + 2;
	case 3:
		put_ipv4(UDP, 40, 0x2000 | 5);
		put_zeros(100);
		return 14 + 60;
	default:
		put_snap(0);
		put_tag(0x9100);
		put_ipv4(ICMP, 4, 0);
		put_16(0x0500);
		put_zeros(60);
		return 14 + 8 + 4 + 24 + 2;
	}
}

enum { SAMPLES = 5 };

static void frames_cut_at_every_byte_are_hidden(void **state)
{
	for (unsigned number = 0; number < SAMPLES; number++) {
		uint32_t whole;

		make_sample(number);
		layers_end();
		whole = layers.size;
		assert_false(look().flags & PARSE_HIDDEN);
		for (layers.size = 0; layers.size < whole; layers.size++)
			assert_hidden();
	}
}

static void packets_cut_at_every_byte_show_all_or_are_hidden(void **state)
{
	for (unsigned number = 0; number < SAMPLES; number++) {
		unsigned needed = make_sample(number);
		uint32_t whole = layers.size, least;
		struct parse all, p;

		least = layers.ipv4 != 0 ? layers.ipv4 + 20 : layers.ipv6 + 40;
		layers_end();
		all = look();
		for (uint32_t size = least; size <= whole; size++) {
			layers.size = size;
			layers_end();
			layers.size = whole; // the rest is padding, and not to be believed
			p = look();
			assert_int_equal((p.flags & PARSE_HIDDEN) != 0, size < needed);
			if (size >= needed)
				assert_memory_equal(&p, &all, sizeof(p));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_headers_are_read),
		cmocka_unit_test(each_protocol_shows_what_it_has),
		cmocka_unit_test(up_to_three_tags_are_followed),
		cmocka_unit_test(snap_is_followed),
		cmocka_unit_test(snap_with_wrong_lengths_is_hidden),
		cmocka_unit_test(other_8022_is_no_ip),
		cmocka_unit_test(arp_is_for_ethernet_and_ipv4),
		cmocka_unit_test(ipv4_headers_must_fit),
		cmocka_unit_test(ipv6_headers_must_fit),
		cmocka_unit_test(large_packets_are_packets),
		cmocka_unit_test(fragments_of_ipv4),
		cmocka_unit_test(fragments_say_of_which_packet_they_are),
		cmocka_unit_test(extension_headers_in_any_order),
		cmocka_unit_test(extension_headers_must_fit),
		cmocka_unit_test(fragments_of_ipv6),
		cmocka_unit_test(more_is_asked_for_once),
		cmocka_unit_test(neighbour_discovery_is_seen_whole),
		cmocka_unit_test(frames_cut_at_every_byte_are_hidden),
		cmocka_unit_test(packets_cut_at_every_byte_show_all_or_are_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Any frame, lying as a guest's or a TAP's.
 *
 *    input:  [0] bits 0-1: shape (enum layers_shape), bits 2-6: guards, an address, a limit
 *            then the frame
 *
 * What parse_frame() says is compared with a plain reader below that shares no line with it, for
 * the frame and for the frame with a byte more: that byte may show what was hidden and change
 * nothing else. Guards drop what is hidden.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ports/drops.h"
#include "switch/guard.h"
#include "switch/parse.h"
#include "tests/unit/layers.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

// The plain reader takes bytes off the front; 'hidden' once there were not enough.
struct plain {
	const uint8_t *data;
	unsigned at, seen; // bytes
	unsigned end;      // of the packet
	bool hidden;
};

static unsigned take(struct plain *s, unsigned n)
{
	unsigned value = 0;

	for (unsigned i = 0; i < n; i++, s->at++) {
		if (s->at >= s->seen || s->at >= s->end) {
			s->hidden = true;
			s->at = s->end;
			return 0;
		}
		value = value << 8 | s->data[s->at];
	}
	return value;
}

static void skip(struct plain *s, unsigned n)
{
	while (n-- > 0 && !s->hidden)
		take(s, 1);
}

// An identifier may be missing; nothing is hidden then.
static void plain_icmp(struct plain *s, struct parse *p)
{
	static const char *const ids[] = {"\x08\x0d\x0e", "\x80\x81"};
	static const char *const errors[] = {"\x03\x04\x0b\x0c", "\x01\x02\x03\x04"};
	bool is_ipv6 = p->flags & PARSE_IPV6;
	unsigned type = take(s, 1), id;

	p->icmp_type = (uint8_t)type;
	p->icmp_code = (uint8_t)take(s, 1);
	p->flags |= PARSE_ICMP;
	if (s->hidden)
		return;
	if (type != 0 && strchr(errors[is_ipv6], (int)type) != NULL)
		p->flags |= PARSE_ICMP_ERROR;
	if (type == 0 ? is_ipv6 : strchr(ids[is_ipv6], (int)type) == NULL)
		return;
	skip(s, 2);
	id = take(s, 2);
	skip(s, 2);
	if (!s->hidden) {
		p->flags |= PARSE_ICMP_ID;
		p->icmp_id = (uint16_t)id;
	}
	s->hidden = false;
}

static void plain_l4(struct plain *s, struct parse *p, unsigned protocol)
{
	bool is_ipv6 = p->flags & PARSE_IPV6;
	unsigned l4 = s->at;

	p->protocol = (uint8_t)protocol;
	if (protocol == (is_ipv6 ? 58 : 1)) {
		plain_icmp(s, p);
	} else if (protocol == 6 || protocol == 17 || protocol == 136 || protocol == 132 ||
		   protocol == 33) {
		p->src_port = (uint16_t)take(s, 2);
		p->dst_port = (uint16_t)take(s, 2);
		p->flags |= PARSE_PORTS;
		skip(s, 4);
		if (protocol == 132 || protocol == 33)
			skip(s, 4);
		if (protocol == 6) {
			skip(s, 5);
			p->tcp_flags = (uint8_t)take(s, 1);
		}
	} else if (protocol == 59) {
		return;
	}
	p->l4 = (uint16_t)l4;
}

// True: it is not the first one.
static bool plain_fragment(struct plain *s, struct parse *p, unsigned protocol, unsigned offset)
{
	if (offset == 0)
		return false;
	p->flags |= PARSE_LATER;
	p->protocol = (uint8_t)protocol;
	if (offset == 8 && (protocol == 6 || protocol == 17 || p->flags & PARSE_IPV6))
		s->hidden = true;
	return true;
}

static void plain_ipv4(struct plain *s, struct parse *p)
{
	unsigned l3 = s->at, first = take(s, 1), total, id, fragment, protocol, words = first % 16;

	skip(s, 1);
	total = take(s, 2);
	id = take(s, 2);
	fragment = take(s, 2);
	skip(s, 1);
	protocol = take(s, 1);
	skip(s, 10);
	if (s->hidden || first / 16 != 4 || words < 5 || l3 + total > s->end) {
		s->hidden = true;
		return;
	}
	p->flags |= PARSE_IPV4;
	s->end = l3 + total;
	s->at = l3 + 20;
	if (s->end < s->at)
		s->hidden = true;
	skip(s, 4 * (words - 5));
	if (s->hidden)
		return;
	if (fragment % 0x4000 != 0) {
		p->flags |= PARSE_FRAGMENT;
		p->frag_id = id;
	}
	if (!plain_fragment(s, p, protocol, fragment % 0x2000 * 8))
		plain_l4(s, p, protocol);
}

static void plain_ipv6(struct plain *s, struct parse *p)
{
	unsigned first = take(s, 4), length = take(s, 2), next = take(s, 1);

	skip(s, 33);
	if (s->hidden || first >> 28 != 6 || s->at + length > s->end) {
		s->hidden = true;
		return;
	}
	p->flags |= PARSE_IPV6;
	s->end = s->at + length;
	while (!s->hidden && strchr("\x2b\x33\x3c\x87\x8b\x8c\x2c", (int)next) != NULL) {
		unsigned self = next, size, offset;

		next = take(s, 1);
		size = take(s, 1);
		if (self == 44) {
			offset = take(s, 2) / 8 * 8;
			p->frag_id = take(s, 4);
			if (s->hidden)
				return;
			p->flags |= PARSE_FRAGMENT;
			if (plain_fragment(s, p, next, offset))
				return;
		} else {
			skip(s, self == 51 ? size * 4 + 6 : size * 8 + 6);
		}
	}
	if (!s->hidden)
		plain_l4(s, p, next);
}

static void plain_arp(struct plain *s, struct parse *p)
{
	unsigned l3 = s->at, kind = take(s, 4), sizes = take(s, 2);

	skip(s, 2);
	if (kind != 0x00010800 || sizes != 0x0604)
		return;
	skip(s, 20);
	if (s->hidden)
		return;
	p->flags |= PARSE_ARP;
	p->l4 = (uint16_t)l3;
}

static void plain_link(struct plain *s, struct parse *p)
{
	unsigned tags = 0, snaps = 0;

	skip(s, 12);
	while (!s->hidden) {
		unsigned at = s->at, type = take(s, 2), llc, oui;

		p->type = (uint16_t)type;
		p->l3 = (uint16_t)s->at;
		if (type == 0x8100 || type == 0x88a8 || type == 0x9100) {
			if (++tags > 3)
				s->hidden = true;
			skip(s, 2);
			continue;
		}
		if (type >= 0x600)
			return;
		llc = take(s, 3);
		if (snaps++ > 0 || (llc & 0xfe0000) == 0x060000 || (llc & 0xfe0000) == 0x980000)
			s->hidden = true;
		if (s->hidden || (llc & 0xfefeef) != 0xaaaa03) {
			s->at = at + 2;
			return;
		}
		oui = take(s, 3);
		take(s, 2);
		s->at -= 2;
		if (s->hidden || (oui != 0 && oui != 0xf8)) {
			s->at = at + 2;
			return;
		}
		if (type < 8 || at + 2 + type > s->end)
			s->hidden = true;
		else
			s->end = at + 2 + type;
	}
}

static struct parse plain_parse(void)
{
	struct plain s = {.data = layers.data, .end = layers.size};
	struct parse p = {0};

	s.seen = layers.size < PARSE_MAX ? layers.size : PARSE_MAX;
	plain_link(&s, &p);
	if (!s.hidden && p.type == 0x0800)
		plain_ipv4(&s, &p);
	else if (!s.hidden && p.type == 0x86dd)
		plain_ipv6(&s, &p);
	else if (!s.hidden && (p.type == 0x0806 || p.type == 0x8035))
		plain_arp(&s, &p);
	if (s.hidden)
		p.flags |= PARSE_HIDDEN;
	return p;
}

static void check_guards(const uint8_t input, const struct vnbl *v, const struct parse *p)
{
	struct guard_rules guard = {.dhcp = input >> 2 & 1,
				    .router = input >> 3 & 1,
				    .arp = input >> 4 & 1,
				    .n_addresses = input >> 5 & 1,
				    .limit = input >> 6 & 1};
	struct guard_learn learned = {.entries[0].state = 0};
	unsigned reason;

	guard.addresses[0] = (struct guard_address){.bytes = {[15] = 1}, .bits = 127};
	reason = guard_enter(&guard, &learned, v, p, 0);
	CHECK(guard_enter(&guard, &learned, v, p, 1) == reason);
	CHECK(reason == DROP_COUNT || (guard.dhcp && reason == DROP_DhcpGuard) ||
	      (guard.router && reason == DROP_RouterGuard) ||
	      ((guard.arp || guard.limit) && reason == DROP_FailedSecurityPolicy));
	if (p->flags & PARSE_HIDDEN)
		CHECK(reason != DROP_COUNT ||
		      !(guard.dhcp || guard.router || guard.arp || guard.limit));
	else if (p->flags & PARSE_LATER)
		CHECK(reason == DROP_COUNT);
}

// What an error quotes is as much of a packet as is there.
static void check_quoted(struct vnbl *v, const struct parse *p)
{
	struct parse quoted;

	if (p->flags & PARSE_HIDDEN || !(p->flags & PARSE_ICMP_ERROR))
		return;
	parse_quoted(v, p, &quoted);
	CHECK(quoted.l3 == p->l4 + 8);
	CHECK(quoted.seen <= v->safe_size && quoted.seen <= PARSE_MAX);
	if (quoted.flags & PARSE_HIDDEN)
		return;
	CHECK((quoted.flags & (PARSE_IPV4 | PARSE_IPV6)) == (p->flags & (PARSE_IPV4 | PARSE_IPV6)));
	CHECK(quoted.l3 + 20 <= quoted.seen && quoted.l4 <= quoted.seen);
	if (quoted.flags & PARSE_PORTS)
		CHECK(quoted.l4 + 8 <= quoted.seen && v->hdr[quoted.l4] == quoted.src_port >> 8);
}

// 'ret' without what was seen.
static void look(uint8_t input, struct parse *ret)
{
	static uint8_t after[LAYERS_MAX];
	struct parse p, expected = plain_parse();
	struct vnbl v;

	layers_give(&v, (input & 3) % LAYERS_SHAPES);
	parse_frame(&v, &p);
	CHECK(p.seen <= v.safe_size && p.seen <= PARSE_MAX && p.l4 <= p.seen && p.l3 <= p.seen);
	check_guards(input, &v, &p);
	check_quoted(&v, &p);
	vnbl_copy_out(&v, 0, after, layers.size);
	CHECK(memcmp(after, layers.data, layers.size) == 0);
	p.seen = 0;
	CHECK((p.flags & PARSE_HIDDEN) == (expected.flags & PARSE_HIDDEN));
	CHECK(p.flags & PARSE_HIDDEN || memcmp(&p, &expected, sizeof(p)) == 0);
	*ret = p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parse p, more;

	if (size < 1 || size > 2048)
		return 0;
	layers.size = 0;
	put_bytes(data + 1, (uint32_t)size - 1);
	look(data[0], &p);
	put_8(data[size - 1]);
	look(data[0], &more);
	if (!(p.flags & PARSE_HIDDEN))
		CHECK(memcmp(&p, &more, sizeof(p)) == 0);
	return 0;
}

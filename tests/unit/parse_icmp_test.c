/*
 * What the reader of headers says of ICMP: the identifiers of questions and answers, and the
 * packets that errors quote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/parse.h"
#include "tests/unit/layers.h"

enum { TCP = 6, ICMP = 1, ICMPV6 = 58 };

static struct parse look_icmp(void)
{
	struct parse p;
	struct vnbl v;

	layers_give(&v, LAYERS_GUEST);
	parse_frame(&v, &p);
	assert_int_equal(p.flags & (PARSE_ICMP | PARSE_HIDDEN), PARSE_ICMP);
	return p;
}

static void put_icmp(bool is_ipv6, unsigned type)
{
	put_link();
	if (is_ipv6)
		put_ipv6(ICMPV6);
	else
		put_ipv4(ICMP, 0, 0);
	put_8(type);
	put_zeros(3);
	put_16(0x4567);
	put_16(0);
	layers_end();
}

static void icmp_has_an_id_or_an_error(void **state)
{
	static const uint8_t ids[2][5] = {{0, 8, 13, 14}, {128, 129}};
	static const uint8_t errors[2][5] = {{3, 4, 11, 12}, {1, 2, 3, 4}};

	for (unsigned type = 0; type < 256; type++) {
		for (unsigned is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
			bool has_id = memchr(ids[is_ipv6], (int)type, is_ipv6 ? 2 : 4) != NULL;
			bool is_error = memchr(errors[is_ipv6], (int)type, 4) != NULL;
			struct parse p;

			put_icmp(is_ipv6, type);
			p = look_icmp();
			assert_int_equal((p.flags & PARSE_ICMP_ID) != 0, has_id);
			assert_int_equal((p.flags & PARSE_ICMP_ERROR) != 0, is_error);
			assert_int_equal(p.icmp_id, has_id ? 0x4567 : 0);
			// One cut short has none, and hides nothing.
			layers.size -= 2;
			layers_end();
			put_zeros(2);
			p = look_icmp();
			assert_int_equal(p.flags & (PARSE_ICMP_ID | PARSE_HIDDEN), 0);
		}
	}
}

// What the error says that is laid with its quoted packet at 'at'.
static struct parse look_quoted(unsigned at)
{
	struct parse first = {0};

	for (int shape = 0; shape < LAYERS_SHAPES; shape++) {
		struct parse error, p;
		struct vnbl v;

		layers_give(&v, shape);
		parse_frame(&v, &error);
		assert_true(error.flags & PARSE_ICMP_ERROR);
		parse_quoted(&v, &error, &p);
		assert_int_equal(p.l3, at);
		assert_true(p.l4 <= p.seen && p.seen <= v.safe_size);
		p.seen = 0;
		if (shape == 0)
			first = p;
		assert_memory_equal(&p, &first, sizeof(p));
	}
	return first;
}

static void errors_quote_what_they_are_about(void **state)
{
	static uint8_t packet[2][200];
	unsigned sizes[2];
	struct parse p;

	for (unsigned is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		put_link();
		if (is_ipv6)
			put_ipv6(TCP);
		else
			put_ipv4(TCP, 8, 0);
		put_tcp(1234, 5678, 2);
		put_zeros(50);
		layers_end();
		sizes[is_ipv6] = layers.size - 14;
		memcpy(packet[is_ipv6], layers.data + 14, sizes[is_ipv6]);
	}
	for (unsigned is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		const unsigned at = is_ipv6 ? 62 : 42, headers = is_ipv6 ? 40 : 28;

		for (unsigned size = 0; size <= sizes[is_ipv6]; size++) {
			put_icmp(is_ipv6, 3);
			put_bytes(packet[is_ipv6], size);
			put_zeros(6); // padding, from which nothing is taken
			layers.size -= 6;
			layers_end();
			layers.size += 6;
			p = look_quoted(at);
			if (size < headers + 8) {
				assert_true(p.flags & PARSE_HIDDEN);
				continue;
			}
			assert_int_equal(p.flags,
					 PARSE_PORTS | (is_ipv6 ? PARSE_IPV6 : PARSE_IPV4));
			assert_int_equal(p.src_port, 1234);
			assert_int_equal(p.dst_port, 5678);
			assert_int_equal(p.l4, at + headers);
			assert_int_equal(p.tcp_flags, 0);
		}
		// A packet of the other version is none.
		put_icmp(is_ipv6, 3);
		put_bytes(packet[!is_ipv6], sizes[!is_ipv6]);
		layers_end();
		assert_true(look_quoted(at).flags & PARSE_HIDDEN);
	}
}

static void quoted_echoes_have_their_id(void **state)
{
	struct parse p;

	put_icmp(false, 11);
	put_bytes("\x45\0\0\x54\0\0\0\0\x01\x01\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
	put_bytes("\x08\0\0\0\xab\xcd\0\x01", 8);
	layers.ipv4 = 14;
	layers_end();
	p = look_quoted(42);
	assert_int_equal(p.flags, PARSE_IPV4 | PARSE_ICMP | PARSE_ICMP_ID);
	assert_int_equal(p.icmp_id, 0xabcd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_has_an_id_or_an_error),
		cmocka_unit_test(errors_quote_what_they_are_about),
		cmocka_unit_test(quoted_echoes_have_their_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

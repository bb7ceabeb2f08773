// Needs nothing: what the headers of frames are said to be, whole, cut off at every byte, and
// damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "debugshell/decode.h"

#define MACS      "\x00\x15\x5d\x00\x01\x02\x00\x15\x5d\x00\x00\x01"
#define MACS_TEXT "Ethernet: 00-15-5D-00-00-01 > 00-15-5D-00-01-02, "
#define V6(next)                                                                                   \
	"\x60\x00\x00\x00\x00\x08" next "\xff\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"               \
	"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
#define V4(ihl, fragment, protocol)                                                                \
	ihl "\x00\x00\x3c\x12\x34" fragment "\x40" protocol "\0\0\xc0\xa8\0\x01\xc0\xa8\0\x02"
#define UDP      "\0\x44\0\x43\x01\x2c\0\0"
#define UDP_TEXT "UDP: 68 > 67, 300 bytes\n"

static char printed[4096];

static void print(const char *label, const struct text *text, void *arg)
{
	size_t length = strlen(printed);

	snprintf(printed + length, sizeof(printed) - length, "%s: %s\n", label, text->s);
	++*(unsigned *)arg;
}

static const char *decode(const void *bytes, size_t size)
{
	unsigned rows = 0;

	printed[0] = '\0';
	decode_frame(bytes, size, print, &rows);
	assert_in_range(rows, 1, DECODE_ROWS_MAX);
	return printed;
}

// Of a string literal without its closing zero.
#define DECODE(literal) decode((literal), sizeof(literal) - 1)

static void ipv4(void **state)
{
	assert_string_equal(DECODE(MACS "\x08\0" V4("\x45", "\0\0", "\x11") UDP),
			    MACS_TEXT "IPv4\nIPv4: 192.168.0.1 > 192.168.0.2, UDP, 60 bytes, TTL "
				      "64, id 1234\n" UDP_TEXT);
	assert_string_equal(
		DECODE(MACS
		       "\x08\0" V4("\x45", "\x40\0", "\x06") "\x30\x39\0\x50\0\0\x10\0\0\0\x20\0"
							     "\x50\x12\x01\xf6\0\0\0\0"),
		MACS_TEXT "IPv4\nIPv4: 192.168.0.1 > 192.168.0.2, TCP, 60 bytes, TTL 64, id 1234, "
			  "don't fragment\nTCP: 12345 > 80, sequence 4096, acknowledges 8192, "
			  "window 502, SYN ACK\n");
	assert_string_equal(DECODE(MACS "\x08\0" V4("\x45", "\0\0", "\x01") "\x08\0\0\0"),
			    MACS_TEXT "IPv4\nIPv4: 192.168.0.1 > 192.168.0.2, ICMP, 60 bytes, TTL "
				      "64, id 1234\nICMP: type 8 (echo request), code 0\n");
}

// What follows the header of a later fragment is no header.
static void fragments(void **state)
{
	assert_non_null(strstr(DECODE(MACS "\x08\0" V4("\x45", "\x20\0", "\x11") UDP), UDP_TEXT));
	assert_non_null(strstr(printed, "fragment at 0, more follow"));
	assert_null(strstr(DECODE(MACS "\x08\0" V4("\x45", "\0\x02", "\x11") UDP), "\nUDP"));
	assert_non_null(strstr(printed, "fragment at 16, the last one"));
	assert_null(
		strstr(DECODE(MACS "\x86\xdd" V6("\x2c") "\x11\0\0\x10\0\0\0\x07" UDP), "\nUDP"));
	assert_non_null(strstr(printed,
			       "Extension: fragment, 8 bytes, then UDP, at 16, id 00000007, "
			       "the last one\n"));
}

static void tags_and_extensions(void **state)
{
	assert_string_equal(
		DECODE(MACS
		       "\x88\xa8\0\x05\x81\0\x70\x07\x86\xdd" V6("\0") "\x11\0\0\0\0\0\0\0" UDP),
		MACS_TEXT "service VLAN tag\n"
			  "Service VLAN: 5, priority 0, VLAN tag\n"
			  "VLAN: 7, priority 3, drop eligible, IPv6\n"
			  "IPv6: fe80::1 > ff02::2, hop-by-hop options, 8 bytes, hop limit 255\n"
			  "Extension: hop-by-hop options, 8 bytes, then UDP\n" UDP_TEXT);
	assert_string_equal(DECODE(MACS "\0\x2e\x42\x42\x03"), MACS_TEXT "length 46 (802.3)\n");
}

static void arp(void **state)
{
	assert_string_equal(DECODE(MACS
				   "\x08\x06\0\x01\x08\0\x06\x04\0\x01\0\x15\x5d\0\0\x01\xc0\xa8"
				   "\0\x01\0\0\0\0\0\0\xc0\xa8\0\x02"),
			    MACS_TEXT "ARP\nARP: request: who has 192.168.0.2, asks 192.168.0.1 at "
				      "00-15-5D-00-00-01\n");
}

// However short it is, no more is told than is there, and that it is cut off.
static void cut_off(void **state)
{
	static const char frame[] = MACS "\x08\0" V4("\x45", "\0\0", "\x11") UDP;
	char want[64];

	for (size_t size = 0; size < sizeof(frame) - 1; size++) {
		size_t at = size < 14 ? 0 : size < 34 ? 14 : 34;

		snprintf(want, sizeof(want), "%s: *** cut off: %zu of %u bytes are here ***\n",
			 at == 0    ? "Ethernet"
			 : at == 14 ? "IPv4"
				    : "UDP",
			 size - at,
			 at == 0    ? 14U
			 : at == 14 ? 20U
				    : 8U);
		assert_non_null(strstr(decode(frame, size), want));
	}
}

static void damaged(void **state)
{
	assert_non_null(strstr(DECODE(MACS "\x08\0" V4("\x43", "\0\0", "\x11") UDP),
			       "IPv4: *** version 4, header of 12 bytes ***\n"));
	assert_null(strstr(printed, "UDP"));
	assert_non_null(strstr(DECODE(MACS "\x08\0" V4("\x65", "\0\0", "\x11") UDP),
			       "IPv4: *** version 6, header of 20 bytes ***\n"));
	assert_non_null(
		strstr(DECODE(MACS "\x81\0\0\x01\x81\0\0\x01\x81\0\0\x01\x81\0\0\x01\x81\0\0"
				   "\x01\x08\0"),
		       "VLAN: *** more than 4 tags ***\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4),
		cmocka_unit_test(fragments),
		cmocka_unit_test(tags_and_extensions),
		cmocka_unit_test(arp),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

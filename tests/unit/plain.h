// Plain, slow and independent counterparts of what ports/nethdr.h computes, and frames to try
// it on. Nothing here shares a line with the code under test.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PLAIN_MAX = 70000 };

// The checksum as RFC 1071 tells it, a byte at a time; not complemented.
static inline uint32_t plain_sum(const uint8_t *data, uint32_t size, uint32_t sum)
{
	for (uint32_t i = 0; i < size; i++) {
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

// CRC32c, a bit at a time.
static inline uint32_t plain_crc32c(const uint8_t *data, uint32_t size)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

struct plain_frame {
	uint8_t data[PLAIN_MAX];
	uint32_t size;
	uint32_t l3, l4, payload; // offsets
	bool is_ipv6, is_udp;
};

struct plain_kind {
	bool is_ipv6, is_udp;
	unsigned tags;       // 802.1Q tags in the data
	unsigned ip_options; // bytes of IPv4 options or of one IPv6 destination option header
	unsigned tcp_options;
};

static inline void plain_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t plain_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

// The sum over the pseudo header of a frame whose transport part has 'size' bytes.
static inline uint32_t plain_pseudo(const struct plain_frame *f, uint32_t size)
{
	uint8_t rest[4] = {0, f->is_udp ? 17 : 6, (uint8_t)(size >> 8), (uint8_t)size};
	const uint8_t *ip = f->data + f->l3;
	uint32_t sum = f->is_ipv6 ? plain_sum(ip + 8, 32, 0) : plain_sum(ip + 12, 8, 0);

	return plain_sum(rest, 4, sum);
}

static inline uint32_t plain_put_ip(struct plain_frame *f, const struct plain_kind *k,
				    uint32_t l4_size)
{
	uint8_t *ip = f->data + f->l3;
	uint8_t protocol = k->is_udp ? 17 : 6;

	if (k->is_ipv6) {
		ip[0] = 0x60;
		plain_put16(ip + 4, l4_size + k->ip_options);
		ip[6] = k->ip_options > 0 ? 60 : protocol;
		ip[7] = 64;
		for (unsigned i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(0x20 + i * 7);
		if (k->ip_options > 0) {
			ip[40] = protocol;
			ip[41] = (uint8_t)(k->ip_options / 8 - 1);
			ip[42] = 1;
			ip[43] = (uint8_t)(k->ip_options - 4);
		}
		return f->l3 + 40 + k->ip_options;
	}
	ip[0] = (uint8_t)(0x40 | (20 + k->ip_options) / 4);
	plain_put16(ip + 2, 20 + k->ip_options + l4_size);
	plain_put16(ip + 4, 0xfffe); // wraps in the third segment
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\x0a\x01\x02\x03\xc0\xa8\xff\xfe", 8);
	memset(ip + 20, 1, k->ip_options);
	plain_put16(ip + 10, 0);
	plain_put16(ip + 10, ~plain_sum(ip, 20 + k->ip_options, 0));
	return f->l3 + 20 + k->ip_options;
}

/*
 * Makes a frame with 'size' bytes of payload and, in its checksum field, the pseudo header's
 * sum: as Linux hands it to a NIC that computes checksums.
 */
static inline void plain_make(struct plain_frame *f, const struct plain_kind *k, uint32_t size,
			      unsigned seed)
{
	uint32_t l4_header = k->is_udp ? 8 : 20 + k->tcp_options;
	uint8_t *l4;

	memset(f->data, 0, 200);
	f->is_ipv6 = k->is_ipv6;
	f->is_udp = k->is_udp;
	memcpy(f->data, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	f->l3 = 12;
	for (unsigned i = 0; i < k->tags; i++) {
		plain_put16(f->data + f->l3, i + 1 < k->tags ? 0x88a8 : 0x8100);
		plain_put16(f->data + f->l3 + 2, 100 + i);
		f->l3 += 4;
	}
	plain_put16(f->data + f->l3, k->is_ipv6 ? 0x86dd : 0x0800);
	f->l3 += 2;
	f->l4 = plain_put_ip(f, k, l4_header + size);
	f->payload = f->l4 + l4_header;
	f->size = f->payload + size;
	l4 = f->data + f->l4;
	plain_put16(l4, 4321);
	plain_put16(l4 + 2, 5678);
	if (k->is_udp) {
		plain_put16(l4 + 4, l4_header + size);
	} else {
		memcpy(l4 + 4, "\xff\xff\xfe\x00\x01\x02\x03\x04", 8); // the sequence wraps
		l4[12] = (uint8_t)(l4_header / 4 << 4);
		l4[13] = 0x80 | 0x10 | 0x08 | 0x01; // CWR ACK PSH FIN
		plain_put16(l4 + 14, 1000);
		memset(l4 + 20, 1, k->tcp_options);
	}
	plain_put16(l4 + (k->is_udp ? 6 : 16), plain_pseudo(f, l4_header + size));
	for (uint32_t i = 0; i < size; i++)
		f->data[f->payload + i] = (uint8_t)((i * 2654435761U + seed * 97) >> 11);
}

// True when the frame's IP and transport checksums and lengths are right.
static inline bool plain_is_complete(const struct plain_frame *f)
{
	const uint8_t *ip = f->data + f->l3;
	uint32_t l4_size = f->size - f->l4;

	if (f->is_ipv6) {
		if (plain_get16(ip + 4) != f->size - f->l3 - 40)
			return false;
	} else if (plain_get16(ip + 2) != f->size - f->l3 ||
		   plain_sum(ip, f->l4 - f->l3, 0) != 0xffff) {
		return false;
	}
	if (f->is_udp && plain_get16(f->data + f->l4 + 6) == 0)
		return false;
	return plain_sum(f->data + f->l4, l4_size, plain_pseudo(f, l4_size)) == 0xffff;
}

// The virtio-net header: every number of it attacked, checksums and segments compared with an
// independent, plain implementation, frames in every possible number of pieces.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "ports/headers.h"
#include "ports/nethdr.h"
#include "ports/vnbl.h"
#include "tests/unit/eal.h"
#include "tests/unit/plain.h"

enum { SAFE = 128, MTU = 1448, POOL = 1023 };

static struct plain_frame frame, copy, got, want;
static uint8_t memory[PLAIN_MAX];

static const struct plain_kind kinds[] = {
	{0},
	{.tcp_options = 12},
	{.is_ipv6 = true},
	{.is_ipv6 = true, .tcp_options = 40, .tags = 1},
	{.tags = 1, .ip_options = 40, .tcp_options = 40},
	{.tags = 2, .tcp_options = 12},
	{.is_ipv6 = true, .ip_options = 64, .tags = 2},
	{.is_ipv6 = true, .ip_options = 256, .tcp_options = 40},
	{.is_udp = true},
	{.is_udp = true, .is_ipv6 = true, .tags = 1},
	{.is_udp = true, .ip_options = 8},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

// A guest's frame: 'safe' bytes copied, the rest in 'n' pieces of uneven sizes.
static void as_guest(struct vnbl *v, const struct plain_frame *f, unsigned safe, unsigned n)
{
	uint32_t at = f->size < safe ? f->size : safe, left = f->size - at;

	vnbl_reset(v);
	memcpy(memory, f->data, f->size);
	memcpy(v->hdr, f->data, at);
	v->safe_size = (uint16_t)at;
	v->frame_size = f->size;
	for (unsigned i = 0; left > 0; i++) {
		uint32_t len = i + 1 == n ? left : (left / (n - i) | 1) + i % 3;

		if (len > left)
			len = left;
		v->pieces[v->n_pieces++] = (struct vnbl_piece){.addr = memory + at, .len = len};
		at += len;
		left -= len;
	}
}

// A TAP's frame: one line of host memory.
static void as_tap(struct vnbl *v, const struct plain_frame *f)
{
	vnbl_reset(v);
	memcpy(memory, f->data, f->size);
	v->hdr = memory;
	v->flags = VNBL_DATA_SAFE;
	v->frame_size = f->size;
	v->safe_size = f->size < UINT16_MAX ? (uint16_t)f->size : UINT16_MAX;
	if (v->safe_size < f->size)
		v->pieces[v->n_pieces++] = (struct vnbl_piece){.addr = memory + v->safe_size,
							       .len = f->size - v->safe_size};
}

static struct virtio_net_hdr csum_request(const struct plain_frame *f)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)f->l4,
		.csum_offset = f->is_udp ? 6 : 16,
	};
}

static struct virtio_net_hdr gso_request(const struct plain_frame *f, uint16_t size)
{
	struct virtio_net_hdr h = csum_request(f);

	h.gso_type = f->is_udp    ? VIRTIO_NET_HDR_GSO_UDP_L4
		     : f->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
				  : VIRTIO_NET_HDR_GSO_TCPV4;
	h.gso_size = size;
	h.hdr_len = 1; // a hint, not to be believed
	return h;
}

static void read_out(const struct vnbl *v, struct plain_frame *f)
{
	uint32_t size = v->safe_size;

	for (unsigned i = 0; i < v->n_pieces; i++)
		size += v->pieces[i].len;
	assert_int_equal(size, v->frame_size);
	assert_true(v->frame_size <= PLAIN_MAX);
	f->size = v->frame_size;
	vnbl_copy_out(v, 0, f->data, f->size);
}

static void checksum_of_every_kind_and_shape(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 57, 62, 63, 64, 200, 1001, 1460, 8999};
	struct vnbl v;

	for (unsigned k = 0; k < KINDS; k++) {
		for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (unsigned pieces = 0; pieces <= VNBL_PIECES_MAX; pieces++) {
				struct virtio_net_hdr h;

				plain_make(&frame, &kinds[k], sizes[s], k + s);
				h = csum_request(&frame);
				if (pieces == 0)
					as_tap(&v, &frame);
				else
					as_guest(&v, &frame, SAFE, pieces);
				assert_int_equal(nethdr_read(&v, &h, false), 0);
				assert_int_equal(nethdr_work(&v, NETHDR_TAKES_CSUM), NETHDR_AS_IS);
				assert_int_equal(nethdr_work(&v, 0), NETHDR_CSUM);
				assert_int_equal(nethdr_complete_csum(&v), 0);
				assert_int_equal(nethdr_work(&v, 0), NETHDR_AS_IS);
				copy = frame;
				read_out(&v, &copy);
				assert_int_equal(copy.size, frame.size);
				assert_true(plain_is_complete(&copy));
				// Nothing but the two bytes changed, and no guest's memory.
				memcpy(copy.data + h.csum_start + h.csum_offset,
				       frame.data + h.csum_start + h.csum_offset, 2);
				assert_memory_equal(copy.data, frame.data, frame.size);
				if (pieces > 0)
					assert_memory_equal(memory, frame.data, frame.size);
				vnbl_release(&v);
			}
		}
	}
}

// The UDP checksum that comes out as zero must be sent as 0xffff.
static void a_udp_sum_of_zero_is_sent_as_ffff(void **state)
{
	static const struct plain_kind kind = {.is_udp = true};
	struct virtio_net_hdr h;
	struct vnbl v;
	uint32_t sum;

	plain_make(&frame, &kind, 100, 1);
	// Makes the sum over everything 0xffff, whose complement is zero.
	plain_put16(frame.data + frame.payload, 0);
	sum = plain_sum(frame.data + frame.l4, 108, 0);
	plain_put16(frame.data + frame.payload, 0xffff - sum);
	h = csum_request(&frame);
	as_guest(&v, &frame, SAFE, 1);
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	assert_int_equal(nethdr_complete_csum(&v), 0);
	assert_int_equal(plain_get16(v.hdr + frame.l4 + 6), 0xffff);
}

static void sum_at_every_alignment(void **state)
{
	for (unsigned at = 0; at < 17; at++) {
		for (unsigned size = 0; size < 600; size++) {
			uint32_t expected;
			uint16_t sum;

			for (unsigned i = 0; i < size; i++)
				memory[at + i] = (uint8_t)(i * 37 + size);
			expected = plain_sum(memory + at, size, 0);
			sum = __builtin_bswap16(nethdr_fold(nethdr_sum(0, memory + at, size)));
			assert_int_equal(sum % 0xffff, expected % 0xffff);
		}
	}
	// All ones, as large as can be: no carry is lost.
	memset(memory, 0xff, PLAIN_MAX);
	assert_int_equal(
		nethdr_fold(nethdr_sum(nethdr_sum(0, memory, PLAIN_MAX), memory, PLAIN_MAX)),
		0xffff);
}

// What segment 'index' must be, built from the original frame by the book.
static void expect_segment(unsigned index, uint32_t size)
{
	uint32_t at = index * size, left = frame.size - frame.payload - at;
	uint32_t part = left < size ? left : size, l4_size;
	uint8_t *ip = want.data + frame.l3, *l4 = want.data + frame.l4;

	want = frame;
	memcpy(want.data + frame.payload, frame.data + frame.payload + at, part);
	want.size = frame.payload + part;
	l4_size = want.size - want.l4;
	if (want.is_ipv6) {
		plain_put16(ip + 4, want.size - want.l3 - 40);
	} else {
		plain_put16(ip + 2, want.size - want.l3);
		plain_put16(ip + 4, (0xfffe + index) & 0xffff);
		plain_put16(ip + 10, 0);
		plain_put16(ip + 10, ~plain_sum(ip, want.l4 - want.l3, 0));
	}
	if (want.is_udp) {
		plain_put16(l4 + 4, l4_size);
	} else {
		uint32_t sequence = 0xfffffe00U + at;

		plain_put16(l4 + 4, sequence >> 16);
		plain_put16(l4 + 6, sequence & 0xffff);
		l4[13] = 0x10;
		if (index == 0)
			l4[13] |= 0x80; // CWR
		if (part == left)
			l4[13] |= 0x08 | 0x01; // PSH FIN
	}
	plain_put16(l4 + (want.is_udp ? 6 : 16), 0);
	plain_put16(l4 + (want.is_udp ? 6 : 16),
		    ~plain_sum(l4, l4_size, plain_pseudo(&want, l4_size)));
}

static unsigned check_segments(struct vnbl *v, uint32_t size)
{
	struct nethdr_gso gso;
	struct vnbl out;
	unsigned n = 0;

	assert_int_equal(nethdr_gso_begin(&gso, v), 0);
	while (nethdr_gso_next(&gso, &out)) {
		expect_segment(n, size);
		read_out(&out, &got);
		got.l3 = want.l3;
		got.l4 = want.l4;
		got.is_udp = want.is_udp;
		got.is_ipv6 = want.is_ipv6;
		assert_int_equal(got.size, want.size);
		assert_true(plain_is_complete(&got));
		assert_memory_equal(got.data, want.data, want.size);
		assert_int_equal(nethdr_work(&out, 0), NETHDR_AS_IS);
		assert_true(out.frame_size <= nethdr_wire_size(v));
		assert_null(out.mbuf);
		n++;
	}
	assert_false(nethdr_gso_next(&gso, &out));
	return n;
}

static void segments_of_every_kind_and_shape(void **state)
{
	static const uint32_t sizes[] = {0, 1, MTU - 1, MTU, MTU + 1, 3 * MTU, 40000, 65000};
	struct vnbl v;

	for (unsigned k = 0; k < KINDS; k++) {
		for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (unsigned pieces = 0; pieces <= VNBL_PIECES_MAX; pieces += 4) {
				struct virtio_net_hdr h;

				plain_make(&frame, &kinds[k], sizes[s], k * s);
				h = gso_request(&frame, MTU);
				if (pieces == 0)
					as_tap(&v, &frame);
				else
					as_guest(&v, &frame, SAFE, pieces);
				assert_int_equal(nethdr_read(&v, &h, false), 0);
				assert_int_equal(v.offload.hdr_len, frame.payload);
				assert_int_equal(nethdr_work(&v, NETHDR_TAKES_ALL), NETHDR_AS_IS);
				assert_int_equal(nethdr_work(&v, NETHDR_TAKES_CSUM),
						 NETHDR_SEGMENT);
				assert_int_equal(check_segments(&v, MTU),
						 sizes[s] == 0 ? 1 : (sizes[s] + MTU - 1) / MTU);
				// 'in' is as it was, for those who take it whole.
				read_out(&v, &copy);
				assert_memory_equal(copy.data, frame.data, frame.size);
				// Also from an mbuf, as it waits for another proc.
				if (s % 3 == 0) {
					assert_int_equal(vnbl_make_safe(&v), 0);
					check_segments(&v, MTU);
					vnbl_release(&v);
				}
			}
		}
	}
}

static void segment_sizes_down_to_the_limit(void **state)
{
	static const struct plain_kind kind = {.tcp_options = 12};
	struct virtio_net_hdr h;
	struct vnbl v;

	plain_make(&frame, &kind, 64000, 7);
	as_guest(&v, &frame, SAFE, 16);
	h = gso_request(&frame, 63);
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	check_segments(&v, 63);
	h.gso_size = 62; // 1033 segments
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);
	h.gso_size = 1;
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);
	h.gso_size = 0;
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);
	h.gso_size = 65535;
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	assert_int_equal(check_segments(&v, 65535), 1);
}

static void work_depends_on_what_the_peer_takes(void **state)
{
	struct vnbl v = {.offload = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_size = 1000}};
	const unsigned sum = NETHDR_TAKES_CSUM;

	v.offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO4), NETHDR_AS_IS);
	assert_int_equal(nethdr_work(&v, NETHDR_TAKES_TSO4), NETHDR_SEGMENT);
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO6), NETHDR_SEGMENT);
	v.offload.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO4), NETHDR_SEGMENT);
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO4 | NETHDR_TAKES_ECN), NETHDR_AS_IS);
	v.offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO6), NETHDR_AS_IS);
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_TSO4), NETHDR_SEGMENT);
	v.offload.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	assert_int_equal(nethdr_work(&v, sum | NETHDR_TAKES_USO), NETHDR_AS_IS);
	assert_int_equal(nethdr_work(&v, NETHDR_TAKES_ALL & ~NETHDR_TAKES_USO), NETHDR_SEGMENT);
}

// After an accepted header, whatever it is, completing must stay in the frame's bounds, and
// must not touch what policies decided on.
static void try_everything(struct vnbl *v)
{
	struct nethdr_gso gso;
	struct vnbl out;
	uint8_t before[64];
	uint32_t n = v->safe_size < 42 ? v->safe_size : 42;

	memcpy(before, v->hdr, n);
	if (nethdr_work(v, 0) == NETHDR_CSUM) {
		assert_int_equal(nethdr_complete_csum(v), 0);
		// Up to the ports: Ethernet, IPv4 of 20 bytes, ports.
		if (v->hdr[14] == 0x45)
			assert_memory_equal(before, v->hdr, n < 38 ? n : 38);
		else
			assert_memory_equal(before, v->hdr, n < 14 ? n : 14);
	} else if (nethdr_work(v, 0) == NETHDR_SEGMENT) {
		uint64_t payload = 0;

		assert_int_equal(nethdr_gso_begin(&gso, v), 0);
		while (nethdr_gso_next(&gso, &out)) {
			read_out(&out, &got);
			payload += out.frame_size - v->offload.hdr_len;
		}
		assert_int_equal(payload, v->frame_size - v->offload.hdr_len);
	}
	vnbl_release(v);
}

static void every_csum_start_and_offset(void **state)
{
	static const struct plain_kind tcp = {0}, udp = {.is_udp = true};
	unsigned accepted[2] = {0, 0};
	struct vnbl v;

	for (unsigned udp_too = 0; udp_too < 2; udp_too++) {
		plain_make(&frame, udp_too ? &udp : &tcp, 150, 3);
		for (unsigned start = 0; start < 300; start++) {
			for (unsigned offset = 0; offset < 300; offset++) {
				struct virtio_net_hdr h = csum_request(&frame);

				h.csum_start = (uint16_t)start;
				h.csum_offset = (uint16_t)offset;
				as_guest(&v, &frame, SAFE, 3);
				if (nethdr_read(&v, &h, false) < 0) {
					assert_int_equal(v.offload.flags, 0);
					continue;
				}
				assert_true(start + offset + 2 <= frame.size);
				accepted[udp_too]++;
				try_everything(&v);
			}
		}
	}
	assert_int_equal(accepted[0], 1); // TCP carries nothing: only its own field
	assert_true(accepted[1] > 1);     // UDP may carry a VXLAN
}

// One frame of UDP or of what 'protocol' says, with its IP header behind 'between'.
static void make_behind(const uint8_t *between, uint32_t n, uint8_t protocol)
{
	static const struct plain_kind udp = {.is_udp = true};

	plain_make(&copy, &udp, 100, 9);
	frame = copy;
	memcpy(frame.data + 12, between, n);
	memcpy(frame.data + 12 + n, copy.data + 12, copy.size - 12);
	frame.size += n;
	frame.l3 += n;
	frame.l4 += n;
	frame.data[frame.l3 + 9] = protocol;
}

// What is asked for is done when the frame is read: policies see what will arrive.
static void check_done_at_once(uint16_t start, uint16_t offset)
{
	struct virtio_net_hdr h = csum_request(&frame);
	struct vnbl v;
	uint32_t sum;

	h.csum_start = start;
	h.csum_offset = offset;
	as_tap(&v, &frame);
	assert_int_equal(nethdr_read(&v, &h, true), 0);
	assert_int_equal(v.offload.flags, 0);
	assert_int_equal(nethdr_work(&v, 0), NETHDR_AS_IS);
	sum = (uint16_t)~plain_sum(frame.data + start, frame.size - start, 0);
	read_out(&v, &got);
	assert_int_equal(plain_get16(got.data + start + offset), sum == 0 ? 0xffff : sum);
	memcpy(got.data + start + offset, frame.data + start + offset, 2);
	assert_memory_equal(got.data, frame.data, frame.size);
}

static void only_the_transports_own_checksum_waits(void **state)
{
	static const uint8_t snap[] = {0, 138, 0xaa, 0xaa, 3, 0, 0, 0}, tag[] = {0x91, 0, 0, 5};
	struct virtio_net_hdr h;
	struct vnbl v;

	make_behind(snap, 0, PROTOCOL_UDP);
	h = csum_request(&frame);
	as_tap(&v, &frame);
	assert_int_equal(nethdr_read(&v, &h, true), 0);
	assert_int_equal(nethdr_work(&v, 0), NETHDR_CSUM);
	assert_int_equal(v.offload.csum_start, frame.l4);
	check_done_at_once((uint16_t)(frame.l4 + 8), 0); // BOOTP's op
	check_done_at_once((uint16_t)(frame.l4 + 50), 6);
	make_behind(snap, sizeof(snap), PROTOCOL_UDP);
	check_done_at_once((uint16_t)frame.l4, 2);
	check_done_at_once((uint16_t)frame.l4, 6);
	make_behind(tag, sizeof(tag), PROTOCOL_UDP);
	check_done_at_once((uint16_t)frame.l4, 2);
	make_behind(snap, 0, PROTOCOL_ICMPV6);
	check_done_at_once((uint16_t)(frame.l4 + 8), 14);
	make_behind(snap, 0, 4); // IP in IP
	check_done_at_once((uint16_t)(frame.l4 + 20), 16);
}

static void numbers_at_the_edges(void **state)
{
	static const struct plain_kind kind = {0};
	static const uint16_t edges[] = {0,  1,   13,  14,   33,     34,     35,
					 54, 127, 128, 1000, 0x7fff, 0xfffe, 0xffff};
	enum { EDGES = sizeof(edges) / sizeof(edges[0]) };
	struct vnbl v;

	plain_make(&frame, &kind, 5000, 3);
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned i = 0; i < EDGES * EDGES * EDGES; i++) {
			struct virtio_net_hdr h = {
				.flags = (uint8_t)(type % 3),
				.gso_type = (uint8_t)type,
				.hdr_len = edges[i % EDGES],
				.gso_size = edges[i / EDGES % EDGES],
				.csum_start = edges[i / EDGES / EDGES],
				.csum_offset = type & 8 ? 16 : edges[i % EDGES],
			};

			as_guest(&v, &frame, SAFE, 2);
			if (nethdr_read(&v, &h, false) == 0)
				try_everything(&v);
			else
				assert_int_equal(nethdr_work(&v, 0), NETHDR_AS_IS);
		}
	}
}

// Each header byte set to each value, each length cut: the parser stays inside.
static void frames_cut_and_damaged(void **state)
{
	struct vnbl v;

	for (unsigned k = 0; k < KINDS; k++) {
		plain_make(&copy, &kinds[k], 300, k);
		for (unsigned at = 12; at < copy.payload; at++) {
			for (unsigned value = 0; value < 256; value += at < 60 ? 1 : 15) {
				struct virtio_net_hdr h = gso_request(&copy, 100);

				frame = copy;
				frame.data[at] = (uint8_t)value;
				as_guest(&v, &frame, SAFE, 2);
				if (nethdr_read(&v, &h, false) == 0)
					try_everything(&v);
			}
		}
		for (unsigned size = 1; size < copy.size; size++) {
			struct virtio_net_hdr h = gso_request(&copy, 100);

			frame = copy;
			frame.size = size;
			as_guest(&v, &frame, SAFE, 1);
			if (nethdr_read(&v, &h, false) == 0)
				try_everything(&v);
			else
				assert_true(size < copy.payload);
			h = csum_request(&copy);
			as_guest(&v, &frame, SAFE, 1);
			if (nethdr_read(&v, &h, false) == 0)
				try_everything(&v);
		}
	}
}

static void fragments_and_ufo_are_refused(void **state)
{
	static const struct plain_kind udp = {.is_udp = true}, tcp = {0};
	struct virtio_net_hdr h;
	struct vnbl v;

	plain_make(&frame, &udp, 3000, 1);
	h = gso_request(&frame, 1000);
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	as_guest(&v, &frame, SAFE, 1);
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);

	plain_make(&frame, &tcp, 3000, 1);
	frame.data[frame.l3 + 6] = 0x20; // more fragments
	h = gso_request(&frame, 1000);
	as_guest(&v, &frame, SAFE, 1);
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);
	h = csum_request(&frame);
	assert_int_equal(nethdr_read(&v, &h, false), -EINVAL);
}

static void sctp_gets_its_crc(void **state)
{
	static const struct plain_kind udp = {.is_udp = true};

	for (unsigned pieces = 1; pieces < 8; pieces++) {
		struct virtio_net_hdr h;
		uint32_t crc;
		struct vnbl v;

		plain_make(&frame, &udp, 1000 + pieces, 1);
		frame.data[frame.l3 + 9] = 132;
		memset(frame.data + frame.l4 + 8, 0, 4);
		crc = plain_crc32c(frame.data + frame.l4, frame.size - frame.l4);
		memset(frame.data + frame.l4 + 8, 0x55, 4);
		h = csum_request(&frame);
		h.csum_offset = 8;
		as_guest(&v, &frame, SAFE, pieces);
		assert_int_equal(nethdr_read(&v, &h, false), 0);
		assert_int_equal(nethdr_work(&v, 0), NETHDR_AS_IS);
		assert_memory_equal(v.hdr + frame.l4 + 8, &crc, 4);
	}
}

static void gso_with_a_full_checksum_is_repaired(void **state)
{
	static const struct plain_kind kind = {.is_ipv6 = true, .tcp_options = 12};
	struct virtio_net_hdr h;
	struct vnbl v;
	uint8_t partial[2];

	plain_make(&frame, &kind, 6000, 1);
	h = gso_request(&frame, MTU);
	h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	memcpy(partial, frame.data + frame.l4 + 16, 2);
	memcpy(frame.data + frame.l4 + 16, "\x12\x34", 2);
	as_tap(&v, &frame);
	assert_int_equal(nethdr_read(&v, &h, true), 0);
	assert_int_equal(v.offload.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(v.offload.csum_start, frame.l4);
	assert_memory_equal(v.hdr + frame.l4 + 16, partial, 2);
	check_segments(&v, MTU);
}

static void data_valid_is_the_kernels_word_only(void **state)
{
	static const struct plain_kind kind = {0};
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_DATA_VALID}, out;
	struct vnbl v;

	plain_make(&frame, &kind, 60, 1);
	as_guest(&v, &frame, SAFE, 1);
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	assert_int_equal(v.offload.flags, 0);
	assert_int_equal(nethdr_read(&v, &h, true), 0);
	nethdr_write(&v, true, &out);
	assert_int_equal(out.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	nethdr_write(&v, false, &out);
	assert_int_equal(out.flags, 0);
}

// A tag taken out and put back leaves the request as it was.
static void the_request_follows_the_tag(void **state)
{
	static const struct plain_kind kind = {.tags = 1};
	struct vnbl_offload before;
	struct virtio_net_hdr h;
	struct vnbl v;

	plain_make(&frame, &kind, 5000, 1);
	h = gso_request(&frame, 1000);
	as_guest(&v, &frame, SAFE, 1);
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	before = v.offload;
	assert_true(vnbl_vlan_strip(&v));
	assert_int_equal(v.offload.csum_start, frame.l4 - 4);
	assert_int_equal(v.offload.hdr_len, frame.payload - 4);
	vnbl_vlan_insert(&v);
	assert_memory_equal(&v.offload, &before, sizeof(before));
	check_segments(&v, 1000);
}

static int setup(void **state)
{
	return eal_start() < 0 ? -1 : vnbl_init(POOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_at_every_alignment),
		cmocka_unit_test(checksum_of_every_kind_and_shape),
		cmocka_unit_test(a_udp_sum_of_zero_is_sent_as_ffff),
		cmocka_unit_test(segments_of_every_kind_and_shape),
		cmocka_unit_test(segment_sizes_down_to_the_limit),
		cmocka_unit_test(work_depends_on_what_the_peer_takes),
		cmocka_unit_test(every_csum_start_and_offset),
		cmocka_unit_test(only_the_transports_own_checksum_waits),
		cmocka_unit_test(numbers_at_the_edges),
		cmocka_unit_test(frames_cut_and_damaged),
		cmocka_unit_test(fragments_and_ufo_are_refused),
		cmocka_unit_test(sctp_gets_its_crc),
		cmocka_unit_test(gso_with_a_full_checksum_is_repaired),
		cmocka_unit_test(data_valid_is_the_kernels_word_only),
		cmocka_unit_test(the_request_follows_the_tag),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

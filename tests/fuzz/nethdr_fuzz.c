/*
 * Any virtio-net header before any frame, in any number of pieces.
 *
 *    input:  [0] bits 0-5: pieces, bit 6: host memory in one line, bit 7: the kernel's word
 *            [1] bytes that are safe, besides the 14 that always are
 *            [2..11] the virtio-net header
 *            [12..13] bytes to add to the frame, beyond those that follow
 *            then the frame
 *
 * Each piece lies in memory of its own size, so that the address sanitizer sees a byte too
 * many. What nethdr.h promises of an accepted frame is asserted.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/nethdr.h"
#include "ports/vnbl.h"
#include "tests/unit/plain.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

enum { INPUT_HEADER = 14, ETH_SIZE = 14 };

static uint8_t before[VNBL_FRAME_MAX], after[VNBL_FRAME_MAX];
static uint8_t *blocks[VNBL_PIECES_MAX + 1];
static unsigned n_blocks;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *copy_of(const uint8_t *data, uint32_t size)
{
	uint8_t *block = malloc(VNBL_HEADROOM + size);

	CHECK(block != NULL);
	blocks[n_blocks++] = block;
	memcpy(block + VNBL_HEADROOM, data, size);
	return block + VNBL_HEADROOM;
}

static void make_frame(struct vnbl *v, const uint8_t *input, const uint8_t *frame, uint32_t size)
{
	uint32_t safe = ETH_SIZE + input[1], at, piece;
	unsigned n = (input[0] & 63) % (VNBL_PIECES_MAX + 1);

	vnbl_reset(v);
	v->frame_size = size;
	if (input[0] & 0x40 || size <= safe || n == 0) {
		v->flags = VNBL_DATA_SAFE;
		v->hdr = copy_of(frame, size);
		v->safe_size = size < UINT16_MAX ? (uint16_t)size : UINT16_MAX;
		if (v->safe_size < size)
			v->pieces[v->n_pieces++] = (struct vnbl_piece){
				.addr = v->hdr + v->safe_size, .len = size - v->safe_size};
		return;
	}
	memcpy(v->hdr, frame, safe);
	v->safe_size = (uint16_t)safe;
	piece = (size - safe + n - 1) / n;
	for (at = safe; at < size; at += piece) {
		uint32_t len = size - at < piece ? size - at : piece;

		v->pieces[v->n_pieces++] =
			(struct vnbl_piece){.addr = copy_of(frame + at, len), .len = len};
	}
}

static uint32_t check_shape(const struct vnbl *v)
{
	uint32_t size = v->safe_size;

	CHECK(v->n_pieces <= VNBL_PIECES_MAX);
	for (unsigned i = 0; i < v->n_pieces; i++) {
		CHECK(v->pieces[i].len > 0);
		size += v->pieces[i].len;
	}
	CHECK(size == v->frame_size);
	return size;
}

static void check_promises(const struct vnbl *v)
{
	const struct vnbl_offload *o = &v->offload;

	if (o->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		CHECK(o->csum_start >= ETH_SIZE);
		CHECK((uint32_t)o->csum_start + o->csum_offset + 2 <= v->frame_size);
	}
	if (o->gso_type == 0) {
		CHECK(o->gso_size == 0 && o->hdr_len == 0);
		return;
	}
	CHECK(o->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && o->gso_size > 0);
	CHECK(o->hdr_len <= v->safe_size && o->hdr_len <= VNBL_SAFE_MAX);
	CHECK(o->hdr_len <= v->frame_size);
	CHECK(v->frame_size - o->hdr_len <= (uint32_t)o->gso_size * NETHDR_SEGMENTS_MAX);
	CHECK(nethdr_wire_size(v) <= v->frame_size);
}

// The sum from csum_start on is all ones when the field is right, whatever the field.
static void check_checksum(struct vnbl *v)
{
	const struct vnbl_offload o = v->offload;
	uint32_t sum, start = o.csum_start, partial;
	int rc;

	vnbl_copy_out(v, 0, before, v->frame_size);
	rc = nethdr_complete_csum(v);
	CHECK(rc == 0 || (rc == -ENOMEM && !(v->flags & VNBL_DATA_SAFE) &&
			  (uint32_t)o.csum_start + o.csum_offset + 2 > v->safe_size));
	vnbl_copy_out(v, 0, after, v->frame_size);
	if (rc == 0) {
		uint8_t *field = after + o.csum_start + o.csum_offset;
		uint16_t stored = (uint16_t)plain_get16(field);

		sum = plain_sum(before + start, v->frame_size - start, 0);
		// A field at an odd place counts with its bytes exchanged.
		partial = (uint16_t)~sum;
		if (o.csum_offset % 2 == 0)
			CHECK(stored % 0xffff == partial % 0xffff && stored != 0);
		memcpy(field, before + o.csum_start + o.csum_offset, 2);
		CHECK(nethdr_work(v, 0) == NETHDR_AS_IS);
	}
	CHECK(memcmp(before, after, v->frame_size) == 0);
}

static void check_segments(struct vnbl *v)
{
	const uint32_t hdr_len = v->offload.hdr_len;
	uint32_t at = hdr_len, l4 = v->offload.csum_start;
	struct nethdr_gso gso;
	struct vnbl out;

	vnbl_copy_out(v, 0, before, v->frame_size);
	CHECK(nethdr_gso_begin(&gso, v) == 0);
	while (nethdr_gso_next(&gso, &out)) {
		uint32_t size = check_shape(&out);
		static uint8_t segment[VNBL_FRAME_MAX];

		CHECK(size >= hdr_len && size <= nethdr_wire_size(v));
		CHECK(out.offload.flags == 0 && out.offload.gso_type == 0);
		vnbl_copy_out(&out, 0, segment, size);
		// Payload in order and whole, addresses and ports as they were.
		CHECK(memcmp(segment + hdr_len, before + at, size - hdr_len) == 0);
		CHECK(memcmp(segment, before, ETH_SIZE) == 0);
		CHECK(memcmp(segment + l4, before + l4, 4) == 0);
		at += size - hdr_len;
	}
	CHECK(at == v->frame_size);
	vnbl_copy_out(v, 0, after, v->frame_size);
	CHECK(memcmp(before, after, v->frame_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t frame[VNBL_FRAME_MAX];
	struct virtio_net_hdr h, out;
	uint16_t more;
	uint32_t n;
	struct vnbl v;

	if (size <= INPUT_HEADER || size - INPUT_HEADER > sizeof(frame))
		return 0;
	memcpy(&h, data + 2, sizeof(h));
	memcpy(&more, data + 12, 2);
	n = (uint32_t)(size - INPUT_HEADER);
	memcpy(frame, data + INPUT_HEADER, n);
	for (; more > 0 && n < sizeof(frame); more--, n++)
		frame[n] = (uint8_t)(n * 31 + more);
	make_frame(&v, data, frame, n);
	if (nethdr_read(&v, &h, data[0] & 0x80) == 0) {
		check_shape(&v);
		check_promises(&v);
		nethdr_write(&v, data[0] & 1, &out);
		if (v.offload.gso_type != 0)
			check_segments(&v);
		else if (v.offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			check_checksum(&v);
	} else {
		CHECK(v.offload.flags == 0 && v.offload.gso_type == 0);
		check_shape(&v);
	}
	while (n_blocks > 0)
		free(blocks[--n_blocks]);
	return 0;
}

/*
 * Frames for tests, laid layer on layer: each function appends to the one frame, layers_end()
 * writes the lengths that could not be known before. Then the frame as it lies in a VNBL, in
 * every way that makes a difference to who reads it.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "ports/vnbl.h"

enum { LAYERS_MAX = 70000 };

struct layers {
	uint8_t data[LAYERS_MAX];
	uint32_t size;
	uint32_t ipv4, ipv6; // where the last one is; 0: there is none
	uint32_t length;     // of 802.3: where it is
};

static struct layers layers;

static inline void put_bytes(const void *bytes, uint32_t n)
{
	memcpy(layers.data + layers.size, bytes, n);
	layers.size += n;
}

static inline void put_zeros(uint32_t n)
{
	memset(layers.data + layers.size, 0, n);
	layers.size += n;
}

static inline void put_8(unsigned value)
{
	layers.data[layers.size++] = (uint8_t)value;
}

static inline void put_16(unsigned value)
{
	put_8(value >> 8 & 0xff);
	put_8(value & 0xff);
}

static inline void set_16(uint32_t at, unsigned value)
{
	layers.data[at] = (uint8_t)(value >> 8);
	layers.data[at + 1] = (uint8_t)value;
}

// The addresses; the source is 02:00:00:00:00:0a.
static inline void put_link(void)
{
	memset(&layers, 0, sizeof(layers));
	put_bytes("\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x0a", 12);
}

static inline void put_tag(unsigned tpid)
{
	put_16(tpid);
	put_16(7);
}

// 802.2 SNAP without the EtherType that ends it; the length is written by layers_end().
static inline void put_snap(unsigned last_of_oui)
{
	layers.length = layers.size;
	put_16(0);
	put_bytes("\xaa\xaa\x03\0\0", 5);
	put_8(last_of_oui);
}

// With its EtherType. 'options' bytes of options; 'fragment' as it is in the header.
static inline void put_ipv4(unsigned protocol, unsigned options, unsigned fragment)
{
	put_16(0x0800);
	layers.ipv4 = layers.size;
	put_8(0x40 | (20 + options) / 4);
	put_8(0);
	put_16(0);
	put_16(0x1234);
	put_16(fragment);
	put_8(64);
	put_8(protocol);
	put_16(0);
	put_bytes("\x0a\x01\0\x05\x0a\x01\0\x06", 8);
	memset(layers.data + layers.size, 1, options);
	layers.size += options;
}

// With its EtherType; from 2001:db8::5 to ff02::1.
static inline void put_ipv6(unsigned next)
{
	put_16(0x86dd);
	layers.ipv6 = layers.size;
	put_bytes("\x60\0\0\0\0\0", 6);
	put_8(next);
	put_8(255);
	put_bytes("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05", 16);
	put_bytes("\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
}

// An extension header of 'size' bytes, which say so as header 'self' does.
static inline void put_extension(unsigned self, unsigned next, unsigned size)
{
	put_8(next);
	put_8(self == 51 ? size / 4 - 2 : size / 8 - 1);
	put_zeros(size - 2);
}

// 'offset' in bytes.
static inline void put_fragment(unsigned next, unsigned offset, unsigned more)
{
	put_8(next);
	put_8(0);
	put_16(offset | more);
	put_16(0);
	put_16(0x77);
}

static inline void put_udp(unsigned src, unsigned dst, unsigned payload)
{
	put_16(src);
	put_16(dst);
	put_16(8 + payload);
	put_16(0);
	put_zeros(payload);
}

static inline void put_tcp(unsigned src, unsigned dst, unsigned flags)
{
	put_16(src);
	put_16(dst);
	put_zeros(8);
	put_8(0x50);
	put_8(flags);
	put_zeros(6);
}

// Writes the lengths of what is there now.
static inline void layers_end(void)
{
	if (layers.ipv4 != 0)
		set_16(layers.ipv4 + 2, layers.size - layers.ipv4);
	if (layers.ipv6 != 0)
		set_16(layers.ipv6 + 4, layers.size - layers.ipv6 - 40);
	if (layers.length != 0)
		set_16(layers.length, layers.size - layers.length - 2);
}

enum layers_shape {
	LAYERS_GUEST,    // the first bytes are safe, the others in small pieces of memory
	LAYERS_STRIPPED, // the same after a tag was taken out
	LAYERS_TAP,      // in one line
	LAYERS_SHAPES
};

// The frame as a NIC of this kind gives it, in memory that only the next call uses again.
static inline void layers_give(struct vnbl *v, enum layers_shape shape)
{
	static uint8_t memory[LAYERS_MAX];
	uint32_t at = shape == LAYERS_STRIPPED ? VNBL_SAFE_SIZE - VNBL_TAG_SIZE : VNBL_SAFE_SIZE;

	memcpy(memory, layers.data, layers.size);
	vnbl_reset(v);
	v->frame_size = layers.size;
	if (shape == LAYERS_STRIPPED)
		v->hdr += VNBL_TAG_SIZE;
	if (shape == LAYERS_TAP) {
		v->hdr = memory;
		v->flags = VNBL_DATA_SAFE;
		at = UINT16_MAX;
	}
	if (at > layers.size)
		at = layers.size;
	v->safe_size = (uint16_t)at;
	if (shape != LAYERS_TAP)
		memcpy(v->hdr, memory, at);
	while (at < layers.size) {
		uint32_t len = v->n_pieces < VNBL_PIECES_MAX - 1 ? 61 : layers.size - at;

		if (len > layers.size - at)
			len = layers.size - at;
		v->pieces[v->n_pieces++] = (struct vnbl_piece){.addr = memory + at, .len = len};
		at += len;
	}
}

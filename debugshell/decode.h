/*
 * Decode: the headers at the beginning of a frame, in words: one row for each of them.
 *
 * Pure, for foreign bytes: nothing is believed but the size of what is there. A header that does
 * not fit in is said to be cut off, one that contradicts itself is said to be damaged, and what
 * follows it is left alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "debugshell/print.h"

enum {
	DECODE_TAGS_MAX = 4,       // VLAN tags of a frame
	DECODE_EXTENSIONS_MAX = 8, // extension headers of IPv6
	// Ethernet, tags, IP with its extensions, transport, and what ended it.
	DECODE_ROWS_MAX = 1 + DECODE_TAGS_MAX + 1 + DECODE_EXTENSIONS_MAX + 1 + 1
};

// 'label' names the header and is constant; 'text' is printable.
typedef void (*decode_fn)(const char *label, const struct text *text, void *arg);

// Calls 'fn' at most DECODE_ROWS_MAX times, at least once.
void decode_frame(const uint8_t *bytes, size_t size, decode_fn fn, void *arg);

/*
 * What `vnbl` shows of a frame in hand and of one that was dropped alike: the parts of the
 * forwarding context that both have, and the first bytes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "debugshell/print.h"
#include "debugshell/shell.h"
#include "ports/vnbl_types.h"

// The first bytes of a frame, as far as they could be read.
struct vnbl_bytes {
	uint8_t at[VNBL_SAFE_MAX];
	uint32_t n;         // bytes that are here
	uint32_t safe_size; // bytes that the frame had
	int err;            // why none are here, negative errno
};

// The words for VNBL_* flags.
struct text vnbl_print_flags(unsigned flags);

// Row SourceNicIndex and those behind it that are a frame's alone.
void vnbl_print_context(unsigned nic_index, unsigned flags, unsigned safe_size,
			unsigned frame_size);

// Section OUT OF BAND.
void vnbl_print_out_of_band(unsigned flags, unsigned tci, unsigned tpid,
			    const struct vnbl_offload *offload);

// Section HEADERS; with 'hex' the bytes themselves.
void vnbl_print_headers(struct shell *sh, const struct vnbl_bytes *bytes, bool hex);

// A cell with the names of the headers, in the row of a table.
void vnbl_print_labels(const struct vnbl_bytes *bytes);

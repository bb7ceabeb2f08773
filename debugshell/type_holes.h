/*
 * Holes: the places in a struct where frames lie. They are not read with the struct, so that
 * neither the output of a command nor a dump can hold what tenants send; but for `vnbl`, which is
 * there to show the first bytes of a frame.
 *
 * The switch keeps frames in arrays of uint8_t: the safe bytes of a VNBL, the arena of a TAP, the
 * ring of a capture. All of them have at least as many elements as a VNBL's headroom, and what
 * else is bytes (a MAC address, a build id) is shorter. So they are known by their type, in
 * every build.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "debugshell/target.h"
#include "ports/vnbl_types.h"

struct btf;

enum { TYPE_HOLE_MIN = VNBL_HEADROOM }; // bytes

struct type_hole {
	uint32_t offset; // bytes
	uint32_t size;
};

struct type_holes {
	uint32_t n;
	uint32_t room;
	struct type_hole *all; // ascending, apart; owned
};

/**
 * The holes of a struct (its id in 'btf') of 'size' bytes; to be freed with type_holes_free(), also
 * on failure. -EINVAL, -E2BIG: type data damaged. -ENOMEM.
 */
int type_holes_find(const struct btf *btf, bool reversed, uint32_t id, uint32_t size,
		    struct type_holes *ret);
void type_holes_free(struct type_holes *holes);

// Reads 'size' bytes but for the holes, where zeros are put. Errors as tgt_read().
int type_holes_read(struct target *t, const struct type_holes *holes, tgt_addr addr, void *to,
		    size_t size);

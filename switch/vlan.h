/*
 * The decisions of vlan_types.h, on one frame.
 *
 * Threads: pure; vlan_enter() writes the frame of the proc that holds it.
 */
#pragma once

#include <stdbool.h>

#include "ports/vnbl_types.h"
#include "switch/vlan_types.h"

// What a port that is told nothing has, and a port that carries all VLANs.
#define VLAN_RULES_UNTAGGED                                                                        \
	{                                                                                          \
		.mode = VLAN_UNTAGGED, .set = {.words = {1} }                                      \
	}
#define VLAN_RULES_WIRE                                                                            \
	{                                                                                          \
		.mode = VLAN_WIRE, .takes_tags = 1, .keeps_priority = 1,                           \
		.set.words = {[0 ... VLAN_SET_WORDS - 2] = ~0ULL,                                  \
			      [VLAN_SET_WORDS - 1] = ~0ULL >> 1},                                  \
	}

/**
 * A frame comes from a port with these rules: puts it into its VLAN. A tag that it has must be
 * out of band. Returns a reason to drop it, or DROP_COUNT.
 */
unsigned vlan_enter(const struct vlan_rules *r, struct vnbl *v);

enum vlan_exit {
	VLAN_STAYS,         // the port does not carry the frame's VLAN
	VLAN_LEAVES_PLAIN,  // without a tag
	VLAN_LEAVES_TAGGED, // with the tag in x_tci
};

/**
 * Whether and how a frame leaves by a port with these rules. A frame whose tag would be taken off
 * to show another one underneath stays: no port sends into a VLAN that is not its own.
 */
enum vlan_exit vlan_leave(const struct vlan_rules *r, const struct vnbl *v, uint16_t *x_tci);

// The reason for VLAN_STAYS, to be counted on the port that it would have left by.
unsigned vlan_stays_reason(const struct vlan_rules *r);

static inline bool vlan_set_has(const struct vlan_set *set, uint16_t id)
{
	return (set->words[id / 64] >> (id % 64) & 1) != 0;
}

static inline void vlan_set_add(struct vlan_set *set, uint16_t id)
{
	set->words[id / 64] |= 1ULL << (id % 64);
}

static inline bool vlan_is_private(unsigned mode)
{
	return mode == VLAN_ISOLATED || mode == VLAN_COMMUNITY || mode == VLAN_PROMISCUOUS;
}

/*
 * VLAN rules of a port (HYPERV 5.4): in which VLAN the frames are that it sends, and the frames
 * of which VLANs it gets.
 *
 * Inside the switch every frame has one VLAN: the id of the tag that travels out of band, or 0, the
 * network of untagged frames. A tag with id 0 is no VLAN, only a priority (802.1Q, 6.9.1).
 *
 *    mode             sends without tag    sends with tag    gets               leaves
 *    untagged         in 0                 not allowed       0                  untagged
 *    access A         in A                 not allowed       A                  untagged
 *    trunk L          in native (or 0)     if in L           L, native (or 0)   tagged, native not
 *       native none   not allowed          if in L           L                  tagged
 *    isolated P S     in S                 not allowed       P                  untagged
 *    community P S    in S                 not allowed       P, S               untagged
 *    promiscuous P L  in P                 not allowed       P, L               untagged
 *    wire             in 0                 all               all                tagged
 *
 * What a port gets follows from the last two columns alone, so that private VLANs need no rule of
 * their own on the way out. The switch has one list of stations per private VLAN, not one per
 * secondary: see vlan_fids.
 *
 * Threads: constant once a proc can see it.
 */
#pragma once

#include <stdint.h>

enum {
	VLAN_ID_MAX = 4094,
	VLAN_IDS = 4096,
	VLAN_SET_WORDS = VLAN_IDS / 64,
	VLAN_ID_MASK = 0xfff, // of a TCI; priority and drop eligibility are the rest
};

#define VLAN_MODES(X)                                                                              \
	X(0, VLAN_UNTAGGED, "untagged")                                                            \
	X(1, VLAN_ACCESS, "access")                                                                \
	X(2, VLAN_TRUNK, "trunk")                                                                  \
	X(3, VLAN_ISOLATED, "isolated")                                                            \
	X(4, VLAN_COMMUNITY, "community")                                                          \
	X(5, VLAN_PROMISCUOUS, "promiscuous")                                                      \
	X(6, VLAN_WIRE, "wire")

#define X(number, name, text) name = number,
enum vlan_mode { VLAN_MODES(X) };
#undef X

// A set of VLAN ids: id i is bit i % 64 of words[i / 64].
struct vlan_set {
	uint64_t words[VLAN_SET_WORDS];
};

struct vlan_rules {
	uint16_t own;           // the VLAN of frames without a tag; 0: none
	uint8_t mode;           // enum vlan_mode
	uint8_t takes_tags;     // 1: frames of 'set' come and leave with their tag
	uint8_t keeps_priority; // 1: the priority of a tag is kept, both ways
	uint8_t pad[3];
	struct vlan_set set; // VLANs whose frames go to the port, 'own' among them or not
};

/*
 * Under which VLAN id the stations of a VLAN are learned and looked up: the primary for a
 * secondary, the id itself for all others (802.1Q: shared learning).
 */
struct vlan_fids {
	uint16_t of[VLAN_IDS];
};

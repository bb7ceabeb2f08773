/*
 * What access control asks of a frame: the key by which rules are found, and the key of its
 * session.
 *
 * A flow has one session key in both directions: what is the VM's is 'local'. Of ICMP, who asks has
 * the identifier as its port, and the other has 0: so a question from the other side is not taken
 * for the answer to one of the VM's. The parts of a packet that was cut have a key of their own,
 * which no flow has: the protocol is that of IPv6's fragment header, and the ports are the packet's
 * identification.
 *
 * Threads: pure but for vnbl_extend().
 */
#pragma once

#include <stdbool.h>

#include "ports/vnbl_types.h"
#include "switch/acl_types.h"
#include "switch/conntrack_types.h"
#include "switch/parse.h"

// As librte_acl wants it: a byte, then groups of four; network order.
struct acl_key {
	uint8_t protocol; // acl_key_protocol()
	uint8_t pad[3];
	uint8_t local[16], remote[16];    // of IPv4 the first four bytes
	uint16_t local_port, remote_port; // 0: it has none, or they are in another fragment
};

// The key of a packet, which 'p' says is IP and not hidden.
void acl_key_of(const struct vnbl *v, const struct parse *p, enum acl_direction direction,
		struct acl_key *ret);

/**
 * The key of its session. False: it is part of none (ICMP that neither asks nor answers, or not the
 * first fragment of a packet). 'vlan': 0, or the VLAN that keeps it apart from others.
 */
bool acl_key_session(const struct acl_key *key, const struct parse *p, enum acl_direction direction,
		     uint16_t vlan, struct conntrack_key *ret);

// The key that the fragments of a packet have in common.
void acl_key_fragments(const struct acl_key *key, const struct parse *p, uint16_t vlan,
		       struct conntrack_key *ret);

/**
 * The key of the session that the packet quoted by an ICMP error belongs to. False: it belongs to
 * none, too little of it is quoted, or it is none that the error's receiver sent.
 */
bool acl_key_quoted(struct vnbl *v, const struct parse *error, const struct acl_key *key,
		    enum acl_direction direction, uint16_t vlan, struct conntrack_key *ret);

enum { ACL_KEY_PORTED_LAST = 4 };

// Numbers the protocols anew: those that have ports are 0 to ACL_KEY_PORTED_LAST.
uint8_t acl_key_protocol(uint8_t protocol);

// Whether a packet with PARSE_ICMP_ID asks, and does not answer.
bool acl_key_asks(const struct parse *p);

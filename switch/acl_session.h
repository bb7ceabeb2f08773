/*
 * Sessions of stateful rules on the fast path: whether a packet is part of one, and what that
 * changes.
 *
 * Of a packet that was cut, the first fragment passes as its flow does. When it passes only by its
 * session, it makes one of the fragments, if half of the table is free, by which the later ones
 * pass; those that come before it do not. An ICMP error passes when it quotes a packet of a session
 * that its receiver sent. No session lets a SYN without ACK pass: that is no reply.
 *
 * Threads: any proc.
 */
#pragma once

#include "ports/vnbl_types.h"
#include "switch/acl_key.h"

// One packet, and what is known of it.
struct acl_packet {
	struct vnbl *v;
	const struct parse *p;
	const struct acl_key *key;
	enum acl_direction direction;
	uint32_t now_s;
};

/**
 * Decides for an IP packet for which the extended rules answered '*x_answer' (acl_build.h); its
 * session is touched, or made. Returns a reason to drop it, or DROP_COUNT. Where a session lets
 * pass what a rule denies, no rule decided: '*x_answer' becomes 0.
 */
unsigned acl_session_decide(const struct acl *acl, const struct acl_packet *packet,
			    uint32_t *x_answer);

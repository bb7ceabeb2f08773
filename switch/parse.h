/*
 * What a frame is, for policies: the headers that its safe bytes show, read once per frame and only
 * on ports whose policy asks for it.
 *
 * The reader is a border: every byte is a tenant's. It follows tags (three below the one that is
 * out of band), 802.2 SNAP, IPv4 with options, IPv6 with any chain of extension headers, and asks
 * for up to PARSE_MAX bytes once. It says what it saw, and whether it came to the end: what a
 * policy cannot see it must not let pass (RFC 6980, 7112, 7113).
 *
 *    complete     the headers were read up to the ports, the ICMP type, or a protocol without
 *                 either; of neighbour discovery the whole message, if PARSE_MAX bytes hold it
 *    a fragment   not the first of its packet: it has no ports, and harms nobody without the first
 *    hidden       the frame ends, or goes on beyond what can be looked at, before all of it was
 *                 seen; or it contradicts itself: lengths that do not fit, a first fragment without
 *                 its ports, a fragment that would overwrite what was read of another (RFC 1858,
 *                 3128)
 *
 * Ports are those of TCP, UDP, UDP-Lite, SCTP and DCCP. What is behind the packet, by its length,
 * is padding. 802.2 other than SNAP is no IP, except by the numbers that IP and ARP have there:
 * that is hidden.
 *
 * Threads: the proc that holds the frame. Pure but for vnbl_extend().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/vnbl_types.h"

enum {
	// Bytes that are looked at: what vnbl_extend() has room for when a tag was taken out,
	// so that a decision does not depend on where a frame or its tag lies.
	PARSE_MAX = VNBL_SAFE_MAX - VNBL_TAG_SIZE
};

enum parse_flags {
	PARSE_IPV4 = 1 << 0,
	PARSE_IPV6 = 1 << 1,
	PARSE_ARP = 1 << 2,      // or RARP: for Ethernet and IPv4; 'l4' is its first byte
	PARSE_PORTS = 1 << 3,    // src_port, dst_port are valid
	PARSE_ICMP = 1 << 4,     // icmp_type, icmp_code are valid; of version 4 or 6
	PARSE_FRAGMENT = 1 << 5, // of a packet, the first one, the only one (RFC 6946) or another
	PARSE_LATER = 1 << 6,    // not the first one: no ports, no ICMP type
	PARSE_HIDDEN = 1 << 7,   // a policy that asks for more than it got has to drop the frame
	PARSE_ICMP_ID = 1 << 8,  // icmp_id is valid: an echo or a time stamp, asked for or answered
	PARSE_ICMP_ERROR = 1 << 9 // it quotes the packet that it is about: see parse_quoted()
};

struct parse {
	uint16_t flags;    // enum parse_flags
	uint16_t type;     // EtherType behind all tags; below 0x600: a length, not SNAP
	uint16_t l3;       // bytes from the frame's first to the IP header
	uint16_t l4;       // bytes to what the protocol names; 0: none
	uint8_t protocol;  // IP's, behind all extension headers
	uint8_t tcp_flags; // valid with PARSE_PORTS of TCP
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t src_port; // host order
	uint16_t dst_port;
	uint16_t icmp_id; // host order
	uint16_t seen;    // bytes that were looked at: at most so many at hdr are to be read
	uint32_t frag_id; // with PARSE_FRAGMENT: which packet it is a part of; host order
};

/**
 * Reads the headers of a frame whose outermost tag is out of band. Never fails: 'ret' says what
 * was seen.
 */
void parse_frame(struct vnbl *v, struct parse *ret);

/**
 * Reads the packet that an ICMP error quotes, as far as errors have to quote it: up to its ports or
 * its icmp_id, no flags of TCP. 'error' is what parse_frame() said of the frame, PARSE_ICMP_ERROR
 * among it. In 'ret', PARSE_HIDDEN says that there is less.
 */
void parse_quoted(struct vnbl *v, const struct parse *error, struct parse *ret);

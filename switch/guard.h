/*
 * Guards: messages that a port may not send because it is no DHCP server, no router, and not the
 * owner of every address (HYPERV 5.1; RFC 7113 for the disguises).
 *
 *    guard          what it drops                                        reason
 *    dhcp-guard     UDP to port 68; BOOTREPLY from or to port 67; over   DhcpGuard
 *                   IPv6, UDP from port 547 or to port 546
 *    router-guard   ICMPv6 router advertisement and redirect (134, 137)  RouterGuard
 *                   ICMP redirect and router advertisement (5, 9)
 *    arp-guard      ARP and neighbour discovery that tell of an address  FailedSecurityPolicy
 *                   which is not the port's, or of a link address which
 *                   is not the frame's own
 *    address-limit  ARP and neighbour discovery that tell of one         FailedSecurityPolicy
 *                   address more than the limit
 *
 * The port's addresses are those that are listed, and the link-local one that a link address makes
 * (RFC 4291, appendix A). With `address-limit N` come the first N others that it announces, of
 * IPv4 and IPv6 together, whether arp-guard is on or not; each is kept until it was not announced
 * for 300 s. Without arp-guard the limit is about addresses alone: link addresses may be any.
 *
 * Of IPv4 arp-guard sees the sender of ARP, which may be 0.0.0.0 (a probe, RFC 5227). Of IPv6 it
 * sees the source of solicitations, router advertisements and redirects, the target of neighbour
 * advertisements and of solicitations that look for a duplicate, and all options with a link
 * address but a redirect's. It drops what no host has to understand: ARP of another kind, RARP but
 * for that of a machine that has moved, neighbour discovery that is malformed or in fragments
 * (RFC 6980). The limit sees the same addresses, and drops what it cannot see them in. A packet
 * that only comes from an address announces nothing.
 *
 * What hides from a guard (PARSE_HIDDEN) is dropped by it: the reason is the first one's that is
 * on. Fragments other than the first pass: without that one they are nothing.
 *
 * Threads: pure but for what is learned; any proc.
 */
#pragma once

#include "ports/vnbl_types.h"
#include "switch/guard_learn_types.h"
#include "switch/guard_types.h"
#include "switch/parse.h"

/**
 * The decision for one frame that its port sends: a reason to drop it, or DROP_COUNT. 'p' is what
 * parse_frame() saw of it. 'learned' is the port's, NULL only without a limit; 'now_s' is the
 * proc's clock.
 */
unsigned guard_enter(const struct guard_rules *g, struct guard_learn *learned, const struct vnbl *v,
		     const struct parse *p, uint32_t now_s);

/*
 * Sessions: what TCP's flags make of the state of one. See conntrack.h.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>

#include "ports/headers.h"
#include "switch/conntrack_types.h"

// The state of a session that begins with a packet with these flags; CONNTRACK_FREE: none begins.
static inline enum conntrack_state conntrack_tcp_begin(uint8_t flags)
{
	if (flags & (TCP_RST | TCP_FIN))
		return CONNTRACK_FREE;
	if (flags & TCP_SYN)
		return flags & TCP_ACK ? CONNTRACK_SYN_RECEIVED : CONNTRACK_SYN_SENT;
	return flags & TCP_ACK ? CONNTRACK_ESTABLISHED : CONNTRACK_FREE;
}

// A SYN: only those say something that come in their turn, and none does with FIN.
static inline enum conntrack_state conntrack_tcp_syn(enum conntrack_state state, bool of_origin,
						     uint8_t flags)
{
	bool has_ack = flags & TCP_ACK;
	bool is_over = state == CONNTRACK_FIN_ORIGIN || state == CONNTRACK_FIN_REPLY ||
		       state == CONNTRACK_CLOSED;

	if (flags & TCP_FIN)
		return state;
	if (of_origin && !has_ack && is_over)
		return CONNTRACK_SYN_SENT;
	if (!of_origin && has_ack && state == CONNTRACK_SYN_SENT)
		return CONNTRACK_SYN_RECEIVED;
	return state;
}

static inline enum conntrack_state conntrack_tcp_fin(enum conntrack_state state, bool of_origin)
{
	enum conntrack_state mine = of_origin ? CONNTRACK_FIN_ORIGIN : CONNTRACK_FIN_REPLY;
	enum conntrack_state others = of_origin ? CONNTRACK_FIN_REPLY : CONNTRACK_FIN_ORIGIN;

	return state == others || state == CONNTRACK_CLOSED ? CONNTRACK_CLOSED : mine;
}

// The state after a packet with these flags; the same for states that are not TCP's.
static inline enum conntrack_state conntrack_tcp_next(enum conntrack_state state, bool of_origin,
						      uint8_t flags)
{
	if (state == CONNTRACK_FREE || state == CONNTRACK_FRAGMENT)
		return state;
	if (flags & TCP_RST)
		return CONNTRACK_CLOSED;
	if (flags & TCP_SYN)
		return conntrack_tcp_syn(state, of_origin, flags);
	if (flags & TCP_FIN)
		return conntrack_tcp_fin(state, of_origin);
	if (flags & TCP_ACK && of_origin && state == CONNTRACK_SYN_RECEIVED)
		return CONNTRACK_ESTABLISHED;
	return state;
}

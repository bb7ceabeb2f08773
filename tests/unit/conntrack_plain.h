// A plain counterpart of sessions: TCP's states as a table, time as it is told. Nothing here shares
// a line with the code under test.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "switch/conntrack_types.h"

enum plain_flags {
	PLAIN_NOTHING,
	PLAIN_ACK,
	PLAIN_SYN,
	PLAIN_SYN_ACK,
	PLAIN_FIN,
	PLAIN_RST,
	PLAIN_N_FLAGS
};

struct plain_session {
	bool exists;
	bool from_vm;
	uint8_t state; // enum conntrack_state
	uint32_t rule;
	uint32_t idle_s;
	uint64_t seen_s; // does not wrap
};

// Only the four flags below say anything.
static inline enum plain_flags plain_flags_of(uint8_t flags)
{
	bool fin = flags & 0x01, syn = flags & 0x02, rst = flags & 0x04, ack = flags & 0x10;

	if (rst)
		return PLAIN_RST;
	if (syn && fin)
		return PLAIN_NOTHING;
	if (syn)
		return ack ? PLAIN_SYN_ACK : PLAIN_SYN;
	if (fin)
		return PLAIN_FIN;
	return ack ? PLAIN_ACK : PLAIN_NOTHING;
}

// By the flags of the first packet; 0: it begins nothing.
static inline uint8_t plain_begin(uint8_t flags)
{
	static const uint8_t begin[PLAIN_N_FLAGS] = {
		[PLAIN_ACK] = CONNTRACK_ESTABLISHED,
		[PLAIN_SYN] = CONNTRACK_SYN_SENT,
		[PLAIN_SYN_ACK] = CONNTRACK_SYN_RECEIVED,
	};

	return begin[plain_flags_of(flags)];
}

static inline uint8_t plain_next(uint8_t state, bool of_origin, uint8_t flags)
{
	enum {
		SS = CONNTRACK_SYN_SENT,
		SR = CONNTRACK_SYN_RECEIVED,
		ES = CONNTRACK_ESTABLISHED,
		FO = CONNTRACK_FIN_ORIGIN,
		FR = CONNTRACK_FIN_REPLY,
		CL = CONNTRACK_CLOSED,
		FG = CONNTRACK_FRAGMENT
	};
	// By the state, by who sent it (the other side, the origin), by the flags.
	static const uint8_t next[CONNTRACK_N_STATES][2][PLAIN_N_FLAGS] = {
		// nothing, ACK, SYN, SYN+ACK, FIN, RST
		[SS] = {{SS, SS, SS, SR, FR, CL}, {SS, SS, SS, SS, FO, CL}},
		[SR] = {{SR, SR, SR, SR, FR, CL}, {SR, ES, SR, SR, FO, CL}},
		[ES] = {{ES, ES, ES, ES, FR, CL}, {ES, ES, ES, ES, FO, CL}},
		[FO] = {{FO, FO, FO, FO, CL, CL}, {FO, FO, SS, FO, FO, CL}},
		[FR] = {{FR, FR, FR, FR, FR, CL}, {FR, FR, SS, FR, CL, CL}},
		[CL] = {{CL, CL, CL, CL, CL, CL}, {CL, CL, SS, CL, CL, CL}},
		[FG] = {{FG, FG, FG, FG, FG, FG}, {FG, FG, FG, FG, FG, FG}},
	};

	return next[state][of_origin][plain_flags_of(flags)];
}

static inline void plain_touch(struct plain_session *s, bool from_vm, bool is_tcp, uint8_t flags,
			       uint64_t now_s)
{
	if (is_tcp)
		s->state = plain_next(s->state, from_vm == s->from_vm, flags);
	if (now_s > s->seen_s)
		s->seen_s = now_s;
}

// Seconds until it is forgotten; 0: it has ended.
static inline uint32_t plain_left_s(const struct plain_session *s, uint64_t now_s)
{
	bool half = s->state == CONNTRACK_FIN_ORIGIN || s->state == CONNTRACK_FIN_REPLY;
	uint32_t most_s = s->state == CONNTRACK_ESTABLISHED ? s->idle_s : half ? 120 : 20;
	uint64_t end_s = s->seen_s + (s->idle_s < most_s ? s->idle_s : most_s);

	if (!s->exists)
		return 0;
	if (now_s < s->seen_s)
		now_s = s->seen_s;
	return now_s < end_s ? (uint32_t)(end_s - now_s) : 0;
}

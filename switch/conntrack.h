/*
 * Connection tracking for stateful rules; see conntrack_types.h.
 *
 * It follows TCP by its flags, not by sequence numbers: a session opens the way for one flow
 * between two hosts, both of which check what they get.
 *
 *    state          on                                       forgotten after silence of
 *    SYN sent       SYN of its origin                        20 s
 *    SYN received   SYN+ACK of the other side, or of its     20 s
 *                   origin, when the SYN before was missed
 *    established    ACK of its origin; at once: a flow that  the rule's idle-timeout
 *                   was there before (ACK, no SYN), and all
 *                   that is not TCP
 *    closing        FIN of one side                          120 s
 *    closed         FIN of both, RST                         20 s
 *
 * Neither exceeds the rule's idle-timeout, and each packet that passes lets them begin again: a
 * RST or a FIN may be forged, and does not end what goes on. A SYN of the origin (without ACK)
 * begins anew what is closing or closed.
 *
 * Threads: any proc at any time, but where the main thread is named. Time is the caller's clock in
 * seconds; it may be some seconds behind what is stored, for procs' clocks differ.
 */
#pragma once

#include <stdbool.h>

#include "switch/conntrack_types.h"

struct conntrack_packet {
	bool from_vm;
	bool is_tcp;
	uint8_t tcp_flags;
};

struct conntrack_rule {
	uint32_t number;
	uint16_t weight;
	uint16_t idle_s;
};

// What a new session is for.
struct conntrack_kind {
	uint32_t room;  // there is none for it when the table has so many, those included that have
			// ended and are not swept yet
	bool fragments; // it is of CONNTRACK_FRAGMENT
};

// A session that was found.
struct conntrack_hit {
	struct conntrack_entry *entry;
	uint64_t state; // of 'entry', when its key was compared
	uint32_t rule;
	uint16_t weight;
};

/**
 * Room for 'max' sessions (1..ACL_SESSIONS_MAX), of libc's memory. 'seed' is random. -ENOMEM.
 */
int conntrack_create(uint32_t max, uint64_t seed, struct conntrack **ret);
void conntrack_destroy(struct conntrack *ct);

// Whether there is a session with this key that has not ended. Changes nothing.
bool conntrack_find(const struct conntrack *ct, const struct conntrack_key *key, uint32_t now_s,
		    struct conntrack_hit *ret);

// A packet of the session has passed. When the session ended meanwhile nothing happens.
void conntrack_touch(struct conntrack *ct, const struct conntrack_hit *hit,
		     const struct conntrack_packet *packet, uint32_t now_s);

/**
 * A packet that 'rule' lets pass begins a session. When there is one, which another proc may just
 * have made, it is a packet of that.
 * -EINVAL: it begins nothing, whether there is room or not (TCP with RST, FIN, or neither SYN nor
 * ACK); -ENOSPC: no room, which is counted; -EBUSY: another proc adds in the same place.
 */
int conntrack_add(struct conntrack *ct, const struct conntrack_key *key,
		  const struct conntrack_packet *packet, struct conntrack_kind kind,
		  const struct conntrack_rule *rule, uint32_t now_s);

/**
 * Frees what has ended, in n buckets from '*x_cursor' on, which moves on and round. Main thread.
 */
void conntrack_sweep(struct conntrack *ct, uint32_t now_s, uint32_t n, uint32_t *x_cursor);

/**
 * Ends every session for whose rule 'lives' says no. Main thread, when no proc makes such
 * sessions any more.
 */
void conntrack_end(struct conntrack *ct, bool (*lives)(uint32_t rule, void *arg), void *arg);

/**
 * Copies the sessions of 'from', which procs go on using, as far as there is room; returns how many
 * found none. Of one that 'ct' has, too, by the same rule and from the same side, the state that
 * was seen later stays, within a second the later one of the list above; of others, its own. Main
 * thread.
 *
 * Done before procs see 'ct' and again when they have left 'from', it loses no session. One that
 * ends in 'from' between the two goes on in 'ct' for at most its timeout, and the replies of one
 * that begins between them pass from the second time on.
 */
uint32_t conntrack_fill(struct conntrack *ct, const struct conntrack *from, uint32_t now_s);

/**
 * The same for the last time: 'from' is not changed any more. Its count of refused sessions goes
 * over, too, and what finds no room is counted. Main thread.
 */
void conntrack_take(struct conntrack *ct, const struct conntrack *from, uint32_t now_s);

// One session, as it was at some moment.
struct conntrack_session {
	struct conntrack_key key;
	enum conntrack_state state;
	bool from_vm;
	uint32_t rule;
	uint32_t left_s; // until it is forgotten
};

/**
 * The session in the first place that has one, from '*x_cursor' on, which then stands behind it;
 * false: there is none. Main thread.
 */
bool conntrack_next(const struct conntrack *ct, uint32_t now_s, uint32_t *x_cursor,
		    struct conntrack_session *ret);

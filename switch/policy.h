/*
 * Policy on the fast path: what a port's policy does to the frames of a burst.
 *
 * Threads: the proc that holds the burst.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "ports/vnbl_types.h"
#include "ports/vport_types.h"
#include "switch/policy_types.h"

// What a port has when it was told nothing.
extern const struct policy policy_untagged, policy_wire;

// A port's policy, never NULL; valid to the end of the burst.
static inline const struct policy *policy_of(const struct vport *port)
{
	const struct policy *policy = atomic_load_explicit(&port->policy, memory_order_acquire);

	if (policy != NULL)
		return policy;
	return port->is_wire ? &policy_wire : &policy_untagged;
}

// Whether anything is to be decided at all for frames from this port that have no tag.
static inline bool policy_has(const struct vport *port)
{
	return atomic_load_explicit(&port->policy, memory_order_relaxed) != NULL;
}

// Whether anything is to be decided for frames without a tag that leave by this port.
static inline bool policy_leaves(const struct vport *port)
{
	const struct policy *policy = atomic_load_explicit(&port->policy, memory_order_acquire);

	return policy != NULL && policy->leaves;
}

/**
 * The way in, before the lookup: frames that may not enter are dropped and counted in 'st', the
 * others are in their VLAN. 'is_tagged': some have a tag, out of band. 'proc' is the caller's
 * number, 'now_s' its clock.
 */
void policy_enter_burst(const struct policy *policy, struct vnbl_burst *burst,
			struct vport_stats *st, bool is_tagged, unsigned proc, uint32_t now_s);

/**
 * After the lookup: drops what is over the port's storm limit. 'now_s' is the proc's clock.
 */
void policy_storm_burst(struct vport *port, struct vnbl_burst *burst, struct vport_stats *st,
			uint32_t now_s);

/**
 * A frame that had passed ingress ends here after all: it is a drop and not a frame received.
 */
void policy_drop_in(struct vnbl *v, unsigned reason, struct vport_stats *st);

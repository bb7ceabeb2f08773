/*
 * Policy of a port: what its frames may do, made by the main thread out of the configuration so
 * that a proc has nothing left to work out. Most ports have none, and pay nothing.
 *
 * The order is that of HYPERV 1.2. On the way in: VLAN, source address, access control, guards;
 * after the lookup: storm limit. On the way out: VLAN, access control.
 *
 * Threads: constant once a proc can see it; replaced as a whole, and freed after a grace period.
 */
#pragma once

#include <stdint.h>

#include "switch/acl_types.h"
#include "switch/guard_learn_types.h"
#include "switch/guard_types.h"
#include "switch/vlan_types.h"

enum { POLICY_MACS_MAX = 16 };

struct policy {
	uint8_t divides;    // 1: 'vlan' is about frames without a tag, too
	uint8_t leaves;     // 1: frames without a tag are looked at when they leave by the port
	uint8_t checks_mac; // 1: frames may come from macs[] only
	uint8_t n_macs;
	uint8_t mirrored_to; // session that gets copies of the port's frames; 0: none
	uint8_t parses;      // 1: frames are to be read up to their ports, for the guards
	uint8_t pad[2];
	uint32_t storm_fps; // broadcast, multicast and unknown unicast frames per second; 0: no
			    // limit
	uint64_t
		macs[POLICY_MACS_MAX]; // as the first six bytes of a word, first on the wire lowest
	struct vlan_rules vlan;
	struct guard_rules guard;
	struct guard_learn *learned; // NULL: no limit of addresses; goes on to the next policy
	struct acl *acl; // NULL: none; goes on to the policy that replaces this when it is the same
};

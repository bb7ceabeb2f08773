/*
 * Policy out of configuration: what the settings of a port come to for a proc.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"
#include "switch/conf_types.h"
#include "switch/policy_types.h"

/**
 * The policy that port 'p' has by its settings and those of the other ports in 'all'. Gives NULL
 * when it needs none. 'before' is the policy that it has, or NULL: what hangs on that one and is to
 * be the same again goes on in the new one. The caller frees it by policy_free(). -ENOMEM.
 */
int policy_make(const struct conf *all, const struct conf_port *p, const struct policy *before,
		struct policy **ret, struct errtext *e);

/**
 * To be called right before 'policy' takes the place of 'before' (either may be NULL), which procs
 * have: what has to be there from its first frame on goes over, as acl_inherit() says. 'now_s' is
 * the procs' clock.
 */
void policy_inherit(struct policy *policy, const struct policy *before, uint32_t now_s);

/**
 * To be called when 'policy' has taken the place of 'before' (either may be NULL) and no proc has
 * 'before' any more: counts and sessions go over. 'before' is then to be freed. 'now_s' is the
 * procs' clock.
 */
void policy_commit(struct policy *policy, struct policy *before, uint32_t now_s);

// Frees a policy, but for what 'other' has, too. Both may be NULL.
void policy_free(struct policy *policy, const struct policy *other);

// Both may be NULL.
bool policy_same(const struct policy *a, const struct policy *b);

/**
 * Which VLANs of a switch share their stations; NULL when none do. The caller frees it. -ENOMEM.
 */
int policy_make_fids(const struct conf *all, const char *switch_name, struct vlan_fids **ret);

// Both may be NULL.
bool policy_same_fids(const struct vlan_fids *a, const struct vlan_fids *b);

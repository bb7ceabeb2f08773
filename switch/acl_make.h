/*
 * Rules of a port compiled for procs, by librte_acl where they are about IP.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"
#include "switch/acl_types.h"
#include "switch/vlan_types.h"

struct acl_limits {
	uint32_t sessions; // at most so many, 1..ACL_SESSIONS_MAX
	bool full_allows;
	struct vlan_rules vlan; // of the port; only by a trunk's are flows told apart: elsewhere
				// both ways of one may be in different VLANs
};

/**
 * Compiles n > 0 rules, which are right each and together (conf_acl.h), in the order of their
 * numbers. With 'before', the port's last acl or NULL, its sessions go on in the new one (only when
 * acl_inherit() and acl_commit() are called), unless the port's VLANs are others: its flows are,
 * then. Nothing of 'before' is changed. The caller destroys it. -ENOMEM: of the system's memory or
 * of DPDK's, 'e' says which.
 */
int acl_make(const struct acl_rule rules[], uint32_t n, const struct acl_limits *limits,
	     const struct acl *before, struct acl **ret, struct errtext *e);

// Whether acl_make() would make the same again; 'acl' may be NULL: there is no rule.
bool acl_same(const struct acl *acl, const struct acl_rule rules[], uint32_t n,
	      const struct acl_limits *limits);

/**
 * To be called right before 'acl' takes the place of 'before' (either may be NULL), which procs
 * have: when it has a table of its own, because there are to be more or fewer sessions, those of
 * 'before' are copied into it, so that their replies pass from its first frame on. What
 * conntrack_fill() says of the meantime is true until acl_commit(). 'now_s' is the procs' clock.
 */
void acl_inherit(struct acl *acl, const struct acl *before, uint32_t now_s);

/**
 * To be called when 'acl' has taken the place of 'before' (either may be NULL) and no proc has
 * 'before' any more: what it counted is carried over by number for rules that are the same, and
 * so are its sessions, but those that acl_inherit() has copied and that are as they were; sessions
 * of rules that are gone end, and all with another VLAN. 'before' is then to be destroyed. 'now_s'
 * is the procs' clock.
 */
void acl_commit(struct acl *acl, struct acl *before, uint32_t now_s);

// Destroys an acl that no proc sees; sessions only if no other acl took them over. NULL is allowed.
void acl_destroy(struct acl *acl);

// What rule 'index' has matched so far, on all procs.
struct acl_count acl_count(const struct acl *acl, uint32_t index);

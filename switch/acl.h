/*
 * Access control lists on the fast path: what a port's rules say of a burst; see acl_types.h.
 *
 * Threads: any proc; for 'proc' only that one.
 */
#pragma once

#include "ports/vnbl_types.h"
#include "switch/acl_types.h"

/**
 * Decides for up to VNBL_BURST_MAX frames that are on their way into ('direction' ACL_IN) or out of
 * the VM: reasons[i] becomes a reason to drop frames[i], or DROP_COUNT. Counts what matched, and
 * keeps sessions. 'now_s' is the proc's clock.
 *
 * Reasons: FailedSecurityPolicy, denied, or not to be seen up to its ports; Resources, no room for
 * its session; Busy, two procs were making sessions in the same place.
 */
void acl_decide_burst(const struct acl *acl, enum acl_direction direction,
		      struct vnbl *const frames[], unsigned n, unsigned proc, uint32_t now_s,
		      uint8_t reasons[]);

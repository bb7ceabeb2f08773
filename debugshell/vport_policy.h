/*
 * The policy of a port, as its proc sees it: part of `vport ADDRESS`.
 */
#pragma once

#include "debugshell/shell.h"
#include "ports/vport_types.h"
#include "switch/policy_types.h"

/**
 * Reads the policy of the port at 'addr', which had the one at '*x_at' and may have got another
 * since. '*x_at' is its address then, 0 when the port has none. Negative errno and 'why'.
 */
int vport_policy_read(struct shell *sh, tgt_addr addr, tgt_addr *x_at, struct policy *policy,
		      struct why *why);

// Prints the rows of what `port set` can say; 'addr' is the port's, which is printed already.
void vport_policy_print(struct shell *sh, tgt_addr addr, const struct vport *port);

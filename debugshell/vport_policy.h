/*
 * The policy of a port, as its proc sees it: part of `vport ADDRESS`.
 */
#pragma once

#include "debugshell/shell.h"
#include "ports/vport_types.h"

// Prints the rows of what `port set` can say; 'addr' is the port's, which is printed already.
void vport_policy_print(struct shell *sh, tgt_addr addr, const struct vport *port);

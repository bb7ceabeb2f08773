/*
 * Access control of a port, and what it has learned of its addresses: part of `vport ADDRESS`.
 *
 * All of it hangs on the policy, which may be replaced while it is read: it is read until the
 * port still has the same policy afterwards, and printed then.
 */
#pragma once

#include "debugshell/shell.h"
#include "ports/vport_types.h"

// Prints sections for what there is; 'addr' is the port's, whose policy is printed already.
void vport_acl_print(struct shell *sh, tgt_addr addr, const struct vport *port);

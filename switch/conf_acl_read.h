/*
 * The words of `acl add` behind the kind. Only conf_acl*.c include this.
 *
 * Threads: pure.
 */
#pragma once

#include "switch/conf_args.h"

enum { CONF_ACL_PORT_MAX = 65535 };

// What one command adds: one rule, or one for each direction.
struct conf_acl_add {
	struct acl_rule rule;
	bool both;
	// Where its words stand; 0: they do not.
	unsigned local, remote, ports, protocol, weight, stateful, idle, number;
};

/**
 * Reads all that follows the kind, which is at args->at, and judges what needs no other rule.
 * Ports in 'ret' are those for any.
 */
int conf_acl_read_basic(struct conf_args *args, struct conf_acl_add *ret);
int conf_acl_read_extended(struct conf_args *args, struct conf_acl_add *ret);

/*
 * Rules about IP as librte_acl wants them.
 *
 * A table gives four answers at once, each the rule that wins among its kind:
 *
 *    basic       allows and denials by address: prefix length first, then denials, then the number
 *    meters      prefix length first, then the number
 *    extended    by weight
 *    later       the same for fragments that do not show their ports: rules that allow ask for
 * none, rules that deny certain ports are left out
 *
 * librte_acl gives up on rules that overlap in too many ways. Then they are halved, and each half
 * is a table: those that win over the others are asked first, and of each kind the first answer is
 * the right one. That costs time, but no configuration is refused for what it says.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/errtext.h"
#include "switch/acl_types.h"

enum acl_category {
	ACL_CATEGORY_BASIC,
	ACL_CATEGORY_METER,
	ACL_CATEGORY_EXTENDED,
	ACL_CATEGORY_LATER,
	ACL_CATEGORIES
};

// An answer: 0: nothing matched; else index + 1 of a rule, and what procs need most of it.
enum { ACL_ANSWER_RULE = 0xffff, ACL_ANSWER_DENIES = 1 << 16, ACL_ANSWER_STATEFUL = 1 << 17 };

/**
 * Makes the tables of 'direction' for IPv4 or IPv6 packets; none if no rule is about them. Freed by
 * acl_build_free(). -ENOMEM: 'e' says of what.
 */
int acl_build(const struct acl_rule rules[], uint32_t n, enum acl_direction direction,
	      enum acl_family version, struct acl_tables *ret, struct errtext *e);
void acl_build_free(struct acl_tables *tables);

/*
 * `acl add` and `acl remove` in the configuration.
 *
 *   acl add PORT basic direction in|out|both local|remote ADDRESS action allow|deny|meter
 *   acl add PORT extended direction in|out action allow|deny weight N [local-address ADDRESS]
 *           [remote-address ADDRESS] [protocol tcp|udp|icmp|icmpv6|N] [local-port N[-N]]
 *           [remote-port N[-N]] [stateful on|off] [idle-timeout SECONDS]
 *           both: [number N], as saved state has it
 *   acl remove PORT N|all
 *
 * ADDRESS is an IP address or prefix, `any`, or, with basic rules, a MAC address or `any-mac`. A
 * basic rule with direction both becomes two. A rule takes the number behind the port's highest.
 * The rules of a port are kept, and saved, in the order of their numbers.
 *
 * Refused, with the number of the rule that is in the way: the same weight a second time; a basic
 * rule with the same direction, side and address that decides otherwise, or the same rule again.
 * Refused: ports with protocols that have none, addresses of two versions, ICMP of the other one,
 * a meter by MAC, stateful with deny, an idle-timeout without stateful, ports without a NIC.
 *
 * Threads: pure.
 */
#pragma once

#include <stdio.h>

#include "switch/conf_args.h"

// Protocols that have a name.
#define CONF_ACL_PROTOCOLS(X)                                                                      \
	X(6, "tcp")                                                                                \
	X(17, "udp")                                                                               \
	X(1, "icmp")                                                                               \
	X(58, "icmpv6")

int conf_edit_acl_add(struct conf_args *args, struct conf_edit *ret);
int conf_edit_acl_remove(struct conf_args *args, struct conf_edit *ret);

// "acl add NAME basic ..." with a line end: what makes the rule again, its number included.
void conf_acl_print(const char *port, const struct acl_rule *rule, FILE *f);

// Single words of a rule: "192.0.2.0/24", "any"; "80", "8000-8080", "any".
void conf_acl_print_address(const struct acl_address *a, FILE *f);
void conf_acl_print_ports(const struct acl_ports *ports, FILE *f);

// NULL: it has none and is written as a number.
const char *conf_acl_protocol_name(uint8_t protocol);

const char *conf_acl_kind_text(unsigned kind);
const char *conf_acl_direction_text(unsigned direction);
const char *conf_acl_action_text(unsigned action);

static inline bool conf_acl_any_port(const struct acl_ports *ports)
{
	return ports->first == 0 && ports->last == UINT16_MAX;
}

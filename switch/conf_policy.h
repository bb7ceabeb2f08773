/*
 * The security settings of a port in the configuration: `port set NAME vlan ...` and what follows.
 * Only conf_*.c include this.
 *
 * Threads: pure.
 */
#pragma once

#include <stdio.h>

#include "switch/conf_args.h"

// Keys of `port set` whose target is a struct conf_port.
int conf_policy_read_vlan(struct conf_args *args, const char *value, void *target);
int conf_policy_read_spoofing(struct conf_args *args, const char *value, void *target);
int conf_policy_read_teaming(struct conf_args *args, const char *value, void *target);
int conf_policy_read_priority(struct conf_args *args, const char *value, void *target);
int conf_policy_read_storm(struct conf_args *args, const char *value, void *target);
int conf_policy_read_vm(struct conf_args *args, const char *value, void *target);
int conf_policy_read_dhcp_guard(struct conf_args *args, const char *value, void *target);
int conf_policy_read_router_guard(struct conf_args *args, const char *value, void *target);
int conf_policy_read_arp_guard(struct conf_args *args, const char *value, void *target);
int conf_policy_read_addresses(struct conf_args *args, const char *value, void *target);
int conf_policy_read_address_limit(struct conf_args *args, const char *value, void *target);
int conf_policy_read_sessions(struct conf_args *args, const char *value, void *target);
int conf_policy_read_sessions_full(struct conf_args *args, const char *value, void *target);

int conf_policy_read_mirror(struct conf_args *args, const char *value, void *target);

/**
 * What can be judged only when all words are known, against the other ports of the switch.
 * 'self' is the port as it was. Errors stand at 'word'.
 */
int conf_policy_check(struct conf_args *args, unsigned word, const struct conf_port *p,
		      const struct conf_port *self);

// Whether anything differs from the default.
bool conf_policy_is_set(const struct conf_policy *policy);

// " vlan access 5 storm-limit 100": what `port set` needs to make it again.
void conf_policy_print(const struct conf_policy *policy, FILE *f);

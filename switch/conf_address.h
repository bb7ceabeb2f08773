/*
 * IP addresses and prefixes in commands, as guards compare them.
 *
 * Threads: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "ports/errtext.h"
#include "switch/guard_types.h"

// A station's address, or a prefix, IPv4 or IPv6, without bits behind the prefix. -EINVAL.
int conf_address_read(const char *text, struct guard_address *ret, struct errtext *e);

// The same, also of what is no station's: groups, 0.0.0.0. -EINVAL.
int conf_address_read_any(const char *text, struct guard_address *ret, struct errtext *e);

bool conf_address_is_ipv4(const struct guard_address *a);

// Up to GUARD_ADDRESSES_MAX of them, with commas between, each once. -EINVAL.
int conf_address_read_list(const char *text, struct guard_address *ret, uint8_t *ret_n,
			   struct errtext *e);

// As conf_address_read_list() reads them again; at least one.
void conf_address_print_list(const struct guard_address *addresses, unsigned n, FILE *f);

/*
 * IP addresses and prefixes in commands, as guards compare them.
 *
 * Threads: none of its own; pure.
 */
#pragma once

#include <stdio.h>

#include "ports/errtext.h"
#include "switch/guard_types.h"

// An address or a prefix, IPv4 or IPv6, without bits behind the prefix. -EINVAL.
int conf_address_read(const char *text, struct guard_address *ret, struct errtext *e);

// Up to GUARD_ADDRESSES_MAX of them, with commas between, each once. -EINVAL.
int conf_address_read_list(const char *text, struct guard_address *ret, uint8_t *ret_n,
			   struct errtext *e);

// As conf_address_read_list() reads them again; at least one.
void conf_address_print_list(const struct guard_address *addresses, unsigned n, FILE *f);

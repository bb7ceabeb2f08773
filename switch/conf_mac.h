/*
 * MAC addresses of ports in the configuration. Only conf_*.c include this.
 *
 * `mac dynamic` takes the lowest free address of the host's pool of 256 (HYPERV 5.1): 00-15-5D, two
 * bytes of the host's own, and a number. From then on it is an address like any other.
 *
 * Threads: pure.
 */
#pragma once

#include "switch/conf_args.h"

// A word that is a MAC address or `dynamic`. -EINVAL; -ENOSPC: the pool is used up.
int conf_mac_read(struct conf_args *args, const char *value, uint8_t ret[6]);

/**
 * Whether port 'p', which was 'self' (may be NULL), can have its address. -EEXIST: another port of
 * the same switch has it. -ENOSPC: the switch's table has no room for it.
 */
int conf_mac_check_free(struct conf_args *args, unsigned word, const struct conf_port *p,
			const struct conf_port *self);

// Ports of the switch that have an address, without 'but' (may be NULL).
uint32_t conf_mac_count(const struct conf *c, const char *switch_name, const struct conf_port *but);

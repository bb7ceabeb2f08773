/*
 * What a port's guards look for; see guard.h.
 *
 * Threads: constant once a proc can see it.
 */
#pragma once

#include <stdint.h>

enum { GUARD_ADDRESSES_MAX = 32 };

// An address or a prefix, IPv4 as ::ffff:a.b.c.d with 96 bits more.
struct guard_address {
	uint8_t bytes[16];
	uint8_t bits; // of the prefix, 0..128
	uint8_t pad[7];
};

struct guard_rules {
	uint8_t dhcp;   // 1: on
	uint8_t router; // 1: on
	uint8_t arp;    // 1: on; 'addresses' are those that the port may announce
	uint8_t n_addresses;
	uint8_t limit; // that many addresses more, GUARD_LEARN_MAX at most; 0: with arp none, else
		       // any
	uint8_t pad[3];
	struct guard_address addresses[GUARD_ADDRESSES_MAX];
};

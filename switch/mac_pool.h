/*
 * Which MAC addresses are this host's to give out (HYPERV 5.1): the last two bytes of its IPv4
 * address tell its pool from that of another host.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

/**
 * Gives the fourth and fifth byte of the pool's addresses: the last two of the lowest IPv4 address
 * that is not a loopback one; without one, a hash of the host's name.
 */
void mac_pool_find(uint8_t ret[2]);

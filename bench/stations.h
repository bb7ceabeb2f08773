/*
 * Stations of the micro-benchmarks: addresses spread over their whole space, as hypervisors make
 * them up, and random draws of them that are the same in every run.
 *
 * Threads: no state but the caller's.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#define STATIONS_SEED 88172645463325252ULL

// A local unicast address; two numbers have never the same one.
static inline void station_mac(uint32_t number, uint8_t mac[6])
{
	uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15ULL;

	mixed ^= mixed >> 29;
	memcpy(mac, &mixed, 6);
	mac[0] = (mac[0] & 0xfc) | 2;
	memcpy(mac + 2, &number, sizeof(number));
}

// The next number below 'n'; '*state' is STATIONS_SEED at first.
static inline uint32_t station_draw(uint64_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state % n);
}

#include "switch/mac_pool.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <unistd.h>

static uint32_t lowest_address(void);
static uint32_t name_hash(void);

void mac_pool_find(uint8_t ret[2])
{
	uint32_t number = lowest_address();

	if (number == 0)
		number = name_hash();
	ret[0] = (uint8_t)(number >> 8);
	ret[1] = (uint8_t)number;
}

// In host order; 0: there is none.
static uint32_t lowest_address(void)
{
	struct ifaddrs *all, *a;
	uint32_t lowest = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (a = all; a != NULL; a = a->ifa_next) {
		const struct sockaddr_in *sin = (const void *)a->ifa_addr;
		uint32_t address;

		if (sin == NULL || sin->sin_family != AF_INET || a->ifa_flags & IFF_LOOPBACK)
			continue;
		address = ntohl(sin->sin_addr.s_addr);
		if (lowest == 0 || address < lowest)
			lowest = address;
	}
	freeifaddrs(all);
	return lowest;
}

// FNV-1a.
static uint32_t name_hash(void)
{
	char name[HOST_NAME_MAX + 1] = "";
	uint32_t hash = 2166136261U;

	gethostname(name, sizeof(name) - 1);
	for (const char *c = name; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	return hash ^ hash >> 16;
}

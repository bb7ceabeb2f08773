// A small EAL for unit tests that need mbufs: no hugepages, no files, no devices.
#pragma once

#include <rte_eal.h>

static inline int eal_start(void)
{
	static char words[][16] = {
		"test", "--no-huge", "--no-shconf", "--no-pci",    "--no-telemetry", "--lcores",
		"0@0",  "-m",        "128",         "--log-level", "error",
	};
	char *argv[sizeof(words) / sizeof(words[0])];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		argv[i] = words[i];
	return rte_eal_init(sizeof(words) / sizeof(words[0]), argv) < 0 ? -1 : 0;
}

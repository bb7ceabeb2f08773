/*
 * Dynamic VMQ: looks at the load of procs and receive queues ten times a second, and moves queues
 * as place.h decides. Queues that are pinned stay, and so do those of switches that are static.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdint.h>

enum { BALANCE_INTERVAL_MS = 100 };

// To be called every BALANCE_INTERVAL_MS; with one proc there is nothing to do.
void balance_tick(uint64_t now_tsc);

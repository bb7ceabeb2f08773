/*
 * A guest's memory: which guest-physical ranges lie where in our address space.
 *
 *     guest-physical      0          gpa        gpa + size
 *                         |----------|==========|-------------
 *                                    |
 *     our address space              host (inside a mapping: map, map_size)
 *
 * Addresses on a ring are the guest's own and worth nothing until they have been looked up
 * here. Regions may adjoin; a buffer may then reach from one into the next, where its
 * second half lies anywhere else in our address space.
 *
 * A mapping can go away under us: a memory file that is truncated, a pool of huge pages that
 * ran dry. The handler of SIGBUS (sigbus.h) then puts zero pages there and sets 'broken'.
 *
 * Threads: constant from guest_mem_create() to guest_mem_destroy(), but for 'broken', which
 * the signal handler sets in any thread and procs read per burst.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { GUEST_MEM_REGIONS_MAX = 32 };

struct guest_region {
	uint64_t gpa;  // guest-physical address
	uint64_t size; // bytes, > 0
	uint8_t *host; // where it lies in our address space
	uint8_t *map;  // the mapping that it lies in
	uint64_t map_size;
	int32_t sigbus_slot; // in the handler's table
	uint32_t pad;
};

struct guest_mem {
	_Atomic uint32_t broken; // 1: pages went away, zeros lie there now
	uint32_t n_regions;
	struct guest_region regions[GUEST_MEM_REGIONS_MAX];
};

/*
 * Port mirroring (HYPERV 5.1, MonitorMode): a copy of what a source port sends and receives goes to
 * the destination ports of the same session and switch, with the tag of its VLAN, whatever VLANs
 * those ports carry.
 *
 * A frame is copied once per destination, also when both its ends are sources, and not at all to
 * a destination that it came from or goes to anyway. Copies leave after all originals of
 * the burst: they delay and drop none. A frame that is copied is made safe first, for otherwise its
 * sender could show one thing to its peer and another to who watches.
 *
 * Threads: the proc that holds the burst.
 */
#pragma once

#include <stdbool.h>

#include "ports/vnbl_types.h"
#include "switch/proc_types.h"
#include "switch/vswitch_types.h"

// What is to be copied of one burst; bit i of a mask is frame i.
struct mirror {
	const struct vswitch_mirrors *mirrors;
	struct vnbl_burst *burst;
	uint32_t wanted[VPORT_MIRRORS_MAX]; // by destination
	uint32_t there[VPORT_MIRRORS_MAX];  // came from or went to the destination itself
};

// Begins with a burst of which nothing was delivered yet, and notes what its port is a source of.
void mirror_begin(struct mirror *m, const struct vswitch_mirrors *mirrors,
		  const struct proc_rxq *rxq, struct vnbl_burst *burst);

// Notes frames of the burst that are about to be delivered to 'port'.
void mirror_note(struct mirror *m, const struct vport *port, struct vnbl *const frames[],
		 unsigned n);

// Delivers the copies. 'proc' is the caller's number.
void mirror_end(struct mirror *m, const struct vswitch_map *map, unsigned proc);

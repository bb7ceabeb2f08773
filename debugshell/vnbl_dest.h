/*
 * Where a frame in hand goes, as far as the switch keeps it: what `vnbl` shows of HYPERV 1.4's
 * destination array.
 *
 * The switch keeps one destination, or that there are all ports, and how far it has come with
 * them. Which port leaves a frame out is decided when its turn comes and is kept nowhere; what
 * becomes of the tag is the policy of the port.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "debugshell/print.h"
#include "debugshell/shell.h"
#include "switch/proc_types.h"

struct vnbl_dest {
	uint16_t dst_slot;   // as in the frame
	uint32_t flooded_to; // as in the burst
	bool knows_flooded;  // this vswd has 'flooded_to'
	unsigned stage;      // of the proc
	tgt_addr src_port;
};

// What a proc says of all frames of its burst; 'dst_slot' and 'src_port' are for the caller to set.
struct vnbl_dest vnbl_dest_of(struct shell *sh, const struct proc *proc);

// A few words, in [] when there is none or none yet.
struct text vnbl_dest_short(const struct vnbl_dest *d);

// Rows NumDestinations and Destination.
void vnbl_dest_print(struct shell *sh, const struct vnbl_dest *d);

// Section DESTINATIONS, with a row for each.
void vnbl_dest_print_all(struct shell *sh, const struct vnbl_dest *d);

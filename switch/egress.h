/*
 * What happens to a frame between the MAC table and the NICs it goes to: the burst is sorted
 * by destination, and each destination gets those frames in one call, in order, that its policy
 * lets out. Second half of the order of HYPERV 1.2.
 *
 * Threads: the proc that holds the burst.
 */
#pragma once

#include "switch/proc_types.h"
#include "switch/vswitch_types.h"

/**
 * Delivers all frames that are not dropped by their dst_slot. 'map' is the switch's, valid to
 * the end of the burst. Frames that end here are counted on the source port; what the
 * destination's policy or NIC does not take is counted there. 'proc' is the caller's number,
 * 'now_s' its clock in seconds.
 */
void egress_burst(const struct vswitch_map *map, const struct proc_rxq *rxq,
		  struct vnbl_burst *burst, unsigned proc, uint32_t now_s);

/*
 * What happens to a frame between its NIC and the MAC table: it is checked, its VLAN tag is taken
 * out of band, and its port's policy says whether it may enter. First half of the order of
 * HYPERV 1.2.
 *
 * Threads: the proc that holds the burst.
 */
#pragma once

#include "switch/proc_types.h"
#include "switch/vswitch_types.h"

/**
 * Checks all frames of a burst that came from rxq->port. Frames that may not enter are
 * marked dropped and counted in 'st'; the others are counted as received. 'proc' is the caller's
 * number, 'now_s' its clock in seconds.
 */
void ingress_burst(const struct vswitch *sw, const struct proc_rxq *rxq, struct vnbl_burst *burst,
		   struct vport_stats *st, unsigned proc, uint32_t now_s);

/**
 * The decision for one frame whose tag is out of band: a reason to drop it, or DROP_COUNT.
 * Pure. 'frame_max' is the switch's longest frame in bytes, without tag.
 */
unsigned ingress_check(const struct vnbl *v, uint32_t frame_max);

/*
 * Frames as mbufs, for those who keep them beyond a burst: a queue between procs, a NIC.
 *
 * Threads: the proc that holds the frame.
 */
#pragma once

#include "ports/vnbl.h"

struct rte_mbuf;

/**
 * Gives a fresh mbuf chain with a copy of the frame and of what travels beside its data
 * (offload request, VLAN tag, source). NULL: the pool is empty.
 */
struct rte_mbuf *vnbl_copy_to_mbuf(const struct vnbl *v);

/**
 * Makes '*v' the frame that vnbl_copy_to_mbuf() put into 'm'. Takes 'm': vnbl_release()
 * frees it.
 */
void vnbl_from_mbuf(struct vnbl *v, struct rte_mbuf *m);

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

/**
 * Where a waiting frame keeps the link to the next one of its list; not a part of the mbuf's
 * chain. For who holds 'm' between the two functions above.
 */
struct rte_mbuf **vnbl_mbuf_link(struct rte_mbuf *m);

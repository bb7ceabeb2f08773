/*
 * vRSS: which of a NIC's transmit queues a frame goes to.
 *
 * A guest with several queue pairs has its processors work on them at once, if what comes for it
 * is spread over them; and each flow must stay in one queue, for queues are not in order among
 * each other. So a hash of the flow, taken from the frame's safe bytes, is looked up in a table of
 * the NIC, which names the queues that its guest has switched on:
 *
 *      frame -> rss_hash() -> table[hash % 128] -> queue
 *
 *   - TCP, UDP, UDP-Lite, SCTP: both addresses, protocol, both ports;
 *   - other IP, and every fragment, the first one too: both addresses;
 *   - what is not IP: both MACs.
 *
 * The table changes when the guest switches queues. A flow that then gets another queue has its
 * earlier frames in the old one, which the guest may look at later, as with any NIC's RSS: nothing
 * but waiting for the guest could keep order across two of its rings. So as few as can be move:
 * when a queue is switched off, its own flows only.
 *
 * Threads: the hash has no state. The table is written by one thread at a time (who knows of the
 * guest's queues), entry by entry, and read by procs at any moment: each entry names the queue of
 * before or of after. Who switches a queue off takes it out of the table first and waits for a
 * grace period: no frame is on its way there after that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"

/**
 * The hash of the frame's flow. The same for all frames of a flow, with and without a VLAN tag
 * in the data; of the frame's first bytes only those in host memory are read.
 */
uint32_t rss_hash(const struct vnbl *v);

/**
 * Fills a table with the queues of the bit mask 'queues', which is not 0: each gets as many
 * entries as the others, or one more. What is in the table already stays, as far as that goes.
 */
void rss_fill(uint8_t table[VNIC_RSS_SIZE], uint32_t queues);

// All entries are queue 0, until rss_set_queues() is called.
void rss_init(struct vnic_rss *rss);

/**
 * From now on frames go to the queues in the bit mask 'queues', which is not 0. Returns whether
 * they went to others before.
 */
bool rss_set_queues(struct vnic_rss *rss, uint32_t queues);

/**
 * As vnic_tx(), each frame by the queue of its flow, those of one queue in order. For NICs with
 * one queue vnic_tx() does the same for less.
 */
void rss_tx(struct vnic *nic, struct vnbl *const frames[], unsigned n, struct vport_stats *st,
	    unsigned proc);

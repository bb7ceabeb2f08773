/*
 * eth: a NIC that DPDK drives: a PCI NIC, or one of DPDK's own devices (vdev:...).
 *
 * Threads: 'is_running' is shared with the procs; 'intr_fd' and 'port_id' are constant while it
 * is set; 'is_removed' is set by DPDK's interrupt thread; the rest is the main thread's.
 */
#pragma once

#include <stdbool.h>

#include "ports/vnic_types.h"

struct rte_device;

enum {
	ETH_RX_DESCRIPTORS = 512, // mbufs that the NIC holds, waiting for frames
	ETH_TX_DESCRIPTORS = 512,
	ETH_DEVARGS_SIZE = VNIC_PATH_SIZE
};

struct eth {
	struct vnic nic;

	_Atomic uint32_t is_running; // 1: procs may use the device
	_Atomic uint32_t is_removed; // 1: unplugged under us
	uint16_t port_id;            // DPDK's number of the device, when is_open
	uint16_t max_frame;          // bytes that the device sends and receives
	uint16_t burst_max;          // frames of this size that a burst may have
	bool is_open;
	bool has_lsc;       // the driver tells when the link changes
	int32_t intr_fd;    // readable when frames came, -1 = the driver cannot
	bool intr_is_event; // an eventfd, whose count must be read to clear it

	struct rte_device *device;
	char devargs[ETH_DEVARGS_SIZE]; // as DPDK wants it: without "vdev:"
};

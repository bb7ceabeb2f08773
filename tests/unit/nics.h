// What the tests of the NIC kinds share: a network namespace of their own, the switch's part of
// the contract (RCU), and the host's end of an interface as a packet socket that sees and sends
// virtio-net headers.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_rcu_qsbr.h>

#include "ports/vnic.h"
#include "tests/unit/eal.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { NICS_POOL = 2047, NICS_WAIT_MS = 3000, NICS_SKIP = 77 };

static void nics_wake(unsigned proc)
{
}

// Starts EAL and this folder in a network namespace of our own. False: no right to make one.
static inline bool nics_init(void)
{
	static struct ports_env env = {
		.wake = nics_wake, .n_mbufs = NICS_POOL, .socket_mode = 0660};

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	if (eal_start() < 0)
		abort();
	env.rcu = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	if (env.rcu == NULL || rte_rcu_qsbr_init(env.rcu, 1) != 0 || ports_init(&env, NULL) < 0)
		abort();
	return true;
}

// Runs a command of the system; the test cannot go on without it.
static inline void nics_run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

static inline int nics_socket(const char *ifname)
{
	const int one = 1, size = 4 << 20;
	struct sockaddr_ll sa = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	sa.sll_ifindex = (int)if_nametoindex(ifname);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		abort();
	return fd;
}

static inline void nics_send(int fd, const struct virtio_net_hdr *h, const void *data, size_t size)
{
	struct virtio_net_hdr header = *h;
	struct iovec iov[2] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = (void *)(uintptr_t)data, .iov_len = size},
	};

	if (writev(fd, iov, 2) != (ssize_t)(sizeof(header) + size)) {
		perror("nics_send");
		abort();
	}
}

// Waits for a frame whose EtherType (behind tags) is 'type', so that the kernel's own chatter
// does not count. Returns its size, 0 when none came.
static inline size_t nics_receive(int fd, struct virtio_net_hdr *h, uint8_t *data, size_t size,
				  uint16_t type)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct iovec iov[2] = {
		{.iov_base = h, .iov_len = sizeof(*h)},
		{.iov_base = data, .iov_len = size},
	};

	while (poll(&p, 1, NICS_WAIT_MS) > 0) {
		ssize_t n = readv(fd, iov, 2);

		if (n > (ssize_t)sizeof(*h) + 14 && (data[12] << 8 | data[13]) == type)
			return (size_t)n - sizeof(*h);
	}
	return 0;
}

/*
 * Receives bursts until one holds a frame of EtherType 'type'; the others are given back. False:
 * none came. The burst is to be given back with vnic_rx_done().
 */
static inline bool nics_rx(struct vnic *nic, struct vnbl_burst *burst, struct vport_stats *st,
			   uint16_t type, struct vnbl **ret)
{
	for (unsigned i = 0; i < NICS_WAIT_MS; i++) {
		vnic_rx(nic, 0, burst, st);
		for (unsigned f = 0; f < burst->n; f++) {
			const struct vnbl *v = &burst->frames[f];

			if (v->safe_size >= 14 && (v->hdr[12] << 8 | v->hdr[13]) == type) {
				*ret = &burst->frames[f];
				return true;
			}
		}
		if (burst->n > 0)
			vnic_rx_done(nic, 0, burst);
		else
			usleep(1000);
	}
	return false;
}

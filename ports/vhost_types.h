/*
 * VM NIC: a vhost-user back end. librte_vhost speaks the protocol, the rings are ours.
 *
 *      VMM (QEMU)                        guest
 *         | messages over the socket       |  rings in shared memory
 *         v                                v
 *      librte_vhost ---- hook ---->  rings[2q]    we send, the guest receives
 *      (vhost-events)                rings[2q+1]  the guest sends, we receive
 *                                          ^
 *                                          |  procs, while 'use' says so
 *
 * The library unmaps memory and moves rings at any moment, as its peer asks it to, and knows
 * nothing of our procs. So a hook before each message takes the rings concerned away from the
 * procs, and a hook after it gives them back with what is valid then (vhost_hook.c).
 *
 * Several queue pairs: the guest switches them on and off while it runs. A ring that it receives
 * from gets nothing while it is off, one that it sends by is emptied all the same; which of them
 * its frames are spread over is told to 'nic.rss'.
 *
 * Threads: procs read 'use' of a ring and, while it is not DOWN, own the ring as vring.h says.
 * 'lock' protects the rest; it is taken by the library's threads and the main thread, held
 * while waiting for procs, never while calling a function of the library that calls back or
 * waits. Fields of the main thread and constants say so.
 */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "ports/vnic_types.h"
#include "ports/vring_types.h"

struct guest_mem;

enum {
	VHOST_RINGS_MAX = 2 * VNIC_QUEUES_MAX, // so that a bit mask of them is a uint32_t
	VHOST_SOCKET_PATH_MAX = 107,           // bytes without the closing zero, of sockaddr_un
	VHOST_SERVERS_MAX = 500 // the library polls 1024 fds, two per port that listens
};

// Where the peer stands.
#define VHOST_PHASES(X)                                                                            \
	X(0, VHOST_NO_PEER, "no VM is connected to the socket")                                    \
	X(1, VHOST_PEER, "a VM is connected, its driver is not up yet")                            \
	X(2, VHOST_RUNNING, "running")

// What procs may do with a ring.
#define VHOST_USES(X)                                                                              \
	X(0, VHOST_RING_DOWN, "down")                                                              \
	X(1, VHOST_RING_UP, "up")                                                                  \
	X(2, VHOST_RING_DRAIN, "disabled: frames are taken and thrown away")

#define X(number, name, text) name = number,
enum vhost_phase { VHOST_PHASES(X) };
enum vhost_use { VHOST_USES(X) };
#undef X
static_assert(VHOST_RINGS_MAX <= 32, "rings are given as bits of a uint32_t");

struct vhost_ring {
	// Written under the lock, read by procs.
	alignas(64) _Atomic uint32_t use; // enum vhost_use
	uint32_t enabled;                 // SET_VRING_ENABLE; not read by procs
	uint64_t attached;                // times that it was given to the procs

	// Written by the proc inside.
	uint64_t breaks; // times that the guest broke the rules
	uint32_t told;   // 1: this break is counted and told

	struct virtq q;
};

struct vhost {
	struct vnic nic;

	// Constant.
	uint64_t features; // virtio features offered
	uint8_t server;    // 1: the socket is ours, 0: the VMM's
	uint8_t pad[7];

	// Main thread.
	uint8_t registered; // the library knows the socket
	uint8_t failed;     // the library could not be made to listen; see vhost.c
	uint8_t pad2[6];
	dev_t socket_dev; // of the socket file that we made
	ino_t socket_ino;
	struct vhost *next; // in the registry, under its mutex

	// Under 'lock'.
	pthread_mutex_t lock;
	uint8_t stopping; // the main thread is taking the NIC down: nothing comes up any more
	uint8_t pad3[3];
	int32_t vid;           // the library's number for the connection, -1: none
	int32_t peer_fd;       // the library's fd of the connection, -1: not known
	int32_t peer_pid;      // of the VMM, 0: not known
	uint32_t peer_uid;     // valid with peer_pid
	uint64_t negotiated;   // virtio features agreed on
	struct guest_mem *mem; // NULL: none; borrowed by attached rings

	// Under 'lock', read by anyone.
	_Atomic uint32_t phase; // enum vhost_phase
	uint64_t connections;   // peers taken
	uint64_t refusals;      // peers refused because there was one
	uint64_t messages;
	uint64_t bad_messages; // refused before the library saw them

	struct vhost_ring rings[VHOST_RINGS_MAX];
};

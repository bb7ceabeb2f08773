/*
 * vnic: the network interface connected to a vport. One struct for all kinds; each kind
 * embeds it as its first member (struct vhost, struct tap, ...) and fills in the operations.
 *
 *      guest / kernel / NIC
 *        |  rx queue q            ^  tx queue q
 *        v                        |
 *      ops->rx() -> burst       ops->tx() <- inbox (frames of other procs, made safe)
 *        |                        |
 *      the one proc that          whichever proc holds the tx queue's lock word
 *      the queue is given to
 *
 * Threads: rx queues belong to one proc at a time (rxq[].proc, written by the main thread
 * under RCU). A tx queue may be used by any proc that gets its lock word by trying once.
 * Life cycle, state and link: main thread. 'events': any thread sets, the main thread takes.
 */
#pragma once

#include <stdalign.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/object_types.h"
#include "ports/vport_types.h"

struct rte_mbuf;
struct vnic_ops;

#define VNIC_KINDS(X)                                                                              \
	X(0, VNIC_VHOST, "vhost")                                                                  \
	X(1, VNIC_TAP, "tap")                                                                      \
	X(2, VNIC_PACKET, "packet")                                                                \
	X(3, VNIC_ETH, "eth")                                                                      \
	X(4, VNIC_PCAP, "pcap")

// HYPERV 1.5: NDIS_SWITCH_NIC_STATE.
#define VNIC_STATES(X)                                                                             \
	X(0, VNIC_STATE_UNKNOWN, "Unknown")                                                        \
	X(1, VNIC_STATE_CREATED, "Created")                                                        \
	X(2, VNIC_STATE_CONNECTED, "Connected")                                                    \
	X(3, VNIC_STATE_DISCONNECTED, "Disconnected")                                              \
	X(4, VNIC_STATE_DELETED, "Deleted")

#define X(number, name, text) name = number,
enum vnic_kind { VNIC_KINDS(X) };
enum vnic_state { VNIC_STATES(X) };
#undef X

enum {
	VNIC_QUEUES_MAX = 16,    // queue pairs of one NIC
	VNIC_RSS_SIZE = 128,     // entries of the table that spreads flows over queues
	VNIC_INBOX_SIZE = 512,   // frames that may wait for a tx queue's holder
	VNIC_PROC_NONE = 0xffff, // rx queue is given to no proc
	VNIC_PATH_SIZE = 256,    // bytes with the closing zero
	VNIC_WHY_SIZE = 160
};

// What happened to a NIC, told to the main thread.
enum vnic_event {
	VNIC_EVENT_UP = 1 << 0,   // peer or link came
	VNIC_EVENT_DOWN = 1 << 1, // peer or link went
	VNIC_EVENT_BROKEN =
		1 << 2, // a ring broke the rules and is stopped until the guest resets it
	VNIC_EVENT_MEMORY = 1 << 3,  // guest memory went away under us (SIGBUS)
	VNIC_EVENT_REFUSED = 1 << 4, // a second peer was refused
	VNIC_EVENT_STUCK = 1 << 5    // a proc took over a second to let go of a ring
};

struct vnic_rxq {
	// Written by the main thread; 'proc' under RCU.
	alignas(64) _Atomic uint16_t proc; // proc that polls it, or VNIC_PROC_NONE
	uint16_t index;
	uint16_t pinned;        // 1 + the core that it is to be polled on; 0: any
	uint16_t moving;        // 1 + the proc that it is being moved to; 0: it stays
	uint32_t load;          // thousandths of a proc's time, in the last second
	uint32_t frames_s;      // frames per second in it
	uint64_t moves;         // from one proc to another
	uint64_t seen_busy_tsc; // what the proc had written at the end of it
	uint64_t seen_frames;
	uint64_t balanced_tsc; // what the proc had written when loads were last compared

	// Written by that proc.
	alignas(64) uint32_t armed; // 1: the proc sleeps and waits for a wake-up by this queue
	uint32_t pad;
	uint64_t bursts;   // bursts that held frames
	uint64_t frames;   // in them
	uint64_t busy_tsc; // cycles that they took
};

struct vnic_txq {
	alignas(64) _Atomic uint32_t lock; // 0 free, else 1 + number of the proc that holds it
	uint32_t index;
	_Atomic(struct rte_mbuf *) inbox; // frames that found the lock taken, the latest first
	_Atomic uint32_t waiting;         // frames in the inbox

	uint64_t notifications; // wake-ups sent to the peer; by who settles, without the lock
	uint64_t bursts;        // groups of frames sent; under the lock
};

// Which tx queue a flow goes to (rss.h). Written by who knows which queues the guest has switched
// on, read by procs.
struct vnic_rss {
	alignas(64) _Atomic uint32_t queues;   // bit mask of those in the table
	uint32_t changes;                      // of the table
	_Atomic uint16_t table[VNIC_RSS_SIZE]; // not bytes: a debugger takes those for a frame
};

struct vnic {
	struct object obj;          // name: the port's name; friendly_name: what it is connected to
	const struct vnic_ops *ops; // of the kind
	struct vport *port;         // NULL while not connected to one

	// Main thread.
	uint8_t kind;      // enum vnic_kind
	uint8_t state;     // enum vnic_state; only Connected NICs are polled
	uint8_t nic_index; // HYPERV 1.4: 0 = the NIC of the port, 1.. = physical NIC
	uint8_t mac_set;
	uint8_t mac[6]; // the NIC's own address, when it has one and it is known
	uint16_t n_queues;
	uint32_t mtu;              // bytes, L3 payload; what the switch asks of the NIC
	int32_t ifindex;           // kernel interface, 0 = none
	int64_t since_s;           // wall clock of the last change of state
	uint32_t last_error;       // errno of the last failure, 0 = none
	uint32_t retries;          // attempts since it was last connected
	char why[VNIC_WHY_SIZE];   // why it is not connected; empty when it is
	char path[VNIC_PATH_SIZE]; // socket, interface, device or file

	_Atomic uint32_t link;   // 1: peer or link is there, as the kind told last
	_Atomic uint32_t events; // enum vnic_event bits not yet seen by the main thread

	struct vnic_rss rss;
	struct vnic_rxq rxq[VNIC_QUEUES_MAX];
	struct vnic_txq txq[VNIC_QUEUES_MAX];
};

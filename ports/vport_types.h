/*
 * vport: a port of a virtual switch. It carries all policy and all counters; what moves its
 * frames is the vnic connected to it. See HYPERV 1.5 for types, states and life cycle.
 *
 * Threads: control fields are written by the main thread while no proc can see the port, or
 * are single words that procs read with relaxed order. stats[p] is written by proc p only;
 * stats[PROC_MAX] by the main thread.
 */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/drops.h"
#include "ports/object_types.h"

struct vswitch;
struct vnic;
struct vport;
struct vmq;
struct qosline;
struct policy;
struct bucket;

enum {
	PROC_MAX = 16,         // polling processors of one vswd
	VPORT_MIRRORS_MAX = 8, // ports of one switch that get copies of others' frames
	VPORT_MAX = 1024       // ports of one switch; slots are 0..VPORT_MAX-1
};

// HYPERV 1.5: NDIS_SWITCH_PORT_TYPE; Default is vmswitch's own port 0.
#define VPORT_TYPES(X)                                                                             \
	X(0, VPORT_GENERIC, "Generic")                                                             \
	X(1, VPORT_EXTERNAL, "External")                                                           \
	X(2, VPORT_SYNTHETIC, "Synthetic")                                                         \
	X(3, VPORT_EMULATED, "Emulated")                                                           \
	X(4, VPORT_INTERNAL, "Internal")                                                           \
	X(5, VPORT_DEFAULT, "Default")

// HYPERV 1.5: NDIS_SWITCH_PORT_STATE.
#define VPORT_STATES(X)                                                                            \
	X(0, VPORT_STATE_UNKNOWN, "Unknown")                                                       \
	X(1, VPORT_STATE_CREATED, "Created")                                                       \
	X(2, VPORT_STATE_TEARDOWN, "Teardown")                                                     \
	X(3, VPORT_STATE_DELETED, "Deleted")

#define VPORT_MONITOR_MODES(X)                                                                     \
	X(0, VPORT_MONITOR_NONE, "None")                                                           \
	X(1, VPORT_MONITOR_DESTINATION, "Destination")                                             \
	X(2, VPORT_MONITOR_SOURCE, "Source")

#define X(number, name, text) name = number,
enum vport_type { VPORT_TYPES(X) };
enum vport_state { VPORT_STATES(X) };
enum vport_monitor_mode { VPORT_MONITOR_MODES(X) };
#undef X

// Counters of one port on one proc. Frames and bytes are those that passed; drops are not
// among them. Bytes count the frame without FCS, a tag included. All but 'port' are numbers to be
// summed.
struct vport_stats {
	alignas(64) uint64_t rx_frames; // from the NIC into the switch
	uint64_t rx_bytes;
	uint64_t tx_frames; // from the switch to the NIC
	uint64_t tx_bytes;
	uint64_t rx_flooded;   // of rx_frames: went to more than one port
	uint64_t tx_completed; // of the frames for the NIC: checksummed or cut here, for its peer
			       // cannot
	uint64_t drops[DROP_DIRECTIONS][DROP_COUNT];
	const struct vport *port; // whose they are, for the drop log; NULL: nobody's
};

// Where a port's own address stands in the MAC table.
struct vport_pin {
	uint8_t is_set; // 0: nowhere
	uint8_t mac[6];
	uint8_t pad;
	uint16_t fid; // the VLAN, or that whose stations it shares
};

struct vport {
	struct object obj; // name: unique in the vswd; friendly_name: what vswitch shows

	// Written by the main thread before procs see the port, then constant.
	struct vswitch *vswitch; // parent
	uint32_t serial;         // counts the ports of all switches from 1; never reused
	uint16_t id;             // port id; never reused while the switch lives
	uint16_t slot;   // index in the switch's map and MAC table; reused after a grace period
	uint8_t type;    // enum vport_type
	uint8_t mac_set; // 1: mac is the port's static address
	uint8_t mac[6];

	// Written by the main thread.
	uint8_t state;         // enum vport_state
	uint8_t monitor_mode;  // enum vport_monitor_mode
	uint8_t is_validation; // 1: a VM's port whose VM is not attached (HYPERV 1.6)
	uint8_t friendly_set;  // 1: the friendly name was given, 0: it is the default of the type
	uint8_t seen_state;    // the NIC's state as it was logged last
	uint8_t was_connected; // 1: the NIC was connected when it was looked at last
	uint8_t is_wire;       // 1: without a VLAN setting it carries all VLANs
	uint8_t session;       // of monitor_mode; 0: none
	uint32_t max_stations; // quota in the MAC table; 0 = the switch's default for the type
	struct vport_pin pin;
	uint16_t pad3;
	int64_t created_s; // wall clock, seconds since 1970

	struct vnic *nic;                // NULL: a port without NIC (Default)
	_Atomic(struct policy *) policy; // NULL: none; replaced as a whole under RCU
	struct qosline *qosline;         // NULL: none
	struct vmq *vmq;                 // NULL: none
	struct bucket *log_bucket;       // how much the port may log; NULL before its first line

	// The storm limit's second and the frames counted in it, see storm.h. Written by procs.
	_Atomic uint64_t storm;

	// stats[0..PROC_MAX-1] by that proc, stats[PROC_MAX] by the main thread.
	uint32_t n_stats;
	uint32_t pad2;
	struct vport_stats *stats;
};

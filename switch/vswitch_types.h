/*
 * vswitch: one virtual switch, its two edges and its ports (HYPERV 1.1, 1.8, 1.9).
 *
 *            protocol edge (struct mopen)        frames arrive
 *                 |
 *            policy, MAC table                   struct vswitch
 *                 |
 *            miniport edge (struct miniport)     frames are delivered
 *
 * References of a vswitch: 3 (registry, protocol edge, miniport edge) plus one per vport, as
 * the original counts them.
 *
 * Threads: the main thread writes everything; procs read 'map', 'fdb', 'frame_max' through
 * RCU and relaxed loads.
 */
#pragma once

#include <stdalign.h>
#include <stdint.h>

#include "ports/object_types.h"
#include "ports/vport_types.h"
#include "switch/conf_types.h"
#include "switch/fdb_types.h"

#define VSWITCH_PROTOCOL_STATES(X)                                                                 \
	X(0, VMS_EXT_PT_UNBOUND, "VmsExtPtStateUnbound")                                           \
	X(1, VMS_EXT_PT_OPENING, "VmsExtPtStateOpening")                                           \
	X(2, VMS_EXT_PT_PAUSED, "VmsExtPtStatePaused")                                             \
	X(3, VMS_EXT_PT_RUNNING, "VmsExtPtStateRunning")                                           \
	X(4, VMS_EXT_PT_BIND_FAILED, "VmsExtPtStateBindAdapterFailed")                             \
	X(5, VMS_EXT_PT_EVENT_FAILED, "VmsExtPtStateNetEventBindFailed")

#define VSWITCH_MINIPORT_STATES(X)                                                                 \
	X(0, VMS_EXT_MP_UNINITIALIZED, "VmsExtMpStateUninitialized")                               \
	X(1, VMS_EXT_MP_INITIALIZED, "VmsExtMpStateInitialized")                                   \
	X(2, VMS_EXT_MP_HALTED, "VmsExtMpStateHalted")                                             \
	X(3, VMS_EXT_MP_RUNNING, "VmsExtMpStateRunning")                                           \
	X(4, VMS_EXT_MP_PAUSED, "VmsExtMpStatePaused")                                             \
	X(5, VMS_EXT_MP_INIT_FAILED, "VmsExtMpStateInitializeFailed")

#define X(number, name, text) name = number,
enum vswitch_protocol_state { VSWITCH_PROTOCOL_STATES(X) };
enum vswitch_miniport_state { VSWITCH_MINIPORT_STATES(X) };
#undef X

struct vswitch;

// Miniport edge: where frames leave the switch towards the NICs.
struct miniport {
	struct object obj;
	struct vswitch *vswitch;
	uint32_t state; // enum vswitch_miniport_state
	uint32_t pad;
};

// Protocol edge: where frames from the NICs enter the switch; bound to the miniport.
struct mopen {
	struct object obj;
	struct vswitch *vswitch;
	struct miniport *miniport;
	uint32_t state; // enum vswitch_protocol_state
	uint32_t pad;
};

// A port that gets copies of others' frames, and of what session.
struct vswitch_mirror {
	uint16_t slot;
	_Atomic uint8_t session; // 1..255; 0: the port is gone
	uint8_t pad;
};

// Replaced as a whole under RCU.
struct vswitch_mirrors {
	uint32_t n;
	struct vswitch_mirror to[VPORT_MIRRORS_MAX];
};

// The ports that procs deliver to, by slot. Replaced as a whole under RCU.
struct vswitch_map {
	uint32_t n_slots;  // length of by_slot
	uint32_t n_ports;  // length of the flood list
	uint32_t n_guests; // of them: VM ports
	uint32_t pad;
	uint16_t flood[VPORT_MAX]; // slots of the ports that have a NIC, in order of creation
	struct vport *by_slot[VPORT_MAX]; // NULL: no port, or a port without NIC
};

struct vswitch {
	struct object obj; // name: as configured; friendly_name: what `vswitch` shows

	// Constant.
	char id[CONF_GUID_SIZE];
	char device_id[CONF_GUID_SIZE];
	uint8_t type; // enum conf_switch_type
	uint8_t iov_preferred;
	struct miniport *miniport;
	struct mopen *mopen;

	// Written by the main thread, read by procs.
	alignas(64) _Atomic(struct vswitch_map *) map;
	_Atomic(struct fdb *) fdb;
	_Atomic(struct vswitch_mirrors *) mirrors; // NULL: nothing is mirrored
	_Atomic uint32_t mtu;                      // bytes, L3 payload
	_Atomic uint32_t frame_max;                // bytes: MTU with Ethernet header, without tag

	// Main thread.
	uint32_t ageing_s;
	uint8_t vmq_static; // 1: receive queues of its ports stay with their procs. Main thread
	uint32_t n_ports;
	uint32_t ports_capacity;
	struct vlan_fids *fids; // what the table was told; NULL: nothing
	struct vport **ports;   // all ports, in order of creation; n_ports of them
};

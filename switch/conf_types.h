/*
 * The configuration of a vswd as data: what `save` prints and what a command changes.
 *
 * It is kept apart from the live objects so that a change can be decided before it is done:
 * a command makes a new configuration from the old one (pure), its text is written to disk,
 * the live objects are changed, and the text takes the old one's place. What fails on the way
 * leaves everything as it was.
 *
 * Threads: main thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ports/object_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "switch/acl_types.h"
#include "switch/guard_types.h"
#include "switch/vlan_types.h"

enum {
	CONF_SWITCHES_MAX = 64,
	CONF_PORTS_MAX = 4096,      // of all switches together
	CONF_ACL_RULES_MAX = 65536, // of all ports together
	CONF_GUID_SIZE = 36 + 1,    // upper case, no braces
	CONF_MTU_MIN = 576,
	CONF_MTU_MAX = 9216,
	CONF_MTU_DEFAULT = 1500,
	CONF_AGEING_MAX_S = 1000000,
	CONF_PORT_ID_MAX = 65534,
	CONF_PORT_IDS_BYTES = (CONF_PORT_ID_MAX + 1 + 7) / 8
};

#define CONF_SWITCH_TYPES(X)                                                                       \
	X(0, CONF_SWITCH_PRIVATE, "private")                                                       \
	X(1, CONF_SWITCH_INTERNAL, "internal")                                                     \
	X(2, CONF_SWITCH_EXTERNAL, "external")

#define X(number, name, text) name = number,
enum conf_switch_type { CONF_SWITCH_TYPES(X) };
#undef X

struct conf_switch {
	char name[OBJECT_NAME_SIZE];
	char friendly_name[OBJECT_FRIENDLY_SIZE]; // empty = the name
	char id[CONF_GUID_SIZE];                  // what `vswitch` prints as Name
	char device_id[CONF_GUID_SIZE];           // what it prints as DeviceId
	enum conf_switch_type type;
	char nic[VNIC_PATH_SIZE]; // external: kernel interface, PCI address or vdev:...
	bool allow_management_os; // external: has an Internal vport
	uint32_t ageing_s;
	bool vmq_static; // receive queues are not moved by themselves
	uint32_t stations;
	uint32_t mtu;                             // bytes, L3 payload
	uint8_t retired_ids[CONF_PORT_IDS_BYTES]; // a bit per id of a port that is gone
};

// `vlan ...` of a port. What a mode does not use is zero.
struct conf_vlan {
	bool is_set;           // false: the default of the port's type
	bool tagged_only;      // trunk: frames without a tag are in no network at all
	uint8_t mode;          // enum vlan_mode
	uint16_t own;          // access, native, primary
	uint16_t secondary;    // isolated, community
	struct vlan_set list;  // trunk: allowed; promiscuous: secondaries
	struct vlan_set prune; // trunk: never carried
};

struct conf_policy {
	struct conf_vlan vlan;
	bool mac_spoofing;         // frames may come from any address, though the port has one
	bool teaming;              // and from those of the VM's other ports
	bool ieee_priority;        // the priority of tags is kept
	uint32_t storm_fps;        // 0: no limit
	char vm[OBJECT_NAME_SIZE]; // whose port it is; empty: not said
	bool dhcp_guard;           // it is no DHCP server
	bool router_guard;         // it is no router
	bool arp_guard;            // it announces none but these addresses
	uint8_t mirror;            // enum vport_monitor_mode
	uint8_t session;           // of it, 1..255; 0: none
	uint8_t address_limit;     // that many more it may announce; 0: no limit
	uint8_t n_addresses;
	struct guard_address addresses[GUARD_ADDRESSES_MAX];
	uint32_t sessions;        // of stateful rules; 0: ACL_SESSIONS_DEFAULT
	bool sessions_full_allow; // with no room for a session, frames pass without one
};

// What `vmq` commands say of a port.
struct conf_vmq {
	uint16_t pinned[VNIC_QUEUES_MAX]; // 1 + core; 0: not pinned
};

struct conf_port {
	char name[OBJECT_NAME_SIZE];
	char friendly_name[OBJECT_FRIENDLY_SIZE]; // empty = the default of its type
	char switch_name[OBJECT_NAME_SIZE];
	enum vport_type type; // Default, Internal, External: made by `switch add`
	bool has_nic;         // Default ports have none
	enum vnic_kind kind;
	char path[VNIC_PATH_SIZE]; // socket, interface, device
	char pcap_rx[VNIC_PATH_SIZE];
	char pcap_tx[VNIC_PATH_SIZE];
	bool server; // vhost
	uint16_t queues;
	uint16_t id;
	bool mac_set;
	uint8_t mac[6];
	uint32_t max_stations; // 0 = default
	uint64_t features;     // vhost: offered set, kept over restarts; 0 = not chosen
	struct conf_policy policy;
	uint32_t n_acl_rules;
	struct acl_rule *acl_rules; // in the order of their numbers; NULL: none; owned
	struct conf_vmq vmq;
	bool temporary; // capture into a caller's pipe: never saved
};

struct conf {
	uint32_t n_switches;
	uint32_t n_ports;
	struct conf_switch *switches; // in order of creation
	struct conf_port *ports;      // in order of creation, those of `switch add` included
};

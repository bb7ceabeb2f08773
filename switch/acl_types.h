/*
 * Access control lists of a port (HYPERV 5.2, 5.3): the rules as they are configured, and what the
 * main thread compiles them to.
 *
 *    kind       matches                           which one wins           nothing matches
 *    basic      one MAC address, local or remote  the exact one, not ANY   passes
 *    basic      one IP prefix, local or remote    the longest prefix       passes
 *    extended   protocol, addresses, ports        the highest weight       passes
 *
 * "In" is to the VM, "out" is from it; "local" is the VM's side of a frame, "remote" the other.
 * The three are asked in this order, and all must let a frame pass. With equal prefixes a rule that
 * denies wins. Meters count what passes and decide nothing: of them, too, the longest prefix
 * counts. Rules about IP say nothing of other frames, such as ARP.
 *
 * A rule that is stateful makes a session (conntrack.h) of what it lets pass; the session lets the
 * replies pass, with the weight of its rule. Of a packet in fragments only the first one shows its
 * ports: the later ones pass by rules that allow, whatever their ports, and no rule that denies
 * certain ports holds them up, for without the first one they are nothing.
 *
 * Threads: constant once a proc can see it, but for counts[p], which proc p writes, and the
 * sessions. Replaced as a whole, with the policy it hangs on.
 */
#pragma once

#include <stdint.h>

#include "ports/vport_types.h"
#include "switch/vlan_types.h"

struct rte_acl_ctx;
struct conntrack;

enum {
	ACL_RULES_MAX = 4096, // of one port
	ACL_WEIGHT_MAX = 65535,
	ACL_IDLE_DEFAULT_S = 255,
	ACL_SESSIONS_DEFAULT = 4096,
	ACL_SESSIONS_MAX = 1 << 20
};

#define ACL_KINDS(X)                                                                               \
	X(0, ACL_BASIC, "basic")                                                                   \
	X(1, ACL_EXTENDED, "extended")

#define ACL_DIRECTIONS(X)                                                                          \
	X(0, ACL_IN, "in")                                                                         \
	X(1, ACL_OUT, "out")

#define ACL_ACTIONS(X)                                                                             \
	X(0, ACL_ALLOW, "allow")                                                                   \
	X(1, ACL_DENY, "deny")                                                                     \
	X(2, ACL_METER, "meter")

#define ACL_FAMILIES(X)                                                                            \
	X(0, ACL_ANY, "any")                                                                       \
	X(1, ACL_MAC, "MAC")                                                                       \
	X(2, ACL_IPV4, "IPv4")                                                                     \
	X(3, ACL_IPV6, "IPv6")

#define X(number, name, text) name = number,
enum acl_kind { ACL_KINDS(X) };
enum acl_direction { ACL_DIRECTIONS(X) ACL_N_DIRECTIONS };
enum acl_action { ACL_ACTIONS(X) };
enum acl_family { ACL_FAMILIES(X) };
#undef X

// An address, a prefix, or any; unused bytes and bits behind the prefix are zero.
struct acl_address {
	uint8_t family; // enum acl_family
	uint8_t bits;   // of the prefix; a MAC: 48, or 0 for any
	uint8_t bytes[16];
};

struct acl_ports {
	uint16_t first, last; // host order, both included; 0 to 65535: any
};

// What is not said is zero, and ports are 0 to 65535; so rules can be compared as bytes.
struct acl_rule {
	uint32_t number;      // of the port's rules, from 1 on; the port's rules are in its order
	uint8_t kind;         // enum acl_kind
	uint8_t direction;    // enum acl_direction
	uint8_t action;       // enum acl_action
	uint8_t is_remote;    // basic: the address is the other side's
	uint8_t any_protocol; // extended: 1: 'protocol' says nothing
	uint8_t protocol;     // IP's number
	uint8_t stateful;     // extended and ACL_ALLOW only
	uint8_t pad;
	uint16_t weight;                  // extended: unique among the port's rules
	uint16_t idle_s;                  // stateful: seconds until a silent session is forgotten
	struct acl_address local, remote; // basic: one of them, by is_remote
	struct acl_ports local_ports, remote_ports;
};

// What a rule decided, or metered, as one proc counted it. What passes by a session against a rule
// counts for none.
struct acl_count {
	uint64_t frames;
	uint64_t bytes; // without FCS and tag
};

// A basic rule about MAC addresses, in the order in which it is searched.
struct acl_mac {
	uint64_t mac;   // as the first six bytes of a word, first on the wire lowest
	uint32_t rule;  // index in 'rules'
	uint8_t denies; // 1: drops
	uint8_t pad[3];
};

// Rules about one version of IP, see acl_build.h.
struct acl_tables {
	uint32_t n; // 0: no rule is about it; more than one only if rules overlap in many ways
	uint32_t pad;
	struct rte_acl_ctx **tables; // n, in the order in which they are asked
};

// The rules of one direction, compiled.
struct acl_side {
	struct acl_tables ip[2]; // IPv4, IPv6
	struct acl_mac *macs[2]; // exact addresses, local and remote, ascending; each once
	uint32_t n_macs[2];
	uint32_t any_mac; // index + 1 of the rule about any MAC; 0: none
	uint8_t any_mac_denies;
	uint8_t denies_ip; // 1: some rule about IP drops: what hides its headers may not pass
	uint8_t pad[2];
};

struct acl {
	uint32_t n_rules;
	uint8_t borrows;     // 1: until it replaces the acl before it, 'sessions' is that one's
	uint8_t tracks;      // 1: some rule is stateful
	uint8_t full_allows; // 1: with no room for a session a frame passes without one
	uint8_t by_vlan;     // 1: a flow in one VLAN is not the same flow in another
	uint32_t swept;      // buckets of 'sessions' that were swept; main thread
	uint32_t pad;
	struct acl_rule *rules; // n_rules
	struct acl_side sides[ACL_N_DIRECTIONS];
	struct conntrack *sessions; // NULL unless 'tracks'; goes on to the acl that replaces this
	struct acl_count *base;     // n_rules: counted before this acl was made; main thread
	struct acl_count *counts[PROC_MAX]; // n_rules each
	struct vlan_rules vlan;             // of the port, when its sessions were made
};

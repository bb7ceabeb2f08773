/*
 * What the kernel says about its network interfaces, and the few settings that we change.
 *
 * A watch is one rtnetlink socket that the main loop polls. It does not hand out details:
 * an interface that was mentioned is looked at afresh by whoever cares, so that a lost or a
 * late message can never leave a wrong picture behind. When the kernel had more to say than
 * the socket held, every interface counts as changed. An interface that was renamed has
 * changed under both of its names, which is why the watch remembers them.
 *
 * Threads: main thread.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/errtext.h"

struct netlink;

enum { NETLINK_ALIAS_SIZE = 256 }; // bytes with the closing zero

struct netlink_link {
	int ifindex;
	uint32_t mtu;
	uint16_t type;   // ARPHRD_*
	bool up;         // administratively
	bool running;    // up, and there is a carrier
	uint8_t mac[6];  // Ethernet only, else zero
	char driver[32]; // kernel driver, "" when it does not say
	char bus[32];    // where the device sits ("0000:3b:00.0"), "" when nowhere
};

// Called for each interface that changed, came or went; NULL: any may have.
typedef void (*netlink_changed_fn)(void *arg, const char *ifname);

/**
 * Starts watching the interfaces of this network namespace. Gives a watch whose fd the main
 * loop polls for reading.
 */
int netlink_create(struct netlink **ret, struct errtext *e);
void netlink_destroy(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

// Reads what has come and calls 'changed' for it; does not block.
void netlink_read(struct netlink *nl, netlink_changed_fn changed, void *arg);

// Looks at an interface. -ENODEV: there is none of that name.
int netlink_get_link(const char *ifname, struct netlink_link *ret);

// These change an interface. The words say what was refused and why.
int netlink_set_mtu(const char *ifname, uint32_t mtu, struct errtext *e);
int netlink_set_up(const char *ifname, struct errtext *e);
int netlink_set_mac(const char *ifname, const uint8_t mac[6], struct errtext *e);

/**
 * The interface's alias, a text that the kernel keeps and `ip link` shows: whose it is.
 * netlink_get_alias() gives "" when there is none.
 */
int netlink_set_alias(int ifindex, const char *alias, struct errtext *e);
int netlink_get_alias(int ifindex, char alias[NETLINK_ALIAS_SIZE]);

// Deletes an interface. -ENODEV: there is none of that number.
int netlink_delete(int ifindex);

// Finds an interface by its alias, in the network namespace of the caller. -ENODEV: none.
int netlink_find_alias(const char *alias, char ifname[IFNAMSIZ]);

// True when 'name' can be the name of an interface: 1 to 15 bytes, no blank, '/' or ':'.
bool netlink_name_ok(const char *name);

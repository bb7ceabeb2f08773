/*
 * Where a TAP is, and who has it. A TAP may be given to a machine, that is moved into another
 * network namespace and be renamed there. When the switch has died and comes back, it must
 * find that TAP again, and not make another one of the old name. So a TAP of ours carries an
 * alias that says whose it is, and the alias is what is looked for.
 *
 * Threads: main thread; while it is in the TAP's home, so are the sockets that it makes.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

// The network namespace that a TAP is in.
struct tap_home {
	char ifname[IFNAMSIZ]; // its name there
	bool is_found;         // false: there is no such TAP, and 'ifname' is what it is to be
	int back_fd;           // our own namespace, -1 when that is the TAP's home
};

/**
 * Looks for interface 'ifname' (NULL: for none) here, then for one with 'alias' here and in all
 * other network namespaces of the system, and goes where it is. To be followed by tap_home_leave().
 */
void tap_home_enter(struct tap_home *h, const char *ifname, const char *alias);

// Comes back. Ends the program should that fail: it could not work from there.
void tap_home_leave(struct tap_home *h);

// Finds the process that is attached to a TAP of this name in any namespace.
bool tap_find_holder(const char *ifname, int *ret_pid, char *comm, size_t comm_size);

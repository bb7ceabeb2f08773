/*
 * The live switch: makes and unmakes switches and ports from their configuration, and is the
 * one place that ties port, NIC, MAC table and procs together.
 *
 * Each function either does all that it was asked to, or nothing, and says why in 'e'.
 *
 * Threads: main thread only. Functions that take something away from procs wait for a grace
 * period (at most about a burst's time; a proc in an endless loop makes them wait).
 */
#pragma once

#include "ports/errtext.h"
#include "switch/conf_types.h"
#include "switch/vswitch_types.h"

// What kind of start this is: a stored port may lack its NIC or socket, a new one may not.
enum vswitch_origin { VSWITCH_NEW, VSWITCH_STORED };

// Gives a switch without ports, state Running, references 3. -EEXIST, -ENOMEM, -ENOSPC.
int vswitch_create(const struct conf_switch *conf, struct vswitch **ret, struct errtext *e);

// Removes all ports and the switch. TAPs and sockets that it made go, too, when 'forget'.
void vswitch_destroy(struct vswitch *sw, bool forget);

/**
 * Brings ageing, stations, mtu, friendly name of a live switch to 'conf'. -ENOMEM: as before.
 */
int vswitch_update(struct vswitch *sw, const struct conf_switch *conf, struct errtext *e);

/**
 * Adds a port: vport, vnic, table slot, proc. 'pcap_fd' is the pipe of a temporary capture
 * port, or -1; it is the port's from then on, also on failure.
 */
int vswitch_port_add(struct vswitch *sw, const struct conf_port *conf, enum vswitch_origin origin,
		     int pcap_fd, struct vport **ret, struct errtext *e);

// Changes friendly name, MAC, quota and pinned queues of a live port to 'conf'; see
// vswitch_policy.h for the rest.
void vswitch_port_update(struct vport *port, const struct conf_port *conf);

void vswitch_port_remove(struct vport *port, bool forget);

// NULL when there is none of that name.
struct vswitch *vswitch_find(const char *name);
struct vport *vswitch_port_find(const char *name);

// All switches, in order of creation.
uint32_t vswitch_count(void);
struct vswitch *vswitch_at(uint32_t index);

/**
 * The second's work: ageing, retries of NICs, logging of what ports report. 'now_s' as in fdb.h.
 */
void vswitch_tick(uint32_t now_s);

/**
 * The quota in the MAC table of a port whose own setting is 'max_stations' (0 = by type): what
 * is behind a VM's port is few, what is behind the wire is many.
 */
uint32_t vswitch_port_quota(const struct vport *port, uint32_t stations);

// NICs have events, or rtnetlink says that 'ifname' changed (may be NULL).
void vswitch_events(const char *ifname);

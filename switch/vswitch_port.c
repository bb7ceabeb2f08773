#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ports/log.h"
#include "ports/object.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "qos/bucket.h"
#include "switch/cores.h"
#include "switch/fdb.h"
#include "switch/proc.h"
#include "switch/vswitch.h"
#include "switch/vswitch_map.h"
#include "switch/vswitch_pin.h"
#include "switch/vswitch_policy.h"

enum {
	QUOTA_SHARE = 8, // a VM's port may hold this part of the table, if not told otherwise
	QUOTA_MIN = 16,
	LOG_BURST = 10, // lines that one port may log at once
	LOG_RATE = 1,   // and per second in the long run
	NS_PER_S = 1000000000
};

static void close_pipe(int fd);
static int slot_find(const struct vswitch *sw, struct errtext *e);
static int nic_attach(struct vport *port, const struct conf_port *conf, enum vswitch_origin origin,
		      int pcap_fd, struct errtext *e);
static int ports_append(struct vswitch *sw, struct vport *port);
static void ports_delete(struct vswitch *sw, const struct vport *port);
static int map_rebuild(struct vswitch *sw, struct errtext *e);
static void map_without(struct vswitch *sw, const struct vport *port);
static void set_mac(struct vport *port, const struct conf_port *conf);
static void stations_forget(struct vport *port);
static const char *default_friendly_name(const struct vport *port, char *buffer, size_t size);
static bool may_log(struct vport *port);
static void update_validation(struct vport *port);

int vswitch_port_add(struct vswitch *sw, const struct conf_port *conf, enum vswitch_origin origin,
		     int pcap_fd, struct vport **ret, struct errtext *e)
{
	struct vport_conf port_conf = {
		.name = conf->name,
		.friendly_name = conf->friendly_name,
		.type = conf->type,
		.id = conf->id,
	};
	int slot = slot_find(sw, e);
	struct vport *port;
	int rc;

	if (slot < 0) {
		close_pipe(pcap_fd);
		return slot;
	}
	port_conf.slot = (uint16_t)slot;
	rc = vport_create(&port_conf, sw, &port);
	if (rc < 0) {
		close_pipe(pcap_fd);
		return errtext_set(e, rc, "out of memory");
	}
	port->friendly_set = conf->friendly_name[0] != '\0';
	port->max_stations = conf->max_stations;
	rc = ports_append(sw, port);
	if (rc < 0) {
		close_pipe(pcap_fd);
		vport_destroy(port);
		return errtext_set(e, rc, "out of memory");
	}
	fdb_port_add(atomic_load(&sw->fdb), port->slot,
		     vswitch_port_quota(port, atomic_load(&sw->fdb)->max_stations));
	set_mac(port, conf);
	rc = vswitch_policy_init(port, conf, e);
	if (rc < 0) {
		close_pipe(pcap_fd);
		goto undo;
	}
	if (conf->has_nic && (rc = nic_attach(port, conf, origin, pcap_fd, e)) < 0)
		goto undo;
	// commit
	vswitch_port_inherit(port);
	update_validation(port);
	*ret = port;
	return 0;

undo:
	vswitch_policy_fini(port);
	fdb_port_flush(atomic_load(&sw->fdb), port->slot);
	ports_delete(sw, port);
	vport_destroy(port);
	return rc;
}

void vswitch_port_update(struct vport *port, const struct conf_port *conf)
{
	object_change_begin(&port->obj);
	set_mac(port, conf);
	port->max_stations = conf->max_stations;
	port->friendly_set = conf->friendly_name[0] != '\0';
	snprintf(port->obj.friendly_name, sizeof(port->obj.friendly_name), "%s",
		 conf->friendly_name);
	object_change_end(&port->obj);
	if (port->nic != NULL)
		vnic_set_mac(port->nic, port->mac);
	vswitch_pin_update(port, conf);
	vswitch_port_inherit(port);
}

void vswitch_port_remove(struct vport *port, bool forget)
{
	struct vswitch *sw = port->vswitch;
	struct vnic *nic = port->nic;

	object_change_begin(&port->obj);
	port->state = VPORT_STATE_TEARDOWN;
	object_change_end(&port->obj);
	if (nic != NULL) {
		for (uint16_t q = 0; q < nic->n_queues; q++)
			proc_remove_rxq(nic, q);
		map_without(sw, port);
		vnic_destroy(nic, forget);
		port->nic = NULL;
	}
	vswitch_policy_fini(port);
	fdb_port_flush(atomic_load(&sw->fdb), port->slot);
	ports_delete(sw, port);
	port->state = VPORT_STATE_DELETED;
	free(port->log_bucket);
	vport_destroy(port);
}

uint32_t vswitch_port_quota(const struct vport *port, uint32_t stations)
{
	uint32_t quota;

	if (port->max_stations != 0)
		return port->max_stations;
	if (port->type == VPORT_EXTERNAL)
		return stations;
	quota = stations / QUOTA_SHARE;
	return quota > QUOTA_MIN ? quota : QUOTA_MIN;
}

void vswitch_port_inherit(struct vport *port)
{
	struct fdb *fdb = atomic_load(&port->vswitch->fdb);
	char name[OBJECT_FRIENDLY_SIZE];

	object_change_begin(&port->obj);
	if (!port->friendly_set)
		snprintf(port->obj.friendly_name, sizeof(port->obj.friendly_name), "%s",
			 default_friendly_name(port, name, sizeof(name)));
	object_change_end(&port->obj);
	fdb_port_set_quota(fdb, port->slot, vswitch_port_quota(port, fdb->max_stations));
	if (port->nic != NULL)
		vnic_set_mtu(port->nic, atomic_load(&port->vswitch->mtu));
}

void vswitch_port_events(struct vport *port)
{
	struct vnic *nic = port->nic;
	uint32_t events = vnic_take_events(nic);

	if (port->was_connected && nic->state != VNIC_STATE_CONNECTED)
		stations_forget(port);
	port->was_connected = nic->state == VNIC_STATE_CONNECTED;
	if (events == 0 && port->seen_state == nic->state)
		return;
	update_validation(port);
	vswitch_port_inherit(port);
	if (!may_log(port))
		return;
	if (port->seen_state != nic->state)
		log_info("port '%s': %s%s%s", port->obj.name, vnic_state_name(nic->state),
			 nic->why[0] ? ": " : "", nic->why);
	port->seen_state = nic->state;
	if (events & (VNIC_EVENT_BROKEN | VNIC_EVENT_MEMORY))
		log_warn("port '%s': %s; it goes on when the guest resets the device",
			 port->obj.name, nic->why);
	if (events & VNIC_EVENT_REFUSED)
		log_warn("port '%s': refused a second connection to %s", port->obj.name, nic->path);
	if (events & VNIC_EVENT_STUCK)
		log_error(
			"port '%s': a proc has not let go of a ring for a second; see `vswsh proc`",
			port->obj.name);
}

// The caller's pipe when no NIC has come to own it.
static void close_pipe(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int slot_find(const struct vswitch *sw, struct errtext *e)
{
	uint8_t used[VPORT_MAX] = {0};

	for (uint32_t i = 0; i < sw->n_ports; i++)
		used[sw->ports[i]->slot] = 1;
	for (int slot = 0; slot < VPORT_MAX; slot++) {
		if (!used[slot])
			return slot;
	}
	return errtext_set(e, -ENOSPC, "switch '%s' has %u ports, the most that a switch has",
			   sw->obj.name, VPORT_MAX);
}

static int nic_attach(struct vport *port, const struct conf_port *conf, enum vswitch_origin origin,
		      int pcap_fd, struct errtext *e)
{
	const struct vnic_conf nic_conf = {
		.kind = conf->kind,
		.name = conf->name,
		.path = conf->path,
		.pcap_rx = conf->pcap_rx[0] != '\0' ? conf->pcap_rx : NULL,
		.pcap_tx = conf->pcap_tx[0] != '\0' ? conf->pcap_tx : NULL,
		.pcap_fd = pcap_fd,
		.server = conf->server,
		.queues = conf->queues != 0 ? conf->queues : 1,
		.mtu = atomic_load(&port->vswitch->mtu),
		.features = conf->features,
		.mac = {conf->mac[0], conf->mac[1], conf->mac[2], conf->mac[3], conf->mac[4],
			conf->mac[5]},
	};
	struct vnic *nic;
	int rc = vnic_create(&nic_conf, &nic, e);

	if (rc < 0)
		return rc;
	nic->port = port;
	nic->nic_index = conf->type == VPORT_EXTERNAL ? 1 : 0;
	rc = vnic_start(nic, e);
	// The vhost library has made its threads with the first port.
	if (conf->kind == VNIC_VHOST)
		cores_share();
	// A guest's socket may come later; everything else that is new must be there now.
	// A NIC whose link is down is a NIC; its port waits for the link.
	if (rc < 0 && rc != -ENETDOWN && origin == VSWITCH_NEW &&
	    !(conf->kind == VNIC_VHOST && !conf->server))
		goto destroy;
	if (rc < 0)
		log_warn("port '%s': %s; it is tried again every second", conf->name, nic->why);
	port->nic = nic;
	rc = map_rebuild(port->vswitch, e);
	if (rc < 0)
		goto detach;
	vswitch_pin_init(nic, conf);
	for (uint16_t q = 0; q < nic->n_queues; q++) {
		const struct proc_rxq rxq = {
			.nic = nic,
			.port = port,
			.vswitch = port->vswitch,
			.queue = q,
			.slot = port->slot,
		};

		rc = proc_add_rxq(&rxq, e);
		if (rc < 0)
			goto unpoll;
	}
	return 0;

unpoll:
	for (uint16_t q = 0; q < nic->n_queues; q++)
		proc_remove_rxq(nic, q);
	map_without(port->vswitch, port);
detach:
	port->nic = NULL;
destroy:
	vnic_destroy(nic, origin == VSWITCH_NEW);
	return rc;
}

static int ports_append(struct vswitch *sw, struct vport *port)
{
	object_change_begin(&sw->obj);
	if (sw->n_ports == sw->ports_capacity) {
		uint32_t capacity = sw->ports_capacity != 0 ? sw->ports_capacity * 2 : 8;
		struct vport **ports = realloc(sw->ports, capacity * sizeof(ports[0]));

		if (ports == NULL) {
			object_change_end(&sw->obj);
			return -ENOMEM;
		}
		sw->ports = ports;
		sw->ports_capacity = capacity;
	}
	sw->ports[sw->n_ports++] = port;
	atomic_fetch_add(&sw->obj.refs, 1);
	object_change_end(&sw->obj);
	return 0;
}

static void ports_delete(struct vswitch *sw, const struct vport *port)
{
	uint32_t at = 0;

	object_change_begin(&sw->obj);
	while (sw->ports[at] != port)
		at++;
	sw->n_ports--;
	for (; at < sw->n_ports; at++)
		sw->ports[at] = sw->ports[at + 1];
	atomic_fetch_sub(&sw->obj.refs, 1);
	object_change_end(&sw->obj);
}

// Makes procs deliver to exactly those ports that have a NIC.
static int map_rebuild(struct vswitch *sw, struct errtext *e)
{
	struct vswitch_map *map = calloc(1, sizeof(*map));
	struct vswitch_map *old;

	if (map == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < sw->n_ports; i++) {
		struct vport *port = sw->ports[i];

		if (port->nic == NULL)
			continue;
		map->by_slot[port->slot] = port;
		map->flood[map->n_ports++] = port->slot;
		map->n_guests += port->nic->kind == VNIC_VHOST;
		if (port->slot >= map->n_slots)
			map->n_slots = port->slot + 1u;
	}
	old = atomic_exchange(&sw->map, map);
	proc_synchronize();
	free(old);
	return 0;
}

// As map_rebuild() without 'port'; it cannot fail, for there must be a way out.
static void map_without(struct vswitch *sw, const struct vport *port)
{
	struct vswitch_map *old = atomic_load(&sw->map);
	struct vswitch_map *map = malloc(sizeof(*map));
	uint32_t n = 0;

	if (map == NULL)
		abort(); // a copy of what is there; without it the port cannot be let go
	*map = *old;
	for (uint32_t i = 0; i < old->n_ports; i++) {
		if (old->flood[i] != port->slot)
			map->flood[n++] = old->flood[i];
	}
	if (n != old->n_ports && port->nic->kind == VNIC_VHOST)
		map->n_guests--;
	map->n_ports = n;
	map->by_slot[port->slot] = NULL;
	atomic_store(&sw->map, map);
	proc_synchronize();
	free(old);
}

static void set_mac(struct vport *port, const struct conf_port *conf)
{
	port->mac_set = conf->mac_set;
	memcpy(port->mac, conf->mac, sizeof(port->mac));
}

// What was behind a NIC that went away is unknown again; the port's own address stays.
static void stations_forget(struct vport *port)
{
	fdb_port_flush(atomic_load(&port->vswitch->fdb), port->slot);
	vswitch_policy_pin(port);
}

static const char *default_friendly_name(const struct vport *port, char *buffer, size_t size)
{
	const struct vswitch *sw = port->vswitch;
	const struct vnic *nic = port->nic;

	switch (port->type) {
	case VPORT_DEFAULT:
		return sw->type == CONF_SWITCH_EXTERNAL ? "Internal" : sw->obj.friendly_name;
	case VPORT_INTERNAL:
		return sw->obj.friendly_name;
	case VPORT_EXTERNAL:
		snprintf(buffer, size, "%.200s - Virtual Switch_External",
			 nic == NULL                         ? "[None]"
			 : nic->obj.friendly_name[0] != '\0' ? nic->obj.friendly_name
							     : nic->path);
		return buffer;
	default:
		return "Dynamic Ethernet Switch Port";
	}
}

// Guests can make events as fast as they like; the log takes so many of each port.
static bool may_log(struct vport *port)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	if (port->log_bucket == NULL) {
		port->log_bucket = malloc(sizeof(*port->log_bucket));
		if (port->log_bucket == NULL)
			return false;
		bucket_init(port->log_bucket, LOG_RATE, LOG_BURST, NS_PER_S, now);
	}
	return bucket_take(port->log_bucket, 1, now);
}

static void update_validation(struct vport *port)
{
	const struct vnic *nic = port->nic;

	object_change_begin(&port->obj);
	port->is_validation = port->type == VPORT_SYNTHETIC && nic != NULL &&
			      nic->kind == VNIC_VHOST && nic->state != VNIC_STATE_CONNECTED;
	object_change_end(&port->obj);
}

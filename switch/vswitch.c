#include "switch/vswitch.h"

#include <errno.h>
#include <stdlib.h>

#include "ports/log.h"
#include "ports/object.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/fdb.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "switch/vswitch_map.h"
#include "switch/vswitch_policy.h"

enum {
	EDGE_REFS = 3, // registry, protocol edge, miniport edge
	ETHER_SIZE = 14,
	AGE_ROUNDS = 10 // times that ageing passes over the table in one ageing time
};

static int edges_create(struct vswitch *sw);
static void edges_destroy(struct vswitch *sw);
static int table_replace(struct vswitch *sw, const struct conf_switch *conf);
static void apply_plain(struct vswitch *sw, const struct conf_switch *conf);
static void vswitch_free(struct vswitch *sw);

int vswitch_create(const struct conf_switch *conf, struct vswitch **ret, struct errtext *e)
{
	const struct fdb_conf fdb_conf = {.stations = conf->stations, .ageing_s = conf->ageing_s};
	struct vswitch *sw;
	struct fdb *fdb;

	vsw_root.vswitches_max = CONF_SWITCHES_MAX;
	if (vsw_root.n_vswitches >= CONF_SWITCHES_MAX)
		return errtext_set(e, -ENOSPC, "there are %u switches, the most that a vswd has",
				   CONF_SWITCHES_MAX);
	sw = aligned_alloc(64, sizeof(*sw));
	if (sw == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	memset(sw, 0, sizeof(*sw));
	object_init(&sw->obj, OBJECT_VSWITCH, sizeof(*sw), conf->name, "");
	atomic_store(&sw->obj.refs, EDGE_REFS);
	snprintf(sw->id, sizeof(sw->id), "%s", conf->id);
	snprintf(sw->device_id, sizeof(sw->device_id), "%s", conf->device_id);
	sw->type = (uint8_t)conf->type;
	atomic_store(&sw->map, calloc(1, sizeof(struct vswitch_map)));
	if (atomic_load(&sw->map) == NULL || edges_create(sw) < 0 ||
	    fdb_create(&fdb_conf, &fdb) < 0) {
		vswitch_free(sw);
		return errtext_set(e, -ENOMEM, "not enough memory for a table of %u stations",
				   conf->stations);
	}
	// commit
	atomic_store(&sw->fdb, fdb);
	apply_plain(sw, conf);
	vsw_root.vswitches[vsw_root.n_vswitches++] = sw;
	*ret = sw;
	return 0;
}

void vswitch_destroy(struct vswitch *sw, bool forget)
{
	uint32_t at = 0;

	while (sw->n_ports > 0)
		vswitch_port_remove(sw->ports[sw->n_ports - 1], forget);
	while (vsw_root.vswitches[at] != sw)
		at++;
	vsw_root.n_vswitches--;
	for (; at < vsw_root.n_vswitches; at++)
		vsw_root.vswitches[at] = vsw_root.vswitches[at + 1];
	vsw_root.vswitches[vsw_root.n_vswitches] = NULL;
	proc_synchronize();
	vswitch_free(sw);
}

int vswitch_update(struct vswitch *sw, const struct conf_switch *conf, struct errtext *e)
{
	struct fdb *fdb = atomic_load(&sw->fdb);

	if (fdb->max_stations != conf->stations) {
		int rc = table_replace(sw, conf);

		if (rc < 0)
			return errtext_set(e, rc, "not enough memory for a table of %u stations",
					   conf->stations);
	}
	object_change_begin(&sw->obj);
	apply_plain(sw, conf);
	object_change_end(&sw->obj);
	for (uint32_t i = 0; i < sw->n_ports; i++)
		vswitch_port_inherit(sw->ports[i]);
	return 0;
}

struct vswitch *vswitch_find(const char *name)
{
	for (uint32_t i = 0; i < vsw_root.n_vswitches; i++) {
		if (strcmp(vsw_root.vswitches[i]->obj.name, name) == 0)
			return vsw_root.vswitches[i];
	}
	return NULL;
}

struct vport *vswitch_port_find(const char *name)
{
	for (uint32_t i = 0; i < vsw_root.n_vswitches; i++) {
		struct vswitch *sw = vsw_root.vswitches[i];

		for (uint32_t p = 0; p < sw->n_ports; p++) {
			if (strcmp(sw->ports[p]->obj.name, name) == 0)
				return sw->ports[p];
		}
	}
	return NULL;
}

uint32_t vswitch_count(void)
{
	return vsw_root.n_vswitches;
}

struct vswitch *vswitch_at(uint32_t index)
{
	return vsw_root.vswitches[index];
}

void vswitch_tick(uint32_t now_s)
{
	for (uint32_t i = 0; i < vsw_root.n_vswitches; i++) {
		struct vswitch *sw = vsw_root.vswitches[i];
		struct fdb *fdb = atomic_load(&sw->fdb);
		uint32_t ageing_s = sw->ageing_s != 0 ? sw->ageing_s : FDB_AGEING_DEFAULT_S;
		uint64_t n = ((uint64_t)fdb->n_buckets * AGE_ROUNDS + ageing_s - 1) / ageing_s;

		fdb_age(fdb, now_s, n < fdb->n_buckets ? (uint32_t)n : fdb->n_buckets);
		for (uint32_t p = 0; p < sw->n_ports; p++) {
			vswitch_policy_tick(sw->ports[p], now_s);
			if (sw->ports[p]->nic != NULL)
				vnic_tick(sw->ports[p]->nic);
		}
	}
	vswitch_events(NULL);
}

void vswitch_events(const char *ifname)
{
	for (uint32_t i = 0; i < vsw_root.n_vswitches; i++) {
		struct vswitch *sw = vsw_root.vswitches[i];

		for (uint32_t p = 0; p < sw->n_ports; p++) {
			struct vport *port = sw->ports[p];

			if (port->nic == NULL)
				continue;
			if (ifname != NULL)
				vnic_link_changed(port->nic, ifname);
			vswitch_port_events(port);
		}
	}
}

static int edges_create(struct vswitch *sw)
{
	sw->miniport = calloc(1, sizeof(*sw->miniport));
	sw->mopen = calloc(1, sizeof(*sw->mopen));
	if (sw->miniport == NULL || sw->mopen == NULL)
		return -ENOMEM;
	object_init(&sw->miniport->obj, OBJECT_MINIPORT, sizeof(*sw->miniport), sw->obj.name, "");
	sw->miniport->vswitch = sw;
	sw->miniport->state = VMS_EXT_MP_RUNNING;
	object_init(&sw->mopen->obj, OBJECT_MOPEN, sizeof(*sw->mopen), sw->obj.name, "");
	sw->mopen->vswitch = sw;
	sw->mopen->miniport = sw->miniport;
	sw->mopen->state = VMS_EXT_PT_RUNNING;
	return 0;
}

static void edges_destroy(struct vswitch *sw)
{
	if (sw->miniport != NULL)
		object_fini(&sw->miniport->obj);
	if (sw->mopen != NULL)
		object_fini(&sw->mopen->obj);
	free(sw->miniport);
	free(sw->mopen);
}

// A table of another size takes the stations of the old one over while procs go on learning.
static int table_replace(struct vswitch *sw, const struct conf_switch *conf)
{
	const struct fdb_conf fdb_conf = {.stations = conf->stations, .ageing_s = conf->ageing_s};
	struct fdb *old = atomic_load(&sw->fdb);
	struct fdb *fdb;
	int rc = fdb_create(&fdb_conf, &fdb);

	if (rc < 0)
		return rc;
	fdb_copy(fdb, old);
	atomic_store(&sw->fdb, fdb);
	proc_synchronize();
	fdb_destroy(old);
	return 0;
}

// What a switch takes over from its configuration without a chance to fail.
static void apply_plain(struct vswitch *sw, const struct conf_switch *conf)
{
	const char *friendly = conf->friendly_name[0] != '\0' ? conf->friendly_name : conf->name;
	struct fdb *fdb = atomic_load(&sw->fdb);

	snprintf(sw->obj.friendly_name, sizeof(sw->obj.friendly_name), "%s", friendly);
	snprintf(sw->miniport->obj.friendly_name, sizeof(sw->miniport->obj.friendly_name), "%s",
		 friendly);
	snprintf(sw->mopen->obj.friendly_name, sizeof(sw->mopen->obj.friendly_name), "%s",
		 friendly);
	sw->ageing_s = conf->ageing_s;
	sw->vmq_static = conf->vmq_static;
	fdb->ageing_s = conf->ageing_s;
	atomic_store(&sw->mtu, conf->mtu);
	atomic_store(&sw->frame_max, conf->mtu + ETHER_SIZE);
}

static void vswitch_free(struct vswitch *sw)
{
	edges_destroy(sw);
	fdb_destroy(atomic_load(&sw->fdb));
	free(atomic_load(&sw->map));
	free(atomic_load(&sw->mirrors));
	free(sw->fids);
	free(sw->ports);
	object_fini(&sw->obj);
	free(sw);
}

/*
 * A process that looks like a vswd from outside: the real root and type data, and objects made
 * by hand, healthy or damaged in the ways that a debug shell must survive. Says "ready" and
 * waits to be killed.
 *
 * usage: fake_vswd healthy | damaged | STATIONS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/packet_types.h"
#include "ports/tap_types.h"
#include "ports/vhost_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "switch/root.h"

static void *make(size_t size, enum object_type type, const char *name, const char *friendly)
{
	struct object *obj = aligned_alloc(64, (size + 63) / 64 * 64);

	if (obj == NULL)
		abort();
	memset(obj, 0, size);
	obj->magic = OBJECT_MAGIC;
	obj->type = type;
	obj->size = size > 65535 ? 0 : (uint16_t)size;
	obj->refs = 1;
	snprintf(obj->name, sizeof(obj->name), "%s", name);
	snprintf(obj->friendly_name, sizeof(obj->friendly_name), "%s", friendly);
	return obj;
}

static struct fdb *make_fdb(const char *name, uint32_t n_buckets)
{
	struct fdb *fdb = make(sizeof(*fdb), OBJECT_FDB, name, "");

	fdb->n_buckets = n_buckets;
	fdb->max_stations = n_buckets * FDB_BUCKET_ENTRIES;
	fdb->ageing_s = 300;
	fdb->buckets_bytes = n_buckets * sizeof(struct fdb_bucket);
	fdb->buckets = mmap(NULL, fdb->buckets_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fdb->buckets == MAP_FAILED)
		abort();
	return fdb;
}

static void add_station(struct fdb *fdb, uint32_t bucket, unsigned entry, uint64_t mac,
			uint64_t vlan, uint64_t slot, uint64_t flags, uint64_t seen)
{
	struct fdb_entry *e = &fdb->buckets[bucket].entries[entry];

	e->key = mac | vlan << 48 | FDB_KEY_USED;
	e->value = slot | flags << 32 | seen << 40;
	fdb->stations++;
}

static struct vswitch *make_switch(const char *name, const char *friendly, const char *id,
				   const char *device_id)
{
	struct vswitch *sw = make(sizeof(*sw), OBJECT_VSWITCH, name, friendly);

	sw->obj.refs = 3;
	snprintf(sw->id, sizeof(sw->id), "%s", id);
	snprintf(sw->device_id, sizeof(sw->device_id), "%s", device_id);
	sw->miniport = make(sizeof(*sw->miniport), OBJECT_MINIPORT, name, "");
	sw->miniport->vswitch = sw;
	sw->miniport->state = VMS_EXT_MP_RUNNING;
	sw->mopen = make(sizeof(*sw->mopen), OBJECT_MOPEN, name, "");
	sw->mopen->vswitch = sw;
	sw->mopen->miniport = sw->miniport;
	sw->mopen->state = VMS_EXT_PT_RUNNING;
	sw->fdb = make_fdb(name, 16);
	sw->ports_capacity = 8;
	sw->ports = calloc(sw->ports_capacity, sizeof(sw->ports[0]));
	if (sw->ports == NULL)
		abort();
	vsw_root.vswitches[vsw_root.n_vswitches++] = sw;
	return sw;
}

static struct vport *add_port(struct vswitch *sw, uint16_t id, enum vport_type type,
			      bool validation, const char *name, const char *friendly)
{
	struct vport *port = make(sizeof(*port), OBJECT_VPORT, name, friendly);

	port->vswitch = sw;
	port->id = id;
	port->slot = id;
	port->type = type;
	port->state = VPORT_STATE_CREATED;
	port->is_validation = validation;
	port->created_s = 1401968757;
	port->n_stats = PROC_MAX + 1;
	port->stats = aligned_alloc(64, port->n_stats * sizeof(port->stats[0]));
	if (port->stats == NULL)
		abort();
	memset(port->stats, 0, port->n_stats * sizeof(port->stats[0]));
	sw->ports[sw->n_ports++] = port;
	sw->obj.refs++;
	return port;
}

static void add_nic(struct vport *port, enum vnic_kind kind, enum vnic_state state,
		    const char *path)
{
	static const size_t sizes[] = {
		[VNIC_VHOST] = sizeof(struct vhost),
		[VNIC_TAP] = sizeof(struct tap),
		[VNIC_PACKET] = sizeof(struct packet),
	};
	struct vnic *nic = make(sizes[kind], OBJECT_VNIC, port->obj.name, "");

	nic->port = port;
	nic->kind = kind;
	nic->state = state;
	nic->n_queues = 1;
	nic->mtu = 1500;
	nic->since_s = 1401968757;
	nic->rxq[0].proc = 0;
	snprintf(nic->path, sizeof(nic->path), "%s", path);
	if (state != VNIC_STATE_CONNECTED)
		snprintf(nic->why, sizeof(nic->why), "no VM is connected to the socket");
	port->nic = nic;
}

// One ring as a guest has it, and one that broke the rules.
static void make_rings(struct vhost *v)
{
	static struct virtq_desc desc[256];
	struct virtq_avail *avail = calloc(1, sizeof(*avail) + 2 * 256);
	struct virtq_used *used = calloc(1, sizeof(*used) + 8 * 256);
	struct vhost_ring *ring = &v->rings[0];

	if (avail == NULL || used == NULL)
		abort();
	v->phase = VHOST_RUNNING;
	v->peer_pid = 4711;
	v->connections = 2;
	v->features = VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF | VIRTQ_FEATURE_EVENT_IDX;
	v->negotiated = VIRTQ_FEATURE_VERSION_1 | 1ULL << 63;
	avail->idx = 300;
	used->idx = 44;
	ring->use = VHOST_RING_UP;
	ring->enabled = 1;
	ring->attached = 1;
	ring->q = (struct virtq){.desc = desc,
				 .avail = avail,
				 .used = used,
				 .size = 256,
				 .mask = 255,
				 .hdr_size = 12,
				 .mergeable = 1,
				 .callfd = 7,
				 .kickfd = 8,
				 .last_avail = 290,
				 .avail_seen = 299,
				 .last_used = 45,
				 .signalled = 43};
	ring = &v->rings[1];
	ring->breaks = 1;
	ring->q.broken = VIRTQ_BREAK_HEAD;
	ring->q.broken_detail = 65535;
}

static void make_proc(struct vswitch *sw)
{
	struct proc_conf *conf = calloc(1, sizeof(*conf) + 2 * sizeof(conf->rxqs[0]));
	struct proc *proc = make(sizeof(*proc), OBJECT_PROC, "proc0", "");

	if (conf == NULL)
		abort();
	for (unsigned i = 1; i < 3; i++)
		conf->rxqs[conf->n_rxqs++] = (struct proc_rxq){
			.nic = sw->ports[i]->nic, .port = sw->ports[i], .vswitch = sw};
	proc->conf = conf;
	proc->stage = PROC_STAGE_EGRESS;
	proc->port = sw->ports[1];
	proc->core = 1;
	proc->loops = 1000;
	proc->frames = 42;
	snprintf(proc->copy_name, sizeof(proc->copy_name), "avx2");
	vsw_root.procs[vsw_root.n_procs++] = proc;
}

// The three switches of the project's model text, ids and order of ports included.
static void make_healthy(void)
{
	static const char vm[] = "Dynamic Ethernet Switch Port";
	struct vswitch *sw;
	struct vport *port;

	sw = make_switch("ext", "External Demo", "AC2DA35C-661A-40AE-82F2-1F62F70DBB2A",
			 "95141247-9BD1-4449-9223-C402789D94DD");
	add_port(sw, 0, VPORT_DEFAULT, false, "ext:default", "Internal");
	port = add_port(sw, 1, VPORT_INTERNAL, false, "ext:internal", "External Demo");
	add_nic(port, VNIC_TAP, VNIC_STATE_CONNECTED, "vsw-ext");
	port->stats[0].drops[DROP_IN][DROP_BridgeReserved] = 3;
	port->stats[1].drops[DROP_IN][DROP_BridgeReserved] = 4;
	port->stats[0].drops[DROP_OUT][DROP_Resources] = 5;
	port->stats[0].rx_frames = 100;
	port->stats[PROC_MAX].rx_frames = 1;
	port = add_port(sw, 2, VPORT_EXTERNAL, false, "ext:external",
			"Realtek PCI GBE Family Controller - Virtual Switch_External");
	add_nic(port, VNIC_PACKET, VNIC_STATE_CONNECTED, "eth1");
	port = add_port(sw, 3, VPORT_SYNTHETIC, true, "vm3", vm);
	add_nic(port, VNIC_VHOST, VNIC_STATE_DISCONNECTED, "/run/vsw/vm3.sock");
	make_rings((struct vhost *)port->nic);
	add_port(sw, 5, VPORT_SYNTHETIC, false, "vm5", vm);
	add_port(sw, 4, VPORT_SYNTHETIC, true, "vm4", vm);
	add_station(sw->fdb, 1, 2, 0x0201005d1500, 0, 2, 0, 0);
	add_station(sw->fdb, 3, 0, 0x0100005d1500, 7, 1, FDB_ENTRY_STATIC, 0);
	add_station(sw->fdb, 5, 3, 0x0200005d1500, 7, 77, FDB_ENTRY_STATIC, 0);
	make_proc(sw);

	sw = make_switch("int", "Internal Demo", "E0BB29CA-1F43-4CAC-8025-BDFDA3FD3825",
			 "4E700BA5-09D3-41D3-8EA3-B2FCB3AC0741");
	add_port(sw, 0, VPORT_DEFAULT, false, "int:default", "Internal Demo");
	add_port(sw, 1, VPORT_INTERNAL, false, "int:internal", "Internal Demo");

	sw = make_switch("priv", "Private Demo", "D48F7DC3-D15D-4A3E-BF98-7E46FB8A1E4D",
			 "C264D298-D597-4BEE-BB6E-3DF414901E6B");
	add_port(sw, 0, VPORT_DEFAULT, false, "priv:default", "Private Demo");
}

static void make_damaged(void)
{
	struct vswitch *ext = vsw_root.vswitches[0];
	struct vswitch *internal = vsw_root.vswitches[1];
	struct vswitch *private = vsw_root.vswitches[2];

	ext->ports[1]->obj.magic = OBJECT_FREED;
	ext->ports[2] = (struct vport *)(uintptr_t)0x10;
	ext->ports[3]->obj.magic = 0x12345678;
	ext->ports[4] = (struct vport *)(void *)ext->miniport;
	ext->ports[5]->obj.changes = 7;
	ext->ports[5]->type = 99;
	memset(ext->ports[5]->obj.friendly_name, 'x', sizeof(ext->ports[5]->obj.friendly_name));
	memcpy(ext->ports[5]->obj.friendly_name, "\033[2J\302\233\303\244\377", 9);
	ext->mopen = NULL;
	atomic_load(&ext->fdb)->n_buckets = 1U << 31;
	atomic_load(&vsw_root.procs[0]->conf)->n_rxqs = 1U << 20;
	internal->n_ports = UINT32_MAX;
	private->ports = (struct vport **)(uintptr_t)0x20;
	private->obj.changes = 1;
	vsw_root.vswitches[3] = (struct vswitch *)(uintptr_t)UINTPTR_MAX;
	vsw_root.n_vswitches = 4;
}

static void make_stations(uint32_t stations)
{
	struct vswitch *sw = vsw_root.vswitches[0];
	struct fdb *fdb = make_fdb("big", stations / 2 + 1);

	for (uint32_t i = 0; i < stations; i++)
		add_station(fdb, i / 2, i % 2, i, 0, 1, 0, 0);
	sw->fdb = fdb;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	root_init("/run/fake", "/var/lib/fake", argc, argv);
	make_healthy();
	if (strcmp(argv[1], "damaged") == 0)
		make_damaged();
	else if (strcmp(argv[1], "healthy") != 0)
		make_stations((uint32_t)strtoul(argv[1], NULL, 10));
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

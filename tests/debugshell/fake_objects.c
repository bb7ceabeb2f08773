#include "tests/debugshell/fake_objects.h"

#include <stdio.h>
#include <string.h>

#include "ports/guest_mem_types.h"
#include "ports/packet_types.h"
#include "ports/tap_types.h"
#include "ports/vhost_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "switch/acl_types.h"
#include "switch/conntrack_types.h"
#include "switch/guard_learn_types.h"
#include "switch/policy_types.h"

static void *make(size_t size, enum object_type type, const char *name, const char *friendly)
{
	struct object *obj = fake_memory(size, name);

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
	fdb->buckets = fake_memory(fdb->buckets_bytes, "buckets");
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
	sw->ports = fake_memory(sw->ports_capacity * sizeof(sw->ports[0]), "ports");
	vsw_root.vswitches[vsw_root.n_vswitches++] = sw;
	return sw;
}

static struct vport *add_port(struct vswitch *sw, uint16_t id, enum vport_type type,
			      bool validation, const char *name, const char *friendly)
{
	static uint32_t serial;
	struct vport *port = make(sizeof(*port), OBJECT_VPORT, name, friendly);

	port->vswitch = sw;
	port->serial = ++serial;
	port->id = id;
	port->slot = id;
	port->type = type;
	port->state = VPORT_STATE_CREATED;
	port->is_validation = validation;
	port->created_s = 1401968757;
	port->n_stats = PROC_MAX + 1;
	port->stats = fake_memory(port->n_stats * sizeof(port->stats[0]), "stats");
	sw->ports[sw->n_ports++] = port;
	sw->obj.refs++;
	return port;
}

// One of each kind.
static void make_rules(struct acl_rule *rules)
{
	static const struct acl_ports any = {0, 65535};

	rules[0] = (struct acl_rule){.number = 1,
				     .kind = ACL_BASIC,
				     .direction = ACL_IN,
				     .action = ACL_DENY,
				     .is_remote = 1,
				     .remote = {ACL_IPV4, 24, {192, 0, 2}}};
	rules[1] = (struct acl_rule){.number = 2,
				     .kind = ACL_BASIC,
				     .direction = ACL_OUT,
				     .action = ACL_ALLOW,
				     .local = {ACL_MAC, 48, {0, 0x15, 0x5d, 0, 0, 3}}};
	rules[2] = (struct acl_rule){.number = 4,
				     .kind = ACL_BASIC,
				     .direction = ACL_OUT,
				     .action = ACL_METER,
				     .is_remote = 1,
				     .remote = {ACL_IPV6, 32, {0x20, 0x01, 0x0d, 0xb8}}};
	rules[3] = (struct acl_rule){.number = 7,
				     .kind = ACL_EXTENDED,
				     .direction = ACL_OUT,
				     .action = ACL_ALLOW,
				     .protocol = 6,
				     .stateful = 1,
				     .weight = 100,
				     .idle_s = 255,
				     .local = {ACL_IPV4, 32, {10, 0, 0, 1}},
				     .remote_ports = {80, 90}};
	rules[4] = (struct acl_rule){.number = 8,
				     .kind = ACL_EXTENDED,
				     .direction = ACL_IN,
				     .action = ACL_DENY,
				     .any_protocol = 1,
				     .weight = 1};
	for (unsigned i = 0; i < 5; i++) {
		rules[i].local_ports = any;
		if (i != 3)
			rules[i].remote_ports = any;
	}
}

// 30 sessions, of which one ends just now: its entry is free, its tag still there.
static struct conntrack *make_sessions(void)
{
	struct conntrack *ct = fake_memory(sizeof(*ct), "conntrack");

	ct->max = 128;
	ct->n_buckets = 32;
	ct->refused = 3;
	ct->buckets = fake_memory(ct->n_buckets * sizeof(ct->buckets[0]), "buckets");
	ct->entries = fake_memory((size_t)ct->n_buckets * CONNTRACK_WAYS * sizeof(ct->entries[0]),
				  "buckets");
	for (uint8_t i = 0; i < 30; i++) {
		struct conntrack_entry *e = &ct->entries[i * CONNTRACK_WAYS + i % 8];
		uint64_t state = 1 + i % (CONNTRACK_N_STATES - 1);

		ct->buckets[i].tags[i % 8] = 77;
		e->key = (struct conntrack_key){.local = {10, 0, 0, 1},
						.remote = {192, 0, 2, i},
						.local_port = 40000,
						.remote_port = 80,
						.version = 4,
						.protocol = 6};
		if (i == 1)
			e->key = (struct conntrack_key){.local = {0xfe, 0x80, [15] = 1},
							.remote = {0xfe, 0x80, [15] = 2},
							.vlan = 7,
							.version = 6,
							.protocol = 58};
		e->rule = 7;
		e->state = (i == 2 ? CONNTRACK_FREE : state) << 8 | i % 2;
		ct->n += i != 2;
	}
	return ct;
}

// The counts of two procs and of an acl that was replaced.
static struct acl *make_acl(void)
{
	struct acl *acl = fake_memory(sizeof(*acl), "acl");

	acl->n_rules = 5;
	acl->tracks = 1;
	acl->rules = fake_memory(acl->n_rules * sizeof(acl->rules[0]), "rules");
	make_rules(acl->rules);
	acl->base = fake_memory(acl->n_rules * sizeof(acl->base[0]), "counts");
	for (unsigned proc = 0; proc < 2; proc++)
		acl->counts[proc] = fake_memory(acl->n_rules * sizeof(acl->base[0]), "counts");
	acl->base[0] = (struct acl_count){1, 60};
	acl->counts[0][0] = (struct acl_count){2, 120};
	acl->counts[1][0] = (struct acl_count){4, 240};
	acl->counts[1][2] = (struct acl_count){8, 12000};
	acl->sessions = make_sessions();
	return acl;
}

static void learn(struct guard_learned *e, uint64_t phase, const char *address)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	e->address[0] = words[0];
	e->address[1] = words[1];
	e->state = 1 << 2 | phase;
}

// Of three places one is being written.
static struct guard_learn *make_learned(void)
{
	struct guard_learn *learned = fake_memory(sizeof(*learned), "learned");

	learn(&learned->entries[0], GUARD_LEARN_USED, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x63");
	learn(&learned->entries[1], GUARD_LEARN_WRITING, "half an address");
	learn(&learned->entries[2], GUARD_LEARN_USED, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x63");
	return learned;
}

// A trunk that may send from two addresses and announce two, and three more.
static struct policy *make_policy(void)
{
	struct policy *policy = fake_memory(sizeof(*policy), "policy");

	policy->checks_mac = 1;
	policy->n_macs = 2;
	memcpy(&policy->macs[0], "\x00\x15\x5d\x00\x00\x03", 6);
	memcpy(&policy->macs[1], "\x00\x15\x5d\x00\x00\x04", 6);
	policy->storm_fps = 1000;
	policy->mirrored_to = 7;
	policy->vlan = (struct vlan_rules){.mode = VLAN_TRUNK, .own = 5, .takes_tags = 1};
	policy->vlan.set.words[0] = 0x0fe0; // 5 to 11
	policy->vlan.set.words[3] = 1ULL << 8;
	policy->guard = (struct guard_rules){.dhcp = 1, .arp = 1, .n_addresses = 2, .limit = 3};
	policy->learned = make_learned();
	policy->acl = make_acl();
	memcpy(policy->guard.addresses[0].bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\0", 16);
	policy->guard.addresses[0].bits = 104;
	memcpy(policy->guard.addresses[1].bytes, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	policy->guard.addresses[1].bits = 128;
	return policy;
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
	nic->rss.queues = 1;
	snprintf(nic->path, sizeof(nic->path), "%s", path);
	if (state != VNIC_STATE_CONNECTED)
		snprintf(nic->why, sizeof(nic->why), "no VM is connected to the socket");
	port->nic = nic;
}

// Chains that are as they should be, but for those of the first slots that are outstanding.
static const struct guest_mem *make_chains(struct virtq_desc *desc, uint16_t *ring, unsigned first)
{
	struct virtq_desc *table = fake_memory(4096, "guest");
	struct guest_mem *mem = fake_memory(sizeof(*mem), "mem");

	for (unsigned i = 0; i < 256; i++) {
		desc[i] = (struct virtq_desc){
			.addr = 0x10000 + 2048 * i, .len = 1526, .flags = VIRTQ_DESC_WRITE};
		ring[i] = (uint16_t)i;
	}
	ring[first + 1] = 999;
	desc[first + 2].flags |= VIRTQ_DESC_NEXT;
	desc[first + 2].next = (uint16_t)(first + 2);
	desc[first + 3].len = 0;
	desc[first + 4].addr = 0x40000000;
	ring[first + 5] = (uint16_t)first;
	desc[first + 6] =
		(struct virtq_desc){.addr = 0x100000, .len = 32, .flags = VIRTQ_DESC_INDIRECT};
	table[0] = (struct virtq_desc){.addr = 0xff800,
				       .len = 4096,
				       .flags = VIRTQ_DESC_WRITE | VIRTQ_DESC_NEXT,
				       .next = 1};
	table[1] = (struct virtq_desc){.addr = 0x100800, .len = 4096, .flags = VIRTQ_DESC_WRITE};
	desc[first + 7].flags |= VIRTQ_DESC_NEXT;
	desc[first + 7].next = 300;
	desc[first + 8].flags = 0;
	desc[255].len = 0;
	mem->n_regions = 2;
	// Nothing of the switch's may lie there: it would count as the guest's.
	mem->regions[0] = (struct guest_region){
		.size = 0x100000, .host = (uint8_t *)(uintptr_t)0x100000, .sigbus_slot = -1};
	mem->regions[1] = (struct guest_region){
		.gpa = 0x100000, .size = 4096, .host = (uint8_t *)table, .sigbus_slot = -1};
	return mem;
}

// One ring as a guest has it, and one that broke the rules.
static void make_rings(struct vhost *v)
{
	struct virtq_desc *desc = fake_memory(256 * sizeof(*desc), "desc");
	struct virtq_avail *avail = fake_memory(sizeof(*avail) + 2 * 256, "avail");
	struct virtq_used *used = fake_memory(sizeof(*used) + 8 * 256, "used");
	struct vhost_ring *ring = &v->rings[0];

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
				 .mem = make_chains(desc, avail->ring, 44),
				 .size = 256,
				 .mask = 255,
				 .hdr_size = 12,
				 .direction = VIRTQ_TO_GUEST,
				 .mergeable = 1,
				 .indirect = 1,
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

// A frame of the burst that 'proc' has in its hands.
static struct vnbl *add_frame(struct proc *proc, const void *bytes, uint16_t size,
			      uint16_t frame_size)
{
	struct vnbl *v = &proc->burst.frames[proc->burst.n++];

	proc->burst.bytes += frame_size;
	v->hdr = memcpy(v->safe, bytes, size);
	v->safe_size = size;
	v->frame_size = frame_size;
	v->src_port = proc->port;
	v->src_port_id = proc->port->id;
	return v;
}

static void make_burst(struct proc *proc)
{
	static const uint8_t tcp[] = {
		0x00, 0x15, 0x5d, 0x00, 0x01, 0x02, 0x00, 0x15, 0x5d, 0x00, 0x00, 0x01, 0x08, 0x00,
		0x45, 0x00, 0x05, 0xdc, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 0xc0, 0xa8,
		0x00, 0x01, 0xc0, 0xa8, 0x00, 0x02, 0x30, 0x39, 0x00, 0x50, 0x00, 0x00, 0x10, 0x00,
		0x00, 0x00, 0x20, 0x00, 0x50, 0x18, 0x01, 0xf6, 0x00, 0x00, 0x00, 0x00};
	static const uint8_t arp[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x15, 0x5d, 0x00, 0x00, 0x01, 0x08, 0x06,
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x00, 0x15, 0x5d, 0x00, 0x00, 0x01,
		0xc0, 0xa8, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x02};
	struct vnbl *v = add_frame(proc, tcp, sizeof(tcp), 1514);

	v->flags = VNBL_HAS_TAG;
	v->vlan_tpid = 0x8100;
	v->vlan_tci = 3 << 13 | 7;
	v->offload = (struct vnbl_offload){.flags = 1,
					   .gso_type = 1,
					   .hdr_len = 54,
					   .gso_size = 700,
					   .csum_start = 34,
					   .csum_offset = 16};
	v->n_pieces = 1;
	v->pieces[0] = (struct vnbl_piece){.addr = v->safe, .len = 1514 - sizeof(tcp)};
	v->dst_slot = 2;
	v = add_frame(proc, arp, sizeof(arp), sizeof(arp));
	v->flags = VNBL_DATA_SAFE | VNBL_FLOOD;
	v->dst_slot = VNBL_DST_FLOOD;
	proc->burst.flooded_to = 2 + 1;
	v = add_frame(proc, arp, sizeof(arp), 60);
	v->dst_slot = 3 | VNBL_DST_HANDED;
	v = add_frame(proc, arp, sizeof(arp), 60);
	v->flags = VNBL_DROPPED;
	v->drop = DROP_Filtered;
	v->dst_slot = VNBL_DST_NONE;
}

// A frame that 'proc' dropped at a port.
static struct droplog_record *add_drop(struct proc *proc, const struct vport *at,
				       enum drop_direction direction, enum drop_reason reason,
				       const void *bytes, uint16_t size, uint16_t frame_size)
{
	uint64_t n = ++proc->drops.n;
	struct droplog_record *r = &proc->drops.records[n - 1];

	*r = (struct droplog_record){.number = n,
				     .at = at,
				     .at_id = at->id,
				     .at_serial = at->serial,
				     .src_port = proc->port,
				     .src_port_id = proc->port->id,
				     .src_serial = proc->port->serial,
				     .direction = (uint8_t)direction,
				     .reason = (uint8_t)reason,
				     .flags = VNBL_DROPPED,
				     .frame_size = frame_size,
				     .safe_size = size,
				     .n_bytes = size};
	memcpy(proc->drops.bytes[n - 1], bytes, size);
	return r;
}

// The third was dropped at a port that is gone, another one is where it was; the last one as well,
// which had the same id in another switch. The one before it came over from another proc.
static void make_drops(struct proc *proc, struct vswitch *sw)
{
	static const uint8_t lldp[60] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e, 0x00,
					 0x15, 0x5d, 0x00, 0x00, 0x01, 0x88, 0xcc};
	static const uint8_t udp[128] = {
		0x00, 0x15, 0x5d, 0x00, 0x01, 0x02, 0x00, 0x15, 0x5d, 0x00, 0x00, 0x01, 0x08, 0x00,
		0x45, 0x00, 0x05, 0xce, 0x12, 0x34, 0x00, 0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8,
		0x00, 0x01, 0xc0, 0xa8, 0x00, 0x02, 0x30, 0x39, 0x00, 0x35, 0x05, 0xba, 0x00, 0x00};
	struct droplog_record *r;

	add_drop(proc, proc->port, DROP_IN, DROP_BridgeReserved, lldp, sizeof(lldp), sizeof(lldp))
		->flags |= VNBL_DATA_SAFE;
	r = add_drop(proc, sw->ports[2], DROP_OUT, DROP_Resources, udp, sizeof(udp), 1500);
	r->flags |= VNBL_HAS_TAG;
	r->vlan_tci = 7;
	r->vlan_tpid = 0x8100;
	r->n_pieces = 1;
	r = add_drop(proc, sw->ports[3], DROP_OUT, DROP_NotReady, udp, 42, 42);
	r->at_id = 9;
	r->src_port = NULL;
	r = add_drop(proc, sw->ports[2], DROP_OUT, DROP_Busy, udp, 42, 42);
	r->src_port = NULL;
	r->src_serial = 0;
	r->src_port_id = 3;
	r = add_drop(proc, sw->ports[2], DROP_OUT, DROP_Busy, udp, 42, 42);
	r->at_serial = 99;
}

static void make_proc(struct vswitch *sw)
{
	struct proc_conf *conf = fake_memory(sizeof(*conf) + 2 * sizeof(conf->rxqs[0]), "conf");
	struct proc *proc = make(sizeof(*proc), OBJECT_PROC, "proc0", "");

	sw->ports[1]->nic->rxq[0].load = 5;
	sw->ports[1]->nic->rxq[0].frames_s = 4567;
	sw->ports[2]->nic->rxq[0].load = 340;
	sw->ports[2]->nic->rxq[0].frames_s = 1230000;
	sw->ports[2]->nic->rxq[0].moves = 7;
	sw->ports[2]->nic->rxq[0].pinned = 1 + 1;
	for (unsigned i = 1; i < 3; i++)
		conf->rxqs[conf->n_rxqs++] = (struct proc_rxq){
			.nic = sw->ports[i]->nic, .port = sw->ports[i], .vswitch = sw};
	proc->conf = conf;
	proc->stage = PROC_STAGE_EGRESS;
	proc->port = sw->ports[1];
	proc->core = 1;
	make_burst(proc);
	make_drops(proc, sw);
	proc->loops = 1000;
	proc->frames = 42;
	snprintf(proc->copy_name, sizeof(proc->copy_name), "avx2");
	proc->load = 345;
	proc->frames_s = 1234567;
	vsw_root.procs[vsw_root.n_procs++] = proc;
	vsw_root.procs[vsw_root.n_procs++] = NULL; // one that was removed
}

void fake_healthy(void)
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
	port->policy = make_policy();
	make_rings((struct vhost *)port->nic);
	port = add_port(sw, 5, VPORT_SYNTHETIC, false, "vm5", vm);
	port->stats[0].drops[DROP_OUT][DROP_Disconnected] = 6; // floods
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

// What hangs on a policy leads nowhere, or counts what cannot be; each on a port of its own.
static void damage_acls(struct vswitch *sw)
{
	enum { DAMAGES = 11, CAPACITY = 32 };
	struct vport **ports = fake_memory(CAPACITY * sizeof(ports[0]), "ports");
	struct policy *policies[DAMAGES];

	memcpy(ports, sw->ports, sw->n_ports * sizeof(ports[0]));
	sw->ports = ports;
	sw->ports_capacity = CAPACITY;
	for (uint16_t i = 0; i < DAMAGES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "acl%u", i);
		policies[i] = make_policy();
		add_port(sw, 10 + i, VPORT_SYNTHETIC, false, name, "")->policy = policies[i];
	}
	ports[sw->n_ports - DAMAGES]->vswitch = (struct vswitch *)(uintptr_t)0x40;
	policies[0]->acl = (struct acl *)(uintptr_t)0x10;
	policies[0]->learned = (struct guard_learn *)(uintptr_t)0x18;
	policies[1]->acl->n_rules = 1U << 30;
	policies[2]->acl->rules = (struct acl_rule *)(uintptr_t)0x20;
	policies[3]->acl->counts[1] = (struct acl_count *)(uintptr_t)0x28;
	policies[4]->acl->sessions = (struct conntrack *)(uintptr_t)0x30;
	policies[5]->acl->sessions->n_buckets = 1U << 31;
	policies[6]->acl->sessions->buckets = (struct conntrack_bucket *)(uintptr_t)0x38;
	policies[7]->acl->sessions->entries = (struct conntrack_entry *)(uintptr_t)UINTPTR_MAX;
	memset(policies[8]->acl->rules, 0xee, 5 * sizeof(struct acl_rule));
	memset(&policies[8]->acl->sessions->entries[0], 0xee, sizeof(struct conntrack_entry));
	policies[8]->acl->sessions->n = UINT32_MAX;
	policies[8]->guard.limit = 255;
	policies[9]->learned = NULL;
	policies[10]->guard.limit = 0;
}

void fake_damage(void)
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
	vsw_root.procs[0]->burst.n = 1000;
	vsw_root.procs[0]->drops.n = 6;
	vsw_root.procs[0]->drops.records[0].n_bytes = 200;
	vsw_root.procs[0]->drops.records[1].reason = 99;
	vsw_root.procs[0]->drops.records[3].number = 12345;
	damage_acls(ext);
	internal->n_ports = UINT32_MAX;
	private->ports = (struct vport **)(uintptr_t)0x20;
	private->obj.changes = 1;
	vsw_root.vswitches[3] = (struct vswitch *)(uintptr_t)UINTPTR_MAX;
	vsw_root.n_vswitches = 4;
}

// A policy is no object: nothing in it says that it is one.
static struct policy *give_policy(struct vport *port)
{
	struct policy *policy = make_policy();

	port->policy = policy;
	return policy;
}

void fake_policies(void)
{
	struct vport **ext = vsw_root.vswitches[0]->ports;
	struct vport **internal = vsw_root.vswitches[1]->ports;
	struct vport **private = vsw_root.vswitches[2]->ports;

	ext[0]->policy = (struct policy *)(uintptr_t)0x10;
	ext[1]->policy = (struct policy *)UINTPTR_MAX;
	give_policy(ext[2])->n_macs = UINT8_MAX;
	give_policy(ext[4])->vlan.mode = 99;
	give_policy(ext[5])->vlan.own = UINT16_MAX;
	give_policy(internal[0])->guard.n_addresses = UINT8_MAX;
	memset(give_policy(internal[1]), 0xff, sizeof(struct policy));
	memset(&give_policy(private[0])->vlan.set, 0x55, sizeof(struct vlan_set));
}

void fake_stations(uint32_t stations)
{
	struct vswitch *sw = vsw_root.vswitches[0];
	struct fdb *fdb = make_fdb("big", stations / 2 + 1);

	for (uint32_t i = 0; i < stations; i++)
		add_station(fdb, i / 2, i % 2, i, 0, 1, 0, 0);
	sw->fdb = fdb;
}

void fake_names(void)
{
	struct vswitch *sw = vsw_root.vswitches[0];
	struct vport *wide = sw->ports[3];

	snprintf(wide->obj.name, sizeof(wide->obj.name), "\303\274ber");
	snprintf(wide->nic->obj.name, sizeof(wide->nic->obj.name), "\303\274ber");
	snprintf(sw->ports[4]->obj.name, sizeof(sw->ports[4]->obj.name), "deadbeef");
}

// Times of a counter of 1 GHz, long before and long after any of this machine's.
void fake_clock(void)
{
	const uint64_t second = 1000000000, start = 1000 * second;
	struct proc *proc = vsw_root.procs[0];
	struct fdb *fdb = vsw_root.vswitches[0]->fdb;

	vsw_root.start_s = 1401968757;
	vsw_root.tsc_hz = second;
	vsw_root.start_tsc = start;
	vsw_root.clock_tsc = start + 99 * second;
	proc->tsc_hz = second;
	proc->start_tsc = start;
	proc->stage_tsc = start + 90 * second;
	proc->last_frame_tsc = start + 100 * second;
	proc->busy_tsc = 25 * second;
	proc->drops.records[0].tsc = start + 98 * second;
	add_station(fdb, 7, 0, 0x0301005d1500, 0, 1, 0, 40);
}

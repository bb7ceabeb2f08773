#include "bench/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cycles.h"
#include "bench/stations.h"
#include "ports/droplog.h"
#include "ports/log.h"
#include "ports/vhost.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "switch/acl_make.h"
#include "switch/egress.h"
#include "switch/fdb.h"
#include "switch/ingress.h"
#include "switch/policy.h"
#include "switch/policy_make.h"
#include "switch/proc.h"
#include "switch/vswitch.h"
#include "tests/unit/eal.h"

enum {
	MBUFS = 2047,
	NOW_S = 1000,
	STATIONS = 32768,
	UNKNOWN = 1 << 24, // numbers of stations that never sent begin here
	STRIDE = BGUEST_STRIDE + VNBL_HEADROOM,
	SENDER = 0, // slots of the ports
	RECEIVER = 1
};

static void switch_create(struct pipeline *p);
static void port_add(struct pipeline *p, unsigned i);
static struct vhost_ring *ring_of(const struct pipeline *p, unsigned i);
static void rings_detach(struct pipeline *p);
static void rings_attach(struct pipeline *p, uint32_t size);
static void policy_set(struct pipeline *p);
static void stations_learn(struct pipeline *p);
static void learn(struct fdb *fdb, uint32_t station, uint16_t slot);
static uint8_t *frame_at(const struct pipeline *p, unsigned i);

void pipeline_init(struct pipeline *p)
{
	struct ports_env env = {.wake = proc_wake, .run_dir = "/nonexistent", .n_mbufs = MBUFS};

	memset(p, 0, sizeof(*p));
	p->random = STATIONS_SEED;
	if (log_init(LOG_LEVEL_ERROR) < 0 || eal_start() < 0 || proc_init() < 0)
		cycles_fail("cannot start DPDK");
	env.rcu = proc_rcu();
	if (ports_init(&env, NULL) < 0)
		cycles_fail("cannot start the ports");
	p->proc = aligned_alloc(alignof(struct proc), sizeof(*p->proc));
	p->memory = malloc((size_t)PIPELINE_FRAMES * STRIDE);
	if (p->proc == NULL || p->memory == NULL)
		cycles_fail("out of memory");
	memset(p->proc, 0, sizeof(*p->proc));
	memset(p->memory, 0, (size_t)PIPELINE_FRAMES * STRIDE);
	p->proc->now_s = NOW_S;
	droplog_set(&p->proc->drops);
	switch_create(p);
	p->rxq = (struct proc_rxq){.port = p->ports[SENDER], .vswitch = p->sw};
}

void pipeline_fini(struct pipeline *p)
{
	rings_detach(p);
	for (unsigned i = 0; i < PIPELINE_PORTS; i++) {
		p->ports[i]->nic = p->vhosts[i];
		fake_nic_destroy(p->fakes[i]);
	}
	vswitch_destroy(p->sw, true);
	for (unsigned i = 0; i < PIPELINE_PORTS; i++)
		bguest_fini(&p->guests[i]);
	free(p->memory);
	free(p->proc);
	ports_fini();
	proc_fini();
	log_fini();
}

void pipeline_prepare(struct pipeline *p, const struct pipeline_case *c)
{
	p->now = *c;
	rings_detach(p);
	if (c->ports == PIPELINE_VRING)
		rings_attach(p, c->size);
	for (unsigned i = 0; i < PIPELINE_PORTS; i++) {
		struct vport *port = p->ports[i];

		port->nic = c->ports == PIPELINE_VRING ? p->vhosts[i] : &p->fakes[i]->nic;
		for (uint32_t s = 0; s < port->n_stats; s++)
			port->stats[s] = (struct vport_stats){.port = port};
	}
	p->fakes[SENDER]->size = c->size;
	p->fakes[SENDER]->offered = p->fakes[SENDER]->received = 0;
	p->rxq.nic = p->ports[SENDER]->nic;
	policy_set(p);
	stations_learn(p);
}

void pipeline_fill(struct pipeline *p)
{
	uint32_t receivers = p->now.flood ? UNKNOWN : p->now.macs;

	for (unsigned i = 0; i < PIPELINE_FRAMES; i++) {
		uint8_t *frame = frame_at(p, i);

		station_mac(receivers + station_draw(&p->random, p->now.macs), frame);
		station_mac(station_draw(&p->random, p->now.macs), frame + 6);
		if (p->now.rules.n != 0)
			aclset_frame(&p->now.rules, station_draw(&p->random, p->now.rules.n), 0,
				     false, frame, p->now.size);
	}
	for (unsigned i = RECEIVER; i < PIPELINE_PORTS && p->now.ports == PIPELINE_VRING; i++)
		p->guests[i].avail->idx =
			(uint16_t)(p->guests[i].used->idx + (uint16_t)PIPELINE_FRAMES);
}

void pipeline_offer(struct pipeline *p, unsigned n)
{
	if (p->now.ports == PIPELINE_VRING)
		bguest_offer(&p->guests[SENDER], n);
	else
		p->fakes[SENDER]->offered += n;
}

static inline void clock_read(uint64_t *clocks, enum pipeline_stage before)
{
	if (clocks != NULL)
		clocks[before] = cycles_now();
}

static inline void crumb(struct proc *p, enum proc_stage stage)
{
	atomic_store_explicit(&p->stage, stage, memory_order_relaxed);
}

// This is proc_burst() of switch/proc.c once more, what proc_round() counts behind it, and the
// settling of a busy proc: they are the procs' own, and clocks between their stages would cost
// every frame of every switch.
unsigned pipeline_burst(struct pipeline *pipeline, uint64_t *clocks)
{
	const struct proc_rxq *rxq = &pipeline->rxq;
	struct proc *p = pipeline->proc;
	struct vnbl_burst *burst = &p->burst;
	struct vport_stats *st = &rxq->port->stats[p->number];
	struct fdb *fdb;

	clock_read(clocks, PIPELINE_RECEIVE);
	p->port = rxq->port;
	p->queue = rxq->queue;
	crumb(p, PROC_STAGE_RECEIVE);
	vnic_rx(rxq->nic, rxq->queue, burst, st);
	if (burst->n == 0)
		return 0;
	p->bursts++;
	clock_read(clocks, PIPELINE_INGRESS);
	fdb = atomic_load_explicit(&rxq->vswitch->fdb, memory_order_acquire);
	crumb(p, PROC_STAGE_INGRESS);
	ingress_burst(rxq->vswitch, rxq, burst, st, p->number, p->now_s);
	clock_read(clocks, PIPELINE_LEARN);
	crumb(p, PROC_STAGE_LEARN);
	fdb_learn_burst(fdb, burst->frames, burst->n, rxq->slot, p->now_s);
	clock_read(clocks, PIPELINE_LOOKUP);
	crumb(p, PROC_STAGE_LOOKUP);
	fdb_lookup_burst(fdb, burst->frames, burst->n);
	clock_read(clocks, PIPELINE_EGRESS);
	crumb(p, PROC_STAGE_EGRESS);
	egress_burst(atomic_load_explicit(&rxq->vswitch->map, memory_order_acquire), rxq, burst,
		     p->number, p->now_s);
	clock_read(clocks, PIPELINE_RELEASE);
	crumb(p, PROC_STAGE_RELEASE);
	vnbl_release_burst(burst);
	vnic_rx_done(rxq->nic, rxq->queue, burst);
	rxq->nic->rxq[rxq->queue].bursts++;
	rxq->nic->rxq[rxq->queue].frames += burst->n;
	clock_read(clocks, PIPELINE_SETTLE);
	if (p->bursts % PROC_SETTLE_BURSTS == 0)
		vnic_settle();
	clock_read(clocks, PIPELINE_STAGES);
	return burst->n;
}

uint64_t pipeline_delivered(const struct pipeline *p)
{
	uint64_t n = 0;

	for (unsigned i = RECEIVER; i < PIPELINE_PORTS; i++)
		n += p->ports[i]->stats[0].tx_frames;
	return n;
}

// A proc is needed to add ports, and must not poll them: it goes when they are there.
static void switch_create(struct pipeline *p)
{
	static struct conf_switch conf = {
		.name = "bench",
		.id = "AC2DA35C-661A-40AE-82F2-1F62F70DBB2A",
		.device_id = "95141247-9BD1-4449-9223-C402789D94DD",
		.type = CONF_SWITCH_PRIVATE,
		.ageing_s = FDB_AGEING_DEFAULT_S,
		.stations = STATIONS,
		.mtu = CONF_MTU_MAX, // sizes are those without FCS, and 1518 is to fit
	};
	const unsigned core = 0;
	struct errtext e;

	if (proc_start_all(&core, 1, false, &e) < 0 || vswitch_create(&conf, &p->sw, &e) < 0)
		cycles_fail("cannot make a switch: %s", e.text);
	for (unsigned i = 0; i < PIPELINE_PORTS; i++)
		port_add(p, i);
	proc_stop_all();
}

static void port_add(struct pipeline *p, unsigned i)
{
	struct conf_port conf = {
		.type = VPORT_SYNTHETIC,
		.has_nic = true,
		.kind = VNIC_VHOST,
		.queues = 1,
		.id = (uint16_t)(i + 1),
	};
	struct errtext e;

	snprintf(conf.name, sizeof(conf.name), "port%u", i);
	snprintf(conf.path, sizeof(conf.path), "/nonexistent/%u.sock", i);
	if (vswitch_port_add(p->sw, &conf, VSWITCH_STORED, -1, &p->ports[i], &e) < 0)
		cycles_fail("cannot make a port: %s", e.text);
	proc_remove_rxq(p->ports[i]->nic, 0);
	p->vhosts[i] = p->ports[i]->nic;
	bguest_init(&p->guests[i], i == SENDER ? VIRTQ_FROM_GUEST : VIRTQ_TO_GUEST);
	p->fakes[i] = fake_nic_create();
	if (p->fakes[i] == NULL)
		cycles_fail("out of memory");
	p->fakes[i]->memory = p->memory;
	p->fakes[i]->stride = STRIDE;
	p->fakes[i]->n_frames = PIPELINE_FRAMES;
}

// The one ring of a port that is used: the sender's transmit ring, a receiver's receive ring.
static struct vhost_ring *ring_of(const struct pipeline *p, unsigned i)
{
	return &((struct vhost *)p->vhosts[i])->rings[i == SENDER];
}

static void rings_detach(struct pipeline *p)
{
	vnic_settle();
	for (unsigned i = 0; i < PIPELINE_PORTS; i++) {
		atomic_store(&ring_of(p, i)->use, VHOST_RING_DOWN);
		vring_detach(&ring_of(p, i)->q, NULL, NULL);
	}
}

static void rings_attach(struct pipeline *p, uint32_t size)
{
	for (unsigned i = 0; i < PIPELINE_PORTS; i++) {
		bguest_attach(&p->guests[i], &ring_of(p, i)->q, size, 0, -1, -1);
		atomic_store(&ring_of(p, i)->use, VHOST_RING_UP);
	}
}

static void policy_set(struct pipeline *p)
{
	static struct acl_rule rules[ACL_RULES_MAX];
	const struct acl_limits limits = {.sessions = ACL_SESSIONS_DEFAULT};
	struct policy *policy = NULL;
	struct errtext e;

	if (p->now.rules.n != 0) {
		policy = calloc(1, sizeof(*policy));
		if (policy == NULL)
			cycles_fail("out of memory");
		*policy = policy_untagged;
		policy->leaves = 1;
		if (acl_make(rules, aclset_rules(&p->now.rules, rules), &limits, NULL, &policy->acl,
			     &e) < 0)
			cycles_fail("%s", e.text);
	}
	policy_free(atomic_exchange(&p->ports[SENDER]->policy, policy), NULL);
}

// Senders are stations 0 and up, receivers follow. The seed is the same in every run.
static void stations_learn(struct pipeline *p)
{
	struct fdb_conf conf = {.stations = STATIONS, .seed = {1, 2}};
	struct fdb *fdb;

	if (fdb_create(&conf, &fdb) < 0)
		cycles_fail("no memory for a MAC table");
	for (uint16_t slot = 0; slot < PIPELINE_PORTS; slot++)
		fdb_port_add(fdb, slot, STATIONS);
	fdb_destroy(atomic_exchange(&p->sw->fdb, fdb));
	for (uint32_t i = 0; i < p->now.macs; i++) {
		learn(fdb, i, SENDER);
		learn(fdb, p->now.macs + i, RECEIVER);
	}
	if (fdb->stations != 2 * p->now.macs)
		cycles_fail("only %u of %u stations were learned", fdb->stations, 2 * p->now.macs);
}

static void learn(struct fdb *fdb, uint32_t station, uint16_t slot)
{
	static struct vnbl v;

	vnbl_reset(&v);
	v.frame_size = v.safe_size = 60;
	station_mac(station, v.hdr + 6);
	fdb_learn_burst(fdb, &v, 1, slot, NOW_S);
}

static uint8_t *frame_at(const struct pipeline *p, unsigned i)
{
	if (p->now.ports == PIPELINE_VRING)
		return bguest_frame(&p->guests[SENDER], i);
	return p->memory + (size_t)i * STRIDE + VNBL_HEADROOM;
}

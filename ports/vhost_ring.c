/*
 * A ring's way to the procs and back.
 *
 *      DOWN --- vhost_rings_up(): attach, then 'use' = UP or DRAIN ---> procs work on it
 *      DOWN <-- vhost_rings_down(): 'use' = DOWN, grace period, detach, indices to the library
 *
 * The library changes rings and memory only between the two. It keeps indices of its own, which
 * it tells the peer (GET_VRING_BASE) and compares with the ring's; so they are set each time
 * that a ring comes down, and taken from it each time that one goes up: the peer may have set
 * others, or the library may have found them in the ring after a crash of ours.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_vhost.h>

#include "ports/guest_mem.h"
#include "ports/log.h"
#include "ports/rss.h"
#include "ports/vhost.h"
#include "ports/vhost_msg.h"
#include "ports/vnic_ops.h"
#include "ports/vring.h"

// The library's VIRTIO_UNINITIALIZED_EVENTFD: the peer has not said whether there is one.
enum { FD_NOT_SET = -2 };

static void ring_up(struct vhost *v, unsigned index);
static void spread(struct vhost *v);
static bool ring_complete(const struct vhost *v, unsigned index, struct rte_vhost_vring *lib);
static enum virtq_direction direction_of(unsigned index);
static void dump_rings(const struct vhost *v);
static void dump_ring(const struct virtq *q);

void vhost_rings_down(struct vhost *v, uint32_t mask)
{
	const unsigned n = 2u * v->nic.n_queues;
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		if (!(mask & (1u << i)))
			continue;
		if (atomic_exchange(&v->rings[i].use, VHOST_RING_DOWN) != VHOST_RING_DOWN)
			any = true;
	}
	if (!any)
		return;
	vnic_synchronize(&v->nic);
	for (unsigned i = 0; i < n; i++) {
		uint16_t last_avail, last_used;

		if (!(mask & (1u << i)) || !vring_detach(&v->rings[i].q, &last_avail, &last_used))
			continue;
		rte_vhost_set_vring_base(v->vid, (uint16_t)i, last_avail, last_used);
		// Who sleeps on the ring's fd sleeps on one that is closed now.
		if (direction_of(i) == VIRTQ_FROM_GUEST)
			vnic_wake(&v->nic, i / 2);
	}
	dump_rings(v);
}

void vhost_rings_up(struct vhost *v)
{
	if (v->stopping || v->mem == NULL ||
	    atomic_load_explicit(&v->phase, memory_order_relaxed) != VHOST_RUNNING)
		return;
	for (unsigned i = 0; i < 2u * v->nic.n_queues; i++)
		if (atomic_load(&v->rings[i].use) == VHOST_RING_DOWN)
			ring_up(v, i);
	spread(v);
}

void vhost_ring_empty_out(struct vhost *v, unsigned index)
{
	uint32_t left = atomic_load(&v->nic.rss.queues) & ~(1u << index / 2);

	if (direction_of(index) != VIRTQ_TO_GUEST || left == 0)
		return;
	if (rss_set_queues(&v->nic.rss, left))
		vnic_synchronize(&v->nic);
}

void vhost_memory_load(struct vhost *v, bool broken)
{
	struct guest_region_conf conf[VHOST_MSG_REGIONS_MAX];
	struct errtext e = {.text = ""};
	struct rte_vhost_memory *table;
	unsigned n = 0;

	if (v->stopping || rte_vhost_get_mem_table(v->vid, &table) < 0)
		return;
	for (; n < table->nregions && n < VHOST_MSG_REGIONS_MAX; n++) {
		const struct rte_vhost_mem_region *r = &table->regions[n];

		conf[n] = (struct guest_region_conf){
			.gpa = r->guest_phys_addr,
			.size = r->size,
			.host = (void *)(uintptr_t)r->host_user_addr,
			.map = r->mmap_addr,
			.map_size = r->mmap_size,
		};
		// The library has mapped it, also when it is of no use to us.
		guest_mem_hide(r->mmap_addr, r->mmap_size);
	}
	free(table);
	if (guest_mem_create(conf, n, &v->mem, &e) < 0) {
		v->mem = NULL;
		log_warn("port '%s': guest memory is not usable: %s", v->nic.obj.name, e.text);
	} else if (broken) {
		atomic_store(&v->mem->broken, 1);
	}
}

void vhost_memory_drop(struct vhost *v)
{
	guest_mem_destroy(v->mem);
	v->mem = NULL;
}

static void ring_up(struct vhost *v, unsigned index)
{
	struct vhost_ring *r = &v->rings[index];
	struct errtext e = {.text = ""};
	struct rte_vhost_vring lib;
	struct virtq_conf conf;

	if (!ring_complete(v, index, &lib))
		return;
	conf = (struct virtq_conf){
		.desc = lib.desc,
		.avail = lib.avail,
		.used = lib.used,
		.size = lib.size,
		.features = v->negotiated,
		.callfd = lib.callfd,
		.kickfd = lib.kickfd,
		.mem = v->mem,
		.direction = direction_of(index),
		.notifications = direction_of(index) == VIRTQ_TO_GUEST
					 ? &v->nic.txq[index / 2].notifications
					 : NULL,
	};
	if (rte_vhost_get_vring_base(v->vid, (uint16_t)index, &conf.last_avail, &conf.last_used) <
	    0)
		return;
	if (vring_attach(&r->q, &conf, &e) < 0) {
		log_warn("port '%s': ring %u is not usable: %s", v->nic.obj.name, index, e.text);
		return;
	}
	r->told = 0;
	r->attached++;
	atomic_store_explicit(&r->use, r->enabled ? VHOST_RING_UP : VHOST_RING_DRAIN,
			      memory_order_release);
	if (conf.direction == VIRTQ_FROM_GUEST)
		vnic_wake(&v->nic, index / 2);
}

// Flows go to the queues that are up. When none is, it does not matter where they are dropped.
static void spread(struct vhost *v)
{
	uint32_t queues = 0;

	for (unsigned q = 0; q < v->nic.n_queues; q++)
		if (atomic_load(&v->rings[2 * q].use) == VHOST_RING_UP)
			queues |= 1u << q;
	if (queues != 0)
		rss_set_queues(&v->nic.rss, queues);
}

/*
 * What the library says of a ring may be stale (a message of the peer's failed half way), so
 * this is about what is there at all; whether it lies in the guest's memory is checked by
 * vring_attach(), against our own table.
 */
static bool ring_complete(const struct vhost *v, unsigned index, struct rte_vhost_vring *lib)
{
	if (rte_vhost_get_vhost_vring(v->vid, (uint16_t)index, lib) < 0)
		return false;
	if (lib->desc == NULL || lib->avail == NULL || lib->used == NULL || lib->size == 0)
		return false;
	if (lib->kickfd == FD_NOT_SET || lib->callfd == FD_NOT_SET)
		return false;
	// A disabled ring gives the guest nothing, and what comes from it is thrown away.
	return v->rings[index].enabled || direction_of(index) == VIRTQ_FROM_GUEST;
}

// Ring 2q is what the guest receives from, 2q + 1 is what it sends to.
static enum virtq_direction direction_of(unsigned index)
{
	return index % 2 == 0 ? VIRTQ_TO_GUEST : VIRTQ_FROM_GUEST;
}

// Of the guest's memory only rings go into core dumps, and only as long as they are rings.
static void dump_rings(const struct vhost *v)
{
	if (v->mem == NULL)
		return;
	guest_mem_dump_none(v->mem);
	for (unsigned i = 0; i < 2u * v->nic.n_queues; i++)
		if (v->rings[i].q.desc != NULL)
			dump_ring(&v->rings[i].q);
}

static void dump_ring(const struct virtq *q)
{
	const size_t event = sizeof(uint16_t); // the index behind each ring's entries

	guest_mem_dump_range(q->mem, (const void *)(uintptr_t)q->desc,
			     q->size * sizeof(q->desc[0]));
	guest_mem_dump_range(q->mem, (const void *)(uintptr_t)q->avail,
			     sizeof(*q->avail) + q->size * sizeof(q->avail->ring[0]) + event);
	guest_mem_dump_range(q->mem, (const void *)(uintptr_t)q->used,
			     sizeof(*q->used) + q->size * sizeof(q->used->ring[0]) + event);
}

#include "switch/egress.h"

#include "ports/droplog.h"
#include "ports/rss.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/acl.h"
#include "switch/mirror.h"
#include "switch/policy.h"
#include "switch/vlan.h"

enum {
	// A flood to more guests than these is made safe once instead of being read from the
	// source guest once per destination.
	DIRECT_FLOOD_GUESTS = 4
};
static_assert((int)VPORT_MAX <= (int)VNBL_DST_HANDED, "a slot leaves the bit free");

// The frames of one burst that go to one destination.
struct group {
	unsigned n;
	unsigned flags; // enum vnbl_flags that some frame of its burst has
	uint32_t now_s;
	struct mirror *mirror; // NULL: nothing of the switch is mirrored
	struct vnbl *frames[VNBL_BURST_MAX];
};

// How one of them leaves by a port.
struct leaving {
	uint16_t tci;    // of its tag there
	uint16_t before; // vlan_tci in the switch
	bool is_tagged;
};

static unsigned prepare(const struct vswitch_map *map, const struct proc_rxq *rxq,
			struct vnbl_burst *burst, struct vport_stats *st, unsigned *x_flags);
static unsigned decide(const struct vswitch_map *map, uint16_t src_slot, const struct vnbl *v);
static void deliver_unicast(const struct vswitch_map *map, struct vnbl_burst *burst,
			    struct group *group, unsigned proc);
static void deliver_flood(const struct vswitch_map *map, const struct proc_rxq *rxq,
			  struct vnbl_burst *burst, struct group *group, unsigned proc);
static void make_floods_safe(const struct vswitch_map *map, const struct proc_rxq *rxq,
			     struct vnbl_burst *burst, struct vport_stats *st);
static void deliver_group(struct vport *port, struct group *group, unsigned proc);
static void leave_group(struct vport *port, struct group *group, unsigned proc);
static void leave_vlans(const struct vlan_rules *rules, struct group *group, struct vport_stats *st,
			struct leaving leaving[]);
static void leave_acl(const struct acl *acl, struct group *group, struct vport_stats *st,
		      unsigned proc, struct leaving leaving[]);
static void keep_back(struct vnbl *v, unsigned reason, struct vport_stats *st);
static void deliver(struct vport *port, struct vnbl *const frames[], unsigned n, unsigned proc);

void egress_burst(const struct vswitch_map *map, const struct proc_rxq *rxq,
		  struct vnbl_burst *burst, unsigned proc, uint32_t now_s)
{
	struct vport_stats *st = &rxq->port->stats[proc];
	const struct vswitch_mirrors *mirrors =
		atomic_load_explicit(&rxq->vswitch->mirrors, memory_order_acquire);
	struct mirror mirror;
	struct group group;
	unsigned floods;

	burst->flooded_to = 0;
	if (policy_has(rxq->port))
		policy_storm_burst(rxq->port, burst, st, now_s);
	floods = prepare(map, rxq, burst, st, &group.flags);

	group.now_s = now_s;
	group.mirror = NULL;
	if (mirrors != NULL) {
		mirror_begin(&mirror, mirrors, rxq, burst);
		group.mirror = &mirror;
	}
	if (floods == 0) {
		deliver_unicast(map, burst, &group, proc);
	} else {
		st->rx_flooded += floods;
		make_floods_safe(map, rxq, burst, st);
		deliver_flood(map, rxq, burst, &group, proc);
	}
	if (mirrors != NULL)
		mirror_end(&mirror, map, proc);
}

// Drops what goes nowhere. Returns how many frames go to several ports, and in 'x_flags' what
// there is among the frames.
static unsigned prepare(const struct vswitch_map *map, const struct proc_rxq *rxq,
			struct vnbl_burst *burst, struct vport_stats *st, unsigned *x_flags)
{
	unsigned floods = 0, flags = 0;

	for (unsigned i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];
		unsigned reason;

		if (v->flags & VNBL_DROPPED) {
			v->dst_slot = VNBL_DST_NONE;
			continue;
		}
		reason = decide(map, rxq->slot, v);
		if (reason != DROP_COUNT) {
			policy_drop_in(v, reason, st);
			continue;
		}
		if (v->dst_slot == VNBL_DST_FLOOD) {
			v->flags |= VNBL_FLOOD;
			floods++;
		}
		flags |= v->flags;
	}
	*x_flags = flags;
	return floods;
}

// A reason to drop a frame that has been looked up, or DROP_COUNT.
static unsigned decide(const struct vswitch_map *map, uint16_t src_slot, const struct vnbl *v)
{
	if (v->dst_slot == VNBL_DST_FLOOD)
		return DROP_COUNT;
	// The station is behind the port that the frame came from.
	if (v->dst_slot == src_slot)
		return DROP_Filtered;
	if (v->dst_slot >= map->n_slots || map->by_slot[v->dst_slot] == NULL)
		return DROP_Disconnected;
	return DROP_COUNT;
}

static void deliver_unicast(const struct vswitch_map *map, struct vnbl_burst *burst,
			    struct group *group, unsigned proc)
{
	unsigned next;

	for (unsigned first = 0; first < burst->n; first = next) {
		uint16_t dst = burst->frames[first].dst_slot;

		group->n = 0;
		next = burst->n;
		for (unsigned i = first; i < burst->n; i++) {
			struct vnbl *v = &burst->frames[i];

			if (v->dst_slot == dst) {
				group->frames[group->n++] = v;
				v->dst_slot = dst | VNBL_DST_HANDED;
			} else if (!(v->dst_slot & VNBL_DST_HANDED) && next == burst->n) {
				next = i;
			}
		}
		if (!(dst & VNBL_DST_HANDED))
			deliver_group(map->by_slot[dst], group, proc);
	}
}

// Every port gets what is for it and what is for all, in the order of arrival.
static void deliver_flood(const struct vswitch_map *map, const struct proc_rxq *rxq,
			  struct vnbl_burst *burst, struct group *group, unsigned proc)
{
	for (unsigned p = 0; p < map->n_ports; p++) {
		uint16_t slot = map->flood[p];

		if (slot == rxq->slot)
			continue;
		group->n = 0;
		for (unsigned i = 0; i < burst->n; i++) {
			struct vnbl *v = &burst->frames[i];

			if (v->dst_slot == slot || v->dst_slot == VNBL_DST_FLOOD)
				group->frames[group->n++] = v;
		}
		burst->flooded_to = slot + 1U;
		if (group->n > 0)
			deliver_group(map->by_slot[slot], group, proc);
	}
}

static void make_floods_safe(const struct vswitch_map *map, const struct proc_rxq *rxq,
			     struct vnbl_burst *burst, struct vport_stats *st)
{
	uint32_t guests = map->n_guests - (rxq->nic->kind == VNIC_VHOST);

	if (guests <= DIRECT_FLOOD_GUESTS)
		return;
	for (unsigned i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];

		if (v->dst_slot != VNBL_DST_FLOOD || v->flags & VNBL_DATA_SAFE)
			continue;
		if (vnbl_make_safe(v) == 0)
			continue;
		policy_drop_in(v, DROP_Resources, st);
	}
}

static void deliver_group(struct vport *port, struct group *group, unsigned proc)
{
	if (group->mirror != NULL || group->flags & VNBL_HAS_TAG || policy_leaves(port))
		leave_group(port, group, proc);
	else
		deliver(port, group->frames, group->n, proc);
}

// The same by the port's policy: what it lets out, each frame with or without its tag.
static void leave_group(struct vport *port, struct group *group, unsigned proc)
{
	const struct policy *policy = policy_of(port);
	struct vport_stats *st = &port->stats[proc];
	struct leaving leaving[VNBL_BURST_MAX];

	leave_vlans(&policy->vlan, group, st, leaving);
	if (policy->acl != NULL && group->n > 0)
		leave_acl(policy->acl, group, st, proc, leaving);
	if (group->n == 0)
		return;
	for (unsigned i = 0; i < group->n; i++) {
		if (!leaving[i].is_tagged)
			continue;
		group->frames[i]->vlan_tci = leaving[i].tci;
		vnbl_vlan_insert(group->frames[i]);
	}
	if (group->mirror != NULL)
		mirror_note(group->mirror, port, group->frames, group->n);
	deliver(port, group->frames, group->n, proc);
	// The next port may want it otherwise.
	for (unsigned i = 0; i < group->n; i++) {
		struct vnbl *v = group->frames[i];

		if (v->flags & VNBL_FLOOD || group->mirror != NULL) {
			vnbl_vlan_strip(v);
			v->vlan_tci = leaving[i].before;
		}
	}
}

// Where a frame may not leave, it is a drop if it was for this port alone.
static void leave_vlans(const struct vlan_rules *rules, struct group *group, struct vport_stats *st,
			struct leaving leaving[])
{
	unsigned n = 0;

	for (unsigned i = 0; i < group->n; i++) {
		struct vnbl *v = group->frames[i];
		uint16_t tci = 0;
		enum vlan_exit way = vlan_leave(rules, v, &tci);

		if (way == VLAN_STAYS) {
			if (!(v->flags & VNBL_FLOOD))
				keep_back(v, vlan_stays_reason(rules), st);
			continue;
		}
		leaving[n] = (struct leaving){
			.tci = tci, .before = v->vlan_tci, .is_tagged = way == VLAN_LEAVES_TAGGED};
		group->frames[n++] = v;
	}
	group->n = n;
}

// What the port's rules deny is a drop of the port's, whoever else gets the frame.
static void leave_acl(const struct acl *acl, struct group *group, struct vport_stats *st,
		      unsigned proc, struct leaving leaving[])
{
	uint8_t reasons[VNBL_BURST_MAX];
	unsigned n = 0;

	acl_decide_burst(acl, ACL_IN, group->frames, group->n, proc, group->now_s, reasons);
	for (unsigned i = 0; i < group->n; i++) {
		if (reasons[i] != DROP_COUNT) {
			keep_back(group->frames[i], reasons[i], st);
			continue;
		}
		leaving[n] = leaving[i];
		group->frames[n++] = group->frames[i];
	}
	group->n = n;
}

// A drop of the port's. A flood goes on to the others.
static void keep_back(struct vnbl *v, unsigned reason, struct vport_stats *st)
{
	if (v->flags & VNBL_FLOOD) {
		vport_count_drop(st, DROP_OUT, reason, 1);
		return;
	}
	vnbl_drop(v, (uint8_t)reason);
	v->dst_slot = VNBL_DST_NONE;
	droplog_drop(st, DROP_OUT, reason, v);
}

static void deliver(struct vport *port, struct vnbl *const frames[], unsigned n, unsigned proc)
{
	if (port->nic->n_queues > 1)
		rss_tx(port->nic, frames, n, &port->stats[proc], proc);
	else
		vnic_tx(port->nic, 0, frames, n, &port->stats[proc], proc);
}

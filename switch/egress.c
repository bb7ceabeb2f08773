#include "switch/egress.h"

#include "ports/droplog.h"
#include "ports/vnbl.h"
#include "ports/vnic.h"

enum {
	// A flood to more guests than these is made safe once instead of being read from the
	// source guest once per destination.
	DIRECT_FLOOD_GUESTS = 4
};

// The frames of one burst that go to one destination.
struct group {
	unsigned n;
	struct vnbl *frames[VNBL_BURST_MAX];
};

static unsigned prepare(const struct vswitch_map *map, const struct proc_rxq *rxq,
			struct vnbl_burst *burst, struct vport_stats *st);
static unsigned decide(const struct vswitch_map *map, uint16_t src_slot, const struct vnbl *v);
static void drop_in(struct vnbl *v, unsigned reason, struct vport_stats *st);
static void deliver_unicast(const struct vswitch_map *map, struct vnbl_burst *burst, unsigned proc);
static void deliver_flood(const struct vswitch_map *map, const struct proc_rxq *rxq,
			  struct vnbl_burst *burst, unsigned proc);
static void make_floods_safe(const struct vswitch_map *map, const struct proc_rxq *rxq,
			     struct vnbl_burst *burst, struct vport_stats *st);
static void deliver_group(struct vport *port, const struct group *group, unsigned proc);

void egress_burst(const struct vswitch_map *map, const struct proc_rxq *rxq,
		  struct vnbl_burst *burst, unsigned proc)
{
	struct vport_stats *st = &rxq->port->stats[proc];
	unsigned floods = prepare(map, rxq, burst, st);

	if (floods == 0) {
		deliver_unicast(map, burst, proc);
		return;
	}
	st->rx_flooded += floods;
	make_floods_safe(map, rxq, burst, st);
	deliver_flood(map, rxq, burst, proc);
}

// Drops what goes nowhere and puts tags back. Returns how many frames go to several ports.
static unsigned prepare(const struct vswitch_map *map, const struct proc_rxq *rxq,
			struct vnbl_burst *burst, struct vport_stats *st)
{
	unsigned floods = 0;

	for (unsigned i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];
		unsigned reason;

		if (v->flags & VNBL_DROPPED) {
			v->dst_slot = VNBL_DST_NONE;
			continue;
		}
		reason = decide(map, rxq->slot, v);
		if (reason != DROP_COUNT) {
			drop_in(v, reason, st);
			continue;
		}
		if (v->dst_slot == VNBL_DST_FLOOD) {
			v->flags |= VNBL_FLOOD;
			floods++;
		}
		if (v->flags & VNBL_HAS_TAG)
			vnbl_vlan_insert(v);
	}
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

// A frame that had passed ingress ends here after all: it is a drop and not a frame received.
static void drop_in(struct vnbl *v, unsigned reason, struct vport_stats *st)
{
	st->rx_frames--;
	st->rx_bytes -= v->frame_size + (v->flags & VNBL_HAS_TAG ? VNBL_TAG_SIZE : 0);
	vnbl_drop(v, (uint8_t)reason);
	v->dst_slot = VNBL_DST_NONE;
	droplog_drop(st, DROP_IN, reason, v);
}

static void deliver_unicast(const struct vswitch_map *map, struct vnbl_burst *burst, unsigned proc)
{
	struct group group;
	unsigned next;

	for (unsigned first = 0; first < burst->n; first = next) {
		uint16_t dst = burst->frames[first].dst_slot;

		group.n = 0;
		next = burst->n;
		for (unsigned i = first; i < burst->n; i++) {
			struct vnbl *v = &burst->frames[i];

			if (v->dst_slot == dst) {
				group.frames[group.n++] = v;
				v->dst_slot = VNBL_DST_NONE;
			} else if (v->dst_slot != VNBL_DST_NONE && next == burst->n) {
				next = i;
			}
		}
		if (dst != VNBL_DST_NONE)
			deliver_group(map->by_slot[dst], &group, proc);
	}
}

// Every port gets what is for it and what is for all, in the order of arrival.
static void deliver_flood(const struct vswitch_map *map, const struct proc_rxq *rxq,
			  struct vnbl_burst *burst, unsigned proc)
{
	struct group group;

	for (unsigned p = 0; p < map->n_ports; p++) {
		uint16_t slot = map->flood[p];

		if (slot == rxq->slot)
			continue;
		group.n = 0;
		for (unsigned i = 0; i < burst->n; i++) {
			struct vnbl *v = &burst->frames[i];

			if (v->dst_slot == slot || v->dst_slot == VNBL_DST_FLOOD)
				group.frames[group.n++] = v;
		}
		if (group.n > 0)
			deliver_group(map->by_slot[slot], &group, proc);
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
		drop_in(v, DROP_Resources, st);
	}
}

static void deliver_group(struct vport *port, const struct group *group, unsigned proc)
{
	vnic_tx(port->nic, 0, group->frames, group->n, &port->stats[proc], proc);
}

#include "switch/policy.h"

#include <string.h>

#include "ports/droplog.h"
#include "ports/vnbl.h"
#include "switch/acl.h"
#include "switch/guard.h"
#include "switch/parse.h"
#include "switch/storm.h"
#include "switch/vlan.h"

enum { ETH_SRC = 6 };

#define MAC_MASK 0xffffffffffffULL

const struct policy policy_untagged = {.vlan = VLAN_RULES_UNTAGGED};
const struct policy policy_wire = {.vlan = VLAN_RULES_WIRE};

static void vlan_burst(const struct policy *policy, struct vnbl_burst *burst,
		       struct vport_stats *st);
static void mac_burst(const struct policy *policy, struct vnbl_burst *burst,
		      struct vport_stats *st);
static bool mac_allowed(const struct policy *policy, const struct vnbl *v);
static void acl_burst(const struct acl *acl, struct vnbl_burst *burst, struct vport_stats *st,
		      unsigned proc, uint32_t now_s);
static void parse_burst(const struct policy *policy, struct vnbl_burst *burst,
			struct vport_stats *st, uint32_t now_s);

void policy_enter_burst(const struct policy *policy, struct vnbl_burst *burst,
			struct vport_stats *st, bool is_tagged, unsigned proc, uint32_t now_s)
{
	if (is_tagged || policy->divides)
		vlan_burst(policy, burst, st);
	if (policy->checks_mac)
		mac_burst(policy, burst, st);
	if (policy->acl != NULL)
		acl_burst(policy->acl, burst, st, proc, now_s);
	if (policy->parses)
		parse_burst(policy, burst, st, now_s);
}

void policy_storm_burst(struct vport *port, struct vnbl_burst *burst, struct vport_stats *st,
			uint32_t now_s)
{
	uint32_t limit = policy_of(port)->storm_fps;

	if (limit == 0)
		return;
	for (uint32_t i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];

		if (v->flags & VNBL_DROPPED || v->dst_slot != VNBL_DST_FLOOD)
			continue;
		if (!storm_take(&port->storm, limit, now_s))
			policy_drop_in(v, DROP_StormLimit, st);
	}
}

void policy_drop_in(struct vnbl *v, unsigned reason, struct vport_stats *st)
{
	st->rx_frames--;
	st->rx_bytes -= v->frame_size + (v->flags & VNBL_CAME_TAGGED ? VNBL_TAG_SIZE : 0);
	vnbl_drop(v, (uint8_t)reason);
	v->dst_slot = VNBL_DST_NONE;
	droplog_drop(st, DROP_IN, reason, v);
}

// Ingress has seen to it that there is an Ethernet header.
static bool mac_allowed(const struct policy *policy, const struct vnbl *v)
{
	uint64_t mac;

	memcpy(&mac, v->hdr + ETH_SRC, sizeof(mac));
	mac &= MAC_MASK;
	for (unsigned i = 0; i < policy->n_macs; i++)
		if (policy->macs[i] == mac)
			return true;
	return false;
}

static void vlan_burst(const struct policy *policy, struct vnbl_burst *burst,
		       struct vport_stats *st)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];
		unsigned reason;

		if (v->flags & VNBL_DROPPED)
			continue;
		reason = vlan_enter(&policy->vlan, v);
		if (reason != DROP_COUNT)
			policy_drop_in(v, reason, st);
	}
}

static void mac_burst(const struct policy *policy, struct vnbl_burst *burst, struct vport_stats *st)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];

		if (!(v->flags & VNBL_DROPPED) && !mac_allowed(policy, v))
			policy_drop_in(v, DROP_MacSpoofing, st);
	}
}

static void acl_burst(const struct acl *acl, struct vnbl_burst *burst, struct vport_stats *st,
		      unsigned proc, uint32_t now_s)
{
	struct vnbl *frames[VNBL_BURST_MAX];
	uint8_t reasons[VNBL_BURST_MAX];
	unsigned n = 0;

	for (uint32_t i = 0; i < burst->n; i++)
		if (!(burst->frames[i].flags & VNBL_DROPPED))
			frames[n++] = &burst->frames[i];
	if (n == 0)
		return;
	acl_decide_burst(acl, ACL_OUT, frames, n, proc, now_s, reasons);
	for (unsigned i = 0; i < n; i++)
		if (reasons[i] != DROP_COUNT)
			policy_drop_in(frames[i], reasons[i], st);
}

static void parse_burst(const struct policy *policy, struct vnbl_burst *burst,
			struct vport_stats *st, uint32_t now_s)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];
		struct parse p;
		unsigned reason;

		if (v->flags & VNBL_DROPPED)
			continue;
		parse_frame(v, &p);
		reason = guard_enter(&policy->guard, policy->learned, v, &p, now_s);
		if (reason != DROP_COUNT)
			policy_drop_in(v, reason, st);
	}
}

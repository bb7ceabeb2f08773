#include "switch/policy_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/acl_make.h"
#include "switch/conf.h"
#include "switch/guard_learn.h"
#include "switch/vlan.h"

static bool is_needed(const struct conf_port *p);
static bool only_copies(const struct conf_port *p);
static void make_vlan(const struct conf_port *p, struct vlan_rules *rules);
static void make_macs(const struct conf *all, const struct conf_port *p, struct policy *policy);
static bool has_guard(const struct conf_policy *policy);
static void make_guard(const struct conf_policy *policy, struct guard_rules *guard);
static int make_learned(const struct conf_port *p, const struct policy *before,
			struct policy *policy, struct errtext *e);
static int make_acl(const struct conf_port *p, const struct policy *before, struct policy *policy,
		    struct errtext *e);
static void add_mac(struct policy *policy, const uint8_t mac[6]);

int policy_make(const struct conf *all, const struct conf_port *p, const struct policy *before,
		struct policy **ret, struct errtext *e)
{
	struct policy *policy;
	int rc;

	*ret = NULL;
	if (!is_needed(p))
		return 0;
	policy = calloc(1, sizeof(*policy));
	if (policy == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	make_vlan(p, &policy->vlan);
	policy->divides = policy->vlan.own != 0 || !vlan_set_has(&policy->vlan.set, 0);
	policy->storm_fps = p->policy.storm_fps;
	policy->mirrored_to = p->policy.mirror == VPORT_MONITOR_SOURCE ? p->policy.session : 0;
	policy->checks_mac = p->mac_set && !p->policy.mac_spoofing;
	if (policy->checks_mac)
		make_macs(all, p, policy);
	make_guard(&p->policy, &policy->guard);
	policy->parses = has_guard(&p->policy);
	rc = make_learned(p, before, policy, e);
	if (rc == 0)
		rc = make_acl(p, before, policy, e);
	if (rc < 0) {
		policy_free(policy, before);
		return rc;
	}
	policy->leaves = policy->divides || policy->acl != NULL;
	*ret = policy;
	return 0;
}

void policy_inherit(struct policy *policy, const struct policy *before, uint32_t now_s)
{
	struct acl *acl = policy != NULL ? policy->acl : NULL;
	const struct acl *acl_before = before != NULL ? before->acl : NULL;

	if (acl != acl_before)
		acl_inherit(acl, acl_before, now_s);
}

void policy_commit(struct policy *policy, struct policy *before, uint32_t now_s)
{
	struct acl *acl = policy != NULL ? policy->acl : NULL;
	struct acl *acl_before = before != NULL ? before->acl : NULL;

	if (acl != acl_before)
		acl_commit(acl, acl_before, now_s);
}

void policy_free(struct policy *policy, const struct policy *other)
{
	if (policy == NULL)
		return;
	if (other == NULL || policy->acl != other->acl)
		acl_destroy(policy->acl);
	if (other == NULL || policy->learned != other->learned)
		guard_learn_destroy(policy->learned);
	free(policy);
}

bool policy_same(const struct policy *a, const struct policy *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return memcmp(a, b, sizeof(*a)) == 0;
}

int policy_make_fids(const struct conf *all, const char *switch_name, struct vlan_fids **ret)
{
	struct vlan_fids *fids = NULL;

	*ret = NULL;
	for (uint32_t i = 0; i < all->n_ports; i++) {
		const struct conf_port *p = &all->ports[i];
		const struct conf_vlan *vlan = &p->policy.vlan;

		if (strcmp(p->switch_name, switch_name) != 0 || !vlan->is_set ||
		    !vlan_is_private(vlan->mode))
			continue;
		if (fids == NULL) {
			fids = malloc(sizeof(*fids));
			if (fids == NULL)
				return -ENOMEM;
			for (uint16_t id = 0; id < VLAN_IDS; id++)
				fids->of[id] = id;
		}
		fids->of[vlan->secondary] = vlan->secondary != 0 ? vlan->own : 0;
		for (uint16_t id = 1; id <= VLAN_ID_MAX; id++)
			if (vlan_set_has(&vlan->list, id))
				fids->of[id] = vlan->own;
	}
	*ret = fids;
	return 0;
}

bool policy_same_fids(const struct vlan_fids *a, const struct vlan_fids *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_needed(const struct conf_port *p)
{
	return p->policy.mirror == VPORT_MONITOR_SOURCE || only_copies(p) ||
	       p->policy.vlan.is_set || p->policy.ieee_priority || p->policy.storm_fps != 0 ||
	       (p->mac_set && !p->policy.mac_spoofing) || has_guard(&p->policy) ||
	       p->n_acl_rules != 0;
}

// A capture that gets copies shows them and nothing else: it carries no VLAN, not even 0.
static bool only_copies(const struct conf_port *p)
{
	return p->policy.mirror == VPORT_MONITOR_DESTINATION && p->kind == VNIC_PCAP &&
	       !p->policy.vlan.is_set;
}

static void make_vlan(const struct conf_port *p, struct vlan_rules *rules)
{
	static const struct vlan_rules untagged = VLAN_RULES_UNTAGGED, wire = VLAN_RULES_WIRE;
	const struct conf_vlan *vlan = &p->policy.vlan;

	if (only_copies(p))
		return;
	if (!vlan->is_set) {
		*rules = conf_port_is_wire(p) ? wire : untagged;
		rules->keeps_priority |= p->policy.ieee_priority;
		return;
	}
	rules->mode = vlan->mode;
	rules->own = vlan->own;
	rules->keeps_priority = p->policy.ieee_priority || conf_port_is_wire(p);
	switch (vlan->mode) {
	case VLAN_TRUNK:
		rules->takes_tags = 1;
		if (!vlan->tagged_only)
			vlan_set_add(&rules->set, vlan->own);
		for (unsigned w = 0; w < VLAN_SET_WORDS; w++)
			rules->set.words[w] |= vlan->list.words[w] & ~vlan->prune.words[w];
		break;
	case VLAN_ISOLATED:
		rules->own = vlan->secondary;
		vlan_set_add(&rules->set, vlan->own);
		break;
	case VLAN_COMMUNITY:
		rules->own = vlan->secondary;
		vlan_set_add(&rules->set, vlan->own);
		vlan_set_add(&rules->set, vlan->secondary);
		break;
	case VLAN_PROMISCUOUS:
		rules->set = vlan->list;
		vlan_set_add(&rules->set, vlan->own);
		break;
	default:
		vlan_set_add(&rules->set, vlan->own);
	}
}

static void make_macs(const struct conf *all, const struct conf_port *p, struct policy *policy)
{
	add_mac(policy, p->mac);
	for (uint32_t i = 0; p->policy.teaming && i < all->n_ports; i++) {
		const struct conf_port *other = &all->ports[i];

		if (other != p && other->mac_set &&
		    strcmp(other->switch_name, p->switch_name) == 0 &&
		    strcmp(other->policy.vm, p->policy.vm) == 0)
			add_mac(policy, other->mac);
	}
}

static void add_mac(struct policy *policy, const uint8_t mac[6])
{
	if (policy->n_macs < POLICY_MACS_MAX)
		memcpy(&policy->macs[policy->n_macs++], mac, 6);
}

static bool has_guard(const struct conf_policy *policy)
{
	return policy->dhcp_guard || policy->router_guard || policy->arp_guard ||
	       policy->address_limit != 0;
}

static void make_guard(const struct conf_policy *policy, struct guard_rules *guard)
{
	guard->dhcp = policy->dhcp_guard;
	guard->router = policy->router_guard;
	guard->arp = policy->arp_guard;
	guard->limit = policy->address_limit;
	guard->n_addresses = policy->n_addresses;
	memcpy(guard->addresses, policy->addresses, sizeof(guard->addresses));
}

static int make_learned(const struct conf_port *p, const struct policy *before,
			struct policy *policy, struct errtext *e)
{
	if (p->policy.address_limit == 0)
		return 0;
	policy->learned =
		before != NULL && before->learned != NULL ? before->learned : guard_learn_create();
	return policy->learned != NULL ? 0 : errtext_set(e, -ENOMEM, "out of memory");
}

static int make_acl(const struct conf_port *p, const struct policy *before, struct policy *policy,
		    struct errtext *e)
{
	const struct acl_limits limits = {
		.sessions = p->policy.sessions != 0 ? p->policy.sessions : ACL_SESSIONS_DEFAULT,
		.full_allows = p->policy.sessions_full_allow,
		.vlan = policy->vlan,
	};
	struct acl *acl = before != NULL ? before->acl : NULL;

	if (p->n_acl_rules == 0)
		return 0;
	if (!acl_same(acl, p->acl_rules, p->n_acl_rules, &limits))
		return acl_make(p->acl_rules, p->n_acl_rules, &limits, acl, &policy->acl, e);
	policy->acl = acl;
	return 0;
}

#include "switch/conf_policy.h"

#include <errno.h>
#include <string.h>

#include "switch/conf_address.h"
#include "switch/conf_value.h"
#include "switch/conf_vlan.h"
#include "switch/guard_learn_types.h"
#include "switch/policy_types.h"

static int check_team(struct conf_args *args, unsigned word, const struct conf_port *p,
		      const struct conf_port *self);
static unsigned destinations(const struct conf *c, const struct conf_port *p,
			     const struct conf_port *self);
static int read_switch_word(struct conf_args *args, const char *key, const char *value, bool *ret);

int conf_policy_read_vlan(struct conf_args *args, const char *value, void *target)
{
	return conf_vlan_read(args, value, &((struct conf_port *)target)->policy.vlan);
}

int conf_policy_read_spoofing(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	return read_switch_word(args, "mac-spoofing", value, &p->policy.mac_spoofing);
}

int conf_policy_read_teaming(struct conf_args *args, const char *value, void *target)
{
	return read_switch_word(args, "teaming", value,
				&((struct conf_port *)target)->policy.teaming);
}

int conf_policy_read_priority(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	return read_switch_word(args, "ieee-priority", value, &p->policy.ieee_priority);
}

int conf_policy_read_storm(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;

	if (conf_value_number(value, 0, UINT32_MAX, &p->policy.storm_fps, &why) != 0)
		return conf_fail(args, -EINVAL, "storm-limit: %s, frames per second (0 = no limit)",
				 why.text);
	return 0;
}

int conf_policy_read_vm(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;

	if (strcmp(value, "none") == 0) {
		p->policy.vm[0] = '\0';
		return 0;
	}
	if (conf_value_text(value, "the name of the VM", 1, OBJECT_NAME_MAX, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	memcpy(p->policy.vm, value, strlen(value) + 1);
	return 0;
}

int conf_policy_read_dhcp_guard(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	return read_switch_word(args, "dhcp-guard", value, &p->policy.dhcp_guard);
}

int conf_policy_read_router_guard(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	return read_switch_word(args, "router-guard", value, &p->policy.router_guard);
}

int conf_policy_read_arp_guard(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	return read_switch_word(args, "arp-guard", value, &p->policy.arp_guard);
}

int conf_policy_read_addresses(struct conf_args *args, const char *value, void *target)
{
	struct conf_policy *policy = &((struct conf_port *)target)->policy;
	struct errtext why;

	policy->n_addresses = 0;
	memset(policy->addresses, 0, sizeof(policy->addresses));
	if (strcmp(value, "none") == 0)
		return 0;
	if (conf_address_read_list(value, policy->addresses, &policy->n_addresses, &why) != 0)
		return conf_fail(args, -EINVAL, "address: %s", why.text);
	return 0;
}

int conf_policy_read_address_limit(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;
	uint32_t limit;

	if (conf_value_number(value, 0, GUARD_LEARN_MAX, &limit, &why) != 0)
		return conf_fail(args, -EINVAL, "address-limit: %s, addresses (0 = off)", why.text);
	p->policy.address_limit = (uint8_t)limit;
	return 0;
}

int conf_policy_read_sessions(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;

	if (strcmp(value, "default") == 0) {
		p->policy.sessions = 0;
		return 0;
	}
	if (conf_value_number(value, 1, ACL_SESSIONS_MAX, &p->policy.sessions, &why) != 0)
		return conf_fail(args, -EINVAL, "sessions: %s, nor is it 'default' (%d)", why.text,
				 ACL_SESSIONS_DEFAULT);
	return 0;
}

int conf_policy_read_sessions_full(struct conf_args *args, const char *value, void *target)
{
	static const char *const words[] = {"drop", "allow"};
	struct conf_port *p = target;

	if (strcmp(value, words[0]) != 0 && strcmp(value, words[1]) != 0)
		return conf_fail_unknown(args, "way for a full table", value, words, 2);
	p->policy.sessions_full_allow = value[0] == 'a';
	return 0;
}

int conf_policy_read_mirror(struct conf_args *args, const char *value, void *target)
{
	static const char *const modes[] = {"none", "destination", "source"};
	struct conf_policy *policy = &((struct conf_port *)target)->policy;
	struct errtext why;
	uint32_t session = 1;
	unsigned m = 0;

	while (m < 3 && strcmp(modes[m], value) != 0)
		m++;
	if (m == 3)
		return conf_fail_unknown(args, "monitor mode", value, modes, 3);
	if (m != VPORT_MONITOR_NONE && conf_follows(args, "session")) {
		args->at += 2;
		value = conf_next(args, "the number of the session");
		if (value == NULL)
			return -EINVAL;
		if (conf_value_number(value, 1, UINT8_MAX, &session, &why) != 0)
			return conf_fail(args, -EINVAL, "session: %s", why.text);
	}
	policy->mirror = (uint8_t)m;
	policy->session = m != VPORT_MONITOR_NONE ? (uint8_t)session : 0;
	return 0;
}

int conf_policy_check(struct conf_args *args, unsigned word, const struct conf_port *p,
		      const struct conf_port *self)
{
	const struct conf_policy *policy = &p->policy;
	int err;

	if (!p->has_nic && conf_policy_is_set(policy))
		return conf_fail_at(args, word, -EINVAL,
				    "no frame comes from or goes to '%s': it has no NIC", p->name);
	if (policy->arp_guard && policy->n_addresses == 0 && policy->address_limit == 0)
		return conf_fail_at(args, word, -EINVAL,
				    "arp-guard lets '%s' announce its addresses only; say which: "
				    "address LIST, or how many: address-limit N",
				    p->name);
	if (policy->mirror == VPORT_MONITOR_DESTINATION &&
	    destinations(args->c, p, self) > VPORT_MIRRORS_MAX)
		return conf_fail_at(
			args, word, -ENOSPC,
			"switch '%s' has %d ports already that get copies, the most that "
			"one has",
			p->switch_name, VPORT_MIRRORS_MAX);
	err = check_team(args, word, p, self);
	return err != 0 ? err : conf_vlan_check(args, word, p, self);
}

bool conf_policy_is_set(const struct conf_policy *policy)
{
	return policy->vlan.is_set || policy->mac_spoofing || policy->teaming ||
	       policy->ieee_priority || policy->storm_fps != 0 || policy->vm[0] != '\0' ||
	       policy->dhcp_guard || policy->router_guard || policy->arp_guard ||
	       policy->n_addresses != 0 || policy->mirror != VPORT_MONITOR_NONE ||
	       policy->address_limit != 0 || policy->sessions != 0 || policy->sessions_full_allow;
}

void conf_policy_print(const struct conf_policy *policy, FILE *f)
{
	if (policy->vlan.is_set) {
		fputs(" vlan ", f);
		conf_vlan_print(&policy->vlan, f);
	}
	if (policy->mac_spoofing)
		fputs(" mac-spoofing on", f);
	if (policy->teaming)
		fputs(" teaming on", f);
	if (policy->ieee_priority)
		fputs(" ieee-priority on", f);
	if (policy->storm_fps != 0)
		fprintf(f, " storm-limit %u", policy->storm_fps);
	if (policy->vm[0] != '\0') {
		fputs(" vm ", f);
		words_print(f, policy->vm);
	}
	if (policy->dhcp_guard)
		fputs(" dhcp-guard on", f);
	if (policy->router_guard)
		fputs(" router-guard on", f);
	if (policy->arp_guard)
		fputs(" arp-guard on", f);
	if (policy->mirror != VPORT_MONITOR_NONE)
		fprintf(f, " mirror %s session %u",
			policy->mirror == VPORT_MONITOR_SOURCE ? "source" : "destination",
			policy->session);
	if (policy->n_addresses != 0) {
		fputs(" address ", f);
		conf_address_print_list(policy->addresses, policy->n_addresses, f);
	}
	if (policy->address_limit != 0)
		fprintf(f, " address-limit %u", policy->address_limit);
	if (policy->sessions != 0)
		fprintf(f, " sessions %u", policy->sessions);
	if (policy->sessions_full_allow)
		fputs(" sessions-full allow", f);
}

static int check_team(struct conf_args *args, unsigned word, const struct conf_port *p,
		      const struct conf_port *self)
{
	unsigned n = 1;

	if (p->policy.teaming && p->policy.vm[0] == '\0')
		return conf_fail_at(args, word, -EINVAL,
				    "teaming is among the ports of one VM; say which: vm NAME");
	if (p->policy.teaming && !p->mac_set)
		return conf_fail_at(args, word, -EINVAL,
				    "teaming lets '%s' send from the addresses of its VM's other "
				    "ports, too; without an address of its own it may send from "
				    "any: mac MAC",
				    p->name);
	for (uint32_t i = 0; p->mac_set && p->policy.vm[0] != '\0' && i < args->c->n_ports; i++) {
		const struct conf_port *other = &args->c->ports[i];

		n += other != self && other->mac_set &&
		     strcmp(other->policy.vm, p->policy.vm) == 0 &&
		     strcmp(other->switch_name, p->switch_name) == 0;
	}
	if (n > POLICY_MACS_MAX)
		return conf_fail_at(args, word, -ENOSPC,
				    "VM '%s' has %d addresses on switch '%s' already, the most "
				    "that one has",
				    p->policy.vm, POLICY_MACS_MAX, p->switch_name);
	return 0;
}

// Ports of the switch that get copies, 'p' in the place of 'self' among them.
static unsigned destinations(const struct conf *c, const struct conf_port *p,
			     const struct conf_port *self)
{
	unsigned n = 1;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *other = &c->ports[i];

		n += other != self && other->policy.mirror == VPORT_MONITOR_DESTINATION &&
		     strcmp(other->switch_name, p->switch_name) == 0;
	}
	return n;
}

static int read_switch_word(struct conf_args *args, const char *key, const char *value, bool *ret)
{
	struct errtext why;

	if (conf_value_on_off(value, ret, &why) != 0)
		return conf_fail(args, -EINVAL, "%s: %s", key, why.text);
	return 0;
}

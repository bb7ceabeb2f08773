/*
 * `show policy`: what each port is allowed to do, in the words of `port set`.
 */
#include <stdlib.h>
#include <string.h>

#include "ports/vport.h"
#include "switch/conf_address.h"
#include "switch/conf_vlan.h"
#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/policy.h"
#include "switch/vswitch.h"

static void policy_row(struct ctl_call *call, const struct vport *port);
static bool any_port(const struct conf *c, bool (*has)(const struct conf_port *));
static bool has_limit(const struct conf_port *p);
static bool has_rules(const struct conf_port *p);
static bool has_sessions(const struct conf_port *p);
static bool has_full(const struct conf_port *p);
static const char *on_off(bool is_on);
static json_t *vlan_of(const struct conf_policy *policy);
static json_t *addresses_of(const struct conf_policy *policy);
static void print_vlan(const struct conf_policy *policy, FILE *f);
static void print_addresses(const struct conf_policy *policy, FILE *f);
static json_t *printed(const struct conf_policy *policy,
		       void (*print)(const struct conf_policy *, FILE *));
static json_t *mirror_of(const struct conf_policy *policy);
static json_t *macs_of(const struct policy *policy);

int ctl_show_policy(struct ctl_call *call)
{
	const struct conf *c = change_conf(call->change);
	// Columns of what no port has would only push the others apart.
	const struct out_column columns[] = {
		{"port", "PORT"},
		{"switch", "SWITCH"},
		{"vm", "VM"},
		{"vlan", "VLAN"},
		{"mac", "MAC"},
		{"mac_spoofing", "MAC-SPOOFING"},
		{"teaming", "TEAMING"},
		{"ieee_priority", "IEEE-PRIORITY"},
		{"storm_limit", "STORM-LIMIT", .right = true},
		{"mirror", "MIRROR"},
		{"dhcp_guard", "DHCP-GUARD"},
		{"router_guard", "ROUTER-GUARD"},
		{"arp_guard", "ARP-GUARD"},
		{"address", "ADDRESS"},
		{"address_limit", any_port(c, has_limit) ? "ADDRESS-LIMIT" : NULL, .right = true},
		{"acl_rules", any_port(c, has_rules) ? "ACL-RULES" : NULL, .right = true},
		{"sessions", any_port(c, has_sessions) ? "SESSIONS" : NULL, .right = true},
		{"sessions_full", any_port(c, has_full) ? "SESSIONS-FULL" : NULL},
	};
	struct vswitch *sw;
	struct vport *port;
	int err;

	err = ctl_show_name(call, &sw, &port);
	if (err != 0)
		return err;
	out_begin(&call->out);
	out_table_begin(&call->out, "policy", columns, sizeof(columns) / sizeof(columns[0]));
	ctl_show_for_ports(call, policy_row);
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

static void policy_row(struct ctl_call *call, const struct vport *port)
{
	const struct conf_port *p = conf_port_find(change_conf(call->change), port->obj.name);
	const struct conf_policy *policy = &p->policy;
	json_t *row;

	if (port->nic == NULL)
		return;
	row = json_object();
	json_object_set_new(row, "port", out_string(port->obj.name));
	json_object_set_new(row, "switch", out_string(port->vswitch->obj.name));
	json_object_set_new(row, "vm",
			    policy->vm[0] != '\0' ? out_string(policy->vm) : json_null());
	json_object_set_new(row, "vlan", vlan_of(policy));
	json_object_set_new(row, "mac", p->mac_set ? ctl_show_mac(p->mac) : json_null());
	json_object_set_new(row, "mac_spoofing",
			    json_string(on_off(!p->mac_set || policy->mac_spoofing)));
	json_object_set_new(row, "teaming", json_string(on_off(policy->teaming)));
	json_object_set_new(row, "ieee_priority",
			    json_string(on_off(policy_of(port)->vlan.keeps_priority)));
	json_object_set_new(row, "storm_limit",
			    policy->storm_fps != 0 ? json_integer(policy->storm_fps) : json_null());
	json_object_set_new(row, "mirror", mirror_of(policy));
	json_object_set_new(row, "dhcp_guard", json_string(on_off(policy->dhcp_guard)));
	json_object_set_new(row, "router_guard", json_string(on_off(policy->router_guard)));
	json_object_set_new(row, "arp_guard", json_string(on_off(policy->arp_guard)));
	json_object_set_new(row, "address", addresses_of(policy));
	json_object_set_new(row, "address_limit",
			    policy->address_limit != 0 ? json_integer(policy->address_limit)
						       : json_null());
	json_object_set_new(row, "acl_rules", json_integer(p->n_acl_rules));
	json_object_set_new(
		row, "sessions",
		json_integer(policy->sessions != 0 ? policy->sessions : ACL_SESSIONS_DEFAULT));
	json_object_set_new(row, "sessions_full",
			    json_string(policy->sessions_full_allow ? "allow" : "drop"));
	json_object_set_new(row, "allowed_macs", macs_of(policy_of(port)));
	out_row(&call->out, row);
}

static bool any_port(const struct conf *c, bool (*has)(const struct conf_port *))
{
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (has(&c->ports[i]))
			return true;
	return false;
}

static bool has_limit(const struct conf_port *p)
{
	return p->policy.address_limit != 0;
}

static bool has_rules(const struct conf_port *p)
{
	return p->n_acl_rules != 0;
}

static bool has_sessions(const struct conf_port *p)
{
	return p->policy.sessions != 0;
}

static bool has_full(const struct conf_port *p)
{
	return p->policy.sessions_full_allow;
}

static const char *on_off(bool is_on)
{
	return is_on ? "on" : "off";
}

static json_t *vlan_of(const struct conf_policy *policy)
{
	return policy->vlan.is_set ? printed(policy, print_vlan) : json_string("default");
}

static json_t *addresses_of(const struct conf_policy *policy)
{
	return policy->n_addresses != 0 ? printed(policy, print_addresses) : json_null();
}

static void print_vlan(const struct conf_policy *policy, FILE *f)
{
	conf_vlan_print(&policy->vlan, f);
}

static void print_addresses(const struct conf_policy *policy, FILE *f)
{
	conf_address_print_list(policy->addresses, policy->n_addresses, f);
}

// What 'print' prints, as a string; null: out of memory.
static json_t *printed(const struct conf_policy *policy,
		       void (*print)(const struct conf_policy *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_t *ret;

	if (f == NULL)
		return json_null();
	print(policy, f);
	ret = fclose(f) == 0 ? out_string(text) : json_null();
	free(text);
	return ret;
}

// "source session 1"; null: none.
static json_t *mirror_of(const struct conf_policy *policy)
{
	char text[32];

	if (policy->mirror == VPORT_MONITOR_NONE)
		return json_null();
	snprintf(text, sizeof(text), "%s session %u",
		 policy->mirror == VPORT_MONITOR_SOURCE ? "source" : "destination",
		 policy->session);
	return json_string(text);
}

// Addresses that the port's frames may come from; null: any.
static json_t *macs_of(const struct policy *policy)
{
	json_t *macs;

	if (!policy->checks_mac)
		return json_null();
	macs = json_array();
	for (unsigned i = 0; i < policy->n_macs; i++)
		json_array_append_new(macs, ctl_show_mac((const uint8_t *)&policy->macs[i]));
	return macs;
}

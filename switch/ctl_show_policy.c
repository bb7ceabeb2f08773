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
static void set_vlan(json_t *row, const struct conf_port *p);
static json_t *mirror_of(const struct conf_policy *policy);
static void set_guards(json_t *row, const struct conf_policy *policy);
static json_t *macs_of(const struct policy *policy);

int ctl_show_policy(struct ctl_call *call)
{
	static const struct out_column columns[] = {
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
	json_t *row;

	if (port->nic == NULL)
		return;
	row = json_object();
	json_object_set_new(row, "port", out_string(port->obj.name));
	json_object_set_new(row, "switch", out_string(port->vswitch->obj.name));
	json_object_set_new(row, "vm",
			    p->policy.vm[0] != '\0' ? out_string(p->policy.vm) : json_null());
	set_vlan(row, p);
	json_object_set_new(row, "mac", p->mac_set ? ctl_show_mac(p->mac) : json_null());
	json_object_set_new(row, "mac_spoofing",
			    json_string(p->mac_set && !p->policy.mac_spoofing ? "off" : "on"));
	json_object_set_new(row, "teaming", json_string(p->policy.teaming ? "on" : "off"));
	json_object_set_new(row, "ieee_priority",
			    json_string(policy_of(port)->vlan.keeps_priority ? "on" : "off"));
	json_object_set_new(row, "storm_limit",
			    p->policy.storm_fps != 0 ? json_integer(p->policy.storm_fps)
						     : json_null());
	json_object_set_new(row, "mirror", mirror_of(&p->policy));
	set_guards(row, &p->policy);
	json_object_set_new(row, "allowed_macs", macs_of(policy_of(port)));
	out_row(&call->out, row);
}

static void set_vlan(json_t *row, const struct conf_port *p)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!p->policy.vlan.is_set) {
		json_object_set_new(row, "vlan", json_string("default"));
		return;
	}
	f = open_memstream(&text, &size);
	if (f == NULL)
		return;
	conf_vlan_print(&p->policy.vlan, f);
	fclose(f);
	json_object_set_new(row, "vlan", out_string(text));
	free(text);
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

static void set_guards(json_t *row, const struct conf_policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	json_object_set_new(row, "dhcp_guard", json_string(policy->dhcp_guard ? "on" : "off"));
	json_object_set_new(row, "router_guard", json_string(policy->router_guard ? "on" : "off"));
	json_object_set_new(row, "arp_guard", json_string(policy->arp_guard ? "on" : "off"));
	if (policy->n_addresses == 0) {
		json_object_set_new(row, "address", json_null());
		return;
	}
	f = open_memstream(&text, &size);
	if (f == NULL)
		return;
	conf_address_print_list(policy->addresses, policy->n_addresses, f);
	fclose(f);
	json_object_set_new(row, "address", out_string(text));
	free(text);
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

/*
 * The configuration as commands. The order is that of creation, so that reading it again makes
 * the same lists: each switch is followed by what was changed on its own vports; the ports
 * come after all switches, in their order, and then their rules.
 */
#include "switch/conf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_acl.h"
#include "switch/conf_policy.h"
#include "switch/conf_vmq.h"
#include "switch/conf_value.h"

static void print_switch(const struct conf *c, const struct conf_switch *sw, FILE *f);
static void print_retired(const struct conf *c, const struct conf_switch *sw, FILE *f);
static void print_port(const struct conf_port *p, FILE *f);
static void print_port_set(const struct conf_port *p, FILE *f);
static void print_mac(const struct conf_port *p, FILE *f);
static void print_rules(const struct conf_port *p, FILE *f);

static void print_pair(FILE *f, const char *key, const char *value)
{
	fprintf(f, " %s ", key);
	words_print(f, value);
}

void conf_print(const struct conf *c, FILE *f)
{
	fprintf(f, "%s\n", CONF_STATE_FIRST);
	for (uint32_t i = 0; i < c->n_switches; i++)
		print_switch(c, &c->switches[i], f);
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		if (conf_port_is_implied(p) || p->temporary)
			continue;
		print_port(p, f);
		print_port_set(p, f);
	}
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (!conf_port_is_implied(&c->ports[i]))
			print_rules(&c->ports[i], f);
	fprintf(f, "%s\n", CONF_STATE_LAST);
}

static void print_switch(const struct conf *c, const struct conf_switch *sw, FILE *f)
{
	const struct conf_port *internal = conf_port_implied(c, sw->name, VPORT_INTERNAL);

	fputs("switch add ", f);
	words_print(f, sw->name);
	fprintf(f, " %s", conf_switch_type_name(sw->type));
	if (sw->type == CONF_SWITCH_EXTERNAL)
		print_pair(f, "nic", sw->nic);
	print_pair(f, "id", sw->id);
	print_pair(f, "device-id", sw->device_id);
	if (sw->type == CONF_SWITCH_EXTERNAL && !sw->allow_management_os)
		print_pair(f, "allow-management-os", "off");
	if (internal != NULL)
		print_pair(f, "tap", internal->path);
	print_retired(c, sw, f);
	fputs("\nswitch set ", f);
	words_print(f, sw->name);
	fprintf(f, " ageing %u stations %u mtu %u", sw->ageing_s, sw->stations, sw->mtu);
	if (sw->vmq_static)
		fputs(" vmq-scheduling static", f);
	if (sw->friendly_name[0] != '\0')
		print_pair(f, "friendly-name", sw->friendly_name);
	fputc('\n', f);
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		if (!conf_port_is_implied(p) || strcmp(p->switch_name, sw->name) != 0)
			continue;
		print_port_set(p, f);
		print_rules(p, f);
	}
}

static void print_retired(const struct conf *c, const struct conf_switch *sw, FILE *f)
{
	uint8_t bits[CONF_PORT_IDS_BYTES];
	const char *separator = " retired-ids ";

	memcpy(bits, sw->retired_ids, sizeof(bits));
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		if (p->temporary && strcmp(p->switch_name, sw->name) == 0)
			conf_id_set(bits, p->id);
	}
	for (uint32_t id = 0; id <= CONF_PORT_ID_MAX; id++) {
		uint32_t first;

		if (id % 8 == 0 && bits[id / 8] == 0)
			id += 7; // nearly always
		if (!conf_id_in(bits, id))
			continue;
		first = id;
		while (id < CONF_PORT_ID_MAX && conf_id_in(bits, id + 1))
			id++;
		fprintf(f, "%s%u", separator, first);
		if (id > first)
			fprintf(f, "-%u", id);
		separator = ",";
	}
}

static void print_port(const struct conf_port *p, FILE *f)
{
	fputs("port add ", f);
	words_print(f, p->name);
	print_pair(f, "switch", p->switch_name);
	switch (p->kind) {
	case VNIC_VHOST:
		print_pair(f, "vhost", p->path);
		fprintf(f, " %s queues %u", p->server ? "server" : "client", p->queues);
		if (p->features != 0)
			fprintf(f, " features 0x%" PRIx64, p->features);
		break;
	case VNIC_TAP:
		print_pair(f, "tap", p->path);
		break;
	case VNIC_PACKET:
	case VNIC_ETH:
		print_pair(f, "nic", p->path);
		break;
	case VNIC_PCAP:
		fputs(" pcap", f);
		if (p->pcap_rx[0] != '\0')
			print_pair(f, "rx", p->pcap_rx);
		if (p->pcap_tx[0] != '\0')
			print_pair(f, "tx", p->pcap_tx);
		break;
	}
	fprintf(f, " id %u", p->id);
	if (p->mac_set)
		print_mac(p, f);
	fputc('\n', f);
}

// What `port add` (or `switch add`) cannot say.
static void print_port_set(const struct conf_port *p, FILE *f)
{
	bool mac = p->mac_set && conf_port_is_implied(p);

	if (p->friendly_name[0] == '\0' && p->max_stations == 0 && !mac &&
	    !conf_policy_is_set(&p->policy) && !conf_vmq_is_set(&p->vmq))
		return;
	fputs("port set ", f);
	words_print(f, p->name);
	if (mac)
		print_mac(p, f);
	if (p->friendly_name[0] != '\0')
		print_pair(f, "friendly-name", p->friendly_name);
	if (p->max_stations != 0)
		fprintf(f, " max-stations %u", p->max_stations);
	conf_policy_print(&p->policy, f);
	conf_vmq_print(&p->vmq, f);
	fputc('\n', f);
}

static void print_mac(const struct conf_port *p, FILE *f)
{
	fprintf(f, " mac %02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2], p->mac[3],
		p->mac[4], p->mac[5]);
}

static void print_rules(const struct conf_port *p, FILE *f)
{
	for (uint32_t i = 0; i < p->n_acl_rules && !p->temporary; i++)
		conf_acl_print(p->name, &p->acl_rules[i], f);
}

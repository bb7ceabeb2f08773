/*
 * `port add`, `port set`, `port remove`.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "switch/conf_args.h"
#include "switch/conf_mac.h"
#include "switch/conf_policy.h"
#include "switch/conf_value.h"
#include "switch/conf_vmq.h"
#include "switch/fdb_types.h"

enum {
	SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	USED_RANGES_MAX = 1024 // of port ids in use or retired; keeps their list on one line
};

struct port_add {
	struct conf_port p;
	const struct conf_switch *sw;
	const char *backend; // the word that chose it
	unsigned mac_word, id_word, queues_word;
};

static int read_switch(struct conf_args *args, const char *value, void *target);
static int read_vhost(struct conf_args *args, const char *value, void *target);
static int read_tap(struct conf_args *args, const char *value, void *target);
static int read_nic(struct conf_args *args, const char *value, void *target);
static int read_pcap(struct conf_args *args, const char *value, void *target);
static int read_client(struct conf_args *args, const char *value, void *target);
static int read_server(struct conf_args *args, const char *value, void *target);
static int read_rx(struct conf_args *args, const char *value, void *target);
static int read_tx(struct conf_args *args, const char *value, void *target);
static int read_queues(struct conf_args *args, const char *value, void *target);
static int read_add_mac(struct conf_args *args, const char *value, void *target);
static int read_id(struct conf_args *args, const char *value, void *target);
static int read_features(struct conf_args *args, const char *value, void *target);
static int read_mac(struct conf_args *args, const char *value, void *target);
static int read_friendly(struct conf_args *args, const char *value, void *target);
static int read_max_stations(struct conf_args *args, const char *value, void *target);
static int check_add(struct conf_args *args, struct port_add *add, uint32_t seen);
static int choose_id(struct conf_args *args, struct port_add *add, bool given);
static void used_ids(const struct conf *c, const struct conf_switch *sw, uint8_t *bits);
static unsigned count_ranges(const uint8_t *bits);

enum {
	KEY_SWITCH,
	KEY_VHOST,
	KEY_TAP,
	KEY_NIC,
	KEY_PCAP,
	KEY_CLIENT,
	KEY_SERVER,
	KEY_RX,
	KEY_TX,
	KEY_QUEUES,
	KEY_MAC,
	KEY_ID,
	KEY_FEATURES
};

// What both `port add` and `port set` take: a port is not there for a moment without its policy.
#define POLICY_KEYS(X)                                                                             \
	X("vlan", "default, untagged, access ID, ...", conf_policy_read_vlan)                      \
	X("mac-spoofing", "on or off", conf_policy_read_spoofing)                                  \
	X("teaming", "on or off", conf_policy_read_teaming)                                        \
	X("ieee-priority", "on or off", conf_policy_read_priority)                                 \
	X("storm-limit", "frames per second", conf_policy_read_storm)                              \
	X("vm", "the name of the VM, or none", conf_policy_read_vm)                                \
	X("mirror", "none, source or destination", conf_policy_read_mirror)                        \
	X("dhcp-guard", "on or off", conf_policy_read_dhcp_guard)                                  \
	X("router-guard", "on or off", conf_policy_read_router_guard)                              \
	X("arp-guard", "on or off", conf_policy_read_arp_guard)                                    \
	X("address", "addresses or prefixes, or none", conf_policy_read_addresses)                 \
	X("address-limit", "a number, 0 for off", conf_policy_read_address_limit)                  \
	X("sessions", "a number, or default", conf_policy_read_sessions)                           \
	X("sessions-full", "drop or allow", conf_policy_read_sessions_full)                        \
	X("vmq-pin", "queues and their cores, or none", conf_vmq_read_pins)

#define X(name, value, read) {name, value, read},

static_assert(offsetof(struct port_add, p) == 0, "POLICY_KEYS are for a struct conf_port");

static const struct conf_key add_keys[] = {
	[KEY_SWITCH] = {"switch", "the name of a switch", read_switch},
	[KEY_VHOST] = {"vhost", "a socket", read_vhost},
	[KEY_TAP] = {"tap", "the name of the interface", read_tap},
	[KEY_NIC] = {"nic", "an interface, a PCI address or vdev:...", read_nic},
	[KEY_PCAP] = {"pcap", NULL, read_pcap},
	[KEY_CLIENT] = {"client", NULL, read_client},
	[KEY_SERVER] = {"server", NULL, read_server},
	[KEY_RX] = {"rx", "a file to replay", read_rx},
	[KEY_TX] = {"tx", "a file to capture to, or - for vswctl's output", read_tx},
	[KEY_QUEUES] = {"queues", "a number", read_queues},
	[KEY_MAC] = {"mac", "a MAC address or dynamic", read_add_mac},
	[KEY_ID] = {"id", "a port id", read_id},
	[KEY_FEATURES] = {"features", "virtio features as 0x...", read_features},
	POLICY_KEYS(X)};

int conf_edit_port_add(struct conf_args *args, struct conf_edit *ret)
{
	struct port_add add = {.p = {.type = VPORT_SYNTHETIC, .has_nic = true, .queues = 1}};
	uint32_t seen;
	int err;

	err = conf_next_new_name(args, "the name of the port", add.p.name);
	if (err != 0)
		return err;
	args->at++;
	err = conf_read_keys(args, add_keys, sizeof(add_keys) / sizeof(add_keys[0]), &add, &seen);
	if (err != 0)
		return err;
	err = check_add(args, &add, seen);
	if (err == 0)
		err = conf_policy_check(args, 2, &add.p, NULL);
	if (err == 0)
		err = conf_vmq_check(args, 2, &add.p);
	if (err != 0)
		return err;
	err = choose_id(args, &add, (seen >> KEY_ID & 1) != 0);
	if (err != 0)
		return err;
	memcpy(ret->name, add.p.name, sizeof(ret->name));
	return conf_append_port(args, &add.p);
}

int conf_edit_port_set(struct conf_args *args, struct conf_edit *ret)
{
	static const struct conf_key keys[] = {
		POLICY_KEYS(X){"mac", "a MAC address, dynamic or none", read_mac},
		{"friendly-name", "a text", read_friendly},
		{"max-stations", "a number", read_max_stations},
	};
	struct conf_port *p, changed;
	unsigned first;
	uint32_t seen;
	int err;

	err = conf_next_port(args, &p);
	if (err != 0)
		return err;
	changed = *p;
	first = ++args->at;
	if (conf_next(args, "a key such as mac, vlan or storm-limit; `vswctl help port set` "
			    "lists them") == NULL)
		return -EINVAL;
	err = conf_read_keys(args, keys, sizeof(keys) / sizeof(keys[0]), &changed, &seen);
	if (err != 0)
		return err;
	if (!p->has_nic && (changed.mac_set || changed.max_stations != p->max_stations))
		return conf_fail_at(args, first, -EINVAL,
				    "no station is behind '%s': it has no NIC", p->name);
	if (changed.mac_set) {
		err = conf_mac_check_free(args, first, &changed, p);
		if (err != 0)
			return err;
	}
	err = conf_policy_check(args, first, &changed, p);
	if (err == 0)
		err = conf_vmq_check(args, first, &changed);
	if (err != 0)
		return err;
	*p = changed;
	memcpy(ret->name, p->name, sizeof(ret->name));
	return 0;
}

// HYPERV 1.6: everything that can be judged is judged, nothing is made and nothing reserved.
int conf_edit_port_check(struct conf_args *args, struct conf_edit *ret)
{
	const char *name = conf_next(args, "the name of a port, there or not yet");
	struct conf *real = args->c;
	struct conf *copy;
	int err;

	if (name == NULL)
		return -EINVAL;
	if (conf_copy(real, &copy) != 0)
		return conf_fail(args, -ENOMEM, "out of memory");
	args->c = copy;
	ret->checked = conf_port_find(copy, name) != NULL ? CONF_PORT_SET : CONF_PORT_ADD;
	err = ret->checked == CONF_PORT_SET ? conf_edit_port_set(args, ret)
					    : conf_edit_port_add(args, ret);
	args->c = real;
	conf_destroy(copy);
	return err;
}

int conf_edit_port_remove(struct conf_args *args, struct conf_edit *ret)
{
	struct conf *c = args->c;
	struct conf_switch *sw;
	struct conf_port *p;
	int err;

	err = conf_next_port(args, &p);
	if (err != 0)
		return err;
	if (conf_port_is_implied(p))
		return conf_fail(args, -EINVAL,
				 "'%s' belongs to switch '%s' and goes with it: switch remove NAME",
				 p->name, p->switch_name);
	args->at++;
	err = conf_no_more(args);
	if (err != 0)
		return err;
	memcpy(ret->name, p->name, sizeof(ret->name));
	sw = conf_switch_find(c, p->switch_name);
	conf_id_set(sw->retired_ids, p->id);
	conf_remove_port(c, p);
	return 0;
}

static int read_switch(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	struct conf_switch *sw;
	int err;

	err = conf_next_switch(args, &sw);
	if (err != 0)
		return err;
	add->sw = sw;
	memcpy(add->p.switch_name, sw->name, sizeof(add->p.switch_name));
	return 0;
}

// One of vhost, tap, nic, pcap; at args->at - 'back' stands its word.
static int choose_backend(struct conf_args *args, struct port_add *add, unsigned back,
			  enum vnic_kind kind)
{
	const char *word = args->w->text[args->at - back];

	if (add->backend != NULL)
		return conf_fail_at(args, args->at - back, -EINVAL,
				    "'%s' after '%s': a port has one of them", word, add->backend);
	add->backend = word;
	add->p.kind = kind;
	return 0;
}

static int read_path(struct conf_args *args, const char *value, const char *what,
		     char ret[VNIC_PATH_SIZE])
{
	struct errtext why;

	if (conf_value_text(value, what, 1, VNIC_PATH_SIZE - 1, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	memcpy(ret, value, strlen(value) + 1);
	return 0;
}

static int read_vhost(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	char path[SOCKET_PATH_MAX + 1], other[SOCKET_PATH_MAX + 1];
	int err;

	err = choose_backend(args, add, 1, VNIC_VHOST);
	if (err == 0)
		err = read_path(args, value, "the socket", add->p.path);
	if (err != 0)
		return err;
	if (conf_value_path(args->env->run_dir, value, path, sizeof(path)) != 0)
		return conf_fail(args, -EINVAL,
				 "the socket's path has over %d bytes%s%s; UNIX sockets cannot",
				 SOCKET_PATH_MAX, value[0] == '/' ? "" : " with ",
				 value[0] == '/' ? "" : args->env->run_dir);
	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *p = &args->c->ports[i];

		if (!p->has_nic || p->kind != VNIC_VHOST ||
		    conf_value_path(args->env->run_dir, p->path, other, sizeof(other)) != 0)
			continue;
		if (strcmp(path, other) == 0)
			return conf_fail(args, -EEXIST, "port '%s' uses this socket", p->name);
	}
	return 0;
}

static int read_tap(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	struct errtext why;

	if (choose_backend(args, add, 1, VNIC_TAP) != 0)
		return -EINVAL;
	if (conf_value_ifname(value, "the TAP", &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	memcpy(add->p.path, value, strlen(value) + 1);
	return conf_check_nic_free(args, args->at, value, NULL);
}

static int read_nic(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	struct errtext why;

	if (choose_backend(args, add, 1, VNIC_PACKET) != 0)
		return -EINVAL;
	if (conf_value_nic(value, &add->p.kind, add->p.path, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	return conf_check_nic_free(args, args->at, add->p.path, NULL);
}

static int read_pcap(struct conf_args *args, const char *value, void *target)
{
	return choose_backend(args, target, 0, VNIC_PCAP);
}

static int read_client(struct conf_args *args, const char *value, void *target)
{
	((struct port_add *)target)->p.server = false;
	return 0;
}

static int read_server(struct conf_args *args, const char *value, void *target)
{
	((struct port_add *)target)->p.server = true;
	return 0;
}

// vswd and whoever types have different working directories.
static int read_file(struct conf_args *args, const char *value, char ret[VNIC_PATH_SIZE])
{
	if (value[0] != '/')
		return conf_fail(args, -EINVAL,
				 "'%.100s' does not begin with '/'; vswd needs the whole path",
				 value);
	return read_path(args, value, "the file", ret);
}

static int read_rx(struct conf_args *args, const char *value, void *target)
{
	int err = read_file(args, value, ((struct port_add *)target)->p.pcap_rx);

	if (err != 0)
		return err;
	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *p = &args->c->ports[i];

		if (p->has_nic && p->kind == VNIC_PCAP && strcmp(p->pcap_tx, value) == 0)
			return conf_fail(args, -EEXIST, "port '%s' captures to this file", p->name);
	}
	return 0;
}

static int read_tx(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	int err;

	add->p.temporary = strcmp(value, "-") == 0;
	if (add->p.temporary) {
		memcpy(add->p.pcap_tx, "-", 2);
		return 0;
	}
	err = read_file(args, value, add->p.pcap_tx);
	if (err != 0)
		return err;
	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *p = &args->c->ports[i];

		if (!p->has_nic || p->kind != VNIC_PCAP)
			continue;
		if (strcmp(p->pcap_tx, value) == 0)
			return conf_fail(args, -EEXIST, "port '%s' captures to this file", p->name);
		if (strcmp(p->pcap_rx, value) == 0)
			return conf_fail(args, -EEXIST, "port '%s' replays this file", p->name);
	}
	return 0;
}

static int read_queues(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	struct errtext why;
	uint32_t queues;

	if (conf_value_number(value, 1, VNIC_QUEUES_MAX, &queues, &why) != 0)
		return conf_fail(args, -EINVAL, "queues: %s", why.text);
	add->p.queues = (uint16_t)queues;
	add->queues_word = args->at - 1;
	return 0;
}

static int read_add_mac(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;

	add->p.mac_set = true;
	add->mac_word = args->at;
	return conf_mac_read(args, value, add->p.mac);
}

static int read_id(struct conf_args *args, const char *value, void *target)
{
	struct port_add *add = target;
	struct errtext why;
	uint32_t id;

	if (conf_value_number(value, 1, CONF_PORT_ID_MAX, &id, &why) != 0)
		return conf_fail(args, -EINVAL, "id: %s", why.text);
	add->p.id = (uint16_t)id;
	add->id_word = args->at;
	return 0;
}

static int read_features(struct conf_args *args, const char *value, void *target)
{
	struct errtext why;

	if (conf_value_hex(value, &((struct port_add *)target)->p.features, &why) != 0)
		return conf_fail(args, -EINVAL, "features: %s", why.text);
	return 0;
}

static int read_mac(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;

	p->mac_set = false;
	memset(p->mac, 0, sizeof(p->mac));
	if (strcmp(value, "none") == 0)
		return 0;
	p->mac_set = true;
	return conf_mac_read(args, value, p->mac);
}

static int read_friendly(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;

	if (conf_value_text(value, "the friendly name", 0, OBJECT_FRIENDLY_SIZE - 1, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	memcpy(p->friendly_name, value, strlen(value) + 1);
	return 0;
}

static int read_max_stations(struct conf_args *args, const char *value, void *target)
{
	struct conf_port *p = target;
	struct errtext why;

	if (conf_value_number(value, 0, FDB_STATIONS_MAX, &p->max_stations, &why) != 0)
		return conf_fail(args, -EINVAL, "max-stations: %s (0 = the default)", why.text);
	return 0;
}

// What can be judged only when all words are known.
static int check_add(struct conf_args *args, struct port_add *add, uint32_t seen)
{
	const struct {
		unsigned key;
		enum vnic_kind kind;
	} only[] = {
		{KEY_CLIENT, VNIC_VHOST}, {KEY_SERVER, VNIC_VHOST}, {KEY_FEATURES, VNIC_VHOST},
		{KEY_RX, VNIC_PCAP},      {KEY_TX, VNIC_PCAP},
	};

	if (add->sw == NULL)
		return conf_fail(args, -EINVAL, "something is missing: switch NAME");
	if (add->backend == NULL)
		return conf_fail(args, -EINVAL,
				 "what is connected to the port is missing: vhost SOCKET, tap "
				 "IFNAME, nic NIC or pcap");
	for (unsigned i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
		if ((seen >> only[i].key & 1) != 0 && add->p.kind != only[i].kind)
			return conf_fail(args, -EINVAL,
					 "'%s' does not go with '%s', only with "
					 "'%s'",
					 add_keys[only[i].key].name, add->backend,
					 only[i].kind == VNIC_VHOST ? "vhost" : "pcap");
	}
	if ((seen >> KEY_QUEUES & 1) != 0 && add->p.kind != VNIC_VHOST)
		return conf_fail_at(args, add->queues_word, -EINVAL,
				    "'queues' does not go with '%s', which has one queue: only a "
				    "guest's NIC, 'vhost', has several; leave it out",
				    add->backend);
	if ((seen >> KEY_CLIENT & 1) != 0 && (seen >> KEY_SERVER & 1) != 0)
		return conf_fail(args, -EINVAL, "'client' and 'server' exclude each other");
	if (add->p.kind == VNIC_PCAP && (seen & (1u << KEY_RX | 1u << KEY_TX)) == 0)
		return conf_fail(args, -EINVAL,
				 "pcap needs a file: rx FILE to replay, tx FILE to capture");
	if (add->p.mac_set)
		return conf_mac_check_free(args, add->mac_word, &add->p, NULL);
	return 0;
}

static int choose_id(struct conf_args *args, struct port_add *add, bool given)
{
	uint8_t bits[CONF_PORT_IDS_BYTES];
	uint32_t id = 1;

	used_ids(args->c, add->sw, bits);
	if (given && conf_id_in(bits, add->p.id))
		return conf_fail_at(args, add->id_word, -EEXIST,
				    "id %u was given out by switch '%s' already; ids are never "
				    "reused",
				    add->p.id, add->sw->name);
	while (!given && id <= CONF_PORT_ID_MAX && conf_id_in(bits, id))
		id++;
	if (!given && id > CONF_PORT_ID_MAX)
		return conf_fail(args, -ENOSPC, "switch '%s' has given out all of its port ids",
				 add->sw->name);
	if (!given)
		add->p.id = (uint16_t)id;
	conf_id_set(bits, add->p.id);
	if (given && count_ranges(bits) > USED_RANGES_MAX)
		return conf_fail_at(args, add->id_word, -ENOSPC,
				    "the ids of switch '%s' are scattered too much; take one next "
				    "to another, or none",
				    add->sw->name);
	return 0;
}

// Ids 0 to 2 of an external switch are kept for its own vports, also without an internal one.
static void used_ids(const struct conf *c, const struct conf_switch *sw, uint8_t *bits)
{
	memcpy(bits, sw->retired_ids, CONF_PORT_IDS_BYTES);
	if (sw->type == CONF_SWITCH_EXTERNAL)
		conf_id_set(bits, 1);
	for (uint32_t i = 0; i < c->n_ports; i++) {
		if (strcmp(c->ports[i].switch_name, sw->name) == 0)
			conf_id_set(bits, c->ports[i].id);
	}
}

static unsigned count_ranges(const uint8_t *bits)
{
	unsigned ranges = 0;

	for (uint32_t id = 0; id <= CONF_PORT_ID_MAX; id++)
		ranges += conf_id_in(bits, id) && (id == 0 || !conf_id_in(bits, id - 1));
	return ranges;
}

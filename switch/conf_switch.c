/*
 * `switch add`, `switch set`, `switch remove`.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_args.h"
#include "switch/conf_mac.h"
#include "switch/conf_value.h"
#include "switch/fdb_types.h"

enum {
	TAP_TAIL = IFNAMSIZ - 1 - 4, // characters after "vsw-"
	TAP_SHORT = TAP_TAIL - 5     // of them, when a dash and four hex digits follow
};

struct switch_add {
	struct conf_switch sw;
	char tap[IFNAMSIZ];
	enum vnic_kind nic_kind;
	unsigned nic_word;
	unsigned tap_word;
};

static int read_nic(struct conf_args *args, const char *value, void *target);
static int read_id(struct conf_args *args, const char *value, void *target);
static int read_device_id(struct conf_args *args, const char *value, void *target);
static int read_management(struct conf_args *args, const char *value, void *target);
static int read_tap(struct conf_args *args, const char *value, void *target);
static int read_retired(struct conf_args *args, const char *value, void *target);
static int read_type(struct conf_args *args, enum conf_switch_type *ret);
static int check_names_free(struct conf_args *args, const char *name);
static int check_guid_free(struct conf_args *args, const char *guid);
static const struct conf_switch *guid_owner(const struct conf *c, const char *guid);
static int complete(struct conf_args *args, struct switch_add *add, uint32_t seen);
static void choose_guid(struct conf_args *args, char ret[CONF_GUID_SIZE]);
static int check_retired(struct conf_args *args, const struct switch_add *add, bool internal);
static int choose_tap(struct conf_args *args, struct switch_add *add);
static int append(struct conf_args *args, const struct switch_add *add, bool internal);
static int append_implied(struct conf_args *args, const struct switch_add *add,
			  enum vport_type type, const char *suffix, uint16_t id);

enum { KEY_NIC, KEY_ID, KEY_DEVICE_ID, KEY_MANAGEMENT, KEY_TAP, KEY_RETIRED, N_ADD_KEYS };
static const struct conf_key add_keys[N_ADD_KEYS] = {
	[KEY_NIC] = {"nic", "an interface, a PCI address or vdev:...", read_nic},
	[KEY_ID] = {"id", "a GUID", read_id},
	[KEY_DEVICE_ID] = {"device-id", "a GUID", read_device_id},
	[KEY_MANAGEMENT] = {"allow-management-os", "on or off", read_management},
	[KEY_TAP] = {"tap", "the name of the host's interface", read_tap},
	[KEY_RETIRED] = {"retired-ids", "a list of port ids like 3,6-9", read_retired},
};

int conf_edit_switch_add(struct conf_args *args, struct conf_edit *ret)
{
	struct switch_add add = {.sw = {.ageing_s = FDB_AGEING_DEFAULT_S,
					.stations = FDB_STATIONS_DEFAULT,
					.mtu = CONF_MTU_DEFAULT,
					.allow_management_os = true}};
	uint32_t seen;
	bool internal;
	int err;

	err = conf_next_new_name(args, "the name of the switch", add.sw.name);
	if (err != 0)
		return err;
	err = check_names_free(args, add.sw.name);
	if (err != 0)
		return err;
	args->at++;
	err = read_type(args, &add.sw.type);
	if (err != 0)
		return err;
	args->at++;
	err = conf_read_keys(args, add_keys, N_ADD_KEYS, &add, &seen);
	if (err != 0)
		return err;
	err = complete(args, &add, seen);
	if (err != 0)
		return err;
	internal = add.sw.type != CONF_SWITCH_PRIVATE && add.sw.allow_management_os;
	if (internal) {
		err = choose_tap(args, &add);
		if (err != 0)
			return err;
	} else if ((seen >> KEY_TAP & 1) != 0) {
		return conf_fail_at(args, add.tap_word, -EINVAL,
				    "'tap' needs a switch that the host is on");
	}
	err = check_retired(args, &add, internal);
	if (err != 0)
		return err;
	memcpy(ret->name, add.sw.name, sizeof(ret->name));
	return append(args, &add, internal);
}

static int read_ageing(struct conf_args *args, const char *value, void *target)
{
	struct conf_switch *sw = target;
	struct errtext why;

	if (conf_value_number(value, 0, CONF_AGEING_MAX_S, &sw->ageing_s, &why) != 0)
		return conf_fail(args, -EINVAL, "ageing: %s (seconds; 0 = never)", why.text);
	return 0;
}

static int read_stations(struct conf_args *args, const char *value, void *target)
{
	struct conf_switch *sw = target;
	struct errtext why;
	uint32_t n;

	if (conf_value_number(value, FDB_STATIONS_MIN, FDB_STATIONS_MAX, &sw->stations, &why) != 0)
		return conf_fail(args, -EINVAL, "stations: %s", why.text);
	n = conf_mac_count(args->c, sw->name, NULL);
	if (sw->stations < n)
		return conf_fail(args, -ENOSPC, "%u ports of switch '%s' have a MAC address", n,
				 sw->name);
	return 0;
}

static int read_scheduling(struct conf_args *args, const char *value, void *target)
{
	struct conf_switch *sw = target;

	if (strcmp(value, "dynamic") != 0 && strcmp(value, "static") != 0)
		return conf_fail(args, -EINVAL,
				 "vmq-scheduling: '%.60s' is neither dynamic nor static", value);
	sw->vmq_static = strcmp(value, "static") == 0;
	return 0;
}

static int read_mtu(struct conf_args *args, const char *value, void *target)
{
	struct conf_switch *sw = target;
	struct errtext why;

	if (conf_value_number(value, CONF_MTU_MIN, CONF_MTU_MAX, &sw->mtu, &why) != 0)
		return conf_fail(args, -EINVAL, "mtu: %s (bytes without the Ethernet header)",
				 why.text);
	return 0;
}

static int read_friendly(struct conf_args *args, const char *value, void *target)
{
	struct conf_switch *sw = target;
	struct errtext why;

	if (conf_value_text(value, "the friendly name", 0, OBJECT_FRIENDLY_SIZE - 1, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	memcpy(sw->friendly_name, value, strlen(value) + 1);
	return 0;
}

int conf_edit_switch_set(struct conf_args *args, struct conf_edit *ret)
{
	static const struct conf_key keys[] = {
		{"ageing", "seconds", read_ageing},
		{"stations", "how many the MAC table holds", read_stations},
		{"mtu", "bytes", read_mtu},
		{"vmq-scheduling", "dynamic or static", read_scheduling},
		{"friendly-name", "a text", read_friendly},
	};
	struct conf_switch *sw, changed;
	uint32_t seen;
	int err;

	err = conf_next_switch(args, &sw);
	if (err != 0)
		return err;
	changed = *sw;
	args->at++;
	if (conf_next(args, "a key: ageing, stations, mtu, vmq-scheduling or friendly-name") ==
	    NULL)
		return -EINVAL;
	err = conf_read_keys(args, keys, sizeof(keys) / sizeof(keys[0]), &changed, &seen);
	if (err != 0)
		return err;
	*sw = changed;
	memcpy(ret->name, sw->name, sizeof(ret->name));
	return 0;
}

int conf_edit_switch_remove(struct conf_args *args, struct conf_edit *ret)
{
	struct conf *c = args->c;
	struct conf_switch *sw;
	uint32_t kept = 0;
	size_t index;
	int err;

	err = conf_next_switch(args, &sw);
	if (err != 0)
		return err;
	args->at++;
	err = conf_no_more(args);
	if (err != 0)
		return err;
	memcpy(ret->name, sw->name, sizeof(ret->name));
	for (uint32_t i = 0; i < c->n_ports; i++) {
		if (strcmp(c->ports[i].switch_name, ret->name) != 0)
			c->ports[kept++] = c->ports[i];
		else
			free(c->ports[i].acl_rules);
	}
	c->n_ports = kept;
	index = (size_t)(sw - c->switches);
	memmove(sw, sw + 1, (c->n_switches - index - 1) * sizeof(*sw));
	c->n_switches--;
	return 0;
}

static int read_nic(struct conf_args *args, const char *value, void *target)
{
	struct switch_add *add = target;
	struct errtext why;

	if (add->sw.type != CONF_SWITCH_EXTERNAL)
		return conf_fail_at(args, args->at - 1, -EINVAL,
				    "only an external switch has a NIC; this one is %s",
				    conf_switch_type_name(add->sw.type));
	if (conf_value_nic(value, &add->nic_kind, add->sw.nic, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	add->nic_word = args->at;
	return 0;
}

static int read_guid(struct conf_args *args, const char *value, char ret[CONF_GUID_SIZE])
{
	struct errtext why;

	if (conf_value_guid(value, ret, &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	return check_guid_free(args, ret);
}

static int read_id(struct conf_args *args, const char *value, void *target)
{
	return read_guid(args, value, ((struct switch_add *)target)->sw.id);
}

static int read_device_id(struct conf_args *args, const char *value, void *target)
{
	return read_guid(args, value, ((struct switch_add *)target)->sw.device_id);
}

static int read_management(struct conf_args *args, const char *value, void *target)
{
	struct switch_add *add = target;
	struct errtext why;

	if (add->sw.type != CONF_SWITCH_EXTERNAL)
		return conf_fail_at(args, args->at - 1, -EINVAL,
				    "'allow-management-os' is for external switches; the host is "
				    "always on an internal one and never on a private one");
	if (conf_value_on_off(value, &add->sw.allow_management_os, &why) != 0)
		return conf_fail(args, -EINVAL, "allow-management-os: %s", why.text);
	return 0;
}

static int read_tap(struct conf_args *args, const char *value, void *target)
{
	struct switch_add *add = target;
	struct errtext why;

	if (conf_value_ifname(value, "the TAP", &why) != 0)
		return conf_fail(args, -EINVAL, "%s", why.text);
	add->tap_word = args->at;
	memcpy(add->tap, value, strlen(value) + 1);
	return 0;
}

static int read_retired(struct conf_args *args, const char *value, void *target)
{
	struct switch_add *add = target;
	struct errtext why;

	if (conf_value_ids(value, add->sw.retired_ids, &why) != 0)
		return conf_fail(args, -EINVAL, "retired-ids: %s", why.text);
	return 0;
}

static int read_type(struct conf_args *args, enum conf_switch_type *ret)
{
	static const char *const types[] = {
#define X(number, name, text) [number] = text,
		CONF_SWITCH_TYPES(X)
#undef X
	};
	const unsigned n = sizeof(types) / sizeof(types[0]);
	const char *word = conf_next(args, "the type: external, internal or private");

	if (word == NULL)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(word, types[i]) == 0) {
			*ret = (enum conf_switch_type)i;
			return 0;
		}
	}
	return conf_fail_unknown(args, "switch type", word, types, n);
}

// The names of its own vports must be free, too.
static int check_names_free(struct conf_args *args, const char *name)
{
	static const char *const suffixes[] = {"default", "internal", "external"};
	char own[OBJECT_NAME_SIZE];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(own, sizeof(own), "%.*s:%s", OBJECT_NAME_MAX, name, suffixes[i]);
		if (conf_port_find(args->c, own) != NULL || conf_switch_find(args->c, own) != NULL)
			return conf_fail(args, -EEXIST,
					 "the switch would have a vport '%s', and that name is "
					 "taken",
					 own);
	}
	return 0;
}

static int check_guid_free(struct conf_args *args, const char *guid)
{
	const struct conf_switch *owner = guid_owner(args->c, guid);

	if (owner != NULL)
		return conf_fail(args, -EEXIST, "switch '%s' has this GUID", owner->name);
	return 0;
}

static const struct conf_switch *guid_owner(const struct conf *c, const char *guid)
{
	for (uint32_t i = 0; i < c->n_switches; i++) {
		const struct conf_switch *sw = &c->switches[i];

		if (strcmp(sw->id, guid) == 0 || strcmp(sw->device_id, guid) == 0)
			return sw;
	}
	return NULL;
}

// Fills in what was not said.
static int complete(struct conf_args *args, struct switch_add *add, uint32_t seen)
{
	if (add->sw.type == CONF_SWITCH_EXTERNAL) {
		if ((seen >> KEY_NIC & 1) == 0)
			return conf_fail(args, -EINVAL, "an external switch needs a NIC: nic NAME");
		if (conf_check_nic_free(args, add->nic_word, add->sw.nic, NULL) != 0)
			return -EEXIST;
	}
	if ((seen >> KEY_ID & 1) == 0)
		choose_guid(args, add->sw.id);
	if ((seen >> KEY_DEVICE_ID & 1) == 0)
		choose_guid(args, add->sw.device_id);
	return 0;
}

// One that no switch has, for saved text in which two have one is not read again.
static void choose_guid(struct conf_args *args, char ret[CONF_GUID_SIZE])
{
	uint8_t random[16];

	do {
		args->env->random(random, sizeof(random));
		conf_value_make_guid(random, ret);
	} while (guid_owner(args->c, ret) != NULL);
}

static int check_retired(struct conf_args *args, const struct switch_add *add, bool internal)
{
	const uint8_t *bits = add->sw.retired_ids;

	if (conf_id_in(bits, 0) || (internal && conf_id_in(bits, 1)) ||
	    (add->sw.type == CONF_SWITCH_EXTERNAL && conf_id_in(bits, 2)))
		return conf_fail(args, -EINVAL,
				 "retired-ids names an id that the switch's own vports have");
	return 0;
}

/*
 * The host's interface is called vsw-SWITCH when that is a fit name, else after the beginning
 * of the switch's name and a hash of it all. The name is saved, so it stays what it is.
 */
static int choose_tap(struct conf_args *args, struct switch_add *add)
{
	char plain[TAP_TAIL + 1] = "", *out = plain;
	uint32_t hash = 2166136261u; // FNV-1a
	bool fits = true;

	if (add->tap[0] != '\0') {
		if (strcmp(add->tap, add->sw.nic) == 0)
			return conf_fail_at(args, add->tap_word, -EEXIST,
					    "the TAP cannot have the name of the NIC");
		return conf_check_nic_free(args, add->tap_word, add->tap, NULL);
	}
	for (const char *p = add->sw.name; *p != '\0'; p++) {
		bool letter = isalnum((unsigned char)*p) || *p == '-' || *p == '_' || *p == '.';

		hash = (hash ^ (unsigned char)*p) * 16777619u;
		if (letter && out < plain + TAP_TAIL)
			*out++ = *p;
		else
			fits = false;
	}
	*out = '\0';
	for (uint32_t attempt = 0; attempt <= CONF_SWITCHES_MAX + CONF_PORTS_MAX; attempt++) {
		if (fits && attempt == 0)
			snprintf(add->tap, sizeof(add->tap), "vsw-%s", plain);
		else
			snprintf(add->tap, sizeof(add->tap), "vsw-%.*s-%04x", TAP_SHORT, plain,
				 (hash + attempt) & 0xffff);
		if (strcmp(add->tap, add->sw.nic) != 0 &&
		    conf_check_nic_free(args, 1, add->tap, NULL) == 0)
			return 0;
	}
	return conf_fail(args, -EEXIST,
			 "no name is left for the host's interface; give one: tap "
			 "NAME");
}

static int append(struct conf_args *args, const struct switch_add *add, bool internal)
{
	uint32_t n_ports = args->c->n_ports;
	int err;

	err = append_implied(args, add, VPORT_DEFAULT, "default", 0);
	if (err == 0 && internal)
		err = append_implied(args, add, VPORT_INTERNAL, "internal", 1);
	if (err == 0 && add->sw.type == CONF_SWITCH_EXTERNAL)
		err = append_implied(args, add, VPORT_EXTERNAL, "external", 2);
	if (err == 0)
		err = conf_append_switch(args, &add->sw);
	if (err != 0)
		args->c->n_ports = n_ports;
	return err;
}

static int append_implied(struct conf_args *args, const struct switch_add *add,
			  enum vport_type type, const char *suffix, uint16_t id)
{
	struct conf_port p = {.type = type, .id = id, .queues = 1};

	snprintf(p.name, sizeof(p.name), "%.*s:%s", OBJECT_NAME_MAX, add->sw.name, suffix);
	memcpy(p.switch_name, add->sw.name, sizeof(p.switch_name));
	if (type == VPORT_INTERNAL) {
		p.has_nic = true;
		p.kind = VNIC_TAP;
		memcpy(p.path, add->tap, sizeof(add->tap));
	} else if (type == VPORT_EXTERNAL) {
		p.has_nic = true;
		p.kind = add->nic_kind;
		memcpy(p.path, add->sw.nic, sizeof(p.path));
	}
	return conf_append_port(args, &p);
}

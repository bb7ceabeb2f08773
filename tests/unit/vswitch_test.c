// The live switch's rules: references, slots, change counters, all or nothing. Needs EAL without
// hugepages and one proc; ports are VM ports whose VM never comes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "switch/conf_types.h"
#include "switch/fdb.h"
#include "switch/policy.h"
#include "switch/proc.h"
#include "switch/root.h"
#include "switch/vswitch.h"
#include "switch/vswitch_policy.h"
#include "tests/unit/eal.h"

enum { EDGE_REFS = 3, MBUFS = 255 };

static struct vswitch *sw;

static struct conf_switch switch_conf(const char *name)
{
	struct conf_switch conf = {
		.id = "AC2DA35C-661A-40AE-82F2-1F62F70DBB2A",
		.device_id = "95141247-9BD1-4449-9223-C402789D94DD",
		.type = CONF_SWITCH_PRIVATE,
		.ageing_s = 300,
		.stations = 64,
		.mtu = 1500,
	};

	snprintf(conf.name, sizeof(conf.name), "%s", name);
	return conf;
}

static struct conf_port port_conf(const char *name, uint16_t id)
{
	struct conf_port conf = {
		.type = VPORT_SYNTHETIC,
		.has_nic = true,
		.kind = VNIC_VHOST,
		.queues = 1,
		.id = id,
	};

	snprintf(conf.name, sizeof(conf.name), "%s", name);
	snprintf(conf.path, sizeof(conf.path), "/nonexistent/%s.sock", name);
	return conf;
}

static struct vport *add(const struct conf_port *conf)
{
	struct errtext e = {.text = ""};
	struct vport *port = NULL;

	if (vswitch_port_add(sw, conf, VSWITCH_NEW, -1, &port, &e) != 0)
		fail_msg("%s", e.text);
	return port;
}

static unsigned refs(void)
{
	return atomic_load(&sw->obj.refs);
}

static void references_are_edges_and_ports(void **state)
{
	struct conf_port a = port_conf("a", 1), b = port_conf("b", 2);
	struct vport *pa, *pb;

	assert_int_equal(refs(), EDGE_REFS);
	pa = add(&a);
	pb = add(&b);
	assert_int_equal(refs(), EDGE_REFS + 2);
	assert_ptr_equal(vswitch_port_find("b"), pb);
	vswitch_port_remove(pa, true);
	assert_int_equal(refs(), EDGE_REFS + 1);
	assert_null(vswitch_port_find("a"));
	vswitch_port_remove(pb, true);
	assert_int_equal(refs(), EDGE_REFS);
	assert_int_equal(sw->n_ports, 0);
}

static void objects_say_what_they_are(void **state)
{
	struct conf_port a = port_conf("a", 7);
	struct vport *port = add(&a);

	assert_int_equal(port->obj.magic, OBJECT_MAGIC);
	assert_int_equal(port->obj.type, OBJECT_VPORT);
	assert_string_equal(port->obj.name, "a");
	assert_string_equal(port->obj.friendly_name, "Dynamic Ethernet Switch Port");
	assert_int_equal(port->id, 7);
	assert_int_equal(port->is_validation, 1);
	assert_int_equal(port->nic->obj.type, OBJECT_VNIC);
	assert_ptr_equal(port->nic->port, port);
	assert_int_equal(sw->obj.type, OBJECT_VSWITCH);
	assert_int_equal(sw->miniport->obj.type, OBJECT_MINIPORT);
	assert_int_equal(sw->mopen->obj.type, OBJECT_MOPEN);
	assert_ptr_equal(sw->mopen->miniport, sw->miniport);
	// No change is under way when a command is over.
	assert_int_equal(atomic_load(&sw->obj.changes) % 2, 0);
	assert_int_equal(atomic_load(&port->obj.changes) % 2, 0);
	assert_int_equal(atomic_load(&port->nic->obj.changes) % 2, 0);
	vswitch_port_remove(port, true);
}

static void procs_know_exactly_the_ports_with_a_nic(void **state)
{
	struct conf_port a = port_conf("a", 1), none = port_conf("none", 0);
	const struct vswitch_map *map;
	struct vport *port, *without;

	none.has_nic = false;
	none.type = VPORT_DEFAULT;
	without = add(&none);
	port = add(&a);
	map = atomic_load(&sw->map);
	assert_int_equal(map->n_ports, 1);
	assert_int_equal(map->n_guests, 1);
	assert_int_equal(map->flood[0], port->slot);
	assert_ptr_equal(map->by_slot[port->slot], port);
	assert_null(map->by_slot[without->slot]);
	assert_int_equal(atomic_load(&proc_at(0)->conf)->n_rxqs, 1);
	vswitch_port_remove(port, true);
	map = atomic_load(&sw->map);
	assert_int_equal(map->n_ports, 0);
	assert_int_equal(map->n_guests, 0);
	assert_int_equal(atomic_load(&proc_at(0)->conf)->n_rxqs, 0);
	vswitch_port_remove(without, true);
}

static void what_fails_leaves_no_trace(void **state)
{
	struct conf_port good = port_conf("good", 1), bad = port_conf("bad", 2);
	uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct errtext e = {.text = ""};
	struct vport *port, *none = NULL;

	good.mac_set = true;
	memcpy(good.mac, mac, sizeof(mac));
	port = add(&good);

	bad.kind = VNIC_PACKET;
	snprintf(bad.path, sizeof(bad.path), "no-such-nic");
	assert_true(vswitch_port_add(sw, &bad, VSWITCH_NEW, -1, &none, &e) < 0);
	assert_non_null(strstr(e.text, "no-such-nic"));

	bad = port_conf("bad", 2);
	bad.mac_set = true;
	memcpy(bad.mac, mac, sizeof(mac));
	assert_int_equal(vswitch_port_add(sw, &bad, VSWITCH_NEW, -1, &none, &e), -EEXIST);
	assert_non_null(strstr(e.text, "'good'"));

	assert_null(none);
	assert_int_equal(refs(), EDGE_REFS + 1);
	assert_int_equal(atomic_load(&sw->map)->n_ports, 1);
	assert_int_equal(fdb_lookup(atomic_load(&sw->fdb), mac, 0), port->slot);
	vswitch_port_remove(port, true);
	assert_int_equal(fdb_lookup(atomic_load(&sw->fdb), mac, 0), FDB_NO_SLOT);
}

static void missing_nic_of_a_stored_port_is_waited_for(void **state)
{
	struct conf_port conf = port_conf("later", 1);
	struct vport *port;

	conf.kind = VNIC_PACKET;
	snprintf(conf.path, sizeof(conf.path), "no-such-nic");
	assert_int_equal(vswitch_port_add(sw, &conf, VSWITCH_STORED, -1, &port, NULL), 0);
	assert_int_equal(port->nic->state, VNIC_STATE_DISCONNECTED);
	assert_non_null(strstr(port->nic->why, "no-such-nic"));
	vswitch_port_remove(port, true);
}

static void slots_are_used_again_and_start_empty(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct conf_port a = port_conf("a", 1), b = port_conf("b", 2);
	struct fdb *fdb = atomic_load(&sw->fdb);
	struct vport *port;
	uint16_t slot;

	for (int i = 0; i < 100; i++) {
		port = add(i % 2 == 0 ? &a : &b);
		slot = port->slot;
		assert_int_equal(slot, 0);
		assert_int_equal(fdb_pin(fdb, mac, 5, slot, NULL), 0);
		assert_int_equal(fdb_lookup(fdb, mac, 5), slot);
		vswitch_port_remove(port, true);
		assert_int_equal(fdb_lookup(fdb, mac, 5), FDB_NO_SLOT);
	}
}

static void a_table_of_another_size_keeps_its_stations(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 3};
	struct conf_switch conf = switch_conf("s");
	struct conf_port a = port_conf("a", 1);
	struct vport *port;

	a.mac_set = true;
	memcpy(a.mac, mac, sizeof(mac));
	port = add(&a);
	conf.stations = 4096;
	conf.mtu = 9000;
	snprintf(conf.friendly_name, sizeof(conf.friendly_name), "Demo");
	assert_int_equal(vswitch_update(sw, &conf, NULL), 0);
	assert_int_equal(atomic_load(&sw->fdb)->max_stations, 4096);
	assert_int_equal(fdb_lookup(atomic_load(&sw->fdb), mac, 0), port->slot);
	assert_int_equal(atomic_load(&sw->frame_max), 9014);
	assert_int_equal(port->nic->mtu, 9000);
	assert_string_equal(sw->obj.friendly_name, "Demo");
	vswitch_port_remove(port, true);
}

static void policies_change_all_or_none(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 3}, other[6] = {2, 0, 0, 0, 0, 4};
	struct conf_port ports[2] = {port_conf("a", 1), port_conf("b", 2)};
	const struct conf conf = {.n_ports = 2, .ports = ports};
	struct fdb *fdb = atomic_load(&sw->fdb);
	struct errtext e = {.text = ""};
	struct vport *a, *b;
	struct policy *before;

	ports[0].mac_set = true;
	memcpy(ports[0].mac, mac, sizeof(mac));
	a = add(&ports[0]);
	b = add(&ports[1]);
	before = atomic_load(&a->policy);
	assert_non_null(before);
	assert_null(atomic_load(&b->policy));

	// What is to become of a is done when b turns out to be impossible.
	ports[0].policy.vlan = (struct conf_vlan){.is_set = true, .mode = VLAN_ACCESS, .own = 5};
	memcpy(ports[0].mac, other, sizeof(other));
	ports[1].mac_set = true;
	memcpy(ports[1].mac, other, sizeof(other));
	assert_int_equal(vswitch_policy_update(sw, &conf, &e), -EEXIST);
	assert_non_null(strstr(e.text, "'a'"));
	assert_ptr_equal(atomic_load(&a->policy), before);
	assert_null(atomic_load(&b->policy));
	assert_int_equal(fdb_lookup(fdb, mac, 0), a->slot);
	assert_int_equal(fdb_lookup(fdb, other, 5), FDB_NO_SLOT);
	assert_int_equal(fdb_own(fdb, mac, b->slot, &(uint16_t){0}), -EEXIST);

	ports[1].mac_set = false;
	assert_int_equal(vswitch_policy_update(sw, &conf, NULL), 0);
	assert_int_equal(policy_of(a)->vlan.own, 5);
	assert_int_equal(fdb_lookup(fdb, mac, 0), FDB_NO_SLOT);
	assert_int_equal(fdb_lookup(fdb, other, 5), a->slot);
	vswitch_port_remove(b, true);
	vswitch_port_remove(a, true);
	assert_int_equal(fdb_lookup(fdb, other, 5), FDB_NO_SLOT);
}

// The next port at the slot of a mirror's destination must not get what was meant for that one.
static void a_mirror_ends_with_its_destination(void **state)
{
	struct conf_port ports[2] = {port_conf("a", 1), port_conf("b", 2)};
	const struct conf conf = {.n_ports = 2, .ports = ports},
			  rest = {.n_ports = 1, .ports = ports};
	struct vport *a = add(&ports[0]), *b = add(&ports[1]);
	uint16_t slot = b->slot;

	ports[1].policy.mirror = VPORT_MONITOR_DESTINATION;
	ports[1].policy.session = 9;
	assert_int_equal(vswitch_policy_update(sw, &conf, NULL), 0);
	assert_int_equal(atomic_load(&sw->mirrors)->n, 1);
	assert_int_equal(atomic_load(&sw->mirrors)->to[0].session, 9);
	vswitch_port_remove(b, true);
	assert_int_equal(atomic_load(&sw->mirrors)->to[0].session, 0);
	ports[1].policy.mirror = VPORT_MONITOR_NONE;
	b = add(&ports[1]);
	assert_int_equal(b->slot, slot);
	assert_int_equal(atomic_load(&sw->mirrors)->to[0].session, 0);
	vswitch_port_remove(b, true);
	assert_int_equal(vswitch_policy_update(sw, &rest, NULL), 0);
	assert_null(atomic_load(&sw->mirrors));
	vswitch_port_remove(a, true);
}

static int setup(void **state)
{
	struct conf_switch conf = switch_conf("s");

	return vswitch_create(&conf, &sw, NULL);
}

static int teardown(void **state)
{
	vswitch_destroy(sw, true);
	return vswitch_find("s") == NULL && vswitch_count() == 0 ? 0 : -1;
}

static int group_setup(void **state)
{
	const struct ports_env env = {
		.wake = proc_wake, .run_dir = "/nonexistent", .n_mbufs = MBUFS};
	const unsigned core = 0;
	struct ports_env with_rcu = env;

	if (log_init(LOG_LEVEL_ERROR) < 0 || eal_start() < 0 || proc_init() < 0)
		return -1;
	with_rcu.rcu = proc_rcu();
	if (ports_init(&with_rcu, NULL) < 0)
		return -1;
	return proc_start_all(&core, 1, false, NULL);
}

static int group_teardown(void **state)
{
	proc_stop_all();
	ports_fini();
	proc_fini();
	log_fini();
	return 0;
}

#define VSWITCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VSWITCH_TEST(references_are_edges_and_ports),
		VSWITCH_TEST(objects_say_what_they_are),
		VSWITCH_TEST(procs_know_exactly_the_ports_with_a_nic),
		VSWITCH_TEST(what_fails_leaves_no_trace),
		VSWITCH_TEST(missing_nic_of_a_stored_port_is_waited_for),
		VSWITCH_TEST(slots_are_used_again_and_start_empty),
		VSWITCH_TEST(a_table_of_another_size_keeps_its_stations),
		VSWITCH_TEST(policies_change_all_or_none),
		VSWITCH_TEST(a_mirror_ends_with_its_destination),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "switch/policy_types.h"
#include "tests/unit/conf_commands.h"

static uint16_t id_of(struct conf *c, const char *port)
{
	assert_non_null(conf_port_find(c, port));
	return conf_port_find(c, port)->id;
}

static void switches_bring_their_vports(void **state)
{
	struct conf *c = *state;

	run(c, "switch add P private");
	run(c, "switch add I internal");
	run(c, "switch add E external nic eth1");
	run(c, "switch add F external nic eth2 allow-management-os off");
	assert_int_equal(c->n_ports, 1 + 2 + 3 + 2);
	assert_null(conf_port_find(c, "P:internal"));
	assert_int_equal(id_of(c, "I:internal"), 1);
	assert_int_equal(id_of(c, "E:external"), 2);
	assert_null(conf_port_find(c, "F:internal"));
	assert_int_equal(id_of(c, "F:external"), 2);
	assert_string_equal(conf_port_find(c, "E:external")->path, "eth1");
	assert_string_equal(conf_port_find(c, "E:internal")->path, "vsw-E");
	run(c, "port add x switch F tap x");
	assert_int_equal(id_of(c, "x"), 3); // 1 stays the host's
	run(c, "port add y switch P tap y");
	assert_int_equal(id_of(c, "y"), 1);
	run(c, "switch remove E");
	assert_null(conf_port_find(c, "E:external"));
	assert_int_equal(c->n_switches, 3);
}

static void ids_in_the_order_of_the_seed(void **state)
{
	struct conf *c = *state;

	run(c, "switch add \"External Demo\" external nic eth1");
	run(c, "port add a switch \"External Demo\" vhost a.sock id 3");
	run(c, "port add b switch \"External Demo\" vhost b.sock id 5");
	run(c, "port add c switch \"External Demo\" vhost c.sock id 4");
	assert_int_equal(c->ports[3].id, 3);
	assert_int_equal(c->ports[4].id, 5);
	assert_int_equal(c->ports[5].id, 4);
	run(c, "port add d switch \"External Demo\" vhost d.sock");
	assert_int_equal(id_of(c, "d"), 6);
}

static void ids_are_never_reused(void **state)
{
	struct conf *c = *state, *again;
	struct errtext e;
	char *text;

	run(c, "switch add s private");
	run(c, "port add a switch s tap a");
	run(c, "port add b switch s tap b id 7");
	run(c, "port remove a");
	run(c, "port remove b");
	refuse(c, "port add b switch s tap b id 7", -EEXIST, 30, "never");
	refuse(c, "port add b switch s tap b id 1", -EEXIST, 30, "never");
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "retired-ids 1,7\n"));
	assert_int_equal(
		conf_load(text, strlen(text), "state", CONF_STATE, &conf_fixture_env, &again, &e),
		0);
	refuse(again, "port add b switch s tap b id 7", -EEXIST, 30, "never");
	run(again, "port add b switch s tap b");
	assert_int_equal(id_of(again, "b"), 2);
	conf_destroy(again);
	free(text);
	// A new switch of the same name is a new switch.
	run(c, "switch remove s");
	run(c, "switch add s private");
	run(c, "port add b switch s tap b id 7");
}

static void names_are_unique(void **state)
{
	char line[256], name[OBJECT_NAME_SIZE];
	struct conf *c = *state;

	run(c, "switch add s internal");
	run(c, "port add p switch s tap t");
	refuse(c, "switch add s private", -EEXIST, 12, "a switch is called 's'");
	refuse(c, "switch add p private", -EEXIST, 12, "a port is called 'p'");
	refuse(c, "port add s switch s tap u", -EEXIST, 10, "a switch is called 's'");
	refuse(c, "port add p switch s tap u", -EEXIST, 10, "a port is called 'p'");
	refuse(c, "port add \"s:internal\" switch s tap u", -EEXIST, 10, "a port");
	run(c, "port add \"q:default\" switch s tap u");
	refuse(c, "switch add q private", -EEXIST, 12, "'q:default'");
	refuse(c, "switch add \"\" private", -EINVAL, 12, "empty");
	refuse(c, "switch add \"a\x01\" private", -EINVAL, 12, "U+0001");
	refuse(c, "switch add a\xff private", -EINVAL, 12, "UTF-8");
	run(c, "switch add caf\xc3\xa9 private");
	memset(name, 'n', 65);
	name[65] = '\0';
	snprintf(line, sizeof(line), "switch add %s private", name);
	refuse(c, line, -EINVAL, 12, "65 bytes; at most 64");
	name[64] = '\0';
	snprintf(line, sizeof(line), "switch add %s internal", name);
	run(c, line);
	strcat(name, ":internal");
	assert_non_null(conf_port_find(c, name));
}

static void tap_names(void **state)
{
	struct conf *c = *state;

	run(c, "switch add lab internal");
	assert_string_equal(conf_port_find(c, "lab:internal")->path, "vsw-lab");
	run(c, "switch add elevenchars internal");
	assert_string_equal(conf_port_find(c, "elevenchars:internal")->path, "vsw-elevenchars");
	run(c, "switch add twelve_chars internal");
	run(c, "switch add \"twelve_ ars\" internal");
	assert_int_equal(strlen(conf_port_find(c, "twelve_chars:internal")->path), 15);
	assert_string_not_equal(conf_port_find(c, "twelve_chars:internal")->path,
				conf_port_find(c, "twelve_ ars:internal")->path);
	run(c, "switch add own internal tap mine");
	assert_string_equal(conf_port_find(c, "own:internal")->path, "mine");
	run(c, "port add x switch own tap vsw-later");
	run(c, "switch add later internal");
	assert_string_not_equal(conf_port_find(c, "later:internal")->path, "vsw-later");
	refuse(c, "switch add z internal tap mine", -EEXIST, 27, "port 'own:internal'");
	refuse(c, "switch add z internal tap 1234567890123456", -EINVAL, 27, "16 bytes");
	refuse(c, "switch add z internal tap a/b", -EINVAL, 27, "character");
	refuse(c, "switch add z internal tap tap%d", -EINVAL, 27, "character");
	refuse(c, "switch add z private tap x", -EINVAL, 26, "host");
	refuse(c, "switch add z external nic e9 tap e9", -EEXIST, 34, "name of the NIC");
}

static void nothing_is_used_twice(void **state)
{
	struct conf *c = *state;

	run(c, "switch add s private");
	run(c, "switch add t private");
	run(c, "port add v switch s vhost v.sock");
	refuse(c, "port add w switch t vhost v.sock", -EEXIST, 27, "port 'v'");
	refuse(c, "port add w switch t vhost /run/vsw/v.sock", -EEXIST, 27, "port 'v'");
	refuse(c, "port add w switch t vhost /run//vsw/./v.sock", -EEXIST, 27, "port 'v'");
	run(c, "port add e switch s nic eth1");
	refuse(c, "port add w switch t nic eth1", -EEXIST, 25, "port 'e'");
	refuse(c, "port add w switch t tap eth1", -EEXIST, 25, "port 'e'");
	refuse(c, "switch add x external nic eth1", -EEXIST, 27, "port 'e'");
	run(c, "port add p switch s nic 3B:00.0");
	refuse(c, "port add w switch t nic 0000:3b:00.0", -EEXIST, 25, "port 'p'");
	run(c, "port add d switch s nic vdev:net_tap0,iface=x");
	refuse(c, "port add w switch t nic vdev:net_tap0,iface=y", -EEXIST, 25, "port 'd'");
	run(c, "port add c switch s pcap tx /tmp/c.pcap");
	refuse(c, "port add w switch t pcap tx /tmp/c.pcap", -EEXIST, 29, "port 'c'");
	run(c, "port add m switch s tap m mac 02:00:00:00:00:01");
	refuse(c, "port add w switch s tap w mac 02-00-00-00-00-01", -EEXIST, 31, "port 'm'");
	run(c, "port add n switch t tap n mac 02:00:00:00:00:01"); // of another switch
	refuse(c, "port set v mac 02:00:00:00:00:01", -EEXIST, 12, "port 'm'");
	run(c, "port set m mac 02:00:00:00:00:01"); // its own
	refuse(c, "switch add g private id AC2DA35C-661A-40AE-82F2-1F62F70DBB2", -EINVAL, 25,
	       "GUID");
	run(c, "switch add g private id {ac2da35c-661a-40ae-82f2-1f62f70dbb2a}");
	assert_string_equal(conf_switch_find(c, "g")->id, "AC2DA35C-661A-40AE-82F2-1F62F70DBB2A");
	refuse(c, "switch add h private device-id AC2DA35C-661A-40AE-82F2-1F62F70DBB2A", -EEXIST,
	       32, "switch 'g'");
}

static void errors_point_at_the_word(void **state)
{
	struct conf *c = *state;

	run(c, "switch add lab internal");
	run(c, "port add vm1 switch lab vhost vm1.sock");
	refuse(c, "swich add x private", -EINVAL, 1, "did you mean 'switch'");
	refuse(c, "switch ad x private", -EINVAL, 8, "did you mean 'add'");
	refuse(c, "switch", -EINVAL, 7, "missing");
	refuse(c, "switch add", -EINVAL, 11, "name of the switch");
	refuse(c, "switch add x", -EINVAL, 13, "the type");
	refuse(c, "switch add x intern", -EINVAL, 14, "did you mean 'internal'");
	refuse(c, "switch add x external", -EINVAL, 22, "needs a NIC");
	refuse(c, "switch add x external nic", -EINVAL, 26, "'nic' needs a value");
	refuse(c, "switch add x internal nic e", -EINVAL, 23, "only an external switch");
	refuse(c, "switch add x internal allow-management-os off", -EINVAL, 23, "external");
	refuse(c, "switch add x external nic e allow-management-os of", -EINVAL, 49, "neither");
	refuse(c, "switch add x external nic a:b", -EINVAL, 27, "neither a kernel interface");
	refuse(c, "switch add x external nic vdev:", -EINVAL, 27, "lacks the device");
	refuse(c, "switch add x private vlan 5", -EINVAL, 22, "Known here: nic, id");
	refuse(c, "switch set lba ageing 5", -ENOENT, 12, "did you mean 'lab'");
	refuse(c, "switch set lab", -EINVAL, 15, "missing");
	refuse(c, "switch set lab ageing", -EINVAL, 22, "seconds");
	refuse(c, "switch set lab ageing 5s", -EINVAL, 23, "'5s' is not a number from 0");
	refuse(c, "switch set lab ageing 99999999999999999999", -EINVAL, 23, "number");
	refuse(c, "switch set lab mtu 575", -EINVAL, 20, "576 to 9216");
	refuse(c, "switch set lab mtu 9217", -EINVAL, 20, "576 to 9216");
	refuse(c, "switch set lab stations 3", -EINVAL, 25, "16 to");
	refuse(c, "switch set lab ageing 5 ageing 6", -EINVAL, 25, "second time");
	refuse(c, "switch set lab mtu 2000 agein 6", -EINVAL, 25, "did you mean 'ageing'");
	refuse(c, "switch set lab vmq on", -EINVAL, 16, "Known here: ageing, stations, mtu");
	refuse(c, "switch remove lab x", -EINVAL, 19, "too much");
	refuse(c, "switch remove nix", -ENOENT, 15, "there is no switch 'nix'");
	refuse(c, "port add x", -EINVAL, 11, "switch NAME");
	refuse(c, "port add x switch lab", -EINVAL, 22, "vhost SOCKET, tap");
	refuse(c, "port add x switch lab vhost", -EINVAL, 28, "a socket");
	refuse(c, "port add x switch lab tap t vhost s", -EINVAL, 29, "one of them");
	refuse(c, "port add x switch lab tap t server", -EINVAL, 35, "only with 'vhost'");
	refuse(c, "port add x switch lab tap t rx /f", -EINVAL, 34, "only with 'pcap'");
	refuse(c, "port add x switch lab vhost s client server", -EINVAL, 44, "exclude");
	refuse(c, "port add x switch lab vhost s queues 17", -EINVAL, 38, "number from 1 to 16");
	refuse(c, "port add x switch lab vhost s queues 0", -EINVAL, 38, "number from 1 to 16");
	refuse(c, "port add x switch lab tap t0 queues 2", -EINVAL, 30, "which has one queue");
	refuse(c, "port add x switch lab vhost s mac 02:00:00:00:00", -EINVAL, 35, "not a MAC");
	refuse(c, "port add x switch lab vhost s mac 03:00:00:00:00:00", -EINVAL, 35, "group");
	refuse(c, "port add x switch lab vhost s mac 00:00:00:00:00:00", -EINVAL, 35, "nobody");
	refuse(c, "port add x switch lab vhost s id 0", -EINVAL, 34, "1 to 65534");
	refuse(c, "port add x switch lab vhost s id 65535", -EINVAL, 34, "1 to 65534");
	refuse(c, "port add x switch lab vhost s features 12", -EINVAL, 40, "0x");
	refuse(c, "port add x switch lab pcap", -EINVAL, 27, "needs a file");
	refuse(c, "port add x switch lab pcap rx f", -EINVAL, 31, "begin with '/'");
	refuse(c, "port set vm1 vlna 5", -EINVAL, 14, "did you mean 'vlan'");
	refuse(c, "port set vm2 mac none", -ENOENT, 10, "did you mean 'vm1'");
	refuse(c, "port set vm1 mac nobody", -EINVAL, 18, "nor is it 'dynamic'");
	refuse(c, "port set lab:default mac 02:00:00:00:00:07", -EINVAL, 22, "no NIC");
	refuse(c, "port remove lab:internal", -EINVAL, 13, "switch remove");
	refuse(c, "port remove vm1 vm1", -EINVAL, 17, "too much");
}

static void policy_settings_are_read_checked_and_printed(void **state)
{
	struct conf *c = *state;
	char *text;

	run(c, "switch add s private");
	run(c, "port add a switch s tap a mac 02:00:00:00:00:01");
	run(c, "port add b switch s tap b");
	run(c, "port add c switch s tap c");
	run(c, "port set a vlan trunk 1-100,200 native 5 prune 7,9-10 teaming on vm \"the web\"");
	run(c, "port set b storm-limit 100 ieee-priority on mac-spoofing on vlan promiscuous 300 "
	       "301-303");
	run(c, "port set c vlan isolated 300 301");
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "port set a vlan trunk 1-100,200 native 5 prune 7,9-10 "
				     "teaming on vm \"the web\"\n"));
	assert_non_null(strstr(text, "port set b vlan promiscuous 300 301-303 mac-spoofing on "
				     "ieee-priority on storm-limit 100\n"));
	assert_non_null(strstr(text, "port set c vlan isolated 300 301\n"));
	free(text);
	// All of it can be said at once.
	run(c, "port add d switch s tap d vlan access 7 mac dynamic teaming on vm x arp-guard on "
	       "address 192.0.2.9 mirror source session 3");
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "port set d vlan access 7 teaming on vm x arp-guard on mirror "
				     "source session 3 address 192.0.2.9\n"));
	free(text);
	run(c, "port remove d");
	run(c, "port set b vlan default storm-limit 0 ieee-priority off mac-spoofing off");
	run(c, "port set a vlan trunk 5 native none prune 6");
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "port set a vlan trunk 5 native none prune 6 teaming on"));
	free(text);
	run(c, "port set a vlan untagged teaming off vm none");
	run(c, "port set c vlan default");
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "port set a vlan untagged\n"));
	assert_null(strstr(text, "port set b"));
	assert_null(strstr(text, "port set c"));
	free(text);
}

static void pins_of_queues_are_kept(void **state)
{
	struct conf *c = *state;
	char *text;

	run(c, "switch add s internal");
	run(c, "port add a switch s vhost a.sock queues 3 vmq-pin 2:5,0:17");
	run(c, "port add b switch s tap b");
	run(c, "port set b vmq-pin 0:0");
	assert_int_equal(conf_port_find(c, "a")->vmq.pinned[2], 5 + 1);
	assert_int_equal(conf_port_find(c, "a")->vmq.pinned[1], 0);
	text = conf_fixture_text(c);
	assert_non_null(strstr(text, "port set a vmq-pin 0:17,2:5\n"));
	assert_non_null(strstr(text, "port set b vmq-pin 0:0\n"));
	free(text);
	refuse(c, "port set a vmq-pin", -EINVAL, 19, "needs a value");
	refuse(c, "port set a vmq-pin 3:1", -EINVAL, 12, "'a' has no queue 3; it has 3");
	refuse(c, "port set b vmq-pin 1:1", -EINVAL, 12, "'b' has no queue 1; it has 1");
	refuse(c, "port set a vmq-pin 0:1,0:2", -EINVAL, 20, "queue 0 stands there twice");
	refuse(c, "port set s:default vmq-pin 0:1", -EINVAL, 20, "has no NIC");
	refuse(c, "port set a vmq-pin 16:1", -EINVAL, 20, "list of queues 0 to 15");
	refuse(c, "port set a vmq-pin 0:1024", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin 1", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin 0:", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin 0:1,", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin :1", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin 0:1:2", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin 0:-1", -EINVAL, 20, "is not a list");
	refuse(c, "port set a vmq-pin \"\"", -EINVAL, 20, "is not a list");
	run(c, "port set a vmq-pin none");
	run(c, "port set b vmq-pin none");
	text = conf_fixture_text(c);
	assert_null(strstr(text, "vmq-pin"));
	free(text);
}

static void wrong_policies_are_refused(void **state)
{
	struct conf *c = *state;

	run(c, "switch add s private");
	run(c, "switch add t private");
	run(c, "port add a switch s tap a");
	run(c, "port add b switch s tap b");
	run(c, "port add o switch t tap o");
	refuse(c, "port set a vlan", -EINVAL, 16, "needs a value");
	refuse(c, "port set a vlan acess 5", -EINVAL, 17, "did you mean 'access'");
	refuse(c, "port set a vlan access", -EINVAL, 23, "missing at the end: the VLAN");
	refuse(c, "port set a vlan access 0", -EINVAL, 24, "1 to 4094");
	refuse(c, "port set a vlan access 4095", -EINVAL, 24, "1 to 4094");
	refuse(c, "port set a vlan trunk 5-3", -EINVAL, 23, "not a list of VLANs");
	refuse(c, "port set a vlan trunk 0-3", -EINVAL, 23, "not a list of VLANs");
	refuse(c, "port set a vlan trunk 1-9999999999", -EINVAL, 23, "not a list of VLANs");
	refuse(c, "port set a vlan trunk 5 native 5 prune 4-6", -EINVAL, 40, "which is it");
	refuse(c, "port set a vlan isolated 5 5", -EINVAL, 28, "primary and secondary at once");
	refuse(c, "port set a vlan promiscuous 5 4-6", -EINVAL, 31, "at once");
	refuse(c, "port set a storm-limit -1", -EINVAL, 24, "frames per second");
	refuse(c, "port set a teaming on", -EINVAL, 12, "vm NAME");
	refuse(c, "port set a teaming on vm x", -EINVAL, 12, "mac MAC");
	refuse(c, "port set s:default vlan access 5", -EINVAL, 20, "no NIC");
	refuse(c, "port add x switch s tap x vlan access 0", -EINVAL, 39, "1 to 4094");
	refuse(c, "port add x switch s tap x teaming on vm y", -EINVAL, 10, "mac MAC");
	run(c, "port set a vlan isolated 100 101");
	refuse(c, "port set b vlan community 100 101", -EEXIST, 12,
	       "an isolated secondary by port 'a'");
	refuse(c, "port set b vlan isolated 200 101", -EEXIST, 12,
	       "a secondary of VLAN 100 by port 'a'");
	refuse(c, "port set b vlan isolated 101 102", -EEXIST, 12, "cannot be a primary VLAN");
	refuse(c, "port set b vlan access 101", -EEXIST, 12, "cannot be an ordinary VLAN");
	refuse(c, "port set b vlan promiscuous 200 101", -EEXIST, 12, "cannot be one of VLAN 200");
	run(c, "port set b vlan promiscuous 100 101-103");
	run(c, "port set b vlan trunk 1-4094 native 7");
	run(c, "port set o vlan community 200 101"); // of another switch
	run(c, "port set a vlan community 300 101"); // nobody else's any more
}

static void assert_saved_as(struct conf *c, const char *set, const char *saved)
{
	char line[4096], *text;

	snprintf(line, sizeof(line), "port set a %s", set);
	run(c, line);
	text = conf_fixture_text(c);
	snprintf(line, sizeof(line), "\nport set a %s\n", saved);
	if (strstr(text, line) == NULL)
		fail_msg("%s: not saved as%s", set, line);
	free(text);
	run(c, "port set a arp-guard off address none dhcp-guard off router-guard off");
	text = conf_fixture_text(c);
	assert_null(strstr(text, "port set a"));
	free(text);
}

// The n-th of many prefixes, in the longest form.
static size_t add_prefix(char *line, size_t size, size_t at, unsigned n)
{
	return at + (size_t)snprintf(line + at, size - at,
				     "%s2001:db8:1111:2222:3333:4444:%x:8000/113", n > 0 ? "," : "",
				     n + 0x5550);
}

static void guards_are_read_checked_and_printed(void **state)
{
	struct conf *c = *state;
	char line[4096];
	size_t at;

	run(c, "switch add s private");
	run(c, "port add a switch s tap a");
	assert_saved_as(c, "dhcp-guard on", "dhcp-guard on");
	assert_saved_as(c, "router-guard on dhcp-guard on", "dhcp-guard on router-guard on");
	assert_saved_as(c, "address 192.0.2.1", "address 192.0.2.1");
	assert_saved_as(c, "arp-guard on address 192.0.2.1,198.51.100.0/24",
			"arp-guard on address 192.0.2.1,198.51.100.0/24");
	// Each address has one way to be written.
	assert_saved_as(c, "address 2001:DB8:0:0::5,2001:db8::/32,0.0.0.0/0,::/0,fe80::1/128",
			"address 2001:db8::5,2001:db8::/32,0.0.0.0/0,::/0,fe80::1");
	assert_saved_as(c, "address ::ffff:192.0.2.1,::ffff:198.51.100.0/120,192.0.2.2/32",
			"address 192.0.2.1,198.51.100.0/24,192.0.2.2");
	// As many as there may be.
	at = (size_t)snprintf(line, sizeof(line), "address ");
	for (unsigned n = 0; n < GUARD_ADDRESSES_MAX; n++)
		at = add_prefix(line, sizeof(line), at, n);
	assert_saved_as(c, line, line);
	add_prefix(line, sizeof(line), at, GUARD_ADDRESSES_MAX);
	memmove(line + strlen("port set a "), line, strlen(line) + 1);
	memcpy(line, "port set a ", strlen("port set a "));
	refuse(c, line, -EINVAL, 20, "at most 32 addresses");
}

static void wrong_guards_are_refused(void **state)
{
	static const char *const no_addresses[] = {
		"192.0.2",       "192.0.2.256",  "192.0.2.1/33",
		"192.0.2.1/",    "192.0.2.1/x",  "192.0.2.1,",
		",192.0.2.1",    "1,2",          "2001:db8::/129",
		"2001:db8:::1",  "fe80::1%eth0", "192.0.2.1/-1",
		"192.0.2.1/1/1", "host",         "/24",
		"192.0.2.1/24/", "0192.0.2.1",   "1111:2222:3333:4444:5555:6666:7777:8888:9999"};
	struct conf *c = *state;

	run(c, "switch add s private");
	run(c, "port add a switch s tap a");
	for (unsigned i = 0; i < sizeof(no_addresses) / sizeof(no_addresses[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "port set a address %s", no_addresses[i]);
		refuse(c, line, -EINVAL, 20, "is not an address or a prefix");
	}
	refuse(c, "port set a address 192.0.2.1/24", -EINVAL, 20, "bits behind its prefix");
	refuse(c, "port set a address 2001:db8::1/127", -EINVAL, 20, "bits behind its prefix");
	refuse(c, "port set a address 192.0.2.1,0.0.0.0", -EINVAL, 20, "no station's");
	refuse(c, "port set a address ::", -EINVAL, 20, "no station's");
	refuse(c, "port set a address 224.0.0.0/4", -EINVAL, 20, "no station's");
	refuse(c, "port set a address 255.255.255.255", -EINVAL, 20, "no station's");
	refuse(c, "port set a address ff02::1", -EINVAL, 20, "no station's");
	refuse(c, "port set a address 192.0.2.1,::1,::ffff:192.0.2.1", -EINVAL, 20, "twice");
	refuse(c, "port set a dhcp-guard yes", -EINVAL, 23, "neither 'on' nor 'off'");
	refuse(c, "port set a router-guard 1", -EINVAL, 25, "neither 'on' nor 'off'");
	refuse(c, "port set a dhcp-gard on", -EINVAL, 12, "did you mean 'dhcp-guard'");
	refuse(c, "port set s:default dhcp-guard on", -EINVAL, 20, "no NIC");
	refuse(c, "port set s:default address 192.0.2.1", -EINVAL, 20, "no NIC");
	// A guard without an address would let nothing be announced.
	refuse(c, "port set a arp-guard on", -EINVAL, 12, "address LIST");
	run(c, "port set a arp-guard on address 192.0.2.1");
	refuse(c, "port set a address none", -EINVAL, 12, "address LIST");
	refuse(c, "port set a dhcp-guard on address none", -EINVAL, 12, "address LIST");
	run(c, "port set a arp-guard off address none");
}

// A state with more addresses than the table has room for could not be taken up again.
static void the_table_has_room_for_all_addresses(void **state)
{
	struct conf *c = *state;
	char line[80];

	run(c, "switch add s private");
	run(c, "switch add t private");
	run(c, "port add o switch t tap o mac dynamic");
	run(c, "port add x switch s tap x");
	for (unsigned i = 0; i < 17; i++) {
		snprintf(line, sizeof(line), "port add p%u switch s tap t%u mac dynamic", i, i);
		run(c, line);
	}
	refuse(c, "switch set s stations 16", -ENOSPC, 23, "17 ports of switch 's'");
	run(c, "switch set s stations 17");
	refuse(c, "port set x mac dynamic", -ENOSPC, 12, "full of ports' addresses");
	refuse(c, "port add y switch s tap y mac 02:00:00:00:00:01", -ENOSPC, 31, "switch set");
	run(c, "port set p3 mac 02:00:00:00:00:01");
	run(c, "switch set t stations 16");
}

// Of a VM so large that procs could not hold all of its addresses, none is silently left out.
static void a_vm_has_so_many_addresses(void **state)
{
	struct conf *c = *state;
	char line[80];

	run(c, "switch add s private");
	run(c, "switch add t private");
	for (unsigned i = 0; i <= POLICY_MACS_MAX; i++) {
		snprintf(line, sizeof(line), "port add p%u switch s tap t%u mac dynamic", i, i);
		run(c, line);
		snprintf(line, sizeof(line), "port set p%u vm web", i);
		if (i < POLICY_MACS_MAX)
			run(c, line);
	}
	refuse(c, line, -ENOSPC, 14, "VM 'web' has 16 addresses");
	run(c, "port set p3 mac none");
	run(c, line);
	refuse(c, "port set p3 mac dynamic", -ENOSPC, 13, "VM 'web' has 16 addresses");
	run(c, "port add o switch t tap o mac dynamic vm web");
}

static void dynamic_addresses_come_from_the_hosts_pool(void **state)
{
	struct conf *c = *state;
	char line[80];

	run(c, "switch add s private");
	run(c, "switch add t private");
	run(c, "port add a switch s tap a mac dynamic");
	run(c, "port add b switch t tap b mac dynamic");
	run(c, "port add x switch t tap x");
	assert_memory_equal(conf_port_find(c, "a")->mac, "\x00\x15\x5d\x01\x02\x00", 6);
	assert_memory_equal(conf_port_find(c, "b")->mac, "\x00\x15\x5d\x01\x02\x01", 6);
	run(c, "port remove a");
	for (unsigned i = 0; i < 255; i++) {
		snprintf(line, sizeof(line), "port add p%u switch s tap t%u mac dynamic", i, i);
		run(c, line);
	}
	refuse(c, "port set x mac dynamic", -ENOSPC, 16, "00-15-5D-01-02-00");
	run(c, "port remove p100");
	run(c, "port set x mac dynamic");
	assert_int_equal(conf_port_find(c, "x")->mac[5], 101);
}

static void long_socket_paths(void **state)
{
	char line[400], path[200];
	struct conf *c = *state;

	run(c, "switch add s private");
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	snprintf(line, sizeof(line), "port add a switch s vhost %s", path);
	run(c, line);
	path[106] = 'q';
	path[107] = 'q';
	path[108] = '\0';
	snprintf(line, sizeof(line), "port add b switch s vhost %s", path);
	refuse(c, line, -EINVAL, 27, "over 107 bytes");
	memset(path, 'r', 99); // "/run/vsw/" has 9
	path[99] = '\0';
	snprintf(line, sizeof(line), "port add b switch s vhost %s", path);
	refuse(c, line, -EINVAL, 27, "with /run/vsw");
}

static void limits_of_number(void **state)
{
	struct conf *c = *state;
	char line[128];

	for (unsigned i = 0; i < CONF_SWITCHES_MAX; i++) {
		snprintf(line, sizeof(line), "switch add s%u private", i);
		run(c, line);
	}
	refuse(c, "switch add more private", -ENOSPC, 24, "64 switches");
	for (unsigned i = 1; i < VPORT_MAX; i++) {
		snprintf(line, sizeof(line), "port add p%u switch s0 tap t%u", i, i);
		run(c, line);
	}
	refuse(c, "port add more switch s0 tap more", -ENOSPC, 33, "1024 ports");
	run(c, "port add more switch s1 tap more");
}

static void scattered_ids(void **state)
{
	struct conf *c = *state;
	char line[128];
	unsigned i;

	run(c, "switch add s private");
	for (i = 1; i < 1024; i++) {
		snprintf(line, sizeof(line), "port add p switch s tap t id %u", 2 * i);
		run(c, line);
		run(c, "port remove p");
	}
	snprintf(line, sizeof(line), "port add p switch s tap t id %u", 2 * i);
	refuse(c, line, -ENOSPC, 30, "scattered");
	run(c, "port add p switch s tap t");
	assert_int_equal(id_of(c, "p"), 1);
}

static void temporary_ports_are_not_saved(void **state)
{
	struct conf *c = *state;
	char *text;

	run(c, "switch add s private");
	run(c, "port add cap switch s pcap tx -");
	run(c, "port add cap2 switch s pcap tx -");
	text = conf_fixture_text(c);
	assert_null(strstr(text, "cap"));
	assert_non_null(strstr(text, "retired-ids 1-2\n"));
	free(text);
}

static void load_error(const char *text, enum conf_source source, const char *words)
{
	struct errtext e = {.text = ""};
	struct conf *c = NULL;

	assert_int_not_equal(conf_load(text, strlen(text), "f", source, &conf_fixture_env, &c, &e),
			     0);
	if (strstr(e.text, words) == NULL)
		print_error("%s\n", e.text);
	assert_non_null(strstr(e.text, words));
	assert_null(c);
}

static void files_name_line_and_column(void **state)
{
	struct errtext e;
	struct conf *c;

	load_error("switch add a private\n\n# x\n  switch add a private\n", CONF_FILE, "f:4:14: ");
	load_error("switch add a \"private\n", CONF_FILE, "f:1:14: the quote");
	load_error("show ports\n", CONF_FILE, "f:1:1: unknown command 'show'");
	load_error("switch add s private\nport add c switch s pcap tx -\n", CONF_FILE,
		   "f:2:1: 'tx -'");
	load_error("", CONF_STATE, "f:1:1: the first line");
	load_error("# vsw state 2\n# end\n", CONF_STATE, "f:1:1: the first line");
	load_error("# vsw state 1\nswitch add s private\n", CONF_STATE, "f:2:1: the file ends");
	load_error("# vsw state 1\nswitch add s private\n# en", CONF_STATE, "f:3:1: the file ends");
	load_error("# vsw state 1\nswitch add s privat\n# end\n", CONF_STATE, "f:2:14: ");
	assert_int_equal(
		conf_load("switch add s private", 20, "f", CONF_FILE, &conf_fixture_env, &c, &e),
		0);
	assert_int_equal(c->n_switches, 1);
	conf_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(switches_bring_their_vports),
		TEST(ids_in_the_order_of_the_seed),
		TEST(ids_are_never_reused),
		TEST(names_are_unique),
		TEST(tap_names),
		TEST(nothing_is_used_twice),
		TEST(errors_point_at_the_word),
		TEST(policy_settings_are_read_checked_and_printed),
		TEST(pins_of_queues_are_kept),
		TEST(wrong_policies_are_refused),
		TEST(guards_are_read_checked_and_printed),
		TEST(wrong_guards_are_refused),
		TEST(the_table_has_room_for_all_addresses),
		TEST(a_vm_has_so_many_addresses),
		TEST(dynamic_addresses_come_from_the_hosts_pool),
		TEST(long_socket_paths),
		TEST(limits_of_number),
		TEST(scattered_ids),
		TEST(temporary_ports_are_not_saved),
		TEST(files_name_line_and_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

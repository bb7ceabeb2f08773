#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_fixture.h"

static int setup(void **state)
{
	return conf_create((struct conf **)state);
}

static int teardown(void **state)
{
	conf_destroy(*state);
	return 0;
}

static void run(struct conf *c, const char *line)
{
	struct errtext e = {.text = ""};
	struct conf_edit edit;
	uint32_t column;
	int err = conf_fixture_run(c, line, &edit, &e, &column);

	if (err != 0)
		print_error("%s: column %u: %s\n", line, column, e.text);
	assert_int_equal(err, 0);
}

// The line is refused with these words at this column, and changes nothing.
static void refuse(struct conf *c, const char *line, int err, uint32_t where, const char *words)
{
	struct errtext e = {.text = ""};
	char *before = conf_fixture_text(c), *after;
	struct conf_edit edit;
	uint32_t column;

	assert_int_equal(conf_fixture_run(c, line, &edit, &e, &column), err);
	if (strstr(e.text, words) == NULL || column != where)
		print_error("%s: column %u: %s\n", line, column, e.text);
	assert_non_null(strstr(e.text, words));
	assert_int_equal(column, where);
	after = conf_fixture_text(c);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

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
	refuse(c, "port add x switch lab vhost s queues 2", -EINVAL, 38, "one queue pair");
	refuse(c, "port add x switch lab vhost s queues 0", -EINVAL, 38, "number from 1");
	refuse(c, "port add x switch lab vhost s mac 02:00:00:00:00", -EINVAL, 35, "not a MAC");
	refuse(c, "port add x switch lab vhost s mac 03:00:00:00:00:00", -EINVAL, 35, "group");
	refuse(c, "port add x switch lab vhost s mac 00:00:00:00:00:00", -EINVAL, 35, "nobody");
	refuse(c, "port add x switch lab vhost s id 0", -EINVAL, 34, "1 to 65534");
	refuse(c, "port add x switch lab vhost s id 65535", -EINVAL, 34, "1 to 65534");
	refuse(c, "port add x switch lab vhost s features 12", -EINVAL, 40, "0x");
	refuse(c, "port add x switch lab pcap", -EINVAL, 27, "needs a file");
	refuse(c, "port add x switch lab pcap rx f", -EINVAL, 31, "begin with '/'");
	refuse(c, "port set vm1 vlan access", -EINVAL, 14, "Known here: mac, friendly-name");
	refuse(c, "port set vm2 mac none", -ENOENT, 10, "did you mean 'vm1'");
	refuse(c, "port set vm1 mac nobody", -EINVAL, 18, "nor is it 'none'");
	refuse(c, "port set lab:default mac 02:00:00:00:00:07", -EINVAL, 22, "no NIC");
	refuse(c, "port remove lab:internal", -EINVAL, 13, "switch remove");
	refuse(c, "port remove vm1 vm1", -EINVAL, 17, "too much");
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		TEST(long_socket_paths),
		TEST(limits_of_number),
		TEST(scattered_ids),
		TEST(temporary_ports_are_not_saved),
		TEST(files_name_line_and_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

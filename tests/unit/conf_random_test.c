/*
 * Random commands, most of them right, some wrong. After each: a refused one has changed
 * nothing; the text of the configuration read again gives the same text; no port id was given
 * out twice in the life of a switch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "switch/conf_value.h"
#include "tests/unit/conf_fixture.h"

enum { ROUNDS = 12, COMMANDS = 400, NAMES = 8 };

static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

static const char *pick(const char *const words[], unsigned n)
{
	return words[roll(n)];
}

#define PICK(...)                                                                                  \
	pick((const char *const[]){__VA_ARGS__},                                                   \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void make_switch_command(char *line, size_t size)
{
	unsigned n = roll(4);

	switch (roll(4)) {
	case 0:
		snprintf(line, size, "switch add \"sw %u\" %s", n, PICK("private", "internal"));
		return;
	case 1:
		snprintf(line, size, "switch add \"sw %u\" external nic %s%u %s", n,
			 PICK("eth", "0000:00:0", "vdev:net_null", "bad/"), roll(3),
			 PICK("", "allow-management-os off", "tap mine", "retired-ids 9,11-13"));
		return;
	case 2:
		snprintf(line, size, "switch set \"sw %u\" %s %u friendly-name \"%s\"", n,
			 PICK("ageing", "mtu", "stations", "colour"), 500 + roll(9000),
			 PICK("", "A \\\"name\\\"", "\\\\", "caf\xc3\xa9"));
		return;
	default:
		if (roll(3) == 0)
			snprintf(line, size, "switch remove \"sw %u\"", n);
		else
			snprintf(line, size, "port set \"sw %u:%s\" %s", n,
				 PICK("internal", "external", "default"),
				 PICK("friendly-name X", "mac 02:00:00:00:00:09", "mac none",
				      "max-stations 77"));
	}
}

static void make_port_command(char *line, size_t size)
{
	unsigned n = roll(NAMES), s = roll(4);
	char id[16] = "";

	if (roll(4) == 0)
		snprintf(id, sizeof(id), " id %u", roll(40));
	switch (roll(10)) {
	case 0:
	case 1:
		snprintf(line, size, "port add p%u switch \"sw %u\" vhost \"%s%u\"%s%s", n, s,
			 PICK("v ", "/run/vsw/v ", "/x/#"), roll(4),
			 PICK("", " server", " features 0x1ff", " mac 02:00:00:00:00:01"), id);
		return;
	case 2:
		snprintf(line, size, "port add p%u switch \"sw %u\" tap tap%u%s%s", n, s, roll(6),
			 PICK("", " mac 02:00:00:00:00:02"), id);
		return;
	case 3:
		snprintf(line, size, "port add p%u switch \"sw %u\" nic eth%u%s", n, s, roll(4),
			 id);
		return;
	case 4:
		snprintf(line, size, "port add p%u switch \"sw %u\" pcap %s%s", n, s,
			 PICK("rx /a", "tx /b", "rx /a tx /c", "tx -", ""), id);
		return;
	case 5:
		snprintf(line, size, "port set p%u %s%u", n,
			 PICK("max-stations ", "friendly-name N", "mac 02:00:00:00:00:0"), roll(9));
		return;
	case 6:
		snprintf(line, size, "port set p%u vlan %s %u%s", n,
			 PICK("access", "trunk 1-9,200 native", "isolated 5", "community 5",
			      "promiscuous 5"),
			 roll(12), PICK("", " prune 3-4", " teaming on vm \"a b\""));
		return;
	case 7:
		snprintf(line, size, "port %s p%u %s%u", PICK("set", "check"), n,
			 PICK("storm-limit ", "mac dynamic vm v", "mac-spoofing on vm v",
			      "dhcp-guard on arp-guard on vm v", "router-guard on storm-limit ",
			      "address 192.0.2.1,2001:db8::/32 storm-limit ", "address none vm v",
			      "sessions 5 address-limit ",
			      "sessions-full allow sessions default vm v", "vmq-pin 0:3 vm v",
			      "vmq-pin none vm v", "vmq-pin 0:",
			      "vlan default storm-limit 0 ieee-priority on teaming off vm v"),
			 roll(9));
		return;
	default:
		snprintf(line, size, "port remove p%u", n);
	}
}

static const char *port_name(void)
{
	static char name[16];

	snprintf(name, sizeof(name), "p%u", roll(NAMES));
	return roll(6) == 0 ? "\"sw 1:internal\"" : name;
}

static const char *number(void)
{
	static char text[24];

	snprintf(text, sizeof(text), " number %u", 1 + roll(20));
	return roll(3) == 0 ? text : "";
}

static void make_acl_command(char *line, size_t size)
{
	switch (roll(5)) {
	case 0:
	case 1:
		snprintf(line, size, "acl add %s basic direction %s %s %s action %s%s", port_name(),
			 PICK("in", "out", "both"), PICK("local", "remote"),
			 PICK("any", "any-mac", "192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::1",
			      "02:00:00:00:00:01", "192.0.2.1/8"),
			 PICK("allow", "deny", "meter"), number());
		return;
	case 2:
	case 3:
		snprintf(line, size, "acl add %s extended weight %u direction %s action %s%s%s%s%s",
			 port_name(), roll(20), PICK("in", "out"), PICK("allow", "deny"),
			 PICK("", " local-address 192.0.2.0/24", " remote-address ::/0"),
			 PICK("", " protocol tcp remote-port 80-81", " protocol udp local-port 53",
			      " protocol icmp", " protocol 47 local-port 1"),
			 PICK("", " stateful on", " stateful on idle-timeout 3"), number());
		return;
	default:
		if (roll(6) == 0)
			snprintf(line, size, "acl remove %s all", port_name());
		else
			snprintf(line, size, "acl remove %s %u", port_name(), 1 + roll(8));
	}
}

// Bits of the ids that were ever given out, by switch name.
static struct {
	char name[OBJECT_NAME_SIZE];
	uint8_t bits[CONF_PORT_IDS_BYTES];
} given[CONF_SWITCHES_MAX];

static void check_ids(const struct conf *c, const struct conf_edit *edit)
{
	const struct conf_port *p;
	unsigned free_slot = 0;

	for (unsigned i = 0; i < CONF_SWITCHES_MAX; i++) {
		if (edit->op == CONF_SWITCH_REMOVE && strcmp(given[i].name, edit->name) == 0)
			memset(&given[i], 0, sizeof(given[i]));
	}
	if (edit->op != CONF_PORT_ADD)
		return;
	p = conf_port_find(c, edit->name);
	for (unsigned i = 0; i < CONF_SWITCHES_MAX; i++) {
		if (strcmp(given[i].name, p->switch_name) == 0) {
			assert_false(conf_id_in(given[i].bits, p->id));
			conf_id_set(given[i].bits, p->id);
			return;
		}
		if (given[i].name[0] == '\0')
			free_slot = i;
	}
	memcpy(given[free_slot].name, p->switch_name, OBJECT_NAME_SIZE);
	conf_id_set(given[free_slot].bits, p->id);
}

static void check_round_trip(const char *text)
{
	struct errtext e = {.text = ""};
	struct conf *again;
	char *printed;
	int err;

	err = conf_load(text, strlen(text), "text", CONF_STATE, &conf_fixture_env, &again, &e);
	if (err != 0)
		print_error("%s\n%s", e.text, text);
	assert_int_equal(err, 0);
	printed = conf_fixture_text(again);
	assert_string_equal(text, printed);
	free(printed);
	conf_destroy(again);
}

static unsigned done, refused, rules;

static void one_round(struct conf *c)
{
	char line[512];

	memset(given, 0, sizeof(given));
	for (unsigned i = 0; i < COMMANDS; i++) {
		struct errtext e = {.text = ""};
		char *before = conf_fixture_text(c), *after;
		struct conf_edit edit;
		uint32_t column;
		int err;

		switch (roll(5)) {
		case 0:
			make_switch_command(line, sizeof(line));
			break;
		case 1:
		case 2:
			make_acl_command(line, sizeof(line));
			break;
		default:
			make_port_command(line, sizeof(line));
		}
		err = conf_fixture_run(c, line, &edit, &e, &column);
		after = conf_fixture_text(c);
		if (err != 0) {
			assert_string_equal(before, after);
			assert_string_not_equal(e.text, "");
			assert_in_range(column, 1, strlen(line) + 1);
			refused++;
		} else {
			check_ids(c, &edit);
			check_round_trip(after);
			done++;
			rules += edit.op == CONF_ACL_ADD;
		}
		free(before);
		free(after);
	}
}

static void random_commands(void **state)
{
	for (seed = 1; seed <= ROUNDS; seed++) {
		uint64_t first = seed;
		struct conf *c;

		assert_int_equal(conf_create(&c), 0);
		one_round(c);
		conf_destroy(c);
		seed = first;
	}
	// It is no test if hardly anything was done, or nothing was wrong.
	assert_true(done > ROUNDS * COMMANDS / 5);
	assert_true(refused > ROUNDS * COMMANDS / 20);
	assert_true(rules > ROUNDS * COMMANDS / 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_commands)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

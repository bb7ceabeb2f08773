/*
 * Rules of access control lists as they are configured: what is accepted is printed and read
 * again, what is wrong is refused at its word.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/conf_commands.h"

static int setup_ports(void **state)
{
	int err = setup(state);
	struct conf *c = *state;

	run(c, "switch add s internal");
	run(c, "port add a switch s tap a");
	run(c, "port add \"b c\" switch s tap b");
	return err;
}

#define ACL_TEST(f) cmocka_unit_test_setup_teardown(f, setup_ports, teardown)

static const struct conf_port *port(struct conf *c, const char *name)
{
	assert_non_null(conf_port_find(c, name));
	return conf_port_find(c, name);
}

// The configuration has this line, and is the same after it was printed and read.
static void assert_line(struct conf *c, const char *line)
{
	char *text = conf_fixture_text(c), *again, *found;
	enum conf_source source;
	struct errtext e;
	struct conf *read;

	found = strstr(text, line);
	if (found == NULL)
		print_error("no line '%s' in\n%s", line, text);
	assert_non_null(found);
	assert_true(found > text && found[-1] == '\n' && found[strlen(line)] == '\n');
	for (source = CONF_FILE; source <= CONF_STATE; source++) {
		assert_int_equal(
			conf_load(text, strlen(text), "f", source, &conf_fixture_env, &read, &e),
			0);
		again = conf_fixture_text(read);
		assert_string_equal(text, again);
		free(again);
		conf_destroy(read);
	}
	free(text);
}

// 'words' behind "acl add a " make a rule that is saved as 'saved', behind the same.
static void assert_saved_as(struct conf *c, const char *words, const char *saved)
{
	char line[400];

	snprintf(line, sizeof(line), "acl add a %s", words);
	run(c, line);
	assert_int_equal(port(c, "a")->n_acl_rules, 1);
	snprintf(line, sizeof(line), "acl add a %s number 1", saved);
	assert_line(c, line);
	run(c, "acl remove a 1");
	assert_int_equal(port(c, "a")->n_acl_rules, 0);
	assert_null(port(c, "a")->acl_rules);
}

static void basic_rules_have_one_way_to_be_written(void **state)
{
	static const struct {
		const char *address, *saved;
	} addresses[] = {
		{"any", "any"},
		{"any-mac", "any-mac"},
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"0.0.0.0", "0.0.0.0"},
		{"224.0.0.0/4", "224.0.0.0/4"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:DB8::1/128", "2001:db8::1"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::/0", "::/0"},
		{"::", "::"},
		{"ff02::/16", "ff02::/16"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"::ffff:0:0/96", "0.0.0.0/0"},
		{"00-15-5D-01-02-03", "00:15:5d:01:02:03"},
		{"ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff"},
		{"00:00:00:00:00:00", "00:00:00:00:00:00"},
	};

	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		char words[200], saved[200];

		snprintf(words, sizeof(words), "basic action deny remote %s direction out",
			 addresses[i].address);
		snprintf(saved, sizeof(saved), "basic direction out remote %s action deny",
			 addresses[i].saved);
		assert_saved_as(*state, words, saved);
	}
	assert_saved_as(*state, "basic local any direction in action meter",
			"basic direction in local any action meter");
}

static void extended_rules_have_one_way_to_be_written(void **state)
{
	struct conf *c = *state;

	assert_saved_as(c, "extended direction in action deny weight 0",
			"extended direction in action deny weight 0");
	assert_saved_as(c,
			"extended weight 65535 action allow direction out local-address any "
			"remote-address any protocol any local-port any remote-port 0-65535 "
			"stateful off",
			"extended direction out action allow weight 65535");
	assert_saved_as(c,
			"extended direction out action allow weight 7 local-address 192.0.2.0/24 "
			"remote-address 198.51.100.1 protocol 6 local-port 1024-65535 "
			"remote-port 443-443 stateful on",
			"extended direction out action allow weight 7 local-address 192.0.2.0/24 "
			"remote-address 198.51.100.1 protocol tcp local-port 1024-65535 "
			"remote-port 443 stateful on idle-timeout 255");
	assert_saved_as(c,
			"extended direction in action allow weight 7 remote-address 2001:db8::/32 "
			"protocol icmpv6 stateful on idle-timeout 65535",
			"extended direction in action allow weight 7 remote-address 2001:db8::/32 "
			"protocol icmpv6 stateful on idle-timeout 65535");
	assert_saved_as(c, "extended direction in action deny weight 7 protocol 47",
			"extended direction in action deny weight 7 protocol 47");
	assert_saved_as(c, "extended direction in action deny weight 7 protocol 17 local-port 0",
			"extended direction in action deny weight 7 protocol udp local-port 0");
	assert_saved_as(c, "extended direction in action deny weight 7 protocol icmp",
			"extended direction in action deny weight 7 protocol icmp");
	for (unsigned i = 0; i < 3; i++) {
		char words[100];

		snprintf(words, sizeof(words),
			 "extended direction in action deny weight 7 protocol %u remote-port 9",
			 (const unsigned[]){33, 132, 136}[i]);
		assert_saved_as(c, words, words);
	}
}

static void rules_are_bytes_that_can_be_compared(void **state)
{
	struct conf *c = *state;
	const struct acl_rule basic = {
		.number = 1,
		.kind = ACL_BASIC,
		.direction = ACL_OUT,
		.action = ACL_METER,
		.is_remote = 1,
		.remote = {.family = ACL_IPV4, .bits = 24, .bytes = {192, 0, 2}},
		.local_ports = {0, 65535},
		.remote_ports = {0, 65535},
	};
	const struct acl_rule extended = {
		.number = 2,
		.kind = ACL_EXTENDED,
		.direction = ACL_IN,
		.action = ACL_ALLOW,
		.protocol = 17,
		.stateful = 1,
		.weight = 9,
		.idle_s = 255,
		.local = {.family = ACL_IPV6, .bits = 16, .bytes = {0x20, 0x01}},
		.local_ports = {53, 53},
		.remote_ports = {0, 65535},
	};

	run(c, "acl add a basic direction out remote 192.0.2.0/24 action meter");
	run(c, "acl add a extended direction in action allow weight 9 protocol udp local-port 53 "
	       "local-address 2001::/16 stateful on");
	assert_int_equal(port(c, "a")->n_acl_rules, 2);
	assert_memory_equal(&port(c, "a")->acl_rules[0], &basic, sizeof(basic));
	assert_memory_equal(&port(c, "a")->acl_rules[1], &extended, sizeof(extended));
}

static void numbers_tell_rules_apart(void **state)
{
	struct conf *c = *state;
	struct conf_edit edit;
	struct errtext e;
	uint32_t column;

	assert_int_equal(conf_fixture_run(c,
					  "acl add \"b c\" basic direction both local any action "
					  "meter",
					  &edit, &e, &column),
			 0);
	assert_int_equal(edit.op, CONF_ACL_ADD);
	assert_string_equal(edit.name, "b c");
	assert_int_equal(edit.rule, 1);
	assert_int_equal(edit.n_rules, 2);
	assert_line(c, "acl add \"b c\" basic direction in local any action meter number 1");
	assert_line(c, "acl add \"b c\" basic direction out local any action meter number 2");
	run(c, "acl add \"b c\" extended direction in action deny weight 1 number 9");
	run(c, "acl add \"b c\" extended direction in action deny weight 2 number 5");
	run(c, "acl add \"b c\" extended direction in action deny weight 3");
	assert_line(c, "acl add \"b c\" extended direction in action deny weight 3 number 10");
	for (unsigned i = 1; i < port(c, "b c")->n_acl_rules; i++)
		assert_true(port(c, "b c")->acl_rules[i - 1].number <
			    port(c, "b c")->acl_rules[i].number);
	refuse(c, "acl add \"b c\" basic direction in remote any action deny number 5", -EEXIST, 64,
	       "has a rule 5 already");
	refuse(c, "acl add \"b c\" basic direction both remote any action deny number 4", -EEXIST,
	       66, "has a rule 5 already");
	run(c, "acl add \"b c\" basic direction both remote any action deny number 3");
	run(c, "acl remove \"b c\" 5");
	refuse(c, "acl remove \"b c\" 5", -ENOENT, 18, "'b c' has no rule 5");
	refuse(c, "acl remove \"b c\" 4294967295", -ENOENT, 18, "no rule");
	assert_int_equal(port(c, "b c")->n_acl_rules, 6);
	// Numbers end somewhere.
	run(c, "acl add a basic direction in local any action deny number 4294967294");
	refuse(c, "acl add a basic direction both remote any action deny", -ENOSPC, 54, "number N");
	run(c, "acl add a basic direction out local any action deny");
	refuse(c, "acl add a basic direction in remote any action deny", -ENOSPC, 52, "number N");
	refuse(c, "acl add a basic direction both remote any action deny number 4294967295",
	       -EINVAL, 62, "two numbers");
	run(c, "acl add a basic direction both remote any action deny number 1");
	run(c, "acl remove a all");
	run(c, "acl remove a all");
	assert_null(port(c, "a")->acl_rules);
	assert_int_equal(port(c, "b c")->n_acl_rules, 6);
}

static void wrong_words_are_refused(void **state)
{
	struct conf *c = *state;

	refuse(c, "alc add a basic", -EINVAL, 1, "did you mean 'acl'");
	refuse(c, "acl", -EINVAL, 4, "'add' or 'remove'");
	refuse(c, "acl set a", -EINVAL, 5, "Known here: add, remove");
	refuse(c, "acl add", -EINVAL, 8, "name of a port");
	refuse(c, "acl add x", -ENOENT, 9, "there is no port 'x'");
	refuse(c, "acl add a", -EINVAL, 10, "'basic' or 'extended'");
	refuse(c, "acl add a extendde", -EINVAL, 11, "did you mean 'extended'");
	refuse(c, "acl add a basic", -EINVAL, 16, "direction in, out or both");
	refuse(c, "acl add a basic direction in", -EINVAL, 29, "local ADDRESS");
	refuse(c, "acl add a basic direction in local any", -EINVAL, 39, "action allow");
	refuse(c, "acl add a basic direction", -EINVAL, 26, "needs a value");
	refuse(c, "acl add a basic direction inn", -EINVAL, 27, "did you mean 'in'");
	refuse(c, "acl add a basic direction in action metre local any", -EINVAL, 37,
	       "did you mean 'meter'");
	refuse(c, "acl add a basic direction in direction out", -EINVAL, 30, "second time");
	refuse(c, "acl add a basic direction in local any action deny weight 5", -EINVAL, 52,
	       "unknown key 'weight'");
	refuse(c, "acl add a basic direction in local any remote 192.0.2.1 action deny", -EINVAL,
	       40, "exclude each other");
	refuse(c, "acl add a basic direction in local any-mac action meter", -EINVAL, 36,
	       "meter counts by IP");
	refuse(c, "acl add a basic direction in remote 02:00:00:00:00:01 action meter", -EINVAL, 37,
	       "meter counts by IP");
	refuse(c, "acl add a basic direction in remote anny action deny", -EINVAL, 37,
	       "nor is it a MAC address, 'any' or 'any-mac'");
	refuse(c, "acl add a basic direction in remote 192.0.2.1/24 action deny", -EINVAL, 37,
	       "bits behind its prefix");
	refuse(c, "acl add a basic direction in remote 192.0.2.0/33 action deny", -EINVAL, 37,
	       "one of IPv4 is /32 at most");
	refuse(c, "acl add a basic direction in remote 2001:db8::/129 action deny", -EINVAL, 37,
	       "one of IPv6 is /128 at most");
	refuse(c, "acl add a basic direction in remote 02:00:00:00:00 action deny", -EINVAL, 37,
	       "not an address or a prefix");
	refuse(c, "acl add a basic direction in remote any action deny number 0", -EINVAL, 60,
	       "number: '0' is not a number from 1");
	refuse(c, "acl add a basic direction in remote any action deny number 4294967296", -EINVAL,
	       60, "number:");
	refuse(c, "acl add s:default basic direction in remote any action deny", -EINVAL, 9,
	       "no NIC");
	refuse(c, "acl remove", -EINVAL, 11, "name of a port");
	refuse(c, "acl remove a", -EINVAL, 13, "number of a rule");
	refuse(c, "acl remove a 0", -EINVAL, 14, "nor is it 'all'");
	refuse(c, "acl remove a every", -EINVAL, 14, "nor is it 'all'");
	refuse(c, "acl remove a 1", -ENOENT, 14, "'a' has no rule 1");
	refuse(c, "acl remove a all 1", -EINVAL, 18, "too much");
}

static void wrong_extended_rules_are_refused(void **state)
{
	// Behind "acl add a extended direction out action allow weight 5 ", and where.
	static const struct {
		const char *words;
		unsigned column;
		const char *error;
	} wrong[] = {
		{"local-address any-mac", 70, "about IP"},
		{"remote-address 02:00:00:00:00:01", 71, "a basic one knows"},
		{"local-address here", 70, "nor is it 'any'"},
		{"local-address 192.0.2.1 remote-address ::1", 95, "no packet has both"},
		{"remote-address ::1 local-address 192.0.2.1", 71, "no packet has both"},
		{"protocol icmp local-address ::1", 65, "where the protocol is icmpv6"},
		{"protocol 58 remote-address 192.0.2.1", 65, "where the protocol is icmp"},
		{"protocol tpc", 65, "nor is it tcp, udp"},
		{"protocol TCP", 65, "; did you mean 'tcp'?"},
		{"protocol icmpv7", 65, "; did you mean 'icmpv6'?"},
		{"protocol 256", 65, "0 to 255"},
		{"local-port 80", 67, "not all of the rule's protocols have ports"},
		{"remote-port 80 protocol any", 68, "have ports"},
		{"remote-port 80 protocol icmp", 68, "have ports"},
		{"protocol 50 remote-port 80-81", 80, "have ports"},
		{"protocol tcp local-port 65536", 80, "not a port"},
		{"protocol tcp local-port 81-80", 80, "not a port"},
		{"protocol tcp local-port 80-", 80, "not a port"},
		{"protocol tcp local-port -80", 80, "not a port"},
		{"protocol tcp local-port 1-2-3", 80, "not a port"},
		{"protocol tcp local-port 00000000000080", 80, "not a port"},
		{"protocol tcp local-port http", 80, "not a port"},
		{"stateful yes", 65, "neither 'on' nor 'off'"},
		{"idle-timeout 5", 69, "stateful on"},
		{"stateful off idle-timeout 5", 82, "stateful on"},
		{"stateful on idle-timeout 0", 81, "1 to 65535"},
		{"stateful on idle-timeout 65536", 81, "1 to 65535"},
		{"local any", 56, "Known here: direction, action, weight"},
		{"weight 6", 56, "second time"},
	};
	struct conf *c = *state;
	char line[200];

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line),
			 "acl add a extended direction out action allow weight 5 %s",
			 wrong[i].words);
		refuse(c, line, -EINVAL, wrong[i].column, wrong[i].error);
	}
	refuse(c, "acl add a extended", -EINVAL, 19, "direction in or out");
	refuse(c, "acl add a extended direction in", -EINVAL, 32, "action allow or deny");
	refuse(c, "acl add a extended direction in action deny", -EINVAL, 44, "weight N");
	refuse(c, "acl add a extended direction both", -EINVAL, 30, "Known here: in, out");
	refuse(c, "acl add a extended direction in action meter", -EINVAL, 40, "allow, deny");
	refuse(c, "acl add a extended direction in action deny weight 65536", -EINVAL, 52,
	       "0 to 65535");
	refuse(c, "acl add a extended direction in action deny weight 1 stateful on", -EINVAL, 63,
	       "only action allow");
}

static void rules_that_contradict_are_refused(void **state)
{
	struct conf *c = *state;

	run(c, "acl add a extended direction in action deny weight 5");
	refuse(c, "acl add a extended direction out action allow weight 5", -EEXIST, 54,
	       "rule 1 has weight 5 already");
	run(c, "acl add \"b c\" extended direction out action allow weight 5");
	run(c, "acl add a basic direction in local 192.0.2.0/24 action allow");
	refuse(c, "acl add a basic direction in local 192.0.2.0/24 action deny", -EEXIST, 36,
	       "rule 2 says allow of this address in direction in");
	refuse(c, "acl add a basic direction both local 192.0.2.0/24 action deny", -EEXIST, 38,
	       "acl remove 'a' 2");
	refuse(c, "acl add a basic direction in local 192.0.2.0/24 action allow", -EEXIST, 36,
	       "rule 2 is the same");
	refuse(c, "acl add a basic direction both local 192.0.2.0/24 action allow", -EEXIST, 38,
	       "rule 2 is the same");
	run(c, "acl add a basic direction in remote 192.0.2.0/24 action deny");
	run(c, "acl add a basic direction out local 192.0.2.0/24 action deny");
	run(c, "acl add a basic direction in local 192.0.2.0/25 action deny");
	run(c, "acl add a basic direction both local any action deny");
	refuse(c, "acl add a basic direction out local any action allow", -EEXIST, 37,
	       "rule 7 says deny");
	// A meter decides nothing.
	run(c, "acl add a basic direction both local 192.0.2.0/24 action meter");
	refuse(c, "acl add a basic direction in local 192.0.2.0/24 action meter", -EEXIST, 36,
	       "rule 8 is the same");
	refuse(c, "acl add a basic direction in local 192.0.2.0/24 action deny", -EEXIST, 36,
	       "rule 2 says allow");
	run(c, "acl remove a 2");
	run(c, "acl add a basic direction in local 192.0.2.0/24 action deny");
	run(c, "acl add a basic direction in local any-mac action deny");
	refuse(c, "acl add a basic direction in local any-mac action allow", -EEXIST, 36,
	       "rule 11 says deny");
}

static void a_port_has_so_many_rules(void **state)
{
	struct conf *c = *state;
	char line[100];

	for (unsigned i = 0; i < ACL_RULES_MAX - 1; i++) {
		snprintf(line, sizeof(line),
			 "acl add a extended direction in action deny weight %u", i);
		run(c, line);
	}
	refuse(c, "acl add a basic direction both local any action deny", -ENOSPC, 9,
	       "4095 rules already; a port has at most 4096");
	run(c, "acl add a basic direction in local any action deny");
	refuse(c, "acl add a basic direction in remote any action deny", -ENOSPC, 9,
	       "at most 4096");
	assert_line(c, "acl add a basic direction in local any action deny number 4096");
	run(c, "acl add \"b c\" basic direction in local any action deny");
}

// A state with more rules could be longer than what is read again.
static void all_ports_have_so_many_rules(void **state)
{
	enum { FULL = CONF_ACL_RULES_MAX / ACL_RULES_MAX };
	struct conf *c = *state;
	struct conf_port *p;
	char line[100];

	for (unsigned n = 0; n < FULL; n++) {
		snprintf(line, sizeof(line), "port add p%u switch s tap p%u", n, n);
		run(c, line);
		snprintf(line, sizeof(line), "p%u", n);
		p = conf_port_find(c, line);
		p->acl_rules = calloc(ACL_RULES_MAX, sizeof(*p->acl_rules));
		assert_non_null(p->acl_rules);
		p->n_acl_rules = ACL_RULES_MAX;
		for (uint32_t i = 0; i < ACL_RULES_MAX; i++)
			p->acl_rules[i] = (struct acl_rule){.number = i + 1,
							    .kind = ACL_EXTENDED,
							    .any_protocol = 1,
							    .weight = (uint16_t)i,
							    .local_ports = {0, 65535},
							    .remote_ports = {0, 65535}};
	}
	refuse(c, "acl add a basic direction in local any action deny", -ENOSPC, 9,
	       "65536 rules already");
	run(c, "acl remove p3 7");
	run(c, "acl add a basic direction in local any action deny");
}

// What a port owns goes where the port goes, and nowhere else.
static void copies_have_rules_of_their_own(void **state)
{
	struct conf *c = *state, *copy;

	run(c, "acl add a basic direction both local any action deny");
	run(c, "acl add \"b c\" basic direction in local any action meter");
	run(c, "acl add s:internal basic direction in local any action meter");
	assert_line(c, "acl add s:internal basic direction in local any action meter number 1");
	assert_int_equal(conf_copy(c, &copy), 0);
	run(copy, "acl remove a all");
	run(copy, "acl add \"b c\" basic direction in remote any action deny");
	run(copy, "port set \"b c\" storm-limit 5");
	assert_int_equal(port(copy, "b c")->n_acl_rules, 2);
	run(copy, "port check \"b c\" storm-limit 6");
	run(copy, "port remove \"b c\"");
	assert_int_equal(port(c, "a")->n_acl_rules, 2);
	assert_int_equal(port(c, "b c")->n_acl_rules, 1);
	run(copy, "switch remove s");
	conf_destroy(copy);
	assert_line(c, "acl add \"b c\" basic direction in local any action meter number 1");
	run(c, "port remove a");
	run(c, "port add a switch s tap a");
	assert_int_equal(port(c, "a")->n_acl_rules, 0);
	// A capture's rules are in no saved text.
	run(c, "port add cap switch s pcap tx -");
	run(c, "acl add cap basic direction in local any action deny");
	assert_int_equal(port(c, "cap")->n_acl_rules, 1);
	assert_line(c, "acl add \"b c\" basic direction in local any action meter number 1");
}

static void settings_of_sessions(void **state)
{
	struct conf *c = *state;

	run(c, "port set a sessions 1048576 sessions-full allow address-limit 32");
	assert_line(c, "port set a address-limit 32 sessions 1048576 sessions-full allow");
	run(c, "port set a address-limit 0 sessions default arp-guard on address 192.0.2.1");
	assert_line(c, "port set a arp-guard on address 192.0.2.1 sessions-full allow");
	// With a limit, what is announced first are its addresses.
	run(c, "port set a address none address-limit 2");
	refuse(c, "port set a address-limit 0", -EINVAL, 12, "address-limit N");
	run(c, "port set a arp-guard off address-limit 0 sessions-full drop");
	run(c, "port add d switch s tap d sessions 1 address-limit 1");
	assert_line(c, "port set d address-limit 1 sessions 1");
	refuse(c, "port set a sessions 0", -EINVAL, 21, "1 to 1048576, nor is it 'default'");
	refuse(c, "port set a sessions 1048577", -EINVAL, 21, "1 to 1048576");
	refuse(c, "port set a sessions-full wait", -EINVAL, 26, "Known here: drop, allow");
	refuse(c, "port set a address-limit 33", -EINVAL, 26, "0 to 32");
	refuse(c, "port set s:default sessions 5", -EINVAL, 20, "no NIC");
	refuse(c, "port set s:default sessions-full allow", -EINVAL, 20, "no NIC");
	refuse(c, "port set s:default address-limit 5", -EINVAL, 20, "no NIC");
}

static void load_error(const char *line, const char *words)
{
	char text[400];
	struct errtext e = {.text = ""};
	struct conf *c;

	snprintf(text, sizeof(text),
		 "switch add s private\nport add a switch s tap a\n"
		 "acl add a extended direction in action deny weight 5 number 7\n%s\n",
		 line);
	assert_int_not_equal(
		conf_load(text, strlen(text), "f", CONF_FILE, &conf_fixture_env, &c, &e), 0);
	if (strstr(e.text, words) == NULL)
		print_error("%s\n", e.text);
	assert_non_null(strstr(e.text, words));
}

static void files_name_the_line(void **state)
{
	load_error("acl add a basic direction in local any action deny number 7",
		   "f:4:59: 'a' has a rule 7 already");
	load_error("acl add a extended direction in action deny weight 5", "f:4:52: rule 7 has");
	load_error("acl remove a 8", "f:4:14: 'a' has no rule 8");
	load_error("acl show a", "f:4:5: unknown verb 'show'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACL_TEST(basic_rules_have_one_way_to_be_written),
		ACL_TEST(extended_rules_have_one_way_to_be_written),
		ACL_TEST(rules_are_bytes_that_can_be_compared),
		ACL_TEST(numbers_tell_rules_apart),
		ACL_TEST(wrong_words_are_refused),
		ACL_TEST(wrong_extended_rules_are_refused),
		ACL_TEST(rules_that_contradict_are_refused),
		ACL_TEST(a_port_has_so_many_rules),
		ACL_TEST(all_ports_have_so_many_rules),
		ACL_TEST(copies_have_rules_of_their_own),
		ACL_TEST(settings_of_sessions),
		cmocka_unit_test(files_name_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

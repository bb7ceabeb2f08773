/*
 * Access control lists without sessions: which rule wins, for every kind of rule and of frame, and
 * what is counted.
 */
#include "switch/conntrack.h"
#include "tests/unit/acl_fixture.h"
#include "tests/unit/eal.h"

static const struct packet to_vm = {.direction = ACL_IN,
				    .local = "10.1.0.5",
				    .remote = "10.2.0.6",
				    .protocol = UDP,
				    .local_port = 53,
				    .remote_port = 5000};

static struct packet from_vm(void)
{
	struct packet p = to_vm;

	p.direction = ACL_OUT;
	return p;
}

static struct packet ipv6(void)
{
	struct packet p = to_vm;

	p.local = "2001:db8::5";
	p.remote = "2001:db8:8000::6";
	return p;
}

static void without_a_rule_all_pass(void **state)
{
	struct packet out = from_vm(), six = ipv6();

	basic(ACL_IN, REMOTE, "192.168.0.0/16", ACL_DENY);
	extended(ACL_IN, 7, ACL_DENY)->remote_ports.last = 80;
	apply();
	assert_judged(&to_vm, PASSES);
	assert_judged(&out, PASSES);
	assert_judged(&six, PASSES);
	assert_counted(0, 0);
	assert_counted(1, 0);
}

static void the_longest_prefix_wins(void **state)
{
	static const char *const prefixes[] = {"any",         "10.0.0.0/8",  "10.2.0.0/15",
					       "10.2.0.0/16", "10.2.0.4/30", "10.2.0.6"};

	for (unsigned n = 1; n <= 6; n++) {
		it.n = 0;
		// From the longest on, so that the order of the numbers is not that of the lengths.
		for (unsigned i = n; i-- > 0;)
			basic(ACL_IN, REMOTE, prefixes[i], i % 2 == 0 ? ACL_DENY : ACL_ALLOW);
		apply();
		assert_judged(&to_vm, n % 2 == 1 ? DENIED : PASSES);
		assert_counted(0, 1);
	}
}

static void local_and_remote_are_the_vms_view(void **state)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		for (unsigned side = 0; side < 2; side++) {
			struct packet p = to_vm;

			p.direction = direction;
			it.n = 0;
			basic(direction, side, side == LOCAL ? "10.1.0.5" : "10.2.0.6", ACL_DENY);
			apply();
			assert_judged(&p, DENIED);
			p.direction = !direction;
			assert_judged(&p, PASSES);
			it.n = 0;
			basic(direction, !side, side == LOCAL ? "10.1.0.5" : "10.2.0.6", ACL_DENY);
			apply();
			p.direction = direction;
			assert_judged(&p, PASSES);
		}
	}
}

static void local_and_remote_are_one_contest(void **state)
{
	basic(ACL_IN, LOCAL, "10.1.0.0/17", ACL_ALLOW);
	basic(ACL_IN, REMOTE, "10.2.0.0/16", ACL_DENY);
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(0, 1);
	// Equal lengths: what denies, wherever it stands.
	for (unsigned i = 0; i < 2; i++) {
		it.n = 0;
		basic(ACL_IN, LOCAL, "10.1.0.0/16", i == 0 ? ACL_DENY : ACL_ALLOW);
		basic(ACL_IN, REMOTE, "10.2.0.0/16", i == 0 ? ACL_ALLOW : ACL_DENY);
		apply();
		assert_judged(&to_vm, DENIED);
	}
	// Equal all the way: the lower number.
	it.n = 0;
	it.rules[0].number = 0;
	basic(ACL_IN, REMOTE, "10.2.0.0/16", ACL_ALLOW);
	basic(ACL_IN, LOCAL, "10.1.0.0/16", ACL_ALLOW);
	it.rules[0].number += 100;
	it.rules[1].number += 100;
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(0, 1);
	assert_counted(1, 0);
}

static void any_is_every_ip(void **state)
{
	struct packet six = ipv6();

	basic(ACL_IN, LOCAL, "any", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	assert_judged(&six, DENIED);
	// A prefix of no bits is of its version only.
	it.n = 0;
	basic(ACL_IN, LOCAL, "0.0.0.0/0", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	assert_judged(&six, PASSES);
}

static void every_length_of_an_ipv6_prefix_counts(void **state)
{
	struct packet p = ipv6();

	for (unsigned bits = 0; bits <= 128; bits++) {
		uint8_t address[16];
		char text[64], other[64];

		it.n = 0;
		snprintf(text, sizeof(text), "%s/%u", p.remote, bits);
		basic(ACL_IN, REMOTE, text, ACL_DENY);
		apply();
		p.remote = "2001:db8:8000::6";
		assert_judged(&p, DENIED);
		for (unsigned bit = 0; bit < 128; bit++) {
			inet_pton(AF_INET6, "2001:db8:8000::6", address);
			address[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			inet_ntop(AF_INET6, address, other, sizeof(other));
			p.remote = other;
			assert_judged(&p, bit < bits ? PASSES : DENIED);
		}
		p.remote = "2001:db8:8000::6";
	}
}

static void mac_rules_are_about_all_frames(void **state)
{
	struct packet out = from_vm();

	basic(ACL_IN, REMOTE, "02:00:00:00:00:02", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	assert_judged(&out, PASSES);
	assert_counted(0, 1);
	lay_link(ACL_IN);
	put_16(0x0806);
	put_zeros(46);
	assert_int_equal(judge_laid(ACL_IN, 0), DENIED);
	it.n = 0;
	basic(ACL_OUT, LOCAL, "02:00:00:00:00:01", ACL_DENY);
	apply();
	assert_judged(&to_vm, PASSES);
	assert_judged(&out, DENIED);
}

static void an_exact_mac_is_before_any(void **state)
{
	basic(ACL_IN, LOCAL, "any-mac", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	basic(ACL_IN, REMOTE, "02:00:00:00:00:02", ACL_ALLOW);
	for (unsigned i = 0; i < 20; i++) {
		char text[20];

		snprintf(text, sizeof(text), "02:00:00:00:%02x:02", 1 + i);
		basic(ACL_IN, REMOTE, text, ACL_DENY);
	}
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(1, 1);
	basic(ACL_IN, LOCAL, "02:00:00:00:00:01", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	// IP is asked, too.
	it.n = 0;
	basic(ACL_IN, REMOTE, "any-mac", ACL_ALLOW);
	basic(ACL_IN, REMOTE, "10.2.0.0/16", ACL_DENY);
	apply();
	assert_judged(&to_vm, DENIED);
	assert_counted(0, 1);
	assert_counted(1, 1);
}

static void the_highest_weight_wins(void **state)
{
	extended(ACL_IN, 0, ACL_DENY);
	extended(ACL_IN, UINT16_MAX, ACL_ALLOW)->local_ports = (struct acl_ports){53, 53};
	with_protocol(extended(ACL_IN, 300, ACL_DENY), TCP);
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(1, 1);
	with_address(extended(ACL_IN, 65534, ACL_DENY), REMOTE, "10.2.0.6");
	apply();
	assert_judged(&to_vm, PASSES);
	it.rules[1].weight = 65533;
	apply();
	assert_judged(&to_vm, DENIED);
	assert_counted(3, 1);
	assert_counted(1, 0); // another rule now
}

static void both_kinds_must_let_pass(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		it.n = 0;
		basic(ACL_IN, LOCAL, "any", i & 1 ? ACL_DENY : ACL_ALLOW);
		extended(ACL_IN, 1, i & 2 ? ACL_DENY : ACL_ALLOW);
		apply();
		assert_judged(&to_vm, i == 0 ? PASSES : DENIED);
	}
}

static void ports_are_ranges_of_one_side(void **state)
{
	struct packet p = to_vm, out = from_vm();

	with_ports(with_protocol(extended(ACL_IN, 1, ACL_DENY), UDP), REMOTE, 4999, 5001);
	with_ports(with_protocol(extended(ACL_OUT, 2, ACL_DENY), UDP), REMOTE, 4999, 5001);
	apply();
	for (unsigned port = 4990; port < 5010; port++) {
		p.remote_port = out.remote_port = (uint16_t)port;
		assert_judged(&p, port >= 4999 && port <= 5001 ? DENIED : PASSES);
		assert_judged(&out, port >= 4999 && port <= 5001 ? DENIED : PASSES);
	}
	p.local_port = 5000;
	assert_judged(&p, PASSES);
	p = ipv6();
	assert_judged(&p, DENIED);
	p.protocol = TCP;
	assert_judged(&p, PASSES);
}

static void what_has_no_ports_has_not_port_0(void **state)
{
	static const struct {
		uint8_t protocol, has;
	} kinds[] = {{TCP, 1}, {UDP, 1}, {132, 1}, {136, 1}, {33, 1}, {GRE, 0}, {ICMP, 0}};

	with_ports(extended(ACL_IN, 1, ACL_DENY), LOCAL, 0, 1000);
	apply();
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct packet p = to_vm;

		p.protocol = kinds[i].protocol;
		assert_judged(&p, kinds[i].has ? DENIED : PASSES);
	}
}

static void protocols_are_numbers(void **state)
{
	struct packet p = to_vm;

	with_protocol(extended(ACL_IN, 1, ACL_DENY), 0);
	with_protocol(extended(ACL_IN, 2, ACL_DENY), 255);
	with_protocol(extended(ACL_IN, 3, ACL_DENY), GRE);
	apply();
	for (unsigned protocol = 1; protocol < 256; protocol++) {
		p.protocol = (uint8_t)protocol;
		assert_judged(&p, protocol == 255 || protocol == GRE ? DENIED : PASSES);
	}
	p.protocol = 0;
	assert_judged(&p, DENIED);
}

static void meters_count_what_passes_and_decide_nothing(void **state)
{
	struct packet p = to_vm;

	basic(ACL_IN, REMOTE, "any", ACL_METER);
	basic(ACL_IN, REMOTE, "10.0.0.0/8", ACL_METER);
	basic(ACL_IN, LOCAL, "10.1.0.0/16", ACL_METER);
	basic(ACL_IN, REMOTE, "10.2.0.7", ACL_DENY);
	with_ports(extended(ACL_IN, 1, ACL_DENY), LOCAL, 54, 54);
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(2, 1);
	assert_int_equal(acl_count(it.acl, 2).bytes, layers.size);
	p.remote = "10.2.0.7";
	assert_judged(&p, DENIED);
	p = to_vm;
	p.local_port = 54;
	assert_judged(&p, DENIED);
	assert_counted(2, 1);
	assert_counted(3, 1);
	assert_counted(4, 1);
	p = to_vm;
	p.local = "10.7.0.1";
	assert_judged(&p, PASSES);
	assert_counted(1, 1);
	p.remote = "172.16.0.1";
	assert_judged(&p, PASSES);
	assert_counted(0, 1);
}

static void later_fragments_have_no_ports_to_be_denied_by(void **state)
{
	struct packet p = to_vm;

	for (unsigned version = 4; version <= 6; version += 2) {
		if (version == 6)
			p = ipv6();
		it.n = 0;
		with_ports(with_protocol(extended(ACL_IN, 1, ACL_DENY), UDP), LOCAL, 53, 53);
		apply();
		p.cut = FIRST;
		assert_judged(&p, DENIED);
		p.cut = LATER;
		assert_judged(&p, PASSES);
		// What allows some ports allows the rest of such packets.
		extended(ACL_IN, 0, ACL_DENY);
		apply();
		assert_judged(&p, DENIED);
		with_ports(with_protocol(extended(ACL_IN, 2, ACL_ALLOW), UDP), LOCAL, 80, 80);
		apply();
		assert_judged(&p, PASSES);
		p.protocol = TCP;
		assert_judged(&p, DENIED);
		p.protocol = UDP;
		p.cut = FIRST;
		assert_judged(&p, DENIED);
	}
}

static void cut_by(unsigned bytes)
{
	lay(&to_vm);
	layers.size -= bytes;
}

static void what_is_hidden_passes_only_where_nothing_is_denied(void **state)
{
	for (unsigned denies = 0; denies < 3; denies++) {
		it.n = 0;
		basic(ACL_IN, REMOTE, "any", ACL_METER);
		basic(ACL_OUT, REMOTE, "any", ACL_DENY);
		if (denies == 1)
			basic(ACL_IN, REMOTE, "192.168.0.0/16", ACL_DENY);
		if (denies == 2)
			extended(ACL_IN, 3, ACL_DENY)->local_ports.last = 9;
		apply();
		cut_by(20);
		assert_int_equal(judge_laid(ACL_IN, 0), denies ? DENIED : PASSES);
		lay_link(ACL_IN); // more tags than are followed
		for (unsigned i = 0; i < 4; i++)
			put_tag(0x8100);
		put_ipv4(UDP, 0, 0);
		put_udp(1, 2, 9);
		layers_end();
		assert_int_equal(judge_laid(ACL_IN, 0), denies ? DENIED : PASSES);
		// ARP is cut, too, but it is no IP.
		lay_link(ACL_IN);
		put_16(0x0806);
		put_zeros(4);
		assert_int_equal(judge_laid(ACL_IN, 0), PASSES);
		assert_counted(0, 1); // where nothing was denied
	}
}

// As much as is known of it: its addresses.
static void what_is_hidden_is_metered_by_its_addresses(void **state)
{
	basic(ACL_IN, REMOTE, "::/0", ACL_METER);
	basic(ACL_IN, REMOTE, "any", ACL_ALLOW);
	extended(ACL_IN, 5, ACL_ALLOW);
	stateful(extended(ACL_IN, 6, ACL_ALLOW));
	apply();
	lay_link(ACL_IN);
	put_ipv6(60);
	for (unsigned i = 0; i < 8; i++) // a chain longer than what is looked at
		put_extension(60, i < 7 ? 60 : UDP, 64);
	put_udp(1, 2, 9);
	layers_end();
	assert_int_equal(judge_laid(ACL_IN, 0), PASSES);
	assert_counted(0, 1);
	assert_int_equal(acl_count(it.acl, 0).bytes, layers.size);
	assert_counted(1, 1);
	assert_counted(2, 0);
	assert_counted(3, 0);
	assert_int_equal(it.acl->sessions->n, 0);
}

static void rules_about_ip_say_nothing_of_other_frames(void **state)
{
	basic(ACL_IN, REMOTE, "any", ACL_DENY);
	extended(ACL_IN, 1, ACL_DENY);
	apply();
	lay_link(ACL_IN);
	put_16(0x0806);
	put_zeros(46);
	assert_int_equal(judge_laid(ACL_IN, 0), PASSES);
	lay_link(ACL_IN);
	put_16(0x88cc);
	put_zeros(46);
	assert_int_equal(judge_laid(ACL_IN, 0), PASSES);
}

static void the_same_is_not_made_again(void **state)
{
	assert_true(acl_same(NULL, it.rules, 0, &it.limits));
	basic(ACL_IN, REMOTE, "any", ACL_DENY);
	assert_false(acl_same(NULL, it.rules, 1, &it.limits));
	apply();
	assert_true(acl_same(it.acl, it.rules, 1, &it.limits));
	assert_false(acl_same(it.acl, it.rules, 0, &it.limits));
	it.limits.sessions = 1; // none is stateful
	assert_true(acl_same(it.acl, it.rules, 1, &it.limits));
	it.rules[0].action = ACL_ALLOW;
	assert_false(acl_same(it.acl, it.rules, 1, &it.limits));
	it.rules[0].action = ACL_DENY;
	stateful(extended(ACL_IN, 1, ACL_ALLOW));
	assert_false(acl_same(it.acl, it.rules, 2, &it.limits));
	apply();
	assert_true(acl_same(it.acl, it.rules, 2, &it.limits));
	it.limits.sessions = 2;
	assert_false(acl_same(it.acl, it.rules, 2, &it.limits));
	it.limits.sessions = 1;
	it.limits.vlan.takes_tags = 1;
	assert_false(acl_same(it.acl, it.rules, 2, &it.limits));
	it.limits.vlan.takes_tags = 0;
	it.limits.vlan.keeps_priority = 1;
	assert_true(acl_same(it.acl, it.rules, 2, &it.limits));
}

static void counts_of_rules_that_stay_are_kept(void **state)
{
	struct acl_count before;

	basic(ACL_IN, REMOTE, "192.168.0.0/16", ACL_DENY);
	basic(ACL_IN, REMOTE, "10.0.0.0/8", ACL_METER);
	basic(ACL_IN, REMOTE, "10.2.0.0/16", ACL_ALLOW);
	apply();
	assert_judged(&to_vm, PASSES);
	assert_judged(&to_vm, PASSES);
	before = acl_count(it.acl, 1);
	memmove(&it.rules[0], &it.rules[1], 2 * sizeof(it.rules[0]));
	it.n = 2;
	basic(ACL_OUT, REMOTE, "10.0.0.0/8", ACL_METER);
	it.rules[1].action = ACL_DENY;
	apply();
	assert_int_equal(acl_count(it.acl, 0).frames, 2);
	assert_int_equal(acl_count(it.acl, 0).bytes, before.bytes);
	assert_counted(1, 0);
	assert_counted(2, 0);
	it.rules[1].action = ACL_ALLOW;
	apply();
	assert_judged(&to_vm, PASSES);
	assert_counted(0, 3);
	assert_counted(1, 1);
}

static void procs_do_not_share_lines(void **state)
{
	basic(ACL_IN, REMOTE, "10.0.0.0/8", ACL_METER);
	apply();
	for (unsigned proc = 0; proc < PROC_MAX; proc++) {
		assert_int_equal((uintptr_t)it.acl->counts[proc] % 64, 0);
		it.acl->counts[proc][0].frames++;
	}
	assert_counted(0, PROC_MAX);
}

static int start(void **state)
{
	return eal_start();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(without_a_rule_all_pass),
		TEST(the_longest_prefix_wins),
		TEST(local_and_remote_are_the_vms_view),
		TEST(local_and_remote_are_one_contest),
		TEST(any_is_every_ip),
		TEST(every_length_of_an_ipv6_prefix_counts),
		TEST(mac_rules_are_about_all_frames),
		TEST(an_exact_mac_is_before_any),
		TEST(the_highest_weight_wins),
		TEST(both_kinds_must_let_pass),
		TEST(ports_are_ranges_of_one_side),
		TEST(what_has_no_ports_has_not_port_0),
		TEST(protocols_are_numbers),
		TEST(meters_count_what_passes_and_decide_nothing),
		TEST(later_fragments_have_no_ports_to_be_denied_by),
		TEST(what_is_hidden_passes_only_where_nothing_is_denied),
		TEST(what_is_hidden_is_metered_by_its_addresses),
		TEST(rules_about_ip_say_nothing_of_other_frames),
		TEST(the_same_is_not_made_again),
		TEST(counts_of_rules_that_stay_are_kept),
		TEST(procs_do_not_share_lines),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

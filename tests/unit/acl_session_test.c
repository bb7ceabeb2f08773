/*
 * Stateful rules: what their sessions let pass against rules that deny, and for how long.
 */
#include "switch/conntrack.h"
#include "tests/unit/acl_fixture.h"
#include "tests/unit/eal.h"

enum {
	WEIGHT = 100,
	ECHO_REPLY = 0,
	UNREACHABLE = 3,
	REDIRECT = 5,
	ECHO_ASKED = 8,
	TIME_EXCEEDED = 11,
	TIME_ASKED = 13,
	TIME_REPLY = 14,
	TOO_BIG6 = 2,
	ASKED6 = 128,
	REPLY6 = 129
};

static struct packet out(uint8_t protocol, uint16_t local_port, uint16_t remote_port)
{
	return (struct packet){.direction = ACL_OUT,
			       .local = "10.1.0.5",
			       .remote = "10.2.0.6",
			       .protocol = protocol,
			       .local_port = local_port,
			       .remote_port = remote_port,
			       .tcp_flags = SYN};
}

static struct packet out6(uint8_t protocol)
{
	struct packet p = out(protocol, 40000, 443);

	p.local = "2001:db8::5";
	p.remote = "2001:db8:1::6";
	return p;
}

static struct packet answer(const struct packet *p, uint8_t tcp_flags)
{
	struct packet reply = *p;

	reply.direction = !p->direction;
	reply.tcp_flags = tcp_flags;
	return reply;
}

// What 'direction' begins may be answered, all else is denied.
static void allow_only(enum acl_direction direction)
{
	it.n = 0;
	extended(ACL_IN, 1, ACL_DENY);
	extended(ACL_OUT, 2, ACL_DENY);
	stateful(extended(direction, WEIGHT, ACL_ALLOW));
	apply();
}

static void assert_session(enum conntrack_state state, bool from_vm)
{
	struct conntrack_session s;
	uint32_t cursor = 0;

	assert_true(conntrack_next(it.acl->sessions, it.now_s, &cursor, &s));
	assert_int_equal(s.state, state);
	assert_int_equal(s.from_vm, from_vm);
	assert_false(conntrack_next(it.acl->sessions, it.now_s, &cursor, &s));
}

static unsigned count_sessions(void)
{
	struct conntrack_session s;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (conntrack_next(it.acl->sessions, it.now_s, &cursor, &s))
		n++;
	return n;
}

static void answers_pass_and_nothing_else_does(void **state)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		struct packet asked = out(TCP, 40000, 443), reply, other;

		asked.direction = direction;
		allow_only(direction);
		reply = answer(&asked, SYN | ACK);
		assert_judged(&reply, DENIED);
		assert_judged(&asked, PASSES);
		assert_session(CONNTRACK_SYN_SENT, direction == ACL_OUT);
		assert_judged(&reply, PASSES);
		assert_session(CONNTRACK_SYN_RECEIVED, direction == ACL_OUT);
		asked.tcp_flags = ACK;
		assert_judged(&asked, PASSES);
		assert_session(CONNTRACK_ESTABLISHED, direction == ACL_OUT);
		other = reply;
		other.local_port++;
		assert_judged(&other, DENIED);
		other = reply;
		other.remote = "10.2.0.7";
		assert_judged(&other, DENIED);
		other = reply;
		other.protocol = UDP;
		assert_judged(&other, DENIED);
		assert_int_equal(count_sessions(), 1);
		end(NULL);
	}
}

static void both_versions_have_sessions(void **state)
{
	struct packet asked = out6(TCP), reply = answer(&asked, SYN | ACK);

	allow_only(ACL_OUT);
	assert_judged(&reply, DENIED);
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	reply.remote = "2001:db8:1::7";
	assert_judged(&reply, DENIED);
}

static void tcp_is_followed_to_its_end(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, SYN | ACK);

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	asked.tcp_flags = ACK;
	assert_judged(&asked, PASSES);
	it.now_s += IDLE_S - 1;
	asked.tcp_flags = FIN | ACK;
	assert_judged(&asked, PASSES);
	assert_session(CONNTRACK_FIN_ORIGIN, true);
	reply.tcp_flags = FIN | ACK;
	assert_judged(&reply, PASSES);
	assert_session(CONNTRACK_CLOSED, true);
	it.now_s += CONNTRACK_SHORT_S + 1;
	assert_judged(&reply, DENIED);
}

// The VM has asked all that it wants, and the answer takes longer than a lost connection would.
static void half_a_connection_waits_for_its_answer(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, ACK);

	it.n = 0;
	extended(ACL_IN, 1, ACL_DENY);
	stateful(extended(ACL_OUT, WEIGHT, ACL_ALLOW))->idle_s = 2 * CONNTRACK_HALF_S;
	apply();
	asked.tcp_flags = ACK;
	assert_judged(&asked, PASSES);
	asked.tcp_flags = FIN | ACK;
	assert_judged(&asked, PASSES);
	it.now_s += CONNTRACK_HALF_S - 1;
	assert_judged(&reply, PASSES);
	it.now_s += CONNTRACK_HALF_S;
	assert_judged(&reply, DENIED);
}

// Anybody may have made up the RST, whose number nobody has checked.
static void a_forged_rst_does_not_end_what_goes_on(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, RST);

	allow_only(ACL_OUT);
	asked.tcp_flags = ACK;
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	reply.tcp_flags = ACK;
	for (unsigned i = 0; i < 5; i++) {
		it.now_s += CONNTRACK_SHORT_S - 1;
		assert_judged(&reply, PASSES);
	}
	it.now_s += CONNTRACK_SHORT_S;
	assert_judged(&reply, DENIED);
}

static void no_connection_is_opened_as_a_reply(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, SYN | ACK);

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	reply.tcp_flags = SYN;
	assert_judged(&reply, DENIED);
	reply.tcp_flags = RST | ACK;
	assert_judged(&reply, PASSES);
	reply.tcp_flags = SYN;
	assert_judged(&reply, DENIED);
}

static void tcp_that_begins_nothing_passes_without_a_session(void **state)
{
	static const uint8_t flags[] = {0, FIN, RST, FIN | ACK, RST | ACK, SYN | FIN};
	struct packet asked = out(TCP, 40000, 443), reply;

	allow_only(ACL_OUT);
	for (unsigned i = 0; i < sizeof(flags); i++) {
		asked.tcp_flags = flags[i];
		assert_judged(&asked, PASSES);
		reply = answer(&asked, ACK);
		assert_judged(&reply, DENIED);
	}
	assert_int_equal(count_sessions(), 0);
}

static void silent_sessions_are_forgotten(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	for (unsigned i = 0; i < 5; i++) {
		it.now_s += IDLE_S - 1;
		assert_judged(&reply, PASSES); // which keeps it alive
	}
	it.now_s += IDLE_S + 1;
	assert_judged(&reply, DENIED);
}

static void what_passes_anyway_is_followed_too(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, SYN | ACK);

	stateful(extended(ACL_OUT, WEIGHT, ACL_ALLOW));
	apply();
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	assert_session(CONNTRACK_SYN_RECEIVED, true);
	extended(ACL_IN, 5, ACL_ALLOW);
	apply();
	reply.tcp_flags = RST;
	assert_judged(&reply, PASSES);
	assert_session(CONNTRACK_CLOSED, true);
}

static void protocols_without_ports_have_sessions(void **state)
{
	struct packet asked = out(GRE, 0, 0), reply = answer(&asked, 0);

	allow_only(ACL_OUT);
	assert_judged(&reply, DENIED);
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
}

static void echoes_are_matched(void **state)
{
	static const struct {
		uint8_t protocol, asked, reply;
	} kinds[] = {{ICMP, ECHO_ASKED, ECHO_REPLY},
		     {ICMP, TIME_ASKED, TIME_REPLY},
		     {ICMPV6, ASKED6, REPLY6}};

	for (unsigned i = 0; i < 6; i++) {
		const bool is_ipv6 = kinds[i % 3].protocol == ICMPV6;
		struct packet asked = is_ipv6 ? out6(ICMPV6) : out(ICMP, 0, 0), reply;

		asked.direction = i / 3;
		asked.icmp_type = kinds[i % 3].asked;
		asked.icmp_id = 7;
		reply = answer(&asked, 0);
		reply.icmp_type = kinds[i % 3].reply;
		allow_only(asked.direction);
		assert_judged(&reply, DENIED);
		assert_judged(&asked, PASSES);
		assert_judged(&reply, PASSES);
		reply.icmp_id = 8;
		assert_judged(&reply, DENIED);
		// A question back is no answer.
		reply.icmp_id = 7;
		reply.icmp_type = kinds[i % 3].asked;
		assert_judged(&reply, DENIED);
		// Nor does an answer that is allowed begin anything.
		asked.icmp_id = 9;
		asked.icmp_type = kinds[i % 3].reply;
		assert_judged(&asked, PASSES);
		reply.icmp_id = 9;
		assert_judged(&reply, DENIED);
		assert_int_equal(count_sessions(), 1);
		end(NULL);
	}
}

// An error from 'from' to the sender of the packet 'about', which it quotes up to 'size' bytes.
static unsigned judge_error(const struct packet *about, const char *from, uint8_t type,
			    unsigned size)
{
	static uint8_t quote[LAYERS_MAX];
	struct packet error = *about;
	const bool is_ipv6 = strchr(about->local, ':') != NULL;
	unsigned quoted;

	lay(about);
	quoted = layers.size - 14;
	memcpy(quote, layers.data + 14, quoted);
	error.direction = !about->direction;
	if (error.direction == ACL_IN)
		error.remote = from;
	else
		error.local = from;
	error.protocol = is_ipv6 ? ICMPV6 : ICMP;
	error.icmp_type = type;
	error.cut = WHOLE;
	lay_link(error.direction);
	lay_ip(&error);
	lay_l4(&error);
	put_bytes(quote, size < quoted ? size : quoted);
	layers_end();
	return judge_laid(error.direction, about->vlan);
}

static void errors_pass_that_quote_a_session(void **state)
{
	struct packet asked = out(TCP, 40000, 443), other;

	allow_only(ACL_OUT);
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), DENIED);
	assert_judged(&asked, PASSES);
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), PASSES);
	assert_int_equal(judge_error(&asked, "10.9.9.9", TIME_EXCEEDED, 40), PASSES);
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 27), DENIED);
	assert_int_equal(judge_error(&asked, "10.9.9.9", REDIRECT, 28), DENIED);
	other = asked;
	other.local_port++;
	assert_int_equal(judge_error(&other, "10.9.9.9", UNREACHABLE, 28), DENIED);
	// Sessions do not live by what is said of them.
	it.now_s += CONNTRACK_SHORT_S - 1;
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), PASSES);
	it.now_s += 2;
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), DENIED);
}

static void errors_go_back_to_who_sent(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply;

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), PASSES);
	set_16(14 + 18, 0x0099); // to another than who sent what it quotes
	assert_int_equal(judge_laid(ACL_IN, 0), DENIED);
	end(NULL);
	// From the VM about what it was sent; not about what it sent itself.
	allow_only(ACL_IN);
	asked.direction = ACL_IN;
	reply = answer(&asked, 0);
	assert_judged(&asked, PASSES);
	assert_judged(&reply, PASSES);
	assert_int_equal(judge_error(&asked, "10.1.0.5", UNREACHABLE, 28), PASSES);
	judge_error(&reply, "10.2.0.6", UNREACHABLE, 28);
	assert_int_equal(judge_laid(ACL_OUT, 0), DENIED);
}

static void errors_of_ipv6_and_about_echoes_pass(void **state)
{
	struct packet asked = out6(UDP), ping = out(ICMP, 0, 0), ping6 = out6(ICMPV6);

	ping.icmp_type = ECHO_ASKED;
	ping6.icmp_type = ASKED6;
	ping.icmp_id = ping6.icmp_id = 77;
	allow_only(ACL_OUT);
	assert_int_equal(judge_error(&asked, "2001:db8:2::1", TOO_BIG6, 48), DENIED);
	assert_judged(&asked, PASSES);
	assert_judged(&ping, PASSES);
	assert_judged(&ping6, PASSES);
	assert_int_equal(judge_error(&asked, "2001:db8:2::1", TOO_BIG6, 48), PASSES);
	assert_int_equal(judge_error(&asked, "2001:db8:2::1", TOO_BIG6, 47), DENIED);
	assert_int_equal(judge_error(&asked, "2001:db8:2::1", 137, 48), DENIED);
	assert_int_equal(judge_error(&ping, "10.9.9.9", TIME_EXCEEDED, 28), PASSES);
	assert_int_equal(judge_error(&ping6, "2001:db8:2::1", 3, 48), PASSES);
	ping.icmp_id = 78;
	assert_int_equal(judge_error(&ping, "10.9.9.9", TIME_EXCEEDED, 28), DENIED);
}

static void fragments_pass_with_the_first(void **state)
{
	for (unsigned version = 4; version <= 6; version += 2) {
		struct packet asked = version == 4 ? out(UDP, 40000, 443) : out6(UDP), reply, later;

		reply = answer(&asked, 0);
		reply.cut = FIRST;
		reply.frag_id = 0x1234abcd;
		later = reply;
		later.cut = LATER;
		allow_only(ACL_OUT);
		assert_judged(&asked, PASSES);
		assert_judged(&later, DENIED);
		assert_judged(&reply, PASSES);
		assert_judged(&later, PASSES);
		later.frag_id++;
		assert_judged(&later, DENIED);
		later.frag_id = 0x9999abcd;
		assert_judged(&later, version == 4 ? PASSES : DENIED); // 16 bits, or 32
		later.frag_id = 0x1234abcd;
		later.remote = version == 4 ? "10.2.0.7" : "2001:db8:1::7";
		assert_judged(&later, DENIED);
		later.remote = reply.remote;
		it.now_s += CONNTRACK_SHORT_S + 1;
		assert_judged(&later, DENIED);
		// The other way they pass by the rule that allows.
		asked.cut = LATER;
		assert_judged(&asked, PASSES);
		end(NULL);
	}
}

static void fragments_leave_room_for_flows(void **state)
{
	struct packet asked = out(UDP, 40000, 443), reply = answer(&asked, 0);

	it.limits.sessions = 8;
	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	reply.cut = FIRST;
	for (reply.frag_id = 0; reply.frag_id < 20; reply.frag_id++)
		assert_judged(&reply, PASSES);
	assert_int_equal(count_sessions(), 4);
	for (unsigned i = 0; i < 4; i++) {
		asked.local_port++;
		assert_judged(&asked, PASSES);
	}
	assert_int_equal(count_sessions(), 8);
}

static void weights_decide_against_sessions(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);

	for (unsigned weight = WEIGHT - 1; weight <= WEIGHT + 1; weight += 2) {
		it.n = 0;
		stateful(extended(ACL_OUT, WEIGHT, ACL_ALLOW));
		extended(ACL_IN, (uint16_t)weight, ACL_DENY);
		apply();
		assert_judged(&asked, PASSES);
		assert_judged(&reply, weight < WEIGHT ? PASSES : DENIED);
		assert_counted(0, weight < WEIGHT ? 1 : 2); // it has stayed
		assert_counted(1, weight < WEIGHT ? 0 : 1); // the session decided, not the rule
	}
}

static void basic_rules_know_no_sessions(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);

	stateful(extended(ACL_OUT, WEIGHT, ACL_ALLOW));
	basic(ACL_IN, REMOTE, "10.0.0.0/8", ACL_DENY);
	apply();
	assert_judged(&asked, PASSES);
	assert_judged(&reply, DENIED);
}

static void a_full_table_is_a_drop_or_not(void **state)
{
	for (unsigned allows = 0; allows < 2; allows++) {
		struct packet asked = out(UDP, 5000, 53), reply;
		unsigned refused = 0;

		it.limits = (struct acl_limits){.sessions = 1, .full_allows = allows};
		allow_only(ACL_OUT);
		assert_judged(&asked, PASSES);
		for (unsigned i = 0; i < 10; i++) {
			asked.local_port++;
			refused += judge(&asked) == DROP_Resources;
		}
		assert_int_equal(refused, allows ? 0 : 10);
		assert_int_equal(count_sessions(), 1);
		reply = answer(&asked, 0);
		assert_judged(&reply, DENIED);
		asked.local_port = 5000;
		reply = answer(&asked, 0);
		assert_judged(&asked, PASSES);
		assert_judged(&reply, PASSES);
		end(NULL);
	}
}

static void a_flood_leaves_room_for_the_vms_own_calls(void **state)
{
	static const struct packet floods[] = {{.protocol = TCP, .tcp_flags = SYN},
					       {.protocol = TCP, .tcp_flags = ACK},
					       {.protocol = UDP}};

	for (unsigned i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct packet flood = out(floods[i].protocol, 22, 1000),
			      asked = out(TCP, 40000, 443);
		struct packet reply = answer(&asked, SYN | ACK);

		flood.direction = ACL_IN;
		flood.tcp_flags = floods[i].tcp_flags;
		it.limits.sessions = 16;
		allow_only(ACL_IN);
		stateful(extended(ACL_OUT, WEIGHT + 1, ACL_ALLOW));
		apply();
		for (; flood.remote_port < 1100; flood.remote_port++)
			assert_judged(&flood, flood.remote_port < 1012 ? PASSES : DROP_Resources);
		assert_int_equal(it.acl->sessions->refused, 88);
		for (; asked.local_port < 40004; asked.local_port++)
			assert_judged(&asked, PASSES);
		assert_judged(&asked, DROP_Resources);
		assert_judged(&reply, PASSES);
		flood.remote_port = 1000;
		assert_judged(&flood, PASSES); // it has its session
		flood.remote_port = 2000;
		flood.protocol = TCP;
		flood.tcp_flags = RST;
		assert_judged(&flood, PASSES); // it needs none
		end(NULL);
	}
}

static void two_in_one_place_do_not_wait(void **state)
{
	struct packet asked = out(UDP, 5000, 53);

	allow_only(ACL_OUT);
	for (uint32_t i = 0; i < it.acl->sessions->n_buckets; i++)
		atomic_store(&it.acl->sessions->buckets[i].lock, 1);
	assert_judged(&asked, DROP_Busy);
	for (uint32_t i = 0; i < it.acl->sessions->n_buckets; i++)
		atomic_store(&it.acl->sessions->buckets[i].lock, 0);
	assert_judged(&asked, PASSES);
}

static void sessions_end_with_their_rule(void **state)
{
	struct packet udp = out(UDP, 5000, 53), tcp = out(TCP, 5000, 53);
	struct packet udp_reply = answer(&udp, 0), tcp_reply = answer(&tcp, SYN | ACK);

	extended(ACL_IN, 1, ACL_DENY);
	stateful(with_protocol(extended(ACL_OUT, WEIGHT, ACL_ALLOW), UDP));
	stateful(with_protocol(extended(ACL_OUT, WEIGHT + 1, ACL_ALLOW), TCP));
	apply();
	assert_judged(&udp, PASSES);
	assert_judged(&tcp, PASSES);
	extended(ACL_IN, 2, ACL_ALLOW)->local_ports.last = 9;
	apply();
	assert_judged(&udp_reply, PASSES);
	assert_judged(&tcp_reply, PASSES);
	it.rules[1] = it.rules[2]; // the rule of UDP goes
	it.rules[2] = it.rules[3];
	it.n = 3;
	apply();
	assert_judged(&udp_reply, DENIED);
	assert_judged(&tcp_reply, PASSES);
	it.rules[1].weight++; // and that of TCP becomes another
	apply();
	assert_judged(&tcp_reply, DENIED);
	assert_int_equal(count_sessions(), 0);
	it.n = 1;
	apply();
	assert_null(it.acl->sessions);
}

static void another_limit_takes_the_sessions_along(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);
	const struct conntrack *before;

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	before = it.acl->sessions;
	it.limits.full_allows = true;
	apply();
	assert_ptr_equal(it.acl->sessions, before);
	it.limits.sessions = 5;
	apply();
	assert_int_equal(it.acl->sessions->max, 5);
	assert_judged(&reply, PASSES);
	it.limits.vlan.keeps_priority = 1;
	apply();
	assert_judged(&reply, PASSES);
}

// A table is replaced step by step: by the two acls it is seen what procs see that have either.
static void a_reply_passes_at_each_step_of_another_limit(void **state)
{
	struct packet asked = out(TCP, 40000, 443), reply = answer(&asked, SYN | ACK);
	struct packet meantime = out(TCP, 40001, 443), its_reply = answer(&meantime, SYN | ACK);
	struct acl *before, *now;
	struct errtext e;

	for (unsigned sessions = 32; sessions <= 128; sessions *= 4) {
		it.limits.sessions = 64;
		allow_only(ACL_OUT);
		assert_judged(&asked, PASSES);
		before = it.acl;
		it.limits.sessions = sessions;
		assert_int_equal(acl_make(it.rules, it.n, &it.limits, before, &now, &e), 0);
		assert_judged(&reply, PASSES);
		acl_inherit(now, before, it.now_s);
		it.acl = now;
		assert_judged(&reply, PASSES);
		assert_session(CONNTRACK_SYN_RECEIVED, true);
		it.acl = before; // another proc is not as far, and hears of more
		asked.tcp_flags = ACK;
		assert_judged(&asked, PASSES);
		assert_judged(&meantime, PASSES);
		it.acl = now;
		assert_judged(&reply, PASSES);
		assert_judged(&its_reply, DENIED);
		acl_commit(now, before, it.now_s);
		acl_destroy(before);
		assert_judged(&its_reply, PASSES);
		meantime.tcp_flags = ACK;
		assert_judged(&meantime, PASSES);
		assert_int_equal(count_sessions(), 2);
		assert_int_equal(it.acl->sessions->max, sessions);
		it.now_s += IDLE_S - 1; // the state was taken over: it is established
		reply.tcp_flags = ACK;
		assert_judged(&reply, PASSES);
		end(NULL);
		meantime.tcp_flags = asked.tcp_flags = SYN;
		reply.tcp_flags = SYN | ACK;
	}
}

static void sessions_end_with_the_ports_vlans(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);
	struct vlan_rules vlans[] = {
		{.own = 5},
		{.own = 5, .mode = VLAN_ACCESS},
		{.own = 5, .mode = VLAN_ACCESS, .set = {.words = {1 << 5}}},
		{.own = 5, .mode = VLAN_ACCESS, .set = {.words = {1 << 5}}, .takes_tags = 1},
	};

	allow_only(ACL_OUT);
	for (unsigned i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++) {
		for (unsigned more = 0; more < 2; more++) { // sessions: with another table or not
			assert_judged(&asked, PASSES);
			assert_judged(&reply, PASSES);
			it.limits.vlan = vlans[i];
			it.limits.vlan.own += more;
			it.limits.sessions += more;
			apply();
			assert_int_equal(count_sessions(), 0);
			assert_judged(&reply, DENIED);
		}
	}
}

static void trunks_keep_vlans_apart(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply;

	for (unsigned by_vlan = 0; by_vlan < 2; by_vlan++) {
		it.limits.vlan.takes_tags = by_vlan;
		allow_only(ACL_OUT);
		asked.vlan = 5;
		reply = answer(&asked, 0);
		assert_judged(&asked, PASSES);
		assert_judged(&reply, PASSES);
		assert_int_equal(judge_error(&asked, "10.9.9.9", UNREACHABLE, 28), PASSES);
		reply.vlan = 6; // of a private VLAN's other side
		assert_judged(&reply, by_vlan ? DENIED : PASSES);
		reply.vlan = 0;
		assert_judged(&reply, by_vlan ? DENIED : PASSES);
	}
}

static void what_was_not_committed_has_no_sessions(void **state)
{
	struct packet asked = out(UDP, 5000, 53), reply = answer(&asked, 0);
	struct acl *never;
	struct errtext e;

	allow_only(ACL_OUT);
	assert_judged(&asked, PASSES);
	stateful(extended(ACL_IN, 7, ACL_ALLOW));
	assert_int_equal(acl_make(it.rules, it.n, &it.limits, it.acl, &never, &e), 0);
	acl_destroy(never);
	assert_judged(&reply, PASSES);
	it.limits.sessions++;
	assert_int_equal(acl_make(it.rules, it.n, &it.limits, it.acl, &never, &e), 0);
	acl_inherit(never, it.acl, it.now_s);
	acl_destroy(never);
	assert_judged(&reply, PASSES);
	assert_int_equal(count_sessions(), 1);
	// Between its first frame and the commit both have them.
	it.limits.sessions--;
	assert_int_equal(acl_make(it.rules, it.n, &it.limits, it.acl, &never, &e), 0);
	assert_ptr_equal(never->sessions, it.acl->sessions);
	acl_commit(never, it.acl, it.now_s);
	acl_destroy(it.acl);
	it.acl = never;
	assert_judged(&reply, PASSES);
}

static void what_is_hidden_needs_a_denial(void **state)
{
	struct packet asked = out(UDP, 5000, 53);

	stateful(extended(ACL_OUT, WEIGHT, ACL_ALLOW));
	extended(ACL_IN, 1, ACL_DENY);
	apply();
	lay(&asked);
	layers.size -= 10;
	assert_int_equal(judge_laid(ACL_OUT, 0), PASSES);
	assert_int_equal(count_sessions(), 0);
	asked = answer(&asked, 0);
	lay(&asked);
	layers.size -= 10;
	assert_int_equal(judge_laid(ACL_IN, 0), DENIED);
}

static int start(void **state)
{
	return eal_start();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(answers_pass_and_nothing_else_does),
		TEST(both_versions_have_sessions),
		TEST(tcp_is_followed_to_its_end),
		TEST(half_a_connection_waits_for_its_answer),
		TEST(a_forged_rst_does_not_end_what_goes_on),
		TEST(no_connection_is_opened_as_a_reply),
		TEST(tcp_that_begins_nothing_passes_without_a_session),
		TEST(silent_sessions_are_forgotten),
		TEST(what_passes_anyway_is_followed_too),
		TEST(protocols_without_ports_have_sessions),
		TEST(echoes_are_matched),
		TEST(errors_pass_that_quote_a_session),
		TEST(errors_go_back_to_who_sent),
		TEST(errors_of_ipv6_and_about_echoes_pass),
		TEST(fragments_pass_with_the_first),
		TEST(fragments_leave_room_for_flows),
		TEST(weights_decide_against_sessions),
		TEST(basic_rules_know_no_sessions),
		TEST(a_full_table_is_a_drop_or_not),
		TEST(a_flood_leaves_room_for_the_vms_own_calls),
		TEST(two_in_one_place_do_not_wait),
		TEST(sessions_end_with_their_rule),
		TEST(another_limit_takes_the_sessions_along),
		TEST(a_reply_passes_at_each_step_of_another_limit),
		TEST(sessions_end_with_the_ports_vlans),
		TEST(trunks_keep_vlans_apart),
		TEST(what_was_not_committed_has_no_sessions),
		TEST(what_is_hidden_needs_a_denial),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

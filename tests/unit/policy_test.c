/*
 * Policy as it is made from commands and as it acts on bursts: what `port set` comes to, who
 * may send from which address, the storm limit, and tags per destination.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/egress.h"
#include "switch/ingress.h"
#include "switch/policy.h"
#include "switch/policy_make.h"
#include "switch/storm.h"
#include "switch/vlan.h"
#include "tests/fake_nic.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/eal.h"

enum { PORTS = 5, LOG = 64, TAG = 12 };

// What a port's NIC was sent: of each frame the mark at its end, and the tag, 0 if none.
struct sent {
	unsigned n;
	uint8_t marks[LOG];
	uint16_t tags[LOG];
	uint32_t sizes[LOG];
};

static struct fake_nic *nics[PORTS];
static struct vport *ports[PORTS];
static struct sent sent[PORTS];
static struct vswitch_map map;
static struct vswitch sw;
static struct vnbl_burst burst;
static struct conf *conf;

static void write_down(struct fake_nic *fake, struct vnbl *const frames[], unsigned n)
{
	struct sent *s = &sent[fake->number];

	for (unsigned i = 0; i < n; i++) {
		const struct vnbl *v = frames[i];
		bool tagged = v->hdr[TAG] == 0x81 && v->hdr[TAG + 1] == 0;

		assert_in_range(s->n, 0, LOG - 1);
		s->marks[s->n] = v->hdr[v->safe_size - 1];
		s->sizes[s->n] = v->frame_size;
		s->tags[s->n++] = tagged ? (uint16_t)(v->hdr[14] << 8 | v->hdr[15]) : 0;
	}
}

static void run(const char *line)
{
	struct errtext e = {.text = ""};
	struct conf_edit edit;
	uint32_t column;

	if (conf_fixture_run(conf, line, &edit, &e, &column) != 0)
		fail_msg("%s: %s", line, e.text);
}

static void name_of(unsigned i, char name[8])
{
	snprintf(name, 8, "p%u", i);
}

static struct policy *make(const char *port, const struct policy *before)
{
	struct policy *policy;
	struct errtext e;

	assert_int_equal(policy_make(conf, conf_port_find(conf, port), before, &policy, &e), 0);
	return policy;
}

// Gives each live port the policy that the configuration has for it.
static void apply(void)
{
	for (unsigned i = 0; i < PORTS; i++) {
		struct policy *before = atomic_load(&ports[i]->policy), *policy;
		char name[8];

		name_of(i, name);
		policy = make(name, before);
		atomic_store(&ports[i]->policy, policy);
		policy_commit(policy, before, 1000);
		policy_free(before, policy);
	}
}

static int setup(void **state)
{
	memset(&map, 0, sizeof(map));
	memset(&sw, 0, sizeof(sw));
	memset(sent, 0, sizeof(sent));
	burst.n = 0;
	sw.frame_max = 1514;
	assert_int_equal(conf_create(&conf), 0);
	run("switch add s private");
	for (unsigned i = 0; i < PORTS; i++) {
		struct vport_conf port = {.friendly_name = "", .type = VPORT_SYNTHETIC};
		char name[8], line[64];

		name_of(i, name);
		port.name = name;
		port.id = port.slot = (uint16_t)i;
		assert_int_equal(vport_create(&port, &sw, &ports[i]), 0);
		nics[i] = fake_nic_create();
		nics[i]->number = i;
		nics[i]->sent = write_down;
		ports[i]->nic = &nics[i]->nic;
		map.by_slot[i] = ports[i];
		map.flood[map.n_ports++] = (uint16_t)i;
		snprintf(line, sizeof(line), "port add %s switch s tap t%u", name, i);
		run(line);
	}
	map.n_slots = PORTS;
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < PORTS; i++) {
		policy_free(atomic_exchange(&ports[i]->policy, NULL), NULL);
		fake_nic_destroy(nics[i]);
		vport_destroy(ports[i]);
	}
	conf_destroy(conf);
	return 0;
}

// A frame of 60 bytes, from the station 02:00:00:00:00:'from', with a tag when 'tci' >= 0.
static struct vnbl *add_frame(uint8_t from, int tci, uint8_t mark)
{
	struct vnbl *v = &burst.frames[burst.n++];

	vnbl_reset(v);
	memset(v->safe, 0, 64);
	v->safe[0] = v->safe[6] = 2;
	v->safe[5] = 0xfe;
	v->safe[11] = from;
	v->frame_size = v->safe_size = 60;
	if (tci >= 0) {
		v->safe[TAG] = 0x81;
		v->safe[TAG + 2] = (uint8_t)(tci >> 8);
		v->safe[TAG + 3] = (uint8_t)tci;
		v->frame_size = v->safe_size = 64;
	}
	v->hdr[v->safe_size - 1] = mark;
	return v;
}

static void through(unsigned from, uint16_t dst_slot, uint32_t now_s)
{
	struct proc_rxq rxq = {.vswitch = &sw,
			       .nic = ports[from]->nic,
			       .port = ports[from],
			       .slot = (uint16_t)from};

	ingress_burst(&sw, &rxq, &burst, &ports[from]->stats[0], 0, now_s);
	for (unsigned i = 0; i < burst.n; i++)
		if (!(burst.frames[i].flags & VNBL_DROPPED))
			burst.frames[i].dst_slot = dst_slot;
	egress_burst(&map, &rxq, &burst, 0, now_s);
	vnic_settle();
	burst.n = 0;
}

static uint64_t dropped(unsigned port, enum drop_direction dir, unsigned reason)
{
	return ports[port]->stats[0].drops[dir][reason];
}

static void settings_come_and_go(void **state)
{
	apply();
	for (unsigned i = 0; i < PORTS; i++)
		assert_null(atomic_load(&ports[i]->policy));
	run("port set p0 vlan trunk 1-100,200 native 5 prune 7-9 storm-limit 11 ieee-priority on");
	apply();
	assert_non_null(atomic_load(&ports[0]->policy));
	assert_int_equal(policy_of(ports[0])->storm_fps, 11);
	for (uint16_t id = 0; id < VLAN_IDS; id++)
		assert_int_equal(vlan_set_has(&policy_of(ports[0])->vlan.set, id),
				 (id >= 1 && id <= 100 && (id < 7 || id > 9)) || id == 200);
	run("port set p0 vlan trunk 5-7");
	apply();
	assert_true(vlan_set_has(&policy_of(ports[0])->vlan.set, 0));
	run("port set p0 vlan trunk 5-7 native none prune 6");
	apply();
	assert_false(vlan_set_has(&policy_of(ports[0])->vlan.set, 0));
	assert_true(vlan_set_has(&policy_of(ports[0])->vlan.set, 7));
	run("port set p0 vlan default storm-limit 0 ieee-priority off");
	apply();
	assert_null(atomic_load(&ports[0]->policy));
}

// What is said of VLANs at the wire must not cost all machines their priorities.
static void the_wire_keeps_priorities(void **state)
{
	struct policy *policy;

	run("port add w switch s pcap tx /w.pcap vlan trunk 5-7");
	run("port set p0 vlan trunk 5-7");
	policy = make("w", NULL);
	assert_int_equal(policy->vlan.keeps_priority, 1);
	policy_free(policy, NULL);
	policy = make("p0", NULL);
	assert_int_equal(policy->vlan.keeps_priority, 0);
	policy_free(policy, NULL);
}

static void a_port_with_an_address_sends_from_it_alone(void **state)
{
	run("port set p0 mac 02:00:00:00:00:0a");
	run("port set p1 mac 02:00:00:00:00:0b vm web");
	apply();
	add_frame(0x0a, -1, 'a');
	add_frame(0x0b, -1, 'b');
	add_frame(0x0c, -1, 'c');
	through(0, 3, 0);
	assert_int_equal(sent[3].n, 1);
	assert_int_equal(sent[3].marks[0], 'a');
	assert_int_equal(dropped(0, DROP_IN, DROP_MacSpoofing), 2);
	assert_int_equal(ports[0]->stats[0].rx_frames, 1);
	assert_int_equal(ports[0]->stats[0].rx_bytes, 60);

	run("port set p0 teaming on vm web");
	apply();
	add_frame(0x0b, -1, 'b');
	add_frame(0x0c, -1, 'c');
	through(0, 3, 0);
	assert_int_equal(sent[3].n, 2);
	assert_int_equal(sent[3].marks[1], 'b');

	run("port set p0 mac-spoofing on");
	apply();
	add_frame(0x0c, -1, 'c');
	through(0, 3, 0);
	assert_int_equal(sent[3].n, 3);
}

static void each_destination_gets_the_tag_it_is_to_have(void **state)
{
	run("port set p0 vlan trunk 5,6");
	run("port set p1 vlan access 5");
	run("port set p2 vlan trunk 5-9 native 6");
	run("port set p3 vlan access 6");
	apply();
	ports[4]->is_wire = 1;
	add_frame(1, 5, 'a');
	add_frame(1, 6, 'b');
	add_frame(1, -1, 'c');
	add_frame(1, 7, 'd');
	add_frame(1, 5, 'e');
	through(0, VNBL_DST_FLOOD, 0);
	assert_int_equal(dropped(0, DROP_IN, DROP_UnauthorizedVLAN), 1);
	assert_int_equal(ports[0]->stats[0].rx_frames, 4);
	assert_int_equal(ports[0]->stats[0].rx_bytes, 64 * 3 + 60);

	assert_int_equal(sent[1].n, 2);
	assert_memory_equal(sent[1].marks, "ae", 2);
	assert_int_equal(sent[1].tags[0] | sent[1].tags[1], 0);
	assert_int_equal(sent[1].sizes[0], 60);
	assert_int_equal(sent[2].n, 3);
	assert_memory_equal(sent[2].marks, "abe", 3);
	assert_int_equal(sent[2].tags[0], 5);
	assert_int_equal(sent[2].tags[1], 0);
	assert_int_equal(sent[2].tags[2], 5);
	assert_int_equal(sent[3].n, 1);
	assert_memory_equal(sent[3].marks, "b", 1);
	assert_int_equal(sent[4].n, 4);
	assert_memory_equal(sent[4].marks, "abce", 4);
	assert_int_equal(sent[4].tags[0], 5);
	assert_int_equal(sent[4].tags[1], 6);
	assert_int_equal(sent[4].tags[2], 0);
	assert_int_equal(sent[4].sizes[0], 64);
	// A flood that a port does not carry was never for that port.
	for (unsigned p = 1; p < PORTS; p++)
		assert_int_equal(dropped(p, DROP_OUT, DROP_FilteredVLAN), 0);
}

static void a_frame_for_another_vlans_port_is_a_drop_there(void **state)
{
	run("port set p0 vlan access 5");
	run("port set p1 vlan access 6");
	run("port set p2 vlan isolated 100 101");
	run("port set p3 vlan isolated 100 101");
	apply();
	add_frame(1, -1, 'a');
	through(0, 1, 0);
	add_frame(1, -1, 'a');
	through(2, 3, 0);
	add_frame(1, -1, 'a');
	through(4, 1, 0);
	assert_int_equal(sent[1].n + sent[3].n, 0);
	assert_int_equal(dropped(1, DROP_OUT, DROP_FilteredVLAN), 2);
	assert_int_equal(dropped(3, DROP_OUT, DROP_FailedPvlanSetting), 1);
	assert_int_equal(burst.frames[0].flags & VNBL_DROPPED, VNBL_DROPPED);
	assert_int_equal(burst.frames[0].dst_slot, VNBL_DST_NONE);
	assert_int_equal(ports[0]->stats[0].rx_frames, 1);
}

static void ports_without_setting_are_untagged(void **state)
{
	add_frame(1, 5, 'a');
	add_frame(1, 5 << 13, 'b'); // only a priority
	add_frame(1, -1, 'c');
	through(0, 1, 0);
	assert_int_equal(dropped(0, DROP_IN, DROP_UnauthorizedVLAN), 1);
	assert_int_equal(sent[1].n, 2);
	assert_memory_equal(sent[1].marks, "bc", 2);
	assert_int_equal(sent[1].tags[0], 0);
	assert_int_equal(sent[1].sizes[0], 60);
	assert_int_equal(ports[0]->stats[0].rx_bytes, 64 + 60);
}

static void storms_end_at_the_limit_of_each_second(void **state)
{
	run("port set p0 storm-limit 3");
	apply();
	for (uint32_t second = 10; second < 12; second++) {
		for (unsigned i = 0; i < 5; i++)
			add_frame(1, -1, 'f');
		through(0, VNBL_DST_FLOOD, second);
		// Known destinations are no storm.
		for (unsigned i = 0; i < 5; i++)
			add_frame(1, -1, 'u');
		through(0, 1, second);
	}
	assert_int_equal(sent[2].n, 6);
	assert_int_equal(sent[1].n, 16);
	assert_int_equal(dropped(0, DROP_IN, DROP_StormLimit), 4);
	assert_int_equal(ports[0]->stats[0].rx_frames, 16);
	assert_int_equal(ports[0]->stats[0].rx_flooded, 6);
}

static void a_slow_clock_makes_no_new_second(void **state)
{
	_Atomic uint64_t word = 0;

	assert_true(storm_take(&word, 2, 100));
	assert_true(storm_take(&word, 2, 99));
	assert_false(storm_take(&word, 2, 100));
	assert_false(storm_take(&word, 2, 99));
	assert_true(storm_take(&word, 2, 101));
	word = (uint64_t)UINT32_MAX << 32 | 2;
	assert_false(storm_take(&word, 2, UINT32_MAX));
	assert_true(storm_take(&word, 2, 0));
}

// Who gets copies of what, in the order of the burst; both ends being sources makes one copy.
static void copies_go_to_the_session(void **state)
{
	struct vswitch_mirrors mirrors = {
		.n = 2, .to = {{.slot = 3, .session = 1}, {.slot = 4, .session = 2}}};

	atomic_store(&sw.mirrors, &mirrors);
	run("port set p0 mirror source vlan trunk 5");
	run("port set p1 mirror source vlan access 5");
	run("port set p2 vlan access 5");
	run("port set p3 mirror destination vlan access 7");
	run("port set p4 mirror destination session 2");
	apply();
	add_frame(1, 5, 'a');
	add_frame(1, 6, 'x'); // not the port's VLAN
	add_frame(1, 5, 'b');
	through(0, 1, 0);
	assert_int_equal(sent[1].n, 2);
	assert_memory_equal(sent[1].marks, "ab", 2);
	assert_int_equal(sent[1].tags[0], 0);
	assert_int_equal(sent[3].n, 2);
	assert_memory_equal(sent[3].marks, "ab", 2);
	assert_int_equal(sent[3].tags[0], 5);
	assert_int_equal(sent[3].tags[1], 5);
	assert_int_equal(sent[4].n, 0);

	// What a source receives, and what it does not.
	add_frame(2, -1, 'c');
	through(2, VNBL_DST_FLOOD, 0); // to p0 and p1
	assert_int_equal(sent[3].n, 3);
	assert_int_equal(sent[3].marks[2], 'c');
	add_frame(2, -1, 'd');
	through(2, 4, 0);
	assert_int_equal(sent[3].n, 3);

	// A destination gets its own frames once, and none of its own back.
	run("port set p3 vlan access 5");
	apply();
	add_frame(1, -1, 'e');
	through(1, 3, 0);
	assert_int_equal(sent[3].n, 4);
	assert_int_equal(sent[3].tags[3], 0);
	add_frame(3, -1, 'f');
	through(3, 1, 0);
	assert_int_equal(sent[1].n, 4);
	assert_int_equal(sent[3].n, 4);

	run("port set p0 mirror source session 2");
	apply();
	add_frame(1, 5, 'g');
	through(0, 2, 0);
	assert_int_equal(sent[4].n, 1);
	assert_int_equal(sent[3].n, 4);
	assert_int_equal(sent[2].tags[sent[2].n - 1], 0);
}

static void secondaries_share_their_primarys_stations(void **state)
{
	struct vlan_fids *fids;

	assert_int_equal(policy_make_fids(conf, "s", &fids), 0);
	assert_null(fids);
	run("port set p0 vlan isolated 100 101");
	run("port set p1 vlan community 100 102");
	run("port set p2 vlan promiscuous 100 101-110");
	run("port set p3 vlan access 7");
	assert_int_equal(policy_make_fids(conf, "other", &fids), 0);
	assert_null(fids);
	assert_int_equal(policy_make_fids(conf, "s", &fids), 0);
	for (uint16_t id = 0; id < VLAN_IDS; id++)
		assert_int_equal(fids->of[id], id >= 100 && id <= 110 ? 100 : id);
	free(fids);
}

// A UDP packet from port 9 to 'dst'.
static void add_udp(uint8_t from, uint8_t dst, uint8_t mark)
{
	static const uint8_t ip[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17};
	struct vnbl *v = add_frame(from, -1, mark);

	v->hdr[TAG] = 0x08;
	memcpy(v->hdr + 14, ip, sizeof(ip));
	v->hdr[35] = 9;
	v->hdr[37] = dst;
}

static void guards_look_at_frames_that_may_enter(void **state)
{
	run("port set p0 dhcp-guard on mac 02:00:00:00:00:0a");
	apply();
	assert_true(policy_of(ports[0])->parses);
	add_udp(0x0a, 68, 'a');
	add_udp(0x0a, 53, 'b');
	add_udp(0x0b, 68, 'c');
	add_frame(0x0a, -1, 'd');
	through(0, 3, 0);
	assert_int_equal(sent[3].n, 2);
	assert_memory_equal(sent[3].marks, "bd", 2);
	assert_int_equal(dropped(0, DROP_IN, DROP_DhcpGuard), 1);
	assert_int_equal(dropped(0, DROP_IN, DROP_MacSpoofing), 1);
	assert_int_equal(ports[0]->stats[0].rx_frames, 2);
	assert_int_equal(ports[0]->stats[0].rx_bytes, 120);
	run("port set p0 dhcp-guard off address 10.0.0.1");
	apply();
	assert_false(policy_of(ports[0])->parses);
	add_udp(0x0a, 68, 'a');
	through(0, 3, 0);
	assert_int_equal(sent[3].n, 3);
}

// ARP of the station 0a, from 10.0.0.'ip'.
static void add_arp(uint8_t ip, uint8_t mark)
{
	static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct vnbl *v = add_frame(0x0a, -1, mark);

	v->hdr[TAG] = 0x08;
	v->hdr[TAG + 1] = 0x06;
	memcpy(v->hdr + 14, arp, sizeof(arp));
	memcpy(v->hdr + 22, v->hdr + 6, 6);
	v->hdr[28] = 10;
	v->hdr[31] = ip;
}

static void learned_addresses_outlive_other_settings(void **state)
{
	const struct guard_learn *learned;

	run("port set p0 address-limit 1");
	apply();
	learned = policy_of(ports[0])->learned;
	assert_non_null(learned);
	add_arp(1, 'a');
	add_arp(2, 'b');
	through(0, 3, 100);
	run("port set p0 storm-limit 1000 arp-guard on address 10.0.0.9");
	apply();
	assert_ptr_equal(policy_of(ports[0])->learned, learned);
	add_arp(2, 'c');
	add_arp(1, 'd');
	add_arp(9, 'e');
	through(0, 3, 399);
	run("port set p0 storm-limit 0");
	apply();
	add_arp(3, 'f');
	through(0, 3, 698);
	add_arp(3, 'g');
	through(0, 3, 699);
	assert_int_equal(sent[3].n, 4);
	assert_memory_equal(sent[3].marks, "adeg", 4);
	assert_int_equal(dropped(0, DROP_IN, DROP_FailedSecurityPolicy), 3);
	run("port set p0 address-limit 0");
	apply();
	assert_null(policy_of(ports[0])->learned);
	add_arp(9, 'h');
	add_arp(3, 'i');
	through(0, 3, 700);
	assert_int_equal(sent[3].n, 5);
}

static int group_setup(void **state)
{
	return eal_start() < 0 ? -1 : vnbl_init(63);
}

static int group_teardown(void **state)
{
	vnbl_fini();
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(settings_come_and_go),
		TEST(the_wire_keeps_priorities),
		TEST(a_port_with_an_address_sends_from_it_alone),
		TEST(each_destination_gets_the_tag_it_is_to_have),
		TEST(a_frame_for_another_vlans_port_is_a_drop_there),
		TEST(ports_without_setting_are_untagged),
		TEST(storms_end_at_the_limit_of_each_second),
		TEST(a_slow_clock_makes_no_new_second),
		TEST(copies_go_to_the_session),
		TEST(secondaries_share_their_primarys_stations),
		TEST(guards_look_at_frames_that_may_enter),
		TEST(learned_addresses_outlive_other_settings),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

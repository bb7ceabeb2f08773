// Ingress checks and delivery, with NICs that write down what they are sent. No EAL but for
// the pool that floods to many guests are made safe in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ports/vnbl.h"
#include "ports/vnic.h"
#include "ports/vport.h"
#include "switch/egress.h"
#include "switch/ingress.h"
#include "tests/fake_nic.h"
#include "tests/unit/eal.h"

enum { PORTS = 8, LOG = 256, FRAME_MAX = 1514 };

// What a port's NIC was sent.
struct sent {
	unsigned n;
	unsigned calls;
	unsigned safe;
	unsigned flooded_to;
	uint8_t marks[LOG];     // the last byte of each frame
	uint16_t dst_slot[LOG]; // as a debugger finds it meanwhile
};

static struct fake_nic *nics[PORTS];
static struct sent sent[PORTS];
static struct vport *ports[PORTS];
static struct vswitch sw;
static struct vswitch_map map;
static struct vnbl_burst burst;

static void write_down(struct fake_nic *fake, struct vnbl *const frames[], unsigned n)
{
	struct sent *s = &sent[fake->number];

	s->calls++;
	s->flooded_to = burst.flooded_to;
	for (unsigned i = 0; i < n; i++) {
		s->safe += frames[i]->mbuf != NULL;
		s->dst_slot[s->n] = frames[i]->dst_slot;
		s->marks[s->n++] = frames[i]->hdr[frames[i]->safe_size - 1];
	}
}

static struct proc_rxq rxq_of(unsigned slot)
{
	return (struct proc_rxq){.vswitch = &sw,
				 .nic = ports[slot]->nic,
				 .port = ports[slot],
				 .slot = (uint16_t)slot};
}

// Frame 'i' of the burst: 60 bytes, last byte 'mark', to be delivered to 'dst_slot'.
static void add_frame(uint16_t dst_slot, uint8_t mark)
{
	struct vnbl *v = &burst.frames[burst.n++];

	vnbl_reset(v);
	memset(v->safe, 0, 60);
	v->safe[5] = 2;
	v->safe[11] = 4;
	v->safe[59] = mark;
	v->frame_size = v->safe_size = 60;
	v->dst_slot = dst_slot;
}

static int setup(void **state)
{
	memset(&map, 0, sizeof(map));
	memset(sent, 0, sizeof(sent));
	burst.n = 0;
	for (unsigned i = 0; i < PORTS; i++) {
		const struct vport_conf conf = {
			.name = "p",
			.friendly_name = "",
			.type = VPORT_SYNTHETIC,
			.id = (uint16_t)(i + 1),
			.slot = (uint16_t)i,
		};

		assert_int_equal(vport_create(&conf, NULL, &ports[i]), 0);
		nics[i] = fake_nic_create();
		assert_non_null(nics[i]);
		nics[i]->number = i;
		nics[i]->sent = write_down;
		ports[i]->nic = &nics[i]->nic;
		map.by_slot[i] = ports[i];
		map.flood[map.n_ports++] = (uint16_t)i;
	}
	map.n_slots = PORTS;
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < PORTS; i++) {
		fake_nic_destroy(nics[i]);
		vport_destroy(ports[i]);
	}
	return 0;
}

static void run(unsigned src)
{
	struct proc_rxq rxq = rxq_of(src);

	egress_burst(&map, &rxq, &burst, 0, 0);
	vnic_settle();
}

static void assert_sent(unsigned port, const char *marks)
{
	assert_int_equal(sent[port].n, strlen(marks));
	assert_memory_equal(sent[port].marks, marks, strlen(marks));
}

static void unicast_is_grouped_and_in_order(void **state)
{
	for (unsigned i = 0; i < 8; i++)
		add_frame((uint16_t)(1 + i % 2), (uint8_t)('a' + i));
	run(0);
	assert_sent(1, "aceg");
	assert_sent(2, "bdfh");
	assert_sent(3, "");
	assert_int_equal(sent[1].calls, 1);
	assert_int_equal(ports[1]->stats[0].tx_frames, 4);
}

static void flood_reaches_all_but_the_sender_in_order(void **state)
{
	add_frame(1, 'a');
	add_frame(VNBL_DST_FLOOD, 'b');
	add_frame(1, 'c');
	add_frame(2, 'd');
	add_frame(VNBL_DST_FLOOD, 'e');
	run(0);
	assert_sent(0, "");
	assert_sent(1, "abce");
	assert_sent(2, "bde");
	assert_sent(7, "be");
	assert_int_equal(sent[1].calls, 1);
	assert_int_equal(ports[0]->stats[0].rx_flooded, 2);
}

// While a NIC has frames, and is perhaps stuck with them.
static void what_is_handed_over_says_to_whom(void **state)
{
	add_frame(1, 'a');
	add_frame(2, 'b');
	add_frame(0, 'c');
	burst.flooded_to = 5;
	run(0);
	assert_sent(1, "a");
	assert_sent(2, "b");
	assert_int_equal(sent[1].dst_slot[0], 1 | VNBL_DST_HANDED);
	assert_int_equal(sent[2].dst_slot[0], 2 | VNBL_DST_HANDED);
	assert_int_equal(sent[1].flooded_to, 0);
	assert_int_equal(burst.frames[0].dst_slot, 1 | VNBL_DST_HANDED);
	assert_int_equal(burst.frames[2].dst_slot, VNBL_DST_NONE);
}

static void a_flood_says_whose_turn_it_is(void **state)
{
	add_frame(VNBL_DST_FLOOD, 'a');
	add_frame(2, 'b');
	run(1);
	assert_sent(2, "ab");
	assert_int_equal(sent[0].flooded_to, 0 + 1);
	assert_int_equal(sent[2].flooded_to, 2 + 1);
	assert_int_equal(sent[7].flooded_to, 7 + 1);
	assert_int_equal(sent[7].dst_slot[0], VNBL_DST_FLOOD);
}

static void never_back_to_the_sender(void **state)
{
	add_frame(0, 'a');
	add_frame(1, 'b');
	run(0);
	assert_sent(0, "");
	assert_sent(1, "b");
	assert_int_equal(ports[0]->stats[0].drops[DROP_IN][DROP_Filtered], 1);
}

static void port_that_went_away_is_counted(void **state)
{
	map.by_slot[3] = NULL;
	add_frame(3, 'a');
	add_frame(PORTS, 'b');
	run(0);
	assert_int_equal(ports[0]->stats[0].drops[DROP_IN][DROP_Disconnected], 2);
}

static void dropped_frames_are_left_alone(void **state)
{
	add_frame(1, 'a');
	add_frame(VNBL_DST_FLOOD, 'b');
	vnbl_drop(&burst.frames[0], DROP_MTUMismatch);
	vnbl_drop(&burst.frames[1], DROP_MTUMismatch);
	run(0);
	for (unsigned i = 0; i < PORTS; i++)
		assert_sent(i, "");
	assert_int_equal(ports[0]->stats[0].rx_flooded, 0);
}

static void tag_is_back_on_delivery(void **state)
{
	ports[1]->is_wire = 1;
	add_frame(1, 'a');
	burst.frames[0].flags |= VNBL_HAS_TAG;
	burst.frames[0].vlan_tpid = 0x8100;
	burst.frames[0].vlan_tci = 5;
	run(0);
	assert_int_equal(burst.frames[0].frame_size, 64);
	assert_int_equal(burst.frames[0].hdr[12], 0x81);
	assert_int_equal(burst.frames[0].hdr[15], 5);
}

static void flood_to_many_guests_is_made_safe_once(void **state)
{
	map.n_guests = 5;
	add_frame(VNBL_DST_FLOOD, 'a');
	add_frame(1, 'b');
	run(0);
	assert_sent(1, "ab");
	assert_int_equal(sent[1].safe, 1);
	assert_int_equal(sent[2].safe, 1);
	vnbl_release(&burst.frames[0]);
}

static void full_burst_to_every_port(void **state)
{
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++)
		add_frame((uint16_t)(1 + i % (PORTS - 1)), (uint8_t)i);
	run(0);
	for (unsigned p = 1; p < PORTS; p++) {
		assert_in_range(sent[p].n, 4, 5);
		for (unsigned i = 0; i < sent[p].n; i++)
			assert_int_equal(sent[p].marks[i], p - 1 + i * (PORTS - 1));
	}
}

static unsigned check(const uint8_t *mac_dst, const uint8_t *mac_src, uint32_t size)
{
	struct vnbl v;

	vnbl_reset(&v);
	memset(v.safe, 0, VNBL_SAFE_SIZE);
	memcpy(v.safe, mac_dst, 6);
	memcpy(v.safe + 6, mac_src, 6);
	v.frame_size = size;
	v.safe_size = (uint16_t)(size < VNBL_SAFE_SIZE ? size : VNBL_SAFE_SIZE);
	return ingress_check(&v, FRAME_MAX);
}

static void ingress_names_what_is_wrong(void **state)
{
	const uint8_t a[6] = {2, 0, 0, 0, 0, 1}, b[6] = {2, 0, 0, 0, 0, 2};
	const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t zero[6] = {0}, group[6] = {1, 0, 0x5e, 0, 0, 1};
	uint8_t reserved[6] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x00};

	assert_int_equal(check(a, b, 60), DROP_COUNT);
	assert_int_equal(check(all, b, 60), DROP_COUNT);
	assert_int_equal(check(group, b, 60), DROP_COUNT);
	assert_int_equal(check(a, b, 14), DROP_COUNT);
	assert_int_equal(check(a, b, 13), DROP_InvalidFirstNBTooSmall);
	assert_int_equal(check(a, b, 0), DROP_InvalidFirstNBTooSmall);
	assert_int_equal(check(a, b, FRAME_MAX), DROP_COUNT);
	assert_int_equal(check(a, b, FRAME_MAX + 1), DROP_MTUMismatch);
	assert_int_equal(check(a, all, 60), DROP_InvalidSourceMac);
	assert_int_equal(check(a, group, 60), DROP_InvalidSourceMac);
	assert_int_equal(check(a, zero, 60), DROP_InvalidSourceMac);
	assert_int_equal(check(zero, b, 60), DROP_InvalidDestMac);
	for (unsigned i = 0; i < 16; i++) {
		reserved[5] = (uint8_t)i;
		assert_int_equal(check(reserved, b, 60), DROP_BridgeReserved);
	}
	reserved[5] = 0x10;
	assert_int_equal(check(reserved, b, 60), DROP_COUNT);
}

static void segments_are_measured_not_the_whole(void **state)
{
	struct vnbl v;

	vnbl_reset(&v);
	memset(v.safe, 2, VNBL_SAFE_SIZE);
	v.frame_size = 64000;
	v.safe_size = VNBL_SAFE_SIZE;
	v.offload = (struct vnbl_offload){.gso_type = 1, .gso_size = 1448, .hdr_len = 66};
	assert_int_equal(ingress_check(&v, FRAME_MAX), DROP_COUNT);
	v.offload.gso_size = 1449;
	assert_int_equal(ingress_check(&v, FRAME_MAX), DROP_MTUMismatch);
	v.offload.gso_type = 0;
	assert_int_equal(ingress_check(&v, FRAME_MAX), DROP_MTUMismatch);
}

static int group_setup(void **state)
{
	return eal_start() < 0 ? -1 : vnbl_init(255);
}

static int group_teardown(void **state)
{
	vnbl_fini();
	return 0;
}

#define PIPELINE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PIPELINE_TEST(unicast_is_grouped_and_in_order),
		PIPELINE_TEST(flood_reaches_all_but_the_sender_in_order),
		PIPELINE_TEST(what_is_handed_over_says_to_whom),
		PIPELINE_TEST(a_flood_says_whose_turn_it_is),
		PIPELINE_TEST(never_back_to_the_sender),
		PIPELINE_TEST(port_that_went_away_is_counted),
		PIPELINE_TEST(dropped_frames_are_left_alone),
		PIPELINE_TEST(tag_is_back_on_delivery),
		PIPELINE_TEST(flood_to_many_guests_is_made_safe_once),
		PIPELINE_TEST(full_burst_to_every_port),
		cmocka_unit_test(ingress_names_what_is_wrong),
		cmocka_unit_test(segments_are_measured_not_the_whole),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

// VM NICs with several queue pairs: what is offered, which queue a flow goes to, and guests that
// switch queues on and off while frames come and go.
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ports/vhost_msg.h"
#include "ports/vnic_types.h"
#include "tests/unit/vhost_lab.h"

enum { PAIRS = 4, FLOWS = 64, WINDOW = 48, SIZE = 120, NO_QUEUE = 255 };

// What goes from guest 0 to guest 1.
struct flows {
	struct lab *lab;
	unsigned pairs;          // of both guests
	uint32_t numbers[FLOWS]; // of the next frame
	uint8_t queue[FLOWS];    // that it came by last
	uint64_t by_queue[VNIC_QUEUES_MAX];
	struct tframe_track tracks[FLOWS];
	unsigned sent, got, moves;
};

static unsigned edit_pairs;

static void edit_guest(struct guest_conf *c)
{
	c->pairs = edit_pairs;
	c->features |= GUEST_BIT(VIRTIO_NET_F_MQ);
	c->protocol_features |= GUEST_BIT(VUMSG_P_MQ);
}

static void queues_up(struct lab *lab, unsigned host_pairs, unsigned guest_pairs)
{
	struct host_conf conf = lab_conf(true);

	conf.queues = (uint16_t)host_pairs;
	edit_pairs = guest_pairs;
	lab_up_conf(lab, &conf, edit_guest);
}

static void flows_init(struct flows *f, struct lab *lab, unsigned pairs)
{
	*f = (struct flows){.lab = lab, .pairs = pairs};
	memset(f->queue, NO_QUEUE, sizeof(f->queue));
	for (unsigned i = 0; i < FLOWS; i++)
		f->tracks[i] = (struct tframe_track){.stream = i, .begun = true};
}

// One frame of a flow, by the pair that a driver with as many processors would take.
static bool flow_send(struct flows *f, unsigned flow)
{
	struct tframe_info info = {.stream = flow, .length = SIZE, .number = f->numbers[flow]};
	uint8_t bytes[SIZE];

	info.dst[5] = 2;
	info.src[4] = (uint8_t)flow;
	info.src[5] = 1;
	tframe_build(&info, bytes);
	if (guest_send(f->lab->guests[0], flow % f->pairs, NULL, bytes, sizeof(bytes)) < 0)
		return false;
	f->numbers[flow]++;
	f->sent++;
	return true;
}

static void flow_note(struct flows *f, unsigned queue, const struct tframe_info *info)
{
	assert_true(info->stream < FLOWS);
	tframe_note(&f->tracks[info->stream], info->number);
	f->by_queue[queue]++;
	f->moves += f->queue[info->stream] != NO_QUEUE && f->queue[info->stream] != queue;
	f->queue[info->stream] = (uint8_t)queue;
	f->got++;
}

static void flows_receive(struct flows *f)
{
	struct tframe_info info;
	uint8_t bytes[4096];
	int size;

	for (unsigned q = 0; q < f->pairs; q++) {
		while ((size = guest_recv(f->lab->guests[1], q, NULL, bytes, sizeof(bytes))) >= 0) {
			assert_int_equal(tframe_check(bytes, (uint32_t)size, &info), TFRAME_GOOD);
			flow_note(f, q, &info);
		}
		assert_int_equal(size, -EAGAIN);
	}
}

static void flows_pump(struct flows *f, unsigned until)
{
	for (unsigned q = 0; q < f->pairs; q++)
		guest_reap(f->lab->guests[0], q);
	for (unsigned i = 0; f->sent < until && f->sent - f->got < WINDOW; i++)
		if (!flow_send(f, f->sent % FLOWS))
			break;
	for (unsigned q = 0; q < f->pairs; q++)
		guest_flush(f->lab->guests[0], q);
	assert_int_not_equal(guest_wait(f->lab->guests[1], 20), -ENOTCONN);
	flows_receive(f);
}

// Sends so many frames more, all flows in turn, and sees that each comes; those of one flow in
// order, if no queue is switched meanwhile.
static void flows_exchange(struct flows *f, unsigned n)
{
	int64_t until = lab_now_ms() + LAB_WAIT_MS;
	unsigned total = f->sent + n;

	while (f->got < total && lab_now_ms() < until)
		flows_pump(f, total);
	assert_int_equal(f->got, total);
	for (unsigned i = 0; i < FLOWS; i++)
		assert_int_equal(f->tracks[i].missing, 0);
}

static uint64_t flows_late(const struct flows *f)
{
	uint64_t late = 0;

	for (unsigned i = 0; i < FLOWS; i++)
		late += f->tracks[i].late;
	return late;
}

static void offers_queues_where_there_are(void **state)
{
	const uint64_t protocol = GUEST_BIT(VUMSG_P_REPLY_ACK);
	struct host_conf conf = lab_conf(true);
	uint64_t n = 0, saved;
	struct lab lab;

	(void)state;
	queues_up(&lab, 1, 1);
	assert_int_equal(lab.guests[0]->offered & GUEST_BIT(VIRTIO_NET_F_MQ), 0);
	assert_int_equal(lab.guests[0]->offered_protocol, protocol);
	assert_int_equal(guest_get(lab.guests[0], VUMSG_GET_QUEUE_NUM, &n), 0);
	assert_int_equal(n, 1);
	saved = lab.host->nic[0].features;
	lab_down(&lab);

	queues_up(&lab, PAIRS, PAIRS);
	assert_int_equal(lab.guests[0]->offered, saved | GUEST_BIT(VIRTIO_NET_F_MQ));
	assert_int_equal(lab.guests[0]->offered_protocol, protocol | GUEST_BIT(VUMSG_P_MQ));
	assert_int_equal(guest_get(lab.guests[0], VUMSG_GET_QUEUE_NUM, &n), 0);
	assert_int_equal(n, PAIRS);
	lab_down(&lab);

	// What was saved is offered as it was; no queues without the feature.
	conf.queues = PAIRS;
	conf.features = saved;
	edit_pairs = 1;
	lab_up_conf(&lab, &conf, edit_guest);
	assert_int_equal(lab.guests[0]->offered, saved);
	assert_int_equal(lab.guests[0]->offered_protocol, protocol);
	lab_exchange_both(&lab, 100);
	lab_down(&lab);
}

static void flows_are_spread(void **state)
{
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, PAIRS, PAIRS);
	WAIT_FOR(lab.host->nic[1].queues_used == 0xf);
	flows_init(&f, &lab, PAIRS);
	flows_exchange(&f, 100 * FLOWS);
	assert_int_equal(f.moves, 0);
	assert_int_equal(flows_late(&f), 0);
	for (unsigned q = 0; q < PAIRS; q++)
		assert_true(f.by_queue[q] >= 4 * 100); // of 64 flows, 16 would be fair
	lab_down(&lab);
}

// A hundred times another set of queues, with frames on their way.
static void queues_switched_under_traffic(void **state)
{
	static const uint8_t sets[] = {0x1, 0xf, 0x3, 0xd, 0x5, 0x7, 0x9, 0xf, 0xb, 0x2};
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, PAIRS, PAIRS);
	flows_init(&f, &lab, PAIRS);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t set = sets[round % sizeof(sets)];
		uint64_t before[PAIRS];

		// Those that come first, so that there is always one. As QEMU does, it is said of
		// those that stay, too.
		for (unsigned pass = 0; pass < 2; pass++)
			for (unsigned q = 0; q < PAIRS; q++) {
				bool on = set >> q & 1;

				if (on != (pass == 0))
					continue;
				flows_pump(&f, f.sent + WINDOW);
				assert_int_equal(guest_enable_ring(lab.guests[1], 2 * q, on), 0);
			}
		// What was on its way has been delivered; from here on nothing goes elsewhere.
		flows_receive(&f);
		memcpy(before, f.by_queue, sizeof(before));
		flows_exchange(&f, 5 * FLOWS);
		for (unsigned q = 0; q < PAIRS; q++)
			assert_true((f.by_queue[q] > before[q]) == (set >> q & 1));
		WAIT_FOR(lab.host->nic[1].queues_used == set);
	}
	assert_true(f.moves > 0);
	assert_int_equal(lab.host->nic[1].drops_out, 0);
	assert_int_equal(lab.host->nic[0].drops_in, 0);
	lab_down(&lab);
}

// A guest's send ring that is off is emptied all the same; the others do not notice.
static void send_queue_switched_off(void **state)
{
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, PAIRS, PAIRS);
	flows_init(&f, &lab, PAIRS);
	flows_exchange(&f, FLOWS);
	assert_int_equal(guest_enable_ring(lab.guests[0], 2 * 3 + 1, false), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_true(flow_send(&f, 3));
		assert_true(flow_send(&f, 1));
	}
	guest_flush(lab.guests[0], 1);
	guest_flush(lab.guests[0], 3);
	WAIT_FOR(lab.host->nic[0].drops_in == 20);
	WAIT_FOR(guest_reap(lab.guests[0], 3) == 0);
	WAIT_FOR((flows_receive(&f), f.got == f.sent - 20));
	assert_int_equal(guest_enable_ring(lab.guests[0], 2 * 3 + 1, true), 0);
	f.tracks[3].next = f.numbers[3];
	f.sent = f.got;
	flows_exchange(&f, FLOWS);
	lab_down(&lab);
}

static void guest_with_fewer_queues(void **state)
{
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, PAIRS, 2);
	WAIT_FOR(lab.host->nic[1].queues_used == 0x3);
	flows_init(&f, &lab, 2);
	flows_exchange(&f, 20 * FLOWS);
	assert_true(f.by_queue[0] > 0 && f.by_queue[1] > 0);
	lab_down(&lab);

	queues_up(&lab, PAIRS, 1);
	WAIT_FOR(lab.host->nic[1].queues_used == 0x1);
	lab_exchange_both(&lab, 500);
	lab_down(&lab);
}

static void a_message_about_all_rings_is_about_all(void **state)
{
	const struct vhost_message m = {.request = VHOST_MSG_SET_FEATURES};

	(void)state;
	assert_int_equal(vhost_msg_rings(&m, 2), 0x3);
	assert_int_equal(vhost_msg_rings(&m, 2 * VNIC_QUEUES_MAX), UINT32_MAX);
}

static void as_many_as_there_can_be(void **state)
{
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, VNIC_QUEUES_MAX, VNIC_QUEUES_MAX);
	WAIT_FOR(lab.host->nic[1].queues_used == 0xffff);
	flows_init(&f, &lab, VNIC_QUEUES_MAX);
	flows_exchange(&f, 20 * FLOWS);
	assert_int_equal(flows_late(&f), 0);
	assert_int_equal(guest_stop(lab.guests[1]), 0); // down with all of them
	lab_settle(&lab, 1, false);
	assert_int_equal(guest_start(lab.guests[1]), 0);
	lab_settle(&lab, 1, true);
	flows_exchange(&f, 20 * FLOWS);
	lab_down(&lab);
}

// A VM that comes back with another driver: what the earlier one used does not count.
static void reconnects_with_another_number(void **state)
{
	struct guest_conf c;
	struct flows f;
	struct lab lab;

	(void)state;
	queues_up(&lab, PAIRS, PAIRS);
	WAIT_FOR(lab.host->nic[1].queues_used == 0xf);
	guest_destroy(lab.guests[1]);
	lab_settle(&lab, 1, false);
	guest_conf_init(&c, lab_paths[1]);
	assert_int_equal(guest_create(&c, &lab.guests[1]), 0);
	assert_int_equal(guest_attach(lab.guests[1], LAB_WAIT_MS), 0);
	lab_settle(&lab, 1, true);
	WAIT_FOR(lab.host->nic[1].queues_used == 0x1);
	flows_init(&f, &lab, 1);
	flows_exchange(&f, 10 * FLOWS);
	lab_down(&lab);
}

static void rings_beyond_the_last(void **state)
{
	static const uint32_t rings[] = {2 * PAIRS, 2 * PAIRS + 1, 63, 255};
	struct flows f;
	struct lab lab;
	uint32_t bad;

	(void)state;
	queues_up(&lab, PAIRS, PAIRS);
	flows_init(&f, &lab, PAIRS);
	flows_exchange(&f, FLOWS);
	bad = lab.host->nic[0].bad_messages;
	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		struct vumsg_vring_state ring = {.index = rings[i], .num = 256};
		struct vumsg_vring_addr addr = {.index = rings[i]};
		uint64_t number = rings[i];
		int fd = eventfd(0, 0);

		assert_int_equal(guest_request(lab.guests[0], VUMSG_SET_VRING_NUM, &ring,
					       sizeof(ring), NULL, 0),
				 -EPROTO);
		assert_int_equal(guest_request(lab.guests[0], VUMSG_SET_VRING_ENABLE, &ring,
					       sizeof(ring), NULL, 0),
				 -EPROTO);
		assert_int_equal(guest_request(lab.guests[0], VUMSG_SET_VRING_ADDR, &addr,
					       sizeof(addr), NULL, 0),
				 -EPROTO);
		assert_int_equal(guest_request(lab.guests[0], VUMSG_SET_VRING_KICK, &number,
					       sizeof(number), &fd, 1),
				 -EPROTO);
		close(fd);
	}
	WAIT_FOR(lab.host->nic[0].bad_messages == bad + 4 * sizeof(rings) / sizeof(rings[0]));
	flows_exchange(&f, FLOWS); // its own rings go on
	lab_down(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(offers_queues_where_there_are, lab_clean_up),
		cmocka_unit_test_teardown(flows_are_spread, lab_clean_up),
		cmocka_unit_test_teardown(queues_switched_under_traffic, lab_clean_up),
		cmocka_unit_test_teardown(send_queue_switched_off, lab_clean_up),
		cmocka_unit_test_teardown(guest_with_fewer_queues, lab_clean_up),
		cmocka_unit_test_teardown(a_message_about_all_rings_is_about_all, lab_clean_up),
		cmocka_unit_test_teardown(as_many_as_there_can_be, lab_clean_up),
		cmocka_unit_test_teardown(reconnects_with_another_number, lab_clean_up),
		cmocka_unit_test_teardown(rings_beyond_the_last, lab_clean_up),
	};

	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}

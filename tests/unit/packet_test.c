// Kernel interfaces: a packet NIC on one end of a veth pair, the test on the other, in a network
// namespace of our own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ports/hostio.h"
#include "ports/nethdr.h"
#include "ports/netlink.h"
#include "ports/packet_types.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/nics.h"
#include "tests/unit/plain.h"

static struct plain_frame frame, got;
static struct vnbl_burst burst;
static struct vport_stats st;
static struct vnic *nic;
static int fd; // the other end

static int setup(void **state)
{
	const struct vnic_conf conf = {
		.kind = VNIC_PACKET, .name = "wire", .path = "v0", .queues = 1, .mtu = 1500};
	struct errtext e = {.text = ""};

	nics_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		 "ip link set v1 up && sleep 0.1");
	assert_int_equal(vnic_create(&conf, &nic, NULL), 0);
	if (vnic_start(nic, &e) < 0)
		fail_msg("%s", e.text);
	memset(&st, 0, sizeof(st));
	fd = nics_socket("v1");
	return 0;
}

static int teardown(void **state)
{
	close(fd);
	vnic_destroy(nic, true);
	nics_run("! ip link show v0 >/dev/null 2>&1 || ip link del v0");
	return 0;
}

static struct virtio_net_hdr request(const struct plain_frame *f, uint16_t gso_size)
{
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .csum_start = (uint16_t)f->l4,
				   .csum_offset = f->is_udp ? 6 : 16};

	if (gso_size > 0 && f->size - f->payload > gso_size) {
		h.gso_type = f->is_udp    ? VIRTIO_NET_HDR_GSO_UDP_L4
			     : f->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
					  : VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = gso_size;
		h.hdr_len = (uint16_t)f->payload;
	}
	return h;
}

static void the_nic_says_what_it_is(void **state)
{
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_string_equal(nic->obj.friendly_name, "veth (v0)");
	assert_int_equal(nic->ifindex, if_nametoindex("v0"));
}

static void what_cannot_work_is_explained(void **state)
{
	static const struct {
		const char *ifname;
		int err;
		const char *words;
	} cases[] = {
		{"nope", -ENODEV, "there is no network interface 'nope'"},
		{"lo", -EMEDIUMTYPE, "is not an Ethernet interface"},
		{"v1", -ENETDOWN, "'ip link set v1 up'"},
		{"v0", -ENETDOWN, "has no carrier"},
	};

	nics_run("ip link set v1 down");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct vnic_conf conf = {.kind = VNIC_PACKET,
					       .name = "p",
					       .path = cases[i].ifname,
					       .queues = 1,
					       .mtu = 1500};
		struct errtext e = {.text = ""};
		struct vnic *n;

		assert_int_equal(vnic_create(&conf, &n, NULL), 0);
		assert_int_equal(vnic_start(n, &e), cases[i].err);
		if (strstr(e.text, cases[i].words) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].words, e.text);
		assert_int_equal(n->state, VNIC_STATE_DISCONNECTED);
		vnic_destroy(n, true);
	}
}

// Small frames come by the ring, long ones by the queue; mixed, they keep their order.
static void frames_of_all_sizes_in_order(void **state)
{
	static const struct plain_kind tcp = {.tcp_options = 12}, tcp6 = {.is_ipv6 = true};
	static const uint32_t sizes[] = {1, 60000, 100, 1448, 1449, 3000, 2, 65000, 1700, 20};
	enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
	unsigned seen = 0;

	for (unsigned i = 0; i < 3 * SIZES; i++) {
		struct virtio_net_hdr h;

		plain_make(&frame, i & 1 ? &tcp6 : &tcp, sizes[i % SIZES], i);
		h = request(&frame, 1400);
		nics_send(fd, &h, frame.data, frame.size);
	}
	while (seen < 3 * SIZES) {
		struct vnbl *v = NULL;

		assert_true(nics_rx(nic, &burst, &st, seen & 1 ? 0x86dd : 0x0800, &v));
		for (unsigned f = 0; f < burst.n && seen < 3 * SIZES; f++) {
			v = &burst.frames[f];
			if (v->hdr[0] == 0x33 || v->hdr[12] == 0x88)
				continue; // the kernel's own multicast
			plain_make(&frame, seen & 1 ? &tcp6 : &tcp, sizes[seen % SIZES], seen);
			assert_int_equal(v->frame_size, frame.size);
			vnbl_copy_out(v, 0, got.data, frame.size);
			assert_memory_equal(got.data, frame.data, frame.size);
			assert_int_equal(v->offload.csum_start, frame.l4);
			assert_int_equal(v->offload.gso_size,
					 sizes[seen % SIZES] > 1400 ? 1400 : 0);
			memset(v->hdr - VNBL_HEADROOM, 0xaa, VNBL_HEADROOM);
			seen++;
		}
		vnic_rx_done(nic, 0, &burst);
	}
	assert_true(((struct packet *)nic)->large > 0);
	assert_int_equal(st.drops[DROP_IN][DROP_Resources], 0);
}

static void the_ring_goes_round(void **state)
{
	static const struct plain_kind kind = {.is_udp = true};
	unsigned sent = 0, seen = 0;

	while (seen < 5000) {
		struct vnbl *v = NULL;

		// Bursts of 1 to 100, so that the ring's end falls anywhere in one.
		for (unsigned i = 0; seen == sent && i <= sent % 100; i++) {
			struct virtio_net_hdr h;

			plain_make(&frame, &kind, 20, sent + i);
			h = request(&frame, 0);
			nics_send(fd, &h, frame.data, frame.size);
			if (i == sent % 100) {
				sent += i + 1;
				break;
			}
		}
		assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
		for (unsigned f = 0; f < burst.n; f++) {
			v = &burst.frames[f];
			if (v->hdr[0] == 0x33)
				continue;
			plain_make(&frame, &kind, 20, seen);
			assert_memory_equal(v->hdr, frame.data, frame.size);
			seen++;
		}
		vnic_rx_done(nic, 0, &burst);
	}
}

static void losses_are_counted(void **state)
{
	static const struct plain_kind kind = {.is_udp = true};
	const struct packet *p = (struct packet *)nic;
	const unsigned sent = p->n_slots + 500;
	struct vnbl *v = NULL;
	unsigned seen = 0;

	for (unsigned i = 0; i < sent; i++) {
		struct virtio_net_hdr h;

		plain_make(&frame, &kind, 20, i);
		h = request(&frame, 0);
		nics_send(fd, &h, frame.data, frame.size);
	}
	while (seen < p->n_slots && nics_rx(nic, &burst, &st, 0x0800, &v)) {
		seen += burst.n;
		vnic_rx_done(nic, 0, &burst);
	}
	assert_int_equal(seen, p->n_slots);
	// The kernel tells of losses with the next frame.
	nics_send(fd, &(struct virtio_net_hdr){0}, frame.data, frame.size);
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
	vnic_rx_done(nic, 0, &burst);
	assert_true(st.drops[DROP_IN][DROP_Resources] >= 500);
	assert_true(st.drops[DROP_IN][DROP_Resources] < 550); // the kernel's own frames
}

static void a_tag_stays_beside_the_frame(void **state)
{
	static const struct plain_kind tagged = {.tags = 1}, bare = {0};
	struct virtio_net_hdr h;
	struct vnbl *v = NULL;

	plain_make(&frame, &tagged, 200, 1);
	h = request(&frame, 0);
	nics_send(fd, &h, frame.data, frame.size);
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
	assert_int_equal(v->flags, VNBL_DATA_SAFE | VNBL_HAS_TAG);
	assert_int_equal(v->vlan_tci, 100);
	assert_int_equal(v->vlan_tpid, 0x8100);
	plain_make(&got, &bare, 200, 1);
	assert_int_equal(v->frame_size, got.size);
	assert_memory_equal(v->hdr, got.data, got.size);
	assert_int_equal(v->offload.csum_start, got.l4);
	vnbl_vlan_insert(v);
	assert_memory_equal(v->hdr, frame.data, frame.size);
	assert_int_equal(v->offload.csum_start, frame.l4);
	vnic_rx_done(nic, 0, &burst);
}

// The longest frames are more than vnbl.safe_size counts, and a tag makes them longer.
static void a_tag_fits_into_the_longest_frames(void **state)
{
	static uint8_t memory[VNBL_HEADROOM + VNBL_FRAME_MAX], copy[VNBL_FRAME_MAX + 4];
	static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x64};
	static struct vnbl v;

	for (uint32_t size = VNBL_FRAME_MAX - 64; size <= VNBL_FRAME_MAX; size++) {
		uint8_t *data = memory + VNBL_HEADROOM;

		for (uint32_t i = 0; i < size; i++)
			data[i] = (uint8_t)(i ^ i >> 8);
		vnbl_reset(&v);
		hostio_set_frame(&v, data, size);
		v.flags |= VNBL_HAS_TAG;
		v.vlan_tpid = 0x8100;
		v.vlan_tci = 100;
		vnbl_vlan_insert(&v);
		assert_int_equal(v.frame_size, size + 4);
		assert_int_equal(v.n_pieces, 1);
		assert_int_equal(v.safe_size + v.pieces[0].len, size + 4);
		vnbl_copy_out(&v, 0, copy, size + 4);
		assert_memory_equal(copy + 12, tag, 4);
		for (uint32_t i = 0; i < size; i++)
			assert_int_equal(copy[i < 12 ? i : i + 4], (uint8_t)(i ^ i >> 8));
	}
}

static void as_vnbl(struct vnbl *v, const struct plain_frame *f, uint16_t gso_size)
{
	struct virtio_net_hdr h = request(f, gso_size);

	vnbl_reset(v);
	v->safe_size = f->size < 128 ? (uint16_t)f->size : 128;
	memcpy(v->hdr, f->data, v->safe_size);
	v->frame_size = f->size;
	if (f->size > 128)
		v->pieces[v->n_pieces++] = (struct vnbl_piece){
			.addr = (uint8_t *)(uintptr_t)f->data + 128, .len = f->size - 128};
	assert_int_equal(nethdr_read(v, &h, false), 0);
}

static void bursts_leave_in_order(void **state)
{
	static const struct plain_kind kinds[] = {{0}, {.is_ipv6 = true}, {.is_udp = true}};
	static struct plain_frame all[VNBL_BURST_MAX];
	static struct vnbl v[VNBL_BURST_MAX];
	struct vnbl *frames[VNBL_BURST_MAX];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < VNBL_BURST_MAX; i++) {
		plain_make(&all[i], &kinds[i % 3], i % 5 == 0 ? 30000 : 60 + i, i);
		as_vnbl(&v[i], &all[i], 1000);
		frames[i] = &v[i];
		bytes += all[i].size;
	}
	vnic_tx(nic, 0, frames, VNBL_BURST_MAX, &st, 0);
	assert_int_equal(st.tx_frames, VNBL_BURST_MAX);
	assert_int_equal(st.tx_bytes, bytes);
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++) {
		struct virtio_net_hdr h;

		got.size = (uint32_t)nics_receive(fd, &h, got.data, sizeof(got.data),
						  i % 3 == 1 ? 0x86dd : 0x0800);
		if (got.size < 60 || got.data[0] == 0x33) {
			i--;
			continue;
		}
		assert_int_equal(got.size, all[i].size);
		assert_memory_equal(got.data, all[i].data, all[i].size);
		assert_int_equal(h.gso_size, i % 5 == 0 ? 1000 : 0);
	}
	// What we sent did not come back.
	vnic_rx(nic, 0, &burst, &st);
	for (unsigned f = 0; f < burst.n; f++)
		assert_true(burst.frames[f].hdr[0] == 0x33);
}

static void too_long_for_the_link(void **state)
{
	static const struct plain_kind kind = {0};
	struct vnbl v[3], *frames[3] = {&v[0], &v[1], &v[2]};

	nics_run("ip link set v0 mtu 1280");
	vnic_link_changed(nic, "v0");
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_non_null(strstr(nic->why, "MTU of 1280"));
	plain_make(&frame, &kind, 1460, 1);
	as_vnbl(&v[0], &frame, 0);
	plain_make(&got, &kind, 14600, 1);
	as_vnbl(&v[1], &got, 1460);
	plain_make(&got, &kind, 14600, 1);
	as_vnbl(&v[2], &got, 1200);
	vnic_tx(nic, 0, frames, 3, &st, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_MTUMismatch], 2);
	assert_int_equal(st.tx_frames, 1);
}

// The kernel finds the carrier a moment later, and says so by rtnetlink.
static void wait_for_link(void)
{
	for (unsigned i = 0; i < NICS_WAIT_MS / 10 && nic->state != VNIC_STATE_CONNECTED; i++) {
		usleep(10000);
		vnic_link_changed(nic, "v0");
	}
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
}

static void the_link_goes_and_comes(void **state)
{
	static const struct plain_kind kind = {0};
	struct vnbl v, *frames[1] = {&v}, *in = NULL;
	struct pollfd p = {.events = POLLIN};

	plain_make(&frame, &kind, 100, 1);
	as_vnbl(&v, &frame, 0);
	do
		vnic_rx(nic, 0, &burst, &st);
	while (burst.n > 0 ? vnic_rx_done(nic, 0, &burst), true : (p.fd = vnic_rx_arm(nic, 0)) < 0);
	nics_run("ip link set v0 down");
	// A sleeping proc is woken once, tells the main thread, and is not woken again.
	while (poll(&p, 1, 200) == 1) {
		vnic_rx_disarm(nic, 0);
		vnic_rx(nic, 0, &burst, &st);
		if (burst.n > 0)
			vnic_rx_done(nic, 0, &burst);
		nic->rxq[0].armed = 1;
	}
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_NicDisabled], 1);
	vnic_take_events(nic);
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	assert_non_null(strstr(nic->why, "is down"));
	nics_run("ip link set v0 up");
	wait_for_link();

	nics_run("ip link del v0");
	vnic_link_changed(nic, "v0");
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	assert_non_null(strstr(nic->why, "there is no network interface"));
	assert_int_equal(vnic_rx_arm(nic, 0), -ENOLINK);
	close(fd);
	nics_run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
		 "ip link set v1 up");
	vnic_tick(nic);
	wait_for_link();
	fd = nics_socket("v1");
	plain_make(&frame, &kind, 100, 1);
	nics_send(fd, &(struct virtio_net_hdr){0}, frame.data, frame.size);
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &in));
	vnic_rx_done(nic, 0, &burst);
}

/*
 * Long frames wait in the socket's queue while the link goes and comes; those that come after
 * it are still themselves.
 */
static void a_flap_keeps_long_frames_apart(void **state)
{
	static const struct plain_kind kind = {.tcp_options = 12};
	enum { BEFORE = 3, AFTER = 3 };
	unsigned sent = 0, seen = 0;
	struct virtio_net_hdr h;

	while (sent < BEFORE + AFTER) {
		plain_make(&frame, &kind, 30000 + 1000 * sent, sent);
		h = request(&frame, 1400);
		nics_send(fd, &h, frame.data, frame.size);
		if (++sent == BEFORE) {
			// Nobody asks the socket for its error before it is read from.
			nics_run("ip link set v0 down && ip link set v0 up");
			vnic_link_changed(nic, "v0");
			wait_for_link();
		}
	}
	while (seen < sent) {
		struct vnbl *v = NULL;

		if (!nics_rx(nic, &burst, &st, 0x0800, &v))
			fail_msg("%u frames of %u came", seen, sent);
		for (unsigned f = 0; f < burst.n; f++) {
			v = &burst.frames[f];
			if (v->hdr[0] == 0x33)
				continue; // the kernel's own multicast
			plain_make(&frame, &kind, 30000 + 1000 * seen, seen);
			assert_int_equal(v->frame_size, frame.size);
			vnbl_copy_out(v, 0, got.data, frame.size);
			assert_memory_equal(got.data, frame.data, frame.size);
			seen++;
		}
		vnic_rx_done(nic, 0, &burst);
	}
	assert_int_equal(st.drops[DROP_IN][DROP_Resources], 0);
	// The error was taken from the socket, but not kept from the main thread.
	assert_true(vnic_take_events(nic) & VNIC_EVENT_DOWN);
}

static void the_fd_wakes(void **state)
{
	static const struct plain_kind kind = {0};
	struct pollfd p = {.events = POLLIN};
	struct vnbl *v = NULL;

	do {
		vnic_rx(nic, 0, &burst, &st);
		if (burst.n > 0)
			vnic_rx_done(nic, 0, &burst);
		p.fd = vnic_rx_arm(nic, 0);
	} while (p.fd < 0 || poll(&p, 1, 50) != 0);
	plain_make(&frame, &kind, 100, 1);
	nics_send(fd, &(struct virtio_net_hdr){0}, frame.data, frame.size);
	assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
	vnic_rx_disarm(nic, 0);
	assert_int_equal(vnic_rx_arm(nic, 0), -EAGAIN);
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
	vnic_rx_done(nic, 0, &burst);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_nic_says_what_it_is),
		T(what_cannot_work_is_explained),
		T(frames_of_all_sizes_in_order),
		T(the_ring_goes_round),
		T(losses_are_counted),
		T(a_tag_stays_beside_the_frame),
		T(bursts_leave_in_order),
		T(too_long_for_the_link),
		T(the_link_goes_and_comes),
		T(a_flap_keeps_long_frames_apart),
		T(the_fd_wakes),
		cmocka_unit_test(a_tag_fits_into_the_longest_frames),
	};
#undef T

	if (!nics_init()) {
		fprintf(stderr, "skipped: no right to make a network namespace\n");
		return NICS_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

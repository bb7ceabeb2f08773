// DPDK devices: a ring that gives back what it is sent, a capture file, and a TAP of DPDK's own
// for what has to do with the kernel; in a network namespace of our own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <rte_ethdev.h>

#include "ports/droplog.h"
#include "ports/eth_types.h"
#include "ports/nethdr.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/nics.h"
#include "tests/unit/plain.h"

static struct plain_frame frame, got;
static struct vnbl_burst burst;
static struct vport_stats st;

static struct vnic *make(const char *path)
{
	const struct vnic_conf conf = {
		.kind = VNIC_ETH, .name = "nic", .path = path, .queues = 1, .mtu = 1500};
	struct vnic *nic;

	memset(&st, 0, sizeof(st));
	assert_int_equal(vnic_create(&conf, &nic, NULL), 0);
	return nic;
}

static struct vnic *make_started(const char *path)
{
	struct vnic *nic = make(path);
	struct errtext e = {.text = ""};

	if (vnic_start(nic, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	return nic;
}

static void as_guest(struct vnbl *v, const struct plain_frame *f, uint16_t gso_size)
{
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .csum_start = (uint16_t)f->l4,
				   .csum_offset = f->is_udp ? 6 : 16};

	if (gso_size > 0) {
		h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = gso_size;
	}
	vnbl_reset(v);
	v->safe_size = f->size < 128 ? (uint16_t)f->size : 128;
	memcpy(v->hdr, f->data, v->safe_size);
	v->frame_size = f->size;
	if (f->size > 128)
		v->pieces[v->n_pieces++] = (struct vnbl_piece){
			.addr = (uint8_t *)(uintptr_t)f->data + 128, .len = f->size - 128};
	assert_int_equal(nethdr_read(v, &h, false), 0);
}

static void names_are_checked(void **state)
{
	static const char *const names[] = {"eth0", "0000:3b:00", "0000:3b:00.0x", "vdev:", ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct vnic_conf conf = {
			.kind = VNIC_ETH, .name = "p", .path = names[i], .queues = 1, .mtu = 1500};
		struct errtext e = {.text = ""};
		struct vnic *nic;

		assert_int_equal(vnic_create(&conf, &nic, &e), -EINVAL);
		assert_true(e.text[0] != '\0');
	}
}

static void what_cannot_be_opened_is_explained(void **state)
{
	static const struct {
		const char *path, *words;
	} cases[] = {
		{"vdev:net_nonsense0", "cannot open device 'net_nonsense0'"},
		{"vdev:net_pcap9,rx_pcap=/nonexistent.pcap", "cannot open device"},
		{"0000:fe:1f.7", "without PCI"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vnic *nic = make(cases[i].path);
		struct errtext e = {.text = ""};

		assert_true(vnic_start(nic, &e) < 0);
		if (strstr(e.text, cases[i].words) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].words, e.text);
		assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
		vnic_destroy(nic, true);
	}
}

static void a_device_has_one_user_and_can_be_had_again(void **state)
{
	for (unsigned round = 0; round < 3; round++) {
		struct vnic *nic = make_started("vdev:net_ring0"), *second = make("vdev:net_ring0");
		struct errtext e = {.text = ""};

		assert_string_equal(nic->obj.friendly_name, "net_ring (net_ring0)");
		assert_int_equal(vnic_start(second, &e), -EBUSY);
		assert_non_null(strstr(e.text, "another port of this switch"));
		vnic_destroy(second, true);
		vnic_rx(nic, 0, &burst, &st);
		assert_int_equal(burst.n, 0);
		vnic_destroy(nic, true);
	}
}

static void frames_go_out_complete_and_come_in_whole(void **state)
{
	static const struct plain_kind kinds[] = {{0}, {.is_ipv6 = true}, {.is_udp = true}};
	static struct plain_frame all[VNBL_BURST_MAX];
	static struct vnbl v[VNBL_BURST_MAX];
	struct vnic *nic = make_started("vdev:net_ring0");
	struct vnbl *frames[VNBL_BURST_MAX];
	unsigned seen = 0;

	assert_int_equal(vnic_rx_arm(nic, 0), -ENOTSUP);
	for (unsigned i = 0; i < VNBL_BURST_MAX; i++) {
		plain_make(&all[i], &kinds[i % 3], 20 + i * 45, i);
		as_guest(&v[i], &all[i], 0);
		frames[i] = &v[i];
	}
	vnic_tx(nic, 0, frames, VNBL_BURST_MAX, &st, 0);
	assert_int_equal(st.tx_frames, VNBL_BURST_MAX);
	while (seen < VNBL_BURST_MAX) {
		vnic_rx(nic, 0, &burst, &st);
		assert_true(burst.n > 0);
		for (unsigned f = 0; f < burst.n; f++, seen++) {
			got = all[seen];
			memset(got.data, 0, got.size);
			assert_int_equal(burst.frames[f].frame_size, got.size);
			vnbl_copy_out(&burst.frames[f], 0, got.data, got.size);
			assert_true(plain_is_complete(&got));
			assert_int_equal(burst.frames[f].flags, VNBL_DATA_SAFE);
			assert_int_equal(vnbl_make_safe(&burst.frames[f]), 0);
		}
		vnic_rx_done(nic, 0, &burst);
	}
	vnic_destroy(nic, true);
}

static void gso_frames_go_out_in_segments(void **state)
{
	static const struct plain_kind kind = {.tcp_options = 12};
	struct vnic *nic = make_started("vdev:net_ring0");
	struct vnbl v, *frames[1] = {&v};
	uint32_t at = 0;

	plain_make(&frame, &kind, 60000, 1);
	as_guest(&v, &frame, 1448);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);
	assert_int_equal(st.tx_bytes, frame.size);
	while (at < 60000) {
		vnic_rx(nic, 0, &burst, &st);
		assert_true(burst.n > 0);
		for (unsigned f = 0; f < burst.n; f++) {
			got.size = burst.frames[f].frame_size;
			got.l3 = frame.l3;
			got.l4 = frame.l4;
			got.is_udp = got.is_ipv6 = false;
			vnbl_copy_out(&burst.frames[f], 0, got.data, got.size);
			assert_true(plain_is_complete(&got));
			assert_memory_equal(got.data + frame.payload,
					    frame.data + frame.payload + at,
					    got.size - frame.payload);
			at += got.size - frame.payload;
		}
		vnic_rx_done(nic, 0, &burst);
	}
	assert_int_equal(at, 60000);

	// Longer than the device sends, whole or in segments.
	plain_make(&frame, &kind, 1600, 1);
	as_guest(&v, &frame, 0);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	plain_make(&frame, &kind, 3200, 1);
	as_guest(&v, &frame, 1600);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_MTUMismatch], 2);
	vnic_destroy(nic, true);
}

static void a_new_mtu_is_obeyed(void **state)
{
	static const struct plain_kind kind = {0};
	struct vnic *nic = make_started("vdev:net_ring0");
	struct vnbl v, *frames[1] = {&v};

	vnic_set_mtu(nic, 9000);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	plain_make(&frame, &kind, 8900, 1);
	as_guest(&v, &frame, 0);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);
	vnic_rx(nic, 0, &burst, &st);
	assert_int_equal(burst.n, 1);
	got = frame;
	memset(got.data, 0, got.size);
	assert_int_equal(burst.frames[0].frame_size, got.size);
	assert_true(burst.frames[0].n_pieces > 0);
	vnbl_copy_out(&burst.frames[0], 0, got.data, got.size);
	assert_true(plain_is_complete(&got));
	vnic_rx_done(nic, 0, &burst);
	vnic_destroy(nic, true);
}

// One that leaves no room before its data, as no device of ours makes them.
static void what_is_refused_is_logged(void **state)
{
	static const struct vport_conf conf = {.name = "p", .friendly_name = "", .id = 3};
	static struct droplog drops;
	struct vnic *nic = make_started("vdev:net_ring0");
	struct rte_mbuf *m = rte_pktmbuf_alloc(vnbl_pool());
	struct vport *port;

	assert_non_null(m);
	assert_int_equal(vport_create(&conf, NULL, &port), 0);
	assert_non_null(rte_pktmbuf_prepend(m, (uint16_t)(RTE_PKTMBUF_HEADROOM - 8)));
	memset(rte_pktmbuf_mtod(m, void *), 0x5a, m->data_len);
	assert_int_equal(rte_eth_tx_burst(((struct eth *)nic)->port_id, 0, &m, 1), 1);
	droplog_set(&drops);
	vnic_rx(nic, 0, &burst, &port->stats[0]);
	droplog_set(NULL);
	assert_int_equal(burst.n, 0);
	assert_int_equal(port->stats[0].drops[DROP_IN][DROP_InvalidData], 1);
	assert_int_equal(drops.n, 1);
	assert_ptr_equal(drops.records[0].at, port);
	assert_int_equal(drops.records[0].frame_size, RTE_PKTMBUF_HEADROOM - 8);
	assert_int_equal(drops.bytes[0][0], 0x5a);
	vport_destroy(port);
	vnic_destroy(nic, true);
}

// A ring of 1024: what does not fit is counted, and its memory comes back.
static void a_full_device_drops_and_leaks_nothing(void **state)
{
	static const struct plain_kind kind = {0};

	for (unsigned round = 0; round < 3; round++) {
		struct vnic *nic = make_started("vdev:net_ring0");
		struct vnbl v, *frames[1] = {&v};
		unsigned seen = 0;

		for (unsigned i = 0; i < 1200; i++) {
			plain_make(&frame, &kind, 20, i);
			as_guest(&v, &frame, 0);
			vnic_tx(nic, 0, frames, 1, &st, 0);
		}
		assert_true(st.tx_frames >= 1000 && st.tx_frames < 1200);
		assert_int_equal(st.tx_frames + st.drops[DROP_OUT][DROP_Resources], 1200);
		do {
			vnic_rx(nic, 0, &burst, &st);
			seen += burst.n;
			vnic_rx_done(nic, 0, &burst);
		} while (burst.n > 0);
		assert_int_equal(seen, st.tx_frames);
		vnic_destroy(nic, true);
	}
}

static void a_real_interface_wakes_us(void **state)
{
	static const struct plain_kind kind = {0};
	struct vnic *nic = make_started("vdev:net_tap0,iface=dt0");
	struct pollfd p = {.events = POLLIN};
	struct virtio_net_hdr h = {0};
	struct vnbl v, *frames[1] = {&v}, *in = NULL;
	int fd = nics_socket("dt0");

	plain_make(&frame, &kind, 100, 1);
	as_guest(&v, &frame, 0);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);
	got = frame;
	assert_int_equal(nics_receive(fd, &h, got.data, sizeof(got.data), 0x0800), frame.size);
	assert_true(plain_is_complete(&got));

	p.fd = vnic_rx_arm(nic, 0);
	if (p.fd >= 0) {
		nics_send(fd, &(struct virtio_net_hdr){0}, frame.data, frame.size);
		assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
		vnic_rx_disarm(nic, 0);
	} else {
		assert_int_equal(p.fd, -ENOTSUP);
		nics_send(fd, &(struct virtio_net_hdr){0}, frame.data, frame.size);
	}
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &in));
	assert_int_equal(in->frame_size, frame.size);
	vnic_rx_done(nic, 0, &burst);
	close(fd);
	vnic_destroy(nic, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(what_cannot_be_opened_is_explained),
		cmocka_unit_test(a_device_has_one_user_and_can_be_had_again),
		cmocka_unit_test(frames_go_out_complete_and_come_in_whole),
		cmocka_unit_test(gso_frames_go_out_in_segments),
		cmocka_unit_test(a_new_mtu_is_obeyed),
		cmocka_unit_test(what_is_refused_is_logged),
		cmocka_unit_test(a_full_device_drops_and_leaks_nothing),
		cmocka_unit_test(a_real_interface_wakes_us),
	};

	if (!nics_init()) {
		fprintf(stderr, "skipped: no right to make a network namespace\n");
		return NICS_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

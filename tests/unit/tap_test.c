// TAP ports against the real kernel, in a network namespace of our own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "ports/nethdr.h"
#include "ports/netlink.h"
#include "ports/tap_types.h"
#include "ports/vnbl.h"
#include "ports/vport.h"
#include "tests/unit/nics.h"
#include "tests/unit/plain.h"

static struct plain_frame frame, got;
static struct vnbl_burst burst;
static struct vport_stats st;

static struct vnic *make(const char *ifname)
{
	const struct vnic_conf conf = {
		.kind = VNIC_TAP,
		.name = "vm1",
		.path = ifname,
		.queues = 1,
		.mtu = 9000,
		.mac = {0x02, 0x15, 0x5d, 1, 2, 3},
	};
	struct vnic *nic;

	assert_int_equal(vnic_create(&conf, &nic, NULL), 0);
	return nic;
}

static struct vnic *make_started(const char *ifname)
{
	struct vnic *nic = make(ifname);
	struct errtext e = {.text = ""};

	if (vnic_start(nic, &e) < 0)
		fail_msg("%s", e.text);
	memset(&st, 0, sizeof(st));
	return nic;
}

static void start_fails(const char *ifname, int err, const char *words)
{
	struct vnic *nic = make(ifname);
	struct errtext e = {.text = ""};

	assert_int_equal(vnic_start(nic, &e), err);
	if (strstr(e.text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, e.text);
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	assert_int_equal(nic->last_error, -err);
	vnic_destroy(nic, true);
}

static void bad_names_are_refused(void **state)
{
	static const char *const names[] = {"", "sixteen-letters-", "a b", "a/b", "tap%d", "."};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct vnic_conf conf = {
			.kind = VNIC_TAP, .name = "p", .path = names[i], .queues = 1, .mtu = 1500};
		struct errtext e = {.text = ""};
		struct vnic *nic;

		assert_int_equal(vnic_create(&conf, &nic, &e), -EINVAL);
		assert_non_null(strstr(e.text, "name of a TAP"));
	}
}

// The kernel notes a carrier's coming and going a moment later.
static void wait_running(const char *ifname, bool running)
{
	struct netlink_link link = {.running = !running};

	for (unsigned i = 0; i < NICS_WAIT_MS && link.running != running; i++) {
		assert_int_equal(netlink_get_link(ifname, &link), 0);
		usleep(1000);
	}
	assert_true(link.running == running);
}

static void the_interface_is_set_up_and_outlives_us(void **state)
{
	struct vnic *nic = make_started("t0");
	char alias[NETLINK_ALIAS_SIZE];
	struct netlink_link link;
	int ifindex;

	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_int_equal(netlink_get_link("t0", &link), 0);
	assert_true(link.up);
	wait_running("t0", true);
	assert_int_equal(link.mtu, 9000);
	assert_memory_equal(link.mac, "\x02\x15\x5d\x01\x02\x03", 6);
	assert_memory_equal(nic->mac, link.mac, 6);
	assert_int_equal(netlink_get_alias(link.ifindex, alias), 0);
	assert_string_equal(alias, "vsw port vm1 of ?");
	ifindex = link.ifindex;
	nics_run("ip addr add 10.9.9.1/24 dev t0");

	vnic_destroy(nic, false);
	assert_int_equal(netlink_get_link("t0", &link), 0);
	assert_int_equal(link.ifindex, ifindex);
	wait_running("t0", false);

	nic = make_started("t0");
	wait_running("t0", true);
	nics_run("ip addr show dev t0 | grep -q 10.9.9.1/24");
	vnic_destroy(nic, true);
	assert_int_equal(netlink_get_link("t0", &link), -ENODEV);
}

static void a_foreign_tap_is_used_but_not_deleted(void **state)
{
	struct netlink_link link;
	struct vnic *nic;

	nics_run("ip tuntap add dev theirs mode tap");
	nic = make_started("theirs");
	vnic_destroy(nic, true);
	assert_int_equal(netlink_get_link("theirs", &link), 0);
	nics_run("ip link del theirs");
}

static void what_is_in_the_way_is_named(void **state)
{
	struct vnic *nic = make_started("t0");
	char words[64];
	int ready[2];
	char byte;
	pid_t pid;

	start_fails("t0", -EBUSY, "another port of this switch");
	vnic_destroy(nic, true);
	start_fails("lo", -EEXIST, "exists and is not a TAP");
	nics_run("ip link add v0 type veth peer name v1");
	start_fails("v0", -EEXIST, "its driver is veth");
	nics_run("ip link del v0");

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		nic = make("t1");
		vnic_start(nic, NULL);
		byte = (char)nic->state;
		(void)!write(ready[1], &byte, 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, VNIC_STATE_CONNECTED);
	snprintf(words, sizeof(words), "in use by process %d (tap_test", (int)pid);
	start_fails("t1", -EBUSY, words);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	// Killed, it left its TAP behind, and we take it up.
	nic = make_started("t1");
	vnic_destroy(nic, true);
}

// A proc that sleeps on the TAP still holds its file for a moment.
static void a_removed_tap_is_gone_at_once(void **state)
{
	struct vnic *nic = make_started("t0");
	struct netlink_link link;
	int held = dup(vnic_rx_arm(nic, 0));

	assert_true(held >= 0);
	vnic_rx_disarm(nic, 0);
	vnic_destroy(nic, true);
	assert_int_equal(netlink_get_link("t0", &link), -ENODEV);
	nic = make_started("t0");
	close(held);
	assert_int_equal(netlink_get_link("t0", &link), 0);
	vnic_destroy(nic, true);
}

// The kernel hands over what it has not finished; nothing of it is lost or changed.
static void frames_arrive_with_their_requests(void **state)
{
	static const struct plain_kind kind = {.tcp_options = 12};
	static const uint32_t sizes[] = {0, 6, 1448, 20000, 65000};
	struct vnic *nic = make_started("t0");
	int fd = nics_socket("t0");

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
		struct vnbl *v = NULL;

		plain_make(&frame, &kind, sizes[i], (unsigned)i);
		h.csum_start = (uint16_t)frame.l4;
		h.csum_offset = 16;
		if (sizes[i] > 1448) {
			h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
			h.gso_size = 1448;
			h.hdr_len = (uint16_t)frame.payload;
		}
		nics_send(fd, &h, frame.data, frame.size);
		assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
		assert_int_equal(v->frame_size, frame.size);
		assert_int_equal(v->flags, VNBL_DATA_SAFE);
		vnbl_copy_out(v, 0, got.data, frame.size);
		assert_memory_equal(got.data, frame.data, frame.size);
		assert_int_equal(v->offload.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(v->offload.csum_start, frame.l4);
		assert_int_equal(v->offload.gso_type, h.gso_type);
		assert_int_equal(v->offload.gso_size, h.gso_size);
		// Headroom is ours to write.
		memset(v->hdr - VNBL_HEADROOM, 0xaa, VNBL_HEADROOM);
		vnic_rx_done(nic, 0, &burst);
	}
	close(fd);
	vnic_destroy(nic, true);
}

static void a_full_burst_keeps_all_frames_apart(void **state)
{
	static const struct plain_kind kind = {.tcp_options = 12};
	struct vnic *nic = make_started("t0");
	int fd = nics_socket("t0");
	unsigned seen = 0;

	for (unsigned round = 0; round < 2; round++) {
		// Small frames end a burst by number, large ones by bytes.
		uint32_t size = round == 0 ? 100 : 60000;

		for (unsigned i = 0; i < 40; i++) {
			struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						   .csum_offset = 16};

			plain_make(&frame, &kind, size, i);
			h.csum_start = (uint16_t)frame.l4;
			if (round == 1) {
				h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
				h.gso_size = 1448;
			}
			nics_send(fd, &h, frame.data, frame.size);
		}
		seen = 0;
		for (struct vnbl *v = NULL; seen < 40; vnic_rx_done(nic, 0, &burst)) {
			uint32_t bytes = 0;

			assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
			for (unsigned f = 0; f < burst.n; f++) {
				v = &burst.frames[f];
				bytes += v->frame_size;
				if (v->frame_size < size)
					continue; // the kernel's own
				plain_make(&frame, &kind, size, seen++);
				assert_int_equal(v->frame_size, frame.size);
				vnbl_copy_out(v, 0, got.data, frame.size);
				assert_memory_equal(got.data, frame.data, frame.size);
			}
			assert_int_equal(bytes, burst.bytes);
			assert_true(burst.bytes < VNBL_BURST_BYTES + VNBL_FRAME_MAX);
		}
	}
	assert_int_equal(seen, 40);
	close(fd);
	vnic_destroy(nic, true);
}

static void frames_leave_from_where_they_lie(void **state)
{
	static const struct plain_kind kind = {.is_ipv6 = true};
	struct vnic *nic = make_started("t0");
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
				   .gso_size = 1000,
				   .csum_offset = 16};
	int fd = nics_socket("t0");
	struct vnbl v, *frames[1] = {&v};

	plain_make(&frame, &kind, 50000, 9);
	vnbl_reset(&v);
	memcpy(v.hdr, frame.data, 128);
	v.safe_size = 128;
	v.frame_size = frame.size;
	for (uint32_t at = 128; at < frame.size;) {
		uint32_t n = frame.size - at < 2000 ? frame.size - at : 2000;

		v.pieces[v.n_pieces++] = (struct vnbl_piece){.addr = frame.data + at, .len = n};
		at += n;
	}
	h.csum_start = (uint16_t)frame.l4;
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);
	assert_int_equal(st.tx_bytes, frame.size);
	got.size = (uint32_t)nics_receive(fd, &h, got.data, sizeof(got.data), 0x86dd);
	assert_int_equal(got.size, frame.size);
	assert_memory_equal(got.data, frame.data, frame.size);
	assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(h.gso_size, 1000);

	// Memory that is not there, and an interface that is down.
	v.pieces[1].addr = (uint8_t *)8;
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_InvalidData], 1);
	v.pieces[1].addr = frame.data + 128 + 2000;
	nics_run("ip link set t0 down");
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.drops[DROP_OUT][DROP_NicDisabled], 1);
	vnic_link_changed(nic, "t0");
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_non_null(strstr(nic->why, "is down"));
	nics_run("ip link set t0 up");
	vnic_link_changed(nic, "t0");
	assert_string_equal(nic->why, "");
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 2);
	close(fd);
	vnic_destroy(nic, true);
}

static void the_fd_wakes(void **state)
{
	static const struct plain_kind kind = {0};
	const struct virtio_net_hdr h = {0};
	struct vnic *nic = make_started("t0");
	int fd = nics_socket("t0");
	struct pollfd p = {.fd = -1, .events = POLLIN};
	struct vnbl *v = NULL;

	do { // the kernel's own chatter first
		vnic_rx(nic, 0, &burst, &st);
		p.fd = vnic_rx_arm(nic, 0);
		assert_true(p.fd >= 0);
	} while (poll(&p, 1, 50) != 0);
	plain_make(&frame, &kind, 100, 1);
	nics_send(fd, &h, frame.data, frame.size);
	assert_int_equal(poll(&p, 1, NICS_WAIT_MS), 1);
	vnic_rx_disarm(nic, 0);
	assert_true(nics_rx(nic, &burst, &st, 0x0800, &v));
	vnic_rx_done(nic, 0, &burst);
	close(fd);
	vnic_destroy(nic, true);
}

// Deleted under us: seen by whoever comes first, proc or main thread, and made again.
static void a_deleted_interface_comes_back(void **state)
{
	struct vnic *nic = make_started("t0");
	struct netlink_link link;

	nics_run("ip link del t0");
	vnic_rx(nic, 0, &burst, &st);
	assert_int_equal(burst.n, 0);
	vnic_take_events(nic);
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	assert_non_null(strstr(nic->why, "deleted"));
	assert_int_equal(vnic_rx_arm(nic, 0), -ENOLINK);
	vnic_tick(nic);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);

	nics_run("ip link del t0");
	vnic_link_changed(nic, "t0");
	assert_int_equal(nic->state, VNIC_STATE_DISCONNECTED);
	vnic_tick(nic);
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	assert_int_equal(netlink_get_link("t0", &link), 0);
	assert_true(link.up);
	vnic_destroy(nic, true);
}

// A TAP may live in another namespace, with its name free here.
static void a_tap_moved_away_still_works(void **state)
{
	static const struct plain_kind kind = {0};
	const struct virtio_net_hdr h = {0};
	struct vnic *nic = make_started("t0");
	struct vnbl v, *frames[1] = {&v};
	const int pid = (int)getpid();
	struct netlink_link link;
	char command[256];

	snprintf(command, sizeof(command),
		 "ip netns add vsw-%d && ip link set t0 netns vsw-%d && "
		 "ip netns exec vsw-%d ip link set t0 up",
		 pid, pid, pid);
	nics_run(command);
	vnic_link_changed(nic, "t0");
	assert_int_equal(nic->state, VNIC_STATE_CONNECTED);
	plain_make(&frame, &kind, 100, 1);
	vnbl_reset(&v);
	memcpy(v.hdr, frame.data, frame.size);
	v.safe_size = (uint16_t)frame.size;
	v.frame_size = frame.size;
	assert_int_equal(nethdr_read(&v, &h, false), 0);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);

	// After a restart it is found there again, also by another name, and none is made here.
	vnic_destroy(nic, false);
	snprintf(command, sizeof(command),
		 "ip -n vsw-%d link set t0 down && ip -n vsw-%d link set t0 name eth0", pid, pid);
	nics_run(command);
	nic = make_started("t0");
	assert_string_equal(((struct tap *)nic)->ifname, "eth0");
	assert_int_equal(netlink_get_link("t0", &link), -ENODEV);
	vnic_tx(nic, 0, frames, 1, &st, 0);
	assert_int_equal(st.tx_frames, 1);
	vnic_destroy(nic, true);
	snprintf(command, sizeof(command), "! ip netns exec vsw-%d ip link show eth0 2>/dev/null",
		 pid);
	nics_run(command);
	assert_int_equal(netlink_get_link("t0", &link), -ENODEV);
	snprintf(command, sizeof(command), "ip netns del vsw-%d", pid);
	nics_run(command);
}

static char changed[1024];

static void note(void *arg, const char *ifname)
{
	strcat(changed, ifname != NULL ? ifname : "*");
	strcat(changed, " ");
}

static void the_watch_tells_of_changes(void **state)
{
	struct netlink *nl;

	assert_int_equal(netlink_create(&nl, NULL), 0);
	netlink_read(nl, note, NULL);
	assert_string_equal(changed, "lo "); // what there is already
	changed[0] = '\0';
	nics_run("ip link add v0 type veth peer name v1");
	netlink_read(nl, note, NULL);
	assert_non_null(strstr(changed, "v0 "));
	assert_non_null(strstr(changed, "v1 "));
	changed[0] = '\0';
	nics_run("ip link set v0 name w0");
	netlink_read(nl, note, NULL);
	assert_non_null(strstr(changed, "v0 w0 "));
	changed[0] = '\0';
	nics_run("ip link del w0");
	netlink_read(nl, note, NULL);
	assert_non_null(strstr(changed, "w0 "));
	netlink_destroy(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(the_interface_is_set_up_and_outlives_us),
		cmocka_unit_test(a_foreign_tap_is_used_but_not_deleted),
		cmocka_unit_test(what_is_in_the_way_is_named),
		cmocka_unit_test(a_removed_tap_is_gone_at_once),
		cmocka_unit_test(frames_arrive_with_their_requests),
		cmocka_unit_test(a_full_burst_keeps_all_frames_apart),
		cmocka_unit_test(frames_leave_from_where_they_lie),
		cmocka_unit_test(the_fd_wakes),
		cmocka_unit_test(a_deleted_interface_comes_back),
		cmocka_unit_test(a_tap_moved_away_still_works),
		cmocka_unit_test(the_watch_tells_of_changes),
	};

	if (!nics_init()) {
		fprintf(stderr, "skipped: no right to make a network namespace\n");
		return NICS_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

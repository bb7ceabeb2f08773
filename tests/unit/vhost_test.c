// VM NICs with two guests of our own making: connections, death of either side, socket files.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "ports/vnic_types.h"
#include "tests/unit/vhost_lab.h"

enum { STORM_MS = 20000, STORM_CHANGES = 400, STORM_ENOUGH = 100, STORM_STEP_US = 5000 };

static void server_passes_frames(void **state)
{
	struct stat st;
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	assert_int_equal(stat(lab_paths[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(lab.host->nic[0].peer_pid, getpid());
	lab_exchange_both(&lab, 3000);
	usleep(100000);
	lab_exchange_both(&lab, 1); // out of its sleep
	assert_true(lab.host->sleeps > 0);
	assert_int_equal(lab.host->nic[0].drops_in + lab.host->nic[0].drops_out, 0);
	lab_down(&lab);
	assert_int_equal(access(lab_paths[0], F_OK), -1); // our sockets go with us
}

static void client_passes_frames(void **state)
{
	struct lab lab;

	(void)state;
	lab_up(&lab, false, NULL);
	lab_exchange_both(&lab, 3000);
	lab_down(&lab);
}

static void make_legacy(struct guest_conf *c)
{
	c->features = 0; // 10-byte header, rings enabled by their kick, no REPLY_ACK
	c->protocol_features = 0;
	c->split_header = true;
}

static void legacy_passes_frames(void **state)
{
	struct lab lab;

	(void)state;
	lab_up(&lab, true, make_legacy);
	lab_exchange_both(&lab, 1000);
	lab_down(&lab);
}

static void offered_features_are_ours(void **state)
{
	const uint64_t all = GUEST_BIT(VIRTIO_F_VERSION_1) | GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF) |
			     GUEST_BIT(VIRTIO_RING_F_EVENT_IDX) |
			     GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VUMSG_F_PROTOCOL;
	const uint64_t saved = GUEST_BIT(VIRTIO_F_VERSION_1) | VUMSG_F_PROTOCOL;
	struct host_conf conf = lab_conf(true);
	struct guest_conf c;
	struct guest *g;
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	assert_int_equal(lab.guests[0]->offered, all);
	assert_int_equal(lab.guests[0]->offered_protocol, GUEST_BIT(VUMSG_P_REPLY_ACK));
	assert_int_equal(lab.host->nic[0].features, all);
	lab_down(&lab);

	// A saved set is offered as it was, without what came later.
	conf.features = saved | GUEST_BIT(VIRTIO_NET_F_CSUM);
	lab.host = lab_start(&conf);
	assert_non_null(lab.host);
	guest_conf_init(&c, lab_paths[0]);
	assert_int_equal(guest_create(&c, &g), 0);
	assert_int_equal(guest_connect(g, LAB_WAIT_MS), 0);
	assert_int_equal(guest_hello(g), 0);
	assert_int_equal(g->offered, saved);
	guest_destroy(g);
	assert_int_equal(lab_quit(lab.host), 0);
}

static void second_peer_is_refused(void **state)
{
	struct guest_conf c;
	struct guest *second;
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	guest_conf_init(&c, lab_paths[0]);
	assert_int_equal(guest_create(&c, &second), 0);
	assert_true(guest_attach(second, 1000) < 0);
	WAIT_FOR(lab.host->nic[0].refusals >= 1);
	assert_true(lab.host->nic[0].events & VNIC_EVENT_REFUSED);
	lab_exchange_both(&lab, 500); // the first one does not notice
	guest_destroy(second);
	lab_down(&lab);
}

static void guest_hangs_up_and_comes_back(void **state)
{
	struct lab lab;

	(void)state;
	for (int server = 0; server < 2; server++) {
		lab_up(&lab, server, NULL);
		lab_exchange_both(&lab, 300);
		for (unsigned i = 0; i < 3; i++) {
			guest_hangup(lab.guests[0]);
			lab_settle(&lab, 0, false);
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
			lab_settle(&lab, 0, true);
			lab_exchange_both(&lab, 300);
		}
		// Back before the switch has seen it go.
		for (unsigned i = 0; i < 20; i++) {
			guest_hangup(lab.guests[0]);
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		}
		lab_settle(&lab, 0, true);
		usleep(20000);
		lab_exchange_both(&lab, 300);
		assert_int_equal(lab.host->nic[0].refusals, 0);
		lab_down(&lab);
	}
}

static void guest_reboots(void **state)
{
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	for (unsigned i = 0; i < 5; i++) {
		// As for a VM that is paused: rings are taken back and go on where they were.
		lab_exchange_both(&lab, 301);
		assert_int_equal(guest_stop(lab.guests[1]), 0);
		lab_settle(&lab, 1, false);
		assert_int_equal(guest_start(lab.guests[1]), 0);
		lab_settle(&lab, 1, true);
		lab_exchange_both(&lab, 301);
		// As for one that is reset: they begin anew.
		assert_int_equal(guest_stop(lab.guests[1]), 0);
		lab_settle(&lab, 1, false);
		assert_int_equal(guest_reset(lab.guests[1]), 0);
		assert_int_equal(guest_start(lab.guests[1]), 0);
		lab_settle(&lab, 1, true);
	}
	lab_exchange_both(&lab, 301);
	lab_down(&lab);
}

// The switch dies under running guests, with frames in the rings.
static void switch_killed_and_started(void **state)
{
	struct host_conf conf;
	struct lab lab;

	(void)state;
	for (int server = 0; server < 2; server++) {
		lab_up(&lab, server, NULL);
		conf = lab_conf(server);
		for (unsigned round = 0; round < 3; round++) {
			lab_exchange_both(&lab, 333);
			for (unsigned i = 0; i < 100; i++)
				lab_send(&lab, 0);
			guest_flush(lab.guests[0], 0);
			host_kill(lab.host);
			lab.host = lab_start(&conf);
			assert_non_null(lab.host);
			for (unsigned i = 0; i < HOST_NICS; i++)
				assert_int_equal(guest_attach(lab.guests[i], LAB_WAIT_MS), 0);
			lab_settle(&lab, 0, true);
			lab_settle(&lab, 1, true);
			lab_flush_left(&lab); // whatever was not lost
			lab_exchange_both(&lab, 333);
		}
		lab_down(&lab);
	}
}

static void make_three_regions(struct guest_conf *c)
{
	c->n_regions = 3;
	c->gap = true;
}

// The memory table changes every 5 ms while both guests send as fast as they can.
static void memory_table_storm(void **state)
{
	struct tframe_track tracks[HOST_NICS] = {{.stream = 1}, {.stream = 0}};
	uint64_t got[HOST_NICS] = {0, 0};
	struct timespec last = {0, 0};
	unsigned changes = 0;
	struct lab lab;
	int64_t until;

	(void)state;
	lab_up(&lab, true, make_three_regions);
	until = lab_now_ms() + STORM_MS;
	while (changes < STORM_CHANGES && lab_now_ms() < until) {
		struct timespec now;

		for (unsigned i = 0; i < HOST_NICS; i++) {
			for (unsigned n = 0; n < LAB_WINDOW; n++)
				lab_send(&lab, i);
			guest_flush(lab.guests[i], 0);
			got[i] += lab_receive(&lab, i, &tracks[i]);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - last.tv_sec) * 1000000 + (now.tv_nsec - last.tv_nsec) / 1000 <
		    STORM_STEP_US)
			continue;
		last = now;
		// The library takes an equal table for no change: the size makes the difference.
		for (unsigned i = 0; i < HOST_NICS; i++) {
			struct guest *g = lab.guests[i];

			g->regions[2].size += changes % 2 ? 4096 : -4096;
			assert_int_equal(guest_set_mem_table(g), 0);
		}
		changes++;
	}
	if (changes % 2)
		for (unsigned i = 0; i < HOST_NICS; i++) {
			lab.guests[i]->regions[2].size += 4096;
			assert_int_equal(guest_set_mem_table(lab.guests[i]), 0);
		}
	assert_true(changes > STORM_ENOUGH);
	assert_true(got[0] > 1000 && got[1] > 1000);
	usleep(50000);
	for (unsigned i = 0; i < HOST_NICS; i++)
		lab_receive(&lab, i, &tracks[i]);
	lab_exchange_both(&lab, 500);
	lab_down(&lab);
}

static void disabled_rings(void **state)
{
	struct tframe_track track = {.stream = 0};
	struct lab lab;
	uint64_t drops;

	(void)state;
	lab_up(&lab, true, NULL);
	lab_exchange_both(&lab, 100);

	// Nothing is written to a receive ring that is disabled.
	assert_int_equal(guest_enable_ring(lab.guests[1], 0, false), 0);
	drops = lab.host->nic[1].drops_out;
	for (unsigned i = 0; i < 50; i++)
		lab_send(&lab, 0);
	guest_flush(lab.guests[0], 0);
	WAIT_FOR(lab.host->nic[1].drops_out == drops + 50);
	assert_int_equal(lab_receive(&lab, 1, &track), 0);
	assert_int_equal(guest_enable_ring(lab.guests[1], 0, true), 0);
	lab_exchange_both(&lab, 100);

	// What comes from a send ring that is disabled is taken and thrown away.
	assert_int_equal(guest_enable_ring(lab.guests[0], 1, false), 0);
	drops = lab.host->nic[0].drops_in;
	for (unsigned i = 0; i < 50; i++)
		lab_send(&lab, 0);
	guest_flush(lab.guests[0], 0);
	WAIT_FOR(lab.host->nic[0].drops_in == drops + 50);
	assert_int_equal(guest_reap(lab.guests[0], 0), 0);
	assert_int_equal(guest_enable_ring(lab.guests[0], 1, true), 0);
	lab_exchange_both(&lab, 100);
	lab_down(&lab);
}

static void port_stopped_under_traffic(void **state)
{
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	for (unsigned round = 0; round < 3; round++) {
		lab_exchange_both(&lab, 200);
		for (unsigned i = 0; i < 100; i++)
			lab_send(&lab, 0);
		guest_flush(lab.guests[0], 0);
		assert_true(host_do(lab.host, HOST_STOP_0));
		assert_int_equal(access(lab_paths[0], F_OK), -1);
		WAIT_FOR(!guest_connected(lab.guests[0]));
		assert_true(host_do(lab.host, HOST_START_0));
		assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		lab_settle(&lab, 0, true);
		lab_flush_left(&lab);
	}
	lab_exchange_both(&lab, 200);
	lab_down(&lab);
}

static int listener(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void sockets_in_the_way(void **state)
{
	struct host_conf conf = lab_conf(true);
	struct host *h;
	struct stat st;
	int fd;

	(void)state;
	// Left over: taken away.
	close(listener(lab_paths[0]));
	h = lab_start(&conf);
	assert_non_null(h);
	assert_string_equal(h->nic[0].start_error, "");
	assert_int_equal(lab_quit(h), 0);

	// In use: stays, and the error says by whom.
	conf.may_fail_to_start = true;
	fd = listener(lab_paths[0]);
	h = lab_start(&conf);
	assert_non_null(h);
	assert_non_null(strstr(h->nic[0].start_error, "in use"));
	assert_non_null(strstr(h->nic[0].start_error, lab_paths[0]));
	assert_int_equal(stat(lab_paths[0], &st), 0);
	// It goes away: the port comes up by itself.
	close(fd);
	WAIT_FOR(h->nic[0].last_error == 0);
	assert_int_equal(lab_quit(h), 0);
	assert_int_equal(access(lab_paths[0], F_OK), -1);

	// No socket: stays.
	fd = open(lab_paths[0], O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	h = lab_start(&conf);
	assert_non_null(h);
	assert_non_null(strstr(h->nic[0].start_error, "no socket"));
	assert_int_equal(lab_quit(h), 0);
	assert_int_equal(stat(lab_paths[0], &st), 0);
	assert_int_equal(st.st_size, 1);
	unlink(lab_paths[0]);
}

static void sockets_of_others_stay(void **state)
{
	struct host_conf conf = lab_conf(true);
	struct stat before, after;
	struct host *h;
	int fd;

	(void)state;
	h = lab_start(&conf);
	assert_non_null(h);
	unlink(lab_paths[0]);
	fd = listener(lab_paths[0]);
	assert_int_equal(stat(lab_paths[0], &before), 0);
	assert_int_equal(lab_quit(h), 0);
	assert_int_equal(stat(lab_paths[0], &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	close(fd);
	unlink(lab_paths[0]);
}

static void errors_name_the_remedy(void **state)
{
	struct host_conf conf = lab_conf(false);
	char missing[96];
	struct host *h;
	int fd;

	(void)state;
	// A client whose VM is not there says so, and then why else.
	h = lab_start(&conf);
	assert_non_null(h);
	WAIT_FOR(h->nic[0].last_error == ENOENT);
	assert_non_null(strstr(h->nic[0].why, "is not there"));
	close(listener(lab_paths[0]));
	WAIT_FOR(h->nic[0].last_error == ECONNREFUSED);
	assert_non_null(strstr(h->nic[0].why, "nobody listens"));
	unlink(lab_paths[0]);
	fd = listener(lab_paths[0]);
	WAIT_FOR(h->nic[0].last_error == 0);
	assert_non_null(strstr(h->nic[0].why, "driver"));
	assert_int_equal(lab_quit(h), 0);
	close(fd);
	unlink(lab_paths[0]);

	conf = lab_conf(true);
	conf.may_fail_to_start = true;
	snprintf(missing, sizeof(missing), "%s/none/a.sock", lab_dir);
	conf.path[0] = missing;
	h = lab_start(&conf);
	assert_non_null(h);
	assert_non_null(strstr(h->nic[0].start_error, "make it"));
	assert_int_equal(lab_quit(h), 0);

	conf = lab_conf(true);
	conf.may_fail_to_start = true;
	conf.group = "no-such-group";
	h = lab_start(&conf);
	assert_non_null(h);
	assert_non_null(strstr(h->nic[0].start_error, "groupadd"));
	assert_int_equal(lab_quit(h), 0);
	assert_int_equal(access(lab_paths[0], F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(server_passes_frames, lab_clean_up),
		cmocka_unit_test_teardown(client_passes_frames, lab_clean_up),
		cmocka_unit_test_teardown(legacy_passes_frames, lab_clean_up),
		cmocka_unit_test_teardown(offered_features_are_ours, lab_clean_up),
		cmocka_unit_test_teardown(second_peer_is_refused, lab_clean_up),
		cmocka_unit_test_teardown(guest_hangs_up_and_comes_back, lab_clean_up),
		cmocka_unit_test_teardown(guest_reboots, lab_clean_up),
		cmocka_unit_test_teardown(switch_killed_and_started, lab_clean_up),
		cmocka_unit_test_teardown(memory_table_storm, lab_clean_up),
		cmocka_unit_test_teardown(disabled_rings, lab_clean_up),
		cmocka_unit_test_teardown(port_stopped_under_traffic, lab_clean_up),
		cmocka_unit_test_teardown(sockets_in_the_way, lab_clean_up),
		cmocka_unit_test_teardown(sockets_of_others_stay, lab_clean_up),
		cmocka_unit_test_teardown(errors_name_the_remedy, lab_clean_up),
	};

	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}

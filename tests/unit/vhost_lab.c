#include "tests/unit/vhost_lab.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ports/vnic_types.h"

char lab_dir[64] = "/tmp/vhost_test.XXXXXX";
char lab_paths[HOST_NICS][96];

static struct host *running; // the switch of the test in hand

int lab_set_up(void **state)
{
	(void)state;
	if (mkdtemp(lab_dir) == NULL)
		return -1;
	snprintf(lab_paths[0], sizeof(lab_paths[0]), "%s/left.sock", lab_dir);
	snprintf(lab_paths[1], sizeof(lab_paths[1]), "%s/right.sock", lab_dir);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int lab_tear_down(void **state)
{
	(void)state;
	unlink(lab_paths[0]);
	unlink(lab_paths[1]);
	return rmdir(lab_dir);
}

int64_t lab_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct host *lab_start(const struct host_conf *conf)
{
	running = host_start(conf);
	return running;
}

int lab_quit(struct host *h)
{
	running = NULL;
	return host_quit(h);
}

int lab_clean_up(void **state)
{
	(void)state;
	if (running != NULL)
		host_kill(running);
	running = NULL;
	unlink(lab_paths[0]);
	unlink(lab_paths[1]);
	return 0;
}

struct host_conf lab_conf(bool server)
{
	return (struct host_conf){
		.path = {lab_paths[0], lab_paths[1]},
		.server = {server, server},
	};
}

void lab_up(struct lab *lab, bool server, void (*edit)(struct guest_conf *))
{
	struct host_conf conf = lab_conf(server);

	lab_up_conf(lab, &conf, edit);
}

void lab_up_conf(struct lab *lab, const struct host_conf *conf, void (*edit)(struct guest_conf *))
{
	memset(lab, 0, sizeof(*lab));
	for (unsigned i = 0; i < HOST_NICS; i++) {
		struct guest_conf c;

		guest_conf_init(&c, lab_paths[i]);
		c.server = !conf->server[i];
		c.features |=
			GUEST_BIT(VIRTIO_RING_F_EVENT_IDX) | GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
		if (edit != NULL)
			edit(&c);
		assert_int_equal(guest_create(&c, &lab->guests[i]), 0);
		assert_int_equal(guest_listen(lab->guests[i]), 0);
	}
	lab->host = lab_start(conf);
	assert_non_null(lab->host);
	for (unsigned i = 0; i < HOST_NICS; i++)
		assert_int_equal(guest_attach(lab->guests[i], LAB_WAIT_MS), 0);
	for (unsigned i = 0; i < HOST_NICS; i++)
		lab_settle(lab, i, true);
}

void lab_down(struct lab *lab)
{
	for (unsigned i = 0; i < HOST_NICS; i++) {
		if (i > 0 || !lab->attacked)
			assert_int_equal(guest_violations(lab->guests[i]), 0);
		guest_destroy(lab->guests[i]);
	}
	if (lab->host != NULL)
		assert_int_equal(lab_quit(lab->host), 0);
}

unsigned lab_receive(struct lab *lab, unsigned to, struct tframe_track *track)
{
	uint8_t frame[4096];
	struct guest *g = lab->guests[to];
	struct tframe_info info;
	unsigned n = 0;
	int size;

	// All frames are of one flow, and so in one of the guest's queues.
	for (unsigned pair = 0; pair < g->conf.pairs; pair++) {
		while ((size = guest_recv(g, pair, NULL, frame, sizeof(frame))) >= 0) {
			assert_int_equal(tframe_check(frame, (uint32_t)size, &info), TFRAME_GOOD);
			assert_int_equal(info.length, size);
			tframe_note(track, info.number);
			n++;
		}
		assert_int_equal(size, -EAGAIN);
	}
	return n;
}

bool lab_send(struct lab *lab, unsigned from)
{
	struct tframe_info info = {.stream = from, .length = LAB_FRAME_SIZE};
	uint8_t frame[LAB_FRAME_SIZE];

	info.number = lab->numbers[from];
	info.dst[5] = (uint8_t)(2 - from);
	info.src[5] = (uint8_t)(1 + from);
	tframe_build(&info, frame);
	if (guest_send(lab->guests[from], 0, NULL, frame, sizeof(frame)) < 0)
		return false;
	lab->numbers[from]++;
	return true;
}

void lab_flush_left(struct lab *lab)
{
	for (unsigned i = 0; i < HOST_NICS; i++) {
		guest_flush(lab->guests[i], 0);
		WAIT_FOR(guest_reap(lab->guests[i], 0) == 0);
		lab_receive(lab, HOST_NICS - 1 - i, &(struct tframe_track){.stream = i});
	}
}

void lab_exchange(struct lab *lab, unsigned from, unsigned n)
{
	unsigned to = HOST_NICS - 1 - from, sent = 0, got = 0;
	struct tframe_track track = {.stream = from, .begun = true, .next = lab->numbers[from]};
	int64_t until = lab_now_ms() + LAB_WAIT_MS;

	while (got < n && lab_now_ms() < until) {
		while (sent < n && sent - got < LAB_WINDOW && lab_send(lab, from))
			sent++;
		guest_flush(lab->guests[from], 0);
		guest_reap(lab->guests[from], 0);
		if (guest_wait(lab->guests[to], 100) == -ENOTCONN)
			break;
		got += lab_receive(lab, to, &track);
	}
	if (got != n || track.missing || track.late)
		print_error(
			"guest %u: %u of %u sent frames came, %u late, %u missing, next %u of %u; "
			"dropped %u in, %u out\n",
			to, got, sent, (unsigned)track.late, (unsigned)track.missing, track.next,
			lab->numbers[from], (unsigned)lab->host->nic[from].drops_in,
			(unsigned)lab->host->nic[to].drops_out);
	assert_int_equal(got, n);
	assert_int_equal(track.missing, 0);
	assert_int_equal(track.late, 0);
}

void lab_exchange_both(struct lab *lab, unsigned n)
{
	lab_exchange(lab, 0, n);
	lab_exchange(lab, 1, n);
}

void lab_settle(struct lab *lab, unsigned i, bool connected)
{
	const struct host_nic *n = &lab->host->nic[i];
	int64_t until = lab_now_ms() + LAB_WAIT_MS;

	while ((n->state == VNIC_STATE_CONNECTED) != connected && lab_now_ms() < until)
		usleep(2000);
	if ((n->state == VNIC_STATE_CONNECTED) != connected)
		print_error("NIC %u does not become %s (%s); the switch %s, main step %u, proc "
			    "loop %u\n",
			    i, connected ? "connected" : "disconnected", n->why,
			    host_lives(lab->host) ? "lives" : "is dead", lab->host->steps,
			    lab->host->loops);
	assert_true((n->state == VNIC_STATE_CONNECTED) == connected);
}

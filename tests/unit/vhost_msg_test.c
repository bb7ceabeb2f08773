// A VMM that lies: vhost-user messages that are wrong, cut short, out of order or not offered,
// and memory that goes away. The switch lives, and the other port does not notice.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "ports/vhost_msg.h"
#include "ports/vnic_types.h"
#include "tests/unit/vhost_lab.h"

enum {
	STORM_MS = 3000,
	PROMPT_MS = 4000, // an answer that takes longer was held up by somebody else
	RACE_MS = 2000
};

static uint64_t random_state;
static unsigned n_rings = 2; // of each guest

static uint32_t rnd(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(random_state >> 33) % below;
}

static unsigned host_fds(const struct lab *lab)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)lab->host->pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

// The switch lives, port 1's guest never lost its connection, and port 0 serves a good guest.
static void all_is_well(struct lab *lab)
{
	assert_true(host_lives(lab->host));
	assert_true(guest_connected(lab->guests[1]));
	if (lab->guests[0]->sock >= 0)
		guest_hangup(lab->guests[0]);
	lab_settle(lab, 0, false);
	lab->guests[0]->posted = false; // rings as of a guest that was reset
	assert_int_equal(guest_attach(lab->guests[0], LAB_WAIT_MS), 0);
	lab_settle(lab, 0, true);
	lab_flush_left(lab);
	lab_exchange_both(lab, 200);
}

static int raw_send(struct lab *lab, uint32_t request, const void *payload, uint32_t size,
		    const int fds[], unsigned n_fds)
{
	return vumsg_send(lab->guests[0]->sock, request, VUMSG_VERSION, payload, size, fds, n_fds);
}

static void what_was_not_offered(void **state)
{
	static const uint32_t requests[] = {0,
					    VUMSG_SET_LOG_BASE,
					    VUMSG_SET_LOG_FD,
					    VUMSG_SEND_RARP,
					    20,
					    VUMSG_IOTLB,
					    VUMSG_SET_INFLIGHT_FD,
					    VUMSG_GET_INFLIGHT_FD,
					    21,
					    VUMSG_POSTCOPY_ADVISE,
					    29,
					    30,
					    24,
					    25,
					    26,
					    27,
					    33,
					    34,
					    36,
					    37,
					    39,
					    40,
					    4000000000u};
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		uint8_t payload[64] = {1};
		int fd = eventfd(0, 0);

		if (!guest_connected(lab.guests[0]))
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		assert_int_equal(raw_send(&lab, requests[i], payload, sizeof(payload), &fd, i % 2),
				 0);
		close(fd);
		WAIT_FOR(!guest_connected(lab.guests[0]));
	}
	all_is_well(&lab);
	assert_true(lab.host->nic[0].bad_messages >= 20);
	lab_down(&lab);
}

// A header that announces bytes which never come must not stop the messages of others.
static void message_cut_short(void **state)
{
	const struct {
		uint32_t request, flags, size;
	} header = {VUMSG_SET_MEM_TABLE, VUMSG_VERSION, 40};
	struct lab lab;
	int64_t since;

	(void)state;
	lab_up(&lab, true, NULL);
	for (unsigned bytes = 1; bytes <= sizeof(header); bytes += 11) {
		if (!guest_connected(lab.guests[0]))
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		assert_int_equal(vumsg_send_raw(lab.guests[0]->sock, &header, bytes, NULL, 0), 0);
		since = lab_now_ms();
		assert_int_equal(guest_set_mem_table(lab.guests[1]), 0);
		assert_true(lab_now_ms() - since < PROMPT_MS);
		WAIT_FOR(!guest_connected(lab.guests[0]));
	}
	// Nor may it stop the port from being removed.
	assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
	assert_int_equal(vumsg_send_raw(lab.guests[0]->sock, &header, sizeof(header), NULL, 0), 0);
	since = lab_now_ms();
	assert_true(host_do(lab.host, HOST_STOP_0));
	assert_true(lab_now_ms() - since < PROMPT_MS);
	assert_true(host_do(lab.host, HOST_START_0));
	all_is_well(&lab);
	lab_down(&lab);
}

static void payload_too_short(void **state)
{
	static const uint32_t requests[] = {2, 5, 8, 9, 10, 11, 12, 13, 14, 16, 18};
	struct lab lab;

	(void)state;
	lab_up(&lab, true, NULL);
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		uint32_t zero = 0;

		if (!guest_connected(lab.guests[0]))
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		assert_int_equal(raw_send(&lab, requests[i], &zero, sizeof(zero), NULL, 0), 0);
		WAIT_FOR(!guest_connected(lab.guests[0]));
	}
	all_is_well(&lab);
	assert_int_equal(lab.host->nic[0].bad_messages, sizeof(requests) / sizeof(requests[0]));
	lab_down(&lab);
}

// Regions that their descriptors cannot hold, or not for writing.
static void memory_that_is_none(void **state)
{
	int small = memfd_create("small", 0), large = memfd_create("large", 0);
	int sealed = memfd_create("sealed", MFD_ALLOW_SEALING), null = open("/dev/zero", O_RDWR);
	unsigned fds_before, n_fds = 0;
	int pipes[2], fds[8];
	char path[32];
	struct lab lab;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ftruncate(small, 4096), 0);
	assert_int_equal(ftruncate(large, 1 << 21), 0);
	assert_int_equal(ftruncate(sealed, 1 << 21), 0);
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", large);
	fds[n_fds++] = small;
	fds[n_fds++] = sealed;
	fds[n_fds++] = null;
	fds[n_fds++] = pipes[0];
	fds[n_fds++] = open(path, O_RDONLY);
	lab_up(&lab, true, NULL);
	fds_before = host_fds(&lab);
	for (unsigned i = 0; i < n_fds; i++) {
		struct vumsg_memory m = {.n = 1};

		m.regions[0] =
			(struct vumsg_region){.gpa = 0x1000, .size = 1 << 20, .uva = 0x7000000000};
		// Refused, with an answer since it was asked for one.
		assert_int_equal(
			guest_request(lab.guests[0], VUMSG_SET_MEM_TABLE, &m, 8 + 32, &fds[i], 1),
			-EPROTO);
		close(fds[i]);
	}
	assert_int_equal(host_fds(&lab), fds_before);
	// The good table is still in force.
	lab_exchange_both(&lab, 100);
	all_is_well(&lab);
	lab_down(&lab);
	close(large);
	close(pipes[1]);
}

// Rings outside of memory, and rings that outgrow it after they were looked at.
static void rings_outside_of_memory(void **state)
{
	const struct guest_region *r;
	struct vumsg_vring_addr addr;
	struct vumsg_vring_state num = {.index = 1, .num = 32768};
	struct guest *g;
	struct lab lab;
	uint64_t end;

	(void)state;
	lab_up(&lab, true, NULL);
	g = lab.guests[0];
	r = &g->regions[0];
	end = (uintptr_t)guest_ptr(g, r->gpa) + r->size;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t places[] = {0, end, end - 8, UINT64_MAX - 15, 0x1000, end - 4095};

		addr = (struct vumsg_vring_addr){
			.index = 1, .desc = places[i], .used = places[i], .avail = places[i]};
		guest_request(g, VUMSG_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		for (unsigned n = 0; n < 4; n++)
			lab_send(&lab, 0);
		guest_flush(g, 0);
	}
	all_is_well(&lab);

	// Near the end of memory with room for 16 entries, then 32768 of them.
	g = lab.guests[0];
	num.num = 16;
	guest_request(g, VUMSG_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	addr = (struct vumsg_vring_addr){
		.index = 1, .desc = end - 1024, .used = end - 512, .avail = end - 256};
	guest_request(g, VUMSG_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	num.num = 32768;
	guest_request(g, VUMSG_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	usleep(20000);
	all_is_well(&lab);
	lab_down(&lab);
}

static void fill_region(struct lab *lab, struct vumsg_region *r)
{
	const struct guest *g = lab->guests[0];
	const struct guest_region *have = &g->regions[rnd(g->n_regions)];

	r->gpa = rnd(3) ? have->gpa : random_state;
	r->size = rnd(4) ? have->size : rnd(2) ? (uint64_t)rnd(1 << 24) : random_state;
	r->uva = rnd(3) ? (uintptr_t)guest_ptr(g, have->gpa) : random_state;
	r->file_offset = rnd(3) ? 0 : rnd(2) ? rnd(1 << 20) : random_state;
}

static uint64_t some_address(struct lab *lab)
{
	const struct gring *r = &lab->guests[0]->queues[rnd(n_rings)].ring;
	uint64_t places[] = {(uintptr_t)r->desc, (uintptr_t)r->avail, (uintptr_t)r->used,
			     random_state};

	return places[rnd(4)] + (rnd(4) ? 0 : rnd(8192));
}

// A message that is nearly right, or not at all.
static uint32_t make_message(struct lab *lab, union vumsg_payload *p, uint32_t *size)
{
	static const uint32_t numbers[] = {0,   1,    2,     3,     16,        255,
					   256, 1024, 32768, 65535, UINT32_MAX};
	uint32_t request = rnd(40) ? 1 + rnd(18) : rnd(64);

	for (unsigned i = 0; i < sizeof(p->bytes); i++)
		p->bytes[i] = (uint8_t)rnd(256);
	*size = 8;
	switch (request) {
	case VUMSG_SET_MEM_TABLE:
		p->memory.n = rnd(8) ? 1 + rnd(3) : rnd(12);
		for (unsigned i = 0; i < 8; i++)
			fill_region(lab, &p->memory.regions[i]);
		*size = 8 + 32 * (p->memory.n > 8 ? 8 : p->memory.n);
		break;
	case VUMSG_SET_VRING_ADDR:
		p->addr = (struct vumsg_vring_addr){.index = rnd(n_rings),
						    .flags = rnd(8) ? 0 : rnd(4),
						    .desc = some_address(lab),
						    .used = some_address(lab),
						    .avail = some_address(lab)};
		*size = sizeof(p->addr);
		break;
	case VUMSG_SET_VRING_KICK:
	case VUMSG_SET_VRING_CALL:
	case VUMSG_SET_VRING_ERR:
		p->u64 = rnd(n_rings) | (rnd(4) ? 0 : VUMSG_NO_FD);
		break;
	case VUMSG_SET_FEATURES:
		p->u64 = rnd(4) ? lab->guests[0]->features & ~(rnd(2) ? VUMSG_F_PROTOCOL : 0)
				: random_state;
		break;
	case VUMSG_SET_PROTOCOL_FEATURES:
		p->u64 = rnd(2) ? 0 : GUEST_BIT(VUMSG_P_REPLY_ACK);
		break;
	default:
		// Not over 255: the library then loses the descriptors that came along, before any
		// hook sees the message.
		p->state.index = rnd(16) ? rnd(n_rings) : rnd(256);
		p->state.num = numbers[rnd(sizeof(numbers) / sizeof(numbers[0]))];
	}
	if (rnd(64) == 0)
		*size = rnd(sizeof(p->bytes));
	return request;
}

static unsigned pick_fds(struct lab *lab, uint32_t request, const union vumsg_payload *p, int fds[])
{
	const struct gring *r = &lab->guests[0]->queues[rnd(n_rings)].ring;
	unsigned n = 0;

	if (request == VUMSG_SET_MEM_TABLE)
		n = p->memory.n <= 8 ? p->memory.n : 8;
	else if (request >= VUMSG_SET_VRING_KICK && request <= VUMSG_SET_VRING_ERR)
		n = p->u64 & VUMSG_NO_FD ? 0 : 1;
	if (request <= VUMSG_SET_VRING_ENABLE && rnd(64) == 0)
		n = rnd(9);
	for (unsigned i = 0; i < n; i++)
		fds[i] = request == VUMSG_SET_MEM_TABLE && rnd(8) ? lab->guests[0]->regions[0].fd
			 : rnd(8) ? (rnd(2) ? r->kick_fd : r->call_fd)
				  : STDERR_FILENO;
	return n;
}

static void with_pairs(struct guest_conf *c)
{
	c->pairs = n_rings / 2;
	if (c->pairs > 1)
		c->features |= GUEST_BIT(VIRTIO_NET_F_MQ);
}

// Random messages to a device that is up and has frames in its rings, over and over.
static void storm(unsigned pairs)
{
	struct host_conf conf = lab_conf(true);
	const char *seed = getenv("VHOST_TEST_SEED");
	unsigned sent = 0, fds_before, fds_after;
	int64_t until;
	struct lab lab;

	random_state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)random_state);
	conf.queues = (uint16_t)pairs;
	n_rings = 2 * pairs;
	lab_up_conf(&lab, &conf, with_pairs);
	lab.attacked = true;
	fds_before = host_fds(&lab);
	until = lab_now_ms() + STORM_MS;
	while (lab_now_ms() < until) {
		union vumsg_payload p;
		int fds[9];
		uint32_t size, request;

		assert_true(host_lives(lab.host));
		if (!guest_connected(lab.guests[0])) {
			lab.guests[0]->posted = false;
			assert_int_equal(guest_attach(lab.guests[0], LAB_WAIT_MS), 0);
		}
		for (unsigned i = 0; i < 8; i++)
			lab_send(&lab, 0);
		guest_flush(lab.guests[0], 0);
		request = make_message(&lab, &p, &size);
		raw_send(&lab, request, &p, size, fds, pick_fds(&lab, request, &p, fds));
		// Replies nobody reads would fill the socket.
		for (char reply[4096];
		     recv(lab.guests[0]->sock, reply, sizeof(reply), MSG_DONTWAIT) > 0;)
			;
		sent++;
	}
	assert_true(sent > 100);
	all_is_well(&lab);
	fds_after = host_fds(&lab);
	assert_true(fds_after <= fds_before + 2);
	lab_down(&lab);
	n_rings = 2;
}

static void storm_of_messages(void **state)
{
	(void)state;
	storm(1);
}

static void storm_with_several_queues(void **state)
{
	(void)state;
	storm(4);
}

struct cutter {
	int fd;
	uint64_t size;
	_Atomic bool stop;
};

static void *cut_and_mend(void *arg)
{
	struct cutter *c = arg;

	while (!atomic_load(&c->stop)) {
		(void)!ftruncate(c->fd, 0);
		(void)!ftruncate(c->fd, (off_t)c->size);
	}
	return NULL;
}

/*
 * The memory file is cut short at the worst of moments: between the check of a new memory table
 * and the library's first look at the rings in it.
 */
static void memory_cut_while_it_is_mapped(void **state)
{
	struct cutter cutter = {.stop = false};
	struct vumsg_memory m = {.n = 1};
	unsigned taken = 0, tries = 0;
	struct lab lab;
	pthread_t thread;
	struct guest *g;
	int64_t until;

	(void)state;
	lab_up(&lab, true, NULL);
	g = lab.guests[0];
	// A copy of the guest's memory in a file of its own: our mapping must not be cut.
	cutter.size = g->regions[0].size;
	cutter.fd = memfd_create("cut", 0);
	assert_int_equal(ftruncate(cutter.fd, (off_t)cutter.size), 0);
	assert_int_equal(pthread_create(&thread, NULL, cut_and_mend, &cutter), 0);
	until = lab_now_ms() + RACE_MS;
	while (lab_now_ms() < until) {
		tries++;
		assert_true(host_lives(lab.host));
		if (!guest_connected(g))
			assert_int_equal(guest_attach(g, LAB_WAIT_MS), 0);
		m.regions[0] =
			(struct vumsg_region){.gpa = g->regions[0].gpa,
					      .size = cutter.size - (tries % 2) * 4096,
					      .uva = (uintptr_t)guest_ptr(g, g->regions[0].gpa)};
		if (guest_request(g, VUMSG_SET_MEM_TABLE, &m, 8 + 32, &cutter.fd, 1) == 0)
			taken++;
	}
	atomic_store(&cutter.stop, true);
	pthread_join(thread, NULL);
	close(cutter.fd);
	assert_true(taken > 5);
	WAIT_FOR(lab.host->nic[0].events & VNIC_EVENT_MEMORY);
	all_is_well(&lab);
	lab_down(&lab);
}

// Descriptors that block, or are no eventfds at all: nobody waits for them.
static void odd_descriptors(void **state)
{
	uint64_t full = UINT64_MAX - 1, index;
	int pipes[2], counter = eventfd(0, EFD_NONBLOCK), file = memfd_create("file", 0);
	struct lab lab;
	int fds[3];

	(void)state;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	while (write(pipes[1], &full, sizeof(full)) > 0)
		;
	assert_int_equal(fcntl(pipes[1], F_SETFL, 0), 0);
	assert_int_equal(write(counter, &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(counter, F_SETFL, 0), 0);
	memcpy(fds, (int[]){pipes[1], counter, file}, sizeof(fds));
	lab_up(&lab, true, NULL);
	for (unsigned i = 0; i < 3; i++) {
		for (index = 0; index < 2; index++) {
			guest_request(lab.guests[0], VUMSG_SET_VRING_CALL, &index, sizeof(index),
				      &fds[i], 1);
			guest_request(lab.guests[0], VUMSG_SET_VRING_KICK, &index, sizeof(index),
				      &fds[i], 1);
		}
		// It polls, or is woken by the other port; frames pass all the same.
		for (unsigned n = 0; n < 8; n++) {
			lab_send(&lab, 0);
			guest_flush(lab.guests[0], 0);
			lab_send(&lab, 1);
			guest_flush(lab.guests[1], 0);
			usleep(30000);
		}
		assert_true(lab_receive(&lab, 1, &(struct tframe_track){.stream = 0}) >= 7);
		assert_true(lab_receive(&lab, 0, &(struct tframe_track){.stream = 1}) >= 7);
	}
	all_is_well(&lab);
	lab_down(&lab);
	close(file);
	close(counter);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_was_not_offered, lab_clean_up),
		cmocka_unit_test_teardown(message_cut_short, lab_clean_up),
		cmocka_unit_test_teardown(payload_too_short, lab_clean_up),
		cmocka_unit_test_teardown(memory_that_is_none, lab_clean_up),
		cmocka_unit_test_teardown(rings_outside_of_memory, lab_clean_up),
		cmocka_unit_test_teardown(storm_of_messages, lab_clean_up),
		cmocka_unit_test_teardown(storm_with_several_queues, lab_clean_up),
		cmocka_unit_test_teardown(memory_cut_while_it_is_mapped, lab_clean_up),
		cmocka_unit_test_teardown(odd_descriptors, lab_clean_up),
	};

	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}

/*
 * Attacks by vhost-user messages: out of order, cut short, with wrong descriptors, from more
 * than one connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/hostile/attack.h"

#define FULL_S   2.5 // longer than honest guests may wait
#define REQUESTS 45u // one more than the protocol knows is enough

enum order_case { BACKWARDS, KICK_FIRST, ENABLE_FIRST, STOP_FIRST, ADDR_FIRST, MEMORY_FIRST };

enum running_case {
	RESET_OWNER,
	OWNER_AGAIN,
	STOP_TWICE,
	OTHER_FEATURES,
	UNKNOWN_FEATURES,
	UNKNOWN_PROTOCOL,
	NUM_GROWS,
	ENABLE_FLAPS
};

enum ring_case {
	NUM_0,
	NUM_3,
	NUM_65535,
	NUM_TOO_LARGE,
	BASE_AHEAD,
	BASE_70000,
	INDEX_2,
	INDEX_255,
	INDEX_4G,
	ADDR_0,
	ADDR_OUTSIDE,
	ADDR_ODD,
	ADDR_AT_END,
	ADDR_ALL_SAME
};

enum cut_case { HALF_HEADER, NO_PAYLOAD, HALF_PAYLOAD, SIZE_4G, SIZE_4096, SIZE_LESS, STALL };

enum fd_case {
	FDS_WITH_GET,
	KICK_WITHOUT,
	KICK_TWO,
	KICK_FILE,
	KICK_BOTH,
	CALL_PIPE,
	CALL_FILE,
	CALL_WITHOUT
};

static int raw_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

// A guest that is connected and has agreed on features, but gave nothing yet.
static struct guest *half_guest(struct attack_ctx *c)
{
	struct guest_conf conf;
	struct guest *g = NULL;

	guest_conf_init(&conf, c->socket);
	if (guest_create(&conf, &g) < 0 || guest_connect(g, 2000) < 0 || guest_hello(g) < 0) {
		fprintf(stderr, "    no connection to the port\n");
		guest_destroy(g);
		return NULL;
	}
	return g;
}

static int out_of_order(struct attack_ctx *c, unsigned arg)
{
	struct guest *g = half_guest(c);
	uint64_t bits;

	if (!g)
		return -1;
	guest_reset(g);
	bits = g->features;
	switch (arg) {
	case BACKWARDS:
		for (unsigned i = 0; i < 2; i++) {
			guest_enable_ring(g, i, true);
			guest_start_ring(g, i);
		}
		guest_set_mem_table(g);
		guest_request(g, VUMSG_SET_FEATURES, &bits, sizeof(bits), NULL, 0);
		break;
	case KICK_FIRST: {
		int fd = eventfd(0, EFD_CLOEXEC);
		uint64_t index = 1;
		guest_request(g, VUMSG_SET_VRING_KICK, &index, sizeof(index), &fd, 1);
		close(fd);
		break;
	}
	case ENABLE_FIRST:
		guest_enable_ring(g, 0, true);
		guest_enable_ring(g, 1, true);
		break;
	case STOP_FIRST:
		guest_stop_ring(g, 1);
		break;
	case ADDR_FIRST:
		guest_start_ring(g, 1);
		guest_start_ring(g, 0);
		break;
	case MEMORY_FIRST:
		guest_set_mem_table(g);
		guest_start_ring(g, 0);
		break;
	}
	attack_sleep_ms(30);
	guest_destroy(g);
	return 0;
}

// Any message at any time, with contents that make sense by themselves.
static void random_message(struct guest *g, unsigned *seed)
{
	static const uint32_t with_ring[] = {VUMSG_SET_VRING_NUM, VUMSG_SET_VRING_BASE,
					     VUMSG_SET_VRING_ENABLE, VUMSG_GET_VRING_BASE};
	unsigned ring = (unsigned)rand_r(seed) % 2;
	struct vumsg_vring_state state = {.index = ring};
	uint64_t bits = g->features;

	switch ((unsigned)rand_r(seed) % 9) {
	case 0:
		guest_set_mem_table(g);
		break;
	case 1:
		guest_start_ring(g, ring);
		break;
	case 2:
		guest_stop_ring(g, ring);
		break;
	case 3:
		guest_enable_ring(g, ring, rand_r(seed) % 4 > 0);
		break;
	case 4:
		bits &= rand_r(seed) % 2 ? ~0ull : ~GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF);
		guest_request(g, VUMSG_SET_FEATURES, &bits, sizeof(bits), NULL, 0);
		break;
	case 5:
		guest_request(g, rand_r(seed) % 2 ? VUMSG_SET_OWNER : VUMSG_RESET_OWNER, NULL, 0,
			      NULL, 0);
		break;
	case 6:
		state.num = (unsigned)rand_r(seed) % 3 ? g->queues[0].ring.size : 0;
		guest_request(g, with_ring[(unsigned)rand_r(seed) % 4], &state, sizeof(state), NULL,
			      0);
		break;
	default:
		gring_kick(&g->queues[1].ring);
		break;
	}
}

static int shuffled(struct attack_ctx *c, unsigned arg)
{
	unsigned seed = arg;

	for (int i = 0; i < 25; i++) {
		struct guest *g = half_guest(c);
		if (!g)
			return -1;
		if (i % 2)
			guest_start(g);
		else
			guest_reset(g);
		for (int k = 0; k < 40 && guest_connected(g); k++)
			random_message(g, &seed);
		guest_destroy(g);
	}
	return 0;
}

// Messages that a running device does not expect, under traffic.
static int while_running(struct attack_ctx *c, unsigned arg)
{
	struct vumsg_vring_state num = {.index = 1, .num = 4096};
	uint64_t bits = c->g->features;

	attack_traffic(c, 100);
	switch (arg) {
	case RESET_OWNER:
		guest_request(c->g, VUMSG_RESET_OWNER, NULL, 0, NULL, 0);
		break;
	case OWNER_AGAIN:
		guest_request(c->g, VUMSG_SET_OWNER, NULL, 0, NULL, 0);
		break;
	case STOP_TWICE:
		for (int i = 0; i < 4; i++)
			guest_stop_ring(c->g, (unsigned)i % 2);
		break;
	case OTHER_FEATURES:
		bits &= ~(GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF) | GUEST_BIT(VIRTIO_F_VERSION_1));
		guest_request(c->g, VUMSG_SET_FEATURES, &bits, sizeof(bits), NULL, 0);
		break;
	case UNKNOWN_FEATURES:
		bits = ~0ull;
		guest_request(c->g, VUMSG_SET_FEATURES, &bits, sizeof(bits), NULL, 0);
		break;
	case UNKNOWN_PROTOCOL:
		bits = ~0ull;
		guest_request(c->g, VUMSG_SET_PROTOCOL_FEATURES, &bits, sizeof(bits), NULL, 0);
		break;
	case NUM_GROWS:
		guest_request(c->g, VUMSG_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
		break;
	case ENABLE_FLAPS:
		for (unsigned i = 0; i < 200; i++) {
			guest_enable_ring(c->g, i % 2, (i / 2) % 2);
			attack_traffic(c, 4);
		}
		break;
	}
	attack_traffic(c, 32);
	attack_sleep_ms(50);
	return 0;
}

// Everything as it should be, but for one thing that one ring is said to be.
static int bad_ring(struct attack_ctx *c, unsigned arg)
{
	struct guest *g = half_guest(c);
	struct vumsg_vring_state state = {.index = 1, .num = 256};
	uint64_t end;

	if (!g)
		return -1;
	guest_start(g);
	struct gring *r = &g->queues[1].ring;
	struct vumsg_vring_addr addr = {.index = 1,
					.desc = (uintptr_t)r->desc,
					.used = (uintptr_t)r->used,
					.avail = (uintptr_t)r->avail};
	end = (uintptr_t)g->base + g->span;
	static const uint32_t nums[] = {
		[NUM_0] = 0, [NUM_3] = 3, [NUM_65535] = 65535, [NUM_TOO_LARGE] = 32768};
	static const uint32_t indices[] = {
		[INDEX_2] = 2, [INDEX_255] = 255, [INDEX_4G] = 0xffffffffu};
	switch (arg) {
	case NUM_0:
	case NUM_3:
	case NUM_65535:
	case NUM_TOO_LARGE:
		state.num = nums[arg];
		guest_request(g, VUMSG_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
		break;
	case BASE_AHEAD:
	case BASE_70000:
		state.num = arg == BASE_AHEAD ? 1000 : 70000;
		guest_request(g, VUMSG_SET_VRING_BASE, &state, sizeof(state), NULL, 0);
		break;
	case INDEX_2:
	case INDEX_255:
	case INDEX_4G:
		state.index = addr.index = indices[arg];
		guest_request(g, VUMSG_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
		break;
	case ADDR_0:
		addr.desc = addr.used = addr.avail = 0;
		break;
	case ADDR_OUTSIDE:
		addr.desc = end + 4096;
		break;
	case ADDR_ODD:
		addr.desc += 1;
		addr.used += 1;
		addr.avail += 1;
		break;
	case ADDR_AT_END:
		addr.desc = end - 64;
		addr.used = end - 8;
		addr.avail = end - 4;
		break;
	case ADDR_ALL_SAME:
		addr.used = addr.avail = addr.desc;
		break;
	}
	if (guest_connected(g) &&
	    guest_request(g, VUMSG_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0) == 0) {
		guest_enable_ring(g, 1, true);
		gring_kick(r);
		attack_sleep_ms(50);
	}
	guest_destroy(g);
	return 0;
}

// The switch closes a connection like this one.
static int expect_close(int sock, int timeout_ms)
{
	struct vumsg msg;
	int ret;

	do
		ret = vumsg_recv(sock, &msg, timeout_ms, NULL);
	while (ret == 0);
	close(sock);
	if (ret != -ENOTCONN)
		fprintf(stderr, "    the connection was left open\n");
	return ret == -ENOTCONN ? 0 : -1;
}

static int cut_short(struct attack_ctx *c, unsigned arg)
{
	struct vumsg msg = {.request = VUMSG_SET_FEATURES, .flags = VUMSG_VERSION, .size = 8};
	int sock = raw_connect(c->socket);

	if (sock < 0)
		return -1;
	msg.payload.u64 = GUEST_FEATURES;
	switch (arg) {
	case HALF_HEADER:
		vumsg_send_raw(sock, &msg, 5, NULL, 0);
		shutdown(sock, SHUT_WR);
		return expect_close(sock, 2000);
	case NO_PAYLOAD:
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE, NULL, 0);
		shutdown(sock, SHUT_WR);
		return expect_close(sock, 2000);
	case HALF_PAYLOAD:
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + 3, NULL, 0);
		shutdown(sock, SHUT_WR);
		return expect_close(sock, 2000);
	case SIZE_4G:
	case SIZE_4096:
		msg.size = arg == SIZE_4G ? 0xffffffffu : 4096;
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + 8, NULL, 0);
		return expect_close(sock, 2000);
	case SIZE_LESS:
		msg.size = 4;
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + 4, NULL, 0);
		return expect_close(sock, 2000);
	case STALL: // the rest never comes; meanwhile others are served
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + 3, NULL, 0);
		attack_sleep_ms(50);
		struct daemon_port p;
		double begin = attack_now();
		int ret = daemon_show(c->daemon, "a", &p);
		if (ret < 0 || attack_now() - begin > 1) {
			fprintf(stderr, "    vswctl waits for the peer's bytes\n");
			ret = -1;
		}
		attack_sleep_ms(300);
		close(sock);
		return ret;
	}
	return -1;
}

// Every request that there is, and some that are not, each on a connection of its own: empty,
// or with more than belongs to it, or with a wrong version.
static int every_request(struct attack_ctx *c, unsigned arg)
{
	struct vumsg msg = {0};

	memset(&msg.payload, 0xff, sizeof(msg.payload));
	for (uint32_t request = 0; request < REQUESTS; request++) {
		int sock = raw_connect(c->socket);
		if (sock < 0)
			return -1;
		msg.request = request + 1 == REQUESTS ? 0xffffffffu : request;
		msg.flags = arg == 2 ? request : VUMSG_VERSION | VUMSG_NEED_REPLY;
		msg.size = arg == 1 ? 300 : 0;
		vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + msg.size, NULL, 0);
		struct vumsg reply;
		vumsg_recv(sock, &reply, 20, NULL);
		close(sock);
	}
	return 0;
}

static int wrong_fds(struct attack_ctx *c, unsigned arg)
{
	static const bool is_call[] = {
		[CALL_PIPE] = true, [CALL_FILE] = true, [CALL_WITHOUT] = true};
	struct guest *g = half_guest(c);
	uint64_t index = arg == KICK_BOTH ? 1 | VUMSG_NO_FD : 1;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC), p[2];

	if (!g || file < 0 || event < 0 || pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	char fill[4096] = {0};
	while (write(p[1], fill, sizeof(fill)) > 0)
		;
	fcntl(p[1], F_SETFL, 0); // a full pipe that makes writers wait
	int fds[3] = {event, event, event};
	unsigned n = 1;
	switch (arg) {
	case FDS_WITH_GET:
		guest_start(g);
		for (int i = 0; i < 20; i++)
			vumsg_send(g->sock, VUMSG_GET_FEATURES, VUMSG_VERSION, NULL, 0, fds, 3);
		break;
	case KICK_WITHOUT:
	case CALL_WITHOUT:
		n = 0;
		break;
	case KICK_TWO:
		n = 3;
		break;
	case KICK_FILE:
	case CALL_FILE:
		fds[0] = file;
		break;
	case CALL_PIPE:
		fds[0] = p[1];
		break;
	}
	if (arg != FDS_WITH_GET) {
		guest_start(g);
		guest_request(g, is_call[arg] ? VUMSG_SET_VRING_CALL : VUMSG_SET_VRING_KICK, &index,
			      sizeof(index), fds, n);
		gring_want_calls(&g->queues[1].ring, true);
		struct guest *own = c->g;
		c->g = g;
		for (int i = 0; i < 20; i++) {
			attack_traffic(c, 8);
			gring_kick(&g->queues[1].ring);
			attack_sleep_ms(2);
		}
		c->g = own;
	}
	attack_sleep_ms(20);
	guest_destroy(g);
	close(file);
	close(event);
	close(p[0]);
	close(p[1]);
	return 0;
}

// The call eventfd is full. With 'waiting' who writes to it waits until it is not, for the flags
// of an open file are shared: the switch may have set O_NONBLOCK, and its peer takes it away.
static int full_call(struct attack_ctx *c, unsigned waiting)
{
	uint64_t most = 0xfffffffffffffffeull, count;
	double end = attack_now() + (waiting ? FULL_S : 0.5);
	struct gring *rings[2] = {&c->g->queues[0].ring, &c->g->queues[1].ring};

	for (unsigned i = 0; i < 2; i++) {
		if (read(rings[i]->call_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return -1;
		if (write(rings[i]->call_fd, &most, sizeof(most)) != sizeof(most))
			return -1;
	}
	while (attack_now() < end) {
		for (unsigned i = 0; i < 2; i++) {
			if (waiting)
				fcntl(rings[i]->call_fd, F_SETFL, 0);
			gring_want_calls(rings[i], true);
		}
		attack_traffic(c, 16);
		attack_sleep_ms(1);
	}
	for (unsigned i = 0; i < 2; i++) {
		fcntl(rings[i]->call_fd, F_SETFL, O_NONBLOCK);
		if (read(rings[i]->call_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return -1;
	}
	return 0;
}

static int second_connection(struct attack_ctx *c, unsigned arg)
{
	for (int i = 0; i < 5; i++) {
		int sock = raw_connect(c->socket);
		if (sock < 0)
			return -1;
		vumsg_send(sock, VUMSG_GET_FEATURES, VUMSG_VERSION, NULL, 0, NULL, 0);
		if (expect_close(sock, 2000) < 0)
			return -1;
	}
	if (!attack_works(c)) {
		fprintf(stderr, "    the first connection suffers\n");
		return -1;
	}
	return 0;
}

static int storm(struct attack_ctx *c, unsigned arg)
{
	int socks[32];

	for (int round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 32; i++)
			socks[i] = raw_connect(c->socket);
		for (unsigned i = 0; i < 32; i++)
			if (socks[i] >= 0)
				close(socks[i]);
	}
	return 0;
}

// Attaches, sends, and dies in the middle of it.
static int die_again(struct attack_ctx *c, unsigned arg)
{
	for (int i = 0; i < 20; i++) {
		if (attack_guest(c, NULL, c->socket, &c->g) < 0)
			return -1;
		attack_traffic(c, 100);
		guest_destroy(c->g);
		c->g = NULL;
	}
	return 0;
}

// The VMM's socket, to which the switch connects: it is shut out, left waiting, sent nonsense;
// in the end a good guest is served.
static int listening(struct attack_ctx *c, unsigned arg)
{
	struct guest_conf conf;
	struct guest *g = NULL;
	int ret;

	guest_conf_init(&conf, c->socket3);
	conf.server = true;
	if (guest_create(&conf, &g) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		ret = guest_connect(g, 4000);
		if (ret < 0)
			goto out;
		if (i == 1)
			vumsg_send_raw(g->sock, "nonsense", 8, NULL, 0);
		if (i == 2)
			vumsg_send(g->sock, VUMSG_SET_MEM_TABLE, VUMSG_VERSION, NULL, 0, NULL, 0);
		attack_sleep_ms(i * 100);
		guest_hangup(g);
	}
	ret = guest_attach(g, 4000);
	if (ret < 0)
		goto out;
	c->g = g;
	ret = attack_works(c) ? 0 : -1;
	c->g = NULL;
out:
	if (ret < 0)
		fprintf(stderr, "    the switch does not connect, or not well: %s\n",
			strerror(-ret));
	guest_destroy(g);
	return ret;
}

#define ORDER(name_, arg_)                                                                         \
	{                                                                                          \
		.name = "message-" name_, .run = out_of_order, .arg = arg_,                        \
		.flags = ATTACK_RAW | ATTACK_LEGAL                                                 \
	}
#define RUNNING(name_, arg_)                                                                       \
	{                                                                                          \
		.name = "message-" name_, .run = while_running, .arg = arg_,                       \
		.flags = ATTACK_LEGAL | ATTACK_NOT_ME                                              \
	}
#define RAW(name_, run_, arg_)                                                                     \
	{                                                                                          \
		.name = "message-" name_, .run = run_, .arg = arg_,                                \
		.flags = ATTACK_RAW | ATTACK_LEGAL                                                 \
	}

const struct attack attacks_message[] = {
	ORDER("all-backwards", BACKWARDS),
	ORDER("kick-first", KICK_FIRST),
	ORDER("enable-first", ENABLE_FIRST),
	ORDER("stop-first", STOP_FIRST),
	ORDER("address-before-memory", ADDR_FIRST),
	ORDER("memory-before-features", MEMORY_FIRST),
	RAW("shuffled-1", shuffled, 1),
	RAW("shuffled-2", shuffled, 2),
	RUNNING("reset-owner-under-traffic", RESET_OWNER),
	RUNNING("owner-twice", OWNER_AGAIN),
	RUNNING("stopped-twice", STOP_TWICE),
	RUNNING("other-features-under-traffic", OTHER_FEATURES),
	RUNNING("features-not-offered", UNKNOWN_FEATURES),
	RUNNING("protocol-features-not-offered", UNKNOWN_PROTOCOL),
	RUNNING("ring-grows-under-traffic", NUM_GROWS),
	RUNNING("enable-flaps", ENABLE_FLAPS),
	RAW("ring-size-0", bad_ring, NUM_0),
	RAW("ring-size-3", bad_ring, NUM_3),
	RAW("ring-size-65535", bad_ring, NUM_65535),
	RAW("ring-larger-than-memory", bad_ring, NUM_TOO_LARGE),
	RAW("base-ahead", bad_ring, BASE_AHEAD),
	RAW("base-70000", bad_ring, BASE_70000),
	RAW("ring-2", bad_ring, INDEX_2),
	RAW("ring-255", bad_ring, INDEX_255),
	RAW("ring-4G", bad_ring, INDEX_4G),
	RAW("ring-at-0", bad_ring, ADDR_0),
	RAW("ring-outside", bad_ring, ADDR_OUTSIDE),
	RAW("ring-not-aligned", bad_ring, ADDR_ODD),
	RAW("ring-at-end", bad_ring, ADDR_AT_END),
	RAW("ring-parts-in-one-place", bad_ring, ADDR_ALL_SAME),
	RAW("half-a-header", cut_short, HALF_HEADER),
	RAW("no-payload", cut_short, NO_PAYLOAD),
	RAW("half-a-payload", cut_short, HALF_PAYLOAD),
	RAW("payload-4G", cut_short, SIZE_4G),
	RAW("payload-4096", cut_short, SIZE_4096),
	RAW("payload-too-short", cut_short, SIZE_LESS),
	RAW("rest-never-comes", cut_short, STALL),
	RAW("every-request-empty", every_request, 0),
	RAW("every-request-too-long", every_request, 1),
	RAW("every-request-wrong-version", every_request, 2),
	RAW("descriptors-with-get", wrong_fds, FDS_WITH_GET),
	RAW("kick-without-descriptor", wrong_fds, KICK_WITHOUT),
	RAW("kick-with-three", wrong_fds, KICK_TWO),
	RAW("kick-with-file", wrong_fds, KICK_FILE),
	RAW("kick-with-and-without", wrong_fds, KICK_BOTH),
	RAW("call-with-full-pipe", wrong_fds, CALL_PIPE),
	RAW("call-with-file", wrong_fds, CALL_FILE),
	RAW("call-without-descriptor", wrong_fds, CALL_WITHOUT),
	{.name = "message-call-eventfd-full", .run = full_call, .arg = 0, .flags = ATTACK_LEGAL},
	{.name = "message-call-eventfd-full-and-waiting",
	 .run = full_call,
	 .arg = 1,
	 .flags = ATTACK_LEGAL},
	{.name = "message-second-connection", .run = second_connection, .flags = ATTACK_LEGAL},
	RAW("storm-of-connections", storm, 0),
	RAW("die-again-and-again", die_again, 0),
	RAW("switch-connects-to-us", listening, 0),
	{0},
};

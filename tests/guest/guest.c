#include "tests/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int listen_on(const char *path, int *fd_ret);
static int connect_to(const char *path, int timeout_ms, int *fd_ret);
static int accept_from(int listen_fd, int timeout_ms, int *fd_ret);
static int start_queue_fds(struct guest *g, unsigned index);

void guest_conf_init(struct guest_conf *conf, const char *socket)
{
	*conf = (struct guest_conf){
		.socket = socket,
		.features = GUEST_FEATURES,
		.protocol_features = GUEST_BIT(VUMSG_P_REPLY_ACK),
		.pairs = 1,
		.n_regions = 1,
		.ring_size = 256,
		.buffer_size = 2304,
		.send_size = 2304,
		.rx_chain = 1,
		.tx_chain = 1,
	};
}

int guest_attach(struct guest *g, int timeout_ms)
{
	int ret = guest_connect(g, timeout_ms);

	if (ret == 0)
		ret = guest_hello(g);
	if (ret == 0)
		ret = guest_start(g);
	if (ret < 0)
		guest_hangup(g);
	return ret;
}

int guest_listen(struct guest *g)
{
	if (!g->conf.server || g->listen_fd >= 0)
		return 0;
	return listen_on(g->conf.socket, &g->listen_fd);
}

int guest_connect(struct guest *g, int timeout_ms)
{
	guest_hangup(g);
	if (!g->conf.server)
		return connect_to(g->conf.socket, timeout_ms, &g->sock);
	int ret = guest_listen(g);
	if (ret < 0)
		return ret;
	return accept_from(g->listen_fd, timeout_ms, &g->sock);
}

void guest_hangup(struct guest *g)
{
	if (g->sock < 0)
		return;
	close(g->sock);
	g->sock = -1;
	g->started = false;
	// Whatever the switch did not complete is done again by the next one.
	for (unsigned i = 0; i < g->n_queues; i++) {
		struct gring *r = &g->queues[i].ring;
		r->base = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	}
}

int guest_hello(struct guest *g)
{
	int ret = guest_get(g, VUMSG_GET_FEATURES, &g->offered);

	if (ret < 0)
		return ret;
	g->features = g->conf.features & g->offered;
	g->protocol_features = 0;
	if (g->features & VUMSG_F_PROTOCOL) {
		ret = guest_get(g, VUMSG_GET_PROTOCOL_FEATURES, &g->offered_protocol);
		if (ret < 0)
			return ret;
		uint64_t bits = g->conf.protocol_features & g->offered_protocol;
		ret = guest_request(g, VUMSG_SET_PROTOCOL_FEATURES, &bits, sizeof(bits), NULL, 0);
		if (ret < 0)
			return ret;
		g->protocol_features = bits;
	}
	return guest_request(g, VUMSG_SET_OWNER, NULL, 0, NULL, 0);
}

int guest_start(struct guest *g)
{
	const uint64_t wide = GUEST_BIT(VIRTIO_F_VERSION_1) | GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF);
	uint64_t bits = g->features;
	unsigned header = bits & wide ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
				      : sizeof(struct virtio_net_hdr);
	int ret = 0;

	if (!g->posted || header != g->header_size) {
		g->header_size = header;
		ret = guest_reset(g);
	}
	if (ret == 0)
		ret = guest_request(g, VUMSG_SET_FEATURES, &bits, sizeof(bits), NULL, 0);
	if (ret == 0)
		ret = guest_set_mem_table(g);
	for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
		ret = guest_start_ring(g, i);
	if (g->features & VUMSG_F_PROTOCOL)
		for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
			ret = guest_enable_ring(g, i, true);
	g->started = ret == 0;
	return ret;
}

int guest_stop(struct guest *g)
{
	int ret = 0;

	g->started = false;
	if (g->features & VUMSG_F_PROTOCOL)
		for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
			ret = guest_enable_ring(g, i, false);
	for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
		ret = guest_stop_ring(g, i);
	return ret;
}

int guest_set_mem_table(struct guest *g)
{
	struct vumsg_memory m = {.n = g->n_regions};
	int fds[GUEST_MAX_REGIONS];

	for (unsigned i = 0; i < g->n_regions; i++) {
		const struct guest_region *r = &g->regions[i];
		m.regions[i] = (struct vumsg_region){.gpa = r->gpa,
						     .size = r->size,
						     .uva = (uintptr_t)guest_ptr(g, r->gpa),
						     .file_offset = r->file_offset};
		fds[i] = r->fd;
	}
	uint32_t size = (uint32_t)(offsetof(struct vumsg_memory, regions) +
				   g->n_regions * sizeof(m.regions[0]));
	return guest_request(g, VUMSG_SET_MEM_TABLE, &m, size, fds, g->n_regions);
}

int guest_start_ring(struct guest *g, unsigned index)
{
	struct gring *r = &g->queues[index].ring;
	struct vumsg_vring_state num = {.index = index, .num = r->size};
	struct vumsg_vring_state base = {.index = index, .num = r->base};
	struct vumsg_vring_addr addr = {.index = index,
					.desc = (uintptr_t)r->desc,
					.used = (uintptr_t)r->used,
					.avail = (uintptr_t)r->avail};
	int ret;

	r->event_idx = (g->features & GUEST_BIT(VIRTIO_RING_F_EVENT_IDX)) != 0;
	gring_want_calls(r, false);
	ret = guest_request(g, VUMSG_SET_VRING_NUM, &num, sizeof(num), NULL, 0);
	if (ret == 0)
		ret = guest_request(g, VUMSG_SET_VRING_BASE, &base, sizeof(base), NULL, 0);
	if (ret == 0)
		ret = guest_request(g, VUMSG_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (ret == 0)
		ret = start_queue_fds(g, index);
	if (ret == 0 && r->avail_idx != r->base)
		gring_kick(r); // what was posted before the switch could see it
	return ret;
}

int guest_stop_ring(struct guest *g, unsigned index)
{
	struct vumsg_vring_state state = {.index = index};
	struct vumsg msg;
	int ret = vumsg_send(g->sock, VUMSG_GET_VRING_BASE, VUMSG_VERSION, &state, sizeof(state),
			     NULL, 0);

	if (ret == 0)
		ret = vumsg_recv(g->sock, &msg, GUEST_REPLY_MS, NULL);
	if (ret < 0)
		return ret;
	if (msg.request != VUMSG_GET_VRING_BASE || msg.size != sizeof(state))
		return -EPROTO;
	g->queues[index].ring.base = (uint16_t)msg.payload.state.num;
	return 0;
}

int guest_enable_ring(struct guest *g, unsigned index, bool enable)
{
	struct vumsg_vring_state state = {.index = index, .num = enable};

	return guest_request(g, VUMSG_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
}

int guest_request(struct guest *g, uint32_t request, const void *payload, uint32_t size,
		  const int fds[], unsigned n_fds)
{
	bool ack = (g->protocol_features & GUEST_BIT(VUMSG_P_REPLY_ACK)) != 0;
	uint32_t flags = VUMSG_VERSION | (ack ? VUMSG_NEED_REPLY : 0);
	struct vumsg msg;
	int ret = vumsg_send(g->sock, request, flags, payload, size, fds, n_fds);

	if (ret < 0)
		return ret == -EPIPE || ret == -ECONNRESET ? -ENOTCONN : ret;
	if (!ack) {
		uint64_t ignored;
		return guest_get(g, VUMSG_GET_FEATURES, &ignored);
	}
	ret = vumsg_recv(g->sock, &msg, GUEST_REPLY_MS, NULL);
	if (ret < 0)
		return ret;
	if (msg.request != request || msg.size != sizeof(uint64_t) || msg.payload.u64 != 0)
		return -EPROTO;
	return 0;
}

int guest_get(struct guest *g, uint32_t request, uint64_t *value_ret)
{
	struct vumsg msg;
	int ret = vumsg_send(g->sock, request, VUMSG_VERSION, NULL, 0, NULL, 0);

	if (ret == 0)
		ret = vumsg_recv(g->sock, &msg, GUEST_REPLY_MS, NULL);
	if (ret < 0)
		return ret == -EPIPE || ret == -ECONNRESET ? -ENOTCONN : ret;
	if (msg.request != request || msg.size != sizeof(uint64_t))
		return -EPROTO;
	*value_ret = msg.payload.u64;
	return 0;
}

bool guest_connected(struct guest *g)
{
	struct pollfd p = {.fd = g->sock, .events = POLLIN};
	char byte;

	if (g->sock < 0)
		return false;
	if (poll(&p, 1, 0) <= 0)
		return true;
	if (!(p.revents & (POLLHUP | POLLERR)) &&
	    recv(g->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		return true;
	guest_hangup(g);
	return false;
}

int guest_wait(struct guest *g, int timeout_ms)
{
	struct pollfd p[GUEST_MAX_RINGS + 1];
	bool pending = false;
	uint64_t count;

	for (unsigned i = 0; i < g->n_queues; i++) {
		struct gring *r = &g->queues[i].ring;
		// A sender waits for room only when it has none.
		bool want = i % 2 == 0 || g->queues[i].n_free_slots == 0 ||
			    r->n_free <= g->conf.tx_chain;
		gring_want_calls(r, want);
		pending |= want && gring_used_pending(r);
		p[i] = (struct pollfd){.fd = r->call_fd, .events = POLLIN};
	}
	p[g->n_queues] = (struct pollfd){.fd = g->sock, .events = POLLIN};
	if (!pending && poll(p, g->n_queues + 1, timeout_ms) == 0)
		return -ETIMEDOUT;
	for (unsigned i = 0; i < g->n_queues; i++) {
		struct gring *r = &g->queues[i].ring;
		if (read(r->call_fd, &count, sizeof(count)) == sizeof(count))
			g->calls += count;
		gring_want_calls(r, false);
	}
	return guest_connected(g) ? 0 : -ENOTCONN;
}

uint64_t guest_violations(const struct guest *g)
{
	uint64_t sum = g->violations;

	for (unsigned i = 0; i < g->n_queues; i++)
		sum += g->queues[i].ring.violations;
	return sum;
}

uint64_t guest_kicks(const struct guest *g)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < g->n_queues; i++)
		sum += g->queues[i].ring.kicks;
	return sum;
}

// Fresh eventfds for each start, as QEMU may do; the switch must not keep old ones.
static int start_queue_fds(struct guest *g, unsigned index)
{
	struct gring *r = &g->queues[index].ring;
	uint64_t payload = index;
	int ret;

	if (r->kick_fd >= 0)
		close(r->kick_fd);
	if (r->call_fd >= 0)
		close(r->call_fd);
	r->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->kick_fd < 0 || r->call_fd < 0)
		return -errno;
	ret = guest_request(g, VUMSG_SET_VRING_KICK, &payload, sizeof(payload), &r->kick_fd, 1);
	if (ret == 0)
		ret = guest_request(g, VUMSG_SET_VRING_CALL, &payload, sizeof(payload), &r->call_fd,
				    1);
	return ret;
}

static int listen_on(const char *path, int *fd_ret)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0) {
		int err = errno;
		close(fd);
		return -err;
	}
	*fd_ret = fd;
	return 0;
}

static int connect_to(const char *path, int timeout_ms, int *fd_ret)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
			*fd_ret = fd;
			return 0;
		}
		int err = errno;
		close(fd);
		if (err != ENOENT && err != ECONNREFUSED && err != EAGAIN)
			return -err;
		if (timeout_ms <= 0)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
		timeout_ms -= 10;
	}
}

static int accept_from(int listen_fd, int timeout_ms, int *fd_ret)
{
	struct pollfd p = {.fd = listen_fd, .events = POLLIN};
	int n = poll(&p, 1, timeout_ms);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	*fd_ret = fd;
	return 0;
}

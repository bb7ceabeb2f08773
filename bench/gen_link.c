/*
 * Connections to the switch, and making guests known to it.
 *
 * A switch that was killed finds the rings as it left them: it goes on at the used indices, and
 * what it took and did not complete it gets again. Nothing of that is handed over twice.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <x86intrin.h>

#include "bench/gen_parts.h"

#define GREET_S 0.005 // between two greetings
#define RETRY_S 0.01
#define STOP_MS 50 // between two looks at whether to go on waiting

static void begin_quiet(struct gen *gen);
static int attach_all(struct gen *gen, bool again, unsigned *guest_ret);
static int attach_patiently(struct gen_side *s);
static int attach(struct gen_side *s, int timeout_ms);
static int connect_or_stop(struct gen_side *s, int timeout_ms);
static void set_bases(struct gen_side *s);
static void refuse_calls(struct gring *r);
static bool has_features(const struct gen *gen, const struct guest *g);
static void greet(struct gen_side *s);
static unsigned learn_some(struct gen_side *s, unsigned most);
static bool learn_next(struct gen_side *s, struct bframe_info *info_ret);
static uint16_t tci_of(const struct gen *gen, unsigned guest);
static void refill(struct gen *gen);

int gen_attach(struct gen *gen, unsigned *guest_ret)
{
	return attach_all(gen, false, guest_ret);
}

int gen_reattach(struct gen *gen, unsigned *guest_ret)
{
	gen_settle(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		guest_hangup(gen->sides[i].g);
		gen->sides[i].up = false;
	}
	return attach_all(gen, true, guest_ret);
}

int gen_greet(struct gen *gen, unsigned *guest_ret)
{
	double end = gen_now() + gen->conf.timeout_s;
	double next = 0;
	unsigned silent = gen->conf.n_guests;
	int ret = 0;

	if (gen->null.running)
		return 0;
	begin_quiet(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen->sides[i].heard = false;
	while (ret == 0 && silent > 0) {
		double now = gen_now();
		bool due = now > next;
		if (now > end)
			ret = -ETIMEDOUT;
		next = due ? now + GREET_S : next;
		silent = 0;
		for (unsigned i = 0; i < gen->conf.n_guests; i++) {
			struct gen_side *s = &gen->sides[i];
			gen_receive(s, 0, true);
			if (!s->heard) {
				silent++;
				*guest_ret = i;
			}
			if (due)
				greet(s);
		}
		if (due && ret == 0)
			ret = gen_check_links(gen, guest_ret);
	}
	refill(gen);
	return ret;
}

int gen_learn(struct gen *gen, double pps)
{
	double start = gen_now();
	double moved_at = start;
	double sent = 0, seen = 0;
	bool more = true;
	unsigned guest;
	int ret = 0;

	if (gen->null.running)
		return 0;
	begin_quiet(gen);
	for (unsigned i = 0; i < gen->conf.n_streams; i++)
		gen->streams[i].learned = 0;
	while (ret == 0 && more) {
		double now = gen_now();
		more = false;
		for (unsigned i = 0; i < gen->conf.n_guests; i++) {
			double due = pps > 0 ? (now - start) * pps + 1 - sent : GEN_BATCH;
			unsigned most = due < GEN_BATCH ? (unsigned)due : GEN_BATCH;
			gen_receive(&gen->sides[i], 0, true);
			sent += learn_some(&gen->sides[i], most);
			more |= learn_next(&gen->sides[i], NULL);
		}
		if (sent != seen || (pps > 0 && (now - start) * pps < sent))
			moved_at = now;
		else if (now > moved_at + gen->conf.timeout_s)
			ret = -ETIMEDOUT;
		seen = sent;
		if (ret == 0)
			ret = gen_check_links(gen, &guest);
	}
	refill(gen);
	return ret;
}

pid_t gen_switch_pid(const struct gen *gen)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int sock = gen->sides[0].g->sock;

	if (sock < 0 || getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	return peer.pid;
}

bool gen_connected(struct gen *gen, unsigned guest)
{
	return guest_connected(gen->sides[guest].g);
}

int gen_check_links(struct gen *gen, unsigned *guest_ret)
{
	struct pollfd fds[GEN_MAX_GUESTS];
	unsigned n = gen->conf.n_guests;
	bool all = true;

	if (gen_stopped(gen))
		return -ECANCELED;
	if (gen->null.running)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		fds[i] = (struct pollfd){.fd = gen->sides[i].g->sock, .events = POLLIN};
		all &= fds[i].fd >= 0;
	}
	if (poll(fds, n, 0) == 0 && all)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct gen_side *s = &gen->sides[i];
		if (guest_connected(s->g))
			continue;
		s->up = false;
		*guest_ret = i;
		if (!gen->conf.reconnect)
			return -ENOTCONN;
		if (attach(s, 0) == 0) {
			gen->reconnects++;
			gen->linked = true;
		}
	}
	return 0;
}

bool gen_stopped(const struct gen *gen)
{
	return gen->conf.stop && *gen->conf.stop;
}

void gen_device_place(struct gen_side *s, uint16_t *tx_ret, uint16_t *rx_ret)
{
	uint16_t in_flight = (uint16_t)(s->tx->avail_idx - s->tx_done);

	if (!s->gen->conf.packed) {
		*tx_ret = __atomic_load_n(&s->tx->used->idx, __ATOMIC_ACQUIRE);
		*rx_ret = __atomic_load_n(&s->rx->used->idx, __ATOMIC_ACQUIRE);
		return;
	}
	*tx_ret = (uint16_t)(s->tx_done + gen_packed_used(&s->tx_packed, s->tx_done, in_flight));
	*rx_ret = (uint16_t)(s->rx->used_seen + gen_arrived(s));
}

// For frames that are not counted: the rings are drained, and are not afterwards.
static void begin_quiet(struct gen *gen)
{
	gen_settle(gen);
	gen->quiet = true;
	gen->settled = false;
}

static int attach_all(struct gen *gen, bool again, unsigned *guest_ret)
{
	int ret = 0;

	// A server's sockets must all be there before the switch is asked to connect.
	for (unsigned i = 0; ret == 0 && i < gen->conf.n_guests; i++) {
		*guest_ret = i;
		ret = guest_listen(gen->sides[i].g);
	}
	for (unsigned i = 0; ret == 0 && i < gen->conf.n_guests; i++) {
		struct gen_side *s = &gen->sides[i];
		*guest_ret = i;
		ret = again ? attach_patiently(s) : attach(s, (int)(gen->conf.timeout_s * 1000));
	}
	return ret;
}

// A switch may not have noticed yet that the guest before is gone, and refuse.
static int attach_patiently(struct gen_side *s)
{
	const struct timespec pause = {.tv_nsec = (long)(RETRY_S * 1e9)};
	double end = gen_now() + s->gen->conf.timeout_s;

	for (;;) {
		int ret = attach(s, (int)(s->gen->conf.timeout_s * 1000));
		if ((ret != -ENOTCONN && ret != -EPROTO) || gen_now() > end)
			return ret;
		if (gen_stopped(s->gen))
			return -ECANCELED;
		nanosleep(&pause, NULL);
	}
}

static int attach(struct gen_side *s, int timeout_ms)
{
	struct guest *g = s->g;
	int ret = connect_or_stop(s, timeout_ms);

	if (ret == 0)
		ret = guest_hello(g);
	if (ret == 0 && !has_features(s->gen, g))
		ret = -EOPNOTSUPP;
	if (ret == 0) {
		set_bases(s);
		ret = guest_start(g);
	}
	for (unsigned i = 0; ret == 0 && s->gen->conf.packed && i < g->n_queues; i++)
		refuse_calls(&g->queues[i].ring);
	if (ret < 0)
		guest_hangup(g);
	s->up = ret == 0;
	return ret;
}

// Waits in small pieces, to look up in between.
static int connect_or_stop(struct gen_side *s, int timeout_ms)
{
	for (;;) {
		int piece = timeout_ms < STOP_MS ? timeout_ms : STOP_MS;
		int ret = guest_connect(s->g, piece);

		if (ret != -ETIMEDOUT && ret != -EINTR)
			return ret;
		if (gen_stopped(s->gen))
			return -ECANCELED;
		timeout_ms -= piece;
		if (timeout_ms <= 0)
			return -ETIMEDOUT;
	}
}

// What the last switch wrote until it was gone counts, not what it had when it hung up.
static void set_bases(struct gen_side *s)
{
	uint16_t tx, rx;

	gen_device_place(s, &tx, &rx);
	s->tx->base = s->gen->conf.packed ? gen_packed_base(&s->tx_packed, tx) : tx;
	s->rx->base = s->gen->conf.packed ? gen_packed_base(&s->rx_packed, rx) : rx;
}

// No calls: the library writes its wish where a split ring has it.
static void refuse_calls(struct gring *r)
{
	struct vring_packed_desc_event *driver = (void *)r->avail;

	__atomic_store_n(&driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE, __ATOMIC_RELAXED);
}

static bool has_features(const struct gen *gen, const struct guest *g)
{
	uint64_t need = GUEST_BIT(VIRTIO_NET_F_MRG_RXBUF);

	if (gen->conf.packed)
		need |= GUEST_BIT(VIRTIO_F_RING_PACKED);
	if (gen->conf.indirect)
		need |= GUEST_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	return (g->features & need) == need;
}

static void greet(struct gen_side *s)
{
	struct bframe_info info = {
		.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		.tci = tci_of(s->gen, s->number),
		.stream = GEN_GREETING,
	};

	gen_mac(s->number, 0, info.src);
	if (gen_take_back(s) == 0)
		return;
	gen_write_frame(s, s->tx->avail_idx, &info);
	gen_show(s, s->tx, 1);
}

static unsigned learn_some(struct gen_side *s, unsigned most)
{
	unsigned room = gen_take_back(s);
	struct bframe_info info;
	unsigned n = 0;

	room = room < most ? room : most;
	while (n < room && learn_next(s, &info))
		gen_write_frame(s, (uint16_t)(s->tx->avail_idx + n++), &info);
	if (n > 0)
		gen_show(s, s->tx, n);
	return n;
}

// The next frame that a guest has to send for gen_learn(). False: there is none. Without
// info_ret it only tells.
static bool learn_next(struct gen_side *s, struct bframe_info *info_ret)
{
	struct gen *gen = s->gen;

	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		struct gen_stream *st = &gen->streams[i];
		if (st->conf.from != s->number || st->learned == st->conf.src_macs)
			continue;
		if (!info_ret)
			return true;
		*info_ret = (struct bframe_info){.tci = st->conf.tci, .stream = GEN_GREETING};
		if (st->conf.to == GEN_TO_ALL)
			memset(info_ret->dst, 0xff, sizeof(info_ret->dst));
		else
			gen_mac(st->conf.to, st->learned % st->conf.dst_macs, info_ret->dst);
		gen_mac(s->number, st->learned++, info_ret->src);
		return true;
	}
	return false;
}

static uint16_t tci_of(const struct gen *gen, unsigned guest)
{
	for (unsigned i = 0; i < gen->conf.n_streams; i++) {
		const struct gen_stream_conf *st = &gen->streams[i].conf;
		if (st->from == guest || st->to == guest)
			return st->tci;
	}
	return 0;
}

// Waits until the strangers' frames are gone, and puts the streams' own ones back.
static void refill(struct gen *gen)
{
	gen_settle(gen);
	for (unsigned i = 0; i < gen->conf.n_guests; i++)
		gen_fill_frames(&gen->sides[i]);
}

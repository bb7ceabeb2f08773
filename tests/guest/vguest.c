/*
 * vguest --socket S [--server] --mac M [--to MAC --send N] [--expect N] ...
 *
 * Attaches to a vhost-user port of any switch, sends N test frames, receives and checks what
 * comes, prints its counts as one line of JSON and exits with 0 when all went as asked:
 *
 *     0  everything sent, at least --expect good frames received, none damaged, and the switch
 *        kept to the rules; with --exact also none missing, late or more than expected
 *     1  something of that failed        2  wrong usage        3  no switch at the socket
 *
 * With --interactive it reads commands from stdin and answers each with a line of JSON.
 */
#include "tests/guest/vguest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST 32u

static volatile sig_atomic_t stop;

static void on_signal(int sig);
static bool receive(struct vguest *v);
static bool receive_from(struct vguest *v, unsigned pair);
static void look_at(struct vguest *v, uint8_t *frame, uint32_t length);
static struct tframe_track *track_of(struct vguest *v, uint32_t stream);
static void send_back(struct vguest *v, const uint8_t *frame, uint32_t length);
static bool send_some(struct vguest *v);
static int attach_again(struct vguest *v);

int main(int argc, char **argv)
{
	static struct vguest v;
	int ret = vguest_options(argc, argv, &v.opts);

	if (ret != 0)
		return ret;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	ret = guest_create(&v.opts.guest, &v.g);
	if (ret < 0) {
		fprintf(stderr, "vguest: cannot make the guest's memory: %s\n", strerror(-ret));
		return 2;
	}
	if (v.opts.fill)
		guest_fill(v.g, v.opts.fill);
	ret = guest_attach(v.g, (int)(v.opts.timeout_s * 1000));
	if (ret < 0) {
		fprintf(stderr, "vguest: %s: %s\n", v.opts.guest.socket, strerror(-ret));
		guest_destroy(v.g);
		return 3;
	}
	v.attached = 1;
	v.pairs_on = v.opts.guest.pairs;
	if (v.opts.interactive) {
		ret = vguest_interactive(&v);
	} else {
		vguest_begin(&v, v.opts.send, v.opts.to);
		bool done = vguest_run(&v, v.opts.expect, v.opts.timeout_s);
		vguest_linger(&v, v.opts.linger_s);
		ret = done && vguest_clean(&v) ? 0 : 1;
		vguest_print(&v);
	}
	guest_destroy(v.g);
	return ret;
}

void vguest_begin(struct vguest *v, uint64_t count, const uint8_t to[6])
{
	memcpy(v->opts.to, to, 6);
	v->to_send = count;
	v->started_s = vguest_now();
	v->sent_since = 0;
}

bool vguest_run(struct vguest *v, uint64_t expect, double timeout_s)
{
	double end = vguest_now() + timeout_s;

	while (!stop) {
		if (v->to_send == 0 && v->good >= expect &&
		    guest_reap(v->g, vguest_send_pair(v)) == 0)
			return true;
		if (vguest_now() > end || vguest_round(v) < 0)
			return false;
	}
	// A signal ends a run that waits for nothing as well as any other end.
	return v->to_send == 0 && v->good >= expect;
}

void vguest_linger(struct vguest *v, double seconds)
{
	double end = vguest_now() + seconds;

	while (!stop && vguest_now() < end)
		if (vguest_round(v) < 0)
			return;
}

int vguest_round(struct vguest *v)
{
	bool worked = receive(v);

	worked |= send_some(v);
	if (worked)
		return guest_connected(v->g) ? 0 : attach_again(v);
	int ret = guest_wait(v->g, v->to_send > 0 ? 1 : 20);
	if (ret == -ENOTCONN)
		return attach_again(v);
	return 0;
}

int vguest_set_pairs(struct vguest *v, unsigned n)
{
	if (n < 1 || n > v->opts.guest.pairs)
		return -EINVAL;
	v->pairs_on = n;
	for (unsigned i = 0; i < v->g->n_queues; i++) {
		int ret = guest_enable_ring(v->g, i, i / 2 < n);

		if (ret < 0)
			return ret;
	}
	return 0;
}

unsigned vguest_send_pair(const struct vguest *v)
{
	return v->opts.stream % v->pairs_on;
}

bool vguest_clean(const struct vguest *v)
{
	if (v->damaged > 0 || guest_violations(v->g) > 0)
		return false;
	if (!v->opts.exact)
		return true;
	for (unsigned i = 0; i < v->n_streams; i++)
		if (v->streams[i].missing > 0 || v->streams[i].late > 0)
			return false;
	return v->good == v->opts.expect;
}

void vguest_print(const struct vguest *v)
{
	printf("{\"attached\":%lu,\"sent\":%lu,\"received\":%lu,\"good\":%lu,\"foreign\":%lu,"
	       "\"damaged\":%lu,\"not_mine\":%lu,\"echoed\":%lu,\"calls\":%lu,\"kicks\":%lu,"
	       "\"violations\":%lu,\"features\":\"0x%lx\",\"streams\":[",
	       v->attached, v->sent, v->received, v->good, v->foreign, v->damaged, v->not_mine,
	       v->echoed, v->g->calls, guest_kicks(v->g), guest_violations(v->g), v->g->features);
	for (unsigned i = 0; i < v->n_streams; i++) {
		const struct tframe_track *t = &v->streams[i];
		printf("%s{\"stream\":%u,\"good\":%lu,\"missing\":%lu,\"late\":%lu}", i ? "," : "",
		       t->stream, t->good, t->missing, t->late);
	}
	printf("],\"pairs\":[");
	for (unsigned i = 0; i < v->opts.guest.pairs; i++)
		printf("%s%lu", i ? "," : "", v->by_pair[i]);
	printf("]}\n");
	fflush(stdout);
}

double vguest_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_signal(int sig)
{
	stop = 1;
}

static bool receive(struct vguest *v)
{
	bool any = false;

	for (unsigned pair = 0; pair < v->opts.guest.pairs; pair++)
		any |= receive_from(v, pair);
	return any;
}

static bool receive_from(struct vguest *v, unsigned pair)
{
	static uint8_t frame[GUEST_MAX_FRAME];
	bool any = false;

	for (unsigned i = 0; i < BURST; i++) {
		int length = guest_recv(v->g, pair, NULL, frame, sizeof(frame));
		if (length == -EAGAIN)
			break;
		any = true;
		v->by_pair[pair]++;
		if (length >= 0)
			look_at(v, frame, (uint32_t)length);
	}
	return any;
}

static void look_at(struct vguest *v, uint8_t *frame, uint32_t length)
{
	uint8_t reply[GUEST_MAX_FRAME];
	struct tframe_info info;

	v->received++;
	if (length >= 14 && !(frame[0] & 1) && memcmp(frame, v->opts.mac, 6) != 0)
		v->not_mine++;
	switch (tframe_check(frame, length, &info)) {
	case TFRAME_GOOD:
		v->good++;
		struct tframe_track *t = track_of(v, info.stream);
		if (t)
			tframe_note(t, info.number);
		if (v->opts.echo && memcmp(frame, v->opts.mac, 6) == 0) {
			memcpy(frame, info.src, 6);
			memcpy(frame + 6, v->opts.mac, 6);
			send_back(v, frame, length);
		}
		break;
	case TFRAME_DAMAGED:
		v->damaged++;
		break;
	case TFRAME_FOREIGN:
		v->foreign++;
		if (v->opts.ip == 0)
			break;
		length = vguest_answer(v->opts.mac, v->opts.ip, frame, length, reply);
		if (length > 0)
			send_back(v, reply, length);
		break;
	}
}

static struct tframe_track *track_of(struct vguest *v, uint32_t stream)
{
	for (unsigned i = 0; i < v->n_streams; i++)
		if (v->streams[i].stream == stream)
			return &v->streams[i];
	if (v->n_streams == VGUEST_STREAMS)
		return NULL;
	struct tframe_track *t = &v->streams[v->n_streams++];
	t->stream = stream;
	return t;
}

static void send_back(struct vguest *v, const uint8_t *frame, uint32_t length)
{
	double end = vguest_now() + 1;

	while (guest_send(v->g, 0, NULL, frame, length) == -EAGAIN)
		if (vguest_now() > end)
			return;
	guest_flush(v->g, 0);
	v->echoed++;
}

static bool send_some(struct vguest *v)
{
	static uint8_t frame[GUEST_MAX_FRAME];
	uint32_t spread = v->opts.size_max - v->opts.size_min + 1;
	uint64_t n = v->to_send < BURST ? v->to_send : BURST;
	uint64_t i;

	if (v->opts.rate > 0 && n > 0) {
		double due = (vguest_now() - v->started_s) * v->opts.rate + 1;
		uint64_t behind = due > (double)v->sent_since ? (uint64_t)due - v->sent_since : 0;
		n = n < behind ? n : behind;
	}
	for (i = 0; i < n; i++) {
		struct tframe_info info = {.vlan = v->opts.vlan,
					   .stream = v->opts.stream,
					   .number = v->number,
					   .length = v->opts.size_min + v->number % spread};
		memcpy(info.dst, v->opts.to, 6);
		memcpy(info.src, v->opts.mac, 6);
		tframe_build(&info, frame);
		if (guest_send(v->g, vguest_send_pair(v), NULL, frame, info.length) < 0)
			break;
		v->number++;
	}
	v->to_send -= i;
	v->sent += i;
	v->sent_since += i;
	if (i > 0)
		guest_flush(v->g, vguest_send_pair(v));
	return i > 0;
}

static int attach_again(struct vguest *v)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	double end = vguest_now() + v->opts.timeout_s;
	int ret = -ENOTCONN;

	// A switch that dies still accepts for a moment, and then answers nothing.
	while (v->opts.reconnect && vguest_now() < end) {
		ret = guest_attach(v->g, (int)(v->opts.timeout_s * 1000));
		if (ret != -ENOTCONN && ret != -EPIPE)
			break;
		nanosleep(&pause, NULL);
	}
	if (ret == 0)
		v->attached++;
	return ret;
}

/*
 * tapbench: how many frames per second do two machines on TAPs exchange through what is between
 * them, a bridge or a switch?
 *
 * Both directions at once, in a closed loop: at most so many frames are under way in each
 * direction (--window), fewer than any queue between the machines has room for. So nothing is
 * lost, no work is done for frames that are thrown away later, and what is measured is what comes
 * through, each frame of it looked at: whose it is, its number, its length, and of one in 64
 * every byte.
 *
 * Exit codes are vswbench's: 0 measured, 1 wrong or lost frames, 2 wrong usage, 3 no TAP or
 * nothing came through, 130 Ctrl-C.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/gen.h"
#include "bench/report.h"
#include "bench/tapend.h"
#include "tests/guest/cpuwait.h"

enum {
	SLOTS = 48, // a multiple of the 12 frames after which IMIX begins anew
	CHECK_EVERY = 64,
	WATCH_MAX = 8,
};

#define HELLO     2   // added to a machine's number: the stream of its greetings
#define GIVE_UP_S 1.0 // without progress: what is under way then is lost

struct options {
	const char *ifnames[2];
	enum tapend_kind kinds[2];
	unsigned n_ends;
	unsigned size; // GEN_IMIX: imix
	unsigned window;
	double seconds, warm_up_s, timeout_s;
	int core;
	int napi_core; // -1: NAPI is not asked for
	unsigned n_watched;
	pid_t watched[WATCH_MAX];
	bool json;
};

// A machine: it sends stream 'stream' and receives that of its peer.
struct machine {
	struct tapend end;
	struct tapend_frame slots[SLOTS];
	struct tapend_frame hello;
	struct tapend_frame got[TAPEND_BATCH];
	struct machine *peer;
	uint16_t stream;
	uint32_t next;     // number of the next frame that it sends
	uint32_t expected; // number of the next frame that its peer should receive of it
	bool greeted;      // by its peer
	uint64_t received, received_bytes;
	uint64_t checked, bad, late, lost, foreign;
};

struct counts {
	double now_s;
	uint64_t received[2];
	uint64_t received_bytes;
	uint64_t lost;
	uint64_t waited_ns;
	double idle_s;
};

static volatile sig_atomic_t interrupted;
static double idle_s; // no frame could be sent and none was there
static const uint16_t imix[12] = {64, 570, 64, 64, 570, 64, 64, 1518, 64, 570, 64, 570};

static const char usage[] =
	"usage: tapbench [OPTION...] END END\n"
	"  END is tap:NAME, a TAP that tapbench holds as a VMM does, or host:NAME, a TAP's "
	"interface\n"
	"  --size BYTES|imix  frame without FCS, 64 to 9000; default 64\n"
	"  --window N         frames under way in each direction, 1 to 4096; default 256\n"
	"  --seconds S        measured; default 1\n"
	"  --warm-up S        before that; default 0.3\n"
	"  --timeout S        until frames must come through; default 10\n"
	"  --core N           that tapbench runs on; default 0\n"
	"  --napi-core N      what tapbench writes to its TAPs is received by threads on this "
	"core\n"
	"  --watch PID        a process of the switch: tell for how long it was kept from running\n"
	"  -j, --json         JSON\n"
	"  -h, --help         this\n";

static int parse(int argc, char **argv, struct options *o);
static bool parse_one(int id, const char *arg, struct options *o);
static bool parse_end(char *arg, struct options *o);
static bool parse_number(const char *arg, unsigned min, unsigned max, unsigned *value_ret);
static bool parse_seconds(const char *arg, double *value_ret);
static void on_signal(int sig);
static int open_machines(struct machine machines[2], struct options *o);
static void build_frames(struct machine *m, unsigned size);
static void build_frame(const struct machine *m, unsigned stream, unsigned size,
			struct tapend_frame *f);
static int greet(struct machine machines[2], double timeout_s);
static int run(struct machine machines[2], const struct options *o, double seconds);
static int send_some(struct machine *m, unsigned window);
static int receive_some(struct machine *m);
static void look_at(struct machine *m, const struct tapend_frame *f);
static void count(const struct machine machines[2], const struct options *o, struct counts *c_ret);
static bool tell(struct report *r, const struct machine machines[2], const struct counts *from,
		 const struct counts *to);
static int measure(struct machine machines[2], const struct options *o);
static int complain(int err);

int main(int argc, char **argv)
{
	static struct machine machines[2];
	struct options o;
	int ret = parse(argc, argv, &o);

	if (ret != 0)
		return ret < 0 ? 2 : 0;
	if (gen_pin(o.core) < 0) {
		fprintf(stderr, "tapbench: --core %d: there is no such core\n", o.core);
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	machines[0].end.fd = machines[1].end.fd = -1;
	ret = open_machines(machines, &o);
	if (ret == 0)
		ret = measure(machines, &o);
	for (unsigned i = 0; i < 2; i++)
		tapend_close(&machines[i].end);
	return ret;
}

static int measure(struct machine machines[2], const struct options *o)
{
	struct report *r = report_begin("tap-rate", o->json);
	struct counts from, to;
	bool is_good;
	int ret;

	if (r == NULL)
		return 2;
	report_setting(r, "size",
		       o->size == GEN_IMIX ? json_string("imix") : json_integer(o->size));
	report_setting(r, "window", json_integer(o->window));
	ret = greet(machines, o->timeout_s);
	if (ret == 0)
		ret = run(machines, o, o->warm_up_s);
	count(machines, o, &from);
	if (ret == 0)
		ret = run(machines, o, o->seconds);
	count(machines, o, &to);
	if (ret < 0) {
		report_end(r, interrupted);
		return complain(ret);
	}
	is_good = tell(r, machines, &from, &to);
	return !report_end(r, interrupted) || !is_good ? 1 : interrupted ? 130 : 0;
}

static int complain(int err)
{
	if (err == -EINTR)
		return 130;
	if (err == -ETIMEDOUT)
		fprintf(stderr, "tapbench: no frame came through: is the switch there, are both "
				"interfaces up?\n");
	else
		fprintf(stderr, "tapbench: %s\n", strerror(-err));
	return 3;
}

static int open_machines(struct machine machines[2], struct options *o)
{
	for (unsigned i = 0; i < 2; i++) {
		struct machine *m = &machines[i];
		bool napi = o->napi_core >= 0 && o->kinds[i] == TAPEND_VMM;
		int pid = 0, ret;

		m->stream = (uint16_t)i;
		m->peer = &machines[1 - i];
		build_frames(m, o->size);
		ret = tapend_open(o->kinds[i], o->ifnames[i], napi, &m->end);
		if (ret == 0 && napi)
			ret = tapend_thread_napi(o->ifnames[i], o->napi_core, &pid);
		if (ret < 0) {
			fprintf(stderr, "tapbench: %s: %s\n", o->ifnames[i], strerror(-ret));
			return 3;
		}
		if (pid != 0 && o->n_watched < WATCH_MAX)
			o->watched[o->n_watched++] = pid;
	}
	return 0;
}

static void build_frames(struct machine *m, unsigned size)
{
	for (unsigned i = 0; i < SLOTS; i++)
		build_frame(m, m->stream, size == GEN_IMIX ? imix[i % 12] : size, &m->slots[i]);
	build_frame(m, m->stream + HELLO, BFRAME_MIN, &m->hello);
}

static void build_frame(const struct machine *m, unsigned stream, unsigned size,
			struct tapend_frame *f)
{
	struct bframe_info info = {.stream = (uint16_t)stream, .seed = 1, .length = size};

	gen_mac(m->stream, 0, info.src);
	gen_mac(m->stream ^ 1, 0, info.dst);
	f->length = size;
	bframe_build(&info, f->tap.data);
}

// Until each machine has heard of the other: links come up late, and switches must learn.
static int greet(struct machine machines[2], double timeout_s)
{
	double end = gen_now() + timeout_s;

	while (!machines[0].greeted || !machines[1].greeted) {
		if (interrupted)
			return -EINTR;
		if (gen_now() > end)
			return -ETIMEDOUT;
		for (unsigned i = 0; i < 2; i++) {
			struct tapend_frame *hello = &machines[i].hello;
			int ret = tapend_send(&machines[i].end, &hello, 1);

			if (ret >= 0)
				ret = receive_some(&machines[i]);
			if (ret < 0)
				return ret;
		}
		usleep(2000);
	}
	return 0;
}

static int run(struct machine machines[2], const struct options *o, double seconds)
{
	double now = gen_now(), end = now + seconds, last_s = now, moved_s = now;

	while (now < end && !interrupted) {
		int moved = 0;

		for (unsigned i = 0; i < 2; i++) {
			int sent = send_some(&machines[i], o->window);
			int received = receive_some(&machines[i]);

			if (sent < 0 || received < 0)
				return sent < 0 ? sent : received;
			moved += sent + received;
		}
		now = gen_now();
		if (moved > 0)
			moved_s = now;
		else
			idle_s += now - last_s;
		last_s = now;
		if (now - moved_s < GIVE_UP_S)
			continue;
		for (unsigned i = 0; i < 2; i++) {
			machines[i].peer->lost += machines[i].next - machines[i].expected;
			machines[i].expected = machines[i].next;
		}
		moved_s = now;
	}
	return 0;
}

static int send_some(struct machine *m, unsigned window)
{
	struct tapend_frame *frames[TAPEND_BATCH];
	unsigned n = window - (m->next - m->expected);
	int ret;

	if (n > TAPEND_BATCH)
		n = TAPEND_BATCH;
	for (unsigned i = 0; i < n; i++) {
		frames[i] = &m->slots[(m->next + i) % SLOTS];
		bframe_stamp(frames[i]->tap.data, 0, m->next + i, 0);
	}
	ret = n > 0 ? tapend_send(&m->end, frames, n) : 0;
	if (ret > 0)
		m->next += (uint32_t)ret;
	return ret;
}

static int receive_some(struct machine *m)
{
	int n = tapend_recv(&m->end, m->got, TAPEND_BATCH);

	for (int i = 0; i < n; i++)
		look_at(m, &m->got[i]);
	return n;
}

static void look_at(struct machine *m, const struct tapend_frame *f)
{
	bool whole = m->received % CHECK_EVERY == 0;
	uint32_t *expected = &m->peer->expected;
	struct bframe_info info;
	enum bframe_verdict verdict = BFRAME_FOREIGN;

	if (f->length >= BFRAME_MIN)
		verdict = whole ? bframe_check(f->tap.data, f->length, &info)
				: bframe_read(f->tap.data, f->length, &info);
	if (verdict == BFRAME_GOOD && info.stream == m->peer->stream + HELLO) {
		m->greeted = true;
		return;
	}
	if (verdict == BFRAME_FOREIGN ||
	    (verdict == BFRAME_GOOD && info.stream != m->peer->stream)) {
		m->foreign++;
		return;
	}
	m->checked++;
	if (verdict == BFRAME_DAMAGED) {
		m->bad++;
		return;
	}
	m->received++;
	m->received_bytes += f->length;
	if ((int32_t)(info.number - *expected) < 0) {
		m->late++;
		return;
	}
	m->lost += info.number - *expected;
	*expected = info.number + 1;
}

static void count(const struct machine machines[2], const struct options *o, struct counts *c_ret)
{
	*c_ret = (struct counts){.now_s = gen_now(), .idle_s = idle_s};
	for (unsigned i = 0; i < 2; i++) {
		c_ret->received[i] = machines[i].received;
		c_ret->received_bytes += machines[i].received_bytes;
	}
	c_ret->waited_ns = cpuwait_ns(getpid());
	for (unsigned i = 0; i < o->n_watched; i++)
		c_ret->waited_ns += cpuwait_ns(o->watched[i]);
}

static bool tell(struct report *r, const struct machine machines[2], const struct counts *from,
		 const struct counts *to)
{
	static const struct report_column columns[] = {{"rx_mpps", "received Mpps", 3}};
	double seconds = to->now_s - from->now_s, rx[2];
	uint64_t bad = 0, lost = 0, late = 0, checked = 0, foreign = 0;

	for (unsigned i = 0; i < 2; i++) {
		rx[i] = 1e-6 * (double)(to->received[i] - from->received[i]) / seconds;
		bad += machines[i].bad;
		lost += machines[i].lost;
		late += machines[i].late;
		checked += machines[i].checked;
		foreign += machines[i].foreign;
	}
	report_columns(r, columns, 1);
	report_row(r, "0 -> 1", &rx[1]);
	report_row(r, "1 -> 0", &rx[0]);
	report_result(r, "rx_mpps", "Forwarded", rx[0] + rx[1], "Mpps", 3);
	report_result(r, "gbps", "... frame bytes, without preamble, gap and FCS",
		      8e-9 * (double)(to->received_bytes - from->received_bytes) / seconds,
		      "Gbit/s", 3);
	report_result(r, "idle_pct", "Machines idle", 100 * (to->idle_s - from->idle_s) / seconds,
		      "%", 1);
	report_result(r, "waited_pct", "Machines and switch ready, but without a core",
		      1e-7 * (double)(to->waited_ns - from->waited_ns) / seconds, "%", 1);
	report_result(r, "checked", "Frames looked at", (double)checked, "", 0);
	report_result(r, "foreign", "Frames of others", (double)foreign, "", 0);
	report_verdict(r, bad == 0 && lost == 0 && late == 0,
		       "%lu frames damaged, %lu lost, %lu out of order", bad, lost, late);
	return bad == 0 && lost == 0 && late == 0;
}

static void on_signal(int sig)
{
	interrupted = 1;
}

enum option_id {
	OPT_SIZE = 256,
	OPT_WINDOW,
	OPT_SECONDS,
	OPT_WARM_UP,
	OPT_TIMEOUT,
	OPT_CORE,
	OPT_NAPI_CORE,
	OPT_WATCH,
};

static const struct option option_table[] = {
	{"size", required_argument, NULL, OPT_SIZE},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"warm-up", required_argument, NULL, OPT_WARM_UP},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"core", required_argument, NULL, OPT_CORE},
	{"napi-core", required_argument, NULL, OPT_NAPI_CORE},
	{"watch", required_argument, NULL, OPT_WATCH},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

// 0; 1: help was printed; -EINVAL: it was said what is wrong.
static int parse(int argc, char **argv, struct options *o)
{
	int id;

	*o = (struct options){.size = 64,
			      .window = 256,
			      .seconds = 1,
			      .warm_up_s = 0.3,
			      .timeout_s = 10,
			      .napi_core = -1};
	while ((id = getopt_long(argc, argv, "jh", option_table, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return 1;
		}
		if (id == '?' || !parse_one(id, optarg, o)) {
			if (id != '?')
				fprintf(stderr, "tapbench: wrong value '%s'\n", optarg);
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	for (; optind < argc; optind++) {
		if (o->n_ends < 2 && parse_end(argv[optind], o))
			continue;
		fprintf(stderr, "tapbench: wrong or superfluous '%s'\n%s", argv[optind], usage);
		return -EINVAL;
	}
	if (o->n_ends == 2)
		return 0;
	fprintf(stderr, "tapbench: two ENDs are needed\n%s", usage);
	return -EINVAL;
}

static bool parse_one(int id, const char *arg, struct options *o)
{
	unsigned n;

	switch (id) {
	case OPT_SIZE:
		if (strcmp(arg, "imix") != 0)
			return parse_number(arg, GEN_MIN_FRAME, GEN_MAX_FRAME, &o->size);
		o->size = GEN_IMIX;
		return true;
	case OPT_WINDOW:
		return parse_number(arg, 1, 4096, &o->window);
	case OPT_SECONDS:
		return parse_seconds(arg, &o->seconds) && o->seconds > 0;
	case OPT_WARM_UP:
		return parse_seconds(arg, &o->warm_up_s);
	case OPT_TIMEOUT:
		return parse_seconds(arg, &o->timeout_s);
	case OPT_CORE:
	case OPT_NAPI_CORE:
		if (!parse_number(arg, 0, CPU_SETSIZE - 1, &n))
			return false;
		*(id == OPT_CORE ? &o->core : &o->napi_core) = (int)n;
		return true;
	case OPT_WATCH:
		if (o->n_watched == WATCH_MAX || !parse_number(arg, 1, 1U << 30, &n))
			return false;
		o->watched[o->n_watched++] = (pid_t)n;
		return true;
	default:
		return o->json = true;
	}
}

static bool parse_end(char *arg, struct options *o)
{
	const char *colon = strchr(arg, ':');

	if (colon == NULL || (strncmp(arg, "tap:", 4) != 0 && strncmp(arg, "host:", 5) != 0))
		return false;
	o->kinds[o->n_ends] = arg[0] == 't' ? TAPEND_VMM : TAPEND_HOST;
	o->ifnames[o->n_ends++] = colon + 1;
	return true;
}

static bool parse_number(const char *arg, unsigned min, unsigned max, unsigned *value_ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || n < min || n > max)
		return false;
	*value_ret = (unsigned)n;
	return true;
}

static bool parse_seconds(const char *arg, double *value_ret)
{
	char *end;
	double n = strtod(arg, &end);

	if (end == arg || *end || !(n >= 0 && n < 1e6))
		return false;
	*value_ret = n;
	return true;
}

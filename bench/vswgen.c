/*
 * vswgen: how many frames per second does a vhost-user switch move between guests?
 *
 *     vswgen --guest SOCKET [--guest SOCKET...] [--server] [--size BYTES|imix] [--seconds S] ...
 *     vswgen --null CORE ...           the generator's own ceiling, without any switch
 *
 * Exit code: 0 measured, 1 wrong frames or the switch hung up, 2 wrong usage, 3 no switch.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/gen.h"
#include "tests/guest/cpuwait.h"

enum option_id {
	OPT_GUEST = 256,
	OPT_SERVER,
	OPT_CLIENT,
	OPT_SIZE,
	OPT_RING,
	OPT_MACS,
	OPT_CHAIN,
	OPT_RX_BUFFER,
	OPT_INDIRECT,
	OPT_ONE_WAY,
	OPT_TOUCH,
	OPT_HUGE,
	OPT_SECONDS,
	OPT_WARM_UP,
	OPT_TIMEOUT,
	OPT_CORE,
	OPT_NULL,
	OPT_WATCH,
	OPT_HELP,
};

struct options {
	struct gen_conf gen;
	int core;
	int null_core; // -1: a real switch
	pid_t watch;   // the switch's process; 0: not known
	bool json;
};

struct counts {
	uint64_t sent[GEN_MAX_GUESTS];
	uint64_t received[GEN_MAX_GUESTS];
	double now_s;
	uint64_t waited_ns; // for a processor: the generator and, if it is watched, the switch
};

static const struct option option_table[] = {
	{"guest", required_argument, NULL, OPT_GUEST},
	{"server", no_argument, NULL, OPT_SERVER},
	{"client", no_argument, NULL, OPT_CLIENT},
	{"size", required_argument, NULL, OPT_SIZE},
	{"ring", required_argument, NULL, OPT_RING},
	{"macs", required_argument, NULL, OPT_MACS},
	{"chain", required_argument, NULL, OPT_CHAIN},
	{"rx-buffer", required_argument, NULL, OPT_RX_BUFFER},
	{"indirect", no_argument, NULL, OPT_INDIRECT},
	{"one-way", no_argument, NULL, OPT_ONE_WAY},
	{"touch", no_argument, NULL, OPT_TOUCH},
	{"huge", no_argument, NULL, OPT_HUGE},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"warm-up", required_argument, NULL, OPT_WARM_UP},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"core", required_argument, NULL, OPT_CORE},
	{"null", required_argument, NULL, OPT_NULL},
	{"watch", required_argument, NULL, OPT_WATCH},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static const char usage[] =
	"vswgen [--server|--client] --guest SOCKET --guest SOCKET ... [OPTION...]\n"
	"  guests 0 and 1, 2 and 3, ... talk to each other; --server makes the guests that follow\n"
	"  listen on their sockets (the switch connects), --client (the default) connect\n"
	"  --size BYTES|imix   frame without FCS, 64 to 9000 (64)\n"
	"  --macs N            addresses per guest (1)\n"
	"  --one-way           only guests 0, 2, ... send\n"
	"  --touch             guests write and read each cache line of each frame\n"
	"  --ring N --chain N --rx-buffer BYTES --indirect --huge\n"
	"  --seconds S --warm-up S --timeout S --core N\n"
	"  --null CORE         no switch: a thread on CORE completes all descriptors\n"
	"  --watch PID         the switch's process: tell for how long it was kept from running\n"
	"  -V                  check every frame: content, order, number\n"
	"  -j                  JSON\n";

static int parse(int argc, char **argv, struct options *o);
static bool parse_one(int id, const char *arg, struct options *o, bool *server);
static bool parse_number(const char *arg, unsigned min, unsigned max, unsigned *value_ret);
static bool parse_seconds(const char *arg, double *value_ret);
static bool is_power_of_two(unsigned n);
static int measure(struct gen *gen, const struct options *o);
static void count(const struct gen *gen, const struct options *o, struct counts *c_ret);
static bool report(struct gen *gen, const struct options *o, const struct counts *from,
		   const struct counts *to);
static void print_json(const struct gen *gen, const struct options *o, const struct counts *from,
		       const struct counts *to, const uint64_t faults[5]);
static double idle_percent(const struct gen *gen);

int main(int argc, char **argv)
{
	static struct gen gen;
	struct options o;
	unsigned who = 0;
	int ret = parse(argc, argv, &o);

	if (ret != 0)
		return ret;
	if (gen_pin(o.core) < 0) {
		fprintf(stderr, "vswgen: there is no core %d\n", o.core);
		return 2;
	}
	ret = gen_init(&gen, &o.gen);
	if (ret < 0) {
		fprintf(stderr, "vswgen: cannot make the guests' memory: %s%s\n", strerror(-ret),
			o.gen.huge ? " (are there huge pages?)" : "");
		gen_fini(&gen);
		return 2;
	}
	ret = o.null_core >= 0 ? gen_null_start(&gen, o.null_core) : gen_attach(&gen, &who);
	if (ret < 0) {
		fprintf(stderr, "vswgen: guest %u, %s: %s\n", who,
			o.gen.sockets[who] ? o.gen.sockets[who] : "null", strerror(-ret));
		gen_fini(&gen);
		return 3;
	}
	ret = measure(&gen, &o);
	gen_fini(&gen);
	return ret;
}

static int measure(struct gen *gen, const struct options *o)
{
	struct counts from, to;
	int ret = gen_greet(gen);

	if (ret < 0) {
		fprintf(stderr, "vswgen: no frame came through the switch\n");
		return 1;
	}
	ret = gen_run(gen, o->gen.warm_up_s, true);
	count(gen, o, &from);
	gen->idle_tsc = 0;
	gen->first_tsc = gen->last_tsc;
	if (ret == 0)
		ret = gen_run(gen, o->gen.seconds, false);
	count(gen, o, &to);
	if (ret < 0) {
		fprintf(stderr, "vswgen: the switch hung up\n");
		return 1;
	}
	if (o->gen.verify)
		gen_drain(gen);
	gen_null_stop(gen);
	return report(gen, o, &from, &to) ? 0 : 1;
}

static void count(const struct gen *gen, const struct options *o, struct counts *c_ret)
{
	c_ret->waited_ns = cpuwait_ns(getpid()) + (o->watch ? cpuwait_ns(o->watch) : 0);
	c_ret->now_s = gen_now();
	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		c_ret->sent[i] = gen->sides[i].sent;
		c_ret->received[i] = gen->sides[i].received;
	}
}

static bool report(struct gen *gen, const struct options *o, const struct counts *from,
		   const struct counts *to)
{
	uint64_t faults[5] = {0}; // bad, disorder, foreign, missing, samples

	for (unsigned i = 0; i < gen->conf.n_guests; i++) {
		const struct gen_side *s = &gen->sides[i];
		faults[0] += s->bad + s->track.late;
		faults[1] += s->disorder;
		faults[2] += s->foreign;
		faults[3] += s->track.missing;
		// What was sent last and never came.
		if (o->gen.verify)
			faults[3] += s->peer->next_number - s->track.next;
		faults[4] += s->samples;
	}
	if (o->json) {
		print_json(gen, o, from, to, faults);
	} else {
		double mpps = 0;
		for (unsigned i = 0; i < gen->conf.n_guests; i++)
			mpps += (double)(to->received[i] - from->received[i]);
		mpps /= 1e6 * (to->now_s - from->now_s);
		printf("%.2f Mpps, %.1f Gbit/s; %lu frames checked, %lu bad, %lu out of order, "
		       "%lu foreign, %lu missing; generator idle %.0f %%\n",
		       mpps, mpps * gen_mean_size(gen) * 8e-3, faults[4], faults[0], faults[1],
		       faults[2], faults[3], idle_percent(gen));
	}
	// Strangers' frames are no fault while samples are only samples: a switch may flood.
	return faults[0] == 0 && faults[1] == 0 &&
	       (!o->gen.verify || (faults[2] == 0 && faults[3] == 0));
}

static void print_json(const struct gen *gen, const struct options *o, const struct counts *from,
		       const struct counts *to, const uint64_t faults[5])
{
	double seconds = to->now_s - from->now_s;
	double sent = 0, received = 0;

	printf("{\"size\":%u,\"mean_size\":%.1f,\"guests\":%u,\"macs\":%u,\"ring\":%u,"
	       "\"one_way\":%s,\"touch\":%s,\"verify\":%s,\"null\":%s,\"seconds\":%.3f,"
	       "\"directions\":[",
	       o->gen.size, gen_mean_size(gen), o->gen.n_guests, o->gen.macs, o->gen.ring_size,
	       o->gen.one_way ? "true" : "false", o->gen.touch ? "true" : "false",
	       o->gen.verify ? "true" : "false", o->null_core >= 0 ? "true" : "false", seconds);
	for (unsigned i = 0; i < o->gen.n_guests; i++) {
		double tx = (double)(to->sent[i] - from->sent[i]) / seconds / 1e6;
		double rx = (double)(to->received[i ^ 1] - from->received[i ^ 1]) / seconds / 1e6;
		printf("%s{\"from\":%u,\"to\":%u,\"tx_mpps\":%.3f,\"rx_mpps\":%.3f}", i ? "," : "",
		       i, i ^ 1, tx, rx);
		sent += tx;
		received += rx;
	}
	printf("],\"tx_mpps\":%.3f,\"rx_mpps\":%.3f,\"gbps\":%.2f,\"samples\":%lu,\"bad\":%lu,"
	       "\"disorder\":%lu,\"foreign\":%lu,\"missing\":%lu,\"idle_pct\":%.1f,"
	       "\"waited_pct\":%.1f,\"kicks\":%lu}\n",
	       sent, received, received * gen_mean_size(gen) * 8e-3, faults[4], faults[0],
	       faults[1], faults[2], faults[3], idle_percent(gen),
	       1e-7 * (double)(to->waited_ns - from->waited_ns) / seconds,
	       guest_kicks(gen->sides[0].g));
}

static double idle_percent(const struct gen *gen)
{
	return 100.0 * (double)gen->idle_tsc / (double)(gen->last_tsc - gen->first_tsc);
}

static int parse(int argc, char **argv, struct options *o)
{
	bool server = false;
	int id;

	*o = (struct options){.null_core = -1};
	o->gen = (struct gen_conf){.size = 64,
				   .ring_size = 1024,
				   .macs = 1,
				   .chain = 1,
				   .seconds = 1,
				   .warm_up_s = 0.5,
				   .timeout_s = 10};
	while ((id = getopt_long(argc, argv, "Vj", option_table, NULL)) != -1) {
		if (id == OPT_HELP) {
			fputs(usage, stdout);
			exit(0);
		}
		if (id == '?' || !parse_one(id, optarg, o, &server)) {
			if (id != '?')
				fprintf(stderr, "vswgen: wrong value: %s\n", optarg);
			fputs(usage, stderr);
			return 2;
		}
	}
	if (o->null_core >= 0 && o->gen.n_guests == 0)
		o->gen.n_guests = 2;
	unsigned n = o->gen.n_guests;
	if (optind != argc || n < 2 || n % 2 || (o->null_core >= 0 && o->gen.verify)) {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}

static bool parse_one(int id, const char *arg, struct options *o, bool *server)
{
	struct gen_conf *c = &o->gen;
	unsigned n;

	switch (id) {
	case OPT_GUEST:
		if (c->n_guests == GEN_MAX_GUESTS)
			return false;
		c->server[c->n_guests] = *server;
		c->sockets[c->n_guests++] = arg;
		return true;
	case OPT_SERVER:
	case OPT_CLIENT:
		*server = id == OPT_SERVER;
		return true;
	case OPT_SIZE:
		if (strcmp(arg, "imix") != 0)
			return parse_number(arg, GEN_MIN_FRAME, GEN_MAX_SIZE, &c->size);
		c->size = 0;
		return true;
	case OPT_RING:
		return parse_number(arg, 64, GRING_MAX_SIZE, &c->ring_size) &&
		       is_power_of_two(c->ring_size);
	case OPT_MACS:
		return parse_number(arg, 1, 1 << 24, &c->macs);
	case OPT_CHAIN:
		return parse_number(arg, 1, 32, &c->chain) && is_power_of_two(c->chain);
	case OPT_RX_BUFFER:
		return parse_number(arg, 64, GUEST_MAX_FRAME, &c->rx_buffer);
	case OPT_INDIRECT:
		return c->indirect = true;
	case OPT_ONE_WAY:
		return c->one_way = true;
	case OPT_TOUCH:
		return c->touch = true;
	case OPT_HUGE:
		return c->huge = true;
	case 'V':
		return c->verify = true;
	case 'j':
		return o->json = true;
	case OPT_SECONDS:
		return parse_seconds(arg, &c->seconds);
	case OPT_WARM_UP:
		return parse_seconds(arg, &c->warm_up_s);
	case OPT_TIMEOUT:
		return parse_seconds(arg, &c->timeout_s);
	case OPT_CORE:
		if (!parse_number(arg, 0, 1023, &n))
			return false;
		o->core = (int)n;
		return true;
	case OPT_WATCH:
		if (!parse_number(arg, 1, 1 << 30, &n))
			return false;
		o->watch = (pid_t)n;
		return true;
	case OPT_NULL:
		if (!parse_number(arg, 0, 1023, &n))
			return false;
		o->null_core = (int)n;
		return true;
	default:
		return false;
	}
}

static bool parse_number(const char *arg, unsigned min, unsigned max, unsigned *value_ret)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(arg, &end, 10);
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

static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

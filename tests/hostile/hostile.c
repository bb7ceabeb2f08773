/*
 * hostile VSWD VSWCTL [ATTACK...]: attacks a real vswd and sees what becomes of it.
 *
 * One line per attack. Exit code 0: all of them were survived as attack.h says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/cpuwait.h"
#include "tests/hostile/attack.h"

#define LONGEST_PAUSE_MS 1500u // honest guests on a busy machine of two cores
#define PORTS            6
#define SETTLE_MS        30
#define NOTICE_S         1.5

static const struct attack *const groups[] = {attacks_ring, attacks_receive, attacks_memory,
					      attacks_message};

static bool set_up(struct daemon *d, struct honest *h, char sockets[PORTS][80]);
static unsigned take_pokes(struct attack_ctx *c);
static bool leaks(struct daemon *d, unsigned files, unsigned maps);
static bool selected(const char *name, int argc, char **argv);
static bool run_attack(struct attack_ctx *c, const struct attack *a);
static bool was_noticed(struct attack_ctx *c, const struct attack *a,
			const struct daemon_port *before);
static uint64_t waited_for_cpu(const struct attack_ctx *c);
static bool was_quick(struct attack_ctx *c, const struct attack *a, uint64_t waited_ms,
		      uint32_t *pause_ms_ret);
static bool closed_or_refused(struct attack_ctx *c);
static bool works_again(struct attack_ctx *c, const struct attack *a);

int main(int argc, char **argv)
{
	static struct honest h;
	static char sockets[PORTS][80];
	struct daemon d = {0};
	struct attack_ctx c = {.honest = &h, .daemon = &d};
	unsigned failed = 0, n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		fprintf(stderr, "usage: hostile VSWD VSWCTL [ATTACK...]\n");
		return 2;
	}
	d.vswd = argv[1];
	d.vswctl = argv[2];
	if (!set_up(&d, &h, sockets)) {
		honest_stop(&h);
		daemon_stop(&d);
		return 1;
	}
	c.socket = sockets[3];
	c.socket2 = sockets[4];
	c.socket3 = sockets[5];
	unsigned files = daemon_files(&d), maps = daemon_maps(&d);
	for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct attack *a = groups[g]; a->name && d.pid > 0; a++) {
			if (!selected(a->name, argc - 3, argv + 3))
				continue;
			n++;
			failed += !run_attack(&c, a);
		}
	failed += d.pid > 0 && leaks(&d, files, maps);
	bool alive = d.pid > 0;
	honest_stop(&h);
	if (!daemon_stop(&d) || !alive || n == 0)
		failed++;
	printf("%u attacks, %u failures\n", n, failed);
	return failed > 0;
}

double attack_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void attack_sleep_ms(long ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

int attack_guest(struct attack_ctx *c, void (*prepare)(struct guest_conf *conf), const char *socket,
		 struct guest **g_ret)
{
	struct guest_conf conf;

	guest_conf_init(&conf, socket);
	if (prepare)
		prepare(&conf);
	int ret = guest_create(&conf, g_ret);
	if (ret == 0)
		ret = guest_attach(*g_ret, 3000);
	return ret;
}

unsigned attack_traffic(struct attack_ctx *c, unsigned n)
{
	char frame[GUEST_MAX_FRAME];

	for (unsigned i = 0; i < n; i++) {
		struct tframe_info info = {.stream = HONEST_STREAM_ATTACKER,
					   .number = c->number++,
					   .length = 64 + c->number * 13 % 1400};
		memcpy(info.dst, honest_mac_p, 6);
		memcpy(info.src, honest_mac_attacker, 6);
		tframe_build(&info, frame);
		if (guest_send(c->g, 0, NULL, frame, info.length) < 0)
			break;
	}
	guest_flush(c->g, 0);
	return take_pokes(c);
}

// Takes all frames that have come; returns how many of them were p's, and whole.
static unsigned take_pokes(struct attack_ctx *c)
{
	char frame[GUEST_MAX_FRAME];
	struct tframe_info info;
	unsigned pokes = 0;

	for (;;) {
		int length = guest_recv(c->g, 0, NULL, frame, sizeof(frame));
		if (length == -EAGAIN)
			return pokes;
		if (length > 0 && tframe_check(frame, (uint32_t)length, &info) == TFRAME_GOOD &&
		    info.stream == HONEST_STREAM_POKE)
			pokes++;
	}
}

bool attack_works(struct attack_ctx *c)
{
	uint64_t goal = c->honest->attacker_good + 20;
	double end = attack_now() + 2;
	unsigned pokes = 0;

	while (attack_now() < end) {
		// A port that has just come up may miss the first ones.
		pokes += attack_traffic(c, 1);
		if (c->honest->attacker_good >= goal && pokes >= 3)
			return true;
		attack_sleep_ms(1);
	}
	fprintf(stderr, "    %lu of 20 frames came from the attacker, %u to it\n",
		20 - (goal > c->honest->attacker_good ? goal - c->honest->attacker_good : 0),
		pokes);
	return false;
}

static bool set_up(struct daemon *d, struct honest *h, char sockets[PORTS][80])
{
	static const char *const options[] = {"--memory", "256", NULL};
	static const char *const add_switch[] = {"switch", "add", "s", "private", NULL};
	static const char *const names[PORTS] = {"a", "b", "p", "x", "y", "z"};

	if (daemon_start(d, options) < 0)
		return false;
	if (daemon_ctl(d, add_switch) != 0) {
		fprintf(stderr, "vswctl switch add fails\n");
		return false;
	}
	for (int i = 0; i < PORTS; i++) {
		snprintf(sockets[i], sizeof(sockets[i]), "%s/%s.sock", d->dir, names[i]);
		const char *const add[] = {"port", "add",   names[i],   "switch",
					   "s",    "vhost", sockets[i], i < 5 ? "server" : "client",
					   NULL};
		if (daemon_ctl(d, add) != 0) {
			fprintf(stderr, "vswctl port add fails\n");
			return false;
		}
	}
	int ret = honest_start(h, sockets[0], sockets[1], sockets[2]);
	if (ret < 0)
		fprintf(stderr, "honest guests do not get through: %s\n", strerror(-ret));
	return ret == 0;
}

// What the last connections had open is closed a little later.
static bool leaks(struct daemon *d, unsigned files, unsigned maps)
{
	double end = attack_now() + 3;

	while (daemon_files(d) > files || daemon_maps(d) > maps + 8) {
		if (attack_now() > end) {
			fprintf(stderr, "vswd leaks: %u files, now %u; %u mappings, now %u\n",
				files, daemon_files(d), maps, daemon_maps(d));
			return true;
		}
		attack_sleep_ms(50);
	}
	return false;
}

static bool selected(const char *name, int argc, char **argv)
{
	if (argc == 0)
		return true;
	for (int i = 0; i < argc; i++)
		if (strncmp(name, argv[i], strlen(argv[i])) == 0)
			return true;
	return false;
}

static bool run_attack(struct attack_ctx *c, const struct attack *a)
{
	struct daemon_port before;
	uint64_t waited_ms = waited_for_cpu(c);
	uint32_t pause_ms;
	bool fine = true;

	honest_rest(c->honest);
	c->g = NULL;
	if (!(a->flags & ATTACK_RAW)) {
		int ret = attack_guest(c, a->prepare, c->socket, &c->g);
		if (ret < 0 || !attack_works(c)) {
			fprintf(stderr, "%s: the guest does not work before the attack: %s\n",
				a->name, strerror(-ret));
			guest_destroy(c->g);
			return false;
		}
	}
	if (daemon_show(c->daemon, "x", &before) < 0)
		fine = false;
	if (a->run(c, a->arg) < 0) {
		fprintf(stderr, "%s: the attack could not be made\n", a->name);
		fine = false;
	}
	attack_sleep_ms(SETTLE_MS);
	fine = daemon_alive(c->daemon) && fine;
	if (c->daemon->pid <= 0) {
		fprintf(stderr, "%s: KILLED THE SWITCH\n", a->name);
		return false;
	}
	fine = was_noticed(c, a, &before) && fine;
	fine = honest_fine(c->honest, a->name) && fine;
	fine = works_again(c, a) && fine;
	fine = was_quick(c, a, waited_ms, &pause_ms) && fine;
	guest_destroy(c->other);
	c->other = NULL;
	printf("%s %s (honest guests waited %u ms at most)\n", fine ? "ok  " : "FAIL", a->name,
	       pause_ms);
	guest_destroy(c->g);
	c->g = NULL;
	return fine;
}

// Some counter that the attack names has gone up, the port says why, or the peer was shown out.
// How long the switch and we were kept from running by others on this machine.
static uint64_t waited_for_cpu(const struct attack_ctx *c)
{
	return (cpuwait_ns(c->daemon->pid) + cpuwait_ns(getpid())) / 1000000;
}

// Honest guests did not wait long, but for a processor.
static bool was_quick(struct attack_ctx *c, const struct attack *a, uint64_t waited_ms,
		      uint32_t *pause_ms_ret)
{
	uint32_t pause_ms = c->honest->longest_us / 1000;

	waited_ms = waited_for_cpu(c) - waited_ms;
	*pause_ms_ret = pause_ms;
	if (pause_ms < LONGEST_PAUSE_MS + waited_ms)
		return true;
	fprintf(stderr, "%s: honest guests waited %u ms, %lu of them for a processor\n", a->name,
		pause_ms, waited_ms);
	return false;
}

static bool was_noticed(struct attack_ctx *c, const struct attack *a,
			const struct daemon_port *before)
{
	struct daemon_port after;
	double end = attack_now() + NOTICE_S;
	bool seen = false, why = false;

	if (a->flags & ATTACK_LEGAL)
		return true;
	if ((a->flags & ATTACK_HANGUP) && !closed_or_refused(c)) {
		fprintf(stderr, "%s: the connection was left open\n", a->name);
		return false;
	}
	do {
		if (daemon_show(c->daemon, "x", &after) < 0) {
			fprintf(stderr, "%s: vswctl show ports fails\n", a->name);
			return false;
		}
		seen = a->reasons[0] == NULL;
		for (unsigned i = 0; i < ATTACK_REASONS && a->reasons[i]; i++)
			seen |= daemon_drops(&after, a->reasons[i]) >
				daemon_drops(before, a->reasons[i]);
		why = !(a->flags & ATTACK_WHY) || strstr(after.why, "ring stopped");
	} while (!(seen && why) && attack_now() < end);
	if (!seen)
		fprintf(stderr, "%s: not counted under a reason\n", a->name);
	if (!why)
		fprintf(stderr, "%s: the port does not say what is wrong: '%s'\n", a->name,
			after.why);
	return seen && why;
}

// A message that is refused ends the connection, or is answered so; the attack has closed
// raw connections itself.
static bool closed_or_refused(struct attack_ctx *c)
{
	if (!c->g)
		return true;
	for (int i = 0; i < 100; i++) {
		if (!guest_connected(c->g))
			return true;
		attack_sleep_ms(10);
	}
	return false;
}

static bool works_again(struct attack_ctx *c, const struct attack *a)
{
	int ret = -ENOTCONN;

	if (c->g && guest_connected(c->g) && !(a->flags & (ATTACK_NOT_ME | ATTACK_HANGUP))) {
		// The way of a driver: reset the device, start again.
		ret = guest_stop(c->g);
		if (ret == 0)
			ret = guest_reset(c->g);
		if (ret == 0)
			ret = guest_start(c->g);
		if (ret == 0 && attack_works(c))
			return true;
		fprintf(stderr, "%s: does not work again after a reset: %s\n", a->name,
			strerror(-ret));
		return false;
	}
	guest_destroy(c->g);
	c->g = NULL;
	ret = attack_guest(c, NULL, c->socket, &c->g);
	if (ret == 0 && attack_works(c))
		return true;
	fprintf(stderr, "%s: a new guest does not work on the port: %s\n", a->name, strerror(-ret));
	return false;
}

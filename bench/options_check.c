/*
 * Whether the options make sense together, on this machine, and for this test.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/options.h"
#include "bench/options_draft.h"

// Of a buffer for frames of usual size, header included; see the generator's memory.
#define BUFFER_MIN 2304u

static int check_guests(struct options_draft *d, struct errtext *e);
static int check_kind(struct options_draft *d, struct errtext *e);
static int check_traffic(const struct options_draft *d, struct errtext *e);
static int check_rings(const struct bench_options *o, struct errtext *e);
static int check_memory(const struct bench_options *o, struct errtext *e);
static double memory_available(void);
static int check_sockets(const struct bench_options *o, struct errtext *e);
static int check_twins(const struct bench_options *o, unsigned guest, struct errtext *e);
static int check_client(const char *path, unsigned guest, struct errtext *e);
static int check_server(const char *path, unsigned guest, struct errtext *e);
static bool someone_listens(const char *path);
static int check_cores(struct options_draft *d, struct errtext *e);
static int not_allowed(const char *option, int core, const cpu_set_t *set, struct errtext *e);

int options_check(struct options_draft *d, struct errtext *e)
{
	struct bench_options *o = &d->o;
	int err = check_guests(d, e);

	if (err == 0)
		err = check_kind(d, e);
	if (err == 0)
		err = check_traffic(d, e);
	if (err == 0)
		err = check_rings(o, e);
	if (err == 0)
		err = check_sockets(o, e);
	if (err == 0)
		err = check_cores(d, e);
	if (err == 0)
		err = check_memory(o, e);
	if (err != 0)
		return err;
	if (!options_given(d, OPT_SECONDS))
		o->seconds = d->test->seconds;
	if (o->watch != 0 && kill(o->watch, 0) != 0 && errno == ESRCH)
		return errtext_set(e, -EINVAL, "--watch: there is no process %d", (int)o->watch);
	if (d->test->needs & BENCH_NEEDS_COMMAND && o->command == NULL)
		return errtext_set(e, -EINVAL,
				   "%s needs --command, such as --command 'vswctl port remove x'",
				   d->test->name);
	return 0;
}

static int check_guests(struct options_draft *d, struct errtext *e)
{
	struct bench_options *o = &d->o;
	const struct bench_test *t = d->test;
	bool pairs = (t->plan == NULL || t->plan == plan_pattern) && o->pattern != BENCH_MESH;

	if (o->null_only) {
		if (t->needs & BENCH_NEEDS_SWITCH)
			return errtext_set(e, -EINVAL, "--null: %s needs a real switch", t->name);
		if (o->n_guests > 0)
			return errtext_set(e, -EINVAL,
					   "--null has no switch to connect to: leave out --guest, "
					   "and say --ports N");
		o->n_guests = d->ports ? d->ports : t->min_guests;
	} else if (d->ports != 0 && d->ports != o->n_guests) {
		return errtext_set(e, -EINVAL,
				   "--ports %u, but %u guests: there is one for each --guest, and "
				   "--ports is for --null",
				   d->ports, o->n_guests);
	}
	if (o->n_guests < t->min_guests)
		return errtext_set(e, -EINVAL,
				   "%s needs %u guests or more, and %u %s given; each is a --guest "
				   "SOCKET (or use --null, without a switch)",
				   t->name, t->min_guests, o->n_guests,
				   o->n_guests == 1 ? "is" : "are");
	if (pairs && o->n_guests % 2 != 0)
		return errtext_set(e, -EINVAL,
				   "%u guests do not make pairs: add one, leave one out, or say "
				   "--mesh",
				   o->n_guests);
	return 0;
}

static int check_kind(struct options_draft *d, struct errtext *e)
{
	struct bench_options *o = &d->o;

	if (!o->kind_set)
		o->kind = d->test->kind;
	if (o->kind < d->test->kind)
		return errtext_set(e, -EINVAL,
				   "--%s: %s needs guests that do more with their frames: --%s, "
				   "which is the default, or above",
				   options_kind_name(o->kind), d->test->name,
				   options_kind_name(d->test->kind));
	return 0;
}

static int check_traffic(const struct options_draft *d, struct errtext *e)
{
	const struct bench_test *t = d->test;
	bool fixed = t->plan != NULL && t->plan != plan_pattern;
	bool pattern = options_given(d, OPT_TWO_WAY) || options_given(d, OPT_ONE_WAY) ||
		       options_given(d, OPT_MESH);

	if (fixed && pattern)
		return errtext_set(e, -EINVAL, "who sends to whom is fixed in %s: leave out --%s",
				   t->name,
				   options_given(d, OPT_TWO_WAY)   ? "two-way"
				   : options_given(d, OPT_ONE_WAY) ? "one-way"
								   : "mesh");
	if (options_given(d, OPT_PCP) && !options_given(d, OPT_VLAN))
		return errtext_set(e, -EINVAL, "--pcp: a priority needs a tag, so say --vlan ID");
	return 0;
}

static int check_rings(const struct bench_options *o, struct errtext *e)
{
	unsigned frame = (o->size == GEN_IMIX ? 1518 : o->size) + 12;
	unsigned slots = o->indirect ? o->ring_size : o->ring_size / o->chain;
	unsigned buffers = o->rx_buffer ? (frame + o->rx_buffer - 1) / o->rx_buffer : 1;

	if (o->size == GEN_IMIX && slots < 16)
		return errtext_set(e, -EINVAL,
				   "--size imix: a ring of %u with chains of %u holds %u frames, "
				   "and the mix takes 16; use a larger --ring",
				   o->ring_size, o->chain, slots);
	if (buffers > o->ring_size / 2)
		return errtext_set(e, -EINVAL,
				   "--rx-buffer: a frame of %u bytes takes %u buffers of %u bytes, "
				   "more than half of a ring of %u",
				   frame - 12, buffers, o->rx_buffer, o->ring_size);
	if (o->packed && o->indirect)
		return errtext_set(e, -EINVAL, "--packed and --indirect exclude each other");
	return 0;
}

static int check_memory(const struct bench_options *o, struct errtext *e)
{
	double frame = (o->size == GEN_IMIX ? 1518 : o->size) + 12;
	double send = frame > BUFFER_MIN ? frame : BUFFER_MIN;
	double need = o->n_guests * (double)o->ring_size *
		      (send + (o->rx_buffer ? o->rx_buffer : send)) / 1048576;
	double have = memory_available();

	// Huge pages are set aside beforehand, and whether there are enough is seen when asked for.
	if (o->huge || have <= 0 || need <= have)
		return 0;
	return errtext_set(e, -EINVAL,
			   "the guests' buffers take %.0f MB, and %.0f MB of memory are available: "
			   "use a smaller --ring, a smaller --size or fewer guests",
			   need, have);
}

// In MB; 0: unknown.
static double memory_available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kb = 0;
	char line[128];

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return (double)kb / 1024;
}

static int check_sockets(const struct bench_options *o, struct errtext *e)
{
	for (unsigned i = 0; !o->null_only && i < o->n_guests; i++) {
		int err = check_twins(o, i, e);

		if (err == 0 && o->server[i])
			err = check_server(o->sockets[i], i, e);
		else if (err == 0)
			err = check_client(o->sockets[i], i, e);
		if (err != 0)
			return err;
	}
	return 0;
}

static int check_twins(const struct bench_options *o, unsigned guest, struct errtext *e)
{
	struct stat mine, other;
	bool there = stat(o->sockets[guest], &mine) == 0;

	for (unsigned i = 0; i < guest; i++)
		if (strcmp(o->sockets[i], o->sockets[guest]) == 0 ||
		    (there && stat(o->sockets[i], &other) == 0 && mine.st_dev == other.st_dev &&
		     mine.st_ino == other.st_ino))
			return errtext_set(e, -EINVAL,
					   "--guest: guests %u and %u have the same socket, %s", i,
					   guest, o->sockets[guest]);
	return 0;
}

static int check_client(const char *path, unsigned guest, struct errtext *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return errtext_set(e, -EINVAL, "--guest: guest %u: %s is there, but is no socket",
				   guest, path);
	return 0;
}

static int check_server(const char *path, unsigned guest, struct errtext *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return errtext_set(e, -EINVAL,
				   "--guest: guest %u: %s is there already and is no socket; with "
				   "--server, vswbench makes the socket",
				   guest, path);
	if (someone_listens(path))
		return errtext_set(e, -EINVAL,
				   "--guest: guest %u: another program listens on %s; if that is "
				   "the switch, leave out --server",
				   guest, path);
	return 0;
}

static bool someone_listens(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	if (fd < 0)
		return false;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	yes = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	close(fd);
	return yes;
}

static int check_cores(struct options_draft *d, struct errtext *e)
{
	struct bench_options *o = &d->o;
	int first = -1, last = -1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return errtext_set(e, -EINVAL, "cannot tell which cores may be used: %s",
				   strerror(errno));
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((unsigned)i, &set))
			first = first < 0 ? i : first;
	if (!options_given(d, OPT_CORE))
		o->core = first;
	else if (!CPU_ISSET((unsigned)o->core, &set))
		return not_allowed("core", o->core, &set, e);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((unsigned)i, &set) && i != o->core)
			last = i;
	if (options_given(d, OPT_NULL_CORE)) {
		if (!CPU_ISSET((unsigned)o->null_core, &set))
			return not_allowed("null-core", o->null_core, &set, e);
		if (o->null_core == o->core)
			return errtext_set(e, -EINVAL, "--null-core: core %d is the guests' own",
					   o->core);
	} else {
		o->null_core = last;
	}
	if (o->null_core < 0 && o->null_only)
		return errtext_set(e, -EINVAL, "--null needs two cores, and there is only core %d",
				   o->core);
	if (o->null_core < 0)
		o->no_ceiling = "the null back end needs a second core";
	else if (d->no_ceiling)
		o->no_ceiling = "it was not asked for";
	return 0;
}

static int not_allowed(const char *option, int core, const cpu_set_t *set, struct errtext *e)
{
	char list[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < CPU_SETSIZE && used < sizeof(list) - 8; i++)
		if (CPU_ISSET(i, set))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%u",
						 used ? "," : "", i);
	return errtext_set(e, -EINVAL, "--%s: core %d is not there or may not be used; allowed: %s",
			   option, core, list);
}

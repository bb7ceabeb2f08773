#include "bench/cycles.h"

#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/stats.h"

enum {
	QUICK_ROUNDS = 5,
	CALIBRATE_NS = 20000000,
	NS_PER_S = 1000000000,
	NAME_WIDTH = 46,
	STAGE_WIDTH = 9
};

enum option_id { OPT_QUICK = 256, OPT_ROUNDS, OPT_HELP };

static const struct option option_table[] = {
	{"quick", no_argument, NULL, OPT_QUICK},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static void text_begin(struct cycles *c, const char *name);
static void usage(const struct cycles *c, const char *about, int status);
static unsigned rounds_parse(const struct cycles *c, const char *about, const char *text);
static void cores_find(struct cycles *c);
static double calibrate(void);
static uint64_t now_ns(void);

void cycles_init(struct cycles *c, const char *bench, const char *about, unsigned rounds, int argc,
		 char **argv)
{
	int opt;

	memset(c, 0, sizeof(*c));
	c->bench = bench;
	c->rounds = rounds;
	while ((opt = getopt_long(argc, argv, "j", option_table, NULL)) != -1) {
		switch (opt) {
		case 'j':
			c->json = true;
			break;
		case OPT_QUICK:
			c->quick = true;
			c->rounds = QUICK_ROUNDS;
			break;
		case OPT_ROUNDS:
			c->rounds = rounds_parse(c, about, optarg);
			break;
		default:
			usage(c, about, opt == OPT_HELP ? 0 : 2);
		}
	}
	c->words = argv + optind;
	c->n_words = (unsigned)(argc - optind);
	cores_find(c);
	c->hz = calibrate();
	c->samples = malloc(CYCLES_STAGES_MAX * c->rounds * sizeof(*c->samples));
	if (c->samples == NULL)
		cycles_fail("out of memory");
}

void cycles_fini(struct cycles *c)
{
	free(c->samples);
}

void cycles_pin(const struct cycles *c, unsigned number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(c->cores[number % c->n_cores], &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		cycles_fail("cannot stay on core %u", c->cores[number % c->n_cores]);
}

bool cycles_wants(const struct cycles *c, const char *name)
{
	for (unsigned i = 0; i < c->n_words; i++) {
		if (strstr(name, c->words[i]) == NULL)
			return false;
	}
	return true;
}

void cycles_say(const struct cycles *c, const char *format, ...)
{
	va_list args;

	if (c->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void cycles_table(struct cycles *c, const char *title, const char *const stages[],
		  unsigned n_stages)
{
	c->title = title;
	c->stages = stages;
	c->n_stages = n_stages;
}

void cycles_case(struct cycles *c, const char *name)
{
	if (!c->json)
		text_begin(c, name);
	for (unsigned i = 0; i < c->n_stages; i++) {
		struct stats_summary s;

		stats_summarize(&c->samples[i * c->rounds], c->rounds, &s);
		c->medians[i] = s.median;
		if (c->json)
			printf("{\"bench\":\"%s\",\"case\":\"%s\",\"stage\":\"%s\",\"cycles\":%.2f,"
			       "\"q1\":%.2f,\"q3\":%.2f,\"ns\":%.2f}\n",
			       c->bench, name, c->stages[i], s.median, s.q1, s.q3,
			       s.median / c->hz * NS_PER_S);
		else
			printf(" %*.1f", STAGE_WIDTH, s.median);
	}
	if (!c->json)
		putchar('\n');
	fflush(stdout);
}

void cycles_fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

// A table of which no case is wanted does not appear.
static void text_begin(struct cycles *c, const char *name)
{
	if (c->title != NULL) {
		printf("\n%-*s", NAME_WIDTH, c->title);
		for (unsigned i = 0; i < c->n_stages; i++)
			printf(" %*s", STAGE_WIDTH, c->stages[i]);
		putchar('\n');
		c->title = NULL;
	}
	printf("%-*s", NAME_WIDTH, name);
}

static void usage(const struct cycles *c, const char *about, int status)
{
	fprintf(status == 0 ? stdout : stderr,
		"usage: %s_bench [-j] [--quick] [--rounds N] [WORD...]\n"
		"%s\n"
		"  -j          a line of JSON per case and stage\n"
		"  --quick     a few rounds of a few cases\n"
		"  --rounds N  of each case, at most %d; what is printed is their median\n"
		"  WORD        only the cases whose names hold all the words\n",
		c->bench, about, CYCLES_ROUNDS_MAX);
	exit(status);
}

static unsigned rounds_parse(const struct cycles *c, const char *about, const char *text)
{
	char *end;
	unsigned long rounds = strtoul(text, &end, 10);

	if (*end != '\0' || rounds == 0 || rounds > CYCLES_ROUNDS_MAX)
		usage(c, about, 2);
	return (unsigned)rounds;
}

// The last one first: the boot core is the first.
static void cores_find(struct cycles *c)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		cycles_fail("cannot tell which cores are ours");
	for (unsigned core = CPU_SETSIZE; core-- > 0 && c->n_cores < CYCLES_CORES_MAX;) {
		if (CPU_ISSET(core, &set))
			c->cores[c->n_cores++] = core;
	}
}

static double calibrate(void)
{
	uint64_t ns0 = now_ns(), tsc0 = cycles_now(), ns;

	do {
		ns = now_ns() - ns0;
	} while (ns < CALIBRATE_NS);
	return (double)(cycles_now() - tsc0) / (double)ns * NS_PER_S;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

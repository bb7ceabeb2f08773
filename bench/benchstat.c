/*
 * Usage, options, and what the modes share.
 */
#include "bench/benchstat.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_BASE,
	OPT_METRIC,
	OPT_POINTS,
	OPT_X,
	OPT_OLD,
	OPT_NEW,
	OPT_TOLERANCE,
	OPT_CONFIDENCE,
	OPT_HELP,
};

#define BIT(option) (1u << (option))
#define CHOICE      (BIT(OPT_METRIC) | BIT(OPT_POINTS))

struct mode {
	const char *name;
	int (*run)(const struct benchstat *b);
	unsigned allowed, needed; // options
};

static const struct mode modes[] = {
	{"table", benchstat_table, CHOICE | BIT(OPT_BASE), 0},
	{"markdown", benchstat_markdown, CHOICE | BIT(OPT_BASE), 0},
	{"csv", benchstat_csv, CHOICE | BIT(OPT_BASE), 0},
	{"json", benchstat_json, CHOICE | BIT(OPT_BASE), 0},
	{"plot", benchstat_plot, CHOICE | BIT(OPT_X), BIT(OPT_METRIC) | BIT(OPT_X)},
	{"compare", benchstat_compare,
	 CHOICE | BIT(OPT_OLD) | BIT(OPT_NEW) | BIT(OPT_TOLERANCE) | BIT(OPT_CONFIDENCE),
	 BIT(OPT_OLD) | BIT(OPT_NEW)},
};

static const struct option options[] = {
	{"base", required_argument, NULL, OPT_BASE},
	{"metric", required_argument, NULL, OPT_METRIC},
	{"points", required_argument, NULL, OPT_POINTS},
	{"x", required_argument, NULL, OPT_X},
	{"old", required_argument, NULL, OPT_OLD},
	{"new", required_argument, NULL, OPT_NEW},
	{"tolerance", required_argument, NULL, OPT_TOLERANCE},
	{"confidence", required_argument, NULL, OPT_CONFIDENCE},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static const char usage[] =
	"benchstat MODE [OPTION...] [FILE]\n"
	"Reads samples, one JSON object per line, from FILE or stdin:\n"
	"  {\"round\":1,\"switch\":\"vsw\",\"point\":\"64\",\"metric\":\"rate\",\"value\":31.2,\n"
	"   \"unit\":\"Mpps\",\"better\":\"higher\",\"disturbed\":false}\n"
	"round, switch, point, metric and value must be there; other keys are ignored. A sample "
	"of\n"
	"the same round replaces an earlier one, unless it is disturbed. Disturbed samples are "
	"left\n"
	"out where at least two others are there.\n"
	"\n"
	"  table      medians and ranges by switch, and how much better one is than the others\n"
	"  markdown   the same for a report\n"
	"  csv, json  the same for programs\n"
	"  plot       columns for gnuplot: x, then median, lowest and highest of each switch\n"
	"  compare    is one switch slower than another? Exit code 0 no, 1 yes, 3 cannot say\n"
	"\n"
	"  --base NAME        the switch that is compared with the others (vsw, else the first)\n"
	"  --metric NAME      this metric alone (plot needs it)\n"
	"  --points REGEX     these points alone, as grep -E would find them\n"
	"  --x KEY            plot: what x is: the samples' number KEY, else that in the points'\n"
	"                     names: size of 64, macs of 64,macs=100\n"
	"  --old NAME --new NAME   compare: the two switches\n"
	"  --tolerance PART   compare: what is too little to matter (0.02)\n"
	"  --confidence PART  compare: of the interval (0.95); needs at least 6 pairs\n"
	"\n"
	"Ratios are medians over the rounds of pairs of one round, and above 1 means better: "
	"where\n"
	"less is better (latency, loss, lost, cycles, blackout, gap, cpu, rss, waited, or those "
	"with\n"
	"\"better\":\"lower\") they are turned round. Exit code 2: wrong usage or input.\n";

static const struct mode *find_mode(const char *name);
static int parse(int argc, char **argv, const struct mode *mode, struct benchstat *b);
static int parse_option(int id, const char *arg, struct benchstat *b);
static int parse_part(const char *option, const char *arg, bool zero, double *ret);
static int check_options(const struct mode *mode, unsigned given, struct benchstat *b);
static int read_samples(struct benchstat *b, const char *file);
static int check_names(const struct benchstat *b);

int main(int argc, char **argv)
{
	struct benchstat b = {.tolerance = 0.02, .confidence = 0.95};
	const struct mode *mode;
	int ret;

	if (argc < 2) {
		fputs(usage, stderr);
		return BENCHSTAT_BAD;
	}
	if (strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	mode = find_mode(argv[1]);
	if (mode == NULL)
		return benchstat_error("there is no mode '%s': see benchstat --help", argv[1]);
	ret = parse(argc - 1, argv + 1, mode, &b);
	if (ret == 0)
		ret = read_samples(&b, argv[1 + optind]);
	if (ret == 0)
		ret = check_names(&b);
	if (ret == 0)
		ret = mode->run(&b);
	samples_fini(&b.samples);
	if (b.pattern != NULL)
		regfree(&b.points);
	if (fflush(stdout) != 0 || ferror(stdout))
		return benchstat_error("the output cannot be written: %m");
	return ret;
}

bool benchstat_wants_metric(const struct benchstat *b, unsigned metric)
{
	return b->metric == NULL || strcmp(b->metric, b->samples.metrics.list[metric].name) == 0;
}

bool benchstat_wants_point(const struct benchstat *b, unsigned point)
{
	const char *name = b->samples.points.list[point].name;

	return b->pattern == NULL || regexec(&b->points, name, 0, NULL, 0) == 0;
}

int benchstat_base(const struct benchstat *b)
{
	int i = samples_find(&b->samples.switches, b->base ? b->base : "vsw");

	return i < 0 && b->base == NULL ? 0 : i;
}

int benchstat_error(const char *format, ...)
{
	va_list args;

	fputs("benchstat: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return BENCHSTAT_BAD;
}

struct benchstat_number benchstat_number(double value)
{
	struct benchstat_number n;
	double size = fabs(value);
	int decimals = size >= 999.5 ? 0 : size >= 99.95 ? 1 : size >= 9.995 ? 2 : 3;

	if (size != 0 && (size < 0.01 || size >= 1e12))
		snprintf(n.text, sizeof(n.text), "%.3g", value);
	else
		snprintf(n.text, sizeof(n.text), "%.*f", size != 0 ? decimals : 0, value);
	return n;
}

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

static int parse(int argc, char **argv, const struct mode *mode, struct benchstat *b)
{
	unsigned given = 0;
	int id;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == OPT_HELP) {
			fputs(usage, stdout);
			exit(0);
		}
		if (id == '?') // getopt has said what
			return BENCHSTAT_BAD;
		given |= BIT(id);
		if (parse_option(id, optarg, b) != 0)
			return BENCHSTAT_BAD;
	}
	if (argc - optind > 1)
		return benchstat_error("there is more than one file: %s", argv[optind + 1]);
	return check_options(mode, given, b);
}

static int parse_option(int id, const char *arg, struct benchstat *b)
{
	switch (id) {
	case OPT_BASE:
		b->base = arg;
		return 0;
	case OPT_METRIC:
		b->metric = arg;
		return 0;
	case OPT_POINTS:
		if (b->pattern != NULL)
			return benchstat_error("--points stands there twice");
		if (regcomp(&b->points, arg, REG_EXTENDED | REG_NOSUB) != 0)
			return benchstat_error("--points is no regular expression: %s", arg);
		b->pattern = arg;
		return 0;
	case OPT_X:
		b->x = arg;
		return 0;
	case OPT_OLD:
		b->old_name = arg;
		return 0;
	case OPT_NEW:
		b->new_name = arg;
		return 0;
	case OPT_TOLERANCE:
		return parse_part("--tolerance", arg, true, &b->tolerance);
	default:
		return parse_part("--confidence", arg, false, &b->confidence);
	}
}

static int parse_part(const char *option, const char *arg, bool zero, double *ret)
{
	char *end;

	*ret = strtod(arg, &end);
	if (end != arg && *end == '\0' && *ret < 1 && (*ret > 0 || (zero && *ret == 0)))
		return 0;
	return benchstat_error("%s is a number between 0 and 1, such as 0.02: %s", option, arg);
}

static int check_options(const struct mode *mode, unsigned given, struct benchstat *b)
{
	for (const struct option *o = options; o->name != NULL; o++) {
		if (given & BIT(o->val) & ~mode->allowed)
			return benchstat_error("%s has no --%s", mode->name, o->name);
		if (mode->needed & ~given & BIT(o->val))
			return benchstat_error("%s needs --%s", mode->name, o->name);
	}
	if (b->old_name != NULL && strcmp(b->old_name, b->new_name) == 0)
		return benchstat_error("--old and --new are the same: %s", b->old_name);
	return 0;
}

// 'file' is NULL or "-" for stdin.
static int read_samples(struct benchstat *b, const char *file)
{
	bool from_stdin = file == NULL || strcmp(file, "-") == 0;
	FILE *f = from_stdin ? stdin : fopen(file, "re");
	struct samples_error e;
	int ret;

	samples_init(&b->samples, b->x);
	if (f == NULL)
		return benchstat_error("%s: %m", file);
	ret = samples_read(&b->samples, f, from_stdin ? "stdin" : file, &e);
	if (!from_stdin)
		fclose(f);
	return ret < 0 ? benchstat_error("%s", e.text) : 0;
}

static int check_names(const struct benchstat *b)
{
	const char *const switches[] = {b->base, b->old_name, b->new_name};
	unsigned n_points = 0;

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (switches[i] != NULL && samples_find(&b->samples.switches, switches[i]) < 0)
			return benchstat_error("there is no sample of switch %s", switches[i]);
	if (b->metric != NULL && samples_find(&b->samples.metrics, b->metric) < 0)
		return benchstat_error("there is no sample of metric %s", b->metric);
	for (unsigned i = 0; i < b->samples.points.n; i++)
		n_points += benchstat_wants_point(b, i);
	return n_points > 0 ? 0 : benchstat_error("no point is like '%s'", b->pattern);
}

#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/options_draft.h"

#define FIELD(name) offsetof(struct bench_options, name)
#define FDB_TESTS   "fdb-capacity fdb-rate"

enum { HELP_COLUMN = 26 };

static const struct options_row rows[] = {
	{0, "Guests"},
	{OPT_GUEST, "guest", "SOCKET", "a guest and its vhost-user socket; 2 to 16 of them", NULL,
	 options_guest},
	{OPT_CLIENT, "client", NULL, "the guests that follow connect to their sockets (default)",
	 NULL, options_role, 0, false},
	{OPT_SERVER, "server", NULL, "the guests that follow make theirs, and the switch connects",
	 NULL, options_role, 0, true},
	{OPT_STATIC, "static", NULL, "guests that do nothing with their frames: the switch alone",
	 NULL, options_kind, 0, GEN_STATIC},
	{OPT_STAMP, "stamp", NULL, "guests that number each frame and read the numbers", NULL,
	 options_kind, 0, GEN_STAMP},
	{OPT_TOUCH, "touch", NULL, "... and write and read every cache line of each frame", NULL,
	 options_kind, 0, GEN_TOUCH},
	{OPT_VERIFY, "verify", NULL, "... and compare every byte", NULL, options_kind, 0,
	 GEN_VERIFY},
	{OPT_RING, "ring", "N", "descriptors of a ring, a power of two (1024)", NULL, options_power,
	 FIELD(ring_size), 64, GRING_MAX_SIZE},
	{OPT_PACKED, "packed", NULL, "packed rings", NULL, options_flag, FIELD(packed)},
	{OPT_CHAIN, "chain", "N", "descriptors of each frame sent, a power of two (1)", NULL,
	 options_power, FIELD(chain), 1, 32},
	{OPT_INDIRECT, "indirect", NULL, "chains lie in indirect tables", NULL, options_flag,
	 FIELD(indirect)},
	{OPT_RX_BUFFER, "rx-buffer", "BYTES", "size of receive buffers (any frame fits into one)",
	 NULL, options_number, FIELD(rx_buffer), 64, GUEST_MAX_FRAME},
	{OPT_HUGE, "huge", NULL, "guest memory in huge pages", NULL, options_flag, FIELD(huge)},

	{0, "Traffic"},
	{OPT_TWO_WAY, "two-way", NULL, "guests 0 and 1 send to each other, 2 and 3, ... (default)",
	 NULL, options_pattern, 0, BENCH_PAIRS},
	{OPT_ONE_WAY, "one-way", NULL, "guest 0 sends to 1, 2 to 3, ...", NULL, options_pattern, 0,
	 BENCH_ONE_WAY},
	{OPT_MESH, "mesh", NULL, "each guest sends to all others in turn", NULL, options_pattern, 0,
	 BENCH_MESH},
	{OPT_SIZE, "size", "BYTES|imix", "of a frame without FCS, 64 to 9000 (64)", NULL,
	 options_size},
	{OPT_MACS, "macs", "N", "addresses of each guest (1)", "!" FDB_TESTS, options_macs, 0, 1,
	 GEN_MAX_MACS},
	{OPT_SRC_MACS, "src-macs", "N", "... that it sends from", "!" FDB_TESTS, options_number,
	 FIELD(src_macs), 1, GEN_MAX_MACS},
	{OPT_DST_MACS, "dst-macs", "N", "... that others send to", "!" FDB_TESTS, options_number,
	 FIELD(dst_macs), 1, GEN_MAX_MACS},
	{OPT_VLAN, "vlan", "ID", "frames carry this tag, 1 to 4094", NULL, options_vlan, 0, 1,
	 4094},
	{OPT_PCP, "pcp", "N", "... with this priority, 0 to 7", NULL, options_pcp, 0, 0, 7},
	{OPT_RATE, "rate", "PPS", "frames per second, all guests together: 300k, 1.5M (full load)",
	 NULL, options_rate, FIELD(pps)},

	{0, "Measuring"},
	{OPT_SECONDS, "seconds", "TIME", "of one trial: 0.5, 60, 10m, 2h (as the test has it)",
	 "!" FDB_TESTS, options_seconds, FIELD(seconds), 0.001, 1e7},
	{OPT_WARM_UP, "warm-up", "TIME", "traffic before each trial that is not counted (0.2)",
	 "!fdb-capacity", options_seconds, FIELD(warm_up_s), 0, 3600},
	{OPT_RESOLUTION, "resolution", "PERCENT", "of the highest load, where a search ends (1)",
	 "!rate loss blackout", options_part, FIELD(resolution), 0.0001, 0.5},
	{OPT_REPEATS, "repeats", "N", "trials before a load has failed; bursts searched for (3)",
	 "!rate blackout", options_number, FIELD(repeats), 1, BENCH_MAX_REPEATS},
	{OPT_LOSS, "loss", "PERCENT", "of the frames that may be lost (0)",
	 "!rate blackout " FDB_TESTS, options_part, FIELD(loss_allowed), 0, 0.5},
	{OPT_LOAD, "load", "PERCENT[,...]", "loads to offer, part of the zero-loss rate",
	 "overload latency", options_loads, 0, 0.01, 100000},
	{OPT_LEARN_PPS, "learn-pps", "PPS", "at most so fast are addresses taught (no limit)", NULL,
	 options_rate, FIELD(learn_pps)},
	{OPT_STATIONS, "stations", "N", "the most stations to try (1000000; fdb-rate: 8192)",
	 FDB_TESTS, options_number, FIELD(stations), 1, GEN_MAX_MACS},
	{OPT_AGE, "age", "TIME", "waited between trials, so that the switch forgets (0)", FDB_TESTS,
	 options_seconds, FIELD(age_s), 0, 86400},
	{OPT_COMMAND, "command", "COMMAND", "what is run in the middle, by sh", "blackout",
	 options_text, FIELD(command)},
	{OPT_INTERVAL, "interval", "TIME", "between rows (10)", "soak", options_seconds,
	 FIELD(interval_s), 0.01, 86400},

	{0, "This machine"},
	{OPT_NULL, "null", NULL, "no switch: a thread that does nothing takes its place", NULL,
	 options_flag, FIELD(null_only)},
	{OPT_PORTS, "ports", "N", "guests with --null, 2 to 16 (as many as the test needs)", NULL,
	 options_ports, 0, 2, GEN_MAX_GUESTS},
	{OPT_CORE, "core", "N", "that the guests run on (the first one allowed)", NULL,
	 options_core, FIELD(core)},
	{OPT_NULL_CORE, "null-core", "N", "of that thread, for the ceiling (the last one allowed)",
	 NULL, options_core, FIELD(null_core)},
	{OPT_NO_CEILING, "no-ceiling", NULL, "does not measure the generator's own ceiling", NULL,
	 options_no_ceiling},
	{OPT_WATCH, "watch", "PID", "the switch's process (the peer of guest 0's socket)", NULL,
	 options_number, FIELD(watch), 1, INT32_MAX},
	{OPT_TIMEOUT, "timeout", "TIME", "to connect, and for the first frame (10)", NULL,
	 options_seconds, FIELD(timeout_s), 0.01, 3600},

	{0, "Output"},
	{OPT_JSON, "json", NULL, "JSON, at the end", NULL, options_flag, FIELD(json)},
	{OPT_HELP, "help", NULL, "this; behind a test's name: what is for that test"},
	{OPT_VERSION, "version", NULL, "the version"},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static int read_all(int argc, char **argv, struct options_draft *d, bool *help_ret,
		    struct errtext *e);
static int unknown(int c, char **argv, struct errtext *e);
static int find_test(int argc, char **argv, bool help, struct options_draft *d, struct errtext *e);
static int check_test(const struct options_draft *d, struct errtext *e);
static bool is_for(const struct options_row *row, const struct bench_test *test);
static void print_help(const struct bench_test *test);
static void print_rows(const struct bench_test *test);
static char short_name(enum options_id id);

int options_parse(int argc, char **argv, struct bench_options *ret, struct errtext *e)
{
	struct options_draft d = {
		.o = {.size = 64,
		      .src_macs = 1,
		      .dst_macs = 1,
		      .ring_size = 1024,
		      .chain = 1,
		      .warm_up_s = 0.2,
		      .timeout_s = 10,
		      .resolution = 0.01,
		      .repeats = 3,
		      .interval_s = 10},
	};
	bool help = false;
	int err = read_all(argc, argv, &d, &help, e);

	if (err == 0)
		err = find_test(argc, argv, help, &d, e);
	if (err != 0)
		return err;
	if (help) {
		print_help(d.test);
		return 1;
	}
	err = check_test(&d, e);
	if (err == 0)
		err = options_check(&d, e);
	if (err == 0)
		*ret = d.o;
	return err;
}

bool options_is_for(const char *name, const struct bench_test *test)
{
	for (const struct options_row *row = rows; row < rows + N_ROWS; row++)
		if (row->id != 0 && strcmp(row->name, name) == 0)
			return is_for(row, test);
	return false;
}

const struct bench_test *options_test(const char *name)
{
	for (const struct bench_test *t = bench_tests; t->name != NULL; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

// Reads the options; the words between them are left at argv[optind].
static int read_all(int argc, char **argv, struct options_draft *d, bool *help_ret,
		    struct errtext *e)
{
	const struct options_row *row_of[OPT_END - OPT_GUEST] = {0};
	struct option longs[N_ROWS + 1] = {0};
	unsigned n = 0;
	int c, err;

	for (const struct options_row *row = rows; row < rows + N_ROWS; row++) {
		if (row->id == 0)
			continue;
		row_of[row->id - OPT_GUEST] = row;
		longs[n++] = (struct option){row->name, row->arg ? required_argument : no_argument,
					     NULL, row->id};
	}
	opterr = 0;
	optind = 0; // starts afresh, also when it has run before
	while ((c = getopt_long(argc, argv, ":jhV", longs, NULL)) != -1) {
		c = c == 'j' ? OPT_JSON : c == 'h' ? OPT_HELP : c == 'V' ? OPT_VERSION : c;
		if (c == '?' || c == ':')
			return unknown(c, argv, e);
		if (c == OPT_VERSION) {
			puts("vswbench " VSW_VERSION);
			return 1;
		}
		d->given |= 1ull << (c - OPT_GUEST);
		*help_ret |= c == OPT_HELP;
		const struct options_row *row = row_of[c - OPT_GUEST];
		err = row->read ? row->read(row, optarg, d, e) : 0;
		if (err != 0)
			return err;
	}
	return 0;
}

static int unknown(int c, char **argv, struct errtext *e)
{
	if (c == ':')
		return errtext_set(e, -EINVAL, "option '%s' needs a value", argv[optind - 1]);
	if (optopt >= OPT_GUEST)
		return errtext_set(e, -EINVAL, "option '%s' takes no value", argv[optind - 1]);
	if (optopt != 0)
		return errtext_set(e, -EINVAL, "unknown option '-%c'; `vswbench --help` lists them",
				   optopt);
	return errtext_set(e, -EINVAL, "unknown option '%s'; `vswbench --help` lists them",
			   argv[optind - 1]);
}

static int find_test(int argc, char **argv, bool help, struct options_draft *d, struct errtext *e)
{
	if (optind == argc && help)
		return 0;
	if (optind == argc)
		return errtext_set(e, -EINVAL,
				   "which test? `vswbench --help` lists them; for example "
				   "`vswbench rate --guest SOCKET --guest SOCKET`");
	d->o.test = argv[optind];
	d->test = options_test(d->o.test);
	if (d->test == NULL)
		return errtext_set(e, -EINVAL,
				   "there is no test '%s'; `vswbench --help` lists them",
				   d->o.test);
	if (optind + 1 < argc)
		return errtext_set(e, -EINVAL,
				   "'%s' is too much: one test at a time, and a socket is given "
				   "with --guest",
				   argv[optind + 1]);
	return 0;
}

static int check_test(const struct options_draft *d, struct errtext *e)
{
	for (const struct options_row *row = rows; row < rows + N_ROWS; row++)
		if (row->id != 0 && options_given(d, row->id) && !is_for(row, d->test))
			return errtext_set(e, -EINVAL, "--%s means nothing to %s: it is %sfor %s",
					   row->name, d->test->name,
					   row->tests[0] == '!' ? "not " : "",
					   row->tests + (row->tests[0] == '!'));
	return 0;
}

static bool is_for(const struct options_row *row, const struct bench_test *test)
{
	size_t length = strlen(test->name);
	bool listed_ones = row->tests == NULL || row->tests[0] != '!';

	for (const char *at = row->tests; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ' || *at == '!';
		if (strncmp(at, test->name, length) == 0 && (at[length] == ' ' || !at[length]))
			return listed_ones;
	}
	return row->tests == NULL || !listed_ones;
}

static void print_help(const struct bench_test *test)
{
	printf("usage: vswbench %s [OPTION...] --guest SOCKET --guest SOCKET ...\n",
	       test ? test->name : "TEST");
	if (test) {
		printf("\n%s: %s.\n", test->name, test->meaning);
		printf("Source: %s.\n", test->source);
		printf("Needs %u guests or more, --%s ones unless told otherwise.\n",
		       test->min_guests, options_kind_name(test->kind));
		if (options_is_for("seconds", test))
			printf("A trial takes %g s.\n", test->seconds);
		if (test->kind != GEN_STATIC)
			printf("Lesser kinds of guests than --%s are refused.\n",
			       options_kind_name(test->kind));
	} else {
		puts("Plays the guests of a vhost-user switch and measures it.\n\nTests:");
		for (const struct bench_test *t = bench_tests; t->name != NULL; t++)
			printf("  %-*s%s (%s)\n", HELP_COLUMN - 10, t->name, t->meaning, t->source);
	}
	print_rows(test);
	puts("\nExit code: 0 measured; 1 the switch failed the test, sent wrong frames or hung up;"
	     "\n2 wrong usage; 3 no switch, or one that refuses; 130 Ctrl-C, with what there is.");
}

static void print_rows(const struct bench_test *test)
{
	for (const struct options_row *row = rows; row < rows + N_ROWS; row++) {
		char left[64];
		char letter = short_name(row->id);

		if (row->id == 0) {
			printf("\n%s:\n", row->name);
			continue;
		}
		if (test && !is_for(row, test))
			continue;
		snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", letter ? '-' : ' ',
			 letter ? letter : ' ', letter ? "," : " ", row->name, row->arg ? " " : "",
			 row->arg ? row->arg : "");
		printf("%-*s %s", HELP_COLUMN + 5, left, row->help);
		if (!test && row->tests)
			printf(" [%s%s]", row->tests[0] == '!' ? "not " : "",
			       row->tests + (row->tests[0] == '!'));
		puts("");
	}
}

static char short_name(enum options_id id)
{
	return id == OPT_JSON ? 'j' : id == OPT_HELP ? 'h' : id == OPT_VERSION ? 'V' : 0;
}

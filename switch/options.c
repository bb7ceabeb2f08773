#include "switch/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: vswd [OPTION]...\n"
	"  -c, --config FILE         commands to start with when STATE_DIR holds no state\n"
	"  -r, --run-dir DIR         pid file and sockets; default /run/vsw\n"
	"  -s, --state-dir DIR       saved state and cores; default /var/lib/vsw\n"
	"      --procs CORE[,CORE..] cores that poll; default the last one that vswd may use\n"
	"      --memory MIB          memory for frames in flight; default 128\n"
	"      --no-huge             takes no hugepages even if there are some\n"
	"      --pci                 looks at PCI devices even if no port is one yet\n"
	"      --poll adaptive|always  whether idle procs may sleep; default adaptive\n"
	"      --log-level LEVEL     error, warn, info or debug; default info\n"
	"      --socket-group GROUP  group of the sockets; default vsw if it exists\n"
	"      --socket-mode MODE    their mode; default 0660\n"
	"  -V, --version             the version\n"
	"  -h, --help                this\n";

enum {
	OPT_PROCS = 256,
	OPT_MEMORY,
	OPT_NO_HUGE,
	OPT_PCI,
	OPT_POLL,
	OPT_LOG_LEVEL,
	OPT_SOCKET_GROUP,
	OPT_SOCKET_MODE
};

static int parse_one(int c, struct options *o, struct errtext *e);
static int parse_dir(const char *dir, char ret[PATH_MAX], struct errtext *e);
static int parse_procs(const char *text, struct options *o, struct errtext *e);
static int parse_memory(const char *text, struct options *o, struct errtext *e);
static int parse_poll(const char *text, struct options *o, struct errtext *e);
static int parse_log_level(const char *text, struct options *o, struct errtext *e);
static int parse_mode(const char *text, struct options *o, struct errtext *e);

int options_parse(int argc, char **argv, struct options *ret, struct errtext *e)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"run-dir", required_argument, NULL, 'r'},
		{"state-dir", required_argument, NULL, 's'},
		{"procs", required_argument, NULL, OPT_PROCS},
		{"memory", required_argument, NULL, OPT_MEMORY},
		{"no-huge", no_argument, NULL, OPT_NO_HUGE},
		{"pci", no_argument, NULL, OPT_PCI},
		{"poll", required_argument, NULL, OPT_POLL},
		{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
		{"socket-group", required_argument, NULL, OPT_SOCKET_GROUP},
		{"socket-mode", required_argument, NULL, OPT_SOCKET_MODE},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct options o = {.run_dir = "/run/vsw",
			    .state_dir = "/var/lib/vsw",
			    .memory_mib = OPTIONS_MEMORY_DEFAULT,
			    .log_level = LOG_LEVEL_INFO,
			    .socket_mode = 0660};
	int c, err;

	opterr = 0;
	optind = 0; // starts afresh, also when it has run before
	while ((c = getopt_long(argc, argv, ":c:r:s:Vh", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 1;
		}
		if (c == 'V') {
			puts("vswd " VSW_VERSION);
			return 1;
		}
		if (c == '?')
			return errtext_set(e, -EINVAL,
					   "unknown option '%s'; `vswd --help` lists them",
					   argv[optind - 1]);
		if (c == ':')
			return errtext_set(e, -EINVAL, "option '%s' needs a value",
					   argv[optind - 1]);
		err = parse_one(c, &o, e);
		if (err != 0)
			return err;
	}
	if (optind < argc)
		return errtext_set(e, -EINVAL,
				   "'%s' is too much; vswd takes options only (commands are "
				   "vswctl's)",
				   argv[optind]);
	*ret = o;
	return 0;
}

static int parse_one(int c, struct options *o, struct errtext *e)
{
	switch (c) {
	case 'c':
		o->start_file = optarg;
		return 0;
	case 'r':
		return parse_dir(optarg, o->run_dir, e);
	case 's':
		return parse_dir(optarg, o->state_dir, e);
	case OPT_PROCS:
		return parse_procs(optarg, o, e);
	case OPT_MEMORY:
		return parse_memory(optarg, o, e);
	case OPT_NO_HUGE:
		o->no_huge = true;
		return 0;
	case OPT_PCI:
		o->pci = true;
		return 0;
	case OPT_POLL:
		return parse_poll(optarg, o, e);
	case OPT_LOG_LEVEL:
		return parse_log_level(optarg, o, e);
	case OPT_SOCKET_GROUP:
		o->socket_group = optarg;
		return 0;
	case OPT_SOCKET_MODE:
		return parse_mode(optarg, o, e);
	}
	return -EINVAL;
}

// Absolute, for vswd leaves the directory that it was started in.
static int parse_dir(const char *dir, char ret[PATH_MAX], struct errtext *e)
{
	char here[PATH_MAX] = "";
	size_t size;
	int n;

	if (dir[0] == '\0')
		return errtext_set(e, -EINVAL, "a directory's name is empty");
	if (dir[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return errtext_set(e, -errno, "where is '%s'? The present directory is gone", dir);
	n = snprintf(ret, PATH_MAX, "%s%s%s", here, dir[0] == '/' ? "" : "/", dir);
	if (n < 0 || n >= PATH_MAX)
		return errtext_set(e, -EINVAL, "the name of directory '%.60s...' is too long", dir);
	for (size = (size_t)n; size > 1 && ret[size - 1] == '/'; size--)
		ret[size - 1] = '\0';
	return 0;
}

// Numbers and ranges: "2", "2,4", "2-5".
static int parse_procs(const char *text, struct options *o, struct errtext *e)
{
	const char *p = text;

	o->n_procs = 0;
	for (;;) {
		unsigned long first, last;
		char *end;

		first = last = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : ULONG_MAX;
		if (first != ULONG_MAX && *end == '-')
			last = end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : 0;
		if (first == ULONG_MAX || last < first || last >= CPU_SETSIZE ||
		    (*end != ',' && *end != '\0'))
			return errtext_set(e, -EINVAL,
					   "--procs: '%s' is not a list of cores like 2,4 or 2-5",
					   text);
		for (; first <= last; first++) {
			for (unsigned i = 0; i < o->n_procs; i++) {
				if (o->procs[i] == first)
					return errtext_set(e, -EINVAL,
							   "--procs: core %lu stands there twice",
							   first);
			}
			if (o->n_procs == PROC_MAX)
				return errtext_set(e, -EINVAL, "--procs: at most %d cores",
						   PROC_MAX);
			o->procs[o->n_procs++] = (unsigned)first;
		}
		if (*end == '\0')
			return 0;
		p = end + 1;
	}
}

static int parse_memory(const char *text, struct options *o, struct errtext *e)
{
	char *end = NULL;
	unsigned long mib = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

	if (end == NULL || *end != '\0' || mib < OPTIONS_MEMORY_MIN || mib > OPTIONS_MEMORY_MAX)
		return errtext_set(e, -EINVAL,
				   "--memory: '%s' is not a number of MiB from %d to %d", text,
				   OPTIONS_MEMORY_MIN, OPTIONS_MEMORY_MAX);
	o->memory_mib = (unsigned)mib;
	return 0;
}

static int parse_poll(const char *text, struct options *o, struct errtext *e)
{
	o->poll_always = strcmp(text, "always") == 0;
	if (!o->poll_always && strcmp(text, "adaptive") != 0)
		return errtext_set(e, -EINVAL, "--poll: '%s' is neither 'adaptive' nor 'always'",
				   text);
	return 0;
}

static int parse_log_level(const char *text, struct options *o, struct errtext *e)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};

	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(text, levels[i]) == 0) {
			o->log_level = (enum log_level)i;
			return 0;
		}
	}
	return errtext_set(e, -EINVAL, "--log-level: '%s' is none of error, warn, info, debug",
			   text);
}

static int parse_mode(const char *text, struct options *o, struct errtext *e)
{
	char *end = NULL;
	unsigned long mode = text[0] >= '0' && text[0] <= '7' ? strtoul(text, &end, 8) : 0;

	if (end == NULL || *end != '\0' || mode > 0777)
		return errtext_set(e, -EINVAL, "--socket-mode: '%s' is not an octal mode like 0660",
				   text);
	o->socket_mode = (mode_t)mode;
	return 0;
}

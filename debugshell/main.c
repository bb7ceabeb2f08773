/*
 * vswsh: the debug shell. It reads a vswd from outside, or the core of one, and changes nothing in
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugshell/shell.h"

enum { EXIT_USAGE = 2 };

#define RUN_DIR_DEFAULT "/run/vsw"

struct options {
	const char *run_dir; // NULL: the default
	const char *pid;
	const char *core;
	const char *binary;
	bool json;
};

static int parse_options(int argc, char **argv, struct options *opt);
static int check_options(const struct options *opt);
static int usage(FILE *to);
static int open_process(const struct options *opt, struct target **ret, struct why *why);
static int find_pid(const struct options *opt, pid_t *ret, struct why *why);
static int read_pid_file(const char *run_dir, pid_t *ret, struct why *why);
static int parse_pid(const char *text, pid_t *ret);

int main(int argc, char **argv)
{
	struct options opt = {.run_dir = NULL};
	int first = parse_options(argc, argv, &opt);
	struct target *target = NULL;
	struct shell *sh;
	struct why why;
	int err;

	if (first < 0)
		return -first;
	if (first == 0)
		return EXIT_SUCCESS;
	if (opt.core != NULL)
		err = target_core_open(opt.core, opt.binary, &target, &why);
	else
		err = open_process(&opt, &target, &why);
	if (err == 0)
		err = shell_open(target, &sh, &why);
	if (err != 0) {
		fprintf(stderr, "vswsh: %s\n", why.text);
		return EXIT_FAILURE;
	}
	sh->json = opt.json;
	err = first < argc ? shell_run(sh, argc - first, argv + first) : shell_loop(sh);
	shell_close(sh);
	return err;
}

// Gives the index of the first word of the command; 0: all is done; -EXIT_USAGE: wrong.
static int parse_options(int argc, char **argv, struct options *opt)
{
	int c;

	while ((c = getopt(argc, argv, "+r:p:jy:z:hV")) != -1) {
		switch (c) {
		case 'r':
			opt->run_dir = optarg;
			break;
		case 'p':
			opt->pid = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("vswsh %s\n", VSW_VERSION);
			return 0;
		case 'y':
			opt->binary = optarg;
			break;
		case 'z':
			opt->core = optarg;
			break;
		case 'j':
			opt->json = true;
			break;
		default:
			return -usage(stderr);
		}
	}
	return check_options(opt) == 0 ? optind : -EXIT_USAGE;
}

static int check_options(const struct options *opt)
{
	pid_t pid;

	if (opt->core != NULL && (opt->pid != NULL || opt->run_dir != NULL))
		fprintf(stderr, "vswsh: -z looks at a core, -%c at a process; which of the two?\n",
			opt->pid != NULL ? 'p' : 'r');
	else if (opt->core == NULL && opt->binary != NULL)
		fprintf(stderr, "vswsh: -y names the program of a core; name the core with -z\n");
	else if (opt->pid != NULL && parse_pid(opt->pid, &pid) != 0)
		fprintf(stderr, "vswsh: '%.100s' is not a process id\n", opt->pid);
	else
		return 0;
	return -EINVAL;
}

static int usage(FILE *to)
{
	fprintf(to,
		"usage: vswsh [-j] [-r RUN_DIR | -p PID | -z CORE [-y BINARY]] [COMMAND [ARG...]]\n"
		"Shows the objects of a vswd; `vswsh help` lists the commands.\n"
		"  -j          print JSON: one object per command, on one line\n"
		"  -r RUN_DIR  that of the vswd to look at (" RUN_DIR_DEFAULT ")\n"
		"  -p PID      look at this process\n"
		"  -z CORE     look at this core, which may be compressed (.gz, .zst, .lz4)\n"
		"  -y BINARY   its vswd, for what the core leaves out of it\n");
	return EXIT_USAGE;
}

static int open_process(const struct options *opt, struct target **ret, struct why *why)
{
	struct why its;
	pid_t pid;
	int err = find_pid(opt, &pid, why);

	if (err == 0)
		err = target_pid_open(pid, ret, why);
	if (opt->pid != NULL || (err != -ESRCH && err != -ENOEXEC))
		return err;
	// A pid file that was left behind; the number may be somebody else's by now.
	its = *why;
	return why_set(why, err, "no vswd runs in %s: by its vswd.pid, %.300s",
		       opt->run_dir != NULL ? opt->run_dir : RUN_DIR_DEFAULT, its.text);
}

static int find_pid(const struct options *opt, pid_t *ret, struct why *why)
{
	if (opt->pid == NULL)
		return read_pid_file(opt->run_dir != NULL ? opt->run_dir : RUN_DIR_DEFAULT, ret,
				     why);
	return parse_pid(opt->pid, ret); // was checked
}

static int read_pid_file(const char *run_dir, pid_t *ret, struct why *why)
{
	char path[PATH_MAX];
	char text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/vswd.pid", run_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return why_set(why, -ENOENT,
			       "no vswd runs in %s (there is no vswd.pid); say where one runs with "
			       "-r RUN_DIR or -p PID",
			       run_dir);
	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (parse_pid(text, ret) != 0)
		return why_set(why, -EINVAL, "%s holds no process id", path);
	return 0;
}

static int parse_pid(const char *text, pid_t *ret)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || pid <= 0 ||
	    pid > INT_MAX)
		return -EINVAL;
	*ret = (pid_t)pid;
	return 0;
}

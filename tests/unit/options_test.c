/*
 * The command line of vswd, and the lock that says that it runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/options.h"
#include "switch/rundir.h"

enum { WORDS = 12 };

static int parse(struct options *o, struct errtext *e, const char *line)
{
	char copy[512], *argv[WORDS + 1], *rest;
	int argc = 0;

	snprintf(copy, sizeof(copy), "vswd %s", line);
	for (char *w = strtok_r(copy, " ", &rest); w != NULL && argc < WORDS;
	     w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	argv[argc] = NULL;
	e->text[0] = '\0';
	return options_parse(argc, argv, o, e);
}

static void check(const char *line, struct options *o)
{
	struct errtext e;
	int err = parse(o, &e, line);

	if (err != 0)
		print_error("%s: %s\n", line, e.text);
	assert_int_equal(err, 0);
}

static void refuse(const char *line, const char *words)
{
	struct options o;
	struct errtext e;

	assert_int_equal(parse(&o, &e, line), -EINVAL);
	if (strstr(e.text, words) == NULL)
		print_error("%s: %s\n", line, e.text);
	assert_non_null(strstr(e.text, words));
}

static void defaults(void **state)
{
	struct options o;

	check("", &o);
	assert_string_equal(o.run_dir, "/run/vsw");
	assert_string_equal(o.state_dir, "/var/lib/vsw");
	assert_null(o.start_file);
	assert_int_equal(o.n_procs, 0);
	assert_int_equal(o.memory_mib, 128);
	assert_int_equal(o.socket_mode, 0660);
	assert_int_equal(o.log_level, LOG_LEVEL_INFO);
	assert_false(o.no_huge || o.pci || o.poll_always);
}

static void every_option(void **state)
{
	struct options o;
	char here[PATH_MAX], expected[PATH_MAX + 16];

	check("-r /tmp/r/ -s s --procs 3,1,5-6 --memory 64 --no-huge --pci", &o);
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/s", here);
	assert_string_equal(o.run_dir, "/tmp/r");
	assert_string_equal(o.state_dir, expected);
	assert_int_equal(o.n_procs, 4);
	assert_int_equal(o.procs[0], 3);
	assert_int_equal(o.procs[1], 1);
	assert_int_equal(o.procs[2], 5);
	assert_int_equal(o.procs[3], 6);
	assert_int_equal(o.memory_mib, 64);
	assert_true(o.no_huge && o.pci);
	check("--poll always --log-level debug --socket-mode 600 --socket-group kvm", &o);
	assert_true(o.poll_always);
	assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(o.socket_mode, 0600);
	assert_string_equal(o.socket_group, "kvm");
	check("--config=/etc/vsw.conf --poll=adaptive", &o);
	assert_false(o.poll_always);
}

static void wrong_ones(void **state)
{
	refuse("--nonsense", "unknown option '--nonsense'");
	refuse("-x", "unknown option");
	refuse("-c", "'-c' needs a value");
	refuse("--procs", "'--procs' needs a value");
	refuse("port add", "'port' is too much");
	refuse("--procs a", "not a list of cores");
	refuse("--procs 1,", "not a list of cores");
	refuse("--procs 3-1", "not a list of cores");
	refuse("--procs 1-", "not a list of cores");
	refuse("--procs -1", "not a list of cores");
	refuse("--procs 99999999999999999999", "not a list of cores");
	refuse("--procs 1,2,1", "core 1 stands there twice");
	refuse("--procs 0-16", "at most 16");
	refuse("--memory 31", "from 32 to");
	refuse("--memory 64M", "from 32 to");
	refuse("--poll sometimes", "neither 'adaptive' nor 'always'");
	refuse("--log-level loud", "none of error, warn");
	refuse("--socket-mode 888", "octal");
	refuse("--socket-mode 7777", "octal");
}

// A second process is told the pid of the first; a stale file is no obstacle.
static void one_per_run_dir(void **state)
{
	struct errtext e = {.text = ""};
	char dir[64] = "/tmp/vsw-run-XXXXXX", path[128], pid[32];
	int fd, status;
	pid_t child;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	strcat(dir, "/a");
	fd = rundir_open(dir, NULL, &e);
	assert_true(fd >= 0);
	snprintf(pid, sizeof(pid), "pid %d;", (int)getpid());
	child = fork();
	if (child == 0)
		_exit(rundir_open(dir, NULL, &e) == -EBUSY && strstr(e.text, pid) != NULL ? 7 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	rundir_close(dir, fd);
	snprintf(path, sizeof(path), "%s/vswd.pid", dir);
	assert_int_equal(access(path, F_OK), -1);
	f = fopen(path, "w");
	fputs("1\n", f); // a living process, but no vswd
	fclose(f);
	fd = rundir_open(dir, NULL, &e);
	assert_true(fd >= 0);
	rundir_close(dir, fd);
	assert_int_equal(rundir_open(dir, "no-such-group", &e), -ENOENT);
	assert_non_null(strstr(e.text, "no-such-group"));
	rmdir(dir);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_option),
		cmocka_unit_test(wrong_ones),
		cmocka_unit_test(one_per_run_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/hostile/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 32

static void pause_ms(long ms);
static int run_ctl(struct daemon *d, const char *const args[], int out_fd);
static void take_drops(struct daemon_port *p, const json_t *row, const char *key, const char *dir);
static void copy_text(char *to, size_t size, const json_t *row, const char *key);
static void show_log(const struct daemon *d);

int daemon_start(struct daemon *d, const char *const options[])
{
	static const char *const probe[] = {"show", "switches", NULL};
	const char *argv[MAX_ARGS] = {d->vswd, "-r", NULL, "-s", NULL};
	char run[80], state[80], log[80];
	int n = 5;

	snprintf(d->dir, sizeof(d->dir), "/tmp/vsw-hostile.XXXXXX");
	if (!mkdtemp(d->dir))
		return -errno;
	snprintf(run, sizeof(run), "%s/run", d->dir);
	snprintf(state, sizeof(state), "%s/state", d->dir);
	snprintf(log, sizeof(log), "%s/log", d->dir);
	argv[2] = run;
	argv[4] = state;
	for (int i = 0; options[i] && n < MAX_ARGS - 1; i++)
		argv[n++] = options[i];
	d->pid = fork();
	if (d->pid < 0)
		return -errno;
	if (d->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); // when we are killed by a timeout
		int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execv(d->vswd, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int i = 0; i < 200; i++) {
		if (!daemon_alive(d))
			return -ECHILD;
		if (daemon_ctl(d, probe) == 0)
			return 0;
		pause_ms(100);
	}
	show_log(d);
	return -ETIMEDOUT;
}

bool daemon_stop(struct daemon *d)
{
	char command[96];
	int status = 0;
	bool ended = false;

	if (d->pid > 0) {
		kill(d->pid, SIGTERM);
		for (int i = 0; i < 100 && !ended; i++) {
			ended = waitpid(d->pid, &status, WNOHANG) == d->pid;
			if (!ended)
				pause_ms(100);
		}
		if (!ended) {
			fprintf(stderr, "vswd does not end on SIGTERM\n");
			kill(d->pid, SIGKILL);
			waitpid(d->pid, &status, 0);
		}
	}
	bool well = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!well && ended)
		show_log(d);
	snprintf(command, sizeof(command), "rm -rf '%s'", d->dir);
	return system(command) == 0 && well;
}

bool daemon_alive(struct daemon *d)
{
	int status;

	if (d->pid <= 0)
		return false;
	if (waitpid(d->pid, &status, WNOHANG) == 0)
		return true;
	if (WIFSIGNALED(status))
		fprintf(stderr, "vswd was killed by signal %d\n", WTERMSIG(status));
	else
		fprintf(stderr, "vswd ended with %d\n", WEXITSTATUS(status));
	show_log(d);
	d->pid = 0;
	return false;
}

int daemon_ctl(struct daemon *d, const char *const args[])
{
	char path[80];

	snprintf(path, sizeof(path), "%s/ctl.log", d->dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	int ret = run_ctl(d, args, fd);
	close(fd);
	return ret;
}

int daemon_show(struct daemon *d, const char *port, struct daemon_port *ret)
{
	const char *const args[] = {"-j", "show", "ports", port, NULL};
	char path[80];
	json_t *all = NULL;

	snprintf(path, sizeof(path), "%s/show.json", d->dir);
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
	if (run_ctl(d, args, fd) == 0)
		all = json_load_file(path, 0, NULL);
	close(fd);
	json_t *row = json_array_get(json_object_get(all, "ports"), 0);
	if (!row) {
		json_decref(all);
		return -EPROTO;
	}
	memset(ret, 0, sizeof(*ret));
	copy_text(ret->state, sizeof(ret->state), row, "state");
	copy_text(ret->why, sizeof(ret->why), row, "why");
	ret->rx_frames = (uint64_t)json_integer_value(json_object_get(row, "rx_frames"));
	ret->tx_frames = (uint64_t)json_integer_value(json_object_get(row, "tx_frames"));
	take_drops(ret, row, "drops_in", "in");
	take_drops(ret, row, "drops_out", "out");
	json_decref(all);
	return 0;
}

uint64_t daemon_drops(const struct daemon_port *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->drops[i].name, name) == 0)
			return p->drops[i].count;
	return 0;
}

unsigned daemon_files(const struct daemon *d)
{
	char path[48];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)d->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

unsigned daemon_maps(const struct daemon *d)
{
	char path[48], line[512];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)d->pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

static void pause_ms(long ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static int run_ctl(struct daemon *d, const char *const args[], int out_fd)
{
	const char *argv[MAX_ARGS] = {d->vswctl, "-r", NULL};
	char run[80];
	int n = 3, status;

	snprintf(run, sizeof(run), "%s/run", d->dir);
	argv[2] = run;
	for (int i = 0; args[i] && n < MAX_ARGS - 1; i++)
		argv[n++] = args[i];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		dup2(out_fd, STDOUT_FILENO);
		dup2(out_fd, STDERR_FILENO);
		execv(d->vswctl, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

static void take_drops(struct daemon_port *p, const json_t *row, const char *key, const char *dir)
{
	json_t *drops = json_object_get(row, key), *count;
	const char *reason;

	json_object_foreach (drops, reason, count) {
		if (p->n == DAEMON_REASONS)
			return;
		snprintf(p->drops[p->n].name, sizeof(p->drops[0].name), "%s %s", dir, reason);
		p->drops[p->n++].count = (uint64_t)json_integer_value(count);
	}
}

static void copy_text(char *to, size_t size, const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(to, size, "%s", text ? text : "");
}

static void show_log(const struct daemon *d)
{
	char command[160];

	snprintf(command, sizeof(command), "tail -n 30 '%s/log' >&2", d->dir);
	if (system(command) != 0)
		fprintf(stderr, "its log cannot be read\n");
}

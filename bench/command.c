#include "bench/command.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/gen.h"

// Whatever the word is; the end of the socket means never.
#define WAIT_AND_RUN "read -r word && exec sh -c \"$1\" </dev/null"

static int spawn(const char *text, int stdin_fd, pid_t *pid_ret);
static int spawn_with(const char *text, int stdin_fd, const posix_spawnattr_t *attr,
		      pid_t *pid_ret);
static void reap(struct command *c, int options);

int command_prepare(struct command *c, const char *text)
{
	cpu_set_t ours, all;
	int ends[2];
	int err;

	*c = (struct command){.go = -1, .started_s = NAN, .ended_s = NAN};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	// A child inherits the cores that its parent may use.
	sched_getaffinity(0, sizeof(ours), &ours);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	err = spawn(text, ends[1], &c->pid);
	sched_setaffinity(0, sizeof(ours), &ours);
	close(ends[1]);
	if (err < 0) {
		close(ends[0]);
		return err;
	}
	c->go = ends[0];
	return 0;
}

void command_start(struct command *c)
{
	if (c->go < 0)
		return;
	c->started_s = gen_now();
	// Should the shell have died, command_ended() will tell.
	send(c->go, "\n", 1, MSG_NOSIGNAL);
	close(c->go);
	c->go = -1;
}

bool command_ended(struct command *c)
{
	if (c->pid > 0)
		reap(c, WNOHANG);
	return c->pid == 0;
}

void command_release(struct command *c)
{
	if (c->go < 0)
		return;
	close(c->go);
	c->go = -1;
	reap(c, 0);
}

static int spawn(const char *text, int stdin_fd, pid_t *pid_ret)
{
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int err;

	if ((err = posix_spawnattr_init(&attr)) != 0)
		return -err;
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	err = spawn_with(text, stdin_fd, &attr, pid_ret);
	posix_spawnattr_destroy(&attr);
	return err;
}

static int spawn_with(const char *text, int stdin_fd, const posix_spawnattr_t *attr, pid_t *pid_ret)
{
	char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){WAIT_AND_RUN},
			      (char[]){"sh"}, strdup(text),   NULL};
	posix_spawn_file_actions_t actions;
	int err;

	err = argv[4] == NULL ? ENOMEM : posix_spawn_file_actions_init(&actions);
	if (err == 0) {
		err = posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
		if (err == 0)
			err = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
							       STDOUT_FILENO);
		if (err == 0)
			err = posix_spawn(pid_ret, "/bin/sh", &actions, attr, argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	free(argv[4]);
	return -err;
}

static void reap(struct command *c, int options)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(c->pid, &status, options);
	} while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	c->pid = 0;
	c->ended_s = gen_now();
	c->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

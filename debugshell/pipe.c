#include "debugshell/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_NOT_STARTED = 127 }; // a status, as sh has it

// What the keys of the terminal send, which is not meant for the shell that waits.
struct pipe_keys {
	struct sigaction interrupt;
	struct sigaction quit;
};

static int run_both(const char *program, int (*fn)(void *arg), void *arg,
		    const struct pipe_keys *keys, struct why *why);
static pid_t start_command(const int ends[2], int (*fn)(void *arg), void *arg,
			   const struct pipe_keys *keys);
static pid_t start_program(const int ends[2], const char *program, const struct pipe_keys *keys);
static void ignore_keys(struct pipe_keys *keys);
static void restore_keys(const struct pipe_keys *keys);
static int wait_status(pid_t pid);

int pipe_run(const char *program, int (*fn)(void *arg), void *arg, struct why *why)
{
	struct pipe_keys keys;
	int status;

	fflush(stdout);
	ignore_keys(&keys);
	status = run_both(program, fn, arg, &keys, why);
	restore_keys(&keys);
	return status;
}

static int run_both(const char *program, int (*fn)(void *arg), void *arg,
		    const struct pipe_keys *keys, struct why *why)
{
	pid_t command_pid, program_pid;
	int command_status, status;
	int ends[2];
	int err = 0;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return why_set(why, -errno, "cannot make a pipe: %s", strerror(errno));
	program_pid = start_program(ends, program, keys);
	command_pid = program_pid < 0 ? -1 : start_command(ends, fn, arg, keys);
	if (command_pid < 0)
		err = why_set(why, -errno, "cannot start a process: %s", strerror(errno));
	close(ends[0]);
	close(ends[1]);
	command_status = command_pid > 0 ? wait_status(command_pid) : 0;
	status = program_pid > 0 ? wait_status(program_pid) : 0;
	if (err != 0)
		return err;
	if (command_status == PIPE_SIGNAL + SIGPIPE)
		command_status = 0;
	return status != 0 ? status : command_status;
}

static pid_t start_command(const int ends[2], int (*fn)(void *arg), void *arg,
			   const struct pipe_keys *keys)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	restore_keys(keys);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(ends[1], STDOUT_FILENO) < 0)
		_exit(PIPE_NOT_STARTED);
	close(ends[0]);
	close(ends[1]);
	// Not exit(): what else the shell has open is not this process's to end.
	_exit(fn(arg));
}

static pid_t start_program(const int ends[2], const char *program, const struct pipe_keys *keys)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	restore_keys(keys);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(ends[0], STDIN_FILENO) >= 0)
		execl("/bin/sh", "sh", "-c", program, (char *)NULL);
	fprintf(stderr, "vswsh: cannot run sh: %s\n", strerror(errno));
	_exit(PIPE_NOT_STARTED);
}

static void ignore_keys(struct pipe_keys *keys)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &ignore, &keys->interrupt);
	sigaction(SIGQUIT, &ignore, &keys->quit);
}

static void restore_keys(const struct pipe_keys *keys)
{
	sigaction(SIGINT, &keys->interrupt, NULL);
	sigaction(SIGQUIT, &keys->quit, NULL);
}

static int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return PIPE_NOT_STARTED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : PIPE_SIGNAL + WTERMSIG(status);
}

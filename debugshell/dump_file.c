#include "debugshell/dump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "debugshell/print.h"

struct dump_tool {
	const char *ending; // of the file's name
	const char *name;
	const char *options;
};

static const struct dump_tool tools[] = {
	{".gz", "gzip", "-cn"},
	{".zst", "zstd", "-cq"},
	{".lz4", "lz4", "-cq"},
};

static void file_close(struct dump_file *file);
static int file_make(struct dump_file *file);
static void hold_signals(sigset_t *before);
static void file_dir(const char *path, char dir[PATH_MAX]);
static int file_pack(struct dump_file *file, struct why *why);
static int file_spawn(const struct dump_file *file, int said, pid_t *ret);
static int file_wait(const struct dump_file *file, pid_t pid, int said, struct why *why);
static int file_link(struct dump_file *file, struct why *why);
static int file_exists(const struct dump_file *file, struct why *why);

int dump_file_begin(struct dump_file *file, const char *path, struct why *why)
{
	size_t length = strlen(path);
	struct stat st;
	int err;

	*file = (struct dump_file){.raw = -1, .fd = -1, .path = path};
	if (lstat(path, &st) == 0)
		return file_exists(file, why);
	for (unsigned i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		size_t ending = strlen(tools[i].ending);

		if (length > ending && strcmp(path + length - ending, tools[i].ending) == 0)
			file->tool = &tools[i];
	}
	hold_signals(&file->signals);
	err = file_make(file);
	if (err == 0) {
		file->raw = file->tool != NULL ? memfd_create("dump", MFD_CLOEXEC) : file->fd;
		err = file->raw < 0 ? -errno : 0;
	}
	if (err != 0) {
		dump_file_failed(file, err, why);
		dump_file_abort(file);
	}
	return err;
}

int dump_file_commit(struct dump_file *file, uint64_t *x_size, struct why *why)
{
	struct stat st;
	int err = file->tool != NULL ? file_pack(file, why) : 0;

	if (err == 0 && (fsync(file->fd) != 0 || fstat(file->fd, &st) != 0))
		err = dump_file_failed(file, -errno, why);
	if (err == 0)
		err = file_link(file, why);
	if (err == 0)
		*x_size = (uint64_t)st.st_size;
	file_close(file);
	return err;
}

void dump_file_end(struct dump_file *file)
{
	sigprocmask(SIG_SETMASK, &file->signals, NULL);
}

void dump_file_abort(struct dump_file *file)
{
	file_close(file);
	dump_file_end(file);
}

int dump_file_failed(const struct dump_file *file, int err, struct why *why)
{
	return why_set(why, err, "cannot write %s: %s", file->path, strerror(-err));
}

static void file_close(struct dump_file *file)
{
	if (file->temporary[0] != '\0')
		unlink(file->temporary);
	if (file->raw >= 0 && file->raw != file->fd)
		close(file->raw);
	if (file->fd >= 0)
		close(file->fd);
}

// In the same directory, or it could not be given its name there.
static int file_make(struct dump_file *file)
{
	char dir[PATH_MAX];

	file_dir(file->path, dir);
	if ((size_t)snprintf(file->temporary, sizeof(file->temporary), "%.*s/.vswsh-dump-XXXXXX",
			     PATH_MAX - 32, dir) >= sizeof(file->temporary))
		return -ENAMETOOLONG;
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	if (file->fd >= 0)
		return 0;
	file->temporary[0] = '\0';
	return -errno;
}

static void hold_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, before);
}

static void file_dir(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(dir, PATH_MAX, ".");
	else
		snprintf(dir, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static int file_pack(struct dump_file *file, struct why *why)
{
	int said = memfd_create("said", MFD_CLOEXEC);
	pid_t pid;
	int err;

	if (said < 0 || lseek(file->raw, 0, SEEK_SET) != 0) {
		err = dump_file_failed(file, -errno, why);
	} else {
		err = file_spawn(file, said, &pid);
		if (err == -ENOENT)
			why_set(why, err, "%s is needed for %s, and is not installed",
				file->tool->name, file->path);
		else if (err != 0)
			why_set(why, err, "cannot run %s: %s", file->tool->name, strerror(-err));
		else
			err = file_wait(file, pid, said, why);
	}
	if (said >= 0)
		close(said);
	return err;
}

static int file_spawn(const struct dump_file *file, int said, pid_t *ret)
{
	char name[16], options[16];
	char *argv[] = {name, options, NULL};
	posix_spawn_file_actions_t actions;
	int err;

	snprintf(name, sizeof(name), "%s", file->tool->name);
	snprintf(options, sizeof(options), "%s", file->tool->options);
	err = posix_spawn_file_actions_init(&actions);
	if (err != 0)
		return -err;
	err = posix_spawn_file_actions_adddup2(&actions, file->raw, STDIN_FILENO);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&actions, file->fd, STDOUT_FILENO);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
	if (err == 0)
		err = posix_spawnp(ret, name, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int file_wait(const struct dump_file *file, pid_t pid, int said, struct why *why)
{
	char text[200] = "";
	const char *line = text;
	ssize_t n;
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return dump_file_failed(file, -errno, why);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	n = pread(said, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	line += strspn(line, "\n");
	return why_set(why, -EIO, "cannot write %.200s: %.200s", file->path,
		       print_text(line, strcspn(line, "\n")).s);
}

// Gives it its name, unless another file has it by now. The temporary one goes in the end.
static int file_link(struct dump_file *file, struct why *why)
{
	if (link(file->temporary, file->path) == 0)
		return 0;
	return errno == EEXIST ? file_exists(file, why) : dump_file_failed(file, -errno, why);
}

static int file_exists(const struct dump_file *file, struct why *why)
{
	return why_set(why, -EEXIST, "%s exists, and is not overwritten", file->path);
}

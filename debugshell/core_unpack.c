#include "debugshell/core_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "debugshell/print.h"

#define UNPACK_MAX   (64ULL << 30)  // bytes of a core
#define UNPACK_SPARE (256ULL << 20) // bytes of the disk that are left to others
#define UNPACK_STEP  (64ULL << 20)  // bytes between two looks at how much is left

enum { UNPACK_CHUNK = 1 << 20, UNPACK_SAID = 200 };

struct unpack_tool {
	const char *name;
	const char *options;
	unsigned char magic[4];
	uint8_t magic_size;
	uint8_t pad[3];
};

static const struct unpack_tool tools[] = {
	{"gzip", "-dc", {0x1f, 0x8b}, 2, {0}},
	{"zstd", "-dcq", {0x28, 0xb5, 0x2f, 0xfd}, 4, {0}},
	{"lz4", "-dcq", {0x04, 0x22, 0x4d, 0x18}, 4, {0}},
};

struct unpack {
	const char *path;
	const char *dir; // where the temporary file is
	const struct unpack_tool *tool;
	int from;
	int to;
	int said; // what the tool writes on stderr
	pid_t pid;
	uint64_t size;    // bytes so far
	uint64_t checked; // 'size' when the disk was looked at
	time_t shown_s;   // when the progress was
	bool shows;       // progress is on the terminal
};

static int unpack_open(const char *path, struct why *why);
static const struct unpack_tool *unpack_tool_of(int fd);
static int unpack_temporary(struct unpack *u, struct why *why);
static int unpack_start(struct unpack *u, int *pipe_ret, struct why *why);
static int unpack_copy(struct unpack *u, int pipe, struct why *why);
static int unpack_write(struct unpack *u, const char *chunk, size_t size, struct why *why);
static int unpack_check_room(struct unpack *u, struct why *why);
static void unpack_progress(struct unpack *u);
static int unpack_end(struct unpack *u, int err, struct why *why);
static struct text first_line(const char *text);

int core_unpack(const char *path, int *ret, struct why *why)
{
	struct unpack u = {.path = path, .from = unpack_open(path, why), .to = -1, .said = -1};
	int pipe = -1;
	int err;

	if (u.from < 0)
		return u.from;
	u.tool = unpack_tool_of(u.from);
	if (u.tool == NULL) {
		*ret = u.from;
		return 0;
	}
	err = unpack_temporary(&u, why);
	if (err == 0)
		err = unpack_start(&u, &pipe, why);
	if (err == 0) {
		err = unpack_copy(&u, pipe, why);
		close(pipe);
		err = unpack_end(&u, err, why);
	}
	close(u.from);
	if (u.said >= 0)
		close(u.said);
	if (err != 0 && u.to >= 0)
		close(u.to);
	if (err == 0)
		*ret = u.to;
	return err;
}

// Without waiting, as a pipe would make us.
static int unpack_open(const char *path, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return why_set(why, -EINVAL, "%s is not a file", path);
}

static const struct unpack_tool *unpack_tool_of(int fd)
{
	unsigned char magic[4] = {0};
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (n >= tools[i].magic_size &&
		    memcmp(magic, tools[i].magic, tools[i].magic_size) == 0)
			return &tools[i];
	return NULL;
}

static int unpack_temporary(struct unpack *u, struct why *why)
{
	char name[512];

	u->dir = getenv("TMPDIR");
	if (u->dir == NULL || u->dir[0] == '\0')
		u->dir = "/var/tmp";
	u->to = open(u->dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (u->to < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		snprintf(name, sizeof(name), "%.480s/vswsh-core-XXXXXX", u->dir);
		u->to = mkostemp(name, O_CLOEXEC);
		if (u->to >= 0)
			unlink(name);
	}
	if (u->to < 0)
		return why_set(why, -errno, "no temporary file can be made in %s: %s", u->dir,
			       strerror(errno));
	u->said = memfd_create("said", MFD_CLOEXEC);
	if (u->said < 0)
		return why_set(why, -errno, "cannot unpack %s: %s", u->path, strerror(errno));
	return 0;
}

static int unpack_start(struct unpack *u, int *pipe_ret, struct why *why)
{
	char name[16], options[16];
	char *argv[] = {name, options, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];
	int err;

	snprintf(name, sizeof(name), "%s", u->tool->name);
	snprintf(options, sizeof(options), "%s", u->tool->options);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return why_set(why, -errno, "cannot unpack %s: %s", u->path, strerror(errno));
	fcntl(ends[0], F_SETPIPE_SZ, UNPACK_CHUNK);
	err = posix_spawn_file_actions_init(&actions);
	if (err == 0) {
		posix_spawn_file_actions_adddup2(&actions, u->from, STDIN_FILENO);
		posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		posix_spawn_file_actions_adddup2(&actions, u->said, STDERR_FILENO);
		err = posix_spawnp(&u->pid, name, &actions, NULL, argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	if (err == 0) {
		*pipe_ret = ends[0];
		return 0;
	}
	close(ends[0]);
	if (err == ENOENT)
		return why_set(why, -ENOPKG,
			       "%s is compressed by %s, which is not installed here; install it, "
			       "or unpack the core elsewhere",
			       u->path, name);
	return why_set(why, -err, "%s cannot be started to unpack %s: %s", name, u->path,
		       strerror(err));
}

static int unpack_copy(struct unpack *u, int pipe, struct why *why)
{
	char *chunk = malloc(UNPACK_CHUNK);
	int err = 0;

	if (chunk == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	u->shown_s = time(NULL);
	while (err == 0) {
		ssize_t n = read(pipe, chunk, UNPACK_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = why_set(why, -errno, "cannot unpack %s: %s", u->path,
				      strerror(errno));
		if (n <= 0)
			break;
		err = unpack_write(u, chunk, (size_t)n, why);
		unpack_progress(u);
	}
	// What ends in zeros has its full size by this.
	if (err == 0 && ftruncate(u->to, (off_t)u->size) != 0)
		err = why_set(why, -errno, "cannot unpack %s: %s", u->path, strerror(errno));
	free(chunk);
	return err;
}

// Zeros, of which a core is full, take no room on the disk.
static int unpack_write(struct unpack *u, const char *chunk, size_t size, struct why *why)
{
	bool zeros = chunk[0] == 0 && memcmp(chunk, chunk + 1, size - 1) == 0;
	int err = unpack_check_room(u, why);

	for (size_t done = 0; !zeros && err == 0 && done < size;) {
		ssize_t n = pwrite(u->to, chunk + done, size - done, (off_t)(u->size + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			err = why_set(why, n < 0 ? -errno : -ENOSPC,
				      "cannot unpack %s into a temporary file in %s: %s; TMPDIR "
				      "names another directory",
				      u->path, u->dir, strerror(n < 0 ? errno : ENOSPC));
		else
			done += (size_t)n;
	}
	u->size += size;
	return err;
}

static int unpack_check_room(struct unpack *u, struct why *why)
{
	struct statvfs fs;

	if (u->size > UNPACK_MAX)
		return why_set(why, -EFBIG, "%s holds more than %llu GB, which is no core of vswd",
			       u->path, UNPACK_MAX >> 30);
	if (u->checked != 0 && u->size - u->checked < UNPACK_STEP)
		return 0;
	u->checked = u->size + 1;
	if (fstatvfs(u->to, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < UNPACK_SPARE)
		return why_set(why, -ENOSPC,
			       "unpacking %s would leave less than %llu MB free in %s; TMPDIR "
			       "names another directory",
			       u->path, UNPACK_SPARE >> 20, u->dir);
	return 0;
}

static void unpack_progress(struct unpack *u)
{
	time_t now_s = time(NULL);

	if (now_s == u->shown_s || !isatty(STDERR_FILENO))
		return;
	u->shown_s = now_s;
	u->shows = true;
	fprintf(stderr, "\rvswsh: unpacking %s: %lu MB", u->path, u->size >> 20);
}

// The tool's own end, and what comes of it.
static int unpack_end(struct unpack *u, int err, struct why *why)
{
	char text[UNPACK_SAID];
	struct text said;
	int status = 0;
	ssize_t n;

	if (u->shows)
		fprintf(stderr, "\r\033[K");
	if (err != 0)
		kill(u->pid, SIGKILL);
	while (waitpid(u->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (err != 0 || status == 0)
		return err;
	n = pread(u->said, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	said = first_line(text);
	if (u->size == 0)
		return why_set(why, -EINVAL, "%s cannot be unpacked: %s: %s", u->path,
			       u->tool->name, said.s);
	fprintf(stderr,
		"vswsh: %s is cut off or damaged; what could be unpacked of it is shown (%s: %s)\n",
		u->path, u->tool->name, said.s);
	return 0;
}

static struct text first_line(const char *text)
{
	text += strspn(text, "\r\n");
	return print_text(text, strcspn(text, "\r\n"));
}

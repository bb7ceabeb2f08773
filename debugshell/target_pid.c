/*
 * A live process as a target: process_vm_readv() for its memory, /proc for the rest.
 *
 * /proc/PID/exe opens the program that runs, also when the file was deleted or replaced
 * since. Where it is loaded is told by the entry point in the auxiliary vector: one number,
 * right for any kind of program, and independent of what file system the program is on.
 */
#include "debugshell/target.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "debugshell/image.h"
#include "switch/root_types.h"

struct target_pid {
	struct target base;
	pid_t pid;
	struct image *image;
	uint64_t bias; // added to the addresses that the program was linked for
};

static int pid_read(struct target *t, tgt_addr from, void *buf, size_t size);
static int pid_symbol(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size);
static int pid_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
		       void *arg);
static int pid_maps(struct target *t, bool (*fn)(const struct target_map *, void *), void *arg);
static enum target_state pid_state(struct target *t);
static void pid_close(struct target *t);

static int pid_open_image(struct target_pid *tp, struct why *why);
static int pid_find_bias(struct target_pid *tp, struct why *why);
static int pid_check_magic(struct target_pid *tp, struct why *why);
static int pid_not_vswd(const struct target_pid *tp, struct why *why);
static int pid_denied(const struct target_pid *tp, struct why *why);
static int pid_open_file(pid_t pid, const char *file);
static bool pid_parse_map(char *line, struct target_map *ret);
static int pid_read_stat(const char *path, char *x_state, char name[16]);
static uint64_t pid_read_ran(pid_t pid, int32_t tid);
static long pid_read_number(const char *path, long otherwise);

static const struct target_ops pid_ops = {
	.read = pid_read,
	.symbol = pid_symbol,
	.threads = pid_threads,
	.maps = pid_maps,
	.state = pid_state,
	.close = pid_close,
};

int target_pid_open(pid_t pid, struct target **ret, struct why *why)
{
	struct target_pid *tp = calloc(1, sizeof(*tp));
	int err;

	if (tp == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	tp->base.ops = &pid_ops;
	tp->pid = pid;
	snprintf(tp->base.name, sizeof(tp->base.name), "process %d", (int)pid);

	err = pid_open_image(tp, why);
	if (err == 0)
		err = pid_find_bias(tp, why);
	if (err == 0)
		err = pid_check_magic(tp, why);
	if (err != 0) {
		pid_close(&tp->base);
		return err;
	}
	*ret = &tp->base;
	return 0;
}

static int pid_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	struct target_pid *tp = (struct target_pid *)t;
	size_t done = 0;

	if (from.v + size < from.v)
		return -EFAULT;
	// A read that crosses into memory that is not there comes back short first.
	while (done < size) {
		struct iovec to = {(char *)buf + done, size - done};
		struct iovec it = {(void *)(uintptr_t)(from.v + done), size - done};
		ssize_t n = process_vm_readv(tp->pid, &to, 1, &it, 1, 0);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static int pid_symbol(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size)
{
	struct target_pid *tp = (struct target_pid *)t;
	struct image_place place;

	if (image_section(tp->image, name, &place) != 0 &&
	    image_symbol(tp->image, name, &place) != 0)
		return -ENOENT;
	x_addr->v = place.vaddr + tp->bias;
	*x_size = place.size;
	return 0;
}

static int pid_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
		       void *arg)
{
	struct target_pid *tp = (struct target_pid *)t;
	char path[64 + NAME_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tp->pid);
	dir = opendir(path);
	if (dir == NULL)
		return -ESRCH;
	while ((entry = readdir(dir)) != NULL) {
		struct target_thread thread = {.tid = atoi(entry->d_name)};

		if (thread.tid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)tp->pid, thread.tid);
		if (pid_read_stat(path, &thread.state, thread.name) != 0)
			continue;
		thread.ran_ns = pid_read_ran(tp->pid, thread.tid);
		if (!fn(&thread, arg))
			break;
	}
	closedir(dir);
	return 0;
}

// 0: the kernel was built without schedstat, or the thread has ended.
static uint64_t pid_read_ran(pid_t pid, int32_t tid)
{
	char path[64];
	uint64_t ran = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, tid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &ran) != 1)
		ran = 0;
	fclose(file);
	return ran;
}

static int pid_maps(struct target *t, bool (*fn)(const struct target_map *, void *), void *arg)
{
	struct target_pid *tp = (struct target_pid *)t;
	struct target_map map;
	char *line = NULL;
	size_t room = 0;
	bool more = true;
	FILE *file;
	int fd = pid_open_file(tp->pid, "maps");

	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (file == NULL) {
		if (fd >= 0)
			close(fd);
		return -ESRCH;
	}
	while (more && getline(&line, &room, file) > 0)
		if (pid_parse_map(line, &map))
			more = fn(&map, arg);
	free(line);
	fclose(file);
	return 0;
}

static enum target_state pid_state(struct target *t)
{
	struct target_pid *tp = (struct target_pid *)t;
	char path[64];
	char name[16];
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tp->pid);
	if (pid_read_stat(path, &state, name) != 0 || state == 'Z' || state == 'X')
		return TARGET_ENDED;
	return state == 'T' || state == 't' ? TARGET_STOPPED : TARGET_RUNNING;
}

static void pid_close(struct target *t)
{
	struct target_pid *tp = (struct target_pid *)t;

	image_close(tp->image);
	free(tp);
}

static int pid_open_image(struct target_pid *tp, struct why *why)
{
	struct stat st;
	char path[64];
	int fd;
	int err;

	snprintf(path, sizeof(path), "/proc/%d", (int)tp->pid);
	if (stat(path, &st) != 0)
		return why_set(why, -ESRCH, "there is no process %d", (int)tp->pid);
	if (pid_state(&tp->base) == TARGET_ENDED)
		return why_set(why, -ESRCH, "process %d has ended", (int)tp->pid);

	fd = pid_open_file(tp->pid, "exe");
	if (fd == -EACCES || fd == -EPERM)
		return pid_denied(tp, why);
	if (fd < 0)
		return pid_not_vswd(tp, why);
	err = image_open(fd, &tp->image);
	if (err == -ENOMEM)
		return why_set(why, err, "out of memory");
	return err != 0 ? pid_not_vswd(tp, why) : 0;
}

static int pid_find_bias(struct target_pid *tp, struct why *why)
{
	Elf64_auxv_t aux;
	int err = 0;
	int fd = pid_open_file(tp->pid, "auxv");

	if (fd == -EACCES || fd == -EPERM)
		return pid_denied(tp, why);
	if (fd < 0)
		return why_set(why, -ESRCH, "process %d has ended", (int)tp->pid);
	do {
		ssize_t n = read(fd, &aux, sizeof(aux));

		if (n != (ssize_t)sizeof(aux) || aux.a_type == AT_NULL)
			err = -ENOEXEC;
	} while (err == 0 && aux.a_type != AT_ENTRY);
	close(fd);
	if (err != 0)
		return pid_not_vswd(tp, why);
	tp->bias = aux.a_un.a_val - image_entry(tp->image);
	return 0;
}

// Also finds out whether we may read its memory at all.
static int pid_check_magic(struct target_pid *tp, struct why *why)
{
	static const char magic[16] = VSW_ROOT_MAGIC;
	char its[16];
	tgt_addr addr;
	uint64_t size;
	int err;

	if (pid_symbol(&tp->base, VSW_ROOT_SECTION, &addr, &size) != 0)
		return pid_not_vswd(tp, why);
	err = TGT_READ(&tp->base, addr, &its);
	if (err == -EPERM || err == -EACCES)
		return pid_denied(tp, why);
	if (err == -ESRCH)
		return why_set(why, err, "process %d has ended", (int)tp->pid);
	if (err != 0 || memcmp(its, magic, sizeof(magic)) != 0)
		return why_set(why, -ENOEXEC,
			       "process %d is a vswd, but its root at %016lx is damaged",
			       (int)tp->pid, addr.v);
	return 0;
}

static int pid_not_vswd(const struct target_pid *tp, struct why *why)
{
	char path[64];
	char state;
	char name[16];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tp->pid);
	if (pid_read_stat(path, &state, name) != 0)
		return why_set(why, -ESRCH, "process %d has ended", (int)tp->pid);
	return why_set(why, -ENOEXEC, "process %d is not vswd: it is '%s'", (int)tp->pid, name);
}

static int pid_denied(const struct target_pid *tp, struct why *why)
{
	long scope = pid_read_number("/proc/sys/kernel/yama/ptrace_scope", 0);
	struct stat st = {.st_uid = 0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)tp->pid);
	stat(path, &st);
	if (scope >= 3)
		return why_set(why, -EACCES,
			       "not allowed to read process %d: kernel.yama.ptrace_scope is %ld, "
			       "which forbids it to everybody until the next boot",
			       (int)tp->pid, scope);
	if (geteuid() == 0)
		return why_set(why, -EACCES,
			       "not allowed to read process %d although we are root: the "
			       "capability CAP_SYS_PTRACE is missing here; run vswsh where vswd "
			       "was started",
			       (int)tp->pid);
	if (st.st_uid == geteuid() && scope > 0)
		return why_set(why, -EACCES,
			       "not allowed to read process %d: kernel.yama.ptrace_scope is %ld; "
			       "run vswsh as root, or set it to 0",
			       (int)tp->pid, scope);
	return why_set(why, -EACCES,
		       "not allowed to read process %d, which belongs to uid %u (we are uid %u): "
		       "run vswsh as root",
		       (int)tp->pid, (unsigned)st.st_uid, (unsigned)geteuid());
}

static int pid_open_file(pid_t pid, const char *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

// A line of maps(5): "start-end rights offset device inode   path". False: no file's.
static bool pid_parse_map(char *line, struct target_map *ret)
{
	uint64_t end;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &ret->start.v, &end, &ret->offset, &at) <
		    3 ||
	    at == 0 || line[at] != '/' || end <= ret->start.v)
		return false;
	ret->size = end - ret->start.v;
	ret->path = line + at;
	return true;
}

// The name in stat(5) may hold blanks and parentheses; it ends at the last ')'.
static int pid_read_stat(const char *path, char *x_state, char name[16])
{
	char text[512];
	char *from, *to;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	from = strchr(text, '(');
	to = strrchr(text, ')');
	if (from == NULL || to == NULL || to < from || to[1] != ' ' || to[2] == '\0')
		return -EINVAL;
	*to = '\0';
	snprintf(name, 16, "%s", from + 1);
	*x_state = to[2];
	return 0;
}

static long pid_read_number(const char *path, long otherwise)
{
	char text[32];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return otherwise;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return otherwise;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

#include "switch/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/ctl_socket.h"
#include "switch/dirs.h"

#define PID_FILE "vswd.pid"

static int make_dir(const char *dir, const char *group, struct errtext *e);
static int lock_pid_file(const char *path, const char *dir, struct errtext *e);
static int write_pid(int fd);

int rundir_open(const char *dir, const char *group, struct errtext *e)
{
	char path[PATH_MAX];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/%s", dir, PID_FILE) >= (int)sizeof(path))
		return errtext_set(e, -ENAMETOOLONG, "the name of RUN_DIR is too long");
	err = make_dir(dir, group, e);
	if (err != 0)
		return err;
	fd = lock_pid_file(path, dir, e);
	if (fd < 0)
		return fd;
	err = write_pid(fd);
	if (err != 0) {
		close(fd);
		return errtext_set(e, err, "cannot write to %s: %s", path, strerror(-err));
	}
	return fd;
}

void rundir_close(const char *dir, int fd)
{
	char path[PATH_MAX];

	// Before the lock goes, or it could be another vswd's file.
	if (snprintf(path, sizeof(path), "%s/%s", dir, PID_FILE) < (int)sizeof(path))
		unlink(path);
	close(fd);
}

/*
 * VM processes of the sockets' group make their sockets in RUN_DIR, so that group may write
 * there when it is the switch's own choice of group.
 */
static int make_dir(const char *dir, const char *group, struct errtext *e)
{
	bool made;
	gid_t gid;
	int err;

	err = ctl_socket_group(group, &gid, e);
	if (err == 0)
		err = dirs_make(dir, 0755, &made, e);
	if (err != 0 || !made || gid == (gid_t)-1)
		return err;
	if (chown(dir, (uid_t)-1, gid) != 0 || chmod(dir, 01775) != 0)
		return errtext_set(e, -errno, "cannot give %s to the sockets' group: %s", dir,
				   strerror(errno));
	return 0;
}

static int lock_pid_file(const char *path, const char *dir, struct errtext *e)
{
	for (;;) {
		struct stat mine, there;
		char pid[16] = "";
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0)
			return errtext_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

			pid[n > 0 ? n : 0] = '\0';
			close(fd);
			return errtext_set(
				e, -EBUSY,
				"vswd runs on %s already, as pid %.*s; stop it, or choose "
				"another RUN_DIR with -r",
				dir, (int)strcspn(pid, "\n"), pid[0] != '\0' ? pid : "unknown");
		}
		// The one before us may have removed the file between our open and our lock.
		if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
		    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
}

static int write_pid(int fd)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

	return ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n ? -errno : 0;
}

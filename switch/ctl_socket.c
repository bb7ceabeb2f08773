#include "switch/ctl_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 32 };

static int remove_stale(const char *path, const struct sockaddr_un *addr, struct errtext *e);

int ctl_socket_listen(const char *path, const char *group, mode_t mode, struct errtext *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	gid_t gid;
	mode_t old_mask;
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return errtext_set(e, -ENAMETOOLONG,
				   "the path %s is too long for a UNIX socket (%zu bytes)", path,
				   sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	err = ctl_socket_group(group, &gid, e);
	if (err != 0)
		return err;
	err = remove_stale(path, &addr, e);
	if (err != 0)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errtext_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	// Nobody may connect before group and mode are right.
	old_mask = umask(0177);
	err = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ? -errno : 0;
	umask(old_mask);
	if (err != 0) {
		errtext_set(e, err, "cannot make the socket %s: %s", path, strerror(-err));
		goto close_fd;
	}
	if ((gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) != 0) || chmod(path, mode) != 0) {
		err = errtext_set(e, -errno, "cannot give the socket %s its group and mode: %s",
				  path, strerror(errno));
		goto remove;
	}
	if (listen(fd, BACKLOG) != 0) {
		err = errtext_set(e, -errno, "cannot listen on %s: %s", path, strerror(errno));
		goto remove;
	}
	return fd;
remove:
	unlink(path);
close_fd:
	close(fd);
	return err;
}

int ctl_socket_group(const char *group, gid_t *ret, struct errtext *e)
{
	bool given = group != NULL && group[0] != '\0';
	const struct group *g = getgrnam(given ? group : "vsw");

	if (g == NULL && given)
		return errtext_set(e, -ENOENT, "there is no group '%s' (--socket-group)", group);
	*ret = g != NULL ? g->gr_gid : (gid_t)-1;
	return 0;
}

static int remove_stale(const char *path, const struct sockaddr_un *addr, struct errtext *e)
{
	struct stat st;
	int fd, err;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0
				       : errtext_set(e, -errno, "cannot look at %s: %s", path,
						     strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return errtext_set(e, -EEXIST, "%s exists and is no socket; remove it", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errtext_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 ? errno : 0;
	close(fd);
	if (err == 0 || err == EAGAIN)
		return errtext_set(e, -EADDRINUSE, "another program answers on %s", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return errtext_set(e, -errno, "cannot remove the stale socket %s: %s", path,
				   strerror(errno));
	return 0;
}

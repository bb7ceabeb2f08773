#include "ports/vhost_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/log.h"
#include "ports/vhost_types.h"
#include "ports/vnic_ops.h"

enum {
	PEER_PATIENCE_US = 300000, // for the rest of a message; VMMs send each in one piece
	NAMES_BUFFER = 16384       // for the group and user databases
};

static const char default_group[] = "vsw";

static int give_away(int fd, const char *path, struct errtext *e);
static int probe(const char *path, pid_t *pid_ret);
static int try_bind(const char *path, struct errtext *e);
static int bind_failed(const char *path, int err, struct errtext *e);
static int socket_group(gid_t *ret, bool *asked_ret, struct errtext *e);
static const char *owner_words(const char *path, char *buf, size_t size);
static void directory_of(const char *path, char *dir, size_t size);
static bool unix_address(const char *path, struct sockaddr_un *un);
static bool connection_of(int fd, const char *path, bool *exact_ret);
static void limit_waiting(int fd);
static bool name_is(int fd, const char *path, bool peer);

int vhost_socket_path(const char *name, const char *run_dir, char *path, size_t size,
		      struct errtext *e)
{
	char full[VNIC_PATH_SIZE * 2];
	int n;

	if (name == NULL || name[0] == '\0')
		return errtext_set(e, -EINVAL, "a vhost port needs the path of a socket");
	if (name[0] == '/')
		n = snprintf(full, sizeof(full), "%s", name);
	else
		n = snprintf(full, sizeof(full), "%s/%s", run_dir != NULL ? run_dir : ".", name);
	if (n > VHOST_SOCKET_PATH_MAX || (size_t)n >= size)
		return errtext_set(e, -EINVAL,
				   "socket path '%.200s' has %d bytes; the system allows %d", full,
				   n, VHOST_SOCKET_PATH_MAX);
	memcpy(path, full, (size_t)n + 1);
	return 0;
}

int vhost_socket_claim(const char *path, struct errtext *e)
{
	struct stat st;
	pid_t pid = 0;
	int rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? try_bind(path, e) : bind_failed(path, errno, e);
	if (!S_ISSOCK(st.st_mode))
		return errtext_set(e, -EEXIST,
				   "'%s' is there and is no socket, so it stays: remove it, or "
				   "choose another name",
				   path);
	rc = probe(path, &pid);
	if (rc == 0 && pid > 0)
		return errtext_set(e, -EADDRINUSE,
				   "socket '%s' is in use: process %d listens on it", path,
				   (int)pid);
	if (rc == 0)
		return errtext_set(e, -EADDRINUSE, "socket '%s' is in use: somebody listens on it",
				   path);
	if (rc == -ECONNREFUSED) {
		log_info("socket '%s' is left over, nobody listens on it: removed", path);
		if (unlink(path) < 0 && errno != ENOENT)
			return bind_failed(path, errno, e);
	} else if (rc != -ENOENT) {
		return errtext_set(e, -EADDRINUSE,
				   "socket '%s' is there, and whether it is in use cannot be "
				   "told (%s): remove it, or choose another name",
				   path, strerror(-rc));
	}
	return try_bind(path, e);
}

bool vhost_socket_remove_stale(const char *path)
{
	struct stat st;
	pid_t pid;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       probe(path, &pid) == -ECONNREFUSED && unlink(path) == 0;
}

int vhost_socket_publish(const char *path, dev_t *dev_ret, ino_t *ino_ret, struct errtext *e)
{
	// One file from here to the end, whatever takes its name in the meantime.
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = bind_failed(path, errno, e);
	} else {
		*dev_ret = st.st_dev;
		*ino_ret = st.st_ino;
		rc = S_ISSOCK(st.st_mode) ? give_away(fd, path, e)
					  : bind_failed(path, EADDRINUSE, e);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int vhost_socket_look(const char *path, struct errtext *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return vhost_socket_connect_failed(path, errno, e);
	if (!S_ISSOCK(st.st_mode))
		return vhost_socket_connect_failed(path, ENOTSOCK, e);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return vhost_socket_connect_failed(path, errno, e);
	return 0;
}

int vhost_socket_connect_failed(const char *path, int err, struct errtext *e)
{
	char owner[128], dir[VNIC_PATH_SIZE];

	switch (err) {
	case ENOENT:
		return errtext_set(e, -err,
				   "socket '%s' is not there: start the VM, which makes it", path);
	case ECONNREFUSED:
		return errtext_set(e, -err, "nobody listens on socket '%s': start the VM", path);
	case EAGAIN:
		return errtext_set(
			e, -err,
			"the program behind socket '%s' takes no connection: has it another?",
			path);
	case ENOTSOCK:
		return errtext_set(e, -err, "'%s' is no socket", path);
	case EACCES:
	case EPERM:
		directory_of(path, dir, sizeof(dir));
		if (access(path, F_OK) == 0)
			return errtext_set(e, -err,
					   "vswd may not use socket '%s' (%s): chmod g+w it, "
					   "chgrp it to vswd's group",
					   path, owner_words(path, owner, sizeof(owner)));
		return errtext_set(e, -err, "vswd may not enter '%s' (%s): chmod or chgrp it", dir,
				   owner_words(dir, owner, sizeof(owner)));
	default:
		return errtext_set(e, -err, "cannot connect to socket '%s': %s", path,
				   strerror(err));
	}
}

bool vhost_socket_is(const char *path, dev_t dev, ino_t ino)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

bool vhost_socket_set_aside(const char *path, dev_t dev, ino_t ino, char *aside, size_t size)
{
	if (access(path, F_OK) < 0 || vhost_socket_is(path, dev, ino))
		return false;
	snprintf(aside, size, "%s.%d", path, (int)getpid());
	return rename(path, aside) == 0;
}

void vhost_socket_put_back(const char *aside, const char *path)
{
	if (rename(aside, path) < 0)
		log_warn("another program's socket '%s' is now called '%s': %s", path, aside,
			 strerror(errno));
}

int vhost_socket_tame(const char *path, int known, struct ucred *peer)
{
	DIR *dir = opendir("/proc/self/fd");
	socklen_t len = sizeof(*peer);
	const struct dirent *entry;
	int found = -1;
	bool exact;

	memset(peer, 0, sizeof(*peer));
	if (dir == NULL) {
		log_warn("cannot list our files: %s; a VMM can make the vhost library wait",
			 strerror(errno));
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		// Numbers only, and not what we were started with.
		if (fd <= STDERR_FILENO || !connection_of(fd, path, &exact))
			continue;
		limit_waiting(fd);
		if (!exact || fd == known)
			continue;
		found = fd;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0)
			peer->pid = 0;
	}
	closedir(dir);
	return found;
}

bool vhost_socket_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

// Gives the socket at 'path', held by 'fd', its group and mode.
static int give_away(int fd, const char *path, struct errtext *e)
{
	mode_t mode = ports_env()->socket_mode;
	char name[32];
	bool asked;
	gid_t gid;
	int rc;

	rc = socket_group(&gid, &asked, e);
	if (rc < 0)
		return rc;
	if (gid != (gid_t)-1 && fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0) {
		rc = -errno;
		if (asked)
			return errtext_set(e, rc,
					   "cannot give socket '%s' to group '%s': %s; run vswd as "
					   "root or as a member of the group",
					   path, ports_env()->socket_group, strerror(-rc));
		log_warn("cannot give socket '%s' to group '%s': %s", path, default_group,
			 strerror(-rc));
	}
	// Opened last, when the group is the right one.
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (chmod(name, mode != 0 ? mode : 0660) < 0)
		return errtext_set(e, -errno, "cannot set the mode of socket '%s': %s", path,
				   strerror(errno));
	return 0;
}

// Whether somebody listens on the socket: 0 and who, or a negative errno.
static int probe(const char *path, pid_t *pid_ret)
{
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof(peer);
	struct sockaddr_un un;
	int fd, rc = 0;

	if (!unix_address(path, &un))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		rc = -errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		*pid_ret = peer.pid;
	// A full backlog, or a listener of another type: somebody is there all the same.
	if (rc == -EAGAIN || rc == -EPROTOTYPE)
		rc = 0;
	close(fd);
	return rc;
}

/*
 * Binds and removes the socket, since the library does not say why it could not, and is
 * not to be asked twice: it would close a file that is no longer its own.
 */
static int try_bind(const char *path, struct errtext *e)
{
	struct sockaddr_un un;
	int fd, rc = 0;

	if (!unix_address(path, &un))
		return bind_failed(path, ENAMETOOLONG, e);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errtext_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		rc = bind_failed(path, errno, e);
	else
		unlink(path);
	close(fd);
	return rc;
}

static int bind_failed(const char *path, int err, struct errtext *e)
{
	char owner[128], dir[VNIC_PATH_SIZE];

	directory_of(path, dir, sizeof(dir));
	switch (err) {
	case ENOENT:
		return errtext_set(e, -err, "directory '%s' of socket '%s' is not there: make it",
				   dir, path);
	case EACCES:
	case EPERM:
		return errtext_set(e, -err,
				   "vswd may not make socket '%s': '%s' is %s: chmod or chgrp it",
				   path, dir, owner_words(dir, owner, sizeof(owner)));
	default:
		return errtext_set(e, -err, "cannot make socket '%s': %s", path, strerror(err));
	}
}

// The group for our sockets, -1: leave it. 'asked': it was configured, not our default.
static int socket_group(gid_t *ret, bool *asked_ret, struct errtext *e)
{
	const char *name = ports_env()->socket_group;
	struct group group, *found = NULL;
	char *buffer;

	*asked_ret = name != NULL && name[0] != '\0';
	if (!*asked_ret)
		name = default_group;
	buffer = malloc(NAMES_BUFFER);
	if (buffer == NULL)
		return -ENOMEM;
	getgrnam_r(name, &group, buffer, NAMES_BUFFER, &found);
	*ret = found != NULL ? group.gr_gid : (gid_t)-1;
	free(buffer);
	if (found == NULL && *asked_ret)
		return errtext_set(e, -ENOENT,
				   "group '%s' for sockets does not exist: groupadd --system %s",
				   name, name);
	return 0;
}

// "user:group, mode 0755" of a file.
static const char *owner_words(const char *path, char *buf, size_t size)
{
	char user_name[40], group_name[40];
	const struct passwd *user;
	const struct group *group;
	struct stat st;

	if (stat(path, &st) < 0) {
		snprintf(buf, size, "%s", strerror(errno));
		return buf;
	}
	snprintf(user_name, sizeof(user_name), "%u", st.st_uid);
	snprintf(group_name, sizeof(group_name), "%u", st.st_gid);
	user = getpwuid(st.st_uid);
	if (user != NULL)
		snprintf(user_name, sizeof(user_name), "%s", user->pw_name);
	group = getgrgid(st.st_gid);
	if (group != NULL)
		snprintf(group_name, sizeof(group_name), "%s", group->gr_name);
	snprintf(buf, size, "%s:%s, mode %04o", user_name, group_name, st.st_mode & 07777);
	return buf;
}

static void directory_of(const char *path, char *dir, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (n == 0)
		snprintf(dir, size, "%s", slash != NULL ? "/" : ".");
	else
		snprintf(dir, size, "%.*s", (int)n, path);
}

static bool unix_address(const char *path, struct sockaddr_un *un)
{
	size_t n = strlen(path);

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (n >= sizeof(un->sun_path))
		return false;
	memcpy(un->sun_path, path, n + 1);
	return true;
}

/*
 * Whether 'fd' can be a connection of the socket. The library does not tell which one is. On our
 * own socket each connection carries its name. A VMM may know its socket by another name
 * than we do (a container), so any connected stream socket that may wait is taken for one: what is
 * done to it does no harm to any other.
 */
static bool connection_of(int fd, const char *path, bool *exact_ret)
{
	int type = 0, listens = 0, flags = fcntl(fd, F_GETFL);
	struct sockaddr_un un = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(type);

	if (flags < 0 || (flags & O_NONBLOCK) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return false;
	len = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || listens)
		return false;
	len = sizeof(un);
	if (getpeername(fd, (struct sockaddr *)&un, &len) < 0 || un.sun_family != AF_UNIX)
		return false;
	*exact_ret = name_is(fd, path, true) || name_is(fd, path, false);
	return true;
}

static bool name_is(int fd, const char *path, bool peer)
{
	struct sockaddr_un un = {.sun_family = AF_UNSPEC};
	socklen_t len = sizeof(un);
	int rc = peer ? getpeername(fd, (struct sockaddr *)&un, &len)
		      : getsockname(fd, (struct sockaddr *)&un, &len);

	return rc == 0 && len > offsetof(struct sockaddr_un, sun_path) &&
	       strncmp(un.sun_path, path, sizeof(un.sun_path)) == 0;
}

static void limit_waiting(int fd)
{
	const struct timeval limit = {.tv_usec = PEER_PATIENCE_US};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

#include "ports/tap_find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/log.h"
#include "ports/netlink.h"

enum { NAMESPACES_MAX = 1024 }; // that are looked into

static const char TUN_DEVICE[] = "/dev/net/tun";
static const char OWN_NAMESPACE[] = "/proc/thread-self/ns/net";
static const char NAMED_NAMESPACES[] = "/run/netns";

// The namespaces that were looked into already: many processes share one.
struct seen {
	unsigned n;
	ino_t inodes[NAMESPACES_MAX];
};

static bool look_everywhere(struct tap_home *h, const char *alias);
static bool look_into(const char *path, struct seen *seen, struct tap_home *h, const char *alias);
static bool is_new(struct seen *seen, int fd);
static void go(int fd);
static bool holds(int pid, const char *ifname);
static bool fd_is_tun_of(int pid, const char *fd, const char *ifname);

void tap_home_enter(struct tap_home *h, const char *ifname, const char *alias)
{
	struct netlink_link link;

	*h = (struct tap_home){.back_fd = -1};
	if (ifname != NULL)
		snprintf(h->ifname, sizeof(h->ifname), "%.15s", ifname);
	h->is_found = (ifname != NULL && netlink_get_link(ifname, &link) == 0) ||
		      netlink_find_alias(alias, h->ifname) == 0 || look_everywhere(h, alias);
}

void tap_home_leave(struct tap_home *h)
{
	if (h->back_fd < 0)
		return;
	go(h->back_fd);
	close(h->back_fd);
	h->back_fd = -1;
}

bool tap_find_holder(const char *ifname, int *ret_pid, char *comm, size_t comm_size)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	char path[64];
	int pid = 0;
	FILE *f;

	if (proc == NULL)
		return false;
	while (pid == 0 && (d = readdir(proc)) != NULL) {
		if (isdigit((unsigned char)d->d_name[0]) && holds(atoi(d->d_name), ifname))
			pid = atoi(d->d_name);
	}
	closedir(proc);
	if (pid == 0)
		return false;
	snprintf(comm, comm_size, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f != NULL) {
		if (fgets(comm, (int)comm_size, f) != NULL)
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
	}
	*ret_pid = pid;
	return true;
}

// Leaves us in the namespace where it was found.
static bool look_everywhere(struct tap_home *h, const char *alias)
{
	static struct seen seen;
	static const char *const folders[] = {NAMED_NAMESPACES, "/proc"};
	bool found = false;
	struct dirent *d;
	char path[320];

	seen.n = 0;
	h->back_fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
	if (h->back_fd < 0)
		return false;
	is_new(&seen, h->back_fd);
	for (unsigned i = 0; i < 2 && !found; i++) {
		DIR *dir = opendir(folders[i]);

		while (!found && dir != NULL && (d = readdir(dir)) != NULL) {
			if (d->d_name[0] == '.' ||
			    (i == 1 && !isdigit((unsigned char)d->d_name[0])))
				continue;
			snprintf(path, sizeof(path), "%s/%s%s", folders[i], d->d_name,
				 i == 1 ? "/ns/net" : "");
			found = look_into(path, &seen, h, alias);
		}
		if (dir != NULL)
			closedir(dir);
	}
	if (!found)
		tap_home_leave(h);
	return found;
}

// Goes there and, unless what is looked for is there, comes back.
static bool look_into(const char *path, struct seen *seen, struct tap_home *h, const char *alias)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool found = false;

	if (fd < 0)
		return false;
	if (is_new(seen, fd) && setns(fd, CLONE_NEWNET) == 0) {
		found = netlink_find_alias(alias, h->ifname) == 0;
		if (!found)
			go(h->back_fd);
	}
	close(fd);
	return found;
}

static bool is_new(struct seen *seen, int fd)
{
	struct stat sb;

	if (fstat(fd, &sb) < 0 || seen->n == NAMESPACES_MAX)
		return false;
	for (unsigned i = 0; i < seen->n; i++) {
		if (seen->inodes[i] == sb.st_ino)
			return false;
	}
	seen->inodes[seen->n++] = sb.st_ino;
	return true;
}

static void go(int fd)
{
	if (setns(fd, CLONE_NEWNET) == 0)
		return;
	log_error("cannot come back to our own network namespace: %s", strerror(errno));
	abort();
}

static bool holds(int pid, const char *ifname)
{
	bool found = false;
	struct dirent *d;
	char path[64];
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (fds == NULL)
		return false;
	while (!found && (d = readdir(fds)) != NULL)
		found = isdigit((unsigned char)d->d_name[0]) &&
			fd_is_tun_of(pid, d->d_name, ifname);
	closedir(fds);
	return found;
}

static bool fd_is_tun_of(int pid, const char *fd, const char *ifname)
{
	char path[320], target[64], line[128], name[IFNAMSIZ];
	bool found = false;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	if (strcmp(target, TUN_DEVICE) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "iff: %15s", name) == 1 && strcmp(name, ifname) == 0;
	fclose(f);
	return found;
}

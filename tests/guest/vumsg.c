#include "tests/guest/vumsg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MANY_FDS 64u // more than the protocol allows: tests send too many on purpose

static int read_all(int sock, void *data, size_t size, int timeout_ms);
static int wait_readable(int sock, int timeout_ms);
static void take_fds(struct msghdr *hdr, int *fd_ret);

int vumsg_send_raw(int sock, const void *data, size_t size, const int fds[], unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MANY_FDS * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds > MANY_FDS)
		return -EINVAL;
	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		hdr.msg_control = control.bytes;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	for (;;) {
		ssize_t sent = sendmsg(sock, &hdr, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		if ((size_t)sent == iov.iov_len)
			return 0;
		// The descriptors went with the first bytes.
		hdr.msg_control = NULL;
		hdr.msg_controllen = 0;
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= (size_t)sent;
	}
}

int vumsg_send(int sock, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	       const int fds[], unsigned n_fds)
{
	struct vumsg msg = {.request = request, .flags = flags, .size = size};

	if (size > sizeof(msg.payload))
		return -EMSGSIZE;
	if (size > 0)
		memcpy(&msg.payload, payload, size);
	return vumsg_send_raw(sock, &msg, VUMSG_HEADER_SIZE + size, fds, n_fds);
}

int vumsg_recv(int sock, struct vumsg *msg, int timeout_ms, int *fd_ret)
{
	char control[CMSG_SPACE(MANY_FDS * sizeof(int))];
	struct iovec iov = {.iov_base = msg, .iov_len = VUMSG_HEADER_SIZE};
	struct msghdr hdr = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t got;
	int ret = wait_readable(sock, timeout_ms);

	if (ret < 0)
		return ret;
	do
		got = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? -ENOTCONN : -errno;
	if (got == 0)
		return -ENOTCONN;
	take_fds(&hdr, fd_ret);
	ret = read_all(sock, (char *)msg + got, VUMSG_HEADER_SIZE - (size_t)got, timeout_ms);
	if (ret < 0)
		return ret;
	if (msg->size > sizeof(msg->payload))
		return -EMSGSIZE;
	return read_all(sock, &msg->payload, msg->size, timeout_ms);
}

static int wait_readable(int sock, int timeout_ms)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int read_all(int sock, void *data, size_t size, int timeout_ms)
{
	char *at = data;

	while (size > 0) {
		int ret = wait_readable(sock, timeout_ms);
		if (ret < 0)
			return ret;
		ssize_t got = recv(sock, at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == ECONNRESET ? -ENOTCONN : -errno;
		if (got == 0)
			return -ENOTCONN;
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

static void take_fds(struct msghdr *hdr, int *fd_ret)
{
	if (fd_ret)
		*fd_ret = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (fd_ret && *fd_ret < 0)
				*fd_ret = fd;
			else
				close(fd);
		}
	}
}

#include "bench/tapend.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_BYTES (16 << 20)

static_assert(sizeof(struct virtio_net_hdr_mrg_rxbuf) ==
		      sizeof(((struct tapend_frame *)0)->tap.header),
	      "the header that TUNSETVNETHDRSZ asks for");

static int open_tap(const char *ifname, bool napi);
static int open_socket(const char *ifname);
static int set_socket(int fd, const char *ifname);
static int send_tap(int fd, struct tapend_frame *const frames[], unsigned n);
static int send_socket(int fd, struct tapend_frame *const frames[], unsigned n);
static int recv_tap(int fd, struct tapend_frame frames[], unsigned n);
static int recv_socket(int fd, struct tapend_frame frames[], unsigned n);
static bool try_again(int err);
static int write_word(const char *path, const char *word);
static int find_process(const char *prefix);

int tapend_open(enum tapend_kind kind, const char *ifname, bool napi, struct tapend *ret)
{
	int fd;

	if (ifname[0] == '\0' || strlen(ifname) >= IFNAMSIZ)
		return -EINVAL;
	fd = kind == TAPEND_VMM ? open_tap(ifname, napi) : open_socket(ifname);
	if (fd < 0)
		return fd;
	*ret = (struct tapend){.kind = kind, .fd = fd};
	return 0;
}

void tapend_close(struct tapend *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int tapend_send(struct tapend *t, struct tapend_frame *const frames[], unsigned n)
{
	return t->kind == TAPEND_VMM ? send_tap(t->fd, frames, n) : send_socket(t->fd, frames, n);
}

int tapend_recv(struct tapend *t, struct tapend_frame frames[], unsigned n)
{
	return t->kind == TAPEND_VMM ? recv_tap(t->fd, frames, n) : recv_socket(t->fd, frames, n);
}

int tapend_thread_napi(const char *ifname, int core, int *pid_ret)
{
	char text[64];
	cpu_set_t set;
	int ret, pid;

	snprintf(text, sizeof(text), "/sys/class/net/%s/threaded", ifname);
	ret = write_word(text, "1");
	if (ret < 0)
		return ret;
	snprintf(text, sizeof(text), "napi/%s-", ifname);
	// The thread takes its name some time after the file was written.
	for (unsigned i = 0; (pid = find_process(text)) == 0; i++) {
		if (i == 200)
			return -ESRCH;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) < 0)
		return -errno;
	*pid_ret = pid;
	return 0;
}

// What QEMU does for a guest that takes and sends everything that a present Linux has.
static int open_tap(const char *ifname, bool napi)
{
	struct ifreq request = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (napi ? IFF_NAPI : 0))};
	unsigned offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int header_size = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	strcpy(request.ifr_name, ifname);
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_size) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, offloads) < 0) {
		int err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static int open_socket(const char *ifname)
{
	// No protocol yet: frames of other interfaces must not come in before bind().
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = set_socket(fd, ifname);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

static int set_socket(int fd, const char *ifname)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(ifname)};
	struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex,
					  .mr_type = PACKET_MR_PROMISC};
	int on = 1, bytes = SOCKET_BYTES;

	if (address.sll_ifindex == 0)
		return -ENODEV;
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) <
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

static int send_tap(int fd, struct tapend_frame *const frames[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct tapend_frame *f = frames[i];

		memset(f->tap.header, 0, sizeof(f->tap.header));
		if (write(fd, &f->tap, sizeof(f->tap.header) + f->length) >= 0)
			continue;
		return i > 0 || try_again(errno) ? (int)i : -errno;
	}
	return (int)n;
}

static int send_socket(int fd, struct tapend_frame *const frames[], unsigned n)
{
	struct mmsghdr messages[TAPEND_BATCH] = {0};
	struct iovec iov[TAPEND_BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){.iov_base = frames[i]->tap.data,
					.iov_len = frames[i]->length};
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(fd, messages, n, 0);
	if (sent < 0)
		return try_again(errno) ? 0 : -errno;
	return sent;
}

static int recv_tap(int fd, struct tapend_frame frames[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct tapend_frame *f = &frames[i];
		ssize_t size = read(fd, &f->tap, sizeof(f->tap));

		if (size < 0)
			return i > 0 || try_again(errno) ? (int)i : -errno;
		f->length = size > (ssize_t)sizeof(f->tap.header)
				    ? (uint32_t)size - (uint32_t)sizeof(f->tap.header)
				    : 0;
	}
	return (int)n;
}

static int recv_socket(int fd, struct tapend_frame frames[], unsigned n)
{
	struct mmsghdr messages[TAPEND_BATCH] = {0};
	struct iovec iov[TAPEND_BATCH];
	int received;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){.iov_base = frames[i].tap.data,
					.iov_len = sizeof(frames[i].tap.data)};
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	received = recvmmsg(fd, messages, n, MSG_DONTWAIT, NULL);
	if (received < 0)
		return try_again(errno) ? 0 : -errno;
	for (int i = 0; i < received; i++)
		frames[i].length = messages[i].msg_len;
	return received;
}

// A full queue, or a link that is not up yet or not any more: traffic shows it.
static bool try_again(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == EIO || err == ENETDOWN || err == EINTR;
}

static int write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, word, strlen(word)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

// The process whose name begins with 'prefix'; 0: there is none.
static int find_process(const char *prefix)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int pid = 0;

	if (proc == NULL)
		return 0;
	while (pid == 0 && (entry = readdir(proc)) != NULL) {
		char path[300], name[32] = "";
		FILE *file;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fgets(name, sizeof(name), file) != NULL &&
		    strncmp(name, prefix, strlen(prefix)) == 0)
			pid = atoi(entry->d_name);
		fclose(file);
	}
	closedir(proc);
	return pid;
}

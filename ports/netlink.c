#include "ports/netlink.h"

#include <ctype.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 32 << 10,   // bytes of messages read at a time; the kernel sends up to 8 KB
	RECEIVE_BUFFER = 1 << 20, // bytes that may wait in the socket
	NAMES_MAX = 4096,         // interfaces whose names are remembered
	READS_MAX = 64            // messages taken in one go, so that the main loop gets its turn
};

struct name {
	int ifindex;
	char name[IFNAMSIZ];
};

struct netlink {
	int fd;
	unsigned n_names;
	struct name *names;
};

static int ask_all_links(int fd);
static void take_messages(struct netlink *nl, void *buf, unsigned size, netlink_changed_fn changed,
			  void *arg);
static void take_link(struct netlink *nl, struct nlmsghdr *msg, netlink_changed_fn changed,
		      void *arg);
static int find_alias(void *buf, unsigned size, const char *alias, char ifname[IFNAMSIZ]);
static void copy_name(char to[IFNAMSIZ], struct rtattr *attr);
static struct rtattr *find_attr(struct nlmsghdr *msg, unsigned type);
static struct name *find_name(struct netlink *nl, int ifindex);
static void remember(struct netlink *nl, int ifindex, const char *name);
static int if_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr);
static void get_driver(const char *ifname, struct netlink_link *link);
static int transact(void *msg, void *reply, unsigned reply_size);

int netlink_create(struct netlink **ret, struct errtext *e)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	const int size = RECEIVE_BUFFER;
	struct netlink *nl = calloc(1, sizeof(*nl));
	int rc;

	if (nl == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory to watch interfaces");
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (nl->fd < 0) {
		rc = -errno;
		goto free_nl;
	}
	// A larger buffer only makes overruns rarer.
	(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(nl->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		rc = -errno;
		goto close_fd;
	}
	rc = ask_all_links(nl->fd);
	if (rc < 0)
		goto close_fd;
	*ret = nl;
	return 0;
close_fd:
	close(nl->fd);
free_nl:
	free(nl);
	return errtext_set(e, rc, "cannot watch the network interfaces (rtnetlink): %s",
			   strerror(-rc));
}

void netlink_destroy(struct netlink *nl)
{
	if (nl == NULL)
		return;
	close(nl->fd);
	free(nl->names);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return nl->fd;
}

void netlink_read(struct netlink *nl, netlink_changed_fn changed, void *arg)
{
	alignas(8) static char buf[BUFFER_SIZE];

	for (unsigned i = 0; i < READS_MAX; i++) {
		struct sockaddr_nl from;
		socklen_t from_size = sizeof(from);
		ssize_t n = recvfrom(nl->fd, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from,
				     &from_size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			// Messages were lost. Learn the names again, and let everybody look.
			(void)ask_all_links(nl->fd);
			changed(arg, NULL);
			continue;
		}
		if (n <= 0)
			return;
		if (n > (ssize_t)sizeof(buf)) {
			changed(arg, NULL);
			continue;
		}
		// Other processes may send to our port; only the kernel's word counts.
		if (from_size == sizeof(from) && from.nl_pid == 0)
			take_messages(nl, buf, (unsigned)n, changed, arg);
	}
}

int netlink_get_link(const char *ifname, struct netlink_link *ret)
{
	struct netlink_link link = {0};
	struct ifreq ifr;
	int rc;

	rc = if_ioctl(ifname, SIOCGIFINDEX, &ifr);
	if (rc < 0)
		return rc;
	link.ifindex = ifr.ifr_ifindex;
	rc = if_ioctl(ifname, SIOCGIFFLAGS, &ifr);
	if (rc < 0)
		return rc;
	link.up = (ifr.ifr_flags & IFF_UP) != 0;
	link.running = link.up && (ifr.ifr_flags & IFF_RUNNING) != 0;
	rc = if_ioctl(ifname, SIOCGIFMTU, &ifr);
	if (rc < 0)
		return rc;
	link.mtu = (uint32_t)ifr.ifr_mtu;
	rc = if_ioctl(ifname, SIOCGIFHWADDR, &ifr);
	if (rc < 0)
		return rc;
	link.type = ifr.ifr_hwaddr.sa_family;
	if (link.type == ARPHRD_ETHER)
		memcpy(link.mac, ifr.ifr_hwaddr.sa_data, sizeof(link.mac));
	get_driver(ifname, &link);
	*ret = link;
	return 0;
}

int netlink_set_mtu(const char *ifname, uint32_t mtu, struct errtext *e)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};
	int rc = if_ioctl(ifname, SIOCSIFMTU, &ifr);

	if (rc < 0)
		return errtext_set(e, rc, "cannot set the MTU of interface '%s' to %u: %s", ifname,
				   mtu, strerror(-rc));
	return 0;
}

int netlink_set_up(const char *ifname, struct errtext *e)
{
	struct ifreq ifr;
	int rc = if_ioctl(ifname, SIOCGIFFLAGS, &ifr);

	if (rc == 0 && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		rc = if_ioctl(ifname, SIOCSIFFLAGS, &ifr);
	}
	if (rc < 0)
		return errtext_set(e, rc, "cannot bring interface '%s' up: %s", ifname,
				   strerror(-rc));
	return 0;
}

int netlink_set_mac(const char *ifname, const uint8_t mac[6], struct errtext *e)
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
	int rc;

	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	rc = if_ioctl(ifname, SIOCSIFHWADDR, &ifr);
	if (rc < 0)
		return errtext_set(e, rc,
				   "cannot set the address of interface '%s' to "
				   "%02x:%02x:%02x:%02x:%02x:%02x: %s",
				   ifname, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
				   strerror(-rc));
	return 0;
}

int netlink_set_alias(int ifindex, const char *alias, struct errtext *e)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
		struct rtattr attr;
		char alias[NETLINK_ALIAS_SIZE];
	} msg = {0};
	size_t size = strnlen(alias, NETLINK_ALIAS_SIZE - 1);
	int rc;

	msg.h.nlmsg_type = RTM_SETLINK;
	msg.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg.info.ifi_index = ifindex;
	msg.attr.rta_type = IFLA_IFALIAS;
	msg.attr.rta_len = (uint16_t)RTA_LENGTH(size);
	memcpy(msg.alias, alias, size);
	msg.h.nlmsg_len = NLMSG_LENGTH(sizeof(msg.info)) + (uint32_t)RTA_SPACE(size);
	rc = transact(&msg, NULL, 0);
	if (rc < 0)
		return errtext_set(e, rc, "cannot set the alias of interface %d: %s", ifindex,
				   strerror(-rc));
	return 0;
}

int netlink_get_alias(int ifindex, char alias[NETLINK_ALIAS_SIZE])
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} msg = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		      .nlmsg_type = RTM_GETLINK,
		      .nlmsg_flags = NLM_F_REQUEST},
		.info = {.ifi_index = ifindex},
	};
	alignas(8) static char reply[BUFFER_SIZE];
	struct rtattr *attr;
	size_t size;
	int rc = transact(&msg, reply, sizeof(reply));

	if (rc < 0)
		return rc;
	alias[0] = '\0';
	attr = find_attr((struct nlmsghdr *)reply, IFLA_IFALIAS);
	if (attr == NULL)
		return 0;
	size = RTA_PAYLOAD(attr);
	if (size > NETLINK_ALIAS_SIZE - 1)
		size = NETLINK_ALIAS_SIZE - 1;
	memcpy(alias, RTA_DATA(attr), size);
	alias[size] = '\0';
	return 0;
}

int netlink_delete(int ifindex)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} msg = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		      .nlmsg_type = RTM_DELLINK,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.info = {.ifi_index = ifindex},
	};

	return transact(&msg, NULL, 0);
}

int netlink_find_alias(const char *alias, char ifname[IFNAMSIZ])
{
	alignas(8) static char buf[BUFFER_SIZE];
	const struct timeval patience = {.tv_sec = 1};
	int rc = -EAGAIN, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (ask_all_links(fd) < 0)
		rc = -errno;
	while (rc == -EAGAIN) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		rc = n < 0 ? -errno : find_alias(buf, (unsigned)n, alias, ifname);
	}
	close(fd);
	return rc;
}

bool netlink_name_ok(const char *name)
{
	size_t size = strnlen(name, IFNAMSIZ);

	if (size == 0 || size == IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)name[i];

		// '%' would make the kernel number the name.
		if (c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == '%')
			return false;
	}
	return true;
}

// The answers arrive like any other message, as RTM_NEWLINK.
static int ask_all_links(int fd)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} msg = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		      .nlmsg_type = RTM_GETLINK,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(fd, &msg, msg.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

static void take_messages(struct netlink *nl, void *buf, unsigned size, netlink_changed_fn changed,
			  void *arg)
{
	unsigned left = size;

	for (struct nlmsghdr *msg = buf; NLMSG_OK(msg, left); msg = NLMSG_NEXT(msg, left)) {
		if (msg->nlmsg_type == RTM_NEWLINK || msg->nlmsg_type == RTM_DELLINK)
			take_link(nl, msg, changed, arg);
	}
}

static void take_link(struct netlink *nl, struct nlmsghdr *msg, netlink_changed_fn changed,
		      void *arg)
{
	struct ifinfomsg *info = NLMSG_DATA(msg);
	struct rtattr *attr = find_attr(msg, IFLA_IFNAME);
	char name[IFNAMSIZ] = "", old_name[IFNAMSIZ];
	struct name *old;

	if (attr == NULL)
		return;
	copy_name(name, attr);
	old = find_name(nl, info->ifi_index);
	if (old != NULL && strcmp(old->name, name) != 0) {
		memcpy(old_name, old->name, sizeof(old_name));
		memcpy(old->name, name, sizeof(old->name));
		changed(arg, old_name);
	}
	if (msg->nlmsg_type == RTM_NEWLINK && old == NULL)
		remember(nl, info->ifi_index, name);
	if (msg->nlmsg_type == RTM_DELLINK && old != NULL)
		*old = nl->names[--nl->n_names];
	changed(arg, name);
}

// 0: found. -ENODEV: that was the last message. -EAGAIN: there are more to come.
static int find_alias(void *buf, unsigned size, const char *alias, char ifname[IFNAMSIZ])
{
	unsigned left = size;

	for (struct nlmsghdr *msg = buf; NLMSG_OK(msg, left); msg = NLMSG_NEXT(msg, left)) {
		struct rtattr *text = find_attr(msg, IFLA_IFALIAS), *name;

		if (msg->nlmsg_type == NLMSG_DONE || msg->nlmsg_type == NLMSG_ERROR)
			return -ENODEV;
		if (msg->nlmsg_type != RTM_NEWLINK || text == NULL ||
		    strnlen(RTA_DATA(text), RTA_PAYLOAD(text)) != strlen(alias) ||
		    memcmp(RTA_DATA(text), alias, strlen(alias)) != 0)
			continue;
		name = find_attr(msg, IFLA_IFNAME);
		if (name == NULL)
			continue;
		copy_name(ifname, name);
		return 0;
	}
	return -EAGAIN;
}

static void copy_name(char to[IFNAMSIZ], struct rtattr *attr)
{
	size_t size = RTA_PAYLOAD(attr) < IFNAMSIZ - 1 ? RTA_PAYLOAD(attr) : IFNAMSIZ - 1;

	memset(to, 0, IFNAMSIZ);
	memcpy(to, RTA_DATA(attr), size);
}

static struct rtattr *find_attr(struct nlmsghdr *msg, unsigned type)
{
	struct ifinfomsg *info = NLMSG_DATA(msg);
	int left;

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return NULL;
	left = (int)(msg->nlmsg_len - NLMSG_LENGTH(sizeof(*info)));
	for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == type)
			return a;
	}
	return NULL;
}

static struct name *find_name(struct netlink *nl, int ifindex)
{
	for (unsigned i = 0; i < nl->n_names; i++) {
		if (nl->names[i].ifindex == ifindex)
			return &nl->names[i];
	}
	return NULL;
}

// A name that cannot be remembered only costs the notice of its being renamed.
static void remember(struct netlink *nl, int ifindex, const char *name)
{
	struct name *names;

	if (nl->n_names == NAMES_MAX)
		return;
	if (nl->n_names % 64 == 0) {
		names = realloc(nl->names, (nl->n_names + 64) * sizeof(*names));
		if (names == NULL)
			return;
		nl->names = names;
	}
	nl->names[nl->n_names].ifindex = ifindex;
	memcpy(nl->names[nl->n_names].name, name, IFNAMSIZ);
	nl->n_names++;
}

static int if_ioctl(const char *ifname, unsigned long request, struct ifreq *ifr)
{
	int fd, rc = 0;

	if (!netlink_name_ok(ifname))
		return -ENODEV;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strcpy(ifr->ifr_name, ifname);
	if (ioctl(fd, request, ifr) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void get_driver(const char *ifname, struct netlink_link *link)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};

	// Not every driver answers.
	if (if_ioctl(ifname, SIOCETHTOOL, &ifr) < 0)
		return;
	memcpy(link->driver, info.driver, sizeof(link->driver) - 1);
	memcpy(link->bus, info.bus_info, sizeof(link->bus) - 1);
}

/*
 * Sends one request on a socket of its own and waits for the kernel's answer, which comes at
 * once. Gives the first message of the answer when 'reply' is not NULL.
 */
static int transact(void *msg, void *reply, unsigned reply_size)
{
	const struct timeval patience = {.tv_sec = 1};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr *request = msg;
	alignas(8) char ack[1024];
	struct nlmsghdr *answer = reply != NULL ? reply : (void *)ack;
	ssize_t n;
	int rc = 0, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (sendto(fd, msg, request->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		goto fail;
	n = recv(fd, reply != NULL ? reply : ack, reply != NULL ? reply_size : sizeof(ack), 0);
	if (n < 0)
		goto fail;
	if (!NLMSG_OK(answer, (unsigned)n))
		rc = -EBADMSG;
	else if (answer->nlmsg_type == NLMSG_ERROR)
		rc = ((struct nlmsgerr *)NLMSG_DATA(answer))->error;
	close(fd);
	return rc;
fail:
	rc = -errno;
	close(fd);
	return rc;
}

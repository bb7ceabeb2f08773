/*
 * The TAP back end. A TAP is persistent while its port is configured, so that it and the
 * addresses that the host has put on it survive the death of the switch; a restarted switch
 * attaches to it again. An alias on the interface says that it was made by us, so that we find
 * it although it was moved to another network namespace (a machine's) or renamed; and one that
 * somebody else made is used, but never deleted.
 *
 * The kernel is asked for partial checksums and GSO frames, and takes them: nothing is
 * completed in this file. Its receive side is checked by nethdr_read() all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ports/droplog.h"
#include "ports/hostio.h"
#include "ports/log.h"
#include "ports/nethdr.h"
#include "ports/netlink.h"
#include "ports/tap_find.h"
#include "ports/tap_types.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"
#include "ports/vport.h"

// Newer than Debian 12's headers.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static const char TUN_DEVICE[] = "/dev/net/tun";

static void tap_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);
static void tap_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void tap_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st);
static int tap_rx_arm(struct vnic *nic, unsigned q);
static void tap_rx_disarm(struct vnic *nic, unsigned q);
static int tap_start(struct vnic *nic, struct errtext *e);
static void tap_stop(struct vnic *nic, bool forget);
static void tap_destroy(struct vnic *nic);
static void tap_link_changed(struct vnic *nic);
static void tap_mtu_changed(struct vnic *nic);
static void tap_set_mac(struct vnic *nic, const uint8_t mac[6]);

static bool read_frame(struct tap *t, int fd, struct vnbl *v, uint8_t *to, struct vport_stats *st);
static int write_frame(int fd, const struct vnbl *v);
static void report_gone(struct tap *t);
static int open_device(struct tap *t, bool existed, struct errtext *e);
static int attach(struct tap *t, int fd, bool existed, struct errtext *e);
static int attach_error(const char *ifname, int err, struct errtext *e);
static int set_offloads(struct tap *t, int fd, struct errtext *e);
static void make_alias(const char *name, char alias[NETLINK_ALIAS_SIZE]);
static int set_owner(struct tap *t, bool existed, struct errtext *e);
static int set_up(struct tap *t, struct errtext *e);
static bool is_here(const struct tap *t, int ifindex);
static void detach(struct tap *t);
static void look_at_link(struct tap *t);

static const uint8_t no_mac[6];

static const struct vnic_ops tap_ops = {
	.rx = tap_rx,
	.rx_done = tap_rx_done,
	.tx = tap_tx,
	.rx_arm = tap_rx_arm,
	.rx_disarm = tap_rx_disarm,
	.start = tap_start,
	.stop = tap_stop,
	.destroy = tap_destroy,
	.link_changed = tap_link_changed,
	.mtu_changed = tap_mtu_changed,
	.set_mac = tap_set_mac,
};

int tap_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	struct tap *t;

	if (conf->path == NULL || !netlink_name_ok(conf->path))
		return errtext_set(e, -EINVAL,
				   "'%s' cannot be the name of a TAP: 1 to 15 characters without "
				   "blank, '/', ':' and '%%'",
				   conf->path != NULL ? conf->path : "");
	t = aligned_alloc(64, sizeof(*t));
	if (t == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory for a TAP port");
	// The arena is not touched here: most of it never is.
	memset(t, 0, offsetof(struct tap, arena));
	t->nic.ops = &tap_ops;
	atomic_init(&t->fd, -1);
	memcpy(t->mac_conf, conf->mac, sizeof(t->mac_conf));
	*ret = &t->nic;
	return 0;
}

bool tap_forget(const char *name)
{
	char alias[NETLINK_ALIAS_SIZE];
	struct netlink_link link;
	struct tap_home home;
	bool gone;

	make_alias(name, alias);
	tap_home_enter(&home, NULL, alias);
	gone = home.is_found && netlink_get_link(home.ifname, &link) == 0 &&
	       netlink_delete(link.ifindex) == 0;
	tap_home_leave(&home);
	return gone;
}

static void tap_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct tap *t = (struct tap *)nic;
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire);
	uint8_t *to = t->arena + VNBL_HEADROOM;

	burst->n = 0;
	burst->bytes = 0;
	if (fd < 0 || atomic_load_explicit(&t->is_gone, memory_order_relaxed))
		return;
	// Reads are counted, too: a source of malformed frames only must not hold us here.
	for (unsigned reads = 0; reads < VNBL_BURST_MAX && burst->bytes < VNBL_BURST_BYTES;
	     reads++) {
		struct vnbl *v = &burst->frames[burst->n];

		v->frame_size = 0;
		if (!read_frame(t, fd, v, to, st))
			return;
		if (v->frame_size == 0)
			continue;
		burst->n++;
		burst->bytes += v->frame_size;
		to += (v->frame_size + VNBL_HEADROOM + 63) & ~63U;
	}
}

static void tap_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	// The arena is simply written over.
}

static void tap_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st)
{
	struct tap *t = (struct tap *)nic;
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire);

	for (unsigned i = 0; i < n; i++) {
		struct vnbl *v = frames[i];
		int err = ENXIO;

		if (fd >= 0 && nethdr_work(v, t->takes) == NETHDR_SEGMENT) {
			struct nethdr_gso gso;
			struct vnbl segment;

			err = -nethdr_gso_begin(&gso, v);
			while (err == 0 && nethdr_gso_next(&gso, &segment))
				err = write_frame(fd, &segment);
		} else if (fd >= 0) {
			err = write_frame(fd, v);
		}
		if (err == 0) {
			st->tx_frames++;
			st->tx_bytes += v->frame_size;
			continue;
		}
		if (err == EBADFD)
			report_gone(t);
		droplog_drop(st, DROP_OUT, hostio_drop_reason(err), v);
	}
}

static int tap_rx_arm(struct vnic *nic, unsigned q)
{
	struct tap *t = (struct tap *)nic;
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire);

	// A deleted interface is readable for ever.
	if (fd < 0 || atomic_load_explicit(&t->is_gone, memory_order_relaxed))
		return -ENOLINK;
	return fd;
}

static void tap_rx_disarm(struct vnic *nic, unsigned q)
{
	// The fd is readable as long as there are frames; there is nothing to clear.
}

static int tap_start(struct vnic *nic, struct errtext *e)
{
	struct tap *t = (struct tap *)nic;
	char alias[NETLINK_ALIAS_SIZE];
	struct tap_home home;
	int rc;

	detach(t);
	make_alias(t->nic.obj.name, alias);
	tap_home_enter(&home, nic->path, alias);
	memcpy(t->ifname, home.ifname, sizeof(t->ifname));
	rc = open_device(t, home.is_found, e);
	tap_home_leave(&home);
	if (rc < 0)
		return rc;
	vnic_set_state(nic, VNIC_STATE_CONNECTED, 0, NULL);
	look_at_link(t);
	return 0;
}

static void tap_stop(struct vnic *nic, bool forget)
{
	struct tap *t = (struct tap *)nic;
	int fd = atomic_load_explicit(&t->fd, memory_order_relaxed), ifindex = nic->ifindex;

	forget = forget && fd >= 0 && t->is_ours;
	if (forget && ioctl(fd, TUNSETPERSIST, 0) < 0 && errno != EBADFD)
		log_warn("port '%s': cannot delete TAP '%s': %s", nic->obj.name, t->ifname,
			 strerror(errno));
	detach(t);
	// The TAP goes with the last user of its file, and a proc that is just waking up is one.
	// Its name is to be free at once.
	if (forget && is_here(t, ifindex))
		netlink_delete(ifindex);
}

static void tap_destroy(struct vnic *nic)
{
	free(nic);
}

/*
 * A TAP may be moved into another network namespace and works on there; then its name means
 * nothing here any more. So the fd is asked, not the name.
 */
static void tap_link_changed(struct vnic *nic)
{
	struct tap *t = (struct tap *)nic;
	int fd = atomic_load_explicit(&t->fd, memory_order_relaxed);
	struct ifreq ifr = {0};

	if (fd < 0)
		return;
	if (ioctl(fd, TUNGETIFF, &ifr) < 0) {
		struct errtext why;

		errtext_set(&why, 0, "TAP '%s' was deleted", t->ifname);
		vnic_set_state(nic, VNIC_STATE_DISCONNECTED, ENODEV, why.text);
		detach(t);
		return;
	}
	memcpy(t->ifname, ifr.ifr_name, sizeof(t->ifname) - 1); // it may have been renamed
	// A proc may have been told otherwise for a moment.
	atomic_store_explicit(&t->is_gone, 0, memory_order_relaxed);
	atomic_store_explicit(&nic->link, 1, memory_order_release);
	look_at_link(t);
}

static void tap_mtu_changed(struct vnic *nic)
{
	struct tap *t = (struct tap *)nic;
	struct errtext e;

	if (is_here(t, nic->ifindex) && netlink_set_mtu(t->ifname, nic->mtu, &e) < 0)
		log_info("port '%s': %s", nic->obj.name, e.text);
}

// Without this the host would go on sending from an address that its port no longer allows.
static void tap_set_mac(struct vnic *nic, const uint8_t mac[6])
{
	struct tap *t = (struct tap *)nic;
	struct errtext e;

	if (memcmp(t->mac_conf, mac, sizeof(t->mac_conf)) == 0)
		return;
	memcpy(t->mac_conf, mac, sizeof(t->mac_conf));
	if (memcmp(mac, no_mac, sizeof(no_mac)) == 0 || !is_here(t, nic->ifindex))
		return;
	if (netlink_set_mac(t->ifname, mac, &e) < 0)
		log_info("port '%s': %s", nic->obj.name, e.text);
	look_at_link(t);
}

/*
 * Reads one frame to 'to' and makes '*v' of it. False: there is none. A frame that is
 * malformed is counted and leaves v->frame_size 0.
 */
static bool read_frame(struct tap *t, int fd, struct vnbl *v, uint8_t *to, struct vport_stats *st)
{
	struct virtio_net_hdr h;
	struct iovec iov[2] = {
		{.iov_base = &h, .iov_len = sizeof(h)},
		{.iov_base = to, .iov_len = VNBL_FRAME_MAX},
	};
	ssize_t n = readv(fd, iov, 2);
	int rc;

	if (n < 0) {
		if (errno == EBADFD || errno == EIO)
			report_gone(t);
		return false;
	}
	// More than fits: the kernel has cut it.
	if (n <= (ssize_t)sizeof(h) || n > (ssize_t)sizeof(h) + VNBL_FRAME_MAX) {
		vport_count_drop(st, DROP_IN, DROP_InvalidPacket, 1);
		return n > 0;
	}
	vnbl_reset(v);
	hostio_set_frame(v, to, (uint32_t)(n - (ssize_t)sizeof(h)));
	rc = nethdr_read(v, &h, true);
	if (rc < 0) {
		droplog_drop(st, DROP_IN, rc == -ENOMEM ? DROP_Resources : DROP_InvalidPacket, v);
		v->frame_size = 0;
	}
	return true;
}

// Returns 0 or a positive errno.
static int write_frame(int fd, const struct vnbl *v)
{
	struct iovec iov[HOSTIO_IOV_MAX];
	struct virtio_net_hdr h;

	nethdr_write(v, true, &h);
	return writev(fd, iov, (int)hostio_iov(v, &h, iov)) < 0 ? errno : 0;
}

// By a proc, once: the main thread looks at the interface and drops it or comes back to it.
static void report_gone(struct tap *t)
{
	if (atomic_exchange_explicit(&t->is_gone, 1, memory_order_relaxed) == 0)
		vnic_event(&t->nic, VNIC_EVENT_DOWN);
}

// In the network namespace where the TAP is, or is to be: that is the device's from its opening.
static int open_device(struct tap *t, bool existed, struct errtext *e)
{
	int rc, fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		rc = -errno;
		return errtext_set(e, rc,
				   "cannot open %s: %s; TAP ports need the kernel's tun "
				   "module and the right to use it",
				   TUN_DEVICE, strerror(-rc));
	}
	rc = attach(t, fd, existed, e);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	atomic_store_explicit(&t->is_gone, 0, memory_order_relaxed);
	atomic_store_explicit(&t->fd, fd, memory_order_release);
	atomic_store_explicit(&t->nic.link, 1, memory_order_release);
	return 0;
}

static int attach(struct tap *t, int fd, bool existed, struct errtext *e)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int rc, hdr_size = sizeof(struct virtio_net_hdr), little_endian = 1;

	strcpy(ifr.ifr_name, t->ifname);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return attach_error(t->ifname, errno, e);
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_size) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &little_endian) < 0) {
		rc = -errno;
		return errtext_set(e, rc, "TAP '%s' takes no virtio-net header: %s", t->ifname,
				   strerror(-rc));
	}
	rc = set_offloads(t, fd, e);
	// Marked first: should we be killed in between, it goes with us.
	if (rc == 0)
		rc = set_owner(t, existed, e);
	if (rc < 0)
		return rc;
	if (ioctl(fd, TUNSETPERSIST, 1) < 0) {
		rc = -errno;
		return errtext_set(e, rc, "cannot make TAP '%s' persistent: %s", t->ifname,
				   strerror(-rc));
	}
	rc = set_up(t, e);
	if (rc < 0 && !existed)
		ioctl(fd, TUNSETPERSIST, 0);
	return rc;
}

static int attach_error(const char *ifname, int err, struct errtext *e)
{
	struct netlink_link link;
	char comm[32];
	int pid;

	if (err == EBUSY && tap_find_holder(ifname, &pid, comm, sizeof(comm))) {
		if (pid == getpid())
			return errtext_set(e, -EBUSY,
					   "TAP '%s' is in use by another port of this switch",
					   ifname);
		return errtext_set(e, -EBUSY,
				   "TAP '%s' is in use by process %d (%s); end that or choose "
				   "another name",
				   ifname, pid, comm);
	}
	if (err == EBUSY)
		return errtext_set(e, -EBUSY, "TAP '%s' is in use by another process", ifname);
	if (err == EINVAL && netlink_get_link(ifname, &link) == 0)
		return errtext_set(e, -EEXIST,
				   "interface '%s' exists and is not a TAP with one queue%s%s%s; "
				   "choose another name",
				   ifname, link.driver[0] ? " (its driver is " : "", link.driver,
				   link.driver[0] ? ")" : "");
	if (err == EPERM)
		return errtext_set(e, -EPERM,
				   "no permission to make or use TAP '%s'; vswd needs "
				   "CAP_NET_ADMIN",
				   ifname);
	return errtext_set(e, -err, "cannot attach to TAP '%s': %s", ifname, strerror(err));
}

// UDP segmentation is newer than the rest, in both directions alike.
static int set_offloads(struct tap *t, int fd, struct errtext *e)
{
	const unsigned basic = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int rc;

	t->offloads = basic | TUN_F_USO4 | TUN_F_USO6;
	t->takes = NETHDR_TAKES_ALL;
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)t->offloads) == 0)
		return 0;
	t->offloads = basic;
	t->takes = NETHDR_TAKES_ALL & ~NETHDR_TAKES_USO;
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)t->offloads) == 0)
		return 0;
	rc = -errno;
	return errtext_set(e, rc, "TAP '%s' refuses offloads: %s", t->ifname, strerror(-rc));
}

// The port and the switch whose TAP it is: two switches may have ports of one name.
static void make_alias(const char *name, char alias[NETLINK_ALIAS_SIZE])
{
	const char *run_dir = ports_env()->run_dir;

	snprintf(alias, NETLINK_ALIAS_SIZE, "vsw port %s of %s", name,
		 run_dir != NULL ? run_dir : "?");
}

static int set_owner(struct tap *t, bool existed, struct errtext *e)
{
	char alias[NETLINK_ALIAS_SIZE], present[NETLINK_ALIAS_SIZE];
	struct netlink_link link;
	int rc = netlink_get_link(t->ifname, &link);

	if (rc < 0)
		return errtext_set(e, rc, "TAP '%s' cannot be looked up after it was made: %s",
				   t->ifname, strerror(-rc));
	t->nic.ifindex = link.ifindex;
	make_alias(t->nic.obj.name, alias);
	if (existed) {
		t->is_ours = netlink_get_alias(link.ifindex, present) == 0 &&
			     strcmp(present, alias) == 0;
		return 0;
	}
	t->is_ours = 1;
	return netlink_set_alias(link.ifindex, alias, e);
}

static int set_up(struct tap *t, struct errtext *e)
{
	struct netlink_link link;
	int rc = netlink_set_mtu(t->ifname, t->nic.mtu, e);

	if (rc == 0 && memcmp(t->mac_conf, no_mac, 6) != 0)
		rc = netlink_set_mac(t->ifname, t->mac_conf, e);
	if (rc == 0)
		rc = netlink_set_up(t->ifname, e);
	if (rc == 0 && netlink_get_link(t->ifname, &link) == 0) {
		memcpy(t->nic.mac, link.mac, sizeof(t->nic.mac));
		t->nic.mac_set = 1;
	}
	return rc;
}

// False: it was moved into another network namespace, and is that one's to change.
static bool is_here(const struct tap *t, int ifindex)
{
	char alias[NETLINK_ALIAS_SIZE], present[NETLINK_ALIAS_SIZE];
	struct netlink_link link;

	if (netlink_get_link(t->ifname, &link) < 0 || link.ifindex != ifindex)
		return false;
	make_alias(t->nic.obj.name, alias);
	return !t->is_ours ||
	       (netlink_get_alias(ifindex, present) == 0 && strcmp(alias, present) == 0);
}

// After this no proc uses the fd. The interface stays if it is persistent.
static void detach(struct tap *t)
{
	int fd = atomic_exchange_explicit(&t->fd, -1, memory_order_acq_rel);

	if (fd < 0)
		return;
	atomic_store_explicit(&t->nic.link, 0, memory_order_release);
	vnic_synchronize(&t->nic);
	close(fd);
	t->nic.ifindex = 0;
}

// The user may take the interface down or give it another address; that is his business.
static void look_at_link(struct tap *t)
{
	struct netlink_link link;
	struct errtext why = {.text = ""};

	if (netlink_get_link(t->ifname, &link) < 0 || link.ifindex != t->nic.ifindex)
		return;
	memcpy(t->nic.mac, link.mac, sizeof(t->nic.mac));
	if (!link.up)
		errtext_set(&why, 0, "the interface is down; 'ip link set %s up' helps", t->ifname);
	if (strcmp(why.text, t->nic.why) != 0)
		vnic_set_state(&t->nic, VNIC_STATE_CONNECTED, 0, why.text);
}

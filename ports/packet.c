/*
 * The back end for kernel interfaces. What goes through it is the interface's traffic in both
 * directions: the frames that the interface receives come in, promiscuously, and what the
 * switch sends goes out. The host's own stack still sees what comes in, so an interface that
 * is given to a switch should have no addresses of its own; that is the user's affair, like all
 * of the interface's settings. What we change (promiscuous mode) ends with the socket.
 *
 * A tag that the kernel or the NIC has taken out of a frame arrives beside it and stays there.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ports/droplog.h"
#include "ports/hostio.h"
#include "ports/nethdr.h"
#include "ports/netlink.h"
#include "ports/object.h"
#include "ports/packet_types.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"
#include "ports/vport.h"

enum {
	SOCKET_BUFFER = 8 << 20, // bytes that long frames may take in the kernel
	ETH_SIZE = 14,
	TAG_SIZE = 4,
	RESERVE = 2 * VNBL_HEADROOM // headroom, virtio-net header and alignment
};

static void packet_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst,
		      struct vport_stats *st);
static void packet_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void packet_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		      struct vport_stats *st);
static int packet_rx_arm(struct vnic *nic, unsigned q);
static void packet_rx_disarm(struct vnic *nic, unsigned q);
static int packet_start(struct vnic *nic, struct errtext *e);
static void packet_stop(struct vnic *nic, bool forget);
static void packet_destroy(struct vnic *nic);
static void packet_link_changed(struct vnic *nic);

static struct tpacket2_hdr *slot_at(const struct packet *p, uint32_t i);
static uint32_t slot_status(struct tpacket2_hdr *slot);
static void release_slots(struct packet *p);
static enum drop_reason take_slot(struct packet *p, int fd, struct tpacket2_hdr *slot,
				  uint32_t status, uint8_t *arena, struct vnbl *v);
static int read_large(struct packet *p, int fd, uint8_t *to, struct vnbl *v,
		      struct virtio_net_hdr *h);
static uint32_t count_lost(int fd);
static bool fits_link(const struct packet *p, const struct vnbl *v);
static void send_segments(int fd, struct vnbl *v, struct vport_stats *st);
static void send_batch(int fd, struct vnbl *const frames[], unsigned n, struct vport_stats *st);
static int open_socket(struct packet *p, const struct netlink_link *link, struct errtext *e);
static int set_options(struct packet *p, int fd, int ifindex);
static int map_ring(struct packet *p, int fd);
static void close_socket(struct packet *p);
static int check_link(struct packet *p, const struct netlink_link *link, struct errtext *e);
static void set_names(struct packet *p, const struct netlink_link *link);
static bool kernel_knows_uso(void);

static const struct vnic_ops packet_ops = {
	.rx = packet_rx,
	.rx_done = packet_rx_done,
	.tx = packet_tx,
	.rx_arm = packet_rx_arm,
	.rx_disarm = packet_rx_disarm,
	.start = packet_start,
	.stop = packet_stop,
	.destroy = packet_destroy,
	.link_changed = packet_link_changed,
	// Longer frames than a slot holds come by the other way; only 'why' has to be looked at.
	.mtu_changed = packet_link_changed,
};

int packet_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	struct netlink_link link;
	struct packet *p;

	if (conf->path == NULL || !netlink_name_ok(conf->path))
		return errtext_set(e, -EINVAL, "'%s' cannot be the name of a network interface",
				   conf->path != NULL ? conf->path : "");
	p = aligned_alloc(64, sizeof(*p));
	if (p == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory for a port");
	// The arena is not touched here: most of it never is.
	memset(p, 0, offsetof(struct packet, arena));
	p->nic.ops = &packet_ops;
	atomic_init(&p->fd, -1);
	p->takes = kernel_knows_uso() ? NETHDR_TAKES_ALL : NETHDR_TAKES_ALL & ~NETHDR_TAKES_USO;
	p->slot_size = PACKET_SLOT_MIN;
	while (p->slot_size < conf->mtu + ETH_SIZE + TAG_SIZE + TPACKET2_HDRLEN + RESERVE &&
	       p->slot_size < PACKET_BLOCK_SIZE)
		p->slot_size *= 2;
	p->n_slots = PACKET_RING_SIZE / PACKET_SLOT_MIN;
	while (p->n_slots > 512 && p->n_slots * p->slot_size > 2 * PACKET_RING_SIZE)
		p->n_slots /= 2;
	// For the name only; start() looks again.
	snprintf(p->nic.path, sizeof(p->nic.path), "%s", conf->path);
	if (netlink_get_link(conf->path, &link) == 0)
		set_names(p, &link);
	*ret = &p->nic;
	return 0;
}

static void packet_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst,
		      struct vport_stats *st)
{
	struct packet *p = (struct packet *)nic;
	int fd = atomic_load_explicit(&p->fd, memory_order_acquire);
	uint8_t *arena = p->arena + VNBL_HEADROOM;

	burst->n = 0;
	burst->bytes = 0;
	if (fd < 0)
		return;
	for (unsigned i = 0; i < VNBL_BURST_MAX && burst->bytes < VNBL_BURST_BYTES; i++) {
		struct tpacket2_hdr *slot = slot_at(p, p->next);
		struct vnbl *v = &burst->frames[burst->n];
		uint32_t status = slot_status(slot);
		enum drop_reason reason;

		if (!(status & TP_STATUS_USER))
			break;
		p->next = p->next + 1 == p->n_slots ? 0 : p->next + 1;
		if (status & TP_STATUS_LOSING) {
			uint32_t lost = count_lost(fd);

			p->lost += lost;
			vport_count_drop(st, DROP_IN, DROP_Resources, lost);
		}
		reason = take_slot(p, fd, slot, status, arena, v);
		if (reason != DROP_Unknown) {
			droplog_drop(st, DROP_IN, reason, v);
			continue;
		}
		if (v->hdr == arena)
			arena += (v->frame_size + VNBL_HEADROOM + 63) & ~63U;
		burst->n++;
		burst->bytes += v->frame_size;
	}
	if (burst->n == 0)
		release_slots(p);
}

static void packet_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	struct packet *p = (struct packet *)nic;

	if (atomic_load_explicit(&p->fd, memory_order_acquire) >= 0)
		release_slots(p);
}

static void packet_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		      struct vport_stats *st)
{
	struct packet *p = (struct packet *)nic;
	int fd = atomic_load_explicit(&p->fd, memory_order_acquire);
	unsigned begin = 0;

	if (fd < 0) {
		droplog_drop_all(st, DROP_OUT, DROP_Disconnected, frames, n);
		return;
	}
	// Frames go out in runs, between those that need something else.
	for (unsigned i = 0; i < n; i++) {
		bool fits = fits_link(p, frames[i]);

		if (fits && nethdr_work(frames[i], p->takes) != NETHDR_SEGMENT)
			continue;
		send_batch(fd, frames + begin, i - begin, st);
		begin = i + 1;
		if (fits)
			send_segments(fd, frames[i], st);
		else
			droplog_drop(st, DROP_OUT, DROP_MTUMismatch, frames[i]);
	}
	send_batch(fd, frames + begin, n - begin, st);
}

static int packet_rx_arm(struct vnic *nic, unsigned q)
{
	struct packet *p = (struct packet *)nic;
	int fd = atomic_load_explicit(&p->fd, memory_order_acquire);

	if (fd < 0)
		return -ENOLINK;
	return slot_status(slot_at(p, p->next)) & TP_STATUS_USER ? -EAGAIN : fd;
}

// An interface that went down leaves an error on the socket, which would wake us for ever.
static void packet_rx_disarm(struct vnic *nic, unsigned q)
{
	struct packet *p = (struct packet *)nic;
	int fd = atomic_load_explicit(&p->fd, memory_order_acquire), err = 0;
	socklen_t size = sizeof(err);

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) == 0 && err != 0)
		vnic_event(nic, VNIC_EVENT_DOWN);
}

static int packet_start(struct vnic *nic, struct errtext *e)
{
	struct packet *p = (struct packet *)nic;
	struct netlink_link link;
	int rc = netlink_get_link(nic->path, &link);

	if (rc < 0) {
		close_socket(p);
		return errtext_set(e, rc, "there is no network interface '%s'", nic->path);
	}
	if (link.type != ARPHRD_ETHER) {
		close_socket(p);
		return errtext_set(e, -EMEDIUMTYPE, "interface '%s' is not an Ethernet interface",
				   nic->path);
	}
	if (nic->ifindex != link.ifindex)
		close_socket(p);
	set_names(p, &link);
	if (atomic_load_explicit(&p->fd, memory_order_relaxed) < 0) {
		rc = open_socket(p, &link, e);
		if (rc < 0)
			return rc;
	}
	return check_link(p, &link, e);
}

static void packet_stop(struct vnic *nic, bool forget)
{
	close_socket((struct packet *)nic);
}

static void packet_destroy(struct vnic *nic)
{
	free(nic);
}

static void packet_link_changed(struct vnic *nic)
{
	// A NIC that was never started is none of our business.
	if (nic->state != VNIC_STATE_CREATED && nic->state != VNIC_STATE_DELETED)
		vnic_start(nic, NULL);
}

static struct tpacket2_hdr *slot_at(const struct packet *p, uint32_t i)
{
	return (struct tpacket2_hdr *)(p->ring + (size_t)i * p->slot_size);
}

static uint32_t slot_status(struct tpacket2_hdr *slot)
{
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

static void release_slots(struct packet *p)
{
	while (p->first != p->next) {
		__atomic_store_n(&slot_at(p, p->first)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		p->first = p->first + 1 == p->n_slots ? 0 : p->first + 1;
	}
}

// Makes '*v' of the frame in 'slot'. DROP_Unknown: it is one.
static enum drop_reason take_slot(struct packet *p, int fd, struct tpacket2_hdr *slot,
				  uint32_t status, uint8_t *arena, struct vnbl *v)
{
	struct virtio_net_hdr h;
	int rc;

	vnbl_reset(v);
	if (status & TP_STATUS_COPY) {
		p->large++;
		if (read_large(p, fd, arena, v, &h) < 0)
			return DROP_Resources;
	} else {
		if (slot->tp_snaplen < slot->tp_len)
			return DROP_Resources;
		if (slot->tp_mac < sizeof(h) + VNBL_HEADROOM ||
		    slot->tp_mac + slot->tp_len > p->slot_size)
			return DROP_InvalidData;
		hostio_set_frame(v, (uint8_t *)slot + slot->tp_mac, slot->tp_len);
		memcpy(&h, v->hdr - sizeof(h), sizeof(h));
	}
	if (status & TP_STATUS_VLAN_VALID) {
		v->flags |= VNBL_HAS_TAG;
		v->vlan_tci = slot->tp_vlan_tci;
		v->vlan_tpid =
			status & TP_STATUS_VLAN_TPID_VALID ? slot->tp_vlan_tpid : ETH_P_8021Q;
	}
	rc = nethdr_read(v, &h, true);
	if (rc == -ENOMEM)
		return DROP_Resources;
	return rc < 0 ? DROP_InvalidPacket : DROP_Unknown;
}

/*
 * Each slot that is marked takes one frame from the queue, or all later ones would get their
 * predecessor's. That the link went down is told by an error, once, in place of the frame; any
 * other error comes with the frame taken.
 */
static int read_large(struct packet *p, int fd, uint8_t *to, struct vnbl *v,
		      struct virtio_net_hdr *h)
{
	struct iovec iov[2] = {
		{.iov_base = h, .iov_len = sizeof(*h)},
		{.iov_base = to, .iov_len = VNBL_FRAME_MAX},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && errno == ENETDOWN) {
		vnic_event(&p->nic, VNIC_EVENT_DOWN);
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
	}
	if (n <= (ssize_t)sizeof(*h) || n > (ssize_t)sizeof(*h) + VNBL_FRAME_MAX)
		return -EMSGSIZE;
	hostio_set_frame(v, to, (uint32_t)(n - (ssize_t)sizeof(*h)));
	return 0;
}

// How many frames the kernel had no slot for since it was last asked.
static uint32_t count_lost(int fd)
{
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		return 0;
	return stats.tp_drops;
}

// The kernel checks whole frames against the interface's MTU, but not what GSO makes of them.
static bool fits_link(const struct packet *p, const struct vnbl *v)
{
	uint32_t mtu = atomic_load_explicit(&p->link_mtu, memory_order_relaxed);

	return nethdr_wire_size(v) <= mtu + ETH_SIZE + TAG_SIZE;
}

static void send_segments(int fd, struct vnbl *v, struct vport_stats *st)
{
	struct vnbl segment, *one = &segment;
	struct vport_stats sent = {0};
	struct nethdr_gso gso;

	if (nethdr_gso_begin(&gso, v) < 0) {
		droplog_drop(st, DROP_OUT, DROP_InvalidPacket, v);
		return;
	}
	while (nethdr_gso_next(&gso, &segment))
		send_batch(fd, &one, 1, &sent);
	// One frame was given to us, so one frame is counted.
	if (sent.tx_frames == gso.n) {
		st->tx_frames++;
		st->tx_bytes += v->frame_size;
	} else {
		droplog_drop(st, DROP_OUT, DROP_Resources, v);
	}
}

static void send_batch(int fd, struct vnbl *const frames[], unsigned n, struct vport_stats *st)
{
	struct iovec iov[VNBL_BURST_MAX][HOSTIO_IOV_MAX];
	struct virtio_net_hdr h[VNBL_BURST_MAX];
	struct mmsghdr msgs[VNBL_BURST_MAX];
	unsigned i;

	for (i = 0; i < n; i++) {
		nethdr_write(frames[i], true, &h[i]);
		msgs[i].msg_hdr = (struct msghdr){
			.msg_iov = iov[i], .msg_iovlen = hostio_iov(frames[i], &h[i], iov[i])};
	}
	for (i = 0; i < n;) {
		int sent = sendmmsg(fd, msgs + i, n - i, MSG_DONTWAIT);
		enum drop_reason reason;

		for (; sent > 0; sent--, i++) {
			st->tx_frames++;
			st->tx_bytes += frames[i]->frame_size;
		}
		if (sent == 0)
			continue;
		// What stops one frame for lack of room or link stops the others, too.
		reason = hostio_drop_reason(errno);
		if (reason == DROP_Resources || reason == DROP_NicDisabled ||
		    reason == DROP_Disconnected) {
			droplog_drop_all(st, DROP_OUT, reason, frames + i, n - i);
			return;
		}
		droplog_drop(st, DROP_OUT, reason, frames[i]);
		i++;
	}
}

static int open_socket(struct packet *p, const struct netlink_link *link, struct errtext *e)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = link->ifindex};
	// Without a protocol: nothing arrives before the ring is there.
	int rc, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EPERM)
		return errtext_set(e, -EPERM,
				   "no permission to use interface '%s'; vswd needs "
				   "CAP_NET_RAW",
				   p->nic.path);
	if (fd < 0) {
		rc = -errno;
		return errtext_set(e, rc, "cannot make a packet socket: %s", strerror(-rc));
	}
	rc = set_options(p, fd, link->ifindex);
	if (rc == 0)
		rc = map_ring(p, fd);
	if (rc == 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		rc = -errno;
		munmap(p->ring, (size_t)p->slot_size * p->n_slots);
	}
	if (rc < 0) {
		close(fd);
		return errtext_set(e, rc, "cannot take frames from interface '%s': %s", p->nic.path,
				   strerror(-rc));
	}
	p->first = p->next = 0;
	p->nic.ifindex = link->ifindex;
	atomic_store_explicit(&p->fd, fd, memory_order_release);
	return 0;
}

static int set_options(struct packet *p, int fd, int ifindex)
{
	const struct packet_mreq promiscuous = {.mr_ifindex = ifindex,
						.mr_type = PACKET_MR_PROMISC};
	const int one = 1, version = TPACKET_V2, reserve = RESERVE, size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof(reserve)) < 0 ||
	    // Frames that do not fit a slot wait in the queue instead of being cut.
	    setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &one, sizeof(one)) < 0 ||
	    // What we send must not come back.
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) <
		    0)
		return -errno;
	// Without the right to this, the system's limits hold.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int map_ring(struct packet *p, int fd)
{
	const size_t size = (size_t)p->slot_size * p->n_slots;
	const struct tpacket_req req = {
		.tp_block_size = PACKET_BLOCK_SIZE,
		.tp_block_nr = (unsigned)(size / PACKET_BLOCK_SIZE),
		.tp_frame_size = p->slot_size,
		.tp_frame_nr = p->n_slots,
	};
	void *ring;

	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	p->ring = ring;
	return 0;
}

// After this no proc uses socket or ring.
static void close_socket(struct packet *p)
{
	int fd = atomic_exchange_explicit(&p->fd, -1, memory_order_acq_rel);

	if (fd < 0)
		return;
	atomic_store_explicit(&p->nic.link, 0, memory_order_release);
	vnic_synchronize(&p->nic);
	munmap(p->ring, (size_t)p->slot_size * p->n_slots);
	p->ring = NULL;
	close(fd);
	p->nic.ifindex = 0;
}

// Connected is who can send and receive; a socket that waits for its link stays open.
static int check_link(struct packet *p, const struct netlink_link *link, struct errtext *e)
{
	struct errtext why = {.text = ""};

	atomic_store_explicit(&p->link_mtu, link->mtu, memory_order_relaxed);
	atomic_store_explicit(&p->nic.link, link->running, memory_order_release);
	if (!link->up)
		return errtext_set(e, -ENETDOWN,
				   "interface '%s' is down; 'ip link set %s up' helps", p->nic.path,
				   p->nic.path);
	if (!link->running)
		return errtext_set(e, -ENETDOWN, "interface '%s' has no carrier", p->nic.path);
	if (link->mtu < p->nic.mtu)
		errtext_set(&why, 0,
			    "interface '%s' has an MTU of %u, the switch %u: longer frames are "
			    "dropped (MTUMismatch)",
			    p->nic.path, link->mtu, p->nic.mtu);
	if (p->nic.state != VNIC_STATE_CONNECTED || strcmp(p->nic.why, why.text) != 0)
		vnic_set_state(&p->nic, VNIC_STATE_CONNECTED, 0, why.text);
	return 0;
}

static void set_names(struct packet *p, const struct netlink_link *link)
{
	char name[OBJECT_FRIENDLY_SIZE];

	memcpy(p->nic.mac, link->mac, sizeof(p->nic.mac));
	p->nic.mac_set = 1;
	if (link->driver[0] != '\0')
		snprintf(name, sizeof(name), "%s (%.15s)", link->driver, p->nic.path);
	else
		snprintf(name, sizeof(name), "%.15s", p->nic.path);
	if (strcmp(name, p->nic.obj.friendly_name) == 0)
		return;
	object_change_begin(&p->nic.obj);
	snprintf(p->nic.obj.friendly_name, sizeof(p->nic.obj.friendly_name), "%s", name);
	object_change_end(&p->nic.obj);
}

// Kernels before 6.2 refuse UDP segmentation in a virtio-net header.
static bool kernel_knows_uso(void)
{
	unsigned major, minor;
	struct utsname u;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 2));
}

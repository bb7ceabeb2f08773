/*
 * The back end for DPDK's devices. One queue pair; the device is asked for no offloads: what
 * frames still want is completed in software before they leave.
 *
 * A device keeps a frame that it was given until it has been sent, and the same frame may
 * at that time be changed for another port (its VLAN tag goes in and out). So each frame is
 * copied into an mbuf of its own for the device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "ports/droplog.h"
#include "ports/eth_types.h"
#include "ports/log.h"
#include "ports/nethdr.h"
#include "ports/object.h"
#include "ports/vnbl.h"
#include "ports/vnbl_mbuf.h"
#include "ports/vnic_ops.h"
#include "ports/vport.h"

enum {
	TAG_SIZE = 4,
	CALLBACK_WAIT_US = 100 // between looks whether a callback of ours still runs
};

// Copies on their way to the device.
struct batch {
	unsigned n;
	uint32_t sizes[VNBL_BURST_MAX];            // bytes
	const struct vnbl *frames[VNBL_BURST_MAX]; // what they are copies of
	struct rte_mbuf *mbufs[VNBL_BURST_MAX];
};

static const char VDEV_PREFIX[] = "vdev:";

static void eth_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);
static void eth_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void eth_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st);
static int eth_rx_arm(struct vnic *nic, unsigned q);
static void eth_rx_disarm(struct vnic *nic, unsigned q);
static int eth_start(struct vnic *nic, struct errtext *e);
static void eth_stop(struct vnic *nic, bool forget);
static void eth_destroy(struct vnic *nic);
static void eth_link_changed(struct vnic *nic);
static void eth_mtu_changed(struct vnic *nic);

static enum drop_reason take_mbuf(struct rte_mbuf *m, struct vnbl *v);
static void send_segments(struct eth *t, struct vnbl *v, struct vport_stats *st);
static enum drop_reason batch_add(struct eth *t, struct batch *b, const struct vnbl *v);
static void batch_flush(struct eth *t, struct batch *b, struct vport_stats *st);
static int device_open(struct eth *t, struct errtext *e);
static int device_setup(struct eth *t, const struct rte_eth_dev_info *info, struct errtext *e);
static int device_configure(struct eth *t, const struct rte_eth_dev_info *info, struct errtext *e);
static void device_close(struct eth *t);
static void forget_callback(struct eth *t, enum rte_eth_event_type type,
			    rte_eth_dev_cb_fn callback);
static bool find_port(const char *name, uint16_t *ret);
static void find_interrupt(struct eth *t);
static void set_names(struct eth *t, const struct rte_eth_dev_info *info);
static int look_at_link(struct eth *t, struct errtext *e);
static int on_link(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret);
static int on_removal(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret);

// Devices that ports of ours use; two ports must not share one.
static bool in_use[RTE_MAX_ETHPORTS];

static const struct vnic_ops eth_ops = {
	.rx = eth_rx,
	.rx_done = eth_rx_done,
	.tx = eth_tx,
	.rx_arm = eth_rx_arm,
	.rx_disarm = eth_rx_disarm,
	.start = eth_start,
	.stop = eth_stop,
	.destroy = eth_destroy,
	.link_changed = eth_link_changed,
	.mtu_changed = eth_mtu_changed,
};

int eth_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	const char *path = conf->path != NULL ? conf->path : "";
	bool is_vdev = strncmp(path, VDEV_PREFIX, strlen(VDEV_PREFIX)) == 0;
	unsigned domain, bus, device, function;
	struct eth *t;
	int end = 0;

	if (!is_vdev &&
	    (sscanf(path, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4 ||
	     path[end] != '\0'))
		return errtext_set(
			e, -EINVAL,
			"'%s' is no DPDK device: give a PCI address like 0000:3b:00.0 or "
			"vdev:NAME[,KEY=VALUE...]",
			path);
	if (is_vdev && path[strlen(VDEV_PREFIX)] == '\0')
		return errtext_set(e, -EINVAL,
				   "'vdev:' needs the name of a device, such as "
				   "vdev:net_pcap0,iface=eth1");
	if (strlen(path) >= VNIC_PATH_SIZE)
		return errtext_set(e, -EINVAL, "the device's name is longer than %d bytes",
				   VNIC_PATH_SIZE - 1);
	t = aligned_alloc(64, sizeof(*t));
	if (t == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory for a port");
	memset(t, 0, sizeof(*t));
	t->nic.ops = &eth_ops;
	t->intr_fd = -1;
	snprintf(t->devargs, sizeof(t->devargs), "%s", is_vdev ? path + strlen(VDEV_PREFIX) : path);
	*ret = &t->nic;
	return 0;
}

static void eth_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct rte_mbuf *mbufs[VNBL_BURST_MAX];
	struct eth *t = (struct eth *)nic;
	unsigned n;

	burst->n = 0;
	burst->bytes = 0;
	if (!atomic_load_explicit(&t->is_running, memory_order_acquire))
		return;
	n = rte_eth_rx_burst(t->port_id, 0, mbufs, t->burst_max);
	for (unsigned i = 0; i < n; i++) {
		struct vnbl *v = &burst->frames[burst->n];
		enum drop_reason reason = take_mbuf(mbufs[i], v);

		if (reason != DROP_Unknown) {
			droplog_drop(st, DROP_IN, reason, v);
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		burst->n++;
		burst->bytes += v->frame_size;
	}
}

static void eth_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	for (unsigned i = 0; i < burst->n; i++)
		vnbl_release(&burst->frames[i]);
}

static void eth_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st)
{
	struct eth *t = (struct eth *)nic;
	struct batch batch = {.n = 0};

	if (!atomic_load_explicit(&t->is_running, memory_order_acquire)) {
		droplog_drop_all(st, DROP_OUT, DROP_Disconnected, frames, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		enum drop_reason reason = DROP_Unknown;

		switch (nethdr_work(frames[i], 0)) {
		case NETHDR_SEGMENT:
			st->tx_completed++;
			batch_flush(t, &batch, st);
			send_segments(t, frames[i], st);
			continue;
		case NETHDR_CSUM:
			st->tx_completed++;
			if (nethdr_complete_csum(frames[i]) < 0)
				reason = DROP_Resources;
			break;
		case NETHDR_AS_IS:
			break;
		}
		if (reason == DROP_Unknown)
			reason = batch_add(t, &batch, frames[i]);
		if (reason != DROP_Unknown)
			droplog_drop(st, DROP_OUT, reason, frames[i]);
	}
	batch_flush(t, &batch, st);
}

static int eth_rx_arm(struct vnic *nic, unsigned q)
{
	struct eth *t = (struct eth *)nic;

	if (!atomic_load_explicit(&t->is_running, memory_order_acquire))
		return -ENOLINK;
	if (t->intr_fd < 0 || rte_eth_dev_rx_intr_enable(t->port_id, 0) < 0)
		return -ENOTSUP;
	// What came before the interrupt was on makes none.
	if (rte_eth_rx_queue_count(t->port_id, 0) > 0) {
		rte_eth_dev_rx_intr_disable(t->port_id, 0);
		return -EAGAIN;
	}
	return t->intr_fd;
}

static void eth_rx_disarm(struct vnic *nic, unsigned q)
{
	struct eth *t = (struct eth *)nic;
	uint64_t count;

	if (!atomic_load_explicit(&t->is_running, memory_order_acquire))
		return;
	rte_eth_dev_rx_intr_disable(t->port_id, 0);
	// An eventfd does not block: DPDK makes them so.
	if (t->intr_is_event)
		(void)!read(t->intr_fd, &count, sizeof(count));
}

static int eth_start(struct vnic *nic, struct errtext *e)
{
	struct eth *t = (struct eth *)nic;
	int rc;

	if (t->is_open && atomic_load_explicit(&t->is_removed, memory_order_acquire))
		device_close(t);
	if (!t->is_open) {
		rc = device_open(t, e);
		if (rc < 0)
			return rc;
	}
	return look_at_link(t, e);
}

static void eth_stop(struct vnic *nic, bool forget)
{
	device_close((struct eth *)nic);
}

static void eth_destroy(struct vnic *nic)
{
	free(nic);
}

static void eth_link_changed(struct vnic *nic)
{
	// A NIC that was never started is none of our business.
	if (nic->state != VNIC_STATE_CREATED && nic->state != VNIC_STATE_DELETED)
		vnic_start(nic, NULL);
}

// Drivers change it only while the device is stopped, with its queues set up anew.
static void eth_mtu_changed(struct vnic *nic)
{
	struct eth *t = (struct eth *)nic;

	if (!t->is_open)
		return;
	device_close(t);
	vnic_start(nic, NULL);
}

// Makes '*v' of a received mbuf. DROP_Unknown: it owns the mbuf; else it is only good for the drop
// log.
static enum drop_reason take_mbuf(struct rte_mbuf *m, struct vnbl *v)
{
	const uint32_t safe = m->pkt_len < VNBL_SAFE_SIZE ? m->pkt_len : VNBL_SAFE_SIZE;

	vnbl_reset(v);
	v->flags = VNBL_DATA_SAFE;
	v->hdr = rte_pktmbuf_mtod(m, uint8_t *);
	v->frame_size = m->pkt_len;
	v->safe_size = m->data_len;
	if (m->pkt_len > VNBL_FRAME_MAX || m->nb_segs > VNBL_PIECES_MAX + 1 ||
	    rte_pktmbuf_headroom(m) < VNBL_HEADROOM)
		return DROP_InvalidData;
	// Decisions need their bytes in one line.
	if (m->data_len < safe) {
		if (rte_pktmbuf_linearize(m) < 0)
			return DROP_Resources;
		v->hdr = rte_pktmbuf_mtod(m, uint8_t *);
		v->safe_size = m->data_len;
	}
	v->mbuf = m;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		v->flags |= VNBL_HAS_TAG;
		v->vlan_tci = m->vlan_tci;
		v->vlan_tpid = RTE_ETHER_TYPE_VLAN;
	}
	for (m = m->next; m != NULL; m = m->next) {
		if (m->data_len == 0)
			continue;
		v->pieces[v->n_pieces++] = (struct vnbl_piece){
			.addr = rte_pktmbuf_mtod(m, uint8_t *), .len = m->data_len};
	}
	return DROP_Unknown;
}

static void send_segments(struct eth *t, struct vnbl *v, struct vport_stats *st)
{
	struct batch batch = {.n = 0};
	struct vport_stats sent = {0};
	struct nethdr_gso gso;
	struct vnbl segment;
	enum drop_reason reason = DROP_InvalidPacket;

	if (nethdr_gso_begin(&gso, v) == 0) {
		reason = DROP_Unknown;
		while (reason == DROP_Unknown && nethdr_gso_next(&gso, &segment)) {
			reason = batch_add(t, &batch, &segment);
			if (batch.n == VNBL_BURST_MAX)
				batch_flush(t, &batch, &sent);
		}
		batch_flush(t, &batch, &sent);
		if (reason == DROP_Unknown && sent.tx_frames < gso.n)
			reason = DROP_Resources;
	}
	// One frame was given to us, so one frame is counted.
	if (reason != DROP_Unknown) {
		droplog_drop(st, DROP_OUT, reason, v);
		return;
	}
	st->tx_frames++;
	st->tx_bytes += v->frame_size;
}

// DROP_Unknown: a copy of the frame waits in the batch.
static enum drop_reason batch_add(struct eth *t, struct batch *b, const struct vnbl *v)
{
	if (v->frame_size > t->max_frame)
		return DROP_MTUMismatch;
	b->mbufs[b->n] = vnbl_copy_to_mbuf(v);
	if (b->mbufs[b->n] == NULL)
		return DROP_Resources;
	b->frames[b->n] = v;
	b->sizes[b->n++] = v->frame_size;
	return DROP_Unknown;
}

static void batch_flush(struct eth *t, struct batch *b, struct vport_stats *st)
{
	unsigned sent = 0;

	if (b->n > 0)
		sent = rte_eth_tx_burst(t->port_id, 0, b->mbufs, (uint16_t)b->n);
	for (unsigned i = 0; i < sent; i++)
		st->tx_bytes += b->sizes[i];
	st->tx_frames += sent;
	if (sent < b->n) {
		for (unsigned i = sent; i < b->n; i++)
			droplog_drop(st, DROP_OUT, DROP_Resources, b->frames[i]);
		rte_pktmbuf_free_bulk(b->mbufs + sent, b->n - sent);
	}
	b->n = 0;
}

static int device_open(struct eth *t, struct errtext *e)
{
	struct rte_eth_dev_info info;
	char name[ETH_DEVARGS_SIZE];
	int rc;

	snprintf(name, sizeof(name), "%s", t->devargs);
	name[strcspn(name, ",")] = '\0';
	if (strchr(name, ':') != NULL && !rte_eal_has_pci())
		return errtext_set(e, -ENODEV,
				   "PCI device '%s' cannot be used: vswd runs without PCI", name);
	if (!find_port(name, &t->port_id)) {
		rc = rte_dev_probe(t->devargs);
		if (rc < 0)
			return errtext_set(e, rc, "DPDK cannot open device '%s': %s%s", t->devargs,
					   strerror(-rc),
					   strchr(name, ':') != NULL
						   ? "; it must be bound to vfio-pci "
						     "(dpdk-devbind.py -b vfio-pci ...)"
						   : "");
		if (!find_port(name, &t->port_id))
			return errtext_set(e, -ENODEV, "device '%s' is no NIC", t->devargs);
	}
	if (in_use[t->port_id])
		return errtext_set(e, -EBUSY,
				   "device '%s' is in use by another port of this switch", name);
	rc = rte_eth_dev_info_get(t->port_id, &info);
	if (rc < 0)
		return errtext_set(e, rc, "device '%s' does not say what it is: %s", name,
				   strerror(-rc));
	t->device = info.device;
	t->is_open = true;
	in_use[t->port_id] = true;
	atomic_store_explicit(&t->is_removed, 0, memory_order_relaxed);
	rc = device_setup(t, &info, e);
	if (rc < 0) {
		device_close(t);
		return rc;
	}
	set_names(t, &info);
	atomic_store_explicit(&t->is_running, 1, memory_order_release);
	return 0;
}

static int device_setup(struct eth *t, const struct rte_eth_dev_info *info, struct errtext *e)
{
	uint16_t rx_descriptors = ETH_RX_DESCRIPTORS, tx_descriptors = ETH_TX_DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(t->port_id);
	int rc = device_configure(t, info, e);

	if (rc < 0)
		return rc;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(t->port_id, &rx_descriptors, &tx_descriptors);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(t->port_id, 0, rx_descriptors, (unsigned)socket, NULL,
					    vnbl_pool());
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(t->port_id, 0, tx_descriptors, (unsigned)socket, NULL);
	if (rc == 0) {
		// Before the start, so that no event is missed.
		rte_eth_dev_callback_register(t->port_id, RTE_ETH_EVENT_INTR_LSC, on_link, t);
		rte_eth_dev_callback_register(t->port_id, RTE_ETH_EVENT_INTR_RMV, on_removal, t);
		rc = rte_eth_dev_start(t->port_id);
	}
	if (rc < 0)
		return errtext_set(e, rc, "device '%s' cannot be started: %s", t->devargs,
				   strerror(-rc));
	rc = rte_eth_promiscuous_enable(t->port_id);
	if (rc < 0 && rc != -ENOTSUP)
		return errtext_set(e, rc, "device '%s' cannot receive all frames: %s", t->devargs,
				   strerror(-rc));
	find_interrupt(t);
	return 0;
}

// Drivers that cannot do interrupts say so by refusing the whole configuration.
static int device_configure(struct eth *t, const struct rte_eth_dev_info *info, struct errtext *e)
{
	const uint32_t frame = t->nic.mtu + RTE_ETHER_HDR_LEN + TAG_SIZE;
	struct rte_eth_conf conf = {.rxmode.mtu = t->nic.mtu};
	int rc;

	if (t->nic.mtu > info->max_mtu)
		return errtext_set(e, -EMSGSIZE,
				   "device '%s' has an MTU of at most %u, the switch "
				   "has %u",
				   t->devargs, info->max_mtu, t->nic.mtu);
	if (frame + RTE_ETHER_CRC_LEN + RTE_PKTMBUF_HEADROOM >
	    rte_pktmbuf_data_room_size(vnbl_pool()))
		conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	t->has_lsc = *info->dev_flags & RTE_ETH_DEV_INTR_LSC;
	conf.intr_conf.lsc = t->has_lsc;
	conf.intr_conf.rmv = (*info->dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
	conf.intr_conf.rxq = 1;
	rc = rte_eth_dev_configure(t->port_id, 1, 1, &conf);
	if (rc < 0) {
		conf.intr_conf.rxq = 0;
		rc = rte_eth_dev_configure(t->port_id, 1, 1, &conf);
	}
	if (rc < 0)
		return errtext_set(e, rc, "device '%s' cannot be configured: %s", t->devargs,
				   strerror(-rc));
	t->max_frame = (uint16_t)(frame < UINT16_MAX ? frame : UINT16_MAX);
	t->burst_max = (uint16_t)(VNBL_BURST_BYTES / t->max_frame);
	if (t->burst_max > VNBL_BURST_MAX)
		t->burst_max = VNBL_BURST_MAX;
	return 0;
}

// After this no proc uses the device, and DPDK does not know it any more.
static void device_close(struct eth *t)
{
	if (!t->is_open)
		return;
	atomic_store_explicit(&t->is_running, 0, memory_order_release);
	atomic_store_explicit(&t->nic.link, 0, memory_order_release);
	vnic_synchronize(&t->nic);
	forget_callback(t, RTE_ETH_EVENT_INTR_LSC, on_link);
	forget_callback(t, RTE_ETH_EVENT_INTR_RMV, on_removal);
	rte_eth_dev_stop(t->port_id);
	rte_eth_dev_close(t->port_id);
	in_use[t->port_id] = false;
	if (rte_dev_remove(t->device) < 0)
		log_warn("port '%s': DPDK cannot let go of device '%s'", t->nic.obj.name,
			 t->devargs);
	t->device = NULL;
	t->intr_fd = -1;
	t->is_open = false;
}

// DPDK's interrupt thread may be in the callback just now; it must not find 't' freed.
static void forget_callback(struct eth *t, enum rte_eth_event_type type, rte_eth_dev_cb_fn callback)
{
	while (rte_eth_dev_callback_unregister(t->port_id, type, callback, t) == -EAGAIN)
		usleep(CALLBACK_WAIT_US);
}

// A PCI device with several ports names them "ADDRESS_suffix"; the first one is meant.
static bool find_port(const char *name, uint16_t *ret)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	if (rte_eth_dev_get_port_by_name(name, ret) == 0)
		return true;
	RTE_ETH_FOREACH_DEV(id)
	{
		if (rte_eth_dev_info_get(id, &info) == 0 && info.device != NULL &&
		    strcmp(rte_dev_name(info.device), name) == 0) {
			*ret = id;
			return true;
		}
	}
	return false;
}

static void find_interrupt(struct eth *t)
{
	char path[64], target[64];
	ssize_t n;

	t->intr_fd = -1;
	if (rte_eth_dev_rx_intr_enable(t->port_id, 0) < 0 ||
	    rte_eth_dev_rx_intr_disable(t->port_id, 0) < 0)
		return;
	t->intr_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(t->port_id, 0);
	if (t->intr_fd < 0) {
		t->intr_fd = -1;
		return;
	}
	// Some drivers give the fd of a socket or TAP, from where reading would take a frame.
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->intr_fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	t->intr_is_event = strcmp(target, "anon_inode:[eventfd]") == 0;
}

static void set_names(struct eth *t, const struct rte_eth_dev_info *info)
{
	struct rte_ether_addr mac;

	object_change_begin(&t->nic.obj);
	snprintf(t->nic.obj.friendly_name, sizeof(t->nic.obj.friendly_name), "%s (%s)",
		 info->driver_name, rte_dev_name(info->device));
	t->nic.mac_set = rte_eth_macaddr_get(t->port_id, &mac) == 0;
	if (t->nic.mac_set)
		memcpy(t->nic.mac, mac.addr_bytes, sizeof(t->nic.mac));
	object_change_end(&t->nic.obj);
}

// A driver that does not tell of changes is taken to be always up.
static int look_at_link(struct eth *t, struct errtext *e)
{
	struct rte_eth_link link = {.link_status = RTE_ETH_LINK_UP};

	if (t->has_lsc)
		rte_eth_link_get_nowait(t->port_id, &link);
	atomic_store_explicit(&t->nic.link, link.link_status == RTE_ETH_LINK_UP,
			      memory_order_release);
	if (link.link_status != RTE_ETH_LINK_UP)
		return errtext_set(e, -ENETDOWN, "device '%s' has no link", t->devargs);
	if (t->nic.state != VNIC_STATE_CONNECTED)
		vnic_set_state(&t->nic, VNIC_STATE_CONNECTED, 0, NULL);
	return 0;
}

static int on_link(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct eth *t = arg;
	struct rte_eth_link link = {.link_status = RTE_ETH_LINK_DOWN};

	rte_eth_link_get_nowait(port_id, &link);
	vnic_event(&t->nic, link.link_status == RTE_ETH_LINK_UP ? VNIC_EVENT_UP : VNIC_EVENT_DOWN);
	return 0;
}

static int on_removal(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct eth *t = arg;

	atomic_store_explicit(&t->is_removed, 1, memory_order_release);
	vnic_event(&t->nic, VNIC_EVENT_DOWN);
	return 0;
}

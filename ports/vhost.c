/*
 * VM NIC: what the switch calls. See vhost_types.h for the whole.
 *
 * Reconnecting is ours, not the library's: once a second, from the main thread. Its own
 * thread hides why a connection failed, dials a peer that hangs up at once as fast as it can,
 * and may use a socket that is being unregistered.
 */
#include "ports/vhost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/virtio_net.h>
#include <rte_branch_prediction.h>
#include <rte_vhost.h>

#include "ports/droplog.h"
#include "ports/log.h"
#include "ports/nethdr.h"
#include "ports/vhost_socket.h"
#include "ports/vnbl.h"
#include "ports/vnic_ops.h"
#include "ports/vport.h"
#include "ports/vring.h"

// Exactly what our rings can do: nothing of what the library could.
#define VHOST_FEATURES                                                                             \
	(VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF | VIRTQ_FEATURE_EVENT_IDX |             \
	 VIRTQ_FEATURE_INDIRECT_DESC | (1ULL << VHOST_USER_F_PROTOCOL_FEATURES))

// With several queue pairs only: what a port offers may not change.
#define VHOST_FEATURE_MQ (1ULL << VIRTIO_NET_F_MQ)

// REPLY_ACK: the VMM knows that a change of memory is done before it goes on. MQ: it may ask how
// many queue pairs there are.
#define VHOST_PROTOCOL_FEATURES    (1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK)
#define VHOST_PROTOCOL_FEATURES_MQ (1ULL << VHOST_USER_PROTOCOL_F_MQ)

enum { SEGMENTS_BATCH = 8 }; // segments of a GSO frame that are sent in one go

static const char *const phase_texts[] = {
#define X(number, name, text) [number] = text,
	VHOST_PHASES(X)
#undef X
};

// Sockets that listen; main thread.
static unsigned n_servers;

static void vhost_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst,
		     struct vport_stats *st);
static void vhost_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void vhost_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		     struct vport_stats *st);
static int vhost_rx_arm(struct vnic *nic, unsigned q);
static void vhost_rx_disarm(struct vnic *nic, unsigned q);
static int vhost_start(struct vnic *nic, struct errtext *e);
static void vhost_stop(struct vnic *nic, bool forget);
static void vhost_destroy(struct vnic *nic);

static void drain(struct vhost *v, struct vhost_ring *r, struct vnbl_burst *burst,
		  struct vport_stats *st);
static void tx_complete(struct vhost *v, unsigned q, struct vnbl *const frames[], unsigned n,
			struct vport_stats *st);
static void tx_one(struct vhost *v, unsigned q, struct vnbl *frame, struct vport_stats *st);
static void tx_segments(struct vhost *v, unsigned q, struct vnbl *frame, struct vport_stats *st);
static void tx_ring(struct vhost *v, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st);
static void tell_break(struct vhost *v, struct vhost_ring *r, enum drop_direction direction,
		       struct vport_stats *st);
static int start_server(struct vhost *v, struct errtext *e);
static int start_client(struct vhost *v, struct errtext *e);
static int library_register(struct vhost *v, uint64_t flags, struct errtext *e);
static void library_unregister(struct vhost *v);
static void explain_wait(struct vhost *v);

static const struct vnic_ops vhost_ops = {
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.rx_arm = vhost_rx_arm,
	.rx_disarm = vhost_rx_disarm,
	.start = vhost_start,
	.stop = vhost_stop,
	.destroy = vhost_destroy,
};

static struct vhost *vhost_of(struct vnic *nic)
{
	return (struct vhost *)nic;
}

static const struct vhost *vhost_of_const(const struct vnic *nic)
{
	return (const struct vhost *)nic;
}

int vhost_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	uint64_t features = VHOST_FEATURES | (conf->queues > 1 ? VHOST_FEATURE_MQ : 0);
	struct vhost *v;
	int rc;

	v = aligned_alloc(alignof(struct vhost), sizeof(*v));
	if (v == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory for a port");
	memset(v, 0, sizeof(*v));
	rc = vhost_socket_path(conf->path, ports_env()->run_dir, v->nic.path, sizeof(v->nic.path),
			       e);
	if (rc < 0)
		goto free_v;
	v->nic.ops = &vhost_ops;
	v->nic.n_queues = conf->queues;
	snprintf(v->nic.obj.name, sizeof(v->nic.obj.name), "%s", conf->name);
	v->server = conf->server;
	v->features = conf->features != 0 ? conf->features & features : features;
	v->vid = -1;
	v->peer_fd = -1;
	pthread_mutex_init(&v->lock, NULL);
	rc = vhost_registry_add(v, e);
	if (rc < 0)
		goto destroy_lock;
	*ret = &v->nic;
	return 0;

destroy_lock:
	pthread_mutex_destroy(&v->lock);
free_v:
	free(v);
	return rc;
}

bool vhost_forget(const char *path)
{
	char full[VNIC_PATH_SIZE];

	return vhost_socket_path(path, ports_env()->run_dir, full, sizeof(full), NULL) == 0 &&
	       vhost_socket_remove_stale(full);
}

uint64_t vhost_features(const struct vnic *nic)
{
	return vhost_of_const(nic)->features;
}

bool vhost_trouble(const struct vnic *nic, char *text, size_t size)
{
	const struct vhost *v = vhost_of_const(nic);
	char queue[24] = "";

	for (unsigned i = 0; i < 2u * nic->n_queues; i++) {
		const struct virtq *q = &v->rings[i].q;

		if (!vring_attached(q) || !vring_broken(q))
			continue;
		if (nic->n_queues > 1)
			snprintf(queue, sizeof(queue), " of queue %u", i / 2);
		snprintf(text, size, "%s ring%s stopped until the guest resets it: %s (%u)",
			 i % 2 == 0 ? "receive" : "transmit", queue, vring_break_text(q->broken),
			 q->broken_detail);
		return true;
	}
	return false;
}

static void vhost_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct vhost *v = vhost_of(nic);
	struct vhost_ring *r = &v->rings[2 * q + 1];
	uint32_t use = atomic_load_explicit(&r->use, memory_order_acquire);

	burst->n = 0;
	burst->bytes = 0;
	if (unlikely(use != VHOST_RING_UP)) {
		if (use == VHOST_RING_DRAIN)
			drain(v, r, burst, st);
		return;
	}
	vring_rx(&r->q, burst, st);
	if (unlikely(vring_broken(&r->q)))
		tell_break(v, r, DROP_IN, st);
}

// The ring may have been marked DOWN since rx(), but it stays attached until we are quiescent.
static void vhost_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	vring_rx_done(&vhost_of(nic)->rings[2 * q + 1].q);
}

static void vhost_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		     struct vport_stats *st)
{
	struct vhost *v = vhost_of(nic);
	struct vhost_ring *r = &v->rings[2 * q];
	bool complete = true;

	if (unlikely(atomic_load_explicit(&r->use, memory_order_acquire) != VHOST_RING_UP)) {
		uint32_t phase = atomic_load_explicit(&v->phase, memory_order_relaxed);

		droplog_drop_all(st, DROP_OUT,
				 phase == VHOST_NO_PEER ? DROP_Disconnected : DROP_NotReady, frames,
				 n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		complete &= nethdr_work(frames[i], 0) == NETHDR_AS_IS;
	if (likely(complete))
		tx_ring(v, q, frames, n, st);
	else
		tx_complete(v, q, frames, n, st);
	if (unlikely(vring_broken(&r->q)))
		tell_break(v, r, DROP_OUT, st);
}

static int vhost_rx_arm(struct vnic *nic, unsigned q)
{
	struct vhost_ring *r = &vhost_of(nic)->rings[2 * q + 1];

	if (atomic_load_explicit(&r->use, memory_order_acquire) == VHOST_RING_DOWN)
		return -ENOLINK;
	return vring_arm(&r->q);
}

static void vhost_rx_disarm(struct vnic *nic, unsigned q)
{
	struct vhost_ring *r = &vhost_of(nic)->rings[2 * q + 1];

	if (atomic_load_explicit(&r->use, memory_order_acquire) != VHOST_RING_DOWN)
		vring_disarm(&r->q);
}

static int vhost_start(struct vnic *nic, struct errtext *e)
{
	struct vhost *v = vhost_of(nic);
	int rc;

	// Written by this thread only. A NIC that is up is left alone: its lock may be held for
	// as long as a proc does not answer.
	if (v->stopping) {
		pthread_mutex_lock(&v->lock);
		v->stopping = 0;
		pthread_mutex_unlock(&v->lock);
	}
	rc = v->server ? start_server(v, e) : start_client(v, e);
	if (rc == 0)
		explain_wait(v);
	return rc;
}

static void vhost_stop(struct vnic *nic, bool forget)
{
	struct vhost *v = vhost_of(nic);

	// A socket file of ours goes in any case: nobody would answer there.
	(void)forget;
	pthread_mutex_lock(&v->lock);
	v->stopping = 1;
	vhost_rings_down(v, vhost_all_rings(v));
	vhost_memory_drop(v);
	pthread_mutex_unlock(&v->lock);
	library_unregister(v);

	// The library forgets a connection that it ends itself without a word.
	pthread_mutex_lock(&v->lock);
	vhost_forget_peer(v);
	pthread_mutex_unlock(&v->lock);
	vnic_event(nic, VNIC_EVENT_DOWN);
}

static void vhost_destroy(struct vnic *nic)
{
	struct vhost *v = vhost_of(nic);

	vhost_registry_remove(v);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

// A ring that its guest has disabled: what it sends is taken and thrown away.
static void drain(struct vhost *v, struct vhost_ring *r, struct vnbl_burst *burst,
		  struct vport_stats *st)
{
	vring_rx(&r->q, burst, st);
	if (burst->n > 0) {
		for (uint32_t i = 0; i < burst->n; i++)
			droplog_drop(st, DROP_IN, DROP_NicDisabled, &burst->frames[i]);
		vnbl_release_burst(burst);
		vring_rx_done(&r->q);
		burst->n = 0;
		burst->bytes = 0;
	}
	if (vring_broken(&r->q))
		tell_break(v, r, DROP_IN, st);
}

// Sends frames of which some are not complete, keeping their order.
static void tx_complete(struct vhost *v, unsigned q, struct vnbl *const frames[], unsigned n,
			struct vport_stats *st)
{
	unsigned first = 0;

	for (unsigned i = 0; i < n; i++) {
		if (nethdr_work(frames[i], 0) == NETHDR_AS_IS)
			continue;
		if (i > first)
			tx_ring(v, q, &frames[first], i - first, st);
		tx_one(v, q, frames[i], st);
		first = i + 1;
	}
	if (n > first)
		tx_ring(v, q, &frames[first], n - first, st);
}

static void tx_one(struct vhost *v, unsigned q, struct vnbl *frame, struct vport_stats *st)
{
	st->tx_completed++;
	if (nethdr_work(frame, 0) == NETHDR_SEGMENT) {
		tx_segments(v, q, frame, st);
	} else if (nethdr_complete_csum(frame) == 0) {
		tx_ring(v, q, &frame, 1, st);
	} else {
		droplog_drop(st, DROP_OUT, DROP_Resources, frame);
	}
}

static void tx_segments(struct vhost *v, unsigned q, struct vnbl *frame, struct vport_stats *st)
{
	struct vnbl segments[SEGMENTS_BATCH], *pointers[SEGMENTS_BATCH];
	struct vport_stats sent = {0};
	struct nethdr_gso g;
	unsigned n;

	if (nethdr_gso_begin(&g, frame) < 0) {
		droplog_drop(st, DROP_OUT, DROP_InvalidPacket, frame);
		return;
	}
	do {
		for (n = 0; n < SEGMENTS_BATCH && nethdr_gso_next(&g, &segments[n]); n++)
			pointers[n] = &segments[n];
		if (n > 0)
			tx_ring(v, q, pointers, n, &sent);
	} while (n == SEGMENTS_BATCH);
	// One frame was given to us, so one frame is counted.
	if (sent.tx_frames == g.n) {
		st->tx_frames++;
		st->tx_bytes += frame->frame_size;
	} else {
		droplog_drop(st, DROP_OUT, DROP_Resources, frame);
	}
}

static void tx_ring(struct vhost *v, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st)
{
	vring_tx(&v->rings[2 * q].q, frames, n, st);
}

// Once per break: the ring does nothing until it is attached again. What broke it counts as one
// frame, for it can never be known how many it was meant to be.
static void tell_break(struct vhost *v, struct vhost_ring *r, enum drop_direction direction,
		       struct vport_stats *st)
{
	if (r->told)
		return;
	r->told = 1;
	r->breaks++;
	vport_count_drop(st, direction, DROP_InvalidData, 1);
	vnic_event(&v->nic,
		   r->q.broken == VIRTQ_BREAK_MEMORY ? VNIC_EVENT_MEMORY : VNIC_EVENT_BROKEN);
}

static int start_server(struct vhost *v, struct errtext *e)
{
	mode_t mask;
	int rc;

	if (v->registered)
		return 0;
	if (v->failed)
		return errtext_set(e, -EIO,
				   "the vhost library cannot listen on '%s': remove the port, and "
				   "add it with another socket",
				   v->nic.path);
	if (n_servers >= VHOST_SERVERS_MAX)
		return errtext_set(e, -ENOSPC, "a vswd can have %d server sockets: use client",
				   VHOST_SERVERS_MAX);
	rc = vhost_socket_claim(v->nic.path, e);
	if (rc < 0)
		return rc;
	rc = library_register(v, 0, e);
	if (rc < 0)
		return rc;
	// For nobody but us until its group and mode are set.
	mask = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	rc = rte_vhost_driver_start(v->nic.path);
	umask(mask);
	if (rc < 0) {
		// Somebody was faster than we between claim and start. To unregister now would
		// remove their socket, and close a number that may by now be another file's.
		v->failed = 1;
		v->registered = 0;
		n_servers--;
		return errtext_set(e, -EIO, "the vhost library could not listen on '%s'",
				   v->nic.path);
	}
	rc = vhost_socket_publish(v->nic.path, &v->socket_dev, &v->socket_ino, e);
	if (rc < 0)
		library_unregister(v);
	return rc;
}

/*
 * Connects, if the VM is not connected already. The library makes a new socket only when it
 * registers one.
 */
static int start_client(struct vhost *v, struct errtext *e)
{
	int rc, err;

	if (atomic_load_explicit(&v->phase, memory_order_acquire) != VHOST_NO_PEER)
		return 0;
	library_unregister(v);
	rc = vhost_socket_look(v->nic.path, e);
	if (rc < 0)
		return rc;
	rc = library_register(v, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT, e);
	if (rc < 0)
		return rc;
	errno = 0;
	rc = rte_vhost_driver_start(v->nic.path);
	err = errno;
	if (rc < 0) {
		library_unregister(v);
		return vhost_socket_connect_failed(v->nic.path, err != 0 ? err : ECONNREFUSED, e);
	}
	if (atomic_load_explicit(&v->phase, memory_order_acquire) == VHOST_NO_PEER)
		return errtext_set(e, -ENOTCONN, "socket '%s': the VM hung up at once",
				   v->nic.path);
	return 0;
}

static int library_register(struct vhost *v, uint64_t flags, struct errtext *e)
{
	const char *path = v->nic.path;
	uint64_t offered = 0, protocol = VHOST_PROTOCOL_FEATURES;

	if (rte_vhost_driver_register(path, flags) < 0)
		return errtext_set(e, -ENOSPC,
				   "the vhost library takes no more sockets: it has room for 1024");
	v->registered = 1;
	n_servers += v->server;
	if (v->features & VHOST_FEATURE_MQ)
		protocol |= VHOST_PROTOCOL_FEATURES_MQ;
	// Both masks are wider than we are. Taking away, other than setting, keeps what the library
	// does for a network device.
	if (rte_vhost_driver_disable_features(path, ~v->features) < 0 ||
	    rte_vhost_driver_get_features(path, &offered) < 0 || offered != v->features ||
	    rte_vhost_driver_set_protocol_features(path, protocol) < 0 ||
	    rte_vhost_driver_callback_register(path, &vhost_callbacks) < 0) {
		library_unregister(v);
		return errtext_set(e, -ENOTSUP,
				   "the vhost library does not know features %#llx, which port "
				   "'%s' offers",
				   (unsigned long long)(v->features & ~offered), v->nic.obj.name);
	}
	return 0;
}

/*
 * Ends the connection, if there is one, and removes our socket file. Spins while a callback of
 * the socket runs, so no lock that a callback takes may be held.
 */
static void library_unregister(struct vhost *v)
{
	char aside[VNIC_PATH_SIZE];
	bool moved;

	if (!v->registered)
		return;
	// The library removes what has the name of our socket, whosever it is by now.
	moved = v->server && vhost_socket_set_aside(v->nic.path, v->socket_dev, v->socket_ino,
						    aside, sizeof(aside));
	rte_vhost_driver_unregister(v->nic.path);
	if (moved)
		vhost_socket_put_back(aside, v->nic.path);
	v->registered = 0;
	n_servers -= v->server;
}

// Says what a NIC that was started waits for. Its events may say more at any moment.
static void explain_wait(struct vhost *v)
{
	uint32_t phase = atomic_load_explicit(&v->phase, memory_order_acquire);

	if (phase == VHOST_RUNNING || v->nic.state == VNIC_STATE_CONNECTED ||
	    strcmp(v->nic.why, phase_texts[phase]) == 0)
		return;
	vnic_set_state(&v->nic, VNIC_STATE_DISCONNECTED, 0, phase_texts[phase]);
}

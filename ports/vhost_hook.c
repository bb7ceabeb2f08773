/*
 * What the vhost library calls.
 *
 *      connection   new_connection                                  phase NO_PEER -> PEER
 *      a message    before it: rings concerned go down, memory is let go of
 *                   the library works on it
 *                   after it, if it was good: memory is taken over, complete rings go up
 *      all rings    new_device                                      PEER -> RUNNING, event UP
 *      stop, reset  destroy_device: rings down                      RUNNING -> PEER, event DOWN
 *      hang-up      destroy_connection                              PEER -> NO_PEER, event DOWN
 *
 * A message that the library fails at is not followed by a call: what was taken down stays down
 * until the next good message. While it is down nobody is harmed but its own guest. Faults are
 * forgiven until the next message, or until a connection comes or goes; not until
 * destroy_device, which the library calls in the middle of messages that map memory.
 *
 * The library may hold its locks around each of these calls, and rte_vhost_driver_unregister()
 * in the main thread spins until they return. So nothing here waits but for procs, which
 * take none of these locks. A proc that never lets go stops its guest's messages, and
 * vnic_synchronize() tells of it.
 *
 * Threads: vhost-events, and the main thread inside of rte_vhost_driver_start() and
 * rte_vhost_driver_unregister(). One connection's calls never overlap.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_vhost.h>

#include "ports/log.h"
#include "ports/sigbus.h"
#include "ports/vhost.h"
#include "ports/vhost_msg.h"
#include "ports/vhost_socket.h"
#include "ports/vnic_ops.h"
#include "ports/vring.h"

// All NICs that the library may call us for, by their path. The mutex is held for the search
// only: a NIC that is found stays, since it is removed when the library has forgotten it.
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vhost *registry;

// The library reads rings right after it has mapped memory, before we know of that memory and can
// watch it: it went away then. Messages are worked on by one thread.
static _Atomic uint32_t library_fault;

static int new_connection(int vid);
static void destroy_connection(int vid);
static int new_device(int vid);
static void destroy_device(int vid);
static enum rte_vhost_msg_result before_message(int vid, void *msg);
static bool changes_nothing(const struct vhost *v, const struct vhost_message *m);
static enum rte_vhost_msg_result after_message(int vid, void *msg);
static void answer_queue_num(const struct vhost *v, struct vhost_message *m);
static void apply(struct vhost *v, const struct vhost_message *m);
static void forget_device(struct vhost *v);
static struct vhost *lock_by_vid(int vid);
static struct vhost *find_by_vid(int vid);

const struct rte_vhost_device_ops vhost_callbacks = {
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
	.new_device = new_device,
	.destroy_device = destroy_device,
};

static const struct rte_vhost_user_extern_ops message_hooks = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

int vhost_registry_add(struct vhost *v, struct errtext *e)
{
	const struct vhost *other;

	pthread_mutex_lock(&registry_lock);
	for (other = registry; other != NULL; other = other->next)
		if (strcmp(other->nic.path, v->nic.path) == 0)
			break;
	if (other == NULL) {
		v->next = registry;
		registry = v;
	}
	pthread_mutex_unlock(&registry_lock);
	if (other != NULL)
		return errtext_set(e, -EADDRINUSE, "socket '%s' belongs to port '%s'", v->nic.path,
				   other->nic.obj.name);
	return 0;
}

void vhost_registry_remove(struct vhost *v)
{
	pthread_mutex_lock(&registry_lock);
	for (struct vhost **p = &registry; *p != NULL; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			break;
		}
	pthread_mutex_unlock(&registry_lock);
}

void vhost_forget_peer(struct vhost *v)
{
	forget_device(v);
	vhost_memory_drop(v);
	v->vid = -1;
	v->peer_fd = -1;
	v->peer_pid = 0;
	atomic_store_explicit(&v->phase, VHOST_NO_PEER, memory_order_release);
}

static int new_connection(int vid)
{
	struct vhost *v = find_by_vid(vid);
	uint32_t event = 0;
	struct ucred peer;
	int fd, rc = -1;

	sigbus_forgive(NULL);
	if (v == NULL)
		return -1;
	pthread_mutex_lock(&v->lock);
	// First of all, since also a peer that is refused could make the library wait.
	fd = vhost_socket_tame(v->nic.path, v->peer_fd, &peer);
	// A VMM that hung up and is back already: the library looks at the new connection first.
	if (v->vid >= 0 && vhost_socket_hung_up(v->peer_fd)) {
		vhost_forget_peer(v);
		event = VNIC_EVENT_DOWN;
	}
	if (v->stopping || v->vid >= 0) {
		v->refusals++;
		event = VNIC_EVENT_REFUSED;
	} else if (rte_vhost_extern_callback_register(vid, &message_hooks, NULL) == 0) {
		v->vid = vid;
		v->connections++;
		v->peer_fd = fd;
		v->peer_pid = peer.pid;
		v->peer_uid = peer.uid;
		atomic_store_explicit(&v->phase, VHOST_PEER, memory_order_release);
		rc = 0;
	}
	pthread_mutex_unlock(&v->lock);
	if (event != 0)
		vnic_event(&v->nic, event);
	return rc;
}

static void destroy_connection(int vid)
{
	struct vhost *v = lock_by_vid(vid);

	sigbus_forgive(NULL);
	if (v == NULL)
		return;
	vhost_forget_peer(v);
	pthread_mutex_unlock(&v->lock);
	vnic_event(&v->nic, VNIC_EVENT_DOWN);
}

static int new_device(int vid)
{
	struct vhost *v = lock_by_vid(vid);

	if (v == NULL)
		return -1;
	atomic_store_explicit(&v->phase, VHOST_RUNNING, memory_order_release);
	vhost_rings_up(v);
	pthread_mutex_unlock(&v->lock);
	vnic_event(&v->nic, VNIC_EVENT_UP);
	return 0;
}

static void destroy_device(int vid)
{
	struct vhost *v = lock_by_vid(vid);

	if (v == NULL)
		return;
	vhost_rings_down(v, vhost_all_rings(v));
	atomic_store_explicit(&v->phase, VHOST_PEER, memory_order_release);
	pthread_mutex_unlock(&v->lock);
	vnic_event(&v->nic, VNIC_EVENT_DOWN);
}

static enum rte_vhost_msg_result before_message(int vid, void *msg)
{
	struct vhost *v = lock_by_vid(vid);
	struct vhost_message *m = msg;
	const char *words;

	if (v == NULL) {
		vhost_msg_close_fds(m);
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	v->messages++;
	words = vhost_msg_check(m, 2u * v->nic.n_queues);
	if (words != NULL) {
		v->bad_messages++;
		log_debug("port '%s': vhost message %u refused: %s", v->nic.obj.name, m->request,
			  words);
		pthread_mutex_unlock(&v->lock);
		vhost_msg_close_fds(m);
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	if (m->request == VHOST_MSG_GET_QUEUE_NUM) {
		answer_queue_num(v, m);
		pthread_mutex_unlock(&v->lock);
		return RTE_VHOST_MSG_RESULT_REPLY;
	}
	if (vhost_msg_unmaps(m)) {
		vhost_rings_down(v, vhost_all_rings(v));
		vhost_memory_drop(v);
	} else {
		if (m->request == VHOST_MSG_SET_VRING_ENABLE && m->payload.state.num == 0)
			vhost_ring_empty_out(v, m->payload.state.index);
		if (!changes_nothing(v, m))
			vhost_rings_down(v, vhost_msg_rings(m, 2u * v->nic.n_queues));
	}
	pthread_mutex_unlock(&v->lock);
	atomic_store_explicit(&library_fault, 0, memory_order_relaxed);
	sigbus_forgive(&library_fault);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

// When a guest switches queues on or off, QEMU says of all that they are on, or off; those that
// stay as they are go on.
static bool changes_nothing(const struct vhost *v, const struct vhost_message *m)
{
	return m->request == VHOST_MSG_SET_VRING_ENABLE &&
	       v->rings[m->payload.state.index].enabled == (m->payload.state.num != 0);
}

static enum rte_vhost_msg_result after_message(int vid, void *msg)
{
	struct vhost *v = lock_by_vid(vid);

	sigbus_forgive(NULL);
	if (v == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	apply(v, msg);
	vhost_rings_up(v);
	pthread_mutex_unlock(&v->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

// The library would promise as many as it can itself, and its peer would use them.
static void answer_queue_num(const struct vhost *v, struct vhost_message *m)
{
	vhost_msg_close_fds(m);
	m->n_fds = 0;
	m->payload.u64 = v->nic.n_queues;
	m->size = sizeof(m->payload.u64);
}

// What a good message changed, of the things that the library does not tell otherwise.
static void apply(struct vhost *v, const struct vhost_message *m)
{
	uint32_t ring;

	switch (m->request) {
	case VHOST_MSG_SET_FEATURES:
		rte_vhost_get_negotiated_features(v->vid, &v->negotiated);
		break;
	case VHOST_MSG_SET_MEM_TABLE:
		vhost_memory_load(v, atomic_load(&library_fault) != 0);
		break;
	case VHOST_MSG_RESET_OWNER:
		forget_device(v);
		break;
	case VHOST_MSG_SET_VRING_ENABLE:
		v->rings[m->payload.state.index].enabled = m->payload.state.num != 0;
		break;
	case VHOST_MSG_SET_VRING_KICK:
		// Without protocol features there is no message to enable a ring.
		ring = (uint32_t)(m->payload.u64 & VHOST_MSG_RING_MASK);
		if (!(v->negotiated & (1ULL << VHOST_USER_F_PROTOCOL_FEATURES)))
			v->rings[ring].enabled = 1;
		break;
	}
}

// What holds until the peer starts from the beginning.
static void forget_device(struct vhost *v)
{
	vhost_rings_down(v, vhost_all_rings(v));
	v->negotiated = 0;
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		v->rings[i].enabled = 0;
}

// The NIC of a connection, locked; NULL when the connection is not the one that it took.
static struct vhost *lock_by_vid(int vid)
{
	struct vhost *v = find_by_vid(vid);

	if (v == NULL)
		return NULL;
	pthread_mutex_lock(&v->lock);
	if (v->vid == vid)
		return v;
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static struct vhost *find_by_vid(int vid)
{
	char path[VHOST_SOCKET_PATH_MAX + 1];
	struct vhost *v;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) < 0)
		return NULL;
	pthread_mutex_lock(&registry_lock);
	for (v = registry; v != NULL; v = v->next)
		if (strcmp(v->nic.path, path) == 0)
			break;
	pthread_mutex_unlock(&registry_lock);
	return v;
}

/*
 * What the files of the VM NIC share; see vhost_types.h for what it is.
 *
 *   vhost.c         what the switch calls: rx, tx, start, stop
 *   vhost_hook.c    what the vhost library calls: peers, devices, messages
 *   vhost_ring.c    rings and memory, taken from the procs and given to them
 *   vhost_socket.c  socket files
 *   vhost_msg.c     which messages are let through
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"
#include "ports/vhost_types.h"

struct rte_vhost_device_ops;

// What the library is to call. It finds the NIC by the connection's socket path.
extern const struct rte_vhost_device_ops vhost_callbacks;

/**
 * Makes the NIC known to the callbacks under its path, until vhost_registry_remove(). Main
 * thread. -EADDRINUSE: another NIC has that socket.
 */
int vhost_registry_add(struct vhost *v, struct errtext *e);
void vhost_registry_remove(struct vhost *v);

/**
 * Takes down all that the peer's connection brought up, and forgets the peer. Call with
 * v->lock held.
 */
void vhost_forget_peer(struct vhost *v);

/**
 * Takes the rings in 'mask' away from the procs, waits until no proc is inside, and tells
 * the library how far they were worked on. Nothing happens to rings that are down. Call with
 * v->lock held.
 */
void vhost_rings_down(struct vhost *v, uint32_t mask);

/**
 * Gives the procs each ring that is down and complete: device running, memory known, ring
 * started. A ring that the peer described wrongly stays down. Call with v->lock held, from a
 * callback of the library.
 */
void vhost_rings_up(struct vhost *v);

/**
 * The guest is switching this ring off: no proc sends a frame there any more, if there is another
 * to send to. Waits for procs. The ring is as it was. Call with v->lock held.
 */
void vhost_ring_empty_out(struct vhost *v, unsigned index);

/**
 * Takes over the memory that the library has mapped, and lets go of it. All rings must be
 * down. Call with v->lock held; loading from a callback of the library after a good
 * SET_MEM_TABLE. 'broken': parts of it went away already.
 */
void vhost_memory_load(struct vhost *v, bool broken);
void vhost_memory_drop(struct vhost *v);

static inline uint32_t vhost_all_rings(const struct vhost *v)
{
	return UINT32_MAX >> (32 - 2 * v->nic.n_queues);
}

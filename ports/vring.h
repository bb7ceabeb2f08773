/*
 * A guest's virtqueue, read and written by our own code: the hostile border.
 *
 * What comes from a ring is read once, into locals, checked, and used from the locals. What
 * is wrong is answered by kind:
 *
 *  - a frame or buffer that is malformed (address outside of memory, wrong direction, bad
 *    indirect table, no room for the header, too long) costs that frame: it is counted as
 *    DROP_InvalidData, its descriptor goes back to the guest, and the ring goes on;
 *  - a ring that contradicts itself (available index too far ahead, descriptor number out
 *    of range, chain that loops) is broken: vring_rx() and vring_tx() do nothing until
 *    the guest resets its device, that is, until the next vring_attach().
 *
 * The leading bytes of a received frame are copied to v->safe once; the rest stays in the
 * guest as checked pieces (vnbl_types.h) until vring_rx_done().
 *
 * No function here sleeps, logs, allocates (but attach) or calls librte_vhost. A call to the
 * guest is one system call that cannot wait (call.h).
 *
 * Calls are owed: what is put into a ring is the guest's at once, but whether it wants to be
 * called can only be read behind a full fence, which waits for every copy that is under way. So
 * rx_done and tx only note the ring, and the thread pays one fence for all of them in
 * vring_settle().
 *
 * Threads: attach, detach: any thread, while no proc is inside (the caller's
 * grace period). rx, rx_done, arm, disarm: the one proc. tx: the holder of the queue's lock.
 * settle: the thread that called rx_done or tx, before it lets the grace period go on.
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"
#include "ports/guest_mem.h"
#include "ports/vnbl_types.h"
#include "ports/vport_types.h"
#include "ports/vring_types.h"

struct virtq_conf {
	void *desc; // our addresses of the three parts, as the vhost library translated them
	void *avail;
	void *used;
	uint32_t size;
	uint16_t last_avail; // where to go on; equal to last_used unless the peer says otherwise
	uint16_t last_used;
	uint64_t features;           // negotiated
	int callfd;                  // borrowed: duplicated. Negative: none
	int kickfd;                  // borrowed: duplicated. Negative: none
	const struct guest_mem *mem; // borrowed until vring_detach()
	uint64_t *notifications;     // counts calls; borrowed until vring_detach(). May be NULL
	enum virtq_direction direction;
};

/**
 * Takes the ring into use; it works after that, also if it was broken before. The guest is
 * told not to kick. 'q' is zeroed memory or was detached.
 * -EINVAL with words: size, alignment or place of the ring is not legal. -ENOMEM.
 * A fd that is no eventfd is taken for none (it could make us wait), as is one that dup()
 * refuses.
 */
int vring_attach(struct virtq *q, const struct virtq_conf *conf, struct errtext *e);

/**
 * Lets go of the ring: our copies of the fds are closed, guest memory is not touched any
 * more. '*last_avail' and '*last_used' (each may be NULL) are what the vhost library must be
 * told (rte_vhost_set_vring_base); unset when it was not attached. Returns whether it was.
 */
bool vring_detach(struct virtq *q, uint16_t *last_avail, uint16_t *last_used);

static inline bool vring_attached(const struct virtq *q)
{
	return q->desc != NULL;
}

/**
 * Receives up to a burst from the guest's transmit ring; see vnic_ops.rx. Frames that were
 * malformed are counted in 'st' (DROP_IN). Sets burst->n and burst->bytes; 0 when the ring is
 * empty, broken or not attached.
 */
void vring_rx(struct virtq *q, struct vnbl_burst *burst, struct vport_stats *st);

/**
 * Gives the descriptors of the burst back; vring_settle() is owed. Once after every vring_rx()
 * with burst->n > 0; harmless else.
 */
void vring_rx_done(struct virtq *q);

/**
 * Sends n frames (1..VNBL_BURST_MAX) into the guest's receive ring, in order; vring_settle()
 * is owed. Each frame is counted in 'st' as sent or as a drop (DROP_OUT): NotReady (not
 * attached, or broken), Resources (the guest has no free buffers), MTUMismatch (longer than its
 * buffers and they cannot be merged), InvalidData (its buffers are malformed). Offload requests
 * have been completed by the caller: the header written is all zeros but for the number of
 * buffers. Writes up to 12 bytes before each frame's hdr.
 */
void vring_tx(struct virtq *q, struct vnbl *const frames[], unsigned n, struct vport_stats *st);

enum { VRING_NOTHING_OWED = -1 };

/**
 * Calls the guests that want to be called for what this thread has put into their rings, behind
 * one full fence. Returns how many were called, or VRING_NOTHING_OWED: then there was no fence.
 */
int vring_settle(void);

/**
 * Asks the guest to kick when it adds to the ring. Returns the fd that becomes readable then
 * (ours; do not close). -EAGAIN: something is there already. -ENOTSUP: there is no fd to
 * kick. -ENOLINK: not attached, or broken: nothing will come.
 */
int vring_arm(struct virtq *q);

// Asks the guest not to kick, and clears the fd.
void vring_disarm(struct virtq *q);

// Whether the ring broke the rules since it was attached; 'q->broken' says which.
static inline bool vring_broken(const struct virtq *q)
{
	return q->broken != VIRTQ_OK;
}

// Words for enum virtq_break.
const char *vring_break_text(unsigned reason);

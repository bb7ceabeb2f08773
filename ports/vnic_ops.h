/*
 * What a kind of NIC implements, and the constructors of the kinds. Only ports/vnic.c and the
 * kinds include this.
 *
 * Ownership: rx() fills a burst whose frames stay valid until rx_done() on the same queue;
 * the two are always called in pairs by the queue's proc, rx_done() also when the burst was
 * empty of survivors. tx() borrows the frames: they are the caller's before and after.
 */
#pragma once

#include "ports/errtext.h"
#include "ports/vnbl_types.h"
#include "ports/vnic.h"
#include "ports/vnic_types.h"

struct vnic_ops {
	/**
	 * Receives up to a burst (VNBL_BURST_MAX frames, VNBL_BURST_BYTES). Each frame comes out
	 * of vnbl_reset() with hdr, frame_size, safe_size, pieces, offload filled in; frames that
	 * the source malformed are counted in 'st' (DROP_IN) and not given. The proc only.
	 * Sets burst->n and burst->bytes.
	 */
	void (*rx)(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);

	// Gives the burst's buffers back to the source. The proc only, once per rx() with n > 0,
	// after vnbl_release_burst(): mbufs are gone already.
	void (*rx_done)(struct vnic *nic, unsigned q, struct vnbl_burst *burst);

	/**
	 * Sends n frames (1..VNBL_BURST_MAX), in order, tags already in the data. Counts each in
	 * 'st' as sent (tx_frames, tx_bytes) or as one drop (DROP_OUT). Called with the tx queue's
	 * lock held. Frames with an offload request that the peer did not ask for are completed
	 * by this function (nethdr.h). What it owes the peer is settled by vnic_settle().
	 */
	void (*tx)(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		   struct vport_stats *st);

	/**
	 * Prepares to sleep: from now on arrival of a frame makes the returned fd readable.
	 * -EAGAIN: frames are waiting already. -ENOTSUP: this queue cannot wake anybody now and
	 * must be polled by a timed sleep. -ENOLINK: nothing can arrive before an event of the
	 * NIC (not connected); no need to look. The proc only, in an RCU read section.
	 */
	int (*rx_arm)(struct vnic *nic, unsigned q);

	// Ends what rx_arm() began; clears the fd's readiness where it is the proc's to clear.
	void (*rx_disarm)(struct vnic *nic, unsigned q);

	/**
	 * Brings the NIC up or tries again, by its configuration. Main thread. 0: connected, or
	 * will be by an event. Negative errno: it cannot be now; 'e' says why, and it is called
	 * again every second. A vhost NIC's is called every second until its VM is there.
	 */
	int (*start)(struct vnic *nic, struct errtext *e);

	/**
	 * Takes the NIC away from its peer. On return nothing touches the peer's memory or files
	 * any more; may wait for procs (RCU). Main thread. 'forget': the port is being removed for
	 * good, so what persists in the system (a TAP, a socket file) goes, too.
	 */
	void (*stop)(struct vnic *nic, bool forget);

	// Frees the struct; after stop().
	void (*destroy)(struct vnic *nic);

	// nic->mtu was changed. Main thread. May be NULL.
	void (*mtu_changed)(struct vnic *nic);

	// The port's address is another, all zeros: none. Main thread. May be NULL.
	void (*set_mac)(struct vnic *nic, const uint8_t mac[6]);

	// Something changed about kernel interface nic->path (rtnetlink). Main thread. May be NULL.
	void (*link_changed)(struct vnic *nic);
};

/**
 * The constructors: check 'conf', allocate the kind's struct (zeroed, 64-byte aligned), fill
 * in 'ops' and what is the kind's own; vnic_create() has done the rest. They open nothing:
 * that is start()'s. -EINVAL with words: the configuration cannot work.
 */
int vhost_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);
int tap_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);
int packet_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);
int eth_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);
int pcap_create_nic(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);

// What vnic_forget() does for TAP port 'name', and for the server socket at 'path'.
bool tap_forget(const char *name);
bool vhost_forget(const char *path);

/**
 * For the kinds: the grace period. Returns when no proc can still be inside a call on this
 * NIC that began before. Any thread but a proc; waits for procs only.
 */
void vnic_synchronize(struct vnic *nic);

/**
 * For the kinds: tells the main thread. Any thread, never blocks.
 */
void vnic_event(struct vnic *nic, uint32_t events);

// For the kinds: wakes the proc that polls rx queue q, if it sleeps. Any thread, never blocks.
void vnic_wake(struct vnic *nic, unsigned q);

// For the kinds: records state, reason and time. Main thread. 'why' NULL or "" = none.
void vnic_set_state(struct vnic *nic, enum vnic_state state, int err, const char *why);

// For the kinds: what ports_init() was given.
const struct ports_env *ports_env(void);

// The virtio features that a vhost NIC offers.
uint64_t vhost_features(const struct vnic *nic);

// Whether a ring of a vhost NIC is stopped since its guest broke the rules, and which and why.
bool vhost_trouble(const struct vnic *nic, char *text, size_t size);

/**
 * Prepares the queues, and frees what waits in them; vnic_create() and vnic_destroy() do it for the
 * kinds. Main thread.
 */
void vnic_queues_init(struct vnic *nic);
void vnic_queues_fini(struct vnic *nic);

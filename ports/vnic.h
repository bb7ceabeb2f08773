/*
 * NICs, as the switch sees them: make one, move bursts, sleep on it, watch its state.
 *
 * Threads: vnic_rx(), vnic_rx_done(), vnic_rx_arm(), vnic_rx_disarm(): the proc that the
 * queue is given to. vnic_tx(): any proc. The rest: main thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ports/errtext.h"
#include "ports/vnbl_types.h"
#include "ports/vnic_types.h"

struct rte_rcu_qsbr;

// What the switch lends to this folder. Copied by ports_init().
struct ports_env {
	struct rte_rcu_qsbr *rcu;    // procs are its readers
	void (*wake)(unsigned proc); // wakes a sleeping proc; any thread, never blocks
	const char *socket_group;    // group of our sockets; NULL or "" = vsw if it exists
	mode_t socket_mode;          // 0660
	const char *run_dir;         // relative socket names go here
	unsigned n_mbufs;            // frames that may be in flight outside of guests
};

int ports_init(const struct ports_env *env, struct errtext *e);
void ports_fini(void);

// An eventfd: readable when a NIC has events. The main loop watches it.
int ports_event_fd(void);

// What a NIC is to be. Strings are copied.
struct vnic_conf {
	enum vnic_kind kind;
	const char *name;    // the port's name
	const char *path;    // vhost: socket; tap, packet: interface; eth: PCI address or vdev:...
	const char *pcap_rx; // pcap: file to replay, or NULL
	const char *pcap_tx; // pcap: file to capture to, "-" = the caller's pipe (pcap_fd), or NULL
	int pcap_fd; // pcap tx "-": where to write; owned by the NIC, also when it cannot be made
	bool server; // vhost: we own the socket
	uint16_t queues;   // queue pairs: 1..VNIC_QUEUES_MAX; 1 but for vhost
	uint32_t mtu;      // bytes, L3 payload
	uint8_t mac[6];    // address to give to a host TAP; all zero = let the kernel choose
	uint64_t features; // vhost: virtio features to offer; 0 = all that we have
};

/**
 * Gives a NIC in state Created, not connected to a port, not started.
 * -EINVAL: 'e' says which setting is wrong.
 */
int vnic_create(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e);

// Stops the NIC if need be and frees it. 'forget' as in vnic_ops.stop(). Accepts NULL.
void vnic_destroy(struct vnic *nic, bool forget);

/**
 * Removes what a NIC of this configuration left in the system when its vswd was killed: a TAP
 * that carries its mark, wherever that is by now, or a server's socket that nobody listens on.
 * Touches nothing else. True: there was such a thing, and it is gone.
 */
bool vnic_forget(const struct vnic_conf *conf);

/**
 * Starts the NIC, or tries again. Negative errno: not now; the state is Disconnected with
 * the reason, and vnic_tick() tries again.
 */
int vnic_start(struct vnic *nic, struct errtext *e);

// Once a second: retries what is not connected.
void vnic_tick(struct vnic *nic);

/**
 * Takes the events that came since the last call and brings 'state', 'why' and 'since_s' up
 * to date. Returns the events (enum vnic_event bits).
 */
uint32_t vnic_take_events(struct vnic *nic);

// rtnetlink says that an interface changed, came or went.
void vnic_link_changed(struct vnic *nic, const char *ifname);

// The switch's MTU is 'mtu' bytes now; NICs of ours (TAPs) take it over.
void vnic_set_mtu(struct vnic *nic, uint32_t mtu);

// The port's address is 'mac' now, all zeros: none; TAPs take over what is one. Main thread.
void vnic_set_mac(struct vnic *nic, const uint8_t mac[6]);

// The features that a vhost NIC offers, to be saved with the port; 0 for other kinds.
uint64_t vnic_features(const struct vnic *nic);

void vnic_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);
void vnic_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
int vnic_rx_arm(struct vnic *nic, unsigned q);
void vnic_rx_disarm(struct vnic *nic, unsigned q);

/**
 * Sends n frames (1..VNBL_BURST_MAX) to the NIC, in order; each is counted in 'st' as sent
 * or as a drop. Borrows the frames, but may make them safe (vnbl_make_safe). 'proc' is the
 * caller's number. When another proc is sending there, the frames are left in the queue's
 * inbox, and that proc sends and counts them. vnic_settle() is owed.
 */
void vnic_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
	     struct vport_stats *st, unsigned proc);

/**
 * What a proc owes for what it has received and sent: calls to guests that want them, and a look
 * into the inboxes of queues that it sent to. At the latest at the end of a round, before it is
 * quiescent or sleeps; late enough that one full fence pays for several bursts.
 */
void vnic_settle(void);

const char *vnic_kind_name(unsigned kind);
const char *vnic_state_name(unsigned state);

/*
 * Replays a capture file: frames come out with the gaps that they went in with.
 *
 * Threads: replay_open(), replay_close(): main thread, while no proc knows the replay. The rest:
 * the proc of the NIC's rx queue; it never touches the file, which a thread of the replay's own
 * reads.
 */
#pragma once

#include "ports/errtext.h"
#include "ports/pcap_types.h"
#include "ports/vport_types.h"

/**
 * Opens capture file 'path' (pcap or pcapng, Ethernet) and reads its first frames. The words of
 * an error name the file and, when it is damaged, the place.
 */
int replay_open(const char *path, struct replay **ret, struct errtext *e);

// Ends the replay. Does not wait for a disk that hangs.
void replay_close(struct replay *r);

/**
 * Receives the frames that are due at 'now_ns' (monotonic clock). Frames lie in the replay's
 * arena until the next call. True: that was the end of the file, or of what can be read of it;
 * r->why says which. It is said once.
 */
bool replay_rx(struct replay *r, int64_t now_ns, struct vnbl_burst *burst, struct vport_stats *st);

// As vnic_ops.rx_arm() and rx_disarm().
int replay_arm(struct replay *r, int64_t now_ns);
void replay_disarm(struct replay *r);

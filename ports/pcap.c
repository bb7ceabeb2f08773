/*
 * The back end for capture files: replay.c gives frames, capture.c takes them; here is how
 * the two make a NIC.
 *
 * A NIC whose replay has come to its end stays connected: its capture goes on, and so do its
 * port's policies. Only a capture whose reader has gone is disconnected.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ports/capture.h"
#include "ports/droplog.h"
#include "ports/object.h"
#include "ports/pcap_types.h"
#include "ports/replay.h"
#include "ports/vnic_ops.h"

static void pcap_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st);
static void pcap_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst);
static void pcap_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st);
static int pcap_rx_arm(struct vnic *nic, unsigned q);
static void pcap_rx_disarm(struct vnic *nic, unsigned q);
static int pcap_start(struct vnic *nic, struct errtext *e);
static void pcap_stop(struct vnic *nic, bool forget);
static void pcap_destroy(struct vnic *nic);
static void pcap_link_changed(struct vnic *nic);

static int check_path(const char *path, const char *what, struct errtext *e);
static int open_capture(struct pcap_nic *p, struct errtext *e);
static void close_capture(struct pcap_nic *p);
static void set_connected(struct pcap_nic *p);
static int64_t now_ns(void);

static const struct vnic_ops pcap_ops = {
	.rx = pcap_rx,
	.rx_done = pcap_rx_done,
	.tx = pcap_tx,
	.rx_arm = pcap_rx_arm,
	.rx_disarm = pcap_rx_disarm,
	.start = pcap_start,
	.stop = pcap_stop,
	.destroy = pcap_destroy,
	.link_changed = pcap_link_changed,
};

int pcap_create_nic(const struct vnic_conf *conf, struct vnic **ret, struct errtext *e)
{
	const char *rx = conf->pcap_rx != NULL ? conf->pcap_rx : "";
	const char *tx = conf->pcap_tx != NULL ? conf->pcap_tx : "";
	struct pcap_nic *p;
	int rc = check_path(rx, "replay", e);

	if (rc == 0)
		rc = check_path(tx, "capture to", e);
	if (rc < 0)
		return rc;
	if (rx[0] == '\0' && tx[0] == '\0')
		return errtext_set(e, -EINVAL,
				   "a pcap port needs a file: rx FILE to replay, tx FILE "
				   "to capture to, or both");
	p = aligned_alloc(64, (sizeof(*p) + 63) & ~(size_t)63);
	if (p == NULL)
		return errtext_set(e, -ENOMEM, "not enough memory for a port");
	memset(p, 0, sizeof(*p));
	p->nic.ops = &pcap_ops;
	snprintf(p->rx_path, sizeof(p->rx_path), "%s", rx);
	snprintf(p->tx_path, sizeof(p->tx_path), "%s", tx);
	snprintf(p->nic.path, sizeof(p->nic.path), "%s", rx[0] != '\0' ? rx : tx);
	snprintf(p->nic.obj.friendly_name, sizeof(p->nic.obj.friendly_name), "pcap%s%.100s%s%.100s",
		 rx[0] != '\0' ? " rx " : "", rx, tx[0] != '\0' ? " tx " : "", tx);
	p->caller_fd = strcmp(tx, "-") == 0 ? conf->pcap_fd : -1;
	*ret = &p->nic;
	return 0;
}

static void pcap_rx(struct vnic *nic, unsigned q, struct vnbl_burst *burst, struct vport_stats *st)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct replay *r = atomic_load_explicit(&p->replay, memory_order_acquire);

	burst->n = 0;
	burst->bytes = 0;
	// The end is news for the main thread, which finds the words in the replay.
	if (r != NULL && replay_rx(r, now_ns(), burst, st))
		vnic_event(nic, VNIC_EVENT_DOWN);
}

static void pcap_rx_done(struct vnic *nic, unsigned q, struct vnbl_burst *burst)
{
	// The arena is simply written over.
}

static void pcap_tx(struct vnic *nic, unsigned q, struct vnbl *const frames[], unsigned n,
		    struct vport_stats *st)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct capture *c = atomic_load_explicit(&p->capture, memory_order_acquire);
	struct timespec now;

	if (c == NULL || atomic_load_explicit(&c->is_gone, memory_order_acquire)) {
		droplog_drop_all(st, DROP_OUT, DROP_Disconnected, frames, n);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	for (unsigned i = 0; i < n; i++) {
		if (!capture_put(c, frames[i], &now)) {
			droplog_drop(st, DROP_OUT, DROP_Resources, frames[i]);
			continue;
		}
		st->tx_frames++;
		st->tx_bytes += frames[i]->frame_size;
	}
	capture_flush(c);
}

static int pcap_rx_arm(struct vnic *nic, unsigned q)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct replay *r = atomic_load_explicit(&p->replay, memory_order_acquire);

	return r == NULL ? -ENOLINK : replay_arm(r, now_ns());
}

static void pcap_rx_disarm(struct vnic *nic, unsigned q)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct replay *r = atomic_load_explicit(&p->replay, memory_order_acquire);

	if (r != NULL)
		replay_disarm(r);
}

static int pcap_start(struct vnic *nic, struct errtext *e)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct replay *r = NULL;
	int rc;

	// The file to replay first: if it is not good, the other one must not be overwritten.
	if (p->rx_path[0] != '\0' &&
	    atomic_load_explicit(&p->replay, memory_order_relaxed) == NULL) {
		rc = replay_open(p->rx_path, &r, e);
		if (rc < 0)
			return rc;
	}
	if (p->tx_path[0] != '\0' &&
	    atomic_load_explicit(&p->capture, memory_order_relaxed) == NULL) {
		rc = open_capture(p, e);
		if (rc < 0) {
			if (r != NULL)
				replay_close(r);
			return rc;
		}
	}
	// Only now does it begin, when it can be seen.
	if (r != NULL)
		atomic_store_explicit(&p->replay, r, memory_order_release);
	set_connected(p);
	return 0;
}

static void pcap_stop(struct vnic *nic, bool forget)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct replay *r = atomic_exchange_explicit(&p->replay, NULL, memory_order_acq_rel);

	atomic_store_explicit(&nic->link, 0, memory_order_release);
	if (r != NULL) {
		vnic_synchronize(nic);
		replay_close(r);
	}
	close_capture(p);
	if (p->caller_fd >= 0)
		close(p->caller_fd);
	p->caller_fd = -1;
}

static void pcap_destroy(struct vnic *nic)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;

	if (p->caller_fd >= 0)
		close(p->caller_fd);
	free(p);
}

// News of replay or capture; see who has some.
static void pcap_link_changed(struct vnic *nic)
{
	struct pcap_nic *p = (struct pcap_nic *)nic;
	struct capture *c = atomic_load_explicit(&p->capture, memory_order_relaxed);

	if (c == NULL && atomic_load_explicit(&p->replay, memory_order_relaxed) == NULL)
		return;
	if (c == NULL || !atomic_load_explicit(&c->is_gone, memory_order_acquire)) {
		set_connected(p);
		return;
	}
	close_capture(p);
	atomic_store_explicit(&nic->link, 0, memory_order_release);
	vnic_set_state(nic, VNIC_STATE_DISCONNECTED, EPIPE, "the reader of the capture has gone");
}

static int check_path(const char *path, const char *what, struct errtext *e)
{
	if (strlen(path) >= VNIC_PATH_SIZE)
		return errtext_set(e, -ENAMETOOLONG,
				   "the name of the file to %s is longer than %d "
				   "bytes",
				   what, VNIC_PATH_SIZE - 1);
	if (path[0] != '\0' && path[0] != '/' && strcmp(path, "-") != 0)
		return errtext_set(e, -EINVAL,
				   "file '%s' to %s: give the whole path, beginning with '/'", path,
				   what);
	return 0;
}

static int open_capture(struct pcap_nic *p, struct errtext *e)
{
	struct capture *c;
	struct stat other;
	bool has_other = p->rx_path[0] != '\0' && stat(p->rx_path, &other) == 0;
	int rc, fd = p->caller_fd;

	p->caller_fd = -1; // the capture's from now on
	rc = capture_open(p->tx_path, fd, has_other ? &other : NULL, &p->nic, &c, e);
	if (rc == 0)
		atomic_store_explicit(&p->capture, c, memory_order_release);
	return rc;
}

static void close_capture(struct pcap_nic *p)
{
	struct capture *c = atomic_exchange_explicit(&p->capture, NULL, memory_order_acq_rel);

	if (c == NULL)
		return;
	vnic_synchronize(&p->nic);
	capture_close(c);
}

// Connected, and in 'why' what is worth knowing.
static void set_connected(struct pcap_nic *p)
{
	struct capture *c = atomic_load_explicit(&p->capture, memory_order_relaxed);
	struct replay *r = atomic_load_explicit(&p->replay, memory_order_relaxed);
	int err = c != NULL ? atomic_load_explicit(&c->error, memory_order_relaxed) : 0;
	struct errtext why = {.text = ""};

	if (err != 0)
		errtext_set(&why, 0, "cannot write '%.64s': %s; frames are dropped when 4 MB wait",
			    p->tx_path, strerror(err));
	else if (r != NULL && atomic_load_explicit(&r->is_over, memory_order_acquire))
		errtext_set(&why, 0, "%s", r->why);
	atomic_store_explicit(&p->nic.link, 1, memory_order_release);
	if (p->nic.state != VNIC_STATE_CONNECTED || strcmp(p->nic.why, why.text) != 0)
		vnic_set_state(&p->nic, VNIC_STATE_CONNECTED, err, why.text);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

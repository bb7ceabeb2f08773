/*
 * What only one kind of NIC has: the rings and the peer of a VM's NIC, the descriptors of a
 * TAP or a packet socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "debugshell/cmd_vnic.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/ring.h"
#include "debugshell/walk.h"
#include "ports/eth_types.h"
#include "ports/packet_types.h"
#include "ports/pcap_types.h"
#include "ports/tap_types.h"
#include "ports/vhost_types.h"

#define VIRTIO_FEATURES(X)                                                                         \
	X(VIRTIO_NET_F_CSUM, "CSUM")                                                               \
	X(VIRTIO_NET_F_GUEST_CSUM, "GUEST_CSUM")                                                   \
	X(VIRTIO_NET_F_MTU, "MTU")                                                                 \
	X(VIRTIO_NET_F_MAC, "MAC")                                                                 \
	X(VIRTIO_NET_F_GUEST_TSO4, "GUEST_TSO4")                                                   \
	X(VIRTIO_NET_F_GUEST_TSO6, "GUEST_TSO6")                                                   \
	X(VIRTIO_NET_F_GUEST_ECN, "GUEST_ECN")                                                     \
	X(VIRTIO_NET_F_GUEST_UFO, "GUEST_UFO")                                                     \
	X(VIRTIO_NET_F_HOST_TSO4, "HOST_TSO4")                                                     \
	X(VIRTIO_NET_F_HOST_TSO6, "HOST_TSO6")                                                     \
	X(VIRTIO_NET_F_HOST_ECN, "HOST_ECN")                                                       \
	X(VIRTIO_NET_F_HOST_UFO, "HOST_UFO")                                                       \
	X(VIRTIO_NET_F_MRG_RXBUF, "MRG_RXBUF")                                                     \
	X(VIRTIO_NET_F_STATUS, "STATUS")                                                           \
	X(VIRTIO_NET_F_CTRL_VQ, "CTRL_VQ")                                                         \
	X(VIRTIO_NET_F_CTRL_RX, "CTRL_RX")                                                         \
	X(VIRTIO_NET_F_GUEST_ANNOUNCE, "GUEST_ANNOUNCE")                                           \
	X(VIRTIO_NET_F_MQ, "MQ")                                                                   \
	X(26, "VHOST_F_LOG_ALL")                                                                   \
	X(VIRTIO_F_ANY_LAYOUT, "ANY_LAYOUT")                                                       \
	X(VIRTIO_RING_F_INDIRECT_DESC, "INDIRECT_DESC")                                            \
	X(VIRTIO_RING_F_EVENT_IDX, "EVENT_IDX")                                                    \
	X(30, "VHOST_USER_F_PROTOCOL_FEATURES")                                                    \
	X(VIRTIO_F_VERSION_1, "VERSION_1")                                                         \
	X(VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM")                                             \
	X(VIRTIO_F_RING_PACKED, "RING_PACKED")                                                     \
	X(VIRTIO_F_IN_ORDER, "IN_ORDER")

static void print_vhost(struct shell *sh, tgt_addr nic, const struct vhost *v);
static void print_features(const char *label, uint64_t features);
static void print_ring(struct shell *sh, tgt_addr nic, const struct vhost *v, unsigned index);
static void print_attached(struct shell *sh, const struct virtq *q);
static void print_indexes(struct shell *sh, const struct virtq *q);
static int guest_index(struct shell *sh, tgt_addr ring, size_t offset, uint16_t *ret);
static void print_tap(const struct tap *tap);
static void print_packet(const struct packet *packet);
static void print_eth(const struct eth *eth);
static void print_pcap(struct shell *sh, const struct pcap_nic *nic);
static void print_replay(struct shell *sh, tgt_addr addr);
static void print_capture(struct shell *sh, tgt_addr addr);
static void *read_part(struct shell *sh, tgt_addr addr, const char *name, size_t size);

#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;
static const char *name_phase(unsigned number)
{
	switch (number) {
		VHOST_PHASES(X)
	default:
		return "?";
	}
}
#undef X

void cmd_vnic_print_kind(struct shell *sh, tgt_addr addr, unsigned kind)
{
	static const struct {
		const char *name;
		size_t size;
	} structs[] = {
		[VNIC_VHOST] = {"vhost", sizeof(struct vhost)},
		[VNIC_TAP] = {"tap", sizeof(struct tap)},
		[VNIC_PACKET] = {"packet", sizeof(struct packet)},
		[VNIC_ETH] = {"eth", sizeof(struct eth)},
		[VNIC_PCAP] = {"pcap_nic", sizeof(struct pcap_nic)},
	};
	void *nic;

	if (kind >= sizeof(structs) / sizeof(structs[0]))
		return;
	nic = read_part(sh, addr, structs[kind].name, structs[kind].size);
	if (nic == NULL)
		return;
	if (kind == VNIC_VHOST)
		print_vhost(sh, addr, nic);
	else if (kind == VNIC_TAP)
		print_tap(nic);
	else if (kind == VNIC_PACKET)
		print_packet(nic);
	else if (kind == VNIC_ETH)
		print_eth(nic);
	else
		print_pcap(sh, nic);
	free(nic);
}

static void print_vhost(struct shell *sh, tgt_addr nic, const struct vhost *v)
{
	print_section("VHOST");
	print_values("Phase", "number name", "%u (%s)", v->phase, name_phase(v->phase));
	print_row("Socket", "%s",
		  v->server ? "server: ours, the VM connects" : "client: the VM's, we connect");
	if (v->peer_pid != 0)
		print_values("Peer", "process uid", "process %d, uid %u", v->peer_pid, v->peer_uid);
	else
		print_absent("Peer", "[Not known]");
	print_values("Connections", "taken refused", "%lu taken, %lu refused", v->connections,
		     v->refusals);
	print_values("Messages", "received refused", "%lu, %lu refused", v->messages,
		     v->bad_messages);
	print_features("Features offered", v->features);
	print_features("Negotiated", v->negotiated);
	if (v->mem != NULL)
		print_row("Guest memory", "%016lx", tgt_ptr(v->mem).v);
	else
		print_row("Guest memory", "[None]");
	for (unsigned i = 0; i < ring_count(v); i++)
		print_ring(sh, nic, v, i);
}

static void print_features(const char *label, uint64_t features)
{
	const char *words[64];
	uint64_t named = 0;
	char names[64], rest[32];
	unsigned n = 0;

	print_row(label, "%016lx", features);
	if (features == 0)
		return;
#define X(bit, name)                                                                               \
	named |= 1ULL << (bit);                                                                    \
	if ((features >> (bit)&1) != 0)                                                            \
		words[n++] = (name);
	VIRTIO_FEATURES(X)
#undef X
	if ((features & ~named) != 0) {
		snprintf(rest, sizeof(rest), "%s%016lx", print_is_json() ? "" : "and ",
			 features & ~named);
		words[n++] = rest;
	}
	snprintf(names, sizeof(names), "%s names", label);
	print_words(print_is_json() ? names : "", words, n);
}

// Rings come in pairs: what the guest receives from, what it sends to.
static void print_ring(struct shell *sh, tgt_addr nic, const struct vhost *v, unsigned index)
{
	const struct vhost_ring *ring = &v->rings[index];
	const struct virtq *q = &ring->q;
	char title[64];
	struct why why;
	tgt_addr addr;

	snprintf(title, sizeof(title), "RING %u (%s)", index,
		 index % 2 == 0 ? "to the guest" : "from the guest");
	print_section(title);
	if (ring_addr(sh, nic, index, &addr, &why) == 0)
		print_link("Ring", addr, "nvkd.ring");
	print_values("Use", "number name", "%u (%s)", ring->use, name_vhost_use(ring->use));
	print_flag("Enabled", ring->enabled, NULL);
	print_values("Attached", ".", "%lu times", ring->attached);
	if (q->broken != 0)
		print_values("State", "name reason detail", "%s: %s (%u)", "stopped",
			     name_virtq_break(q->broken), q->broken_detail);
	else
		print_values("State", "name", "%s", q->desc != NULL ? "attached" : "detached");
	print_values("Broken", "-", "%lu times", ring->breaks);
	print_extra_flag("broken", q->broken != 0);
	print_extra("breaks", "%lu", ring->breaks);
	if (q->desc != NULL)
		print_attached(sh, q);
}

static void print_attached(struct shell *sh, const struct virtq *q)
{
	print_row("Size", "%u", q->size);
	print_indexes(sh, q);
	print_values("Header", "bytes - - -", "%u bytes%s%s%s", q->hdr_size,
		     q->mergeable ? ", mergeable" : "", q->event_idx ? ", event index" : "",
		     q->indirect ? ", indirect" : "");
	print_extra_flag("mergeable", q->mergeable);
	print_extra_flag("event_index", q->event_idx);
	print_extra_flag("indirect", q->indirect);
	print_values("Chains", ".", "%lu taken since attached", q->chains);
	print_values("Calls", ".", "%lu interrupts sent", q->calls);
	print_values("Kicks", "asked_for now", "%lu times asked for, %s now", q->kicks_asked,
		     q->armed ? "armed" : "not armed");
	print_values("Descriptors", "call kick", "call %d, kick %d", q->callfd, q->kickfd);
}

// What the guest's memory has is told beside what we have seen of it.
static void print_indexes(struct shell *sh, const struct virtq *q)
{
	uint16_t told = (uint16_t)q->signalled;
	uint16_t index = 0;
	int err = guest_index(sh, tgt_ptr(q->avail), offsetof(struct virtq_avail, idx), &index);

	if (err == 0)
		print_values("Available", "guest seen taken", "guest at %u, seen %u, taken %u",
			     index, q->avail_seen, q->last_avail);
	else
		print_values("Available", "why seen taken", "guest at [%s], seen %u, taken %u",
			     tgt_strerror(sh->target, err), q->avail_seen, q->last_avail);
	err = guest_index(sh, tgt_ptr(q->used), offsetof(struct virtq_used, idx), &index);
	if (err == 0)
		print_values("Used", "in_memory written told", "in memory %u, written %u, told %u",
			     index, q->last_used, told);
	else
		print_values("Used", "why written told", "in memory [%s], written %u, told %u",
			     tgt_strerror(sh->target, err), q->last_used, told);
}

// An index in the guest's memory, which is mapped in the target as well.
static int guest_index(struct shell *sh, tgt_addr ring, size_t offset, uint16_t *ret)
{
	return sh->collects ? -ENODATA : TGT_READ(sh->target, tgt_add(ring, offset), ret);
}

static void print_tap(const struct tap *tap)
{
	print_section("TAP");
	print_row("Descriptor", "%d", tap->fd);
	print_row("Made by", "%s", tap->is_ours ? "vswd" : "somebody else");
	print_flag("Gone", tap->is_gone, ": the interface was deleted");
	print_values("Offloads", ".", "%08x from the kernel", tap->offloads);
}

static void print_packet(const struct packet *packet)
{
	print_section("PACKET SOCKET");
	print_row("Descriptor", "%d", packet->fd);
	print_values("Ring", "slots slot_bytes address", "%u slots of %u bytes at %016lx",
		     packet->n_slots, packet->slot_size, tgt_ptr(packet->ring).v);
	print_values("Next slot", "next oldest_of_ours", "%u, oldest that is ours %u", packet->next,
		     packet->first);
	print_row("Interface's MTU", "%u", packet->link_mtu);
	print_row("Large frames", "%lu", packet->large);
	print_values("Lost", ".", "%lu for want of a slot", packet->lost);
}

static void print_eth(const struct eth *eth)
{
	print_section("DPDK DEVICE");
	print_text_row("Device", TEXT(eth->devargs));
	if (eth->is_open)
		print_row("Port", "%u", eth->port_id);
	else
		print_absent("Port", "[Not open]");
	print_flag("Running", eth->is_running, NULL);
	print_flag("Removed", eth->is_removed, ": unplugged");
	print_values("Longest frame", "bytes in_a_burst", "%u bytes, %u in a burst", eth->max_frame,
		     eth->burst_max);
	print_row("Link changes", "%s", eth->has_lsc ? "told by the driver" : "polled");
	if (eth->intr_fd >= 0)
		print_values("Interrupt", "descriptor", "descriptor %d", eth->intr_fd);
	else
		print_row("Interrupt", "[None]");
}

static void print_pcap(struct shell *sh, const struct pcap_nic *nic)
{
	print_section("REPLAY");
	print_text_row("File", TEXT(nic->rx_path));
	if (nic->replay != NULL)
		print_replay(sh, tgt_ptr(nic->replay));
	print_section("CAPTURE");
	print_text_row("File", TEXT(nic->tx_path));
	if (nic->capture != NULL)
		print_capture(sh, tgt_ptr(nic->capture));
}

static void print_replay(struct shell *sh, tgt_addr addr)
{
	struct replay *replay = read_part(sh, addr, "replay", sizeof(*replay));

	if (replay == NULL)
		return;
	print_row("Frames", "%lu", replay->frames);
	print_flag("Over", replay->is_over, NULL);
	if (replay->is_over)
		print_text_row("Why", TEXT(replay->why));
	print_flag("Waits", replay->is_waiting, ": the next frame is not due yet");
	free(replay);
}

static void print_capture(struct shell *sh, tgt_addr addr)
{
	struct capture *capture = read_part(sh, addr, "capture", sizeof(*capture));

	if (capture == NULL)
		return;
	print_values("Written", "bytes waiting_bytes", "%lu bytes, %lu waiting", capture->tail,
		     capture->head - capture->tail);
	print_row("Goes to", "%s", capture->is_stream ? "a pipe" : "a file");
	print_values("Last error", "number text", "%d (%s)", capture->error,
		     capture->error != 0 ? strerror(capture->error) : "none");
	print_row("Reader", "%s", capture->is_gone ? "gone" : "there");
	free(capture);
}

// A struct that is no object of its own, to be freed; NULL when it cannot be read, which is told.
static void *read_part(struct shell *sh, tgt_addr addr, const char *name, size_t size)
{
	void *part = aligned_alloc(64, (size + 63) / 64 * 64);
	const struct type_map *map;
	struct why why;
	int err;

	if (part == NULL)
		return NULL;
	err = shell_map(sh, name, size, &map, &why);
	if (err == 0) {
		err = type_read(sh->target, map, addr, part);
		if (err != 0)
			why_set(&why, err, "the struct %s cannot be read: %s", name,
				tgt_strerror(sh->target, err));
	}
	if (err == 0)
		return part;
	walk_trouble(sh, "    ", "STRUCT", addr, &why);
	free(part);
	return NULL;
}

/*
 * VNBL: one frame in flight, with its forwarding context (HYPERV 1.4).
 *
 * A frame from a guest lies in memory that the guest can change while we look at it. So
 * its first bytes (the safe bytes) are copied into host memory once, every decision is
 * taken on that copy, and the rest stays where it is, as pieces, to be copied straight to
 * where it goes. A frame from a TAP or NIC is host memory from the start: the same struct,
 * with the flag VNBL_DATA_SAFE.
 *
 *    hdr                 pieces[0]            pieces[1]
 *    v                   v                    v
 *    +---------------+   +----------------+   +-------+
 *    | safe bytes    |   | guest memory   |   | ...   |       frame = hdr + all pieces
 *    | safe_size     |   | pieces[0].len  |   |       |       frame_size = the sum
 *    +---------------+   +----------------+   +-------+
 *
 *    hdr points into safe[] (guest), or at the data of 'mbuf', or at a NIC's own buffer.
 *    At least VNBL_HEADROOM bytes before hdr may be written: a VLAN tag put back and the
 *    virtio-net header of the destination go there.
 *
 * A VLAN tag (802.1Q, outermost) travels out of band in 'vlan_tci': ingress takes it out of
 * the data, delivery puts it back. The offload request is the one of the virtio-net header.
 *
 * Validity: a frame without 'mbuf' is valid until its NIC's rx_done(), i.e. to the end of
 * the burst. Who keeps it longer calls vnbl_make_safe() first.
 *
 * Threads: a VNBL belongs to one proc.
 */
#pragma once

#include <stdalign.h>
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct vport;

enum {
	VNBL_SAFE_SIZE = 128,           // bytes copied from a guest before anything is decided
	VNBL_SAFE_MAX = 512,            // bytes that vnbl_extend() can ask for
	VNBL_TAG_SIZE = 4,              // bytes of a VLAN tag in the data
	VNBL_HEADROOM = 64,             // writable bytes before hdr
	VNBL_PIECES_MAX = 32,           // pieces of one frame besides the safe bytes
	VNBL_BURST_MAX = 32,            // frames of one burst
	VNBL_BURST_BYTES = 256 << 10,   // a burst ends at the first frame beyond this many bytes
	VNBL_FRAME_MAX = 65535 + 14 + 4 // bytes: a GSO frame of 64 KiB with Ethernet header and tag
};

enum vnbl_flags {
	VNBL_DATA_SAFE = 1 << 0,  // IsPacketDataSafe: pieces are host memory, too
	VNBL_HAS_TAG = 1 << 1,    // vlan_tci is valid; the tag is not in the data
	VNBL_FLOOD = 1 << 2,      // goes to more than one port
	VNBL_DROPPED = 1 << 3,    // counted as a drop; none but a monitor may get a copy of it
	VNBL_CAME_TAGGED = 1 << 4 // it had a tag when it came, which counts in its port's bytes
};

// Offload request of a frame: the virtio-net header in host byte order (virtio 1.1, 5.1.6).
// All zero = a complete frame. Offsets count from the frame's first byte without the tag
// that travels out of band.
struct vnbl_offload {
	uint8_t flags;        // VIRTIO_NET_HDR_F_NEEDS_CSUM, _DATA_VALID
	uint8_t gso_type;     // VIRTIO_NET_HDR_GSO_*
	uint16_t hdr_len;     // bytes, hint
	uint16_t gso_size;    // bytes of payload per segment
	uint16_t csum_start;  // bytes
	uint16_t csum_offset; // bytes after csum_start
};

struct vnbl_piece {
	uint8_t *addr; // our address space; checked against the memory table when it was made
	uint32_t len;  // bytes, > 0
	uint32_t pad;
};

struct vnbl {
	// First line: what every stage looks at. Written by the proc that holds the frame.
	alignas(64) uint8_t *hdr; // the safe bytes
	uint32_t frame_size;      // bytes in all, without the tag that is out of band
	uint16_t safe_size;       // bytes at hdr
	uint16_t vlan_tci;        // host order; valid with VNBL_HAS_TAG
	uint16_t vlan_tpid;       // host order: 0x8100 or 0x88a8
	uint16_t src_port_id;     // SourcePortId
	uint8_t src_nic_index;    // SourceNicIndex
	uint8_t flags;            // enum vnbl_flags
	uint8_t n_pieces;
	uint8_t drop;                // enum drop_reason, with VNBL_DROPPED
	struct vnbl_offload offload; // 10 bytes
	uint16_t slot;               // the receiving ring's own number for this frame
	uint16_t dst_slot;           // vport slot, or VNBL_DST_*; set by the lookup and by egress
	uint32_t pad;
	struct rte_mbuf *mbuf;        // owns the data, or NULL; given up by vnbl_release()
	const struct vport *src_port; // valid for the burst

	alignas(64) uint8_t room[VNBL_HEADROOM]; // headroom of safe[]
	uint8_t safe[VNBL_SAFE_MAX];             // hdr points here for a guest's frame
	struct vnbl_piece pieces[VNBL_PIECES_MAX];
};
static_assert(offsetof(struct vnbl, room) == 64, "what every stage reads is one line");

enum {
	VNBL_DST_FLOOD = 0xffff,
	VNBL_DST_NONE = 0xfffe,  // dropped
	VNBL_DST_HANDED = 0x8000 // bit: the frame was handed to the slot that the others tell
};

// One burst, kept by each proc. frames[0..n) are in order of arrival.
struct vnbl_burst {
	uint32_t n;     // frames, dropped ones included
	uint32_t bytes; // sum of frame_size
	// slot + 1 of the port whose turn it is, or was last, when the burst has floods: they go
	// round in order of creation; 0: none had it yet
	uint32_t flooded_to;
	struct vnbl frames[VNBL_BURST_MAX];
};

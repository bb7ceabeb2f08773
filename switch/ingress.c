#include "switch/ingress.h"

#include "ports/droplog.h"
#include "ports/nethdr.h"
#include "ports/vnbl.h"
#include "switch/policy.h"

enum { ETHER_SIZE = 14, MAC_SIZE = 6 };

// 01-80-C2-00-00-00 to -0F as the first six bytes on the wire, last nibble cleared.
#define BRIDGE_RESERVED      0x00000000c28001ULL
#define BRIDGE_RESERVED_MASK 0xf0ffffffffffULL
#define MAC_MASK             0xffffffffffffULL
#define MAC_MULTICAST        1ULL

static inline unsigned check(const struct vnbl *v, uint32_t frame_max);
static inline uint64_t mac_at(const uint8_t *bytes);

void ingress_burst(const struct vswitch *sw, const struct proc_rxq *rxq, struct vnbl_burst *burst,
		   struct vport_stats *st, unsigned proc, uint32_t now_s)
{
	uint32_t frame_max = atomic_load_explicit(&sw->frame_max, memory_order_relaxed);
	uint64_t bytes = 0;
	unsigned passed = 0, flags = 0;

	for (unsigned i = 0; i < burst->n; i++) {
		struct vnbl *v = &burst->frames[i];
		unsigned reason;

		v->src_port = rxq->port;
		v->src_port_id = rxq->port->id;
		v->src_nic_index = rxq->nic->nic_index;
		if (vnbl_has_tag_in_data(v) && !vnbl_vlan_strip(v))
			reason = DROP_InvalidVlanFormat;
		else
			reason = check(v, frame_max);
		if (reason != DROP_COUNT) {
			vnbl_drop(v, (uint8_t)reason);
			droplog_drop(st, DROP_IN, reason, v);
			continue;
		}
		passed++;
		flags |= v->flags;
		bytes += v->frame_size + (v->flags & VNBL_HAS_TAG ? VNBL_TAG_SIZE : 0);
	}
	st->rx_frames += passed;
	st->rx_bytes += bytes;
	if (flags & VNBL_HAS_TAG || policy_has(rxq->port))
		policy_enter_burst(policy_of(rxq->port), burst, st, flags & VNBL_HAS_TAG, proc,
				   now_s);
}

unsigned ingress_check(const struct vnbl *v, uint32_t frame_max)
{
	return check(v, frame_max);
}

static inline unsigned check(const struct vnbl *v, uint32_t frame_max)
{
	uint64_t dst, src;

	if (v->safe_size < ETHER_SIZE)
		return DROP_InvalidFirstNBTooSmall;
	dst = mac_at(v->hdr);
	src = mac_at(v->hdr + MAC_SIZE);
	if (v->frame_size > frame_max && nethdr_wire_size(v) > frame_max)
		return DROP_MTUMismatch;
	if ((dst & BRIDGE_RESERVED_MASK) == BRIDGE_RESERVED)
		return DROP_BridgeReserved;
	if ((src & MAC_MULTICAST) || src == 0)
		return DROP_InvalidSourceMac;
	if (dst == 0)
		return DROP_InvalidDestMac;
	return DROP_COUNT;
}

// Two bytes more than an address are readable behind it: there are ETHER_SIZE.
static inline uint64_t mac_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word & MAC_MASK;
}

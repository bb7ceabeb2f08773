/*
 * Where the headers of a frame lie, for those who complete it: nethdr.c and nethdr_gso.c.
 *
 * Threads: the proc that holds the frame.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ports/vnbl_types.h"

enum {
	HEADERS_ETH_SIZE = 14,
	HEADERS_TAG_SIZE = 4,

	IPV4_SIZE = 20, // without options
	IPV4_LENGTH = 2,
	IPV4_ID = 4,
	IPV4_FRAGMENT = 6,
	IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10,
	IPV4_SOURCE = 12,

	IPV6_SIZE = 40,
	IPV6_LENGTH = 4,
	IPV6_NEXT = 6,
	IPV6_SOURCE = 8,

	TCP_SIZE = 20, // without options
	TCP_SEQUENCE = 4,
	TCP_DATA_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,

	UDP_SIZE = 8,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,

	SCTP_SIZE = 12,
	SCTP_CHECKSUM = 8,

	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_IGMP = 2,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_GRE = 47,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,

	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	TYPE_8021Q = 0x8100,
	TYPE_8021AD = 0x88a8
};

struct headers {
	uint16_t type;    // EtherType behind the tags
	uint16_t l3;      // bytes: where what the EtherType names begins
	uint16_t l4;      // bytes: where what the protocol names begins; 0 = not IP
	uint8_t protocol; // IP only
	bool is_ipv6;
	bool is_routed; // IPv6 with stops to come: the destination address is not the last one
};

/**
 * Finds the headers, reading more of the frame into its safe bytes if need be. Of a frame that
 * is not IP only 'type' and 'l3' are set. -EINVAL: it is a fragment, contradicts itself, or its
 * headers are longer than the safe bytes can be.
 */
int headers_find(struct vnbl *v, struct headers *ret);

/**
 * Gives the size of the TCP or UDP header of a frame that is to be segmented, and sees to it
 * that all headers are in the safe bytes. -EINVAL: the headers do not fit VIRTIO_NET_HDR_GSO_*
 * type 'gso_type', or we cannot do it.
 */
int headers_l4_size(struct vnbl *v, const struct headers *hd, uint8_t gso_type, uint32_t *ret);

// Internet checksum over the addresses and the protocol; the length is to be added.
uint64_t headers_pseudo_sum(const struct vnbl *v, const struct headers *hd);

// Sums bytes of a frame as if 'offset' were even; the range must lie in the frame.
uint64_t headers_sum_frame(const struct vnbl *v, uint32_t offset, uint32_t size);

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

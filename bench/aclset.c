#include "bench/aclset.h"

#include <string.h>

#include "ports/headers.h"

enum {
	PORT_MIN = 1000, // of a rule: this and its number
	FLOW_MIN = 10000,
	LENGTHS = 13, // of prefixes, from SHORTEST on
	SHORTEST = 20,
	TTL = 64
};

static void add(const struct aclset *set, struct acl_rule *rule, uint32_t number,
		enum acl_direction direction);
static void add_denial(struct acl_rule *rule, uint32_t number);
static void remote_set(const struct aclset *set, uint32_t rule, uint8_t address[16]);
static void local_set(const struct aclset *set, uint8_t address[16]);
static uint8_t *header_put(const struct aclset *set, uint8_t *frame, uint32_t size, bool to_vm,
			   const uint8_t local[16], const uint8_t remote[16]);

uint32_t aclset_rules(const struct aclset *set, struct acl_rule rules[])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < set->n; i++, n++)
		add(set, &rules[n], n + 1, ACL_OUT);
	if (set->kind == ACLSET_STATEFUL) {
		add_denial(&rules[n], n + 1);
		return n + 1;
	}
	for (uint32_t i = 0; i < set->n; i++, n++)
		add(set, &rules[n], n + 1, ACL_IN);
	return n;
}

void aclset_frame(const struct aclset *set, uint32_t rule, uint32_t flow, bool to_vm,
		  uint8_t *frame, uint32_t size)
{
	uint8_t local[16], remote[16], *udp;
	uint32_t drawn = rule % set->n & ~1U;
	unsigned remote_port = PORT_MIN + drawn, local_port = FLOW_MIN + flow;

	local_set(set, local);
	remote_set(set, drawn, remote);
	udp = header_put(set, frame, size, to_vm, local, remote);
	put16(udp, to_vm ? remote_port : local_port);
	put16(udp + 2, to_vm ? local_port : remote_port);
	put16(udp + UDP_LENGTH, (uint32_t)(frame + size - udp));
	put16(udp + UDP_CHECKSUM, 0);
}

static void add(const struct aclset *set, struct acl_rule *rule, uint32_t number,
		enum acl_direction direction)
{
	const uint32_t i = (number - 1) % set->n;
	const unsigned shift = set->is_ipv6 ? 96 : 0;

	memset(rule, 0, sizeof(*rule));
	rule->number = number;
	rule->kind = set->kind == ACLSET_BASIC ? ACL_BASIC : ACL_EXTENDED;
	rule->direction = (uint8_t)direction;
	rule->action = i % 2 == 0 ? ACL_ALLOW : ACL_DENY;
	rule->is_remote = set->kind == ACLSET_BASIC;
	rule->local_ports.last = rule->remote_ports.last = UINT16_MAX;
	rule->remote.family = set->is_ipv6 ? ACL_IPV6 : ACL_IPV4;
	rule->remote.bits = (uint8_t)(SHORTEST + shift + i % LENGTHS);
	remote_set(set, i, rule->remote.bytes);
	for (unsigned bit = rule->remote.bits; bit < 32 + shift; bit++)
		rule->remote.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (set->kind == ACLSET_BASIC)
		return;
	rule->weight = (uint16_t)number;
	rule->protocol = PROTOCOL_UDP;
	rule->remote_ports.first = rule->remote_ports.last = (uint16_t)(PORT_MIN + i);
	rule->stateful = set->kind == ACLSET_STATEFUL && rule->action == ACL_ALLOW;
	rule->idle_s = rule->stateful ? ACL_IDLE_DEFAULT_S : 0;
}

static void add_denial(struct acl_rule *rule, uint32_t number)
{
	memset(rule, 0, sizeof(*rule));
	rule->number = number;
	rule->kind = ACL_EXTENDED;
	rule->direction = ACL_IN;
	rule->action = ACL_DENY;
	rule->any_protocol = 1;
	rule->local_ports.last = rule->remote_ports.last = UINT16_MAX;
}

// Networks of different rules are different in their first 20 (116) bits.
static void remote_set(const struct aclset *set, uint32_t rule, uint8_t address[16])
{
	uint8_t *last = address + (set->is_ipv6 ? 12 : 0);

	memset(address, 0, 16);
	if (set->is_ipv6)
		memcpy(address, "\x20\x01\x0d\xb8", 4);
	last[0] = 10;
	last[1] = (uint8_t)(rule >> 4);
	last[2] = (uint8_t)(rule << 4 | 7);
	last[3] = (uint8_t)(rule * 37);
}

static void local_set(const struct aclset *set, uint8_t address[16])
{
	memset(address, 0, 16);
	if (set->is_ipv6)
		memcpy(address, "\x20\x01\x0d\xb8", 4);
	memcpy(address + (set->is_ipv6 ? 12 : 0), "\xac\x10\x00\x05", 4);
}

// Returns where UDP begins.
static uint8_t *header_put(const struct aclset *set, uint8_t *frame, uint32_t size, bool to_vm,
			   const uint8_t local[16], const uint8_t remote[16])
{
	const unsigned bytes = set->is_ipv6 ? 16 : 4;
	uint8_t *ip = frame + HEADERS_ETH_SIZE;
	uint8_t *addresses = ip + (set->is_ipv6 ? IPV6_SOURCE : IPV4_SOURCE);

	put16(ip - 2, set->is_ipv6 ? TYPE_IPV6 : TYPE_IPV4);
	if (set->is_ipv6) {
		memset(ip, 0, IPV6_SIZE);
		ip[0] = 0x60;
		put16(ip + IPV6_LENGTH, size - HEADERS_ETH_SIZE - IPV6_SIZE);
		ip[IPV6_NEXT] = PROTOCOL_UDP;
		ip[IPV6_NEXT + 1] = TTL;
	} else {
		memset(ip, 0, IPV4_SIZE);
		ip[0] = 0x45;
		put16(ip + IPV4_LENGTH, size - HEADERS_ETH_SIZE);
		ip[IPV4_PROTOCOL - 1] = TTL;
		ip[IPV4_PROTOCOL] = PROTOCOL_UDP;
	}
	memcpy(addresses, to_vm ? remote : local, bytes);
	memcpy(addresses + bytes, to_vm ? local : remote, bytes);
	return addresses + 2 * (size_t)bytes;
}

#include "switch/acl_key.h"

#include <string.h>

#include "ports/headers.h"

enum { IPV4_BYTES = 4, IPV6_BYTES = 16 };

static void base_set(const struct acl_key *key, const struct parse *p, uint16_t vlan,
		     struct conntrack_key *ret);
static uint16_t swap16(uint16_t value);

void acl_key_of(const struct vnbl *v, const struct parse *p, enum acl_direction direction,
		struct acl_key *ret)
{
	const uint8_t *ip = v->hdr + p->l3;
	bool to_vm = direction == ACL_IN;
	uint8_t *src = to_vm ? ret->remote : ret->local;
	uint8_t *dst = to_vm ? ret->local : ret->remote;
	uint16_t src_port = swap16(p->src_port), dst_port = swap16(p->dst_port);

	memset(ret, 0, sizeof(*ret));
	if (p->flags & PARSE_IPV4) {
		memcpy(src, ip + IPV4_SOURCE, IPV4_BYTES);
		memcpy(dst, ip + IPV4_SOURCE + IPV4_BYTES, IPV4_BYTES);
	} else {
		memcpy(src, ip + IPV6_SOURCE, IPV6_BYTES);
		memcpy(dst, ip + IPV6_SOURCE + IPV6_BYTES, IPV6_BYTES);
	}
	ret->protocol = acl_key_protocol(p->protocol);
	ret->local_port = to_vm ? dst_port : src_port;
	ret->remote_port = to_vm ? src_port : dst_port;
}

bool acl_key_session(const struct acl_key *key, const struct parse *p, enum acl_direction direction,
		     uint16_t vlan, struct conntrack_key *ret)
{
	if (p->flags & PARSE_LATER)
		return false;
	if ((p->flags & (PARSE_ICMP | PARSE_ICMP_ID)) == PARSE_ICMP)
		return false;
	base_set(key, p, vlan, ret);
	ret->protocol = p->protocol;
	ret->local_port = swap16(key->local_port);
	ret->remote_port = swap16(key->remote_port);
	if (p->flags & PARSE_ICMP_ID) {
		if (acl_key_asks(p) == (direction == ACL_OUT))
			ret->local_port = p->icmp_id;
		else
			ret->remote_port = p->icmp_id;
	}
	return true;
}

void acl_key_fragments(const struct acl_key *key, const struct parse *p, uint16_t vlan,
		       struct conntrack_key *ret)
{
	base_set(key, p, vlan, ret);
	ret->protocol = PROTOCOL_FRAGMENT;
	ret->local_port = (uint16_t)p->frag_id;
	// IPv4 may carry protocol 44, without ports.
	ret->remote_port = p->flags & PARSE_IPV4 ? UINT16_MAX : (uint16_t)(p->frag_id >> 16);
}

bool acl_key_quoted(struct vnbl *v, const struct parse *error, const struct acl_key *key,
		    enum acl_direction direction, uint16_t vlan, struct conntrack_key *ret)
{
	bool to_vm = direction == ACL_IN;
	enum acl_direction back = to_vm ? ACL_OUT : ACL_IN;
	struct acl_key quoted;
	struct parse p;

	parse_quoted(v, error, &p);
	if (p.flags & PARSE_HIDDEN)
		return false;
	acl_key_of(v, &p, back, &quoted);
	if (to_vm ? memcmp(quoted.local, key->local, sizeof(key->local)) != 0
		  : memcmp(quoted.remote, key->remote, sizeof(key->remote)) != 0)
		return false;
	return acl_key_session(&quoted, &p, back, vlan, ret);
}

uint8_t acl_key_protocol(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return 0;
	case PROTOCOL_UDP:
		return 1;
	case PROTOCOL_SCTP:
		return 2;
	case PROTOCOL_UDPLITE:
		return 3;
	case PROTOCOL_DCCP:
		return ACL_KEY_PORTED_LAST;
	// Those whose numbers these are have theirs.
	case 0:
		return PROTOCOL_TCP;
	case 1:
		return PROTOCOL_UDP;
	case 2:
		return PROTOCOL_SCTP;
	case 3:
		return PROTOCOL_UDPLITE;
	case 4:
		return PROTOCOL_DCCP;
	default:
		return protocol;
	}
}

bool acl_key_asks(const struct parse *p)
{
	return p->icmp_type == 8 || p->icmp_type == 13 || p->icmp_type == 128;
}

static void base_set(const struct acl_key *key, const struct parse *p, uint16_t vlan,
		     struct conntrack_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->local, key->local, sizeof(ret->local));
	memcpy(ret->remote, key->remote, sizeof(ret->remote));
	ret->vlan = vlan;
	ret->version = p->flags & PARSE_IPV4 ? 4 : 6;
}

static uint16_t swap16(uint16_t value)
{
	return __builtin_bswap16(value);
}

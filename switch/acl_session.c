#include "switch/acl_session.h"

#include <errno.h>

#include "ports/drops.h"
#include "ports/headers.h"
#include "switch/acl_build.h"
#include "switch/conntrack.h"
#include "switch/vlan_types.h"

enum {
	// Packets in fragments get room in the first half of the table only: else the other side
	// of one session could take the room of all others with them.
	FRAGMENTS_SHARE = 2,
	// What is begun from outside leaves a quarter of the table to the VM: a flood must not keep
	// it from calling others. Whatever it is begun with: the flags of a flood are made up.
	OWN_SHARE = 4
};

static unsigned decide_flow(const struct acl *acl, const struct acl_packet *packet,
			    const struct conntrack_key *key, uint32_t *x_answer);
static unsigned decide_other(const struct acl *acl, const struct acl_packet *packet,
			     uint32_t *x_answer);
static bool is_related(const struct acl *acl, const struct acl_packet *packet,
		       struct conntrack_hit *ret);
static bool outweighs(const struct acl *acl, const struct conntrack_hit *hit, uint32_t answer);
static bool opens(const struct conntrack_packet *packet);
static unsigned begin(const struct acl *acl, const struct acl_packet *packet,
		      const struct conntrack_key *key, uint32_t answer);
static uint32_t room_for(const struct acl *acl, bool from_vm);
static void expect_fragments(const struct acl *acl, const struct acl_packet *packet,
			     const struct conntrack_hit *hit);
static const struct acl_rule *rule_of(const struct acl *acl, uint32_t answer);
static struct conntrack_packet packet_of(const struct acl_packet *packet);
static uint16_t vlan_of(const struct acl *acl, const struct vnbl *v);

unsigned acl_session_decide(const struct acl *acl, const struct acl_packet *packet,
			    uint32_t *x_answer)
{
	struct conntrack_key key;

	if (acl_key_session(packet->key, packet->p, packet->direction, vlan_of(acl, packet->v),
			    &key))
		return decide_flow(acl, packet, &key, x_answer);
	return decide_other(acl, packet, x_answer);
}

static unsigned decide_flow(const struct acl *acl, const struct acl_packet *packet,
			    const struct conntrack_key *key, uint32_t *x_answer)
{
	const struct conntrack_packet passed = packet_of(packet);
	const uint32_t answer = *x_answer;
	struct conntrack_hit hit;

	if (!conntrack_find(acl->sessions, key, packet->now_s, &hit)) {
		if (answer & ACL_ANSWER_DENIES)
			return DROP_FailedSecurityPolicy;
		return answer & ACL_ANSWER_STATEFUL ? begin(acl, packet, key, answer) : DROP_COUNT;
	}
	if (answer & ACL_ANSWER_DENIES) {
		if (!outweighs(acl, &hit, answer) || opens(&passed))
			return DROP_FailedSecurityPolicy;
		*x_answer = 0;
		if (packet->p->flags & PARSE_FRAGMENT)
			expect_fragments(acl, packet, &hit);
	}
	conntrack_touch(acl->sessions, &hit, &passed, packet->now_s);
	return DROP_COUNT;
}

// Later fragments, and messages about flows.
static unsigned decide_other(const struct acl *acl, const struct acl_packet *packet,
			     uint32_t *x_answer)
{
	struct conntrack_hit hit;

	if (!(*x_answer & ACL_ANSWER_DENIES))
		return DROP_COUNT;
	if (!is_related(acl, packet, &hit) || !outweighs(acl, &hit, *x_answer))
		return DROP_FailedSecurityPolicy;
	*x_answer = 0;
	return DROP_COUNT;
}

static bool is_related(const struct acl *acl, const struct acl_packet *packet,
		       struct conntrack_hit *ret)
{
	const uint16_t vlan = vlan_of(acl, packet->v);
	struct conntrack_key key;

	if (packet->p->flags & PARSE_LATER)
		acl_key_fragments(packet->key, packet->p, vlan, &key);
	else if (!(packet->p->flags & PARSE_ICMP_ERROR) ||
		 !acl_key_quoted(packet->v, packet->p, packet->key, packet->direction, vlan, &key))
		return false;
	return conntrack_find(acl->sessions, &key, packet->now_s, ret);
}

static bool outweighs(const struct acl *acl, const struct conntrack_hit *hit, uint32_t answer)
{
	return hit->weight > rule_of(acl, answer)->weight;
}

// A connection that is being opened is no reply, though its ports are those of one before.
static bool opens(const struct conntrack_packet *packet)
{
	return packet->is_tcp && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static unsigned begin(const struct acl *acl, const struct acl_packet *packet,
		      const struct conntrack_key *key, uint32_t answer)
{
	const struct acl_rule *rule = rule_of(acl, answer);
	const struct conntrack_packet passed = packet_of(packet);
	const struct conntrack_rule made_by = {
		.number = rule->number, .weight = rule->weight, .idle_s = rule->idle_s};
	const struct conntrack_kind flow = {.room = room_for(acl, passed.from_vm)};

	// The rule allows it, whether it begins something or not: an answer, a RST that refuses.
	if (packet->p->flags & PARSE_ICMP_ID && !acl_key_asks(packet->p))
		return DROP_COUNT;
	switch (conntrack_add(acl->sessions, key, &passed, flow, &made_by, packet->now_s)) {
	case -ENOSPC:
		return acl->full_allows ? DROP_COUNT : DROP_Resources;
	case -EBUSY:
		return DROP_Busy;
	default:
		return DROP_COUNT;
	}
}

static uint32_t room_for(const struct acl *acl, bool from_vm)
{
	uint32_t max = acl->sessions->max;

	return from_vm ? max : max - max / OWN_SHARE;
}

// Where there is no room, the packet's later fragments do not pass, and it is nothing without them.
static void expect_fragments(const struct acl *acl, const struct acl_packet *packet,
			     const struct conntrack_hit *hit)
{
	const struct conntrack_packet passed = packet_of(packet);
	const struct conntrack_rule made_by = {
		.number = hit->rule, .weight = hit->weight, .idle_s = CONNTRACK_SHORT_S};
	const struct conntrack_kind fragments = {.room = acl->sessions->max / FRAGMENTS_SHARE,
						 .fragments = true};
	struct conntrack_key key;

	acl_key_fragments(packet->key, packet->p, vlan_of(acl, packet->v), &key);
	(void)conntrack_add(acl->sessions, &key, &passed, fragments, &made_by, packet->now_s);
}

static const struct acl_rule *rule_of(const struct acl *acl, uint32_t answer)
{
	return &acl->rules[(answer & ACL_ANSWER_RULE) - 1];
}

static struct conntrack_packet packet_of(const struct acl_packet *packet)
{
	return (struct conntrack_packet){
		.from_vm = packet->direction == ACL_OUT,
		.is_tcp = packet->p->protocol == PROTOCOL_TCP,
		.tcp_flags = packet->p->tcp_flags,
	};
}

static uint16_t vlan_of(const struct acl *acl, const struct vnbl *v)
{
	return acl->by_vlan && v->flags & VNBL_HAS_TAG ? v->vlan_tci & VLAN_ID_MASK : 0;
}

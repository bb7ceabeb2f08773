/*
 * Rules and packets for the tests of access control: rules are said in a line each, packets by who
 * talks to whom, and laid as frames that come from the VM or go to it.
 */
#pragma once

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ports/drops.h"
#include "switch/acl.h"
#include "switch/acl_make.h"
#include "tests/unit/layers.h"

enum {
	TCP = 6,
	UDP = 17,
	ICMP = 1,
	ICMPV6 = 58,
	GRE = 47,
	FIN = 1,
	SYN = 2,
	RST = 4,
	ACK = 16,
	DENIED = DROP_FailedSecurityPolicy,
	PASSES = DROP_COUNT,
	IDLE_S = 100,
	RULES_MAX = ACL_RULES_MAX
};

enum side { LOCAL, REMOTE };
enum cut { WHOLE, FIRST, LATER };

// A packet as a test means it.
struct packet {
	enum acl_direction direction;
	const char *local, *remote; // addresses
	uint8_t protocol;
	uint16_t local_port, remote_port;
	uint8_t tcp_flags;
	uint8_t icmp_type;
	uint16_t icmp_id;
	enum cut cut;
	uint32_t frag_id;
	uint16_t vlan;
};

static struct {
	uint32_t n;
	struct acl_rule rules[RULES_MAX];
	struct acl_limits limits;
	struct acl *acl;
	uint32_t now_s;
} it;

static inline void put_address(struct acl_address *a, const char *text)
{
	char address[64];
	const char *slash = strchr(text, '/');
	unsigned mac[6];

	memset(a, 0, sizeof(*a));
	if (strcmp(text, "any") == 0)
		return;
	if (strcmp(text, "any-mac") == 0) {
		a->family = ACL_MAC;
		return;
	}
	snprintf(address, sizeof(address), "%.*s",
		 slash != NULL ? (int)(slash - text) : (int)strlen(text), text);
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		   &mac[5]) == 6 &&
	    strlen(text) == 17) {
		a->family = ACL_MAC;
		a->bits = 48;
		for (unsigned i = 0; i < 6; i++)
			a->bytes[i] = (uint8_t)mac[i];
		return;
	}
	a->family = inet_pton(AF_INET, address, a->bytes) == 1 ? ACL_IPV4 : ACL_IPV6;
	if (a->family == ACL_IPV6)
		assert_int_equal(inet_pton(AF_INET6, address, a->bytes), 1);
	a->bits = slash != NULL ? (uint8_t)atoi(slash + 1) : a->family == ACL_IPV4 ? 32 : 128;
	for (unsigned bit = a->bits; bit < 128; bit++)
		a->bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static inline struct acl_rule *add_rule(enum acl_kind kind, enum acl_direction direction,
					enum acl_action action)
{
	struct acl_rule *rule = &it.rules[it.n];

	memset(rule, 0, sizeof(*rule));
	rule->number = it.n > 0 ? it.rules[it.n - 1].number + 1 : 1;
	it.n++;
	rule->kind = (uint8_t)kind;
	rule->direction = (uint8_t)direction;
	rule->action = (uint8_t)action;
	rule->local_ports.last = rule->remote_ports.last = UINT16_MAX;
	return rule;
}

static inline struct acl_rule *basic(enum acl_direction direction, enum side side,
				     const char *address, enum acl_action action)
{
	struct acl_rule *rule = add_rule(ACL_BASIC, direction, action);

	rule->is_remote = side == REMOTE;
	put_address(side == REMOTE ? &rule->remote : &rule->local, address);
	return rule;
}

// About any packet, so far.
static inline struct acl_rule *extended(enum acl_direction direction, uint16_t weight,
					enum acl_action action)
{
	struct acl_rule *rule = add_rule(ACL_EXTENDED, direction, action);

	rule->weight = weight;
	rule->any_protocol = 1;
	return rule;
}

static inline struct acl_rule *with_protocol(struct acl_rule *rule, uint8_t protocol)
{
	rule->any_protocol = 0;
	rule->protocol = protocol;
	return rule;
}

static inline struct acl_rule *with_address(struct acl_rule *rule, enum side side,
					    const char *address)
{
	put_address(side == REMOTE ? &rule->remote : &rule->local, address);
	return rule;
}

static inline struct acl_rule *with_ports(struct acl_rule *rule, enum side side, uint16_t first,
					  uint16_t last)
{
	struct acl_ports *ports = side == REMOTE ? &rule->remote_ports : &rule->local_ports;

	ports->first = first;
	ports->last = last;
	return rule;
}

static inline struct acl_rule *stateful(struct acl_rule *rule)
{
	rule->stateful = 1;
	rule->idle_s = IDLE_S;
	return rule;
}

// Gives the rules as they are now the place of those before.
static inline void apply(void)
{
	struct acl *acl = NULL, *before = it.acl;
	struct errtext e = {.text = ""};

	if (acl_same(before, it.rules, it.n, &it.limits))
		return;
	if (it.n > 0 && acl_make(it.rules, it.n, &it.limits, before, &acl, &e) != 0)
		fail_msg("%s", e.text);
	acl_inherit(acl, before, it.now_s);
	it.acl = acl;
	acl_commit(acl, before, it.now_s);
	acl_destroy(before);
}

static inline int begin(void **state)
{
	it.n = 0;
	it.limits = (struct acl_limits){.sessions = 64};
	it.now_s = 1000;
	it.acl = NULL;
	return 0;
}

static inline int end(void **state)
{
	acl_destroy(it.acl);
	it.acl = NULL;
	return 0;
}

// Header and addresses. The VM is 02:00:00:00:00:01, the other side 02:00:00:00:00:02.
static inline void lay_ip(const struct packet *p)
{
	const bool to_vm = p->direction == ACL_IN, is_ipv6 = strchr(p->local, ':') != NULL;
	const unsigned family = is_ipv6 ? AF_INET6 : AF_INET, size = is_ipv6 ? 16 : 4;
	uint8_t *ip;

	if (is_ipv6) {
		put_ipv6(p->cut == WHOLE ? p->protocol : 44);
		ip = layers.data + layers.ipv6 + 8;
	} else {
		put_ipv4(p->protocol, 0, p->cut == WHOLE ? 0 : p->cut == FIRST ? 0x2000 : 100);
		set_16(layers.ipv4 + 4, p->frag_id & 0xffff);
		ip = layers.data + layers.ipv4 + 12;
	}
	assert_int_equal(inet_pton((int)family, p->local, ip + (to_vm ? size : 0)), 1);
	assert_int_equal(inet_pton((int)family, p->remote, ip + (to_vm ? 0 : size)), 1);
	if (is_ipv6 && p->cut != WHOLE) {
		put_fragment(p->protocol, p->cut == FIRST ? 0 : 800, 1);
		set_16(layers.size - 4, p->frag_id >> 16);
		set_16(layers.size - 2, p->frag_id & 0xffff);
	}
}

static inline void lay_l4(const struct packet *p)
{
	const bool to_vm = p->direction == ACL_IN;
	const unsigned src = to_vm ? p->remote_port : p->local_port;
	const unsigned dst = to_vm ? p->local_port : p->remote_port;

	if (p->cut == LATER) {
		put_zeros(40);
	} else if (p->protocol == TCP) {
		put_tcp(src, dst, p->tcp_flags);
	} else if (p->protocol == ICMP || p->protocol == ICMPV6) {
		put_8(p->icmp_type);
		put_8(0);
		put_16(0);
		put_16(p->icmp_id);
		put_16(1);
	} else {
		put_udp(src, dst, 16); // what has no ports shows bytes that are none
	}
}

static inline void lay_link(enum acl_direction direction)
{
	static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

	put_link();
	memcpy(layers.data, macs[direction == ACL_OUT], 6);
	memcpy(layers.data + 6, macs[direction == ACL_IN], 6);
}

static inline void lay(const struct packet *p)
{
	lay_link(p->direction);
	lay_ip(p);
	lay_l4(p);
	layers_end();
}

// What is decided for the frame that is laid.
static inline unsigned judge_laid(enum acl_direction direction, uint16_t vlan)
{
	static struct vnbl v;
	struct vnbl *frames[] = {&v};
	uint8_t reason;

	layers_give(&v, LAYERS_GUEST);
	if (vlan != 0) {
		v.flags |= VNBL_HAS_TAG;
		v.vlan_tci = vlan | 0xe000;
	}
	acl_decide_burst(it.acl, direction, frames, 1, 3, it.now_s, &reason);
	return reason;
}

static inline unsigned judge(const struct packet *p)
{
	lay(p);
	return judge_laid(p->direction, p->vlan);
}

#define assert_judged(packet, reason) assert_int_equal(judge(packet), (reason))

static inline void assert_counted(uint32_t index, uint64_t frames)
{
	assert_int_equal(acl_count(it.acl, index).frames, frames);
}

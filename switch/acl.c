#include "switch/acl.h"

#include <stdbool.h>
#include <string.h>

#include <rte_acl.h>

#include "ports/drops.h"
#include "ports/headers.h"
#include "switch/acl_build.h"
#include "switch/acl_key.h"
#include "switch/acl_session.h"
#include "switch/parse.h"

enum { ETH_DST = 0, ETH_SRC = 6, VERSIONS = 2 };

#define MAC_MASK 0xffffffffffffULL

// What does not change over a burst.
struct call {
	const struct acl *acl;
	const struct acl_side *side;
	struct acl_count *counts;
	enum acl_direction direction;
	uint32_t now_s;
};

// The packets of one version of IP in a burst.
struct packets {
	unsigned n;
	uint8_t at[VNBL_BURST_MAX]; // in the burst
	struct parse parses[VNBL_BURST_MAX];
	struct acl_key keys[VNBL_BURST_MAX];
	const uint8_t *data[VNBL_BURST_MAX];
	uint32_t answers[VNBL_BURST_MAX][ACL_CATEGORIES];
};

static unsigned decide_mac(const struct call *call, const struct vnbl *v);
static const struct acl_mac *find_mac(const struct acl_side *side, bool is_remote,
				      const uint8_t *bytes);
static void collect(const struct call *call, struct vnbl *const frames[], unsigned n,
		    uint8_t reasons[], struct packets packets[VERSIONS]);
static bool hides_ip(const struct parse *p);
static void decide_ip(const struct call *call, const struct acl_tables *tables,
		      struct packets *packets, struct vnbl *const frames[], uint8_t reasons[]);
static void ask(const struct acl_tables *tables, struct packets *packets);
static unsigned decide_packet(const struct call *call, const struct acl_packet *packet,
			      const uint32_t answers[ACL_CATEGORIES]);
static void count(const struct call *call, uint32_t answer, const struct vnbl *v);

void acl_decide_burst(const struct acl *acl, enum acl_direction direction,
		      struct vnbl *const frames[], unsigned n, unsigned proc, uint32_t now_s,
		      uint8_t reasons[])
{
	const struct acl_side *side = &acl->sides[direction];
	const struct call call = {.acl = acl,
				  .side = side,
				  .counts = acl->counts[proc],
				  .direction = direction,
				  .now_s = now_s};
	struct packets packets[VERSIONS];

	memset(reasons, DROP_COUNT, n);
	if (side->n_macs[0] + side->n_macs[1] + side->any_mac != 0)
		for (unsigned i = 0; i < n; i++)
			reasons[i] = (uint8_t)decide_mac(&call, frames[i]);
	if (side->ip[0].n + side->ip[1].n == 0 && !acl->tracks)
		return;
	collect(&call, frames, n, reasons, packets);
	for (unsigned i = 0; i < VERSIONS; i++)
		if (packets[i].n > 0)
			decide_ip(&call, &side->ip[i], &packets[i], frames, reasons);
}

static unsigned decide_mac(const struct call *call, const struct vnbl *v)
{
	const struct acl_side *side = call->side;
	bool to_vm = call->direction == ACL_IN;
	const struct acl_mac *local, *remote, *mac;

	local = find_mac(side, false, v->hdr + (to_vm ? ETH_DST : ETH_SRC));
	remote = find_mac(side, true, v->hdr + (to_vm ? ETH_SRC : ETH_DST));
	if (local == NULL && remote == NULL) {
		if (side->any_mac == 0)
			return DROP_COUNT;
		count(call, side->any_mac, v);
		return side->any_mac_denies ? DROP_FailedSecurityPolicy : DROP_COUNT;
	}
	mac = local != NULL ? local : remote;
	if (local != NULL && remote != NULL &&
	    (remote->denies != local->denies ? remote->denies : remote->rule < local->rule))
		mac = remote;
	count(call, mac->rule + 1, v);
	return mac->denies ? DROP_FailedSecurityPolicy : DROP_COUNT;
}

static const struct acl_mac *find_mac(const struct acl_side *side, bool is_remote,
				      const uint8_t *bytes)
{
	const struct acl_mac *macs = side->macs[is_remote];
	uint32_t low = 0, high = side->n_macs[is_remote];
	uint64_t mac;

	memcpy(&mac, bytes, sizeof(mac));
	mac &= MAC_MASK;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (macs[middle].mac == mac)
			return &macs[middle];
		if (macs[middle].mac < mac)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

// Reads the frames that passed so far. What may be IP that we cannot see to its end does not pass
// where anything about IP is denied; elsewhere its addresses are seen, if it shows them.
static void collect(const struct call *call, struct vnbl *const frames[], unsigned n,
		    uint8_t reasons[], struct packets packets[VERSIONS])
{
	packets[0].n = packets[1].n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct parse p;
		struct packets *to;

		if (reasons[i] != DROP_COUNT)
			continue;
		parse_frame(frames[i], &p);
		if (p.flags & PARSE_HIDDEN && call->side->denies_ip && hides_ip(&p)) {
			reasons[i] = DROP_FailedSecurityPolicy;
			continue;
		}
		if (!(p.flags & (PARSE_IPV4 | PARSE_IPV6)))
			continue;
		to = &packets[p.flags & PARSE_IPV4 ? 0 : 1];
		acl_key_of(frames[i], &p, call->direction, &to->keys[to->n]);
		to->data[to->n] = (const uint8_t *)&to->keys[to->n];
		to->parses[to->n] = p;
		to->at[to->n++] = (uint8_t)i;
	}
}

static bool hides_ip(const struct parse *p)
{
	return p->l3 == 0 || p->type == TYPE_IPV4 || p->type == TYPE_IPV6;
}

static void decide_ip(const struct call *call, const struct acl_tables *tables,
		      struct packets *packets, struct vnbl *const frames[], uint8_t reasons[])
{
	ask(tables, packets);
	for (unsigned i = 0; i < packets->n; i++) {
		const struct acl_packet packet = {.v = frames[packets->at[i]],
						  .p = &packets->parses[i],
						  .key = &packets->keys[i],
						  .direction = call->direction,
						  .now_s = call->now_s};

		reasons[packets->at[i]] =
			(uint8_t)decide_packet(call, &packet, packets->answers[i]);
	}
}

static void ask(const struct acl_tables *tables, struct packets *packets)
{
	uint32_t more[VNBL_BURST_MAX][ACL_CATEGORIES];

	if (tables->n == 0) {
		memset(packets->answers, 0, packets->n * sizeof(packets->answers[0]));
		return;
	}
	rte_acl_classify(tables->tables[0], packets->data, packets->answers[0], packets->n,
			 ACL_CATEGORIES);
	for (uint32_t t = 1; t < tables->n; t++) {
		rte_acl_classify(tables->tables[t], packets->data, more[0], packets->n,
				 ACL_CATEGORIES);
		for (unsigned i = 0; i < packets->n; i++)
			for (unsigned k = 0; k < ACL_CATEGORIES; k++)
				if (packets->answers[i][k] == 0)
					packets->answers[i][k] = more[i][k];
	}
}

static unsigned decide_packet(const struct call *call, const struct acl_packet *packet,
			      const uint32_t answers[ACL_CATEGORIES])
{
	uint32_t extended = answers[packet->p->flags & PARSE_LATER ? ACL_CATEGORY_LATER
								   : ACL_CATEGORY_EXTENDED];
	const bool is_hidden = packet->p->flags & PARSE_HIDDEN; // but for its addresses
	unsigned reason = DROP_COUNT;

	count(call, answers[ACL_CATEGORY_BASIC], packet->v);
	if (answers[ACL_CATEGORY_BASIC] & ACL_ANSWER_DENIES)
		return DROP_FailedSecurityPolicy;
	if (is_hidden)
		extended = 0;
	else if (call->acl->tracks)
		reason = acl_session_decide(call->acl, packet, &extended);
	else if (extended & ACL_ANSWER_DENIES)
		reason = DROP_FailedSecurityPolicy;
	count(call, extended, packet->v);
	if (reason == DROP_COUNT)
		count(call, answers[ACL_CATEGORY_METER], packet->v);
	return reason;
}

static void count(const struct call *call, uint32_t answer, const struct vnbl *v)
{
	struct acl_count *c;

	if (answer == 0)
		return;
	c = &call->counts[(answer & ACL_ANSWER_RULE) - 1];
	c->frames++;
	c->bytes += v->frame_size;
}

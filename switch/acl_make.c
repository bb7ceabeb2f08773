#include "switch/acl_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "switch/acl_build.h"
#include "switch/conntrack.h"

enum { LINE = 64 };

// What becomes of sessions: the rules before and now.
struct change {
	const struct acl *now, *before;
};

static int make_side(struct acl *acl, enum acl_direction direction, struct errtext *e);
static int make_macs(struct acl *acl, enum acl_direction direction, bool is_remote);
static void make_any_mac(struct acl *acl, enum acl_direction direction);
static int make_counts(struct acl *acl);
static int make_sessions(struct acl *acl, const struct acl_limits *limits,
			 const struct acl *before);
static bool copies(const struct acl *acl, const struct acl *before);
static bool same_vlans(const struct vlan_rules *a, const struct vlan_rules *b);
static void side_free(struct acl_side *side);
static bool is_mac(const struct acl_rule *rule, enum acl_direction direction);
static const struct acl_address *address_of(const struct acl_rule *rule);
static int compare_macs(const void *left, const void *right);
static bool wins(const struct acl_rule *rule, const struct acl_rule *other);
static uint32_t find(const struct acl *acl, uint32_t number);
static bool is_kept(const struct acl *acl, uint32_t index, const struct acl *before,
		    uint32_t index_before);
static void carry_counts(struct acl *acl, const struct acl *before);
static bool lives(uint32_t number, void *arg);

int acl_make(const struct acl_rule rules[], uint32_t n, const struct acl_limits *limits,
	     const struct acl *before, struct acl **ret, struct errtext *e)
{
	struct acl *acl = calloc(1, sizeof(*acl));
	int rc = -ENOMEM;

	if (acl == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	acl->n_rules = n;
	acl->full_allows = limits->full_allows;
	acl->by_vlan = limits->vlan.takes_tags;
	acl->vlan = limits->vlan;
	acl->rules = malloc(n * sizeof(*rules));
	if (acl->rules == NULL)
		goto memory;
	memcpy(acl->rules, rules, n * sizeof(*rules));
	for (uint32_t i = 0; i < n; i++)
		acl->tracks |= rules[i].stateful;
	if (make_counts(acl) < 0 || make_sessions(acl, limits, before) < 0)
		goto memory;
	for (unsigned direction = 0; direction < ACL_N_DIRECTIONS; direction++) {
		rc = make_side(acl, direction, e);
		if (rc < 0)
			goto fail;
	}
	*ret = acl;
	return 0;

memory:
	errtext_set(e, rc, "out of memory");
fail:
	acl_destroy(acl);
	return rc;
}

bool acl_same(const struct acl *acl, const struct acl_rule rules[], uint32_t n,
	      const struct acl_limits *limits)
{
	if (acl == NULL || n == 0)
		return acl == NULL && n == 0;
	if (acl->n_rules != n || memcmp(acl->rules, rules, n * sizeof(*rules)) != 0)
		return false;
	return !acl->tracks ||
	       (acl->sessions->max == limits->sessions && acl->full_allows == limits->full_allows &&
		same_vlans(&acl->vlan, &limits->vlan));
}

void acl_inherit(struct acl *acl, const struct acl *before, uint32_t now_s)
{
	if (copies(acl, before))
		(void)conntrack_fill(acl->sessions, before->sessions, now_s);
}

void acl_commit(struct acl *acl, struct acl *before, uint32_t now_s)
{
	struct change change = {.now = acl, .before = before};

	if (acl == NULL || before == NULL)
		return;
	carry_counts(acl, before);
	if (acl->borrows) {
		acl->borrows = 0;
		before->sessions = NULL;
	} else if (copies(acl, before)) {
		conntrack_take(acl->sessions, before->sessions, now_s);
	} else {
		return;
	}
	conntrack_end(acl->sessions, lives, &change);
}

void acl_destroy(struct acl *acl)
{
	if (acl == NULL)
		return;
	for (unsigned i = 0; i < ACL_N_DIRECTIONS; i++)
		side_free(&acl->sides[i]);
	if (!acl->borrows)
		conntrack_destroy(acl->sessions);
	free(acl->counts[0]);
	free(acl->base);
	free(acl->rules);
	free(acl);
}

struct acl_count acl_count(const struct acl *acl, uint32_t index)
{
	struct acl_count sum = acl->base[index];

	for (unsigned proc = 0; proc < PROC_MAX; proc++) {
		sum.frames += acl->counts[proc][index].frames;
		sum.bytes += acl->counts[proc][index].bytes;
	}
	return sum;
}

static int make_side(struct acl *acl, enum acl_direction direction, struct errtext *e)
{
	struct acl_side *side = &acl->sides[direction];

	for (unsigned i = 0; i < 2; i++) {
		int rc = make_macs(acl, direction, i);

		if (rc < 0)
			return errtext_set(e, rc, "out of memory");
		rc = acl_build(acl->rules, acl->n_rules, direction, i == 0 ? ACL_IPV4 : ACL_IPV6,
			       &side->ip[i], e);
		if (rc < 0)
			return rc;
	}
	make_any_mac(acl, direction);
	for (uint32_t i = 0; i < acl->n_rules; i++) {
		const struct acl_rule *rule = &acl->rules[i];

		side->denies_ip |= rule->direction == direction && rule->action == ACL_DENY &&
				   !is_mac(rule, direction);
	}
	return 0;
}

static int make_macs(struct acl *acl, enum acl_direction direction, bool is_remote)
{
	struct acl_side *side = &acl->sides[direction];
	struct acl_mac *macs;
	uint32_t n = 0;

	for (uint32_t i = 0; i < acl->n_rules; i++)
		n += is_mac(&acl->rules[i], direction) && acl->rules[i].is_remote == is_remote &&
		     address_of(&acl->rules[i])->bits != 0;
	if (n == 0)
		return 0;
	macs = side->macs[is_remote] = calloc(n, sizeof(*macs));
	if (macs == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < acl->n_rules; i++) {
		const struct acl_rule *rule = &acl->rules[i];

		if (!is_mac(rule, direction) || rule->is_remote != is_remote ||
		    address_of(rule)->bits == 0)
			continue;
		macs[n].rule = i;
		macs[n].denies = rule->action == ACL_DENY;
		memcpy(&macs[n++].mac, address_of(rule)->bytes, 6);
	}
	qsort(macs, n, sizeof(*macs), compare_macs);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || macs[i].mac != macs[i - 1].mac)
			macs[side->n_macs[is_remote]++] = macs[i];
	return 0;
}

// On whichever side: it is about all frames.
static void make_any_mac(struct acl *acl, enum acl_direction direction)
{
	struct acl_side *side = &acl->sides[direction];

	for (uint32_t i = 0; i < acl->n_rules; i++) {
		const struct acl_rule *rule = &acl->rules[i];

		if (!is_mac(rule, direction) || address_of(rule)->bits != 0)
			continue;
		if (side->any_mac != 0 && !wins(rule, &acl->rules[side->any_mac - 1]))
			continue;
		side->any_mac = i + 1;
		side->any_mac_denies = rule->action == ACL_DENY;
	}
}

// No two procs write to one line.
static int make_counts(struct acl *acl)
{
	const size_t size = acl->n_rules * sizeof(struct acl_count);
	const size_t stride = (size + LINE - 1) / LINE * LINE;
	uint8_t *counts = aligned_alloc(LINE, PROC_MAX * stride);

	acl->base = calloc(acl->n_rules, sizeof(*acl->base));
	for (unsigned proc = 0; counts != NULL && proc < PROC_MAX; proc++) {
		memset(counts + proc * stride, 0, stride);
		acl->counts[proc] = (struct acl_count *)(counts + proc * stride);
	}
	return acl->base != NULL && counts != NULL ? 0 : -ENOMEM;
}

static int make_sessions(struct acl *acl, const struct acl_limits *limits, const struct acl *before)
{
	uint64_t seed;

	if (!acl->tracks)
		return 0;
	if (before != NULL && before->sessions != NULL && same_vlans(&before->vlan, &acl->vlan) &&
	    before->sessions->max == limits->sessions) {
		acl->sessions = before->sessions;
		acl->borrows = 1;
		return 0;
	}
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	return conntrack_create(limits->sessions, seed, &acl->sessions);
}

// Whether the sessions go on in another table; either may be NULL.
static bool copies(const struct acl *acl, const struct acl *before)
{
	return acl != NULL && before != NULL && acl->sessions != NULL && before->sessions != NULL &&
	       !acl->borrows && same_vlans(&acl->vlan, &before->vlan);
}

// What a session let pass in one VLAN it is not to let pass in another.
static bool same_vlans(const struct vlan_rules *a, const struct vlan_rules *b)
{
	return a->own == b->own && a->mode == b->mode && a->takes_tags == b->takes_tags &&
	       memcmp(&a->set, &b->set, sizeof(a->set)) == 0;
}

static void side_free(struct acl_side *side)
{
	for (unsigned i = 0; i < 2; i++) {
		acl_build_free(&side->ip[i]);
		free(side->macs[i]);
	}
}

static bool is_mac(const struct acl_rule *rule, enum acl_direction direction)
{
	return rule->direction == direction && rule->kind == ACL_BASIC &&
	       address_of(rule)->family == ACL_MAC;
}

static const struct acl_address *address_of(const struct acl_rule *rule)
{
	return rule->is_remote ? &rule->remote : &rule->local;
}

// Of the same address: denials first, then the lower number.
static int compare_macs(const void *left, const void *right)
{
	const struct acl_mac *a = left, *b = right;

	if (a->mac != b->mac)
		return a->mac < b->mac ? -1 : 1;
	if (a->denies != b->denies)
		return b->denies - a->denies;
	return a->rule < b->rule ? -1 : 1;
}

// 'other' has the lower number.
static bool wins(const struct acl_rule *rule, const struct acl_rule *other)
{
	return rule->action == ACL_DENY && other->action != ACL_DENY;
}

// The index of a rule; n_rules: there is none of that number.
static uint32_t find(const struct acl *acl, uint32_t number)
{
	uint32_t low = 0, high = acl->n_rules;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (acl->rules[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < acl->n_rules && acl->rules[low].number == number ? low : acl->n_rules;
}

static bool is_kept(const struct acl *acl, uint32_t index, const struct acl *before,
		    uint32_t index_before)
{
	return memcmp(&acl->rules[index], &before->rules[index_before], sizeof(acl->rules[0])) == 0;
}

static void carry_counts(struct acl *acl, const struct acl *before)
{
	for (uint32_t i = 0; i < acl->n_rules; i++) {
		uint32_t k = find(before, acl->rules[i].number);

		if (k < before->n_rules && is_kept(acl, i, before, k))
			acl->base[i] = acl_count(before, k);
	}
}

// A rule that 'before' does not have is new, and so are its sessions.
static bool lives(uint32_t number, void *arg)
{
	const struct change *c = arg;
	uint32_t now = find(c->now, number), before = find(c->before, number);

	if (now == c->now->n_rules)
		return false;
	return before == c->before->n_rules || is_kept(c->now, now, c->before, before);
}

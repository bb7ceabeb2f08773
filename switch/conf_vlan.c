#include "switch/conf_vlan.h"

#include <errno.h>
#include <string.h>

#include "switch/conf_value.h"
#include "switch/vlan.h"

// What one VLAN of a switch is by what a port says of it.
enum role { ROLE_PLAIN, ROLE_PRIMARY, ROLE_ISOLATED, ROLE_COMMUNITY, ROLE_SECONDARY };

struct claim {
	enum role role;
	uint16_t primary; // of a secondary
};

static int read_trunk(struct conf_args *args, struct conf_vlan *vlan);
static int read_private(struct conf_args *args, struct conf_vlan *vlan);
static int read_id(struct conf_args *args, const char *what, uint16_t *ret);
static int read_list(struct conf_args *args, const char *what, struct vlan_set *ret);
static const char *next_word(struct conf_args *args, const char *what);
static struct claim claim_of(const struct conf_vlan *vlan, uint16_t id);
static const char *role_text(enum role role);
static int check_claims(struct conf_args *args, unsigned word, const struct conf_port *p,
			const struct conf_port *other);
static uint64_t claimed(const struct conf_vlan *vlan, uint16_t w);
static int check_claim(struct conf_args *args, unsigned word, uint16_t id,
		       const struct conf_port *p, const struct conf_port *other);
static bool agree(struct claim a, struct claim b);
static void print_list(const struct vlan_set *set, FILE *f);

int conf_vlan_read(struct conf_args *args, const char *mode, struct conf_vlan *ret)
{
	static const char *const modes[] = {"default",  "untagged",  "access",     "trunk",
					    "isolated", "community", "promiscuous"};
	struct conf_vlan vlan = {.is_set = true};
	unsigned m = 0;
	int err = 0;

	while (m < sizeof(modes) / sizeof(modes[0]) && strcmp(modes[m], mode) != 0)
		m++;
	if (m == sizeof(modes) / sizeof(modes[0]))
		return conf_fail_unknown(args, "VLAN mode", mode, modes, m);
	if (m == 0) {
		*ret = (struct conf_vlan){.is_set = false};
		return 0;
	}
	vlan.mode = (uint8_t)(m - 1);
	if (vlan.mode == VLAN_ACCESS)
		err = read_id(args, "the VLAN", &vlan.own);
	else if (vlan.mode == VLAN_TRUNK)
		err = read_trunk(args, &vlan);
	else if (vlan.mode != VLAN_UNTAGGED)
		err = read_private(args, &vlan);
	if (err == 0)
		*ret = vlan;
	return err;
}

int conf_vlan_check(struct conf_args *args, unsigned word, const struct conf_port *p,
		    const struct conf_port *self)
{
	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *other = &args->c->ports[i];
		int err;

		if (other == self || strcmp(other->switch_name, p->switch_name) != 0)
			continue;
		err = check_claims(args, word, p, other);
		if (err != 0)
			return err;
	}
	return 0;
}

void conf_vlan_print(const struct conf_vlan *vlan, FILE *f)
{
	switch (vlan->mode) {
	case VLAN_UNTAGGED:
		fputs("untagged", f);
		return;
	case VLAN_ACCESS:
		fprintf(f, "access %u", vlan->own);
		return;
	case VLAN_TRUNK:
		fputs("trunk ", f);
		print_list(&vlan->list, f);
		if (vlan->own != 0)
			fprintf(f, " native %u", vlan->own);
		else if (vlan->tagged_only)
			fputs(" native none", f);
		for (unsigned w = 0; w < VLAN_SET_WORDS; w++) {
			if (vlan->prune.words[w] == 0)
				continue;
			fputs(" prune ", f);
			print_list(&vlan->prune, f);
			break;
		}
		return;
	case VLAN_PROMISCUOUS:
		fprintf(f, "promiscuous %u ", vlan->own);
		print_list(&vlan->list, f);
		return;
	default:
		fprintf(f, "%s %u %u", vlan->mode == VLAN_ISOLATED ? "isolated" : "community",
			vlan->own, vlan->secondary);
	}
}

static int read_trunk(struct conf_args *args, struct conf_vlan *vlan)
{
	int err = read_list(args, "the VLANs of the trunk", &vlan->list);

	if (err == 0 && conf_follows(args, "native")) {
		args->at++;
		vlan->tagged_only = conf_follows(args, "none");
		if (vlan->tagged_only)
			args->at++;
		else
			err = read_id(args, "the native VLAN, or none", &vlan->own);
	}
	if (err == 0 && conf_follows(args, "prune")) {
		args->at++;
		err = read_list(args, "the VLANs to prune", &vlan->prune);
	}
	if (err == 0 && vlan->own != 0 && vlan_set_has(&vlan->prune, vlan->own))
		return conf_fail(args, -EINVAL,
				 "VLAN %u is the native one and pruned; which is it?", vlan->own);
	return err;
}

static int read_private(struct conf_args *args, struct conf_vlan *vlan)
{
	int err = read_id(args, "the primary VLAN", &vlan->own);

	if (err == 0 && vlan->mode == VLAN_PROMISCUOUS)
		err = read_list(args, "the secondary VLANs", &vlan->list);
	else if (err == 0)
		err = read_id(args, "the secondary VLAN", &vlan->secondary);
	if (err == 0 && (vlan->own == vlan->secondary || vlan_set_has(&vlan->list, vlan->own)))
		return conf_fail(args, -EINVAL, "VLAN %u cannot be primary and secondary at once",
				 vlan->own);
	return err;
}

static int read_id(struct conf_args *args, const char *what, uint16_t *ret)
{
	const char *word = next_word(args, what);
	struct errtext why;
	uint32_t id;

	if (word == NULL)
		return -EINVAL;
	if (conf_value_number(word, 1, VLAN_ID_MAX, &id, &why) != 0)
		return conf_fail(args, -EINVAL, "%s: %s", what, why.text);
	*ret = (uint16_t)id;
	return 0;
}

static int read_list(struct conf_args *args, const char *what, struct vlan_set *ret)
{
	const char *word = next_word(args, what);
	struct errtext why;

	if (word == NULL)
		return -EINVAL;
	if (conf_value_vlans(word, ret, &why) != 0)
		return conf_fail(args, -EINVAL, "%s: %s", what, why.text);
	return 0;
}

static const char *next_word(struct conf_args *args, const char *what)
{
	args->at++;
	return conf_next(args, what);
}

// What an id is that the port claims. A trunk carries VLANs and says nothing of what they are, but
// for its native one.
static struct claim claim_of(const struct conf_vlan *vlan, uint16_t id)
{
	if (!vlan_is_private(vlan->mode))
		return (struct claim){.role = ROLE_PLAIN};
	if (vlan->own == id)
		return (struct claim){.role = ROLE_PRIMARY};
	if (vlan->mode == VLAN_PROMISCUOUS)
		return (struct claim){.role = ROLE_SECONDARY, .primary = vlan->own};
	return (struct claim){
		.role = vlan->mode == VLAN_ISOLATED ? ROLE_ISOLATED : ROLE_COMMUNITY,
		.primary = vlan->own,
	};
}

static const char *role_text(enum role role)
{
	static const char *const texts[] = {
		[ROLE_PLAIN] = "an ordinary VLAN",         [ROLE_PRIMARY] = "a primary VLAN",
		[ROLE_ISOLATED] = "an isolated secondary", [ROLE_COMMUNITY] = "a community",
		[ROLE_SECONDARY] = "a secondary",
	};

	return texts[role];
}

static int check_claims(struct conf_args *args, unsigned word, const struct conf_port *p,
			const struct conf_port *other)
{
	const struct conf_vlan *ours = &p->policy.vlan, *theirs = &other->policy.vlan;

	if (!ours->is_set || !theirs->is_set ||
	    (!vlan_is_private(ours->mode) && !vlan_is_private(theirs->mode)))
		return 0;
	for (uint16_t w = 0; w < VLAN_SET_WORDS; w++) {
		uint64_t both = claimed(ours, w) & claimed(theirs, w);

		for (; both != 0; both &= both - 1) {
			uint16_t id = (uint16_t)(w * 64 + __builtin_ctzll(both));
			int err = check_claim(args, word, id, p, other);

			if (err != 0)
				return err;
		}
	}
	return 0;
}

// 64 ids from 64 * w on: those of which the port says what they are.
static uint64_t claimed(const struct conf_vlan *vlan, uint16_t w)
{
	uint64_t ids = vlan->mode == VLAN_PROMISCUOUS ? vlan->list.words[w] : 0;

	if (vlan->own != 0 && vlan->own / 64 == w)
		ids |= 1ULL << vlan->own % 64;
	if (vlan->secondary != 0 && vlan->secondary / 64 == w)
		ids |= 1ULL << vlan->secondary % 64;
	return ids;
}

static int check_claim(struct conf_args *args, unsigned word, uint16_t id,
		       const struct conf_port *p, const struct conf_port *other)
{
	struct claim ours = claim_of(&p->policy.vlan, id);
	struct claim theirs = claim_of(&other->policy.vlan, id);

	if (agree(ours, theirs))
		return 0;
	if (ours.primary != 0 && theirs.primary != 0 && ours.primary != theirs.primary)
		return conf_fail_at(args, word, -EEXIST,
				    "VLAN %u is a secondary of VLAN %u by port '%s', and cannot be "
				    "one of VLAN %u, too",
				    id, theirs.primary, other->name, ours.primary);
	return conf_fail_at(args, word, -EEXIST,
			    "VLAN %u is %s by port '%s', and cannot be %s, too", id,
			    role_text(theirs.role), other->name, role_text(ours.role));
}

// An ordinary port may sit in a primary VLAN, where all hear it that hear the promiscuous ports.
static bool agree(struct claim a, struct claim b)
{
	if (a.primary != 0 && b.primary != 0)
		return a.primary == b.primary &&
		       (a.role == b.role || a.role == ROLE_SECONDARY || b.role == ROLE_SECONDARY);
	return a.primary == 0 && b.primary == 0;
}

static void print_list(const struct vlan_set *set, FILE *f)
{
	const char *separator = "";

	for (uint32_t id = 1; id <= VLAN_ID_MAX; id++) {
		uint32_t first = id;

		if (!vlan_set_has(set, (uint16_t)id))
			continue;
		while (id < VLAN_ID_MAX && vlan_set_has(set, (uint16_t)(id + 1)))
			id++;
		fprintf(f, "%s%u", separator, first);
		if (id > first)
			fprintf(f, "-%u", id);
		separator = ",";
	}
}

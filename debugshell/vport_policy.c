#include "debugshell/vport_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

enum { LOOKS = 5, PREFIX_IPV4 = 96 };

// As PRINT_FIELD_BY(), for a row that is made of several fields.
#define PRINT_FIELDS_BY(map, fields, label, call)                                                  \
	do {                                                                                       \
		if (has_all((map), (fields), sizeof(fields) / sizeof((fields)[0])))                \
			call;                                                                      \
		else                                                                               \
			print_absent((label), "[Missing in this vswd]");                           \
	} while (0)

static int check_policy(const struct policy *policy, struct why *why);
static void print_vlan(const struct type_map *map, const struct vlan_rules *rules);
static void print_untagged(const struct vlan_rules *rules);
static void print_set(const struct vlan_set *set);
static bool set_has(const struct vlan_set *set, unsigned id);
static void print_macs(const struct type_map *map, const struct policy *policy);
static void print_guards(const struct type_map *map, const struct guard_rules *guard);
static void print_senders(const struct policy *policy);
static void print_announced(const struct guard_rules *guard);
static bool has_all(const struct type_map *map, const char *const fields[], unsigned n);
static struct text address_text(const struct guard_address *address);

// One that is replaced meanwhile may be gone: the port must still have it afterwards.
int vport_policy_read(struct shell *sh, tgt_addr addr, tgt_addr *x_at, struct policy *policy,
		      struct why *why)
{
	const struct type_map *map;
	struct vport now;
	int err = shell_map(sh, "policy", sizeof(*policy), &map, why);

	for (unsigned i = 0; err == 0 && i < LOOKS && x_at->v != 0; i++) {
		tgt_addr at = *x_at;
		int fault = type_read(sh->target, map, at, policy);

		if (sh->runs) {
			err = walk_object(sh, addr, OBJECT_VPORT, &now, why);
			if (err < 0)
				return err;
			err = 0;
			*x_at = tgt_ptr(now.policy);
		}
		if (x_at->v != at.v)
			continue;
		if (fault != 0)
			return why_set(why, fault, "it cannot be read");
		return check_policy(policy, why);
	}
	return err != 0 || x_at->v == 0 ? err
					: why_set(why, -EAGAIN, "it is replaced again and again");
}

void vport_policy_print(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	tgt_addr at = tgt_ptr(port->policy);
	const struct type_map *map;
	struct policy policy;
	struct why why;
	int err = shell_map(sh, "policy", sizeof(policy), &map, &why);

	if (err == 0)
		err = vport_policy_read(sh, addr, &at, &policy, &why);
	if (err != 0) {
		walk_trouble(sh, "    ", "POLICY", at, &why);
		return;
	}
	if (at.v == 0) {
		print_absent("VLAN",
			     port->is_wire ? "[Default: all, with tags]" : "[Default: untagged]");
		return;
	}
	print_vlan(map, &policy.vlan);
	print_macs(map, &policy);
	print_guards(map, &policy.guard);
	if (type_has(map, "storm_fps") && policy.storm_fps == 0)
		print_absent("Storm limit", "[None]");
	else
		PRINT_FIELD_VALUES(map, "storm_fps", "Storm limit", "frames_per_s",
				   "%u frames a second: broadcast, multicast, unknown",
				   policy.storm_fps);
	if (!type_has(map, "mirrored_to") || policy.mirrored_to != 0)
		PRINT_FIELD_VALUES(map, "mirrored_to", "Mirrored to", "session", "session %u",
				   policy.mirrored_to);
	print_link("Policy", at, "dt policy");
}

static int check_policy(const struct policy *policy, struct why *why)
{
	if (policy->vlan.mode > VLAN_WIRE)
		return why_set(why, -EINVAL, "its VLAN mode is %u", policy->vlan.mode);
	if (policy->vlan.own >= VLAN_IDS)
		return why_set(why, -EINVAL, "its VLAN is %u", policy->vlan.own);
	if (policy->n_macs > POLICY_MACS_MAX)
		return why_set(why, -EINVAL, "it has %u addresses to send from", policy->n_macs);
	if (policy->guard.n_addresses > GUARD_ADDRESSES_MAX)
		return why_set(why, -EINVAL, "it has %u addresses to announce",
			       policy->guard.n_addresses);
	return 0;
}

static void print_vlan(const struct type_map *map, const struct vlan_rules *rules)
{
	static const char *const untagged[] = {"vlan.own", "vlan.takes_tags", "vlan.set.words"};

	PRINT_FIELD_VALUES(map, "vlan.mode", "VLAN", "number name", "%u (%s)", rules->mode,
			   name_vlan_mode(rules->mode));
	PRINT_FIELDS_BY(map, untagged, "Without a tag", print_untagged(rules));
	PRINT_FIELD_BY(map, "vlan.set.words", "Carries", print_set(&rules->set));
	PRINT_FIELD_FLAG(map, "vlan.takes_tags", "Takes tags", rules->takes_tags != 0);
	PRINT_FIELD_FLAG(map, "vlan.keeps_priority", "Keeps priority", rules->keeps_priority != 0);
}

static void print_untagged(const struct vlan_rules *rules)
{
	if (rules->takes_tags && !set_has(&rules->set, rules->own))
		print_absent("Without a tag", "[Dropped]");
	else if (rules->own != 0)
		print_values("Without a tag", "vlan", "in VLAN %u", rules->own);
	else
		print_absent("Without a tag", "[In no VLAN]");
}

// As ranges; 0 is the network of untagged frames.
static void print_set(const struct vlan_set *set)
{
	static struct text texts[VLAN_IDS / 2];
	static const char *words[VLAN_IDS / 2];
	unsigned n = 0;

	for (unsigned id = 0; id < VLAN_IDS; id++) {
		unsigned first = id;

		if (!set_has(set, id))
			continue;
		while (id + 1 < VLAN_IDS && set_has(set, id + 1))
			id++;
		texts[n].s[0] = '\0';
		print_append(&texts[n], "%u", first);
		if (id > first)
			print_append(&texts[n], "-%u", id);
		words[n] = texts[n].s;
		n++;
	}
	if (n > 0)
		print_words("Carries", words, n);
	else
		print_absent("Carries", "[None]");
}

static bool set_has(const struct vlan_set *set, unsigned id)
{
	return (set->words[id / 64] >> (id % 64) & 1) != 0;
}

static void print_macs(const struct type_map *map, const struct policy *policy)
{
	static const char *const fields[] = {"checks_mac", "n_macs", "macs"};

	PRINT_FIELDS_BY(map, fields, "Sends from", print_senders(policy));
}

static void print_senders(const struct policy *policy)
{
	unsigned n = policy->n_macs < POLICY_MACS_MAX ? policy->n_macs : POLICY_MACS_MAX;
	struct text texts[POLICY_MACS_MAX];
	const char *words[POLICY_MACS_MAX];

	if (!policy->checks_mac || n == 0) {
		print_absent("Sends from",
			     n == 0 && policy->checks_mac ? "[None]" : "[Any address]");
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t mac[8];

		memcpy(mac, &policy->macs[i], sizeof(mac));
		texts[i] = print_mac(mac);
		words[i] = texts[i].s;
	}
	print_words("Sends from", words, n);
}

static void print_guards(const struct type_map *map, const struct guard_rules *guard)
{
	static const char *const fields[] = {"guard.n_addresses", "guard.addresses.bytes",
					     "guard.addresses.bits"};

	PRINT_FIELD_FLAG(map, "guard.dhcp", "DHCP guard", guard->dhcp != 0);
	PRINT_FIELD_FLAG(map, "guard.router", "Router guard", guard->router != 0);
	PRINT_FIELD_FLAG(map, "guard.arp", "ARP guard", guard->arp != 0);
	if (guard->arp)
		PRINT_FIELDS_BY(map, fields, "Announces", print_announced(guard));
}

static void print_announced(const struct guard_rules *guard)
{
	unsigned n =
		guard->n_addresses < GUARD_ADDRESSES_MAX ? guard->n_addresses : GUARD_ADDRESSES_MAX;
	struct text texts[GUARD_ADDRESSES_MAX];
	const char *words[GUARD_ADDRESSES_MAX];

	for (unsigned i = 0; i < n; i++) {
		texts[i] = address_text(&guard->addresses[i]);
		words[i] = texts[i].s;
	}
	print_words("Announces", words, n);
}

static struct text address_text(const struct guard_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char name[INET6_ADDRSTRLEN];
	struct text text = {.s = ""};
	bool is_ipv4 =
		memcmp(address->bytes, mapped, sizeof(mapped)) == 0 && address->bits >= PREFIX_IPV4;

	if (is_ipv4)
		inet_ntop(AF_INET, address->bytes + sizeof(mapped), name, sizeof(name));
	else
		inet_ntop(AF_INET6, address->bytes, name, sizeof(name));
	print_append(&text, "%s", name);
	if (address->bits < 128)
		print_append(&text, "/%u", is_ipv4 ? address->bits - PREFIX_IPV4 : address->bits);
	return text;
}

static bool has_all(const struct type_map *map, const char *const fields[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!type_has(map, fields[i]))
			return false;
	return true;
}

#include "debugshell/vport_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/policy_types.h"

enum { LOOKS = 5, PREFIX_IPV4 = 96 };

static int read_policy(struct shell *sh, tgt_addr addr, tgt_addr at, struct policy *policy,
		       struct why *why);
static void print_vlan(const struct vlan_rules *rules);
static struct text set_text(const struct vlan_set *set);
static bool set_has(const struct vlan_set *set, unsigned id);
static void print_macs(const struct policy *policy);
static void print_guards(const struct guard_rules *guard);
static struct text address_text(const struct guard_address *address);

void vport_policy_print(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	tgt_addr at = tgt_ptr(port->policy);
	struct policy policy;
	struct why why;

	if (at.v == 0) {
		print_absent("VLAN",
			     port->is_wire ? "[Default: all, with tags]" : "[Default: untagged]");
		return;
	}
	if (read_policy(sh, addr, at, &policy, &why) != 0) {
		walk_trouble(sh, "    ", "POLICY", at, &why);
		return;
	}
	print_vlan(&policy.vlan);
	print_macs(&policy);
	print_guards(&policy.guard);
	if (policy.storm_fps != 0)
		print_values("Storm limit", "frames_per_s",
			     "%u frames a second: broadcast, multicast, unknown", policy.storm_fps);
	else
		print_absent("Storm limit", "[None]");
	if (policy.mirrored_to != 0)
		print_values("Copies to", "session", "session %u", policy.mirrored_to);
	print_row("Policy", "%016lx   !dt policy %016lx", at.v, at.v);
}

// One that is replaced meanwhile may be gone: the port must still have it afterwards.
static int read_policy(struct shell *sh, tgt_addr addr, tgt_addr at, struct policy *policy,
		       struct why *why)
{
	const struct type_map *map;
	struct vport now;
	int err = shell_map(sh, "policy", sizeof(*policy), &map, why);

	for (unsigned i = 0; err == 0 && i < LOOKS; i++) {
		err = type_read(sh->target, map, at, policy);
		if (err != 0)
			return why_set(why, err, "it cannot be read");
		if (!sh->runs || walk_object(sh, addr, OBJECT_VPORT, &now, why) < 0 ||
		    now.policy == NULL || tgt_ptr(now.policy).v == at.v)
			return 0;
		at = tgt_ptr(now.policy);
	}
	return err != 0 ? err : why_set(why, -EAGAIN, "it is replaced again and again");
}

static void print_vlan(const struct vlan_rules *rules)
{
	print_values("VLAN", "number name", "%u (%s)", rules->mode, name_vlan_mode(rules->mode));
	if (rules->own != 0)
		print_values("Without a tag", "vlan", "in VLAN %u", rules->own);
	else
		print_absent("Without a tag", "[In no VLAN]");
	print_text_row("Carries", set_text(&rules->set));
	print_flag("Tags", rules->takes_tags != 0, NULL);
	print_flag("Priority is kept", rules->keeps_priority != 0, NULL);
}

static struct text set_text(const struct vlan_set *set)
{
	struct text text = {.s = ""};

	for (unsigned id = 0; id < VLAN_IDS; id++) {
		unsigned first = id;

		if (!set_has(set, id))
			continue;
		while (id + 1 < VLAN_IDS && set_has(set, id + 1))
			id++;
		print_append(&text, "%s%u", text.s[0] != '\0' ? "," : "", first);
		if (id > first)
			print_append(&text, "-%u", id);
	}
	return text;
}

static bool set_has(const struct vlan_set *set, unsigned id)
{
	return (set->words[id / 64] >> (id % 64) & 1) != 0;
}

static void print_macs(const struct policy *policy)
{
	unsigned n = policy->n_macs < POLICY_MACS_MAX ? policy->n_macs : POLICY_MACS_MAX;
	struct text texts[POLICY_MACS_MAX];
	const char *words[POLICY_MACS_MAX];

	if (!policy->checks_mac) {
		print_absent("Sends from", "[Any address]");
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

static void print_guards(const struct guard_rules *guard)
{
	unsigned n =
		guard->n_addresses < GUARD_ADDRESSES_MAX ? guard->n_addresses : GUARD_ADDRESSES_MAX;
	struct text texts[GUARD_ADDRESSES_MAX];
	const char *words[GUARD_ADDRESSES_MAX];

	print_flag("DHCP guard", guard->dhcp != 0, NULL);
	print_flag("Router guard", guard->router != 0, NULL);
	print_flag("ARP guard", guard->arp != 0, NULL);
	if (!guard->arp)
		return;
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

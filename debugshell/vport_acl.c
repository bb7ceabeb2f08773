#include "debugshell/vport_acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/inet_text.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/vport_sessions.h"
#include "debugshell/walk.h"
#include "switch/policy_types.h"

enum { LOOKS = 5 };

// Something that hangs on a policy.
struct part {
	tgt_addr addr; // 0: there is none
	int err;       // it cannot be read: 'why'
	struct why why;
};

// What hangs on a policy, as it was at some moment.
struct view {
	tgt_addr policy_addr;
	struct policy policy;
	struct part acl_part, rules_part, counts_part, learned_part;
	struct acl acl;
	struct acl_rule *rules;   // acl.n_rules
	struct acl_count *counts; // as many, of all procs together
	struct guard_learn learned;
	struct vport_sessions sessions;
};

static struct view *view_read(struct shell *sh, tgt_addr policy);
static void view_free(struct view *view);
static bool still_has(struct shell *sh, tgt_addr port, tgt_addr *x_policy);
static int read_one(struct shell *sh, const char *name, size_t size, struct part *part, void *ret);
static void read_rules(struct shell *sh, struct view *view);
static int sum_counts(struct shell *sh, struct view *view);
static void *read_array(struct shell *sh, const char *name, size_t size, uint32_t n,
			struct part *part);
static void print_acl(struct shell *sh, const struct view *view);
static void print_rules(struct shell *sh, const struct view *view);
// 'count' is NULL when it is not known.
static void print_rule(const struct acl_rule *rule, const struct acl_count *count);
static void print_cell_count(const uint64_t *count);
static void print_cell_ports(const struct acl_ports *ports);
static struct text address_text(const struct acl_address *address);
static void print_limit(struct shell *sh, const struct view *view);
static bool limit_can_be(unsigned limit);
static void print_learned(struct shell *sh, const struct view *view);

static const struct print_column rule_columns[] = {
	{"Rule", 6},
	{"Kind", 10},
	{"Dir", 5, "direction"},
	{"Action", 8},
	{"Weight", 8},
	{"Protocol", 10},
	{"Local", 20},
	{"Ports", 13, "local_ports"},
	{"Remote", 20},
	{"Ports", 13, "remote_ports"},
	{"Stateful", 10, "idle_s"},
	{"Frames", 10},
	{"Bytes"},
};

static const struct print_column learned_columns[] = {
	{"Address", 40},
	{"Silent", 0, "silent_s"},
};

void vport_acl_print(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	tgt_addr policy = tgt_ptr(port->policy), before = policy;
	struct view *view = NULL;
	struct why why;

	for (unsigned i = 0; i < LOOKS && policy.v != 0; i++) {
		before = policy;
		view_free(view);
		view = view_read(sh, policy);
		if (view == NULL || still_has(sh, addr, &policy))
			break;
	}
	if (view != NULL && policy.v != 0 && policy.v != before.v) {
		why_set(&why, -EAGAIN, "it is replaced again and again");
		walk_trouble(sh, "    ", "POLICY", policy, &why);
	} else if (view != NULL && policy.v != 0) {
		print_acl(sh, view);
		print_limit(sh, view);
		print_learned(sh, view);
	}
	view_free(view);
}

// NULL: there is no policy to be read, which is told where the policy is shown.
static struct view *view_read(struct shell *sh, tgt_addr policy)
{
	struct view *view = aligned_alloc(alignof(struct view), sizeof(*view));
	struct part part = {.addr = policy};

	if (view == NULL)
		return NULL;
	memset(view, 0, sizeof(*view));
	if (read_one(sh, "policy", sizeof(view->policy), &part, &view->policy) != 0) {
		view_free(view);
		return NULL;
	}
	view->policy_addr = policy;
	view->acl_part.addr = tgt_ptr(view->policy.acl);
	view->learned_part.addr = tgt_ptr(view->policy.learned);
	if (view->policy.acl != NULL &&
	    read_one(sh, "acl", sizeof(view->acl), &view->acl_part, &view->acl) == 0)
		read_rules(sh, view);
	if (view->policy.learned != NULL)
		read_one(sh, "guard_learn", sizeof(view->learned), &view->learned_part,
			 &view->learned);
	return view;
}

static void view_free(struct view *view)
{
	if (view == NULL)
		return;
	free(view->rules);
	free(view->counts);
	free(view);
}

static bool still_has(struct shell *sh, tgt_addr port, tgt_addr *x_policy)
{
	tgt_addr before = *x_policy;
	struct vport now;
	struct why why;

	if (!sh->runs || walk_object(sh, port, OBJECT_VPORT, &now, &why) < 0)
		return true;
	*x_policy = tgt_ptr(now.policy);
	return x_policy->v == before.v;
}

static int read_one(struct shell *sh, const char *name, size_t size, struct part *part, void *ret)
{
	const struct type_map *map;
	int err = shell_map(sh, name, size, &map, &part->why);

	if (err == 0) {
		err = type_read(sh->target, map, part->addr, ret);
		if (err != 0)
			why_set(&part->why, err, "it cannot be read: %s",
				tgt_strerror(sh->target, err));
	}
	part->err = err;
	return err;
}

static void read_rules(struct shell *sh, struct view *view)
{
	struct acl *acl = &view->acl;

	if (acl->n_rules > ACL_RULES_MAX) {
		view->acl_part.err = why_set(&view->acl_part.why, -EINVAL,
					     "it has %u rules, which cannot be", acl->n_rules);
		return;
	}
	view->rules_part.addr = tgt_ptr(acl->rules);
	view->rules = read_array(sh, "acl_rule", sizeof(struct acl_rule), acl->n_rules,
				 &view->rules_part);
	view->counts_part.addr = tgt_ptr(acl->base);
	view->counts_part.err = sum_counts(sh, view);
	vport_sessions_read(sh, tgt_ptr(acl->sessions), &view->sessions);
}

static int sum_counts(struct shell *sh, struct view *view)
{
	const struct acl *acl = &view->acl;
	struct part *part = &view->counts_part;

	view->counts = read_array(sh, "acl_count", sizeof(struct acl_count), acl->n_rules, part);
	for (unsigned proc = 0; proc < PROC_MAX && part->err == 0; proc++) {
		struct acl_count *counts;

		part->addr = tgt_ptr(acl->counts[proc]);
		if (part->addr.v == 0)
			continue;
		counts = read_array(sh, "acl_count", sizeof(struct acl_count), acl->n_rules, part);
		for (uint32_t i = 0; counts != NULL && i < acl->n_rules; i++) {
			view->counts[i].frames += counts[i].frames;
			view->counts[i].bytes += counts[i].bytes;
		}
		free(counts);
	}
	return part->err;
}

// Gives what is to be freed; NULL: it cannot be read.
static void *read_array(struct shell *sh, const char *name, size_t size, uint32_t n,
			struct part *part)
{
	const struct type_map *map;
	uint8_t *from = NULL, *to = NULL;
	int err = shell_map(sh, name, size, &map, &part->why);

	if (err == 0 && (uint64_t)n * map->from_size > TYPE_SIZE_MAX)
		err = why_set(&part->why, -E2BIG, "%u of %u bytes cannot be", n, map->from_size);
	if (err == 0) {
		from = malloc((size_t)n * map->from_size + 1);
		to = malloc(n * size + 1);
		if (from == NULL || to == NULL)
			err = why_set(&part->why, -ENOMEM, "out of memory");
	}
	if (err == 0) {
		err = tgt_read(sh->target, part->addr, from, (size_t)n * map->from_size);
		if (err != 0)
			why_set(&part->why, err, "they cannot be read: %s",
				tgt_strerror(sh->target, err));
	}
	for (uint32_t i = 0; i < n && err == 0; i++)
		type_convert(map, from + (size_t)i * map->from_size, to + i * size);
	free(from);
	part->err = err;
	if (err == 0)
		return to;
	free(to);
	return NULL;
}

static void print_acl(struct shell *sh, const struct view *view)
{
	if (view->acl_part.addr.v == 0)
		return;
	print_section("ACCESS CONTROL");
	if (view->acl_part.err != 0) {
		walk_trouble(sh, "    ", "ACL", view->acl_part.addr, &view->acl_part.why);
		return;
	}
	print_link("Acl", view->acl_part.addr, "dt acl");
	print_row("Rules", "%u", view->acl.n_rules);
	vport_sessions_print_table(sh, &view->sessions);
	if (view->acl.tracks)
		print_row("With no room", "%s",
			  view->acl.full_allows ? "frames pass without a session"
						: "frames are dropped");
	print_rules(sh, view);
	vport_sessions_print(sh, &view->sessions);
}

static void print_rules(struct shell *sh, const struct view *view)
{
	print_section("RULES");
	if (view->rules_part.err != 0) {
		walk_trouble(sh, "    ", "RULES", view->rules_part.addr, &view->rules_part.why);
		return;
	}
	if (view->counts_part.err != 0)
		walk_trouble(sh, "    ", "COUNTS", view->counts_part.addr, &view->counts_part.why);
	PRINT_TABLE("    ", rule_columns);
	for (uint32_t i = 0; i < view->acl.n_rules; i++)
		print_rule(&view->rules[i], view->counts_part.err == 0 ? &view->counts[i] : NULL);
	if (view->acl.n_rules == 0)
		print_none();
}

static void print_rule(const struct acl_rule *rule, const struct acl_count *count)
{
	bool is_basic = rule->kind == ACL_BASIC;

	print_cell_fmt("%u", rule->number);
	print_cell(name_acl_kind(rule->kind));
	print_cell(name_acl_direction(rule->direction));
	print_cell(name_acl_action(rule->action));
	if (is_basic)
		print_cell_absent("-");
	else
		print_cell_fmt("%u", rule->weight);
	if (is_basic || rule->any_protocol)
		print_cell("any");
	else
		print_cell(inet_text_protocol(rule->protocol).s);
	print_cell(is_basic && rule->is_remote ? "any" : address_text(&rule->local).s);
	print_cell_ports(&rule->local_ports);
	print_cell(is_basic && !rule->is_remote ? "any" : address_text(&rule->remote).s);
	print_cell_ports(&rule->remote_ports);
	if (rule->stateful)
		print_cell_fmt("%u", rule->idle_s);
	else
		print_cell_absent("-");
	print_cell_count(count != NULL ? &count->frames : NULL);
	print_cell_count(count != NULL ? &count->bytes : NULL);
	print_row_end(false);
}

static void print_cell_count(const uint64_t *count)
{
	if (count != NULL)
		print_cell_fmt("%lu", *count);
	else
		print_cell_absent("[Not known]");
}

static void print_cell_ports(const struct acl_ports *ports)
{
	if (ports->first == 0 && ports->last == UINT16_MAX)
		print_cell("any");
	else if (ports->first == ports->last)
		print_cell_fmt("%s%u", "", ports->first);
	else
		print_cell_fmt("%u-%u", ports->first, ports->last);
}

static struct text address_text(const struct acl_address *address)
{
	unsigned whole = address->family == ACL_IPV4 ? 32 : 128;
	struct text text = {.s = "?"};

	switch (address->family) {
	case ACL_ANY:
		return print_text("any", 3);
	case ACL_MAC:
		return address->bits != 0 ? print_mac(address->bytes) : print_text("any-mac", 7);
	case ACL_IPV4:
	case ACL_IPV6:
		text = inet_text_ip(address->family == ACL_IPV4 ? 4 : 6, address->bytes);
		if (address->bits != whole)
			print_append(&text, "/%u", address->bits);
	}
	return text;
}

// There are both, the limit and what was learned, or neither.
static void print_limit(struct shell *sh, const struct view *view)
{
	unsigned limit = view->policy.guard.limit;
	const struct type_map *map;
	struct why why;

	if ((limit == 0 && view->learned_part.addr.v == 0) ||
	    shell_map(sh, "policy", sizeof(view->policy), &map, &why) != 0)
		return;
	print_section("ADDRESS LIMIT");
	if (type_has(map, "guard.limit") && !limit_can_be(limit)) {
		why_set(&why, -EINVAL, "it is %u addresses, which cannot be", limit);
		walk_trouble(sh, "    ", "LIMIT", view->policy_addr, &why);
	} else {
		PRINT_FIELD_VALUES(map, "guard.limit", "Limit", ".",
				   "%u addresses besides those that are listed", limit);
	}
	if (view->learned_part.addr.v != 0) {
		print_link("Table", view->learned_part.addr, "dt guard_learn");
	} else if (type_has(map, "learned")) {
		why_set(&why, -EINVAL, "it has none, in spite of its limit");
		walk_trouble(sh, "    ", "TABLE", view->policy_addr, &why);
	}
}

static bool limit_can_be(unsigned limit)
{
	return limit >= 1 && limit <= GUARD_LEARN_MAX;
}

// All entries when the limit does not say how many are in use.
static void print_learned(struct shell *sh, const struct view *view)
{
	unsigned limit = view->policy.guard.limit, shown = 0;
	unsigned n = limit_can_be(limit) ? limit : GUARD_LEARN_MAX;

	if (view->learned_part.addr.v == 0)
		return;
	print_section("LEARNED ADDRESSES");
	if (view->learned_part.err != 0) {
		walk_trouble(sh, "    ", "LEARNED", view->learned_part.addr,
			     &view->learned_part.why);
		return;
	}
	PRINT_TABLE("    ", learned_columns);
	for (unsigned i = 0; i < n; i++) {
		const struct guard_learned *e = &view->learned.entries[i];
		const uint64_t words[2] = {e->address[0], e->address[1]};

		if (GUARD_LEARN_PHASE(e->state) != GUARD_LEARN_USED)
			continue;
		print_cell(inet_text_mapped((const uint8_t *)words).s);
		print_cell_fmt("%u", clock_silence_s(sh, GUARD_LEARN_SEEN(e->state)));
		print_row_end(false);
		shown++;
	}
	if (shown == 0)
		print_none();
}

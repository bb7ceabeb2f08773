#include "switch/conf_acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_acl_read.h"
#include "switch/conf_value.h"

static int check_port(struct conf_args *args, const struct conf_port *p, unsigned n);
static int check_others(struct conf_args *args, const struct conf_port *p,
			const struct conf_acl_add *add);
static int check_other(struct conf_args *args, const struct conf_acl_add *add,
		       const struct acl_rule *other);
static int choose_numbers(struct conf_args *args, const struct conf_port *p,
			  struct conf_acl_add *add);
static int insert(struct conf_args *args, struct conf_port *p, const struct conf_acl_add *add);
static void take_out(struct conf_port *p, uint32_t at, uint32_t n);
static uint32_t place_of(const struct conf_port *p, uint32_t number);

int conf_edit_acl_add(struct conf_args *args, struct conf_edit *ret)
{
	const char *const kinds[] = {conf_acl_kind_text(ACL_BASIC),
				     conf_acl_kind_text(ACL_EXTENDED)};
	static const struct acl_ports any = {0, CONF_ACL_PORT_MAX};
	struct conf_acl_add add = {.rule = {.local_ports = any, .remote_ports = any}};
	struct conf_port *p;
	const char *kind;
	int err;

	err = conf_next_port(args, &p);
	if (err != 0)
		return err;
	args->at++;
	kind = conf_next(args, "the kind of rule, 'basic' or 'extended'");
	if (kind == NULL)
		return -EINVAL;
	if (strcmp(kind, kinds[ACL_BASIC]) == 0)
		err = conf_acl_read_basic(args, &add);
	else if (strcmp(kind, kinds[ACL_EXTENDED]) == 0)
		err = conf_acl_read_extended(args, &add);
	else
		return conf_fail_unknown(args, "kind of rule", kind, kinds, 2);
	if (err == 0)
		err = check_port(args, p, add.both ? 2 : 1);
	if (err == 0)
		err = check_others(args, p, &add);
	if (err == 0)
		err = choose_numbers(args, p, &add);
	if (err == 0)
		err = insert(args, p, &add);
	if (err != 0)
		return err;
	memcpy(ret->name, p->name, sizeof(ret->name));
	ret->rule = add.rule.number;
	ret->n_rules = add.both ? 2 : 1;
	return 0;
}

int conf_edit_acl_remove(struct conf_args *args, struct conf_edit *ret)
{
	uint32_t number, at = 0, n = 1;
	struct conf_port *p;
	struct errtext why;
	const char *word;
	int err;

	err = conf_next_port(args, &p);
	if (err != 0)
		return err;
	args->at++;
	word = conf_next(args, "the number of a rule, or 'all'");
	if (word == NULL)
		return -EINVAL;
	if (strcmp(word, "all") == 0) {
		n = p->n_acl_rules;
	} else {
		if (conf_value_number(word, 1, UINT32_MAX, &number, &why) != 0)
			return conf_fail(args, -EINVAL, "%s, nor is it 'all'", why.text);
		at = place_of(p, number);
		if (at == p->n_acl_rules || p->acl_rules[at].number != number)
			return conf_fail(args, -ENOENT,
					 "'%s' has no rule %u; `acl show` lists its rules", p->name,
					 number);
	}
	args->at++;
	err = conf_no_more(args);
	if (err != 0)
		return err;
	memcpy(ret->name, p->name, sizeof(ret->name));
	take_out(p, at, n);
	return 0;
}

// Whether the port takes n rules more.
static int check_port(struct conf_args *args, const struct conf_port *p, unsigned n)
{
	uint32_t all = n;

	if (!p->has_nic)
		return conf_fail_at(args, 2, -EINVAL,
				    "no frame comes from or goes to '%s': it has no NIC", p->name);
	if (p->n_acl_rules + n > ACL_RULES_MAX)
		return conf_fail_at(args, 2, -ENOSPC,
				    "'%s' has %u rules already; a port has at most %d", p->name,
				    p->n_acl_rules, ACL_RULES_MAX);
	for (uint32_t i = 0; i < args->c->n_ports; i++)
		all += args->c->ports[i].n_acl_rules;
	if (all > CONF_ACL_RULES_MAX)
		return conf_fail_at(args, 2, -ENOSPC,
				    "the ports have %u rules already; one vswd has at most %d",
				    all - n, CONF_ACL_RULES_MAX);
	return 0;
}

// Rules that are there, against the new one or the two.
static int check_others(struct conf_args *args, const struct conf_port *p,
			const struct conf_acl_add *add)
{
	for (uint32_t i = 0; i < p->n_acl_rules; i++) {
		int err = check_other(args, add, &p->acl_rules[i]);

		if (err != 0)
			return err;
	}
	return 0;
}

static int check_other(struct conf_args *args, const struct conf_acl_add *add,
		       const struct acl_rule *other)
{
	const struct acl_rule *rule = &add->rule;
	const unsigned word = rule->is_remote ? add->remote : add->local;
	const char *action = conf_acl_action_text(other->action);

	if (rule->kind != other->kind)
		return 0;
	if (rule->kind == ACL_EXTENDED) {
		if (rule->weight != other->weight)
			return 0;
		return conf_fail_at(args, add->weight, -EEXIST,
				    "rule %u has weight %u already; each has its own",
				    other->number, rule->weight);
	}
	if ((!add->both && rule->direction != other->direction) ||
	    rule->is_remote != other->is_remote ||
	    memcmp(&rule->local, &other->local, sizeof(rule->local)) != 0 ||
	    memcmp(&rule->remote, &other->remote, sizeof(rule->remote)) != 0)
		return 0;
	if (rule->action == other->action)
		return conf_fail_at(args, word, -EEXIST,
				    "rule %u is the same already, for direction %s", other->number,
				    conf_acl_direction_text(other->direction));
	// Meters decide nothing.
	if (rule->action == ACL_METER || other->action == ACL_METER)
		return 0;
	return conf_fail_at(args, word, -EEXIST,
			    "rule %u says %s of this address in direction %s; remove it first: "
			    "acl remove '%s' %u",
			    other->number, action, conf_acl_direction_text(other->direction),
			    args->w->text[2], other->number);
}

// The one that was given, if it is free, or that behind the last.
static int choose_numbers(struct conf_args *args, const struct conf_port *p,
			  struct conf_acl_add *add)
{
	const uint32_t last = p->n_acl_rules > 0 ? p->acl_rules[p->n_acl_rules - 1].number : 0;
	const uint32_t more = add->both ? 1 : 0;
	uint32_t at;

	if (add->number == 0 && last >= UINT32_MAX - more)
		return conf_fail(args, -ENOSPC,
				 "there is no number behind rule %u; say which: number N", last);
	if (add->number == 0) {
		add->rule.number = last + 1;
		return 0;
	}
	if (add->rule.number > UINT32_MAX - more)
		return conf_fail_at(args, add->number, -EINVAL,
				    "direction both takes two numbers, and %u is the last one",
				    add->rule.number);
	at = place_of(p, add->rule.number);
	if (at < p->n_acl_rules && p->acl_rules[at].number <= add->rule.number + more)
		return conf_fail_at(args, add->number, -EEXIST, "'%s' has a rule %u already",
				    p->name, p->acl_rules[at].number);
	return 0;
}

static int insert(struct conf_args *args, struct conf_port *p, const struct conf_acl_add *add)
{
	const uint32_t n = add->both ? 2 : 1;
	const uint32_t at = place_of(p, add->rule.number);
	struct acl_rule *grown;

	grown = realloc(p->acl_rules, (p->n_acl_rules + n) * sizeof(*grown));
	if (grown == NULL)
		return conf_fail(args, -ENOMEM, "out of memory");
	memmove(&grown[at + n], &grown[at], (p->n_acl_rules - at) * sizeof(*grown));
	grown[at] = add->rule;
	if (add->both) {
		grown[at + 1] = add->rule;
		grown[at + 1].number++;
		grown[at + 1].direction = ACL_OUT;
	}
	p->acl_rules = grown;
	p->n_acl_rules += n;
	return 0;
}

// n rules from index 'at' on.
static void take_out(struct conf_port *p, uint32_t at, uint32_t n)
{
	p->n_acl_rules -= n;
	if (p->n_acl_rules == 0) {
		free(p->acl_rules);
		p->acl_rules = NULL;
	} else {
		memmove(&p->acl_rules[at], &p->acl_rules[at + n],
			(p->n_acl_rules - at) * sizeof(p->acl_rules[0]));
	}
}

// Index of the first rule with this number or a higher one.
static uint32_t place_of(const struct conf_port *p, uint32_t number)
{
	uint32_t first = 0, last = p->n_acl_rules;

	while (first < last) {
		uint32_t middle = (first + last) / 2;

		if (p->acl_rules[middle].number < number)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

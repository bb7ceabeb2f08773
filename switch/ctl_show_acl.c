/*
 * `acl show` and `show sessions`. A table of sessions may be long: it comes in pieces, between
 * which sessions begin and end; one that is there all the time is shown once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "switch/acl_make.h"
#include "switch/conf_acl.h"
#include "switch/conntrack.h"
#include "switch/ctl_call.h"
#include "switch/ctl_show.h"
#include "switch/policy.h"
#include "switch/proc.h"
#include "switch/vswitch.h"

enum { PIECE_SESSIONS = 256, WORD_SIZE = 64 };

static int port_named(struct ctl_call *call, struct vport **ret);
static json_t *rule_row(const struct acl_rule *rule, struct acl_count count);
static void set_extended(json_t *row, const struct acl_rule *rule);
static json_t *address_of(const struct acl_address *a);
static json_t *ports_of(const struct acl_ports *ports);
static json_t *protocol_of(uint8_t protocol);
static bool next_sessions(struct ctl_call *call);
static const struct conntrack *sessions_of(const struct vport *port);
static json_t *session_row(const struct conntrack_session *s);
static json_t *host_of(const struct conntrack_key *key, const uint8_t address[16]);
static const char *state_text(enum conntrack_state state);
static void print_totals(struct ctl_call *call, const struct vport *port);

int ctl_acl_show(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"number", "NUMBER", .right = true},
		{"kind", "KIND"},
		{"direction", "DIRECTION"},
		{"action", "ACTION"},
		{"local", "LOCAL"},
		{"remote", "REMOTE"},
		{"protocol", "PROTOCOL"},
		{"local_port", "LOCAL-PORT"},
		{"remote_port", "REMOTE-PORT"},
		{"weight", "WEIGHT", .right = true},
		{"stateful", "STATEFUL"},
		{"idle_s", "IDLE", .right = true},
		{"frames", "FRAMES", .right = true},
		{"bytes", "BYTES", .right = true},
	};
	const struct conf_port *p;
	const struct acl *acl;
	struct vport *port;
	uint32_t live = 0;
	int err;

	err = port_named(call, &port);
	if (err != 0)
		return err;
	acl = policy_of(port)->acl;
	p = conf_port_find(change_conf(call->change), port->obj.name);
	out_begin(&call->out);
	out_table_begin(&call->out, "rules", columns, sizeof(columns) / sizeof(columns[0]));
	for (uint32_t i = 0; i < p->n_acl_rules; i++) {
		const struct acl_rule *rule = &p->acl_rules[i];
		struct acl_count count = {.frames = 0};

		while (acl != NULL && live < acl->n_rules && acl->rules[live].number < rule->number)
			live++;
		if (acl != NULL && live < acl->n_rules && acl->rules[live].number == rule->number)
			count = acl_count(acl, live);
		out_row(&call->out, rule_row(rule, count));
	}
	if (call->out.n_rows == 0)
		out_text(&call->out, "'%s' has no rules\n", port->obj.name);
	out_table_end(&call->out);
	out_end(&call->out);
	return 0;
}

int ctl_show_sessions(struct ctl_call *call)
{
	static const struct out_column columns[] = {
		{"local", "LOCAL", 15},
		{"remote", "REMOTE", 15},
		{"protocol", "PROTOCOL", 8},
		{"local_port", "LOCAL-PORT", 10, .right = true},
		{"remote_port", "REMOTE-PORT", 11, .right = true},
		{"vlan", "VLAN", 4, .right = true},
		{"first", "FIRST", 6},
		{"rule", "RULE", 6, .right = true},
		{"left_s", "LEFT", 5, .right = true},
		{"state", "STATE", 12},
	};
	struct vport *port;
	int err;

	err = port_named(call, &port);
	if (err != 0)
		return err;
	call->sessions.at = 0;
	memcpy(call->sessions.port_name, port->obj.name, sizeof(call->sessions.port_name));
	out_begin(&call->out);
	out_table_begin(&call->out, "sessions", columns, sizeof(columns) / sizeof(columns[0]));
	call->more = next_sessions;
	return 0;
}

// The one port that the third word names.
static int port_named(struct ctl_call *call, struct vport **ret)
{
	struct vswitch *sw;
	int err;

	if (call->w->n < 3)
		return ctl_fail(call, 3, -EINVAL,
				"something is missing at the end: the name of a port");
	if (call->w->n > 3)
		return ctl_fail(call, 3, -EINVAL, "'%.60s' is too much: nothing may stand here",
				call->w->text[3]);
	err = ctl_show_name(call, &sw, ret);
	if (err == 0 && *ret == NULL)
		return ctl_fail(call, 2, -EINVAL, "'%s' is a switch; the name of a port is needed",
				sw->obj.name);
	return err;
}

static json_t *rule_row(const struct acl_rule *rule, struct acl_count count)
{
	const bool basic = rule->kind == ACL_BASIC;
	json_t *row = json_object();

	json_object_set_new(row, "number", json_integer(rule->number));
	json_object_set_new(row, "kind", json_string(conf_acl_kind_text(rule->kind)));
	json_object_set_new(row, "direction",
			    json_string(conf_acl_direction_text(rule->direction)));
	json_object_set_new(row, "action", json_string(conf_acl_action_text(rule->action)));
	json_object_set_new(row, "local",
			    basic && rule->is_remote ? json_null() : address_of(&rule->local));
	json_object_set_new(row, "remote",
			    basic && !rule->is_remote ? json_null() : address_of(&rule->remote));
	if (!basic)
		set_extended(row, rule);
	json_object_set_new(row, "frames", json_integer((json_int_t)count.frames));
	json_object_set_new(row, "bytes", json_integer((json_int_t)count.bytes));
	return row;
}

static void set_extended(json_t *row, const struct acl_rule *rule)
{
	json_object_set_new(row, "protocol",
			    rule->any_protocol ? json_string("any") : protocol_of(rule->protocol));
	json_object_set_new(row, "local_port", ports_of(&rule->local_ports));
	json_object_set_new(row, "remote_port", ports_of(&rule->remote_ports));
	json_object_set_new(row, "weight", json_integer(rule->weight));
	json_object_set_new(row, "stateful", json_boolean(rule->stateful));
	json_object_set_new(row, "idle_s",
			    rule->stateful ? json_integer(rule->idle_s) : json_null());
}

static json_t *address_of(const struct acl_address *a)
{
	char text[WORD_SIZE] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (f == NULL)
		return json_null();
	conf_acl_print_address(a, f);
	fclose(f);
	return json_string(text);
}

static json_t *ports_of(const struct acl_ports *ports)
{
	char text[WORD_SIZE] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (f == NULL)
		return json_null();
	conf_acl_print_ports(ports, f);
	fclose(f);
	return json_string(text);
}

static json_t *protocol_of(uint8_t protocol)
{
	const char *name = conf_acl_protocol_name(protocol);
	char text[WORD_SIZE];

	snprintf(text, sizeof(text), "%u", protocol);
	return json_string(name != NULL ? name : text);
}

static bool next_sessions(struct ctl_call *call)
{
	const struct vport *port = vswitch_port_find(call->sessions.port_name);
	const struct conntrack *ct = port != NULL ? sessions_of(port) : NULL;
	struct conntrack_session session;

	for (unsigned i = 0; ct != NULL && i < PIECE_SESSIONS; i++) {
		if (!conntrack_next(ct, proc_now_s(), &call->sessions.at, &session))
			ct = NULL;
		else
			out_row(&call->out, session_row(&session));
	}
	if (ct != NULL)
		return false;
	out_table_end(&call->out);
	if (port != NULL)
		print_totals(call, port);
	out_end(&call->out);
	return true;
}

// NULL: no rule of the port is stateful.
static const struct conntrack *sessions_of(const struct vport *port)
{
	const struct acl *acl = policy_of(port)->acl;

	return acl != NULL ? acl->sessions : NULL;
}

static json_t *session_row(const struct conntrack_session *s)
{
	json_t *row = json_object();

	json_object_set_new(row, "local", host_of(&s->key, s->key.local));
	json_object_set_new(row, "remote", host_of(&s->key, s->key.remote));
	json_object_set_new(row, "protocol", protocol_of(s->key.protocol));
	json_object_set_new(row, "local_port", json_integer(s->key.local_port));
	json_object_set_new(row, "remote_port", json_integer(s->key.remote_port));
	json_object_set_new(row, "vlan", json_integer(s->key.vlan));
	json_object_set_new(row, "first", json_string(s->from_vm ? "local" : "remote"));
	json_object_set_new(row, "rule", json_integer(s->rule));
	json_object_set_new(row, "left_s", json_integer(s->left_s));
	json_object_set_new(row, "state", json_string(state_text(s->state)));
	return row;
}

static json_t *host_of(const struct conntrack_key *key, const uint8_t address[16])
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(key->version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
	return json_string(text);
}

static const char *state_text(enum conntrack_state state)
{
	switch (state) {
#define X(number, name, text)                                                                      \
	case name:                                                                                 \
		return text;
		CONNTRACK_STATES(X)
#undef X
	default:
		return "?";
	}
}

static void print_totals(struct ctl_call *call, const struct vport *port)
{
	static const struct out_column columns[] = {
		{"sessions", "SESSIONS", .right = true},
		{"max", "MAX", .right = true},
		{"refused", "REFUSED", .right = true},
		{"when_full", "WHEN-FULL"},
	};
	const struct conf_port *p = conf_port_find(change_conf(call->change), port->obj.name);
	const uint32_t max = p->policy.sessions != 0 ? p->policy.sessions : ACL_SESSIONS_DEFAULT;
	const struct conntrack *ct = sessions_of(port);
	json_t *row = json_object();

	json_object_set_new(row, "sessions", json_integer(ct != NULL ? atomic_load(&ct->n) : 0));
	json_object_set_new(row, "max", json_integer(max));
	json_object_set_new(row, "refused",
			    json_integer(ct != NULL ? (json_int_t)atomic_load(&ct->refused) : 0));
	json_object_set_new(row, "when_full",
			    json_string(p->policy.sessions_full_allow ? "allow" : "drop"));
	if (call->out.n_rows > 0)
		out_text(&call->out, "\n");
	out_table_begin(&call->out, "totals", columns, sizeof(columns) / sizeof(columns[0]));
	out_row(&call->out, row);
	out_table_end(&call->out);
}

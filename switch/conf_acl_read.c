#include "switch/conf_acl_read.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "switch/conf_acl.h"
#include "switch/conf_address.h"
#include "switch/conf_value.h"

enum {
	IPV4_AT = 12, // in a struct guard_address, and so many bits more
	PORTS_SIZE = sizeof("65535-65535"),
};

static int read_direction(struct conf_args *args, const char *value, void *target);
static int read_action(struct conf_args *args, const char *value, void *target);
static int read_local(struct conf_args *args, const char *value, void *target);
static int read_remote(struct conf_args *args, const char *value, void *target);
static int read_weight(struct conf_args *args, const char *value, void *target);
static int read_protocol(struct conf_args *args, const char *value, void *target);
static int fail_protocol(struct conf_args *args, const char *value, const char *why);
static int read_local_ports(struct conf_args *args, const char *value, void *target);
static int read_remote_ports(struct conf_args *args, const char *value, void *target);
static int read_stateful(struct conf_args *args, const char *value, void *target);
static int read_idle(struct conf_args *args, const char *value, void *target);
static int read_number(struct conf_args *args, const char *value, void *target);
static int read_address(struct conf_args *args, const char *value, const struct conf_acl_add *add,
			struct acl_address *ret);
static int read_ports(struct conf_args *args, const char *value, const char *key,
		      struct conf_acl_add *add, struct acl_ports *ret);
static int check_extended(struct conf_args *args, const struct conf_acl_add *add);
static int check_versions(struct conf_args *args, const struct conf_acl_add *add);
static bool has_ports(uint8_t protocol);

#define X(number, name, text) [name] = text,
static const char *const actions[] = {ACL_ACTIONS(X)};
static const char *const directions[] = {ACL_DIRECTIONS(X)[ACL_N_DIRECTIONS] = "both"};
#undef X

#define X(number, name) {name, number},
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {CONF_ACL_PROTOCOLS(X)};
#undef X

enum { N_PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

int conf_acl_read_basic(struct conf_args *args, struct conf_acl_add *add)
{
	enum { DIRECTION, LOCAL, REMOTE, ACTION, NUMBER, N };
	static const struct conf_key keys[N] = {
		[DIRECTION] = {"direction", "in, out or both", read_direction},
		[LOCAL] = {"local", "an address or prefix, any or any-mac", read_local},
		[REMOTE] = {"remote", "an address or prefix, any or any-mac", read_remote},
		[ACTION] = {"action", "allow, deny or meter", read_action},
		[NUMBER] = {"number", "a number", read_number},
	};
	const struct acl_address *a;
	uint32_t seen;
	int err;

	add->rule.kind = ACL_BASIC;
	args->at++;
	err = conf_read_keys(args, keys, N, add, &seen);
	if (err != 0)
		return err;
	if ((seen >> DIRECTION & 1) == 0)
		return conf_fail(args, -EINVAL, "something is missing: direction in, out or both");
	if ((seen >> LOCAL & 1) == 0 && (seen >> REMOTE & 1) == 0)
		return conf_fail(args, -EINVAL,
				 "something is missing: local ADDRESS, the VM's, or remote "
				 "ADDRESS, the other side's");
	if ((seen >> ACTION & 1) == 0)
		return conf_fail(args, -EINVAL,
				 "something is missing: action allow, deny or meter");
	if ((seen >> LOCAL & 1) != 0 && (seen >> REMOTE & 1) != 0)
		return conf_fail_at(args, add->remote - 1, -EINVAL,
				    "'local' and 'remote' exclude each other: a basic rule is "
				    "about one address; an extended one may have both");
	add->rule.is_remote = (seen >> REMOTE & 1) != 0;
	a = add->rule.is_remote ? &add->rule.remote : &add->rule.local;
	if (a->family == ACL_MAC && add->rule.action == ACL_METER)
		return conf_fail_at(args, add->rule.is_remote ? add->remote : add->local, -EINVAL,
				    "a meter counts by IP address; 'any' is all of IP");
	return 0;
}

int conf_acl_read_extended(struct conf_args *args, struct conf_acl_add *add)
{
	enum {
		DIRECTION,
		ACTION,
		WEIGHT,
		LOCAL,
		REMOTE,
		PROTOCOL,
		LOCAL_PORT,
		REMOTE_PORT,
		STATEFUL,
		IDLE,
		NUMBER,
		N
	};
	static const struct conf_key keys[N] = {
		[DIRECTION] = {"direction", "in or out", read_direction},
		[ACTION] = {"action", "allow or deny", read_action},
		[WEIGHT] = {"weight", "a number", read_weight},
		[LOCAL] = {"local-address", "an IP address or prefix, or any", read_local},
		[REMOTE] = {"remote-address", "an IP address or prefix, or any", read_remote},
		[PROTOCOL] = {"protocol", "tcp, udp, icmp, icmpv6, any or a number", read_protocol},
		[LOCAL_PORT] = {"local-port", "a port or a range", read_local_ports},
		[REMOTE_PORT] = {"remote-port", "a port or a range", read_remote_ports},
		[STATEFUL] = {"stateful", "on or off", read_stateful},
		[IDLE] = {"idle-timeout", "seconds", read_idle},
		[NUMBER] = {"number", "a number", read_number},
	};
	uint32_t seen;
	int err;

	add->rule.kind = ACL_EXTENDED;
	add->rule.any_protocol = 1;
	args->at++;
	err = conf_read_keys(args, keys, N, add, &seen);
	if (err != 0)
		return err;
	if ((seen >> DIRECTION & 1) == 0)
		return conf_fail(args, -EINVAL, "something is missing: direction in or out");
	if ((seen >> ACTION & 1) == 0)
		return conf_fail(args, -EINVAL, "something is missing: action allow or deny");
	if ((seen >> WEIGHT & 1) == 0)
		return conf_fail(args, -EINVAL,
				 "something is missing: weight N; the highest that matches wins");
	if (add->rule.stateful && add->rule.idle_s == 0)
		add->rule.idle_s = ACL_IDLE_DEFAULT_S;
	return check_extended(args, add);
}

static int read_direction(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	const unsigned n = add->rule.kind == ACL_BASIC ? 3 : ACL_N_DIRECTIONS;
	unsigned i = 0;

	while (i < n && strcmp(directions[i], value) != 0)
		i++;
	if (i == n)
		return conf_fail_unknown(args, "direction", value, directions, n);
	add->both = i == ACL_N_DIRECTIONS;
	add->rule.direction = add->both ? ACL_IN : (uint8_t)i;
	return 0;
}

static int read_action(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	const unsigned n = add->rule.kind == ACL_BASIC ? 3 : 2;
	unsigned i = 0;

	while (i < n && strcmp(actions[i], value) != 0)
		i++;
	if (i == n)
		return conf_fail_unknown(args, "action", value, actions, n);
	add->rule.action = (uint8_t)i;
	return 0;
}

static int read_local(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;

	add->local = args->at;
	return read_address(args, value, add, &add->rule.local);
}

static int read_remote(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;

	add->remote = args->at;
	return read_address(args, value, add, &add->rule.remote);
}

static int read_weight(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	struct errtext why;
	uint32_t weight;

	if (conf_value_number(value, 0, ACL_WEIGHT_MAX, &weight, &why) != 0)
		return conf_fail(args, -EINVAL, "weight: %s", why.text);
	add->rule.weight = (uint16_t)weight;
	add->weight = args->at;
	return 0;
}

static int read_protocol(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	struct errtext why;
	uint32_t number;

	add->protocol = args->at;
	if (strcmp(value, "any") == 0)
		return 0;
	add->rule.any_protocol = 0;
	for (unsigned i = 0; i < N_PROTOCOLS; i++) {
		if (strcmp(protocols[i].name, value) != 0)
			continue;
		add->rule.protocol = protocols[i].number;
		return 0;
	}
	if (conf_value_number(value, 0, UINT8_MAX, &number, &why) != 0)
		return fail_protocol(args, value, why.text);
	add->rule.protocol = (uint8_t)number;
	return 0;
}

static int fail_protocol(struct conf_args *args, const char *value, const char *why)
{
	const char *names[N_PROTOCOLS];
	const char *near;

	for (unsigned i = 0; i < N_PROTOCOLS; i++)
		names[i] = protocols[i].name;
	near = conf_value_nearest(value, names, N_PROTOCOLS);
	return conf_fail(args, -EINVAL,
			 "protocol: %s, nor is it tcp, udp, icmp, icmpv6 or any%s%s%s", why,
			 near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
			 near != NULL ? "'?" : "");
}

static int read_local_ports(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;

	return read_ports(args, value, "local-port", add, &add->rule.local_ports);
}

static int read_remote_ports(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;

	return read_ports(args, value, "remote-port", add, &add->rule.remote_ports);
}

static int read_stateful(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	struct errtext why;
	bool on;

	if (conf_value_on_off(value, &on, &why) != 0)
		return conf_fail(args, -EINVAL, "stateful: %s", why.text);
	add->rule.stateful = on;
	add->stateful = args->at;
	return 0;
}

static int read_idle(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	struct errtext why;
	uint32_t idle_s;

	if (conf_value_number(value, 1, UINT16_MAX, &idle_s, &why) != 0)
		return conf_fail(args, -EINVAL, "idle-timeout: %s, seconds", why.text);
	add->rule.idle_s = (uint16_t)idle_s;
	add->idle = args->at;
	return 0;
}

static int read_number(struct conf_args *args, const char *value, void *target)
{
	struct conf_acl_add *add = target;
	struct errtext why;

	if (conf_value_number(value, 1, UINT32_MAX, &add->rule.number, &why) != 0)
		return conf_fail(args, -EINVAL, "number: %s", why.text);
	add->number = args->at;
	return 0;
}

static int read_address(struct conf_args *args, const char *value, const struct conf_acl_add *add,
			struct acl_address *ret)
{
	const bool basic = add->rule.kind == ACL_BASIC;
	const char *others =
		basic ? ", nor is it a MAC address, 'any' or 'any-mac'" : ", nor is it 'any'";
	struct acl_address a = {.family = ACL_ANY};
	struct guard_address ip;
	struct errtext why;

	if (strcmp(value, "any-mac") == 0) {
		a.family = ACL_MAC;
	} else if (conf_value_any_mac(value, a.bytes, NULL) == 0) {
		a.family = ACL_MAC;
		a.bits = 48;
	} else if (strcmp(value, "any") != 0) {
		if (conf_address_read_any(value, &ip, &why) != 0)
			return conf_fail(args, -EINVAL, "%s%s", why.text,
					 strchr(value, '/') == NULL ? others : "");
		a.family = conf_address_is_ipv4(&ip) ? ACL_IPV4 : ACL_IPV6;
		a.bits = a.family == ACL_IPV4 ? (uint8_t)(ip.bits - IPV4_AT * 8) : ip.bits;
		memcpy(a.bytes, ip.bytes + (a.family == ACL_IPV4 ? IPV4_AT : 0),
		       a.family == ACL_IPV4 ? 4 : 16);
	}
	if (a.family == ACL_MAC && !basic)
		return conf_fail(args, -EINVAL,
				 "an extended rule is about IP; a basic one knows '%s'", value);
	*ret = a;
	return 0;
}

static int read_ports(struct conf_args *args, const char *value, const char *key,
		      struct conf_acl_add *add, struct acl_ports *ret)
{
	const char *dash = strchr(value, '-');
	char text[PORTS_SIZE];
	uint32_t first, last;

	add->ports = args->at;
	if (strcmp(value, "any") == 0)
		return 0;
	snprintf(text, sizeof(text), "%.*s", dash != NULL ? (int)(dash - value) : -1, value);
	if (strlen(value) >= sizeof(text) ||
	    conf_value_number(text, 0, CONF_ACL_PORT_MAX, &first, NULL) != 0 ||
	    conf_value_number(dash != NULL ? dash + 1 : text, first, CONF_ACL_PORT_MAX, &last,
			      NULL) != 0)
		return conf_fail(args, -EINVAL,
				 "%s: '%.40s' is not a port from 0 to 65535, nor a range like "
				 "8000-8080",
				 key, value);
	ret->first = (uint16_t)first;
	ret->last = (uint16_t)last;
	return 0;
}

// What can be judged only when all words are known.
static int check_extended(struct conf_args *args, const struct conf_acl_add *add)
{
	const struct acl_rule *rule = &add->rule;

	if (rule->stateful && rule->action == ACL_DENY)
		return conf_fail_at(args, add->stateful, -EINVAL,
				    "a rule that denies lets nothing pass whose replies a session "
				    "could be for; only action allow is stateful");
	if (!rule->stateful && rule->idle_s != 0)
		return conf_fail_at(args, add->idle, -EINVAL,
				    "only the sessions of a stateful rule are idle: stateful on");
	if ((!conf_acl_any_port(&rule->local_ports) || !conf_acl_any_port(&rule->remote_ports)) &&
	    (rule->any_protocol || !has_ports(rule->protocol)))
		return conf_fail_at(args, add->ports, -EINVAL,
				    "not all of the rule's protocols have ports; protocol tcp has, "
				    "or udp, 33, 132, 136");
	return check_versions(args, add);
}

static int check_versions(struct conf_args *args, const struct conf_acl_add *add)
{
	const struct acl_rule *rule = &add->rule;
	const uint8_t local = rule->local.family, remote = rule->remote.family;
	const uint8_t version = local != ACL_ANY ? local : remote;
	const uint8_t protocol = rule->any_protocol ? 0 : rule->protocol;

	if (local != ACL_ANY && remote != ACL_ANY && local != remote)
		return conf_fail_at(args, add->remote, -EINVAL,
				    "one address is of IPv4 and the other one of IPv6: no packet "
				    "has both");
	if ((version == ACL_IPV4 && protocol == IPPROTO_ICMPV6) ||
	    (version == ACL_IPV6 && protocol == IPPROTO_ICMP))
		return conf_fail_at(args, add->protocol, -EINVAL,
				    "the addresses are of IPv%c, where the protocol is %s",
				    version == ACL_IPV4 ? '4' : '6',
				    version == ACL_IPV4 ? "icmp" : "icmpv6");
	return 0;
}

// As parse.h reads them.
static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_DCCP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE;
}

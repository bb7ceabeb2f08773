#include "switch/conf_acl.h"

#include <arpa/inet.h>

static void print_rule(const struct acl_rule *rule, FILE *f);

void conf_acl_print(const char *port, const struct acl_rule *rule, FILE *f)
{
	fputs("acl add ", f);
	words_print(f, port);
	fprintf(f, " %s ", conf_acl_kind_text(rule->kind));
	print_rule(rule, f);
	fprintf(f, " number %u\n", rule->number);
}

void conf_acl_print_address(const struct acl_address *a, FILE *f)
{
	const bool ipv4 = a->family == ACL_IPV4;
	char text[INET6_ADDRSTRLEN] = "";

	if (a->family == ACL_ANY) {
		fputs("any", f);
	} else if (a->family == ACL_MAC && a->bits == 0) {
		fputs("any-mac", f);
	} else if (a->family == ACL_MAC) {
		fprintf(f, "%02x:%02x:%02x:%02x:%02x:%02x", a->bytes[0], a->bytes[1], a->bytes[2],
			a->bytes[3], a->bytes[4], a->bytes[5]);
	} else {
		inet_ntop(ipv4 ? AF_INET : AF_INET6, a->bytes, text, sizeof(text));
		fputs(text, f);
		if (a->bits < (ipv4 ? 32 : 128))
			fprintf(f, "/%u", a->bits);
	}
}

void conf_acl_print_ports(const struct acl_ports *ports, FILE *f)
{
	if (conf_acl_any_port(ports))
		fputs("any", f);
	else if (ports->first == ports->last)
		fprintf(f, "%u", ports->first);
	else
		fprintf(f, "%u-%u", ports->first, ports->last);
}

const char *conf_acl_protocol_name(uint8_t protocol)
{
	switch (protocol) {
#define X(number, text)                                                                            \
	case number:                                                                               \
		return text;
		CONF_ACL_PROTOCOLS(X)
#undef X
	default:
		return NULL;
	}
}

const char *conf_acl_kind_text(unsigned kind)
{
#define X(number, name, text) [name] = text,
	static const char *const texts[] = {ACL_KINDS(X)};
#undef X

	return texts[kind];
}

const char *conf_acl_direction_text(unsigned direction)
{
#define X(number, name, text) [name] = text,
	static const char *const texts[] = {ACL_DIRECTIONS(X)};
#undef X

	return texts[direction];
}

const char *conf_acl_action_text(unsigned action)
{
#define X(number, name, text) [name] = text,
	static const char *const texts[] = {ACL_ACTIONS(X)};
#undef X

	return texts[action];
}

// The words behind "basic" or "extended", without the number.
static void print_rule(const struct acl_rule *rule, FILE *f)
{
	const char *protocol = conf_acl_protocol_name(rule->protocol);

	fprintf(f, "direction %s", conf_acl_direction_text(rule->direction));
	if (rule->kind == ACL_BASIC) {
		fputs(rule->is_remote ? " remote " : " local ", f);
		conf_acl_print_address(rule->is_remote ? &rule->remote : &rule->local, f);
		fprintf(f, " action %s", conf_acl_action_text(rule->action));
		return;
	}
	fprintf(f, " action %s weight %u", conf_acl_action_text(rule->action), rule->weight);
	if (rule->local.family != ACL_ANY) {
		fputs(" local-address ", f);
		conf_acl_print_address(&rule->local, f);
	}
	if (rule->remote.family != ACL_ANY) {
		fputs(" remote-address ", f);
		conf_acl_print_address(&rule->remote, f);
	}
	if (!rule->any_protocol && protocol != NULL)
		fprintf(f, " protocol %s", protocol);
	else if (!rule->any_protocol)
		fprintf(f, " protocol %u", rule->protocol);
	if (!conf_acl_any_port(&rule->local_ports)) {
		fputs(" local-port ", f);
		conf_acl_print_ports(&rule->local_ports, f);
	}
	if (!conf_acl_any_port(&rule->remote_ports)) {
		fputs(" remote-port ", f);
		conf_acl_print_ports(&rule->remote_ports, f);
	}
	if (rule->stateful)
		fprintf(f, " stateful on idle-timeout %u", rule->idle_s);
}

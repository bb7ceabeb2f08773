#include "switch/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int copy_rules(struct conf_port *p);
static void *duplicate(const void *from, size_t count, size_t size);

int conf_create(struct conf **ret)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	*ret = c;
	return 0;
}

void conf_destroy(struct conf *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->n_ports; i++)
		free(c->ports[i].acl_rules);
	free(c->switches);
	free(c->ports);
	free(c);
}

int conf_copy(const struct conf *from, struct conf **ret)
{
	struct conf *c;

	if (conf_create(&c) != 0)
		return -ENOMEM;
	c->switches = duplicate(from->switches, from->n_switches, sizeof(*from->switches));
	c->ports = duplicate(from->ports, from->n_ports, sizeof(*from->ports));
	if (c->switches == NULL || c->ports == NULL) {
		conf_destroy(c);
		return -ENOMEM;
	}
	c->n_switches = from->n_switches;
	for (; c->n_ports < from->n_ports; c->n_ports++) {
		if (copy_rules(&c->ports[c->n_ports]) != 0) {
			conf_destroy(c);
			return -ENOMEM;
		}
	}
	*ret = c;
	return 0;
}

void conf_remove_port(struct conf *c, struct conf_port *p)
{
	size_t index = (size_t)(p - c->ports);

	free(p->acl_rules);
	memmove(p, p + 1, (c->n_ports - index - 1) * sizeof(*p));
	c->n_ports--;
}

struct conf_switch *conf_switch_find(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_switches; i++) {
		if (strcmp(c->switches[i].name, name) == 0)
			return &c->switches[i];
	}
	return NULL;
}

struct conf_port *conf_port_find(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		if (strcmp(c->ports[i].name, name) == 0)
			return &c->ports[i];
	}
	return NULL;
}

struct conf_port *conf_port_implied(const struct conf *c, const char *switch_name,
				    enum vport_type type)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		struct conf_port *p = &c->ports[i];

		if (p->type == type && strcmp(p->switch_name, switch_name) == 0)
			return p;
	}
	return NULL;
}

bool conf_port_is_implied(const struct conf_port *p)
{
	return p->type != VPORT_SYNTHETIC;
}

bool conf_port_is_wire(const struct conf_port *p)
{
	return p->type == VPORT_EXTERNAL || (p->has_nic && p->kind == VNIC_PCAP);
}

int conf_text(const struct conf *c, char **ret, size_t *ret_size)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return -ENOMEM;
	conf_print(c, f);
	if (ferror(f) | fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	*ret_size = size;
	return 0;
}

const char *conf_switch_type_name(unsigned type)
{
	switch (type) {
#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;
		CONF_SWITCH_TYPES(X)
#undef X
	}
	return "?";
}

// 'p' is another port's bytes, and gets rules of its own.
static int copy_rules(struct conf_port *p)
{
	if (p->acl_rules == NULL)
		return 0;
	p->acl_rules = duplicate(p->acl_rules, p->n_acl_rules, sizeof(*p->acl_rules));
	return p->acl_rules != NULL ? 0 : -ENOMEM;
}

static void *duplicate(const void *from, size_t count, size_t size)
{
	void *copy = malloc(count * size + 1); // never of size 0, which may give NULL

	if (copy != NULL && count > 0)
		memcpy(copy, from, count * size);
	return copy;
}

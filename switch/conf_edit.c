#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf_acl.h"
#include "switch/conf_args.h"
#include "switch/conf_value.h"

enum { KNOWN_TEXT_SIZE = 300, CANDIDATES_MAX = 256, SHOWN_NAME = 64 };

static const struct {
	const char *object, *verb;
	enum conf_op op;
	int (*edit)(struct conf_args *args, struct conf_edit *ret);
} edits[] = {
	{"switch", "add", CONF_SWITCH_ADD, conf_edit_switch_add},
	{"switch", "set", CONF_SWITCH_SET, conf_edit_switch_set},
	{"switch", "remove", CONF_SWITCH_REMOVE, conf_edit_switch_remove},
	{"port", "add", CONF_PORT_ADD, conf_edit_port_add},
	{"port", "set", CONF_PORT_SET, conf_edit_port_set},
	{"port", "check", CONF_PORT_CHECK, conf_edit_port_check},
	{"port", "remove", CONF_PORT_REMOVE, conf_edit_port_remove},
	{"acl", "add", CONF_ACL_ADD, conf_edit_acl_add},
	{"acl", "remove", CONF_ACL_REMOVE, conf_edit_acl_remove},
};

enum { N_EDITS = sizeof(edits) / sizeof(edits[0]) };

static void known_text(char *out, size_t size, const char *const known[], unsigned n);
static bool same_device(const struct conf_port *p, const char *nic);

int conf_edit(struct conf *c, const struct conf_env *env, const struct words *w,
	      struct conf_edit *ret, struct conf_error *e)
{
	static const char *const objects[] = {"switch", "port", "acl"};
	struct conf_args args = {.c = c, .env = env, .w = w, .e = e};
	const char *verbs[N_EDITS];
	const char *object, *verb;
	unsigned n = 0;

	object = conf_next(&args, "a command: 'switch', 'port' or 'acl'");
	if (object == NULL)
		return -EINVAL;
	for (unsigned i = 0; i < N_EDITS; i++)
		if (strcmp(edits[i].object, object) == 0)
			verbs[n++] = edits[i].verb;
	if (n == 0)
		return conf_fail_unknown(&args, "command", object, objects, 3);
	args.at = 1;
	verb = conf_next(&args, n == 2 ? "'add' or 'remove'" : "'add', 'set' or 'remove'");
	if (verb == NULL)
		return -EINVAL;
	for (unsigned i = 0; i < N_EDITS; i++) {
		if (strcmp(edits[i].object, object) != 0 || strcmp(edits[i].verb, verb) != 0)
			continue;
		ret->op = edits[i].op;
		args.at = 2;
		return edits[i].edit(&args, ret);
	}
	return conf_fail_unknown(&args, "verb", verb, verbs, n);
}

bool conf_is_edit(const struct words *w)
{
	for (unsigned i = 0; i < N_EDITS && w->n > 0; i++)
		if (strcmp(w->text[0], edits[i].object) == 0)
			return true;
	return false;
}

int conf_fail(struct conf_args *args, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args->e->text.text, sizeof(args->e->text.text), fmt, ap);
	va_end(ap);
	args->e->word = args->at < args->w->n ? args->at : args->w->n;
	return err;
}

int conf_fail_at(struct conf_args *args, unsigned word, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args->e->text.text, sizeof(args->e->text.text), fmt, ap);
	va_end(ap);
	args->e->word = word < args->w->n ? word : args->w->n;
	return err;
}

const char *conf_next(struct conf_args *args, const char *what)
{
	if (args->at < args->w->n)
		return args->w->text[args->at];
	conf_fail(args, -EINVAL, "something is missing at the end: %s", what);
	return NULL;
}

bool conf_follows(const struct conf_args *args, const char *word)
{
	return args->at + 1 < args->w->n && strcmp(args->w->text[args->at + 1], word) == 0;
}

int conf_read_keys(struct conf_args *args, const struct conf_key keys[], unsigned n, void *target,
		   uint32_t *x_seen)
{
	const char *known[32];
	int err;

	*x_seen = 0;
	for (unsigned i = 0; i < n; i++)
		known[i] = keys[i].name;
	for (; args->at < args->w->n; args->at++) {
		const char *word = args->w->text[args->at];
		const char *value = NULL;
		unsigned k = 0;

		while (k < n && strcmp(keys[k].name, word) != 0)
			k++;
		if (k == n)
			return conf_fail_unknown(args, "key", word, known, n);
		if ((*x_seen >> k & 1) != 0)
			return conf_fail(args, -EINVAL, "'%s' stands here a second time", word);
		*x_seen |= 1u << k;
		if (keys[k].value != NULL) {
			if (++args->at == args->w->n)
				return conf_fail(args, -EINVAL, "'%s' needs a value: %s", word,
						 keys[k].value);
			value = args->w->text[args->at];
		}
		err = keys[k].read(args, value, target);
		if (err != 0)
			return err;
	}
	return 0;
}

int conf_fail_unknown(struct conf_args *args, const char *kind, const char *word,
		      const char *const known[], unsigned n)
{
	const char *near = conf_value_nearest(word, known, n);
	char list[KNOWN_TEXT_SIZE];

	known_text(list, sizeof(list), known, n);
	if (near != NULL)
		return conf_fail(args, -EINVAL,
				 "unknown %s '%.60s'; did you mean '%s'? Known here: %s", kind,
				 word, near, list);
	return conf_fail(args, -EINVAL, "unknown %s '%.60s'. Known here: %s", kind, word, list);
}

int conf_next_switch(struct conf_args *args, struct conf_switch **ret)
{
	const char *name = conf_next(args, "the name of a switch");
	const char *names[CONF_SWITCHES_MAX];
	const char *near;

	if (name == NULL)
		return -EINVAL;
	*ret = conf_switch_find(args->c, name);
	if (*ret != NULL)
		return 0;
	if (args->c->n_switches == 0)
		return conf_fail(args, -ENOENT, "there is no switch '%.64s'; there is none at all",
				 name);
	for (uint32_t i = 0; i < args->c->n_switches; i++)
		names[i] = args->c->switches[i].name;
	near = conf_value_nearest(name, names, args->c->n_switches);
	if (near != NULL)
		return conf_fail(args, -ENOENT, "there is no switch '%.64s'; did you mean '%s'?",
				 name, near);
	return conf_fail(args, -ENOENT, "there is no switch '%.64s'", name);
}

int conf_next_port(struct conf_args *args, struct conf_port **ret)
{
	const char *name = conf_next(args, "the name of a port");
	const char *names[CANDIDATES_MAX];
	const char *near;
	unsigned n = 0;

	if (name == NULL)
		return -EINVAL;
	*ret = conf_port_find(args->c, name);
	if (*ret != NULL)
		return 0;
	for (uint32_t i = 0; i < args->c->n_ports && n < CANDIDATES_MAX; i++)
		names[n++] = args->c->ports[i].name;
	near = conf_value_nearest(name, names, n);
	if (near != NULL)
		return conf_fail(args, -ENOENT, "there is no port '%.64s'; did you mean '%s'?",
				 name, near);
	return conf_fail(args, -ENOENT, "there is no port '%.64s'", name);
}

int conf_no_more(struct conf_args *args)
{
	if (args->at >= args->w->n)
		return 0;
	return conf_fail(args, -EINVAL, "'%.60s' is too much: nothing may stand here",
			 args->w->text[args->at]);
}

int conf_next_new_name(struct conf_args *args, const char *what, char ret[OBJECT_NAME_SIZE])
{
	const char *name = conf_next(args, what);
	struct errtext why;
	int err;

	if (name == NULL)
		return -EINVAL;
	err = conf_value_text(name, what, 1, OBJECT_NAME_MAX, &why);
	if (err != 0)
		return conf_fail(args, err, "%s", why.text);
	if (conf_switch_find(args->c, name) != NULL)
		return conf_fail(args, -EEXIST, "a switch is called '%s' already", name);
	if (conf_port_find(args->c, name) != NULL)
		return conf_fail(args, -EEXIST, "a port is called '%s' already", name);
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

int conf_check_nic_free(struct conf_args *args, unsigned word, const char *nic,
			const struct conf_port *self)
{
	for (uint32_t i = 0; i < args->c->n_ports; i++) {
		const struct conf_port *p = &args->c->ports[i];

		if (p == self || !same_device(p, nic))
			continue;
		return conf_fail_at(args, word, -EEXIST, "'%s' is used by port '%s'", nic, p->name);
	}
	return 0;
}

int conf_append_switch(struct conf_args *args, const struct conf_switch *sw)
{
	struct conf *c = args->c;
	struct conf_switch *grown;

	if (c->n_switches == CONF_SWITCHES_MAX)
		return conf_fail(args, -ENOSPC,
				 "there are %d switches already, the most that one "
				 "vswd has",
				 CONF_SWITCHES_MAX);
	grown = realloc(c->switches, (c->n_switches + 1) * sizeof(*grown));
	if (grown == NULL)
		return conf_fail(args, -ENOMEM, "out of memory");
	c->switches = grown;
	c->switches[c->n_switches++] = *sw;
	return 0;
}

int conf_append_port(struct conf_args *args, const struct conf_port *p)
{
	struct conf *c = args->c;
	struct conf_port *grown;
	uint32_t of_switch = 0;

	for (uint32_t i = 0; i < c->n_ports; i++)
		of_switch += strcmp(c->ports[i].switch_name, p->switch_name) == 0;
	if (of_switch == VPORT_MAX)
		return conf_fail(args, -ENOSPC,
				 "switch '%s' has %d ports already, the most that "
				 "one has",
				 p->switch_name, VPORT_MAX);
	if (c->n_ports == CONF_PORTS_MAX)
		return conf_fail(args, -ENOSPC,
				 "there are %d ports already, the most that one vswd "
				 "has",
				 CONF_PORTS_MAX);
	grown = realloc(c->ports, (c->n_ports + 1) * sizeof(*grown));
	if (grown == NULL)
		return conf_fail(args, -ENOMEM, "out of memory");
	c->ports = grown;
	c->ports[c->n_ports++] = *p;
	return 0;
}

static void known_text(char *out, size_t size, const char *const known[], unsigned n)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
					 known[i]);
}

// DPDK names a device by what stands before its first comma.
static bool same_device(const struct conf_port *p, const char *nic)
{
	size_t size = strcspn(nic, ",");

	if (!p->has_nic || (p->kind != VNIC_TAP && p->kind != VNIC_PACKET && p->kind != VNIC_ETH))
		return false;
	return strcspn(p->path, ",") == size && strncmp(p->path, nic, size) == 0;
}

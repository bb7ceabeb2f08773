#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ports/log.h"
#include "switch/conf_value.h"
#include "switch/ctl_call.h"
#include "switch/vswitch.h"

static int run_edit(struct ctl_call *call);
static int run_acl(struct ctl_call *call);
static int run_save(struct ctl_call *call);
static int run_show(struct ctl_call *call);

static const struct {
	const char *word;
	int (*run)(struct ctl_call *call);
	unsigned max_words;
} commands[] = {
	{"switch", run_edit, WORDS_MAX}, {"port", run_edit, WORDS_MAX}, {"acl", run_acl, WORDS_MAX},
	{"show", run_show, 3},           {"proc", ctl_proc, WORDS_MAX}, {"vmq", ctl_vmq, WORDS_MAX},
	{"save", run_save, 1},           {"help", ctl_help, 3},         {"version", ctl_version, 1},
};

static const struct {
	const char *word;
	int (*show)(struct ctl_call *call);
} shows[] = {
	{"switches", ctl_show_switches}, {"ports", ctl_show_ports},
	{"fdb", ctl_show_fdb},           {"drops", ctl_show_drops},
	{"policy", ctl_show_policy},     {"sessions", ctl_show_sessions},
	{"procs", ctl_show_procs},
};

enum {
	N_COMMANDS = sizeof(commands) / sizeof(commands[0]),
	N_SHOWS = sizeof(shows) / sizeof(shows[0])
};

int ctl_run(struct ctl_call *call)
{
	const char *words[N_COMMANDS];
	const char *near;

	if (call->w->n == 0)
		return ctl_fail(call, 0, -EINVAL, "no command; `help` lists them");
	for (unsigned i = 0; i < N_COMMANDS; i++) {
		words[i] = commands[i].word;
		if (strcmp(call->w->text[0], commands[i].word) != 0)
			continue;
		if (call->w->n > commands[i].max_words)
			return ctl_fail(call, commands[i].max_words, -EINVAL,
					"'%.60s' is too much: nothing may stand here",
					call->w->text[commands[i].max_words]);
		return commands[i].run(call);
	}
	near = conf_value_nearest(call->w->text[0], words, N_COMMANDS);
	if (near != NULL)
		return ctl_fail(call, 0, -EINVAL, "unknown command '%.60s'; did you mean '%s'?",
				call->w->text[0], near);
	return ctl_fail(call, 0, -EINVAL, "unknown command '%.60s'; `help` lists them",
			call->w->text[0]);
}

int ctl_fail(struct ctl_call *call, unsigned word, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->error.text.text, sizeof(call->error.text.text), fmt, ap);
	va_end(ap);
	call->error.word = word < call->w->n ? word : call->w->n;
	return err;
}

int ctl_run_second(struct ctl_call *call, const char *const words[],
		   int (*const run[])(struct ctl_call *), unsigned n)
{
	const char *near;

	if (call->w->n < 2)
		return ctl_fail(call, 1, -EINVAL, "something is missing at the end: %s, %s or %s",
				words[0], words[1], words[n - 1]);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(call->w->text[1], words[i]) == 0)
			return run[i](call);
	near = conf_value_nearest(call->w->text[1], words, n);
	return ctl_fail(call, 1, -EINVAL, "unknown '%.60s'; %s%s%s`help %s` says more",
			call->w->text[1], near != NULL ? "did you mean '" : "",
			near != NULL ? near : "", near != NULL ? "'? " : "", call->w->text[0]);
}

int ctl_show_name(struct ctl_call *call, struct vswitch **sw, struct vport **port)
{
	const struct conf *c = change_conf(call->change);
	const char *names[256];
	const char *name, *near;
	unsigned n = 0;

	*sw = NULL;
	*port = NULL;
	if (call->w->n < 3)
		return 0;
	name = call->w->text[2];
	*sw = vswitch_find(name);
	*port = vswitch_port_find(name);
	if (*sw != NULL || *port != NULL)
		return 0;
	for (uint32_t i = 0; i < c->n_switches; i++)
		names[n++] = c->switches[i].name;
	for (uint32_t i = 0; i < c->n_ports && n < 256; i++)
		names[n++] = c->ports[i].name;
	near = conf_value_nearest(name, names, n);
	if (near != NULL)
		return ctl_fail(call, 2, -ENOENT,
				"there is no switch and no port '%.64s'; did you mean '%s'?", name,
				near);
	return ctl_fail(call, 2, -ENOENT, "there is no switch and no port '%.64s'", name);
}

static int run_edit(struct ctl_call *call)
{
	struct conf_edit edit = {.checked = CONF_PORT_SET};
	const struct conf_port *p;
	const char *as;
	int err;

	err = change_run(call->change, call->w, call->fd, &edit, &call->error);
	call->fd = -1;
	if (err != 0)
		return err;
	as = edit.checked == CONF_PORT_ADD ? "add" : "set";
	if (edit.op == CONF_PORT_CHECK) {
		out_text(&call->out, "would be accepted as `port %s`\n", as);
		out_begin(&call->out);
		out_value(&call->out, "name", out_string(edit.name));
		out_value(&call->out, "as", json_string(as));
		out_end(&call->out);
		return 0;
	}
	log_info("%s %s '%s'", call->w->text[0], call->w->text[1], edit.name);
	p = conf_port_find(change_conf(call->change), edit.name);
	out_begin(&call->out);
	out_value(&call->out, "name", out_string(edit.name));
	if (edit.op == CONF_PORT_ADD) {
		out_value(&call->out, "switch", out_string(p->switch_name));
		out_value(&call->out, "id", json_integer(p->id));
		if (p->temporary)
			memcpy(call->capture, edit.name, sizeof(call->capture));
	} else if (edit.op == CONF_ACL_ADD) {
		json_t *numbers = json_array();

		for (uint32_t i = 0; i < edit.n_rules; i++)
			json_array_append_new(numbers, json_integer(edit.rule + i));
		out_value(&call->out, "numbers", numbers);
	}
	out_end(&call->out);
	return 0;
}

static int run_acl(struct ctl_call *call)
{
	static const char *const verbs[] = {"add", "remove", "show"};
	const char *verb = call->w->n > 1 ? call->w->text[1] : NULL;
	const char *near;

	if (verb == NULL)
		return ctl_fail(call, 1, -EINVAL,
				"something is missing at the end: add, remove or show");
	if (strcmp(verb, "show") == 0)
		return ctl_acl_show(call);
	if (strcmp(verb, "add") == 0 || strcmp(verb, "remove") == 0)
		return run_edit(call);
	near = conf_value_nearest(verb, verbs, 3);
	return ctl_fail(call, 1, -EINVAL,
			"unknown verb '%.60s'%s%s%s; `acl` knows add, remove and show", verb,
			near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
			near != NULL ? "'?" : "");
}

static int run_save(struct ctl_call *call)
{
	char *text, *line, *rest;
	json_t *lines;
	size_t size;
	int err;

	err = change_text(call->change, &text, &size);
	if (err != 0)
		return ctl_fail(call, 0, err, "out of memory");
	out_text(&call->out, "%s", text);
	if (call->out.json) {
		lines = json_array();
		for (line = strtok_r(text, "\n", &rest); line != NULL;
		     line = strtok_r(NULL, "\n", &rest))
			json_array_append_new(lines, out_string(line));
		out_begin(&call->out);
		out_value(&call->out, "commands", lines);
		out_end(&call->out);
	}
	free(text);
	return 0;
}

static int run_show(struct ctl_call *call)
{
	const char *words[N_SHOWS];
	const char *near;

	if (call->w->n < 2)
		return ctl_fail(call, 1, -EINVAL,
				"something is missing at the end: switches, "
				"ports, policy, sessions, fdb, drops or procs");
	for (unsigned i = 0; i < N_SHOWS; i++) {
		words[i] = shows[i].word;
		if (strcmp(call->w->text[1], shows[i].word) == 0)
			return shows[i].show(call);
	}
	near = conf_value_nearest(call->w->text[1], words, N_SHOWS);
	return ctl_fail(call, 1, -EINVAL,
			"unknown '%.60s'%s%s%s; `show` knows switches, ports, policy, sessions, "
			"fdb, drops, procs",
			call->w->text[1], near != NULL ? "; did you mean '" : "",
			near != NULL ? near : "", near != NULL ? "'?" : "");
}

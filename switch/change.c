#include "switch/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "switch/change_live.h"
#include "switch/conf_value.h"
#include "switch/mac_pool.h"
#include "switch/state.h"
#include "switch/vswitch.h"
#include "switch/vswitch_policy.h"

struct change {
	struct conf_env env;
	struct state *state;
	struct conf *conf;
	// What a killed vswd was about to make, and what it was about to remove; NULL = nothing.
	struct conf *unfinished[2];
	char *saved;   // the text on disk; NULL = none
	char *pending; // the text that is prepared to take its place; NULL = none
	bool from_file;
	char source[512];
};

static int load(struct change *ch, const char *start_file, struct errtext *e);
static void load_unfinished(struct change *ch);
static int load_file(struct change *ch, const char *name, struct errtext *e);
static int read_start_file(const char *name, char **ret, size_t *ret_size, struct errtext *e);
static void clean_unfinished(struct change *ch);
static void clean_port(const struct change *ch, const struct conf_port *p);
static bool path_is_used(const struct conf *c, enum vnic_kind kind, const char *path);
static int save_prepare(struct change *ch, const struct conf *c, struct errtext *e);
static int save_commit(struct change *ch, struct errtext *e);
static void save_abort(struct change *ch);
static int transact(struct change *ch, struct change_live *l, struct errtext *e);
static int transact_removal(struct change *ch, struct change_live *l, struct errtext *e);

static void random_bytes(void *bytes, size_t size)
{
	// Cannot fail for so few bytes once the system's pool is ready, for which it waits.
	while (getrandom(bytes, size, 0) != (ssize_t)size)
		continue;
}

int change_open(const struct change_env *env, struct change **ret, struct errtext *e)
{
	struct change *ch = calloc(1, sizeof(*ch));
	int err;

	if (ch == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	ch->env.run_dir = env->run_dir;
	ch->env.random = random_bytes;
	mac_pool_find(ch->env.mac_pool);
	err = state_open(env->state_dir, env->state_io, &ch->state, e);
	if (err == 0)
		err = load(ch, env->start_file, e);
	if (err != 0) {
		change_close(ch);
		return err;
	}
	*ret = ch;
	return 0;
}

void change_close(struct change *ch)
{
	if (ch == NULL)
		return;
	conf_destroy(ch->conf);
	conf_destroy(ch->unfinished[0]);
	conf_destroy(ch->unfinished[1]);
	state_close(ch->state);
	free(ch->saved);
	free(ch->pending);
	free(ch);
}

int change_build(struct change *ch, struct errtext *e)
{
	int err;

	clean_unfinished(ch);
	err = change_live_build(ch->conf, e);
	if (err != 0)
		return err;
	// Features that a start file did not name are known only now; they are kept from here on.
	if (ch->saved == NULL && !ch->from_file)
		return 0;
	err = save_prepare(ch, ch->conf, e);
	if (err == 0)
		err = save_commit(ch, e);
	if (err != 0)
		change_unbuild(ch);
	return err;
}

void change_unbuild(struct change *ch)
{
	while (vswitch_count() > 0)
		vswitch_destroy(vswitch_at(vswitch_count() - 1), false);
}

int change_run(struct change *ch, const struct words *w, int fd, struct conf_edit *ret,
	       struct conf_error *e)
{
	struct change_live live = {.before = ch->conf, .fd = fd};
	int err;

	e->word = w->n;
	err = conf_copy(ch->conf, &live.after);
	if (err != 0) {
		errtext_set(&e->text, err, "out of memory");
		goto close_fd;
	}
	err = conf_edit(live.after, &ch->env, w, &live.edit, e);
	if (err != 0)
		goto destroy;
	if (live.edit.op == CONF_PORT_CHECK) {
		*ret = live.edit;
		goto destroy;
	}
	e->word = 0; // what fails from here on is the command as a whole
	err = transact(ch, &live, &e->text);
	if (err != 0)
		goto destroy;
	*ret = live.edit;
	conf_destroy(ch->conf);
	ch->conf = live.after;
	if (live.fd >= 0)
		close(live.fd);
	return 0;
destroy:
	conf_destroy(live.after);
close_fd:
	if (live.fd >= 0)
		close(live.fd);
	return err;
}

void change_remove_temporary(struct change *ch, const char *name)
{
	struct conf_port *p = conf_port_find(ch->conf, name);
	struct vport *port = vswitch_port_find(name);
	struct conf *c = ch->conf;
	struct vswitch *sw;
	struct errtext e;

	if (p == NULL || !p->temporary)
		return;
	sw = vswitch_find(p->switch_name);
	if (port != NULL)
		vswitch_port_remove(port, true);
	// The saved text has its id among the retired ones since it was added.
	conf_id_set(conf_switch_find(c, p->switch_name)->retired_ids, p->id);
	conf_remove_port(c, p);
	if (sw != NULL && vswitch_policy_update(sw, c, &e) != 0)
		log_error("'%s' is gone, but: %s", name, e.text);
}

const struct conf *change_conf(const struct change *ch)
{
	return ch->conf;
}

int change_text(const struct change *ch, char **ret, size_t *ret_size)
{
	return conf_text(ch->conf, ret, ret_size);
}

bool change_needs_pci(const struct change *ch)
{
	for (uint32_t i = 0; i < ch->conf->n_ports; i++) {
		const struct conf_port *p = &ch->conf->ports[i];

		if (p->has_nic && p->kind == VNIC_ETH && conf_value_is_pci(p->path))
			return true;
	}
	return false;
}

const char *change_source(const struct change *ch)
{
	return ch->source;
}

static int load(struct change *ch, const char *start_file, struct errtext *e)
{
	size_t size;
	int err;

	err = state_load(ch->state, &ch->saved, &size, e);
	if (err != 0 && err != -ENOENT)
		return err;
	load_unfinished(ch);
	if (err == 0) {
		snprintf(ch->source, sizeof(ch->source), "the state saved in %s%s",
			 state_path(ch->state),
			 start_file != NULL ? "; the -c file is not used" : "");
		return conf_load(ch->saved, size, state_path(ch->state), CONF_STATE, &ch->env,
				 &ch->conf, e);
	}
	if (start_file != NULL)
		return load_file(ch, start_file, e);
	snprintf(ch->source, sizeof(ch->source), "without switches, for no state is saved in %s",
		 state_path(ch->state));
	err = conf_create(&ch->conf);
	return err == 0 ? 0 : errtext_set(e, err, "out of memory");
}

// A text that was cut short says nothing: its vswd had not come to touch the system.
static void load_unfinished(struct change *ch)
{
	static const char *const names[] = {STATE_NEW_FILE, STATE_OLD_FILE};

	for (unsigned i = 0; i < 2; i++) {
		char *text;
		size_t size;

		if (state_load_unfinished(ch->state, names[i], &text, &size) != 0)
			continue;
		conf_load(text, size, names[i], CONF_STATE, &ch->env, &ch->unfinished[i], NULL);
		free(text);
	}
}

static int load_file(struct change *ch, const char *name, struct errtext *e)
{
	size_t size = 0;
	char *text = NULL;
	int err;

	err = read_start_file(name, &text, &size, e);
	if (err != 0)
		return err;
	err = conf_load(text, size, name, CONF_FILE, &ch->env, &ch->conf, e);
	free(text);
	ch->from_file = true;
	snprintf(ch->source, sizeof(ch->source), "the commands in %s: no state is saved in %s",
		 name, state_path(ch->state));
	return err;
}

static int read_start_file(const char *name, char **ret, size_t *ret_size, struct errtext *e)
{
	size_t size = 0, capacity = 4096;
	char *text = NULL, *grown;
	ssize_t n;
	int fd, err;

	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errtext_set(e, -errno, "cannot open %s: %s", name, strerror(errno));
	do {
		grown = realloc(text, capacity);
		if (grown == NULL || size > STATE_SIZE_MAX) {
			err = errtext_set(e, -EFBIG, "%s is too large", name);
			goto fail;
		}
		text = grown;
		n = read(fd, text + size, capacity - size);
		if (n < 0 && errno != EINTR) {
			err = errtext_set(e, -errno, "cannot read %s: %s", name, strerror(errno));
			goto fail;
		}
		size += n > 0 ? (size_t)n : 0;
		if (size == capacity)
			capacity *= 2;
	} while (n != 0);
	close(fd);
	*ret = text;
	*ret_size = size;
	return 0;
fail:
	free(text);
	close(fd);
	return err;
}

/*
 * A vswd that was killed in the middle of a change may have left TAPs and sockets that no
 * configuration knows. TAPs carry our mark and their port's name, and only such are removed.
 */
static void clean_unfinished(struct change *ch)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct conf *c = ch->unfinished[i];

		for (uint32_t p = 0; c != NULL && p < c->n_ports; p++)
			clean_port(ch, &c->ports[p]);
		conf_destroy(ch->unfinished[i]);
		ch->unfinished[i] = NULL;
	}
	state_forget_unfinished(ch->state);
}

static void clean_port(const struct change *ch, const struct conf_port *p)
{
	const struct vnic_conf conf = {
		.kind = p->kind, .name = p->name, .path = p->path, .server = p->server};

	// The mark says the port's name: if there is such a port, the TAP is that one's.
	if (!p->has_nic || conf_port_find(ch->conf, p->name) != NULL ||
	    path_is_used(ch->conf, p->kind, p->path))
		return;
	if (vnic_forget(&conf))
		log_info("%s '%s' of port '%s' was left by a change that was cut short: removed",
			 p->kind == VNIC_TAP ? "TAP" : "socket", p->path, p->name);
}

static bool path_is_used(const struct conf *c, enum vnic_kind kind, const char *path)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		if (p->has_nic && p->kind == kind && strcmp(p->path, path) == 0)
			return true;
	}
	return false;
}

// Prepares the text of 'c', unless it is there already.
static int save_prepare(struct change *ch, const struct conf *c, struct errtext *e)
{
	const char *present = ch->pending != NULL ? ch->pending : ch->saved;
	char *text;
	size_t size;
	int err;

	err = conf_text(c, &text, &size);
	if (err != 0)
		return errtext_set(e, err, "out of memory");
	if (present != NULL && strcmp(present, text) == 0) {
		free(text);
		return 0;
	}
	free(ch->pending);
	ch->pending = NULL;
	err = state_prepare(ch->state, text, size, e);
	if (err == 0)
		ch->pending = text;
	else
		free(text);
	return err;
}

static int save_commit(struct change *ch, struct errtext *e)
{
	int err;

	if (ch->pending == NULL)
		return 0;
	err = state_commit(ch->state, e);
	if (err != 0) {
		free(ch->pending);
	} else {
		free(ch->saved);
		ch->saved = ch->pending;
	}
	ch->pending = NULL;
	return err;
}

static void save_abort(struct change *ch)
{
	state_abort(ch->state);
	free(ch->pending);
	ch->pending = NULL;
}

static int transact(struct change *ch, struct change_live *l, struct errtext *e)
{
	int err;

	if (change_live_takes_away(l))
		return transact_removal(ch, l, e);
	err = save_prepare(ch, l->after, e);
	if (err != 0)
		return err;
	err = change_live_do(l, e);
	if (err != 0) {
		save_abort(ch);
		return err;
	}
	// The live port may have added its features.
	err = save_prepare(ch, l->after, e);
	if (err == 0)
		err = save_commit(ch, e);
	if (err != 0) {
		change_live_undo(l);
		save_abort(ch);
	}
	return err;
}

static int transact_removal(struct change *ch, struct change_live *l, struct errtext *e)
{
	int err;

	err = save_prepare(ch, l->after, e);
	if (err != 0)
		return err;
	// A temporary port is in neither text.
	if (ch->pending != NULL)
		err = state_keep_old(ch->state, e);
	if (err == 0)
		err = save_commit(ch, e);
	if (err != 0)
		save_abort(ch);
	else
		err = change_live_do(l, e);
	state_forget_old(ch->state);
	return err;
}

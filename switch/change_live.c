#include "switch/change_live.h"

#include <errno.h>
#include <string.h>

#include <rte_eal.h>

#include "ports/log.h"
#include "ports/vnic.h"
#include "ports/vport_types.h"
#include "switch/conf_value.h"
#include "switch/vswitch.h"
#include "switch/vswitch_policy.h"

static int do_edit(struct change_live *l, struct errtext *e);
static int update_policies(const struct change_live *l, const struct conf *c, struct errtext *e);
static int switch_add(const struct conf *c, const char *name, enum vswitch_origin origin,
		      struct errtext *e);
static int port_add(struct vswitch *sw, struct conf_port *p, enum vswitch_origin origin, int fd,
		    struct errtext *e);

int change_live_do(struct change_live *l, struct errtext *e)
{
	int err = do_edit(l, e);

	if (err != 0)
		return err;
	err = update_policies(l, l->after, e);
	if (err == 0)
		return 0;
	if (change_live_takes_away(l)) {
		// The rest of the switch goes on as it was until the next change. All that it
		// allows wrongly is that a team sends from the address that is gone.
		log_error("'%s' is gone, but: %s", l->edit.name, e->text);
		return 0;
	}
	change_live_undo(l);
	return err;
}

static int do_edit(struct change_live *l, struct errtext *e)
{
	const char *name = l->edit.name;
	struct conf_port *p = conf_port_find(l->after, name);
	int fd = l->fd;

	switch (l->edit.op) {
	case CONF_SWITCH_ADD:
		return switch_add(l->after, name, VSWITCH_NEW, e);
	case CONF_SWITCH_SET:
		return vswitch_update(vswitch_find(name), conf_switch_find(l->after, name), e);
	case CONF_SWITCH_REMOVE:
		vswitch_destroy(vswitch_find(name), true);
		return 0;
	case CONF_PORT_ADD:
		if (p->temporary && fd < 0)
			return errtext_set(e, -EINVAL,
					   "'tx -' captures into vswctl's output, and that was not "
					   "handed over");
		l->fd = -1;
		return port_add(vswitch_find(p->switch_name), p, VSWITCH_NEW, fd, e);
	case CONF_PORT_SET:
		vswitch_port_update(vswitch_port_find(name), p);
		return 0;
	case CONF_PORT_REMOVE:
		vswitch_port_remove(vswitch_port_find(name), true);
		return 0;
	case CONF_PORT_CHECK:
	case CONF_ACL_ADD:
	case CONF_ACL_REMOVE:
		return 0; // rules are part of a policy
	}
	return -EINVAL;
}

bool change_live_takes_away(const struct change_live *l)
{
	return l->edit.op == CONF_SWITCH_REMOVE || l->edit.op == CONF_PORT_REMOVE;
}

void change_live_undo(struct change_live *l)
{
	const char *name = l->edit.name;
	const struct conf_port *p = conf_port_find(l->before, name);
	struct errtext e = {.text = ""};
	int err = 0;

	switch (l->edit.op) {
	case CONF_SWITCH_ADD:
		vswitch_destroy(vswitch_find(name), true);
		break;
	case CONF_SWITCH_SET:
		err = vswitch_update(vswitch_find(name), conf_switch_find(l->before, name), &e);
		break;
	case CONF_PORT_ADD:
		vswitch_port_remove(vswitch_port_find(name), true);
		break;
	case CONF_PORT_SET:
		vswitch_port_update(vswitch_port_find(name), p);
		break;
	case CONF_PORT_CHECK:
	case CONF_SWITCH_REMOVE:
	case CONF_PORT_REMOVE:
		break; // done only when nothing can fail any more
	case CONF_ACL_ADD:
	case CONF_ACL_REMOVE:
		break;
	}
	if (err == 0)
		err = update_policies(l, l->before, &e);
	if (err != 0)
		log_error("'%s' could not be brought back to what it was: %s", name, e.text);
}

int change_live_build(struct conf *c, struct errtext *e)
{
	for (uint32_t i = 0; i < c->n_switches; i++) {
		int err = switch_add(c, c->switches[i].name, VSWITCH_STORED, e);

		if (err == 0)
			continue;
		errtext_prefix(e, err, "switch '%s': ", c->switches[i].name);
		while (vswitch_count() > 0)
			vswitch_destroy(vswitch_at(0), false);
		return err;
	}
	return 0;
}

// The policy of a port can follow from other ports of its switch: all are brought up to date.
static int update_policies(const struct change_live *l, const struct conf *c, struct errtext *e)
{
	const struct conf_port *p = conf_port_find(l->after, l->edit.name);
	const char *name = l->edit.name;
	struct vswitch *sw;

	if (p == NULL)
		p = conf_port_find(l->before, l->edit.name);
	if (p != NULL)
		name = p->switch_name;
	sw = vswitch_find(name);
	return sw != NULL ? vswitch_policy_update(sw, c, e) : 0;
}

// The switch with all of its ports, temporary ones left out.
static int switch_add(const struct conf *c, const char *name, enum vswitch_origin origin,
		      struct errtext *e)
{
	struct vswitch *sw;
	int err;

	err = vswitch_create(conf_switch_find(c, name), &sw, e);
	if (err != 0)
		return err;
	// Before there are ports, so that no station is learned in the wrong place.
	err = vswitch_policy_update(sw, c, e);
	for (uint32_t i = 0; err == 0 && i < c->n_ports; i++) {
		struct conf_port *p = &c->ports[i];

		if (strcmp(p->switch_name, name) != 0 || p->temporary)
			continue;
		err = port_add(sw, p, origin, -1, e);
		if (err != 0)
			errtext_prefix(e, err, "port '%s': ", p->name);
	}
	if (err == 0)
		err = vswitch_policy_update(sw, c, e);
	if (err != 0)
		vswitch_destroy(sw, origin == VSWITCH_NEW);
	return err;
}

static int port_add(struct vswitch *sw, struct conf_port *p, enum vswitch_origin origin, int fd,
		    struct errtext *e)
{
	struct vport *port;
	int err;

	if (p->has_nic && p->kind == VNIC_ETH && conf_value_is_pci(p->path) && !rte_eal_has_pci())
		return errtext_set(e, -ENOTSUP,
				   "vswd left PCI devices alone when it started, for none was "
				   "configured; start it again with --pci");
	err = vswitch_port_add(sw, p, origin, fd, &port, e);
	if (err != 0)
		return err;
	if (p->has_nic && p->kind == VNIC_VHOST && p->features == 0)
		p->features = vnic_features(port->nic);
	return 0;
}

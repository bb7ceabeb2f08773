#include "debugshell/vnbl_ports.h"

#include <errno.h>
#include <stdlib.h>

#include "debugshell/walk.h"

struct vnbl_ports_entry {
	struct vnbl_port port;
	tgt_addr vswitch;
};

static int add_port(struct shell *sh, const struct walk_vswitch *sw, tgt_addr addr, void *arg);
static const struct vnbl_ports_entry *find(const struct vnbl_ports *ports,
					   const struct vnbl_port *port);
static bool read_name(struct shell *sh, const struct vnbl_port *port, struct text *name);

void vnbl_ports_read(struct shell *sh, struct vnbl_ports *ports)
{
	*ports = (struct vnbl_ports){.n = 0};
	walk_ports(sh, add_port, ports);
}

void vnbl_ports_free(struct vnbl_ports *ports)
{
	free(ports->all);
}

bool vnbl_ports_same(const struct vnbl_port *a, const struct vnbl_port *b)
{
	return a->at.v == b->at.v && a->id == b->id &&
	       (a->serial == b->serial || a->serial == 0 || b->serial == 0);
}

bool vnbl_ports_find(struct shell *sh, const struct vnbl_ports *ports, const struct vnbl_port *port,
		     struct text *name)
{
	const struct vnbl_ports_entry *entry = find(ports, port);

	return entry != NULL && read_name(sh, &entry->port, name);
}

bool vnbl_ports_find_id(struct shell *sh, const struct vnbl_ports *ports,
			const struct vnbl_port *beside, uint16_t id, tgt_addr *x_at,
			struct text *name)
{
	const struct vnbl_ports_entry *its = find(ports, beside);

	for (uint32_t i = 0; its != NULL && i < ports->n; i++) {
		const struct vnbl_ports_entry *entry = &ports->all[i];

		if (entry->vswitch.v != its->vswitch.v || entry->port.id != id)
			continue;
		*x_at = entry->port.at;
		return read_name(sh, &entry->port, name);
	}
	return false;
}

static int add_port(struct shell *sh, const struct walk_vswitch *sw, tgt_addr addr, void *arg)
{
	struct vnbl_ports *ports = arg;
	struct vport port;
	struct why why;

	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0)
		return 0;
	if (ports->n == ports->room) {
		uint32_t room = ports->room > 0 ? 2 * ports->room : 64;
		struct vnbl_ports_entry *all = realloc(ports->all, room * sizeof(*all));

		if (all == NULL)
			return -ENOMEM;
		ports->all = all;
		ports->room = room;
	}
	ports->all[ports->n++] = (struct vnbl_ports_entry){
		.port = {.at = addr, .serial = port.serial, .id = port.id}, .vswitch = sw->addr};
	return 0;
}

static const struct vnbl_ports_entry *find(const struct vnbl_ports *ports,
					   const struct vnbl_port *port)
{
	for (uint32_t i = 0; i < ports->n; i++)
		if (vnbl_ports_same(&ports->all[i].port, port))
			return &ports->all[i];
	return NULL;
}

// False: it has gone since the lists were read.
static bool read_name(struct shell *sh, const struct vnbl_port *port, struct text *name)
{
	struct vport now;
	struct why why;

	if (walk_object(sh, port->at, OBJECT_VPORT, &now, &why) < 0 || now.id != port->id ||
	    now.serial != port->serial)
		return false;
	*name = TEXT(now.obj.name);
	return true;
}

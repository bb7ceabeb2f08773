#include <errno.h>

#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/vport_acl.h"
#include "debugshell/vport_policy.h"
#include "debugshell/walk.h"

static int vport_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int vport_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_port(struct shell *sh, tgt_addr addr, const struct vport *port);
static void print_binding(struct shell *sh, const char *label, tgt_addr addr, enum object_type type,
			  const char *command);
static void print_counters(struct shell *sh, const struct vport *port);

static const struct print_column list_columns[] = {
	{"Type", 7},
	{"Address", 18},
	{"Id", 8},
	{"Type", 10, "port_type"},
	{"IsValidation", 14},
	{"State", 9},
	{"vSwitch", 18},
	{"vNic", 18},
	{"Name"},
};

int cmd_vport(struct shell *sh, int argc, char **argv, struct why *why)
{
	unsigned rows = 0;
	tgt_addr addr;
	int err;

	if (argc > 1) {
		err = walk_find(sh, OBJECT_VPORT, argv[1], &addr, why);
		return err != 0 ? err : vport_detail(sh, addr, why);
	}
	PRINT_TABLE("", list_columns);
	walk_ports(sh, vport_row, &rows);
	if (rows == 0)
		print_none();
	return 0;
}

static int vport_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	unsigned *rows = arg;
	struct vport port;
	struct why why;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, &why);

	(*rows)++;
	if (err < 0) {
		walk_trouble(sh, "", "VPORT", addr, &why);
		return 0;
	}
	print_cell("VPORT");
	print_cell_addr(addr);
	print_cell_fmt("0x%04x", port.id);
	print_cell(name_vport_type(port.type));
	print_cell_flag(port.is_validation);
	print_cell(name_vport_state(port.state));
	print_cell_addr(v->addr);
	print_cell_addr(tgt_ptr(port.nic));
	print_cell_text(TEXT(port.obj.name));
	print_row_end(err == WALK_TORN);
	return 0;
}

static int vport_detail(struct shell *sh, tgt_addr addr, struct why *why)
{
	struct vport port;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, why);

	if (err < 0)
		return err;
	print_title("VPORT", addr, err == WALK_TORN);
	print_port(sh, addr, &port);
	vport_acl_print(sh, addr, &port);
	print_counters(sh, &port);
	print_section("MORE INFORMATION");
	print_link("Drops", addr, "drops");
	print_link("Stations", addr, "fdb");
	return 0;
}

static void print_port(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	const struct type_map *map;
	struct why why;

	if (shell_map(sh, "vport", sizeof(*port), &map, &why) != 0)
		return;
	print_text_row("Name", TEXT(port->obj.name));
	print_text_row("Friendly Name", TEXT(port->obj.friendly_name));
	print_row("RefCount", "%u", port->obj.refs);

	print_section("STATE");
	PRINT_FIELD(map, "id", "Id", "0x%04x", port->id);
	PRINT_FIELD_VALUES(map, "type", "Type", "number name", "%u (%s)", port->type,
			   name_vport_type(port->type));
	PRINT_FIELD_VALUES(map, "state", "State", "number name", "%u (%s)", port->state,
			   name_vport_state(port->state));
	PRINT_FIELD_FLAG(map, "is_validation", "IsValidation", port->is_validation);
	PRINT_FIELD(map, "created_s", "Created", "%s", print_wall_clock(port->created_s).s);
	if (type_has(map, "created_s") && port->created_s != 0)
		print_extra("created_unix_s", "%ld", port->created_s);
	PRINT_FIELD(map, "slot", "Slot", "%u", port->slot);

	print_section("BINDINGS");
	print_binding(sh, "vSwitch", tgt_ptr(port->vswitch), OBJECT_VSWITCH, "nvkd.vswitch");
	print_binding(sh, "vNic", tgt_ptr(port->nic), OBJECT_VNIC, "nvkd.vnic");

	print_section("POLICY");
	PRINT_FIELD_VALUES(map, "monitor_mode", "MonitorMode", "number name", "%u (%s)",
			   port->monitor_mode, name_monitor_mode(port->monitor_mode));
	if (port->monitor_mode != VPORT_MONITOR_NONE)
		PRINT_FIELD(map, "session", "MonitorSession", "%u", port->session);
	PRINT_FIELD(map, "mac", "Static MAC", "%s",
		    port->mac_set ? print_mac(port->mac).s : "[None]");
	if (type_has(map, "is_wire"))
		vport_policy_print(sh, addr, port);
	else
		print_absent("VLAN", "[Missing in this vswd]");
	if (port->max_stations != 0)
		PRINT_FIELD(map, "max_stations", "Stations at most", "%u", port->max_stations);
	else
		print_absent("Stations at most", "[Default of the switch]");
}

// A link, and what is wrong with what it leads to.
static void print_binding(struct shell *sh, const char *label, tgt_addr addr, enum object_type type,
			  const char *command)
{
	enum object_type its;
	struct why why;
	int err;

	print_link(label, addr, command);
	if (addr.v == 0)
		return;
	err = walk_type(sh, addr, &its, &why);
	if (err == 0 && its != type)
		err = why_set(&why, -EINVAL, "%016lx is not a %s but a %s", addr.v,
			      name_object_type(type), name_object_type(its));
	if (err != 0)
		walk_trouble(sh, "    ", type == OBJECT_VSWITCH ? "VSWITCH" : "VNIC", addr, &why);
}

static void print_counters(struct shell *sh, const struct vport *port)
{
	struct vport_stats sum;
	struct why why;

	print_section("COUNTERS");
	if (walk_stats(sh, port, &sum, &why) != 0) {
		walk_trouble(sh, "    ", "STATS", tgt_ptr(port->stats), &why);
		return;
	}
	print_values("From vNic", "frames bytes", "%lu frames, %lu bytes", sum.rx_frames,
		     sum.rx_bytes);
	print_values("To vNic", "frames bytes", "%lu frames, %lu bytes", sum.tx_frames,
		     sum.tx_bytes);
	print_values("Flooded", ".", "%lu frames of those from the vNic", sum.rx_flooded);
	print_values("Completed", ".", "%lu checksums and segmentations", sum.tx_completed);
	print_section("DROPS");
	if (cmd_drops_print(&sum, "    ") == 0)
		print_none();
}

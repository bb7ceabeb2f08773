#include <stdio.h>

#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

static int vport_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int vport_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_port(struct shell *sh, const struct vport *port);
static void print_counters(struct shell *sh, const struct vport *port);

int cmd_vport(struct shell *sh, int argc, char **argv, struct why *why)
{
	unsigned rows = 0;
	tgt_addr addr;
	int err;

	if (argc > 1) {
		err = walk_find(sh, OBJECT_VPORT, argv[1], &addr, why);
		return err != 0 ? err : vport_detail(sh, addr, why);
	}
	printf("\n%-7s%-18s%-8s%-10s%-14s%-9s%-18s%-18s%s\n", "Type", "Address", "Id", "Type",
	       "IsValidation", "State", "vSwitch", "vNic", "Name");
	walk_ports(sh, vport_row, &rows);
	if (rows == 0)
		printf("[None]\n");
	return 0;
}

static int vport_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	unsigned *rows = arg;
	char id[16], nic[24];
	struct vport port;
	struct why why;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, &why);

	(*rows)++;
	if (err < 0) {
		walk_trouble(sh, "", "VPORT", addr, &why);
		return 0;
	}
	snprintf(id, sizeof(id), "0x%04x", port.id);
	snprintf(nic, sizeof(nic), "%016lx", tgt_ptr(port.nic).v);
	printf("%-7s%016lx  %-8s%-10s%-14s%-9s%016lx  %-18s%s%s\n", "VPORT", addr.v, id,
	       name_vport_type(port.type), port.is_validation ? "Y" : "N",
	       name_vport_state(port.state), v->addr.v, port.nic != NULL ? nic : "[None]",
	       TEXT(port.obj.name).s, err == WALK_TORN ? " ~" : "");
	return 0;
}

static int vport_detail(struct shell *sh, tgt_addr addr, struct why *why)
{
	struct vport port;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, why);

	if (err < 0)
		return err;
	print_title("VPORT", addr, err == WALK_TORN);
	print_port(sh, &port);
	print_counters(sh, &port);
	print_section("MORE INFORMATION");
	print_link("Drops", addr, "drops");
	print_link("Stations", addr, "fdb");
	return 0;
}

static void print_port(struct shell *sh, const struct vport *port)
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
	PRINT_FIELD(map, "type", "Type", "%u (%s)", port->type, name_vport_type(port->type));
	PRINT_FIELD(map, "state", "State", "%u (%s)", port->state, name_vport_state(port->state));
	PRINT_FIELD(map, "is_validation", "IsValidation", "%s", port->is_validation ? "Y" : "N");
	PRINT_FIELD(map, "created_s", "Created", "%s", print_wall_clock(port->created_s).s);
	PRINT_FIELD(map, "slot", "Slot", "%u", port->slot);

	print_section("BINDINGS");
	print_link("vSwitch", tgt_ptr(port->vswitch), "nvkd.vswitch");
	print_link("vNic", tgt_ptr(port->nic), "nvkd.vnic");

	print_section("POLICY");
	PRINT_FIELD(map, "monitor_mode", "MonitorMode", "%u (%s)", port->monitor_mode,
		    name_monitor_mode(port->monitor_mode));
	PRINT_FIELD(map, "mac", "Static MAC", "%s",
		    port->mac_set ? print_mac(port->mac).s : "[None]");
	if (port->max_stations != 0)
		PRINT_FIELD(map, "max_stations", "Stations at most", "%u", port->max_stations);
	else
		print_row("Stations at most", "[Default of the switch]");
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
	print_row("From vNic", "%lu frames, %lu bytes", sum.rx_frames, sum.rx_bytes);
	print_row("To vNic", "%lu frames, %lu bytes", sum.tx_frames, sum.tx_bytes);
	print_row("Flooded", "%lu frames of those from the vNic", sum.rx_flooded);
	print_row("Completed", "%lu checksums and segmentations", sum.tx_completed);
	print_section("DROPS");
	if (cmd_drops_print(&sum, "    ") == 0)
		printf("    [None]\n");
}

/*
 * vswitch: the list of switches, and one switch with its ports. Every byte of the forms here
 * is that of nvkd, also where a row does not stand under its header.
 */
#include <stdlib.h>

#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

static int vswitch_list(struct shell *sh);
static int vswitch_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_states(struct shell *sh, const struct vswitch *sw);
static void print_ports(struct shell *sh, const struct walk_vswitch *v);

static const struct print_column list_columns[] = {
	{"Type", 12, NULL, "%s "},
	{"Address", 20, NULL, "%s "},
	{"Flags", 12, NULL, "(%s) "},
	{"FriendlyName"},
};

static const struct print_column port_columns[] = {
	{"Type", 7},          {"Address", 18},     {"Id", 8},        {"Type", 10, "port_type"},
	{"IsValidation", 14}, {"MonitorMode", 13}, {"FriendlyName"},
};

int cmd_vswitch(struct shell *sh, int argc, char **argv, struct why *why)
{
	tgt_addr addr;
	int err;

	if (argc == 1)
		return vswitch_list(sh);
	err = walk_find(sh, OBJECT_VSWITCH, argv[1], &addr, why);
	return err != 0 ? err : vswitch_detail(sh, addr, why);
}

static int vswitch_list(struct shell *sh)
{
	struct vswitch sw;
	struct why why;

	PRINT_TABLE("", list_columns);
	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);
		int err = walk_object(sh, addr, OBJECT_VSWITCH, &sw, &why);

		if (err < 0) {
			walk_trouble(sh, "", "VSWITCH", addr, &why);
			continue;
		}
		print_cell("VSWITCH");
		print_cell_addr(addr);
		print_cell(err == WALK_TORN ? "~" : "");
		print_cell_text(TEXT(sw.obj.friendly_name));
		print_extra("switch", "%s", TEXT(sw.obj.name).s);
		print_torn(err == WALK_TORN);
		print_row_end(false);
	}
	if (walk_n_vswitches(sh) == 0)
		print_none();
	return 0;
}

static int vswitch_detail(struct shell *sh, tgt_addr addr, struct why *why)
{
	struct walk_vswitch *v = walk_vswitch(sh, addr, why);
	const struct vswitch *sw;

	if (v == NULL)
		return -1;
	sw = &v->sw;
	print_title("VSWITCH", addr, v->torn);
	print_labels("    %s: ");
	print_text_row("Name", TEXT(sw->id));
	print_text_row("Friendly Name", TEXT(sw->obj.friendly_name));
	print_extra("switch", "%s", TEXT(sw->obj.name).s);
	print_row("RefCount", "%u", sw->obj.refs);
	print_extra("n_vports", "%u", sw->n_ports);
	print_section_line("Extensibility", "\n    Extensibility");
	print_states(sh, sw);
	print_row("DeviceId", "{%s}", TEXT(sw->device_id).s);
	print_link("Miniport", tgt_ptr(sw->miniport), "ndiskd.miniport");
	print_link("Protocol Open", tgt_ptr(sw->mopen), "ndiskd.mopen");
	print_row("IovPreferred", "%u", sw->iov_preferred);
	print_ports(sh, v);
	free(v);
	return 0;
}

static void print_states(struct shell *sh, const struct vswitch *sw)
{
	struct miniport miniport;
	struct mopen mopen;
	struct why why;

	if (walk_object(sh, tgt_ptr(sw->mopen), OBJECT_MOPEN, &mopen, &why) < 0)
		walk_trouble(sh, "    ProtocolState: ", "MOPEN", tgt_ptr(sw->mopen), &why);
	else
		print_values("ProtocolState", "number name", "%u (%s)", mopen.state,
			     name_protocol_state(mopen.state));
	if (walk_object(sh, tgt_ptr(sw->miniport), OBJECT_MINIPORT, &miniport, &why) < 0)
		walk_trouble(sh, "    MiniportState: ", "MINIPORT", tgt_ptr(sw->miniport), &why);
	else
		print_values("MiniportState", "number name", "%u (%s)", miniport.state,
			     name_miniport_state(miniport.state));
}

static void print_ports(struct shell *sh, const struct walk_vswitch *v)
{
	struct vport port;
	struct why why;

	print_section_line("vPort List", "\n    vPort List: Count (%u)", v->sw.n_ports);
	PRINT_TABLE("    ", port_columns);
	for (uint32_t i = 0; i < v->n_ports; i++) {
		int err = walk_object(sh, v->ports[i], OBJECT_VPORT, &port, &why);

		if (err < 0) {
			walk_trouble(sh, "    ", "VPORT", v->ports[i], &why);
			continue;
		}
		print_cell("VPORT");
		print_cell_addr(v->ports[i]);
		print_cell_fmt("0x%04x", port.id);
		print_cell(name_vport_type(port.type));
		print_cell_flag(port.is_validation);
		print_cell(name_monitor_mode(port.monitor_mode));
		print_cell_text(TEXT(port.obj.friendly_name));
		print_row_end(err == WALK_TORN);
	}
	if (v->n_ports == 0 && v->sw.n_ports == 0)
		print_none();
	else if (v->n_ports == 0)
		print_plain("    [Unreadable]\n");
}

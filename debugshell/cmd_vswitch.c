/*
 * vswitch: the list of switches, and one switch with its ports. Every byte of the forms here
 * is that of nvkd, also where a row does not stand under its header.
 */
#include <stdio.h>
#include <stdlib.h>

#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

static int vswitch_list(struct shell *sh);
static int vswitch_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_states(struct shell *sh, const struct vswitch *sw);
static void print_ports(struct shell *sh, const struct walk_vswitch *v);

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

	printf("\n%-12s%-20s%-12s%s\n", "Type", "Address", "Flags", "FriendlyName");
	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);
		int err = walk_object(sh, addr, OBJECT_VSWITCH, &sw, &why);

		if (err < 0)
			walk_trouble(sh, "", "VSWITCH", addr, &why);
		else
			printf("VSWITCH %016lx (%s) %s\n", addr.v, err == WALK_TORN ? "~" : "",
			       TEXT(sw.obj.friendly_name).s);
	}
	if (walk_n_vswitches(sh) == 0)
		printf("[None]\n");
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
	printf("    Name: %s\n", TEXT(sw->id).s);
	printf("    Friendly Name: %s\n", TEXT(sw->obj.friendly_name).s);
	printf("    RefCount: %u\n", sw->obj.refs);
	printf("\n    Extensibility\n");
	print_states(sh, sw);
	printf("    DeviceId: {%s}\n", TEXT(sw->device_id).s);
	printf("    Miniport: %016lx   !ndiskd.miniport %016lx\n", tgt_ptr(sw->miniport).v,
	       tgt_ptr(sw->miniport).v);
	printf("    Protocol Open: %016lx   !ndiskd.mopen %016lx\n", tgt_ptr(sw->mopen).v,
	       tgt_ptr(sw->mopen).v);
	printf("    IovPreferred: %u\n", sw->iov_preferred);
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
		printf("    ProtocolState: %u (%s)\n", mopen.state,
		       name_protocol_state(mopen.state));
	if (walk_object(sh, tgt_ptr(sw->miniport), OBJECT_MINIPORT, &miniport, &why) < 0)
		walk_trouble(sh, "    MiniportState: ", "MINIPORT", tgt_ptr(sw->miniport), &why);
	else
		printf("    MiniportState: %u (%s)\n", miniport.state,
		       name_miniport_state(miniport.state));
}

static void print_ports(struct shell *sh, const struct walk_vswitch *v)
{
	struct vport port;
	struct why why;
	char id[16];

	printf("\n    vPort List: Count (%u)\n", v->sw.n_ports);
	printf("    %-7s%-18s%-8s%-10s%-14s%-13s%s\n", "Type", "Address", "Id", "Type",
	       "IsValidation", "MonitorMode", "FriendlyName");
	for (uint32_t i = 0; i < v->n_ports; i++) {
		int err = walk_object(sh, v->ports[i], OBJECT_VPORT, &port, &why);

		if (err < 0) {
			walk_trouble(sh, "    ", "VPORT", v->ports[i], &why);
			continue;
		}
		snprintf(id, sizeof(id), "0x%04x", port.id);
		printf("    %-7s%016lx  %-8s%-10s%-14s%-13s%s%s\n", "VPORT", v->ports[i].v, id,
		       name_vport_type(port.type), port.is_validation ? "Y" : "N",
		       name_monitor_mode(port.monitor_mode), TEXT(port.obj.friendly_name).s,
		       err == WALK_TORN ? " ~" : "");
	}
	if (v->n_ports == 0)
		printf("    %s\n", v->sw.n_ports == 0 ? "[None]" : "[Unreadable]");
}

#include <stdio.h>
#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/cmd_vnic.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "ports/vnic_types.h"

static int vnic_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int vnic_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_state(const struct type_map *map, const struct vnic *nic);
static void print_queues(const struct vnic *nic);
static struct text queue_proc(unsigned proc);

int cmd_vnic(struct shell *sh, int argc, char **argv, struct why *why)
{
	unsigned rows = 0;
	tgt_addr addr;
	int err;

	if (argc > 1) {
		err = walk_find(sh, OBJECT_VNIC, argv[1], &addr, why);
		return err != 0 ? err : vnic_detail(sh, addr, why);
	}
	printf("\n%-6s%-18s%-8s%-14s%-19s%-18s%-24s%s\n", "Type", "Address", "Kind", "State", "MAC",
	       "vPort", "Name", "Path");
	walk_ports(sh, vnic_row, &rows);
	if (rows == 0)
		printf("[None]\n");
	return 0;
}

static int vnic_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	unsigned *rows = arg;
	struct vport port;
	struct vnic nic;
	struct why why;
	int err;

	// A damaged port is told where ports are listed; here it has no NIC to show.
	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0) {
		walk_trouble(sh, "", "VPORT", addr, &why);
		return 0;
	}
	if (port.nic == NULL)
		return 0;
	(*rows)++;
	err = walk_object(sh, tgt_ptr(port.nic), OBJECT_VNIC, &nic, &why);
	if (err < 0) {
		walk_trouble(sh, "", "VNIC", tgt_ptr(port.nic), &why);
		return 0;
	}
	printf("%-6s%016lx  %-8s%-14s%-19s%016lx  %-24s%s%s\n", "VNIC", tgt_ptr(port.nic).v,
	       name_vnic_kind(nic.kind), name_vnic_state(nic.state),
	       nic.mac_set ? print_mac(nic.mac).s : "[None]", addr.v, TEXT(nic.obj.name).s,
	       TEXT(nic.path).s, err == WALK_TORN ? " ~" : "");
	return 0;
}

static int vnic_detail(struct shell *sh, tgt_addr addr, struct why *why)
{
	const struct type_map *map;
	struct vnic nic;
	int err = walk_object(sh, addr, OBJECT_VNIC, &nic, why);
	int torn = err;

	if (err >= 0)
		err = shell_map(sh, "vnic", sizeof(nic), &map, why);
	if (err < 0)
		return err;
	print_title("VNIC", addr, torn == WALK_TORN);
	print_text_row("Name", TEXT(nic.obj.name));
	print_text_row("Connected to", TEXT(nic.obj.friendly_name));
	print_state(map, &nic);
	print_section("BINDINGS");
	print_link("vPort", tgt_ptr(nic.port), "nvkd.vport");
	print_queues(&nic);
	cmd_vnic_print_kind(sh, addr, nic.kind);
	return 0;
}

static void print_state(const struct type_map *map, const struct vnic *nic)
{
	print_section("STATE");
	PRINT_FIELD(map, "kind", "Kind", "%u (%s)", nic->kind, name_vnic_kind(nic->kind));
	PRINT_FIELD(map, "state", "State", "%u (%s)", nic->state, name_vnic_state(nic->state));
	PRINT_FIELD(map, "since_s", "Since", "%s", print_wall_clock(nic->since_s).s);
	if (type_has(map, "why"))
		print_text_row("Why not connected", TEXT(nic->why));
	PRINT_FIELD(map, "last_error", "Last error", "%u (%s)", nic->last_error,
		    nic->last_error != 0 ? strerror((int)nic->last_error) : "none");
	PRINT_FIELD(map, "retries", "Retries", "%u", nic->retries);
	PRINT_FIELD(map, "nic_index", "NicIndex", "%u", nic->nic_index);
	PRINT_FIELD(map, "mac", "MAC", "%s", nic->mac_set ? print_mac(nic->mac).s : "[None]");
	PRINT_FIELD(map, "mtu", "MTU", "%u", nic->mtu);
	if (nic->ifindex != 0)
		PRINT_FIELD(map, "ifindex", "Interface index", "%d", nic->ifindex);
	print_text_row("Path", TEXT(nic->path));
}

static void print_queues(const struct vnic *nic)
{
	unsigned n = nic->n_queues < VNIC_QUEUES_MAX ? nic->n_queues : VNIC_QUEUES_MAX;

	print_section("RECEIVE QUEUES");
	printf("    %-7s%-8s%-7s%s\n", "Queue", "Proc", "Armed", "Bursts");
	for (unsigned i = 0; i < n; i++)
		printf("    %-7u%-8s%-7s%lu\n", i, queue_proc(nic->rxq[i].proc).s,
		       nic->rxq[i].armed ? "Y" : "N", nic->rxq[i].bursts);
	if (n == 0)
		printf("    [None]\n");

	print_section("SEND QUEUES");
	printf("    %-7s%-10s%s\n", "Queue", "Held by", "Notifications");
	for (unsigned i = 0; i < n; i++) {
		uint32_t lock = nic->txq[i].lock;

		printf("    %-7u%-10s%lu\n", i, queue_proc(lock == 0 ? VNIC_PROC_NONE : lock - 1).s,
		       nic->txq[i].notifications);
	}
	if (n == 0)
		printf("    [None]\n");
}

static struct text queue_proc(unsigned proc)
{
	struct text text;

	if (proc == VNIC_PROC_NONE)
		snprintf(text.s, sizeof(text.s), "[None]");
	else
		snprintf(text.s, sizeof(text.s), "%u", proc);
	return text;
}

#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/cmd_vnic.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "ports/vnic_types.h"

static int vnic_row(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int vnic_detail(struct shell *sh, tgt_addr addr, struct why *why);
static void print_state(const struct type_map *map, const struct vnic *nic);
static void print_queues(const struct type_map *map, const struct vnic *nic);
static void print_send_queues(const struct type_map *map, const struct vnic *nic, unsigned n);
static void print_queue_proc(unsigned proc);
static void print_more(struct shell *sh, const struct vnic *nic, tgt_addr addr);

static const struct print_column list_columns[] = {
	{"Type", 6}, {"Address", 18}, {"Kind", 8},  {"State", 14},
	{"MAC", 19}, {"vPort", 18},   {"Name", 24}, {"Path"},
};

static const struct print_column receive_columns[] = {
	{"Queue", 7},
	{"Proc", 8},
	{"Armed", 7},
	{"Bursts"},
};

static const struct print_column send_columns[] = {
	{"Queue", 7}, {"Held by", 10}, {"Used", 7}, {"Bursts", 20}, {"Notifications"},
};

int cmd_vnic(struct shell *sh, int argc, char **argv, struct why *why)
{
	unsigned rows = 0;
	tgt_addr addr;
	int err;

	if (argc > 1) {
		err = walk_find(sh, OBJECT_VNIC, argv[1], &addr, why);
		return err != 0 ? err : vnic_detail(sh, addr, why);
	}
	PRINT_TABLE("", list_columns);
	walk_ports(sh, vnic_row, &rows);
	if (rows == 0)
		print_none();
	return 0;
}

void cmd_vnic_print_pinned(const struct vnic_rxq *rxq)
{
	if (rxq->pinned == 0)
		print_cell("[None]");
	else
		print_cell_fmt("%u", rxq->pinned - 1);
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
	print_cell("VNIC");
	print_cell_addr(tgt_ptr(port.nic));
	print_cell(name_vnic_kind(nic.kind));
	print_cell(name_vnic_state(nic.state));
	print_cell(nic.mac_set ? print_mac(nic.mac).s : "[None]");
	print_cell_addr(addr);
	print_cell_text(TEXT(nic.obj.name));
	if (nic.path[0] != '\0')
		print_cell_text(TEXT(nic.path));
	else
		print_cell_absent("");
	print_row_end(err == WALK_TORN);
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
	print_queues(map, &nic);
	cmd_vnic_print_kind(sh, addr, nic.kind);
	print_more(sh, &nic, addr);
	return 0;
}

static void print_state(const struct type_map *map, const struct vnic *nic)
{
	print_section("STATE");
	PRINT_FIELD_VALUES(map, "kind", "Kind", "number name", "%u (%s)", nic->kind,
			   name_vnic_kind(nic->kind));
	PRINT_FIELD_VALUES(map, "state", "State", "number name", "%u (%s)", nic->state,
			   name_vnic_state(nic->state));
	PRINT_FIELD(map, "since_s", "Since", "%s", print_wall_clock(nic->since_s).s);
	if (type_has(map, "since_s") && nic->since_s != 0)
		print_extra("since_unix_s", "%ld", nic->since_s);
	if (type_has(map, "why"))
		print_text_row(nic->state == VNIC_STATE_CONNECTED || print_is_json()
				       ? "What is wrong"
				       : "Why not connected",
			       TEXT(nic->why));
	PRINT_FIELD_VALUES(map, "last_error", "Last error", "number text", "%u (%s)",
			   nic->last_error,
			   nic->last_error != 0 ? strerror((int)nic->last_error) : "none");
	PRINT_FIELD(map, "retries", "Retries", "%u", nic->retries);
	PRINT_FIELD(map, "nic_index", "NicIndex", "%u", nic->nic_index);
	PRINT_FIELD(map, "mac", "MAC", "%s", nic->mac_set ? print_mac(nic->mac).s : "[None]");
	PRINT_FIELD(map, "mtu", "MTU", "%u", nic->mtu);
	if (nic->ifindex != 0)
		PRINT_FIELD(map, "ifindex", "Interface index", "%d", nic->ifindex);
	print_text_row("Path", TEXT(nic->path));
}

static void print_queues(const struct type_map *map, const struct vnic *nic)
{
	unsigned n = nic->n_queues < VNIC_QUEUES_MAX ? nic->n_queues : VNIC_QUEUES_MAX;

	print_section("RECEIVE QUEUES");
	PRINT_TABLE("    ", receive_columns);
	for (unsigned i = 0; i < n; i++) {
		print_cell_fmt("%u", i);
		print_queue_proc(nic->rxq[i].proc);
		print_cell_flag(nic->rxq[i].armed);
		print_cell_fmt("%lu", nic->rxq[i].bursts);
		print_row_end(false);
	}
	if (n == 0)
		print_none();
	print_send_queues(map, nic, n);
}

// A queue is used when frames are spread over it: the guest has switched it on.
static void print_send_queues(const struct type_map *map, const struct vnic *nic, unsigned n)
{
	print_section("SEND QUEUES");
	PRINT_TABLE("    ", send_columns);
	for (unsigned i = 0; i < n; i++) {
		uint32_t lock = nic->txq[i].lock;

		print_cell_fmt("%u", i);
		print_queue_proc(lock == 0 ? VNIC_PROC_NONE : lock - 1);
		if (type_has(map, "rss"))
			print_cell_flag(nic->rss.queues >> i & 1);
		else
			print_cell_absent("[Missing]");
		print_cell_fmt("%lu", nic->txq[i].bursts);
		print_cell_fmt("%lu", nic->txq[i].notifications);
		print_row_end(false);
	}
	if (n == 0)
		print_none();
}

static void print_queue_proc(unsigned proc)
{
	if (proc == VNIC_PROC_NONE)
		print_cell("[None]");
	else
		print_cell_fmt("%u", proc);
}

static void print_more(struct shell *sh, const struct vnic *nic, tgt_addr addr)
{
	tgt_addr holder;

	print_section("MORE INFORMATION");
	if (nic->kind == VNIC_VHOST)
		print_link("Rings", addr, "nvkd.ring");
	print_link("Drops", tgt_ptr(nic->port), "drops");
	print_link("Stations", tgt_ptr(nic->port), "fdb");
	for (unsigned i = 0; i < nic->n_queues && i < VNIC_QUEUES_MAX; i++) {
		uint32_t lock = nic->txq[i].lock;

		if (lock != 0 && walk_proc(sh, lock - 1, &holder))
			print_link("Held by", holder, "where");
	}
}

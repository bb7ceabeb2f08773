#include "debugshell/vnbl_dest.h"

#include <errno.h>

#include "debugshell/vport_policy.h"
#include "debugshell/walk.h"
#include "ports/vnic_types.h"
#include "switch/policy_types.h"

// The ports of the frame's switch, in the order in which they have their turns.
struct ports {
	const struct vnbl_dest *d;
	tgt_addr vswitch;
	uint16_t src_slot;
	unsigned n;     // that it goes to
	bool has_turn;  // one of all has it, or had it last
	bool is_behind; // what is looked at comes behind that one
	bool is_known;  // the frame's port could be read, or it goes nowhere
	struct why why; // not
	tgt_addr last;  // that it goes to
	struct text last_name;
};

static const struct print_column columns[] = {
	{"PortId", 8},
	{"NicIndex", 13},
	{"IsExcluded", 12},
	{"PreserveVLAN", 14, "preserve_vlan"},
	{"PreservePriority", 18},
	{"vPort", 18},
	{"State", 14},
	{"Name"},
};

static bool goes_nowhere(const struct vnbl_dest *d);
static uint16_t slot_of(const struct vnbl_dest *d);
static void find_ports(struct shell *sh, const struct vnbl_dest *d, struct ports *ports);
static int find_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static bool read_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr,
		      const struct ports *ports, struct vport *port);
static bool is_one(const struct ports *ports, const struct vport *port);
static int print_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_row_of(struct shell *sh, tgt_addr addr, const struct vport *port);
static void print_nic_index(struct shell *sh, tgt_addr addr);
static void print_kept(struct shell *sh, tgt_addr addr, const struct vport *port);
static void print_kept_cell(bool is_known, uint8_t is);
static void print_state(const struct ports *ports, bool has_turn);

struct vnbl_dest vnbl_dest_of(struct shell *sh, const struct proc *proc)
{
	const struct type_map *map;
	struct why why;

	return (struct vnbl_dest){
		.flooded_to = proc->burst.flooded_to,
		.knows_flooded = shell_map(sh, "proc", sizeof(*proc), &map, &why) == 0 &&
				 type_has(map, "burst.flooded_to"),
		.stage = proc->stage,
	};
}

// The lookup sets it; before, what stands there is of an older frame.
struct text vnbl_dest_short(const struct vnbl_dest *d)
{
	struct text text = {.s = ""};

	if (d->stage <= PROC_STAGE_LOOKUP)
		print_append(&text, "[Not yet]");
	else if (d->dst_slot == VNBL_DST_FLOOD)
		print_append(&text, "flood");
	else if (goes_nowhere(d))
		print_append(&text, "[None]");
	else
		print_append(&text, "%sslot %u", d->dst_slot & VNBL_DST_HANDED ? "at " : "",
			     slot_of(d));
	return text;
}

void vnbl_dest_print(struct shell *sh, const struct vnbl_dest *d)
{
	struct text text = vnbl_dest_short(d);
	struct ports ports;

	find_ports(sh, d, &ports);
	if (ports.is_known)
		print_row("NumDestinations", "%u", ports.n);
	else
		print_absent("NumDestinations", "[Not known]");
	if (text.s[0] == '[')
		print_absent("Destination", text.s);
	else if (d->dst_slot == VNBL_DST_FLOOD)
		print_row("Destination", "%s", text.s);
	else if (ports.n > 0)
		print_values("Destination", "slot vport - name -",
			     "slot %u: %016lx   !nvkd.vport %016lx (%s)%s", slot_of(d),
			     ports.last.v, ports.last.v, ports.last_name.s,
			     d->dst_slot & VNBL_DST_HANDED ? ", handed to it" : "");
	else if (!ports.is_known)
		print_values("Destination", "slot -", "slot %u%s", slot_of(d),
			     d->dst_slot & VNBL_DST_HANDED ? ", handed to it" : "");
	else
		print_values("Destination", "slot", "slot %u, which has no port", slot_of(d));
}

void vnbl_dest_print_all(struct shell *sh, const struct vnbl_dest *d)
{
	struct ports ports;

	find_ports(sh, d, &ports);
	print_section("DESTINATIONS");
	PRINT_TABLE("    ", columns);
	// Of a switch that runs, the frame may just be written anew.
	if (!ports.is_known && d->src_port.v == 0)
		print_note("    ", "It has no port that it came from, so its switch is not known");
	else if (!ports.is_known)
		walk_trouble(sh, "    ", "VPORT", d->src_port, &ports.why);
	else if (ports.n > 0)
		walk_ports(sh, print_port, &ports);
	else
		print_none();
}

static bool goes_nowhere(const struct vnbl_dest *d)
{
	return d->stage <= PROC_STAGE_LOOKUP || d->dst_slot == VNBL_DST_NONE;
}

static uint16_t slot_of(const struct vnbl_dest *d)
{
	return d->dst_slot & (uint16_t)~VNBL_DST_HANDED;
}

// By the port that it came from, for a slot is one of its switch.
static void find_ports(struct shell *sh, const struct vnbl_dest *d, struct ports *ports)
{
	struct vport source;

	*ports = (struct ports){.d = d, .is_known = goes_nowhere(d)};
	if (ports->is_known)
		return;
	ports->is_known = walk_object(sh, d->src_port, OBJECT_VPORT, &source, &ports->why) >= 0;
	if (!ports->is_known)
		return;
	ports->vswitch = tgt_ptr(source.vswitch);
	ports->src_slot = source.slot;
	walk_ports(sh, find_port, ports);
}

static int find_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct ports *ports = arg;
	struct vport port;

	if (!read_port(sh, v, addr, ports, &port))
		return 0;
	ports->has_turn |= port.slot + 1U == ports->d->flooded_to;
	if (!is_one(ports, &port))
		return 0;
	ports->n++;
	ports->last = addr;
	ports->last_name = TEXT(port.obj.name);
	return 0;
}

static bool read_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr,
		      const struct ports *ports, struct vport *port)
{
	struct why why;

	return v->addr.v == ports->vswitch.v &&
	       walk_object(sh, addr, OBJECT_VPORT, port, &why) >= 0;
}

static bool is_one(const struct ports *ports, const struct vport *port)
{
	if (ports->d->dst_slot == VNBL_DST_FLOOD)
		return port->nic != NULL && port->slot != ports->src_slot;
	return port->slot == slot_of(ports->d);
}

static int print_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct ports *ports = arg;
	struct vport port;
	bool has_turn;

	if (!read_port(sh, v, addr, ports, &port))
		return 0;
	has_turn = port.slot + 1U == ports->d->flooded_to;
	if (is_one(ports, &port)) {
		print_row_of(sh, addr, &port);
		print_state(ports, has_turn);
		print_cell_text(TEXT(port.obj.name));
		print_row_end(false);
	}
	ports->is_behind |= has_turn;
	return 0;
}

// All cells before the state.
static void print_row_of(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	print_cell_fmt("0x%04x", port->id);
	print_nic_index(sh, addr);
	print_cell_absent("[Not kept]");
	print_kept(sh, addr, port);
	print_cell_addr(addr);
}

static void print_nic_index(struct shell *sh, tgt_addr addr)
{
	struct vnic nic;
	tgt_addr at;

	if (walk_port_nic(sh, addr, &at, &nic))
		print_cell_fmt("%u", nic.nic_index);
	else
		print_cell_absent("[Not known]");
}

// Two cells: whether the port gets tags, and their priority.
static void print_kept(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	tgt_addr at = tgt_ptr(port->policy);
	struct policy policy = {.divides = 0};
	const struct type_map *map;
	struct why why;
	bool is_known = vport_policy_read(sh, addr, &at, &policy, &why) == 0;

	if (at.v != 0) {
		is_known = is_known && shell_map(sh, "policy", sizeof(policy), &map, &why) == 0;
		print_kept_cell(is_known && type_has(map, "vlan.takes_tags"),
				policy.vlan.takes_tags);
		print_kept_cell(is_known && type_has(map, "vlan.keeps_priority"),
				policy.vlan.keeps_priority);
		return;
	}
	is_known = is_known && shell_map(sh, "vport", sizeof(*port), &map, &why) == 0 &&
		   type_has(map, "is_wire");
	print_kept_cell(is_known, port->is_wire);
	print_kept_cell(is_known, port->is_wire);
}

static void print_kept_cell(bool is_known, uint8_t is)
{
	if (is_known)
		print_cell_flag(is != 0);
	else
		print_cell_absent("[Not known]");
}

// A burst in which some are floods goes from port to port as a whole.
static void print_state(const struct ports *ports, bool has_turn)
{
	const struct vnbl_dest *d = ports->d;

	if (d->dst_slot != VNBL_DST_FLOOD && d->dst_slot & VNBL_DST_HANDED)
		print_cell("handed to it");
	else if (!d->knows_flooded || (d->flooded_to != 0 && !ports->has_turn))
		print_cell_absent("[Not known]");
	else if (d->flooded_to == 0 || ports->is_behind)
		print_cell("to come");
	else
		print_cell(has_turn && d->stage == PROC_STAGE_EGRESS ? "has its turn"
								     : "had its turn");
}

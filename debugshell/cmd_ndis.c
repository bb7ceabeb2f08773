/*
 * miniport and mopen: the two edges of a vswitch, under the names that ndiskd has for them.
 */
#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

static int find_edge(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret,
		     struct why *why);
static void ndis_list(struct shell *sh, enum object_type type);
static void ndis_list_row(struct shell *sh, enum object_type type, const struct vswitch *sw,
			  tgt_addr addr);

static const struct print_column miniport_columns[] = {
	{"Miniport", 18, "address"},
	{"State", 30},
	{"vSwitch", 18},
	{"FriendlyName"},
};

static const struct print_column mopen_columns[] = {
	{"Open", 18, "address"},
	{"State", 30},
	{"vSwitch", 18},
	{"FriendlyName"},
};

int cmd_miniport(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct miniport miniport;
	tgt_addr addr;
	int err;

	if (argc == 1) {
		ndis_list(sh, OBJECT_MINIPORT);
		return 0;
	}
	err = find_edge(sh, OBJECT_MINIPORT, argv[1], &addr, why);
	if (err == 0)
		err = walk_object(sh, addr, OBJECT_MINIPORT, &miniport, why);
	if (err < 0)
		return err;
	print_title("MINIPORT", addr, err == WALK_TORN);
	print_text_row("Name", TEXT(miniport.obj.name));
	print_section("STATE");
	print_values("Miniport", "number name", "%u (%s)", miniport.state,
		     name_miniport_state(miniport.state));
	print_row("References", "%u", miniport.obj.refs);
	print_section("BINDINGS");
	print_link("vSwitch", tgt_ptr(miniport.vswitch), "nvkd.vswitch");
	return 0;
}

int cmd_mopen(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct mopen mopen;
	tgt_addr addr;
	int err;

	if (argc == 1) {
		ndis_list(sh, OBJECT_MOPEN);
		return 0;
	}
	err = find_edge(sh, OBJECT_MOPEN, argv[1], &addr, why);
	if (err == 0)
		err = walk_object(sh, addr, OBJECT_MOPEN, &mopen, why);
	if (err < 0)
		return err;
	print_title("MOPEN", addr, err == WALK_TORN);
	print_text_row("Name", TEXT(mopen.obj.name));
	print_section("STATE");
	print_values("Protocol", "number name", "%u (%s)", mopen.state,
		     name_protocol_state(mopen.state));
	print_row("References", "%u", mopen.obj.refs);
	print_section("BINDINGS");
	print_link("vSwitch", tgt_ptr(mopen.vswitch), "nvkd.vswitch");
	print_link("Miniport", tgt_ptr(mopen.miniport), "ndiskd.miniport");
	return 0;
}

// By its address, or by its switch.
static int find_edge(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret,
		     struct why *why)
{
	struct vswitch sw;
	struct why ignored;
	int err = walk_find(sh, OBJECT_VSWITCH, word, ret, why);

	if (err == 0 && walk_object(sh, *ret, OBJECT_VSWITCH, &sw, &ignored) >= 0)
		*ret = type == OBJECT_MINIPORT ? tgt_ptr(sw.miniport) : tgt_ptr(sw.mopen);
	return err;
}

static void ndis_list(struct shell *sh, enum object_type type)
{
	struct vswitch sw;
	struct why why;

	if (type == OBJECT_MINIPORT)
		PRINT_TABLE("", miniport_columns);
	else
		PRINT_TABLE("", mopen_columns);
	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);

		if (walk_object(sh, addr, OBJECT_VSWITCH, &sw, &why) < 0)
			walk_trouble(sh, "", "VSWITCH", addr, &why);
		else
			ndis_list_row(sh, type, &sw, addr);
	}
	if (walk_n_vswitches(sh) == 0)
		print_none();
}

static void ndis_list_row(struct shell *sh, enum object_type type, const struct vswitch *sw,
			  tgt_addr addr)
{
	bool is_miniport = type == OBJECT_MINIPORT;
	const char *word = is_miniport ? "MINIPORT" : "MOPEN";
	tgt_addr edge = is_miniport ? tgt_ptr(sw->miniport) : tgt_ptr(sw->mopen);
	const char *state;
	union {
		struct miniport miniport;
		struct mopen mopen;
	} u;
	struct why why;

	if (walk_object(sh, edge, type, &u, &why) < 0) {
		walk_trouble(sh, "", word, edge, &why);
		return;
	}
	state = is_miniport ? name_miniport_state(u.miniport.state)
			    : name_protocol_state(u.mopen.state);
	print_cell_addr(edge);
	print_extra("type", "%s", word);
	print_cell(state);
	print_cell_addr(addr);
	print_cell_text(TEXT(sw->obj.friendly_name));
	print_row_end(false);
}

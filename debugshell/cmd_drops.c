#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/vnbl_drops.h"
#include "debugshell/walk.h"

// Which ports to show: all, those of one switch, one.
struct drops_choice {
	tgt_addr vswitch;
	unsigned rows;
};

static int drops_find(struct shell *sh, const char *word, enum object_type *x_type,
		      tgt_addr *x_addr, struct why *why);
static int drops_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int drops_show(struct shell *sh, tgt_addr addr, bool also_none, struct why *why);
static void print_last(struct shell *sh, tgt_addr addr, const struct vport *port);

static const struct print_column columns[] = {
	{"Direction", 11},
	{"Frames", 14},
	{"Reason", 28},
	{"Meaning"},
};

int cmd_drops(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct drops_choice choice = {.rows = 0};
	enum object_type type;
	tgt_addr addr;
	int err;

	if (argc > 1) {
		err = drops_find(sh, argv[1], &type, &addr, why);
		if (err != 0)
			return err;
		if (type == OBJECT_VPORT) {
			err = drops_show(sh, addr, true, why);
			return err < 0 ? err : 0;
		}
		choice.vswitch = addr;
	}
	walk_ports(sh, drops_port, &choice);
	if (choice.rows == 0)
		print_none();
	return 0;
}

unsigned cmd_drops_print(const struct vport_stats *sum, const char *indent)
{
	static const char *const directions[] = {[DROP_IN] = "In", [DROP_OUT] = "Out"};
	unsigned rows = 0;

	for (unsigned d = 0; d < DROP_DIRECTIONS; d++) {
		for (unsigned r = 0; r < DROP_COUNT; r++) {
			if (sum->drops[d][r] == 0)
				continue;
			if (rows++ == 0)
				PRINT_TABLE(indent, columns);
			print_cell(directions[d]);
			print_cell_fmt("%lu", sum->drops[d][r]);
			print_cell(name_drop(r));
			print_cell(name_drop_text(r));
			print_row_end(false);
		}
	}
	return rows;
}

static int drops_find(struct shell *sh, const char *word, enum object_type *x_type,
		      tgt_addr *x_addr, struct why *why)
{
	int err;

	if (walk_find_either(sh, OBJECT_VPORT, OBJECT_VSWITCH, word, x_addr) != 0)
		return why_set(why, -ENOENT,
			       "there is no vport or vswitch '%.100s'; vport and vswitch list them",
			       print_text(word, strlen(word)).s);
	err = walk_type(sh, *x_addr, x_type, why);
	if (err == 0 && *x_type != OBJECT_VPORT && *x_type != OBJECT_VSWITCH)
		return why_set(why, -EINVAL, "%016lx is a %s; drops belong to a vport or a vswitch",
			       x_addr->v, name_object_type(*x_type));
	return err;
}

static int drops_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct drops_choice *choice = arg;
	struct why why;
	int rows;

	if (choice->vswitch.v != 0 && choice->vswitch.v != v->addr.v)
		return 0;
	rows = drops_show(sh, addr, false, &why);
	if (rows < 0)
		walk_trouble(sh, "", "VPORT", addr, &why);
	choice->rows += rows != 0;
	return 0;
}

// One port; gives the number of rows. Without drops it is shown only when 'also_none'.
static int drops_show(struct shell *sh, tgt_addr addr, bool also_none, struct why *why)
{
	struct vport_stats sum;
	struct vport port;
	uint64_t frames = 0;
	unsigned rows;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, why);

	if (err >= 0)
		err = walk_stats(sh, &port, &sum, why);
	if (err < 0)
		return err;
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		for (unsigned r = 0; r < DROP_COUNT; r++)
			frames += sum.drops[d][r];
	if (frames == 0 && !also_none)
		return 0;
	print_title_name("VPORT", addr, TEXT(port.obj.name));
	if (print_is_json())
		print_section("DROPS"); // as vport has them
	if (frames == 0) {
		print_none();
		return 0;
	}
	rows = cmd_drops_print(&sum, "    ");
	print_blank();
	print_last(sh, addr, &port);
	return (int)rows;
}

// Where the frames are, of which not all are kept.
static void print_last(struct shell *sh, tgt_addr addr, const struct vport *port)
{
	const struct vnbl_port at = {.at = addr, .serial = port->serial, .id = port->id};

	if (vnbl_drops_count(sh, &at) > 0) {
		print_link("Last of them", addr, "nvkd.vnbl");
		return;
	}
	print_absent("Last of them", "[Not kept]");
	print_note("    ", "A proc keeps the last frames that it dropped; floods to a port that "
			   "takes none are counted only");
}

/*
 * vnbl: frames in flight, and those that were dropped last: the forwarding context of one, and its
 * headers in words.
 *
 * It is the one command that reads what tenants send: the safe bytes, the switch's own copy.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/vnbl_dest.h"
#include "debugshell/vnbl_drops.h"
#include "debugshell/vnbl_print.h"
#include "debugshell/walk.h"
#include "ports/drops.h"
#include "switch/proc_types.h"

enum { FRAMES_MAX = 1024 }; // of a burst, whatever the build

// A frame, and whose it is.
struct frame {
	tgt_addr addr;
	tgt_addr proc;
	unsigned number; // in the burst
	unsigned stage;  // of the proc
	uint64_t bursts; // of the proc, so far
	bool is_held;    // the proc has it in its hands
	bool is_torn;    // the proc went on while it was read
	struct vnbl vnbl;
	struct vnbl_dest dest;
	struct vnbl_bytes bytes; // the safe ones
};

static const struct print_column columns[] = {
	{"Type", 6}, {"Address", 18}, {"Proc", 6},         {"Size", 9},
	{"Safe", 6}, {"vPort", 18},   {"Destination", 13}, {"Headers"},
};

static int find(struct shell *sh, const char *word, tgt_addr *ret, struct why *why);
static int show(struct shell *sh, tgt_addr addr, bool hex, struct why *why);
static int list_of(struct shell *sh, tgt_addr addr, bool hex, struct why *why);
static int refuse_hex(struct why *why);
static void vnbl_list(struct shell *sh, const struct vnbl_choice *choice);
static bool is_at_work(unsigned stage);
static unsigned list_burst(struct shell *sh, tgt_addr addr, const struct proc *proc,
			   const struct vnbl_choice *choice);
static void list_row(unsigned proc, const struct frame *f);
static unsigned burst_max(struct shell *sh);
static int frame_at(struct shell *sh, tgt_addr proc, unsigned i, tgt_addr *ret, struct why *why);
static int frame_find(struct shell *sh, tgt_addr addr, struct frame *f);
static int frame_read(struct shell *sh, struct frame *f, struct why *why);
static bool has_gone_on(struct shell *sh, const struct frame *f);
static void vnbl_detail(struct shell *sh, const struct frame *f, bool hex);
static void print_context(struct shell *sh, const struct frame *f);
static void print_data(const struct vnbl *v);

int cmd_vnbl(struct shell *sh, int argc, char **argv, struct why *why)
{
	bool hex = argc > 1 && strcmp(argv[1], "-x") == 0;
	const char *word = argc > 1 + hex ? argv[1 + hex] : NULL;
	const struct vnbl_choice all = {.proc = {0}};
	tgt_addr addr;
	int err;

	if (argc > 2 + hex)
		return why_set(why, -EINVAL,
			       "vnbl takes one argument at most: vnbl [-x] [VNBL | PROC | VPORT]");
	if (hex && word == NULL)
		return refuse_hex(why);
	if (word == NULL) {
		vnbl_list(sh, &all);
		return 0;
	}
	err = find(sh, word, &addr, why);
	return err != 0 ? err : show(sh, addr, hex, why);
}

bool cmd_vnbl_knows(struct shell *sh, tgt_addr addr)
{
	struct frame *f = aligned_alloc(64, sizeof(*f));
	bool knows = f != NULL && frame_find(sh, addr, f) == 0;

	free(f);
	return knows || vnbl_drops_knows(sh, addr);
}

// An address, a proc, or else a port.
static int find(struct shell *sh, const char *word, tgt_addr *ret, struct why *why)
{
	if (walk_find_either(sh, OBJECT_PROC, OBJECT_VPORT, word, ret) == 0)
		return 0;
	return why_set(why, -ENOENT, "there is no proc or vport '%.100s'; proc and vport list them",
		       print_text(word, strlen(word)).s);
}

static int show(struct shell *sh, tgt_addr addr, bool hex, struct why *why)
{
	struct frame *f = aligned_alloc(64, sizeof(*f));
	int err = 0;

	if (f == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	if (frame_find(sh, addr, f) == 0) {
		err = frame_read(sh, f, why);
		if (err == 0)
			vnbl_detail(sh, f, hex);
	} else if (vnbl_drops_knows(sh, addr)) {
		err = vnbl_drops_detail(sh, addr, hex, why);
	} else {
		err = list_of(sh, addr, hex, why);
	}
	free(f);
	return err;
}

// Those of a proc, or of a port, of which no bytes are shown.
static int list_of(struct shell *sh, tgt_addr addr, bool hex, struct why *why)
{
	struct vnbl_choice choice = {.proc = {0}};
	enum object_type type = OBJECT_NONE;
	struct vport port;

	if (walk_type(sh, addr, &type, why) == 0 && type == OBJECT_PROC) {
		choice.proc = addr;
	} else if (type == OBJECT_VPORT && walk_object(sh, addr, type, &port, why) >= 0) {
		choice.port = (struct vnbl_port){.at = addr, .serial = port.serial, .id = port.id};
	} else {
		return why_set(why, -ENOENT,
			       "%016lx is no frame of a proc; vnbl without argument lists them",
			       addr.v);
	}
	if (hex)
		return refuse_hex(why);
	vnbl_list(sh, &choice);
	return 0;
}

static int refuse_hex(struct why *why)
{
	return why_set(why, -EINVAL, "-x shows the bytes of one frame: vnbl -x VNBL");
}

static void vnbl_list(struct shell *sh, const struct vnbl_choice *choice)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	unsigned rows = 0;
	struct why why;

	if (proc == NULL)
		return;
	print_blank();
	clock_print(sh);
	PRINT_TABLE("", columns);
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		tgt_addr addr;

		if (!walk_proc(sh, i, &addr))
			continue;
		if (choice->proc.v != 0 && addr.v != choice->proc.v)
			continue;
		if (walk_object(sh, addr, OBJECT_PROC, proc, &why) < 0) {
			walk_trouble(sh, "", "PROC", addr, &why);
			rows++;
		} else if (is_at_work(proc->stage)) {
			rows += list_burst(sh, addr, proc, choice);
		}
	}
	if (rows == 0)
		print_none();
	free(proc);
	vnbl_drops_list(sh, choice);
}

// Stages in which the frames of the burst are the proc's.
static bool is_at_work(unsigned stage)
{
	return stage >= PROC_STAGE_INGRESS && stage <= PROC_STAGE_RELEASE;
}

// Gives the number of rows.
static unsigned list_burst(struct shell *sh, tgt_addr addr, const struct proc *proc,
			   const struct vnbl_choice *choice)
{
	struct frame *f = aligned_alloc(64, sizeof(*f));
	unsigned max = burst_max(sh), n = proc->burst.n < max ? proc->burst.n : max;
	unsigned rows = 0;
	struct why why;

	if (f == NULL)
		return 0;
	if (proc->burst.n > n) {
		why_set(&why, -EINVAL, "it counts %u frames, which are more than there can be",
			proc->burst.n);
		walk_trouble(sh, "", "PROC", addr, &why);
		rows++;
	}
	for (unsigned i = 0; i < n; i++) {
		*f = (struct frame){.proc = addr,
				    .number = i,
				    .stage = proc->stage,
				    .bursts = proc->bursts,
				    .dest = vnbl_dest_of(sh, proc)};
		if (frame_at(sh, addr, i, &f->addr, &why) != 0 || frame_read(sh, f, &why) != 0) {
			walk_trouble(sh, "", "VNBL", f->addr, &why);
		} else if (choice->port.at.v == 0 ||
			   tgt_ptr(f->vnbl.src_port).v == choice->port.at.v) {
			list_row(proc->number, f);
		} else {
			continue;
		}
		rows++;
	}
	free(f);
	return rows;
}

static void list_row(unsigned proc, const struct frame *f)
{
	const struct vnbl *v = &f->vnbl;
	struct text to = vnbl_dest_short(&f->dest);

	print_cell("VNBL");
	print_cell_addr(f->addr);
	print_cell_fmt("%u", proc);
	print_cell_fmt("%u", v->frame_size);
	print_cell_fmt("%u", v->safe_size);
	print_cell_addr(tgt_ptr(v->src_port));
	if (to.s[0] == '[')
		print_cell_absent(to.s);
	else
		print_cell(to.s);
	vnbl_print_labels(&f->bytes);
	print_row_end(f->is_torn);
}

// The frames that a burst of the target has room for: behind them is something else.
static unsigned burst_max(struct shell *sh)
{
	const struct type_map *map;
	uint32_t at, size;
	struct why why;

	if (!type_db_has_theirs(sh->types) ||
	    type_field(sh->types, "vnbl_burst", "frames", &at, &size) != 0 ||
	    shell_map(sh, "vnbl", sizeof(struct vnbl), &map, &why) != 0)
		return VNBL_BURST_MAX;
	return size / map->from_size < FRAMES_MAX ? size / map->from_size : FRAMES_MAX;
}

static int frame_at(struct shell *sh, tgt_addr proc, unsigned i, tgt_addr *ret, struct why *why)
{
	const struct type_map *map;
	uint32_t burst, frames;
	int err = shell_map(sh, "vnbl", sizeof(struct vnbl), &map, why);

	*ret = proc;
	if (err == 0)
		err = walk_field(sh, "proc", "burst", offsetof(struct proc, burst), &burst, why);
	if (err == 0)
		err = walk_field(sh, "vnbl_burst", "frames", offsetof(struct vnbl_burst, frames),
				 &frames, why);
	if (err == 0)
		*ret = tgt_add(proc, (uint64_t)burst + frames + (uint64_t)i * map->from_size);
	return err;
}

// Any frame of a burst, whether the proc has it in its hands or has given it back. -ENOENT.
static int frame_find(struct shell *sh, tgt_addr addr, struct frame *f)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct why why;
	unsigned max = burst_max(sh);
	int err = -ENOENT;

	for (uint32_t p = 0; proc != NULL && err != 0 && p < sh->root->n_procs; p++) {
		tgt_addr at;

		if (!walk_proc(sh, p, &at))
			continue;
		for (unsigned i = 0; err != 0 && i < max; i++) {
			*f = (struct frame){.proc = at, .number = i};
			if (frame_at(sh, at, i, &f->addr, &why) != 0 || f->addr.v != addr.v ||
			    walk_object(sh, at, OBJECT_PROC, proc, &why) < 0)
				continue;
			f->stage = proc->stage;
			f->bursts = proc->bursts;
			f->dest = vnbl_dest_of(sh, proc);
			f->is_held = is_at_work(proc->stage) && i < proc->burst.n;
			err = 0;
		}
	}
	free(proc);
	return err;
}

static int frame_read(struct shell *sh, struct frame *f, struct why *why)
{
	struct vnbl_bytes *bytes = &f->bytes;
	const struct type_map *map;
	int err = shell_map(sh, "vnbl", sizeof(f->vnbl), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, f->addr, &f->vnbl);
	if (err != 0)
		return why_set(why, err, "%016lx cannot be read: %s", f->addr.v,
			       tgt_strerror(sh->target, err));
	f->dest.dst_slot = f->vnbl.dst_slot;
	f->dest.src_port = tgt_ptr(f->vnbl.src_port);
	bytes->safe_size = f->vnbl.safe_size;
	bytes->n = f->vnbl.safe_size;
	if (bytes->n > f->vnbl.frame_size)
		bytes->n = f->vnbl.frame_size;
	if (bytes->n > sizeof(bytes->at))
		bytes->n = sizeof(bytes->at);
	bytes->err = -ENODATA;
	if (!sh->collects)
		bytes->err = tgt_read(sh->target, tgt_ptr(f->vnbl.hdr), bytes->at, bytes->n);
	if (bytes->err != 0)
		bytes->n = 0;
	f->is_torn = sh->runs && has_gone_on(sh, f);
	return 0;
}

// Whether the frame's proc is at another stage or burst than when it was looked at.
static bool has_gone_on(struct shell *sh, const struct frame *f)
{
	uint32_t stage_at, bursts_at, stage;
	struct why why;
	uint64_t bursts;

	return walk_field(sh, "proc", "stage", offsetof(struct proc, stage), &stage_at, &why) ==
		       0 &&
	       walk_field(sh, "proc", "bursts", offsetof(struct proc, bursts), &bursts_at, &why) ==
		       0 &&
	       tgt_read(sh->target, tgt_add(f->proc, stage_at), &stage, sizeof(stage)) == 0 &&
	       tgt_read(sh->target, tgt_add(f->proc, bursts_at), &bursts, sizeof(bursts)) == 0 &&
	       (stage != f->stage || bursts != f->bursts);
}

static void vnbl_detail(struct shell *sh, const struct frame *f, bool hex)
{
	const struct vnbl *v = &f->vnbl;

	print_title("VNBL", f->addr, f->is_torn);
	print_link("Proc", f->proc, "nvkd.proc");
	print_values("Frame", "number", "%u of its burst", f->number);
	print_values("In hand", "- - -", "%s (stage %u, %s)",
		     f->is_held ? "Y" : "N: given back, or not filled", f->stage,
		     name_proc_stage(f->stage));
	print_extra_flag("in_hand", f->is_held);
	print_extra("stage", "%s", name_proc_stage(f->stage));
	print_context(sh, f);
	vnbl_print_out_of_band(v->flags, v->vlan_tci, v->vlan_tpid, &v->offload);
	print_data(v);
	vnbl_print_headers(sh, &f->bytes, hex);
	print_section("MORE INFORMATION");
	print_link("Struct", f->addr, "dt vnbl");
}

static void print_context(struct shell *sh, const struct frame *f)
{
	const struct vnbl *v = &f->vnbl;

	print_section("FORWARDING CONTEXT");
	print_row("SourcePortId", "0x%04x", v->src_port_id);
	print_link("Source vPort", tgt_ptr(v->src_port), "nvkd.vport");
	vnbl_print_context(v->src_nic_index, v->flags, v->safe_size, v->frame_size);
	vnbl_dest_print(sh, &f->dest);
	if ((v->flags & VNBL_DROPPED) != 0)
		print_values("Dropped", "number name text", "%u (%s): %s", v->drop,
			     name_drop(v->drop), name_drop_text(v->drop));
	else
		print_absent("Dropped", "N");
	vnbl_dest_print_all(sh, &f->dest);
}

static void print_data(const struct vnbl *v)
{
	const char *whose =
		(v->flags & VNBL_DATA_SAFE) != 0 ? "the host's memory" : "the guest's memory";
	unsigned n = v->n_pieces < VNBL_PIECES_MAX ? v->n_pieces : VNBL_PIECES_MAX;

	print_section("DATA");
	print_values("Safe bytes", "bytes address", "%u at %016lx", v->safe_size,
		     tgt_ptr(v->hdr).v);
	for (unsigned i = 0; i < n; i++)
		print_values(i == 0 || print_is_json() ? "Pieces" : "", "bytes address memory",
			     "%u at %016lx, %s", v->pieces[i].len, tgt_ptr(v->pieces[i].addr).v,
			     whose);
	if (n == 0)
		print_row("Pieces", "[None]");
	if (v->n_pieces > VNBL_PIECES_MAX)
		print_row(print_is_json() ? "Damage" : "",
			  "*** %u pieces are more than there can be ***", v->n_pieces);
	if (v->mbuf != NULL)
		print_values("Buffer", "mbuf", "mbuf at %016lx", tgt_ptr(v->mbuf).v);
	else
		print_row("Buffer", "[None]");
}

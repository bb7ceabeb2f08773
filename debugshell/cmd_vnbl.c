/*
 * vnbl: frames in flight: the forwarding context of one, and its headers in words.
 *
 * It is the one command that reads what tenants send: the safe bytes, the switch's own copy.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_net.h>

#include "debugshell/cmd.h"
#include "debugshell/decode.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "ports/drops.h"
#include "switch/proc_types.h"

enum { HEX_COLUMNS = 16 };

#define VNBL_FLAGS(X)                                                                              \
	X(VNBL_DATA_SAFE, "DATA_SAFE")                                                             \
	X(VNBL_HAS_TAG, "HAS_TAG")                                                                 \
	X(VNBL_FLOOD, "FLOOD")                                                                     \
	X(VNBL_DROPPED, "DROPPED")

// A frame, and whose it is.
struct frame {
	tgt_addr addr;
	tgt_addr proc;
	unsigned number; // in the burst
	unsigned stage;  // of the proc
	bool is_held;    // the proc has it in its hands
	struct vnbl vnbl;
	uint8_t bytes[VNBL_SAFE_MAX]; // the safe ones
	uint32_t n_bytes;
	int err; // why they are not there
};

struct slot_match {
	tgt_addr vswitch;
	uint16_t slot;
	tgt_addr port;
	struct text name;
};

static void vnbl_list(struct shell *sh, tgt_addr only);
static bool is_at_work(unsigned stage);
static unsigned list_burst(struct shell *sh, tgt_addr addr, const struct proc *proc);
static void list_row(unsigned proc, const struct frame *f);
static void add_label(const char *label, const struct text *text, void *arg);
static int frame_at(struct shell *sh, tgt_addr proc, unsigned i, tgt_addr *ret, struct why *why);
static int frame_find(struct shell *sh, tgt_addr addr, struct frame *f);
static int frame_read(struct shell *sh, struct frame *f, struct why *why);
static void vnbl_detail(struct shell *sh, const struct frame *f, bool hex);
static void print_context(struct shell *sh, const struct frame *f);
static struct text flags_text(unsigned flags);
static struct text short_destination(const struct frame *f);
static struct text destination(struct shell *sh, const struct frame *f);
static int match_slot(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void print_out_of_band(const struct vnbl *v);
static const char *gso_name(unsigned type);
static void print_data(const struct vnbl *v);
static void print_headers(struct shell *sh, const struct frame *f, bool hex);
static void print_header(const char *label, const struct text *text, void *arg);
static void print_hex(const uint8_t *bytes, uint32_t n);

int cmd_vnbl(struct shell *sh, int argc, char **argv, struct why *why)
{
	bool hex = argc > 1 && strcmp(argv[1], "-x") == 0;
	const char *word = argc > 1 + hex ? argv[1 + hex] : NULL;
	enum object_type type;
	struct frame *f;
	tgt_addr addr;
	int err = 0;

	if (argc > 2 + hex || (hex && word == NULL))
		return why_set(why, -EINVAL, "vnbl takes an address: vnbl [-x] VNBL");
	if (word == NULL) {
		vnbl_list(sh, (tgt_addr){0});
		return 0;
	}
	err = walk_find(sh, OBJECT_PROC, word, &addr, why);
	if (err != 0)
		return err;
	f = aligned_alloc(64, sizeof(*f));
	if (f == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	if (frame_find(sh, addr, f) == 0) {
		err = frame_read(sh, f, why);
		if (err == 0)
			vnbl_detail(sh, f, hex);
	} else if (walk_type(sh, addr, &type, why) == 0 && type == OBJECT_PROC) {
		vnbl_list(sh, addr);
	} else {
		err = why_set(why, -ENOENT,
			      "%016lx is no frame of a proc; vnbl without argument lists them",
			      addr.v);
	}
	free(f);
	return err;
}

bool cmd_vnbl_knows(struct shell *sh, tgt_addr addr)
{
	struct frame *f = aligned_alloc(64, sizeof(*f));
	bool knows = f != NULL && frame_find(sh, addr, f) == 0;

	free(f);
	return knows;
}

// 'only': of this proc; 0: of all.
static void vnbl_list(struct shell *sh, tgt_addr only)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	unsigned rows = 0;
	struct why why;

	if (proc == NULL)
		return;
	printf("\n%-6s%-18s%-6s%-9s%-6s%-18s%-12s%s\n", "Type", "Address", "Proc", "Size", "Safe",
	       "vPort", "Destination", "Headers");
	for (uint32_t i = 0; i < sh->root->n_procs; i++) {
		tgt_addr addr = tgt_ptr(sh->root->procs[i]);

		if (only.v != 0 && addr.v != only.v)
			continue;
		if (walk_object(sh, addr, OBJECT_PROC, proc, &why) < 0) {
			walk_trouble(sh, "", "PROC", addr, &why);
			rows++;
		} else if (is_at_work(proc->stage)) {
			rows += list_burst(sh, addr, proc);
		}
	}
	if (rows == 0)
		printf("[None]\n");
	free(proc);
}

// Stages in which the frames of the burst are the proc's.
static bool is_at_work(unsigned stage)
{
	return stage >= PROC_STAGE_INGRESS && stage <= PROC_STAGE_RELEASE;
}

static unsigned list_burst(struct shell *sh, tgt_addr addr, const struct proc *proc)
{
	struct frame *f = aligned_alloc(64, sizeof(*f));
	unsigned n = proc->burst.n < VNBL_BURST_MAX ? proc->burst.n : VNBL_BURST_MAX;
	struct why why;

	if (f == NULL)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		*f = (struct frame){.proc = addr, .number = i, .stage = proc->stage};
		if (frame_at(sh, addr, i, &f->addr, &why) == 0 && frame_read(sh, f, &why) == 0)
			list_row(proc->number, f);
		else
			walk_trouble(sh, "", "VNBL", f->addr, &why);
	}
	free(f);
	return n;
}

static void list_row(unsigned proc, const struct frame *f)
{
	const struct vnbl *v = &f->vnbl;
	struct text headers = {.s = ""};

	if (f->n_bytes > 0)
		decode_frame(f->bytes, f->n_bytes, add_label, &headers);
	else
		print_append(&headers, "%s", f->err == 0 ? "[None]" : "[Not there]");
	printf("%-6s%016lx  %-6u%-9u%-6u%016lx  %-12s%s\n", "VNBL", f->addr.v, proc, v->frame_size,
	       v->safe_size, tgt_ptr(v->src_port).v, short_destination(f).s, headers.s);
}

static void add_label(const char *label, const struct text *text, void *arg)
{
	struct text *headers = arg;

	print_append(headers, "%s%s", headers->s[0] != '\0' ? " " : "", label);
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
	int err = -ENOENT;

	for (uint32_t p = 0; proc != NULL && err != 0 && p < sh->root->n_procs; p++) {
		tgt_addr at = tgt_ptr(sh->root->procs[p]);

		for (unsigned i = 0; err != 0 && i < VNBL_BURST_MAX; i++) {
			*f = (struct frame){.proc = at, .number = i};
			if (frame_at(sh, at, i, &f->addr, &why) != 0 || f->addr.v != addr.v ||
			    walk_object(sh, at, OBJECT_PROC, proc, &why) < 0)
				continue;
			f->stage = proc->stage;
			f->is_held = is_at_work(proc->stage) && i < proc->burst.n;
			err = 0;
		}
	}
	free(proc);
	return err;
}

static int frame_read(struct shell *sh, struct frame *f, struct why *why)
{
	const struct type_map *map;
	int err = shell_map(sh, "vnbl", sizeof(f->vnbl), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, f->addr, &f->vnbl);
	if (err != 0)
		return why_set(why, err, "%016lx cannot be read: %s", f->addr.v,
			       tgt_strerror(sh->target, err));
	f->n_bytes = f->vnbl.safe_size;
	if (f->n_bytes > f->vnbl.frame_size)
		f->n_bytes = f->vnbl.frame_size;
	if (f->n_bytes > sizeof(f->bytes))
		f->n_bytes = sizeof(f->bytes);
	f->err = -ENODATA;
	if (!sh->collects)
		f->err = tgt_read(sh->target, tgt_ptr(f->vnbl.hdr), f->bytes, f->n_bytes);
	if (f->err != 0)
		f->n_bytes = 0;
	return 0;
}

static void vnbl_detail(struct shell *sh, const struct frame *f, bool hex)
{
	printf("\nVNBL %016lx  \n", f->addr.v);
	print_link("Proc", f->proc, "nvkd.proc");
	print_row("Frame", "%u of its burst", f->number);
	print_row("In hand", "%s (stage %u, %s)", f->is_held ? "Y" : "N: given back, or not filled",
		  f->stage, name_proc_stage(f->stage));
	print_context(sh, f);
	print_out_of_band(&f->vnbl);
	print_data(&f->vnbl);
	print_headers(sh, f, hex);
}

static void print_context(struct shell *sh, const struct frame *f)
{
	const struct vnbl *v = &f->vnbl;
	unsigned n = v->dst_slot == VNBL_DST_NONE || f->stage <= PROC_STAGE_LOOKUP ? 0 : 1;

	print_section("FORWARDING CONTEXT");
	print_row("SourcePortId", "0x%04x", v->src_port_id);
	print_link("Source vPort", tgt_ptr(v->src_port), "nvkd.vport");
	print_row("SourceNicIndex", "%u", v->src_nic_index);
	print_row("Flags", "%02x %s", v->flags, flags_text(v->flags).s);
	print_row("IsPacketDataSafe", "%s", (v->flags & VNBL_DATA_SAFE) != 0 ? "Y" : "N");
	print_row("SafePacketDataSize", "%u of %u bytes", v->safe_size, v->frame_size);
	print_row("NumDestinations", "%s",
		  n == 0                          ? "0"
		  : v->dst_slot == VNBL_DST_FLOOD ? "all"
						  : "1");
	print_row("Destination", "%s", destination(sh, f).s);
	if ((v->flags & VNBL_DROPPED) != 0)
		print_row("Dropped", "%u (%s): %s", v->drop, name_drop(v->drop),
			  name_drop_text(v->drop));
	else
		print_row("Dropped", "N");
}

static struct text flags_text(unsigned flags)
{
	struct text text = {.s = ""};
	unsigned named = 0;

#define X(flag, name)                                                                              \
	named |= (flag);                                                                           \
	if ((flags & (flag)) != 0)                                                                 \
		print_append(&text, "%s%s", text.s[0] != '\0' ? " " : "", name);
	VNBL_FLAGS(X)
#undef X
	if ((flags & ~named) != 0)
		print_append(&text, "%sand %02x", text.s[0] != '\0' ? " " : "", flags & ~named);
	return text.s[0] != '\0' ? text : print_text("[No flags set]", 14);
}

// The lookup sets it; before, what stands there is of an older frame.
static struct text short_destination(const struct frame *f)
{
	struct text text = {.s = ""};

	if (f->stage <= PROC_STAGE_LOOKUP)
		print_append(&text, "[Not yet]");
	else if (f->vnbl.dst_slot == VNBL_DST_FLOOD)
		print_append(&text, "flood");
	else if (f->vnbl.dst_slot == VNBL_DST_NONE)
		print_append(&text, "[None]");
	else
		print_append(&text, "slot %u", f->vnbl.dst_slot);
	return text;
}

static struct text destination(struct shell *sh, const struct frame *f)
{
	struct text text = short_destination(f);
	struct slot_match match = {.slot = f->vnbl.dst_slot};
	struct vport port;
	struct why why;

	if (text.s[0] == '[') // dropped or delivered, or not known
		return text;
	if (f->vnbl.dst_slot == VNBL_DST_FLOOD ||
	    walk_object(sh, tgt_ptr(f->vnbl.src_port), OBJECT_VPORT, &port, &why) < 0)
		return text;
	match.vswitch = tgt_ptr(port.vswitch);
	walk_ports(sh, match_slot, &match);
	if (match.port.v != 0)
		print_append(&text, ": %016lx   !nvkd.vport %016lx (%s)", match.port.v,
			     match.port.v, match.name.s);
	else
		print_append(&text, ", which has no port");
	return text;
}

static int match_slot(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct slot_match *match = arg;
	struct vport port;
	struct why why;

	if (v->addr.v != match->vswitch.v || walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0 ||
	    port.slot != match->slot)
		return 0;
	match->port = addr;
	match->name = TEXT(port.obj.name);
	return -ECANCELED;
}

static void print_out_of_band(const struct vnbl *v)
{
	const struct vnbl_offload *offload = &v->offload;

	print_section("OUT OF BAND");
	if ((v->flags & VNBL_HAS_TAG) != 0)
		print_row("VLAN", "%u, priority %u%s, type 0x%04x", v->vlan_tci & 0xfff,
			  v->vlan_tci >> 13, (v->vlan_tci & 0x1000) != 0 ? ", drop eligible" : "",
			  v->vlan_tpid);
	else
		print_row("VLAN", "[None]");
	if ((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		print_row("Checksum", "to be made from byte %u on, to be put at byte %u",
			  offload->csum_start, offload->csum_start + offload->csum_offset);
	else
		print_row("Checksum", "%s",
			  (offload->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0
				  ? "found to be right by the sender"
				  : "complete");
	if (offload->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		print_row("Segmentation", "%s%s, %u bytes a segment, headers of %u bytes",
			  gso_name(offload->gso_type & ~VIRTIO_NET_HDR_GSO_ECN),
			  (offload->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0 ? " with ECN" : "",
			  offload->gso_size, offload->hdr_len);
	else
		print_row("Segmentation", "[None]");
}

static const char *gso_name(unsigned type)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return "TCP over IPv4";
	case VIRTIO_NET_HDR_GSO_UDP:
		return "UDP fragments";
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return "TCP over IPv6";
	default:
		return "?";
	}
}

static void print_data(const struct vnbl *v)
{
	unsigned n = v->n_pieces < VNBL_PIECES_MAX ? v->n_pieces : VNBL_PIECES_MAX;

	print_section("DATA");
	print_row("Safe bytes", "%u at %016lx", v->safe_size, tgt_ptr(v->hdr).v);
	for (unsigned i = 0; i < n; i++)
		print_row(i == 0 ? "Pieces" : "", "%u at %016lx, %s", v->pieces[i].len,
			  tgt_ptr(v->pieces[i].addr).v,
			  (v->flags & VNBL_DATA_SAFE) != 0 ? "the host's memory"
							   : "the guest's memory");
	if (n == 0)
		print_row("Pieces", "[None]");
	if (v->n_pieces > VNBL_PIECES_MAX)
		print_row("", "*** %u pieces are more than there can be ***", v->n_pieces);
	if (v->mbuf != NULL)
		print_row("Buffer", "mbuf at %016lx", tgt_ptr(v->mbuf).v);
	else
		print_row("Buffer", "[None]");
}

static void print_headers(struct shell *sh, const struct frame *f, bool hex)
{
	print_section("HEADERS");
	if (f->err != 0)
		print_row("Safe bytes", "[%s]", tgt_strerror(sh->target, f->err));
	else if (f->n_bytes == 0)
		printf("    [None]\n");
	else
		decode_frame(f->bytes, f->n_bytes, print_header, NULL);
	if (!hex || f->n_bytes == 0)
		return;
	print_section("SAFE BYTES");
	print_hex(f->bytes, f->n_bytes);
	if (f->n_bytes < f->vnbl.safe_size)
		printf("    and %u more\n", f->vnbl.safe_size - f->n_bytes);
}

static void print_header(const char *label, const struct text *text, void *arg)
{
	print_row(label, "%s", text->s);
}

static void print_hex(const uint8_t *bytes, uint32_t n)
{
	for (uint32_t at = 0; at < n; at += HEX_COLUMNS) {
		uint32_t left = n - at < HEX_COLUMNS ? n - at : HEX_COLUMNS;

		printf("    %04x  ", at);
		for (uint32_t i = 0; i < HEX_COLUMNS; i++)
			if (i < left)
				printf("%02x%c", bytes[at + i], i == 7 && left > 8 ? '-' : ' ');
			else
				printf("   ");
		putchar(' ');
		for (uint32_t i = 0; i < left; i++) {
			uint8_t c = bytes[at + i];

			putchar(c >= 0x20 && c < 0x7f ? c : '.');
		}
		putchar('\n');
	}
}

/*
 * ring: a guest's virtqueue: its indexes, and the chains that are outstanding, with what looks
 * wrong about them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/ring.h"

enum { CHAIN_ROWS_MAX = 64, WRONG_ROWS_MAX = 64 };

struct ring_list {
	tgt_addr nic; // only its rings; 0: all
	unsigned rows;
};

struct chain_rows {
	unsigned shown;
	unsigned wrong;
	unsigned wrong_shown;
	unsigned hidden;
};

static void ring_list(struct shell *sh, tgt_addr nic);
static bool ring_list_row(struct shell *sh, const struct ring *ring, void *arg);
static void print_list_state(const struct ring *ring);
static const char *state_name(const struct virtq *q);
static void print_waiting(struct shell *sh, const struct virtq *q);
static bool has_moved(struct shell *sh, const struct ring *ring);
static void ring_detail(struct shell *sh, const struct ring *ring);
static void print_switch_half(const struct ring *ring);
static void print_indexes(const struct ring *ring, const struct ring_guest *guest);
static void print_chains_row(const char *label, unsigned n, const char *what, const char *wrong);
static void print_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest);
static bool print_desc(const struct ring_desc *desc, void *arg);
static void print_desc_there(const struct virtq_desc *desc);
static void print_desc_absent(const char *word);
static struct text desc_flags(const struct virtq_desc *desc);
static void print_more(const struct ring *ring);

static const struct print_column list_columns[] = {
	{"Type", 6},     {"Address", 18},     {"Ring", 6, "number"}, {"Direction", 16}, {"Size", 7},
	{"Waiting", 13}, {"Outstanding", 13}, {"Name", 24},          {"State"},
};

static const struct print_column desc_columns[] = {
	{"Slot", 7},           {"Head", 7},    {"Descriptor", 12},
	{"Guest address", 18}, {"Length", 12}, {"Flags"},
};

int cmd_ring(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct ring ring;
	struct vnic nic;
	tgt_addr addr;
	int err;

	if (argc == 1) {
		ring_list(sh, (tgt_addr){0});
		return 0;
	}
	err = walk_find(sh, OBJECT_VNIC, argv[1], &addr, why);
	if (err != 0)
		return err;
	if (ring_find(sh, addr, &ring) == 0) {
		ring_detail(sh, &ring);
		return 0;
	}
	if (walk_object(sh, addr, OBJECT_VNIC, &nic, why) < 0)
		return why_set(why, -ENOENT,
			       "%016lx is no ring of a VM's NIC; ring without argument lists them",
			       addr.v);
	ring_list(sh, addr);
	return 0;
}

bool cmd_ring_knows(struct shell *sh, tgt_addr addr)
{
	struct ring ring;

	return ring_find(sh, addr, &ring) == 0;
}

static void ring_list(struct shell *sh, tgt_addr nic)
{
	struct ring_list list = {.nic = nic};

	PRINT_TABLE("", list_columns);
	ring_walk(sh, "", ring_list_row, &list);
	if (list.rows == 0)
		print_none();
}

static bool ring_list_row(struct shell *sh, const struct ring *ring, void *arg)
{
	const struct virtq *q = &ring->part.q;
	struct ring_list *list = arg;

	if (list->nic.v != 0 && ring->nic.v != list->nic.v)
		return true;
	list->rows++;
	print_cell("RING");
	print_cell_addr(ring->addr);
	print_cell_fmt("%u", ring->index);
	print_cell(ring_direction(ring));
	print_cell_fmt("%u", q->size);
	print_waiting(sh, q);
	print_cell_text(ring->name);
	print_list_state(ring);
	print_row_end(false);
	return true;
}

// The text has one word for all of it. In JSON the keys are those of the detail.
static void print_list_state(const struct ring *ring)
{
	const struct virtq *q = &ring->part.q;
	const char *use = name_vhost_use(ring->part.use);
	const char *reason = q->broken != 0 ? name_virtq_break(q->broken) : NULL;

	if (print_is_json())
		print_cell(state_name(q));
	else
		print_cell(reason != NULL ? reason : q->desc == NULL ? "detached" : use);
	print_extra("use", "%s", use);
	print_extra_flag("broken", reason != NULL);
	print_extra("reason", "%s", reason != NULL ? reason : "[None]");
}

static const char *state_name(const struct virtq *q)
{
	return q->broken != 0 ? "stopped" : q->desc != NULL ? "attached" : "detached";
}

// The columns that come from the guest's memory.
static void print_waiting(struct shell *sh, const struct virtq *q)
{
	const char *absent = "[None]";
	struct ring_guest guest;
	struct why why;

	if (q->desc != NULL) {
		absent = ring_guest_read(sh, q, &guest, &why) == 0 ? NULL : "[Not there]";
		if (absent == NULL) {
			print_cell_fmt("%u", (uint16_t)(guest.avail_idx - q->last_avail));
			print_cell_fmt("%u", ring_outstanding(&guest));
		}
		ring_guest_free(&guest);
	}
	if (absent != NULL) {
		print_cell_absent(absent);
		print_cell_absent(absent);
	}
}

// Whether the switch's half, which was read first, is older than the guest's.
static bool has_moved(struct shell *sh, const struct ring *ring)
{
	struct ring now;

	return ring_find(sh, ring->addr, &now) != 0 ||
	       now.part.q.last_avail != ring->part.q.last_avail ||
	       now.part.q.last_used != ring->part.q.last_used;
}

static void ring_detail(struct shell *sh, const struct ring *ring)
{
	const struct virtq *q = &ring->part.q;
	struct ring_guest guest;
	struct why why;
	int err = -ENODATA;

	if (q->desc != NULL)
		err = ring_guest_read(sh, q, &guest, &why);
	if (err == 0 && sh->runs && has_moved(sh, ring))
		guest.is_torn = true;
	print_title("RING", ring->addr, err == 0 && guest.is_torn);
	print_switch_half(ring);
	if (err == 0) {
		print_indexes(ring, &guest);
		print_chains(sh, ring, &guest);
	} else if (q->desc != NULL) {
		print_row("Guest's half", "[%s]", why.text);
	}
	if (q->desc != NULL)
		ring_guest_free(&guest);
	print_more(ring);
}

static void print_switch_half(const struct ring *ring)
{
	const struct virtq *q = &ring->part.q;

	print_link("vNic", ring->nic, "nvkd.vnic");
	print_link("vPort", ring->port, "nvkd.vport");
	print_text_row("Name", ring->name);
	print_values("Ring", "- -", "%u (%s)", ring->index, ring_direction(ring));
	print_extra("number", "%u", ring->index);
	print_extra("direction", "%s", ring_direction(ring));
	print_values("Use", "number name", "%u (%s)", ring->part.use,
		     name_vhost_use(ring->part.use));
	if (q->broken != 0)
		print_values("State", "name reason detail", "%s until the guest resets it: %s (%u)",
			     state_name(q), name_virtq_break(q->broken), q->broken_detail);
	else
		print_values("State", "name", "%s", state_name(q));
	print_values("Broken", "-", "%lu times", ring->part.breaks);
	print_extra_flag("broken", q->broken != 0);
	print_extra("breaks", "%lu", ring->part.breaks);
	if (q->desc == NULL)
		return;
	print_row("Size", "%u", q->size);
	print_values("Descriptors", ".", "%016lx in the switch's memory", tgt_ptr(q->desc).v);
	print_values("Chains", ".", "%lu taken since attached", q->chains);
}

static void print_indexes(const struct ring *ring, const struct ring_guest *guest)
{
	const struct virtq *q = &ring->part.q;
	uint16_t waits = guest->avail_idx - q->last_avail, ours = q->last_avail - q->last_used;
	uint16_t untold = q->last_used - guest->used_idx, given = ring_outstanding(guest);
	bool torn = guest->is_torn;

	print_section("INDEXES");
	print_values("Available", "guest seen taken", "%u in the guest's memory, seen %u, taken %u",
		     guest->avail_idx, q->avail_seen, q->last_avail);
	print_values("Used", "guest written told", "%u in the guest's memory, written %u, told %u",
		     guest->used_idx, q->last_used, (uint16_t)q->signalled);
	print_chains_row("Waiting", waits, "that the guest gave and the switch has not taken",
			 waits > q->size && !torn ? "further ahead than the ring has entries"
						  : NULL);
	print_chains_row("In hand", ours, "that the switch has taken",
			 ours > q->size ? "more than the ring has entries" : NULL);
	print_chains_row("Not yet told", untold, "that are done",
			 untold > q->size && !torn ? "the used index is not what the switch wrote"
						   : NULL);
	print_chains_row("Outstanding", given, "in all",
			 given > q->size && !torn ? "more than the ring has entries" : NULL);
}

static void print_chains_row(const char *label, unsigned n, const char *what, const char *wrong)
{
	struct text key = {.s = ""};

	if (wrong == NULL) {
		print_values(label, ". -", "%u chains %s", n, what);
		return;
	}
	print_values(label, ". - -", "%u chains %s *** %s ***", n, what, wrong);
	print_append(&key, "%s wrong", label);
	print_extra(key.s, "%s", wrong);
}

static void print_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest)
{
	struct chain_rows rows = {.shown = 0};

	print_section("OUTSTANDING CHAINS");
	if (guest->is_torn)
		print_note("    ", "The ring goes on while it is read: nothing is said against its "
				   "chains.");
	else if (!guest->has_mem)
		print_note("    ", "The table of the guest's memory is not there: addresses are "
				   "not judged.");
	if (guest->is_torn || !guest->has_mem)
		print_blank();
	PRINT_TABLE("    ", desc_columns);
	if (ring_chains(sh, ring, guest, print_desc, &rows) != 0)
		print_note("    ", "[Out of memory]");
	else if (rows.shown + rows.hidden == 0)
		print_none();
	if (rows.hidden > 0)
		print_plain("    and %u more, %u of them suspicious\n", rows.hidden,
			    rows.wrong - rows.wrong_shown);
	if (rows.wrong > 0)
		print_plain("\n    %u suspicious in all\n", rows.wrong);
	print_extra("chains_not_shown", "%u", rows.hidden);
	print_extra("suspicious", "%u", rows.wrong);
}

// The first ones, and behind them only what is wrong.
static bool print_desc(const struct ring_desc *desc, void *arg)
{
	struct chain_rows *rows = arg;
	bool wrong = desc->wrong != NULL;
	char number[24];

	rows->wrong += wrong;
	if (rows->shown >= CHAIN_ROWS_MAX && (!wrong || rows->wrong_shown >= WRONG_ROWS_MAX)) {
		rows->hidden++;
		return true;
	}
	rows->shown++;
	rows->wrong_shown += wrong;
	snprintf(number, sizeof(number), "%s%u", desc->is_indirect ? "table " : "", desc->number);
	print_cell_fmt("%u", desc->slot);
	print_cell_fmt("%u", desc->head);
	print_cell(number);
	print_extra("number", "%u", desc->number);
	print_extra_flag("indirect", desc->is_indirect);
	if (desc->is_there)
		print_desc_there(&desc->desc);
	else
		print_desc_absent(wrong ? "[None]" : "[Not read]");
	if (wrong)
		print_plain(" *** %s ***", desc->wrong);
	print_extra("wrong", "%s", wrong ? desc->wrong : "[None]");
	print_row_end(false);
	return true;
}

static void print_desc_there(const struct virtq_desc *desc)
{
	print_cell_fmt("%016lx", desc->addr);
	print_cell_fmt("%u", desc->len);
	if (desc->flags != 0)
		print_cell(desc_flags(desc).s);
	else
		print_cell_absent("[No flags set]");
	if ((desc->flags & VIRTQ_DESC_NEXT) != 0)
		print_extra("next", "%u", desc->next);
}

// Its columns are empty, but in the text one word stands for all of them.
static void print_desc_absent(const char *word)
{
	print_plain("%s", word);
	print_extra("guest_address", "%s", "[None]");
	print_extra("length", "%s", "[None]");
	print_extra("flags", "%s", "[None]");
}

// At least one is set.
static struct text desc_flags(const struct virtq_desc *desc)
{
	struct text text = {.s = ""};
	const unsigned known = VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE | VIRTQ_DESC_INDIRECT;

	if ((desc->flags & VIRTQ_DESC_NEXT) != 0)
		print_append(&text, "NEXT(%u) ", desc->next);
	if ((desc->flags & VIRTQ_DESC_WRITE) != 0)
		print_append(&text, "WRITE ");
	if ((desc->flags & VIRTQ_DESC_INDIRECT) != 0)
		print_append(&text, "INDIRECT ");
	if ((desc->flags & ~known) != 0)
		print_append(&text, "%04x ", desc->flags & ~known);
	text.s[strlen(text.s) - 1] = '\0';
	return text;
}

static void print_more(const struct ring *ring)
{
	print_section("MORE INFORMATION");
	print_link("Drops", ring->port, "drops");
	print_link("Struct", ring->addr, "dt virtq");
}

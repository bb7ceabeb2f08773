/*
 * ring: a guest's virtqueue: its indexes, and the chains that are outstanding, with what looks
 * wrong about them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debugshell/cmd.h"
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
static struct text waiting(struct shell *sh, const struct virtq *q);
static bool has_moved(struct shell *sh, const struct ring *ring);
static void ring_detail(struct shell *sh, const struct ring *ring);
static void print_indexes(const struct ring *ring, const struct ring_guest *guest);
static void print_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest);
static bool print_desc(const struct ring_desc *desc, void *arg);
static struct text desc_flags(const struct virtq_desc *desc);

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

	printf("\n%-6s%-18s%-6s%-16s%-7s%-13s%-13s%-24s%s\n", "Type", "Address", "Ring",
	       "Direction", "Size", "Waiting", "Outstanding", "Name", "State");
	ring_walk(sh, "", ring_list_row, &list);
	if (list.rows == 0)
		printf("[None]\n");
}

static bool ring_list_row(struct shell *sh, const struct ring *ring, void *arg)
{
	const struct virtq *q = &ring->part.q;
	struct ring_list *list = arg;

	if (list->nic.v != 0 && ring->nic.v != list->nic.v)
		return true;
	list->rows++;
	printf("%-6s%016lx  %-6u%-16s%-7u%s%-24s%s\n", "RING", ring->addr.v, ring->index,
	       ring_is_to_guest(ring) ? "to the guest" : "from the guest", q->size,
	       waiting(sh, q).s, ring->name.s,
	       q->broken != 0    ? name_virtq_break(q->broken)
	       : q->desc == NULL ? "detached"
				 : name_vhost_use(ring->part.use));
	return true;
}

// The columns that come from the guest's memory.
static struct text waiting(struct shell *sh, const struct virtq *q)
{
	struct text text = {.s = ""};
	struct ring_guest guest;
	struct why why;

	if (q->desc == NULL) {
		print_append(&text, "%-13s%-13s", "[None]", "[None]");
		return text;
	}
	if (ring_guest_read(sh, q, &guest, &why) == 0)
		print_append(&text, "%-13u%-13u", (uint16_t)(guest.avail_idx - q->last_avail),
			     ring_outstanding(&guest));
	else
		print_append(&text, "%-13s%-13s", "[Not there]", "[Not there]");
	ring_guest_free(&guest);
	return text;
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
	print_link("vNic", ring->nic, "nvkd.vnic");
	print_row("Name", "%s", ring->name.s);
	print_row("Ring", "%u (%s)", ring->index,
		  ring_is_to_guest(ring) ? "to the guest" : "from the guest");
	print_row("Use", "%u (%s)", ring->part.use, name_vhost_use(ring->part.use));
	if (q->broken != 0)
		print_row("State", "stopped until the guest resets it: %s (%u)",
			  name_virtq_break(q->broken), q->broken_detail);
	else
		print_row("State", "%s", q->desc != NULL ? "attached" : "detached");
	print_row("Broken", "%lu times", ring->part.breaks);
	if (q->desc == NULL)
		return;
	print_row("Size", "%u", q->size);
	print_row("Descriptors", "%016lx in the switch's memory", tgt_ptr(q->desc).v);
	print_row("Chains", "%lu taken since attached", q->chains);
	if (err != 0) {
		print_row("Guest's half", "[%s]", why.text);
	} else {
		print_indexes(ring, &guest);
		print_chains(sh, ring, &guest);
	}
	ring_guest_free(&guest);
}

static void print_indexes(const struct ring *ring, const struct ring_guest *guest)
{
	const struct virtq *q = &ring->part.q;
	uint16_t waits = guest->avail_idx - q->last_avail, ours = q->last_avail - q->last_used;
	uint16_t untold = q->last_used - guest->used_idx, given = ring_outstanding(guest);

	print_section("INDEXES");
	print_row("Available", "%u in the guest's memory, seen %u, taken %u", guest->avail_idx,
		  q->avail_seen, q->last_avail);
	print_row("Used", "%u in the guest's memory, written %u, told %u", guest->used_idx,
		  q->last_used, (uint16_t)q->signalled);
	print_row("Waiting", "%u chains that the guest gave and the switch has not taken%s", waits,
		  waits > q->size && !guest->is_torn
			  ? " *** further ahead than the ring has entries ***"
			  : "");
	print_row("In hand", "%u chains that the switch has taken%s", ours,
		  ours > q->size ? " *** more than the ring has entries ***" : "");
	print_row("Not yet told", "%u chains that are done%s", untold,
		  untold > q->size && !guest->is_torn
			  ? " *** the used index is not what the switch wrote ***"
			  : "");
	print_row("Outstanding", "%u chains in all%s", given,
		  given > q->size && !guest->is_torn ? " *** more than the ring has entries ***"
						     : "");
}

static void print_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest)
{
	struct chain_rows rows = {.shown = 0};

	print_section("OUTSTANDING CHAINS");
	if (guest->is_torn)
		printf("    The ring goes on while it is read: nothing is said against its "
		       "chains.\n\n");
	else if (!guest->has_mem)
		printf("    The table of the guest's memory is not there: addresses are not "
		       "judged.\n\n");
	printf("    %-7s%-7s%-12s%-18s%-12s%s\n", "Slot", "Head", "Descriptor", "Guest address",
	       "Length", "Flags");
	if (ring_chains(sh, ring, guest, print_desc, &rows) != 0)
		printf("    [Out of memory]\n");
	else if (rows.shown + rows.hidden == 0)
		printf("    [None]\n");
	if (rows.hidden > 0)
		printf("    and %u more, %u of them suspicious\n", rows.hidden,
		       rows.wrong - rows.wrong_shown);
	if (rows.wrong > 0)
		printf("\n    %u suspicious in all\n", rows.wrong);
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
	printf("    %-7u%-7u%-12s", desc->slot, desc->head, number);
	if (desc->is_there)
		printf("%016lx  %-12u%s", desc->desc.addr, desc->desc.len,
		       desc_flags(&desc->desc).s);
	else
		printf("%s", wrong ? "[None]" : "[Not read]");
	if (wrong)
		printf(" *** %s ***", desc->wrong);
	putchar('\n');
	return true;
}

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
	if (text.s[0] == '\0')
		print_append(&text, "[No flags set] ");
	text.s[strlen(text.s) - 1] = '\0';
	return text;
}

/*
 * What a dump must not hold: the memory of guests. Where it lies is told by the switch's own
 * tables, as they were read.
 */
#include <stdlib.h>

#include "debugshell/dump.h"
#include "debugshell/target_record.h"
#include "debugshell/walk.h"
#include "ports/guest_mem_types.h"
#include "ports/vhost_types.h"
#include "ports/vring_types.h"
#include "switch/root_types.h"

enum { RING_ENTRIES_MAX = 32768 };

static int forget_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static void forget_guest(struct shell *sh, struct target *record, const struct vhost *vhost);
static void forget_regions(struct shell *sh, struct target *record, tgt_addr addr);
static void forget_ring(struct shell *sh, struct target *record, const struct virtq *q);
static void forget(struct shell *sh, struct target *record, tgt_addr teller, tgt_addr start,
		   uint64_t size);

void dump_forget_guests(struct shell *sh, struct target *record)
{
	walk_ports(sh, forget_port, record);
}

static int forget_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	struct vhost *vhost = aligned_alloc(64, (sizeof(*vhost) + 63) / 64 * 64);
	const struct type_map *map;
	tgt_addr nic_addr;
	struct vnic nic;
	struct why why;

	if (vhost != NULL && walk_port_nic(sh, addr, &nic_addr, &nic) && nic.kind == VNIC_VHOST &&
	    shell_map(sh, "vhost", sizeof(*vhost), &map, &why) == 0 &&
	    type_read(sh->target, map, nic_addr, vhost) == 0)
		forget_guest(sh, arg, vhost);
	free(vhost);
	return 0;
}

static void forget_guest(struct shell *sh, struct target *record, const struct vhost *vhost)
{
	forget_regions(sh, record, tgt_ptr(vhost->mem));
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		forget_regions(sh, record, tgt_ptr(vhost->rings[i].q.mem));
		forget_ring(sh, record, &vhost->rings[i].q);
	}
}

static void forget_regions(struct shell *sh, struct target *record, tgt_addr addr)
{
	const struct type_map *map;
	struct guest_mem mem;
	struct why why;

	if (addr.v == 0 || shell_map(sh, "guest_mem", sizeof(mem), &map, &why) != 0 ||
	    type_read(sh->target, map, addr, &mem) != 0)
		return;
	for (uint32_t i = 0; i < mem.n_regions && i < GUEST_MEM_REGIONS_MAX; i++) {
		const struct guest_region *region = &mem.regions[i];

		forget(sh, record, addr, tgt_ptr(region->host), region->size);
		forget(sh, record, addr, tgt_ptr(region->map), region->map_size);
	}
}

// Rings lie in regions; a ring whose regions cannot be read any more is forgotten all the same.
static void forget_ring(struct shell *sh, struct target *record, const struct virtq *q)
{
	uint64_t n = q->size <= RING_ENTRIES_MAX ? q->size : RING_ENTRIES_MAX;

	forget(sh, record, sh->root_addr, tgt_ptr(q->desc), n * sizeof(*q->desc));
	forget(sh, record, sh->root_addr, tgt_ptr(q->avail),
	       sizeof(*q->avail) + (n + 1) * sizeof(q->avail->ring[0]));
	forget(sh, record, sh->root_addr, tgt_ptr(q->used),
	       sizeof(*q->used) + n * sizeof(q->used->ring[0]) + sizeof(uint16_t));
}

// The root lies in no guest, nor does the table that tells of the range, at 'teller': one that says
// so is damaged, and a dump without a root could not be read.
static void forget(struct shell *sh, struct target *record, tgt_addr teller, tgt_addr start,
		   uint64_t size)
{
	if (sh->root_addr.v - start.v < size || teller.v - start.v < size ||
	    start.v - sh->root_addr.v < sizeof(struct vsw_root))
		return;
	target_record_forget(record, start, size);
}

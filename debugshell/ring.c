#include "debugshell/ring.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	INDIRECT_READ_MAX = 64, // descriptors of a chain's own table that are looked at
	READ_TRIES = 5,
	READ_PAUSE_NS = 200 * 1000
};

struct walker {
	const char *indent;
	ring_fn fn;
	void *arg;
};

struct finder {
	tgt_addr addr;
	struct ring *ret;
	bool found;
};

struct chains {
	struct shell *sh;
	const struct ring *ring;
	const struct ring_guest *guest;
	uint32_t *seen; // by number: 1 + position of the chain that it was met in, 0: none
	uint32_t position;
	struct ring_desc row;
	ring_desc_fn fn;
	void *arg;
};

static int walk_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg);
static int walk_nic(struct shell *sh, tgt_addr port, tgt_addr nic, const struct walker *walker);
static bool match(struct shell *sh, const struct ring *ring, void *arg);
static int read_once(struct shell *sh, const struct virtq *q, struct ring_guest *ret,
		     struct why *why);
static void *read_new(struct shell *sh, tgt_addr addr, size_t size, const char *what,
		      struct why *why);
static int read_indexes(struct shell *sh, const struct virtq *q, uint16_t *x_avail,
			uint16_t *x_used, struct why *why);
static int read_index(struct shell *sh, tgt_addr addr, uint16_t *ret, const char *what,
		      struct why *why);
static void read_mem(struct shell *sh, const struct virtq *q, struct ring_guest *ret);
static bool chain(struct chains *c, uint16_t head);
static bool indirect(struct chains *c);
static bool emit(struct chains *c);
static const char *judge(const struct chains *c, const struct virtq_desc *desc);
static const char *judge_indirect(const struct chains *c, const struct virtq_desc *desc);
static bool is_mapped(const struct guest_mem *mem, uint64_t gpa, uint64_t size);
static bool translate(const struct guest_mem *mem, uint64_t gpa, uint64_t size, tgt_addr *ret);

int ring_addr(struct shell *sh, tgt_addr nic, unsigned index, tgt_addr *ret, struct why *why)
{
	const struct type_map *map;
	struct vhost_ring *part = NULL;
	uint32_t rings, q;
	int err = shell_map(sh, "vhost_ring", sizeof(*part), &map, why);

	if (err == 0)
		err = walk_field(sh, "vhost", "rings", offsetof(struct vhost, rings), &rings, why);
	if (err == 0)
		err = walk_field(sh, "vhost_ring", "q", offsetof(struct vhost_ring, q), &q, why);
	if (err == 0)
		*ret = tgt_add(nic, rings + (uint64_t)index * map->from_size + q);
	return err;
}

unsigned ring_count(const struct vhost *v)
{
	return 2U * (v->nic.n_queues < VNIC_QUEUES_MAX ? v->nic.n_queues : VNIC_QUEUES_MAX);
}

void ring_walk(struct shell *sh, const char *indent, ring_fn fn, void *arg)
{
	struct walker walker = {indent, fn, arg};

	walk_ports(sh, walk_port, &walker);
}

int ring_find(struct shell *sh, tgt_addr addr, struct ring *ret)
{
	struct finder finder = {.addr = addr, .ret = ret};

	ring_walk(sh, NULL, match, &finder);
	return finder.found ? 0 : -ENOENT;
}

bool ring_is_to_guest(const struct ring *ring)
{
	return ring->index % 2 == 0;
}

const char *ring_direction(const struct ring *ring)
{
	return ring_is_to_guest(ring) ? "to the guest" : "from the guest";
}

int ring_guest_read(struct shell *sh, const struct virtq *q, struct ring_guest *ret,
		    struct why *why)
{
	const struct timespec pause = {.tv_nsec = READ_PAUSE_NS};
	const unsigned tries = sh->runs ? READ_TRIES : 1;
	int err = -EAGAIN;

	for (unsigned i = 0; i < tries && err == -EAGAIN; i++) {
		if (i > 0) {
			nanosleep(&pause, NULL);
			ring_guest_free(ret);
		}
		err = read_once(sh, q, ret, why);
	}
	ret->is_torn = err == -EAGAIN;
	if (err != 0 && err != -EAGAIN)
		return err;
	read_mem(sh, q, ret);
	return 0;
}

// -EAGAIN: the guest or the switch went on meanwhile.
static int read_once(struct shell *sh, const struct virtq *q, struct ring_guest *ret,
		     struct why *why)
{
	size_t n = q->size;
	uint16_t avail_idx = 0, used_idx = 0;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (n == 0 || n > VIRTQ_SIZE_MAX || (n & (n - 1)) != 0)
		return why_set(why, -EINVAL, "a ring cannot have %zu entries", n);
	if (sh->collects)
		return why_set(why, -ENODATA, "a guest's memory is no part of a dump");
	ret->size = q->size;
	err = read_indexes(sh, q, &ret->avail_idx, &ret->used_idx, why);
	if (err != 0)
		return err;
	ret->avail = read_new(sh, tgt_add(tgt_ptr(q->avail), offsetof(struct virtq_avail, ring)),
			      n * sizeof(*ret->avail), "ring of what is available", why);
	if (ret->avail == NULL)
		return -EFAULT;
	ret->desc =
		read_new(sh, tgt_ptr(q->desc), n * sizeof(*ret->desc), "table of descriptors", why);
	if (ret->desc == NULL)
		return -EFAULT;
	err = read_indexes(sh, q, &avail_idx, &used_idx, why);
	if (err != 0)
		return err;
	return avail_idx == ret->avail_idx && used_idx == ret->used_idx ? 0 : -EAGAIN;
}

void ring_guest_free(struct ring_guest *guest)
{
	free(guest->desc);
	free(guest->avail);
}

uint16_t ring_outstanding(const struct ring_guest *guest)
{
	return (uint16_t)(guest->avail_idx - guest->used_idx);
}

int ring_chains(struct shell *sh, const struct ring *ring, const struct ring_guest *guest,
		ring_desc_fn fn, void *arg)
{
	struct chains c = {.sh = sh, .ring = ring, .guest = guest, .fn = fn, .arg = arg};
	uint32_t n = ring_outstanding(guest);
	bool goes_on = true;

	c.seen = calloc(guest->size, sizeof(*c.seen));
	if (c.seen == NULL)
		return -ENOMEM;
	if (n > guest->size)
		n = guest->size;
	for (uint32_t i = 0; i < n && goes_on; i++) {
		uint16_t slot = (uint16_t)((guest->used_idx + i) & (guest->size - 1));

		c.position = i + 1;
		c.row = (struct ring_desc){.slot = slot, .head = guest->avail[slot]};
		goes_on = chain(&c, guest->avail[slot]);
	}
	free(c.seen);
	return 0;
}

static int walk_port(struct shell *sh, const struct walk_vswitch *v, tgt_addr addr, void *arg)
{
	const struct walker *walker = arg;
	const char *title = "VPORT";
	tgt_addr port_addr = addr;
	struct vport port;
	struct vnic nic;
	struct why why;
	int err = walk_object(sh, addr, OBJECT_VPORT, &port, &why);

	if (err >= 0 && port.nic == NULL)
		return 0;
	if (err >= 0) {
		title = "VNIC";
		addr = tgt_ptr(port.nic);
		err = walk_object(sh, addr, OBJECT_VNIC, &nic, &why);
	}
	if (err < 0) {
		if (walker->indent != NULL)
			walk_trouble(sh, walker->indent, title, addr, &why);
		return 0;
	}
	return nic.kind == VNIC_VHOST ? walk_nic(sh, port_addr, addr, walker) : 0;
}

static int walk_nic(struct shell *sh, tgt_addr port, tgt_addr nic, const struct walker *walker)
{
	struct vhost *vhost = aligned_alloc(64, (sizeof(*vhost) + 63) / 64 * 64);
	struct ring ring = {.nic = nic, .port = port};
	const struct type_map *map;
	bool goes_on = true;
	struct why why;
	int err;

	if (vhost == NULL)
		return 0;
	err = shell_map(sh, "vhost", sizeof(*vhost), &map, &why);
	if (err == 0)
		err = type_read(sh->target, map, nic, vhost);
	for (unsigned i = 0; err == 0 && i < ring_count(vhost) && goes_on; i++) {
		ring.index = i;
		ring.name = TEXT(vhost->nic.obj.name);
		ring.negotiated = vhost->negotiated;
		ring.part = vhost->rings[i];
		err = ring_addr(sh, nic, i, &ring.addr, &why);
		if (err == 0)
			goes_on = walker->fn(sh, &ring, walker->arg);
	}
	free(vhost);
	return goes_on ? 0 : -ECANCELED;
}

static bool match(struct shell *sh, const struct ring *ring, void *arg)
{
	struct finder *finder = arg;

	if (ring->addr.v != finder->addr.v)
		return true;
	*finder->ret = *ring;
	finder->found = true;
	return false;
}

static void *read_new(struct shell *sh, tgt_addr addr, size_t size, const char *what,
		      struct why *why)
{
	void *buf = malloc(size);
	int err = buf != NULL ? tgt_read(sh->target, addr, buf, size) : -ENOMEM;

	if (err == 0)
		return buf;
	free(buf);
	why_set(why, err, "its %s at %016lx cannot be read: %s", what, addr.v,
		tgt_strerror(sh->target, err));
	return NULL;
}

static int read_indexes(struct shell *sh, const struct virtq *q, uint16_t *x_avail,
			uint16_t *x_used, struct why *why)
{
	int err = read_index(sh, tgt_add(tgt_ptr(q->avail), offsetof(struct virtq_avail, idx)),
			     x_avail, "available", why);

	if (err != 0)
		return err;
	return read_index(sh, tgt_add(tgt_ptr(q->used), offsetof(struct virtq_used, idx)), x_used,
			  "used", why);
}

static int read_index(struct shell *sh, tgt_addr addr, uint16_t *ret, const char *what,
		      struct why *why)
{
	int err = TGT_READ(sh->target, addr, ret);

	return err == 0 ? 0
			: why_set(why, err, "its %s index at %016lx cannot be read: %s", what,
				  addr.v, tgt_strerror(sh->target, err));
}

// Without it addresses are not judged.
static void read_mem(struct shell *sh, const struct virtq *q, struct ring_guest *ret)
{
	const struct type_map *map;
	struct why why;

	ret->has_mem = q->mem != NULL &&
		       shell_map(sh, "guest_mem", sizeof(ret->mem), &map, &why) == 0 &&
		       type_read(sh->target, map, tgt_ptr(q->mem), &ret->mem) == 0 &&
		       ret->mem.n_regions <= GUEST_MEM_REGIONS_MAX;
}

// A chain ends at the first descriptor that was met before, so all chains together have no more
// descriptors than the ring.
static bool chain(struct chains *c, uint16_t head)
{
	const struct ring_guest *guest = c->guest;
	uint32_t number = head;

	for (uint32_t length = 1;; length++) {
		c->row.number = number;
		c->row.is_indirect = false;
		c->row.is_there = number < guest->size;
		if (!c->row.is_there) {
			c->row.wrong = length == 1 ? "head out of range" : "next out of range";
			return emit(c);
		}
		c->row.desc = guest->desc[number];
		if (c->seen[number] != 0) {
			c->row.wrong =
				c->seen[number] == c->position ? "loop" : "also in an older chain";
			return emit(c);
		}
		c->seen[number] = c->position;
		c->row.wrong =
			length > VIRTQ_CHAIN_MAX ? "chain is too long" : judge(c, &c->row.desc);
		if (!emit(c))
			return false;
		if ((c->row.desc.flags & VIRTQ_DESC_INDIRECT) != 0)
			return indirect(c);
		if ((c->row.desc.flags & VIRTQ_DESC_NEXT) == 0 || length > VIRTQ_CHAIN_MAX)
			return true;
		number = c->row.desc.next;
	}
}

// A chain's own table. In a core it is left out with the rest of the guest's memory.
static bool indirect(struct chains *c)
{
	struct virtq_desc table[INDIRECT_READ_MAX], owner = c->row.desc;
	uint32_t n = owner.len / sizeof(table[0]), number = 0;
	uint32_t here = n < INDIRECT_READ_MAX ? n : INDIRECT_READ_MAX;
	tgt_addr at;

	if (c->row.wrong != NULL || n == 0 || !c->guest->has_mem)
		return true;
	c->row.is_indirect = true;
	c->row.number = 0;
	c->row.is_there = translate(&c->guest->mem, owner.addr, here * sizeof(table[0]), &at) &&
			  tgt_read(c->sh->target, at, table, here * sizeof(table[0])) == 0;
	if (!c->row.is_there)
		return emit(c);
	for (uint32_t length = 1; length <= here; length++) {
		c->row.number = number;
		c->row.desc = table[number];
		c->row.wrong = (c->row.desc.flags & VIRTQ_DESC_INDIRECT) != 0
				       ? "indirect in an indirect table"
				       : judge(c, &c->row.desc);
		if (!emit(c))
			return false;
		if ((c->row.desc.flags & VIRTQ_DESC_NEXT) == 0)
			return true;
		number = c->row.desc.next;
		if (number < here)
			continue;
		c->row.number = number;
		c->row.is_there = false;
		c->row.wrong = number < n ? NULL : "next out of range";
		return emit(c);
	}
	c->row.wrong = "loop";
	return emit(c);
}

static bool emit(struct chains *c)
{
	if (c->guest->is_torn)
		c->row.wrong = NULL;
	return c->fn(&c->row, c->arg);
}

static const char *judge(const struct chains *c, const struct virtq_desc *desc)
{
	bool writes = (desc->flags & VIRTQ_DESC_WRITE) != 0;

	if ((desc->flags & VIRTQ_DESC_INDIRECT) != 0)
		return judge_indirect(c, desc);
	if (desc->len == 0)
		return "zero length";
	if (c->guest->has_mem && !is_mapped(&c->guest->mem, desc->addr, desc->len))
		return "outside of the guest's memory";
	if (writes && !ring_is_to_guest(c->ring))
		return "to be written, in a ring that is read";
	if (!writes && ring_is_to_guest(c->ring))
		return "to be read, in a ring that is written";
	return NULL;
}

static const char *judge_indirect(const struct chains *c, const struct virtq_desc *desc)
{
	uint32_t n = desc->len / sizeof(struct virtq_desc);

	if (!c->ring->part.q.indirect)
		return "indirect, which was not agreed on";
	if ((desc->flags & VIRTQ_DESC_NEXT) != 0)
		return "indirect, and goes on";
	if (n == 0 || n > VIRTQ_TABLE_MAX || desc->len % sizeof(struct virtq_desc) != 0)
		return "no length of a table";
	if (c->guest->has_mem && !is_mapped(&c->guest->mem, desc->addr, desc->len))
		return "outside of the guest's memory";
	return NULL;
}

// Regions may adjoin: what begins in one may go on in the next.
static bool is_mapped(const struct guest_mem *mem, uint64_t gpa, uint64_t size)
{
	for (uint32_t step = 0; step < mem->n_regions; step++) {
		const struct guest_region *r = NULL;

		for (uint32_t i = 0; i < mem->n_regions && r == NULL; i++)
			if (gpa - mem->regions[i].gpa < mem->regions[i].size)
				r = &mem->regions[i];
		if (r == NULL)
			return false;
		if (size <= r->size - (gpa - r->gpa))
			return true;
		size -= r->size - (gpa - r->gpa);
		gpa = r->gpa + r->size;
	}
	return false;
}

// False: it does not lie in one region as a whole.
static bool translate(const struct guest_mem *mem, uint64_t gpa, uint64_t size, tgt_addr *ret)
{
	for (uint32_t i = 0; i < mem->n_regions; i++) {
		const struct guest_region *r = &mem->regions[i];
		uint64_t offset = gpa - r->gpa;

		if (offset < r->size && size <= r->size - offset) {
			*ret = tgt_add(tgt_ptr(r->host), offset);
			return true;
		}
	}
	return false;
}

#include "ports/guest_mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ports/log.h"
#include "ports/sigbus.h"

enum { PAGE = 4096 };

static int check_region(const struct guest_region_conf *c, unsigned i, struct errtext *e);
static int add_region(struct guest_mem *mem, const struct guest_region_conf *c, struct errtext *e);

int guest_mem_create(const struct guest_region_conf *conf, unsigned n, struct guest_mem **ret,
		     struct errtext *e)
{
	struct guest_mem *mem;
	int err;

	if (n == 0 || n > GUEST_MEM_REGIONS_MAX)
		return errtext_set(e, -EINVAL, "%u memory regions; 1 to %d are possible", n,
				   GUEST_MEM_REGIONS_MAX);
	for (unsigned i = 0; i < n; i++) {
		err = check_region(&conf[i], i, e);
		if (err < 0)
			return err;
	}

	mem = calloc(1, sizeof(*mem));
	if (mem == NULL)
		return errtext_set(e, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		err = add_region(mem, &conf[i], e);
		if (err < 0)
			goto destroy;
	}
	*ret = mem;
	return 0;

destroy:
	guest_mem_destroy(mem);
	return err;
}

void guest_mem_destroy(struct guest_mem *mem)
{
	if (mem == NULL)
		return;
	for (unsigned i = 0; i < mem->n_regions; i++)
		sigbus_remove(mem->regions[i].sigbus_slot);
	free(mem);
}

void guest_mem_hide(void *map, uint64_t map_size)
{
	// The tenant's data is none of our business, and it may be terabytes.
	if (madvise(map, map_size, MADV_DONTDUMP) != 0)
		log_warn("cannot leave guest memory out of core dumps: %s", strerror(errno));
}

void guest_mem_dump_none(const struct guest_mem *mem)
{
	for (unsigned i = 0; i < mem->n_regions; i++)
		guest_mem_hide(mem->regions[i].map, mem->regions[i].map_size);
}

void guest_mem_dump_range(const struct guest_mem *mem, const void *start, size_t size)
{
	uint64_t first = (uintptr_t)start / PAGE * PAGE;
	uint64_t last = ((uintptr_t)start + size + PAGE - 1) / PAGE * PAGE;
	const struct guest_region *r;

	for (unsigned i = 0; i < mem->n_regions; i++) {
		r = &mem->regions[i];
		if ((uintptr_t)start - (uintptr_t)r->host >= r->size || first < (uintptr_t)r->map ||
		    last > (uintptr_t)r->map + r->map_size)
			continue;
		// A mapping of huge pages refuses to be split in small ones, and stays out.
		(void)madvise(r->map + (first - (uintptr_t)r->map), last - first, MADV_DODUMP);
		break;
	}
}

bool guest_mem_holds(const struct guest_mem *mem, const void *start, uint64_t size)
{
	const struct guest_region *r;
	uint64_t offset;

	for (unsigned i = 0; i < mem->n_regions; i++) {
		r = &mem->regions[i];
		offset = (uintptr_t)start - (uintptr_t)r->host;
		if (offset < r->size && size <= r->size - offset)
			return true;
	}
	return false;
}

uint8_t *guest_mem_search(const struct guest_mem *mem, uint32_t *hint, uint64_t gpa, uint64_t size,
			  uint64_t *ret_size)
{
	const struct guest_region *r;
	uint64_t offset;

	for (uint32_t i = 0; i < mem->n_regions; i++) {
		r = &mem->regions[i];
		offset = gpa - r->gpa;
		if (offset >= r->size)
			continue;
		*hint = i;
		*ret_size = size < r->size - offset ? size : r->size - offset;
		return r->host + offset;
	}
	return NULL;
}

static int check_region(const struct guest_region_conf *c, unsigned i, struct errtext *e)
{
	uint64_t host = (uintptr_t)c->host, map = (uintptr_t)c->map;

	if (c->size == 0)
		return errtext_set(e, -EINVAL, "memory region %u is empty", i);
	if (c->gpa + c->size < c->gpa)
		return errtext_set(e, -EINVAL,
				   "memory region %u (guest address 0x%" PRIx64 ", 0x%" PRIx64
				   " bytes) wraps around",
				   i, c->gpa, c->size);
	if (c->map == NULL || map + c->map_size < map || host < map || host - map > c->map_size ||
	    c->size > c->map_size - (host - map))
		return errtext_set(e, -EINVAL, "memory region %u leaves its mapping", i);
	return 0;
}

static int add_region(struct guest_mem *mem, const struct guest_region_conf *c, struct errtext *e)
{
	struct guest_region *r = &mem->regions[mem->n_regions];
	int slot;

	slot = sigbus_add(c->map, c->map_size, &mem->broken);
	if (slot < 0)
		return errtext_set(e, slot, "more than %d memory regions in all", SIGBUS_SLOTS);
	r->gpa = c->gpa;
	r->size = c->size;
	r->host = c->host;
	r->map = c->map;
	r->map_size = c->map_size;
	r->sigbus_slot = slot;
	mem->n_regions++;
	guest_mem_hide(c->map, c->map_size);
	return 0;
}

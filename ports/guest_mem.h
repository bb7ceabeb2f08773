/*
 * Guest-physical to host address, bounds-checked; see guest_mem_types.h.
 *
 * Core dumps: what is a guest's stays out of them, but for the pages of its rings, which hold no
 * payload and which a debugger wants to see.
 *
 * Threads: guest_mem_create(), guest_mem_destroy(), guest_mem_dump*(): any thread but a
 * proc. guest_mem_destroy() only when no proc can be inside the memory any more. The rest:
 * any thread, procs included.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ports/errtext.h"
#include "ports/guest_mem_types.h"

// One region as the vhost peer described it. Addresses are checked, not trusted.
struct guest_region_conf {
	uint64_t gpa;
	uint64_t size;
	void *host;
	void *map;         // start of the mapping that holds [host, host + size)
	uint64_t map_size; // bytes
};

/**
 * Gives a table of 'n' regions, registered with the SIGBUS handler, their mappings left out
 * of core dumps (MADV_DONTDUMP; a failure is logged). The mappings stay the caller's.
 * -EINVAL: no region, too many, or one that wraps or leaves its mapping. -ENOSPC: the
 * handler's table is full. -ENOMEM.
 */
int guest_mem_create(const struct guest_region_conf *conf, unsigned n, struct guest_mem **ret,
		     struct errtext *e);

/**
 * Takes the regions from the SIGBUS handler, then frees the table. When this returns, no
 * handler in any thread touches the mappings, so they may be unmapped. Accepts NULL.
 */
void guest_mem_destroy(struct guest_mem *mem);

// Keeps a mapping of a guest's memory out of core dumps, whether it can be used or not. A failure
// is logged.
void guest_mem_hide(void *map, uint64_t map_size);

// Takes back what guest_mem_dump_range() did: rings were there, and soon anything may be.
void guest_mem_dump_none(const struct guest_mem *mem);

/**
 * Puts the pages of [start, start + size) back into core dumps: the rings. 'start' is one of
 * our addresses. Does nothing for huge pages, which hold much more than a ring.
 */
void guest_mem_dump_range(const struct guest_mem *mem, const void *start, size_t size);

// Whether [start, start + size), our addresses, lies in one region as a whole.
bool guest_mem_holds(const struct guest_mem *mem, const void *start, uint64_t size);

// Whether pages went away since guest_mem_create().
static inline bool guest_mem_broken(const struct guest_mem *mem)
{
	return atomic_load_explicit(&mem->broken, memory_order_relaxed) != 0;
}

// The slow half of guest_mem_translate(): searches all regions, sets '*hint'.
uint8_t *guest_mem_search(const struct guest_mem *mem, uint32_t *hint, uint64_t gpa, uint64_t size,
			  uint64_t *ret_size);

/**
 * Where guest-physical 'gpa' lies in our address space, or NULL when it is in no region.
 * '*ret_size': how many of the 'size' bytes (> 0) lie there in one piece, at least 1; when it
 * is less than 'size', ask again for the rest. '*hint' is the caller's memory of the region
 * last hit, 0 at first, one per user.
 */
static inline uint8_t *guest_mem_translate(const struct guest_mem *mem, uint32_t *hint,
					   uint64_t gpa, uint64_t size, uint64_t *ret_size)
{
	const struct guest_region *r = &mem->regions[*hint];
	uint64_t offset = gpa - r->gpa;

	if (offset >= r->size) {
		// Most guests have two regions, below and above 4 GB, and use both in turn. Slots
		// without a region have size 0.
		r = &mem->regions[*hint ^ 1];
		offset = gpa - r->gpa;
		if (offset < r->size)
			*hint ^= 1;
	}
	if (offset < r->size && size <= r->size - offset) {
		*ret_size = size;
		return r->host + offset;
	}
	return guest_mem_search(mem, hint, gpa, size, ret_size);
}

/**
 * The same for what has to lie in one piece, for loops: NULL when it does not. '*region' is one
 * of the table's, the one last hit.
 */
static inline uint8_t *guest_mem_whole(const struct guest_mem *mem,
				       const struct guest_region **region, uint64_t gpa,
				       uint64_t size)
{
	uint64_t offset = gpa - (*region)->gpa, in_one_piece;
	uint32_t hint;
	uint8_t *at;

	if (offset < (*region)->size && size <= (*region)->size - offset)
		return (*region)->host + offset;
	hint = (uint32_t)(*region - mem->regions);
	at = guest_mem_translate(mem, &hint, gpa, size, &in_one_piece);
	*region = &mem->regions[hint];
	return at != NULL && in_one_piece >= size ? at : NULL;
}

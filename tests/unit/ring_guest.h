/*
 * One virtqueue and the memory of its guest, in this process: for tests of ports/vring.c that
 * want to write every byte themselves. There is no switch, no socket and no second thread.
 *
 *    gpa   RG_RINGS          RG_DATA           RG_FAR
 *          | desc avail used | buffers         |     (hole)    | buffers   |
 *          +-----------------+-----------------+               +-----------+
 *    The first two adjoin for the guest, but not in our address space.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/guest_mem.h"
#include "ports/vring.h"

enum {
	RG_RINGS = 0x100000, // guest-physical
	RG_DATA = 0x200000,
	RG_FAR = 0x10000000,
	RG_REGION = 1 << 20,  // bytes of each
	RG_AVAIL = 512 << 10, // offsets in the first region
	RG_USED = 640 << 10
};

struct ring_guest {
	uint8_t *rings;
	uint8_t *data;
	uint8_t *far;
	int memfds[3];
	struct guest_mem *mem;

	uint32_t size;
	volatile struct virtq_desc *desc;
	volatile struct virtq_avail *avail;
	volatile struct virtq_used *used;
	int callfd;
	int kickfd;
	struct virtq q;
	struct vport_stats st;
	struct vnbl_burst burst;
};

static inline void rg_die(const char *what)
{
	perror(what);
	abort();
}

static inline uint8_t *rg_map(int *fd, size_t size)
{
	uint8_t *at;

	*fd = memfd_create("ring_guest", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0)
		rg_die("memfd");
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (at == MAP_FAILED)
		rg_die("mmap");
	return at;
}

// Memory and an empty, unattached ring.
static inline struct ring_guest *rg_create(uint32_t size)
{
	struct ring_guest *g = aligned_alloc(64, (sizeof(*g) + 63) / 64 * 64);
	struct guest_region_conf conf[3];
	struct errtext e;

	if (g == NULL)
		rg_die("malloc");
	memset(g, 0, sizeof(*g));
	g->rings = rg_map(&g->memfds[0], RG_REGION);
	g->data = rg_map(&g->memfds[1], RG_REGION);
	g->far = rg_map(&g->memfds[2], RG_REGION);
	conf[0] = (struct guest_region_conf){RG_RINGS, RG_REGION, g->rings, g->rings, RG_REGION};
	conf[1] = (struct guest_region_conf){RG_DATA, RG_REGION, g->data, g->data, RG_REGION};
	conf[2] = (struct guest_region_conf){RG_FAR, RG_REGION, g->far, g->far, RG_REGION};
	if (guest_mem_create(conf, 3, &g->mem, &e) < 0)
		rg_die(e.text);

	g->size = size;
	g->desc = (volatile struct virtq_desc *)g->rings;
	g->avail = (volatile struct virtq_avail *)(g->rings + RG_AVAIL);
	g->used = (volatile struct virtq_used *)(g->rings + RG_USED);
	g->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	g->kickfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return g;
}

static inline void rg_destroy(struct ring_guest *g)
{
	vring_settle(); // nothing is owed to a ring that is no more
	vring_detach(&g->q, NULL, NULL);
	guest_mem_destroy(g->mem);
	munmap(g->rings, RG_REGION);
	munmap(g->data, RG_REGION);
	munmap(g->far, RG_REGION);
	for (unsigned i = 0; i < 3; i++)
		close(g->memfds[i]);
	close(g->callfd);
	close(g->kickfd);
	free(g);
}

static inline struct virtq_conf rg_conf(struct ring_guest *g, enum virtq_direction direction,
					uint64_t features)
{
	return (struct virtq_conf){
		.desc = g->rings,
		.avail = g->rings + RG_AVAIL,
		.used = g->rings + RG_USED,
		.size = g->size,
		.features = features,
		.callfd = g->callfd,
		.kickfd = g->kickfd,
		.mem = g->mem,
		.direction = direction,
	};
}

// Reads and clears an eventfd's counter.
static inline uint64_t rg_take(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

// Attaches the ring, all indices at 'index', and forgets the first call.
static inline void rg_attach_at(struct ring_guest *g, enum virtq_direction direction,
				uint64_t features, uint16_t index)
{
	struct virtq_conf conf = rg_conf(g, direction, features);
	struct errtext e;

	g->avail->idx = index;
	g->used->idx = index;
	conf.last_avail = index;
	conf.last_used = index;
	if (vring_attach(&g->q, &conf, &e) < 0)
		rg_die(e.text);
	rg_take(g->callfd);
}

static inline void rg_attach(struct ring_guest *g, enum virtq_direction direction,
			     uint64_t features)
{
	rg_attach_at(g, direction, features, 0);
}

static inline uint8_t *rg_host(struct ring_guest *g, uint64_t gpa)
{
	if (gpa >= RG_FAR)
		return g->far + (gpa - RG_FAR);
	if (gpa >= RG_DATA)
		return g->data + (gpa - RG_DATA);
	return g->rings + (gpa - RG_RINGS);
}

// Writes bytes at a guest address; the range may cross into the next region.
static inline void rg_write(struct ring_guest *g, uint64_t gpa, const uint8_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		*rg_host(g, gpa + i) = from[i];
}

static inline void rg_read(struct ring_guest *g, uint64_t gpa, uint8_t *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = *rg_host(g, gpa + i);
}

static inline void rg_desc(struct ring_guest *g, uint16_t i, uint64_t addr, uint32_t len,
			   uint16_t flags, uint16_t next)
{
	g->desc[i].addr = addr;
	g->desc[i].len = len;
	g->desc[i].flags = flags;
	g->desc[i].next = next;
}

// One entry of an indirect table at 'gpa'.
static inline void rg_table(struct ring_guest *g, uint64_t gpa, uint16_t i, uint64_t addr,
			    uint32_t len, uint16_t flags, uint16_t next)
{
	struct virtq_desc d = {.addr = addr, .len = len, .flags = flags, .next = next};

	rg_write(g, gpa + i * sizeof(d), (const uint8_t *)&d, sizeof(d));
}

// Makes a chain available.
static inline void rg_offer(struct ring_guest *g, uint16_t head)
{
	uint16_t idx = g->avail->idx;

	g->avail->ring[idx & (g->size - 1)] = head;
	g->avail->idx = idx + 1;
}

static inline struct virtq_used_elem rg_used(struct ring_guest *g, uint16_t index)
{
	struct virtq_used_elem e;

	e.id = g->used->ring[index & (g->size - 1)].id;
	e.len = g->used->ring[index & (g->size - 1)].len;
	return e;
}

// Byte i of every test frame.
static inline uint8_t rg_byte(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + 1);
}

static inline void rg_pattern(uint8_t *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = rg_byte(i);
}

#include "bench/bguest.h"

#include <string.h>
#include <sys/mman.h>

#include "bench/cycles.h"

enum {
	GPA = 0x40000000,
	AVAIL = 64 << 10, // offsets
	USED = 96 << 10,
	BUFFERS = 128 << 10,
	MEMORY = BUFFERS + BGUEST_RING * BGUEST_STRIDE + 4096
};

void bguest_init(struct bguest *g, enum virtq_direction direction)
{
	struct guest_region_conf region = {.gpa = GPA, .size = MEMORY, .map_size = MEMORY};

	g->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->memory == MAP_FAILED)
		cycles_fail("no memory for a guest");
	memset(g->memory, 0, MEMORY);
	region.host = region.map = g->memory;
	if (guest_mem_create(&region, 1, &g->mem, NULL) < 0)
		cycles_fail("the guest's memory is refused");
	g->direction = direction;
	g->buffers = g->memory + BUFFERS;
	g->desc = (struct virtq_desc *)g->memory;
	g->avail = (volatile struct virtq_avail *)(g->memory + AVAIL);
	g->used = (volatile struct virtq_used *)(g->memory + USED);
	for (uint32_t i = 0; i < BGUEST_RING; i++) {
		g->desc[i].addr = GPA + BUFFERS + i * BGUEST_STRIDE;
		g->desc[i].len = BGUEST_STRIDE;
		g->desc[i].flags = direction == VIRTQ_TO_GUEST ? VIRTQ_DESC_WRITE : 0;
		g->avail->ring[i] = (uint16_t)i;
	}
}

void bguest_fini(struct bguest *g)
{
	guest_mem_destroy(g->mem);
	munmap(g->memory, MEMORY);
}

void bguest_attach(struct bguest *g, struct virtq *q, uint32_t frame_size, uint64_t features,
		   int callfd, int kickfd)
{
	struct virtq_conf conf = {
		.desc = g->desc,
		.avail = g->memory + AVAIL,
		.used = g->memory + USED,
		.size = BGUEST_RING,
		.features = VIRTQ_FEATURE_VERSION_1 | VIRTQ_FEATURE_MRG_RXBUF | features,
		.callfd = callfd,
		.kickfd = kickfd,
		.mem = g->mem,
		.direction = g->direction,
	};

	for (uint32_t i = 0; i < BGUEST_RING && g->direction == VIRTQ_FROM_GUEST; i++)
		g->desc[i].len = BGUEST_HDR + frame_size;
	g->avail->idx = 0;
	g->avail->flags = callfd < 0 ? VIRTQ_AVAIL_NO_INTERRUPT : 0;
	g->used->idx = 0;
	if (vring_attach(q, &conf, NULL) < 0)
		cycles_fail("the guest's ring is refused");
}

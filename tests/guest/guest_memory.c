/*
 * A guest's memory: regions, rings and buffers laid out in them.
 *
 * Rings go to region 0 and never lie on a region boundary; buffers are spread over the
 * regions, or (without gaps) laid end to end over all of them, boundaries or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/guest.h"

#define HUGE_PAGE  (2ull << 20)
#define GAP_SIZE   (16ull << 20)
#define TABLE_SIZE (GRING_MAX_CHAIN * sizeof(struct vring_desc))

static int map_regions(struct guest *g);
static int map_region(struct guest *g, unsigned i, int *shared_fd);
static int lay_out_queue(struct guest *g, unsigned index);
static int lay_out_slots(struct guest *g, struct guest_queue *q);
static uint64_t size_needed(const struct guest_conf *conf);
static uint64_t ring_bytes(unsigned size);

int guest_create(const struct guest_conf *conf, struct guest **g_ret)
{
	struct guest *g;
	int ret;

	if (conf->n_regions < 1 || conf->n_regions > GUEST_MAX_REGIONS || conf->pairs < 1 ||
	    conf->pairs > GUEST_MAX_PAIRS || conf->ring_size < 2 ||
	    conf->ring_size > GRING_MAX_SIZE || (conf->ring_size & (conf->ring_size - 1)) ||
	    conf->rx_chain < 1 || conf->rx_chain > GRING_MAX_CHAIN || conf->tx_chain < 1 ||
	    conf->tx_chain > GRING_MAX_CHAIN)
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->conf = *conf;
	g->sock = -1;
	g->listen_fd = -1;
	g->header_size = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	g->n_queues = 2 * conf->pairs;
	for (unsigned i = 0; i < g->n_queues; i++) {
		g->queues[i].ring.kick_fd = -1;
		g->queues[i].ring.call_fd = -1;
	}
	ret = map_regions(g);
	for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
		ret = lay_out_queue(g, i);
	// As in a real guest, nothing else is in the pages that hold rings.
	guest_alloc(g, 0, 0, 4096);
	g->rings_end = g->used[0];
	for (unsigned i = 0; ret == 0 && i < g->n_queues; i++)
		ret = lay_out_slots(g, &g->queues[i]);
	if (ret < 0) {
		guest_destroy(g);
		return ret;
	}
	*g_ret = g;
	return 0;
}

void guest_destroy(struct guest *g)
{
	if (!g)
		return;
	guest_hangup(g);
	for (unsigned i = 0; i < g->n_queues; i++) {
		struct guest_queue *q = &g->queues[i];
		if (q->ring.kick_fd >= 0)
			close(q->ring.kick_fd);
		if (q->ring.call_fd >= 0)
			close(q->ring.call_fd);
		gring_fini(&q->ring);
		free(q->slots);
		free(q->free_slots);
	}
	if (g->listen_fd >= 0) {
		close(g->listen_fd);
		unlink(g->conf.socket);
	}
	for (unsigned i = 0; i < g->n_regions; i++)
		close(g->regions[i].fd);
	if (g->base)
		munmap(g->base, g->span);
	free(g);
}

void guest_fill(struct guest *g, const char *text)
{
	size_t length = strlen(text);

	for (unsigned i = 0; i < g->n_regions; i++) {
		char *at = guest_ptr(g, g->regions[i].gpa);

		for (uint64_t n = i == 0 ? g->rings_end : 0; n < g->regions[i].size; n++)
			at[n] = text[n % length];
	}
}

uint64_t guest_alloc(struct guest *g, unsigned region, uint64_t size, uint64_t align)
{
	// Without gaps the regions are one piece of memory, and the first one's books serve all.
	bool flat = !g->conf.gap;
	const struct guest_region *r = &g->regions[flat ? 0 : region];
	uint64_t *used = &g->used[flat ? 0 : region];
	uint64_t at = (*used + align - 1) & ~(align - 1);

	if (at + size > (flat ? g->span : r->size))
		return 0;
	*used = at + size;
	return r->gpa + at;
}

static int map_regions(struct guest *g)
{
	const struct guest_conf *conf = &g->conf;
	uint64_t unit = conf->huge ? HUGE_PAGE : 4096;
	uint64_t size = conf->share ? conf->share->regions[0].size : conf->region_size;
	uint64_t gap = conf->gap ? GAP_SIZE : 0;
	int shared_fd = -1;
	int ret = 0;

	if (size == 0)
		size = conf->gap ? size_needed(conf) : size_needed(conf) / conf->n_regions;
	// Rings may not lie on a boundary, so the first region must hold all of them.
	uint64_t rings = g->n_queues * (ring_bytes(conf->ring_size) + 4096);
	if (size < rings)
		size = rings;
	size = (size + unit - 1) & ~(unit - 1);
	g->span = conf->n_regions * (size + gap) - gap;
	// Aligned for huge pages, which a fixed mapping needs.
	char *base = mmap(NULL, g->span + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	uintptr_t head = -(uintptr_t)base & (HUGE_PAGE - 1);
	if (head)
		munmap(base, head);
	munmap(base + head + g->span, HUGE_PAGE - head);
	g->base = base + head;
	for (unsigned i = 0; ret == 0 && i < conf->n_regions; i++) {
		g->regions[i] = (struct guest_region){.gpa = GUEST_GPA_BASE + i * (size + gap),
						      .size = size,
						      .file_offset = conf->one_file ? i * size : 0};
		ret = map_region(g, i, &shared_fd);
	}
	return ret;
}

static int map_region(struct guest *g, unsigned i, int *shared_fd)
{
	struct guest_region *r = &g->regions[i];
	const struct guest *share = g->conf.share;
	bool one_file = g->conf.one_file;

	if (share) {
		*r = share->regions[i];
		g->used[i] = share->used[i];
		r->fd = dup(r->fd);
	} else if (one_file && *shared_fd >= 0)
		r->fd = dup(*shared_fd);
	else
		r->fd = memfd_create("guest", MFD_CLOEXEC | (g->conf.huge ? MFD_HUGETLB : 0));
	if (r->fd < 0)
		return -errno;
	*shared_fd = r->fd;
	g->n_regions = i + 1;
	if (!share && ftruncate(r->fd, (off_t)(r->size * (one_file ? g->conf.n_regions : 1))) < 0)
		return -errno;
	if (mmap(guest_ptr(g, r->gpa), r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 r->fd, (off_t)r->file_offset) == MAP_FAILED)
		return -errno;
	return 0;
}

static int lay_out_queue(struct guest *g, unsigned index)
{
	struct guest_queue *q = &g->queues[index];
	struct gring *r = &q->ring;
	unsigned size = g->conf.ring_size;

	r->index = index;
	r->size = size;
	r->desc_gpa = guest_alloc(g, 0, size * sizeof(struct vring_desc), 4096);
	r->avail_gpa = guest_alloc(g, 0, 6 + 2 * size, 64);
	r->used_gpa = guest_alloc(g, 0, 6 + 8 * size, 4096);
	if (!r->desc_gpa || !r->avail_gpa || !r->used_gpa)
		return -ENOSPC;
	r->desc = guest_ptr(g, r->desc_gpa);
	r->avail = guest_ptr(g, r->avail_gpa);
	r->used = guest_ptr(g, r->used_gpa);
	q->slots = calloc(size, sizeof(*q->slots));
	q->free_slots = calloc(size, sizeof(*q->free_slots));
	if (!q->slots || !q->free_slots)
		return -ENOMEM;
	return gring_init(r);
}

// An odd number of cache lines: slots a power of two apart would all fall on the same L1 sets.
static int lay_out_slots(struct guest *g, struct guest_queue *q)
{
	const struct guest_conf *conf = &g->conf;
	bool tx = q->ring.index % 2 == 1;
	uint32_t lines;

	q->slot_size = tx ? conf->send_size : conf->buffer_size;
	lines = (q->slot_size + 63) / 64 | 1;
	for (unsigned i = 0; i < q->ring.size; i++) {
		struct guest_slot *s = &q->slots[i];
		unsigned region = i % g->n_regions;
		s->gpa = guest_alloc(g, region, lines * 64ull, 64);
		if (!s->gpa)
			return -ENOSPC;
		if (conf->indirect) {
			s->table_gpa = guest_alloc(g, region, TABLE_SIZE, 16);
			if (!s->table_gpa)
				return -ENOSPC;
			s->table = guest_ptr(g, s->table_gpa);
		}
		q->free_slots[i] = (uint16_t)i;
	}
	q->n_free_slots = q->ring.size;
	return 0;
}

static uint64_t size_needed(const struct guest_conf *conf)
{
	uint64_t slot = (uint64_t)conf->buffer_size + conf->send_size + 4 * 64;

	if (conf->indirect)
		slot += 2 * (TABLE_SIZE + 16);
	return conf->pairs * (slot * conf->ring_size + 2 * (ring_bytes(conf->ring_size) + 4096)) +
	       (1 << 20);
}

static uint64_t ring_bytes(unsigned size)
{
	return size * sizeof(struct vring_desc) + 6 + 2 * size + 4096 + 6 + 8 * size + 64;
}

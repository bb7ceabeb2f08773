#include "debugshell/target_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_PAGE = 4096, RECORD_SLOTS_MIN = 1024 };

// Bytes of one page of the target's memory, and which of them were read.
struct record_page {
	uint64_t addr;
	uint8_t there[RECORD_PAGE / 8];
	uint8_t bytes[RECORD_PAGE];
};

struct target_record {
	struct target base;
	struct target *inner;
	bool failed;
	bool replays;
	uint32_t n_pages;
	uint32_t n_slots;           // power of two, more than pages
	struct record_page **slots; // hashed by address
};

static int record_read(struct target *t, tgt_addr from, void *buf, size_t size);
static int record_symbol(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size);
static int record_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
			  void *arg);
static int record_maps(struct target *t, bool (*fn)(const struct target_map *, void *), void *arg);
static enum target_state record_state(struct target *t);
static void record_close(struct target *t);

static void record_keep(struct target_record *r, uint64_t addr, const uint8_t *bytes, size_t size);
static int record_recall(const struct target_record *r, uint64_t addr, uint8_t *to, size_t size);
static struct record_page *record_page(struct target_record *r, uint64_t addr);
static struct record_page **record_slot(const struct target_record *r, uint64_t addr);
static bool record_grow(struct target_record *r);
static struct record_page **record_sorted(const struct target_record *r);
static int record_page_all(const struct record_page *page, uint64_t *end, target_record_fn fn,
			   void *arg);
static bool is_there(const struct record_page *page, unsigned at);
static int compare_pages(const void *a, const void *b);

static const struct target_ops record_ops = {
	.read = record_read,
	.symbol = record_symbol,
	.threads = record_threads,
	.maps = record_maps,
	.state = record_state,
	.close = record_close,
};

int target_record_create(struct target *inner, struct target **ret)
{
	struct target_record *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->base = *inner;
	r->base.ops = &record_ops;
	r->inner = inner;
	*ret = &r->base;
	return 0;
}

void target_record_replay(struct target *t, bool replay)
{
	((struct target_record *)t)->replays = replay;
}

void target_record_clear(struct target *t)
{
	struct target_record *r = (struct target_record *)t;

	for (uint32_t i = 0; i < r->n_slots; i++)
		free(r->slots[i]);
	free(r->slots);
	r->slots = NULL;
	r->n_slots = 0;
	r->n_pages = 0;
	r->failed = false;
}

void target_record_forget(struct target *t, tgt_addr start, uint64_t size)
{
	struct target_record *r = (struct target_record *)t;

	// Guests have more pages than were read.
	for (uint32_t i = 0; i < r->n_slots; i++) {
		struct record_page *page = r->slots[i];

		if (page == NULL ||
		    (page->addr - start.v >= size && start.v - page->addr >= RECORD_PAGE))
			continue;
		for (unsigned at = 0; at < RECORD_PAGE; at++)
			if (page->addr + at - start.v < size)
				page->there[at / 8] &= (uint8_t) ~(1U << (at % 8));
	}
}

bool target_record_failed(const struct target *t)
{
	return ((const struct target_record *)t)->failed;
}

int target_record_all(const struct target *t, target_record_fn fn, void *arg)
{
	const struct target_record *r = (const struct target_record *)t;
	struct record_page **pages = record_sorted(r);
	uint64_t end = 0;
	int err = 0;

	if (pages == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n_pages && err == 0; i++)
		err = record_page_all(pages[i], &end, fn, arg);
	free(pages);
	return err;
}

static int record_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	struct target_record *r = (struct target_record *)t;
	int err;

	if (r->replays)
		return record_recall(r, from.v, buf, size);
	r->inner->coredump_filter = t->coredump_filter;
	err = tgt_read(r->inner, from, buf, size);
	if (err == 0)
		record_keep(r, from.v, buf, size);
	else
		memcpy(t->gap, r->inner->gap, sizeof(t->gap));
	return err;
}

static int record_symbol(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size)
{
	struct target *inner = ((struct target_record *)t)->inner;

	return inner->ops->symbol(inner, name, x_addr, x_size);
}

static int record_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
			  void *arg)
{
	struct target *inner = ((struct target_record *)t)->inner;

	return inner->ops->threads(inner, fn, arg);
}

static int record_maps(struct target *t, bool (*fn)(const struct target_map *, void *), void *arg)
{
	struct target *inner = ((struct target_record *)t)->inner;

	return inner->ops->maps(inner, fn, arg);
}

static enum target_state record_state(struct target *t)
{
	struct target *inner = ((struct target_record *)t)->inner;

	return inner->ops->state(inner);
}

static void record_close(struct target *t)
{
	target_record_clear(t);
	free(t);
}

static void record_keep(struct target_record *r, uint64_t addr, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		unsigned at = addr % RECORD_PAGE;
		size_t n = size < RECORD_PAGE - at ? size : RECORD_PAGE - at;
		struct record_page *page = record_page(r, addr - at);

		if (page == NULL) {
			r->failed = true;
			return;
		}
		memcpy(page->bytes + at, bytes, n);
		for (unsigned i = at; i < at + n; i++)
			page->there[i / 8] |= (uint8_t)(1U << (i % 8));
		addr += n;
		bytes += n;
		size -= n;
	}
}

static int record_recall(const struct target_record *r, uint64_t addr, uint8_t *to, size_t size)
{
	while (size > 0) {
		unsigned at = addr % RECORD_PAGE;
		size_t n = size < RECORD_PAGE - at ? size : RECORD_PAGE - at;
		const struct record_page *page = r->n_slots > 0 ? *record_slot(r, addr - at) : NULL;

		for (unsigned i = at; i < at + n; i++)
			if (page == NULL || !is_there(page, i))
				return -ENODATA;
		memcpy(to, page->bytes + at, n);
		addr += n;
		to += n;
		size -= n;
	}
	return 0;
}

// Finds or makes it; NULL without memory.
static struct record_page *record_page(struct target_record *r, uint64_t addr)
{
	struct record_page **slot;

	if (2 * (r->n_pages + 1) > r->n_slots && !record_grow(r))
		return NULL;
	slot = record_slot(r, addr);
	if (*slot == NULL) {
		*slot = calloc(1, sizeof(**slot));
		if (*slot == NULL)
			return NULL;
		(*slot)->addr = addr;
		r->n_pages++;
	}
	return *slot;
}

// Where the page is, or is to be.
static struct record_page **record_slot(const struct target_record *r, uint64_t addr)
{
	uint64_t hash = (addr / RECORD_PAGE) * 0x9e3779b97f4a7c15ULL;
	uint32_t i = (uint32_t)(hash >> 32) & (r->n_slots - 1);

	while (r->slots[i] != NULL && r->slots[i]->addr != addr)
		i = (i + 1) & (r->n_slots - 1);
	return &r->slots[i];
}

static bool record_grow(struct target_record *r)
{
	struct target_record bigger = *r;

	bigger.n_slots = r->n_slots > 0 ? 2 * r->n_slots : RECORD_SLOTS_MIN;
	bigger.slots = calloc(bigger.n_slots, sizeof(bigger.slots[0]));
	if (bigger.slots == NULL)
		return false;
	for (uint32_t i = 0; i < r->n_slots; i++)
		if (r->slots[i] != NULL)
			*record_slot(&bigger, r->slots[i]->addr) = r->slots[i];
	free(r->slots);
	r->slots = bigger.slots;
	r->n_slots = bigger.n_slots;
	return true;
}

// To be freed.
static struct record_page **record_sorted(const struct target_record *r)
{
	struct record_page **pages = calloc(r->n_pages + 1, sizeof(pages[0]));
	uint32_t n = 0;

	if (pages == NULL)
		return NULL;
	for (uint32_t i = 0; i < r->n_slots; i++)
		if (r->slots[i] != NULL)
			pages[n++] = r->slots[i];
	qsort(pages, n, sizeof(pages[0]), compare_pages);
	return pages;
}

static int record_page_all(const struct record_page *page, uint64_t *end, target_record_fn fn,
			   void *arg)
{
	unsigned at = 0;
	int err = 0;

	while (at < RECORD_PAGE && err == 0) {
		unsigned first = at;

		while (at < RECORD_PAGE && is_there(page, at))
			at++;
		if (at > first) {
			tgt_addr start = {page->addr + first};

			err = fn(start, page->bytes + first, at - first, start.v == *end, arg);
			*end = page->addr + at;
		}
		while (at < RECORD_PAGE && !is_there(page, at))
			at++;
	}
	return err;
}

static bool is_there(const struct record_page *page, unsigned at)
{
	return (page->there[at / 8] >> (at % 8) & 1) != 0;
}

static int compare_pages(const void *a, const void *b)
{
	const struct record_page *one = *(struct record_page *const *)a;
	const struct record_page *other = *(struct record_page *const *)b;

	return (one->addr > other->addr) - (one->addr < other->addr);
}

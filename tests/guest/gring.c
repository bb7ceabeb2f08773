#include "tests/guest/gring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_desc(struct vring_desc *d, const struct gring_buf *buf, bool more, uint16_t next);
static bool device_wants_kick(struct gring *r, uint16_t old);

int gring_init(struct gring *r)
{
	r->free = calloc(r->size, sizeof(*r->free));
	r->n_desc = calloc(r->size, sizeof(*r->n_desc));
	r->token = calloc(r->size, sizeof(*r->token));
	r->posted = calloc(r->size, sizeof(*r->posted));
	if (!r->free || !r->n_desc || !r->token || !r->posted) {
		gring_fini(r);
		return -ENOMEM;
	}
	gring_reset(r);
	return 0;
}

void gring_fini(struct gring *r)
{
	free(r->free);
	free(r->n_desc);
	free(r->token);
	free(r->posted);
	r->free = NULL;
	r->n_desc = NULL;
	r->token = NULL;
	r->posted = NULL;
}

void gring_reset(struct gring *r)
{
	memset(r->desc, 0, r->size * sizeof(*r->desc));
	memset(r->avail, 0, sizeof(*r->avail) + (r->size + 1) * sizeof(uint16_t));
	memset(r->used, 0, sizeof(*r->used) + r->size * sizeof(struct vring_used_elem) + 2);
	memset(r->n_desc, 0, r->size * sizeof(*r->n_desc));
	// The lowest descriptor is on top of the stack: a fresh ring is used in order.
	for (unsigned i = 0; i < r->size; i++)
		r->free[i] = (uint16_t)(r->size - 1 - i);
	r->n_free = r->size;
	r->avail_idx = 0;
	r->kick_idx = 0;
	r->used_seen = 0;
	r->base = 0;
}

int gring_add(struct gring *r, const struct gring_buf bufs[], unsigned n, struct vring_desc *table,
	      uint64_t table_gpa, uint32_t token)
{
	unsigned need = table ? 1 : n;
	uint32_t posted = 0;

	if (n == 0 || need > r->n_free)
		return -ENOSPC;
	uint16_t head = r->free[r->n_free - 1];
	if (table) {
		for (unsigned i = 0; i < n; i++)
			write_desc(&table[i], &bufs[i], i + 1 < n, (uint16_t)(i + 1));
		r->desc[head] = (struct vring_desc){.addr = table_gpa,
						    .len = n * (uint32_t)sizeof(*table),
						    .flags = VRING_DESC_F_INDIRECT};
		r->n_free--;
	} else {
		for (unsigned i = 0; i < n; i++) {
			uint16_t at = r->free[--r->n_free];
			bool more = i + 1 < n;
			write_desc(&r->desc[at], &bufs[i], more, more ? r->free[r->n_free - 1] : 0);
		}
	}
	for (unsigned i = 0; i < n; i++)
		posted += bufs[i].writable ? bufs[i].length : 0;
	r->n_desc[head] = (uint16_t)need;
	r->token[head] = token;
	r->posted[head] = posted;
	r->avail->ring[r->avail_idx & (r->size - 1)] = head;
	r->avail_idx++;
	return 0;
}

void gring_publish(struct gring *r)
{
	uint16_t old = r->kick_idx;

	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	// The device's wish is read after our index is visible, or both sides could sleep.
	atomic_thread_fence(memory_order_seq_cst);
	r->kick_idx = r->avail_idx;
	if (old != r->avail_idx && device_wants_kick(r, old))
		gring_kick(r);
}

void gring_kick(struct gring *r)
{
	uint64_t one = 1;

	r->kicks++;
	if (write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		r->violations++;
}

bool gring_used_pending(const struct gring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) != r->used_seen;
}

int gring_pop(struct gring *r, uint32_t *token_ret, uint32_t *length_ret)
{
	if (!gring_used_pending(r))
		return -EAGAIN;
	struct vring_used_elem e = r->used->ring[r->used_seen & (r->size - 1)];
	r->used_seen++;
	if (e.id >= r->size || r->n_desc[e.id] == 0) {
		r->violations++;
		return -EBADMSG;
	}
	// Give the chain back to the free stack, last descriptor first.
	uint16_t chain[GRING_MAX_CHAIN];
	unsigned n = r->n_desc[e.id];
	uint16_t at = (uint16_t)e.id;
	for (unsigned i = 0; i < n; i++) {
		chain[i] = at;
		at = r->desc[at].next & (uint16_t)(r->size - 1);
	}
	while (n > 0)
		r->free[r->n_free++] = chain[--n];
	r->n_desc[e.id] = 0;
	if (e.len > r->posted[e.id])
		r->violations++;
	*token_ret = r->token[e.id];
	*length_ret = e.len;
	return 0;
}

void gring_want_calls(struct gring *r, bool want)
{
	if (r->event_idx) {
		// An event half a ring of indices away is never reached before we move it on.
		uint16_t event = (uint16_t)(want ? r->used_seen : r->used_seen + 0x8000u);
		__atomic_store_n(gring_used_event(r), event, __ATOMIC_RELAXED);
		r->avail->flags = 0;
	} else {
		r->avail->flags = want ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
	}
	atomic_thread_fence(memory_order_seq_cst);
}

static void write_desc(struct vring_desc *d, const struct gring_buf *buf, bool more, uint16_t next)
{
	d->addr = buf->gpa;
	d->len = buf->length;
	d->flags = (uint16_t)((more ? VRING_DESC_F_NEXT : 0) |
			      (buf->writable ? VRING_DESC_F_WRITE : 0));
	d->next = next;
}

static bool device_wants_kick(struct gring *r, uint16_t old)
{
	if (r->event_idx)
		return vring_need_event(__atomic_load_n(gring_avail_event(r), __ATOMIC_RELAXED),
					r->avail_idx, old);
	return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

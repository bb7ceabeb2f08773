/*
 * Packed rings (virtio 1.1, 2.7): one ring of descriptors that both sides write.
 *
 * A descriptor is available or used by two bits in its flags, whose meaning is exchanged each time
 * the ring goes round. The device overwrites length, id and flags when it is done, so unlike a
 * split ring this one cannot be filled in for ever: descriptors are copied in anew, frame by
 * frame, from a copy of our own. Positions mean the same as in a split ring: position p is slot
 * p mod slots, and p / slots says how often the ring went round.
 *
 * The three areas lie where those of a split ring would: descriptors, driver's events in place of
 * the available ring, device's events in place of the used one.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/gen_parts.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static bool wrap_at(const struct gen_packed *p, uint16_t pos);
static unsigned head_of(const struct gen_packed *p, uint16_t pos);
static int make_ring(struct gen_packed *p, const struct gring *r, unsigned slots);
static void fill_chain(struct gen_side *s, unsigned slot);

int gen_packed_create(struct gen_side *s)
{
	const struct guest_queue *q = &s->g->queues[0];
	int ret = make_ring(&s->tx_packed, s->tx, s->n_slots);

	if (ret == 0)
		ret = make_ring(&s->rx_packed, s->rx, s->rx->size);
	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < s->n_slots; i++)
		fill_chain(s, i);
	for (unsigned i = 0; i < s->rx->size; i++)
		s->rx_packed.own[i] = (struct vring_packed_desc){.addr = q->slots[i].gpa,
								 .len = q->slot_size,
								 .id = (uint16_t)i,
								 .flags = VRING_DESC_F_WRITE};
	gen_packed_show(&s->rx_packed, 0, s->rx->size);
	return 0;
}

void gen_packed_destroy(struct gen_side *s)
{
	free(s->tx_packed.own);
	free(s->rx_packed.own);
}

void gen_packed_show(const struct gen_packed *p, uint16_t pos, unsigned n)
{
	for (; n > 0; n--, pos++) {
		unsigned head = head_of(p, pos);
		unsigned bits = wrap_at(p, pos) ? AVAIL : USED;
		// The first of a chain last: it makes all of them available.
		for (unsigned i = p->chain; i-- > 0;) {
			struct vring_packed_desc *d = &p->desc[head + i];
			const struct vring_packed_desc *own = &p->own[head + i];
			d->addr = own->addr;
			d->len = own->len;
			d->id = own->id;
			__atomic_store_n(&d->flags, (uint16_t)(own->flags | bits),
					 __ATOMIC_RELEASE);
		}
	}
}

unsigned gen_packed_used(const struct gen_packed *p, uint16_t pos, unsigned most)
{
	unsigned n = 0;

	for (; n < most; n++, pos++) {
		unsigned flags = __atomic_load_n(&p->desc[head_of(p, pos)].flags, __ATOMIC_ACQUIRE);
		if ((flags & (AVAIL | USED)) != (wrap_at(p, pos) ? AVAIL | USED : 0))
			break;
	}
	return n;
}

bool gen_packed_entry(const struct gen_packed *p, uint16_t pos, uint32_t *length_ret)
{
	unsigned head = head_of(p, pos);

	*length_ret = __atomic_load_n(&p->desc[head].len, __ATOMIC_RELAXED);
	return p->desc[head].id == p->own[head].id;
}

// The device's place is told twice, as what it has taken and what it has used.
uint32_t gen_packed_base(const struct gen_packed *p, uint16_t pos)
{
	uint32_t base = head_of(p, pos) | (wrap_at(p, pos) ? 1u << 15 : 0);

	return base | base << 16;
}

bool gen_packed_available(const struct gen_packed *p, uint16_t pos)
{
	unsigned flags = __atomic_load_n(&p->desc[head_of(p, pos)].flags, __ATOMIC_ACQUIRE);

	return (flags & (AVAIL | USED)) == (wrap_at(p, pos) ? AVAIL : USED);
}

void gen_packed_complete(const struct gen_packed *p, uint16_t pos, uint32_t length)
{
	struct vring_packed_desc *d = &p->desc[head_of(p, pos)];

	d->len = length;
	__atomic_store_n(&d->flags, wrap_at(p, pos) ? AVAIL | USED : 0, __ATOMIC_RELEASE);
}

// 1 in the first lap, then exchanged with each.
static bool wrap_at(const struct gen_packed *p, uint16_t pos)
{
	return (pos & p->slots) == 0;
}

static unsigned head_of(const struct gen_packed *p, uint16_t pos)
{
	return (pos & (p->slots - 1)) * p->chain;
}

static int make_ring(struct gen_packed *p, const struct gring *r, unsigned slots)
{
	p->desc = (struct vring_packed_desc *)(void *)r->desc;
	p->slots = slots;
	p->chain = r->size / slots;
	p->own = calloc(r->size, sizeof(*p->own));
	return p->own ? 0 : -ENOMEM;
}

static void fill_chain(struct gen_side *s, unsigned slot)
{
	const struct guest_slot *gs = &s->g->queues[1].slots[slot];
	bool indirect = s->gen->conf.indirect;
	unsigned n = s->gen->conf.chain;
	unsigned head = slot * s->tx_packed.chain;
	struct vring_packed_desc *d = indirect ? (void *)gs->table : &s->tx_packed.own[head];
	uint32_t length = GEN_HEADER + s->slots[slot].length;
	uint32_t each = (length + n - 1) / n;
	uint64_t gpa = gs->gpa;

	for (unsigned i = 0; i < n; i++) {
		uint32_t now = length < each ? length : each;
		d[i] = (struct vring_packed_desc){
			.addr = gpa,
			.len = now,
			.id = (uint16_t)head,
			.flags = i + 1 < n && !indirect ? VRING_DESC_F_NEXT : 0};
		gpa += now;
		length -= now;
	}
	if (indirect)
		s->tx_packed.own[head] = (struct vring_packed_desc){.addr = gs->table_gpa,
								    .len = n * (uint32_t)sizeof(*d),
								    .id = (uint16_t)head,
								    .flags = VRING_DESC_F_INDIRECT};
}

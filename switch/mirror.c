#include "switch/mirror.h"

#include <string.h>

#include "ports/vnbl.h"
#include "ports/rss.h"
#include "switch/policy.h"

static_assert(VNBL_BURST_MAX <= 32, "a mask has a bit per frame of a burst");

static void note(struct mirror *m, unsigned session, uint32_t frames);
static uint32_t make_safe(struct mirror *m, uint32_t frames);
static void deliver(struct mirror *m, struct vport *port, uint32_t frames, unsigned proc);

void mirror_begin(struct mirror *m, const struct vswitch_mirrors *mirrors,
		  const struct proc_rxq *rxq, struct vnbl_burst *burst)
{
	unsigned session = policy_of(rxq->port)->mirrored_to;
	uint32_t frames = 0;

	m->mirrors = mirrors;
	m->burst = burst;
	memset(m->wanted, 0, sizeof(m->wanted));
	memset(m->there, 0, sizeof(m->there));
	for (unsigned i = 0; i < mirrors->n; i++)
		if (mirrors->to[i].slot == rxq->slot)
			m->there[i] = UINT32_MAX;
	if (session == 0)
		return;
	for (unsigned i = 0; i < burst->n; i++)
		if (!(burst->frames[i].flags & VNBL_DROPPED))
			frames |= 1U << i;
	note(m, session, frames);
}

void mirror_note(struct mirror *m, const struct vport *port, struct vnbl *const frames[],
		 unsigned n)
{
	unsigned session = policy_of(port)->mirrored_to;
	uint32_t mask = 0;

	for (unsigned i = 0; i < n; i++)
		mask |= 1U << (frames[i] - m->burst->frames);
	for (unsigned i = 0; i < m->mirrors->n; i++)
		if (m->mirrors->to[i].slot == port->slot)
			m->there[i] |= mask;
	if (session != 0)
		note(m, session, mask);
}

void mirror_end(struct mirror *m, const struct vswitch_map *map, unsigned proc)
{
	for (unsigned i = 0; i < m->mirrors->n; i++) {
		uint32_t frames = m->wanted[i] & ~m->there[i];
		uint16_t slot = m->mirrors->to[i].slot;

		// A port that is just going is in the map no more.
		if (frames != 0 && slot < map->n_slots && map->by_slot[slot] != NULL)
			deliver(m, map->by_slot[slot], frames, proc);
	}
}

static void note(struct mirror *m, unsigned session, uint32_t frames)
{
	bool is_safe = false;

	for (unsigned i = 0; i < m->mirrors->n; i++) {
		if (atomic_load_explicit(&m->mirrors->to[i].session, memory_order_relaxed) !=
		    session)
			continue;
		if (!is_safe)
			frames = make_safe(m, frames);
		is_safe = true;
		m->wanted[i] |= frames;
	}
}

// Those of the frames that are safe now; a copy that finds no memory is not made.
static uint32_t make_safe(struct mirror *m, uint32_t frames)
{
	uint32_t safe = frames;

	for (uint32_t left = frames; left != 0; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);

		if (!(m->burst->frames[i].flags & VNBL_DATA_SAFE) &&
		    vnbl_make_safe(&m->burst->frames[i]) < 0)
			safe &= ~(1U << i);
	}
	return safe;
}

static void deliver(struct mirror *m, struct vport *port, uint32_t frames, unsigned proc)
{
	struct vnbl *group[VNBL_BURST_MAX];
	unsigned n = 0;

	for (; frames != 0; frames &= frames - 1) {
		struct vnbl *v = &m->burst->frames[__builtin_ctz(frames)];

		vnbl_vlan_insert(v);
		group[n++] = v;
	}
	rss_tx(port->nic, group, n, &port->stats[proc], proc);
	for (unsigned i = 0; i < n; i++)
		vnbl_vlan_strip(group[i]);
}

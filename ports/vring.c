#include "ports/vring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/call.h"
#include "ports/vring_walk.h"

// Rings that this thread has published to and not looked at again, with the index it published.
enum { OWED_MAX = 16 };
static _Thread_local struct {
	unsigned n;
	struct owed {
		struct virtq *q;
		uint64_t published;
	} rings[OWED_MAX];
} owed;

static int check_conf(const struct virtq_conf *conf, struct errtext *e);
static void close_fd(int32_t *fd);
static void suppress_kicks(struct virtq *q);
static bool guest_wants_call(const struct virtq *q, uint16_t old, uint16_t now);
static bool settle(struct virtq *q, uint64_t now);
static void call_guest(struct virtq *q);
static enum walk_step enter_table(struct vring_walk *w, const struct virtq_desc *d,
				  struct virtq_desc *result);
static enum walk_step read_table(struct vring_walk *w, struct virtq_desc *d);
static const volatile struct virtq_desc *table_entry(const struct vring_walk *w);

// Where EVENT_IDX keeps its indices: behind the last entry of each ring.
static inline const volatile uint16_t *used_event(const struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static inline volatile uint16_t *avail_event(const struct virtq *q)
{
	return (volatile uint16_t *)&q->used->ring[q->size];
}

int vring_attach(struct virtq *q, const struct virtq_conf *conf, struct errtext *e)
{
	uint8_t *scratch = NULL;
	int err;

	err = check_conf(conf, e);
	if (err < 0)
		return err;
	if (conf->direction == VIRTQ_FROM_GUEST) {
		scratch = malloc(VNBL_FRAME_MAX);
		if (scratch == NULL)
			return errtext_set(e, -ENOMEM, "out of memory");
	}

	// commit
	memset(q, 0, sizeof(*q));
	q->desc = conf->desc;
	q->avail = conf->avail;
	q->used = conf->used;
	q->mem = conf->mem;
	q->size = conf->size;
	q->mask = conf->size - 1;
	q->direction = conf->direction;
	q->mergeable = (conf->features & VIRTQ_FEATURE_MRG_RXBUF) != 0;
	q->event_idx = (conf->features & VIRTQ_FEATURE_EVENT_IDX) != 0;
	q->indirect = (conf->features & VIRTQ_FEATURE_INDIRECT_DESC) != 0;
	q->hdr_size = q->mergeable || (conf->features & VIRTQ_FEATURE_VERSION_1) != 0
			      ? VIRTQ_NET_HDR_SIZE
			      : VIRTQ_NET_HDR_LEGACY;
	q->callfd = call_open(conf->callfd);
	q->kickfd = call_open(conf->kickfd);
	q->scratch = scratch;
	q->last_avail = q->avail_seen = conf->last_avail;
	q->last_used = conf->last_used;
	q->published = q->signalled = conf->last_used;
	suppress_kicks(q);

	// Whoever served this ring before us may have died between an entry and its call.
	call_guest(q);
	q->notifications = conf->notifications;
	return 0;
}

bool vring_detach(struct virtq *q, uint16_t *last_avail, uint16_t *last_used)
{
	if (q->desc == NULL)
		return false;
	if (last_avail != NULL)
		*last_avail = q->last_avail;
	if (last_used != NULL)
		*last_used = q->last_used;
	close_fd(&q->callfd);
	close_fd(&q->kickfd);
	free(q->scratch);
	q->scratch = NULL;
	q->desc = NULL;
	q->avail = NULL;
	q->used = NULL;
	q->mem = NULL;
	q->armed = 0;
	return true;
}

int vring_arm(struct virtq *q)
{
	if (!vring_usable(q))
		return -ENOLINK;
	if (vring_waiting(q, q->last_avail, 1) > 0)
		return -EAGAIN;
	if (q->broken != VIRTQ_OK)
		return -ENOLINK;
	if (q->kickfd < 0)
		return -ENOTSUP;

	q->armed = 1;
	q->kicks_asked++;
	if (q->event_idx)
		*avail_event(q) = q->last_avail;
	else
		q->used->flags = 0;

	// The guest adds first and looks at our wish then; we wish first and look at its index
	// then. One of the two sees the other.
	atomic_thread_fence(memory_order_seq_cst);
	if (vring_waiting(q, q->last_avail, 1) > 0) {
		vring_disarm(q);
		return -EAGAIN;
	}
	return q->broken == VIRTQ_OK ? q->kickfd : -ENOLINK;
}

void vring_disarm(struct virtq *q)
{
	if (q->desc == NULL || !q->armed)
		return;
	q->armed = 0;
	suppress_kicks(q);
	if (q->kickfd >= 0)
		call_clear(q->kickfd);
}

const char *vring_break_text(unsigned reason)
{
	static const char *const texts[] = {
#define X(number, name, text) [number] = (text),
		VIRTQ_BREAKS(X)
#undef X
	};

	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "?";
}

void vring_publish(struct virtq *q, uint16_t used)
{
	q->published += (uint16_t)(used - q->last_used);
	q->last_used = used;
	atomic_thread_fence(memory_order_release);
	q->used->idx = used;

	// The last word covers all that was published since the last settlement.
	for (unsigned i = 0; i < owed.n; i++) {
		if (owed.rings[i].q == q) {
			owed.rings[i].published = q->published;
			return;
		}
	}
	if (owed.n == OWED_MAX)
		vring_settle();
	owed.rings[owed.n++] = (struct owed){.q = q, .published = q->published};
}

int vring_settle(void)
{
	int called = 0;

	if (owed.n == 0)
		return VRING_NOTHING_OWED;
	// Our indices must be out before the guests' wishes are read.
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < owed.n; i++)
		called += settle(owed.rings[i].q, owed.rings[i].published);
	owed.n = 0;
	return called;
}

enum walk_step vring_walk_next(struct vring_walk *w, struct virtq_desc *d)
{
	struct virtq *q = w->q;
	struct virtq_desc desc;

	if (!w->more)
		return WALK_END;
	if (w->table_entries > 0)
		return read_table(w, d);
	if (w->at_head) {
		w->at_head = false;
		desc = w->head;
	} else if (w->next >= q->size) {
		vring_break(q, VIRTQ_BREAK_HEAD, w->next);
		return WALK_BROKEN;
	} else if (w->seen >= q->size || w->seen >= VIRTQ_CHAIN_MAX) {
		vring_break(q, VIRTQ_BREAK_CHAIN, w->seen);
		return WALK_BROKEN;
	} else {
		desc = vring_read_desc(&q->desc[w->next]);
	}

	w->seen++;
	if (desc.flags & VIRTQ_DESC_INDIRECT)
		return enter_table(w, &desc, d);
	*d = desc;
	w->more = (d->flags & VIRTQ_DESC_NEXT) != 0;
	w->next = d->next;
	return WALK_DESC;
}

static int check_conf(const struct virtq_conf *conf, struct errtext *e)
{
	bool event_idx = (conf->features & VIRTQ_FEATURE_EVENT_IDX) != 0;
	uint64_t n = conf->size, event_size = event_idx ? 2 : 0;

	if (n == 0 || n > VIRTQ_SIZE_MAX || (n & (n - 1)) != 0)
		return errtext_set(e, -EINVAL,
				   "a ring of %u entries; a power of two up to %d is possible",
				   conf->size, VIRTQ_SIZE_MAX);
	if (conf->mem == NULL)
		return errtext_set(e, -EINVAL, "the ring came before the memory table");
	if ((uintptr_t)conf->desc % 16 != 0 || (uintptr_t)conf->avail % 2 != 0 ||
	    (uintptr_t)conf->used % 4 != 0)
		return errtext_set(e, -EINVAL, "the ring is not aligned as virtio says");
	if (!guest_mem_holds(conf->mem, conf->desc, n * sizeof(struct virtq_desc)) ||
	    !guest_mem_holds(conf->mem, conf->avail,
			     sizeof(struct virtq_avail) + n * 2 + event_size) ||
	    !guest_mem_holds(conf->mem, conf->used,
			     sizeof(struct virtq_used) + n * sizeof(struct virtq_used_elem) +
				     event_size))
		return errtext_set(e, -EINVAL, "the ring does not lie in the guest's memory");

	guest_mem_dump_range(conf->mem, conf->desc, n * sizeof(struct virtq_desc));
	guest_mem_dump_range(conf->mem, conf->avail,
			     sizeof(struct virtq_avail) + n * 2 + event_size);
	guest_mem_dump_range(conf->mem, conf->used,
			     sizeof(struct virtq_used) + n * sizeof(struct virtq_used_elem) +
				     event_size);
	return 0;
}

static void close_fd(int32_t *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void suppress_kicks(struct virtq *q)
{
	// With EVENT_IDX the guest kicks when its index passes ours: one behind us is passed
	// last, after a whole round of 65536.
	if (q->event_idx)
		*avail_event(q) = q->last_avail - 1;
	else
		q->used->flags = VIRTQ_USED_NO_NOTIFY;
}

static bool guest_wants_call(const struct virtq *q, uint16_t old, uint16_t now)
{
	uint16_t event;

	if (!q->event_idx)
		return (q->avail->flags & VIRTQ_AVAIL_NO_INTERRUPT) == 0;
	event = *used_event(q);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/*
 * Without the queue's lock. When two procs have sent into one ring, each decides on what it
 * published itself, if nobody has who published later; their fences see to it that it is right.
 * 'signalled' may go back a little, and a call come once too often. Both count in 64 bits, for a
 * proc may be put off its core while the other sends more than 65536 frames.
 */
static bool settle(struct virtq *q, uint64_t now)
{
	uint64_t old = __atomic_load_n(&q->signalled, __ATOMIC_RELAXED);
	bool valid = __atomic_load_n(&q->signalled_valid, __ATOMIC_RELAXED);

	if (q->desc == NULL || (valid && old >= now))
		return false;
	__atomic_store_n(&q->signalled, now, __ATOMIC_RELAXED);
	__atomic_store_n(&q->signalled_valid, 1, __ATOMIC_RELAXED);
	if (q->callfd < 0)
		return false;
	if (valid && now - old <= UINT16_MAX && !guest_wants_call(q, (uint16_t)old, (uint16_t)now))
		return false;
	call_guest(q);
	return true;
}

static void call_guest(struct virtq *q)
{
	if (q->callfd < 0)
		return;
	__atomic_fetch_add(&q->calls, 1, __ATOMIC_RELAXED);
	if (q->notifications != NULL)
		__atomic_fetch_add(q->notifications, 1, __ATOMIC_RELAXED);
	call_send(q->callfd);
}

// 'd' refers to an indirect table; gives the table's first descriptor.
static enum walk_step enter_table(struct vring_walk *w, const struct virtq_desc *d,
				  struct virtq_desc *result)
{
	struct virtq *q = w->q;
	uint64_t in_one_piece;
	const uint8_t *at;

	if (!q->indirect || (d->flags & VIRTQ_DESC_NEXT) != 0)
		return WALK_BAD;
	if (d->len == 0 || d->len % sizeof(struct virtq_desc) != 0 ||
	    d->len / sizeof(struct virtq_desc) > VIRTQ_TABLE_MAX)
		return WALK_BAD;
	at = guest_mem_translate(q->mem, &q->region_hint, d->addr, d->len, &in_one_piece);
	if (at == NULL)
		return WALK_BAD;

	w->table_gpa = d->addr;
	w->table_entries = d->len / sizeof(struct virtq_desc);
	w->window = (const volatile struct virtq_desc *)at;
	w->window_entries = in_one_piece / sizeof(struct virtq_desc);
	w->next = 0;
	return read_table(w, result);
}

static enum walk_step read_table(struct vring_walk *w, struct virtq_desc *d)
{
	const volatile struct virtq_desc *entry;

	if (w->next >= w->table_entries || w->seen_indirect >= w->table_entries ||
	    w->seen_indirect >= VIRTQ_CHAIN_MAX)
		return WALK_BAD;
	entry = table_entry(w);
	if (entry == NULL)
		return WALK_BAD;

	*d = vring_read_desc(entry);
	w->seen_indirect++;
	if (d->flags & VIRTQ_DESC_INDIRECT)
		return WALK_BAD;
	w->more = (d->flags & VIRTQ_DESC_NEXT) != 0;
	w->next = d->next;
	return WALK_DESC;
}

// Entry 'next' of the indirect table, or NULL when it lies outside of memory.
static const volatile struct virtq_desc *table_entry(const struct vring_walk *w)
{
	const uint64_t size = sizeof(struct virtq_desc);
	uint64_t in_one_piece;
	const uint8_t *at;

	if (w->next < w->window_entries)
		return &w->window[w->next];

	// The table reaches into another region of memory.
	at = guest_mem_translate(w->q->mem, &w->q->region_hint, w->table_gpa + w->next * size, size,
				 &in_one_piece);
	if (at == NULL || in_one_piece < size)
		return NULL;
	return (const volatile struct virtq_desc *)at;
}

#include "ports/droplog.h"

#include <string.h>

#include "ports/vport.h"

static _Thread_local struct droplog *own;

static void record(struct droplog *log, const struct vport *at, enum drop_direction dir,
		   unsigned reason, const struct vnbl *v);
static void fill(struct droplog_record *r, const struct vport *at, enum drop_direction dir,
		 unsigned reason, const struct vnbl *v);

void droplog_set(struct droplog *log)
{
	own = log;
}

void droplog_drop(struct vport_stats *st, enum drop_direction dir, unsigned reason,
		  const struct vnbl *v)
{
	vport_count_drop(st, dir, reason, 1);
	if (own != NULL && st->port != NULL && v->frame_size > 0)
		record(own, st->port, dir, reason, v);
}

void droplog_drop_all(struct vport_stats *st, enum drop_direction dir, unsigned reason,
		      struct vnbl *const frames[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (frames[i]->flags & VNBL_FLOOD)
			vport_count_drop(st, dir, reason, 1);
		else
			droplog_drop(st, dir, reason, frames[i]);
	}
}

// The order of the stores is what a reader from outside goes by.
static void record(struct droplog *log, const struct vport *at, enum drop_direction dir,
		   unsigned reason, const struct vnbl *v)
{
	uint64_t number = atomic_load_explicit(&log->n, memory_order_relaxed) + 1;
	unsigned i = (number - 1) % DROPLOG_RECORDS;
	struct droplog_record *r = &log->records[i];

	atomic_store_explicit(&r->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	fill(r, at, dir, reason, v);
	r->tsc = log->now_tsc;
	memcpy(log->bytes[i], v->hdr, r->n_bytes);
	atomic_store_explicit(&r->number, number, memory_order_release);
	atomic_store_explicit(&log->n, number, memory_order_release);
}

static void fill(struct droplog_record *r, const struct vport *at, enum drop_direction dir,
		 unsigned reason, const struct vnbl *v)
{
	uint32_t n = v->safe_size < v->frame_size ? v->safe_size : v->frame_size;
	// Before ingress a frame does not know yet where it came from.
	const struct vport *source = dir == DROP_IN ? at : v->src_port;

	r->at = at;
	r->at_id = at->id;
	r->at_serial = at->serial;
	r->src_port = source;
	r->src_serial = source != NULL ? source->serial : 0;
	r->src_port_id = dir == DROP_IN ? at->id : v->src_port_id;
	r->src_nic_index = v->src_nic_index;
	r->direction = (uint8_t)dir;
	r->reason = (uint8_t)reason;
	r->flags = v->flags | VNBL_DROPPED;
	r->frame_size = v->frame_size;
	r->safe_size = v->safe_size;
	r->n_bytes = n < DROPLOG_BYTES ? (uint16_t)n : DROPLOG_BYTES;
	r->vlan_tci = v->vlan_tci;
	r->vlan_tpid = v->vlan_tpid;
	r->n_pieces = v->n_pieces;
	r->offload = v->offload;
}

/*
 * The drop log of the calling thread, and the one way in which a frame is dropped that has become
 * a VNBL; what never did is counted by vport_count_drop().
 *
 * Threads: any; a thread without a log of its own (droplog_set) only counts.
 */
#pragma once

#include "ports/droplog_types.h"
#include "ports/vport_types.h"

// Makes 'log' the calling thread's until it is called again; NULL: none. Stays the caller's.
void droplog_set(struct droplog *log);

/**
 * Counts a frame as dropped at the port whose counters 'st' are, and puts it into the calling
 * thread's log. The frame itself is not changed. Only counted is what has no byte yet, and what
 * is counted for no port: the segments of one frame, which is dropped as a whole.
 */
void droplog_drop(struct vport_stats *st, enum drop_direction dir, unsigned reason,
		  const struct vnbl *v);

// The same for several frames that a port cannot take at all, oldest first. Floods are counted
// only: each would be here once per port without a VM, and nothing else.
void droplog_drop_all(struct vport_stats *st, enum drop_direction dir, unsigned reason,
		      struct vnbl *const frames[], unsigned n);

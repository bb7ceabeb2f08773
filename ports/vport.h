/*
 * The port's memory and counters; the switch ties it to a NIC and to the MAC table.
 *
 * Threads: main thread, but for vport_count_drop(), which the owner of 'st' calls.
 */
#pragma once

#include "ports/vport_types.h"

struct vport_conf {
	const char *name;          // 1..64 printable bytes
	const char *friendly_name; // up to 255 bytes
	enum vport_type type;
	uint16_t id;
	uint16_t slot;
};

// Gives a new port with one reference, state Created, all counters zero. -ENOMEM.
int vport_create(const struct vport_conf *conf, struct vswitch *parent, struct vport **ret);

// Frees the port; no proc may know it any more. Accepts NULL.
void vport_destroy(struct vport *port);

// Sums the counters of all procs into '*sum'.
void vport_sum_stats(const struct vport *port, struct vport_stats *sum);

// Words for the enums; "?" for a number that is none.
const char *vport_type_name(unsigned type);
const char *vport_state_name(unsigned state);
const char *drop_reason_name(unsigned reason);
const char *drop_reason_text(unsigned reason);

static inline void vport_count_drop(struct vport_stats *st, enum drop_direction dir,
				    unsigned reason, unsigned frames)
{
	st->drops[dir][reason] += frames;
}

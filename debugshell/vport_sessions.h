/*
 * Sessions of a port (switch/conntrack_types.h): part of `vport ADDRESS`.
 */
#pragma once

#include <stdbool.h>

#include "debugshell/shell.h"
#include "switch/conntrack_types.h"

enum {
	VPORT_SESSIONS_SHOWN = 20,
	VPORT_SESSIONS_BUCKETS = 1 << 16 // that are looked at for them: 4 MiB
};

// What there was at some moment.
struct vport_sessions {
	tgt_addr addr; // of the table; 0: there is none
	int err;       // it cannot be read: 'why'
	struct why why;
	struct conntrack table;
	uint32_t looked; // buckets that were looked at
	unsigned n;
	struct {
		struct conntrack_entry entry;
		bool torn; // changed while it was read
	} first[VPORT_SESSIONS_SHOWN];
};

// The head of the table, with a number of buckets that can be. Negative errno and 'why'.
int vport_sessions_read_table(struct shell *sh, tgt_addr addr, struct conntrack *ret,
			      struct why *why);

void vport_sessions_read(struct shell *sh, tgt_addr addr, struct vport_sessions *ret);

// Rows of the section that is begun.
void vport_sessions_print_table(struct shell *sh, const struct vport_sessions *sessions);

// A section of its own; nothing when there is no table.
void vport_sessions_print(struct shell *sh, const struct vport_sessions *sessions);

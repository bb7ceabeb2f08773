/*
 * One edit of the configuration, brought to the live switch. Only change.c uses this.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"
#include "switch/conf.h"

struct change_live {
	struct conf_edit edit;
	const struct conf *before;
	struct conf *after; // gets what only the live object knows: a vhost port's features
	int fd;             // for `pcap tx -`, else -1; -1 again when a port has taken it
};

/**
 * Whether the edit removes something. Doing that cannot fail and cannot be taken back, for what
 * persists in the system goes, too: it is for after the commit.
 */
bool change_live_takes_away(const struct change_live *l);

// Does the edit, or nothing and says why.
int change_live_do(struct change_live *l, struct errtext *e);

// Takes it back, unless it takes away.
void change_live_undo(struct change_live *l);

// Makes all live objects of a configuration; on failure none are left.
int change_live_build(struct conf *c, struct errtext *e);

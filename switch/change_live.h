/*
 * One edit of the configuration, brought to the live switch. Only change.c uses this.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/errtext.h"
#include "switch/conf.h"

struct change_live {
	struct conf_edit edit;
	const struct conf *before;
	struct conf *after; // gets what only the live object knows: a vhost port's features
	int fd;             // for `pcap tx -`, else -1; -1 again when a port has taken it
};

// Does the edit, or nothing and says why.
int change_live_do(struct change_live *l, struct errtext *e);

// Takes it back.
void change_live_undo(struct change_live *l);

// Makes all live objects of a configuration; on failure none are left.
int change_live_build(struct conf *c, struct errtext *e);

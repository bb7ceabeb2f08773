/*
 * The control socket: takes commands from vswctl and answers them.
 *
 * One command of a client is worked on at a time. What an answer may be large is made in
 * pieces, each when the client has taken the one before, so that a slow client costs neither
 * memory nor time of the others. A client that stops in the middle of a request or an answer
 * is dropped after a while.
 *
 * Threads: main thread.
 */
#pragma once

#include <sys/types.h>

#include "ports/errtext.h"

struct change;
struct ctl;
struct event_base;

struct ctl_conf {
	struct event_base *base;
	struct change *change; // borrowed until ctl_stop()
	const char *run_dir;
	const char *socket_group; // NULL or "" = vsw if it exists
	mode_t socket_mode;
};

/**
 * Listens on RUN_DIR/ctl.sock; a socket file without a vswd behind it is replaced. The caller
 * holds the lock of RUN_DIR. 'e' says what is wrong with path, group or mode.
 */
int ctl_start(const struct ctl_conf *conf, struct ctl **ret, struct errtext *e);

// Drops all clients, ends their captures, removes the socket.
void ctl_stop(struct ctl *ctl);

// The second's work: drops clients that stand still, ends captures whose pipe broke.
void ctl_tick(struct ctl *ctl);

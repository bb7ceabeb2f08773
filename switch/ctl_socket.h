/*
 * The listening socket's file: made, given its group and mode, and told from a stale one.
 *
 * Threads: main thread.
 */
#pragma once

#include <sys/types.h>

#include "ports/errtext.h"

/**
 * Gives a listening, non-blocking UNIX socket at 'path'. A file of a dead process is replaced;
 * anything that is no socket is not. -EADDRINUSE: somebody answers there. 'group' NULL or "":
 * vsw if there is such a group.
 */
int ctl_socket_listen(const char *path, const char *group, mode_t mode, struct errtext *e);

// The group's id; -1 when 'group' is NULL or "" and there is no vsw. -ENOENT: no such group.
int ctl_socket_group(const char *group, gid_t *ret, struct errtext *e);

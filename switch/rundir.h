/*
 * RUN_DIR: one vswd at a time, known by the lock on its pid file. The file itself says nothing:
 * a stale one is no obstacle.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/errtext.h"

/**
 * Makes the directory if need be, locks it and writes the pid. 'group' as for the sockets.
 * Gives the lock's fd. -EBUSY: a vswd is there, whose pid 'e' tells.
 */
int rundir_open(const char *dir, const char *group, struct errtext *e);

// Removes the pid file and lets go.
void rundir_close(const char *dir, int fd);

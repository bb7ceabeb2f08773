/*
 * Directories of ours.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ports/errtext.h"

/**
 * Makes directory 'dir' with 'mode', and what is above it with 0755. '*made_ret', unless NULL,
 * tells whether 'dir' was not there before.
 */
int dirs_make(const char *dir, mode_t mode, bool *made_ret, struct errtext *e);

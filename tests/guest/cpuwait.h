/*
 * How long a process was ready to run and did not get a processor. On a busy machine this
 * tells what is slow from what is only kept waiting.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/**
 * Of the thread of process 'pid' that ran longest, since it was started; 0 when it cannot be
 * read. That is the one that polls.
 */
uint64_t cpuwait_ns(pid_t pid);

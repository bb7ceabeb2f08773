/*
 * How long a process was ready to run and did not get a processor. On a busy machine this
 * tells what is slow from what is only kept waiting.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct cpuwait_thread {
	pid_t tid;
	uint64_t ran_ns;    // since it was started
	uint64_t waited_ns; // ready, without a processor
};

/** The threads of process 'pid', at most 'max' of them; returns how many, 0 when it is gone. */
unsigned cpuwait_threads(pid_t pid, struct cpuwait_thread *threads, unsigned max);

/**
 * Of the thread of process 'pid' that ran longest, since it was started; 0 when it cannot be
 * read. That is the one that polls.
 */
uint64_t cpuwait_ns(pid_t pid);

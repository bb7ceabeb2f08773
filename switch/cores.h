/*
 * The cores that this process may use. The main thread leaves those of the procs to them, so
 * what it may use itself says nothing: the set is kept from before.
 *
 * Threads: main thread.
 */
#pragma once

#include <sched.h>
#include <stddef.h>

#include "ports/errtext.h"

enum { CORES_TEXT_SIZE = 8192 }; // of a list of all cores that can be

// Keeps the set that the process has now; only the first call does. Negative errno.
int cores_init(void);

// The last of them. After cores_init(), as the rest.
unsigned cores_last(void);

/**
 * -EINVAL: the core does not exist or is none of ours; 'e' says which are.
 */
int cores_check(unsigned core, struct errtext *e);

// The node of memory that the core is next to; -1: the system does not say.
int cores_node(unsigned core);

/**
 * Lets all threads of the process but the procs' use those of its cores that no proc polls, or
 * all when no other is left.
 */
void cores_share(void);

// "0-2,5". At most 'size' bytes with the closing zero.
void cores_text(const cpu_set_t *set, char *out, size_t size);

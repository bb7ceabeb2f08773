/*
 * A target that remembers: it passes everything on to another target, and keeps the bytes that
 * were read. What a command needs of a target is then known without asking the command, and
 * is of the moment at which the command saw it.
 *
 * Bytes that were read twice are kept as they were read last.
 */
#pragma once

#include "debugshell/target.h"

// Borrows 'inner'. -ENOMEM.
int target_record_create(struct target *inner, struct target **ret);

// From now on, or no longer: reads see what was read before and nothing else.
void target_record_replay(struct target *t, bool replay);

// Forgets all that was read.
void target_record_clear(struct target *t);

// Forgets what was read of these addresses.
void target_record_forget(struct target *t, tgt_addr start, uint64_t size);

// Whether something could not be kept for want of memory.
bool target_record_failed(const struct target *t);

/**
 * Calls 'fn' for the bytes that were read, lowest address first, each once, until it does not
 * return 0. 'is_next': they follow the ones before without a gap. Returns what 'fn' returned, or
 * -ENOMEM.
 */
typedef int (*target_record_fn)(tgt_addr start, const uint8_t *bytes, size_t size, bool is_next,
				void *arg);
int target_record_all(const struct target *t, target_record_fn fn, void *arg);

/*
 * Target: the vswd that is looked at. Five functions, and nothing else of it is known.
 *
 * A live process is not asked, not stopped and may be hung: its memory is read from outside.
 * Commands never ask which kind of target they have.
 *
 * An address in the target is a type of its own, so that it cannot be mistaken for a pointer
 * of ours: it cannot be cast to one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "debugshell/why.h"

typedef struct {
	uint64_t v;
} tgt_addr;

struct target;

enum target_state {
	TARGET_RUNNING,
	TARGET_STOPPED, // by a signal or a debugger
	TARGET_ENDED    // nothing can be read any more
};

struct target_thread {
	int32_t tid;
	char state; // letter of proc(5): R, S, D, T, ...
	char name[16];
};

struct target_ops {
	// 0; -EFAULT: not all of it is mapped; -ESRCH: the target ended; -EPERM.
	int (*read)(struct target *t, tgt_addr from, void *buf, size_t size);

	// A section of the program's loaded image (".vsw_root") or a symbol. -ENOENT.
	int (*symbol)(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size);

	// Calls 'fn' for each thread until it returns false. -ESRCH: the target ended.
	int (*threads)(struct target *t, bool (*fn)(const struct target_thread *, void *),
		       void *arg);

	enum target_state (*state)(struct target *t);

	// Frees the target.
	void (*close)(struct target *t);
};

struct target {
	const struct target_ops *ops;
	char name[64]; // "process 4711", for messages
};

/**
 * A live process. -ESRCH: there is none, -EACCES: not allowed to read it, -ENOEXEC: it is
 * not a vswd; 'why' has the sentence.
 */
int target_pid_open(pid_t pid, struct target **ret, struct why *why);

static inline int tgt_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	return t->ops->read(t, from, buf, size);
}

#define TGT_READ(t, addr, obj) tgt_read((t), (addr), (obj), sizeof(*(obj)))

// A pointer that was read from the target, made an address again.
static inline tgt_addr tgt_ptr(const volatile void *pointer)
{
	return (tgt_addr){(uint64_t)(uintptr_t)pointer};
}

static inline tgt_addr tgt_add(tgt_addr addr, uint64_t bytes)
{
	return (tgt_addr){addr.v + bytes};
}

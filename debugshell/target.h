/*
 * Target: the vswd that is looked at. Six functions, and nothing else of it is known: the usual
 * five of a debugger's target, and one for what no memory tells: which files are mapped where.
 *
 * A live process is not asked, not stopped and may be hung: its memory is read from outside. A
 * core lacks some of it, and says so. Commands never ask which kind of target they have.
 *
 * An address in the target is a type of its own, so that it cannot be mistaken for a pointer
 * of ours: it cannot be cast to one.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "debugshell/interrupt.h"
#include "debugshell/why.h"

typedef struct {
	uint64_t v;
} tgt_addr;

struct target;

enum target_state {
	TARGET_RUNNING,
	TARGET_STOPPED, // by a signal or a debugger; or it is a core, in which nothing moves
	TARGET_ENDED    // nothing can be read any more
};

struct target_thread {
	int32_t tid;
	char state;      // letter of proc(5): R, S, D, T, ...; 0: not known
	uint64_t ran_ns; // time that it had a core, schedstat; 0: not known
	char name[16];
};

// A piece of a file in the target's memory.
struct target_map {
	tgt_addr start;
	uint64_t size;   // bytes
	uint64_t offset; // in the file
	const char *path;
};

struct target_ops {
	// 0; -EFAULT: not all of it is mapped; -ENODATA: not all of it is in the core, 'gap' says
	// why; -ESRCH: the target ended; -EPERM.
	int (*read)(struct target *t, tgt_addr from, void *buf, size_t size);

	// A section of the program's loaded image (".vsw_root") or a symbol. -ENOENT.
	int (*symbol)(struct target *t, const char *name, tgt_addr *x_addr, uint64_t *x_size);

	// Calls 'fn' for each thread, lowest number first, until it returns false. -ESRCH: the
	// target ended. -ENOMEM.
	int (*threads)(struct target *t, bool (*fn)(const struct target_thread *, void *),
		       void *arg);

	// Calls 'fn' for each mapping of a file, lowest address first, until it returns false.
	// -ESRCH: the target ended. -ENODATA: a core without a list of them.
	int (*maps)(struct target *t, bool (*fn)(const struct target_map *, void *), void *arg);

	enum target_state (*state)(struct target *t);

	// Frees the target.
	void (*close)(struct target *t);
};

struct target {
	const struct target_ops *ops;
	char name[64];            // "process 4711", for messages
	uint32_t coredump_filter; // as its root tells; 0: not known (yet)
	int32_t signal;           // that ended it, of a core; 0: none did
	int32_t signal_tid;       // the thread that the signal hit
	char gap[96];             // after -ENODATA: "not in the core: ..."
};

/**
 * A live process. -ESRCH: there is none, -EACCES: not allowed to read it, -ENOEXEC: it is
 * not a vswd; 'why' has the sentence.
 */
int target_pid_open(pid_t pid, struct target **ret, struct why *why);

/**
 * The core at 'path', compressed or not. 'binary': its program, which has what the core leaves
 * out of it, or NULL. What is wrong with the core, but does not make it useless, is said on
 * stderr. -ENOEXEC: no core, or none of vswd; -ESTALE: 'binary' is of another build; others as
 * core_unpack() and core_open(). 'why' has the sentence.
 */
int target_core_open(const char *path, const char *binary, struct target **ret, struct why *why);

// The words for what tgt_read() returned, valid until the next read.
const char *tgt_strerror(const struct target *t, int err);

// -EINTR: the command was interrupted, see interrupt.h.
static inline int tgt_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	if (interrupt_seen())
		return -EINTR;
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

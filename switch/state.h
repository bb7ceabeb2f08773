/*
 * The saved state: one text file in STATE_DIR that is replaced as a whole.
 *
 * A change is prepared (the new text is written to a second file and synced), done by the
 * caller, and committed (the second file takes the first one's name; the directory is
 * synced). Whatever ends the process in between leaves one of the two texts, never a part of
 * one. A failed commit brings the old text back as far as the disk lets it.
 *
 * STATE_DIR belongs to one vswd at a time: it is locked while open.
 *
 * Threads: main thread.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "ports/errtext.h"

#define STATE_FILE     "state.conf"
#define STATE_NEW_FILE "state.conf.new"
#define STATE_OLD_FILE "state.conf.old"
#define STATE_LOCK     "lock"
#define STATE_CORES    "cores"

enum { STATE_SIZE_MAX = 64 << 20 }; // bytes; a longer file is not ours

// The calls that change files, so that tests can make each of them fail.
struct state_io {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *data, size_t size);
	int (*fsync)(int fd);
	int (*close)(int fd);
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*unlinkat)(int dir, const char *name, int flags);
};

struct state;

/**
 * Opens STATE_DIR, made if need be (with its folder for cores), and locks it. 'io' NULL: the
 * system's own. -EBUSY: another vswd has it, whose pid 'e' tells.
 */
int state_open(const char *dir, const struct state_io *io, struct state **ret, struct errtext *e);
void state_close(struct state *s);

/**
 * Gives the saved text, to be freed by the caller, with a zero behind it. -ENOENT: none yet.
 */
int state_load(struct state *s, char **ret, size_t *ret_size, struct errtext *e);

/**
 * Gives what the last vswd left of a change that it did not finish, in the same way:
 * STATE_NEW_FILE, the text that was prepared but not committed, or STATE_OLD_FILE, which
 * state_keep_old() kept. -ENOENT: none, which is the rule. It may be cut short.
 */
int state_load_unfinished(struct state *s, const char *name, char **ret, size_t *ret_size);
void state_forget_unfinished(struct state *s);

/**
 * Brings the text to disk beside the present one. Errors of the disk; then nothing is left.
 */
int state_prepare(struct state *s, const char *text, size_t size, struct errtext *e);

/**
 * Makes the prepared text the present one. On failure the present one is what it was.
 */
int state_commit(struct state *s, struct errtext *e);

// Forgets the prepared text.
void state_abort(struct state *s);

/**
 * Keeps the present text beside the one that is to be committed, until state_forget_old(): it
 * knows what is to be taken away when the commit has been done. Errors of the disk.
 */
int state_keep_old(struct state *s, struct errtext *e);
void state_forget_old(struct state *s);

// The whole path of the state file, for messages.
const char *state_path(const struct state *s);

/*
 * Changes, all or nothing: the configuration, the saved state and the live switch are brought
 * from one state to the next together.
 *
 *   words -> new configuration          pure; most mistakes are found here
 *         -> its text on disk, beside the old one
 *         -> the live switch            undone if anything below fails
 *         -> the text takes the old one's place; only now the change is acknowledged
 *
 * What is removed is taken down last, between these two: it cannot be brought back, for a TAP
 * goes with the addresses that the host has given it. The old text is kept that long.
 *
 * A vswd that is killed in the middle leaves the new text or the old one beside the present one.
 * The next finds there what was being made or removed, and clears it away.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/errtext.h"
#include "switch/conf.h"

struct change;
struct state_io;

struct change_env {
	const char *run_dir;
	const char *state_dir;
	const char *start_file;          // commands for a vswd that has no state; NULL = none
	const struct state_io *state_io; // tests give their own; NULL = the system's
};

/**
 * Locks STATE_DIR and decides what the switch is to be: the saved state, else the start
 * file, else nothing. Touches no live object. 'e' says file, line and column.
 */
int change_open(const struct change_env *env, struct change **ret, struct errtext *e);
void change_close(struct change *ch);

/**
 * Makes the live switch, and saves the state when it came from the start file. On failure
 * what was made is unmade.
 */
int change_build(struct change *ch, struct errtext *e);

// Takes the live switch down; what persists in the system stays.
void change_unbuild(struct change *ch);

/**
 * Runs one changing command. 'fd' (or -1) is the pipe for `pcap tx -`, and is closed or owned
 * by the port from then on. '*ret' tells what was done.
 */
int change_run(struct change *ch, const struct words *w, int fd, struct conf_edit *ret,
	       struct conf_error *e);

/**
 * Ends a temporary port. It is in no saved text, so that this cannot fail for the disk's sake.
 */
void change_remove_temporary(struct change *ch, const char *name);

// The present configuration; valid until the next change.
const struct conf *change_conf(const struct change *ch);

// The present configuration as text, to be freed by the caller. -ENOMEM.
int change_text(const struct change *ch, char **ret, size_t *ret_size);

// True when a port of the configuration is a PCI device.
bool change_needs_pci(const struct change *ch);

// Where the configuration came from, in words.
const char *change_source(const struct change *ch);

/*
 * The file that a dump goes to. It has a temporary name until it is whole, so that nothing
 * half-done is taken for a dump, and takes the place of no other file. Only its owner may read it.
 * Signals that would end us wait until it is done, so that the temporary file does not stay.
 *
 * A name that ends in .gz, .zst or .lz4 makes it compressed, by the tool for that.
 */
#pragma once

#include <limits.h>
#include <signal.h>
#include <stdint.h>

#include "debugshell/why.h"

struct dump_tool;

struct dump_file {
	int raw; // what the caller writes to

	const char *path;             // borrowed
	const struct dump_tool *tool; // NULL: not compressed
	int fd;                       // of the file to be
	char temporary[PATH_MAX];     // its name until then
	sigset_t signals;             // that were held back before
};

/**
 * Begins, and holds signals back that would end the program. -EEXIST: there is such a file; errors
 * of open(2); 'why' has the sentence. Ended by dump_file_abort(), or dump_file_commit() and then
 * dump_file_end().
 */
int dump_file_begin(struct dump_file *file, const char *path, struct why *why);

// Compresses what was written, and gives it its name. '*x_size': bytes of the file. Signals are
// held back until dump_file_end(), so that it can be told first that the file is there.
int dump_file_commit(struct dump_file *file, uint64_t *x_size, struct why *why);
void dump_file_end(struct dump_file *file);
void dump_file_abort(struct dump_file *file);

// The sentence for a failed write.
int dump_file_failed(const struct dump_file *file, int err, struct why *why);

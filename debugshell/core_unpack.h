/*
 * Compressed cores: what gzip, zstd or lz4 made of a core is unpacked by the tool of that name
 * into a temporary file that has no name, in $TMPDIR or /var/tmp. What it is compressed by is
 * told by its first bytes, not by its name.
 */
#pragma once

#include "debugshell/why.h"

/**
 * Gives a file to read a core from: the one at 'path', or what it was compressed from. One that
 * ends too early is given as far as it goes, which is said on stderr. Shows on a terminal how
 * far it is. -ENOENT, -EACCES and others of open(2). -EINVAL: it is no file, or not
 * compressed as it says. -ENOPKG: the tool is not installed. -EFBIG, -ENOSPC: it is too
 * large, for us or for the disk.
 */
int core_unpack(const char *path, int *ret, struct why *why);

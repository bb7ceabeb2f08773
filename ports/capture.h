/*
 * Writes frames into a capture file or pipe, without ever keeping a proc waiting.
 *
 * Threads: capture_open(), capture_close(): main thread, while no proc knows the capture.
 * capture_put(), capture_flush(): the holder of the NIC's tx queue lock.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "ports/errtext.h"
#include "ports/pcap_types.h"

struct stat;

/**
 * Begins a capture into file or FIFO 'path', or, when that is "-", into 'fd', which it takes
 * (it is closed with the capture, and when opening fails). A file is written only if it is
 * new, empty or a capture already; never through a symbolic link, and never 'other', the file
 * that is being replayed (NULL: none). Events of 'nic' tell when writing fails, works again,
 * or the reader has gone.
 */
int capture_open(const char *path, int fd, const struct stat *other, struct vnic *nic,
		 struct capture **ret, struct errtext *e);

// Writes what is left, if a disk takes it within a second, a reader within a tenth, and ends.
void capture_close(struct capture *c);

/**
 * Puts a copy of the frame into the ring, with its checksum completed; the frame itself is not
 * changed. False: there is no room for it.
 */
bool capture_put(struct capture *c, const struct vnbl *v, const struct timespec *now);

// Sees to it that what was put is written soon.
void capture_flush(struct capture *c);

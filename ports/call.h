/*
 * Calling a peer: adding to an eventfd that the peer owns, too, without ever waiting.
 *
 * write() to an eventfd waits while its counter is full, unless O_NONBLOCK is set; but the
 * flag belongs to the open file, which the peer shares: it can fill the counter, take the flag
 * away at the right moment, and hold up the thread that serves all ports. What cannot
 * wait is the kernel's own way to signal an eventfd, which it takes when an asynchronous read
 * has completed (IOCB_FLAG_RESFD, io_submit(2)). So a call is a read of nothing from
 * /dev/null: 290 ns instead of 150. Where the kernel has no AIO, it is a write().
 *
 * Threads: any.
 */
#pragma once

/**
 * A copy of 'fd' that call_send() may be given, or -1 when 'fd' is negative or no eventfd (a
 * peer may send any file, a full pipe for one), or the process has no fds left. Not for procs.
 */
int call_open(int fd);

/**
 * Adds one to the eventfd; when it is full, it stays full. Never waits.
 */
void call_send(int fd);

/**
 * Sets the eventfd to zero. Never waits.
 */
void call_clear(int fd);

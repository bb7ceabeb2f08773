/*
 * SIGBUS: memory that a peer gave us went away while we touched it.
 *
 * A peer can truncate the file that its memory lies in at any moment, and a pool of huge
 * pages can run dry without anybody's malice. Both raise SIGBUS in whichever thread touches
 * the page. The handler looks the address up in a table of mappings; found, it puts zero pages
 * over that whole mapping, sets the owner's flag and returns, and the interrupted instruction
 * goes on with zeros. Anything else (an address of our own, a machine check) is a crash,
 * with a core.
 *
 * Threads: the handler runs in any thread. Adding and removing: any thread but a proc.
 * Threads must not block SIGBUS: the kernel kills a process that faults with it blocked.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGBUS_SLOTS = 8192 }; // 1024 ports of up to 8 regions

// Installs the handler for the whole process. Main thread, before the first sigbus_add().
int sigbus_init(void);

/**
 * Watches the mapping [start, start + size), both multiples of its page size. When it fails,
 * '*broken' becomes 1. Gives a slot number (>= 0), or -ENOSPC.
 */
int sigbus_add(void *start, size_t size, _Atomic uint32_t *broken);

/**
 * Forgets a mapping. When this returns, no handler in any thread works on it.
 */
void sigbus_remove(int slot);

/**
 * For a library that touches a peer's memory as soon as it has mapped it, before anybody can
 * call sigbus_add(): from now on a fault of the calling thread at an address that no slot holds
 * is repaired, too, one page, and sets '*fault'. NULL ends it.
 */
void sigbus_forgive(_Atomic uint32_t *fault);

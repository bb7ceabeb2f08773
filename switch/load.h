/*
 * How busy procs and their receive queues are: what they count, seen once a second and written
 * next to it ('load', 'frames_s' of struct proc and struct vnic_rxq), where commands, debuggers
 * and cores find it.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdint.h>

// Measures from the last call to this one.
void load_tick(uint64_t now_tsc);

/*
 * Storm limit: how many broadcast, multicast and unknown unicast frames a port may send in each
 * second (HYPERV 5.1, StormLimit). The window is a whole second of the procs' clock, as in the
 * original: no burst is saved up, none is borrowed.
 *
 * The state is one word, the second and the frames in it, so that several procs can count for
 * one port.
 *
 * Threads: any proc.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Takes one frame out of the second 'now_s'. False: there were 'limit' already.
bool storm_take(_Atomic uint64_t *state, uint32_t limit, uint32_t now_s);

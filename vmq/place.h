/*
 * Which proc polls a receive queue: a pure decision, loads in, placement out.
 *
 * Threads: none; no state.
 */
#pragma once

#include <stdint.h>

enum { PLACE_NONE = -1 };

/**
 * Chooses a proc for a new queue: the one that polls the fewest, the lowest number among
 * equals. 'n_rxqs[i]' is how many queues proc i polls. PLACE_NONE when there is no proc.
 */
int place_new_queue(const uint32_t n_rxqs[], unsigned n_procs);

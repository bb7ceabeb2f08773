/*
 * What the `show` commands share.
 *
 * Threads: main thread.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

// Once a second: measures how busy the procs are.
void ctl_show_tick(uint64_t now_tsc);

json_t *ctl_show_mac(const uint8_t mac[6]);

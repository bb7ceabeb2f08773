/*
 * What the `show` commands share.
 *
 * Threads: main thread.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct ctl_call;
struct vport;

/**
 * Calls 'fn' for each port that NAME asks for: one, those of a switch, or all. -ENOENT with the
 * error in 'call'.
 */
int ctl_show_for_ports(struct ctl_call *call,
		       void (*fn)(struct ctl_call *call, const struct vport *port));

json_t *ctl_show_mac(const uint8_t mac[6]);

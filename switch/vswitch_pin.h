/*
 * Receive queues that are pinned to cores, as the configuration says: a queue is polled by the
 * proc on its core, and placed like any other while there is no proc.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/vport_types.h"
#include "switch/conf_types.h"

struct vnic;

// For a NIC whose queues no proc has yet. A core without proc is logged.
void vswitch_pin_init(struct vnic *nic, const struct conf_port *conf);

// For a live port: queues that are to be elsewhere move. What is not possible is logged.
void vswitch_pin_update(struct vport *port, const struct conf_port *conf);

// Logs which queues are pinned to a core that has no proc any more.
void vswitch_pin_warn(unsigned core);

/*
 * What vswitch.c and vswitch_port.c share: the ports' half of the live switch.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/vport_types.h"
#include "switch/vswitch_types.h"

// The port's NIC has told of something: brings states up to date and logs, within limits.
void vswitch_port_events(struct vport *port);

// Takes over what a port has from its switch: default friendly name, quota, MTU.
void vswitch_port_inherit(struct vport *port);

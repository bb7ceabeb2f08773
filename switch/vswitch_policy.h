/*
 * The policy of live ports: made from the configuration, and given to procs under traffic.
 *
 * Threads: main thread.
 */
#pragma once

#include "ports/errtext.h"
#include "switch/conf_types.h"
#include "switch/vswitch_types.h"

/**
 * Gives a port its policy before procs can see it. What follows from other ports comes with
 * vswitch_policy_update(). -ENOMEM, -EEXIST, -ENOSPC.
 */
int vswitch_policy_init(struct vport *port, const struct conf_port *conf, struct errtext *e);

// Takes the policy of a port away that procs no longer see.
void vswitch_policy_fini(struct vport *port);

/**
 * Brings all ports of a switch to what 'conf' says, which has them all; all of them, or none.
 * Waits for a grace period when something changed. -ENOMEM, -EEXIST, -ENOSPC.
 */
int vswitch_policy_update(struct vswitch *sw, const struct conf *conf, struct errtext *e);

// Once a second: forgets sessions that have ended.
void vswitch_policy_tick(struct vport *port, uint32_t now_s);

// The port's own address stands in the table again, after its stations were flushed.
void vswitch_policy_pin(struct vport *port);

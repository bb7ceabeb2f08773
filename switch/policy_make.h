/*
 * Policy out of configuration: what the settings of a port come to for a proc.
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>

#include "switch/conf_types.h"
#include "switch/policy_types.h"

/**
 * The policy that port 'p' has by its settings and those of the other ports in 'all'. Gives NULL
 * when it needs none. The caller frees it. -ENOMEM.
 */
int policy_make(const struct conf *all, const struct conf_port *p, struct policy **ret);

// Both may be NULL.
bool policy_same(const struct policy *a, const struct policy *b);

/**
 * Which VLANs of a switch share their stations; NULL when none do. The caller frees it. -ENOMEM.
 */
int policy_make_fids(const struct conf *all, const char *switch_name, struct vlan_fids **ret);

// Both may be NULL.
bool policy_same_fids(const struct vlan_fids *a, const struct vlan_fids *b);

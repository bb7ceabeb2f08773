/*
 * `port set NAME vlan ...`:
 *
 *    default                     untagged; all VLANs for External ports and captures
 *    untagged
 *    access ID
 *    trunk LIST [native ID|none] [prune LIST]
 *    isolated PRIMARY SECONDARY
 *    community PRIMARY SECONDARY
 *    promiscuous PRIMARY LIST
 *
 * Threads: pure.
 */
#pragma once

#include <stdio.h>

#include "switch/conf_args.h"

// Reads all words of the setting; 'mode' is the first, at args->at, which comes to the last.
int conf_vlan_read(struct conf_args *args, const char *mode, struct conf_vlan *ret);

/**
 * One VLAN of a switch cannot be a primary here and a secondary there, a secondary of two
 * primaries, or isolated and a community at once. 'self' is the port as it was.
 */
int conf_vlan_check(struct conf_args *args, unsigned word, const struct conf_port *p,
		    const struct conf_port *self);

// The words that conf_vlan_read() takes.
void conf_vlan_print(const struct conf_vlan *vlan, FILE *f);

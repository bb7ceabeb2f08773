/*
 * Which cores the receive queues of a port are pinned to: `port set NAME vmq-pin LIST`. Only
 * conf_*.c and ctl_vmq.c include this.
 *
 * Threads: pure.
 */
#pragma once

#include <stdio.h>

#include "switch/conf_args.h"

enum { CONF_VMQ_PINS_SIZE = VNIC_QUEUES_MAX * 9 + 1 }; // of the list as text

// Key of `port set` whose target is a struct conf_port: "0:2,1:3" or "none".
int conf_vmq_read_pins(struct conf_args *args, const char *value, void *target);

// Fails at 'word' when a queue is pinned that the port does not have.
int conf_vmq_check(struct conf_args *args, unsigned word, const struct conf_port *p);

// Whether any queue is pinned.
bool conf_vmq_is_set(const struct conf_vmq *vmq);

// The list as conf_vmq_read_pins() reads it.
void conf_vmq_pins_text(const struct conf_vmq *vmq, char out[CONF_VMQ_PINS_SIZE]);

// " vmq-pin 0:2,1:3": what `port set` needs to make it again.
void conf_vmq_print(const struct conf_vmq *vmq, FILE *f);

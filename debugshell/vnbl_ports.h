/*
 * The ports that dropped frames name: a record outlives them, and another port may be where one
 * was. So they are looked for in the lists of the switches, never where a record points.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "debugshell/print.h"
#include "debugshell/shell.h"

// A port as a record names it.
struct vnbl_port {
	tgt_addr at;     // 0: none
	uint32_t serial; // 0: this vswd has no such numbers; two ports of two switches are as one
			 // then
	uint16_t id;
};

// All that there are.
struct vnbl_ports {
	uint32_t n, room;
	struct vnbl_ports_entry *all;
};

void vnbl_ports_read(struct shell *sh, struct vnbl_ports *ports);
void vnbl_ports_free(struct vnbl_ports *ports);

// Whether both are the same port.
bool vnbl_ports_same(const struct vnbl_port *a, const struct vnbl_port *b);

// False: there is no such port any more, whatever is at its address now.
bool vnbl_ports_find(struct shell *sh, const struct vnbl_ports *ports, const struct vnbl_port *port,
		     struct text *name);

/**
 * The port with this id of the switch that has the port 'beside': ids are never used again while
 * their switch lives. False: it is gone, or 'beside' is.
 */
bool vnbl_ports_find_id(struct shell *sh, const struct vnbl_ports *ports,
			const struct vnbl_port *beside, uint16_t id, tgt_addr *x_at,
			struct text *name);

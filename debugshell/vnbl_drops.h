/*
 * Dropped frames: the drop logs of the procs (ports/droplog_types.h), for `vnbl`.
 *
 * A record may be written over while it is read, may come from a damaged process, and names ports
 * that may be gone. So a record counts only if its number stays the same, what it says is checked,
 * and a port is looked for as vnbl_ports.h does.
 *
 * The bytes of a frame are not read while sh->collects is set: they are a tenant's.
 */
#pragma once

#include "debugshell/shell.h"
#include "debugshell/vnbl_ports.h"

// What is listed: 0 for all.
struct vnbl_choice {
	tgt_addr proc;
	struct vnbl_port port;
};

// Section with the dropped frames that are chosen, by proc, the newest first.
void vnbl_drops_list(struct shell *sh, const struct vnbl_choice *choice);

// How many frames the procs have kept of those that were dropped at a port.
unsigned vnbl_drops_count(struct shell *sh, const struct vnbl_port *port);

// Whether a record of a proc's drop log is at 'addr', used or not.
bool vnbl_drops_knows(struct shell *sh, tgt_addr addr);

// All of one record; with 'hex' the bytes of the frame. Negative errno and 'why'.
int vnbl_drops_detail(struct shell *sh, tgt_addr addr, bool hex, struct why *why);

/*
 * Dump: what of a target goes into a small core to mail, and how it is collected.
 *
 * In a dump is what the commands read: all of them are run, for every object, on a target that
 * remembers what was read (target_record.h). So whatever a command shows of the target it shows of
 * the dump. Then all pointers to structs that the type data knows are followed, for dt.
 *
 * Not in a dump is what tenants own:
 *  - frames, which no command reads (type_holes.h);
 *  - guest memory, rings included: the commands leave it alone while sh->collects is set, what
 *    points at volatile memory is not followed, and what lies in a guest's memory by the switch's
 *    own tables is taken out at the end.
 *
 * The sessions of ports (conntrack_types.h) are in it, up to DUMP_SESSIONS_BYTES of tables: whole
 * while there is room, a port after the other; of the others what `vport` shows. They tell which
 * addresses have talked to which.
 *
 * A target that runs changes meanwhile. Each object is read until it is whole, as always; when one
 * came or went before the end, all objects are read again.
 */
#pragma once

#include "debugshell/shell.h"
#include "ports/vport_types.h"

enum { DUMP_SESSIONS_BYTES = 16 << 20 };

struct dump {
	struct target *record; // all that goes into the file
	bool is_torn;          // objects came and went all the time
};

/**
 * Collects. To be freed with dump_free(), also on failure. -ENOTSUP: there is no type data to tell
 * frames by. -ESRCH: the target ended. -ENOMEM. 'why' has the sentence.
 */
int dump_collect(struct shell *sh, struct dump *ret, struct why *why);
void dump_free(struct dump *dump);

// dump_follow.c: reads all structs that pointers lead to from the root. -ENOMEM.
int dump_follow(struct shell *sh, tgt_addr root);

// Reads what is there, as far as it can be read.
void dump_range(struct target *t, tgt_addr addr, uint64_t size);

// dump_sessions.c: reads the whole table of the port's sessions, if it takes no more than '*x_room'
// bytes, which it then takes from that.
void dump_sessions(struct shell *sh, const struct vport *port, uint64_t *x_room);

// dump_guest.c: forgets what lies in a guest's memory, by the tables that were read.
void dump_forget_guests(struct shell *sh, struct target *record);

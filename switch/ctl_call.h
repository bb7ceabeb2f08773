/*
 * One command being answered. Only ctl*.c include this.
 *
 * Threads: main thread.
 */
#pragma once

#include <stdint.h>

#include "switch/change.h"
#include "switch/out.h"
#include "switch/words.h"

struct ctl_call {
	struct change *change;
	const struct words *w;
	struct out out;          // the answer, or its next piece
	struct conf_error error; // when the command failed
	int fd;                  // handed over with the command; -1 = none

	// Set by a command whose answer comes in pieces: writes the next one and returns true
	// when it was the last.
	bool (*more)(struct ctl_call *call);
	struct ctl_fdb_cursor {
		uint32_t switch_index;
		uint32_t bucket;
		bool all;                           // all switches, or that of the name only
		char switch_name[OBJECT_NAME_SIZE]; // the one under way; empty = not begun
		char port_name[OBJECT_NAME_SIZE];   // only this port's; empty = all
	} fdb;

	struct ctl_sessions_cursor {
		uint32_t at;
		char port_name[OBJECT_NAME_SIZE];
	} sessions;

	// A port that lives as long as the client; empty = none.
	char capture[OBJECT_NAME_SIZE];
};

/**
 * Runs the command; 0, or a negative errno with call->error filled in. The words must live
 * until the answer is complete.
 */
int ctl_run(struct ctl_call *call);

// call->error at a word. Returns 'err'.
int ctl_fail(struct ctl_call *call, unsigned word, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * Runs what the second of the command's words says, one of 'words'; 'run' has as many entries.
 */
int ctl_run_second(struct ctl_call *call, const char *const words[],
		   int (*const run[])(struct ctl_call *), unsigned n);

// ctl_proc.c, ctl_vmq.c
int ctl_proc(struct ctl_call *call);
int ctl_vmq(struct ctl_call *call);

// ctl_help.c
int ctl_help(struct ctl_call *call);
int ctl_version(struct ctl_call *call);

// ctl_show*.c; the word after `show` has been checked. words[2], if any, is NAME.
int ctl_show_switches(struct ctl_call *call);
int ctl_show_ports(struct ctl_call *call);
int ctl_show_drops(struct ctl_call *call);
int ctl_show_procs(struct ctl_call *call);
int ctl_show_fdb(struct ctl_call *call);
int ctl_show_policy(struct ctl_call *call);
int ctl_show_sessions(struct ctl_call *call);

// ctl_show_acl.c: `acl show PORT`
int ctl_acl_show(struct ctl_call *call);

/**
 * NAME as a switch or a port; both '*sw' and '*port' NULL when there is no NAME. -ENOENT.
 */
struct vswitch;
struct vport;
int ctl_show_name(struct ctl_call *call, struct vswitch **sw, struct vport **port);

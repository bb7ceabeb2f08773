/*
 * Walks: from the root to every object, whatever state it is in.
 *
 * Complications, and what is done about them:
 *  - An object may be changing under our hands. Its 'changes' is odd or has moved then: it is
 *    read again a few times, and if that does not help it is shown as it is, marked "~".
 *  - An address may lead nowhere, to a freed object, or to something else. Each object's magic
 *    and type are checked; what is wrong is told with the address, and the walk goes on.
 *  - A count may be rubbish. Every walk is bounded by a count from the target and by an
 *    absolute maximum of ours.
 */
#pragma once

#include "debugshell/shell.h"
#include "ports/vport_types.h"
#include "switch/vswitch_types.h"

enum { WALK_TORN = 1 };

/**
 * Reads an object of ours: 'obj' is the struct of 'type'. 0, or WALK_TORN: it changed while
 * it was read. Negative errno and 'why' (which has the address): there is no such object.
 */
int walk_object(struct shell *sh, tgt_addr addr, enum object_type type, void *obj, struct why *why);

// What kind of object is at 'addr'. Negative errno and 'why' when there is none.
int walk_type(struct shell *sh, tgt_addr addr, enum object_type *ret, struct why *why);

// How often the object changed: odd while it changes, and when it cannot be read.
uint32_t walk_changes(struct shell *sh, tgt_addr addr);

// A switch with the addresses of its ports, in order of creation.
struct walk_vswitch {
	tgt_addr addr;
	struct vswitch sw;
	bool torn;
	uint32_t n_ports;
	tgt_addr ports[VPORT_MAX];
};

/**
 * Gives a switch to be freed with free(). 'why' is set and the result NULL when it cannot be
 * read; too many or unreadable ports are told on stderr and left out.
 */
struct walk_vswitch *walk_vswitch(struct shell *sh, tgt_addr addr, struct why *why);

// Switches of the root; address of switch 'i'.
uint32_t walk_n_vswitches(const struct shell *sh);
tgt_addr walk_vswitch_addr(const struct shell *sh, uint32_t i);

// Calls 'fn' for each port of each switch until it returns a negative number, which is returned.
typedef int (*walk_port_fn)(struct shell *sh, const struct walk_vswitch *sw, tgt_addr port,
			    void *arg);
int walk_ports(struct shell *sh, walk_port_fn fn, void *arg);

/**
 * The NIC of the port at 'addr', whatever else the port is. False: it has none, or one of the two
 * is damaged, which is told where ports and NICs are listed.
 */
bool walk_port_nic(struct shell *sh, tgt_addr addr, tgt_addr *x_nic, struct vnic *nic);

// Tells of a damaged object in the place of its row. 'indent' stands before it. One that went
// away since the command began is not damaged.
void walk_trouble(struct shell *sh, const char *indent, const char *title, tgt_addr addr,
		  const struct why *why);

/**
 * The proc of this number in the root's table; false: there is none, for numbers have holes when
 * procs were removed.
 */
bool walk_proc(const struct shell *sh, uint32_t number, tgt_addr *ret);

// How many procs there are.
unsigned walk_n_procs(const struct shell *sh);

// A number that is another one when a switch or a port has come or gone.
uint64_t walk_generation(struct shell *sh);

/**
 * The address that 'word' means: 16 hex digits, 0x..., or the name of an object of 'type'
 * (a switch, a port, a NIC by its port, a proc by name or number). -ENOENT and 'why'.
 */
int walk_find(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret,
	      struct why *why);

/**
 * The same for an object of one of two types, whose names come before addresses without leading
 * zeros. -ENOENT; the sentence is for the caller.
 */
int walk_find_either(struct shell *sh, enum object_type first, enum object_type second,
		     const char *word, tgt_addr *ret);

// Whether 'word' is an address by its form: 16 hex digits, with 0x or a ` in the middle or not.
bool walk_parse_addr(const char *word, tgt_addr *ret);

// The same, also without leading zeros: 8 digits are enough, of what cannot be a name.
bool walk_parse_short_addr(const char *word, tgt_addr *ret);

// Sums the counters of all procs of a port. Negative errno and 'why'.
int walk_stats(struct shell *sh, const struct vport *port, struct vport_stats *sum,
	       struct why *why);

/**
 * Where a field is in the target's struct; 'own' is its offset in ours, for builds without type
 * data. Negative errno and 'why'.
 */
int walk_field(struct shell *sh, const char *name, const char *field, size_t own, uint32_t *ret,
	       struct why *why);

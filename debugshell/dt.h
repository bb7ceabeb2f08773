/*
 * dt: the layout of a type of the target, and what is at an address read as that type. The form
 * is that of WinDbg's command of this name, with C's names for types:
 *
 *    vswd!miniport at 00005581c0de0a80, 4 elements, 0x170 bytes
 *       +0x000 obj              : struct object   !dt object 00005581c0de0a80
 *       +0x160 vswitch          : 00005581c0de0880   !dt vswitch 00005581c0de0880
 *       +0x168 state            : 0n3 ( VMS_EXT_MP_RUNNING )
 *
 * In JSON a struct is an object with "fields", each with "offset", "name", "type", its "value"
 * (dt_value.h) and the "command" that shows more; what -r opens has "fields" of its own, or an
 * "array" of structs that have them.
 *
 * The target's own type data is taken, which is foreign bytes: every number in it is checked, and
 * the number of rows is bounded. Memory that cannot be read is told in its row.
 */
#pragma once

#include "debugshell/dt_type.h"
#include "debugshell/target.h"
#include "debugshell/why.h"

enum {
	DT_DEPTH_DEFAULT = 5, // structs in structs, with -r alone
	DT_DEPTH_MAX = 16,
	DT_ELEMENTS_MAX = 8, // structs of an array that -r opens
	DT_ROWS_MAX = 20000,
	DT_STEPS_MAX = 1 << 20 // members looked at
};

struct dt {
	struct dt_types types;
	struct target *target; // values are read from it; NULL: the layout alone is shown
	tgt_addr addr;         // of the type
	unsigned depth;        // structs in structs that are opened

	// dt_select(): what is shown of it.
	struct dt_type type;
	uint64_t bit; // offset of it
	uint32_t bits;
	uint32_t parent;      // struct that it is a field of; 0: it is the whole type
	uint64_t parent_byte; // offset of that
	char path[256];       // "vport", "vport.obj.name"

	// dt_load() and dt_print().
	uint8_t *bytes; // of the whole type; NULL: read piece by piece
	uint32_t size;
	uint8_t *piece;
	unsigned rows;
	unsigned steps;
};

/**
 * Finds a type ("vport") and a part of it ("obj.name", "drops[0]", or ""). To be freed with
 * dt_free(), also on failure. -ENOENT: there is none, -EINVAL: damaged; 'why' has the sentence.
 */
int dt_select(struct dt *dt, const char *type, const char *field, struct why *why);
void dt_free(struct dt *dt);

/**
 * Reads the type's memory at once, so that what is shown is of one moment. If not all of it can be
 * read it is left for dt_print() to read in pieces. Errors as tgt_read(): nothing is there.
 */
int dt_load(struct dt *dt, struct why *why);

// Prints what was selected. 'torn': it changed while it was read.
void dt_print(struct dt *dt, bool torn);

// Lists the types whose name has the form of 'pattern' ("vnic*"). Gives their number.
unsigned dt_list(const struct dt_types *types, const char *pattern);

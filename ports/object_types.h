/*
 * The header that every object of the switch begins with.
 *
 * A debugger often holds an address and nothing else: from a log line, a register, a
 * damaged list. So each object says what it is in its first eight bytes, and carries its
 * names by value, since pointers are the first thing that a broken process loses.
 *
 *    0        4      6      8          12         16              96              352
 *    +--------+------+------+----------+----------+---------------+---------------+
 *    | magic  | type | size | refs     | changes  | name          | friendly_name |
 *    +--------+------+------+----------+----------+---------------+---------------+
 *
 * Threads: 'refs' and 'changes' are atomic. 'changes' is odd while the main thread changes
 * the object's control fields and grows by two per change; a reader from outside reads the
 * object between two equal even values, or says that it could not. The names are written
 * by the main thread only.
 */
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OBJECT_MAGIC = 0x4f575356,     // "VSWO", in memory order
	OBJECT_FREED = 0x44575356,     // "VSWD": the object was destroyed, this address is stale
	OBJECT_NAME_MAX = 64,          // bytes of a name that a user gives
	OBJECT_NAME_SIZE = 80,         // with the closing zero and the ":internal" of own vports
	OBJECT_FRIENDLY_SIZE = 255 + 1 // bytes with the closing zero
};

#define OBJECT_TYPES(X)                                                                            \
	X(OBJECT_NONE, 0, "none")                                                                  \
	X(OBJECT_VSWITCH, 1, "vswitch")                                                            \
	X(OBJECT_VPORT, 2, "vport")                                                                \
	X(OBJECT_VNIC, 3, "vnic")                                                                  \
	X(OBJECT_VMQ, 4, "vmq")                                                                    \
	X(OBJECT_QOSLINE, 5, "qosline")                                                            \
	X(OBJECT_PROC, 6, "proc")                                                                  \
	X(OBJECT_FDB, 7, "fdb")                                                                    \
	X(OBJECT_MINIPORT, 8, "miniport")                                                          \
	X(OBJECT_MOPEN, 9, "mopen")

enum object_type {
#define X(name, number, text) name = number,
	OBJECT_TYPES(X)
#undef X
};

struct object {
	uint32_t magic;           // OBJECT_MAGIC while alive
	uint16_t type;            // enum object_type
	uint16_t size;            // bytes of the whole struct, 0 when over 65535
	_Atomic uint32_t refs;    // see the owner's header for who counts
	_Atomic uint32_t changes; // odd while control fields change
	char name[OBJECT_NAME_SIZE];
	char friendly_name[OBJECT_FRIENDLY_SIZE];
};

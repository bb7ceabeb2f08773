/*
 * MAC table: the addresses that belong to one port in all VLANs. Only fdb*.c include this.
 *
 * Threads: fdb_owner_of(): any; only under the table's lock is its answer the last word. The rest:
 * main thread, under the lock of a table that procs can see.
 */
#pragma once

#include <stdbool.h>

#include "switch/fdb_types.h"

// The slot that owns the address of 'key', or FDB_NO_SLOT. The key's VLAN does not matter.
uint16_t fdb_owner_of(const struct fdb *fdb, uint64_t key);

// The slot's own address is the key's, or none for 0.
void fdb_owner_set(struct fdb *fdb, uint16_t slot, uint64_t key);

void fdb_owner_copy(struct fdb *to, const struct fdb *from);

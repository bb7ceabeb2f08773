#include "switch/fdb_owner.h"

#include "switch/fdb_table.h"

static uint32_t index_first(const struct fdb *fdb, uint64_t mac);
static void index_build(struct fdb *fdb);

uint16_t fdb_owner_of(const struct fdb *fdb, uint64_t key)
{
	const struct fdb_owners *o = &fdb->owners;
	uint64_t mac = FDB_KEY_MAC(key);
	uint32_t which, at;

	if (atomic_load_explicit(&o->n, memory_order_relaxed) == 0)
		return FDB_NO_SLOT;
	which = atomic_load_explicit(&o->current, memory_order_acquire) & 1;
	at = index_first(fdb, mac);
	for (uint32_t i = 0; i < FDB_OWNERS_INDEX; i++) {
		uint16_t entry = atomic_load_explicit(&o->index[which][at], memory_order_relaxed);

		if (entry == 0)
			break;
		if (atomic_load_explicit(&o->macs[(entry - 1) % VPORT_MAX], memory_order_relaxed) ==
		    mac)
			return (uint16_t)(entry - 1) % VPORT_MAX;
		at = (at + 1) % FDB_OWNERS_INDEX;
	}
	return FDB_NO_SLOT;
}

void fdb_owner_set(struct fdb *fdb, uint16_t slot, uint64_t key)
{
	atomic_store_explicit(&fdb->owners.macs[slot], FDB_KEY_MAC(key), memory_order_relaxed);
	index_build(fdb);
}

void fdb_owner_copy(struct fdb *to, const struct fdb *from)
{
	for (uint16_t slot = 0; slot < VPORT_MAX; slot++)
		atomic_store_explicit(
			&to->owners.macs[slot],
			atomic_load_explicit(&from->owners.macs[slot], memory_order_relaxed),
			memory_order_relaxed);
	index_build(to);
}

// Seeded, so that nobody can choose addresses that make the walk long.
static uint32_t index_first(const struct fdb *fdb, uint64_t mac)
{
	return (uint32_t)(fdb_hash(fdb, mac) % FDB_OWNERS_INDEX);
}

static void index_build(struct fdb *fdb)
{
	struct fdb_owners *o = &fdb->owners;
	uint32_t which = (atomic_load_explicit(&o->current, memory_order_relaxed) + 1) & 1;
	uint32_t n = 0;

	for (uint32_t i = 0; i < FDB_OWNERS_INDEX; i++)
		atomic_store_explicit(&o->index[which][i], 0, memory_order_relaxed);
	for (uint16_t slot = 0; slot < VPORT_MAX; slot++) {
		uint64_t mac = atomic_load_explicit(&o->macs[slot], memory_order_relaxed);
		uint32_t at;

		if (mac == 0)
			continue;
		at = index_first(fdb, mac);
		while (atomic_load_explicit(&o->index[which][at], memory_order_relaxed) != 0)
			at = (at + 1) % FDB_OWNERS_INDEX;
		atomic_store_explicit(&o->index[which][at], slot + 1, memory_order_relaxed);
		n++;
	}
	atomic_store_explicit(&o->current, which, memory_order_release);
	atomic_store_explicit(&o->n, n, memory_order_release);
}

/*
 * MAC table: the main thread's side of it: ports, static stations, ageing, walks, copies.
 * See fdb.h.
 *
 * Procs try the lock once and go on without learning when it is taken, so it is held here
 * for one bucket's or one station's work and given back.
 */
#include "switch/fdb.h"

#include <errno.h>
#include <sched.h>

#include "switch/fdb_owner.h"
#include "switch/fdb_table.h"

enum {
	SPINS_BEFORE_YIELD = 1000,
	SNAPSHOT_ATTEMPTS = 16,
	GENERATIONS_PER_SWEEP = 1 << 15,
	COPY_ATTEMPTS = 16,
	COPY_STATIC = 1, // which stations a pass of fdb_copy() takes
	COPY_LEARNED = 0
};

static void lock_wait(struct fdb *fdb);
static void forget_port(struct fdb *fdb, uint16_t slot);
static int pin_locked(struct fdb *fdb, uint64_t key, uint16_t slot, uint16_t *x_owner);
static bool entry_is_foreign(struct fdb_entry *entry, uint64_t key, uint16_t slot);
static void bucket_forget_foreign(struct fdb *fdb, struct fdb_bucket *bucket, uint64_t key,
				  uint16_t slot);
static void copy_stations(struct fdb *to, struct fdb *from, bool copy_static);
static uint32_t n_pins(struct fdb *fdb);
static void copy_counters(struct fdb *to, struct fdb *from);
static bool bucket_is_stale(struct fdb *fdb, struct fdb_bucket *bucket, uint32_t now_s,
			    uint32_t ageing_s);
static void bucket_age(struct fdb *fdb, struct fdb_bucket *bucket, uint32_t now_s);
static void sweep_dead(struct fdb *fdb);
static bool entry_is_dead(struct fdb *fdb, struct fdb_entry *entry);
static bool entry_snapshot(struct fdb *fdb, struct fdb_entry *entry, uint64_t *x_key,
			   uint64_t *x_value);
static uint32_t oldest_s(struct fdb *fdb);

void fdb_copy(struct fdb *to, struct fdb *from)
{
	for (uint16_t slot = 0; slot < VPORT_MAX; slot++) {
		struct fdb_port *port = &from->ports[slot];

		atomic_store(&to->generation[slot], fdb_generation(from, slot));
		atomic_store(&to->ports[slot].quota, FDB_GET(port->quota));
		atomic_store(&to->ports[slot].refused, FDB_GET(port->refused));
		atomic_store(&to->ports[slot].moved_in, FDB_GET(port->moved_in));
	}
	fdb_owner_copy(to, from);
	fdb_set_fids(to, atomic_load(&from->fids));
	lock_wait(to);
	// A proc may displace a station so that a pass misses it. A learned one is soon learned
	// again; static ones, which only this thread adds, are counted.
	for (int i = 0; i < COPY_ATTEMPTS && n_pins(to) < n_pins(from); i++)
		copy_stations(to, from, COPY_STATIC);
	copy_stations(to, from, COPY_LEARNED);
	copy_counters(to, from);
	fdb_unlock(to);
}

void fdb_set_ageing(struct fdb *fdb, uint32_t ageing_s)
{
	fdb->ageing_s = ageing_s;
}

void fdb_port_add(struct fdb *fdb, uint16_t slot, uint32_t quota)
{
	assert(slot < VPORT_MAX);
	if (FDB_GET(fdb->ports[slot].stations) != 0)
		fdb_port_flush(fdb, slot);
	atomic_store(&fdb->ports[slot].refused, 0);
	atomic_store(&fdb->ports[slot].moved_in, 0);
	fdb_disown(fdb, slot);
	fdb_port_set_quota(fdb, slot, quota);
}

void fdb_port_set_quota(struct fdb *fdb, uint16_t slot, uint32_t quota)
{
	atomic_store(&fdb->ports[slot].quota, quota);
}

void fdb_port_flush(struct fdb *fdb, uint16_t slot)
{
	assert(slot < VPORT_MAX);
	// Generations come round, and dead entries of that time would be alive again. Two sweeps
	// a round, for the one misses what is alive while it sweeps.
	if (fdb_generation(fdb, slot) % GENERATIONS_PER_SWEEP == GENERATIONS_PER_SWEEP - 1)
		sweep_dead(fdb);
	lock_wait(fdb);
	forget_port(fdb, slot);
	fdb_unlock(fdb);
}

int fdb_pin(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan, uint16_t slot, uint16_t *x_owner)
{
	uint64_t key = fdb_key(mac, vlan);
	uint32_t n_attempts = 1 + fdb->n_buckets / FDB_EVICT_BUCKETS;
	int err = -ENOSPC;

	assert(slot < VPORT_MAX);
	// When the table is full, each attempt looks for a station to evict a bit further on.
	for (uint32_t i = 0; err == -ENOSPC && i <= n_attempts; i++) {
		lock_wait(fdb);
		err = pin_locked(fdb, key, slot, x_owner);
		fdb_unlock(fdb);
	}
	return err;
}

void fdb_unpin(struct fdb *fdb, const uint8_t mac[6], uint16_t vlan)
{
	uint64_t key = fdb_key(mac, vlan);
	struct fdb_entry *entry;

	lock_wait(fdb);
	entry = fdb_find(fdb, fdb_hash(fdb, key), key);
	if (entry != NULL && !entry_is_dead(fdb, entry) && fdb_value_static(fdb_entry_value(entry)))
		fdb_remove(fdb, entry);
	fdb_unlock(fdb);
}

int fdb_own(struct fdb *fdb, const uint8_t mac[6], uint16_t slot, uint16_t *x_owner)
{
	uint64_t key = fdb_key(mac, 0);
	uint16_t owner = fdb_owner_of(fdb, key);

	assert(slot < VPORT_MAX);
	if (owner == slot)
		return 0;
	if (owner != FDB_NO_SLOT) {
		*x_owner = owner;
		return -EEXIST;
	}
	// In one go: a station that is learned or displaced meanwhile would stay.
	lock_wait(fdb);
	fdb_owner_set(fdb, slot, key);
	for (uint32_t i = 0; i < fdb->n_buckets; i++)
		bucket_forget_foreign(fdb, &fdb->buckets[i], key, slot);
	fdb_unlock(fdb);
	return 0;
}

void fdb_disown(struct fdb *fdb, uint16_t slot)
{
	if (FDB_GET(fdb->owners.macs[slot]) == 0)
		return;
	lock_wait(fdb);
	fdb_owner_set(fdb, slot, 0);
	fdb_unlock(fdb);
}

void fdb_set_fids(struct fdb *fdb, const struct vlan_fids *fids)
{
	atomic_store_explicit(&fdb->fids, fids, memory_order_release);
}

void fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t n_buckets)
{
	uint32_t ageing_s = oldest_s(fdb);

	if (n_buckets > fdb->n_buckets)
		n_buckets = fdb->n_buckets;
	for (; n_buckets > 0; n_buckets--) {
		struct fdb_bucket *bucket = &fdb->buckets[fdb->age_hand];

		fdb->age_hand = (fdb->age_hand + 1) & (fdb->n_buckets - 1);
		if (!bucket_is_stale(fdb, bucket, now_s, ageing_s))
			continue;
		lock_wait(fdb);
		bucket_age(fdb, bucket, now_s);
		fdb_unlock(fdb);
	}
}

void fdb_walk(struct fdb *fdb, uint32_t now_s, bool (*fn)(const struct fdb_station *, void *),
	      void *arg)
{
	fdb_walk_part(fdb, now_s, 0, fdb->n_buckets, fn, arg);
}

void fdb_walk_part(struct fdb *fdb, uint32_t now_s, uint32_t first, uint32_t n_buckets,
		   bool (*fn)(const struct fdb_station *, void *), void *arg)
{
	uint32_t left = first < fdb->n_buckets ? fdb->n_buckets - first : 0;
	uint32_t end = first + (n_buckets < left ? n_buckets : left);

	for (uint32_t i = first * FDB_BUCKET_ENTRIES; i < end * FDB_BUCKET_ENTRIES; i++) {
		struct fdb_bucket *bucket = &fdb->buckets[i / FDB_BUCKET_ENTRIES];
		struct fdb_station station;
		uint64_t key, value;

		if (!entry_snapshot(fdb, &bucket->entries[i % FDB_BUCKET_ENTRIES], &key, &value))
			continue;
		memcpy(station.mac, &key, sizeof(station.mac));
		station.vlan = FDB_KEY_VLAN(key);
		station.slot = FDB_VALUE_SLOT(value);
		station.flags = FDB_VALUE_FLAGS(value);
		station.age_s = fdb_value_static(value) ? 0 : fdb_value_age_s(value, now_s);
		if (!fn(&station, arg))
			return;
	}
}

// A proc holds the lock for a microsecond, but the kernel may have put it aside meanwhile.
static void lock_wait(struct fdb *fdb)
{
	for (unsigned spins = 1; !fdb_trylock(fdb); spins++) {
		if (spins % SPINS_BEFORE_YIELD == 0)
			sched_yield();
		else
			__builtin_ia32_pause();
	}
}

static void forget_port(struct fdb *fdb, uint16_t slot)
{
	struct fdb_port *port = &fdb->ports[slot];
	uint32_t n = FDB_GET(port->stations);

	atomic_store_explicit(&fdb->generation[slot], (uint16_t)(fdb_generation(fdb, slot) + 1),
			      memory_order_release);
	FDB_ADD(fdb->stations, -n);
	FDB_ADD(fdb->flushed, n);
	FDB_ADD(port->stations, -n);
	FDB_ADD(port->pins, -FDB_GET(port->pins));
}

static int pin_locked(struct fdb *fdb, uint64_t key, uint16_t slot, uint16_t *x_owner)
{
	uint64_t hash = fdb_hash(fdb, key);
	struct fdb_entry *entry = fdb_find(fdb, hash, key);
	uint64_t pin = fdb_value(slot, fdb_generation(fdb, slot), FDB_ENTRY_STATIC, 0);
	uint64_t value;

	if (entry != NULL && entry_is_dead(fdb, entry)) {
		fdb_entry_clear(fdb, entry);
		entry = NULL;
	}
	if (entry == NULL)
		return fdb_insert(fdb, hash, key, pin, true) ? 0 : -ENOSPC;
	value = fdb_entry_value(entry);
	if (fdb_value_static(value)) {
		if (FDB_VALUE_SLOT(value) == slot)
			return 0;
		*x_owner = FDB_VALUE_SLOT(value);
		return -EEXIST;
	}
	fdb_replace(fdb, entry, pin);
	return 0;
}

// A learned station of this address at another port.
static bool entry_is_foreign(struct fdb_entry *entry, uint64_t key, uint16_t slot)
{
	uint64_t value = fdb_entry_value(entry);

	return FDB_KEY_MAC(fdb_entry_key(entry)) == FDB_KEY_MAC(key) &&
	       FDB_VALUE_SLOT(value) != slot && !fdb_value_static(value);
}

static void bucket_forget_foreign(struct fdb *fdb, struct fdb_bucket *bucket, uint64_t key,
				  uint16_t slot)
{
	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		struct fdb_entry *entry = &bucket->entries[i];

		if (entry_is_foreign(entry, key, slot) && !entry_is_dead(fdb, entry))
			fdb_remove(fdb, entry);
	}
}

static void copy_stations(struct fdb *to, struct fdb *from, bool copy_static)
{
	uint32_t n_entries = from->n_buckets * FDB_BUCKET_ENTRIES;

	for (uint32_t i = 0; i < n_entries; i++) {
		struct fdb_bucket *bucket = &from->buckets[i / FDB_BUCKET_ENTRIES];
		uint64_t key, value, hash;

		if (!entry_snapshot(from, &bucket->entries[i % FDB_BUCKET_ENTRIES], &key, &value) ||
		    fdb_value_static(value) != copy_static)
			continue;
		hash = fdb_hash(to, key);
		// One that is displaced meanwhile is met twice.
		if (fdb_find(to, hash, key) == NULL)
			(void)fdb_insert(to, hash, key, value, false);
	}
}

static uint32_t n_pins(struct fdb *fdb)
{
	uint32_t n = 0;

	for (unsigned slot = 0; slot < VPORT_MAX; slot++)
		n += FDB_GET(fdb->ports[slot].pins);
	return n;
}

static void copy_counters(struct fdb *to, struct fdb *from)
{
	atomic_store(&to->learned, FDB_GET(from->learned));
	atomic_store(&to->moved, FDB_GET(from->moved));
	atomic_store(&to->aged, FDB_GET(from->aged));
	atomic_store(&to->flushed, FDB_GET(from->flushed));
	atomic_store(&to->evicted, FDB_GET(from->evicted));
	atomic_store(&to->forgotten, FDB_GET(from->forgotten));
	atomic_store(&to->refused, FDB_GET(from->refused));
	atomic_store(&to->busy, FDB_GET(from->busy));
	atomic_store(&to->pinned, FDB_GET(from->pinned));
}

// Most buckets have nothing to remove; this is found out without the lock.
static bool bucket_is_stale(struct fdb *fdb, struct fdb_bucket *bucket, uint32_t now_s,
			    uint32_t ageing_s)
{
	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		struct fdb_entry *entry = &bucket->entries[i];
		uint64_t value = fdb_entry_value(entry);

		if (fdb_entry_key(entry) == 0)
			continue;
		if (!fdb_value_alive(fdb, value) ||
		    (!fdb_value_static(value) && fdb_value_age_s(value, now_s) >= ageing_s))
			return true;
	}
	return false;
}

static void bucket_age(struct fdb *fdb, struct fdb_bucket *bucket, uint32_t now_s)
{
	uint32_t ageing_s = oldest_s(fdb);

	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		struct fdb_entry *entry = &bucket->entries[i];
		uint64_t value = fdb_entry_value(entry);

		if (entry_is_dead(fdb, entry)) {
			fdb_entry_clear(fdb, entry);
			continue;
		}
		if (fdb_entry_key(entry) == 0 || fdb_value_static(value) ||
		    fdb_value_age_s(value, now_s) < ageing_s)
			continue;
		if (fdb->ageing_s != 0) {
			fdb_remove(fdb, entry);
			FDB_ADD(fdb->aged, 1);
			continue;
		}
		// It stays as old as can be told. A proc that renews it right now wins or will
		// again.
		value = fdb_value(FDB_VALUE_SLOT(value), FDB_VALUE_GENERATION(value),
				  FDB_VALUE_FLAGS(value),
				  (now_s - FDB_AGEING_MAX_S) & FDB_SEEN_MASK);
		atomic_store_explicit(&entry->value, value, memory_order_release);
	}
}

static void sweep_dead(struct fdb *fdb)
{
	for (uint32_t b = 0; b < fdb->n_buckets; b++) {
		lock_wait(fdb);
		for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
			struct fdb_entry *entry = &fdb->buckets[b].entries[i];

			if (entry_is_dead(fdb, entry))
				fdb_entry_clear(fdb, entry);
		}
		fdb_unlock(fdb);
	}
}

// Under the lock.
static bool entry_is_dead(struct fdb *fdb, struct fdb_entry *entry)
{
	return fdb_entry_key(entry) != 0 && !fdb_value_alive(fdb, fdb_entry_value(entry));
}

// A live station's key and value, without the lock. A writer changes an entry as rarely as
// stations change, so a few attempts are plenty.
static bool entry_snapshot(struct fdb *fdb, struct fdb_entry *entry, uint64_t *x_key,
			   uint64_t *x_value)
{
	for (int i = 0; i < SNAPSHOT_ATTEMPTS; i++) {
		*x_key = fdb_entry_key(entry);
		if (*x_key == 0)
			return false;
		if (fdb_entry_read(entry, *x_key, x_value))
			return fdb_value_alive(fdb, *x_value);
	}
	return false;
}

// How old a station may become, in seconds.
static uint32_t oldest_s(struct fdb *fdb)
{
	uint32_t ageing_s = fdb->ageing_s;

	return ageing_s == 0 || ageing_s > FDB_AGEING_MAX_S ? FDB_AGEING_MAX_S : ageing_s;
}

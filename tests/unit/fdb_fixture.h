// What the tests of the MAC table share: a table, stations by number, a walk that checks it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ports/vnbl.h"
#include "switch/fdb.h"
#include "switch/fdb_table.h"

enum {
	A = 3, // slots
	B = 7,
	C = 1023,
	STATIONS = 64,
	AGEING_S = 300,
	T0 = 1000,
	BURST = VNBL_BURST_MAX,
	MILLION = 1000000,
	ALL_BUCKETS = INT32_MAX
};

static struct vnbl frames[257];

static inline struct fdb *table_seeded(uint32_t stations, uint64_t seed)
{
	struct fdb_conf conf = {.stations = stations, .ageing_s = AGEING_S, .seed = {seed, 1}};
	struct fdb *fdb;

	assert_int_equal(fdb_create(&conf, &fdb), 0);
	fdb_port_add(fdb, A, stations);
	fdb_port_add(fdb, B, stations);
	fdb_port_add(fdb, C, stations);
	return fdb;
}

static inline struct fdb *table(uint32_t stations)
{
	return table_seeded(stations, 42);
}

static inline void mac_of(uint64_t number, uint8_t mac[6])
{
	uint64_t address = 0x02 | number << 8;

	memcpy(mac, &address, 6);
}

static inline void frame_set(struct vnbl *v, uint64_t dst, uint64_t src, uint16_t vlan)
{
	vnbl_reset(v);
	v->frame_size = v->safe_size = 64;
	v->dst_slot = VNBL_DST_NONE;
	mac_of(dst, v->hdr);
	mac_of(src, v->hdr + 6);
	if (vlan != 0) {
		v->flags |= VNBL_HAS_TAG;
		v->vlan_tci = 0xe000 | vlan;
	}
}

static inline void learn_vlan(struct fdb *fdb, uint64_t src, uint16_t vlan, uint16_t slot,
			      uint32_t now_s)
{
	frame_set(&frames[0], 0, src, vlan);
	fdb_learn_burst(fdb, frames, 1, slot, now_s);
}

static inline void learn(struct fdb *fdb, uint64_t src, uint16_t slot, uint32_t now_s)
{
	learn_vlan(fdb, src, 0, slot, now_s);
}

static inline uint16_t where_vlan(struct fdb *fdb, uint64_t number, uint16_t vlan)
{
	uint8_t mac[6];
	uint16_t slot;

	mac_of(number, mac);
	slot = fdb_lookup(fdb, mac, vlan);
	// The burst function says the same.
	frame_set(&frames[0], number, 0, vlan);
	fdb_lookup_burst(fdb, frames, 1);
	assert_int_equal(frames[0].dst_slot, slot);
	return slot;
}

static inline uint16_t where(struct fdb *fdb, uint64_t number)
{
	return where_vlan(fdb, number, 0);
}

static inline int pin(struct fdb *fdb, uint64_t number, uint16_t slot, uint16_t *x_owner)
{
	uint8_t mac[6];

	mac_of(number, mac);
	return fdb_pin(fdb, mac, 0, slot, x_owner);
}

static inline void unpin(struct fdb *fdb, uint64_t number, uint16_t vlan)
{
	uint8_t mac[6];

	mac_of(number, mac);
	fdb_unpin(fdb, mac, vlan);
}

struct census {
	uint32_t stations;
	uint32_t by_slot[VPORT_MAX];
	uint32_t pins[VPORT_MAX];
	uint32_t oldest_s;
	uint32_t stop_at; // 0 = never
};

static inline bool census_take(const struct fdb_station *station, void *arg)
{
	struct census *census = arg;

	census->stations++;
	census->by_slot[station->slot]++;
	census->pins[station->slot] += station->flags & FDB_ENTRY_STATIC;
	if (station->age_s > census->oldest_s)
		census->oldest_s = station->age_s;
	return census->stations != census->stop_at;
}

static inline bool is_astray(struct fdb *fdb, uint32_t bucket, unsigned entry)
{
	uint64_t key = fdb->buckets[bucket].entries[entry].key;

	return key != 0 && fdb_bucket_first(fdb, fdb_hash(fdb, key)) != bucket;
}

// Each bucket knows how many of its stations are in their second.
static inline void strays_check(struct fdb *fdb)
{
	uint32_t *strays = calloc(fdb->n_buckets, sizeof(*strays));

	assert_non_null(strays);
	for (uint32_t i = 0; i < fdb->n_buckets * FDB_BUCKET_ENTRIES; i++) {
		uint32_t b = i / FDB_BUCKET_ENTRIES;
		uint64_t key = fdb->buckets[b].entries[i % FDB_BUCKET_ENTRIES].key;

		if (is_astray(fdb, b, i % FDB_BUCKET_ENTRIES))
			strays[fdb_bucket_first(fdb, fdb_hash(fdb, key))]++;
	}
	for (uint32_t b = 0; b < fdb->n_buckets; b++) {
		if (fdb->strays[b] != FDB_STRAYS_MAX)
			assert_int_equal(fdb->strays[b], strays[b]);
	}
	free(strays);
}

// The counters are what a walk finds, for every port, and no key is in the table twice.
static inline void counters_check(struct fdb *fdb)
{
	struct census census = {0};
	uint64_t entries = 0;

	fdb_walk(fdb, T0, census_take, &census);
	assert_int_equal(fdb->stations, census.stations);
	assert_true(fdb->stations <= fdb->max_stations);
	assert_int_equal(fdb->moves % 2, 0);
	for (unsigned slot = 0; slot < VPORT_MAX; slot++) {
		assert_int_equal(fdb->ports[slot].stations, census.by_slot[slot]);
		assert_int_equal(fdb->ports[slot].pins, census.pins[slot]);
	}
	for (uint32_t b = 0; b < fdb->n_buckets; b++) {
		struct fdb_entry *e = fdb->buckets[b].entries;

		for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
			entries += e[i].key != 0;
			for (unsigned k = i + 1; k < FDB_BUCKET_ENTRIES; k++)
				assert_true(e[i].key == 0 || e[i].key != e[k].key);
		}
	}
	assert_true(entries >= fdb->stations);
	strays_check(fdb);
}

static inline void table_end(struct fdb *fdb)
{
	counters_check(fdb);
	fdb_destroy(fdb);
}

/*
 * What the MAC table costs per frame: learning its source and looking up its destination, over
 * bursts of 32 whose addresses are drawn at random from 2 to a million stations.
 *
 * Writers are further threads that change the table meanwhile, as other procs do whose guests
 * come, go and move: each has stations of its own,
 *
 *   move others             that are heard at one port and then at another;
 *   move in its buckets     the same, each of them in one bucket with a station of ours, so that
 *                           what we read is on another core's cache lines;
 *   learn in its buckets    that are learned, forgotten (heard at a port without quota), learned.
 *
 * The last two cases are an attacker's frames, each from a source of its own: at a port at its
 * quota, and at one that may fill the table.
 *
 * Needs no EAL, no network.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/cycles.h"
#include "bench/stations.h"
#include "ports/vnbl.h"
#include "switch/fdb.h"

enum {
	BURST = VNBL_BURST_MAX,
	BURSTS = 200, // of one round
	ROUNDS = 100,
	PORTS = 2, // stations with even numbers are at slot 0, odd ones at slot 1
	NOW_S = 1000,
	WRITERS_MAX = 2,
	WRITER_PORTS = 2,
	WRITER_MACS = 256,   // of each, at most
	STRANGERS = 1 << 24, // numbers of stations that are not ours begin here
	CANDIDATES = 8192,
	MILLION = 1000000
};

enum column { LEARN, LOOKUP, BOTH, COLUMNS };
enum mode { MOVE_OTHERS, MOVE_IN_BUCKETS, LEARN_IN_BUCKETS, MODES };

struct writer {
	pthread_t thread;
	const struct cycles *c;
	struct fdb *fdb;
	unsigned number;
	uint16_t slot; // and the next one
	uint32_t n_macs;
	uint8_t macs[WRITER_MACS][6];
	_Atomic bool stop;
	_Atomic uint64_t passes; // over all its stations
	struct vnbl frames[BURST];
};

static struct vnbl frames[BURST];
static struct writer writers[WRITERS_MAX];
static uint64_t state = STATIONS_SEED;

static double size_measure(struct cycles *c, uint32_t n_stations);
static bool wanted(const struct cycles *c, uint32_t n_stations, const char *writing, char *name,
		   size_t size);
static void writers_measure(struct cycles *c, uint32_t n_stations, enum mode mode, unsigned n);
static void table_measure(struct cycles *c, struct fdb *fdb, uint32_t n_stations);
static void round_measure(struct cycles *c, struct fdb *fdb, uint32_t n_stations, unsigned round);
static void burst_fill(uint32_t n_stations, unsigned slot);
static struct fdb *table_fill(uint32_t n_stations);
static void stations_learn(struct fdb *fdb, uint32_t first, uint32_t n, uint16_t slot,
			   unsigned n_slots);
static void writers_choose(uint32_t n_stations, enum mode mode, unsigned n);
static void neighbours_find(uint32_t n_stations, unsigned n);
static unsigned neighbours_take(const struct fdb_bucket *bucket, unsigned n, unsigned taken);
static void writers_start(const struct cycles *c, struct fdb *fdb, enum mode mode, unsigned n);
static void writers_stop(struct fdb *fdb, unsigned n);
static void *writer_main(void *arg);
static void attack_measure(struct cycles *c, const char *name, uint32_t quota);

int main(int argc, char **argv)
{
	static const char *const columns[COLUMNS] = {"learn", "lookup", "both"};
	static const uint32_t sizes[] = {2, 10, 1000, 10000, 100000, MILLION};
	static struct cycles c;
	double ten = 0, million = 0;

	cycles_init(&c, "fdb", "What the MAC table costs per frame, by its size and its writers.",
		    ROUNDS, argc, argv);
	cycles_pin(&c, 0);
	for (unsigned i = 0; i < BURST; i++) {
		vnbl_reset(&frames[i]);
		frames[i].frame_size = frames[i].safe_size = 64;
	}
	cycles_say(&c, "TSC cycles per frame, median of %u rounds of %d bursts of %d", c.rounds,
		   BURSTS, BURST);
	if (c.n_cores <= WRITERS_MAX)
		cycles_say(&c,
			   "%u cores: %d writers share what the measured thread leaves, so that "
			   "they say no more than %u",
			   c.n_cores, WRITERS_MAX, c.n_cores - 1);
	cycles_table(&c, "", columns, COLUMNS);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		double both;

		if (c.quick && sizes[i] != 10 && sizes[i] != 10000)
			continue;
		both = size_measure(&c, sizes[i]);
		ten = sizes[i] == 10 ? both : ten;
		million = sizes[i] == MILLION ? both : million;
	}
	cycles_table(&c, "a new source in every frame", columns, 1);
	if (!c.quick) {
		attack_measure(&c, "attacker at its quota", 0);
		attack_measure(&c, "attacker without a quota", MILLION);
	}
	if (ten > 0 && million > 0)
		cycles_say(&c, "a million stations cost %.1f cycles more than ten", million - ten);
	cycles_fini(&c);
	return 0;
}

// Returns what learning and looking up cost together when nobody else writes; 0: not measured.
static double size_measure(struct cycles *c, uint32_t n_stations)
{
	char name[64];
	double both = 0;

	if (wanted(c, n_stations, "no writer", name, sizeof(name))) {
		struct fdb *fdb = table_fill(n_stations);

		table_measure(c, fdb, n_stations);
		cycles_case(c, name);
		both = cycles_median(c, BOTH);
		fdb_destroy(fdb);
	}
	for (unsigned mode = 0; mode < MODES && c->n_cores > 1; mode++) {
		for (unsigned n = 1; n <= WRITERS_MAX; n++)
			writers_measure(c, n_stations, mode, n);
	}
	return both;
}

static bool wanted(const struct cycles *c, uint32_t n_stations, const char *writing, char *name,
		   size_t size)
{
	snprintf(name, size, "%" PRIu32 " stations, %s", n_stations, writing);
	return cycles_wants(c, name);
}

static void writers_measure(struct cycles *c, uint32_t n_stations, enum mode mode, unsigned n)
{
	static const char *const words[MODES] = {"move others", "move in its buckets",
						 "learn in its buckets"};
	char writing[32], name[64];
	struct fdb *fdb;

	snprintf(writing, sizeof(writing), "%u %s", n, words[mode]);
	if (!wanted(c, n_stations, writing, name, sizeof(name)))
		return;
	writers_choose(n_stations, mode, n);
	fdb = table_fill(n_stations);
	writers_start(c, fdb, mode, n);
	table_measure(c, fdb, n_stations);
	writers_stop(fdb, n);
	cycles_case(c, name);
	fdb_destroy(fdb);
}

static void table_measure(struct cycles *c, struct fdb *fdb, uint32_t n_stations)
{
	for (unsigned round = 0; round < c->rounds; round++)
		round_measure(c, fdb, n_stations, round);
}

static void round_measure(struct cycles *c, struct fdb *fdb, uint32_t n_stations, unsigned round)
{
	uint64_t learn = 0, lookup = 0;

	for (unsigned i = 0; i < BURSTS; i++) {
		uint64_t t[3];

		burst_fill(n_stations, i % PORTS);
		t[0] = cycles_now();
		fdb_learn_burst(fdb, frames, BURST, i % PORTS, NOW_S);
		t[1] = cycles_now();
		fdb_lookup_burst(fdb, frames, BURST);
		t[2] = cycles_now();
		learn += t[1] - t[0];
		lookup += t[2] - t[1];
		for (unsigned k = 0; k < BURST; k++) {
			if (frames[k].dst_slot != 1 - i % PORTS)
				cycles_fail("a known station was not found");
		}
	}
	cycles_sample(c, LEARN, round, (double)learn / BURSTS / BURST);
	cycles_sample(c, LOOKUP, round, (double)lookup / BURSTS / BURST);
	cycles_sample(c, BOTH, round, (double)(learn + lookup) / BURSTS / BURST);
}

static void burst_fill(uint32_t n_stations, unsigned slot)
{
	for (unsigned i = 0; i < BURST; i++) {
		uint32_t src = station_draw(&state, n_stations / PORTS);
		uint32_t dst = station_draw(&state, n_stations / PORTS);

		station_mac(dst * PORTS + 1 - slot, frames[i].hdr);
		station_mac(src * PORTS + slot, frames[i].hdr + 6);
	}
}

// With room for the writers' stations. The seed is the same in every run.
static struct fdb *table_fill(uint32_t n_stations)
{
	uint32_t room = n_stations + WRITERS_MAX * WRITER_MACS;
	struct fdb_conf conf = {.seed = {1, 2}};
	struct fdb *fdb;

	conf.stations = room < FDB_STATIONS_DEFAULT ? FDB_STATIONS_DEFAULT : room;
	if (fdb_create(&conf, &fdb) != 0)
		cycles_fail("no memory for %" PRIu32 " stations", n_stations);
	for (uint16_t slot = 0; slot < PORTS; slot++)
		fdb_port_add(fdb, slot, n_stations);
	stations_learn(fdb, 0, n_stations, 0, PORTS);
	if (fdb->stations != n_stations)
		cycles_fail("only %u of %" PRIu32 " stations were learned", fdb->stations,
			    n_stations);
	return fdb;
}

// Stations 'first' and up at 'slot' and up, in turn.
static void stations_learn(struct fdb *fdb, uint32_t first, uint32_t n, uint16_t slot,
			   unsigned n_slots)
{
	for (uint32_t i = 0; i < n; i++) {
		station_mac(first + i, frames[0].hdr + 6);
		fdb_learn_burst(fdb, frames, 1, (uint16_t)(slot + i % n_slots), NOW_S);
	}
}

static void writers_choose(uint32_t n_stations, enum mode mode, unsigned n)
{
	if (mode != MOVE_OTHERS) {
		neighbours_find(n_stations, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		writers[i].n_macs = WRITER_MACS;
		for (uint32_t k = 0; k < WRITER_MACS; k++)
			station_mac(STRANGERS + i * WRITER_MACS + k, writers[i].macs[k]);
	}
}

// Strangers that a table like ours puts into buckets where stations of ours are.
static void neighbours_find(uint32_t n_stations, unsigned n)
{
	struct fdb *fdb = table_fill(n_stations);
	unsigned taken = 0;

	fdb_port_add(fdb, PORTS, CANDIDATES);
	stations_learn(fdb, STRANGERS, fdb->max_stations - n_stations, PORTS, 1);
	for (unsigned i = 0; i < n; i++)
		writers[i].n_macs = 0;
	for (uint32_t b = 0; b < fdb->n_buckets && taken < n * WRITER_MACS; b++)
		taken = neighbours_take(&fdb->buckets[b], n, taken);
	fdb_destroy(fdb);
	if (taken < n)
		cycles_fail("no stranger shares a bucket with %" PRIu32 " stations", n_stations);
}

static unsigned neighbours_take(const struct fdb_bucket *bucket, unsigned n, unsigned taken)
{
	uint64_t strangers[FDB_BUCKET_ENTRIES];
	unsigned n_strangers = 0;
	bool ours = false;

	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		uint64_t key = atomic_load(&bucket->entries[i].key);

		if (key == 0)
			continue;
		if (FDB_VALUE_SLOT(atomic_load(&bucket->entries[i].value)) == PORTS)
			strangers[n_strangers++] = FDB_KEY_MAC(key);
		else
			ours = true;
	}
	for (unsigned i = 0; i < n_strangers && ours && taken < n * WRITER_MACS; i++) {
		struct writer *w = &writers[taken++ % n];

		memcpy(w->macs[w->n_macs++], &strangers[i], 6);
	}
	return taken;
}

static void writers_start(const struct cycles *c, struct fdb *fdb, enum mode mode, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct writer *w = &writers[i];

		w->c = c;
		w->fdb = fdb;
		w->number = i;
		w->slot = (uint16_t)(PORTS + i * WRITER_PORTS);
		fdb_port_add(fdb, w->slot, WRITER_MACS);
		fdb_port_add(fdb, w->slot + 1, mode == LEARN_IN_BUCKETS ? 0 : WRITER_MACS);
		atomic_store(&w->stop, false);
		atomic_store(&w->passes, 0);
		if (pthread_create(&w->thread, NULL, writer_main, w) != 0)
			cycles_fail("no thread for a writer");
	}
	for (unsigned i = 0; i < n; i++) {
		while (atomic_load(&writers[i].passes) == 0)
			_mm_pause();
	}
}

static void writers_stop(struct fdb *fdb, unsigned n)
{
	uint64_t changes = 0;

	for (unsigned i = 0; i < n; i++) {
		atomic_store(&writers[i].stop, true);
		pthread_join(writers[i].thread, NULL);
	}
	changes = fdb->moved + fdb->forgotten;
	if (changes == 0)
		cycles_fail("the writers changed nothing");
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	uint64_t pass = 0;

	cycles_pin(w->c, 1 + w->number % (w->c->n_cores - 1));
	for (unsigned i = 0; i < BURST; i++) {
		vnbl_reset(&w->frames[i]);
		w->frames[i].frame_size = w->frames[i].safe_size = 64;
	}
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		uint16_t slot = (uint16_t)(w->slot + pass % WRITER_PORTS);

		for (uint32_t at = 0; at < w->n_macs; at += BURST) {
			uint32_t n = w->n_macs - at < BURST ? w->n_macs - at : BURST;

			for (uint32_t i = 0; i < n; i++)
				memcpy(w->frames[i].hdr + 6, w->macs[at + i], 6);
			fdb_learn_burst(w->fdb, w->frames, n, slot, NOW_S);
		}
		atomic_store_explicit(&w->passes, ++pass, memory_order_relaxed);
	}
	return NULL;
}

// Frames from ever new sources at a port that may have 'quota' stations, and a full table.
static void attack_measure(struct cycles *c, const char *name, uint32_t quota)
{
	struct fdb *fdb;
	uint32_t next = STRANGERS;

	if (!cycles_wants(c, name))
		return;
	fdb = table_fill(MILLION);
	fdb_port_add(fdb, PORTS, quota);
	for (unsigned round = 0; round < c->rounds; round++) {
		uint64_t learn = 0;

		for (unsigned i = 0; i < BURSTS; i++) {
			uint64_t t0;

			for (unsigned k = 0; k < BURST; k++)
				station_mac(next++, frames[k].hdr + 6);
			t0 = cycles_now();
			fdb_learn_burst(fdb, frames, BURST, PORTS, NOW_S);
			learn += cycles_now() - t0;
		}
		cycles_sample(c, LEARN, round, (double)learn / BURSTS / BURST);
	}
	cycles_case(c, name);
	fdb_destroy(fdb);
}

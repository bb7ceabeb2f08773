/*
 * What the MAC table costs per frame: learning its source and looking up its destination, in
 * TSC cycles, over bursts of 32 whose addresses are drawn at random from 10 to a million
 * stations. Medians of several rounds; a million stations against ten is what the switch
 * promises something about. The last two lines are an attacker's frames, each from a source of
 * its own: at a port at its quota, and at one that may fill the table.
 *
 * Needs nothing: no EAL, no network. One thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "ports/vnbl.h"
#include "switch/fdb.h"

enum {
	BURST = VNBL_BURST_MAX,
	BURSTS = 2000, // of one round
	ROUNDS = 15,
	PORTS = 2, // stations with even numbers are at slot 0, odd ones at slot 1
	NOW_S = 1000,
	MILLION = 1000000
};

struct cost {
	double learn;
	double lookup;
};

static struct vnbl frames[BURST];
static uint64_t random_state = 88172645463325252ULL;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

// Local addresses spread over their whole space, as hypervisors make them up.
static void station_mac(uint32_t number, uint8_t mac[6])
{
	uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15ULL;

	mixed ^= mixed >> 29;
	memcpy(mac, &mixed, 6);
	mac[0] = (mac[0] & 0xfc) | 2;
	memcpy(mac + 2, &number, sizeof(number));
}

static void burst_fill(uint32_t n_stations, unsigned slot)
{
	for (unsigned i = 0; i < BURST; i++) {
		struct vnbl *v = &frames[i];
		uint32_t src = (uint32_t)(random_next() % (n_stations / PORTS));
		uint32_t dst = (uint32_t)(random_next() % (n_stations / PORTS));

		station_mac(dst * PORTS + 1 - slot, v->hdr);
		station_mac(src * PORTS + slot, v->hdr + 6);
	}
}

static void stations_learn(struct fdb *fdb, uint32_t n_stations)
{
	for (uint32_t i = 0; i < n_stations; i++) {
		station_mac(i, frames[0].hdr + 6);
		fdb_learn_burst(fdb, frames, 1, i % PORTS, NOW_S);
	}
}

static struct cost round_measure(struct fdb *fdb, uint32_t n_stations)
{
	uint64_t learn = 0, lookup = 0;

	for (unsigned i = 0; i < BURSTS; i++) {
		uint64_t t0, t1;

		burst_fill(n_stations, i % PORTS);
		t0 = __rdtsc();
		fdb_learn_burst(fdb, frames, BURST, i % PORTS, NOW_S);
		t1 = __rdtsc();
		fdb_lookup_burst(fdb, frames, BURST);
		lookup += __rdtsc() - t1;
		learn += t1 - t0;
		for (unsigned k = 0; k < BURST; k++) {
			if (frames[k].dst_slot != 1 - i % PORTS) {
				fprintf(stderr, "a known station was not found\n");
				exit(1);
			}
		}
	}
	return (struct cost){(double)learn / BURSTS / BURST, (double)lookup / BURSTS / BURST};
}

static int by_sum(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;
	double difference = x->learn + x->lookup - y->learn - y->lookup;

	return (difference > 0) - (difference < 0);
}

static struct fdb *table_fill(uint32_t n_stations)
{
	uint32_t room = n_stations < FDB_STATIONS_DEFAULT ? FDB_STATIONS_DEFAULT : n_stations;
	struct fdb_conf conf = {.stations = room};
	struct fdb *fdb;

	if (fdb_create(&conf, &fdb) != 0) {
		fprintf(stderr, "no memory for %" PRIu32 " stations\n", n_stations);
		exit(1);
	}
	for (uint16_t slot = 0; slot < PORTS; slot++)
		fdb_port_add(fdb, slot, n_stations);
	stations_learn(fdb, n_stations);
	if (fdb->stations != n_stations) {
		fprintf(stderr, "only %u of %" PRIu32 " stations learned\n", fdb->stations,
			n_stations);
		exit(1);
	}
	return fdb;
}

static struct cost table_measure(uint32_t n_stations)
{
	struct fdb *fdb = table_fill(n_stations);
	struct cost costs[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++)
		costs[i] = round_measure(fdb, n_stations);
	qsort(costs, ROUNDS, sizeof(costs[0]), by_sum);
	fdb_destroy(fdb);
	return costs[ROUNDS / 2];
}

// Frames from ever new sources at a port that may have 'quota' stations, and a full table.
static struct cost attack_measure(uint32_t n_stations, uint32_t quota)
{
	struct fdb *fdb = table_fill(n_stations);
	struct cost costs[ROUNDS];
	uint32_t next = n_stations;

	fdb_port_add(fdb, PORTS, quota);
	for (unsigned i = 0; i < ROUNDS; i++) {
		costs[i] = (struct cost){0};
		for (unsigned k = 0; k < BURSTS; k++) {
			uint64_t t0;

			for (unsigned f = 0; f < BURST; f++)
				station_mac(next++, frames[f].hdr + 6);
			t0 = __rdtsc();
			fdb_learn_burst(fdb, frames, BURST, PORTS, NOW_S);
			costs[i].learn += (double)(__rdtsc() - t0) / BURSTS / BURST;
		}
	}
	qsort(costs, ROUNDS, sizeof(costs[0]), by_sum);
	fdb_destroy(fdb);
	return costs[ROUNDS / 2];
}

int main(void)
{
	static const uint32_t sizes[] = {10, 2, 1000, 10000, 100000, MILLION};
	double base = 0;

	for (unsigned i = 0; i < BURST; i++) {
		vnbl_reset(&frames[i]);
		frames[i].frame_size = frames[i].safe_size = 64;
	}
	printf("%9s %8s %8s %8s %8s   TSC cycles per frame, bursts of %d, median of %d rounds\n",
	       "stations", "learn", "lookup", "both", "more", BURST, ROUNDS);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cost cost = table_measure(sizes[i]);
		double both = cost.learn + cost.lookup;

		if (i == 0)
			base = both;
		printf("%9" PRIu32 " %8.1f %8.1f %8.1f %+8.1f\n", sizes[i], cost.learn, cost.lookup,
		       both, both - base);
	}
	printf("%9s %8.1f\n", "at quota", attack_measure(MILLION, 0).learn);
	printf("%9s %8.1f\n", "no quota", attack_measure(MILLION, MILLION).learn);
	return 0;
}

/*
 * fdb: the MAC table, read in large pieces, for a table may have millions of entries and is
 * being written while it is read. An entry is two words: each is whole, the pair may be from
 * before and after a move, which shows a station at the port that it comes from or goes to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/fdb_types.h"

enum {
	FDB_CHUNK_BYTES = 1 << 20,
	FDB_BUCKETS_MAX = FDB_STATIONS_MAX, // over twice what any table needs
	FDB_SEEN_MASK = 0xffffff            // seconds wrap
};

// What is known of the port at a slot.
struct fdb_slot {
	tgt_addr port;
	char name[OBJECT_NAME_SIZE];
};

struct fdb_walk {
	struct shell *sh;
	const struct walk_vswitch *v;
	struct fdb *fdb;
	tgt_addr only_port; // show this port's stations, or 0 = all
	uint32_t now_s;
	uint64_t shown;
	uint64_t dead; // entries of ports that are gone
	struct fdb_slot slots[VPORT_MAX];
};

static int fdb_all(struct shell *sh);
static int fdb_one(struct shell *sh, const char *word, struct why *why);
static int fdb_switch(struct shell *sh, tgt_addr vswitch, tgt_addr port, bool detail,
		      struct why *why);
static int fdb_owner(struct shell *sh, tgt_addr fdb, tgt_addr *ret, struct why *why);
static void read_slots(struct fdb_walk *w);
static uint32_t now_s(const struct shell *sh);
static void print_counters(struct shell *sh, const struct fdb *fdb);
static int walk_buckets(struct fdb_walk *w, struct why *why);
static int check_table(const struct fdb *fdb, const struct type_map *map, struct why *why);
static void print_bucket(struct fdb_walk *w, const struct fdb_bucket *bucket);
static void print_entry(struct fdb_walk *w, uint64_t key, uint64_t value);
static void print_station(const struct fdb_walk *w, uint64_t key, uint64_t value);

static const struct print_column station_columns[] = {
	{"MAC", 19}, {"VLAN", 6}, {"Type", 9}, {"Age", 9, "age_s"}, {"vPort", 18}, {"Name"},
};

int cmd_fdb(struct shell *sh, int argc, char **argv, struct why *why)
{
	return argc == 1 ? fdb_all(sh) : fdb_one(sh, argv[1], why);
}

static int fdb_all(struct shell *sh)
{
	struct why why;

	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);

		if (fdb_switch(sh, addr, (tgt_addr){0}, false, &why) < 0)
			walk_trouble(sh, "", "VSWITCH", addr, &why);
	}
	if (walk_n_vswitches(sh) == 0)
		print_none();
	return 0;
}

static int fdb_one(struct shell *sh, const char *word, struct why *why)
{
	tgt_addr none = {0};
	enum object_type type;
	struct vport port;
	tgt_addr addr;
	int err;

	if (walk_find_either(sh, OBJECT_VSWITCH, OBJECT_VPORT, word, &addr) != 0)
		return why_set(why, -ENOENT,
			       "there is no vswitch or vport '%.100s'; vswitch and vport list them",
			       print_text(word, strlen(word)).s);
	err = walk_type(sh, addr, &type, why);
	if (err != 0)
		return err;
	switch (type) {
	case OBJECT_VSWITCH:
		return fdb_switch(sh, addr, none, true, why);
	case OBJECT_FDB:
		err = fdb_owner(sh, addr, &addr, why);
		return err != 0 ? err : fdb_switch(sh, addr, none, true, why);
	case OBJECT_VPORT:
		err = walk_object(sh, addr, OBJECT_VPORT, &port, why);
		return err < 0 ? err : fdb_switch(sh, tgt_ptr(port.vswitch), addr, false, why);
	default:
		return why_set(why, -EINVAL,
			       "%016lx is a %s; stations belong to a vswitch or a "
			       "vport",
			       addr.v, name_object_type(type));
	}
}

static int fdb_switch(struct shell *sh, tgt_addr vswitch, tgt_addr port, bool detail,
		      struct why *why)
{
	struct fdb_walk *w = calloc(1, sizeof(*w));
	struct fdb *fdb = aligned_alloc(64, sizeof(*fdb));
	struct walk_vswitch *v = walk_vswitch(sh, vswitch, why);
	int err = v == NULL ? -EINVAL : 0;
	tgt_addr addr;

	if (w == NULL || fdb == NULL)
		err = why_set(why, -ENOMEM, "out of memory");
	if (err != 0)
		goto out;
	addr = tgt_ptr(v->sw.fdb);
	err = walk_object(sh, addr, OBJECT_FDB, fdb, why);
	if (err < 0)
		goto out;
	*w = (struct fdb_walk){.sh = sh, .v = v, .fdb = fdb, .only_port = port};
	w->now_s = now_s(sh);
	read_slots(w);
	print_title("FDB", addr, err == WALK_TORN);
	print_link("vSwitch", vswitch, "nvkd.vswitch");
	print_text_row("Friendly Name", TEXT(v->sw.obj.friendly_name));
	print_extra("switch", "%s", TEXT(v->sw.obj.name).s);
	clock_print(sh);
	print_values("Stations", "- -", "%u of %u", fdb->stations, fdb->max_stations);
	print_extra("n_stations", "%u", fdb->stations);
	print_extra("max_stations", "%u", fdb->max_stations);
	if (detail)
		print_counters(sh, fdb);
	err = walk_buckets(w, why);
out:
	free(v);
	free(fdb);
	free(w);
	return err;
}

// The switch whose table it is: the table itself does not say.
static int fdb_owner(struct shell *sh, tgt_addr fdb, tgt_addr *ret, struct why *why)
{
	struct vswitch sw;

	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);

		if (walk_object(sh, addr, OBJECT_VSWITCH, &sw, why) < 0 ||
		    tgt_ptr(sw.fdb).v != fdb.v)
			continue;
		*ret = addr;
		return 0;
	}
	return why_set(why, -ENOENT, "no vswitch uses the table at %016lx", fdb.v);
}

static void read_slots(struct fdb_walk *w)
{
	struct vport port;
	struct why why;

	for (uint32_t i = 0; i < w->v->n_ports; i++) {
		tgt_addr addr = w->v->ports[i];

		if (walk_object(w->sh, addr, OBJECT_VPORT, &port, &why) < 0) {
			walk_trouble(w->sh, "", "VPORT", addr, &why);
			continue;
		}
		// A port without NIC is in no table; its slot may be another's.
		if (port.slot >= VPORT_MAX || port.nic == NULL)
			continue;
		w->slots[port.slot].port = addr;
		snprintf(w->slots[port.slot].name, sizeof(w->slots[0].name), "%.*s",
			 OBJECT_NAME_SIZE - 1, TEXT(port.obj.name).s);
	}
}

// The clock that stations are seen by: seconds since vswd started.
static uint32_t now_s(const struct shell *sh)
{
	const struct vsw_root *root = sh->root;
	uint64_t now = clock_now(sh);

	if (root->tsc_hz == 0 || now < root->start_tsc)
		return 0;
	return (uint32_t)((now - root->start_tsc) / root->tsc_hz);
}

static void print_counters(struct shell *sh, const struct fdb *fdb)
{
	const struct type_map *map;
	struct why why;

	// The table was read by it.
	if (shell_map(sh, "fdb", sizeof(*fdb), &map, &why) != 0)
		return;
	if (fdb->ageing_s != 0)
		print_values("Ageing", "seconds", "%u s", fdb->ageing_s);
	else
		print_absent("Ageing", "[Off]");
	print_values("Buckets", "count address bytes", "%u at %016lx, %lu bytes", fdb->n_buckets,
		     tgt_ptr(fdb->buckets).v, fdb->buckets_bytes);
	print_section("COUNTERS");
	PRINT_FIELD(map, "learned", "Learned", "%lu", fdb->learned);
	PRINT_FIELD_VALUES(map, "moved", "Moved", ".", "%lu from one port to another", fdb->moved);
	PRINT_FIELD(map, "aged", "Aged", "%lu", fdb->aged);
	PRINT_FIELD_VALUES(map, "flushed", "Flushed", ".", "%lu with their port", fdb->flushed);
	PRINT_FIELD_VALUES(map, "evicted", "Evicted", ".", "%lu to make room", fdb->evicted);
	PRINT_FIELD_VALUES(map, "forgotten", "Forgotten", ".",
			   "%lu heard at another port, which is at its quota", fdb->forgotten);
	PRINT_FIELD_VALUES(map, "refused", "Refused", ".", "%lu frames whose source found no room",
			   fdb->refused);
	PRINT_FIELD_VALUES(map, "busy", "Busy", ".",
			   "%lu frames whose source found the table being written", fdb->busy);
	PRINT_FIELD_VALUES(map, "pinned", "Pinned", ".",
			   "%lu frames from another port's static address", fdb->pinned);
}

static int walk_buckets(struct fdb_walk *w, struct why *why)
{
	const struct type_map *map;
	struct fdb_bucket bucket;
	uint32_t per_chunk, n;
	uint8_t *chunk;
	int err = shell_map(w->sh, "fdb_bucket", sizeof(bucket), &map, why);

	if (err == 0)
		err = check_table(w->fdb, map, why);
	if (err != 0)
		return err;
	per_chunk = FDB_CHUNK_BYTES / map->from_size;
	chunk = malloc(FDB_CHUNK_BYTES);
	if (chunk == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	print_section("STATIONS");
	PRINT_TABLE("    ", station_columns);
	for (uint32_t i = 0; i < w->fdb->n_buckets && err == 0; i += n) {
		tgt_addr at = tgt_add(tgt_ptr(w->fdb->buckets), (uint64_t)i * map->from_size);

		n = w->fdb->n_buckets - i < per_chunk ? w->fdb->n_buckets - i : per_chunk;
		err = tgt_read(w->sh->target, at, chunk, (size_t)n * map->from_size);
		for (uint32_t b = 0; b < n && err == 0; b++) {
			type_convert(map, chunk + (size_t)b * map->from_size, &bucket);
			print_bucket(w, &bucket);
		}
		if (err != 0)
			why_set(why, err,
				"the table at %016lx cannot be read from bucket %u on: %s", at.v, i,
				tgt_strerror(w->sh->target, err));
	}
	free(chunk);
	if (err == 0 && w->shown == 0)
		print_none();
	if (err == 0 && w->dead > 0 && w->only_port.v == 0)
		print_note("    ", "and %lu of ports that are gone, to be removed by ageing",
			   w->dead);
	return err;
}

static int check_table(const struct fdb *fdb, const struct type_map *map, struct why *why)
{
	if (map->from_size == 0 || map->from_size > FDB_CHUNK_BYTES)
		return why_set(why, -EINVAL,
			       "the target's buckets have %u bytes, which is more "
			       "than can be",
			       map->from_size);
	if (fdb->n_buckets > FDB_BUCKETS_MAX ||
	    (uint64_t)fdb->n_buckets * map->from_size > fdb->buckets_bytes)
		return why_set(why, -EINVAL,
			       "the table counts %u buckets in %lu bytes, which "
			       "cannot be",
			       fdb->n_buckets, fdb->buckets_bytes);
	return 0;
}

static void print_bucket(struct fdb_walk *w, const struct fdb_bucket *bucket)
{
	for (unsigned i = 0; i < FDB_BUCKET_ENTRIES; i++) {
		uint64_t key = bucket->entries[i].key;

		if ((key & FDB_KEY_USED) != 0)
			print_entry(w, key, bucket->entries[i].value);
	}
}

static void print_entry(struct fdb_walk *w, uint64_t key, uint64_t value)
{
	uint16_t slot = FDB_VALUE_SLOT(value);
	const struct fdb_slot *known = slot < VPORT_MAX ? &w->slots[slot] : NULL;

	if (known != NULL && FDB_VALUE_GENERATION(value) != w->fdb->generation[slot]) {
		w->dead++;
		return;
	}
	if (w->only_port.v != 0 && (known == NULL || known->port.v != w->only_port.v))
		return;
	w->shown++;
	print_station(w, key, value);
}

static void print_station(const struct fdb_walk *w, uint64_t key, uint64_t value)
{
	uint32_t age = (w->now_s - FDB_VALUE_SEEN(value)) & FDB_SEEN_MASK;
	bool is_static = (FDB_VALUE_FLAGS(value) & FDB_ENTRY_STATIC) != 0;
	uint16_t slot = FDB_VALUE_SLOT(value);
	uint64_t mac = FDB_KEY_MAC(key);
	uint8_t bytes[6];
	char none[32];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(mac >> 8 * i);
	print_cell(print_mac(bytes).s);
	print_cell_fmt("%u", FDB_KEY_VLAN(key));
	print_cell(is_static ? "Static" : "Learned");
	// A station that was seen since we looked at the clock is not 194 days old.
	if (is_static)
		print_cell_absent("[Never]");
	else
		print_cell_fmt("%u", age > FDB_SEEN_MASK - 60 ? 0 : age);
	print_extra("slot", "%u", slot);
	if (slot < VPORT_MAX && w->slots[slot].port.v != 0) {
		print_cell_addr(w->slots[slot].port);
		print_cell(w->slots[slot].name);
	} else {
		snprintf(none, sizeof(none), "[Slot %u has no port]", slot);
		print_cell_absent(none);
		print_cell_absent("");
	}
	print_row_end(false);
}

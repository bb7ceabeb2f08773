#include "debugshell/vport_sessions.h"

#include <errno.h>
#include <stdlib.h>

#include "debugshell/clock.h"
#include "debugshell/inet_text.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"
#include "switch/acl_types.h"

enum {
	CHUNK_BYTES = 64 << 10,
	// More than any table of ACL_SESSIONS_MAX has.
	BUCKETS_MAX = 2 * ACL_SESSIONS_MAX / CONNTRACK_WAYS
};

static int find_first(struct shell *sh, struct vport_sessions *s);
static int look_in_chunk(struct shell *sh, struct vport_sessions *s, const struct type_map *map,
			 const uint8_t *chunk, uint32_t n);
static int look_in_bucket(struct shell *sh, struct vport_sessions *s,
			  const struct conntrack_bucket *bucket, uint32_t index);
static int read_entry(struct shell *sh, tgt_addr addr, struct conntrack_entry *ret,
		      struct why *why);
static void print_session(struct shell *sh, const struct conntrack_entry *entry, bool torn);

static const struct print_column columns[] = {
	{"Protocol", 10},
	{"VLAN", 6},
	{"Local", 22},
	{"Port", 7, "local_port"},
	{"Remote", 22},
	{"Port", 7, "remote_port"},
	{"First", 8},
	{"Rule", 6},
	{"Silent", 8, "silent_s"},
	{"State"},
};

int vport_sessions_read_table(struct shell *sh, tgt_addr addr, struct conntrack *ret,
			      struct why *why)
{
	const struct type_map *map;
	int err = shell_map(sh, "conntrack", sizeof(*ret), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, addr, ret);
	if (err != 0)
		return why_set(why, err, "it cannot be read: %s", tgt_strerror(sh->target, err));
	if (ret->n_buckets == 0 || ret->n_buckets > BUCKETS_MAX)
		return why_set(why, -EINVAL, "it counts %u buckets, which cannot be",
			       ret->n_buckets);
	return 0;
}

void vport_sessions_read(struct shell *sh, tgt_addr addr, struct vport_sessions *ret)
{
	ret->addr = addr;
	ret->err = 0;
	ret->n = 0;
	ret->looked = 0;
	if (addr.v == 0)
		return;
	ret->err = vport_sessions_read_table(sh, addr, &ret->table, &ret->why);
	if (ret->err == 0)
		ret->err = find_first(sh, ret);
}

void vport_sessions_print_table(struct shell *sh, const struct vport_sessions *sessions)
{
	const struct conntrack *table = &sessions->table;

	if (sessions->addr.v == 0) {
		print_absent("Sessions", "[No rule is stateful]");
		return;
	}
	if (sessions->err != 0) {
		walk_trouble(sh, "    ", "CONNTRACK", sessions->addr, &sessions->why);
		return;
	}
	print_values("Sessions", "count max", "%u of at most %u", table->n, table->max);
	print_values("Refused", ".", "%lu that found no room", table->refused);
	print_link("Table", sessions->addr, "dt conntrack");
}

void vport_sessions_print(struct shell *sh, const struct vport_sessions *sessions)
{
	const struct conntrack *table = &sessions->table;

	if (sessions->addr.v == 0 || sessions->err != 0)
		return;
	print_section("SESSIONS");
	PRINT_TABLE("    ", columns);
	for (unsigned i = 0; i < sessions->n; i++)
		print_session(sh, &sessions->first[i].entry, sessions->first[i].torn);
	if (sessions->n == 0)
		print_none();
	if (sessions->n == VPORT_SESSIONS_SHOWN && table->n > sessions->n)
		print_note("    ", "and %u more", table->n - sessions->n);
	else if (sessions->looked < table->n_buckets && table->n != 0)
		print_note("    ", "and those that are not in the first %u of %u buckets",
			   sessions->looked, table->n_buckets);
}

static int find_first(struct shell *sh, struct vport_sessions *s)
{
	tgt_addr buckets = tgt_ptr(s->table.buckets);
	const struct type_map *map;
	uint32_t most = s->table.n_buckets, n;
	uint8_t *chunk;
	int err = shell_map(sh, "conntrack_bucket", sizeof(struct conntrack_bucket), &map, &s->why);

	if (err != 0 || s->table.n == 0)
		return err;
	if (map->from_size == 0 || map->from_size > CHUNK_BYTES)
		return why_set(&s->why, -EINVAL, "its buckets have %u bytes, which cannot be",
			       map->from_size);
	chunk = malloc(CHUNK_BYTES);
	if (chunk == NULL)
		return why_set(&s->why, -ENOMEM, "out of memory");
	if (most > VPORT_SESSIONS_BUCKETS)
		most = VPORT_SESSIONS_BUCKETS;
	for (; err == 0 && s->looked < most && s->n < VPORT_SESSIONS_SHOWN; s->looked += n) {
		n = CHUNK_BYTES / map->from_size;
		if (n > most - s->looked)
			n = most - s->looked;
		err = tgt_read(sh->target, tgt_add(buckets, (uint64_t)s->looked * map->from_size),
			       chunk, (size_t)n * map->from_size);
		if (err != 0)
			why_set(&s->why, err, "its buckets at %016lx cannot be read: %s", buckets.v,
				tgt_strerror(sh->target, err));
		else
			err = look_in_chunk(sh, s, map, chunk, n);
	}
	free(chunk);
	return err;
}

static int look_in_chunk(struct shell *sh, struct vport_sessions *s, const struct type_map *map,
			 const uint8_t *chunk, uint32_t n)
{
	struct conntrack_bucket bucket;
	int err = 0;

	for (uint32_t i = 0; i < n && err == 0 && s->n < VPORT_SESSIONS_SHOWN; i++) {
		type_convert(map, chunk + (size_t)i * map->from_size, &bucket);
		err = look_in_bucket(sh, s, &bucket, s->looked + i);
	}
	return err;
}

static int look_in_bucket(struct shell *sh, struct vport_sessions *s,
			  const struct conntrack_bucket *bucket, uint32_t index)
{
	tgt_addr entries = tgt_ptr(s->table.entries);
	const struct type_map *map;
	int err = shell_map(sh, "conntrack_entry", sizeof(struct conntrack_entry), &map, &s->why);

	for (uint32_t i = 0; i < CONNTRACK_WAYS && err == 0; i++) {
		uint64_t at = ((uint64_t)index * CONNTRACK_WAYS + i) * map->from_size;
		struct conntrack_entry *entry, again;

		if (bucket->tags[i] == 0 || s->n == VPORT_SESSIONS_SHOWN)
			continue;
		entry = &s->first[s->n].entry;
		err = read_entry(sh, tgt_add(entries, at), entry, &s->why);
		if (err != 0 || CONNTRACK_STATE(entry->state) == CONNTRACK_FREE)
			continue;
		err = read_entry(sh, tgt_add(entries, at), &again, &s->why);
		s->first[s->n++].torn =
			CONNTRACK_GENERATION(entry->state) != CONNTRACK_GENERATION(again.state);
	}
	return err;
}

static int read_entry(struct shell *sh, tgt_addr addr, struct conntrack_entry *ret, struct why *why)
{
	const struct type_map *map;
	int err = shell_map(sh, "conntrack_entry", sizeof(*ret), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, addr, ret);
	if (err != 0)
		return why_set(why, err, "its entry at %016lx cannot be read: %s", addr.v,
			       tgt_strerror(sh->target, err));
	return 0;
}

static void print_session(struct shell *sh, const struct conntrack_entry *entry, bool torn)
{
	const struct conntrack_key *key = &entry->key;
	uint64_t state = entry->state;

	print_cell(inet_text_protocol(key->protocol).s);
	if (key->vlan != 0)
		print_cell_fmt("%u", key->vlan);
	else
		print_cell_absent("-");
	print_cell(inet_text_ip(key->version, key->local).s);
	print_cell_fmt("%u", key->local_port);
	print_cell(inet_text_ip(key->version, key->remote).s);
	print_cell_fmt("%u", key->remote_port);
	print_cell(CONNTRACK_FROM_VM(state) ? "local" : "remote");
	print_cell_fmt("%u", entry->rule);
	print_cell_fmt("%u", clock_silence_s(sh, CONNTRACK_SEEN(state)));
	print_cell(name_conntrack_state(CONNTRACK_STATE(state)));
	print_row_end(torn);
}

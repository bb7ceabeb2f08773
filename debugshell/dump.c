#include "debugshell/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "debugshell/clock.h"
#include "debugshell/cmd.h"
#include "debugshell/print.h"
#include "debugshell/root.h"
#include "debugshell/target_record.h"
#include "debugshell/walk.h"
#include "switch/fdb_types.h"

enum {
	DUMP_TRIES = 20,         // while objects come and go
	DUMP_PAUSE_NS = 1000000, // between them
	DUMP_CHUNK = 1 << 20,
	DUMP_BUCKETS_MAX = FDB_STATIONS_MAX
};

// Where complaints go that nobody is to see.
struct silence {
	FILE *err, *null;
};

static int collect(struct shell *sh, struct target *target, struct dump *dump, struct why *why);
static void collect_types(struct shell *sh);
static bool collect_objects(struct shell *sh, struct target *target);
static uint64_t generation_of(struct shell *sh, struct target *target);
static void collect_vswitch(struct shell *sh, tgt_addr addr, uint64_t *x_room);
static void collect_port(struct shell *sh, tgt_addr addr, uint64_t *x_room);
static void collect_table(struct shell *sh, tgt_addr addr);
static void show(struct shell *sh, const char *command, tgt_addr addr);
static int silence_begin(struct silence *silence);
static void silence_end(struct silence *silence);

int dump_collect(struct shell *sh, struct dump *ret, struct why *why)
{
	struct target *target = sh->target;
	unsigned troubles = sh->troubles;
	bool reversed;
	int err;

	*ret = (struct dump){.is_torn = true};
	if (type_db_btf(sh->types, &reversed) == NULL)
		return why_set(why, -ENOTSUP,
			       "neither this vswd nor this vswsh carries type data, without which "
			       "frames cannot be told from the rest");
	err = target_record_create(target, &ret->record);
	if (err != 0)
		return why_set(why, err, "out of memory");
	sh->collects = true;
	err = collect(sh, target, ret, why);
	sh->collects = false;
	sh->target = target;
	sh->troubles = troubles;
	return err;
}

void dump_free(struct dump *dump)
{
	if (dump->record != NULL)
		dump->record->ops->close(dump->record);
	dump->record = NULL;
}

void dump_range(struct target *t, tgt_addr addr, uint64_t size)
{
	uint8_t *chunk = malloc(DUMP_CHUNK);
	int err = chunk != NULL ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < size && err == 0; at += DUMP_CHUNK)
		err = tgt_read(t, tgt_add(addr, at), chunk,
			       size - at < DUMP_CHUNK ? size - at : DUMP_CHUNK);
	free(chunk);
}

static int collect(struct shell *sh, struct target *target, struct dump *dump, struct why *why)
{
	struct silence silence;
	int err = silence_begin(&silence);

	if (err != 0)
		return why_set(why, err, "cannot open /dev/null");
	sh->target = dump->record;
	err = root_read(sh, why);
	if (err == 0) {
		root_check(sh);
		err = dump_follow(sh, sh->root_addr);
	}
	if (err == 0) {
		collect_types(sh);
		clock_start(sh);
		cmd_run_lists(sh);
		dump->is_torn = !collect_objects(sh, target);
		target_record_replay(dump->record, true);
		dump_forget_guests(sh, dump->record);
		target_record_replay(dump->record, false);
	}
	silence_end(&silence);
	if (target->ops->state(target) == TARGET_ENDED)
		return why_set(why, -ESRCH, "%s ended meanwhile", target->name);
	if (err == -ENOMEM || target_record_failed(dump->record))
		return why_set(why, -ENOMEM, "out of memory");
	return err;
}

static void collect_types(struct shell *sh)
{
	if (type_db_has_theirs(sh->types))
		dump_range(sh->target, tgt_ptr(sh->root->btf), sh->root->btf_size);
}

// Each object, again and again until none comes or goes meanwhile. What is read last is kept: then
// it is of one moment, and no list leads to what is not there. False: they never stopped.
static bool collect_objects(struct shell *sh, struct target *target)
{
	const struct timespec pause = {0, DUMP_PAUSE_NS};
	struct target *record = sh->target;
	uint64_t before, after;
	struct why why;
	tgt_addr proc;

	for (unsigned i = 0; i < DUMP_TRIES; i++) {
		uint64_t room = DUMP_SESSIONS_BYTES;

		if (i > 0)
			nanosleep(&pause, NULL);
		before = generation_of(sh, target);
		sh->target = record;
		if (root_read(sh, &why) != 0)
			return false;
		root_check(sh);
		for (uint32_t p = 0; p < sh->root->n_procs; p++)
			if (walk_proc(sh, p, &proc))
				show(sh, "proc", proc);
		for (uint32_t s = 0; s < walk_n_vswitches(sh); s++)
			collect_vswitch(sh, walk_vswitch_addr(sh, s), &room);
		after = generation_of(sh, target);
		sh->target = record;
		if (!sh->runs || before == after)
			return true;
	}
	return false;
}

// Of the target itself, without a record of it.
static uint64_t generation_of(struct shell *sh, struct target *target)
{
	sh->target = target;
	return walk_generation(sh);
}

static void collect_vswitch(struct shell *sh, tgt_addr addr, uint64_t *x_room)
{
	struct why why;
	struct walk_vswitch *v = walk_vswitch(sh, addr, &why);

	if (v == NULL)
		return;
	show(sh, "miniport", tgt_ptr(v->sw.miniport));
	show(sh, "mopen", tgt_ptr(v->sw.mopen));
	collect_table(sh, tgt_ptr(v->sw.fdb));
	for (uint32_t p = 0; p < v->n_ports; p++)
		collect_port(sh, v->ports[p], x_room);
	free(v);
}

static void collect_port(struct shell *sh, tgt_addr addr, uint64_t *x_room)
{
	struct vport port;
	struct why why;

	show(sh, "vport", addr);
	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0)
		return;
	dump_sessions(sh, &port, x_room);
	if (port.nic != NULL)
		show(sh, "vnic", tgt_ptr(port.nic));
}

// A MAC table is read as it is: to print a million stations takes longer than to copy them.
static void collect_table(struct shell *sh, tgt_addr addr)
{
	struct fdb *fdb = aligned_alloc(64, sizeof(*fdb));
	const struct type_map *map;
	struct why why;

	if (fdb != NULL && walk_object(sh, addr, OBJECT_FDB, fdb, &why) >= 0 &&
	    shell_map(sh, "fdb_bucket", sizeof(struct fdb_bucket), &map, &why) == 0 &&
	    fdb->n_buckets <= DUMP_BUCKETS_MAX &&
	    (uint64_t)fdb->n_buckets * map->from_size <= fdb->buckets_bytes)
		dump_range(sh->target, tgt_ptr(fdb->buckets),
			   (uint64_t)fdb->n_buckets * map->from_size);
	free(fdb);
}

// Runs the command that shows an object; what is wrong with the object is not our matter.
static void show(struct shell *sh, const char *command, tgt_addr addr)
{
	char words[2][20];
	char *argv[] = {words[0], words[1], NULL};
	struct why why;

	snprintf(words[0], sizeof(words[0]), "%s", command);
	snprintf(words[1], sizeof(words[1]), "%016lx", addr.v);
	cmd_run(sh, 2, argv, &why);
}

static int silence_begin(struct silence *silence)
{
	*silence = (struct silence){.err = stderr, .null = fopen("/dev/null", "we")};
	if (silence->null == NULL)
		return -errno;
	stderr = silence->null;
	print_mute(true);
	return 0;
}

static void silence_end(struct silence *silence)
{
	print_mute(false);
	stderr = silence->err;
	fclose(silence->null);
}

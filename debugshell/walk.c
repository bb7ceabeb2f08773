#include "debugshell/walk.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugshell/names.h"
#include "debugshell/print.h"
#include "ports/vnic_types.h"
#include "switch/proc_types.h"

enum {
	WALK_TRIES = 5,         // of an object that is changing
	WALK_PAUSE_NS = 500000, // between them
	WALK_STATS_MAX = 256,   // counter blocks of one port: one for each proc
	WALK_ADDR_DIGITS = 16,
	WALK_ADDR_DIGITS_MIN = 8 // of an address without leading zeros
};

struct walk_class {
	const char *name; // of the struct
	size_t size;
};

static const struct walk_class classes[] = {
	[OBJECT_VSWITCH] = {"vswitch", sizeof(struct vswitch)},
	[OBJECT_VPORT] = {"vport", sizeof(struct vport)},
	[OBJECT_VNIC] = {"vnic", sizeof(struct vnic)},
	[OBJECT_PROC] = {"proc", sizeof(struct proc)},
	[OBJECT_FDB] = {"fdb", sizeof(struct fdb)},
	[OBJECT_MINIPORT] = {"miniport", sizeof(struct miniport)},
	[OBJECT_MOPEN] = {"mopen", sizeof(struct mopen)},
};

static int read_header(struct shell *sh, tgt_addr addr, struct object *obj, struct why *why);
static int check_header(tgt_addr addr, const struct object *obj, struct why *why);
static int check_type(const struct type_map *map, tgt_addr addr, const struct object *obj,
		      enum object_type type, struct why *why);
static uint64_t mix_vswitch(struct shell *sh, uint64_t hash, tgt_addr addr);
static uint64_t mix_proc(struct shell *sh, uint64_t hash, tgt_addr addr);
static uint64_t mix(uint64_t hash, uint64_t value);
static void read_ports(struct shell *sh, struct walk_vswitch *v);
static void drop_twice(struct shell *sh, struct walk_vswitch *v);
static void list_trouble(struct shell *sh, tgt_addr addr, const char *divider, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int find_vswitch(struct shell *sh, const char *word, tgt_addr *ret);
static int find_vport(struct shell *sh, const char *word, tgt_addr *ret);
static int find_proc(struct shell *sh, const char *word, tgt_addr *ret);
static int find_by_name(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret);
static int match_port(struct shell *sh, const struct walk_vswitch *sw, tgt_addr addr, void *arg);
static void add_stats(struct vport_stats *sum, const struct vport_stats *one);
static bool parse_hex(const char *word, unsigned least, tgt_addr *ret);

int walk_object(struct shell *sh, tgt_addr addr, enum object_type type, void *obj, struct why *why)
{
	const struct timespec pause = {0, WALK_PAUSE_NS};
	// What does not run is as it is, however often it is looked at.
	const unsigned tries = sh->runs ? WALK_TRIES : 1;
	const struct walk_class *class = &classes[type];
	const struct type_map *map;
	struct object *header = obj;
	uint32_t before;
	int err;

	err = shell_map(sh, class->name, class->size, &map, why);
	for (unsigned i = 0; err == 0 && i < tries; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		before = walk_changes(sh, addr);
		err = type_read(sh->target, map, addr, obj);
		if (err != 0)
			return why_set(why, err, "%016lx cannot be read: %s", addr.v,
				       tgt_strerror(sh->target, err));
		err = check_type(map, addr, header, type, why);
		if (err == 0 && before % 2 == 0 && before == walk_changes(sh, addr))
			return 0;
	}
	return err != 0 ? err : WALK_TORN;
}

int walk_type(struct shell *sh, tgt_addr addr, enum object_type *ret, struct why *why)
{
	struct object obj;
	int err = read_header(sh, addr, &obj, why);

	if (err == 0)
		err = check_header(addr, &obj, why);
	if (err != 0)
		return err;
	if (obj.type >= sizeof(classes) / sizeof(classes[0]) || classes[obj.type].name == NULL)
		return why_set(why, -EINVAL,
			       "%016lx is an object of type %u (%s), which has no "
			       "command",
			       addr.v, obj.type, name_object_type(obj.type));
	*ret = obj.type;
	return 0;
}

uint32_t walk_changes(struct shell *sh, tgt_addr addr)
{
	struct object obj;
	struct why why;

	return read_header(sh, addr, &obj, &why) == 0 ? obj.changes : 1;
}

struct walk_vswitch *walk_vswitch(struct shell *sh, tgt_addr addr, struct why *why)
{
	struct walk_vswitch *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		why_set(why, -ENOMEM, "out of memory");
		return NULL;
	}
	v->addr = addr;
	// The list of ports is a second piece of memory: it must not change in between either.
	for (unsigned i = 0; i < WALK_TRIES; i++) {
		int err = walk_object(sh, addr, OBJECT_VSWITCH, &v->sw, why);

		if (err < 0) {
			free(v);
			return NULL;
		}
		v->torn = err == WALK_TORN;
		read_ports(sh, v);
		if (v->torn || walk_changes(sh, addr) == v->sw.obj.changes)
			return v;
	}
	v->torn = true;
	return v;
}

uint32_t walk_n_vswitches(const struct shell *sh)
{
	return sh->root->n_vswitches;
}

tgt_addr walk_vswitch_addr(const struct shell *sh, uint32_t i)
{
	return tgt_ptr(sh->root->vswitches[i]);
}

int walk_ports(struct shell *sh, walk_port_fn fn, void *arg)
{
	struct why why;
	int err = 0;

	for (uint32_t i = 0; i < walk_n_vswitches(sh) && err >= 0; i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);
		struct walk_vswitch *v = walk_vswitch(sh, addr, &why);

		if (v == NULL) {
			walk_trouble(sh, "", "VSWITCH", addr, &why);
			continue;
		}
		for (uint32_t p = 0; p < v->n_ports && err >= 0; p++)
			err = fn(sh, v, v->ports[p], arg);
		free(v);
	}
	return err < 0 ? err : 0;
}

bool walk_port_nic(struct shell *sh, tgt_addr addr, tgt_addr *x_nic, struct vnic *nic)
{
	struct vport port;
	struct why why;

	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0 || port.nic == NULL)
		return false;
	*x_nic = tgt_ptr(port.nic);
	return walk_object(sh, *x_nic, OBJECT_VNIC, nic, &why) >= 0;
}

void walk_trouble(struct shell *sh, const char *indent, const char *title, tgt_addr addr,
		  const struct why *why)
{
	if (sh->runs && walk_generation(sh) != sh->generation) {
		print_note(indent, "%s  %016lx  [Gone while it was looked for]", title, addr.v);
		return;
	}
	print_trouble(indent, title, addr, why);
	sh->troubles++;
}

bool walk_proc(const struct shell *sh, uint32_t number, tgt_addr *ret)
{
	if (number >= sh->root->n_procs || number >= PROC_MAX)
		return false;
	*ret = tgt_ptr(sh->root->procs[number]);
	return ret->v != 0;
}

unsigned walk_n_procs(const struct shell *sh)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < sh->root->n_procs && i < PROC_MAX; i++)
		n += sh->root->procs[i] != NULL;
	return n;
}

uint64_t walk_generation(struct shell *sh)
{
	struct vsw_root *root = malloc(sizeof(*root));
	const struct type_map *map;
	uint64_t generation = 0;
	struct why why;

	if (root != NULL && shell_map(sh, "vsw_root", sizeof(*root), &map, &why) == 0 &&
	    type_read(sh->target, map, sh->root_addr, root) == 0) {
		for (uint32_t i = 0; i < root->n_vswitches && i < CONF_SWITCHES_MAX; i++)
			generation = mix_vswitch(sh, generation, tgt_ptr(root->vswitches[i]));
		for (uint32_t i = 0; i < root->n_procs && i < PROC_MAX; i++)
			if (root->procs[i] != NULL)
				generation = mix_proc(sh, generation, tgt_ptr(root->procs[i]));
	}
	free(root);
	return generation;
}

int walk_find(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret,
	      struct why *why)
{
	if (walk_parse_addr(word, ret) || find_by_name(sh, type, word, ret) == 0 ||
	    walk_parse_short_addr(word, ret))
		return 0;
	return why_set(why, -ENOENT, "there is no %s '%.100s'; %s without argument lists them",
		       name_object_type(type), print_text(word, strlen(word)).s,
		       name_object_type(type));
}

int walk_find_either(struct shell *sh, enum object_type first, enum object_type second,
		     const char *word, tgt_addr *ret)
{
	if (walk_parse_addr(word, ret) || find_by_name(sh, first, word, ret) == 0 ||
	    find_by_name(sh, second, word, ret) == 0 || walk_parse_short_addr(word, ret))
		return 0;
	return -ENOENT;
}

bool walk_parse_addr(const char *word, tgt_addr *ret)
{
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return parse_hex(word + 2, 1, ret);
	return parse_hex(word, WALK_ADDR_DIGITS, ret);
}

bool walk_parse_short_addr(const char *word, tgt_addr *ret)
{
	return walk_parse_addr(word, ret) || parse_hex(word, WALK_ADDR_DIGITS_MIN, ret);
}

int walk_stats(struct shell *sh, const struct vport *port, struct vport_stats *sum, struct why *why)
{
	tgt_addr addr = tgt_ptr(port->stats);
	const struct type_map *map;
	struct vport_stats one;
	char *blocks;
	size_t size;
	int err;

	memset(sum, 0, sizeof(*sum));
	err = shell_map(sh, "vport_stats", sizeof(one), &map, why);
	if (err != 0)
		return err;
	size = (size_t)port->n_stats * map->from_size;
	if (port->n_stats > WALK_STATS_MAX || size > TYPE_SIZE_MAX)
		return why_set(why, -EINVAL,
			       "the port counts %u blocks of counters, which is "
			       "more than can be",
			       port->n_stats);
	blocks = malloc(size + 1);
	if (blocks == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	err = tgt_read(sh->target, addr, blocks, size);
	if (err != 0)
		why_set(why, err, "the counters at %016lx cannot be read: %s", addr.v,
			tgt_strerror(sh->target, err));
	for (uint32_t i = 0; err == 0 && i < port->n_stats; i++) {
		type_convert(map, blocks + (size_t)i * map->from_size, &one);
		add_stats(sum, &one);
	}
	free(blocks);
	return err;
}

int walk_field(struct shell *sh, const char *name, const char *field, size_t own, uint32_t *ret,
	       struct why *why)
{
	uint32_t size;

	*ret = (uint32_t)own;
	if (!type_db_has_theirs(sh->types) || type_field(sh->types, name, field, ret, &size) == 0)
		return 0;
	return why_set(why, -ENOENT, "the target's struct %s has no field '%s'", name, field);
}

static int read_header(struct shell *sh, tgt_addr addr, struct object *obj, struct why *why)
{
	const struct type_map *map;
	int err = shell_map(sh, "object", sizeof(*obj), &map, why);

	if (err != 0)
		return err;
	err = type_read(sh->target, map, addr, obj);
	if (err != 0)
		return why_set(why, err, "%016lx cannot be read: %s", addr.v,
			       tgt_strerror(sh->target, err));
	return 0;
}

static int check_header(tgt_addr addr, const struct object *obj, struct why *why)
{
	if (obj->magic == OBJECT_FREED)
		return why_set(why, -ESTALE, "%016lx was a %s, which is destroyed", addr.v,
			       name_object_type(obj->type));
	if (obj->magic != OBJECT_MAGIC)
		return why_set(why, -EINVAL, "%016lx is no object: its magic is %08x", addr.v,
			       obj->magic);
	return 0;
}

static int check_type(const struct type_map *map, tgt_addr addr, const struct object *obj,
		      enum object_type type, struct why *why)
{
	int err = check_header(addr, obj, why);

	if (err != 0)
		return err;
	if (obj->type != type)
		return why_set(why, -EINVAL, "%016lx is not a %s but a %s", addr.v,
			       name_object_type(type), name_object_type(obj->type));
	// NICs say the size of their kind's struct, which begins with this one.
	if (obj->size != 0 && obj->size < map->from_size)
		return why_set(why, -EINVAL,
			       "%016lx is a %s of %u bytes, but should have at least %u", addr.v,
			       name_object_type(type), obj->size, map->from_size);
	return 0;
}

// A new switch may stand where an old one stood; it has another id.
static uint64_t mix_vswitch(struct shell *sh, uint64_t hash, tgt_addr addr)
{
	struct vswitch sw = {.n_ports = 0};
	struct why why;

	walk_object(sh, addr, OBJECT_VSWITCH, &sw, &why);
	hash = mix(hash, addr.v);
	hash = mix(hash, sw.obj.changes);
	for (size_t i = 0; i < sizeof(sw.id); i++)
		hash = mix(hash, (uint8_t)sw.id[i]);
	return hash;
}

// What it polls is replaced as a whole when a queue comes or goes.
static uint64_t mix_proc(struct shell *sh, uint64_t hash, tgt_addr addr)
{
	struct proc *proc = aligned_alloc(64, sizeof(*proc));
	struct why why;

	if (proc != NULL && walk_object(sh, addr, OBJECT_PROC, proc, &why) >= 0)
		hash = mix(hash, tgt_ptr(proc->conf).v);
	free(proc);
	return hash;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ULL + 1;
}

static void read_ports(struct shell *sh, struct walk_vswitch *v)
{
	tgt_addr list = tgt_ptr(v->sw.ports);
	uint32_t max = v->sw.ports_capacity < VPORT_MAX ? v->sw.ports_capacity : VPORT_MAX;
	uint32_t n = v->sw.n_ports;
	int err;

	v->n_ports = 0;
	if (n > max) {
		list_trouble(sh, v->addr, "", "counts %u ports; only %u are looked at", n, max);
		n = max;
	}
	if (n == 0)
		return;
	err = tgt_read(sh->target, list, v->ports, n * sizeof(v->ports[0]));
	if (err != 0) {
		list_trouble(sh, v->addr, ":", "its list of ports at %016lx cannot be read: %s",
			     list.v, tgt_strerror(sh->target, err));
		return;
	}
	v->n_ports = n;
	drop_twice(sh, v);
}

// A list that is changing may hold an entry twice for a moment. One that does for good is damaged,
// and could make the walk as long as it likes.
static void drop_twice(struct shell *sh, struct walk_vswitch *v)
{
	tgt_addr *list = v->ports;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n_ports; i++) {
		uint32_t before = 0;

		while (before < kept && list[before].v != list[i].v)
			before++;
		if (before == kept || list[i].v == 0)
			list[kept++] = list[i];
	}
	if (kept < v->n_ports && !sh->runs)
		list_trouble(sh, v->addr, "", "lists %u ports more than once", v->n_ports - kept);
	v->n_ports = kept;
}

// Said on stderr, for what is printed has no place for it; JSON has.
static void list_trouble(struct shell *sh, tgt_addr addr, const char *divider, const char *fmt, ...)
{
	struct why why;
	va_list ap;

	if (interrupt_seen())
		return;
	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "vswsh: VSWITCH %016lx%s %s\n", addr.v, divider, why.text);
	if (print_is_json())
		print_trouble("", "VSWITCH", addr, &why);
	sh->troubles++;
}

static int find_by_name(struct shell *sh, enum object_type type, const char *word, tgt_addr *ret)
{
	struct why why;
	struct vport port;

	switch (type) {
	case OBJECT_VSWITCH:
		return find_vswitch(sh, word, ret);
	case OBJECT_VPORT:
		return find_vport(sh, word, ret);
	case OBJECT_PROC:
		return find_proc(sh, word, ret);
	case OBJECT_VNIC:
		if (find_vport(sh, word, ret) != 0 ||
		    walk_object(sh, *ret, OBJECT_VPORT, &port, &why) < 0 || port.nic == NULL)
			return -ENOENT;
		*ret = tgt_ptr(port.nic);
		return 0;
	default:
		return -ENOENT;
	}
}

// By name, else by friendly name when it is the only one.
static int find_vswitch(struct shell *sh, const char *word, tgt_addr *ret)
{
	struct vswitch sw;
	struct why why;
	unsigned found = 0;

	for (uint32_t i = 0; i < walk_n_vswitches(sh); i++) {
		tgt_addr addr = walk_vswitch_addr(sh, i);

		if (walk_object(sh, addr, OBJECT_VSWITCH, &sw, &why) < 0)
			continue;
		if (strcmp(TEXT(sw.obj.name).s, word) == 0) {
			*ret = addr;
			return 0;
		}
		if (strcmp(TEXT(sw.obj.friendly_name).s, word) == 0) {
			found++;
			*ret = addr;
		}
	}
	return found == 1 ? 0 : -ENOENT;
}

struct port_match {
	const char *word;
	tgt_addr addr;
	bool found;
};

static int find_vport(struct shell *sh, const char *word, tgt_addr *ret)
{
	struct port_match match = {.word = word};

	walk_ports(sh, match_port, &match);
	if (!match.found)
		return -ENOENT;
	*ret = match.addr;
	return 0;
}

static int match_port(struct shell *sh, const struct walk_vswitch *sw, tgt_addr addr, void *arg)
{
	struct port_match *match = arg;
	struct vport port;
	struct why why;

	if (walk_object(sh, addr, OBJECT_VPORT, &port, &why) < 0 ||
	    strcmp(TEXT(port.obj.name).s, match->word) != 0)
		return 0;
	match->found = true;
	match->addr = addr;
	return -ECANCELED;
}

static int find_proc(struct shell *sh, const char *word, tgt_addr *ret)
{
	char *end;
	unsigned long number = strtoul(word, &end, 10);

	if (strncmp(word, "proc", 4) == 0)
		number = strtoul(word + 4, &end, 10);
	if (*end != '\0' || !isdigit((unsigned char)end[-1]) || number >= PROC_MAX)
		return -ENOENT;
	return walk_proc(sh, (uint32_t)number, ret) ? 0 : -ENOENT;
}

static void add_stats(struct vport_stats *sum, const struct vport_stats *one)
{
	sum->rx_frames += one->rx_frames;
	sum->rx_bytes += one->rx_bytes;
	sum->tx_frames += one->tx_frames;
	sum->tx_bytes += one->tx_bytes;
	sum->rx_flooded += one->rx_flooded;
	sum->tx_completed += one->tx_completed;
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		for (unsigned r = 0; r < DROP_COUNT; r++)
			sum->drops[d][r] += one->drops[d][r];
}

// Hex digits and nothing else, at least 'least' of them; one ` may stand before the last eight.
static bool parse_hex(const char *word, unsigned least, tgt_addr *ret)
{
	uint64_t value = 0;
	unsigned digits = 0;

	for (; *word != '\0'; word++) {
		if (*word == '`' && strlen(word) == 9 && digits > 0)
			continue;
		if (!isxdigit((unsigned char)*word) || digits == WALK_ADDR_DIGITS)
			return false;
		value = value << 4 | (uint64_t)(isdigit((unsigned char)*word)
							? *word - '0'
							: tolower((unsigned char)*word) - 'a' + 10);
		digits++;
	}
	ret->v = value;
	return digits >= least;
}

/*
 * dt: types of the target, and memory read by them. What it prints is dt.h's matter; here its words
 * are taken apart, and an object is read in one piece.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugshell/cmd.h"
#include "debugshell/dt.h"
#include "debugshell/names.h"
#include "debugshell/print.h"
#include "debugshell/walk.h"

enum {
	DT_TRIES = 5, // of an object that is changing
	DT_PAUSE_NS = 500000,
	DT_WORD_SIZE = 256
};

struct dt_words {
	unsigned depth;
	char type[DT_WORD_SIZE];
	const char *field;   // "", or behind the point in the word
	const char *address; // NULL: none
};

// Structs that begin with an object's header.
static const struct {
	const char *name;
	enum object_type type;
} dt_objects[] = {
	{"vswitch", OBJECT_VSWITCH}, {"vport", OBJECT_VPORT},       {"vnic", OBJECT_VNIC},
	{"vhost", OBJECT_VNIC},      {"tap", OBJECT_VNIC},          {"packet", OBJECT_VNIC},
	{"eth", OBJECT_VNIC},        {"pcap_nic", OBJECT_VNIC},     {"proc", OBJECT_PROC},
	{"fdb", OBJECT_FDB},         {"miniport", OBJECT_MINIPORT}, {"mopen", OBJECT_MOPEN},
};

static int dt_types(struct shell *sh, struct dt_types *ret, struct why *why);
static int dt_parse(int argc, char **argv, struct dt_words *ret, struct why *why);
static int dt_parse_depth(int argc, char **argv, struct dt_words *ret);
static int dt_parse_type(const char *word, struct dt_words *ret, struct why *why);
static int dt_show(struct shell *sh, const struct dt_words *words, struct why *why);
static int dt_address(struct shell *sh, struct dt *dt, const struct dt_words *words,
		      struct why *why);
static int dt_load_object(struct shell *sh, struct dt *dt, bool *x_torn, struct why *why);
static void dt_check_object(struct shell *sh, const struct dt *dt, enum object_type type);

int cmd_dt(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct dt_types types;
	struct dt_words words;
	int err = dt_types(sh, &types, why);

	if (err != 0)
		return err;
	if (argc == 1) {
		dt_list(&types, "*");
		return 0;
	}
	err = dt_parse(argc, argv, &words, why);
	if (err != 0)
		return err;
	if (strpbrk(words.type, "*?") == NULL)
		return dt_show(sh, &words, why);
	if (words.address != NULL)
		return why_set(why, -EINVAL,
			       "a pattern is for the names of types; an address is read by one "
			       "type: dt TYPE[.FIELD] ADDRESS");
	if (dt_list(&types, words.type) == 0)
		return why_set(why, -ENOENT, "this vswd has no type whose name is like '%.100s'",
			       print_text(words.type, sizeof(words.type)).s);
	return 0;
}

enum object_type cmd_dt_object_type(const char *name)
{
	for (unsigned i = 0; i < sizeof(dt_objects) / sizeof(dt_objects[0]); i++)
		if (strcmp(dt_objects[i].name, name) == 0)
			return dt_objects[i].type;
	return OBJECT_NONE;
}

static int dt_types(struct shell *sh, struct dt_types *ret, struct why *why)
{
	bool reversed;
	const struct btf *btf = type_db_btf(sh->types, &reversed);

	if (btf == NULL)
		return why_set(why, -ENOTSUP,
			       "neither this vswd nor this vswsh carries type data: the compiler "
			       "that made them cannot make any");
	dt_types_init(ret, btf, reversed);
	return 0;
}

// dt [-r [DEPTH]] [struct] TYPE[.FIELD] [ADDRESS]
static int dt_parse(int argc, char **argv, struct dt_words *ret, struct why *why)
{
	int at = dt_parse_depth(argc, argv, ret);
	int err;

	if (at < argc - 1 && (strcmp(argv[at], "struct") == 0 || strcmp(argv[at], "union") == 0 ||
			      strcmp(argv[at], "enum") == 0))
		at++;
	if (at >= argc)
		return why_set(why, -EINVAL, "-r is followed by a type: dt -r TYPE");
	if (argc > at + 2)
		return why_set(why, -EINVAL, "'%.100s' is too much: dt [-r] TYPE[.FIELD] [ADDRESS]",
			       print_text(argv[at + 2], strlen(argv[at + 2])).s);
	err = dt_parse_type(argv[at], ret, why);
	ret->address = at + 1 < argc ? argv[at + 1] : NULL;
	return err;
}

// "-r", "-r 2" and "-r2". Gives the index of the word behind it.
static int dt_parse_depth(int argc, char **argv, struct dt_words *ret)
{
	const char *digits;
	int at = 1;

	ret->depth = 0;
	if (strncmp(argv[1], "-r", 2) != 0)
		return 1;
	digits = argv[at++] + 2;
	if (*digits == '\0' && at < argc && isdigit((unsigned char)argv[at][0]))
		digits = argv[at++];
	ret->depth = DT_DEPTH_DEFAULT;
	if (*digits != '\0')
		ret->depth = (unsigned)strtoul(digits, NULL, 10);
	if (ret->depth > DT_DEPTH_MAX)
		ret->depth = DT_DEPTH_MAX;
	return at;
}

// "vswd!vport.obj.name": the module, of which one has types, may be left out.
static int dt_parse_type(const char *word, struct dt_words *ret, struct why *why)
{
	const char *mark = strchr(word, '!');
	size_t length;

	if (mark != NULL && strncmp(word, "vswd!", 5) != 0)
		return why_set(why, -ENOENT, "only vswd has types: dt vswd!%.100s",
			       print_text(mark + 1, strlen(mark + 1)).s);
	if (mark != NULL)
		word = mark + 1;
	length = strcspn(word, ".[");
	if (length >= sizeof(ret->type))
		return why_set(why, -ENOENT, "no type has so long a name");
	memcpy(ret->type, word, length);
	ret->type[length] = '\0';
	ret->field = word + length + (word[length] == '.');
	return 0;
}

static int dt_show(struct shell *sh, const struct dt_words *words, struct why *why)
{
	struct dt dt = {.depth = words->depth};
	bool torn = false;
	int err = dt_types(sh, &dt.types, why);

	if (err == 0)
		err = dt_select(&dt, words->type, words->field, why);
	if (err == 0 && words->address != NULL)
		err = dt_address(sh, &dt, words, why);
	if (err == 0 && dt.target != NULL)
		err = dt_load_object(sh, &dt, &torn, why);
	if (err == 0) {
		dt_print(&dt, torn);
		if (dt.target != NULL && cmd_dt_object_type(words->type) != OBJECT_NONE)
			dt_check_object(sh, &dt, cmd_dt_object_type(words->type));
	}
	dt_free(&dt);
	return err;
}

// An address, or the name of an object where the type is one's.
static int dt_address(struct shell *sh, struct dt *dt, const struct dt_words *words,
		      struct why *why)
{
	enum object_type type = cmd_dt_object_type(words->type);
	int err = walk_find(sh, type, words->address, &dt->addr, why);

	dt->target = sh->target;
	if (err == 0 || type != OBJECT_NONE)
		return err;
	return why_set(why, -EINVAL, "'%.100s' is no address, and only objects have names",
		       print_text(words->address, strlen(words->address)).s);
}

// An object is read again while it changes; other memory is as it is.
static int dt_load_object(struct shell *sh, struct dt *dt, bool *x_torn, struct why *why)
{
	const struct timespec pause = {0, DT_PAUSE_NS};
	uint32_t before;
	int err = 0;

	if (cmd_dt_object_type(dt->path) == OBJECT_NONE)
		return dt_load(dt, why);
	for (unsigned i = 0; err == 0 && i < (sh->runs ? DT_TRIES : 1); i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		before = walk_changes(sh, dt->addr);
		err = dt_load(dt, why);
		if (err == 0 && before % 2 == 0 && before == walk_changes(sh, dt->addr))
			return 0;
	}
	*x_torn = true;
	return err;
}

// What was shown as an object of a type may be something else.
static void dt_check_object(struct shell *sh, const struct dt *dt, enum object_type type)
{
	enum object_type its;
	struct why why;
	int err = walk_type(sh, dt->addr, &its, &why);

	if (err == 0 && its != type)
		err = why_set(&why, -EINVAL, "%016lx is not a %s but a %s", dt->addr.v,
			      name_object_type(type), name_object_type(its));
	if (err != 0)
		walk_trouble(sh, "   ", "OBJECT", dt->addr, &why);
}

// Needs nothing: what dt prints of every struct against the compiler's own layout, and the forms of
// values, by type data made by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "debugshell/cmd.h"
#include "debugshell/dt_type.h"
#include "debugshell/type_btf.h"
#include "debugshell/type_holes.h"
#include "switch/btf_types.h"
#include <type_fields.h>

enum { SCALAR_NONE = 0 };

// A target that is this process.
static int self_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	if (from.v < 65536)
		return -EFAULT;
	memcpy(buf, (const void *)(uintptr_t)from.v, size);
	return 0;
}

static enum target_state self_state(struct target *t)
{
	return TARGET_STOPPED;
}

static const struct target_ops self_ops = {.read = self_read, .state = self_state};
static struct target self = {.ops = &self_ops, .name = "this process"};
static struct vsw_root root;
static struct shell shell = {.target = &self};
static char *printed;
static bool in_json;

static void open_types(const void *theirs, size_t size)
{
	struct why why;

	if (vsw_btf_size == 0)
		skip();
	type_db_destroy(shell.types);
	shell.types = NULL;
	assert_int_equal(type_db_create(vsw_btf, vsw_btf_size, theirs, size, &shell.types, &why),
			 0);
	shell.root_addr = tgt_ptr(&root);
}

// Runs dt with the words of 'line' and keeps what it prints.
static int dt(struct why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int dt(struct why *why, const char *fmt, ...)
{
	char line[512];
	char *argv[8] = {line};
	FILE *out = stdout;
	size_t size;
	int argc = 0;
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	free(printed);
	printed = NULL;
	stdout = open_memstream(&printed, &size);
	assert_non_null(stdout);
	print_begin(in_json, "", "");
	err = cmd_dt(&shell, argc, argv, why);
	print_end(NULL);
	fclose(stdout);
	stdout = out;
	return err;
}

static void shows(const char *text)
{
	if (strstr(printed, text) == NULL)
		fail_msg("no '%s' in:\n%s", text, printed);
}

static void check_struct(const char *name, size_t size)
{
	struct why why;
	char text[64];

	if (dt(&why, "dt %s", name) != 0)
		fail_msg("struct %s: %s", name, why.text);
	snprintf(text, sizeof(text), " elements, 0x%zx bytes\n", size);
	shows(text);
}

static void check_field(const char *field, size_t offset)
{
	char text[128];

	snprintf(text, sizeof(text), "\n   +0x%03zx %-16s : ", offset, field);
	shows(text);
}

static void every_field_stands_where_the_compiler_has_it(void **state)
{
	open_types(vsw_btf, vsw_btf_size);
#define STRUCT(name)       check_struct(#name, sizeof(struct name));
#define FIELD(name, field) check_field(#field, offsetof(struct name, field));
	TYPE_FIELDS(STRUCT, FIELD, FIELD)
#undef STRUCT
#undef FIELD
	assert_int_equal(dt(NULL, "dt vport_stats"), 0);
	shows(" drops            : [2] [");
	shows("] uint64_t\n");
}

// Fills a struct with bytes that are all different in each number.
static void *make_values(const char *name, size_t size)
{
	uint8_t *bytes = aligned_alloc(64, (size + 63) / 64 * 64);
	struct why why;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(0x81 + 7 * i);
	if (dt(&why, "dt %s %016" PRIxPTR, name, (uintptr_t)bytes) != 0)
		fail_msg("struct %s: %s", name, why.text);
	return bytes;
}

static bool has_row(const char *field, size_t offset, const char *value)
{
	char row[200];

	snprintf(row, sizeof(row), "\n   +0x%03zx %-16s : %s", offset, field, value);
	return strstr(printed, row) != NULL;
}

// 'size': bytes of an unsigned number, negative of one with sign. Enums have a form of their own.
static void check_value(const uint8_t *bytes, const char *field, size_t offset, int size)
{
	unsigned n = (unsigned)abs(size);
	char number[64], raw_enum[64], its_enum[64];
	uint64_t raw = 0;
	int64_t value;

	if (size == SCALAR_NONE)
		return;
	memcpy(&raw, bytes + offset, n);
	value = (int64_t)(raw << (64 - 8 * n)) >> (64 - 8 * n);
	snprintf(number, sizeof(number), size > 0 ? "0x%lx\n" : "0n%ld\n",
		 size > 0 ? (long)raw : (long)value);
	snprintf(raw_enum, sizeof(raw_enum), "0n%lu ( ", raw);
	snprintf(its_enum, sizeof(its_enum), "0n%ld ( ", value);
	if (!has_row(field, offset, number) && !has_row(field, offset, raw_enum) &&
	    !has_row(field, offset, its_enum))
		fail_msg("%s is not %s in:\n%s", field, number, printed);
}

static void every_number_is_the_one_in_memory(void **state)
{
	uint8_t *bytes = NULL;

	open_types(vsw_btf, vsw_btf_size);
#define STRUCT(name)                                                                               \
	free(bytes);                                                                               \
	bytes = make_values(#name, sizeof(struct name));
#define FIELD(name, field)                                                                         \
	check_value(bytes, #field, offsetof(struct name, field),                                   \
		    _Generic(((struct name *)0)->field, uint8_t : 1, uint16_t : 2, uint32_t : 4,   \
			     uint64_t : 8, int32_t                                                 \
			     : -4, int64_t                                                         \
			     : -8, default                                                         \
			     : SCALAR_NONE));
#define FLEX(name, field)
	TYPE_FIELDS(STRUCT, FIELD, FLEX)
#undef STRUCT
#undef FIELD
#undef FLEX
	free(bytes);
}

// An integer is shown as an enum only where its header says so; that table must not get old.
static void fields_of_enums_are_known(void **state)
{
	struct dt_types types;
	uint32_t id, size, steps = 1000;
	struct type_member member;
	bool reversed;

	open_types(vsw_btf, vsw_btf_size);
	dt_types_init(&types, type_db_btf(shell.types, &reversed), reversed);
	for (unsigned i = 0; i < dt_type_n_enum_fields; i++) {
		const struct dt_type_enum_field *f = &dt_type_enum_fields[i];

		if (type_btf_struct(types.btf, f->name, &id, &size) != 0 ||
		    type_btf_find(types.btf, id, f->field, &steps, &member) != 0)
			fail_msg("there is no %s.%s", f->name, f->field);
		if (types.enum_ids[i] == 0)
			fail_msg("enum %s is not in the type data", f->enumeration);
	}
}

struct hole {
	const char *name;
	unsigned n;
	size_t offset, size; // of the first one
};

static void check_holes(const char *name, size_t size)
{
	static const struct hole known[] = {
		{"capture", 1, offsetof(struct capture, ring), CAPTURE_RING_SIZE},
		{"conf_switch", 1, offsetof(struct conf_switch, retired_ids), CONF_PORT_IDS_BYTES},
		{"droplog", 1, offsetof(struct droplog, bytes), DROPLOG_RECORDS * DROPLOG_BYTES},
		{"packet", 1, offsetof(struct packet, arena), PACKET_ARENA_SIZE},
		{"proc", VNBL_BURST_MAX + 1, offsetof(struct proc, burst.frames[0].room),
		 VNBL_HEADROOM + VNBL_SAFE_MAX},
		{"replay", 1, offsetof(struct replay, ring), REPLAY_RING_SIZE + REPLAY_ARENA_SIZE},
		{"tap", 1, offsetof(struct tap, arena), TAP_ARENA_SIZE},
		{"vnbl", 1, offsetof(struct vnbl, room), VNBL_HEADROOM + VNBL_SAFE_MAX},
		{"vnbl_burst", VNBL_BURST_MAX, offsetof(struct vnbl_burst, frames[0].room),
		 VNBL_HEADROOM + VNBL_SAFE_MAX},
	};
	const struct hole *hole = NULL;
	struct type_holes holes;
	uint32_t id, its_size;
	bool reversed;
	const struct btf *btf = type_db_btf(shell.types, &reversed);

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			hole = &known[i];
	assert_int_equal(type_btf_struct(btf, name, &id, &its_size), 0);
	assert_int_equal(type_holes_find(btf, reversed, id, (uint32_t)size, &holes), 0);
	if (holes.n != (hole != NULL ? hole->n : 0))
		fail_msg("struct %s has %u fields of frames: is that so?", name, holes.n);
	if (hole != NULL) {
		assert_int_equal(holes.all[0].offset, hole->offset);
		assert_int_equal(holes.all[0].size, hole->size);
	}
	type_holes_free(&holes);
}

// Frames are in these fields, and in no others.
static void fields_of_frames_are_known(void **state)
{
	open_types(vsw_btf, vsw_btf_size);
#define STRUCT(name) check_holes(#name, sizeof(struct name));
#define FIELD(name, field)
	TYPE_FIELDS(STRUCT, FIELD, FIELD)
#undef STRUCT
#undef FIELD
}

// Reads what is there, and counts.
static size_t bytes_read;

static int counting_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	bytes_read += size;
	return self_read(t, from, buf, size);
}

static void frames_are_not_read(void **state)
{
	static const struct target_ops ops = {.read = counting_read};
	struct target counting = {.ops = &ops};
	struct tap *theirs = aligned_alloc(64, sizeof(*theirs));
	struct tap *ours = aligned_alloc(64, sizeof(*ours));
	const struct type_map *map;
	struct why why;

	open_types(vsw_btf, vsw_btf_size);
	assert_non_null(theirs);
	assert_non_null(ours);
	memset(theirs, 0xa5, sizeof(*theirs));
	assert_int_equal(type_map(shell.types, "tap", sizeof(*ours), &map, &why), 0);
	assert_int_equal(type_read(&counting, map, tgt_ptr(theirs), ours), 0);
	assert_int_equal(bytes_read, sizeof(*theirs) - sizeof(theirs->arena));
	assert_int_equal(ours->offloads, 0xa5a5a5a5);
	assert_int_equal(ours->arena[0] | ours->arena[TAP_ARENA_SIZE - 1], 0);
	free(theirs);
	free(ours);
}

// Type data with one of everything.
enum {
	U8 = 1,
	U32,
	S16,
	CHAR,
	BOOL,
	COLOR,
	PART,
	VOID_PTR,
	PART_PTR,
	TEXT8,
	GRID_ROW,
	GRID,
	PARTS
};

static void add(struct btf *btf, const char *name, int type, uint32_t bit, uint32_t bits)
{
	assert_int_equal(btf__add_field(btf, name, type, bit, bits), 0);
}

static void open_everything(void)
{
	struct btf *btf = btf__new_empty();
	const void *raw;
	uint32_t size;

	assert_int_equal(btf__add_int(btf, "u8", 1, 0), U8);
	assert_int_equal(btf__add_int(btf, "u32", 4, 0), U32);
	assert_int_equal(btf__add_int(btf, "short", 2, BTF_INT_SIGNED), S16);
	assert_int_equal(btf__add_int(btf, "char", 1, BTF_INT_SIGNED), CHAR);
	assert_int_equal(btf__add_int(btf, "bool", 1, BTF_INT_BOOL), BOOL);
	assert_int_equal(btf__add_enum(btf, "color", 4), COLOR);
	assert_int_equal(btf__add_enum_value(btf, "RED", 1), 0);
	assert_int_equal(btf__add_enum_value(btf, "BLUE", 3), 0);
	assert_int_equal(btf__add_struct(btf, "part", 3), PART);
	add(btf, "a", U8, 0, 0);
	add(btf, "b", S16, 8, 0);
	assert_int_equal(btf__add_ptr(btf, 0), VOID_PTR);
	assert_int_equal(btf__add_ptr(btf, PART), PART_PTR);
	assert_int_equal(btf__add_array(btf, U32, CHAR, 8), TEXT8);
	assert_int_equal(btf__add_array(btf, U32, U8, 3), GRID_ROW);
	assert_int_equal(btf__add_array(btf, U32, GRID_ROW, 2), GRID);
	assert_int_equal(btf__add_array(btf, U32, PART, 2), PARTS);
	btf__add_union(btf, NULL, 4);
	add(btf, "word", U32, 0, 0);
	add(btf, "byte", U8, 0, 0);
	btf__add_struct(btf, "all", 64);
	add(btf, "number", S16, 0, 0);
	add(btf, "letter", CHAR, 16, 0);
	add(btf, "yes", BOOL, 24, 0);
	add(btf, "color", COLOR, 32, 0);
	add(btf, "low", U32, 64, 3);
	add(btf, "high", U32, 67, 9);
	add(btf, "text", TEXT8, 96, 0);
	add(btf, "grid", GRID, 160, 0);
	add(btf, "parts", PARTS, 208, 0);
	add(btf, "nothing", VOID_PTR, 256, 0);
	add(btf, "part", PART_PTR, 320, 0);
	add(btf, "", PARTS + 1, 384, 0);
	add(btf, "far", U32, 480, 0);
	raw = btf__raw_data(btf, &size);
	assert_non_null(raw);
	open_types(raw, size);
	btf__free(btf);
}

static void types_have_the_form_of_the_model(void **state)
{
	open_everything();
	assert_int_equal(dt(NULL, "dt -r1 vswd!all"), 0);
	assert_string_equal(printed, "\nvswd!all, 13 elements, 0x40 bytes\n"
				     "   +0x000 number           : short\n"
				     "   +0x002 letter           : char\n"
				     "   +0x003 yes              : bool\n"
				     "   +0x004 color            : enum color\n"
				     "   +0x008 low              : Pos 0, 3 Bits\n"
				     "   +0x008 high             : Pos 3, 9 Bits\n"
				     "   +0x00c text             : [8] char\n"
				     "   +0x014 grid             : [2] [3] u8\n"
				     "   +0x01a parts            : [2] struct part\n"
				     "      [00] struct part\n"
				     "         +0x01a a                : u8\n"
				     "         +0x01b b                : short\n"
				     "      [01] struct part\n"
				     "         +0x01d a                : u8\n"
				     "         +0x01e b                : short\n"
				     "   +0x020 nothing          : void *\n"
				     "   +0x028 part             : struct part *   !dt part\n"
				     "   +0x030 word             : u32\n"
				     "   +0x030 byte             : u8\n"
				     "   +0x03c far              : u32\n");
	assert_int_equal(dt(NULL, "dt color"), 0);
	assert_string_equal(printed, "\nvswd!color, 0x4 bytes\n   RED = 0n1\n   BLUE = 0n3\n");
	assert_int_equal(dt(NULL, "dt all.grid"), 0);
	assert_string_equal(printed, "\nvswd!all.grid, 2 elements, 0x6 bytes\n"
				     "   +0x014 [00..01]         : [3] u8\n");
}

static void values_have_the_form_of_the_model(void **state)
{
	static uint8_t memory[64] = {0xfb, 0xff, 'x', 1, 3, 0, 0, 0, 0x35, 0x0a};
	uint64_t addr = (uintptr_t)memory;
	char want[1024], name[17];

	open_everything();
	memcpy(memory + 12, "a\033b", 4);
	memcpy(memory + 20, (uint8_t[]){1, 2, 3, 4, 5, 6}, 6);
	memcpy(memory + 40, &addr, sizeof(addr));
	memory[48] = 0x7f;
	snprintf(name, sizeof(name), "%016lx", addr);
	assert_int_equal(dt(NULL, "dt struct all %s", name), 0);
	snprintf(want, sizeof(want),
		 "\nvswd!all at %s, 13 elements, 0x40 bytes\n"
		 "   +0x000 number           : 0n-5\n"
		 "   +0x002 letter           : 0n120 'x'\n"
		 "   +0x003 yes              : true\n"
		 "   +0x004 color            : 0n3 ( BLUE )\n"
		 "   +0x008 low              : 0y101\n"
		 "   +0x008 high             : 0y101000110\n"
		 "   +0x00c text             : [8] \"a.b\"\n"
		 "   +0x014 grid             : [2] [3] 0x1 0x2 0x3 0x4 0x5 0x6\n"
		 "   +0x01a parts            : [2] struct part   !dt all.parts %s\n"
		 "   +0x020 nothing          : (null)\n"
		 "   +0x028 part             : %s   !dt part %s\n"
		 "   +0x030 word             : 0x7f\n"
		 "   +0x030 byte             : 0x7f\n"
		 "   +0x03c far              : 0x0\n",
		 name, name, name, name);
	assert_string_equal(printed, want);
	memory[4] = 2;
	assert_int_equal(dt(NULL, "dt all.color %s", name), 0);
	shows("   +0x004 color            : 0n2 ( No matching name )\n");
	assert_int_equal(dt(NULL, "dt all.grid[1] %s", name), 0);
	shows("   +0x017 [00]             : 0x4\n   +0x018 [01]             : 0x5\n");
	assert_int_equal(dt(NULL, "dt all.parts[1].b %s", name), 0);
	shows("vswd!all.parts[1].b at ");
	shows("   +0x01e b                : 0n0\n");
	assert_int_equal(dt(NULL, "dt all.text %s", name), 0);
	shows("   +0x00c text             : [8] \"a.b\"\n");
}

// Numbers are numbers by their type, structs have their fields in them.
static void json_has_the_same(void **state)
{
	static uint8_t memory[64] = {0xfb, 0xff, 'x', 1, 3, 0, 0, 0, 0x35, 0x0a, 0, 0, 'a', '"'};
	char name[17];

	open_everything();
	snprintf(name, sizeof(name), "%016lx", (uintptr_t)memory);
	in_json = true;
	assert_int_equal(dt(NULL, "dt -r1 all %s", name), 0);
	shows("\"type\": \"all\", \"address\": \"");
	shows("\"elements\": 13, \"size\": \"0x40\", \"fields\": [{\"offset\": \"0x000\", "
	      "\"name\": \"number\", \"type\": \"short\", \"value\": -5}, ");
	shows("\"type\": \"char\", \"value\": \"0n120 'x'\"}");
	shows("\"type\": \"bool\", \"value\": \"true\"}");
	shows("\"type\": \"enum color\", \"value\": 3, \"constant\": \"BLUE\"}");
	shows("\"name\": \"low\", \"type\": \"u32\", \"bit\": 0, \"bits\": 3, \"value\": 5}");
	shows("\"type\": \"[8] char\", \"value\": \"a\\\"\"}");
	shows("\"type\": \"[2] [3] u8\", \"value\": \"all 0x0\"}");
	shows("\"type\": \"[2] struct part\", \"command\": \"!dt all.parts ");
	shows("\"array\": [{\"index\": 0, \"fields\": [{\"offset\": \"0x01a\", \"name\": \"a\", "
	      "\"type\": \"u8\", \"value\": 0}, ");
	shows("}]}, {\"index\": 1, \"fields\": [{\"offset\": \"0x01d\", ");
	shows("\"type\": \"void *\", \"value\": null}, {\"offset\": \"0x028\", ");
	memory[4] = 2;
	assert_int_equal(dt(NULL, "dt all.color %s", name), 0);
	shows("\"value\": 2, \"constant\": null}],");
	assert_int_equal(dt(NULL, "dt all.grid[1] %s", name), 0);
	shows("\"array\": [{\"offset\": \"0x017\", \"first\": 0, \"last\": 2, \"type\": \"u8\", "
	      "\"value\": 0}]");
	assert_int_equal(dt(NULL, "dt color"), 0);
	shows("\"constants\": [{\"name\": \"RED\", \"value\": 1}, {\"name\": \"BLUE\", "
	      "\"value\": 3}]");
	assert_int_equal(dt(NULL, "dt *ar*"), 0);
	shows("\"rows\": [{\"name\": \"part\", \"kind\": \"struct\", \"size\": \"0x3\", "
	      "\"command\": \"!dt part\"}]");
	in_json = false;
}

static void wrong_words_are_told(void **state)
{
	static const struct {
		const char *words, *sentence;
	} wrong[] = {
		{"dt frob", "this vswd's type data has no type 'frob'; dt lists them"},
		{"dt frob*", "this vswd has no type whose name is like 'frob*'"},
		{"dt all.frob", "all has no field 'frob'; dt all lists them"},
		{"dt all.number.x", "all.number is no struct"},
		{"dt all.number[0]", "all.number is no array"},
		{"dt all.grid[2]", "all.grid has 2 elements"},
		{"dt all.grid[x]", "an index is a number: all.grid[0]"},
		{"dt all.parts.a", "all.parts is an array; all.parts[0] is its first element"},
		{"dt all 10", "'10' is no address, and only objects have names"},
		{"dt all 0x10", "0000000000000010 cannot be read: nothing is mapped there"},
		{"dt nt!all", "only vswd has types: dt vswd!all"},
		{"dt -r", "-r is followed by a type: dt -r TYPE"},
		{"dt -r 2 all 0x10 more", "'more' is too much: dt [-r] TYPE[.FIELD] [ADDRESS]"},
	};
	struct why why;

	open_everything();
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(dt(&why, "%s", wrong[i].words) < 0);
		assert_string_equal(why.text, wrong[i].sentence);
		assert_string_equal(printed, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_stands_where_the_compiler_has_it),
		cmocka_unit_test(every_number_is_the_one_in_memory),
		cmocka_unit_test(fields_of_enums_are_known),
		cmocka_unit_test(fields_of_frames_are_known),
		cmocka_unit_test(frames_are_not_read),
		cmocka_unit_test(types_have_the_form_of_the_model),
		cmocka_unit_test(values_have_the_form_of_the_model),
		cmocka_unit_test(json_has_the_same),
		cmocka_unit_test(wrong_words_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

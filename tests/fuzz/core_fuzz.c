// Cores: the reader of the file, the root, and every command on what is found there, as text and as
// JSON, which must be some. The input is a list of changes to a small valid core, or, when it
// begins like an ELF file, a core itself.
#include <assert.h>
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "debugshell/complete_find.h"
#include "debugshell/dump.h"
#include "debugshell/dump_elf.h"
#include "debugshell/shell.h"
#include "debugshell/target.h"
#include "ports/vhost_types.h"
#include "tests/debugshell/fake_core.h"
#include "tests/debugshell/fake_objects.h"

// One change. 'where' is a place in the core: of its headers and notes, its root, or its arena.
struct change {
	uint8_t where;
	uint8_t how; // bytes as they are, or an address in the arena
	uint8_t offset[3];
	uint8_t size; // 1 to 16 bytes, which follow
};

// One input in so many has a dump made of it, which takes as long as all else.
enum { CHANGE_MAX = 16, CHANGES_MAX = 64, DUMP_EVERY = 8 };

static struct fake_core core;
static int core_file; // a core that is valid between two inputs
static int raw_file;
static int dump_file;

static void write_file(int file, const void *bytes, size_t size, size_t at)
{
	ssize_t n = pwrite(file, bytes, size, (off_t)at);

	assert(n == (ssize_t)size);
	(void)n;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fake_core_make(&core);
	core_file = memfd_create("core", 0);
	raw_file = memfd_create("raw", 0);
	dump_file = memfd_create("dump", 0);
	write_file(core_file, core.bytes, core.size, 0);
	// What commands print and complain of is of no interest.
	stdout = fopen("/dev/null", "w");
	stderr = stdout;
	return 0;
}

static size_t place(const struct change *c)
{
	size_t at = c->offset[0] | (size_t)c->offset[1] << 8 | (size_t)c->offset[2] << 16;
	size_t root = core.phdrs[FAKE_ROOT].p_offset, arena = core.phdrs[FAKE_ARENA].p_offset;

	switch (c->where % 4) {
	case 0: // ELF and program headers
		return at % 256;
	case 1:
		return (size_t)(core.notes - core.bytes) + at % 2048;
	case 2:
		return root + at % (arena - root - CHANGE_MAX);
	default:
		return arena + at % (core.size - arena - CHANGE_MAX);
	}
}

// Makes one change, and returns how much of the input it was; 'undo': takes it back.
static size_t change(const uint8_t *data, size_t size, bool undo)
{
	const struct change *c = (const void *)data;
	const uint8_t *bytes = data + sizeof(*c);
	size_t n = 1 + c->size % CHANGE_MAX, at = place(c);
	uint64_t address;

	if (n > size - sizeof(*c))
		n = size - sizeof(*c);
	if (undo) {
		write_file(core_file, core.bytes + at, CHANGE_MAX, at);
	} else if (c->how % 2 == 1 && n >= 3) {
		address = core.phdrs[FAKE_ARENA].p_vaddr +
			  (bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16);
		write_file(core_file, &address, sizeof(address), (at + 7) / 8 * 8);
	} else {
		write_file(core_file, bytes, n, at);
	}
	return sizeof(*c) + n;
}

static void change_all(const uint8_t *data, size_t size, bool undo)
{
	size_t done = 0;

	for (unsigned i = 0; i < CHANGES_MAX && size - done > sizeof(struct change); i++)
		done += change(data + done, size - done, undo);
}

// Prints one line, an object without a key that it has twice.
static void run_json(struct shell *sh, int argc, char **argv)
{
	FILE *null = stdout;
	char *text;
	size_t size;
	json_t *json;

	stdout = open_memstream(&text, &size);
	assert(stdout != NULL);
	sh->json = true;
	shell_run(sh, argc, argv);
	fclose(stdout);
	stdout = null;
	assert(size > 0 && strchr(text, '\n') == text + size - 1);
	json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	assert(json_is_object(json));
	json_decref(json);
	free(text);
}

// Both arguments may be NULL.
static void run_with(struct shell *sh, const char *command, const char *first, const char *second)
{
	const char *given[] = {command, first, second};
	char words[3][32];
	char *argv[] = {words[0], words[1], words[2], NULL};
	int argc = 0;

	while (argc < 3 && given[argc] != NULL) {
		snprintf(words[argc], sizeof(words[0]), "%s", given[argc]);
		argc++;
	}
	argv[argc] = NULL;
	sh->json = false;
	shell_run(sh, argc, argv);
	run_json(sh, argc, argv);
}

static void run(struct shell *sh, const char *command, const char *argument)
{
	run_with(sh, command, argument, NULL);
}

// Rings and frames have no names, but the addresses that they always have.
static void look_at_parts(struct shell *sh)
{
	const struct vport *vm3 = vsw_root.vswitches[0]->ports[3];
	const struct vhost *vhost = (const struct vhost *)(const void *)vm3->nic;
	char word[24];

	for (unsigned i = 0; i < 2u * vhost->nic.n_queues; i++) {
		snprintf(word, sizeof(word), "%p", (const void *)&vhost->rings[i].q);
		run(sh, "ring", word);
	}
	for (unsigned i = 0; i < 2; i++) {
		snprintf(word, sizeof(word), "%p",
			 (const void *)&vsw_root.procs[0]->burst.frames[i]);
		run(sh, "vnbl", word);
	}
	for (unsigned i = 0; i < 4; i++) {
		snprintf(word, sizeof(word), "%p",
			 (const void *)&vsw_root.procs[0]->drops.records[i]);
		run(sh, "vnbl", word);
	}
}

// Whatever the core is like, there is no word of it between the keys that are typed.
static void complete(struct shell *sh)
{
	static const char *const lines[] = {"",          "00",       "vswitch E", "fdb ",
					    "proc ",     "mopen ",   "ring 0x",   "lm ",
					    "dt vport.", "dt vnic 0"};
	FILE *null = stdout;
	struct complete c;
	char *text;
	size_t size;

	complete_find_prepare(sh);
	stdout = open_memstream(&text, &size);
	assert(stdout != NULL);
	stderr = stdout;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (complete_init(&c, lines[i], strlen(lines[i])))
			complete_find(sh, &c);
		complete_free(&c);
	}
	fclose(stdout);
	stdout = stderr = null;
	assert(size == 0);
	free(text);
}

static struct shell *open_core(int file)
{
	struct target *target;
	struct shell *sh;
	char path[32];
	struct why why;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (target_core_open(path, NULL, &target, &why) == 0 && shell_open(target, &sh, &why) == 0)
		return sh;
	assert(strlen(why.text) > 0);
	return NULL;
}

// Whatever there was to be dumped, what was written is a core that can be looked at.
static void look_at_dump(struct shell *sh)
{
	struct dump_sizes sizes;
	struct dump dump;
	struct why why;
	int err = dump_collect(sh, &dump, &why);

	if (err == 0) {
		err = ftruncate(dump_file, 0);
		assert(err == 0);
		err = dump_elf_write(sh, &dump, dump_file, &sizes);
		assert(err == 0);
		dump_free(&dump);
		sh = open_core(dump_file);
		assert(sh != NULL);
		run(sh, "vport", NULL);
		run(sh, "vnic", "vm3");
		shell_close(sh);
	} else {
		assert(strlen(why.text) > 0);
		dump_free(&dump);
	}
}

static void look(int file, bool dumps)
{
	static const char *const lists[] = {
		"vswitch", "vport", "vnic", "proc", "fdb", "drops", "miniport", "mopen",    "lm",
		"lmi",     "where", "ring", "vnbl", "vmq", "top",   "qosline",  "extension"};
	static const char *const details[][2] = {
		{"vswitch", "ext"}, {"vport", "vm3"}, {"vnic", "ext:internal"}, {"vnic", "vm3"},
		{"proc", "0"},      {"fdb", "ext"},   {"fdb", "vm3"},           {"drops", "ext"}};
	struct shell *sh = open_core(file);

	if (sh == NULL)
		return;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		run(sh, lists[i], NULL);
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++)
		run(sh, details[i][0], details[i][1]);
	run_with(sh, "dt", "vport", "vm3");
	run_with(sh, "dt", "vhost.rings", "vm3");
	look_at_parts(sh);
	complete(sh);
	if (dumps)
		look_at_dump(sh);
	shell_close(sh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0) {
		int err = ftruncate(raw_file, 0);

		assert(err == 0);
		(void)err;
		write_file(raw_file, data, size, 0);
		look(raw_file, size % DUMP_EVERY == 0);
		return 0;
	}
	change_all(data, size, false);
	look(core_file, size % DUMP_EVERY == 0);
	change_all(data, size, true);
	return 0;
}

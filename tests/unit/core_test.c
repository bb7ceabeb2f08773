// The reader of core files: which addresses it has, and what it says of those that it has not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "debugshell/core_elf.h"

enum { PAGE = 4096, SEGMENTS = 8, NOTES_AT = PAGE, MEMORY_AT = 2 * PAGE };

// A core in the making.
struct making {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[SEGMENTS];
	Elf64_Shdr shdr;
	uint8_t notes[PAGE];
	size_t notes_size;
	unsigned n;
	size_t end; // of the memory in the file
};

static void begin(struct making *m)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->ehdr.e_ident, ELFMAG "\2\1\1", 7);
	m->ehdr.e_type = ET_CORE;
	m->ehdr.e_machine = EM_X86_64;
	m->ehdr.e_phoff = offsetof(struct making, phdrs);
	m->ehdr.e_phentsize = sizeof(Elf64_Phdr);
	m->end = MEMORY_AT;
}

// Memory of 'size' bytes, 'written' of which go into the file: each is the page's number in it.
static void add(struct making *m, uint64_t addr, uint64_t size, uint64_t written, uint32_t flags)
{
	m->phdrs[m->n++] = (Elf64_Phdr){.p_type = PT_LOAD,
					.p_flags = flags,
					.p_offset = m->end,
					.p_vaddr = addr,
					.p_filesz = written,
					.p_memsz = size};
	m->end += written;
}

static void add_note(struct making *m, uint32_t type, const void *desc, size_t size)
{
	const Elf64_Nhdr head = {5, (Elf64_Word)size, type};

	memcpy(m->notes + m->notes_size, &head, sizeof(head));
	memcpy(m->notes + m->notes_size + sizeof(head), "CORE\0\0\0", 8);
	memcpy(m->notes + m->notes_size + sizeof(head) + 8, desc, size);
	m->notes_size += sizeof(head) + 8 + (size + 3) / 4 * 4;
}

// Two files: one at 0x100000 of three pages, one at 0x200000 of one.
static void add_files(struct making *m)
{
	const struct {
		uint64_t count, page_size;
		uint64_t entries[6];
		char paths[32];
	} files = {2, PAGE, {0x200000, 0x201000, 7, 0x100000, 0x103000, 0}, "/lib/b\0/bin/a"};

	add_note(m, NT_FILE, &files, sizeof(files));
}

// Writes it, without what lies behind 'size' when that is not 0, and opens it.
static struct core *end(struct making *m, size_t size)
{
	int fd = memfd_create("core", MFD_CLOEXEC);
	uint8_t page[PAGE];
	struct core *core;
	struct why why;

	if (m->notes_size > 0)
		m->phdrs[m->n++] = (Elf64_Phdr){
			.p_type = PT_NOTE, .p_offset = NOTES_AT, .p_filesz = m->notes_size};
	if (m->ehdr.e_phnum == 0)
		m->ehdr.e_phnum = (Elf64_Half)m->n;
	assert_int_equal(pwrite(fd, m, offsetof(struct making, notes), 0),
			 offsetof(struct making, notes));
	assert_int_equal(pwrite(fd, m->notes, PAGE, NOTES_AT), PAGE);
	for (size_t at = MEMORY_AT; at < m->end; at += PAGE) {
		memset(page, (int)(at / PAGE), PAGE);
		assert_int_equal(pwrite(fd, page, PAGE, (off_t)at), PAGE);
	}
	assert_int_equal(ftruncate(fd, (off_t)(size != 0 ? size : m->end)), 0);
	assert_int_equal(core_open(fd, "core", &core, &why), 0);
	return core;
}

static void expect(const struct core *core, uint64_t addr, enum core_kind kind)
{
	struct core_piece piece = core_at(core, addr);

	assert_int_equal(piece.kind, kind);
	assert_true(piece.size > 0);
}

static void finds_segments_in_any_order(void **state)
{
	struct making m;
	struct core *core;
	uint8_t bytes[16];

	(void)state;
	begin(&m);
	add(&m, 0x30000, PAGE, PAGE, PF_R);
	add(&m, 0x10000, 2 * PAGE, 2 * PAGE, PF_R | PF_W);
	add(&m, 0x12000, PAGE, PAGE, PF_R);
	core = end(&m, 0);
	assert_int_equal(core->n_segments, 3);
	assert_int_equal(core->wanted, core->size);
	assert_int_equal(core_read(core, 0x30000 + PAGE - 1, bytes, 1), 0);
	assert_int_equal(bytes[0], 2);
	// From one segment into the next.
	assert_int_equal(core_read(core, 0x12000 - 8, bytes, 16), 0);
	assert_int_equal(bytes[7], 4);
	assert_int_equal(bytes[8], 5);
	assert_int_equal(core_read(core, 0x13000 - 8, bytes, 16), -EFAULT);
	assert_int_equal(core_read(core, 0x10000 - 1, bytes, 1), -EFAULT);
	expect(core, 0, CORE_UNMAPPED);
	expect(core, UINT64_MAX, CORE_UNMAPPED);
	core_close(core);
}

static void tells_what_was_left_out(void **state)
{
	struct making m;
	struct core *core;
	uint8_t byte;

	(void)state;
	begin(&m);
	add_files(&m);
	add(&m, 0x100000, 2 * PAGE, PAGE, PF_R);     // a file, its first page only
	add(&m, 0x300000, 4 * PAGE, 0, PF_R | PF_W); // no file
	add(&m, 0x400000, 4 * PAGE, 0, 0);           // what the process could not read itself
	core = end(&m, 0);
	expect(core, 0x100000, CORE_BYTES);
	assert_int_equal(core_at(core, 0x100000).size, PAGE);
	expect(core, 0x101000, CORE_LEFT_OUT);
	assert_false(core_at(core, 0x101000).is_plain);
	assert_int_equal(core_read(core, 0x101000, &byte, 1), -ENODATA);
	// A debugger does not list what it left out, but the file.
	expect(core, 0x102000, CORE_LEFT_OUT);
	expect(core, 0x103000, CORE_UNMAPPED);
	expect(core, 0x200fff, CORE_LEFT_OUT);
	expect(core, 0x300000, CORE_LEFT_OUT);
	assert_true(core_at(core, 0x303fff).is_plain);
	expect(core, 0x400000, CORE_UNMAPPED);

	assert_int_equal(core->n_maps, 2);
	assert_string_equal(core_map_at(core, 0x102fff)->path, "/bin/a");
	assert_string_equal(core_map_at(core, 0x200000)->path, "/lib/b");
	assert_int_equal(core_map_at(core, 0x200000)->offset, 7 * PAGE);
	assert_null(core_map_at(core, 0x201000));
	assert_null(core_map_at(core, 0));
	core_close(core);
}

static void without_a_list_of_files_nothing_is_plain(void **state)
{
	struct making m;
	struct core *core;

	(void)state;
	begin(&m);
	add(&m, 0x300000, PAGE, 0, PF_R | PF_W);
	core = end(&m, MEMORY_AT);
	expect(core, 0x300000, CORE_LEFT_OUT);
	assert_false(core_at(core, 0x300000).is_plain);
	core_close(core);
}

static void tells_where_it_is_cut_off(void **state)
{
	struct making m;
	struct core *core;
	uint8_t bytes[16];

	(void)state;
	begin(&m);
	add(&m, 0x10000, 3 * PAGE, 2 * PAGE, PF_R);
	add(&m, 0x20000, PAGE, PAGE, PF_R);
	core = end(&m, MEMORY_AT + PAGE + 8);
	assert_int_equal(core->wanted, MEMORY_AT + 3 * PAGE);
	assert_int_equal(core_read(core, 0x11000, bytes, 8), 0);
	assert_int_equal(core_read(core, 0x11000, bytes, 9), -ENODATA);
	expect(core, 0x11008, CORE_CUT_OFF);
	expect(core, 0x12000, CORE_LEFT_OUT);
	expect(core, 0x20000, CORE_CUT_OFF);
	core_close(core);
}

static void reads_who_it_was(void **state)
{
	const struct elf_prpsinfo info = {.pr_pid = 100, .pr_fname = "sixteen-letters"};
	const Elf64_auxv_t auxv[] = {{AT_PHDR, {0x100040}},
				     {AT_PHNUM, {13}},
				     {AT_ENTRY, {0x101234}},
				     {AT_NULL, {0}},
				     {AT_ENTRY, {1}}};
	struct elf_prstatus status = {.pr_cursig = 11};
	struct making m;
	struct core *core;

	(void)state;
	begin(&m);
	for (int tid = 103; tid > 100; tid--) {
		status.pr_pid = tid;
		add_note(&m, NT_PRSTATUS, &status, sizeof(status));
		status.pr_cursig = 0;
	}
	add_note(&m, NT_PRPSINFO, &info, sizeof(info));
	add_note(&m, NT_AUXV, auxv, sizeof(auxv));
	core = end(&m, MEMORY_AT);
	assert_int_equal(core->pid, 100);
	assert_int_equal(core->signal, 11);
	assert_string_equal(core->name, "sixteen-letters");
	assert_int_equal(core->n_threads, 3);
	assert_int_equal(core->threads[0], 103);
	assert_int_equal(core->threads[2], 101);
	assert_int_equal(core->phdr, 0x100040);
	assert_int_equal(core->n_phdrs, 13);
	assert_int_equal(core->entry, 0x101234);
	core_close(core);
}

// As the kernel counts 65535 program headers and more.
static void counts_in_the_section_header(void **state)
{
	struct making m;
	struct core *core;

	(void)state;
	begin(&m);
	add(&m, 0x10000, PAGE, PAGE, PF_R);
	add(&m, 0x20000, PAGE, PAGE, PF_R);
	m.ehdr.e_phnum = PN_XNUM;
	m.ehdr.e_shoff = offsetof(struct making, shdr);
	m.shdr.sh_info = 2;
	core = end(&m, 0);
	assert_int_equal(core->n_segments, 2);
	core_close(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_segments_in_any_order),
		cmocka_unit_test(tells_what_was_left_out),
		cmocka_unit_test(without_a_list_of_files_nothing_is_plain),
		cmocka_unit_test(tells_where_it_is_cut_off),
		cmocka_unit_test(reads_who_it_was),
		cmocka_unit_test(counts_in_the_section_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/debugshell/fake_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>

#include "tests/debugshell/fake_objects.h"

enum { ARENA_SIZE = 1 << 20, NOTES_SIZE = 4096, PAGE = 4096, ALIGN = 64 };

#define ARENA_ADDRESS 0x200000000000UL

static uint8_t *arena;
static size_t used;

void *fake_memory(size_t size, const char *name)
{
	uint8_t *at = arena + used;

	used += (size + ALIGN - 1) / ALIGN * ALIGN;
	if (used > ARENA_SIZE)
		abort();
	return at;
}

// One note behind what there is.
static void add_note(struct fake_core *core, size_t *at, uint32_t type, const void *desc,
		     size_t size)
{
	const Elf64_Nhdr head = {
		.n_namesz = sizeof("CORE"), .n_descsz = (Elf64_Word)size, .n_type = type};

	memcpy(core->notes + *at, &head, sizeof(head));
	memcpy(core->notes + *at + sizeof(head), "CORE\0\0\0", 8);
	memcpy(core->notes + *at + sizeof(head) + 8, desc, size);
	*at += sizeof(head) + 8 + (size + 3) / 4 * 4;
}

static void add_notes(struct fake_core *core)
{
	const struct elf_prstatus status = {.pr_cursig = 11, .pr_pid = 4711};
	const struct elf_prpsinfo info = {.pr_pid = 4711, .pr_fname = "vswd"};
	const Elf64_auxv_t auxv[] = {{.a_type = AT_ENTRY, .a_un = {.a_val = 0x1000}},
				     {.a_type = AT_NULL}};
	const struct {
		uint64_t count, page_size, start, end, page;
		char path[16];
	} files = {1, PAGE, 0x1000, 0x3000, 0, "/usr/sbin/vswd"};
	size_t at = 0;

	add_note(core, &at, NT_PRSTATUS, &status, sizeof(status));
	add_note(core, &at, NT_PRPSINFO, &info, sizeof(info));
	add_note(core, &at, NT_AUXV, auxv, sizeof(auxv));
	add_note(core, &at, NT_FILE, &files, sizeof(files));
	core->phdrs[FAKE_NOTES].p_filesz = at;
}

static void add_segment(struct fake_core *core, unsigned i, uint32_t type, const void *addr,
			size_t size)
{
	core->phdrs[i] = (Elf64_Phdr){.p_type = type,
				      .p_flags = PF_R | PF_W,
				      .p_offset = core->size,
				      .p_vaddr = (uintptr_t)addr,
				      .p_filesz = size,
				      .p_memsz = addr != NULL ? size : 0};
	if (addr != NULL)
		memcpy(core->bytes + core->size, addr, size);
	core->size += (size + ALIGN - 1) / ALIGN * ALIGN; // objects in it lie as they did
}

void fake_core_make(struct fake_core *core)
{
	static char program[] = "vswd";
	char *argv[] = {program, NULL};
	size_t room = PAGE + NOTES_SIZE + sizeof(vsw_root) + ALIGN + ARENA_SIZE;

	arena = mmap((void *)ARENA_ADDRESS, ARENA_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	core->bytes = aligned_alloc(ALIGN, (room + ALIGN - 1) / ALIGN * ALIGN);
	if (arena == MAP_FAILED || core->bytes == NULL)
		abort();
	memset(core->bytes, 0, room);
	root_init("/run/fake", "/var/lib/fake", 1, argv);
	fake_healthy();
	fake_clock();
	// Read by our own layout, so that each damage is what it was meant to be.
	vsw_root.btf_size = 0;

	core->ehdr = (Elf64_Ehdr *)(void *)core->bytes;
	core->phdrs = (Elf64_Phdr *)(void *)(core->bytes + sizeof(*core->ehdr));
	*core->ehdr = (Elf64_Ehdr){.e_type = ET_CORE,
				   .e_machine = EM_X86_64,
				   .e_version = EV_CURRENT,
				   .e_phoff = sizeof(*core->ehdr),
				   .e_ehsize = sizeof(*core->ehdr),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_phnum = FAKE_SEGMENTS};
	memcpy(core->ehdr->e_ident, "\177ELF\2\1\1", 7);
	core->size = PAGE;
	core->notes = core->bytes + core->size;
	add_segment(core, FAKE_NOTES, PT_NOTE, NULL, NOTES_SIZE);
	add_notes(core);
	core->root = (struct vsw_root *)(void *)(core->bytes + core->size);
	add_segment(core, FAKE_ROOT, PT_LOAD, &vsw_root, sizeof(vsw_root));
	add_segment(core, FAKE_ARENA, PT_LOAD, arena, used);
	// The root is the program's, whose addresses differ each time that it is started.
	core->phdrs[FAKE_ROOT].p_vaddr = 0x2000;
}

void *fake_core_at(const struct fake_core *core, const void *object)
{
	return core->bytes + core->phdrs[FAKE_ARENA].p_offset + ((const uint8_t *)object - arena);
}

#include "debugshell/dump_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <time.h>
#include <unistd.h>

#include "debugshell/core_note.h"
#include "debugshell/module.h"
#include "debugshell/target_record.h"

// A piece of memory that grows, and what could not be added to it.
struct buffer {
	uint8_t *bytes;
	size_t size, room;
	bool failed;
};

struct elf {
	struct shell *sh;
	int fd;
	struct buffer phdrs, notes;
	struct buffer entries, paths; // of NT_FILE
	uint64_t n_maps;
	uint64_t at; // in the file
	struct dump_sizes sizes;
};

// One mapping in NT_FILE; offsets are counted in bytes, for the page size there is 1.
struct elf_file_entry {
	uint64_t start, end, offset;
};

static int count_piece(tgt_addr start, const uint8_t *bytes, size_t size, bool is_next, void *arg);
static void place_pieces(struct elf *e, uint64_t at);
static int write_headers(struct elf *e);
static int write_piece(tgt_addr start, const uint8_t *bytes, size_t size, bool is_next, void *arg);
static void add_notes(struct elf *e);
static void add_process(struct elf *e);
static void add_auxv(struct elf *e);
static void add_files(struct elf *e);
static bool add_file(const struct target_map *map, void *arg);
static void add_threads(struct elf *e);
static bool add_thread(const struct target_thread *thread, void *arg);
static void add_own(struct elf *e);
static void add_note(struct elf *e, const char *owner, uint32_t type, const void *desc,
		     size_t size);
static void buffer_add(struct buffer *b, const void *bytes, size_t size);
static bool is_zero(const uint8_t *bytes, size_t size);
static int write_at(int fd, const void *bytes, size_t size, uint64_t at);

int dump_elf_write(struct shell *sh, const struct dump *dump, int fd, struct dump_sizes *ret)
{
	struct elf e = {.sh = sh, .fd = fd};
	const Elf64_Phdr note = {.p_type = PT_NOTE, .p_align = 4};
	int err;

	buffer_add(&e.phdrs, &note, sizeof(note));
	add_notes(&e);
	err = target_record_all(dump->record, count_piece, &e);
	if (err == 0 && (e.phdrs.failed || e.notes.failed))
		err = -ENOMEM;
	if (err == 0)
		err = write_headers(&e);
	if (err == 0)
		err = target_record_all(dump->record, write_piece, &e);
	if (err == 0 && ftruncate(fd, (off_t)e.at) != 0)
		err = -errno;
	e.sizes.file = e.at;
	*ret = e.sizes;
	free(e.phdrs.bytes);
	free(e.notes.bytes);
	return err;
}

static int count_piece(tgt_addr start, const uint8_t *bytes, size_t size, bool is_next, void *arg)
{
	struct elf *e = arg;
	Elf64_Phdr ph = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_W,
			 .p_vaddr = start.v,
			 .p_filesz = size,
			 .p_memsz = size,
			 .p_align = 1};

	e->sizes.memory += size;
	if (!is_next) {
		e->sizes.pieces++;
		buffer_add(&e->phdrs, &ph, sizeof(ph));
		return e->phdrs.failed ? -ENOMEM : 0;
	}
	memcpy(&ph, e->phdrs.bytes + e->phdrs.size - sizeof(ph), sizeof(ph));
	ph.p_filesz += size;
	ph.p_memsz += size;
	memcpy(e->phdrs.bytes + e->phdrs.size - sizeof(ph), &ph, sizeof(ph));
	return 0;
}

// Headers first, then notes, then memory from 'at' on.
static int write_headers(struct elf *e)
{
	uint32_t n = e->sizes.pieces + 1;
	Elf64_Shdr shdr = {.sh_info = n};
	bool many = n >= PN_XNUM;
	Elf64_Ehdr ehdr = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
			    ELFOSABI_NONE},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(ehdr) + sizeof(shdr),
		.e_ehsize = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = many ? PN_XNUM : (Elf64_Half)n,
		// More pieces than the field can count are counted in the first section.
		.e_shoff = many ? sizeof(ehdr) : 0,
		.e_shentsize = many ? sizeof(shdr) : 0,
		.e_shnum = many,
	};
	uint64_t notes = ehdr.e_phoff + e->phdrs.size;
	int err;

	place_pieces(e, notes);
	err = write_at(e->fd, &ehdr, sizeof(ehdr), 0);
	if (err == 0)
		err = write_at(e->fd, &shdr, sizeof(shdr), sizeof(ehdr));
	if (err == 0)
		err = write_at(e->fd, e->phdrs.bytes, e->phdrs.size, ehdr.e_phoff);
	if (err == 0)
		err = write_at(e->fd, e->notes.bytes, e->notes.size, notes);
	e->at = notes + e->notes.size;
	return err;
}

static void place_pieces(struct elf *e, uint64_t at)
{
	for (size_t i = 0; i < e->phdrs.size; i += sizeof(Elf64_Phdr)) {
		Elf64_Phdr ph;

		memcpy(&ph, e->phdrs.bytes + i, sizeof(ph));
		if (ph.p_type == PT_NOTE)
			ph.p_filesz = e->notes.size;
		ph.p_offset = at;
		at += ph.p_filesz;
		memcpy(e->phdrs.bytes + i, &ph, sizeof(ph));
	}
}

static int write_piece(tgt_addr start, const uint8_t *bytes, size_t size, bool is_next, void *arg)
{
	struct elf *e = arg;
	int err = is_zero(bytes, size) ? 0 : write_at(e->fd, bytes, size, e->at);

	e->at += size;
	return err;
}

static void add_notes(struct elf *e)
{
	add_process(e);
	add_threads(e);
	add_auxv(e);
	add_files(e);
	add_own(e);
}

static void add_process(struct elf *e)
{
	const struct vsw_root *root = e->sh->root;
	struct elf_prpsinfo info = {.pr_pid = root->pid, .pr_sname = 'R'};

	snprintf(info.pr_fname, sizeof(info.pr_fname), "vswd");
	snprintf(info.pr_psargs, sizeof(info.pr_psargs), "%.*s", (int)sizeof(info.pr_psargs) - 1,
		 root->command_line);
	add_note(e, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

// The one that a signal hit is the first, as in a core of the kernel.
static void add_threads(struct elf *e)
{
	struct target *t = e->sh->target;
	const struct elf_prstatus hit = {.pr_pid = t->signal_tid, .pr_cursig = (short)t->signal};

	if (t->signal != 0)
		add_note(e, "CORE", NT_PRSTATUS, &hit, sizeof(hit));
	t->ops->threads(t, add_thread, e);
}

static bool add_thread(const struct target_thread *thread, void *arg)
{
	struct elf_prstatus status = {.pr_pid = thread->tid};
	const struct elf *e = arg;

	if (e->sh->target->signal == 0 || thread->tid != e->sh->target->signal_tid)
		add_note(arg, "CORE", NT_PRSTATUS, &status, sizeof(status));
	return true;
}

// Where the program was loaded, for debuggers that have its file.
static void add_auxv(struct elf *e)
{
	const struct module *program;
	struct modules modules;
	struct why why;

	modules_read(e->sh->target, e->sh->root_addr, &modules, &why);
	program = modules_find(&modules, "vswd");
	if (program != NULL && program->has_header) {
		const Elf64_auxv_t aux[] = {
			{AT_PHDR, {program->start.v + program->ehdr.e_phoff}},
			{AT_PHENT, {sizeof(Elf64_Phdr)}},
			{AT_PHNUM, {program->ehdr.e_phnum}},
			{AT_ENTRY, {program->start.v + program->ehdr.e_entry - program->low}},
			{AT_NULL, {0}},
		};

		add_note(e, "CORE", NT_AUXV, aux, sizeof(aux));
	}
	modules_free(&modules);
}

static void add_files(struct elf *e)
{
	struct target *t = e->sh->target;
	uint64_t head[2] = {0, 1};
	struct buffer all = {.size = 0};

	if (t->ops->maps(t, add_file, e) == 0) {
		head[0] = e->n_maps;
		buffer_add(&all, head, sizeof(head));
		buffer_add(&all, e->entries.bytes, e->entries.size);
		buffer_add(&all, e->paths.bytes, e->paths.size);
		e->notes.failed |= all.failed || e->entries.failed || e->paths.failed;
		if (!e->notes.failed)
			add_note(e, "CORE", NT_FILE, all.bytes, all.size);
	}
	free(all.bytes);
	free(e->entries.bytes);
	free(e->paths.bytes);
}

static bool add_file(const struct target_map *map, void *arg)
{
	struct elf *e = arg;
	const struct elf_file_entry entry = {map->start.v, map->start.v + map->size, map->offset};

	buffer_add(&e->entries, &entry, sizeof(entry));
	buffer_add(&e->paths, map->path, strlen(map->path) + 1);
	e->n_maps++;
	return true;
}

static void add_own(struct elf *e)
{
	const struct vsw_root *root = e->sh->root;
	struct dump_note note = {
		.root = e->sh->root_addr.v, .taken_s = time(NULL), .shell = VSW_VERSION};

	static_assert(sizeof(note.build_id) == sizeof(root->build_id), "one id");
	snprintf(note.version, sizeof(note.version), "%.*s", (int)sizeof(root->version) - 1,
		 root->version);
	note.build_id_size = root->build_id_size;
	memcpy(note.build_id, root->build_id, sizeof(note.build_id));
	add_note(e, CORE_NOTE_OWNER, CORE_NOTE_DUMP, &note, sizeof(note));
}

static void add_note(struct elf *e, const char *owner, uint32_t type, const void *desc, size_t size)
{
	static const uint8_t zeros[4];
	const Elf64_Nhdr head = {(uint32_t)strlen(owner) + 1, (uint32_t)size, type};

	buffer_add(&e->notes, &head, sizeof(head));
	buffer_add(&e->notes, owner, head.n_namesz);
	buffer_add(&e->notes, zeros, -head.n_namesz % 4);
	buffer_add(&e->notes, desc, size);
	buffer_add(&e->notes, zeros, -size % 4);
}

static void buffer_add(struct buffer *b, const void *bytes, size_t size)
{
	if (size > b->room - b->size) {
		size_t room = 2 * (b->size + size) + 4096;
		uint8_t *bigger = realloc(b->bytes, room);

		b->failed |= bigger == NULL;
		if (bigger == NULL)
			return;
		b->bytes = bigger;
		b->room = room;
	}
	if (size > 0)
		memcpy(b->bytes + b->size, bytes, size);
	b->size += size;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int write_at(int fd, const void *bytes, size_t size, uint64_t at)
{
	const uint8_t *from = bytes;

	while (size > 0) {
		ssize_t n = pwrite(fd, from, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

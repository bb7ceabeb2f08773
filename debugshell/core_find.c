#include "debugshell/core_find.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/elf_id.h"
#include "switch/root_types.h"

enum {
	FIND_PHDRS_MAX = 64,
	FIND_NOTES_MAX = 4096, // bytes
	FIND_CHUNK = 1 << 20,
	FIND_ALIGN = 64, // of the root
	FIND_ROOT_MAX = 1 << 20
};

// How a root begins, see root_types.h.
struct find_head {
	char magic[16];
	uint32_t size;
	uint32_t layout;
};

struct find {
	const struct core *core;
	uint8_t *chunk;
	uint64_t left; // bytes that may still be read: segments may share bytes of the file
	uint64_t found;
};

static bool find_in_program(struct find *f);
static bool find_anywhere(struct find *f);
static bool find_in_segment(struct find *f, const struct core_segment *s);
static bool find_in_chunk(struct find *f, uint64_t addr, size_t size);
static bool is_head(const void *at);

size_t core_build_id(const struct core *core, uint8_t id[IMAGE_ID_MAX])
{
	Elf64_Phdr phdrs[FIND_PHDRS_MAX];
	uint8_t notes[FIND_NOTES_MAX];
	uint64_t n = core->n_phdrs, bias = core->phdr;
	size_t at = 0, size = 0;

	if (core->phdr == 0 || n > FIND_PHDRS_MAX ||
	    core_read(core, core->phdr, phdrs, n * sizeof(phdrs[0])) != 0)
		return 0;
	for (uint64_t i = 0; i < n; i++)
		if (phdrs[i].p_type == PT_PHDR)
			bias = core->phdr - phdrs[i].p_vaddr;
	for (uint64_t i = 0; i < n && size == 0; i++)
		if (phdrs[i].p_type == PT_NOTE && phdrs[i].p_memsz <= sizeof(notes) &&
		    core_read(core, bias + phdrs[i].p_vaddr, notes, phdrs[i].p_memsz) == 0)
			size = elf_id_find(notes, phdrs[i].p_memsz, &at);
	memcpy(id, notes + at, size);
	return size;
}

bool core_find_root(const struct core *core, uint64_t *ret)
{
	struct find f = {.core = core, .left = 2 * core->size};
	bool found = false;

	if (core->dump_root != 0 && core_is_root(core, core->dump_root)) {
		*ret = core->dump_root;
		return true;
	}
	f.chunk = malloc(FIND_CHUNK);
	if (f.chunk != NULL)
		found = find_in_program(&f) || find_anywhere(&f);
	free(f.chunk);
	if (found)
		*ret = f.found;
	return found;
}

bool core_is_root(const struct core *core, uint64_t addr)
{
	struct find_head head;

	return core_read(core, addr, &head, sizeof(head)) == 0 && is_head(&head);
}

// A frame could hold the magic as well; what the program was loaded with could not.
static bool find_in_program(struct find *f)
{
	const struct core *core = f->core;
	const struct core_map *program = core_map_at(core, core->entry);
	const struct core_map *map;

	if (program == NULL)
		return false;
	for (uint32_t i = 0; i < core->n_segments; i++) {
		map = core_map_at(core, core->segments[i].start);
		if (map != NULL && (core->segments[i].flags & PF_W) != 0 &&
		    strcmp(map->path, program->path) == 0 && find_in_segment(f, &core->segments[i]))
			return true;
	}
	return false;
}

static bool find_anywhere(struct find *f)
{
	for (uint32_t i = 0; i < f->core->n_segments; i++)
		if (find_in_segment(f, &f->core->segments[i]))
			return true;
	return false;
}

static bool find_in_segment(struct find *f, const struct core_segment *s)
{
	for (uint64_t at = -s->start % FIND_ALIGN; at < s->there; at += FIND_CHUNK) {
		uint64_t rest = s->there - at;
		size_t size = rest < FIND_CHUNK ? rest : FIND_CHUNK;

		if (size > f->left || core_pread(f->core, s->offset + at, f->chunk, size) != 0)
			return false;
		f->left -= size;
		if (find_in_chunk(f, s->start + at, size))
			return true;
	}
	return false;
}

static bool find_in_chunk(struct find *f, uint64_t addr, size_t size)
{
	for (size_t at = 0; at + sizeof(struct find_head) <= size; at += FIND_ALIGN) {
		if (!is_head(f->chunk + at))
			continue;
		f->found = addr + at;
		return true;
	}
	return false;
}

static bool is_head(const void *at)
{
	static const char magic[16] = VSW_ROOT_MAGIC;
	struct find_head head;

	if (memcmp(at, magic, sizeof(magic)) != 0)
		return false;
	memcpy(&head, at, sizeof(head));
	return head.size >= sizeof(head) && head.size <= FIND_ROOT_MAX;
}

#include "debugshell/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/elf_id.h"

enum {
	MODULES_MAX = 1024,
	MODULE_PAGE = 4096,
	MODULE_NOTES_MAX = 4096 // bytes
};
#define MODULE_SIZE_MAX (1ULL << 32) // bytes
#define MODULE_DELETED  " (deleted)" // what the kernel writes behind the name of such a file

struct finder {
	struct target *target;
	tgt_addr root;
	char program[PATH_MAX]; // file that the root is in
	struct modules *modules;
	int err;
};

static bool find_program(const struct target_map *map, void *arg);
static bool take_map(const struct target_map *map, void *arg);
static int make_room(struct modules *modules);
static bool is_more(const struct modules *modules, const struct target_map *map);
static bool may_be_module(const char *path);
static void set_path(char path[PATH_MAX], const char *from);
static void set_name(struct module *module);
static int read_header(struct target *t, struct module *module);
static bool set_span(struct module *module);
static void read_id(struct target *t, struct module *module);

int modules_read(struct target *target, tgt_addr root, struct modules *ret, struct why *why)
{
	struct finder f = {.target = target, .root = root, .modules = ret};
	int err;

	memset(ret, 0, sizeof(*ret));
	err = target->ops->maps(target, find_program, &f);
	if (err == 0)
		err = target->ops->maps(target, take_map, &f);
	if (err == 0)
		err = f.err;
	if (err == -ENODATA)
		return why_set(why, err, "%s does not tell which files were loaded", target->name);
	if (err == -ESRCH)
		return why_set(why, err, "%s has ended", target->name);
	return err != 0 ? why_set(why, err, "out of memory") : 0;
}

void modules_free(struct modules *modules)
{
	free(modules->all);
	memset(modules, 0, sizeof(*modules));
}

const struct module *modules_find(const struct modules *modules, const char *name)
{
	for (uint32_t i = 0; i < modules->n; i++)
		if (strcmp(modules->all[i].name, name) == 0)
			return &modules->all[i];
	for (uint32_t i = 0; i < modules->n; i++)
		if (modules->all[i].is_program && strcmp(name, "vswd") == 0)
			return &modules->all[i];
	return NULL;
}

const struct module *modules_at(const struct modules *modules, tgt_addr addr)
{
	for (uint32_t i = 0; i < modules->n; i++)
		if (addr.v - modules->all[i].start.v < modules->all[i].size)
			return &modules->all[i];
	return NULL;
}

bool module_offset(const struct module *module, tgt_addr addr, uint64_t *ret)
{
	uint64_t vaddr = addr.v - module->start.v + module->low;

	for (unsigned i = 0; module->has_header && i < module->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &module->phdrs[i];

		if (ph->p_type != PT_LOAD || vaddr - ph->p_vaddr >= ph->p_filesz)
			continue;
		*ret = ph->p_offset + (vaddr - ph->p_vaddr);
		return true;
	}
	return false;
}

static bool find_program(const struct target_map *map, void *arg)
{
	struct finder *f = arg;

	if (f->root.v - map->start.v >= map->size)
		return true;
	set_path(f->program, map->path);
	return false;
}

// A module begins with the beginning of its file. What follows of the file belongs to it.
static bool take_map(const struct target_map *map, void *arg)
{
	struct finder *f = arg;
	struct modules *modules = f->modules;
	struct module *module;
	int err;

	if (is_more(modules, map)) {
		module = &modules->all[modules->n - 1];
		if (!module->has_header)
			module->size = map->start.v + map->size - module->start.v;
		return true;
	}
	if (map->offset != 0 || !may_be_module(map->path))
		return true;
	f->err = make_room(modules);
	if (f->err != 0 || modules->n == MODULES_MAX)
		return false;
	module = &modules->all[modules->n];
	memset(module, 0, sizeof(*module));
	module->start = map->start;
	module->size = map->size;
	set_path(module->path, map->path);
	set_name(module);
	module->is_program = strcmp(module->path, f->program) == 0;
	err = read_header(f->target, module);
	if (err == 0 || (err == -ENODATA && (module->is_program || strstr(map->path, ".so"))))
		modules->n++;
	return true;
}

static int make_room(struct modules *modules)
{
	uint32_t room = modules->room > 0 ? 2 * modules->room : 32;
	struct module *all;

	if (modules->n < modules->room)
		return 0;
	all = realloc(modules->all, room * sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	modules->all = all;
	modules->room = room;
	return 0;
}

// Whether it is of the file of the last module, and not that file loaded once more.
static bool is_more(const struct modules *modules, const struct target_map *map)
{
	const struct module *last = modules->n > 0 ? &modules->all[modules->n - 1] : NULL;
	char path[PATH_MAX];

	if (last == NULL)
		return false;
	set_path(path, map->path);
	return strcmp(last->path, path) == 0 &&
	       (map->offset != 0 || map->start.v - last->start.v < last->size);
}

static bool may_be_module(const char *path)
{
	return strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/memfd:", 7) != 0 &&
	       strncmp(path, "/SYSV", 5) != 0;
}

static void set_path(char path[PATH_MAX], const char *from)
{
	size_t length = strlen(from), mark = strlen(MODULE_DELETED);

	if (length > mark && strcmp(from + length - mark, MODULE_DELETED) == 0)
		length -= mark;
	snprintf(path, PATH_MAX, "%.*s", (int)(length < PATH_MAX ? length : PATH_MAX - 1), from);
}

// The file's name, without ".so" and what follows.
static void set_name(struct module *module)
{
	const char *name = strrchr(module->path, '/');
	const char *end;

	name = name != NULL ? name + 1 : module->path;
	end = strstr(name, ".so");
	if (end == NULL || end == name || (end[3] != '\0' && end[3] != '.'))
		end = name + strlen(name);
	snprintf(module->name, sizeof(module->name), "%.*s", (int)(end - name), name);
}

// -ENOEXEC: no headers of a module of this machine. Errors of tgt_read().
static int read_header(struct target *t, struct module *module)
{
	Elf64_Ehdr *ehdr = &module->ehdr;
	int err = TGT_READ(t, module->start, ehdr);

	if (err != 0)
		return err;
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_machine != EM_X86_64 || (ehdr->e_type != ET_DYN && ehdr->e_type != ET_EXEC) ||
	    ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum > MODULE_PHDRS_MAX ||
	    ehdr->e_phoff > MODULE_PAGE)
		return -ENOEXEC;
	err = tgt_read(t, tgt_add(module->start, ehdr->e_phoff), module->phdrs,
		       ehdr->e_phnum * sizeof(Elf64_Phdr));
	if (err != 0)
		return err;
	if (!set_span(module))
		return -ENOEXEC;
	module->has_header = true;
	read_id(t, module);
	return 0;
}

// From the first page that is loaded to the last. False: nothing of it can be run.
static bool set_span(struct module *module)
{
	uint64_t low = UINT64_MAX, high = 0;
	bool is_code = false;

	for (unsigned i = 0; i < module->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &module->phdrs[i];

		if (ph->p_type != PT_LOAD || ph->p_vaddr + ph->p_memsz < ph->p_vaddr)
			continue;
		low = ph->p_vaddr < low ? ph->p_vaddr : low;
		high = ph->p_vaddr + ph->p_memsz > high ? ph->p_vaddr + ph->p_memsz : high;
		is_code = is_code || (ph->p_flags & PF_X) != 0;
	}
	if (!is_code || high > UINT64_MAX - MODULE_PAGE)
		return false;
	module->low = low & ~(uint64_t)(MODULE_PAGE - 1);
	high = (high + MODULE_PAGE - 1) & ~(uint64_t)(MODULE_PAGE - 1);
	module->size = high - module->low;
	return module->size <= MODULE_SIZE_MAX;
}

static void read_id(struct target *t, struct module *module)
{
	uint8_t notes[MODULE_NOTES_MAX];
	size_t desc;

	for (unsigned i = 0; i < module->ehdr.e_phnum && module->id_size == 0; i++) {
		const Elf64_Phdr *ph = &module->phdrs[i];
		uint64_t at = ph->p_vaddr - module->low;

		if (ph->p_type != PT_NOTE || ph->p_memsz > sizeof(notes) || at >= module->size ||
		    ph->p_memsz > module->size - at ||
		    tgt_read(t, tgt_add(module->start, at), notes, ph->p_memsz) != 0)
			continue;
		module->id_size = (uint32_t)elf_id_find(notes, ph->p_memsz, &desc);
		if (module->id_size == 0)
			continue;
		memcpy(module->id, notes + desc, module->id_size);
		module->id_vaddr = at + desc;
		module->id_offset = ph->p_offset + desc;
	}
}

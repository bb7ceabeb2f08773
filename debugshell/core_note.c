#include "debugshell/core_note.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

enum {
	NOTES_MAX = 1 << 18,     // about six for each thread
	NOTE_FILE_MAX = 1 << 25, // bytes; the kernel stops at 4 MB
	NOTE_AUXV_MAX = 1 << 16,
	NOTE_NAME_SIZE = 8
};

struct note {
	char owner[NOTE_NAME_SIZE]; // as much as fits
	uint32_t type;
	uint64_t offset; // of the description, in the file
	uint64_t size;   // bytes of it
};

// The description of NT_FILE begins with these, then the entries, then the names.
struct note_file_head {
	uint64_t count;
	uint64_t page_size;
};

struct note_file_entry {
	uint64_t start;
	uint64_t end;
	uint64_t page;
};

static bool note_next(const struct core *core, uint64_t *at, uint64_t end, struct note *ret);
static int note_take(struct core *core, const struct note *note);
static int note_take_status(struct core *core, const struct note *note);
static void note_take_info(struct core *core, const struct note *note);
static int note_take_auxv(struct core *core, const struct note *note);
static int note_take_files(struct core *core, const struct note *note);
static void note_list_files(struct core *core, const char *text, uint64_t size,
			    const struct note_file_head *head);
static int compare_maps(const void *a, const void *b);
static char *note_load(const struct core *core, const struct note *note, uint64_t max);

int core_notes_read(struct core *core, uint64_t offset, uint64_t size, struct why *why)
{
	uint64_t end = size > core->size || offset > core->size - size ? core->size : offset + size;
	uint64_t at = offset;
	struct note note;

	for (unsigned i = 0; i < NOTES_MAX && note_next(core, &at, end, &note); i++)
		if (note_take(core, &note) == -ENOMEM)
			return why_set(why, -ENOMEM, "out of memory");
	return 0;
}

// The note at '*at', which then stands behind it. False: there is none that is whole.
static bool note_next(const struct core *core, uint64_t *at, uint64_t end, struct note *ret)
{
	Elf64_Nhdr head;
	uint64_t owner_size, owner = *at + sizeof(head);

	if (*at > end || end - *at < sizeof(head) ||
	    core_pread(core, *at, &head, sizeof(head)) != 0)
		return false;
	owner_size = ((uint64_t)head.n_namesz + 3) & ~3ULL;
	*ret = (struct note){
		.type = head.n_type, .offset = owner + owner_size, .size = head.n_descsz};
	if (ret->offset > end || ret->size > end - ret->offset)
		return false;
	if (core_pread(core, owner, ret->owner,
		       head.n_namesz < NOTE_NAME_SIZE ? head.n_namesz : NOTE_NAME_SIZE - 1) != 0)
		return false;
	*at = ret->offset + ((ret->size + 3) & ~3ULL);
	return true;
}

static int note_take(struct core *core, const struct note *note)
{
	if (strcmp(note->owner, CORE_NOTE_OWNER) == 0 && note->type == CORE_NOTE_DUMP &&
	    note->size >= sizeof(core->dump_root))
		return core_pread(core, note->offset, &core->dump_root, sizeof(core->dump_root));
	if (strcmp(note->owner, "CORE") != 0)
		return 0;
	switch (note->type) {
	case NT_PRSTATUS:
		return note_take_status(core, note);
	case NT_PRPSINFO:
		note_take_info(core, note);
		return 0;
	case NT_AUXV:
		return note_take_auxv(core, note);
	case NT_FILE:
		return note_take_files(core, note);
	default:
		return 0;
	}
}

// One for each thread.
static int note_take_status(struct core *core, const struct note *note)
{
	struct elf_prstatus status;
	int32_t *threads;

	if (note->size < sizeof(status) ||
	    core_pread(core, note->offset, &status, sizeof(status)) != 0)
		return -EINVAL;
	if (core->n_threads == 0)
		core->signal = status.pr_cursig;
	if (core->n_threads == core->threads_room) {
		uint32_t room = core->threads_room == 0 ? 16 : 2 * core->threads_room;

		threads = realloc(core->threads, room * sizeof(threads[0]));
		if (threads == NULL)
			return -ENOMEM;
		core->threads = threads;
		core->threads_room = room;
	}
	core->threads[core->n_threads++] = status.pr_pid;
	return 0;
}

static void note_take_info(struct core *core, const struct note *note)
{
	struct elf_prpsinfo info;

	if (note->size < sizeof(info) || core_pread(core, note->offset, &info, sizeof(info)) != 0)
		return;
	core->pid = info.pr_pid;
	memcpy(core->name, info.pr_fname, sizeof(info.pr_fname));
}

static int note_take_auxv(struct core *core, const struct note *note)
{
	char *all = note_load(core, note, NOTE_AUXV_MAX);
	Elf64_auxv_t aux;

	if (all == NULL)
		return -EINVAL;
	for (uint64_t at = 0; at + sizeof(aux) <= note->size; at += sizeof(aux)) {
		memcpy(&aux, all + at, sizeof(aux));
		if (aux.a_type == AT_NULL)
			break;
		if (aux.a_type == AT_ENTRY)
			core->entry = aux.a_un.a_val;
		if (aux.a_type == AT_PHDR)
			core->phdr = aux.a_un.a_val;
		if (aux.a_type == AT_PHNUM)
			core->n_phdrs = aux.a_un.a_val;
	}
	free(all);
	return 0;
}

static int note_take_files(struct core *core, const struct note *note)
{
	struct note_file_head head;
	char *text;

	if (core->maps != NULL || note->size < sizeof(head))
		return -EINVAL;
	text = note_load(core, note, NOTE_FILE_MAX);
	if (text == NULL)
		return -EINVAL;
	memcpy(&head, text, sizeof(head));
	if (head.count > (note->size - sizeof(head)) / sizeof(struct note_file_entry)) {
		free(text);
		return -EINVAL;
	}
	core->maps = calloc(head.count + 1, sizeof(core->maps[0]));
	if (core->maps == NULL) {
		free(text);
		return -ENOMEM;
	}
	core->map_paths = text;
	note_list_files(core, text, note->size, &head);
	return 0;
}

// 'text' ends with a zero behind its 'size' bytes.
static void note_list_files(struct core *core, const char *text, uint64_t size,
			    const struct note_file_head *head)
{
	const char *path = text + sizeof(*head) + head->count * sizeof(struct note_file_entry);
	struct note_file_entry entry;

	for (uint64_t i = 0; i < head->count && path < text + size; i++) {
		memcpy(&entry, text + sizeof(*head) + i * sizeof(entry), sizeof(entry));
		if (entry.end > entry.start)
			core->maps[core->n_maps++] =
				(struct core_map){.start = entry.start,
						  .size = entry.end - entry.start,
						  .offset = entry.page * head->page_size,
						  .path = path};
		path += strlen(path) + 1;
	}
	qsort(core->maps, core->n_maps, sizeof(core->maps[0]), compare_maps);
}

static int compare_maps(const void *a, const void *b)
{
	const struct core_map *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

// The description with a zero behind it, to be freed; NULL when it cannot be read.
static char *note_load(const struct core *core, const struct note *note, uint64_t max)
{
	char *all = note->size <= max ? malloc(note->size + 1) : NULL;

	if (all == NULL)
		return NULL;
	if (core_pread(core, note->offset, all, note->size) != 0) {
		free(all);
		return NULL;
	}
	all[note->size] = '\0';
	return all;
}

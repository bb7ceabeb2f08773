#include "debugshell/core_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debugshell/core_note.h"

enum {
	CORE_SEGMENTS_MAX = 1 << 20, // a process has at most 65530 mappings unless told otherwise
	// The kernel maps nothing below it by itself, and debuggers dump nothing from there.
	CORE_LOWEST = 64 << 10,
	// Bit of the highest address that a program of this machine can have.
	CORE_ADDRESS_BITS = 56
};

static int core_read_header(struct core *core, const char *path, Elf64_Ehdr *ret, struct why *why);
static int core_check_header(const Elf64_Ehdr *ehdr, const char *path, struct why *why);
static int core_count_headers(const struct core *core, const Elf64_Ehdr *ehdr, uint64_t *ret);
static int core_read_headers(struct core *core, const Elf64_Ehdr *ehdr, const char *path,
			     struct why *why);
static int core_take_header(struct core *core, const Elf64_Phdr *ph, const char *path,
			    struct why *why);
static int core_sort(struct core *core, const char *path, struct why *why);
static int compare_segments(const void *a, const void *b);
static const struct core_segment *core_last_before(const struct core *core, uint64_t addr);
static struct core_piece core_between(const struct core *core, uint64_t addr, uint64_t size);

int core_open(int fd, const char *path, struct core **ret, struct why *why)
{
	struct core *core = calloc(1, sizeof(*core));
	Elf64_Ehdr ehdr;
	int err;

	if (core == NULL) {
		close(fd);
		return why_set(why, -ENOMEM, "out of memory");
	}
	core->fd = fd;
	err = core_read_header(core, path, &ehdr, why);
	if (err == 0)
		err = core_read_headers(core, &ehdr, path, why);
	if (err == 0)
		err = core_sort(core, path, why);
	if (err != 0) {
		core_close(core);
		return err;
	}
	*ret = core;
	return 0;
}

void core_close(struct core *core)
{
	if (core == NULL)
		return;
	close(core->fd);
	free(core->segments);
	free(core->maps);
	free(core->map_paths);
	free(core->threads);
	free(core);
}

struct core_piece core_at(const struct core *core, uint64_t addr)
{
	const struct core_segment *s = core_last_before(core, addr);
	const struct core_segment *end = core->segments + core->n_segments;
	const struct core_segment *next = s == NULL ? core->segments : s + 1;
	struct core_piece piece = {.kind = CORE_UNMAPPED};
	uint64_t at;

	if (s == NULL || addr - s->start >= s->size)
		return core_between(core, addr, next < end ? next->start - addr : UINT64_MAX);
	at = addr - s->start;
	if (at < s->there) {
		piece.kind = CORE_BYTES;
		piece.size = s->there - at;
		piece.offset = s->offset + at;
	} else if (at < s->written) {
		piece.kind = CORE_CUT_OFF;
		piece.size = s->written - at;
	} else {
		piece.kind = (s->flags & PF_R) != 0 ? CORE_LEFT_OUT : CORE_UNMAPPED;
		piece.size = s->size - at;
		piece.is_plain = core->n_maps > 0 && core_map_at(core, addr) == NULL;
	}
	return piece;
}

int core_read(const struct core *core, uint64_t addr, void *buf, size_t size)
{
	uint8_t *to = buf;
	int err = 0;

	while (size > 0 && err == 0) {
		struct core_piece piece = core_at(core, addr);
		size_t n = size < piece.size ? size : piece.size;

		if (piece.kind == CORE_UNMAPPED)
			return -EFAULT;
		err = piece.kind == CORE_BYTES ? core_pread(core, piece.offset, to, n) : -ENODATA;
		addr += n;
		to += n;
		size -= n;
	}
	return err;
}

int core_pread(const struct core *core, uint64_t offset, void *buf, size_t size)
{
	size_t done = 0;

	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return -ENODATA;
	while (done < size) {
		ssize_t n =
			pread(core->fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

const struct core_map *core_map_at(const struct core *core, uint64_t addr)
{
	uint32_t low = 0, high = core->n_maps;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (core->maps[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || addr - core->maps[low - 1].start >= core->maps[low - 1].size)
		return NULL;
	return &core->maps[low - 1];
}

static int core_read_header(struct core *core, const char *path, Elf64_Ehdr *ret, struct why *why)
{
	struct stat st;
	int err;

	if (fstat(core->fd, &st) != 0)
		return why_set(why, -errno, "%s: %s", path, strerror(errno));
	core->size = (uint64_t)st.st_size;
	if (core->size == 0)
		return why_set(why, -ENOEXEC, "%s is empty", path);
	memset(ret, 0, sizeof(*ret));
	err = core_pread(core, 0, ret, core->size < sizeof(*ret) ? core->size : sizeof(*ret));
	if (err != 0)
		return why_set(why, err, "%s cannot be read: %s", path, strerror(-err));
	err = core_check_header(ret, path, why);
	if (err == 0 && core->size < sizeof(*ret))
		err = why_set(why, -ENOEXEC, "%s is cut off in its first header", path);
	return err;
}

static int core_check_header(const Elf64_Ehdr *ehdr, const char *path, struct why *why)
{
	const unsigned char *id = ehdr->e_ident;

	if (memcmp(id, ELFMAG, SELFMAG) != 0)
		return why_set(why, -ENOEXEC, "%s is no core: it is not an ELF file", path);
	if (id[EI_CLASS] == ELFCLASS32)
		return why_set(why, -ENOEXEC, "%s is of a 32-bit program; vswd has 64 bits", path);
	if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB)
		return why_set(why, -ENOEXEC, "%s is of another kind of machine", path);
	if (ehdr->e_type == ET_EXEC || ehdr->e_type == ET_DYN)
		return why_set(why, -ENOEXEC, "%s is no core but a program; -y is for the program",
			       path);
	if (ehdr->e_type != ET_CORE)
		return why_set(why, -ENOEXEC, "%s is no core but another ELF file (type %u)", path,
			       ehdr->e_type);
	if (ehdr->e_machine != EM_X86_64)
		return why_set(why, -ENOEXEC, "%s is of another kind of machine (%u, not %u)", path,
			       ehdr->e_machine, EM_X86_64);
	if (ehdr->e_phnum > 0 && ehdr->e_phentsize != sizeof(Elf64_Phdr))
		return why_set(why, -EINVAL, "%s is damaged: its program headers have %u bytes",
			       path, ehdr->e_phentsize);
	return 0;
}

// More than the header's field can hold stand in the first section header.
static int core_count_headers(const struct core *core, const Elf64_Ehdr *ehdr, uint64_t *ret)
{
	Elf64_Shdr shdr;
	int err;

	if (ehdr->e_phnum != PN_XNUM) {
		*ret = ehdr->e_phnum;
		return 0;
	}
	err = core_pread(core, ehdr->e_shoff, &shdr, sizeof(shdr));
	if (err == 0)
		*ret = shdr.sh_info;
	return err;
}

static int core_read_headers(struct core *core, const Elf64_Ehdr *ehdr, const char *path,
			     struct why *why)
{
	uint64_t n = 0;
	Elf64_Phdr *all;
	int err = core_count_headers(core, ehdr, &n);

	if (err != 0 || ehdr->e_phoff > core->size ||
	    n > (core->size - ehdr->e_phoff) / sizeof(*all))
		return why_set(why, -EINVAL,
			       "%s is cut off or damaged: its %lu bytes do not hold its %lu "
			       "program headers",
			       path, core->size, n);
	if (n == 0 || n > CORE_SEGMENTS_MAX)
		return why_set(why, -EINVAL, "%s is damaged: it has %lu program headers", path, n);
	all = calloc(n, sizeof(*all));
	core->segments = calloc(n, sizeof(core->segments[0]));
	if (all == NULL || core->segments == NULL)
		err = why_set(why, -ENOMEM, "out of memory");
	else
		err = core_pread(core, ehdr->e_phoff, all, n * sizeof(*all));
	if (err != 0 && err != -ENOMEM)
		why_set(why, err, "%s cannot be read: %s", path, strerror(-err));
	for (uint64_t i = 0; i < n && err == 0; i++)
		err = core_take_header(core, &all[i], path, why);
	// Only when all is known that is there.
	for (uint64_t i = 0; i < n && err == 0; i++)
		if (all[i].p_type == PT_NOTE)
			err = core_notes_read(core, all[i].p_offset, all[i].p_filesz, why);
	free(all);
	return err;
}

static int core_take_header(struct core *core, const Elf64_Phdr *ph, const char *path,
			    struct why *why)
{
	uint64_t written =
		ph->p_type == PT_LOAD && ph->p_filesz > ph->p_memsz ? ph->p_memsz : ph->p_filesz;
	uint64_t behind = ph->p_offset + written;

	if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
		return 0;
	if (behind < written || behind > INT64_MAX || ph->p_vaddr + ph->p_memsz < ph->p_vaddr)
		return why_set(why, -EINVAL,
			       "%s is damaged: the segment of %016lx is at %lu and has %lu bytes",
			       path, ph->p_vaddr, ph->p_offset, ph->p_memsz);
	if (written > 0 && behind > core->wanted)
		core->wanted = behind;
	if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
		return 0;
	core->segments[core->n_segments++] = (struct core_segment){
		.start = ph->p_vaddr,
		.size = ph->p_memsz,
		.offset = ph->p_offset,
		.written = written,
		.there = ph->p_offset >= core->size ? 0
			 : behind > core->size      ? core->size - ph->p_offset
						    : written,
		.flags = ph->p_flags,
	};
	return 0;
}

static int core_sort(struct core *core, const char *path, struct why *why)
{
	struct core_segment *s = core->segments;

	qsort(s, core->n_segments, sizeof(s[0]), compare_segments);
	for (uint32_t i = 1; i < core->n_segments; i++)
		if (s[i].start - s[i - 1].start < s[i - 1].size)
			return why_set(why, -EINVAL,
				       "%s is damaged: its segments of %016lx and %016lx overlap",
				       path, s[i - 1].start, s[i].start);
	return 0;
}

static int compare_segments(const void *a, const void *b)
{
	const struct core_segment *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

// The last segment that begins at or before 'addr', or NULL.
static const struct core_segment *core_last_before(const struct core *core, uint64_t addr)
{
	uint32_t low = 0, high = core->n_segments;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (core->segments[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &core->segments[low - 1] : NULL;
}

// No segment speaks of these addresses. A file may have been mapped there all the same, and a
// dump of ours holds but a choice.
static struct core_piece core_between(const struct core *core, uint64_t addr, uint64_t size)
{
	const struct core_map *map = core_map_at(core, addr);
	struct core_piece piece = {.kind = CORE_UNMAPPED, .size = size};

	if (map != NULL) {
		uint64_t rest = map->size - (addr - map->start);

		piece.kind = CORE_LEFT_OUT;
		piece.size = rest < size ? rest : size;
	} else if (core->dump_root != 0 && addr >= CORE_LOWEST && addr >> CORE_ADDRESS_BITS == 0) {
		piece.kind = CORE_LEFT_OUT;
	}
	return piece;
}

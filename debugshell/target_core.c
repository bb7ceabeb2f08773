/*
 * A core as a target: memory from the file, the rest from its notes.
 *
 * Where the core has no bytes there are two places more to look before it is said to lack them:
 *  - the program's file, if one was named: constant data and code are in it;
 *  - nowhere: the kernel leaves out memory of the process itself (no file's) that nobody ever
 *    wrote to. It was zero. That this is the reason is known when coredump_filter took in
 *    such memory.
 */
#include "debugshell/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugshell/core_elf.h"
#include "debugshell/core_find.h"
#include "debugshell/core_unpack.h"
#include "debugshell/image.h"
#include "switch/root_types.h"

// Bits of coredump_filter, see core(5).
enum { FILTER_PLAIN = 0x01, FILTER_ALL = 0x7f };

struct target_core {
	struct target base;
	struct core *core;
	struct image *image; // or NULL
	uint64_t bias;       // of the image: added to the addresses that it was linked for
	tgt_addr root;
};

struct id_text {
	char s[2 * IMAGE_ID_MAX + 1];
};

static int core_target_read(struct target *t, tgt_addr from, void *buf, size_t size);
static int core_target_symbol(struct target *t, const char *name, tgt_addr *x_addr,
			      uint64_t *x_size);
static int core_target_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
			       void *arg);
static int core_target_maps(struct target *t, bool (*fn)(const struct target_map *, void *),
			    void *arg);
static enum target_state core_target_state(struct target *t);
static void core_target_close(struct target *t);

static int compare_tids(const void *a, const void *b);
static int open_core(struct target_core *tc, const char *path, struct why *why);
static int open_image(struct target_core *tc, const char *path, struct why *why);
static int check_build(const struct target_core *tc, const char *path, struct why *why);
static bool root_names_build(const struct target_core *tc, const uint8_t *id, size_t size);
static struct id_text id_text(const uint8_t *id, size_t size);
static int find_root(struct target_core *tc, struct why *why);
static int no_root(const struct target_core *tc, struct why *why);
static int read_piece(struct target_core *tc, const struct core_piece *piece, uint64_t addr,
		      void *buf, size_t size);
static int lacks(struct target_core *tc, const struct core_piece *piece);

static const struct target_ops core_ops = {
	.read = core_target_read,
	.symbol = core_target_symbol,
	.threads = core_target_threads,
	.maps = core_target_maps,
	.state = core_target_state,
	.close = core_target_close,
};

int target_core_open(const char *path, const char *binary, struct target **ret, struct why *why)
{
	struct target_core *tc = calloc(1, sizeof(*tc));
	int err;

	if (tc == NULL)
		return why_set(why, -ENOMEM, "out of memory");
	tc->base.ops = &core_ops;
	err = open_core(tc, path, why);
	if (err == 0 && binary != NULL)
		err = open_image(tc, binary, why);
	if (err == 0)
		err = find_root(tc, why);
	if (err == 0 && binary != NULL)
		err = check_build(tc, binary, why);
	if (err != 0) {
		core_target_close(&tc->base);
		return err;
	}
	*ret = &tc->base;
	return 0;
}

static int core_target_read(struct target *t, tgt_addr from, void *buf, size_t size)
{
	struct target_core *tc = (struct target_core *)t;
	uint64_t addr = from.v;
	uint8_t *to = buf;
	int err = 0;

	if (addr + size < addr)
		return -EFAULT;
	while (size > 0 && err == 0) {
		struct core_piece piece = core_at(tc->core, addr);
		size_t n = size < piece.size ? size : piece.size;

		err = read_piece(tc, &piece, addr, to, n);
		addr += n;
		to += n;
		size -= n;
	}
	return err;
}

static int core_target_symbol(struct target *t, const char *name, tgt_addr *x_addr,
			      uint64_t *x_size)
{
	struct target_core *tc = (struct target_core *)t;
	struct image_place place;

	if (strcmp(name, VSW_ROOT_SECTION) == 0 && tc->root.v != 0) {
		*x_addr = tc->root;
		*x_size = sizeof(struct vsw_root);
		return 0;
	}
	if (tc->image == NULL || (image_section(tc->image, name, &place) != 0 &&
				  image_symbol(tc->image, name, &place) != 0))
		return -ENOENT;
	x_addr->v = place.vaddr + tc->bias;
	*x_size = place.size;
	return 0;
}

// By their numbers, as those of a process come; a core begins with the one that the signal hit.
static int core_target_threads(struct target *t, bool (*fn)(const struct target_thread *, void *),
			       void *arg)
{
	const struct core *core = ((struct target_core *)t)->core;
	size_t n = core->n_threads;
	int32_t *tids = calloc(n + 1, sizeof(*tids));

	if (tids == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		tids[i] = core->threads[i];
	qsort(tids, n, sizeof(*tids), compare_tids);
	for (size_t i = 0; i < n; i++) {
		const struct target_thread thread = {.tid = tids[i]};

		if (!fn(&thread, arg))
			break;
	}
	free(tids);
	return 0;
}

static int core_target_maps(struct target *t, bool (*fn)(const struct target_map *, void *),
			    void *arg)
{
	const struct core *core = ((struct target_core *)t)->core;

	if (core->maps == NULL)
		return -ENODATA;
	for (uint32_t i = 0; i < core->n_maps; i++) {
		const struct target_map map = {.start = {core->maps[i].start},
					       .size = core->maps[i].size,
					       .offset = core->maps[i].offset,
					       .path = core->maps[i].path};

		if (!fn(&map, arg))
			break;
	}
	return 0;
}

static enum target_state core_target_state(struct target *t)
{
	return TARGET_STOPPED;
}

static void core_target_close(struct target *t)
{
	struct target_core *tc = (struct target_core *)t;

	image_close(tc->image);
	core_close(tc->core);
	free(tc);
}

static int compare_tids(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static int open_core(struct target_core *tc, const char *path, struct why *why)
{
	char *name = tc->base.name;
	size_t size = sizeof(tc->base.name);
	const struct core *core;
	const char *kind;
	int fd;
	int err = core_unpack(path, &fd, why);

	if (err == 0)
		err = core_open(fd, path, &tc->core, why);
	if (err != 0)
		return err;
	core = tc->core;
	kind = core->dump_root != 0 ? "dump" : "core";
	if (core->pid == 0)
		snprintf(name, size, "the core");
	else if (core->signal == 0)
		snprintf(name, size, "%s of process %d", kind, core->pid);
	else
		snprintf(name, size, "%s of process %d (signal %d)", kind, core->pid, core->signal);
	if (core->signal != 0) {
		tc->base.signal = core->signal;
		tc->base.signal_tid = core->threads[0];
	}
	if (core->wanted > core->size)
		fprintf(stderr, "vswsh: %s is cut off: %lu of %lu bytes are there\n", path,
			core->size, core->wanted);
	return 0;
}

static int open_image(struct target_core *tc, const char *path, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	err = image_open(fd, &tc->image);
	if (err == -ENOMEM)
		return why_set(why, err, "out of memory");
	if (err != 0)
		return why_set(why, err, "%s is not a program of this kind of machine", path);
	if (tc->core->entry == 0)
		return why_set(why, -EINVAL,
			       "%s does not tell where its program was loaded; %s is of no use",
			       tc->base.name, path);
	tc->bias = tc->core->entry - image_entry(tc->image);
	return 0;
}

// By the program's headers in the core, else by what the root says.
static int check_build(const struct target_core *tc, const char *path, struct why *why)
{
	uint8_t its[IMAGE_ID_MAX], cores[IMAGE_ID_MAX];
	size_t its_size = image_build_id(tc->image, its);
	size_t size = core_build_id(tc->core, cores);

	if (its_size == 0)
		return why_set(why, -ESTALE, "%s has no build id that would tell its build", path);
	if (size == 0 && root_names_build(tc, its, its_size))
		return 0;
	if (size == 0)
		return why_set(why, -ESTALE,
			       "%s is of build %s, and the root in the core does not name that one",
			       path, id_text(its, its_size).s);
	if (size != its_size || memcmp(its, cores, size) != 0)
		return why_set(why, -ESTALE, "%s is of build %s, but the core's program is of %s",
			       path, id_text(its, its_size).s, id_text(cores, size).s);
	return 0;
}

// Where in the root a build has its id is not known yet.
static bool root_names_build(const struct target_core *tc, const uint8_t *id, size_t size)
{
	struct vsw_root root;

	return core_read(tc->core, tc->root.v, &root, sizeof(root)) == 0 &&
	       memmem(&root, sizeof(root), id, size) != NULL;
}

static struct id_text id_text(const uint8_t *id, size_t size)
{
	struct id_text text = {.s = ""};

	for (size_t i = 0; i < size; i++)
		snprintf(text.s + 2 * i, 3, "%02x", id[i]);
	return text;
}

// By the program's file where there is one.
static int find_root(struct target_core *tc, struct why *why)
{
	tgt_addr addr;
	uint64_t size;

	if (core_target_symbol(&tc->base, VSW_ROOT_SECTION, &addr, &size) == 0 &&
	    core_is_root(tc->core, addr.v))
		tc->root = addr;
	else if (core_find_root(tc->core, &addr.v))
		tc->root = addr;
	else
		return no_root(tc, why);
	return 0;
}

static int no_root(const struct target_core *tc, struct why *why)
{
	const struct core *core = tc->core;

	if (core->wanted > core->size)
		return why_set(why, -ENOEXEC, "%s holds no root of a vswd in what there is of it",
			       tc->base.name);
	if (core->name[0] == '\0' || strcmp(core->name, "vswd") == 0)
		return why_set(why, -ENOEXEC,
			       "%s holds no root of a vswd: it is damaged or left out",
			       tc->base.name);
	return why_set(why, -ENOEXEC, "%s is not vswd's: it is of '%s'", tc->base.name, core->name);
}

static int read_piece(struct target_core *tc, const struct core_piece *piece, uint64_t addr,
		      void *buf, size_t size)
{
	int err;

	switch (piece->kind) {
	case CORE_BYTES:
		err = core_pread(tc->core, piece->offset, buf, size);
		if (err == -ENODATA) // it was there when it was opened
			snprintf(tc->base.gap, sizeof(tc->base.gap),
				 "not in the core, which has become shorter");
		return err;
	case CORE_LEFT_OUT:
		if (tc->image != NULL && image_read(tc->image, addr - tc->bias, buf, size) == 0)
			return 0;
		if (!piece->is_plain || (tc->base.coredump_filter & FILTER_PLAIN) == 0)
			return lacks(tc, piece);
		memset(buf, 0, size);
		return 0;
	case CORE_CUT_OFF:
		return lacks(tc, piece);
	default:
		return -EFAULT;
	}
}

static int lacks(struct target_core *tc, const struct core_piece *piece)
{
	uint32_t filter = tc->base.coredump_filter;
	char *gap = tc->base.gap;
	size_t size = sizeof(tc->base.gap);

	if (piece->kind == CORE_CUT_OFF)
		snprintf(gap, size, "not in the core, which is cut off");
	else if (tc->core->dump_root != 0)
		snprintf(gap, size, "not in the dump");
	else if (filter == 0)
		snprintf(gap, size, "not in the core");
	else if ((filter & FILTER_ALL) != FILTER_ALL)
		snprintf(gap, size, "not in the core: coredump_filter was 0x%x", filter);
	else
		snprintf(gap, size,
			 "not in the core: guest memory, a device, or its filter was not the noted "
			 "0x%x",
			 filter);
	return -ENODATA;
}

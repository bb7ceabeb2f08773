#include "switch/root.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "switch/btf_types.h"

static void root_command_line(int argc, char **argv);
static uint32_t root_coredump_filter(void);
static int root_build_id(struct dl_phdr_info *info, size_t size, void *arg);
static const ElfW(Nhdr) * root_build_id_note(const char *notes, size_t size);

// The magic is there from the first instruction on; the rest is filled in by root_init().
struct vsw_root vsw_root __attribute__((section(VSW_ROOT_SECTION), aligned(64), used)) = {
	.magic = VSW_ROOT_MAGIC,
	.size = sizeof(struct vsw_root),
	.layout = VSW_ROOT_LAYOUT,
	.btf = vsw_btf,
	.version = VSW_VERSION,
	.vswitches_max = CONF_SWITCHES_MAX,
	.procs_max = PROC_MAX,
};

void root_init(const char *run_dir, const char *state_dir, int argc, char **argv)
{
	vsw_root.btf_size = vsw_btf_size;
	vsw_root.pid = getpid();
	vsw_root.start_s = time(NULL);
	vsw_root.tsc_hz = rte_get_tsc_hz();
	vsw_root.start_tsc = rte_rdtsc();
	root_tick();
	snprintf(vsw_root.run_dir, sizeof(vsw_root.run_dir), "%s", run_dir);
	snprintf(vsw_root.state_dir, sizeof(vsw_root.state_dir), "%s", state_dir);
	root_command_line(argc, argv);
	dl_iterate_phdr(root_build_id, NULL);
}

void root_tick(void)
{
	vsw_root.clock_tsc = rte_rdtsc();
	vsw_root.coredump_filter = root_coredump_filter();
}

static void root_command_line(int argc, char **argv)
{
	size_t used = 0;

	for (int i = 0; i < argc && used < sizeof(vsw_root.command_line); i++)
		used += (size_t)snprintf(vsw_root.command_line + used,
					 sizeof(vsw_root.command_line) - used, "%s%s",
					 i > 0 ? " " : "", argv[i]);
}

static uint32_t root_coredump_filter(void)
{
	char text[16];
	ssize_t n;
	int fd = open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return (uint32_t)strtoul(text, NULL, 16);
}

// The first object that dl_iterate_phdr() shows is the program itself.
static int root_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Nhdr) * note;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_NOTE)
			continue;
		note = root_build_id_note((const char *)(info->dlpi_addr + ph->p_vaddr),
					  ph->p_memsz);
		if (note == NULL || note->n_descsz > sizeof(vsw_root.build_id))
			continue;
		// The description follows the name, "GNU" with its zero.
		memcpy(vsw_root.build_id, (const char *)(note + 1) + 4, note->n_descsz);
		vsw_root.build_id_size = note->n_descsz;
		break;
	}
	return 1;
}

static const ElfW(Nhdr) * root_build_id_note(const char *notes, size_t size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)notes;
		size_t whole =
			sizeof(*note) + ((note->n_namesz + 3) & ~3U) + ((note->n_descsz + 3) & ~3U);

		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    memcmp(note + 1, "GNU", 4) == 0)
			return note;
		if (whole > size)
			return NULL;
		notes += whole;
		size -= whole;
	}
	return NULL;
}

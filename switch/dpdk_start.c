#include "switch/dpdk_start.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "ports/log.h"
#include "ports/vnbl.h"
#include "switch/cores.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

enum { ARGS_MAX = 16, SYSFS_PATH_SIZE = 384 };

static const char HUGEPAGES[] = "/sys/kernel/mm/hugepages";

static int keep_off(const struct dpdk_start *start, cpu_set_t *ret, struct errtext *e);
static unsigned long find_hugepages(unsigned memory_mib, unsigned long *free_mib);
static unsigned long read_number(const char *dir, const char *file);
static bool can_map(unsigned long page_kb, unsigned memory_mib);
static void log_memory(unsigned memory_mib, bool no_huge, unsigned long page_kb,
		       unsigned long free_mib);
static void remove_runtime_dir(void);

int dpdk_choose_procs(unsigned x_procs[], unsigned *x_n_procs, struct errtext *e)
{
	int err = cores_init();

	if (err != 0)
		return errtext_set(e, err, "cannot ask for this process's cores: %s",
				   strerror(-err));
	if (*x_n_procs == 0) {
		x_procs[0] = cores_last();
		*x_n_procs = 1;
	}
	for (unsigned i = 0; i < *x_n_procs; i++) {
		err = cores_check(x_procs[i], e);
		if (err != 0)
			return errtext_prefix(e, err, "--procs: ");
	}
	return 0;
}

int dpdk_start(const struct dpdk_start *start, struct errtext *e)
{
	char lcores[CORES_TEXT_SIZE + 8], cpus[CORES_TEXT_SIZE], memory[16];
	char *argv[ARGS_MAX];
	unsigned long page_kb, free_mib = 0;
	cpu_set_t set;
	int argc = 0, err;

	err = keep_off(start, &set, e);
	if (err != 0)
		return err;
	cores_text(&set, cpus, sizeof(cpus));
	snprintf(lcores, sizeof(lcores), "0@(%s)", cpus);
	snprintf(memory, sizeof(memory), "%u", start->memory_mib);
	page_kb = start->no_huge ? 0 : find_hugepages(start->memory_mib, &free_mib);

	argv[argc++] = strdupa("vswd");
	argv[argc++] = strdupa("--lcores");
	argv[argc++] = lcores;
	argv[argc++] = strdupa("-m");
	argv[argc++] = memory;
	argv[argc++] = strdupa("--no-telemetry");
	if (page_kb != 0) {
		argv[argc++] = strdupa("--in-memory");
	} else {
		argv[argc++] = strdupa("--no-huge");
		argv[argc++] = strdupa("--no-shconf");
	}
	// An allow list of nothing: devices are seen, and taken only when a port asks for one.
	argv[argc++] = strdupa(start->pci ? "-a" : "--no-pci");
	if (start->pci)
		argv[argc++] = strdupa("0000:00:00.0");

	setenv("RUNTIME_DIRECTORY", start->run_dir, 1);
	setenv("XDG_RUNTIME_DIR", start->run_dir, 1);
	if (rte_eal_init(argc, argv) < 0)
		return errtext_set(e, -rte_errno, "DPDK does not start: %s (%s)",
				   rte_strerror(rte_errno), log_dpdk_error());
	remove_runtime_dir();
	log_memory(start->memory_mib, start->no_huge, page_kb, free_mib);
	return 0;
}

void dpdk_stop(void)
{
	rte_eal_cleanup();
}

unsigned dpdk_frames(unsigned memory_mib)
{
	return (unsigned)((unsigned long long)memory_mib * (1 << 20) / 4 * 3 / VNBL_MBUF_BYTES);
}

/*
 * Leaves the procs' cores, if there are others. DPDK gives its own threads the cores that the
 * process had before and its lcores do not use: so the process must leave them first.
 */
static int keep_off(const struct dpdk_start *start, cpu_set_t *ret, struct errtext *e)
{
	cpu_set_t ours, rest;

	if (sched_getaffinity(0, sizeof(ours), &ours) != 0)
		return errtext_set(e, -errno, "cannot ask for this process's cores: %s",
				   strerror(errno));
	rest = ours;
	for (unsigned i = 0; i < start->n_procs; i++)
		CPU_CLR(start->procs[i], &rest);
	*ret = CPU_COUNT(&rest) > 0 ? rest : ours;
	if (sched_setaffinity(0, sizeof(*ret), ret) != 0)
		return errtext_set(e, -errno, "cannot leave the procs' cores: %s", strerror(errno));
	return 0;
}

// The size in kB of hugepages of which enough are free; 0 = there are none such.
static unsigned long find_hugepages(unsigned memory_mib, unsigned long *free_mib)
{
	DIR *dir = opendir(HUGEPAGES);
	unsigned long found = 0;
	struct dirent *entry;

	*free_mib = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		unsigned long page_kb, pages, mib;

		if (sscanf(entry->d_name, "hugepages-%lukB", &page_kb) != 1)
			continue;
		pages = read_number(entry->d_name, "free_hugepages");
		mib = pages - read_number(entry->d_name, "resv_hugepages");
		mib = mib > pages ? 0 : mib * page_kb / 1024;
		*free_mib += mib;
		// The smaller pages waste less of what others might want.
		if (mib >= memory_mib && (found == 0 || page_kb < found) &&
		    can_map(page_kb, memory_mib))
			found = page_kb;
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static unsigned long read_number(const char *dir, const char *file)
{
	char path[SYSFS_PATH_SIZE];
	unsigned long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", HUGEPAGES, dir, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

// The kernel may know limits that the counts do not show. Mapping reserves, and touches nothing.
static bool can_map(unsigned long page_kb, unsigned memory_mib)
{
	const int shift = __builtin_ctzl(page_kb) + 10;
	size_t page = (size_t)page_kb * 1024;
	size_t size = ((size_t)memory_mib * (1 << 20) + page - 1) / page * page;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | shift << MAP_HUGE_SHIFT, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, size);
	return true;
}

static void log_memory(unsigned memory_mib, bool no_huge, unsigned long page_kb,
		       unsigned long free_mib)
{
	if (page_kb != 0)
		log_info("memory: %u MiB in hugepages of %lu kB", memory_mib, page_kb);
	else if (no_huge)
		log_info(
			"memory: %u MiB in ordinary pages, as --no-huge asks; copying frames costs "
			"more TLB misses",
			memory_mib);
	else
		log_info(
			"memory: %u MiB in ordinary pages, for only %lu MiB of hugepages are free; "
			"copying frames costs more TLB misses (sysctl vm.nr_hugepages=%u and a "
			"restart would change that)",
			memory_mib, free_mib, memory_mib / 2 + 1);
}

// DPDK makes it even when it is told to put nothing there.
static void remove_runtime_dir(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", rte_eal_get_runtime_dir());
	if (rmdir(path) == 0)
		rmdir(dirname(path));
}

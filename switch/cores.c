#include "switch/cores.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/proc.h"

enum { CORES_SYSFS_SIZE = 64 };

static cpu_set_t ours;
static bool is_known;

static bool is_proc(int tid);

int cores_init(void)
{
	if (is_known)
		return 0;
	if (sched_getaffinity(0, sizeof(ours), &ours) != 0)
		return -errno;
	is_known = true;
	return 0;
}

unsigned cores_last(void)
{
	unsigned last = 0;

	for (unsigned core = 0; core < CPU_SETSIZE; core++)
		last = CPU_ISSET(core, &ours) ? core : last;
	return last;
}

int cores_check(unsigned core, struct errtext *e)
{
	char text[CORES_TEXT_SIZE];

	if (core < CPU_SETSIZE && CPU_ISSET(core, &ours))
		return 0;
	cores_text(&ours, text, sizeof(text));
	return errtext_set(e, -EINVAL, "core %u is none that vswd may use: %.200s", core, text);
}

int cores_node(unsigned core)
{
	char path[CORES_SYSFS_SIZE];
	struct dirent *entry;
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", core);
	dir = opendir(path);
	while (dir != NULL && node < 0 && (entry = readdir(dir)) != NULL)
		if (sscanf(entry->d_name, "node%d", &node) != 1)
			node = -1;
	if (dir != NULL)
		closedir(dir);
	return node;
}

void cores_share(void)
{
	cpu_set_t rest = ours;
	struct dirent *entry;
	DIR *dir;

	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL)
			CPU_CLR(proc_at(i)->core, &rest);
	if (CPU_COUNT(&rest) == 0)
		rest = ours;
	dir = opendir("/proc/self/task");
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int tid = atoi(entry->d_name);

		// One that has ended meanwhile, or may not be moved, is none to care about.
		if (tid > 0 && !is_proc(tid))
			(void)!sched_setaffinity(tid, sizeof(rest), &rest);
	}
	if (dir != NULL)
		closedir(dir);
}

void cores_text(const cpu_set_t *set, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE && used < size; cpu++) {
		int first = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, set))
			cpu++;
		used += (size_t)snprintf(out + used, size - used, "%s%d", used > 0 ? "," : "",
					 first);
		if (cpu > first && used < size)
			used += (size_t)snprintf(out + used, size - used, "-%d", cpu);
	}
}

static bool is_proc(int tid)
{
	for (unsigned i = 0; i < PROC_MAX; i++)
		if (proc_at(i) != NULL && proc_at(i)->tid == tid)
			return true;
	return false;
}

#include "tests/guest/cpuwait.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_THREADS 256u

static bool read_thread(pid_t pid, pid_t tid, struct cpuwait_thread *t_ret);

unsigned cpuwait_threads(pid_t pid, struct cpuwait_thread *threads, unsigned max)
{
	char path[64];
	struct dirent *e;
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	while (n < max && (e = readdir(dir))) {
		if (e->d_name[0] != '.' && read_thread(pid, atoi(e->d_name), &threads[n]))
			n++;
	}
	closedir(dir);
	return n;
}

uint64_t cpuwait_ns(pid_t pid)
{
	struct cpuwait_thread threads[MAX_THREADS];
	unsigned n = cpuwait_threads(pid, threads, MAX_THREADS);
	uint64_t most = 0, waited_ns = 0;

	for (unsigned i = 0; i < n; i++) {
		if (threads[i].ran_ns >= most) {
			most = threads[i].ran_ns;
			waited_ns = threads[i].waited_ns;
		}
	}
	return waited_ns;
}

static bool read_thread(pid_t pid, pid_t tid, struct cpuwait_thread *t_ret)
{
	char file[96];
	bool found;

	snprintf(file, sizeof(file), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
	FILE *f = fopen(file, "re");
	if (!f)
		return false;
	t_ret->tid = tid;
	found = fscanf(f, "%lu %lu", &t_ret->ran_ns, &t_ret->waited_ns) == 2;
	fclose(f);
	return found;
}

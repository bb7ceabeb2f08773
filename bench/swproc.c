#include "bench/swproc.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool read_status(pid_t pid, struct swproc_sample *s);
static void read_times(pid_t pid, struct swproc_sample *s);
static struct cpuwait_thread since(const struct swproc_sample *from,
				   const struct cpuwait_thread *t);
static double seconds(clockid_t clock);

int swproc_sample(pid_t pid, struct swproc_sample *ret)
{
	*ret = (struct swproc_sample){
		.now_s = seconds(CLOCK_MONOTONIC),
		.cpu_s = -1,
		.busiest_s = -1,
		.waited_s = -1,
		.rss_mb = -1,
		.hugepages_mb = -1,
	};
	if (pid == 0)
		return 0;
	if (!read_status(pid, ret))
		return -ESRCH;
	read_times(pid, ret);
	return 0;
}

double swproc_busiest_s(const struct swproc_sample *from, const struct swproc_sample *to)
{
	double most = -1;

	for (unsigned i = 0; i < to->n_threads; i++) {
		double ran_s = 1e-9 * (double)since(from, &to->threads[i]).ran_ns;

		if (ran_s > most)
			most = ran_s;
	}
	return most;
}

double swproc_polling_waited_s(const struct swproc_sample *from, const struct swproc_sample *to)
{
	double waited_s = -1;
	uint64_t most_ns = 0;

	for (unsigned i = 0; i < to->n_threads; i++) {
		struct cpuwait_thread t = since(from, &to->threads[i]);

		if (waited_s >= 0 && t.ran_ns + t.waited_ns <= most_ns)
			continue;
		most_ns = t.ran_ns + t.waited_ns;
		waited_s = 1e-9 * (double)t.waited_ns;
	}
	return waited_s;
}

void swproc_name(pid_t pid, char *name, unsigned size)
{
	char path[64], line[64];
	FILE *f;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL && line[0] != '\n') {
		line[strcspn(line, "\n")] = '\0';
		// A process names itself as it likes.
		for (char *c = line; *c; c++)
			*c = isprint((unsigned char)*c) ? *c : '?';
		snprintf(name, size, "%s", line);
	}
	fclose(f);
}

// False when there is no such process any more.
static bool read_status(pid_t pid, struct swproc_sample *s)
{
	char path[64], line[256], state = 'X';
	unsigned long kb;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "VmRSS: %lu kB", &kb) == 1)
			s->rss_mb = (double)kb / 1024;
		else if (sscanf(line, "HugetlbPages: %lu kB", &kb) == 1)
			s->hugepages_mb = (double)kb / 1024;
		else
			sscanf(line, "State: %c", &state);
	}
	fclose(f);
	return state != 'X' && state != 'Z';
}

static void read_times(pid_t pid, struct swproc_sample *s)
{
	uint64_t most = 0, waited = 0;
	clockid_t clock;

	// Up to the moment, while the threads' own figures are as old as the last timer tick.
	if (clock_getcpuclockid(pid, &clock) == 0)
		s->cpu_s = seconds(clock);
	s->n_threads = cpuwait_threads(pid, s->threads, SWPROC_MAX_THREADS);
	if (s->n_threads == 0)
		return;
	for (unsigned i = 0; i < s->n_threads; i++) {
		most = s->threads[i].ran_ns > most ? s->threads[i].ran_ns : most;
		waited += s->threads[i].waited_ns;
	}
	s->busiest_s = 1e-9 * (double)most;
	s->waited_s = 1e-9 * (double)waited;
}

// What a thread did since an earlier sample, or since it was started.
static struct cpuwait_thread since(const struct swproc_sample *from, const struct cpuwait_thread *t)
{
	struct cpuwait_thread did = *t;

	for (unsigned i = 0; i < from->n_threads; i++) {
		if (from->threads[i].tid != t->tid)
			continue;
		did.ran_ns -= from->threads[i].ran_ns;
		did.waited_ns -= from->threads[i].waited_ns;
	}
	return did;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return -1;
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

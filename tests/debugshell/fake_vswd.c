/*
 * A process that looks like a vswd from outside, with objects made by hand. Says "ready" and waits
 * to be killed; or does not wait but runs in a circle.
 *
 * usage: fake_vswd healthy | damaged | policies | clock | names | hidden | spinning | STATIONS
 *
 *      policies  every port but one has a policy that is damaged
 *      clock     with times
 *      names     ports have names that look like something else, or take more bytes than columns
 *      hidden    the ports of the Internal switch lie where cores may not hold them: one in a
 *                file "shared" that it makes, one in memory that is marked MADV_DONTDUMP
 *      STATIONS  the External switch's table has so many entries
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/debugshell/fake_objects.h"

enum { PAGE = 4096 };

static bool hides;

static void *map(size_t size, int flags, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static void *map_file(size_t size)
{
	int fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		abort();
	return map(size, MAP_SHARED, fd);
}

static void *map_hidden(size_t size)
{
	void *at = map(size, MAP_SHARED | MAP_ANONYMOUS, -1);

	if (madvise(at, size, MADV_DONTDUMP) != 0)
		abort();
	return at;
}

// Tables are mapped, as they are in a vswd: most of them are never written to.
void *fake_memory(size_t size, const char *name)
{
	void *at;

	if (hides && strcmp(name, "int:default") == 0)
		return map_file(PAGE);
	if (hides && strcmp(name, "int:internal") == 0)
		return map_hidden(PAGE);
	if (strcmp(name, "buckets") == 0)
		return map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	at = aligned_alloc(64, (size + 63) / 64 * 64);
	if (at == NULL)
		abort();
	return memset(at, 0, size);
}

int main(int argc, char **argv)
{
	uint32_t stations;

	if (argc != 2)
		return 2;
	hides = strcmp(argv[1], "hidden") == 0;
	root_init("/run/fake", "/var/lib/fake", argc, argv);
	fake_healthy();
	if (strcmp(argv[1], "damaged") == 0)
		fake_damage();
	else if (strcmp(argv[1], "policies") == 0)
		fake_policies();
	else if (strcmp(argv[1], "clock") == 0)
		fake_clock();
	else if (strcmp(argv[1], "names") == 0)
		fake_names();
	stations = (uint32_t)strtoul(argv[1], NULL, 10);
	if (stations > 0)
		fake_stations(stations);
	printf("ready\n");
	fflush(stdout);
	while (strcmp(argv[1], "spinning") == 0)
		;
	for (;;)
		pause();
}

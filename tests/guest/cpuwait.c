#include "tests/guest/cpuwait.h"

#include <dirent.h>
#include <stdio.h>

uint64_t cpuwait_ns(pid_t pid)
{
	char path[64], file[96];
	uint64_t most = 0, waited_ns = 0;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		uint64_t ran, waited;
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%.16s/schedstat", path, e->d_name);
		FILE *f = fopen(file, "re");
		if (!f)
			continue;
		if (fscanf(f, "%lu %lu", &ran, &waited) == 2 && ran >= most) {
			most = ran;
			waited_ns = waited;
		}
		fclose(f);
	}
	closedir(dir);
	return waited_ns;
}

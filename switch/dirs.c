#include "switch/dirs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int dirs_make(const char *dir, mode_t mode, bool *made_ret, struct errtext *e)
{
	size_t size = strlen(dir);
	char path[PATH_MAX];

	if (size == 0 || size >= sizeof(path))
		return errtext_set(e, -ENAMETOOLONG, "a directory's name is empty or too long");
	memcpy(path, dir, size + 1);
	for (char *p = path + 1;; p++) {
		char end = *p;
		bool made;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		made = mkdir(path, end == '/' ? 0755 : mode) == 0;
		if (!made && errno != EEXIST)
			return errtext_set(e, -errno, "cannot make directory %s: %s", path,
					   strerror(errno));
		*p = end;
		if (end != '\0')
			continue;
		if (made_ret != NULL)
			*made_ret = made;
		return 0;
	}
}

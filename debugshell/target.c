#include "debugshell/target.h"

#include <errno.h>
#include <string.h>

const char *tgt_strerror(const struct target *t, int err)
{
	if (err == -EFAULT)
		return "nothing is mapped there";
	if (err == -ENODATA && t->gap[0] != '\0')
		return t->gap;
	return strerror(-err);
}

/*
 * dump: a small core of the target, see dump.h for what is in it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "debugshell/cmd.h"
#include "debugshell/dump.h"
#include "debugshell/dump_elf.h"
#include "debugshell/dump_file.h"
#include "debugshell/print.h"

static void dump_print(const struct shell *sh, const char *path, uint64_t size,
		       const struct dump_sizes *sizes, bool is_torn);
static void quote(const char *path, char *word, size_t size);
static int dump_write(struct shell *sh, struct dump_file *file, struct dump_sizes *ret,
		      bool *x_torn, struct why *why);

int cmd_dump(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct dump_sizes sizes = {.file = 0};
	struct dump_file file;
	uint64_t size = 0;
	bool is_torn = false;
	int err;

	if (argc < 2)
		return why_set(why, -EINVAL,
			       "say where to: dump FILE, or dump FILE.gz to have it compressed");
	err = dump_file_begin(&file, argv[1], why);
	if (err != 0)
		return err;
	err = dump_write(sh, &file, &sizes, &is_torn, why);
	if (err != 0) {
		dump_file_abort(&file);
		return err;
	}
	err = dump_file_commit(&file, &size, why);
	if (err == 0)
		dump_print(sh, argv[1], size, &sizes, is_torn);
	dump_file_end(&file);
	return err;
}

// The file is there, so it is told before a signal can end all.
static void dump_print(const struct shell *sh, const char *path, uint64_t size,
		       const struct dump_sizes *sizes, bool is_torn)
{
	char word[4 * PATH_MAX];

	print_plain("\nDUMP of %s%s\n", sh->target->name, is_torn ? " ~" : "");
	print_torn(is_torn);
	print_row("File", "%s", path);
	print_values("Size", ".", "%lu bytes", size);
	print_values("Memory", "bytes pieces", "%lu bytes in %u pieces: no guest memory, no frames",
		     sizes->memory, sizes->pieces);
	quote(path, word, sizeof(word));
	print_row("Look at it with", "vswsh -z %s", word);
	if (!print_is_json())
		fflush(stdout);
}

// As sh(1) takes it for one word.
static void quote(const char *path, char *word, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+:,@%=";
	size_t n = 0;

	if (path[strspn(path, plain)] == '\0') {
		snprintf(word, size, "%s", path);
		return;
	}
	word[n++] = '\'';
	for (; *path != '\0' && n + 6 < size; path++) {
		const char one[] = {*path, '\0'};

		n += (size_t)snprintf(word + n, size - n, "%s", *path == '\'' ? "'\\''" : one);
	}
	snprintf(word + n, size - n, "'");
}

static int dump_write(struct shell *sh, struct dump_file *file, struct dump_sizes *ret,
		      bool *x_torn, struct why *why)
{
	struct dump dump;
	int err = dump_collect(sh, &dump, why);

	if (err == 0) {
		err = dump_elf_write(sh, &dump, file->raw, ret);
		if (err != 0)
			dump_file_failed(file, err, why);
	}
	*x_torn = dump.is_torn;
	dump_free(&dump);
	return err;
}

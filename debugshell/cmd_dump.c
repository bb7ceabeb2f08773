/*
 * dump: a small core of the target, see dump.h for what is in it.
 */
#include <errno.h>

#include "debugshell/cmd.h"
#include "debugshell/dump.h"
#include "debugshell/dump_elf.h"
#include "debugshell/dump_file.h"
#include "debugshell/print.h"

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
	if (err != 0)
		return err;
	print_plain("\nDUMP of %s%s\n", sh->target->name, is_torn ? " ~" : "");
	print_torn(is_torn);
	print_row("File", "%s", argv[1]);
	print_values("Size", ".", "%lu bytes", size);
	print_values("Memory", "bytes pieces", "%lu bytes in %u pieces: no guest memory, no frames",
		     sizes.memory, sizes.pieces);
	print_row("Look at it with", "vswsh -z %s", argv[1]);
	return 0;
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

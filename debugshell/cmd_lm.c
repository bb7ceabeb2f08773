/*
 * lm and lmi: which files the target runs, and whether its type data is what vswsh needs. The forms
 * are WinDbg's lm and !lmi: the build id stands where that has the GUID of the symbols, the
 * type data (BTF) in the program stands for the symbols.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "debugshell/cmd.h"
#include "debugshell/module.h"
#include "debugshell/print.h"
#include "debugshell/type_match.h"
#include "debugshell/walk.h"

// What can be said of the type data in one sentence, and in a word or two.
struct lm_symbols {
	const char *kind;  // "BTF"
	const char *words; // for lm
	char sentence[512];
	char report[256];
	struct type_match match;
};

static int lm_show(struct shell *sh, const struct modules *modules, const char *word,
		   struct why *why);
static bool lm_is_meant(const struct module *module, const char *word);
static const struct module *lmi_find(const struct modules *modules, const char *word,
				     struct why *why);
static void lmi_show(struct shell *sh, const struct module *module);
static void lmi_header(struct shell *sh, const struct module *module);
static void lmi_time(const struct shell *sh, const struct module *module);
static void lmi_debug_dirs(struct shell *sh, const struct module *module);
static void lmi_type_data(struct shell *sh, const struct module *module);
static void lmi_symbols(struct shell *sh, const struct module *module);
static void symbols_of(struct shell *sh, const struct module *module, struct lm_symbols *ret);
static void symbols_absent(struct shell *sh, struct lm_symbols *ret);
static void symbols_matched(struct shell *sh, struct lm_symbols *ret);
static const char *machine_name(unsigned machine);

static const struct print_column lm_columns[] = {
	{"start", 18},
	{"end", 20},
	{"module name", 0, "name", "%-24s "},
	{"", 0, "type_data", "%-26s "},
	{"", 0, "command"},
};

int cmd_lm(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct modules modules;
	int err = modules_read(sh->target, sh->root_addr, &modules, why);

	if (err == 0)
		err = lm_show(sh, &modules, argc > 1 ? argv[1] : "*", why);
	modules_free(&modules);
	return err;
}

int cmd_lmi(struct shell *sh, int argc, char **argv, struct why *why)
{
	struct modules modules;
	const struct module *module;
	int err = modules_read(sh->target, sh->root_addr, &modules, why);

	if (err == 0) {
		module = lmi_find(&modules, argc > 1 ? argv[1] : "vswd", why);
		if (module != NULL)
			lmi_show(sh, module);
		else
			err = -ENOENT;
	}
	modules_free(&modules);
	return err;
}

static int lm_show(struct shell *sh, const struct modules *modules, const char *word,
		   struct why *why)
{
	struct lm_symbols symbols;
	unsigned shown = 0;

	for (uint32_t i = 0; i < modules->n; i++) {
		const struct module *module = &modules->all[i];
		struct text name = TEXT(module->name);

		if (!lm_is_meant(module, word))
			continue;
		if (shown++ == 0)
			PRINT_TABLE(NULL, lm_columns);
		symbols_of(sh, module, &symbols);
		print_cell_addr(module->start);
		print_cell_addr(tgt_add(module->start, module->size));
		print_cell_text(name);
		print_cell(symbols.words);
		print_cell_fmt("!lmi %s", name.s);
		print_row_end(false);
	}
	if (shown == 0)
		return why_set(why, -ENOENT, "there is no module '%.100s'; lm lists them",
			       print_text(word, strlen(word)).s);
	return 0;
}

// By name with wildcards, or by an address in it.
static bool lm_is_meant(const struct module *module, const char *word)
{
	tgt_addr addr;

	if (fnmatch(word, module->name, 0) == 0)
		return true;
	if (module->is_program && strcmp(word, "vswd") == 0)
		return true;
	return walk_parse_addr(word, &addr) && addr.v - module->start.v < module->size;
}

static const struct module *lmi_find(const struct modules *modules, const char *word,
				     struct why *why)
{
	const struct module *module = modules_find(modules, word);
	tgt_addr addr;

	if (module == NULL && walk_parse_addr(word, &addr))
		module = modules_at(modules, addr);
	if (module == NULL)
		why_set(why, -ENOENT, "there is no module '%.100s'; lm lists them",
			print_text(word, strlen(word)).s);
	return module;
}

static void lmi_show(struct shell *sh, const struct module *module)
{
	print_labels("%15s: ");
	print_plain("Loaded Module Info: [%s] \n", TEXT(module->name).s);
	lmi_header(sh, module);
	lmi_debug_dirs(sh, module);
	print_row("Image Type", "%s",
		  module->has_header ? "MEMORY   - Image read successfully from loaded memory."
				     : "NONE     - Its headers cannot be read.");
	lmi_symbols(sh, module);
	if (module->is_program) {
		print_link("Root", sh->root_addr, "dt vsw_root");
		print_values("Types", "-", "%s", "!dt *   !lm");
	} else {
		print_values("Modules", "-", "%s", "!lm");
	}
	print_labels(NULL);
}

static void lmi_header(struct shell *sh, const struct module *module)
{
	const char *slash = strrchr(module->path, '/');
	const char *file = slash != NULL ? slash + 1 : module->path;
	const Elf64_Ehdr *ehdr = &module->ehdr;

	print_text_row("Module", TEXT(module->name));
	print_row("Base Address", "%016lx", module->start.v);
	print_text_row("Image Name", print_text(file, strlen(file)));
	if (module->has_header)
		print_values("Machine Type", "number name", "%u (%s)", ehdr->e_machine,
			     machine_name(ehdr->e_machine));
	lmi_time(sh, module);
	print_row("Size", "%lx", module->size);
	print_absent("CheckSum", "[None: the build id is one]");
	if (module->has_header)
		print_values("Characteristics", "number name", "%x (%s)", ehdr->e_type,
			     ehdr->e_type == ET_DYN ? "DYN" : "EXEC");
}

// An ELF image carries no date; when the program was started is what comes closest.
static void lmi_time(const struct shell *sh, const struct module *module)
{
	time_t start = (time_t)sh->root->start_s;
	struct tm tm;
	char text[64];

	if (!module->is_program || start == 0 || localtime_r(&start, &tm) == NULL ||
	    strftime(text, sizeof(text), "%a %b %d %H:%M:%S %Y", &tm) == 0)
		print_absent("Time Stamp", "[None: an ELF image carries no date]");
	else
		print_values("Time Stamp", "number date", "%lx %s (when it was started)",
			     (uint64_t)start, text);
}

static void lmi_debug_dirs(struct shell *sh, const struct module *module)
{
	struct text id = {.s = ""};

	print_plain("Debug Data Dirs: Type  Size     VA  Pointer\n");
	for (uint32_t i = 0; i < module->id_size; i++)
		print_append(&id, "%02x", module->id[i]);
	print_labels("%21s ");
	if (module->id_size > 0)
		print_values("BUILDID", "size va pointer build_id",
			     "%5x, %5lx, %7lx GNU - BUILD ID: {%s}", module->id_size,
			     module->id_vaddr, module->id_offset, id.s);
	else
		print_absent("BUILDID", module->has_header ? "[None]" : "[Data not mapped]");
	if (module->is_program) {
		print_labels("%18s: ");
		print_values("Version", "name layout", "%s, Layout: %u", TEXT(sh->root->version).s,
			     sh->root->layout);
		print_labels("%21s ");
		lmi_type_data(sh, module);
	}
	print_labels("%15s: ");
}

static void lmi_type_data(struct shell *sh, const struct module *module)
{
	tgt_addr btf = tgt_ptr(sh->root->btf);
	uint64_t offset = 0;

	if (sh->root->btf_size == 0)
		print_absent("BTF", "[None]");
	else if (!module_offset(module, btf, &offset))
		print_values("BTF", "size address", "%5lx, [Outside of the module: %016lx]",
			     sh->root->btf_size, btf.v);
	else
		print_values("BTF", "size va pointer state", "%5lx, %5lx, %7lx %s",
			     sh->root->btf_size, btf.v - module->start.v, offset,
			     type_db_has_theirs(sh->types) ? "Type data" : "[Data not mapped]");
}

static void lmi_symbols(struct shell *sh, const struct module *module)
{
	struct lm_symbols symbols;
	unsigned missing;

	symbols_of(sh, module, &symbols);
	missing = symbols.match.missing;
	print_values("Symbol Type", "kind sentence", "%s - %s", symbols.kind, symbols.sentence);
	print_extra("path", "%s", TEXT(module->path).s);
	print_plain("%17s%s\n", "", TEXT(module->path).s);
	print_row("Load Report", "%s", symbols.report);
	for (unsigned i = 0; i < missing && i < TYPE_MATCH_NAMES; i++) {
		print_open("missing_fields");
		print_extra("name", "%s", TEXT(symbols.match.names[i]).s);
		print_plain("%17s%s\n", "", TEXT(symbols.match.names[i]).s);
		print_close();
	}
	if (missing > TYPE_MATCH_NAMES)
		print_plain("%17sand %u more\n", "", missing - TYPE_MATCH_NAMES);
	print_extra("fields_missing", "%u", missing);
}

static void symbols_of(struct shell *sh, const struct module *module, struct lm_symbols *ret)
{
	*ret = (struct lm_symbols){.kind = "NONE", .words = "(no type data)"};
	if (!module->is_program) {
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "vswsh needs no type data of this module.");
		snprintf(ret->report, sizeof(ret->report), "no type data");
	} else if (type_match(sh->types, &ret->match) != 0) {
		symbols_absent(sh, ret);
	} else {
		symbols_matched(sh, ret);
	}
}

static void symbols_absent(struct shell *sh, struct lm_symbols *ret)
{
	const char *why = "The target carries no type data: its compiler makes none.";

	if (type_db_has_theirs(sh->types))
		why = "This vswsh was built without type data and cannot compare.";
	else if (sh->root->btf_size > 0)
		why = "The type data is damaged, or not in the core.";
	snprintf(ret->sentence, sizeof(ret->sentence), "%s", why);
	snprintf(ret->report, sizeof(ret->report),
		 "read as if it were of this vswsh's build (version %s)", VSW_VERSION);
}

static void symbols_matched(struct shell *sh, struct lm_symbols *ret)
{
	const struct type_match *match = &ret->match;

	ret->kind = "BTF";
	ret->words = "(type data loaded)";
	snprintf(ret->sentence, sizeof(ret->sentence),
		 "Symbols loaded successfully from image header.");
	if (match->missing > 0) {
		ret->words = "(type data differs)";
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "Symbols loaded, but %u fields that vswsh knows are missing.",
			 match->missing);
	}
	if (match->alike == match->structs)
		snprintf(ret->report, sizeof(ret->report),
			 "type data, %u structs, laid out as in this vswsh", match->structs);
	else
		snprintf(ret->report, sizeof(ret->report),
			 "type data, %u structs, %u of them read by field name: version %.32s, "
			 "vswsh "
			 "is %s",
			 match->structs, match->structs - match->alike, TEXT(sh->root->version).s,
			 VSW_VERSION);
}

static const char *machine_name(unsigned machine)
{
	return machine == EM_X86_64 ? "X64" : "?";
}

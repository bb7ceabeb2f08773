#include "debugshell/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/line.h"

enum { ADDR_DIGITS = 16, ADDR_LOW_DIGITS = 8 };

// Words in capitals in the usage of commands.
static const struct {
	const char *word;
	enum complete_kind kind;
} kinds[] = {
	{"COMMAND", COMPLETE_COMMANDS},   {"VSWITCH", COMPLETE_SWITCHES}, {"VPORT", COMPLETE_PORTS},
	{"VNIC", COMPLETE_NICS},          {"PORT", COMPLETE_NICS},        {"PROC", COMPLETE_PROCS},
	{"FDB", COMPLETE_FDBS},           {"MOPEN", COMPLETE_MOPENS},     {"TYPE", COMPLETE_TYPES},
	{"MINIPORT", COMPLETE_MINIPORTS}, {"MODULE", COMPLETE_MODULES},   {"FILE", COMPLETE_FILES},
};

static bool keep_before(struct complete *c, const struct line_word *word);
static unsigned kind_of(const char *word, size_t length);
static bool addr_matches(const char *word, const char *digits);
static void add(struct complete *c, const char *found);
static int compare(const void *a, const void *b);

bool complete_init(struct complete *c, const char *line, size_t length)
{
	char copy[COMPLETE_WORDS_MAX * COMPLETE_WORD_SIZE];
	const char *at = copy;
	struct line_word word;
	enum line_token token;

	memset(c, 0, sizeof(*c));
	c->word = c->raw;
	if (length >= sizeof(copy))
		return false;
	memcpy(copy, line, length);
	copy[length] = '\0';
	// The word that ends at the cursor is the one to complete, unless its quote ended.
	while ((token = line_next(&at, &word)) == LINE_WORD && (*at != '\0' || at[-1] == '"'))
		if (!keep_before(c, &word))
			return false;
	if (token == LINE_PIPE || c->n_before == COMPLETE_WORDS_MAX)
		return false;
	if (token == LINE_END)
		return true;
	if (strlen(word.start) >= sizeof(c->raw))
		return false;
	snprintf(c->raw, sizeof(c->raw), "%s", word.start);
	c->is_quoted = word.text != word.start;
	c->word = c->raw + c->is_quoted;
	return true;
}

void complete_free(struct complete *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->found[i]);
	free(c->found);
	c->found = NULL;
	c->n = 0;
}

unsigned complete_kinds(const char *usage)
{
	unsigned all = 0;

	while (*usage != '\0') {
		size_t length = 0;

		while (isupper((unsigned char)usage[length]))
			length++;
		all |= kind_of(usage, length);
		usage += length > 0 ? length : 1;
	}
	return all;
}

unsigned complete_n_args(const struct complete *c)
{
	unsigned n = 0;

	for (unsigned i = 1; i < c->n_before; i++) {
		bool is_depth = strcmp(c->before[i - 1], "-r") == 0 &&
				isdigit((unsigned char)c->before[i][0]);

		n += c->before[i][0] != '-' && !is_depth;
	}
	return n;
}

void complete_offer(struct complete *c, const char *name, bool is_whole)
{
	bool quotes = c->is_quoted || strpbrk(name, " \t|") != NULL;
	char found[2 * COMPLETE_WORD_SIZE];

	// There is no way to write a quote in a word.
	if (name[0] == '\0' || strlen(name) >= COMPLETE_WORD_SIZE || strchr(name, '"') != NULL ||
	    strncmp(name, c->word, strlen(c->word)) != 0)
		return;
	snprintf(found, sizeof(found), "%s%s%s", quotes ? "\"" : "", name,
		 quotes && is_whole ? "\"" : "");
	add(c, found);
}

void complete_offer_addr(struct complete *c, tgt_addr addr, bool is_named)
{
	const char *word = c->word;
	bool has_0x = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	char digits[ADDR_DIGITS + 1];
	char found[ADDR_DIGITS + 4];
	size_t zeros;

	// One digit may well be the beginning of a number.
	if (addr.v == 0 || c->is_quoted || (strlen(word) < 2 && (is_named || word[0] != '\0')))
		return;
	snprintf(digits, sizeof(digits), "%016lx", addr.v);
	zeros = strspn(digits, "0");
	word += has_0x ? 2 : 0;
	if (!addr_matches(word, digits) && !addr_matches(word, digits + zeros))
		return;
	snprintf(found, sizeof(found), "%s%.8s%s%s", has_0x ? "0x" : "", digits,
		 strchr(word, '`') != NULL ? "`" : "", digits + ADDR_DIGITS - ADDR_LOW_DIGITS);
	add(c, found);
}

void complete_offer_options(struct complete *c, const char *usage)
{
	char option[COMPLETE_WORD_SIZE];

	if (c->word[0] != '-')
		return;
	while ((usage = strpbrk(usage, " [")) != NULL) {
		size_t length = strcspn(++usage, " ]");

		if (usage[0] != '-' || length >= sizeof(option))
			continue;
		snprintf(option, sizeof(option), "%.*s", (int)length, usage);
		complete_offer(c, option, true);
	}
}

void complete_sort(struct complete *c)
{
	unsigned kept = 0;

	if (c->n == 0)
		return;
	qsort(c->found, c->n, sizeof(c->found[0]), compare);
	for (unsigned i = 1; i < c->n; i++)
		if (strcmp(c->found[i], c->found[kept]) == 0)
			free(c->found[i]);
		else
			c->found[++kept] = c->found[i];
	c->n = kept + 1;
}

size_t complete_common(const struct complete *c)
{
	size_t common = c->n > 0 ? strlen(c->found[0]) : 0;

	for (unsigned i = 1; i < c->n; i++) {
		size_t same = 0;

		while (same < common && c->found[i][same] == c->found[0][same])
			same++;
		common = same;
	}
	// Not in the middle of a character of UTF-8.
	while (common > 0 && ((unsigned char)c->found[0][common] & 0xc0) == 0x80)
		common--;
	return common;
}

static bool keep_before(struct complete *c, const struct line_word *word)
{
	if (c->n_before == COMPLETE_WORDS_MAX || word->length >= COMPLETE_WORD_SIZE)
		return false;
	memcpy(c->before[c->n_before++], word->text, word->length);
	return true;
}

static unsigned kind_of(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].word) == length && memcmp(kinds[i].word, word, length) == 0)
			return kinds[i].kind;
	return 0;
}

// Whether 'word', which may have a ` somewhere, begins 'digits'.
static bool addr_matches(const char *word, const char *digits)
{
	for (; *word != '\0'; word++) {
		if (*word == '`')
			continue;
		if (tolower((unsigned char)*word) != *digits++)
			return false;
	}
	return true;
}

static void add(struct complete *c, const char *found)
{
	if (c->found == NULL)
		c->found = calloc(COMPLETE_MAX, sizeof(c->found[0]));
	if (c->found == NULL || c->n == COMPLETE_MAX)
		return;
	c->found[c->n] = strdup(found);
	if (c->found[c->n] != NULL)
		c->n++;
}

static int compare(const void *a, const void *b)
{
	const char *one = *(char *const *)a;
	const char *other = *(char *const *)b;

	// Addresses, whose digits are no decimal numbers.
	if (one[0] == '0' && other[0] == '0')
		return strcmp(one, other);
	return strverscmp(one, other);
}

#include "debugshell/line.h"

#include <errno.h>
#include <string.h>

enum line_token line_next(const char **at, struct line_word *word)
{
	const char *start = *at + strspn(*at, " \t");
	enum line_token token = LINE_WORD;
	bool quoted = *start == '"';

	*at = start;
	if (*start == '\0')
		return LINE_END;
	if (*start == '|') {
		*at = start + 1;
		return LINE_PIPE;
	}
	word->start = start;
	word->text = start + quoted;
	word->length = strcspn(word->text, quoted ? "\"" : " \t|");
	*at = word->text + word->length;
	if (quoted && **at == '\0')
		token = LINE_OPEN;
	else if (quoted)
		++*at;
	return token;
}

int line_split(char *line, char **words, int max, char **x_program)
{
	const char *at = line;
	struct line_word word;
	enum line_token token;
	char *end = NULL;
	int n = 0;

	*x_program = NULL;
	while ((token = line_next(&at, &word)) == LINE_WORD) {
		if (n == max)
			return -E2BIG;
		// Not before what comes next was looked at: it may begin in this very byte.
		if (end != NULL)
			*end = '\0';
		words[n] = line + (word.text - line);
		end = words[n++] + word.length;
	}
	if (end != NULL)
		*end = '\0';
	if (token == LINE_PIPE)
		*x_program = line + (at - line);
	return token == LINE_OPEN ? -EINVAL : n;
}

bool line_is_empty(const char *line)
{
	struct line_word word;

	return line_next(&line, &word) == LINE_END;
}

bool line_is_quit(const char *line)
{
	static const char *const words[] = {"q", "quit", "exit"};
	struct line_word word;

	if (line_next(&line, &word) != LINE_WORD)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word.length == strlen(words[i]) &&
		    memcmp(word.text, words[i], word.length) == 0)
			return true;
	return false;
}

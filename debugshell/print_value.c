#include "debugshell/print.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool key_word_begins(const char *label, size_t i);
static size_t utf8_length(const uint8_t *at, size_t size);

struct text print_text(const char *from, size_t size)
{
	const uint8_t *at = (const uint8_t *)from;
	struct text text;
	size_t used = 0;

	size = strnlen(from, size);
	if (size > sizeof(text.s) - 1)
		size = sizeof(text.s) - 1;
	while (used < size) {
		size_t n = utf8_length(at + used, size - used);

		if (n == 0)
			text.s[used++] = '.';
		else
			memcpy(text.s + used, at + used, n);
		used += n;
	}
	text.s[used] = '\0';
	return text;
}

void print_append(struct text *text, const char *fmt, ...)
{
	size_t length = strlen(text->s);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text->s + length, sizeof(text->s) - length, fmt, ap);
	va_end(ap);
}

struct text print_mac(const uint8_t mac[6])
{
	struct text text;

	snprintf(text.s, sizeof(text.s), "%02X-%02X-%02X-%02X-%02X-%02X", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

struct text print_duration(double seconds)
{
	struct text text;

	if (seconds < 0)
		snprintf(text.s, sizeof(text.s), "?");
	else if (seconds < 1e-3)
		snprintf(text.s, sizeof(text.s), "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(text.s, sizeof(text.s), "%.0f ms", seconds * 1e3);
	else if (seconds < 600)
		snprintf(text.s, sizeof(text.s), "%.1f s", seconds);
	else if (seconds < 1e10)
		snprintf(text.s, sizeof(text.s), "%.0f h %02.0f min",
			 (double)((long)seconds / 3600), (double)((long)seconds % 3600 / 60));
	else
		snprintf(text.s, sizeof(text.s), "?");
	return text;
}

struct text print_wall_clock(int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct text text;
	struct tm tm;

	if (seconds == 0)
		snprintf(text.s, sizeof(text.s), "[Never]");
	else if (localtime_r(&when, &tm) == NULL ||
		 strftime(text.s, sizeof(text.s), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text.s, sizeof(text.s), "?");
	return text;
}

struct text print_key(const char *label)
{
	struct text key = {.s = ""};
	size_t used = 0;

	for (size_t i = 0; label[i] != '\0' && used < sizeof(key.s) - 2; i++) {
		unsigned char c = (unsigned char)label[i];

		if (c == '\'')
			continue;
		if (!isascii(c) || !isalnum(c)) {
			if (used > 0 && key.s[used - 1] != '_')
				key.s[used++] = '_';
			continue;
		}
		if (key_word_begins(label, i))
			key.s[used++] = '_';
		key.s[used++] = (char)tolower(c);
	}
	while (used > 0 && key.s[used - 1] == '_')
		used--;
	key.s[used] = '\0';
	if (used == 0)
		print_append(&key, "value");
	return key;
}

// At a capital behind a word of more than one small letter, so that "vSwitch" is one word, as is
// "QoS", and at the last capital of several before a small one: "MACAddress", but not "VMQs".
static bool key_word_begins(const char *label, size_t i)
{
	const unsigned char *at = (const unsigned char *)label + i;

	if (i == 0 || !isupper(at[0]))
		return false;
	if (islower(at[-1]))
		return i > 1 && isalpha(at[-2]) && islower(at[1]);
	return isupper(at[-1]) && i > 1 && islower(at[1]) && at[1] != 's';
}

// Bytes of the printable character at 'at'; 0 for a control character or what is not UTF-8.
static size_t utf8_length(const uint8_t *at, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t n;

	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	n = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || n > size)
		return 0;
	code = at[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	// Below 0xa0 are control characters once more; surrogates are not characters.
	return code >= least[n] && code >= 0xa0 && (code < 0xd800 || code > 0xdfff) ? n : 0;
}

#include "debugshell/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ports/drops.h"
#include "ports/object_types.h"
#include "ports/vhost_types.h"
#include "ports/vnic_types.h"
#include "ports/vport_types.h"
#include "switch/proc_types.h"
#include "switch/vswitch_types.h"

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

void print_title(const char *title, tgt_addr addr, bool torn)
{
	printf("\n%s %016lx %s\n", title, addr.v, torn ? "~" : " ");
}

void print_section(const char *title)
{
	printf("\n%s\n\n", title);
}

void print_row(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("    %-19s", label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void print_text_row(const char *label, struct text text)
{
	print_row(label, "%s", text.s[0] != '\0' ? text.s : "[None]");
}

void print_link(const char *label, tgt_addr addr, const char *command)
{
	if (addr.v == 0)
		print_row(label, "[None]");
	else
		print_row(label, "%016lx   !%s %016lx", addr.v, command, addr.v);
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

#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return text;

#define NAME_FUNCTION(function, TABLE)                                                             \
	const char *function(unsigned number)                                                      \
	{                                                                                          \
		switch (number) {                                                                  \
			TABLE(X)                                                                   \
		default:                                                                           \
			return "?";                                                                \
		}                                                                                  \
	}

NAME_FUNCTION(name_vport_type, VPORT_TYPES)
NAME_FUNCTION(name_vport_state, VPORT_STATES)
NAME_FUNCTION(name_monitor_mode, VPORT_MONITOR_MODES)
NAME_FUNCTION(name_vnic_kind, VNIC_KINDS)
NAME_FUNCTION(name_vnic_state, VNIC_STATES)
NAME_FUNCTION(name_protocol_state, VSWITCH_PROTOCOL_STATES)
NAME_FUNCTION(name_miniport_state, VSWITCH_MINIPORT_STATES)
NAME_FUNCTION(name_proc_stage, PROC_STAGES)
NAME_FUNCTION(name_drop_text, DROP_REASONS)
NAME_FUNCTION(name_vhost_use, VHOST_USES)
NAME_FUNCTION(name_virtq_break, VIRTQ_BREAKS)
#undef X

// These two tables have another order of columns, or give the name instead of the text.
#define X(number, name, text)                                                                      \
	case number:                                                                               \
		return #name;
NAME_FUNCTION(name_drop, DROP_REASONS)
#undef X

#define X(name, number, text)                                                                      \
	case number:                                                                               \
		return text;
NAME_FUNCTION(name_object_type, OBJECT_TYPES)
#undef X

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

/*
 * The formats of print.h, taken apart: what is one text for a person are values for a program.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct print_conv {
	char type;      // d u x c s f
	unsigned longs; // l, ll or z before it
	bool zeros;     // the flag 0
	bool star_width, star_precision;
	int width;
	int precision;  // -1: none
	bool behind_0x; // "0x" stands right before it
};

// The value of one conversion.
struct print_value {
	bool is_number; // else it is a string
	char s[2048];   // as printed, without the blanks of its width
};

// The next conversion in 'fmt', and what is behind it; NULL: there is no more.
const char *print_conv_next(const char *fmt, struct print_conv *ret);

// Takes what belongs to the conversion from 'ap'. Type and lengths are those that the compiler
// has checked.
void print_conv_value(const struct print_conv *conv, va_list *ap, struct print_value *ret);

// Whether it is one %d, %u or %f and nothing else.
bool print_format_is_number(const char *fmt);

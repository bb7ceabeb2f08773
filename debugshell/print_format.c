#include "debugshell/print_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *take_size(const char *at, int *ret, bool *star);
static void take_signed(const struct print_conv *conv, va_list *ap, struct print_value *ret);
static void take_unsigned(const struct print_conv *conv, int width, va_list *ap,
			  struct print_value *ret);

const char *print_conv_next(const char *fmt, struct print_conv *ret)
{
	const char *at = strchr(fmt, '%');

	while (at != NULL && at[1] == '%')
		at = strchr(at + 2, '%');
	if (at == NULL)
		return NULL;
	*ret = (struct print_conv){
		.precision = -1,
		.behind_0x = at - fmt >= 2 && at[-1] == 'x' && at[-2] == '0',
	};
	for (at++; *at != '\0' && strchr("-+ #0", *at) != NULL; at++)
		ret->zeros |= *at == '0';
	at = take_size(at, &ret->width, &ret->star_width);
	if (*at == '.')
		at = take_size(at + 1, &ret->precision, &ret->star_precision);
	for (; *at == 'l' || *at == 'z' || *at == 'h'; at++)
		ret->longs += *at != 'h';
	ret->type = *at == 'i' ? 'd' : *at;
	return *at != '\0' ? at + 1 : at;
}

void print_conv_value(const struct print_conv *conv, va_list *ap, struct print_value *ret)
{
	int width = conv->star_width ? va_arg(*ap, int) : conv->width;
	int precision = conv->star_precision ? va_arg(*ap, int) : conv->precision;

	ret->is_number = conv->type == 'd' || conv->type == 'u' || conv->type == 'f';
	switch (conv->type) {
	case 'd':
		take_signed(conv, ap, ret);
		break;
	case 'u':
	case 'x':
		take_unsigned(conv, width, ap, ret);
		break;
	case 'f':
		snprintf(ret->s, sizeof(ret->s), "%.*f", precision, va_arg(*ap, double));
		break;
	case 'c':
		snprintf(ret->s, sizeof(ret->s), "%c", va_arg(*ap, int));
		break;
	case 's':
		snprintf(ret->s, sizeof(ret->s), "%.*s", precision, va_arg(*ap, const char *));
		break;
	default:
		abort();
	}
}

bool print_format_is_number(const char *fmt)
{
	struct print_conv conv;
	const char *end;

	if (fmt[0] != '%')
		return false;
	end = print_conv_next(fmt, &conv);
	return end != NULL && *end == '\0' &&
	       (conv.type == 'd' || conv.type == 'u' || conv.type == 'f');
}

static const char *take_size(const char *at, int *ret, bool *star)
{
	char *end;

	*star = *at == '*';
	if (*star)
		return at + 1;
	*ret = (int)strtol(at, &end, 10);
	return end;
}

static void take_signed(const struct print_conv *conv, va_list *ap, struct print_value *ret)
{
	long long value = conv->longs == 0   ? va_arg(*ap, int)
			  : conv->longs == 1 ? va_arg(*ap, long)
					     : va_arg(*ap, long long);

	snprintf(ret->s, sizeof(ret->s), "%lld", value);
}

static void take_unsigned(const struct print_conv *conv, int width, va_list *ap,
			  struct print_value *ret)
{
	unsigned long long value = conv->longs == 0   ? va_arg(*ap, unsigned)
				   : conv->longs == 1 ? va_arg(*ap, unsigned long)
						      : va_arg(*ap, unsigned long long);

	if (conv->type == 'u')
		snprintf(ret->s, sizeof(ret->s), "%llu", value);
	else
		snprintf(ret->s, sizeof(ret->s), "%s%0*llx", conv->behind_0x ? "0x" : "",
			 conv->zeros ? width : 0, value);
}

/*
 * How the values of options are read.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "bench/options.h"
#include "bench/options_draft.h"

struct suffix {
	const char *name;
	double factor;
};

static bool read_integer(const char *value, double min, double max, unsigned *ret);
static bool read_real(const char *value, const struct suffix *suffixes, double *ret);
static int wrong_integer(const struct options_row *row, const char *value, struct errtext *e);
static void *field(const struct options_row *row, struct options_draft *d);

int options_flag(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	*(bool *)field(row, d) = true;
	return 0;
}

int options_no_ceiling(const struct options_row *row, const char *value, struct options_draft *d,
		       struct errtext *e)
{
	d->no_ceiling = true;
	return 0;
}

int options_number(const struct options_row *row, const char *value, struct options_draft *d,
		   struct errtext *e)
{
	if (!read_integer(value, row->min, row->max, field(row, d)))
		return wrong_integer(row, value, e);
	return 0;
}

int options_power(const struct options_row *row, const char *value, struct options_draft *d,
		  struct errtext *e)
{
	unsigned *n = field(row, d);

	if (!read_integer(value, row->min, row->max, n) || (*n & (*n - 1)) != 0)
		return errtext_set(e, -EINVAL, "--%s: '%s' is not a power of two from %.0f to %.0f",
				   row->name, value, row->min, row->max);
	return 0;
}

int options_core(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	unsigned n;

	if (!read_integer(value, 0, CPU_SETSIZE - 1, &n))
		return errtext_set(e, -EINVAL, "--%s: '%s' is not the number of a core", row->name,
				   value);
	*(int *)field(row, d) = (int)n;
	return 0;
}

int options_seconds(const struct options_row *row, const char *value, struct options_draft *d,
		    struct errtext *e)
{
	static const struct suffix units[] = {{"", 1},   {"s", 1},    {"ms", 1e-3},
					      {"m", 60}, {"h", 3600}, {NULL}};
	double s;

	if (!read_real(value, units, &s) || s < row->min || s > row->max)
		return errtext_set(e, -EINVAL,
				   "--%s: '%s' is not a time like 0.5, 300ms, 60s, 10m or 2h, from "
				   "%g s to %g s",
				   row->name, value, row->min, row->max);
	*(double *)field(row, d) = s;
	return 0;
}

int options_rate(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	static const struct suffix units[] = {{"", 1},    {"k", 1e3}, {"K", 1e3},
					      {"M", 1e6}, {"G", 1e9}, {NULL}};
	double pps;

	if (!read_real(value, units, &pps) || pps < 0.01 || pps > 1e10)
		return errtext_set(
			e, -EINVAL,
			"--%s: '%s' is not a rate like 300k, 1.5M or 2000000 (frames per "
			"second, more than 0)",
			row->name, value);
	*(double *)field(row, d) = pps;
	return 0;
}

int options_part(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	static const struct suffix units[] = {{"", 1}, {"%", 1}, {NULL}};
	double percent;

	if (!read_real(value, units, &percent) || percent < 100 * row->min ||
	    percent > 100 * row->max)
		return errtext_set(e, -EINVAL, "--%s: '%s' is not a percentage from %g to %g",
				   row->name, value, 100 * row->min, 100 * row->max);
	*(double *)field(row, d) = percent / 100;
	return 0;
}

int options_text(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	if (value[0] == '\0')
		return errtext_set(e, -EINVAL, "--%s: is empty", row->name);
	*(const char **)field(row, d) = value;
	return 0;
}

int options_size(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	if (strcmp(value, "imix") == 0) {
		d->o.size = GEN_IMIX;
		return 0;
	}
	if (!read_integer(value, GEN_MIN_FRAME, GEN_MAX_FRAME, &d->o.size))
		return errtext_set(e, -EINVAL,
				   "--size: '%s' is neither a number of bytes from %u to %u nor "
				   "'imix'",
				   value, GEN_MIN_FRAME, GEN_MAX_FRAME);
	return 0;
}

int options_macs(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	if (!read_integer(value, row->min, row->max, &d->o.src_macs))
		return wrong_integer(row, value, e);
	d->o.dst_macs = d->o.src_macs;
	return 0;
}

int options_vlan(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	unsigned n;

	if (!read_integer(value, row->min, row->max, &n))
		return wrong_integer(row, value, e);
	d->o.vlan = (uint16_t)n;
	return 0;
}

int options_pcp(const struct options_row *row, const char *value, struct options_draft *d,
		struct errtext *e)
{
	unsigned n;

	if (!read_integer(value, row->min, row->max, &n))
		return wrong_integer(row, value, e);
	d->o.pcp = (uint8_t)n;
	return 0;
}

int options_loads(const struct options_row *row, const char *value, struct options_draft *d,
		  struct errtext *e)
{
	static const struct suffix units[] = {{"", 1}, {"%", 1}, {NULL}};
	const char *at = value;

	// A list; several options make one list, too.
	for (;;) {
		char one[32];
		size_t length = strcspn(at, ",");
		double percent = 0;

		if (length < sizeof(one)) {
			memcpy(one, at, length);
			one[length] = '\0';
		}
		if (length >= sizeof(one) || !read_real(one, units, &percent) ||
		    percent < row->min || percent > row->max)
			return errtext_set(e, -EINVAL,
					   "--%s: '%s' is not a list of percentages like 10,50,90",
					   row->name, value);
		if (d->o.n_loads == BENCH_MAX_LOADS)
			return errtext_set(e, -EINVAL, "--%s: at most %u loads", row->name,
					   BENCH_MAX_LOADS);
		d->o.loads[d->o.n_loads++] = percent;
		if (at[length] == '\0')
			return 0;
		at += length + 1;
	}
}

int options_guest(const struct options_row *row, const char *value, struct options_draft *d,
		  struct errtext *e)
{
	struct bench_options *o = &d->o;
	const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (o->n_guests == GEN_MAX_GUESTS)
		return errtext_set(e, -EINVAL, "--guest: at most %u guests", GEN_MAX_GUESTS);
	if (value[0] == '\0')
		return errtext_set(e, -EINVAL, "--guest: the name of a socket is empty");
	if (strlen(value) >= room)
		return errtext_set(e, -EINVAL,
				   "--guest: '%.60s...' is too long: a socket's name has at most "
				   "%zu bytes",
				   value, room - 1);
	o->server[o->n_guests] = d->server;
	o->sockets[o->n_guests++] = value;
	return 0;
}

int options_ports(const struct options_row *row, const char *value, struct options_draft *d,
		  struct errtext *e)
{
	if (!read_integer(value, row->min, row->max, &d->ports))
		return wrong_integer(row, value, e);
	return 0;
}

int options_role(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	d->server = row->min != 0;
	return 0;
}

int options_kind(const struct options_row *row, const char *value, struct options_draft *d,
		 struct errtext *e)
{
	enum gen_kind kind = (enum gen_kind)row->min;

	if (d->o.kind_set && d->o.kind != kind)
		return errtext_set(e, -EINVAL, "--%s and --%s exclude each other",
				   options_kind_name(d->o.kind), row->name);
	d->o.kind = kind;
	d->o.kind_set = true;
	return 0;
}

int options_pattern(const struct options_row *row, const char *value, struct options_draft *d,
		    struct errtext *e)
{
	static const enum options_id ids[] = {OPT_TWO_WAY, OPT_ONE_WAY, OPT_MESH};

	for (unsigned i = 0; i < 3; i++)
		if (options_given(d, ids[i]) && ids[i] != row->id)
			return errtext_set(e, -EINVAL,
					   "--two-way, --one-way and --mesh exclude each other");
	d->o.pattern = (enum bench_pattern)row->min;
	return 0;
}

const char *options_kind_name(enum gen_kind kind)
{
	static const char *const names[] = {
		[GEN_STATIC] = "static",
		[GEN_STAMP] = "stamp",
		[GEN_TOUCH] = "touch",
		[GEN_VERIFY] = "verify",
	};

	return names[kind];
}

static int wrong_integer(const struct options_row *row, const char *value, struct errtext *e)
{
	return errtext_set(e, -EINVAL, "--%s: '%s' is not a number from %.0f to %.0f", row->name,
			   value, row->min, row->max);
}

// Digits and nothing else; '*ret' stays when it is wrong.
static bool read_integer(const char *value, double min, double max, unsigned *ret)
{
	size_t digits = strspn(value, "0123456789");
	double n = strtod(value, NULL);

	if (digits == 0 || value[digits] != '\0' || n < min || n > max)
		return false;
	*ret = (unsigned)n;
	return true;
}

// Digits with at most one point among them, and one of the suffixes.
static bool read_real(const char *value, const struct suffix *suffixes, double *ret)
{
	size_t whole = strspn(value, "0123456789");
	size_t length = whole + (value[whole] == '.');

	length += strspn(value + length, "0123456789");
	if (length == 0 || length > 40 || (length == 1 && value[0] == '.'))
		return false;
	for (const struct suffix *s = suffixes; s->name != NULL; s++) {
		if (strcmp(value + length, s->name) == 0) {
			char digits[48];

			memcpy(digits, value, length);
			digits[length] = '\0';
			*ret = strtod(digits, NULL) * s->factor;
			return true;
		}
	}
	return false;
}

static void *field(const struct options_row *row, struct options_draft *d)
{
	return (char *)&d->o + row->field;
}

#include "bench/samples.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Metrics of which less is better, by the first word of their names: latency_p50.
static const char *const lower_names[] = {
	"latency", "loss", "lost", "cycles", "blackout", "gap", "cpu", "rss", "waited",
};

static int add_object(struct samples *s, json_t *object, struct samples_error *e);
static int add_names(struct samples *s, json_t *object, struct sample *sample,
		     struct samples_error *e);
static int take_text(json_t *object, const char *key, const char **ret, struct samples_error *e);
static int take_number(json_t *object, const char *key, double *ret, struct samples_error *e);
static int take_flags(json_t *object, struct sample *sample, struct samples_error *e);
static int describe_metric(struct samples_name *m, json_t *object, struct samples_error *e);
static int describe_point(struct samples *s, struct samples_name *p, json_t *object, bool is_new,
			  struct samples_error *e);
static bool is_lower_by_name(const char *name);
static double number_in_name(const char *name, const char *key);
static int intern(struct samples_names *names, const char *name, unsigned *ret,
		  struct samples_error *e);
static void free_names(struct samples_names *names);
static int append(struct samples *s, const struct sample *sample);
static int compare_place(const struct sample *a, const struct sample *b);
static int by_place(const void *a, const void *b);
static int wrong(struct samples_error *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void samples_init(struct samples *s, const char *x_key)
{
	*s = (struct samples){.x_key = x_key};
}

void samples_fini(struct samples *s)
{
	free_names(&s->switches);
	free_names(&s->metrics);
	free_names(&s->points);
	free(s->all);
}

int samples_add(struct samples *s, const char *line, size_t size, struct samples_error *e)
{
	json_error_t json;
	json_t *object;
	int ret;

	while (size > 0 && memchr(" \t\r", line[size - 1], 3) != NULL)
		size--;
	if (size == 0)
		return 0;
	object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &json);
	if (object == NULL)
		return wrong(e, "column %d: %s", json.column > 0 ? json.column : 1, json.text);
	if (json_is_object(object))
		ret = add_object(s, object, e);
	else
		ret = wrong(e, "this is no JSON object");
	json_decref(object);
	return ret;
}

int samples_read(struct samples *s, FILE *f, const char *name, struct samples_error *e)
{
	struct samples_error line_error;
	size_t room = 0, n_line = 0;
	char *line = NULL;
	ssize_t size;
	int ret = 0;

	while (ret == 0 && (size = getline(&line, &room, f)) >= 0) {
		n_line++;
		if (size > 0 && line[size - 1] == '\n')
			size--;
		ret = samples_add(s, line, (size_t)size, &line_error);
		if (ret == -EINVAL)
			wrong(e, "%s:%zu: %s", name, n_line, line_error.text);
	}
	if (ret == 0 && !feof(f))
		ret = -errno;
	else if (ret == 0 && s->n == 0)
		ret = -ENODATA;
	free(line);
	if (ret == -ENODATA)
		wrong(e, "%s: there is no sample in it", name);
	else if (ret < 0 && ret != -EINVAL)
		wrong(e, "%s: %s", name, strerror(-ret));
	samples_sort(s);
	return ret;
}

void samples_sort(struct samples *s)
{
	size_t n = 0;

	if (s->n > 0)
		qsort(s->all, s->n, sizeof(s->all[0]), by_place);
	for (size_t i = 0; i < s->n; i++) {
		struct sample *last = n > 0 ? &s->all[n - 1] : NULL;

		if (last == NULL || compare_place(last, &s->all[i]) != 0 ||
		    last->round != s->all[i].round)
			s->all[n++] = s->all[i];
		else if (last->disturbed || !s->all[i].disturbed)
			*last = s->all[i];
	}
	s->n = n;
}

const struct sample *samples_cell(const struct samples *s, unsigned metric, unsigned point,
				  unsigned sw, size_t *n_ret)
{
	struct sample key = {.metric = metric, .point = point, .sw = sw};
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_place(&s->all[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < s->n && compare_place(&s->all[high], &key) == 0;)
		high++;
	*n_ret = high - low;
	return high > low ? &s->all[low] : NULL;
}

int samples_find(const struct samples_names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++)
		if (strcmp(names->list[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int add_object(struct samples *s, json_t *object, struct samples_error *e)
{
	json_t *round = json_object_get(object, "round");
	struct sample sample = {.order = s->n};
	int ret;

	if (round == NULL)
		return wrong(e, "\"round\" is missing");
	if (!json_is_integer(round) || json_integer_value(round) < 0)
		return wrong(e, "\"round\" is not a number from 0 upwards");
	sample.round = json_integer_value(round);
	if (json_object_get(object, "value") == NULL)
		return wrong(e, "\"value\" is missing");
	ret = take_number(object, "value", &sample.value, e);
	if (ret == 0)
		ret = take_flags(object, &sample, e);
	if (ret == 0)
		ret = add_names(s, object, &sample, e);
	return ret < 0 ? ret : append(s, &sample);
}

static int add_names(struct samples *s, json_t *object, struct sample *sample,
		     struct samples_error *e)
{
	const char *sw = NULL, *point = NULL, *metric = NULL;
	unsigned n_points = s->points.n;
	int ret;

	ret = take_text(object, "switch", &sw, e);
	if (ret == 0)
		ret = take_text(object, "point", &point, e);
	if (ret == 0)
		ret = take_text(object, "metric", &metric, e);
	if (ret == 0)
		ret = intern(&s->switches, sw, &sample->sw, e);
	if (ret == 0)
		ret = intern(&s->points, point, &sample->point, e);
	if (ret == 0)
		ret = describe_point(s, &s->points.list[sample->point], object,
				     s->points.n > n_points, e);
	if (ret == 0)
		ret = intern(&s->metrics, metric, &sample->metric, e);
	return ret < 0 ? ret : describe_metric(&s->metrics.list[sample->metric], object, e);
}

// Printable, for it ends up in tables. Borrowed from the object.
static int take_text(json_t *object, const char *key, const char **ret, struct samples_error *e)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL)
		return wrong(e, "\"%s\" is missing", key);
	if (!json_is_string(value) || json_string_length(value) == 0)
		return wrong(e, "\"%s\" is not a text", key);
	if (json_string_length(value) >= SAMPLES_NAME_SIZE)
		return wrong(e, "\"%s\" is longer than %u bytes", key, SAMPLES_NAME_SIZE - 1);
	*ret = json_string_value(value);
	for (const char *c = *ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return wrong(e, "\"%s\" has a character that cannot be printed", key);
	return 0;
}

static int take_number(json_t *object, const char *key, double *ret, struct samples_error *e)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_number(value) || !isfinite(json_number_value(value)))
		return wrong(e, "\"%s\" is not a number", key);
	*ret = json_number_value(value);
	return 0;
}

static int take_flags(json_t *object, struct sample *sample, struct samples_error *e)
{
	json_t *disturbed = json_object_get(object, "disturbed");

	if (disturbed != NULL && !json_is_boolean(disturbed))
		return wrong(e, "\"disturbed\" is neither true nor false");
	sample->disturbed = json_is_true(disturbed);
	return 0;
}

// Unit, and which is better: what one sample of a metric says, no other one may contradict.
static int describe_metric(struct samples_name *m, json_t *object, struct samples_error *e)
{
	json_t *better = json_object_get(object, "better");
	const char *unit;
	bool lower;

	if (better == NULL && !m->better_given)
		m->lower_better = is_lower_by_name(m->name);
	if (json_object_get(object, "unit") != NULL) {
		if (take_text(object, "unit", &unit, e) < 0)
			return -EINVAL;
		if (m->unit == NULL && (m->unit = strdup(unit)) == NULL)
			return -ENOMEM;
		if (strcmp(m->unit, unit) != 0)
			return wrong(e, "\"unit\" of %s was %s before", m->name, m->unit);
	}
	if (better == NULL)
		return 0;
	lower = json_is_string(better) && strcmp(json_string_value(better), "lower") == 0;
	if (!lower && (!json_is_string(better) || strcmp(json_string_value(better), "higher") != 0))
		return wrong(e, "\"better\" is neither \"lower\" nor \"higher\"");
	if (m->better_given && m->lower_better != lower)
		return wrong(e, "\"better\" of %s was the other one before", m->name);
	m->better_given = true;
	m->lower_better = lower;
	return 0;
}

static bool is_lower_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(lower_names) / sizeof(lower_names[0]); i++) {
		size_t size = strlen(lower_names[i]);

		if (strncmp(name, lower_names[i], size) == 0 &&
		    (name[size] == '_' || name[size] == '\0'))
			return true;
	}
	return false;
}

static int describe_point(struct samples *s, struct samples_name *p, json_t *object, bool is_new,
			  struct samples_error *e)
{
	double x;

	if (s->x_key == NULL)
		return 0;
	x = number_in_name(p->name, s->x_key);
	if (json_object_get(object, s->x_key) != NULL && take_number(object, s->x_key, &x, e) < 0)
		return -EINVAL;
	if (!is_new && x != p->x && !(isnan(x) && isnan(p->x)))
		return wrong(e, "\"%s\" of point %s is not what it was before", s->x_key, p->name);
	p->x = x;
	return 0;
}

// "64,macs=100,touch" has a "size" of 64 and "macs" of 100.
static double number_in_name(const char *name, const char *key)
{
	size_t size = strlen(key);
	const char *at = strcmp(key, "size") == 0 ? name : strchr(name, ',');
	char *end;
	double x;

	while (at != NULL && at != name) {
		if (strncmp(++at, key, size) == 0 && at[size] == '=') {
			at += size + 1;
			break;
		}
		at = strchr(at, ',');
	}
	if (at == NULL || *at < '0' || *at > '9')
		return NAN;
	x = strtod(at, &end);
	return (*end == '\0' || *end == ',') && isfinite(x) ? x : NAN;
}

static int intern(struct samples_names *names, const char *name, unsigned *ret,
		  struct samples_error *e)
{
	struct samples_name *grown;
	int i = samples_find(names, name);

	*ret = i >= 0 ? (unsigned)i : names->n;
	if (i >= 0)
		return 0;
	if (names->n == SAMPLES_MAX_NAMES)
		return wrong(e, "there are more than %u different names", SAMPLES_MAX_NAMES);
	grown = reallocarray(names->list, names->n + 1, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	names->list = grown;
	grown[names->n] = (struct samples_name){.name = strdup(name), .x = NAN};
	if (grown[names->n].name == NULL)
		return -ENOMEM;
	names->n++;
	return 0;
}

static void free_names(struct samples_names *names)
{
	for (unsigned i = 0; i < names->n; i++) {
		free(names->list[i].name);
		free(names->list[i].unit);
	}
	free(names->list);
}

static int append(struct samples *s, const struct sample *sample)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 256;
		struct sample *grown = reallocarray(s->all, room, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		s->all = grown;
		s->room = room;
	}
	s->all[s->n++] = *sample;
	return 0;
}

static int compare_place(const struct sample *a, const struct sample *b)
{
	if (a->metric != b->metric)
		return a->metric < b->metric ? -1 : 1;
	if (a->point != b->point)
		return a->point < b->point ? -1 : 1;
	return (a->sw > b->sw) - (a->sw < b->sw);
}

static int by_place(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int place = compare_place(x, y);

	if (place != 0)
		return place;
	if (x->round != y->round)
		return x->round < y->round ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

// What the input says is shown on a terminal: without its control characters.
static int wrong(struct samples_error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	for (char *c = e->text; *c; c++)
		*c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
	return -EINVAL;
}

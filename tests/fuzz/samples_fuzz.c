/*
 * Samples as anyone may write them: what is taken is whole, what is refused is explained, and no
 * number is lost between the lines and the cells.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cells.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct samples *s, const uint8_t *line, size_t size)
{
	struct samples_error e = {.text = ""};
	char *copy = malloc(size ? size : 1);
	size_t n = s->n;
	int ret;

	if (copy == NULL)
		abort();
	memcpy(copy, line, size);
	ret = samples_add(s, copy, size, &e);
	free(copy);
	if (ret == 0)
		return;
	if (s->n != n || e.text[0] == '\0')
		abort();
	for (const char *c = e.text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			abort();
}

static void check_order(const struct stats_summary *s)
{
	// Not the other way round: no comparison with NAN is true.
	if (!(s->min <= s->q1 && s->q1 <= s->median && s->median <= s->q3 && s->q3 <= s->max))
		abort();
}

static size_t look_at(const struct samples *s, unsigned metric, unsigned point, unsigned sw)
{
	struct cell_comparison with;
	struct cell cell;
	size_t n;

	if (samples_cell(s, metric, point, sw, &n) == NULL)
		return 0;
	if (cell_summarize(s, metric, point, sw, &cell) != 0)
		abort();
	check_order(&cell.summary);
	if (cell.summary.n + cell.left_out != n)
		abort();
	for (unsigned other = 0; other < s->switches.n; other++) {
		const struct stats_interval *i = &with.interval;

		if (cell_compare(s, metric, point, sw, other, 0.95, 0.02, &with) != 0 ||
		    isnan(i->median))
			continue;
		if (!(i->low <= i->median && i->median <= i->high && i->confidence < 1))
			abort();
		if (other == sw && i->median != 1)
			abort();
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	size_t n = 0;
	struct samples s;

	samples_init(&s, "size");
	while (data < end) {
		const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));

		stop = stop != NULL ? stop : end;
		take(&s, data, (size_t)(stop - data));
		data = stop < end ? stop + 1 : end;
	}
	samples_sort(&s);
	for (unsigned m = 0; m < s.metrics.n; m++)
		for (unsigned p = 0; p < s.points.n; p++)
			for (unsigned w = 0; w < s.switches.n; w++)
				n += look_at(&s, m, p, w);
	if (n != s.n)
		abort();
	samples_fini(&s);
	return 0;
}

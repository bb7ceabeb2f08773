#include "debugshell/top_rate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "debugshell/names.h"
#include "debugshell/where.h"

// How long an object was counted for.
struct span {
	double seconds; // 0: it has no rates
	uint64_t cycles;
};

struct order {
	unsigned column;
	bool ascending;
};

// Frames that were dropped by all ports.
struct drop_sums {
	double frames[DROP_DIRECTIONS][DROP_COUNT]; // per second
};

static int make_table(struct top_table *table, uint32_t room);
static struct top_row *add_row(struct top_table *table);
static void rate_procs(const struct top_sample *before, const struct top_sample *now,
		       struct top_table *table);
static bool is_stuck(const struct top_proc *a, const struct top_proc *b);
static bool is_starved(const struct top_proc *a, const struct top_proc *b);
static bool stands_still(const struct top_proc *a, const struct top_proc *b);
static bool is_awake(const struct top_proc *proc);
static double busy_percent(const struct top_proc *a, const struct top_proc *b, struct span span);
static const struct top_proc *find_proc(const struct top_sample *before,
					const struct top_proc *now);
static void rate_ports(const struct top_sample *before, const struct top_sample *now,
		       struct top_rates *rates);
static const struct top_port *find_port(const struct top_sample *before, const struct top_port *now,
					uint32_t *x_hint);
static bool port_went_back(const struct top_port *before, const struct top_port *now);
static void rate_port(const struct top_port *a, const struct top_port *b, struct span span,
		      struct top_row *row, struct top_totals *totals, struct drop_sums *sums);
static void rate_port_drops(const struct top_port *a, const struct top_port *b, struct span span,
			    struct top_row *row, struct drop_sums *sums);
static void list_drops(const struct drop_sums *sums, struct top_table *table);
static void rate_queues(const struct top_sample *before, const struct top_sample *now,
			struct top_table *table);
static const struct top_queue *find_queue(const struct top_sample *before,
					  const struct top_queue *now, uint32_t *x_hint);
static struct span span_of(uint64_t before_tsc, uint64_t now_tsc, uint64_t tsc_hz);
static bool went_back(uint64_t before, uint64_t now);
static struct top_value word(const char *word);
static struct top_value number(uint64_t number);
static struct top_value per_second(uint64_t before, uint64_t now, struct span span);
static struct top_value mbit(uint64_t before, uint64_t now, struct span span);
static int compare(const void *a, const void *b, void *arg);
static int compare_values(const struct top_value *a, const struct top_value *b, bool ascending);

static const char *const directions[] = {[DROP_IN] = "In", [DROP_OUT] = "Out"};

#define IN(number, name, text)  [number] = "In " #name,
#define OUT(number, name, text) [number] = "Out " #name,
static const char *const reasons[DROP_DIRECTIONS][DROP_COUNT] = {
	[DROP_IN] = {DROP_REASONS(IN)},
	[DROP_OUT] = {DROP_REASONS(OUT)},
};
#undef IN
#undef OUT

int top_rate(const struct top_sample *before, const struct top_sample *now, struct top_rates **ret)
{
	struct top_rates *rates = calloc(1, sizeof(*rates));

	if (rates == NULL || make_table(&rates->tables[TOP_PROCS], now->n_procs) != 0 ||
	    make_table(&rates->tables[TOP_PORTS], now->n_ports) != 0 ||
	    make_table(&rates->tables[TOP_QUEUES], now->n_queues) != 0 ||
	    make_table(&rates->tables[TOP_DROPS], DROP_DIRECTIONS * DROP_COUNT) != 0) {
		top_rates_free(rates);
		return -ENOMEM;
	}
	if (before != NULL && before->runs && now->runs)
		rates->seconds = span_of(before->tsc, now->tsc, now->tsc_hz).seconds;
	if (rates->seconds == 0)
		before = NULL;
	rate_procs(before, now, &rates->tables[TOP_PROCS]);
	rate_ports(before, now, rates);
	rate_queues(before, now, &rates->tables[TOP_QUEUES]);
	*ret = rates;
	return 0;
}

void top_rates_free(struct top_rates *rates)
{
	if (rates == NULL)
		return;
	for (unsigned i = 0; i < TOP_TABLES; i++)
		free(rates->tables[i].rows);
	free(rates);
}

void top_sort(struct top_table *table, unsigned column, bool ascending)
{
	struct order order = {column, ascending};

	qsort_r(table->rows, table->n, sizeof(table->rows[0]), compare, &order);
}

static int make_table(struct top_table *table, uint32_t room)
{
	table->rows = calloc((size_t)room + 1, sizeof(table->rows[0]));
	return table->rows != NULL ? 0 : -ENOMEM;
}

static struct top_row *add_row(struct top_table *table)
{
	struct top_row *row = &table->rows[table->n];

	row->order = table->n++;
	for (unsigned i = 0; i < TOP_COLUMNS_MAX; i++)
		row->v[i].number = NAN;
	return row;
}

static void rate_procs(const struct top_sample *before, const struct top_sample *now,
		       struct top_table *table)
{
	for (uint32_t i = 0; i < now->n_procs; i++) {
		const struct top_proc *b = &now->procs[i];
		const struct top_proc *a = find_proc(before, b);
		struct top_row *row = add_row(table);
		struct span span = {0};

		row->v[TOP_PROC_NUMBER] = number(b->number);
		row->v[TOP_PROC_CORE] = number(b->core);
		row->v[TOP_PROC_STAGE] = word(name_proc_stage(b->stage));
		row->v[TOP_PROC_QUEUES] = number(b->n_rxqs);
		if (a != NULL)
			span = span_of(a->tsc, b->tsc, now->tsc_hz);
		if (span.seconds == 0)
			continue;
		if (is_stuck(a, b))
			row->v[TOP_PROC_STAGE] = word("stuck");
		else if (is_starved(a, b))
			row->v[TOP_PROC_STAGE] = word("starved");
		row->v[TOP_PROC_BUSY].number = busy_percent(a, b, span);
		row->v[TOP_PROC_FRAMES] = per_second(a->frames, b->frames, span);
		row->v[TOP_PROC_BURSTS] = per_second(a->bursts, b->bursts, span);
		if (b->bursts > a->bursts)
			row->v[TOP_PROC_PER_BURST].number =
				(double)(b->frames - a->frames) / (double)(b->bursts - a->bursts);
		row->v[TOP_PROC_LOOPS] = per_second(a->loops, b->loops, span);
		row->v[TOP_PROC_SLEEPS] = per_second(a->sleeps, b->sleeps, span);
	}
}

static bool is_stuck(const struct top_proc *a, const struct top_proc *b)
{
	return stands_still(a, b) && !is_starved(a, b);
}

// It had no core, for others had it.
static bool is_starved(const struct top_proc *a, const struct top_proc *b)
{
	return stands_still(a, b) && a->thread_state == 'R' && b->thread_state == 'R' &&
	       a->ran_ns != 0 && b->ran_ns - a->ran_ns < WHERE_RAN_LEAST_NS;
}

// Not one that slept all the while, or was woken up just now.
static bool stands_still(const struct top_proc *a, const struct top_proc *b)
{
	return is_awake(a) && is_awake(b) && a->loops == b->loops && a->sleeps == b->sleeps;
}

static bool is_awake(const struct top_proc *proc)
{
	return proc->stage != PROC_STAGE_NONE && proc->stage != PROC_STAGE_SLEEP;
}

// What a loop was busy is counted at its end, so a little may be of the time before, and of one
// that does not end nothing is.
static double busy_percent(const struct top_proc *a, const struct top_proc *b, struct span span)
{
	double percent = 100.0 * (double)(b->busy_tsc - a->busy_tsc) / (double)span.cycles;

	if (is_stuck(a, b))
		return 100;
	return percent < 100 ? percent : 100;
}

// The same proc, whose counters went on.
static const struct top_proc *find_proc(const struct top_sample *before, const struct top_proc *now)
{
	for (uint32_t i = 0; before != NULL && i < before->n_procs; i++) {
		const struct top_proc *p = &before->procs[i];

		if (p->addr.v != now->addr.v || p->start_tsc != now->start_tsc)
			continue;
		if (went_back(p->frames, now->frames) || went_back(p->bursts, now->bursts) ||
		    went_back(p->loops, now->loops) || went_back(p->sleeps, now->sleeps) ||
		    went_back(p->busy_tsc, now->busy_tsc))
			return NULL;
		return p;
	}
	return NULL;
}

static void rate_ports(const struct top_sample *before, const struct top_sample *now,
		       struct top_rates *rates)
{
	struct drop_sums sums = {0};
	uint32_t hint = 0;

	for (uint32_t i = 0; i < now->n_ports; i++) {
		const struct top_port *b = &now->ports[i];
		const struct top_port *a = find_port(before, b, &hint);
		struct top_row *row = add_row(&rates->tables[TOP_PORTS]);
		struct span span = {0};

		row->v[TOP_PORT_NAME] = word(b->name);
		row->v[TOP_PORT_TYPE] = word(name_vport_type(b->type));
		if (b->has_nic)
			row->v[TOP_PORT_NIC] = word(name_vnic_state(b->nic_state));
		if (a != NULL)
			span = span_of(a->tsc, b->tsc, now->tsc_hz);
		if (span.seconds > 0)
			rate_port(a, b, span, row, &rates->totals, &sums);
	}
	list_drops(&sums, &rates->tables[TOP_DROPS]);
}

// Samples list ports in the same order, but for those that came and went: the search goes on
// behind the last one that was found.
static const struct top_port *find_port(const struct top_sample *before, const struct top_port *now,
					uint32_t *x_hint)
{
	for (uint32_t i = 0; before != NULL && i < before->n_ports; i++) {
		uint32_t at = (*x_hint + i) % before->n_ports;
		const struct top_port *p = &before->ports[at];

		if (p->addr.v != now->addr.v || p->vswitch.v != now->vswitch.v ||
		    p->id != now->id || p->created_s != now->created_s)
			continue;
		*x_hint = at + 1;
		return port_went_back(p, now) ? NULL : p;
	}
	return NULL;
}

static bool port_went_back(const struct top_port *before, const struct top_port *now)
{
	if (went_back(before->rx_frames, now->rx_frames) ||
	    went_back(before->rx_bytes, now->rx_bytes) ||
	    went_back(before->tx_frames, now->tx_frames) ||
	    went_back(before->tx_bytes, now->tx_bytes))
		return true;
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++)
		for (unsigned r = 0; r < DROP_COUNT; r++)
			if (went_back(before->drops[d][r], now->drops[d][r]))
				return true;
	return false;
}

static void rate_port(const struct top_port *a, const struct top_port *b, struct span span,
		      struct top_row *row, struct top_totals *totals, struct drop_sums *sums)
{
	row->v[TOP_PORT_RX_FRAMES] = per_second(a->rx_frames, b->rx_frames, span);
	row->v[TOP_PORT_TX_FRAMES] = per_second(a->tx_frames, b->tx_frames, span);
	row->v[TOP_PORT_RX_MBIT] = mbit(a->rx_bytes, b->rx_bytes, span);
	row->v[TOP_PORT_TX_MBIT] = mbit(a->tx_bytes, b->tx_bytes, span);
	rate_port_drops(a, b, span, row, sums);
	totals->rx_frames += row->v[TOP_PORT_RX_FRAMES].number;
	totals->tx_frames += row->v[TOP_PORT_TX_FRAMES].number;
	totals->rx_mbit += row->v[TOP_PORT_RX_MBIT].number;
	totals->tx_mbit += row->v[TOP_PORT_TX_MBIT].number;
	totals->drops += row->v[TOP_PORT_DROPS_IN].number + row->v[TOP_PORT_DROPS_OUT].number;
}

static void rate_port_drops(const struct top_port *a, const struct top_port *b, struct span span,
			    struct top_row *row, struct drop_sums *sums)
{
	double in_all[DROP_DIRECTIONS] = {0};
	double most = 0;

	for (unsigned d = 0; d < DROP_DIRECTIONS; d++) {
		for (unsigned r = 0; r < DROP_COUNT; r++) {
			double rate = per_second(a->drops[d][r], b->drops[d][r], span).number;

			in_all[d] += rate;
			sums->frames[d][r] += rate;
			if (rate <= most)
				continue;
			most = rate;
			row->v[TOP_PORT_REASON] = word(reasons[d][r]);
		}
	}
	row->v[TOP_PORT_DROPS_IN].number = in_all[DROP_IN];
	row->v[TOP_PORT_DROPS_OUT].number = in_all[DROP_OUT];
}

static void list_drops(const struct drop_sums *sums, struct top_table *table)
{
	for (unsigned d = 0; d < DROP_DIRECTIONS; d++) {
		for (unsigned r = 0; r < DROP_COUNT; r++) {
			struct top_row *row;

			if (sums->frames[d][r] == 0)
				continue;
			row = add_row(table);
			row->v[TOP_DROP_DIRECTION] = word(directions[d]);
			row->v[TOP_DROP_FRAMES].number = sums->frames[d][r];
			row->v[TOP_DROP_REASON] = word(name_drop(r));
			row->v[TOP_DROP_MEANING] = word(name_drop_text(r));
		}
	}
}

static void rate_queues(const struct top_sample *before, const struct top_sample *now,
			struct top_table *table)
{
	uint32_t hint = 0;

	for (uint32_t i = 0; i < now->n_queues; i++) {
		const struct top_queue *b = &now->queues[i];
		const struct top_queue *a = find_queue(before, b, &hint);
		struct top_row *row = add_row(table);
		struct span span = {0};

		row->v[TOP_QUEUE_NAME] = word(b->name);
		row->v[TOP_QUEUE_DIRECTION] = word(b->is_tx ? "tx" : "rx");
		row->v[TOP_QUEUE_INDEX] = number(b->index);
		row->v[TOP_QUEUE_PROC] = number(b->proc);
		if (a != NULL)
			span = span_of(a->tsc, b->tsc, now->tsc_hz);
		if (span.seconds == 0)
			continue;
		row->v[TOP_QUEUE_BURSTS] = per_second(a->bursts, b->bursts, span);
		row->v[TOP_QUEUE_CHAINS] = per_second(a->chains, b->chains, span);
		row->v[TOP_QUEUE_INTERRUPTS] = per_second(a->interrupts, b->interrupts, span);
		row->v[TOP_QUEUE_KICKS] = per_second(a->kicks, b->kicks, span);
	}
}

// As find_port().
static const struct top_queue *find_queue(const struct top_sample *before,
					  const struct top_queue *now, uint32_t *x_hint)
{
	for (uint32_t i = 0; before != NULL && i < before->n_queues; i++) {
		uint32_t at = (*x_hint + i) % before->n_queues;
		const struct top_queue *q = &before->queues[at];

		if (q->nic.v != now->nic.v || q->index != now->index || q->is_tx != now->is_tx)
			continue;
		*x_hint = at + 1;
		if (q->life != now->life || strcmp(q->name, now->name) != 0 ||
		    went_back(q->bursts, now->bursts) || went_back(q->chains, now->chains) ||
		    went_back(q->interrupts, now->interrupts) || went_back(q->kicks, now->kicks))
			return NULL;
		return q;
	}
	return NULL;
}

static struct span span_of(uint64_t before_tsc, uint64_t now_tsc, uint64_t tsc_hz)
{
	struct span span = {0};

	if (tsc_hz == 0 || now_tsc <= before_tsc)
		return span;
	span.cycles = now_tsc - before_tsc;
	span.seconds = (double)span.cycles / (double)tsc_hz;
	return span;
}

static bool went_back(uint64_t before, uint64_t now)
{
	return now < before;
}

static struct top_value word(const char *word)
{
	return (struct top_value){word, NAN};
}

static struct top_value number(uint64_t number)
{
	return (struct top_value){NULL, number == TOP_NONE ? NAN : (double)number};
}

static struct top_value per_second(uint64_t before, uint64_t now, struct span span)
{
	if (before == TOP_NONE || now == TOP_NONE)
		return (struct top_value){NULL, NAN};
	return (struct top_value){NULL, (double)(now - before) / span.seconds};
}

static struct top_value mbit(uint64_t before, uint64_t now, struct span span)
{
	return (struct top_value){NULL, 8e-6 * (double)(now - before) / span.seconds};
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct order *order = arg;
	int result = compare_values(&x->v[order->column], &y->v[order->column], order->ascending);

	if (result == 0)
		result = x->order < y->order ? -1 : x->order > y->order;
	return result;
}

static int compare_values(const struct top_value *a, const struct top_value *b, bool ascending)
{
	bool no_a = a->word == NULL && isnan(a->number);
	bool no_b = b->word == NULL && isnan(b->number);
	int result;

	if (no_a || no_b)
		return no_a - no_b;
	if (a->word != NULL && b->word != NULL)
		result = strcmp(a->word, b->word);
	else
		result = a->number < b->number ? -1 : a->number > b->number;
	return ascending ? result : -result;
}

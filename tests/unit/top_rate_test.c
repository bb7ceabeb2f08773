// Needs nothing: samples are made by hand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "debugshell/top_rate.h"
#include "ports/vnic_types.h"

#define HZ 1000000000ULL

enum { PORTS_MAX = 8, QUEUES_MAX = 8 };

// A sample and what it points at.
struct made {
	struct top_sample s;
	struct top_port ports[PORTS_MAX];
	struct top_queue queues[QUEUES_MAX];
};

static void make(struct made *m, uint64_t tsc)
{
	memset(m, 0, sizeof(*m));
	m->s.tsc = tsc;
	m->s.tsc_hz = HZ;
	m->s.runs = true;
	m->s.ports = m->ports;
	m->s.queues = m->queues;
}

static struct top_proc *add_proc(struct made *m, uint64_t addr, uint64_t start_tsc)
{
	struct top_proc *p = &m->s.procs[m->s.n_procs];

	p->addr.v = addr;
	p->start_tsc = start_tsc;
	p->tsc = m->s.tsc;
	p->number = m->s.n_procs++;
	return p;
}

static struct top_port *add_port(struct made *m, uint64_t addr, uint16_t id, const char *name)
{
	struct top_port *p = &m->ports[m->s.n_ports++];

	p->addr.v = addr;
	p->id = id;
	p->tsc = m->s.tsc;
	strcpy(p->name, name);
	return p;
}

static struct top_queue *add_queue(struct made *m, uint64_t nic, bool is_tx)
{
	struct top_queue *q = &m->queues[m->s.n_queues++];

	q->nic.v = nic;
	q->is_tx = is_tx;
	q->tsc = m->s.tsc;
	q->proc = TOP_NONE;
	return q;
}

static struct top_rates *rate(const struct made *before, const struct made *now)
{
	struct top_rates *rates;

	assert_int_equal(top_rate(before != NULL ? &before->s : NULL, &now->s, &rates), 0);
	return rates;
}

static const struct top_value *at(const struct top_rates *rates, enum top_table_id table,
				  uint32_t row, unsigned column)
{
	assert_true(row < rates->tables[table].n);
	return &rates->tables[table].rows[row].v[column];
}

static void is(const struct top_value *value, double number)
{
	assert_null(value->word);
	assert_true(fabs(value->number - number) < 1e-9 * (1 + fabs(number)));
}

static void is_none(const struct top_value *value)
{
	assert_null(value->word);
	assert_true(isnan(value->number));
}

static void rates_of_a_port(void **state)
{
	struct made a, b;
	struct top_port *p;
	struct top_rates *rates;

	make(&a, 5 * HZ);
	make(&b, 7 * HZ);
	p = add_port(&a, 0x1000, 1, "vm1");
	p->rx_frames = 1000;
	p->rx_bytes = 100000;
	p->drops[DROP_IN][DROP_Filtered] = 1000000;
	p = add_port(&b, 0x1000, 1, "vm1");
	p->has_nic = true;
	p->nic_state = VNIC_STATE_CONNECTED;
	p->rx_frames = 1003;
	p->rx_bytes = 100000 + 250000;
	p->tx_frames = 2000;
	p->tx_bytes = 4000000;
	p->drops[DROP_IN][DROP_Filtered] = 1000004;
	p->drops[DROP_IN][DROP_Busy] = 6;
	p->drops[DROP_OUT][DROP_Resources] = 8;
	p->drops[DROP_OUT][DROP_Busy] = 2;

	rates = rate(&a, &b);
	is(&(struct top_value){NULL, rates->seconds}, 2);
	assert_string_equal(at(rates, TOP_PORTS, 0, TOP_PORT_NAME)->word, "vm1");
	assert_string_equal(at(rates, TOP_PORTS, 0, TOP_PORT_NIC)->word, "Connected");
	is(at(rates, TOP_PORTS, 0, TOP_PORT_RX_FRAMES), 1.5);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_TX_FRAMES), 1000);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_RX_MBIT), 1);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_TX_MBIT), 16);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_DROPS_IN), 5);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_DROPS_OUT), 5);
	assert_string_equal(at(rates, TOP_PORTS, 0, TOP_PORT_REASON)->word, "Out Resources");
	is(&(struct top_value){NULL, rates->totals.rx_frames}, 1.5);
	is(&(struct top_value){NULL, rates->totals.tx_frames}, 1000);
	is(&(struct top_value){NULL, rates->totals.rx_mbit}, 1);
	is(&(struct top_value){NULL, rates->totals.tx_mbit}, 16);
	is(&(struct top_value){NULL, rates->totals.drops}, 10);

	// The drops of all ports, by reason.
	assert_int_equal(rates->tables[TOP_DROPS].n, 4);
	top_sort(&rates->tables[TOP_DROPS], TOP_DROP_FRAMES, false);
	assert_string_equal(at(rates, TOP_DROPS, 0, TOP_DROP_DIRECTION)->word, "Out");
	assert_string_equal(at(rates, TOP_DROPS, 0, TOP_DROP_REASON)->word, "Resources");
	is(at(rates, TOP_DROPS, 0, TOP_DROP_FRAMES), 4);
	assert_string_equal(at(rates, TOP_DROPS, 3, TOP_DROP_DIRECTION)->word, "Out");
	assert_string_equal(at(rates, TOP_DROPS, 3, TOP_DROP_REASON)->word, "Busy");
	top_rates_free(rates);
}

// An object's time is between its own two readings, which may be later than the sample's.
static void each_object_has_its_own_time(void **state)
{
	struct made a, b;
	struct top_rates *rates;

	make(&a, 1 * HZ);
	make(&b, 2 * HZ);
	add_port(&a, 0x1000, 1, "slow")->tsc = 1 * HZ;
	add_port(&b, 0x1000, 1, "slow")->tsc = 5 * HZ;
	b.ports[0].rx_frames = 400;
	rates = rate(&a, &b);
	is(&(struct top_value){NULL, rates->seconds}, 1);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_RX_FRAMES), 100);
	top_rates_free(rates);
}

static void rates_of_a_proc(void **state)
{
	struct made a, b;
	struct top_proc *p;
	struct top_rates *rates;

	make(&a, 10 * HZ);
	make(&b, 14 * HZ);
	p = add_proc(&a, 0x1000, 77);
	p->busy_tsc = 3 * HZ;
	p = add_proc(&b, 0x1000, 77);
	p->core = 3;
	p->stage = PROC_STAGE_SLEEP;
	p->n_rxqs = 12;
	p->busy_tsc = 4 * HZ;
	p->frames = 640;
	p->bursts = 20;
	p->loops = 4000;
	p->sleeps = 2;
	// One that has had no bursts, and one whose last loop began long before.
	add_proc(&a, 0x2000, 77);
	p = add_proc(&b, 0x2000, 77);
	p->n_rxqs = TOP_NONE;
	add_proc(&a, 0x3000, 77);
	add_proc(&b, 0x3000, 77)->busy_tsc = 5 * HZ;

	rates = rate(&a, &b);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_NUMBER), 0);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_CORE), 3);
	assert_string_equal(at(rates, TOP_PROCS, 0, TOP_PROC_STAGE)->word, "asleep");
	is(at(rates, TOP_PROCS, 0, TOP_PROC_BUSY), 25);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_FRAMES), 160);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_BURSTS), 5);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_PER_BURST), 32);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_LOOPS), 1000);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_SLEEPS), 0.5);
	is(at(rates, TOP_PROCS, 0, TOP_PROC_QUEUES), 12);
	is(at(rates, TOP_PROCS, 1, TOP_PROC_BUSY), 0);
	is_none(at(rates, TOP_PROCS, 1, TOP_PROC_PER_BURST));
	is_none(at(rates, TOP_PROCS, 1, TOP_PROC_QUEUES));
	is(at(rates, TOP_PROCS, 2, TOP_PROC_BUSY), 100);
	top_rates_free(rates);
}

// Whose rounds stand still, and who only slept, was just woken up, or has not begun.
static void stuck_procs(void **state)
{
	static const struct {
		uint32_t before, now; // stage
		uint64_t loops, sleeps;
		bool is_stuck;
	} cases[] = {
		{PROC_STAGE_EGRESS, PROC_STAGE_EGRESS, 0, 0, true},
		{PROC_STAGE_RECEIVE, PROC_STAGE_IDLE, 0, 0, true},
		{PROC_STAGE_EGRESS, PROC_STAGE_EGRESS, 1, 0, false},
		{PROC_STAGE_SLEEP, PROC_STAGE_SLEEP, 0, 0, false},
		{PROC_STAGE_SLEEP, PROC_STAGE_RECEIVE, 0, 0, false},
		{PROC_STAGE_IDLE, PROC_STAGE_SLEEP, 0, 0, false},
		{PROC_STAGE_IDLE, PROC_STAGE_IDLE, 0, 1, false},
		{PROC_STAGE_NONE, PROC_STAGE_NONE, 0, 0, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct top_rates *rates;
		struct made a, b;
		struct top_proc *p;

		make(&a, 1 * HZ);
		make(&b, 2 * HZ);
		add_proc(&a, 0x1000, 7)->stage = cases[i].before;
		p = add_proc(&b, 0x1000, 7);
		p->stage = cases[i].now;
		p->loops = cases[i].loops;
		p->sleeps = cases[i].sleeps;
		rates = rate(&a, &b);
		assert_int_equal(strcmp(at(rates, TOP_PROCS, 0, TOP_PROC_STAGE)->word, "stuck") ==
					 0,
				 cases[i].is_stuck);
		is(at(rates, TOP_PROCS, 0, TOP_PROC_BUSY), cases[i].is_stuck ? 100 : 0);
		top_rates_free(rates);
	}
}

// Whose rounds stand still, but whose thread had no core; or had one, or is in the kernel.
static void starved_procs(void **state)
{
	static const struct {
		uint64_t before, now; // ran_ns
		char thread_state;
		const char *stage;
	} cases[] = {
		{5000, 5000, 'R', "starved"},
		{5000, 5000 + 999999, 'R', "starved"},
		{5000, 5000 + 1000000, 'R', "stuck"},
		{5000, 5000, 'D', "stuck"},
		{0, 0, 'R', "stuck"},
		{0, 0, '\0', "stuck"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct top_rates *rates;
		struct made a, b;
		struct top_proc *p;

		make(&a, 1 * HZ);
		make(&b, 2 * HZ);
		p = add_proc(&a, 0x1000, 7);
		p->stage = PROC_STAGE_EGRESS;
		p->ran_ns = cases[i].before;
		p->thread_state = 'R';
		p = add_proc(&b, 0x1000, 7);
		p->stage = PROC_STAGE_EGRESS;
		p->ran_ns = cases[i].now;
		p->thread_state = cases[i].thread_state;
		rates = rate(&a, &b);
		assert_string_equal(at(rates, TOP_PROCS, 0, TOP_PROC_STAGE)->word, cases[i].stage);
		is(at(rates, TOP_PROCS, 0, TOP_PROC_BUSY),
		   strcmp(cases[i].stage, "stuck") == 0 ? 100 : 0);
		top_rates_free(rates);
	}
}

// What a queue does not count has no rate, and one that was attached anew has none yet.
static void rates_of_queues(void **state)
{
	struct made a, b;
	struct top_queue *q;
	struct top_rates *rates;

	make(&a, 1 * HZ);
	make(&b, 2 * HZ);
	q = add_queue(&a, 0x1000, false);
	q->chains = q->interrupts = q->kicks = TOP_NONE;
	q = add_queue(&b, 0x1000, false);
	q->proc = 1;
	q->bursts = 30;
	q->chains = q->interrupts = q->kicks = TOP_NONE;
	q = add_queue(&a, 0x1000, true);
	q->bursts = TOP_NONE;
	q = add_queue(&b, 0x1000, true);
	q->bursts = TOP_NONE;
	q->chains = 5;
	q->interrupts = 6;
	q->kicks = 7;
	add_queue(&a, 0x2000, true)->life = 1;
	add_queue(&b, 0x2000, true)->life = 2;

	rates = rate(&a, &b);
	assert_string_equal(at(rates, TOP_QUEUES, 0, TOP_QUEUE_DIRECTION)->word, "rx");
	is(at(rates, TOP_QUEUES, 0, TOP_QUEUE_PROC), 1);
	is(at(rates, TOP_QUEUES, 0, TOP_QUEUE_BURSTS), 30);
	is_none(at(rates, TOP_QUEUES, 0, TOP_QUEUE_CHAINS));
	assert_string_equal(at(rates, TOP_QUEUES, 1, TOP_QUEUE_DIRECTION)->word, "tx");
	is_none(at(rates, TOP_QUEUES, 1, TOP_QUEUE_PROC));
	is_none(at(rates, TOP_QUEUES, 1, TOP_QUEUE_BURSTS));
	is(at(rates, TOP_QUEUES, 1, TOP_QUEUE_CHAINS), 5);
	is(at(rates, TOP_QUEUES, 1, TOP_QUEUE_INTERRUPTS), 6);
	is(at(rates, TOP_QUEUES, 1, TOP_QUEUE_KICKS), 7);
	is_none(at(rates, TOP_QUEUES, 2, TOP_QUEUE_CHAINS));
	top_rates_free(rates);
}

// Ports that came, went, were replaced at the same address, or began to count anew.
static void what_is_new_has_no_rates(void **state)
{
	struct made a, b;
	struct top_rates *rates;

	make(&a, 1 * HZ);
	make(&b, 2 * HZ);
	add_port(&a, 0x1000, 1, "gone")->rx_frames = 1000000;
	add_port(&a, 0x2000, 2, "other id")->rx_frames = 10;
	add_port(&a, 0x3000, 3, "backwards")->tx_bytes = 10;
	add_port(&a, 0x4000, 4, "fewer drops")->drops[DROP_OUT][DROP_COUNT - 1] = 1;
	add_port(&a, 0x5000, 5, "same");
	add_port(&a, 0x6000, 6, "made anew");
	add_port(&b, 0x5000, 5, "same")->rx_frames = 50;
	add_port(&b, 0x7000, 7, "come")->rx_frames = 1000000;
	add_port(&b, 0x2000, 9, "other id")->rx_frames = 1000000;
	add_port(&b, 0x3000, 3, "backwards")->rx_frames = 1000000;
	add_port(&b, 0x4000, 4, "fewer drops")->rx_frames = 1000000;
	add_port(&b, 0x6000, 6, "made anew")->created_s = 1;

	rates = rate(&a, &b);
	assert_int_equal(rates->tables[TOP_PORTS].n, 6);
	is(at(rates, TOP_PORTS, 0, TOP_PORT_RX_FRAMES), 50);
	for (unsigned i = 1; i < 6; i++)
		for (unsigned c = TOP_PORT_RX_FRAMES; c < TOP_PORT_COLUMNS; c++)
			is_none(at(rates, TOP_PORTS, i, c));
	is(&(struct top_value){NULL, rates->totals.rx_frames}, 50);
	is(&(struct top_value){NULL, rates->totals.drops}, 0);
	assert_int_equal(rates->tables[TOP_DROPS].n, 0);
	top_rates_free(rates);
}

static void a_proc_that_began_anew(void **state)
{
	struct made a, b;
	struct top_rates *rates;

	make(&a, 1 * HZ);
	make(&b, 2 * HZ);
	add_proc(&a, 0x1000, 1)->busy_tsc = HZ;
	add_proc(&b, 0x1000, 1)->busy_tsc = HZ - 1;
	add_proc(&a, 0x2000, 1);
	add_proc(&b, 0x2000, 2)->frames = 5;
	rates = rate(&a, &b);
	for (unsigned i = 0; i < 2; i++) {
		is_none(at(rates, TOP_PROCS, i, TOP_PROC_BUSY));
		is_none(at(rates, TOP_PROCS, i, TOP_PROC_FRAMES));
	}
	top_rates_free(rates);
}

// Without two moments in which it ran there are no rates, whatever the counters say.
static void no_time_no_rates(void **state)
{
	static const struct {
		uint64_t before_tsc, now_tsc, hz;
		bool ran, runs;
	} cases[] = {
		{HZ, HZ, HZ, true, true},      {2 * HZ, HZ, HZ, true, true},
		{HZ, 2 * HZ, 0, true, true},   {HZ, 2 * HZ, HZ, false, true},
		{HZ, 2 * HZ, HZ, true, false},
	};

	for (unsigned i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		bool first = i == sizeof(cases) / sizeof(cases[0]);
		struct top_rates *rates;
		struct made a, b;

		make(&a, first ? HZ : cases[i].before_tsc);
		make(&b, first ? 2 * HZ : cases[i].now_tsc);
		b.s.tsc_hz = first ? HZ : cases[i].hz;
		a.s.runs = first || cases[i].ran;
		b.s.runs = first || cases[i].runs;
		add_port(&a, 0x1000, 1, "p");
		add_port(&b, 0x1000, 1, "p")->rx_frames = 5;
		add_proc(&a, 0x1000, 1);
		add_proc(&b, 0x1000, 1)->frames = 5;
		add_queue(&a, 0x1000, false);
		add_queue(&b, 0x1000, false)->bursts = 5;
		rates = rate(first ? NULL : &a, &b);
		assert_true(rates->seconds == 0);
		assert_true(rates->totals.rx_frames == 0);
		assert_string_equal(at(rates, TOP_PORTS, 0, TOP_PORT_NAME)->word, "p");
		is_none(at(rates, TOP_PORTS, 0, TOP_PORT_RX_FRAMES));
		is_none(at(rates, TOP_PROCS, 0, TOP_PROC_FRAMES));
		is_none(at(rates, TOP_QUEUES, 0, TOP_QUEUE_BURSTS));
		top_rates_free(rates);
	}
}

// An empty one, and counters as large as they can be.
static void extremes(void **state)
{
	struct made a, b;
	struct top_rates *rates;

	make(&a, 1);
	make(&b, 2);
	rates = rate(&a, &b);
	for (unsigned i = 0; i < TOP_TABLES; i++) {
		assert_int_equal(rates->tables[i].n, 0);
		top_sort(&rates->tables[i], 0, true);
	}
	top_rates_free(rates);
	top_rates_free(NULL);

	add_port(&a, 1, 1, "p");
	add_port(&b, 1, 1, "p")->rx_bytes = UINT64_MAX - 1;
	rates = rate(&a, &b);
	assert_true(isfinite(at(rates, TOP_PORTS, 0, TOP_PORT_RX_MBIT)->number));
	top_rates_free(rates);
}

static void check_order(struct top_rates *rates, const char *want)
{
	for (uint32_t i = 0; i < rates->tables[TOP_PORTS].n; i++)
		assert_int_equal(at(rates, TOP_PORTS, i, TOP_PORT_NAME)->word[0], want[i]);
}

static void sorting(void **state)
{
	static const char names[] = "dacbe";
	struct made a, b;
	struct top_rates *rates;

	make(&a, 1 * HZ);
	make(&b, 2 * HZ);
	for (unsigned i = 0; i < 5; i++) {
		char name[2] = {names[i], '\0'};

		// 'c' is new; 'a' and 'b' are alike.
		if (names[i] != 'c')
			add_port(&a, 0x1000 + i, 1, name);
		add_port(&b, 0x1000 + i, 1, name)->rx_frames = names[i] == 'e'   ? 9
							       : names[i] == 'd' ? 1
										 : 5;
	}
	b.ports[0].drops[DROP_IN][DROP_Busy] = 1;
	rates = rate(&a, &b);
	check_order(rates, "dacbe");
	top_sort(&rates->tables[TOP_PORTS], TOP_PORT_RX_FRAMES, false);
	check_order(rates, "eabdc");
	top_sort(&rates->tables[TOP_PORTS], TOP_PORT_RX_FRAMES, true);
	check_order(rates, "dabec");
	top_sort(&rates->tables[TOP_PORTS], TOP_PORT_NAME, true);
	check_order(rates, "abcde");
	top_sort(&rates->tables[TOP_PORTS], TOP_PORT_NAME, false);
	check_order(rates, "edcba");
	top_sort(&rates->tables[TOP_PORTS], TOP_PORT_REASON, true);
	check_order(rates, "dacbe");
	assert_string_equal(at(rates, TOP_PORTS, 0, TOP_PORT_REASON)->word, "In Busy");
	top_rates_free(rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_of_a_port),
		cmocka_unit_test(each_object_has_its_own_time),
		cmocka_unit_test(rates_of_a_proc),
		cmocka_unit_test(stuck_procs),
		cmocka_unit_test(starved_procs),
		cmocka_unit_test(rates_of_queues),
		cmocka_unit_test(what_is_new_has_no_rates),
		cmocka_unit_test(a_proc_that_began_anew),
		cmocka_unit_test(no_time_no_rates),
		cmocka_unit_test(extremes),
		cmocka_unit_test(sorting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Needs nothing: pure decisions, and a simulation of loads as its input.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmq/place.h"

enum { TICK_MS = 100, VMS = 64, MOVES_MAX = 32 };

// What procs and queues would measure if queues asked for so much.
struct sim {
	struct place_state state;
	struct place_proc procs[PROC_MAX];
	struct place_queue queues[VMS];
	uint32_t demand[VMS]; // thousandths of a proc's time
	unsigned n_queues;
	uint64_t now_ms;
	struct place_move moves[MOVES_MAX];
};

static uint32_t demand_on(const struct sim *s, unsigned proc)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < s->n_queues; i++)
		sum += s->queues[i].proc == proc ? s->demand[i] : 0;
	return sum;
}

static uint32_t highest_demand(const struct sim *s)
{
	uint32_t highest = 0;

	for (unsigned i = 0; i < PROC_MAX; i++)
		highest = demand_on(s, i) > highest ? demand_on(s, i) : highest;
	return highest;
}

static unsigned procs_used(const struct sim *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PROC_MAX; i++) {
		bool used = false;

		for (unsigned q = 0; q < s->n_queues; q++)
			used |= s->queues[q].proc == i;
		n += used;
	}
	return n;
}

static void sim_init(struct sim *s, unsigned procs, unsigned queues)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < procs; i++)
		s->procs[i].is_there = 1;
	s->n_queues = queues;
	s->now_ms = 5000;
}

// A proc that is asked for more than it has gives each of its queues the same part of it.
static void measure(struct sim *s)
{
	for (unsigned i = 0; i < PROC_MAX; i++) {
		uint32_t sum = demand_on(s, i);

		s->procs[i].load = (uint16_t)(sum < PLACE_FULL ? sum : PLACE_FULL);
		for (unsigned q = 0; q < s->n_queues; q++)
			if (s->queues[q].proc == i)
				s->queues[q].load =
					(uint16_t)(sum <= PLACE_FULL
							   ? s->demand[q]
							   : s->demand[q] * PLACE_FULL / sum);
	}
}

static void check_moves(const struct sim *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct place_move *m = &s->moves[i];

		assert_true(m->queue < s->n_queues);
		assert_int_equal(m->from, s->queues[m->queue].proc);
		assert_int_not_equal(m->from, m->to);
		assert_true(m->to < PROC_MAX && s->procs[m->to].is_there);
		assert_false(s->queues[m->queue].is_pinned);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(m->queue, s->moves[j].queue);
	}
}

// One interval passes. Returns how many queues were moved.
static unsigned tick(struct sim *s)
{
	unsigned n;

	s->now_ms += TICK_MS;
	measure(s);
	n = place_decide(&place_defaults, &s->state, s->procs, s->queues, s->n_queues, s->now_ms,
			 s->moves, MOVES_MAX);
	check_moves(s, n);
	for (unsigned i = 0; i < n; i++)
		s->queues[s->moves[i].queue].proc = s->moves[i].to;
	return n;
}

static unsigned ticks(struct sim *s, unsigned n)
{
	unsigned moves = 0;

	for (unsigned i = 0; i < n; i++)
		moves += tick(s);
	return moves;
}

static void no_proc_no_place(void **state)
{
	assert_int_equal(place_new_queue(NULL, 0), PLACE_NONE);
}

static void fewest_queues_win_then_lowest_number(void **state)
{
	const uint32_t uneven[] = {3, 1, 2, 1};
	const uint32_t even[] = {4, 4, 4};

	assert_int_equal(place_new_queue(uneven, 4), 1);
	assert_int_equal(place_new_queue(even, 3), 0);
	assert_int_equal(place_new_queue(uneven, 1), 0);
}

static void at_rest_all_stay_at_home(void **state)
{
	struct sim s;

	sim_init(&s, 4, 8);
	for (unsigned i = 0; i < 8; i++)
		s.demand[i] = 20;
	assert_int_equal(ticks(&s, 100), 0);
	assert_int_equal(procs_used(&s), 1);
}

// Within a second, and the first move after a short while above the threshold, not at once.
static void an_overload_spreads_within_a_second(void **state)
{
	struct sim s;

	sim_init(&s, 2, 2);
	s.demand[0] = s.demand[1] = 700;
	assert_int_equal(tick(&s), 0);
	assert_int_equal(ticks(&s, 9), 1);
	assert_int_equal(s.moves[0].reason, VMQ_OVERLOAD);
	assert_int_equal(procs_used(&s), 2);
	assert_int_equal(ticks(&s, 100), 0);
}

static void a_short_peak_moves_nothing(void **state)
{
	struct sim s;

	sim_init(&s, 4, 4);
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned q = 0; q < 4; q++)
			s.demand[q] = i % 2 == 0 ? 250 : 20;
		assert_int_equal(tick(&s), 0);
	}
}

static void what_is_quiet_for_long_comes_home(void **state)
{
	struct sim s;

	sim_init(&s, 4, 4);
	for (unsigned i = 0; i < 4; i++)
		s.demand[i] = 550;
	ticks(&s, 20);
	assert_int_equal(procs_used(&s), 4);
	for (unsigned i = 0; i < 4; i++)
		s.demand[i] = 30;
	assert_int_equal(ticks(&s, 10), 0);
	assert_true(ticks(&s, 60) > 0);
	assert_int_equal(procs_used(&s), 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(s.queues[i].proc, 0);
}

// One queue alone cannot be divided: it gets a proc, and stays.
static void one_queue_that_fills_a_proc_is_left_alone(void **state)
{
	struct sim s;

	sim_init(&s, 4, 3);
	s.demand[0] = 1500;
	s.demand[1] = 40;
	s.demand[2] = 40;
	ticks(&s, 20);
	for (unsigned i = 1; i < 3; i++)
		assert_int_not_equal(s.queues[i].proc, s.queues[0].proc);
	assert_int_equal(ticks(&s, 200), 0);
}

static void pinned_queues_stay(void **state)
{
	struct sim s;

	sim_init(&s, 2, 2);
	s.demand[0] = s.demand[1] = 900;
	s.queues[0].is_pinned = s.queues[1].is_pinned = 1;
	assert_int_equal(ticks(&s, 50), 0);
	s.queues[1].is_pinned = 0;
	assert_int_equal(ticks(&s, 10), 1);
	assert_int_equal(s.queues[1].proc, 1);
	s.demand[0] = s.demand[1] = 0;
	s.queues[1].is_pinned = 1;
	assert_int_equal(ticks(&s, 100), 0);
}

static void the_budget_holds(void **state)
{
	struct place_conf conf = place_defaults;
	struct sim s;

	sim_init(&s, PROC_MAX, VMS);
	for (unsigned i = 0; i < VMS; i++)
		s.demand[i] = 200;
	conf.moves_max = 3;
	conf.expand_ms = 0;
	conf.refund_ms = 1000;
	for (unsigned i = 1; i < 30; i++) {
		measure(&s);
		assert_int_equal(place_decide(&conf, &s.state, s.procs, s.queues, VMS,
					      s.now_ms + i * 10, s.moves, MOVES_MAX),
				 i == 1 ? 3 : 0);
	}
	conf.moves_max = 0;
	assert_int_equal(place_decide(&conf, &s.state, s.procs, s.queues, VMS, s.now_ms + 60000,
				      s.moves, MOVES_MAX),
			 0);
}

static void the_own_node_is_preferred(void **state)
{
	struct sim s;

	sim_init(&s, 4, 2);
	s.procs[2].node = s.procs[3].node = 1;
	s.queues[1].node = 1;
	s.demand[0] = s.demand[1] = 700;
	ticks(&s, 10);
	assert_int_equal(s.queues[0].proc, 0);
	assert_int_equal(s.queues[1].proc, 2);
}

// As few as the load needs: the second proc is filled before the third is woken.
static void procs_in_use_are_filled_first(void **state)
{
	struct sim s;

	sim_init(&s, 8, 10);
	for (unsigned i = 0; i < 10; i++)
		s.demand[i] = 110;
	ticks(&s, 30);
	assert_int_equal(procs_used(&s), 2);
	assert_true(highest_demand(&s) <= place_defaults.upper);
}

static void random_loads_never_make_a_wrong_move(void **state)
{
	struct sim s;

	srand(1);
	for (unsigned round = 0; round < 200; round++) {
		sim_init(&s, PROC_MAX, VMS);
		for (unsigned i = 1; i < PROC_MAX; i++)
			s.procs[i].is_there = rand() % 3 != 0;
		for (unsigned i = 0; i < PROC_MAX; i++)
			s.procs[i].node = (uint8_t)(rand() % 2);
		for (unsigned i = 0; i < VMS; i++) {
			s.queues[i].is_pinned = rand() % 8 == 0;
			s.queues[i].node = (uint8_t)(rand() % 2);
		}
		for (unsigned t = 0; t < 100; t++) {
			s.demand[rand() % VMS] = (uint32_t)(rand() % 1200);
			tick(&s);
		}
	}
}

/*
 * 64 VMs on 16 procs; every 10 s others of them are busy. Loads are such that all could be served
 * (40 to 60 % of the procs' time), so what is not served is the placement's fault.
 */
static void shifting_loads_are_served(void **state)
{
	enum { PHASES = 60, PHASE_TICKS = 100, SETTLED_TICKS = 20 };
	uint64_t asked = 0, missed = 0, late = 0, moves = 0, settle_ms = 0, settle_max_ms = 0;
	uint64_t busiest = 0, used = 0;
	struct sim s;

	srand(2);
	sim_init(&s, PROC_MAX, VMS);
	for (unsigned phase = 0; phase < PHASES; phase++) {
		uint32_t left = (uint32_t)(6400 + rand() % 3200);
		uint64_t settled_ms = 0;

		memset(s.demand, 0, sizeof(s.demand));
		while (left > 0) {
			uint32_t part = (uint32_t)(20 + rand() % 380), vm = (uint32_t)rand() % VMS;

			part = part < left ? part : left;
			if (s.demand[vm] + part > 500)
				continue;
			s.demand[vm] += part;
			left -= part;
		}
		for (unsigned t = 0; t < PHASE_TICKS; t++) {
			moves += tick(&s);
			for (unsigned p = 0; p < PROC_MAX; p++) {
				uint32_t demand = demand_on(&s, p);
				uint32_t over = demand > PLACE_FULL ? demand - PLACE_FULL : 0;

				asked += demand;
				missed += over;
				late += t >= SETTLED_TICKS ? over : 0;
			}
			if (highest_demand(&s) > PLACE_FULL)
				settled_ms = (t + 1) * TICK_MS;
		}
		busiest += highest_demand(&s);
		used += procs_used(&s);
		settle_ms += settled_ms;
		settle_max_ms = settled_ms > settle_max_ms ? settled_ms : settle_max_ms;
	}
	printf("64 VMs, 16 procs, load shifts every 10 s: %.2f moves/s; settled after %.2f s (at "
	       "most %.1f s); not served: %.3f %%; at the end of a phase the busiest proc has "
	       "%.0f %% load, %.1f procs are in use\n",
	       (double)moves / (PHASES * PHASE_TICKS * TICK_MS / 1000.0),
	       (double)settle_ms / PHASES / 1000, (double)settle_max_ms / 1000,
	       100.0 * (double)missed / (double)asked, (double)busiest / PHASES / 10,
	       (double)used / PHASES);
	assert_int_equal(late, 0);
	assert_true(settle_ms / PHASES <= 1000);
	assert_true(moves <= (uint64_t)PHASES * VMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_proc_no_place),
		cmocka_unit_test(fewest_queues_win_then_lowest_number),
		cmocka_unit_test(at_rest_all_stay_at_home),
		cmocka_unit_test(an_overload_spreads_within_a_second),
		cmocka_unit_test(a_short_peak_moves_nothing),
		cmocka_unit_test(what_is_quiet_for_long_comes_home),
		cmocka_unit_test(one_queue_that_fills_a_proc_is_left_alone),
		cmocka_unit_test(pinned_queues_stay),
		cmocka_unit_test(the_budget_holds),
		cmocka_unit_test(the_own_node_is_preferred),
		cmocka_unit_test(procs_in_use_are_filled_first),
		cmocka_unit_test(random_loads_never_make_a_wrong_move),
		cmocka_unit_test(shifting_loads_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

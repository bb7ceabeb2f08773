// Procs that find, touch and add sessions while others do, and while the main thread does its work.
// Takes three seconds of clock; no EAL. Built with -Db_sanitize=thread it must be silent, too.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tests/unit/conntrack_fixture.h"

/*
 * Few keys and less room, so that all want the same entries. Key i is bound to rule i, and so to a
 * weight: any other answer is a torn one. Now and then all stand still and the table is checked.
 */
enum { PROCS = 3, KEYS = 64, ROOM = 24, ROUNDS_PER_CHECK = 32, ROUNDS_PER_SECOND = 4 };

struct shared {
	struct conntrack *ct;
	_Atomic uint32_t now_s;
	_Atomic bool stop;
	_Atomic bool pause;
	pthread_barrier_t paused, goes_on;
};

struct worker {
	pthread_t thread;
	struct shared *shared;
	uint32_t behind_s; // its clock
	uint64_t random;
	uint64_t n_found, n_added, n_refused, n_busy, n_wrong;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct conntrack_rule rule_of(uint32_t number)
{
	return (struct conntrack_rule){.number = number,
				       .weight = (uint16_t)(number * 3 + 1),
				       .idle_s = (uint16_t)(2 + number % 8)};
}

static uint64_t random_next(uint64_t *x_random)
{
	*x_random = *x_random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *x_random >> 32;
}

static void worker_packet(struct worker *w)
{
	static const uint8_t flags[8] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK,
					 TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST, TCP_PSH};
	uint64_t random = random_next(&w->random);
	struct conntrack_packet packet = tcp(random >> 8 & 1, flags[random >> 9 & 7]);
	struct conntrack_kind kind = {.room = ROOM - 2 * (random >> 13 & 1),
				      .fragments = random >> 12 & 1};
	struct conntrack_rule rule = rule_of(random % KEYS);
	struct conntrack_key key = key_of(random % KEYS, 6);
	uint32_t now_s =
		atomic_load_explicit(&w->shared->now_s, memory_order_relaxed) - w->behind_s;
	struct conntrack_hit hit;

	if (conntrack_find(w->shared->ct, &key, now_s, &hit)) {
		w->n_found++;
		w->n_wrong += hit.weight != rule.weight || hit.rule != rule.number;
		conntrack_touch(w->shared->ct, &hit, &packet, now_s);
		return;
	}
	switch (conntrack_add(w->shared->ct, &key, &packet, kind, &rule, now_s)) {
	case 0:
		w->n_added++;
		break;
	case -ENOSPC:
		w->n_refused++;
		break;
	case -EBUSY:
		w->n_busy++;
		break;
	case -EINVAL:
		break;
	default:
		w->n_wrong++;
	}
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		worker_packet(w);
		if (!atomic_load_explicit(&w->shared->pause, memory_order_relaxed))
			continue;
		pthread_barrier_wait(&w->shared->paused);
		pthread_barrier_wait(&w->shared->goes_on);
	}
	return NULL;
}

static bool lives(uint32_t rule, void *arg)
{
	return rule % 16 != *(unsigned *)arg % 16;
}

static uint64_t walk(const struct conntrack *ct, uint32_t now_s)
{
	struct conntrack_session s;
	uint32_t cursor = 0;
	uint64_t wrong = 0;

	while (conntrack_next(ct, now_s, &cursor, &s)) {
		struct conntrack_key key = key_of(s.rule, 6);

		wrong += memcmp(&s.key, &key, sizeof(key)) != 0 || s.left_s > 9;
	}
	return wrong;
}

// Into a table that only the main thread has.
static uint64_t fill(const struct conntrack *ct, uint32_t now_s)
{
	struct conntrack *to = table(ROOM);
	uint64_t wrong;

	wrong = conntrack_fill(to, ct, now_s);
	wrong += walk(to, now_s);
	table_end(to);
	return wrong;
}

// What the main thread does. 'old' has some of the same sessions.
static uint64_t disturb(struct shared *shared, const struct conntrack *old, unsigned round,
			uint32_t *x_cursor)
{
	struct conntrack *ct = shared->ct;
	uint32_t now_s = T0 + round / ROUNDS_PER_SECOND;
	uint64_t wrong = 0;

	atomic_store(&shared->now_s, now_s);
	conntrack_sweep(ct, now_s, 1, x_cursor);
	if (round % 8 == 0)
		conntrack_end(ct, lives, &round);
	if (round % 16 == 0)
		conntrack_take(ct, old, T0);
	if (round % 16 == 1)
		wrong += fill(ct, now_s);
	if (round % ROUNDS_PER_CHECK == 0) {
		atomic_store(&shared->pause, true);
		pthread_barrier_wait(&shared->paused);
		table_check(ct);
		atomic_store(&shared->pause, false);
		pthread_barrier_wait(&shared->goes_on);
	}
	return wrong + walk(ct, now_s);
}

static struct conntrack *old_sessions(void)
{
	struct conntrack *old = table(ROOM);

	for (uint32_t i = 0; i < 4; i++) {
		struct conntrack_key key = key_of(i * 16 + 5, 6);
		struct conntrack_rule rule = rule_of(i * 16 + 5);
		struct conntrack_packet packet = tcp(true, TCP_ACK);

		assert_int_equal(conntrack_add(old, &key, &packet, flow, &rule, T0), 0);
	}
	return old;
}

static void workers_start(struct worker *workers, struct shared *shared)
{
	pthread_barrier_init(&shared->paused, NULL, PROCS + 1);
	pthread_barrier_init(&shared->goes_on, NULL, PROCS + 1);
	for (unsigned i = 0; i < PROCS; i++) {
		workers[i].shared = shared;
		workers[i].behind_s = i;
		workers[i].random = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]),
				 0);
	}
}

static void no_torn_session_and_none_twice(void **state)
{
	static struct worker workers[PROCS];
	static struct shared shared;
	struct conntrack *old = old_sessions();
	uint64_t end = now_ns() + 1000000000, wrong = 0, found = 0, added = 0, refused = 0;
	uint32_t cursor = 0;

	shared.ct = table(ROOM);
	shared.now_s = T0;
	workers_start(workers, &shared);
	for (unsigned round = 0; now_ns() < end; round++)
		wrong += disturb(&shared, old, round, &cursor);
	atomic_store(&shared.stop, true);
	for (unsigned i = 0; i < PROCS; i++) {
		pthread_join(workers[i].thread, NULL);
		wrong += workers[i].n_wrong;
		found += workers[i].n_found;
		added += workers[i].n_added;
		refused += workers[i].n_refused;
	}
	assert_int_equal(wrong, 0);
	assert_true(found > 0);
	assert_true(added > 0);
	assert_true(shared.ct->refused >= refused);
	conntrack_sweep(shared.ct, shared.now_s + 100, UINT32_MAX, &cursor);
	assert_int_equal(shared.ct->n, 0);
	table_end(shared.ct);
	table_end(old);
	pthread_barrier_destroy(&shared.paused);
	pthread_barrier_destroy(&shared.goes_on);
}

// All make the same sessions, in the same order, as procs do that got the packets of one flow.
enum { FLOWS = 4000 };

static void *flows_add(void *arg)
{
	struct worker *w = arg;
	struct conntrack_packet packet = udp(true);

	for (uint32_t i = 0; i < FLOWS; i++) {
		struct conntrack_key key = key_of(i, 6);
		struct conntrack_rule rule = rule_of(i);
		int err;

		while ((err = conntrack_add(w->shared->ct, &key, &packet, flow, &rule, T0)) ==
		       -EBUSY)
			sched_yield();
		w->n_wrong += err != 0;
	}
	return NULL;
}

static void a_flow_that_all_add_is_one_session(void **state)
{
	struct worker workers[PROCS] = {0};
	struct shared shared = {0};
	struct conntrack_hit hit;
	uint64_t end = now_ns() + 500000000;

	while (now_ns() < end) {
		shared.ct = table(FLOWS);
		for (unsigned i = 0; i < PROCS; i++) {
			workers[i].shared = &shared;
			assert_int_equal(
				pthread_create(&workers[i].thread, NULL, flows_add, &workers[i]),
				0);
		}
		for (unsigned i = 0; i < PROCS; i++) {
			pthread_join(workers[i].thread, NULL);
			assert_int_equal(workers[i].n_wrong, 0);
		}
		assert_int_equal(shared.ct->n, FLOWS);
		for (uint32_t i = 0; i < FLOWS; i++) {
			struct conntrack_key key = key_of(i, 6);

			assert_true(conntrack_find(shared.ct, &key, T0, &hit));
		}
		table_end(shared.ct);
	}
}

// A session that lives is always found, whatever comes and goes around it.
enum { STABLE = 12, TRANSIENT = 1000 };

static void *stable_seek(void *arg)
{
	struct worker *w = arg;
	struct conntrack_packet packet = udp(false);

	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		uint32_t now_s = atomic_load_explicit(&w->shared->now_s, memory_order_relaxed);
		struct conntrack_key key = key_of(w->n_found++ % STABLE, 6);
		struct conntrack_hit hit;

		if (conntrack_find(w->shared->ct, &key, now_s, &hit))
			conntrack_touch(w->shared->ct, &hit, &packet, now_s);
		else
			w->n_wrong++;
	}
	return NULL;
}

static void what_lives_is_always_found(void **state)
{
	struct shared shared = {.ct = table(ROOM), .now_s = T0};
	struct worker seekers[2] = {{.shared = &shared}, {.shared = &shared}};
	struct conntrack_rule rule = {.number = 1, .weight = 1, .idle_s = UINT16_MAX};
	struct conntrack_packet packet = udp(true);
	uint64_t end = now_ns() + 500000000, n_added = 0;
	uint32_t cursor = 0;

	for (uint32_t i = 0; i < STABLE; i++) {
		struct conntrack_key key = key_of(i, 6);

		assert_int_equal(conntrack_add(shared.ct, &key, &packet, flow, &rule, T0), 0);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&seekers[i].thread, NULL, stable_seek, &seekers[i]),
				 0);
	rule.idle_s = 1;
	for (uint32_t i = 0; now_ns() < end; i++) {
		struct conntrack_key key = key_of(STABLE + i % TRANSIENT, 6);
		uint32_t now_s = T0 + i / 8;

		atomic_store_explicit(&shared.now_s, now_s, memory_order_relaxed);
		n_added += conntrack_add(shared.ct, &key, &packet, flow, &rule, now_s) == 0;
		if (i % 8 == 0)
			conntrack_sweep(shared.ct, now_s, 4, &cursor);
		if (i % 64 == 0)
			sched_yield();
	}
	atomic_store(&shared.stop, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(seekers[i].thread, NULL);
		assert_int_equal(seekers[i].n_wrong, 0);
		assert_true(seekers[i].n_found > 0);
	}
	assert_true(n_added > TRANSIENT);
	table_end(shared.ct);
}

// What the main thread ends is gone, though a proc touches it, or just makes it, at that moment.
static void *flow_keep(void *arg)
{
	struct worker *w = arg;
	struct conntrack_packet packet = udp(false);
	struct conntrack_rule rule = rule_of(1);
	struct conntrack_key key = key_of(1, 6);
	struct conntrack_hit hit;

	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed)) {
		if (conntrack_find(w->shared->ct, &key, T0, &hit)) {
			// Never the time that is there, so that each touch writes.
			conntrack_touch(w->shared->ct, &hit, &packet,
					CONNTRACK_SEEN(hit.state) + 1);
			w->n_found++;
		} else if (!w->shared->pause) {
			w->n_added +=
				conntrack_add(w->shared->ct, &key, &packet, flow, &rule, T0) == 0;
		}
	}
	return NULL;
}

static bool dies(uint32_t rule, void *arg)
{
	return false;
}

static void flow_end_while_it_is_made(struct conntrack *ct)
{
	struct shared shared = {.ct = ct};
	struct worker worker = {.shared = &shared};
	uint64_t end = now_ns() + 300000000;

	assert_int_equal(pthread_create(&worker.thread, NULL, flow_keep, &worker), 0);
	while (now_ns() < end)
		conntrack_end(ct, dies, NULL);
	atomic_store(&shared.stop, true);
	pthread_join(worker.thread, NULL);
	assert_true(worker.n_added > 0);
}

static void flow_end_while_it_is_touched(struct conntrack *ct)
{
	struct shared shared = {.ct = ct, .pause = true};
	struct worker worker = {.shared = &shared};
	struct conntrack_packet packet = udp(true);
	struct conntrack_rule rule = rule_of(2);
	struct conntrack_key key = key_of(1, 6);
	uint64_t end = now_ns() + 300000000;
	struct conntrack_hit hit;

	assert_int_equal(pthread_create(&worker.thread, NULL, flow_keep, &worker), 0);
	while (now_ns() < end) {
		assert_int_equal(conntrack_add(ct, &key, &packet, flow, &rule, T0), 0);
		for (unsigned i = 0; i < 10; i++)
			assert_true(conntrack_find(ct, &key, T0, &hit));
		conntrack_end(ct, dies, NULL);
		assert_false(conntrack_find(ct, &key, T0, &hit));
	}
	atomic_store(&shared.stop, true);
	pthread_join(worker.thread, NULL);
	assert_true(worker.n_found > 0);
}

static void what_is_ended_stays_ended(void **state)
{
	struct conntrack *ct = table(ROOM);

	flow_end_while_it_is_made(ct);
	conntrack_end(ct, dies, NULL);
	assert_int_equal(ct->n, 0);
	table_check(ct);
	flow_end_while_it_is_touched(ct);
	assert_int_equal(ct->n, 0);
	table_end(ct);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_torn_session_and_none_twice),
		cmocka_unit_test(a_flow_that_all_add_is_one_session),
		cmocka_unit_test(what_lives_is_always_found),
		cmocka_unit_test(what_is_ended_stays_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

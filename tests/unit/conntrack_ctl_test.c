// Sessions, the main thread's side: sweeping, ending, taking over, walking.
#include "tests/unit/conntrack_fixture.h"

enum { N = 100, ALL = UINT32_MAX };

// Session i is of rule i % 10, begins at T0 + i % 4 and is established when i is odd.
static struct conntrack *filled(uint32_t max, uint32_t n)
{
	struct conntrack *ct = table(max);

	for (uint32_t i = 0; i < n; i++) {
		struct conntrack_rule rule = {
			.number = i % 10, .weight = (uint16_t)i, .idle_s = IDLE_S};
		struct conntrack_packet packet = tcp(i % 3 == 0, i % 2 ? TCP_ACK : TCP_SYN);
		struct conntrack_key key = key_of(i, 6);

		assert_int_equal(conntrack_add(ct, &key, &packet, flow, &rule, T0 + i % 4), 0);
	}
	return ct;
}

static void session_check(const struct conntrack_session *s, uint32_t now_s)
{
	uint32_t i = number_of(&s->key), silent_s = now_s - T0 - i % 4;
	struct conntrack_key key = key_of(i, 6);

	assert_memory_equal(&s->key, &key, sizeof(key));
	assert_int_equal(s->rule, i % 10);
	assert_int_equal(s->from_vm, i % 3 == 0);
	assert_int_equal(s->state, i % 2 ? CONNTRACK_ESTABLISHED : CONNTRACK_SYN_SENT);
	assert_int_equal(s->left_s, (i % 2 ? IDLE_S : 20) - silent_s);
}

// How many a walk finds, each once and as it was made; x_seen: by their number.
static uint32_t walk(const struct conntrack *ct, uint32_t now_s, bool x_seen[N])
{
	struct conntrack_session s;
	uint32_t cursor = 0, n = 0;

	memset(x_seen, 0, N * sizeof(x_seen[0]));
	for (; conntrack_next(ct, now_s, &cursor, &s); n++) {
		session_check(&s, now_s);
		assert_true(number_of(&s.key) < N);
		assert_false(x_seen[number_of(&s.key)]);
		x_seen[number_of(&s.key)] = true;
	}
	assert_false(conntrack_next(ct, now_s, &cursor, &s));
	return n;
}

static void a_walk_finds_each_session_once(void **state)
{
	struct conntrack *ct = filled(N, N), *empty = table(N);
	bool seen[N];

	assert_int_equal(walk(ct, T0 + 3, seen), N);
	assert_int_equal(walk(ct, T0 + 19, seen), N);
	// Of those that are not established, some end.
	assert_int_equal(walk(ct, T0 + 20, seen), N - N / 4);
	assert_int_equal(walk(ct, T0 + 22, seen), N - N / 2);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(seen[i], i % 2);
	assert_int_equal(walk(ct, T0 + IDLE_S + 3, seen), 0);
	assert_int_equal(walk(empty, T0, seen), 0);
	assert_int_equal(ct->n, N);
	table_end(empty);
	table_end(ct);
}

static void a_sweep_goes_on_where_it_was(void **state)
{
	struct conntrack *ct = filled(N, N);
	uint32_t cursor = 0, before = N;
	bool seen[N];

	for (uint32_t i = 0; i < ct->n_buckets; i++) {
		assert_int_equal(cursor, i);
		conntrack_sweep(ct, T0 + 22, 1, &cursor);
		for (unsigned way = 0; way < CONNTRACK_WAYS; way++) {
			uint64_t s = ct->entries[i * CONNTRACK_WAYS + way].state;

			assert_int_not_equal(CONNTRACK_STATE(s), CONNTRACK_SYN_SENT);
		}
		assert_true(ct->n <= before);
		before = ct->n;
	}
	assert_int_equal(cursor, 0);
	assert_int_equal(ct->n, N / 2);
	assert_int_equal(walk(ct, T0 + 22, seen), N / 2);
	// Round, from wherever another table's cursor stood, and not more than round.
	cursor = ct->n_buckets * 5 + 3;
	conntrack_sweep(ct, T0 + IDLE_S, ct->n_buckets - 4, &cursor);
	assert_int_equal(cursor, ct->n_buckets - 1);
	conntrack_sweep(ct, T0 + IDLE_S, 2, &cursor);
	assert_int_equal(cursor, 1);
	conntrack_sweep(ct, T0 + IDLE_S + 3, ALL, &cursor);
	assert_int_equal(cursor, 1);
	assert_int_equal(ct->n, 0);
	table_end(ct);
}

static bool is_below(uint32_t rule, void *arg)
{
	return rule < *(uint32_t *)arg;
}

static void sessions_end_with_their_rules(void **state)
{
	struct conntrack *ct = filled(N, N);
	struct conntrack_key key = key_of(7, 6);
	struct conntrack_packet ack = tcp(true, TCP_ACK);
	struct conntrack_hit hit;
	uint32_t limit = 10;
	bool seen[N];

	conntrack_end(ct, is_below, &limit);
	assert_int_equal(walk(ct, T0 + 3, seen), N);
	assert_true(conntrack_find(ct, &key, T0 + 3, &hit));
	limit = 7;
	conntrack_end(ct, is_below, &limit);
	assert_int_equal(walk(ct, T0 + 3, seen), N / 10 * 7);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(seen[i], i % 10 < 7);
	// Who has found one before does not bring it back.
	conntrack_touch(ct, &hit, &ack, T0 + 4);
	assert_false(conntrack_find(ct, &key, T0 + 4, &hit));
	table_check(ct);
	limit = 0;
	conntrack_end(ct, is_below, &limit);
	assert_int_equal(ct->n, 0);
	table_end(ct);
}

static void sessions_go_on_in_another_table(void **state)
{
	struct conntrack *from = filled(N, N), *to = table(N * 2);
	struct conntrack_packet syn = tcp(true, TCP_SYN);
	struct conntrack_key own = key_of(1, 6);
	struct conntrack_hit hit;
	bool seen[N];

	// 'to' has got a session since, which is also in 'from', and in another state there.
	assert_int_equal(conntrack_add(to, &own, &syn, flow, &some_rule, T0 + 22), 0);
	from->refused = 5;
	to->refused = 2;
	conntrack_take(to, from, T0 + 22);
	assert_int_equal(to->n, N / 2); // the others have ended
	assert_int_equal(to->refused, 7);
	assert_true(conntrack_find(to, &own, T0 + 22, &hit));
	assert_int_equal(CONNTRACK_STATE(hit.state), CONNTRACK_SYN_SENT);
	assert_int_equal(hit.weight, WEIGHT);
	for (uint32_t i = 3; i < N; i += 2) {
		struct conntrack_key key = key_of(i, 6);

		assert_true(conntrack_find(to, &key, T0 + 22, &hit));
		assert_int_equal(hit.weight, i);
		assert_int_equal(CONNTRACK_SEEN(hit.state), T0 + i % 4);
	}
	assert_int_equal(walk(from, T0 + 3, seen), N);
	table_end(to);
	table_end(from);
}

// A packet of session i in a table: its flags, from its origin.
static void touch(struct conntrack *ct, uint32_t i, uint8_t flags, uint32_t now_s)
{
	struct conntrack_packet packet = tcp(i % 3 == 0, flags);
	struct conntrack_key key = key_of(i, 6);
	struct conntrack_hit hit;

	assert_true(conntrack_find(ct, &key, now_s, &hit));
	conntrack_touch(ct, &hit, &packet, now_s);
}

static void session_is(const struct conntrack *ct, uint32_t i, enum conntrack_state state,
		       uint32_t seen_s)
{
	struct conntrack_key key = key_of(i, 6);
	struct conntrack_hit hit;

	assert_true(conntrack_find(ct, &key, seen_s, &hit));
	assert_int_equal(CONNTRACK_STATE(hit.state), state);
	assert_int_equal(CONNTRACK_SEEN(hit.state), seen_s);
	assert_int_equal(CONNTRACK_FROM_VM(hit.state), i % 3 == 0);
}

static bool is_not_two(uint32_t rule, void *arg)
{
	return rule != 2;
}

// The other table is filled, procs go over to it one by one, then it takes what is new.
static void a_table_is_filled_before_it_is_used(void **state)
{
	struct conntrack *from = filled(N, N), *to = table(N * 2);
	bool seen[N];

	from->refused = 5;
	assert_int_equal(conntrack_fill(to, from, T0 + 3), 0);
	assert_int_equal(walk(to, T0 + 3, seen), N);
	assert_int_equal(walk(from, T0 + 3, seen), N);
	assert_int_equal(to->refused, 0);
	touch(from, 1, TCP_ACK, T0 + 9);
	touch(from, 3, TCP_FIN, T0 + 3);
	touch(from, 5, TCP_FIN, T0 + 9);
	touch(to, 5, TCP_ACK, T0 + 8);
	touch(from, 7, TCP_ACK, T0 + 9);
	touch(to, 7, TCP_RST, T0 + 9);
	touch(from, 9, TCP_RST, T0 + 8);
	touch(to, 9, TCP_FIN, T0 + 9);
	touch(to, 11, TCP_FIN, T0 + 9);
	conntrack_end(from, is_not_two, NULL);
	assert_int_equal(from->n, N - N / 10);
	assert_int_equal(conntrack_add(from, &(struct conntrack_key){.version = 4},
				       &(struct conntrack_packet){.from_vm = true}, flow,
				       &some_rule, T0 + 9),
			 0);
	conntrack_take(to, from, T0 + 9);
	assert_int_equal(to->n, N + 1);
	assert_int_equal(to->refused, 5);
	session_is(to, 1, CONNTRACK_ESTABLISHED, T0 + 9);
	session_is(to, 3, CONNTRACK_FIN_ORIGIN, T0 + 3);
	session_is(to, 5, CONNTRACK_FIN_ORIGIN, T0 + 9);
	session_is(to, 7, CONNTRACK_CLOSED, T0 + 9);
	session_is(to, 9, CONNTRACK_FIN_ORIGIN, T0 + 9);
	session_is(to, 11, CONNTRACK_FIN_ORIGIN, T0 + 9);
	session_is(to, 12, CONNTRACK_SYN_SENT, T0); // which has ended in the other
	table_end(to);
	table_end(from);
}

// What ended there and began anew here is another one.
static void taking_leaves_what_began_here_alone(void **state)
{
	struct conntrack *from = filled(4, 4), *to = table(4);
	struct conntrack_rule rule = {.number = 3, .weight = 3, .idle_s = IDLE_S};
	struct conntrack_key one = key_of(1, 6), three = key_of(3, 6);
	struct conntrack_packet syn = tcp(false, TCP_SYN);
	struct conntrack_hit hit;

	assert_int_equal(conntrack_add(to, &one, &syn, flow, &some_rule, T0), 0);
	assert_int_equal(conntrack_add(to, &three, &syn, flow, &rule, T0), 0);
	conntrack_take(to, from, T0 + 3);
	assert_int_equal(to->n, 4);
	session_is(to, 0, CONNTRACK_SYN_SENT, T0);
	session_is(to, 1, CONNTRACK_SYN_SENT, T0); // of another rule
	assert_true(conntrack_find(to, &three, T0, &hit));
	assert_int_equal(CONNTRACK_STATE(hit.state), CONNTRACK_SYN_SENT); // of another side
	assert_int_equal(CONNTRACK_FROM_VM(hit.state), false);
	table_end(to);
	table_end(from);
}

static void a_smaller_table_takes_what_it_holds(void **state)
{
	struct conntrack *from = filled(N, N), *to = table(N / 4);
	bool seen[N];

	assert_int_equal(conntrack_fill(to, from, T0 + 3), N - N / 4);
	assert_int_equal(to->refused, 0);
	assert_int_equal(to->n, N / 4);
	conntrack_take(to, from, T0 + 3);
	assert_int_equal(to->n, N / 4);
	assert_int_equal(walk(to, T0 + 3, seen), N / 4);
	assert_int_equal(to->refused, N - N / 4);
	table_end(to);
	table_end(from);
}

// Nobody comes back from adding: the session is given up, and the main thread goes on.
static void taking_does_not_wait_for_ever(void **state)
{
	struct conntrack *from = filled(4, 4), *to = table(4);

	for (uint32_t i = 0; i < to->n_buckets; i++)
		to->buckets[i].lock = 1;
	conntrack_take(to, from, T0 + 3);
	assert_int_equal(to->n, 0);
	for (uint32_t i = 0; i < to->n_buckets; i++)
		to->buckets[i].lock = 0;
	conntrack_take(to, from, T0 + 3);
	assert_int_equal(to->n, 4);
	table_end(to);
	table_end(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_finds_each_session_once),
		cmocka_unit_test(a_sweep_goes_on_where_it_was),
		cmocka_unit_test(sessions_end_with_their_rules),
		cmocka_unit_test(sessions_go_on_in_another_table),
		cmocka_unit_test(a_table_is_filled_before_it_is_used),
		cmocka_unit_test(taking_leaves_what_began_here_alone),
		cmocka_unit_test(a_smaller_table_takes_what_it_holds),
		cmocka_unit_test(taking_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

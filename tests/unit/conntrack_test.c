// Sessions: their states, their time, their room. No EAL, and no clock but the test's.
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/conntrack_fixture.h"
#include "tests/unit/conntrack_plain.h"
#include "switch/acl_types.h"
#include "switch/conntrack_tcp.h"

enum { ALL = UINT32_MAX, FLAGS = 256 };

static int add(struct conntrack *ct, uint32_t number, struct conntrack_packet packet,
	       uint32_t now_s)
{
	struct conntrack_key key = key_of(number, packet.is_tcp ? 6 : 17);

	return conntrack_add(ct, &key, &packet, flow, &some_rule, now_s);
}

static bool find(struct conntrack *ct, uint32_t number, bool is_tcp, uint32_t now_s,
		 struct conntrack_hit *ret)
{
	struct conntrack_key key = key_of(number, is_tcp ? 6 : 17);

	return conntrack_find(ct, &key, now_s, ret);
}

static bool is_there(struct conntrack *ct, uint32_t number, bool is_tcp, uint32_t now_s)
{
	struct conntrack_hit hit;

	return find(ct, number, is_tcp, now_s, &hit);
}

static void touch(struct conntrack *ct, uint32_t number, struct conntrack_packet packet,
		  uint32_t now_s)
{
	struct conntrack_hit hit;

	assert_true(find(ct, number, packet.is_tcp, now_s, &hit));
	assert_int_equal(hit.weight, WEIGHT);
	assert_int_equal(hit.rule, RULE);
	conntrack_touch(ct, &hit, &packet, now_s);
}

// Checks, too, that it is there for so long and no longer.
static void session_is(struct conntrack *ct, uint32_t number, bool is_tcp,
		       enum conntrack_state state, uint32_t now_s, uint32_t left_s)
{
	struct conntrack_hit hit;

	assert_true(find(ct, number, is_tcp, now_s, &hit));
	assert_int_equal(CONNTRACK_STATE(hit.state), state);
	assert_true(is_there(ct, number, is_tcp, now_s + left_s - 1));
	assert_false(is_there(ct, number, is_tcp, now_s + left_s));
}

static void states_of_tcp_are_those_of_the_table(void **state)
{
	for (unsigned s = 0; s < CONNTRACK_N_STATES; s++) {
		for (unsigned flags = 0; flags < FLAGS; flags++) {
			assert_int_equal(conntrack_tcp_next(s, false, flags),
					 plain_next(s, false, flags));
			assert_int_equal(conntrack_tcp_next(s, true, flags),
					 plain_next(s, true, flags));
		}
	}
	for (unsigned flags = 0; flags < FLAGS; flags++)
		assert_int_equal(conntrack_tcp_begin(flags), plain_begin(flags));
}

// The same through a session, from whichever side it began.
static void packets_move_a_session_through_these_states(void **state)
{
	struct conntrack *ct = table(1);

	for (unsigned i = 0; i < CONNTRACK_N_STATES * FLAGS * 4; i++) {
		unsigned from = i / (FLAGS * 4), flags = i % FLAGS;
		bool vm_first = i / FLAGS & 1, from_vm = i / (FLAGS * 2) & 1;
		struct conntrack_packet packet = tcp(from_vm, flags);
		struct conntrack_hit hit;
		uint32_t cursor = 0;

		if (from == CONNTRACK_FREE)
			continue;
		assert_int_equal(add(ct, 1, tcp(vm_first, TCP_ACK), T0), 0);
		assert_true(find(ct, 1, true, T0, &hit));
		hit.state = (hit.state & ~(uint64_t)0xff00) | from << 8;
		hit.entry->state = hit.state;
		conntrack_touch(ct, &hit, &packet, T0);
		assert_int_equal(CONNTRACK_STATE(hit.entry->state),
				 plain_next(from, vm_first == from_vm, flags));
		assert_int_equal(CONNTRACK_FROM_VM(hit.entry->state), vm_first);
		conntrack_sweep(ct, T0 + IDLE_S, ALL, &cursor);
	}
	table_end(ct);
}

static void a_connection_from_its_beginning_to_its_end(void **state)
{
	struct conntrack *ct = table(100);
	uint32_t t = T0;

	assert_false(is_there(ct, 1, true, t));
	assert_int_equal(add(ct, 1, tcp(true, TCP_SYN), t), 0);
	session_is(ct, 1, true, CONNTRACK_SYN_SENT, t, 20);
	touch(ct, 1, tcp(false, TCP_SYN | TCP_ACK), t += 19);
	session_is(ct, 1, true, CONNTRACK_SYN_RECEIVED, t, 20);
	touch(ct, 1, tcp(false, TCP_ACK), t += 19);
	session_is(ct, 1, true, CONNTRACK_SYN_RECEIVED, t, 20);
	touch(ct, 1, tcp(true, TCP_ACK), t += 19);
	session_is(ct, 1, true, CONNTRACK_ESTABLISHED, t, IDLE_S);
	touch(ct, 1, tcp(false, TCP_ACK | TCP_PSH), t += IDLE_S - 1);
	session_is(ct, 1, true, CONNTRACK_ESTABLISHED, t, IDLE_S);
	touch(ct, 1, tcp(false, TCP_ACK | TCP_FIN), t += 100);
	session_is(ct, 1, true, CONNTRACK_FIN_REPLY, t, 120);
	touch(ct, 1, tcp(true, TCP_ACK), t += 119);
	session_is(ct, 1, true, CONNTRACK_FIN_REPLY, t, 120);
	touch(ct, 1, tcp(true, TCP_ACK | TCP_FIN), t += 119);
	session_is(ct, 1, true, CONNTRACK_CLOSED, t, 20);
	// Whatever comes keeps it, but only a SYN begins anew.
	touch(ct, 1, tcp(false, TCP_ACK), t += 19);
	touch(ct, 1, tcp(true, TCP_RST), t += 19);
	session_is(ct, 1, true, CONNTRACK_CLOSED, t, 20);
	touch(ct, 1, tcp(true, TCP_SYN), t += 9);
	session_is(ct, 1, true, CONNTRACK_SYN_SENT, t, 20);
	assert_int_equal(ct->n, 1);
	table_end(ct);
}

// One side has said all, and the other may take its time to answer.
static void half_a_connection_lives_longer_than_its_end(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		bool vm_first = i & 1, vm_ends = i & 2;
		enum conntrack_state half =
			vm_first == vm_ends ? CONNTRACK_FIN_ORIGIN : CONNTRACK_FIN_REPLY;
		struct conntrack *ct = table(1);

		assert_int_equal(add(ct, 1, tcp(vm_first, TCP_ACK), T0), 0);
		touch(ct, 1, tcp(vm_ends, TCP_FIN | TCP_ACK), T0);
		session_is(ct, 1, true, half, T0, 120);
		touch(ct, 1, tcp(vm_ends, TCP_FIN | TCP_ACK), T0 + 100); // once more is not twice
		session_is(ct, 1, true, half, T0 + 100, 120);
		touch(ct, 1, tcp(!vm_ends, TCP_ACK), T0 + 219);
		session_is(ct, 1, true, half, T0 + 219, 120);
		touch(ct, 1, tcp(!vm_ends, i == 0 ? TCP_RST : TCP_FIN), T0 + 220);
		session_is(ct, 1, true, CONNTRACK_CLOSED, T0 + 220, 20);
		table_end(ct);
	}
}

static void what_is_not_tcp_is_established_at_once(void **state)
{
	struct conntrack *ct = table(100);

	assert_int_equal(add(ct, 1, udp(false), T0), 0);
	session_is(ct, 1, false, CONNTRACK_ESTABLISHED, T0, IDLE_S);
	touch(ct, 1, udp(true), T0 + 100);
	session_is(ct, 1, false, CONNTRACK_ESTABLISHED, T0 + 100, IDLE_S);
	assert_false(is_there(ct, 1, true, T0)); // nor is a flow of TCP
	table_end(ct);
}

static void fragments_are_forgotten_soon(void **state)
{
	struct conntrack *ct = table(100);
	struct conntrack_packet packet = tcp(true, TCP_FIN);
	struct conntrack_kind fragments = {.room = 100, .fragments = true};
	struct conntrack_key key = key_of(1, 6);

	assert_int_equal(conntrack_add(ct, &key, &packet, fragments, &some_rule, T0), 0);
	session_is(ct, 1, true, CONNTRACK_FRAGMENT, T0, 20);
	touch(ct, 1, tcp(true, TCP_RST), T0 + 10);
	session_is(ct, 1, true, CONNTRACK_FRAGMENT, T0 + 10, 20);
	assert_int_equal(conntrack_add(ct, &key, &packet, fragments, &some_rule, T0 + 15), 0);
	session_is(ct, 1, true, CONNTRACK_FRAGMENT, T0 + 15, 20);
	table_end(ct);
}

static void short_times_never_exceed_the_rules(void **state)
{
	struct conntrack_rule rule = {.number = 1, .weight = WEIGHT, .idle_s = 5};
	struct conntrack_packet syn = tcp(true, TCP_SYN), ack = tcp(true, TCP_ACK);
	struct conntrack_packet fin = tcp(true, TCP_FIN);
	struct conntrack_key key = key_of(1, 6), other = key_of(2, 6);
	struct conntrack *ct = table(100);

	assert_int_equal(conntrack_add(ct, &key, &syn, flow, &rule, T0), 0);
	session_is(ct, 1, true, CONNTRACK_SYN_SENT, T0, 5);
	assert_int_equal(conntrack_add(ct, &other, &ack, flow, &rule, T0), 0);
	session_is(ct, 2, true, CONNTRACK_ESTABLISHED, T0, 5);
	rule.idle_s = UINT16_MAX;
	key = key_of(3, 6);
	assert_int_equal(conntrack_add(ct, &key, &ack, flow, &rule, T0), 0);
	session_is(ct, 3, true, CONNTRACK_ESTABLISHED, T0, UINT16_MAX);
	for (uint16_t idle_s = 119; idle_s <= 121; idle_s++) {
		struct conntrack_hit hit;

		rule.idle_s = idle_s;
		key = key_of(idle_s, 6);
		assert_int_equal(conntrack_add(ct, &key, &ack, flow, &rule, T0), 0);
		assert_true(conntrack_find(ct, &key, T0, &hit));
		conntrack_touch(ct, &hit, &fin, T0);
		session_is(ct, idle_s, true, CONNTRACK_FIN_ORIGIN, T0, idle_s < 120 ? idle_s : 120);
	}
	table_end(ct);
}

static void what_begins_nothing_is_no_session(void **state)
{
	struct conntrack *ct = table(100);

	for (unsigned flags = 0; flags < FLAGS; flags++)
		assert_int_equal(add(ct, flags, tcp(true, flags), T0),
				 plain_begin(flags) == 0 ? -EINVAL : 0);
	for (unsigned flags = 0; flags < FLAGS; flags++)
		assert_int_equal(is_there(ct, flags, true, T0), plain_begin(flags) != 0);
	assert_int_equal(ct->refused, 0);
	table_end(ct);
}

static void clocks_may_be_behind_and_wrap(void **state)
{
	static const uint32_t starts[] = {
		T0, 5, 0, UINT32_MAX - 3, UINT32_MAX, 1U << 31, (1U << 31) - 3};
	struct conntrack *ct = table(100);

	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint32_t t = starts[i];

		assert_int_equal(add(ct, i, udp(true), t), 0);
		session_is(ct, i, false, CONNTRACK_ESTABLISHED, t, IDLE_S);
		assert_true(is_there(ct, i, false, t - 10));
		// A packet of another proc moves nothing back.
		touch(ct, i, udp(true), t - 10);
		session_is(ct, i, false, CONNTRACK_ESTABLISHED, t, IDLE_S);
		touch(ct, i, udp(true), t + 4);
		session_is(ct, i, false, CONNTRACK_ESTABLISHED, t + 4, IDLE_S);
	}
	table_end(ct);
}

// In the same second nothing is new, and the entry is not even looked at.
static void a_touch_writes_once_a_second(void **state)
{
	struct conntrack *ct = table(100);
	struct conntrack_packet packet = udp(false);
	struct conntrack_hit hit, blind;

	assert_int_equal(add(ct, 1, udp(true), T0), 0);
	assert_true(find(ct, 1, false, T0, &hit));
	blind = (struct conntrack_hit){.entry = NULL, .state = hit.state};
	conntrack_touch(ct, &blind, &packet, T0);
	conntrack_touch(ct, &blind, &packet, T0 - 1);
	conntrack_touch(ct, &hit, &packet, T0 + 1);
	assert_int_equal(CONNTRACK_SEEN(hit.entry->state), T0 + 1);
	table_end(ct);
}

static void the_whole_key_counts(void **state)
{
	struct conntrack_packet packet = udp(true);
	struct conntrack_key key = key_of(1, 17);
	struct conntrack *ct = table(100);
	struct conntrack_hit hit;

	assert_int_equal(conntrack_add(ct, &key, &packet, flow, &some_rule, T0), 0);
	for (unsigned bit = 0; bit < sizeof(key) * 8; bit++) {
		struct conntrack_key other = key;

		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(conntrack_find(ct, &other, T0, &hit));
	}
	assert_true(conntrack_find(ct, &key, T0, &hit));
	table_end(ct);
}

static void what_is_there_is_not_added_again(void **state)
{
	struct conntrack_rule other = {.number = 9, .weight = 9, .idle_s = 9};
	struct conntrack_packet ack = tcp(true, TCP_ACK);
	struct conntrack_key key = key_of(1, 6);
	struct conntrack *ct = table(1);

	assert_int_equal(add(ct, 1, tcp(false, TCP_SYN | TCP_ACK), T0), 0);
	// It is a packet of that session: the other side's ACK.
	assert_int_equal(conntrack_add(ct, &key, &ack, flow, &other, T0 + 10), 0);
	session_is(ct, 1, true, CONNTRACK_SYN_RECEIVED, T0 + 10, 20);
	assert_int_equal(ct->n, 1);
	assert_int_equal(ct->refused, 0);
	touch(ct, 1, tcp(false, TCP_ACK), T0 + 10);
	session_is(ct, 1, true, CONNTRACK_ESTABLISHED, T0 + 10, IDLE_S);
	table_end(ct);
}

// Whoever still holds the one that ended changes nothing of its successor.
static void what_has_ended_begins_anew(void **state)
{
	struct conntrack_rule other = {.number = 9, .weight = 9, .idle_s = 9};
	struct conntrack_packet ack = tcp(true, TCP_ACK), rst = tcp(true, TCP_RST);
	struct conntrack_key key = key_of(1, 6);
	struct conntrack *ct = table(1);
	struct conntrack_hit old, hit;
	uint32_t t = T0;

	assert_int_equal(add(ct, 1, tcp(true, TCP_SYN), t), 0);
	assert_true(find(ct, 1, true, t, &old));
	for (int i = 0; i < 1000; i++) {
		t += IDLE_S;
		assert_int_equal(conntrack_add(ct, &key, &ack, flow, &other, t), 0);
		assert_int_equal(ct->n, 1);
		conntrack_touch(ct, &old, &rst, t);
		assert_true(find(ct, 1, true, t, &hit));
		assert_int_equal(CONNTRACK_STATE(hit.state), CONNTRACK_ESTABLISHED);
		assert_int_equal(hit.weight, 9);
		old = hit;
	}
	assert_int_equal(CONNTRACK_GENERATION(hit.state), 1000);
	table_end(ct);
}

static const uint32_t rooms[] = {1, 2, 3, 7, 8, 9, 16, 100, 1000, 4096, 5461, 8192};

// As many as it may hold, and not one more, ever.
static void there_is_room_for_exactly_so_many(void **state)
{
	for (unsigned i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct conntrack *ct = table(rooms[i]);
		uint32_t max = rooms[i], cursor = 0;

		for (uint32_t k = 0; k < max; k++)
			assert_int_equal(add(ct, k, tcp(true, TCP_SYN), T0), 0);
		for (uint32_t k = max; k < max + 100; k++)
			assert_int_equal(add(ct, k, tcp(true, TCP_SYN), T0 + 19), -ENOSPC);
		assert_int_equal(ct->n, max);
		assert_int_equal(ct->refused, 100);
		for (uint32_t k = 0; k < max + 100; k++)
			assert_int_equal(is_there(ct, k, true, T0 + 19), k < max);
		table_check(ct);
		conntrack_sweep(ct, T0 + 19, ALL, &cursor);
		assert_int_equal(ct->n, max);
		conntrack_sweep(ct, T0 + 20, ALL, &cursor);
		assert_int_equal(ct->n, 0);
		table_end(ct);
	}
}

// For some there is less room. What begins nothing needs none.
static void a_kind_has_its_part_of_the_room(void **state)
{
	struct conntrack_packet syn = tcp(false, TCP_SYN), rst = tcp(false, TCP_RST);
	struct conntrack_kind some = {.room = 30}, none = {.room = 0};
	struct conntrack *ct = table(100);
	struct conntrack_key key;
	uint32_t cursor = 0;

	for (uint32_t i = 0; i < 40; i++) {
		key = key_of(i, 6);
		assert_int_equal(conntrack_add(ct, &key, &syn, some, &some_rule, T0),
				 i < 30 ? 0 : -ENOSPC);
	}
	assert_int_equal(ct->n, 30);
	assert_int_equal(ct->refused, 10);
	assert_int_equal(conntrack_add(ct, &key, &rst, none, &some_rule, T0), -EINVAL);
	for (uint32_t i = 30; i < 102; i++)
		assert_int_equal(add(ct, i, tcp(true, TCP_SYN), T0), i < 100 ? 0 : -ENOSPC);
	assert_int_equal(ct->refused, 12);
	// What has ended takes room of these, until it is swept.
	for (uint32_t t = T0 + 19; t < T0 + 22; t++)
		assert_int_equal(conntrack_add(ct, &key, &syn, some, &some_rule, t), -ENOSPC);
	assert_int_equal(ct->refused, 15);
	conntrack_sweep(ct, T0 + 20, ALL, &cursor);
	assert_int_equal(conntrack_add(ct, &key, &syn, some, &some_rule, T0 + 22), 0);
	assert_int_equal(ct->n, 1);
	table_end(ct);
}

static void adding_makes_room_of_what_has_ended(void **state)
{
	struct conntrack *ct = table(4096);
	uint32_t n = 0;

	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(add(ct, i, tcp(true, TCP_SYN), T0), 0);
	// Nobody sweeps; what lies where the new one belongs is enough for most.
	for (uint32_t i = 4096; i < 8192; i++)
		n += add(ct, i, tcp(true, TCP_SYN), T0 + 20) == 0;
	assert_int_equal(ct->refused, 4096 - n);
	assert_true(n > 3000);
	assert_true(ct->n > 3000);
	table_end(ct);
}

static void sessions_come_and_go_and_there_is_room(void **state)
{
	struct conntrack *ct = table(1000);
	uint64_t random = 1;
	uint32_t cursor = 0, most = 0;

	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t t = T0 + i / 6;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		assert_int_equal(add(ct, i, random >> 63 ? tcp(true, TCP_SYN) : udp(true), t), 0);
		conntrack_sweep(ct, t, ct->n_buckets / 64, &cursor);
		most = ct->n > most ? ct->n : most;
	}
	assert_true(most > 800);
	assert_int_equal(ct->refused, 0);
	table_end(ct);
}

static void a_flood_takes_the_room_but_not_what_is_there(void **state)
{
	struct conntrack *ct = table(1000);
	uint32_t cursor = 0, t;

	assert_int_equal(add(ct, 1 << 20, tcp(true, TCP_ACK), T0), 0);
	for (t = T0; t < T0 + 60; t++) {
		for (uint32_t i = 0; i < 500; i++) {
			int err = add(ct, (t - T0) * 500 + i, tcp(false, TCP_SYN), t);

			assert_true(err == 0 || err == -ENOSPC);
		}
		assert_true(ct->n <= 1000);
		touch(ct, 1 << 20, tcp(t % 2, TCP_ACK), t);
		conntrack_sweep(ct, t, ct->n_buckets / 4, &cursor);
	}
	assert_true(ct->refused > 10000);
	conntrack_sweep(ct, t + 20, ALL, &cursor);
	assert_int_equal(ct->n, 1);
	session_is(ct, 1 << 20, true, CONNTRACK_ESTABLISHED, t - 1, IDLE_S);
	table_end(ct);
}

// Who adds in the same place is waited for by nobody. A key's first bucket is the one that
// matters; when only the second one is taken, the first one does.
static void nobody_waits_for_who_adds(void **state)
{
	struct conntrack *ct = table(512);
	uint32_t n_buckets = ct->n_buckets, n = 0, n_early = 0, n_refused = 0;

	for (uint32_t i = 0; i < n_buckets; i++)
		ct->buckets[i].lock = 1;
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(add(ct, i, udp(true), T0), -EBUSY);
	assert_int_equal(ct->n, 0);
	for (uint32_t i = 0; i < n_buckets; i += 2)
		ct->buckets[i].lock = 0;
	// Until some of those are full, and then it is the second one that is missing.
	for (uint32_t i = 0; i < 1000; i++) {
		int err = add(ct, i, udp(true), T0);

		assert_true(err == 0 || err == -EBUSY || err == -ENOSPC);
		assert_int_equal(is_there(ct, i, false, T0), err == 0);
		n += err == 0;
		n_refused += err == -ENOSPC;
		assert_int_equal(ct->n, n);
		n_early = i < 256 ? n : n_early;
	}
	assert_in_range(n_early, 100, 156);
	assert_in_range(n, 300, 490);
	assert_int_equal(ct->refused, n_refused);
	for (uint32_t i = 1; i < n_buckets; i += 2) {
		for (unsigned way = 0; way < CONNTRACK_WAYS; way++)
			assert_int_equal(ct->buckets[i].tags[way], 0);
		assert_int_equal(ct->buckets[i].lock, 1);
		ct->buckets[i].lock = 0;
	}
	table_end(ct);
}

static void a_table_has_twice_the_room_it_needs(void **state)
{
	struct conntrack *ct;

	for (unsigned i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		ct = table(rooms[i]);
		assert_int_equal(ct->n_buckets & (ct->n_buckets - 1), 0);
		assert_true(ct->n_buckets >= 2);
		assert_true(ct->n_buckets * CONNTRACK_WAYS >= rooms[i] * 2);
		table_end(ct);
	}
	ct = table(ACL_SESSIONS_MAX);
	assert_int_equal(ct->n_buckets * CONNTRACK_WAYS, 2 * ACL_SESSIONS_MAX);
	conntrack_destroy(ct);
	conntrack_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_of_tcp_are_those_of_the_table),
		cmocka_unit_test(packets_move_a_session_through_these_states),
		cmocka_unit_test(a_connection_from_its_beginning_to_its_end),
		cmocka_unit_test(half_a_connection_lives_longer_than_its_end),
		cmocka_unit_test(what_is_not_tcp_is_established_at_once),
		cmocka_unit_test(fragments_are_forgotten_soon),
		cmocka_unit_test(short_times_never_exceed_the_rules),
		cmocka_unit_test(what_begins_nothing_is_no_session),
		cmocka_unit_test(clocks_may_be_behind_and_wrap),
		cmocka_unit_test(a_touch_writes_once_a_second),
		cmocka_unit_test(the_whole_key_counts),
		cmocka_unit_test(what_is_there_is_not_added_again),
		cmocka_unit_test(what_has_ended_begins_anew),
		cmocka_unit_test(there_is_room_for_exactly_so_many),
		cmocka_unit_test(a_kind_has_its_part_of_the_room),
		cmocka_unit_test(adding_makes_room_of_what_has_ended),
		cmocka_unit_test(sessions_come_and_go_and_there_is_room),
		cmocka_unit_test(a_flood_takes_the_room_but_not_what_is_there),
		cmocka_unit_test(nobody_waits_for_who_adds),
		cmocka_unit_test(a_table_has_twice_the_room_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Sessions: any sequence of what procs and the main thread do, against a plain list of them.
 *
 *    input:  [0] room, [1] where the clock stands: some seconds before it wraps
 *            then operations of three bytes: [0] bits 0-2: what, bits 3-7: which flow
 *                                            [1] TCP's flags, seconds, a limit, ...
 *                                            [2] bit 0: from the VM, bit 1: TCP, bit 2: fragments,
 *                                                bits 3-7: the rule's timeout
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conntrack.h"
#include "tests/unit/conntrack_plain.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

enum {
	FLOWS = 32,
	ROOM_MAX = 15, // two buckets of one flow can never be full of the others
	OP_SIZE = 3
};

struct run {
	struct conntrack *ct;
	uint64_t now_s; // does not wrap
	struct plain_session flows[FLOWS];
	uint32_t made; // of sessions; numbers the rules
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conntrack_key key_of(unsigned flow)
{
	struct conntrack_key key = {.version = 6, .protocol = 6, .local_port = 80};

	key.remote[15] = (uint8_t)(flow & 7);
	key.vlan = (uint16_t)(flow >> 3);
	return key;
}

static uint16_t weight_of(const struct plain_session *flow)
{
	return (uint16_t)(flow->rule * 5);
}

static struct conntrack *table(uint8_t room)
{
	struct conntrack *ct;

	CHECK(conntrack_create(1 + room % ROOM_MAX, room * 0x9e3779b97f4a7c15ULL, &ct) == 0);
	return ct;
}

static uint32_t n_living(const struct run *run)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < FLOWS; i++)
		n += plain_left_s(&run->flows[i], run->now_s) > 0;
	return n;
}

static void do_add(struct run *run, unsigned number, const uint8_t op[])
{
	struct conntrack_packet packet = {
		.from_vm = op[2] & 1, .is_tcp = op[2] & 2, .tcp_flags = op[1]};
	bool fragments = op[2] & 4;
	struct plain_session *flow = &run->flows[number];
	struct plain_session fresh = {.exists = true,
				      .from_vm = packet.from_vm,
				      .state = CONNTRACK_ESTABLISHED,
				      .rule = ++run->made,
				      .idle_s = 1 + (op[2] >> 3) * 6,
				      .seen_s = run->now_s};
	struct conntrack_rule rule = {.number = fresh.rule,
				      .weight = weight_of(&fresh),
				      .idle_s = (uint16_t)fresh.idle_s};
	struct conntrack_key key = key_of(number);
	uint32_t before = run->ct->n, living = n_living(run);
	struct conntrack_kind kind = {.room = fragments ? ROOM_MAX / 2 : ROOM_MAX,
				      .fragments = fragments};
	uint64_t refused = run->ct->refused;
	bool is_full = kind.room < run->ct->max && before >= kind.room;
	int err = conntrack_add(run->ct, &key, &packet, kind, &rule, (uint32_t)run->now_s);

	if (fragments)
		fresh.state = CONNTRACK_FRAGMENT;
	else if (packet.is_tcp)
		fresh.state = plain_begin(packet.tcp_flags);
	CHECK(run->ct->refused - refused == (err == -ENOSPC));
	if (fresh.state == CONNTRACK_FREE) {
		CHECK(err == -EINVAL);
	} else if (is_full) {
		CHECK(err == -ENOSPC && run->ct->n == before);
	} else if (plain_left_s(flow, run->now_s) > 0) {
		CHECK(err == 0);
		plain_touch(flow, packet.from_vm, packet.is_tcp, packet.tcp_flags, run->now_s);
	} else if (err == 0) {
		CHECK(living < run->ct->max);
		*flow = fresh;
	} else {
		CHECK(err == -ENOSPC && before == run->ct->max && run->ct->n == before);
	}
}

// The packet's proc may have a clock that is behind.
static void do_touch(struct run *run, unsigned number, const uint8_t op[])
{
	struct conntrack_packet packet = {
		.from_vm = op[2] & 1, .is_tcp = op[2] & 2, .tcp_flags = op[1]};
	struct conntrack_key key = key_of(number);
	uint64_t proc_s = run->now_s - (op[2] >> 6);
	struct conntrack_hit hit;

	if (!conntrack_find(run->ct, &key, (uint32_t)run->now_s, &hit))
		return;
	conntrack_touch(run->ct, &hit, &packet, (uint32_t)proc_s);
	plain_touch(&run->flows[number], packet.from_vm, packet.is_tcp, packet.tcp_flags, proc_s);
}

static void do_sweep(struct run *run, unsigned cursor, const uint8_t op[])
{
	uint32_t before = run->ct->n, x_cursor = cursor;

	conntrack_sweep(run->ct, (uint32_t)run->now_s, op[1], &x_cursor);
	CHECK(x_cursor < run->ct->n_buckets && run->ct->n <= before);
	if (op[1] >= run->ct->n_buckets)
		CHECK(run->ct->n == n_living(run));
}

static bool lives(uint32_t rule, void *arg)
{
	return (rule & *(uint32_t *)arg) == 0;
}

static void do_end(struct run *run, const uint8_t op[])
{
	uint32_t mask = op[1];

	conntrack_end(run->ct, lives, &mask);
	for (unsigned i = 0; i < FLOWS; i++)
		run->flows[i].exists = run->flows[i].exists && lives(run->flows[i].rule, &mask);
}

// Which ones are left when there is less room, the table chooses. It may be filled before, and what
// is there a second later is taken then.
static void do_take(struct run *run, unsigned number, const uint8_t op[])
{
	struct conntrack *from = run->ct, *to = table(op[1]);
	const uint8_t in_time[OP_SIZE] = {op[0], op[1], op[2] & 0x3f};
	bool is_filled = op[2] & 4;
	struct conntrack_hit hit;
	uint32_t living;

	if (is_filled) {
		living = n_living(run);
		CHECK(conntrack_fill(to, from, (uint32_t)run->now_s) ==
		      (living > to->max ? living - to->max : 0));
		run->now_s++;
		do_touch(run, number, in_time);
		do_add(run, (number + 1) % FLOWS, op);
	}
	living = n_living(run);
	run->ct = to;
	conntrack_take(run->ct, from, (uint32_t)run->now_s);
	CHECK(is_filled || to->n == (living < to->max ? living : to->max));
	for (unsigned i = 0; i < FLOWS; i++) {
		struct conntrack_key key = key_of(i);

		if (!conntrack_find(run->ct, &key, (uint32_t)run->now_s, &hit))
			run->flows[i].exists = false;
	}
	CHECK(is_filled || n_living(run) == to->n);
	conntrack_destroy(from);
}

static void check_finds(const struct run *run)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		const struct plain_session *flow = &run->flows[i];
		struct conntrack_key key = key_of(i);
		struct conntrack_hit hit;
		bool found = conntrack_find(run->ct, &key, (uint32_t)run->now_s, &hit);

		CHECK(found == (plain_left_s(flow, run->now_s) > 0));
		CHECK(!found || (hit.weight == weight_of(flow) && hit.rule == flow->rule));
	}
}

static void check_walk(const struct run *run)
{
	struct conntrack_session s;
	uint32_t cursor = 0, n = 0;

	for (; conntrack_next(run->ct, (uint32_t)run->now_s, &cursor, &s); n++) {
		unsigned number = s.key.remote[15] | (unsigned)s.key.vlan << 3;
		const struct plain_session *flow = &run->flows[number % FLOWS];
		struct conntrack_key key = key_of(number);

		CHECK(number < FLOWS && memcmp(&key, &s.key, sizeof(key)) == 0);
		CHECK(s.state == flow->state && s.from_vm == flow->from_vm);
		CHECK(s.rule == flow->rule);
		CHECK(s.left_s == plain_left_s(flow, run->now_s) && s.left_s > 0);
	}
	// As many as there are: so none was there twice.
	CHECK(n == n_living(run) && n <= run->ct->n && run->ct->n <= run->ct->max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = {0};

	if (size < 2)
		return 0;
	run.ct = table(data[0]);
	run.now_s = (1ULL << 32) - data[1];
	for (const uint8_t *op = data + 2; op + OP_SIZE <= data + size; op += OP_SIZE) {
		switch (op[0] & 7) {
		case 0:
		case 1:
			do_add(&run, op[0] >> 3, op);
			break;
		case 2:
		case 3:
			do_touch(&run, op[0] >> 3, op);
			break;
		case 4:
			run.now_s += op[1] & 63;
			break;
		case 5:
			do_sweep(&run, op[0] >> 3, op);
			break;
		case 6:
			do_end(&run, op);
			break;
		default:
			do_take(&run, op[0] >> 3, op);
		}
		check_finds(&run);
		check_walk(&run);
	}
	conntrack_destroy(run.ct);
	return 0;
}

// What the tests of sessions share: tables, keys by number, packets, what always holds.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ports/headers.h"
#include "switch/conntrack.h"

enum { T0 = 1000, IDLE_S = 255, WEIGHT = 7, RULE = 3 };

static const struct conntrack_rule some_rule = {.number = RULE, .weight = WEIGHT, .idle_s = IDLE_S};
static const struct conntrack_kind flow = {.room = UINT32_MAX};

static inline struct conntrack *table(uint32_t max)
{
	struct conntrack *ct;

	assert_int_equal(conntrack_create(max, 0x0123456789abcdef, &ct), 0);
	return ct;
}

static inline struct conntrack_key key_of(uint32_t number, uint8_t protocol)
{
	struct conntrack_key key = {.local = {10, 0, 0, 1},
				    .remote = {10, 0, 1},
				    .local_port = 1024,
				    .version = 4,
				    .protocol = protocol};

	key.remote[3] = (uint8_t)(number >> 16);
	key.remote_port = (uint16_t)number;
	return key;
}

static inline uint32_t number_of(const struct conntrack_key *key)
{
	return (uint32_t)key->remote[3] << 16 | key->remote_port;
}

// From the VM, for 'true' of the first argument.
static inline struct conntrack_packet tcp(bool from_vm, uint8_t flags)
{
	return (struct conntrack_packet){.from_vm = from_vm, .is_tcp = true, .tcp_flags = flags};
}

static inline struct conntrack_packet udp(bool from_vm)
{
	return (struct conntrack_packet){.from_vm = from_vm};
}

// The counter is what is there, and no key is there twice. Nobody else is at it.
static inline void table_check(const struct conntrack *ct)
{
	uint32_t n_slots = ct->n_buckets * CONNTRACK_WAYS, n = 0;
	uint32_t *used = calloc(n_slots, sizeof(*used));

	assert_non_null(used);
	for (uint32_t i = 0; i < n_slots; i++) {
		bool is_free = CONNTRACK_STATE(ct->entries[i].state) == CONNTRACK_FREE;

		assert_int_equal(is_free,
				 ct->buckets[i / CONNTRACK_WAYS].tags[i % CONNTRACK_WAYS] == 0);
		if (!is_free)
			used[n++] = i;
	}
	for (uint32_t i = 0; i < n && n <= 1000; i++) { // more would take too long
		for (uint32_t k = i + 1; k < n; k++)
			assert_memory_not_equal(&ct->entries[used[i]].key,
						&ct->entries[used[k]].key,
						sizeof(struct conntrack_key));
	}
	for (uint32_t i = 0; i < ct->n_buckets; i++)
		assert_int_equal(ct->buckets[i].lock, 0);
	assert_int_equal(ct->n, n);
	assert_true(n <= ct->max);
	free(used);
}

static inline void table_end(struct conntrack *ct)
{
	table_check(ct);
	conntrack_destroy(ct);
}

/*
 * What the tests of VM NICs share: two guests and the switch between them, and frames that
 * are counted and checked. To be used inside of cmocka tests: what goes wrong fails the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/guest/guest.h"
#include "tests/guest/tframe.h"
#include "tests/unit/vhost_host.h"

enum { LAB_WAIT_MS = 15000, LAB_WINDOW = 32, LAB_FRAME_SIZE = 200 };

struct lab {
	struct host *host;
	struct guest *guests[HOST_NICS];
	uint32_t numbers[HOST_NICS]; // of the next frame that the guest sends
	bool attacked;               // guest 0 breaks the rules, so its books do not balance
};

// The folder of the sockets, and the sockets.
extern char lab_dir[64];
extern char lab_paths[HOST_NICS][96];

// Group setup and teardown, and the teardown of each test: nothing is left behind.
int lab_set_up(void **state);
int lab_tear_down(void **state);
int lab_clean_up(void **state);

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		int64_t until_ = lab_now_ms() + LAB_WAIT_MS;                                       \
		while (!(condition) && lab_now_ms() < until_)                                      \
			usleep(2000);                                                              \
		assert_true(condition);                                                            \
	} while (0)

int64_t lab_now_ms(void);

// Both sockets in the same role.
struct host_conf lab_conf(bool server);

// Starts and ends a switch; it is killed after the test if the test does not get so far.
struct host *lab_start(const struct host_conf *conf);
int lab_quit(struct host *h);

// Sockets, guests and switch; 'edit' (or NULL) changes the guests' configuration.
void lab_up(struct lab *lab, bool server, void (*edit)(struct guest_conf *));
void lab_down(struct lab *lab);

// The same with a switch of the caller's choice; 'conf' has the roles of both sockets.
void lab_up_conf(struct lab *lab, const struct host_conf *conf, void (*edit)(struct guest_conf *));

// Waits until the switch says that NIC 'i' is connected, or not.
void lab_settle(struct lab *lab, unsigned i, bool connected);

// Queues one frame to the other guest; guest_flush() sends it. False: no room.
bool lab_send(struct lab *lab, unsigned from);

// Takes what came for guest 'to', good frames only. Returns how many.
unsigned lab_receive(struct lab *lab, unsigned to, struct tframe_track *track);

// Waits until the switch has taken what the guests sent, and throws away what arrived of it. After
// a switch died, that includes frames that it had sent on but not yet given back.
void lab_flush_left(struct lab *lab);

/**
 * Sends 'n' frames from one guest to the other, a window at a time, and sees that each of them
 * arrives, in order.
 */
void lab_exchange(struct lab *lab, unsigned from, unsigned n);
void lab_exchange_both(struct lab *lab, unsigned n);

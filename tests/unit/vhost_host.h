/*
 * The smallest switch: two vhost NICs and one proc that moves what comes from one to the other,
 * in a process of its own, so that tests can kill it and start it again under living guests.
 *
 * The test talks to it through a page of shared memory and a word of command.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { HOST_NICS = 2, HOST_PATH_SIZE = 256, HOST_WHY_SIZE = 160 };

enum host_command { HOST_NONE, HOST_STOP_0, HOST_START_0, HOST_QUIT };

struct host_conf {
	const char *path[HOST_NICS];
	bool server[HOST_NICS];
	uint16_t queues;        // pairs of each NIC; 0: 1
	uint64_t features;      // 0: all
	const char *group;      // of the sockets, NULL: the default
	bool may_fail_to_start; // a failed start is looked at by the test
};

// What the process tells, per NIC. Plain words: read for one condition at a time.
struct host_nic {
	_Atomic uint32_t state;
	_Atomic uint32_t events; // all that ever came
	_Atomic uint32_t last_error;
	_Atomic uint32_t refusals;
	_Atomic uint32_t breaks;
	_Atomic uint32_t bad_messages;
	_Atomic uint64_t features;
	_Atomic uint32_t queues_used; // bit mask: frames are spread over them
	_Atomic int32_t peer_pid;
	_Atomic uint64_t rx_frames;
	_Atomic uint64_t tx_frames;
	_Atomic uint64_t drops_in;
	_Atomic uint64_t drops_out;
	char why[HOST_WHY_SIZE];
	char start_error[512];
};

struct host {
	pid_t pid;
	_Atomic uint32_t ready;
	_Atomic uint32_t command; // enum host_command; back to HOST_NONE when done
	_Atomic uint32_t steps;   // of the main loop
	_Atomic uint32_t loops;   // of the proc
	_Atomic uint32_t sleeps;  // times that the proc slept on the rings' fds
	struct host_nic nic[HOST_NICS];
};

// Starts the process and waits until it is ready. NULL: it did not get there.
struct host *host_start(const struct host_conf *conf);

// Does a command and waits for its end, at most 5 s. False: it did not end.
bool host_do(struct host *h, enum host_command command);

// Kills it (-9).
void host_kill(struct host *h);

// Ends it in order and returns its exit status, -1 when it had to be killed or had crashed.
int host_quit(struct host *h);

// Whether the process is there.
bool host_lives(struct host *h);

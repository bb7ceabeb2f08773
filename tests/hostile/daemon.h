/*
 * The real vswd under attack: started in a directory of its own, asked by vswctl, watched.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DAEMON_REASONS 64u

struct daemon {
	const char *vswd; // programs; borrowed
	const char *vswctl;
	char dir[64];
	pid_t pid;
};

// What `show ports PORT` says. Drops are the sum of all reasons and, by name, each of them.
struct daemon_port {
	char state[32];
	char why[256];
	uint64_t rx_frames;
	uint64_t tx_frames;
	unsigned n;
	struct {
		char name[40]; // "in InvalidData"
		uint64_t count;
	} drops[DAEMON_REASONS];
};

/**
 * Makes the directory and starts vswd in it; 'options' is a NULL-terminated list of more
 * arguments. Returns 0 or a negative errno after a message on stderr.
 */
int daemon_start(struct daemon *d, const char *const options[]);

/** Ends vswd by SIGTERM and removes the directory; false when it did not end well. */
bool daemon_stop(struct daemon *d);

/** False when it has died; says so on stderr, with the end of its log. */
bool daemon_alive(struct daemon *d);

/** Runs vswctl with these arguments (NULL-terminated). Returns its exit code. */
int daemon_ctl(struct daemon *d, const char *const args[]);

/** Asks for one port. Returns 0 or a negative errno. */
int daemon_show(struct daemon *d, const char *port, struct daemon_port *ret);

/** A counter by its name, such as "out Resources"; 0 when it was never counted. */
uint64_t daemon_drops(const struct daemon_port *p, const char *name);

/** Open files, and mappings of memory, of the process: to see leaks. */
unsigned daemon_files(const struct daemon *d);
unsigned daemon_maps(const struct daemon *d);

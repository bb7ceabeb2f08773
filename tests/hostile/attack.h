/*
 * What an attack is, and what it is given.
 *
 * Each attack gets a guest that is attached and works, or only a socket path when it says
 * that it speaks the protocol itself. Whatever it does, afterwards the switch must be alive, the
 * honest guests must have lost nothing, the reason must be visible in the port's counters (or
 * its connection ended), and a guest on the same port must work again.
 *
 * Threads: one, but for honest.h's.
 */
#pragma once

#include <stdbool.h>

#include "tests/hostile/daemon.h"
#include "tests/hostile/honest.h"

#define ATTACK_REASONS 6u

struct attack_ctx {
	struct honest *honest;
	struct daemon *daemon;
	struct guest *g;     // the attacker, attached; NULL with ATTACK_RAW
	struct guest *other; // a second one, if the attack has made it
	const char *socket;  // of the attacker's port; the switch listens
	const char *socket2; // of a second attacker's port
	const char *socket3; // of a third one: there the switch connects
	uint32_t number;     // of the attacker's next test frame
};

enum attack_flags {
	ATTACK_RAW = 1,     // no guest is wanted: the attack speaks the protocol itself
	ATTACK_HANGUP = 2,  // the switch has to close the connection, or to answer with an error
	ATTACK_LEGAL = 4,   // odd but allowed: nothing needs to be counted
	ATTACK_WHY = 8,     // the port must say what is wrong with its ring
	ATTACK_NOT_ME = 16, // the guest itself cannot be told to reset: a new one must work
};

struct attack {
	const char *name;
	int (*run)(struct attack_ctx *c, unsigned arg); // 0, or -1: the attack could not be made
	unsigned arg;
	unsigned flags;
	const char *reasons[ATTACK_REASONS]; // one of these counters must rise ("in InvalidData")
	void (*prepare)(struct guest_conf *conf); // of the attacker's guest; may be NULL
};

extern const struct attack attacks_ring[];
extern const struct attack attacks_receive[];
extern const struct attack attacks_memory[];
extern const struct attack attacks_message[];

void attack_sleep_ms(long ms);
double attack_now(void);

/**
 * Attacker's guest: sends 'n' numbered frames to p, and takes what has come; returns how many of
 * p's. The rings must be sane.
 */
unsigned attack_traffic(struct attack_ctx *c, unsigned n);

/** True when frames pass both ways between the attacker and p within two seconds. */
bool attack_works(struct attack_ctx *c);

/** Makes a guest as 'prepare' likes it on 'socket' and attaches it. */
int attack_guest(struct attack_ctx *c, void (*prepare)(struct guest_conf *conf), const char *socket,
		 struct guest **g_ret);

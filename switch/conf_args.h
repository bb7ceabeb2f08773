/*
 * What the command readers of the configuration model share: words, position, and the ways to
 * say what is wrong. Only conf_*.c include this.
 */
#pragma once

#include <stdint.h>

#include "switch/conf.h"

struct conf_args {
	struct conf *c;
	const struct conf_env *env;
	const struct words *w;
	struct conf_error *e;
	unsigned at; // the word being read
};

// A word that may follow, alone or with a value.
struct conf_key {
	const char *name;
	const char *value; // what its value is, for errors; NULL = it stands alone
	/**
	 * Reads 'value' (the word at args->at) into 'target'. Errors through conf_fail_value().
	 */
	int (*read)(struct conf_args *args, const char *value, void *target);
};

// What follows the command is wrong at the current word. Returns 'err'.
int conf_fail(struct conf_args *args, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// The same at another word.
int conf_fail_at(struct conf_args *args, unsigned word, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

// The word that must follow now; NULL: there is none, and the error says what is missing.
const char *conf_next(struct conf_args *args, const char *what);

// Whether the word behind the current one is this.
bool conf_follows(const struct conf_args *args, const char *word);

/**
 * Reads all remaining words by the table; bit i of '*x_seen' is set when keys[i] was there.
 * At most 32 keys; each may stand once.
 */
int conf_read_keys(struct conf_args *args, const struct conf_key keys[], unsigned n, void *target,
		   uint32_t *x_seen);

/**
 * "unknown KIND 'x'; did you mean 'y'? Known are ..." at the current word. Returns -EINVAL.
 */
int conf_fail_unknown(struct conf_args *args, const char *kind, const char *word,
		      const char *const known[], unsigned n);

// The next word as the name of a switch or port that exists.
int conf_next_switch(struct conf_args *args, struct conf_switch **ret);
int conf_next_port(struct conf_args *args, struct conf_port **ret);

// Fails when words are left.
int conf_no_more(struct conf_args *args);

// The next word as a name that is still free.
int conf_next_new_name(struct conf_args *args, const char *what, char ret[OBJECT_NAME_SIZE]);

/**
 * Fails when another port than 'self' (may be NULL) uses the interface or device.
 */
int conf_check_nic_free(struct conf_args *args, unsigned word, const char *nic,
			const struct conf_port *self);

// Appends to the configuration. -ENOMEM, -ENOSPC.
int conf_append_switch(struct conf_args *args, const struct conf_switch *sw);
int conf_append_port(struct conf_args *args, const struct conf_port *p);

// conf_port.c
int conf_edit_port_add(struct conf_args *args, struct conf_edit *ret);
int conf_edit_port_set(struct conf_args *args, struct conf_edit *ret);
int conf_edit_port_check(struct conf_args *args, struct conf_edit *ret);
int conf_edit_port_remove(struct conf_args *args, struct conf_edit *ret);

// conf_switch.c
int conf_edit_switch_add(struct conf_args *args, struct conf_edit *ret);
int conf_edit_switch_set(struct conf_args *args, struct conf_edit *ret);
int conf_edit_switch_remove(struct conf_args *args, struct conf_edit *ret);

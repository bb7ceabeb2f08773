/*
 * The configuration model: commands in, a new configuration or an exact error out.
 *
 * Everything that can be decided without touching the system is decided here: syntax, ranges,
 * names and ids that are taken, sockets and interfaces that another port uses. What is left
 * for the live switch to refuse is what only the system knows (is there such a NIC?).
 *
 * Each switch brings vports of its own: SWITCH:default with id 0, SWITCH:internal with id 1
 * (Internal; External unless allow-management-os is off), SWITCH:external with id 2. They are
 * implied by `switch add`, and cannot be removed alone.
 *
 * Port ids are never reused while their switch lives. A port without a given id takes the
 * lowest that was never used; ids of ports that are gone are kept, as a bit each, and are
 * saved (retired-ids).
 *
 * Threads: none of its own; pure.
 */
#pragma once

#include <stdio.h>

#include "ports/errtext.h"
#include "switch/conf_types.h"
#include "switch/words.h"

// The first and the last line of conf_print()'s text.
#define CONF_STATE_FIRST "# vsw state 1"
#define CONF_STATE_LAST  "# end"

// What the model has to know about the process.
struct conf_env {
	const char *run_dir; // where relative sockets are
	uint8_t mac_pool[2]; // fourth and fifth byte of the addresses for `mac dynamic`
	void (*random)(void *bytes, size_t size);
};

enum conf_op {
	CONF_SWITCH_ADD,
	CONF_SWITCH_SET,
	CONF_SWITCH_REMOVE,
	CONF_PORT_ADD,
	CONF_PORT_SET,
	CONF_PORT_CHECK, // changes nothing
	CONF_PORT_REMOVE,
	CONF_ACL_ADD,
	CONF_ACL_REMOVE
};

// What a command did to the configuration.
struct conf_edit {
	enum conf_op op;
	enum conf_op checked; // what CONF_PORT_CHECK was about: CONF_PORT_ADD or CONF_PORT_SET
	char name[OBJECT_NAME_SIZE]; // of the switch or port; an ACL's port
	uint32_t rule;               // CONF_ACL_ADD: number of the rule, or of the first one
	uint32_t n_rules;            // so many were added, with numbers that follow
};

struct conf_error {
	struct errtext text;
	unsigned word; // index of the word that is wrong; the number of words: something is missing
};

// Gives an empty configuration. -ENOMEM.
int conf_create(struct conf **ret);
void conf_destroy(struct conf *c);

// Gives a deep copy. -ENOMEM.
int conf_copy(const struct conf *from, struct conf **ret);

// Takes a port of 'c' out of it, with all that it owns. Those behind it move up.
void conf_remove_port(struct conf *c, struct conf_port *p);

struct conf_switch *conf_switch_find(const struct conf *c, const char *name);
struct conf_port *conf_port_find(const struct conf *c, const char *name);

// An own vport of a switch; NULL when the switch has none of that type.
struct conf_port *conf_port_implied(const struct conf *c, const char *switch_name,
				    enum vport_type type);

// True for the vports that `switch add` makes.
bool conf_port_is_implied(const struct conf_port *p);

// True for ports that carry all VLANs when they are told nothing: the wire, and captures.
bool conf_port_is_wire(const struct conf_port *p);

/**
 * Runs one changing command (`switch ...`, `port ...`, `acl ...`) on 'c'. On failure 'c' is as it
 * was. -EINVAL: wrong in itself; -EEXIST: taken; -ENOENT: no such switch or port; -ENOSPC: over a
 * limit; -ENOMEM.
 */
int conf_edit(struct conf *c, const struct conf_env *env, const struct words *w,
	      struct conf_edit *ret, struct conf_error *e);

// True when the words are a command that conf_edit() knows, right or wrong.
bool conf_is_edit(const struct words *w);

/**
 * Prints the commands that rebuild 'c', its ids and GUIDs included. Temporary ports are left
 * out, but their ids count as used.
 */
void conf_print(const struct conf *c, FILE *f);

// conf_print() to memory that the caller frees. -ENOMEM.
int conf_text(const struct conf *c, char **ret, size_t *ret_size);

enum conf_source {
	CONF_FILE, // written by people: commands
	CONF_STATE // written by conf_print(): with its first and last line, which must be right
};

/**
 * Gives the configuration that a whole file describes. 'name' is its name in 'e', which is
 * "name:line:column: what is wrong".
 */
int conf_load(const char *text, size_t size, const char *name, enum conf_source source,
	      const struct conf_env *env, struct conf **ret, struct errtext *e);

// The words for help and errors.
const char *conf_switch_type_name(unsigned type);

/*
 * Rules for the micro-benchmarks of access control, as a lab's tenants have them, and frames that
 * some of them match: networks with prefixes of 20 to 32 bits, extended rules with a port.
 *
 * Of the rules every other one denies; the frames are those of the others, so that all pass.
 *
 * Threads: no state but the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "switch/acl_types.h"

enum aclset_kind {
	ACLSET_BASIC,
	ACLSET_EXTENDED,
	ACLSET_STATEFUL // from the VM by rules that are stateful; to it all is denied
};

struct aclset {
	enum aclset_kind kind;
	bool is_ipv6;
	uint32_t n; // rules each way
};

// Frames of this many bytes and more can be filled.
enum { ACLSET_FRAME_MIN = 64 };

/**
 * Writes the set's rules, with numbers from 1 on; there is room for ACL_RULES_MAX. Returns how
 * many there are.
 */
uint32_t aclset_rules(const struct aclset *set, struct acl_rule rules[]);

/**
 * Fills a frame of 'size' bytes behind its addresses, as UDP that a rule drawn of those that allow
 * matches. 'flow', below 50000, makes it one of several that match the same. 'to_vm': its answer.
 */
void aclset_frame(const struct aclset *set, uint32_t rule, uint32_t flow, bool to_vm,
		  uint8_t *frame, uint32_t size);

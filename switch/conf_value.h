/*
 * Values in commands: numbers, names, addresses. Each function reads one word, and either
 * gives the value or says what would be right.
 *
 * Threads: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/errtext.h"
#include "switch/conf_types.h"

// Decimal, 'min' to 'max' with both. -EINVAL.
int conf_value_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret,
		      struct errtext *e);

// 0x and 1 to 16 hex digits. -EINVAL.
int conf_value_hex(const char *text, uint64_t *ret, struct errtext *e);

int conf_value_on_off(const char *text, bool *ret, struct errtext *e);

// A unicast address, six pairs of hex digits with ':' or '-' between. -EINVAL.
int conf_value_mac(const char *text, uint8_t ret[6], struct errtext *e);

// Any address, groups and zero, too. -EINVAL.
int conf_value_any_mac(const char *text, uint8_t ret[6], struct errtext *e);

// With or without braces; gives upper case without. -EINVAL.
int conf_value_guid(const char *text, char ret[CONF_GUID_SIZE], struct errtext *e);

// A random one (version 4) out of 16 random bytes.
void conf_value_make_guid(const uint8_t random[16], char ret[CONF_GUID_SIZE]);

// Sets the bits of a list such as "3,6-9". -EINVAL.
int conf_value_ids(const char *text, uint8_t bits[CONF_PORT_IDS_BYTES], struct errtext *e);

// VLAN ids 1 to 4094 in the same form. -EINVAL.
int conf_value_vlans(const char *text, struct vlan_set *ret, struct errtext *e);

/**
 * Text for people: valid UTF-8 without control characters, 'min' to 'max' bytes. 'what' is
 * the word for it in the error. -EINVAL.
 */
int conf_value_text(const char *text, const char *what, size_t min, size_t max, struct errtext *e);

// A name that Linux accepts for a network interface. -EINVAL.
int conf_value_ifname(const char *text, const char *what, struct errtext *e);

/**
 * What kind of NIC the word means, and its canonical form: PCI addresses in full and lower
 * case, the others as they are. -EINVAL.
 */
int conf_value_nic(const char *text, enum vnic_kind *kind, char ret[VNIC_PATH_SIZE],
		   struct errtext *e);

// "0000:3b:00.0" as conf_value_nic() gives it.
bool conf_value_is_pci(const char *nic);

/**
 * An absolute path without "//" and "/./"; a relative one begins at 'dir'. For comparing.
 * -ENAMETOOLONG: longer than 'size' with the closing zero.
 */
int conf_value_path(const char *dir, const char *path, char *ret, size_t size);

/**
 * The candidate that 'word' was probably meant to be, or NULL when none is near.
 */
const char *conf_value_nearest(const char *word, const char *const candidates[], size_t n);

static inline bool conf_id_in(const uint8_t *bits, uint32_t id)
{
	return (bits[id / 8] >> (id % 8) & 1) != 0;
}

static inline void conf_id_set(uint8_t *bits, uint32_t id)
{
	bits[id / 8] |= (uint8_t)(1 << (id % 8));
}

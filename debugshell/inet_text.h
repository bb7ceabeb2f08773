/*
 * Addresses and protocols of IP, in words.
 *
 * Pure.
 */
#pragma once

#include "debugshell/print.h"

// Of 4 bytes, or of 16 with version 6; "?" for another version. The bytes are as on the wire.
struct text inet_text_ip(unsigned version, const uint8_t *bytes);

// IPv4 as ::ffff:a.b.c.d, shown without what is before it.
struct text inet_text_mapped(const uint8_t *bytes);

// "tcp"; the number for one that has no name here.
struct text inet_text_protocol(unsigned number);

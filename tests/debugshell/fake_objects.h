/*
 * The objects of a vswd, made by hand: the real root and type data, and objects that are healthy
 * or damaged in the ways that a debug shell must survive.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "switch/root.h"

// Memory for an object, of zeros, for good; the program that links this has it. 'name' is the
// object's: the program may put one elsewhere.
void *fake_memory(size_t size, const char *name);

// The three switches of the project's model text, ids and order of ports included.
void fake_healthy(void);

// These go on from there.
void fake_damage(void);
void fake_policies(void);
void fake_stations(uint32_t stations);
void fake_clock(void);
void fake_names(void);

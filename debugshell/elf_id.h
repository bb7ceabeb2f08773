/*
 * The GNU build id among the notes of a program, which are foreign bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Size of the id in 'notes', at most IMAGE_ID_MAX bytes; '*x_at' is where it begins. 0: there is
 * none.
 */
size_t elf_id_find(const uint8_t *notes, size_t size, size_t *x_at);

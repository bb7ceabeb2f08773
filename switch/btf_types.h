/*
 * The type data (BTF) of every struct in the *_types.h headers, as bytes in the loaded image.
 *
 * They are made at build time from types.c and stand in a section of their own that is mapped
 * with the program, so that strip keeps them. They are data that could be written to, for that is
 * in every core, while constants are only in those with bit 2 of coredump_filter. The size
 * is 0 when the compiler cannot make type data (clang).
 *
 * Threads: constant.
 */
#pragma once

#include <stddef.h>

extern unsigned char vsw_btf[];   // in VSW_BTF_SECTION
extern const size_t vsw_btf_size; // bytes

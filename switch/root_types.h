/*
 * What a debugger starts from: found by the symbol or section of the binary, or by searching
 * a core for the magic. It holds by value what one always wants to know, and for each table
 * its address, count and element size, so that a walk is bounded by what is written here.
 *
 * Threads: main thread writes.
 */
#pragma once

#include <stdint.h>

#include "switch/proc_types.h"
#include "switch/vswitch_types.h"
#include "vmq/vmq_types.h"

#define VSW_ROOT_MAGIC   "VSW ROOT v1\n" // 12 bytes and zeros; at the start of section .vsw_root
#define VSW_ROOT_SECTION ".vsw_root"
#define VSW_BTF_SECTION  ".vsw_btf" // type data, part of the loaded image

enum { VSW_ROOT_LAYOUT = 1 };

struct vsw_root {
	// These five never move: with them any debugger finds the type data, and the rest by name.
	char magic[16];
	uint32_t size;     // of this struct
	uint32_t layout;   // VSW_ROOT_LAYOUT; raised when the meaning of a field here changes
	const void *btf;   // type data (BTF) in the loaded image
	uint64_t btf_size; // 0 when the build has none

	char version[32];
	uint8_t build_id[20];   // GNU build id of vswd
	uint32_t build_id_size; // bytes of it
	int32_t pid;
	uint32_t pad;
	int64_t start_s; // wall clock, seconds since 1970
	uint64_t tsc_hz;
	uint64_t start_tsc;
	char run_dir[256];
	char state_dir[256];
	char command_line[512];

	// Tables: arrays of pointers.
	uint32_t n_vswitches;
	uint32_t vswitches_max;
	struct vswitch *vswitches[CONF_SWITCHES_MAX];
	uint32_t n_procs; // one more than the highest number; NULL: there is none of that number
	uint32_t procs_max;
	struct proc *procs[PROC_MAX];
	struct vmq_moves moves; // of receive queues, by themselves

	uint64_t clock_tsc;       // the main thread's look at the cycle counter, once a second
	uint32_t coredump_filter; // of this process, as the kernel has it; 0: not known
	uint32_t pad2;
};

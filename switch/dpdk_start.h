/*
 * Starts DPDK for this process: memory, the main thread's cores, which buses to look at.
 *
 * DPDK gets one lcore, the main thread, on all cores that procs do not poll; its own threads
 * (vhost among them) stay there, too. It leaves no file behind, so that several vswd run side
 * by side.
 *
 * Threads: main thread, before any other is started.
 */
#pragma once

#include <stdbool.h>

#include "ports/errtext.h"

struct dpdk_start {
	const unsigned *procs; // cores to keep off
	unsigned n_procs;
	unsigned memory_mib;
	bool no_huge;
	bool pci;
	const char *run_dir;
};

/**
 * The cores that procs shall run on: those in 'x_procs', or the last that this process may
 * use when '*x_n_procs' is 0. -EINVAL: one of them is not ours to use.
 */
int dpdk_choose_procs(unsigned x_procs[], unsigned *x_n_procs, struct errtext *e);

// Logs one line about the memory that it took. Negative errno, and 'e' has DPDK's words.
int dpdk_start(const struct dpdk_start *start, struct errtext *e);
void dpdk_stop(void);

// How many frames may be in flight with so much memory; after dpdk_start().
unsigned dpdk_frames(unsigned memory_mib);

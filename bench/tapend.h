/*
 * A machine at one end of a TAP, in one of the two places where a machine can be:
 *
 *     TAPEND_VMM    machine --write()--> [TAP] interface --> what is attached to it: a bridge, or a
 *                                                            switch with a packet socket
 *     TAPEND_HOST   machine --packet socket--> interface [TAP] --read()--> a switch that holds
 *                                                                          the TAP's descriptor
 *
 * A VMM without vhost makes one system call per frame, so TAPEND_VMM does, too. On the other
 * side, the machine is the host, and its packet socket takes and gives frames in batches.
 *
 * Threads: one at a time per end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/bframe.h"

enum { TAPEND_BATCH = 32 };

enum tapend_kind { TAPEND_VMM, TAPEND_HOST };

// A frame as a TAP hands it over, behind a virtio-net header.
struct tapend_frame {
	uint32_t length; // of the frame alone
	struct {
		uint8_t header[12];
		uint8_t data[BFRAME_MAX];
	} tap;
};

struct tapend {
	enum tapend_kind kind;
	int fd;
};

/**
 * Takes the TAP 'ifname', makes it when there is none, or opens a packet socket on the
 * interface 'ifname', which must be up. 'napi': what the machine sends is received by NAPI, not
 * within its own system call. 0 or a negative errno.
 */
int tapend_open(enum tapend_kind kind, const char *ifname, bool napi, struct tapend *ret);
void tapend_close(struct tapend *t);

/** Sends n <= TAPEND_BATCH frames. Returns how many were taken, or a negative errno. */
int tapend_send(struct tapend *t, struct tapend_frame *const frames[], unsigned n);

/** Receives up to n <= TAPEND_BATCH frames without waiting. Returns how many, or a negative errno.
 */
int tapend_recv(struct tapend *t, struct tapend_frame frames[], unsigned n);

/**
 * Lets threads of their own do NAPI for the TAP 'ifname' and pins them to 'core'. The TAP must be
 * open with 'napi'. *pid_ret is the thread's process. 0 or a negative errno.
 */
int tapend_thread_napi(const char *ifname, int core, int *pid_ret);

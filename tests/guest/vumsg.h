/*
 * vhost-user messages, as the front end (the VMM's side) sends them.
 *
 * Only what goes over the socket: numbers, layouts, and two functions that move bytes and
 * file descriptors. Nothing here checks that a message makes sense, because tests send
 * nonsense on purpose.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VUMSG_VERSION     0x1u
#define VUMSG_REPLY       0x4u
#define VUMSG_NEED_REPLY  0x8u
#define VUMSG_HEADER_SIZE 12u
#define VUMSG_MAX_FDS     8u
#define VUMSG_NO_FD       (1u << 8) // in the u64 of KICK, CALL and ERR: no descriptor comes along
#define VUMSG_F_PROTOCOL  (1ull << 30) // the virtio feature bit VHOST_USER_F_PROTOCOL_FEATURES
#define VUMSG_F_LOG_ALL   (1ull << 26)

enum vumsg_request {
	VUMSG_GET_FEATURES = 1,
	VUMSG_SET_FEATURES = 2,
	VUMSG_SET_OWNER = 3,
	VUMSG_RESET_OWNER = 4,
	VUMSG_SET_MEM_TABLE = 5,
	VUMSG_SET_LOG_BASE = 6,
	VUMSG_SET_LOG_FD = 7,
	VUMSG_SET_VRING_NUM = 8,
	VUMSG_SET_VRING_ADDR = 9,
	VUMSG_SET_VRING_BASE = 10,
	VUMSG_GET_VRING_BASE = 11,
	VUMSG_SET_VRING_KICK = 12,
	VUMSG_SET_VRING_CALL = 13,
	VUMSG_SET_VRING_ERR = 14,
	VUMSG_GET_PROTOCOL_FEATURES = 15,
	VUMSG_SET_PROTOCOL_FEATURES = 16,
	VUMSG_GET_QUEUE_NUM = 17,
	VUMSG_SET_VRING_ENABLE = 18,
	VUMSG_SEND_RARP = 19,
	VUMSG_NET_SET_MTU = 20,
	VUMSG_SET_BACKEND_REQ_FD = 21,
	VUMSG_IOTLB = 22,
	VUMSG_CREATE_CRYPTO_SESSION = 26,
	VUMSG_POSTCOPY_ADVISE = 28,
	VUMSG_GET_INFLIGHT_FD = 31,
	VUMSG_SET_INFLIGHT_FD = 32,
	VUMSG_RESET_DEVICE = 34,
	VUMSG_ADD_MEM_REG = 37,
	VUMSG_SET_STATUS = 39,
	VUMSG_GET_STATUS = 40,
};

enum vumsg_protocol_bit {
	VUMSG_P_MQ = 0,
	VUMSG_P_LOG_SHMFD = 1,
	VUMSG_P_RARP = 2,
	VUMSG_P_REPLY_ACK = 3,
	VUMSG_P_MTU = 4,
	VUMSG_P_BACKEND_REQ = 5,
	VUMSG_P_INFLIGHT = 12,
	VUMSG_P_STATUS = 16,
};

struct vumsg_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;         // address in the front end, used for the rings only
	uint64_t file_offset; // of the region in its memory file
};

struct vumsg_memory {
	uint32_t n;
	uint32_t pad;
	struct vumsg_region regions[VUMSG_MAX_FDS];
};

struct vumsg_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vumsg_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vumsg_log {
	uint64_t size;
	uint64_t offset;
};

union vumsg_payload {
	uint64_t u64;
	struct vumsg_memory memory;
	struct vumsg_vring_state state;
	struct vumsg_vring_addr addr;
	struct vumsg_log log;
	uint8_t bytes[512];
};

struct vumsg {
	uint32_t request;
	uint32_t flags;
	uint32_t size; // bytes of payload that follow
	union vumsg_payload payload;
} __attribute__((packed, aligned(4)));

/**
 * Sends 'size' raw bytes with 'n_fds' descriptors attached to the first of them.
 *
 * The descriptors stay the caller's. Returns 0 or a negative errno; a peer that has closed
 * the socket is -EPIPE (or -ECONNRESET), never a signal.
 */
int vumsg_send_raw(int sock, const void *data, size_t size, const int fds[], unsigned n_fds);

/**
 * Sends one message. 'payload' is borrowed and may be NULL when 'size' is 0.
 */
int vumsg_send(int sock, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	       const int fds[], unsigned n_fds);

/**
 * Receives one message within 'timeout_ms'.
 *
 * Descriptors that come along are closed, except the first, which goes to *fd_ret when that
 * is not NULL (-1 without one). Returns 0, -ETIMEDOUT, -ENOTCONN when the peer closed, or
 * another negative errno.
 */
int vumsg_recv(int sock, struct vumsg *msg, int timeout_ms, int *fd_ret);

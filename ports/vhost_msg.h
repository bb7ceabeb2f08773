/*
 * vhost-user messages: what a VMM may ask, checked before the library works on it.
 *
 * The library is trusting: it reads a payload that was never sent, translates addresses of a
 * message cut short, waits for a second message in the middle of a first one (post-copy),
 * works on features that were never offered, and maps files that are shorter than the memory
 * that they are to hold. So a message passes here first, and only what an L2 switch needs
 * passes at all.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum vhost_msg_request {
	VHOST_MSG_GET_FEATURES = 1,
	VHOST_MSG_SET_FEATURES = 2,
	VHOST_MSG_SET_OWNER = 3,
	VHOST_MSG_RESET_OWNER = 4,
	VHOST_MSG_SET_MEM_TABLE = 5,
	VHOST_MSG_SET_VRING_NUM = 8,
	VHOST_MSG_SET_VRING_ADDR = 9,
	VHOST_MSG_SET_VRING_BASE = 10,
	VHOST_MSG_GET_VRING_BASE = 11,
	VHOST_MSG_SET_VRING_KICK = 12,
	VHOST_MSG_SET_VRING_CALL = 13,
	VHOST_MSG_SET_VRING_ERR = 14,
	VHOST_MSG_GET_PROTOCOL_FEATURES = 15,
	VHOST_MSG_SET_PROTOCOL_FEATURES = 16,
	VHOST_MSG_GET_QUEUE_NUM = 17,
	VHOST_MSG_SET_VRING_ENABLE = 18
};

enum {
	VHOST_MSG_REGIONS_MAX = 8,
	VHOST_MSG_FDS_MAX = 8,
	VHOST_MSG_PAYLOAD_MAX = 632, // bytes of the library's union, which fixes where fds[] lies
	VHOST_MSG_RING_MASK = 0xff   // in the u64 of KICK, CALL and ERR
};

struct vhost_msg_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;    // VMM's address; the rings' addresses are given in these
	uint64_t offset; // bytes, of the region in its file
};

/*
 * The library's struct vhu_msg_context, which it hands to message hooks and promises not to
 * change, but keeps in no public header.
 */
struct vhost_message {
	uint32_t request; // enum vhost_msg_request
	uint32_t flags;
	uint32_t size; // bytes of payload that came
	union {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t num;
		} state;
		struct {
			uint32_t index;
			uint32_t flags;
			uint64_t desc;
			uint64_t used;
			uint64_t avail;
			uint64_t log;
		} addr;
		struct {
			uint32_t n;
			uint32_t pad;
			struct vhost_msg_region regions[VHOST_MSG_REGIONS_MAX];
		} memory;
		uint8_t bytes[VHOST_MSG_PAYLOAD_MAX];
	} payload;
	int32_t fds[VHOST_MSG_FDS_MAX];
	int32_t n_fds;
} __attribute__((packed));

/**
 * Whether the library may see the message: NULL, or words that say why not. 'n_rings' is how
 * many rings the device has.
 */
const char *vhost_msg_check(const struct vhost_message *m, unsigned n_rings);

/**
 * The rings that the library changes when it works on the message, as a bit mask. 'n_rings' is
 * 1 to 32.
 */
uint32_t vhost_msg_rings(const struct vhost_message *m, unsigned n_rings);

// Whether the library unmaps guest memory when it works on the message.
bool vhost_msg_unmaps(const struct vhost_message *m);

// Closes what came with a message that the library will not see.
void vhost_msg_close_fds(struct vhost_message *m);

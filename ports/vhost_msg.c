#include "ports/vhost_msg.h"

#include <assert.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

static_assert(offsetof(struct vhost_message, payload) == 12, "the protocol's header has 12 bytes");
static_assert(offsetof(struct vhost_message, fds) == 644, "as in librte_vhost.so.23");

// Our address space is shared by all ports.
#define MEMORY_MAX (4ULL << 40)

static uint32_t payload_needed(const struct vhost_message *m);
static bool has_ring(const struct vhost_message *m, uint32_t *ret);
static const char *check_ring(const struct vhost_message *m, unsigned n_rings);
static const char *check_memory(const struct vhost_message *m);
static const char *check_region(const struct vhost_msg_region *r, int fd);
static bool can_be_mapped(int fd, uint64_t size);

const char *vhost_msg_check(const struct vhost_message *m, unsigned n_rings)
{
	if (m->n_fds < 0 || m->n_fds > VHOST_MSG_FDS_MAX)
		return "number of descriptors makes no sense";
	switch (m->request) {
	case VHOST_MSG_GET_FEATURES:
	case VHOST_MSG_SET_FEATURES:
	case VHOST_MSG_SET_OWNER:
	case VHOST_MSG_RESET_OWNER:
	case VHOST_MSG_SET_MEM_TABLE:
	case VHOST_MSG_SET_VRING_NUM:
	case VHOST_MSG_SET_VRING_ADDR:
	case VHOST_MSG_SET_VRING_BASE:
	case VHOST_MSG_GET_VRING_BASE:
	case VHOST_MSG_SET_VRING_KICK:
	case VHOST_MSG_SET_VRING_CALL:
	case VHOST_MSG_SET_VRING_ERR:
	case VHOST_MSG_GET_PROTOCOL_FEATURES:
	case VHOST_MSG_SET_PROTOCOL_FEATURES:
	case VHOST_MSG_GET_QUEUE_NUM:
	case VHOST_MSG_SET_VRING_ENABLE:
		break;
	default:
		return "a request that was not offered";
	}
	if (m->size < payload_needed(m))
		return "payload is too short";
	if (m->request == VHOST_MSG_SET_MEM_TABLE)
		return check_memory(m);
	return check_ring(m, n_rings);
}

uint32_t vhost_msg_rings(const struct vhost_message *m, unsigned n_rings)
{
	const uint32_t all = UINT32_MAX >> (32 - n_rings);
	uint32_t ring;

	switch (m->request) {
	case VHOST_MSG_SET_VRING_NUM:
	case VHOST_MSG_SET_VRING_ADDR:
	case VHOST_MSG_SET_VRING_BASE:
	case VHOST_MSG_SET_VRING_KICK:
	case VHOST_MSG_SET_VRING_CALL:
	case VHOST_MSG_SET_VRING_ENABLE:
		return has_ring(m, &ring) && ring < n_rings ? 1u << ring : 0;
	case VHOST_MSG_SET_FEATURES:
	case VHOST_MSG_SET_MEM_TABLE:
	case VHOST_MSG_RESET_OWNER:
	case VHOST_MSG_GET_VRING_BASE: // stops the whole device, whichever ring it names
		return all;
	default:
		return 0;
	}
}

bool vhost_msg_unmaps(const struct vhost_message *m)
{
	return m->request == VHOST_MSG_SET_MEM_TABLE || m->request == VHOST_MSG_RESET_OWNER;
}

void vhost_msg_close_fds(struct vhost_message *m)
{
	for (int i = 0; i < m->n_fds && i < VHOST_MSG_FDS_MAX; i++) {
		if (m->fds[i] >= 0)
			close(m->fds[i]);
		m->fds[i] = -1;
	}
}

static uint32_t payload_needed(const struct vhost_message *m)
{
	switch (m->request) {
	case VHOST_MSG_SET_FEATURES:
	case VHOST_MSG_SET_PROTOCOL_FEATURES:
	case VHOST_MSG_SET_VRING_NUM:
	case VHOST_MSG_SET_VRING_BASE:
	case VHOST_MSG_GET_VRING_BASE:
	case VHOST_MSG_SET_VRING_ENABLE:
	case VHOST_MSG_SET_VRING_KICK:
	case VHOST_MSG_SET_VRING_CALL:
	case VHOST_MSG_SET_VRING_ERR:
	case VHOST_MSG_SET_MEM_TABLE: // and the regions, see check_memory()
		return sizeof(m->payload.u64);
	case VHOST_MSG_SET_VRING_ADDR:
		return sizeof(m->payload.addr);
	default:
		return 0;
	}
}

static bool has_ring(const struct vhost_message *m, uint32_t *ret)
{
	switch (m->request) {
	case VHOST_MSG_SET_VRING_KICK:
	case VHOST_MSG_SET_VRING_CALL:
	case VHOST_MSG_SET_VRING_ERR:
		*ret = (uint32_t)(m->payload.u64 & VHOST_MSG_RING_MASK);
		return true;
	case VHOST_MSG_SET_VRING_NUM:
	case VHOST_MSG_SET_VRING_BASE:
	case VHOST_MSG_GET_VRING_BASE:
	case VHOST_MSG_SET_VRING_ENABLE:
		*ret = m->payload.state.index;
		return true;
	case VHOST_MSG_SET_VRING_ADDR:
		*ret = m->payload.addr.index;
		return true;
	default:
		return false;
	}
}

static const char *check_ring(const struct vhost_message *m, unsigned n_rings)
{
	uint32_t ring;

	if (has_ring(m, &ring) && ring >= n_rings)
		return "a ring that was not offered";
	return NULL;
}

static const char *check_memory(const struct vhost_message *m)
{
	const uint32_t n = m->payload.memory.n;
	uint64_t sum = 0;

	if (n == 0 || n > VHOST_MSG_REGIONS_MAX)
		return "number of memory regions is not 1 to 8";
	if (m->size < offsetof(struct vhost_message, payload.memory.regions[n]) -
			      offsetof(struct vhost_message, payload))
		return "payload is too short";
	if (m->n_fds != (int32_t)n)
		return "as many descriptors as memory regions are needed";
	for (uint32_t i = 0; i < n; i++) {
		// A copy, since fields of the packed original may not be pointed at.
		struct vhost_msg_region r = m->payload.memory.regions[i];
		const char *words = check_region(&r, m->fds[i]);

		if (words != NULL)
			return words;
		sum += r.offset + r.size;
		if (r.offset + r.size > MEMORY_MAX || sum > MEMORY_MAX)
			return "more than 4 TiB of guest memory";
		if (!can_be_mapped(m->fds[i], r.offset + r.size))
			return "a memory region cannot be mapped for writing";
	}
	return NULL;
}

/*
 * A region that its file does not hold raises SIGBUS when it is touched, and one on FUSE
 * makes who touches it wait for as long as its owner likes. The file can still be cut short
 * later; then the handler of SIGBUS does its work.
 */
static const char *check_region(const struct vhost_msg_region *r, int fd)
{
	struct statfs fs;
	struct stat st;
	uint64_t end;

	if (r->size == 0 || __builtin_add_overflow(r->gpa, r->size, &end) ||
	    __builtin_add_overflow(r->uva, r->size, &end) ||
	    __builtin_add_overflow(r->offset, r->size, &end))
		return "a memory region is empty or wraps around";
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return "a memory region's descriptor is not valid";
	if (!S_ISREG(st.st_mode))
		return "a memory region is no file";
	if (fs.f_type == FUSE_SUPER_MAGIC)
		return "a memory region lies on FUSE, which can stop who touches it";
	if (end > (uint64_t)st.st_size)
		return "a memory region is larger than its file";
	return NULL;
}

// The library loses a descriptor each time that it fails at this.
static bool can_be_mapped(int fd, uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (map == MAP_FAILED)
		return false;
	munmap(map, size);
	return true;
}

/*
 * Attacks through the memory that the guest shares: tables that are wrong, change all the time
 * or describe what is not there, and files that shrink.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/attack.h"

enum resend_case { SAME_TABLE, FEWER_REGIONS, OTHER_ORDER };

enum table_case {
	NO_REGIONS,
	NINE_REGIONS,
	FOUR_G_REGIONS,
	EMPTY_REGION,
	HUGE_REGION,
	GPA_WRAPS,
	UVA_WRAPS,
	OFFSET_WRAPS,
	BEYOND_FILE,
	OFFSET_BEYOND_FILE,
	FEW_FDS,
	NO_FDS,
	MANY_FDS,
	A_PIPE,
	A_SOCKET,
	A_DIRECTORY,
	A_DEVICE,
	READ_ONLY
};

enum odd_case { ODD_OFFSET, SAME_REGION_TWICE, OVERLAPPING };

enum truncate_case { BUFFERS, RINGS };

static void prepare_three(struct guest_conf *conf)
{
	conf->n_regions = 3;
	conf->gap = true;
}

static void prepare_no_ack(struct guest_conf *conf)
{
	prepare_three(conf);
	conf->protocol_features = 0;
}

static void prepare_two(struct guest_conf *conf)
{
	conf->n_regions = 2;
	conf->gap = true;
}

static void swap_regions(struct guest *g)
{
	struct guest_region r = g->regions[0];

	g->regions[0] = g->regions[1];
	g->regions[1] = r;
}

// The memory table is sent anew every few milliseconds, with frames under way.
static int resend(struct attack_ctx *c, unsigned arg)
{
	double end = attack_now() + 1.2;
	int ret = 0;

	for (unsigned i = 0; ret == 0 && attack_now() < end; i++) {
		attack_traffic(c, 16);
		if (arg == FEWER_REGIONS)
			c->g->n_regions = 3 - i % 2;
		else if (arg == OTHER_ORDER)
			swap_regions(c->g);
		ret = guest_set_mem_table(c->g);
		attack_traffic(c, 16);
		attack_sleep_ms(3);
	}
	c->g->n_regions = 3;
	if (ret < 0)
		fprintf(stderr, "    table refused: %s\n", strerror(-ret));
	return ret;
}

static int special_file(unsigned arg, int *other)
{
	int p[2];

	switch (arg) {
	case A_PIPE:
		if (pipe(p) < 0)
			return -1;
		*other = p[1];
		return p[0];
	case A_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case A_DIRECTORY:
		return open("/tmp", O_RDONLY | O_DIRECTORY);
	case A_DEVICE:
		return open("/dev/zero", O_RDWR);
	default:
		return -1;
	}
}

static int read_only(int fd)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY);
}

// Changes a good table of one region. Returns how many descriptors to send with it.
static unsigned spoil(struct vumsg_memory *m, uint32_t *size, int fds[32], unsigned arg)
{
	struct vumsg_region *r = &m->regions[0];

	for (int i = 1; i < 32; i++)
		fds[i] = fds[0];
	switch (arg) {
	case NO_REGIONS:
		m->n = 0;
		return 1;
	case NINE_REGIONS:
	case FOUR_G_REGIONS:
		m->n = arg == NINE_REGIONS ? 9 : 0xffffffffu;
		for (unsigned i = 1; i < VUMSG_MAX_FDS; i++) {
			m->regions[i] = *r;
			m->regions[i].gpa += i * r->size;
		}
		*size = 8 + 9 * sizeof(*r);
		return VUMSG_MAX_FDS;
	case EMPTY_REGION:
		r->size = 0;
		return 1;
	case HUGE_REGION:
		r->size = 1ull << 62;
		return 1;
	case GPA_WRAPS:
		r->gpa = ~0ull - 4096;
		return 1;
	case UVA_WRAPS:
		r->uva = ~0ull - 4096;
		return 1;
	case OFFSET_WRAPS:
		r->file_offset = ~0ull - 4095;
		return 1;
	case BEYOND_FILE:
		r->size += 4096;
		return 1;
	case OFFSET_BEYOND_FILE:
		r->file_offset = r->size;
		return 1;
	case FEW_FDS:
		m->n = 2;
		m->regions[1] = *r;
		m->regions[1].gpa += r->size;
		*size += sizeof(*r);
		return 1;
	case NO_FDS:
		return 0;
	case MANY_FDS:
		return 32;
	case READ_ONLY:
		r->size -= 4096; // a table that has not changed is not looked at
		return 1;
	default:
		return 1;
	}
}

// Must be refused: an answer that is not 0, or the connection is closed.
static int bad_table(struct attack_ctx *c, unsigned arg)
{
	const struct guest_region *region = &c->g->regions[0];
	union vumsg_payload payload = {.memory = {.n = 1}}; // has room for a ninth region
	struct vumsg_memory *m = &payload.memory;
	uint32_t size = 8 + sizeof(m->regions[0]);
	int fds[32] = {region->fd}, special = -1, other = -1;

	m->regions[0] = (struct vumsg_region){.gpa = region->gpa,
					      .size = region->size,
					      .uva = (uintptr_t)guest_ptr(c->g, region->gpa)};
	if (arg >= A_PIPE) {
		special = arg == READ_ONLY ? read_only(region->fd) : special_file(arg, &other);
		if (special < 0)
			return -1;
		fds[0] = special;
	}
	unsigned n = spoil(m, &size, fds, arg);
	int ret = guest_request(c->g, VUMSG_SET_MEM_TABLE, m, size, fds, n);
	if (special >= 0)
		close(special);
	if (other >= 0)
		close(other);
	if (ret == 0)
		fprintf(stderr, "    the table was taken\n");
	return ret == 0 ? -1 : 0;
}

// Tables that may be taken or not; the switch has to bear them.
static int odd_table(struct attack_ctx *c, unsigned arg)
{
	const struct guest_region *region = &c->g->regions[0];
	struct vumsg_memory m = {.n = 2};
	int fds[2] = {region->fd, region->fd};

	for (int i = 0; i < 2; i++)
		m.regions[i] =
			(struct vumsg_region){.gpa = region->gpa,
					      .size = region->size,
					      .uva = (uintptr_t)guest_ptr(c->g, region->gpa)};
	if (arg == ODD_OFFSET) {
		m.n = 1;
		m.regions[0].file_offset = 1;
		m.regions[0].size -= 1;
	} else if (arg == OVERLAPPING) {
		m.regions[1].gpa += 4096;
		m.regions[1].size -= 8192;
	}
	guest_request(c->g, VUMSG_SET_MEM_TABLE, &m, 8 + m.n * (uint32_t)sizeof(m.regions[0]), fds,
		      m.n);
	attack_traffic(c, 32);
	attack_sleep_ms(50);
	return 0;
}

// The file is cut to nothing while the switch works in it, and restored later.
static int truncate_file(struct attack_ctx *c, unsigned arg)
{
	struct gring *tx = &c->g->queues[1].ring, *rx = &c->g->queues[0].ring;
	const struct guest_region *region = &c->g->regions[arg == BUFFERS ? 1 : 0];
	double end;

	// Everything lies in the region that goes; we ourselves do not touch it any more.
	for (unsigned i = 0; i < tx->size; i++) {
		tx->desc[i] = (struct vring_desc){c->g->regions[1].gpa + i * 64, 1000, 0, 0};
		tx->avail->ring[i] = (uint16_t)i;
		rx->desc[i].addr = c->g->regions[1].gpa + i * 2304;
	}
	c->honest->poke_every = 1;
	end = attack_now() + 0.4;
	while (attack_now() < end) {
		if (arg == BUFFERS || end - attack_now() > 0.3) {
			uint16_t used = __atomic_load_n(&tx->used->idx, __ATOMIC_ACQUIRE);
			__atomic_store_n(&tx->avail->idx, (uint16_t)(used + tx->size),
					 __ATOMIC_RELEASE);
		} else if (ftruncate(region->fd, 0) < 0) {
			return -1;
		}
		gring_kick(tx);
		if (arg == BUFFERS && end - attack_now() < 0.3 && ftruncate(region->fd, 0) < 0)
			return -1;
		attack_sleep_ms(1);
	}
	c->honest->poke_every = 4;
	attack_sleep_ms(100);
	return 0;
}

static int truncate_and_restore(struct attack_ctx *c, unsigned arg)
{
	int ret = truncate_file(c, arg);

	for (unsigned i = 0; i < c->g->n_regions; i++)
		if (ftruncate(c->g->regions[i].fd, (off_t)c->g->regions[i].size) < 0)
			ret = -1;
	return ret;
}

// Holes come and go: the pages are zeros, and that is all.
static int punch_holes(struct attack_ctx *c, unsigned arg)
{
	const struct guest_region *region = &c->g->regions[1];
	double end = attack_now() + 0.5;

	while (attack_now() < end) {
		attack_traffic(c, 16);
		if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      (off_t)region->size) < 0)
			return -1;
		attack_sleep_ms(2);
	}
	return 0;
}

// The memory that the switch gets is another file than the one that we work in, and somebody
// cuts it off and restores it all the time, also while the switch maps it.
static void *cutter(void *arg)
{
	const int *state = arg; // the file, and whether to stop

	while (!__atomic_load_n(&state[1], __ATOMIC_RELAXED)) {
		if (ftruncate(state[0], 0) < 0 || ftruncate(state[0], 16 << 20) < 0)
			break;
	}
	return NULL;
}

static int truncate_race(struct attack_ctx *c, unsigned arg)
{
	double end = attack_now() + 1.5;
	int state[2] = {memfd_create("cut", MFD_CLOEXEC), 0};
	pthread_t thread;

	if (state[0] < 0 || ftruncate(state[0], 16 << 20) < 0)
		return -1;
	if (pthread_create(&thread, NULL, cutter, state) != 0)
		return -1;
	while (attack_now() < end) {
		struct guest *g = NULL;
		struct guest_conf conf;

		guest_conf_init(&conf, c->socket);
		conf.region_size = 4 << 20;
		if (guest_create(&conf, &g) < 0)
			break;
		// The rings, too, lie in the file that comes and goes.
		if (dup2(state[0], g->regions[0].fd) < 0)
			break;
		if (guest_attach(g, 1000) == 0) {
			for (int i = 0; i < 20 && guest_set_mem_table(g) == 0; i++)
				attack_sleep_ms(2);
			guest_stop(g);
		}
		guest_destroy(g);
	}
	__atomic_store_n(&state[1], 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(state[0]);
	return 0;
}

#define ALLOWED(name_, run_, arg_, prepare_)                                                       \
	{                                                                                          \
		.name = "memory-" name_, .run = run_, .arg = arg_, .flags = ATTACK_LEGAL,          \
		.prepare = prepare_                                                                \
	}
#define REFUSED(name_, arg_)                                                                       \
	{                                                                                          \
		.name = "memory-" name_, .run = bad_table, .arg = arg_, .flags = ATTACK_LEGAL      \
	}

const struct attack attacks_memory[] = {
	ALLOWED("resent-all-the-time", resend, SAME_TABLE, prepare_three),
	{.name = "memory-resent-with-fewer-regions",
	 .run = resend,
	 .arg = FEWER_REGIONS,
	 .reasons = {"in InvalidData", "out InvalidData", "out NotReady"},
	 .prepare = prepare_three},
	ALLOWED("resent-in-other-order", resend, OTHER_ORDER, prepare_three),
	ALLOWED("resent-without-acks", resend, SAME_TABLE, prepare_no_ack),
	REFUSED("no-regions", NO_REGIONS),
	REFUSED("nine-regions", NINE_REGIONS),
	REFUSED("4G-regions", FOUR_G_REGIONS),
	REFUSED("empty-region", EMPTY_REGION),
	REFUSED("huge-region", HUGE_REGION),
	REFUSED("gpa-wraps", GPA_WRAPS),
	REFUSED("uva-wraps", UVA_WRAPS),
	REFUSED("offset-wraps", OFFSET_WRAPS),
	REFUSED("larger-than-file", BEYOND_FILE),
	REFUSED("offset-beyond-file", OFFSET_BEYOND_FILE),
	REFUSED("too-few-descriptors", FEW_FDS),
	REFUSED("no-descriptors", NO_FDS),
	REFUSED("too-many-descriptors", MANY_FDS),
	REFUSED("in-a-pipe", A_PIPE),
	REFUSED("in-a-socket", A_SOCKET),
	REFUSED("in-a-directory", A_DIRECTORY),
	REFUSED("in-a-device", A_DEVICE),
	REFUSED("read-only", READ_ONLY),
	{.name = "memory-odd-offset",
	 .run = odd_table,
	 .arg = ODD_OFFSET,
	 .flags = ATTACK_LEGAL | ATTACK_NOT_ME},
	{.name = "memory-same-region-twice",
	 .run = odd_table,
	 .arg = SAME_REGION_TWICE,
	 .flags = ATTACK_LEGAL | ATTACK_NOT_ME},
	{.name = "memory-overlapping-regions",
	 .run = odd_table,
	 .arg = OVERLAPPING,
	 .flags = ATTACK_LEGAL | ATTACK_NOT_ME},
	{.name = "memory-buffers-truncated",
	 .run = truncate_and_restore,
	 .arg = BUFFERS,
	 .flags = ATTACK_WHY | ATTACK_NOT_ME,
	 .reasons = {"in InvalidData", "out InvalidData", "out NotReady"},
	 .prepare = prepare_two},
	{.name = "memory-rings-truncated",
	 .run = truncate_and_restore,
	 .arg = RINGS,
	 .flags = ATTACK_WHY | ATTACK_NOT_ME,
	 .reasons = {"in InvalidData", "out InvalidData", "out NotReady"},
	 .prepare = prepare_two},
	ALLOWED("holes", punch_holes, 0, prepare_two),
	{.name = "memory-truncated-while-mapped",
	 .run = truncate_race,
	 .flags = ATTACK_RAW | ATTACK_LEGAL},
	{0},
};

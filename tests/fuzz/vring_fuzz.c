/*
 * A guest that writes anything at all into its ring, and moves its indices as it likes, while
 * frames go in and out.
 *
 *    input:  [0] log2 of the ring's size (0..10)   [1] features, direction, copy version
 *            [2..3] index at which the ring begins
 *            [4..5] how many of the following bytes are descriptors (of the ring, then of
 *                   tables in the data region): 16 bytes each, addresses see place()
 *            then the entries of the available ring, 2 bytes each, as many as the ring has
 *            then steps, 2 bytes each, see step()
 *
 * Regions of memory lie between pages that cannot be touched, and the address sanitizer
 * watches the rest. What must hold is asserted after each step.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ports/copy.h"
#include "ports/guest_mem.h"
#include "ports/vport.h"
#include "ports/vring.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

enum {
	PAGE = 4096,
	REGION = 64 << 10,
	N_REGIONS = 3,
	AVAIL = 20 << 10, // offsets in the first region
	USED = 24 << 10,
	STEPS_MAX = 200
};

// The first two adjoin for the guest; the third is apart.
static const uint64_t gpas[N_REGIONS] = {0x10000, 0x10000 + REGION, 0x4000000};

static uint8_t *regions[N_REGIONS];
static struct guest_mem *mem;
static struct virtq q;
static struct vnbl_burst burst;
static struct vport_stats st;
static struct vnbl outgoing[VNBL_BURST_MAX];
static uint8_t payload[VNBL_FRAME_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct guest_region_conf conf[N_REGIONS];
	uint8_t *at;

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < N_REGIONS; i++) {
		at = mmap(NULL, REGION + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(at != MAP_FAILED);
		regions[i] = at + PAGE;
		CHECK(mprotect(regions[i], REGION, PROT_READ | PROT_WRITE) == 0);
		conf[i] =
			(struct guest_region_conf){gpas[i], REGION, regions[i], regions[i], REGION};
	}
	CHECK(guest_mem_create(conf, N_REGIONS, &mem, NULL) == 0);
	return 0;
}

static uint16_t take16(const uint8_t **data, size_t *size)
{
	uint16_t v = 0;
	size_t n = *size < 2 ? *size : 2;

	memcpy(&v, *data, n);
	*data += n;
	*size -= n;
	return v;
}

// Random addresses would hardly ever hit memory: the top two bits say what is meant.
static uint64_t place(uint64_t addr)
{
	switch (addr >> 62) {
	case 0: // anywhere in the first two regions, and a little around them
		return gpas[0] - 256 + addr % (2 * REGION + 512);
	case 1: // around the end of the second, or the start of the table in it
		return gpas[1] + (addr & 0x100 ? REGION - 64 : 0) + addr % 256;
	case 2: // the third, and around it
		return gpas[2] - 64 + addr % (REGION + 128);
	default:
		return addr << 2;
	}
}

static void put_desc(uint8_t *to, const uint8_t *from)
{
	struct virtq_desc d;

	memcpy(&d, from, sizeof(d));
	d.addr = place(d.addr);
	if (d.flags & 0x100) // lengths of real frames more often than not
		d.len &= 0xfff;
	memcpy(to, &d, sizeof(d));
}

// As many frames of many forms as asked for.
static void make_frames(struct vnbl *frames[], unsigned n, uint16_t seed)
{
	static const uint32_t sizes[] = {1, 14, 60, 64, 127, 129, 500, 1518, 9018, 65535};
	uint32_t size, piece;

	for (unsigned i = 0; i < n; i++) {
		struct vnbl *v = frames[i] = &outgoing[i];

		memset(v, 0, offsetof(struct vnbl, room));
		v->hdr = v->safe;
		size = sizes[(seed + i * 7) % 10];
		piece = 1 + size / (1 + (seed >> 4) % VNBL_PIECES_MAX);
		v->frame_size = size;
		v->safe_size = size < VNBL_SAFE_SIZE ? size : VNBL_SAFE_SIZE;
		for (uint32_t at = v->safe_size; at < size; at += piece) {
			v->pieces[v->n_pieces].addr = payload + at;
			v->pieces[v->n_pieces++].len = size - at < piece ? size - at : piece;
		}
	}
}

static void check_piece(const struct vnbl_piece *p)
{
	CHECK(p->len > 0);
	CHECK(guest_mem_holds(mem, p->addr, p->len));
}

static void receive(void)
{
	uint16_t before = q.last_avail;
	uint32_t bytes = 0, sum;

	vring_rx(&q, &burst, &st);
	CHECK(burst.n <= VNBL_BURST_MAX);
	CHECK((uint16_t)(q.last_avail - before) >= burst.n);
	for (uint32_t i = 0; i < burst.n; i++) {
		const struct vnbl *v = &burst.frames[i];

		CHECK(v->frame_size > 0 && v->frame_size <= VNBL_FRAME_MAX);
		CHECK(v->hdr == v->safe && v->mbuf == NULL && v->n_pieces <= VNBL_PIECES_MAX);
		sum = v->safe_size;
		for (unsigned p = 0; p < v->n_pieces; p++) {
			check_piece(&v->pieces[p]);
			sum += v->pieces[p].len;
		}
		CHECK(sum == v->frame_size);
		bytes += sum;
	}
	CHECK(bytes == burst.bytes);
	vring_rx_done(&q);
	vring_settle();
	CHECK(q.last_avail == q.last_used);
}

static void send(unsigned n, uint16_t seed)
{
	uint64_t before = st.tx_frames, after;
	struct vnbl *frames[VNBL_BURST_MAX];

	for (unsigned r = 0; r < DROP_COUNT; r++)
		before += st.drops[DROP_OUT][r];
	make_frames(frames, n, seed);
	vring_tx(&q, frames, n, &st);
	vring_settle();
	after = st.tx_frames;
	for (unsigned r = 0; r < DROP_COUNT; r++)
		after += st.drops[DROP_OUT][r];
	CHECK(after == before + n);
	CHECK(q.last_avail == q.last_used);
}

// The kind of step is in the low three bits, its argument in the rest.
static void step(uint16_t what, const struct virtq_conf *conf)
{
	volatile struct virtq_avail *avail = conf->avail;
	uint16_t arg = what >> 3;

	switch (what & 7) {
	case 0:
	case 1: // the guest offers some more
		avail->idx = q.last_avail + arg % (conf->size + 2);
		break;
	case 2: // the guest writes anything
		avail->idx = arg << 3;
		avail->flags = arg;
		break;
	case 3: // into the middle of a table or ring
		regions[arg & 1][(arg * 37U) % REGION] ^= (uint8_t)(arg >> 1);
		break;
	case 4:
		if (vring_arm(&q) >= 0)
			vring_disarm(&q);
		break;
	case 5: // the guest resets its device
		if (arg & 1) {
			vring_detach(&q, NULL, NULL);
			CHECK(vring_attach(&q, conf, NULL) == 0);
		}
		break;
	default:
		if (conf->direction == VIRTQ_FROM_GUEST)
			receive();
		else
			send(1 + arg % VNBL_BURST_MAX, arg);
	}
}

static void fill_memory(uint32_t ring_size, const uint8_t **data, size_t *size)
{
	size_t n = take16(data, size);

	for (unsigned i = 0; i < N_REGIONS; i++)
		memset(regions[i], 0, REGION);
	for (size_t i = 0; i < n && *size >= 16; i++) {
		if (i < ring_size)
			put_desc(regions[0] + i * 16, *data);
		else if (i - ring_size < REGION / 16)
			put_desc(regions[1] + (i - ring_size) * 16, *data);
		*data += 16;
		*size -= 16;
	}
	for (uint32_t i = 0; i < ring_size; i++) {
		uint16_t head = take16(data, size);

		memcpy(regions[0] + AVAIL + 4 + i * 2, &head, 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtq_conf conf = {
		.desc = regions[0],
		.avail = regions[0] + AVAIL,
		.used = regions[0] + USED,
		.callfd = -1,
		.kickfd = -1,
		.mem = mem,
	};
	uint16_t what;

	if (size < 6)
		return 0;
	what = take16(&data, &size);
	conf.size = 1U << (what & 255) % 11;
	conf.direction = what & 0x100 ? VIRTQ_TO_GUEST : VIRTQ_FROM_GUEST;
	conf.features |= what & 0x200 ? VIRTQ_FEATURE_MRG_RXBUF : 0;
	conf.features |= what & 0x400 ? VIRTQ_FEATURE_INDIRECT_DESC : 0;
	conf.features |= what & 0x800 ? VIRTQ_FEATURE_EVENT_IDX : 0;
	conf.features |= what & 0x1000 ? VIRTQ_FEATURE_VERSION_1 : 0;
	copy_ops = copy_version(what >> 13 & 3);
	if (copy_ops == NULL)
		copy_ops = copy_version(0);
	conf.last_avail = conf.last_used = take16(&data, &size);
	fill_memory(conf.size, &data, &size);
	((struct virtq_avail *)conf.avail)->idx = conf.last_avail;
	CHECK(vring_attach(&q, &conf, NULL) == 0);

	for (unsigned i = 0; i < STEPS_MAX && size >= 2; i++)
		step(take16(&data, &size), &conf);
	vring_detach(&q, NULL, NULL);
	return 0;
}

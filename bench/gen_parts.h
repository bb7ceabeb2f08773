/*
 * What the generator's files share; nobody else includes it.
 *
 * Everything is told by position: position p of a transmit ring is the p-th frame handed over
 * since the ring was made, and always names slot p mod n_slots, which has one stream and one
 * length for ever. So the rings are filled in once, and an index says all.
 *
 *     position  0  1  2 ... n-1   n  n+1 ...       transmit ring, one stream per slot in turn
 *     slot      0  1  2 ... n-1   0   1  ...
 *     stream    a  b  a ...  b    a   b  ...
 *
 * Runs are told apart by time: a frame stamped before its run began is a straggler, and ignored.
 * Frames that only introduce their guest (greeting, learning) belong to GEN_GREETING.
 *
 * Threads: the one that runs the guests. The null back end's reads what is settled before it
 * starts, and the rings.
 */
#pragma once

#include "bench/bframe.h"
#include "bench/gen.h"

#define GEN_HEADER      ((unsigned)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define GEN_LINE        64u
#define GEN_BATCH       32u   // frames worth moving an index for
#define GEN_TURN_MAX    256u  // frames moved before it is the next guest's turn
#define GEN_AHEAD       8u    // frames that are prefetched
#define GEN_SAMPLE_LOOK 8u    // frames in a row that a sample looks at
#define GEN_WINDOW      4096u // numbers back to which a late frame is told from a double one
#define GEN_GREETING    0xffffu
#define GEN_NO_STREAM   0xfffeu // slots of a guest that sends nothing

// What is counted while frames run; the result's figures are differences of it.
struct gen_counts {
	uint64_t due;
	uint64_t skipped;
	uint64_t handed;
	uint64_t refused;
	uint64_t taken;
	uint64_t expected; // copies of what was handed
	uint64_t received;
	uint64_t received_bytes;
	uint64_t foreign;
	uint64_t checked;
	uint64_t bad;
	uint64_t late;
	uint64_t disorder;
};

// One receiver's books of one stream.
struct gen_track {
	uint64_t next; // number that comes next; the frame has its low 32 bits
	uint64_t received;
	uint64_t late;
	uint64_t last_tsc; // when one came
	uint64_t longest_tsc;
	uint64_t missing_before;        // the measured time
	uint64_t seen[GEN_WINDOW / 64]; // bit per number, of the last ones
};

struct gen_stream {
	struct gen_stream_conf conf;
	uint64_t handed;
	uint32_t src_next; // addresses of the frame sent next
	uint32_t dst_next;
	unsigned n_slots;
	bool rewrite;             // addresses are written when sent
	uint32_t learned;         // by gen_learn(), of src_macs
	struct gen_track *tracks; // one, or one per guest with GEN_TO_ALL
};

struct gen_slot {
	char *frame; // behind the header
	uint32_t length;
	uint16_t stream;
};

// Numbers seen by the sample under way.
struct gen_sample {
	unsigned left;
	unsigned n;
	struct {
		uint16_t stream;
		uint32_t number;
	} last[GEN_SAMPLE_LOOK];
};

// A packed ring: 'slots' chains of 'chain' descriptors each.
struct gen_packed {
	struct vring_packed_desc *desc; // in guest memory
	struct vring_packed_desc *own;  // what each is made of when it becomes available
	unsigned slots;
	unsigned chain;
};

struct gen_side {
	// Sending.
	struct gring *tx;
	struct gen_packed tx_packed;
	struct gen_slot *slots;
	uint32_t *copies; // of the frames in the slots before each; n_slots + 1
	unsigned n_slots;
	unsigned batch;
	uint16_t tx_done; // position up to which the switch has completed
	bool sending;
	bool rewrite;      // some stream's addresses are written when sent
	bool rewritten;    // ... or were, since the frames were filled in
	double per_tsc;    // frames due per cycle; 0: not paced
	double phase;      // part of a frame by which this sender is ahead of the first
	uint64_t schedule; // frames due since the run began
	uint64_t burst;    // frames still to hand over
	uint64_t until_tx_sample;

	// Receiving.
	struct gring *rx;
	struct gen_packed rx_packed;
	unsigned arrived; // buffers that the switch has filled and we have not looked at
	char **buffers;   // per descriptor
	uint32_t buffer_size;
	unsigned max_buffers; // of one frame
	double take_per_tsc;  // frames that it takes per cycle; 0: all
	double may_take;
	uint64_t take_tsc;
	uint64_t until_sample;
	struct gen_sample sample;
	bool timed; // the latency of its frames counts

	struct gen_counts n;
	struct guest *g;
	struct gen *gen;
	unsigned number;
	bool up;      // connected, or the null back end's
	bool heard;   // a greeting
	uint64_t own; // frames of the generator's that came while they were not counted
};

struct gen_null {
	pthread_t thread;
	bool running;
	int core;
	uint16_t tx_next[GEN_MAX_GUESTS]; // where it begins
	uint16_t rx_next[GEN_MAX_GUESTS];
	bool by_index; // moves nothing but indices
	bool blind;    // does not bring the frames' contents, so samples are of no use
	alignas(64) _Atomic bool stop; // the one line that both threads look at
};

struct gen {
	struct gen_conf conf;
	struct gen_side sides[GEN_MAX_GUESTS];
	struct gen_stream streams[GEN_MAX_STREAMS];
	double mean_size;
	double ns_per_tsc;
	bool small;   // receive buffers do not hold every frame
	bool walk;    // look at each receive buffer, not only at the index
	bool settled; // nothing is under way

	// The run.
	const struct gen_load *load;
	struct gen_result *res;
	bool quiet;     // frames are not counted
	bool measuring; // behind the warm-up
	bool draining;
	bool idle;   // nothing was moved in the last round
	bool linked; // a connection was made since the last round, which took its time
	uint64_t start_tsc;
	uint64_t latency_tsc; // frames handed over since then count; UINT64_MAX: none
	uint64_t measured_tsc;
	uint64_t last_tsc; // of the last round
	uint64_t idle_tsc;
	uint64_t waited_ns;
	uint64_t reconnects;

	struct gen_null null;
	char joined[GUEST_MAX_FRAME]; // a frame that came in several buffers
};

// Prefetches in assembler, for two reasons: at our baseline compilers do not emit prefetchw for
// __builtin_prefetch(p, 1), and an ordinary one leaves the line shared, so that the store waits for
// it all the same; and gcc 12 drops calls of functions that only prefetch, as free of effects.
static inline void gen_fetch_to_read(const char *at)
{
	__asm__ volatile("prefetcht0 %0" : : "m"(*at));
}

static inline void gen_fetch_to_write(const char *at)
{
	__asm__ volatile("prefetchw %0" : : "m"(*at));
}

// gen_setup.c

/** Writes the frames of all slots anew. The ring must be empty. */
void gen_fill_frames(struct gen_side *s);
/**
 * Decides which streams' addresses stand in their slots for ever, and which are written when
 * a frame is sent. With 'exactly' each frame has the address that follows the last one's.
 */
void gen_place_addresses(struct gen *gen, bool exactly);
/** Writes a frame of its own into the slot of position 'pos'; the slot keeps its length. */
void gen_write_frame(struct gen_side *s, uint16_t pos, const struct bframe_info *info);

// gen_send.c

/** Notes what the switch has completed; returns the room there is. */
unsigned gen_take_back(struct gen_side *s);
/** Hands over what is due; returns how many frames. */
unsigned gen_send(struct gen_side *s, uint64_t now, bool hurry);
/** Shows the next 'n' positions of one of the guest's rings to the switch. */
void gen_show(struct gen_side *s, struct gring *r, unsigned n);

// gen_recv.c

/** How many buffers the switch has filled that were not looked at. */
unsigned gen_arrived(struct gen_side *s);
/** Receives what there is and posts the buffers anew; returns how many were moved. */
unsigned gen_receive(struct gen_side *s, uint64_t now, bool hurry);
/** Empties the books of a stream's receivers at the beginning of a run. */
void gen_reset_tracks(struct gen *gen, struct gen_stream *st);

static inline unsigned gen_n_tracks(const struct gen *gen, const struct gen_stream *st)
{
	return st->conf.to == GEN_TO_ALL ? gen->conf.n_guests : 1;
}

// gen_packed.c

/** Makes both rings of a guest, which has slots and buffers already, and posts the buffers. */
int gen_packed_create(struct gen_side *s);
void gen_packed_destroy(struct gen_side *s);
/** Makes 'n' chains available, from position 'pos' on. */
void gen_packed_show(const struct gen_packed *p, uint16_t pos, unsigned n);
/** How many chains in a row, from 'pos' on, the device has used; at most 'most' are there. */
unsigned gen_packed_used(const struct gen_packed *p, uint16_t pos, unsigned most);
/** The length in a used descriptor. False: it has the id of another one. */
bool gen_packed_entry(const struct gen_packed *p, uint16_t pos, uint32_t *length_ret);
/** Where the device is to begin, as SET_VRING_BASE says it. */
uint32_t gen_packed_base(const struct gen_packed *p, uint16_t pos);
/** The device's side: whether a chain may be used; uses it. */
bool gen_packed_available(const struct gen_packed *p, uint16_t pos);
void gen_packed_complete(const struct gen_packed *p, uint16_t pos, uint32_t length);

// gen_link.c

/** Looks at all connections; makes lost ones anew when the conf says so. -ENOTCONN. */
int gen_check_links(struct gen *gen, unsigned *guest_ret);
/** Whether the conf says stop. */
bool gen_stopped(const struct gen *gen);

/** Positions up to which the switch has worked on a guest's rings. */
void gen_device_place(struct gen_side *s, uint16_t *tx_ret, uint16_t *rx_ret);

// gen.c

/**
 * Receives, sending nothing, until none of the generator's frames comes any more, for some seconds
 * at most, or until the conf says stop. Nothing is counted.
 */
void gen_settle(struct gen *gen);

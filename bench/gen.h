/*
 * Traffic generator: plays all guests of a vhost-user switch from one core.
 *
 * To see what a switch can do, the generator must cost less than the switch. So everything is
 * prepared: transmit buffers hold finished frames, descriptors and available rings are filled
 * in for ever (position p always names slot p mod slots), and sending is nothing but moving the
 * available index on; receiving is the same the other way round.
 *
 *     guest 0 --> switch --> guest 1        who sends to whom: struct gen_stream_conf
 *
 * How much the guests do with their frames (each kind includes the one before):
 *
 *   GEN_STATIC  nothing; 1 frame in 4096 is looked at, with its 7 successors: content and order.
 *               Numbers are those of the slots. Every frame is counted, by the rings' indices.
 *   GEN_STAMP   number and time are written into each frame sent and read from each received:
 *               loss, order and latency per stream. Touches the first line of each frame.
 *   GEN_TOUCH   and 8 bytes of every further cache line are written, and read, as an application
 *               would at worst.
 *   GEN_VERIFY  and every byte of each frame received is compared.
 *
 * Words for counts: a frame is *due* when the offered rate says so, *handed* when it was put
 * into the transmit ring, *refused* when it was due and the ring was full, *taken* when the
 * switch has completed it, *received*, and *lost* when it was taken (or handed, once drained) and
 * never came. A switch with back pressure refuses, others lose: a test without loss allows
 * neither.
 *
 * Threads: one runs the guests; gen_null_start() adds one that plays a switch which does nothing.
 * Time: cycles of the TSC inside, seconds and nanoseconds outside.
 */
#pragma once

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/hist.h"
#include "tests/guest/guest.h"

#define GEN_MAX_GUESTS   16u
#define GEN_MAX_STREAMS  256u
#define GEN_TO_ALL       0xffu // broadcast
#define GEN_SAMPLE_EVERY 4096u
#define GEN_MIN_FRAME    64u // sizes without FCS
#define GEN_MAX_FRAME    9000u
#define GEN_IMIX         0u
#define GEN_MAX_MACS     (1u << 24)

enum gen_kind { GEN_STATIC, GEN_STAMP, GEN_TOUCH, GEN_VERIFY };

/*
 * One flow of frames. Streams of one guest are sent in turn. Addresses are cycled through frame
 * by frame, also from run to run: address k of a guest is gen_mac(guest, k). At full load, with
 * fewer addresses than ring slots, the cycle may skip some where the ring begins anew.
 */
struct gen_stream_conf {
	uint8_t from;
	uint8_t to;        // or GEN_TO_ALL
	uint16_t tci;      // VLAN tag control word; 0: no tag
	uint32_t src_macs; // addresses of 'from', >= 1
	uint32_t dst_macs; // addresses of 'to', >= 1
	// Sent only by gen_learn(): for guests that only receive, so that the switch knows them.
	bool learn_only;
};

struct gen_conf {
	unsigned n_guests;
	const char *sockets[GEN_MAX_GUESTS]; // borrowed; NULL against gen_null_start()
	bool server[GEN_MAX_GUESTS];
	unsigned n_streams;
	struct gen_stream_conf streams[GEN_MAX_STREAMS];
	enum gen_kind kind;
	unsigned size; // of each frame, with its tag, without FCS; GEN_IMIX: 7:4:1 of 64, 570, 1518
	unsigned ring_size;
	unsigned chain;     // descriptors per frame sent, a power of two
	uint32_t rx_buffer; // bytes of a receive buffer; 0: any frame fits
	bool packed;        // packed rings
	bool indirect;
	bool huge;        // guest memory in huge pages
	bool reconnect;   // go on when the switch comes back, instead of -ENOTCONN
	double timeout_s; // to connect
	// Once it is true, whatever is under way ends with -ECANCELED. NULL: none.
	const _Atomic bool *stop;
};

/** What one call of gen_run() does. */
struct gen_load {
	double seconds;   // of sending, behind the warm-up
	double warm_up_s; // traffic of the same kind, counted in totals only
	double pps;       // offered by all senders together, evenly; 0: as much as the rings take
	// > 0: each sender hands over so many as fast as its ring takes them (no pacing, no
	// warm-up). The run ends when all have been received, at the latest after 'seconds'; what
	// was not handed over by then was refused.
	uint64_t frames;
	uint32_t senders;    // bit per guest; 0: all that have streams which are not learn_only
	bool latency;        // needs GEN_STAMP or more
	uint32_t latency_of; // bit per receiving guest: of its frames only; 0: of all
	bool drain;          // afterwards receive until all has come or nothing comes any more
	// A guest that takes at most so many frames per second; 0: all it can.
	double rx_pps[GEN_MAX_GUESTS];
	// About every millisecond, between two rounds, with the time measured so far (0 in the
	// warm-up); false ends the run early. NULL: none.
	bool (*tick)(void *arg, double elapsed_s);
	void *arg;
};

struct gen_stream_result {
	uint64_t handed;
	uint64_t received;    // by the guest it is for (broadcast: by all)
	uint64_t lost;        // numbers that never came; broadcast: of all receivers together
	uint64_t late;        // came after a higher number, or twice
	double longest_gap_s; // between two frames received, or the last one and the end
};

/*
 * Counts are those of the measured time, without warm-up; those called total_* include warm-up
 * and drain, and so do 'lost' and what is wrong in any case (checked, bad, late, disorder,
 * foreign). With GEN_STATIC frames are only counted, whoever's they are: streams and latency stay
 * empty, received_bytes is reckoned from the mean size, and 'late' is told only where no loss can
 * explain it. 'foreign' has then only those among the frames looked at, while all of them count as
 * received: they hide as many lost ones, and total_received may exceed total_expected.
 *
 * A frame counts as received once, and only if it is good: a damaged one is bad and lost, a
 * second one is late.
 */
struct gen_result {
	double seconds;
	uint64_t due; // 0 at full load; of a burst all: frames * senders
	uint64_t handed;
	// Would have been due while this thread itself did not run, or was too slow for the rate:
	// these were not offered and are not in 'due'. The rate offered is due / seconds.
	uint64_t skipped;
	uint64_t refused;
	uint64_t taken;
	uint64_t received;
	uint64_t received_bytes;
	uint64_t guest_taken[GEN_MAX_GUESTS];
	uint64_t guest_received[GEN_MAX_GUESTS];

	uint64_t total_handed;
	uint64_t total_received; // that should come; a broadcast counts once per receiver
	uint64_t total_expected; // copies of what was handed
	uint64_t lost; // total_expected - total_received, when drained (not if stopped in that)

	uint64_t checked;  // frames whose content was looked at
	uint64_t bad;      // content wrong
	uint64_t late;     // out of order or twice
	uint64_t disorder; // used entries that do not fit the available ones
	uint64_t foreign;  // a frame that is for another guest, or nobody's: flooding
	uint64_t guest_foreign[GEN_MAX_GUESTS];
	uint64_t reconnects;

	struct hist latency; // nanoseconds, from handing over to seeing it received
	struct hist gaps; // nanoseconds between two rounds of the generator: the host's own stalls
	double idle_pct;  // time in which no guest had anything to do: the switch is the slower one
	double waited_pct; // time in which this thread was ready and got no processor
	uint64_t kicks;    // notifications to the switch
	uint64_t calls;    // ... and from it

	struct gen_stream_result streams[GEN_MAX_STREAMS];
};

struct gen; // gen_parts.h, for gen*.c only

/** Makes guests, frames and rings. 0 or a negative errno; -EINVAL: the conf is impossible. */
int gen_create(const struct gen_conf *conf, struct gen **ret);
void gen_destroy(struct gen *gen); // takes NULL

/**
 * Connects all guests to the switch. On failure *guest_ret is the one that could not:
 * -ETIMEDOUT (server role: nobody connected), -EOPNOTSUPP (a feature is missing: mergeable
 * buffers, packed ring, indirect descriptors), or what guest_attach() says.
 */
int gen_attach(struct gen *gen, unsigned *guest_ret);
/** Hangs up and connects again: a switch that ages by link forgets the guests' addresses. */
int gen_reattach(struct gen *gen, unsigned *guest_ret);

/**
 * Sends broadcasts until each guest has heard of another one. -ETIMEDOUT: *guest_ret has not.
 * Then gen_learn(): each stream, also the learn_only ones, sends each of its source addresses
 * once, at most 'pps' frames a second in all (0: no limit), and the rings are drained. -ETIMEDOUT:
 * the switch takes no frames. -ENOTCONN: it hung up. Neither does anything against
 * gen_null_start().
 */
int gen_greet(struct gen *gen, unsigned *guest_ret);
int gen_learn(struct gen *gen, double pps);

/**
 * Runs traffic. 0; -ENOTCONN: the switch hung up (without 'reconnect'); -ECANCELED: tick said
 * so. *ret is filled in any case, with what there is.
 */
int gen_run(struct gen *gen, const struct gen_load *load, struct gen_result *ret);

/** Changes the number of addresses of a stream between runs. Not against gen_null_start(). */
void gen_set_macs(struct gen *gen, unsigned stream, uint32_t src_macs, uint32_t dst_macs);

/**
 * The generator's own ceiling: a thread on 'core' that completes all descriptors at once,
 * instead of a switch. It copies the stamp with GEN_STAMP and every line with GEN_TOUCH and
 * GEN_VERIFY, since a ceiling without moving lines between cores would be a lie. It asks for
 * real-time priority, because a polling switch may own that core; *alone_ret tells whether it got
 * that. Each stream's frames go to their guest. Call on a gen that is not attached.
 */
int gen_null_start(struct gen *gen, int core, bool *alone_ret);
void gen_null_stop(struct gen *gen);

/** Mean size of the frames sent, in bytes. */
double gen_mean_size(const struct gen *gen);
/** Process of the switch behind guest 0's socket; 0: unknown. */
pid_t gen_switch_pid(const struct gen *gen);
/** Whether guest's link is up now. */
bool gen_connected(struct gen *gen, unsigned guest);

/** Address number 'k' of a guest. */
void gen_mac(unsigned guest, uint32_t k, uint8_t mac_ret[6]);

/** Seconds of CLOCK_MONOTONIC; cycles per second of the TSC, measured once. */
double gen_now(void);
double gen_tsc_hz(void);
int gen_pin(int core);

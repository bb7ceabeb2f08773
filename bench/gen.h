/*
 * Traffic generator: plays the guests on both sides of a switch from one core.
 *
 * To see what a switch can do, the generator must cost less than the switch. So it prepares
 * everything beforehand: transmit buffers hold finished frames, descriptors and available
 * rings are filled in for ever (position p always names slot p mod slots), and sending is
 * nothing but moving the available index on. Receiving is the same in the other direction:
 * the used entries must come back in order, which the samples check. This is the static
 * guest: an upper bound, for it never touches the frames. The touching guest writes 8 bytes
 * into every cache line that it sends and reads 8 of every line that it receives, as an
 * application would at worst.
 *
 *     guest 0 --> switch --> guest 1        pairs (0,1), (2,3), ...; both ways or one way
 *     guest 1 --> switch --> guest 0
 *
 * With -V each frame is built anew, numbered, and compared whole at the receiver, and a sender
 * never has more under way than the receiver has room for: then nothing may be missing.
 *
 * Threads: one runs the guests; gen_null_start() adds one that plays a switch which does nothing.
 */
#pragma once

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/guest.h"
#include "tests/guest/tframe.h"

#define GEN_MAX_GUESTS   16u
#define GEN_SAMPLE_EVERY 4096u
#define GEN_MIN_FRAME    64u
#define GEN_MAX_SIZE     9000u

struct gen_conf {
	unsigned n_guests;
	const char *sockets[GEN_MAX_GUESTS];
	bool server[GEN_MAX_GUESTS];
	unsigned size; // of each frame, without FCS; 0: IMIX
	unsigned ring_size;
	unsigned macs;      // per guest
	unsigned chain;     // descriptors per frame sent, a power of two
	uint32_t rx_buffer; // bytes of a receive buffer; 0: any frame fits
	bool indirect;
	bool one_way;
	bool touch;
	bool verify;
	bool huge;
	double seconds;
	double warm_up_s;
	double timeout_s; // to connect
};

// One guest, and the direction in which it sends.
struct gen_side {
	// Sending.
	struct gring *tx;
	unsigned slots; // frames that fit the transmit ring
	char **frames;  // per slot, where the frame begins (behind the header)
	uint32_t *lengths;
	uint16_t tx_done;  // used index seen
	uint32_t next_mac; // of the frame sent next, when MACs change from frame to frame
	uint32_t next_number;
	uint32_t window; // frames that the peer's receive ring holds for sure
	uint64_t sent;   // completed by the switch
	bool sending;

	// Receiving.
	struct gring *rx;
	char **buffers; // per descriptor
	uint32_t buffer_size;
	uint64_t received;
	uint64_t received_bytes; // only when each frame is looked at
	uint64_t until_sample;
	uint64_t samples;
	uint64_t bad;      // wrong content
	uint64_t disorder; // used entries not in the order of the available ones
	uint64_t foreign;  // frames not sent by the peer
	struct tframe_track track;

	struct guest *g;
	struct gen_side *peer;
	const struct gen_conf *conf;
	unsigned number; // of the guest
	uint64_t marker; // keeps reads of the touching guest alive
};

struct gen {
	struct gen_conf conf;
	unsigned header_size;
	struct gen_side sides[GEN_MAX_GUESTS];
	uint64_t first_tsc;
	uint64_t last_tsc;
	uint64_t idle_tsc; // spent while no guest had anything to do: the switch is the slower one

	pthread_t null_thread;
	bool null_running;
	int null_core;
	alignas(64) _Atomic bool null_stop; // the one line that both threads look at
};

/** Makes guests, frames and rings. Returns 0 or a negative errno; gen_fini() in any case. */
int gen_init(struct gen *gen, const struct gen_conf *conf);
void gen_fini(struct gen *gen);

/** Connects all guests to the switch. On failure *guest_ret is the one that could not. */
int gen_attach(struct gen *gen, unsigned *guest_ret);

/**
 * Sends a frame now and then until each guest has heard of its peer, then forgets those frames.
 *
 * A switch may drop what comes before it has taken notice of the last guest. -ETIMEDOUT: some
 * guest heard nothing.
 */
int gen_greet(struct gen *gen);

/** Runs traffic for 'seconds'; 'learning' makes all guests send. -ENOTCONN: a switch hung up. */
int gen_run(struct gen *gen, double seconds, bool learning);

/** Stops sending and receives until nothing comes any more. */
void gen_drain(struct gen *gen);

/** Starts a thread on 'core' that completes all descriptors at once, instead of a switch. */
int gen_null_start(struct gen *gen, int core);
void gen_null_stop(struct gen *gen);

/** Mean size of the frames sent, in bytes. */
double gen_mean_size(const struct gen *gen);

/** Address number 'k' of a guest. */
void gen_mac(unsigned guest, uint32_t k, uint8_t mac_ret[6]);

double gen_now(void);
int gen_pin(int core);

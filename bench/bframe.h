/*
 * Frames of the benchmark: each carries its stream, its number there, and the time at which it
 * was handed to the switch.
 *
 *     0     6     12     14/18  +4     +2      +2    +4      +4      +8
 *     +-----+-----+-------+------+-------+--------+------+--------+--------+------+--------
 *     | dst | src | [tag] | 88B5 | magic | stream | seed | length | number | time | pattern
 *     +-----+-----+-------+------+-------+--------+------+--------+--------+------+--------
 *
 * Number and time can be stamped anew without touching the rest, and with the virtio-net header
 * before them all fields lie in the frame's first cache line. The pattern follows from stream,
 * seed and length, so every byte behind the stamp can be checked by a receiver that has never
 * seen the frame. All fields behind the EtherType are in host order: a frame never leaves the
 * machine. A switch may add a tag or take it away: the length says what was sent, and a frame that
 * is longer or shorter by just that tag is not damaged.
 *
 * Threads: no state.
 */
#pragma once

#include <stdint.h>

#define BFRAME_ETHERTYPE 0x88b5u // for local experiments (IEEE 802)
#define BFRAME_MAGIC     0x57535642u
#define BFRAME_MIN       60u   // bytes without FCS of the shortest one
#define BFRAME_MAX       9018u // 9000 bytes of payload, header and tag

struct bframe_info {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t tci; // VLAN tag control word; 0: no tag
	uint16_t stream;
	uint16_t seed;
	uint32_t length; // whole frame, without FCS
	uint32_t number;
	uint64_t tsc; // when it was handed over, cycles
};

enum bframe_verdict {
	BFRAME_GOOD,
	BFRAME_FOREIGN, // not one of ours
	BFRAME_DAMAGED, // ours, but bytes or length are wrong
};

/** Writes a whole frame of info->length bytes (BFRAME_MIN to BFRAME_MAX). */
void bframe_build(const struct bframe_info *info, void *frame);

/** Number and time alone. 'tci' as the frame was built with. */
void bframe_stamp(void *frame, uint16_t tci, uint32_t number, uint64_t tsc);

/**
 * Reads what a frame says of itself, from its first 42 bytes alone. *info_ret is filled in unless
 * the frame is foreign; its tag is the one that it carries now, its length the one it was sent
 * with.
 */
enum bframe_verdict bframe_read(const void *frame, uint32_t length, struct bframe_info *info_ret);

/** The same, and compares every byte of the pattern. */
enum bframe_verdict bframe_check(const void *frame, uint32_t length, struct bframe_info *info_ret);

/*
 * Test frames: each one says which stream it belongs to, which number it has there and how
 * long it is, and every byte after that follows from those three. So a receiver can check
 * a whole frame without having seen it before, and count what is lost, late or doubled.
 *
 *      0      6      12       14/18   +4      +4        +4      +4
 *      +------+------+--------+-------+-------+---------+-------+------------------+
 *      | dst  | src  | [tag]  | 88B5  | magic | stream  | number| length, pattern  |
 *      +------+------+--------+-------+-------+---------+-------+------------------+
 *
 * A tracker keeps one stream's books on the receiving side.
 *
 * Threads: no state but the tracker, which belongs to its caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFRAME_ETHERTYPE 0x88b5u // for local experiments (IEEE 802)
#define TFRAME_MIN       32u     // bytes of the shortest one (36 with a tag)
#define TFRAME_MAGIC     0x56737754u

struct tframe_info {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t vlan; // tag control word; 0: no tag
	uint32_t stream;
	uint32_t number;
	uint32_t length; // whole frame, without FCS
};

enum tframe_verdict {
	TFRAME_GOOD,
	TFRAME_FOREIGN, // no test frame
	TFRAME_DAMAGED, // a test frame whose bytes or length are wrong
};

struct tframe_track {
	uint32_t stream;
	bool begun;
	uint32_t next; // the number that comes next when nothing is lost
	uint64_t good;
	uint64_t missing; // numbers skipped and not seen since
	uint64_t late;    // came after a higher number (or twice)
};

/** Writes the frame; 'frame' has room for info->length (at least TFRAME_MIN, + 4 with a tag). */
void tframe_build(const struct tframe_info *info, void *frame);

/** Checks every byte of a frame; *info_ret is filled when it is a test frame. */
enum tframe_verdict tframe_check(const void *frame, uint32_t length, struct tframe_info *info_ret);

/** Enters a good frame's number into its stream's books. */
void tframe_note(struct tframe_track *t, uint32_t number);

/** Parses aa:bb:cc:dd:ee:ff. Returns false when it is something else. */
bool tframe_parse_mac(const char *text, uint8_t mac_ret[6]);

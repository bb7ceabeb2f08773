#include "bench/bframe.h"

#include <stddef.h>
#include <string.h>

#define VLAN_TYPE 0x8100u
#define TAG_SIZE  4u
#define STEP      0x9e3779b97f4a7c15ull // odd: no word of the pattern comes twice

enum { // of the fields, behind the addresses and the tag
	AT_TYPE = 0,
	AT_MAGIC = 2,
	AT_STREAM = 6,
	AT_SEED = 8,
	AT_LENGTH = 10,
	AT_NUMBER = 14,
	AT_TIME = 18,
	FIELDS_SIZE = 26,
};

static size_t build_addresses(const struct bframe_info *info, uint8_t *frame);
static uint32_t fields_at(const uint8_t *frame, uint32_t length);
static uint16_t get_be16(const uint8_t *at);
static void put_be16(uint8_t *at, uint16_t value);
static uint64_t pattern_begin(const struct bframe_info *info);

void bframe_build(const struct bframe_info *info, void *frame)
{
	uint8_t *at = frame;
	size_t pos = build_addresses(info, at);
	uint64_t word = pattern_begin(info);
	uint32_t magic = BFRAME_MAGIC;

	put_be16(at + pos + AT_TYPE, BFRAME_ETHERTYPE);
	memcpy(at + pos + AT_MAGIC, &magic, sizeof(magic));
	memcpy(at + pos + AT_STREAM, &info->stream, sizeof(info->stream));
	memcpy(at + pos + AT_SEED, &info->seed, sizeof(info->seed));
	memcpy(at + pos + AT_LENGTH, &info->length, sizeof(info->length));
	bframe_stamp(frame, info->tci, info->number, info->tsc);
	for (pos += FIELDS_SIZE; pos + sizeof(word) <= info->length; pos += sizeof(word)) {
		memcpy(at + pos, &word, sizeof(word));
		word += STEP;
	}
	memcpy(at + pos, &word, info->length - pos);
}

void bframe_stamp(void *frame, uint16_t tci, uint32_t number, uint64_t tsc)
{
	uint8_t *fields = (uint8_t *)frame + 12 + (tci ? TAG_SIZE : 0);

	memcpy(fields + AT_NUMBER, &number, sizeof(number));
	memcpy(fields + AT_TIME, &tsc, sizeof(tsc));
}

enum bframe_verdict bframe_read(const void *frame, uint32_t length, struct bframe_info *info_ret)
{
	const uint8_t *at = frame;
	uint32_t pos = fields_at(at, length);
	const uint8_t *fields = at + pos;
	uint32_t magic;

	if (pos == 0)
		return BFRAME_FOREIGN;
	memcpy(&magic, fields + AT_MAGIC, sizeof(magic));
	if (get_be16(fields + AT_TYPE) != BFRAME_ETHERTYPE || magic != BFRAME_MAGIC)
		return BFRAME_FOREIGN;
	memcpy(info_ret->dst, at, 6);
	memcpy(info_ret->src, at + 6, 6);
	info_ret->tci = pos > 12 ? get_be16(at + 14) : 0;
	memcpy(&info_ret->stream, fields + AT_STREAM, sizeof(info_ret->stream));
	memcpy(&info_ret->seed, fields + AT_SEED, sizeof(info_ret->seed));
	memcpy(&info_ret->length, fields + AT_LENGTH, sizeof(info_ret->length));
	memcpy(&info_ret->number, fields + AT_NUMBER, sizeof(info_ret->number));
	memcpy(&info_ret->tsc, fields + AT_TIME, sizeof(info_ret->tsc));
	// A switch may have put the tag there, or taken it away.
	if (length == info_ret->length)
		return BFRAME_GOOD;
	return length == info_ret->length + (pos > 12 ? TAG_SIZE : -TAG_SIZE) ? BFRAME_GOOD
									      : BFRAME_DAMAGED;
}

enum bframe_verdict bframe_check(const void *frame, uint32_t length, struct bframe_info *info_ret)
{
	enum bframe_verdict verdict = bframe_read(frame, length, info_ret);
	const uint8_t *at = frame;
	uint64_t word, seen, wrong = 0;
	uint32_t pos;

	if (verdict != BFRAME_GOOD)
		return verdict;
	word = pattern_begin(info_ret);
	pos = fields_at(at, length) + FIELDS_SIZE;
	// No way out in the middle: so the compiler can compare several words at once.
	for (; length - pos >= sizeof(word); pos += sizeof(word)) {
		memcpy(&seen, at + pos, sizeof(seen));
		wrong |= seen ^ word;
		word += STEP;
	}
	if (wrong != 0 || memcmp(at + pos, &word, length - pos) != 0)
		return BFRAME_DAMAGED;
	return BFRAME_GOOD;
}

static size_t build_addresses(const struct bframe_info *info, uint8_t *frame)
{
	memcpy(frame, info->dst, 6);
	memcpy(frame + 6, info->src, 6);
	if (info->tci == 0)
		return 12;
	put_be16(frame + 12, VLAN_TYPE);
	put_be16(frame + 14, info->tci);
	return 16;
}

// Where the EtherType stands; 0: the frame is too short to be ours.
static uint32_t fields_at(const uint8_t *frame, uint32_t length)
{
	uint32_t pos = 12;

	if (length < pos + FIELDS_SIZE)
		return 0;
	pos += get_be16(frame + 12) == VLAN_TYPE ? TAG_SIZE : 0;
	return length < pos + FIELDS_SIZE ? 0 : pos;
}

static uint16_t get_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint64_t pattern_begin(const struct bframe_info *info)
{
	uint64_t x = (uint64_t)info->length << 32 | (uint64_t)info->seed << 16 | info->stream;

	// Neighbouring streams and seeds must not give neighbouring patterns.
	x = (x ^ x >> 31) * 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

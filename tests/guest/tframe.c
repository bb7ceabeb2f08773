#include "tests/guest/tframe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define VLAN_TYPE 0x8100u

static size_t put32(uint8_t *at, uint32_t value);
static uint32_t get32(const uint8_t *at);
static size_t build_head(const struct tframe_info *info, uint8_t *frame);
static uint64_t pattern_seed(uint32_t stream, uint32_t number, uint32_t length);
static uint64_t pattern_next(uint64_t *state);

void tframe_build(const struct tframe_info *info, void *frame)
{
	uint8_t *at = frame;
	size_t pos = build_head(info, at);
	uint64_t state = pattern_seed(info->stream, info->number, info->length);

	while (pos < info->length) {
		uint64_t word = pattern_next(&state);
		size_t n = info->length - pos < 8 ? info->length - pos : 8;
		memcpy(at + pos, &word, n);
		pos += n;
	}
}

enum tframe_verdict tframe_check(const void *frame, uint32_t length, struct tframe_info *info_ret)
{
	const uint8_t *at = frame;
	struct tframe_info info = {.length = length};
	size_t pos = 12;

	if (length < TFRAME_MIN)
		return TFRAME_FOREIGN;
	memcpy(info.dst, at, 6);
	memcpy(info.src, at + 6, 6);
	if (at[12] == VLAN_TYPE >> 8 && at[13] == (VLAN_TYPE & 0xff)) {
		info.vlan = (uint16_t)(at[14] << 8 | at[15]);
		pos = 16;
	}
	if (at[pos] != TFRAME_ETHERTYPE >> 8 || at[pos + 1] != (TFRAME_ETHERTYPE & 0xff) ||
	    length < pos + 18 || get32(at + pos + 2) != TFRAME_MAGIC)
		return TFRAME_FOREIGN;
	info.stream = get32(at + pos + 6);
	info.number = get32(at + pos + 10);
	*info_ret = info;
	// Tagging on the way changes the length by the tag; the pattern belongs to the sender's.
	uint32_t sent = get32(at + pos + 14);
	uint32_t head = (uint32_t)pos + 18;
	if (sent != length && sent != length + 4 && sent + 4 != length)
		return TFRAME_DAMAGED;
	uint64_t state = pattern_seed(info.stream, info.number, sent);
	for (pos = head; pos < length; pos += 8) {
		uint64_t word = pattern_next(&state);
		size_t n = length - pos < 8 ? length - pos : 8;
		if (memcmp(at + pos, &word, n) != 0)
			return TFRAME_DAMAGED;
	}
	return TFRAME_GOOD;
}

void tframe_note(struct tframe_track *t, uint32_t number)
{
	uint32_t ahead = number - t->next;

	t->good++;
	if (!t->begun || ahead < 0x80000000u) {
		if (t->begun)
			t->missing += ahead;
		else
			t->missing += number; // a stream begins at 0
		t->begun = true;
		t->next = number + 1;
		return;
	}
	t->late++;
	if (t->missing > 0)
		t->missing--;
}

bool tframe_parse_mac(const char *text, uint8_t mac_ret[6])
{
	unsigned b[6];
	char rest;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &rest) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		mac_ret[i] = (uint8_t)b[i];
	return true;
}

static size_t build_head(const struct tframe_info *info, uint8_t *frame)
{
	size_t pos = 12;

	memcpy(frame, info->dst, 6);
	memcpy(frame + 6, info->src, 6);
	if (info->vlan) {
		frame[pos++] = VLAN_TYPE >> 8;
		frame[pos++] = VLAN_TYPE & 0xff;
		frame[pos++] = (uint8_t)(info->vlan >> 8);
		frame[pos++] = (uint8_t)info->vlan;
	}
	frame[pos++] = TFRAME_ETHERTYPE >> 8;
	frame[pos++] = TFRAME_ETHERTYPE & 0xff;
	pos += put32(frame + pos, TFRAME_MAGIC);
	pos += put32(frame + pos, info->stream);
	pos += put32(frame + pos, info->number);
	pos += put32(frame + pos, info->length);
	return pos;
}

static size_t put32(uint8_t *at, uint32_t value)
{
	uint32_t wire = htonl(value);

	memcpy(at, &wire, 4);
	return 4;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t wire;

	memcpy(&wire, at, 4);
	return ntohl(wire);
}

static uint64_t pattern_seed(uint32_t stream, uint32_t number, uint32_t length)
{
	return ((uint64_t)stream << 32 | number) * 0x9e3779b97f4a7c15ull + length + 1;
}

static uint64_t pattern_next(uint64_t *state)
{
	uint64_t x = *state;

	// xorshift64: the state must not be 0.
	x = x ? x : 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

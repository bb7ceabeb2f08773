/*
 * Frames as a switch may deliver them: whatever is found good is, byte for byte, what the builder
 * makes of what the frame says of itself; and no frame with a wrong byte in its pattern is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t frame[BFRAME_MAX];

static void build_again(const uint8_t *data, uint32_t size, const struct bframe_info *info)
{
	uint32_t tag = data[12] == 0x81 && data[13] == 0 ? 4 : 0;

	if (info->length != size && info->length + tag != size && info->length != size + 4)
		abort();
	// A tag that came or went on the way, or says nothing, is not what was built.
	if (info->length != size || (tag > 0 && info->tci == 0) || size < BFRAME_MIN ||
	    size > BFRAME_MAX)
		return;
	bframe_build(info, frame);
	if (memcmp(frame, data, size) != 0)
		abort();
}

// The input as numbers: a frame of its own, which is then damaged.
static void build_and_damage(const uint8_t *data, size_t size)
{
	struct bframe_info info = {.length = BFRAME_MIN}, seen;
	uint32_t head, at = 0;
	uint16_t spare;

	if (size < 14)
		return;
	memcpy(&info.stream, data, 2);
	memcpy(&info.seed, data + 2, 2);
	memcpy(&info.tci, data + 4, 2);
	memcpy(&spare, data + 6, 2);
	memcpy(&info.number, data + 8, 4);
	memcpy(&at, data + 12, 2);
	info.length += spare % (BFRAME_MAX - BFRAME_MIN + 1);
	bframe_build(&info, frame);
	if (bframe_check(frame, info.length, &seen) != BFRAME_GOOD || seen.stream != info.stream ||
	    seen.seed != info.seed || seen.tci != info.tci || seen.number != info.number)
		abort();
	head = info.tci ? 42 : 38;
	frame[head + at % (info.length - head)] ^= (uint8_t)(data[0] | 1);
	if (bframe_check(frame, info.length, &seen) != BFRAME_DAMAGED ||
	    bframe_read(frame, info.length, &seen) != BFRAME_GOOD)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bframe_info info, read;
	enum bframe_verdict whole = bframe_check(data, (uint32_t)size, &info);
	enum bframe_verdict head = bframe_read(data, (uint32_t)size, &read);

	if (head != whole && !(head == BFRAME_GOOD && whole == BFRAME_DAMAGED))
		abort();
	if (whole == BFRAME_GOOD)
		build_again(data, (uint32_t)size, &info);
	build_and_damage(data, size);
	return 0;
}

#include "qos/bucket.h"

static void bucket_refill(struct bucket *b, uint64_t now);

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t ticks_per_s,
		 uint64_t now)
{
	*b = (struct bucket){
		.rate = rate,
		.burst = burst,
		.ticks_per_s = ticks_per_s,
		.tokens = burst * ticks_per_s,
		.then = now,
	};
}

bool bucket_take(struct bucket *b, uint64_t n, uint64_t now)
{
	bucket_refill(b, now);
	if (n > b->burst || b->tokens < n * b->ticks_per_s)
		return false;
	b->tokens -= n * b->ticks_per_s;
	return true;
}

static void bucket_refill(struct bucket *b, uint64_t now)
{
	uint64_t full = b->burst * b->ticks_per_s;
	uint64_t room = full - b->tokens;
	uint64_t gained;

	if (now <= b->then)
		return;
	// A long pause would overflow the product; it fills the bucket anyway.
	if (__builtin_mul_overflow(now - b->then, b->rate, &gained) || gained > room)
		gained = room;
	b->tokens += gained;
	b->then = now;
}
